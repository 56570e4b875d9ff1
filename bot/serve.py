"""The supervisor: brings every part up in order, waits until it is really ready, takes all of it down cleanly."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx
import uvicorn
from fastapi import FastAPI

from actions import create_executor
from bot.app import create_app, create_internal_app
from bot.attachments.intake import Intake
from bot.attachments.limits import limits as file_limits
from bot.channels.webchat.bundle import current_bundle
from bot.channels.webchat.site import site
from bot.channels.webchat.state import WebchatState
from bot.conversation.changes import Changes, bells
from bot.conversation.delivery import Bell, Delivery
from bot.conversation.relay import RedisRelay
from bot.conversation.service import ConversationService
from bot.conversation.store import ConversationStore
from bot.customers.tokens import identity_tokens
from bot.desk.desk_state import DeskState
from bot.desk.state import TeamState
from bot.dialogue.client import RasaClient, plain_text
from bot.dialogue.replies import Replies
from bot.dialogue.sidecar import Sidecar
from bot.encoder.encoder import Encoder, for_retrieval
from bot.errors import RefillError
from bot.handoff.routing import routing
from bot.handoff.watch import Watch
from bot.knowledge.answer import Answerer
from bot.knowledge.build import current_answerer, index_folder
from bot.knowledge.gaps import asks_again
from bot.knowledge.live import LiveAnswerer
from bot.outbox.workflows import Outbox
from bot.settings import Settings
from bot.storage.engine import migrate, open_engine
from bot.success import second_question
from bot.success.invitations.offers import invitations

if TYPE_CHECKING:
    from bot.tagging.tagger import Tagger

Report = Callable[[str], None]
# A process holds a conversation a little longer than a turn may take.
_LEASE_MARGIN = 5.0
_OUTBOX_SECONDS = 5.0
_THREADS = 16


class _Server(uvicorn.Server):
    """A server that leaves signals to the supervisor."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield


def listen(host: str, port: int, setting: str) -> socket.socket:
    """A listening socket; port 0 takes any free one.

    Raises:
        RefillError: The address cannot be had.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Without the protocol's number asyncio leaves Nagle's algorithm on, which costs 40 ms an answer.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise RefillError(
            f"Cannot listen on {host}:{port}: {error.strerror}.",
            f"Stop the program that uses it, or set {setting} in refill.toml to another.",
        ) from error
    listener.listen(128)
    listener.setblocking(False)
    return listener


def _server(app: FastAPI) -> _Server:
    config = uvicorn.Config(
        app, log_level="warning", access_log=False, lifespan="off", timeout_graceful_shutdown=3, ws="none"
    )
    return _Server(config)


async def _started(server: _Server, task: asyncio.Task[None]) -> None:
    while not server.started:
        if task.done():
            task.result()
            raise RefillError("A server ended while starting.")
        await asyncio.sleep(0.02)


@contextlib.asynccontextmanager
async def _serving(app: FastAPI, listener: socket.socket) -> AsyncIterator[None]:
    """Serve an application for as long as the context lasts."""
    server = _server(app)
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        await _started(server, task)
        yield
    finally:
        server.should_exit = True
        await task


@contextlib.asynccontextmanager
async def _running(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Run a coroutine beside the others for as long as the context lasts."""
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


@contextlib.contextmanager
def _in_thread(app: FastAPI, listener: socket.socket) -> Iterator[None]:
    """Serve an application from a thread with an event loop and worker threads of its own."""
    server = _server(app)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    while not server.started and thread.is_alive():
        time.sleep(0.02)
    try:
        yield
    finally:
        server.should_exit = True
        thread.join(10)


@contextlib.contextmanager
def encoder_server(encoder: Encoder) -> Iterator[str]:
    """Serve only the encoder from a thread, on a free loopback port, while Rasa trains; gives its address."""
    listener = listen("127.0.0.1", 0, "")
    with _in_thread(create_internal_app(encoder, None), listener):
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


@dataclass
class Running:
    """The product while it runs."""

    url: str
    sidecar: Sidecar
    webchat: WebchatState


