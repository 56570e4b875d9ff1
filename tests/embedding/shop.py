"""The product as `refill serve` puts it together, with a scripted bot in Rasa's place and no models: up in a second."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeVar

import pytest
from PIL import Image
from sqlalchemy import select
from sqlalchemy.orm import Session

from bot import serve
from bot.conversation.models import Conversation, Message
from bot.dialogue.turn import Answered, Choice, Escalate, Reply, TurnResult
from bot.handoff import cases
from bot.handoff.models import Escalation
from bot.knowledge.answer import Answer, Answerer, Citation
from bot.knowledge.images import Images, link_images
from bot.settings import Settings, load_settings
from bot.storage.engine import open_engine
from tests.conversation.fakes import DOMAIN, Call, ScriptedDialogue, domain_replies, new_database, said
from tests.handoff.fakes import person
from tests.knowledge.fakes import WordEncoder, article, index_of
from tests.tagging.fakes import word_tagger

T = TypeVar("T")
PASSAGE = """Open **Sales** and touch *Refund*. Then:

![The drawer of the till](images/drawer.png)

1. Take the drawer out.
2. Type `refund 12`, or see [Plans](https://example.com/plans).

| Plan | Tills | Price for each till and month, without tax |
|---|---|---|
| Bean | 1 | 19 |
| Roastery | unlimited | 89 |

```
printer --reset --all --and-print-a-line-that-is-far-too-long-for-a-narrow-panel
```
"""
_PERSON = ("person", "temsilci", "人工", "เจ้าหน้าที่")


class Script:
    """What the bot says: hand over, offer choices, answer at length, wait, or say back what was written.

    Args:
        images: Of the passage.

    Attributes:
        hold: Messages with "slow" in them are answered once this is set.
    """

    def __init__(self, images: Images) -> None:
        self.hold = asyncio.Event()
        citation = Citation("refund-a-sale", "Refund a sale", "/help/refund-a-sale", "en")
        passage = link_images(PASSAGE, lambda name: images.find(name, "public"))
        self._answer = Answer("answer", 0.9, "refund-a-sale", "en", passage, (citation,), ())

    async def __call__(self, call: Call) -> TurnResult:
        """One turn."""
        text, language = call.context.text.lower(), call.context.language
        if call.payload == "/request_human" or any(word in text for word in _PERSON):
            effects = [Escalate(queue="support", reason="asked_for")]
            return said(domain_replies().reply("utter_handed_off", language).text, effects=effects)
        if "choice" in text:
            return said("Did you mean one of these?", choices=[Choice(label="This one", payload="/affirm")])
        if "refund" in text:
            found = self._answer
            reply = Reply(text=found.answer or "", citations=list(found.citations), answered=found)
            return TurnResult(replies=[reply], effects=[Answered(answer=found)])
        if "slow" in text:
            await self.hold.wait()
        return said(f"You wrote: {call.context.text}")


class _NoRasa:
    """Stands where Rasa's process would."""

    url = "http://127.0.0.1:1"
    problem = ""
    pid = None

    def __init__(self, *_: object) -> None:
        self.ready = asyncio.Event()

    async def start(self) -> None:
        """Be ready at once."""
        self.ready.set()

    async def stop(self) -> None:
        """Nothing to stop."""
        self.ready.clear()


class Shop:
    """The running product, and the people behind it.

    Args:
        folder: For its database, kept from one start to the next; empty, or that of another shop.
        changes: Settings in place of the defaults, dots as two underscores.

    Attributes:
        images: Of its articles.
        url: Of the public server.
        ada: Who answers.
        bob: Her colleague.
        script: What the bot says.
    """

    def __init__(self, folder: Path, **changes: Any) -> None:
        self.images = Images(folder)
        ports = {"server__port": 0, "server__internal_port": 0}
        self.settings: Settings = load_settings(folder, {}).replace(
            **{**ports, "storage__url": f"sqlite:///{folder}/refill.db", **changes}
        )
        if (folder / "refill.db").exists():
            self.engine = open_engine(self.settings)
        else:
            self._furnish(folder)
        self.url = ""
        self._thread: threading.Thread | None = None

    def _furnish(self, folder: Path) -> None:
        (folder / "domain.yml").symlink_to(DOMAIN)
        (folder / "public" / "images").mkdir(parents=True)
        Image.new("RGB", (800, 400), "peru").save(folder / "public" / "images" / "drawer.png")
        self.engine = new_database(folder)
        with Session(self.engine) as session, session.begin():
            self.ada = person(session, "Ada", online=True)
            self.bob = person(session, "Bob")

    def start(self) -> None:
        """Start it, on the port it had before."""
        started: Future[serve.Running] = Future()
        self._thread = threading.Thread(target=asyncio.run, args=(self._run(started),), name="shop")
        self._thread.start()
        self.running = started.result(60)
        self.url = self.running.url
        self.settings = self.settings.replace(server__port=int(self.url.rpartition(":")[2]))

    async def _run(self, started: Future[serve.Running]) -> None:
        self.loop, self._over, self.script = asyncio.get_running_loop(), asyncio.Event(), Script(self.images)
        answerer = Answerer(index_of(article("refund-a-sale", PASSAGE)), WordEncoder(), images=self.images)
        tagger: Any = SimpleNamespace(tag=word_tagger({}))
        encoder: Any = WordEncoder()
        try:
            async with serve.running(self.settings, encoder, answerer, tagger) as parts:
                started.set_result(parts)
                await self._over.wait()
                self.script.hold.set()
        except BaseException as error:
            if not started.done():
                started.set_exception(error)
            raise

    def stop(self) -> None:
        """Stop it."""
        if self._thread is not None:
            self.loop.call_soon_threadsafe(self._over.set)
            self._thread.join(60)
            assert not self._thread.is_alive(), "the shop did not stop within 60 s"
            self._thread = None

    def hold_the_slow(self) -> None:
        """Let the bot keep messages with "slow" in them waiting, from now on."""
        self.loop.call_soon_threadsafe(self.script.hold.clear)

    def answer_the_slow(self) -> None:
        """Let the bot answer what it has kept waiting."""
        self.loop.call_soon_threadsafe(self.script.hold.set)

    def stored(self) -> list[tuple[str, str]]:
        """Author and text of every message of the newest conversation."""
        with Session(self.engine) as session:
            newest = session.scalars(select(Conversation).order_by(Conversation.created_at.desc()).limit(1)).one()
            rows = select(Message).where(Message.conversation_id == newest.id).order_by(Message.number)
            return [(row.author, row.text) for row in session.scalars(rows)]

    def do(self, change: Callable[[Session, int], T]) -> T:
        """Change the newest case, as the desk does."""
        with Session(self.engine) as session:
            number = max(session.scalars(select(Escalation.id)))
        with self.running.webchat.store.changes.transaction() as session:
            return change(session, number)

    def claim(self) -> None:
        """Ada takes the newest case."""
        self.do(lambda session, number: cases.claim(session, number, self.ada))

    def reply(self, text: str) -> None:
        """Ada writes to the customer."""
        self.do(lambda session, number: cases.reply(session, number, self.ada, text))

    def resolve(self) -> None:
        """Ada closes the newest case as solved; the bot asks for a rating."""
        self.do(lambda session, number: cases.resolve(session, number, self.ada, "solved", domain_replies().reply))


@contextmanager
def open_shop(folder: Path, **changes: Any) -> Iterator[Shop]:
    """A running shop that is stopped at the end; see `Shop`."""
    with pytest.MonkeyPatch.context() as patch:
        shop = Shop(folder, **changes)
        patch.setattr(serve, "Sidecar", _NoRasa)
        patch.setattr(serve, "RasaClient", lambda *_: ScriptedDialogue(shop.script))
        try:
            shop.start()
            yield shop
        finally:
            shop.stop()
            shop.engine.dispose()


def main(folder: str, port: str, origins: str) -> None:
    """Run a shop in this process until it is killed; once there is a file `answer`, no message is kept waiting."""
    changes = {"server__port": int(port), "webchat__origins": origins, "dialogue__deadline": 3.0}
    with open_shop(Path(folder), **changes) as shop:
        if (Path(folder) / "answer").exists():
            shop.answer_the_slow()
        threading.Event().wait()


if __name__ == "__main__":
    main(*sys.argv[1:])
