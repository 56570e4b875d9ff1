"""Time, throughput and memory of a turn: Refill, a stock Rasa FAQ bot, and one bare encoding, in one run.

A turn of Refill begins when the message is posted to the public API and ends when the reply is read from it: storing,
Rasa, the encoder, retrieval, the decision, storing again. A turn of stock Rasa is one call of its REST channel. The
floor is one `SentenceTransformer.encode` of the question in PyTorch.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import platform
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import psutil

from benchmarks import stock_rasa
from bot.encoder.encoder import encoder_folder
from bot.settings import SETTINGS, Settings, load_settings

QUESTIONS = 60
CLIENTS = (1, 20)
LONG = 200
# One turn: (conversation, question) -> whether it was answered.
Turn = Callable[[str, str], Awaitable[bool]]


@dataclass
class Load:
    """Turns under a number of clients: milliseconds, turns per second, turns that failed."""

    clients: int
    turns: int
    p50: float
    p95: float
    per_second: float
    failed: int


def free_port() -> int:
    """A loopback port nobody uses."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def questions(settings: Settings) -> tuple[list[Any], list[str]]:
    """The public English articles, and one question of each of 60 of them."""
    from bot.knowledge.loader import load_knowledge_base

    articles = [
        article
        for article in load_knowledge_base(settings.knowledge_folder).articles
        if article.language == "en" and article.audience == "public"
    ]
    return articles, [article.questions[0] for article in articles[:QUESTIONS]]


def floor(settings: Settings, texts: Sequence[str]) -> dict[str, float]:
    """Milliseconds of one bare PyTorch encoding."""
    import torch
    from sentence_transformers import SentenceTransformer

    torch.set_num_threads(os.cpu_count() or 1)
    model = SentenceTransformer(str(encoder_folder(settings)), device="cpu")
    model.encode("warm up", prompt_name="query")
    times = []
    for text in texts:
        begun = time.perf_counter()
        model.encode(text, prompt_name="query")
        times.append(1000 * (time.perf_counter() - begun))
    return {"p50": float(np.percentile(times, 50)), "p95": float(np.percentile(times, 95))}


async def load(turn: Turn, conversation: Callable[[], Awaitable[str]], texts: Sequence[str], clients: int) -> Load:
    """All texts once per client, each client in a conversation of its own, in an order of its own."""
    times: list[float] = []
    failed = 0

    async def client(number: int) -> None:
        nonlocal failed
        identifier = await conversation()
        for position in range(len(texts)):
            text = texts[(position + 7 * number) % len(texts)]
            begun = time.perf_counter()
            good = await turn(identifier, text)
            times.append(1000 * (time.perf_counter() - begun))
            failed += not good

    begun = time.perf_counter()
    await asyncio.gather(*(client(number) for number in range(clients)))
    seconds = time.perf_counter() - begun
    p50, p95 = np.percentile(times, (50, 95))
    return Load(clients, len(times), float(p50), float(p95), len(times) / seconds, failed)


async def long_conversation(turn: Turn, identifier: str, texts: Sequence[str]) -> dict[str, float]:
    """Milliseconds around turn 2 and around turn 200 of one conversation (medians of nine turns)."""
    times = []
    for position in range(LONG + 4):
        begun = time.perf_counter()
        await turn(identifier, texts[position % len(texts)])
        times.append(1000 * (time.perf_counter() - begun))
    early, late = float(np.median(times[1:10])), float(np.median(times[LONG - 5 : LONG + 4]))
    return {"turn_2": early, "turn_200": late, "ratio": late / early}


async def measure(
    turn: Turn, conversation: Callable[[], Awaitable[str]], texts: Sequence[str]
) -> tuple[list[Load], dict[str, float]]:
    """Loads and the long conversation, after a warm-up."""
    await load(turn, conversation, texts[:10], 1)
    loads = [await load(turn, conversation, texts, clients) for clients in CLIENTS]
    return loads, await long_conversation(turn, await conversation(), texts)


async def measure_stock(settings: Settings, articles: list[Any], texts: Sequence[str], folder: Path) -> dict[str, Any]:
    """The stock bot."""
    stock_rasa.write_project(folder, articles)
    stock_rasa.train(settings, folder)
    port = free_port()
    with stock_rasa.running(settings, folder, port) as process:
        async with httpx.AsyncClient(timeout=120, trust_env=False, limits=httpx.Limits(max_connections=64)) as http:

            async def turn(sender: str, text: str) -> bool:
                body = {"sender": sender, "message": text}
                answer = await http.post(f"http://127.0.0.1:{port}/webhooks/rest/webhook", json=body)
                return answer.status_code == 200 and bool(answer.json())

            async def conversation() -> str:
                return uuid.uuid4().hex

            loads, long = await measure(turn, conversation, texts)
            memory = {"rasa": psutil.Process(process.pid).memory_info().rss / 2**20}
    return {"loads": [asdict(entry) for entry in loads], "long": long, "memory_mb": memory}