@contextlib.asynccontextmanager
async def running(
    settings: Settings,
    encoder: Encoder,
    answerer: Answerer,
    tagger: Tagger,
    report: Report = lambda line: None,
) -> AsyncIterator[Running]:
    """Everything up, until the context ends. Ports set to 0 are chosen freely.

    Raises:
        RefillError: A part does not come up; the message says which and what to do.
    """
    # More threads than processors: most of them wait for the database, and none may wait for a slow encoder.
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(_THREADS, "refill"))
    engine = open_engine(settings)
    await asyncio.to_thread(migrate, engine)
    delivery = Delivery()
    outbox = Outbox(settings, engine)
    ring = bells(delivery)

    def tell(places: frozenset[str]) -> None:
        ring(places)
        outbox.wake()

    changes = Changes(engine, tell)
    replies = Replies(settings.path("domain.yml"))
    ways = routing(settings)
    chat_site = site(settings)
    await asyncio.to_thread(current_bundle)
    inviting = invitations(settings)
    await asyncio.to_thread(inviting.prepare, changes)
    identity = identity_tokens(settings)
    deadline = settings["dialogue.deadline"]
    store = ConversationStore(changes, ways, deadline + _LEASE_MARGIN, replies.reply)
    public = listen(settings["server.host"], settings["server.port"], "server.port")
    internal = listen("127.0.0.1", settings["server.internal_port"], "server.internal_port")
    rasa_port = settings["dialogue.rasa_port"] or _free_port()
    sidecar = Sidecar(settings, internal.getsockname()[1], rasa_port)
    limits = httpx.Limits(max_connections=settings["conversation.concurrency"] + 2)
    async with contextlib.AsyncExitStack() as stack:
        stack.callback(engine.dispose)
        http = await stack.enter_async_context(httpx.AsyncClient(trust_env=False, limits=limits))
        service = ConversationService(
            store,
            RasaClient(sidecar.url, http, deadline),
            replies,
            delivery,
            settings["dialogue.segment_turns"],
            settings["conversation.max_length"],
            settings["conversation.max_waiting"],
            settings["conversation.concurrency"],
            lambda text: for_retrieval(encoder).encode([plain_text(text)], "query"),
            lambda earlier, later: asks_again(encoder, plain_text(earlier), plain_text(later)),
            tagger.tag,
            second_question.policy(settings),
            deadline,
        )
        live = LiveAnswerer(answerer, index_folder(settings), lambda: current_answerer(settings, encoder), report)
        await stack.enter_async_context(_running(live.watch()))
        if url := settings["storage.redis_url"]:
            relay = RedisRelay(url, delivery)
            await relay.start()
            stack.push_async_callback(relay.stop)
        files = Intake(file_limits(settings))
        webchat = WebchatState(service, store, delivery, live, files, identity=identity, invitations=inviting)
        executor = create_executor(live)
        # An encoder or an action that is late must not take the worker threads that store messages.
        stack.enter_context(_in_thread(create_internal_app(encoder, executor), internal))
        report("Starting Rasa")
        stack.push_async_callback(sidecar.stop)
        await sidecar.start()
        await service.start()
        watch = Watch(changes, ways.queues, lambda topic: ring(frozenset({f"topic:{topic}"})), settings["handoff.tick"])
        await stack.enter_async_context(_running(watch.run()))
        outbox.start()
        stack.push_async_callback(asyncio.to_thread, outbox.stop, _OUTBOX_SECONDS)
        team = TeamState(
            changes,
            tagger.tag,
            settings["server.api_key"],
            settings["conversation.max_length"],
            settings["tagging.half_life"],
            ways.queues,
            delivery,
            live,
            replies.reply,
            allow_private=settings["outbox.allow_private"],
            files=files,
        )
        desk = DeskState(settings, changes, delivery, ways.queues, live, replies.reply, tagger.tag, files=files)
        app = create_app(webchat, team, sidecar.ready.is_set, desk, chat_site)
        await stack.enter_async_context(_serving(app, public))

        async def drain() -> None:
            webchat.closing = team.closing = desk.closing = True
            delivery.receive(Bell(""))  # Open streams look, and end.
            await service.stop(deadline)

        stack.push_async_callback(drain)
        host, port = public.getsockname()[:2]
        shown = "127.0.0.1" if host in ("0.0.0.0", "::") else host  # noqa: S104  (compared, not bound)
        yield Running(f"http://{shown}:{port}", sidecar, webchat)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def serve(
    settings: Settings,
    encoder: Encoder,
    answerer: Answerer,
    tagger: Tagger,
    report: Report,
    ready: Callable[[Any], None],
) -> None:
    """Run until SIGINT or SIGTERM."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    main = asyncio.current_task()
    assert main is not None

    async def interrupt_start() -> None:
        await stop.wait()
        main.cancel()

    watcher = asyncio.create_task(interrupt_start())
    try:
        async with running(settings, encoder, answerer, tagger, report) as product:
            watcher.cancel()
            ready(product)
            await stop.wait()
            report("Stopping: finishing the turns under way")
    except asyncio.CancelledError:
        report("Stopped before everything was up")
    finally:
        watcher.cancel()
