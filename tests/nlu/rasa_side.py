"""Runs the Rasa components in Rasa's own runtime and prints what they did as JSON; started by test_components.py."""

from __future__ import annotations

import asyncio
import functools
import json
import os
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
from rasa.shared.core.domain import Domain
from rasa.shared.core.events import UserUttered
from rasa.shared.core.trackers import DialogueStateTracker
from rasa.shared.nlu.constants import ENTITIES, TEXT
from rasa.shared.nlu.training_data.message import Message
from rasa.shared.nlu.training_data.training_data import TrainingData

from bot.nlu.context import ContextExtractor
from bot.nlu.featurizer import SentenceEncoderFeaturizer
from bot.nlu.tokenizer import MultilingualTokenizer
from bot.nlu.tracker_store import BoundedTrackerStore

TEXTS = {
    "english": "I don't want e-mail, it's 12.5 percent",
    "turkish": "İstanbul'daki kasayı iade etmek istiyorum",
    "chinese": "怎么给顾客退款",
    "thai": "ฉันจะคืนเงินให้ลูกค้า",
    "mixed": "Crema收银机 กับ iPad2 ☕",
    "marks": "<b>refund</b> user@crema.example",
    "emoji": "☕️👍🏽",
    "punctuation": "?!",
    "space": " ",
    "one": "a",
    "decomposed": "cafe\u0301 s\u0327ey",
    "nul": "a\x00b",
    "right to left": "\u202eabc\u202c مرحبا",
}
NODE = SimpleNamespace(node_name="featurizer")


def failure(action: Callable[[], object]) -> str:
    """The kind and text of the error an action raises; empty if it raises none."""
    try:
        action()
    except Exception as error:  # noqa: BLE001  (whatever it is, it is reported and asserted on)
        return f"{type(error).__name__}: {error}"
    return ""


def tokens() -> dict[str, Any]:
    """[token, start, end] of each text."""
    tokenizer = MultilingualTokenizer.create(MultilingualTokenizer.get_default_config(), None, None, None)
    found = {}
    for name, text in TEXTS.items():
        made = tokenizer.tokenize(Message(data={TEXT: text}), TEXT)
        found[name] = [[token.text, token.start, token.end] for token in made]
    return found


def context() -> dict[str, Any]:
    """Entities made of several kinds of metadata."""
    extractor = ContextExtractor.create({"slots": ["language", "turn", "sure"]}, None, None, None)
    cases: dict[str, Any] = {
        "scalars": {"slots": {"language": "th", "turn": 3, "sure": True}},
        "not listed": {"slots": {"requested_slot": "x", "language": "th"}},
        "no scalars": {"slots": {"language": ["th"], "turn": {"a": 1}, "sure": None}},
        "no slots": {"slots": None},
        "empty": {},
        "none": None,
    }
    found = {}
    for name, metadata in cases.items():
        message = Message(data={TEXT: "hello", "metadata": metadata})
        extractor.process([message])
        found[name] = message.get(ENTITIES, [])
    message = Message(data={TEXT: "hello", "metadata": cases["scalars"], ENTITIES: [{"entity": "city", "value": "x"}]})
    extractor.process([message])
    found["kept"] = message.get(ENTITIES)
    return found


def trackers() -> dict[str, Any]:
    """What a store with room for two keeps."""

    async def run() -> dict[str, Any]:
        store = BoundedTrackerStore(Domain.empty(), limit=2)
        for sender in ("one", "two", "three"):
            await store.save(DialogueStateTracker.from_events(sender, [UserUttered(f"from {sender}")]))
        kept = await store.keys()
        used = await store.retrieve("two")
        await store.save(DialogueStateTracker.from_events("four", []))
        after_use = await store.keys()
        gone = await store.retrieve("three")
        await store.delete("two")
        await store.delete("unknown")
        return {
            "kept": kept,
            "text": used.latest_message.text if used and used.latest_message else None,
            "after_use": after_use,
            "gone": gone is None,
            "after_delete": await store.keys(),
        }

    made = asyncio.run(run())
    made["refused"] = failure(lambda: BoundedTrackerStore(Domain.empty(), limit=0))
    return made


class Encoder(BaseHTTPRequestHandler):
    """Answers `/encode` with three numbers per text: its length, its place in the call, and one."""

    calls: ClassVar[list[dict[str, Any]]] = []
    status = 200
    header = "3"
    body: bytes | None = None

    def do_POST(self) -> None:
        """Answer one call."""
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.calls.append({"path": self.path, **asked})
        rows = [[len(text), place, 1] for place, text in enumerate(asked["texts"])]
        content = self.body if self.body is not None else np.array(rows, dtype="<f4").tobytes()
        self.send_response(self.status)
        if self.header:
            self.send_header("x-dimensions", self.header)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *arguments: object) -> None:
        """Keep quiet."""


def featurizer(**config: Any) -> SentenceEncoderFeaturizer:
    """A featurizer as the pipeline makes it."""
    options = {**SentenceEncoderFeaturizer.get_default_config(), **config}
    return SentenceEncoderFeaturizer.create(options, None, None, NODE)


def vectors_of(message: Message) -> Any:
    """The sentence features of a message, as rows; None without any."""
    _, sentence = message.get_dense_features(TEXT, [])
    return sentence.features.tolist() if sentence else None


def features() -> dict[str, Any]:
    """What the featurizer makes of a working, a failing and an absent encoder."""
    server = HTTPServer(("127.0.0.1", 0), Encoder)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    os.environ["REFILL_ENCODER_URL"] = f"http://127.0.0.1:{server.server_port}/"
    made = featurizer(scale=2.0)
    messages = [Message(data={TEXT: text}) for text in ("ab", "", "退款吗")] + [Message(data={"intent": "greet"})]
    made.process(messages)
    examples = [Message(data={TEXT: "x" * number}) for number in range(1, 301)]
    made.process_training_data(TrainingData(examples))
    result: dict[str, Any] = {
        "features": [vectors_of(message) for message in messages],
        "calls": [{**call, "texts": len(call["texts"])} for call in Encoder.calls],
        "first": Encoder.calls[0],
        "trained": [vectors_of(example)[0][0] for example in examples],
        "dtype": str(messages[0].get_dense_features(TEXT, [])[1].features.dtype),
    }
    made.process([])
    result["calls after nothing"] = len(Encoder.calls)
    Encoder.status = 503
    result["failing"] = failure(lambda: made.process([Message(data={TEXT: "x"})]))
    Encoder.status, Encoder.header = 200, ""
    result["no width"] = failure(lambda: made.process([Message(data={TEXT: "x"})]))
    Encoder.header, Encoder.body = "3", b"\0" * 8
    result["too few bytes"] = failure(lambda: made.process([Message(data={TEXT: "x"})]))
    server.shutdown()
    server.server_close()
    result["away"] = failure(lambda: made.process([Message(data={TEXT: "x"})]))
    config = SentenceEncoderFeaturizer.get_default_config()
    result["refused"] = {
        f"{name} {value}": failure(
            functools.partial(SentenceEncoderFeaturizer.validate_config, {**config, name: value})
        )
        for name in ("scale", "timeout")
        for value in (0, -1, 0.5)
    }
    return result


if __name__ == "__main__":
    print(json.dumps({"tokens": tokens(), "context": context(), "trackers": trackers(), "features": features()}))