@contextlib.contextmanager
def refill_server(settings: Settings, database: Path) -> Iterator[tuple[Settings, subprocess.Popen[bytes]]]:
    """`refill serve` as users run it, a process of its own, on free ports."""
    own = settings.replace(
        server__port=free_port(),
        server__internal_port=free_port(),
        dialogue__rasa_port=free_port(),
        storage__url=f"sqlite:///{database}",
    )
    names = ("server.port", "server.internal_port", "dialogue.rasa_port", "storage.url")
    changed = {setting.variable: str(own[setting.name]) for setting in SETTINGS if setting.name in names}
    process = subprocess.Popen(
        [sys.executable, "-m", "bot.cli", "serve"],
        cwd=settings.root,
        env={**os.environ, **changed},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{own['server.port']}", trust_env=False) as http:
            for _ in range(1200):
                if process.poll() is not None:
                    raise RuntimeError("Refill ended while starting; run `refill serve` to see why")
                with contextlib.suppress(httpx.HTTPError):
                    if http.get("/health").json()["status"] == "ok":
                        break
                time.sleep(0.2)
        yield own, process
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)


async def measure_refill(settings: Settings, texts: Sequence[str], database: Path) -> dict[str, Any]:
    """Refill, over its public API."""
    with refill_server(settings, database) as (own, server):
        url = f"http://127.0.0.1:{own['server.port']}"
        limits = httpx.Limits(max_connections=128, max_keepalive_connections=128)
        async with httpx.AsyncClient(base_url=url, timeout=60, trust_env=False, limits=limits) as http:
            tokens: dict[str, str] = {}

            async def conversation() -> str:
                created = (await http.post("/api/v1/conversations", json={"language": "en"})).json()
                tokens[created["id"]] = created["token"]
                return str(created["id"])

            async def turn(identifier: str, text: str) -> bool:
                url = f"/api/v1/conversations/{identifier}/messages"
                headers = {"authorization": f"Bearer {tokens[identifier]}"}
                body = {"client_id": uuid.uuid4().hex, "text": text}
                posted = await http.post(url, json=body, headers=headers)
                if posted.status_code != 202:
                    return False
                after = {"after": posted.json()["number"], "wait": 30}
                replies = (await http.get(url, params=after, headers=headers)).json()["messages"]
                return bool(replies) and all(reply["author"] == "bot" for reply in replies)

            loads, long = await measure(turn, conversation, texts)
        handed = _unavailable(own)
        processes = {"refill": psutil.Process(server.pid), "rasa": psutil.Process(server.pid).children()[0]}
        memory = {name: process.memory_info().rss / 2**20 for name, process in processes.items()}
    return {
        "loads": [asdict(entry) for entry in loads],
        "long": long,
        "memory_mb": memory,
        "turns_the_bot_could_not_take": handed,
    }


def _unavailable(settings: Settings) -> int:
    """Escalations because a part failed or was late; a turn like that is a failed one."""
    from sqlalchemy import func, select
    from sqlalchemy.orm import Session

    from bot.handoff.models import Escalation
    from bot.storage.engine import open_engine

    engine = open_engine(settings)
    with Session(engine) as session:
        wanted = select(func.count()).select_from(Escalation).where(Escalation.reason == "bot_unavailable")
        count = session.scalar(wanted) or 0
    engine.dispose()
    return count


def table(results: dict[str, Any]) -> str:
    """The results as Markdown."""
    lines = ["| | clients | p50 ms | p95 ms | turns/s | failed |", "|---|---|---|---|---|---|"]
    bare = results["floor"]
    lines.append(f"| bare PyTorch encoding | 1 | {bare['p50']:.1f} | {bare['p95']:.1f} | | |")
    for name in ("stock_rasa", "refill"):
        for entry in results[name]["loads"]:
            lines.append(
                f"| {name.replace('_', ' ')} | {entry['clients']} | {entry['p50']:.1f} | {entry['p95']:.1f} "
                f"| {entry['per_second']:.1f} | {entry['failed']} |"
            )
    lines += ["", "| | turn 2 ms | turn 200 ms | ratio | memory MB |", "|---|---|---|---|---|"]
    for name in ("stock_rasa", "refill"):
        long = results[name]["long"]
        memory = ", ".join(f"{part} {size:.0f}" for part, size in results[name]["memory_mb"].items())
        times = f"{long['turn_2']:.1f} | {long['turn_200']:.1f} | {long['ratio']:.2f}"
        lines.append(f"| {name.replace('_', ' ')} | {times} | {memory} |")
    refill, stock = (results[name]["loads"][0]["p50"] for name in ("refill", "stock_rasa"))
    lines += [
        "",
        f"At one client Refill's p50 is {refill / stock:.2f} × stock Rasa's, {refill / bare['p50']:.2f} × the floor. "
        f"{results['refill']['turns_the_bot_could_not_take']} turns were handed over because a part failed.",
    ]
    return "\n".join(lines)


def main() -> None:
    """Run everything, print the table, write results/turn_latency.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.parse_args()
    settings = load_settings(environ={})
    articles, texts = questions(settings)
    with tempfile.TemporaryDirectory() as scratch:
        results: dict[str, Any] = {
            "machine": {"cores": os.cpu_count(), "python": platform.python_version()},
            "stock_rasa": asyncio.run(measure_stock(settings, articles, texts, Path(scratch) / "stock")),
            "refill": asyncio.run(measure_refill(settings, texts, Path(scratch) / "refill.db")),
        }
        results["floor"] = floor(settings, texts)
    target = settings.path("results", "turn_latency.json")
    target.parent.mkdir(exist_ok=True)
    target.write_text(json.dumps(results, indent=1), "utf-8")
    print(table(results))


if __name__ == "__main__":
    main()
