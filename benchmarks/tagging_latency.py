"""What tagging adds to a message that is encoded anyway, by its length."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from bot.encoder.encoder import Encoder
from bot.tagging.examples import Example
from bot.tagging.tagger import Tagger

# Greatest number of tokens, the encoder's prompt among them, of each class of messages.
LIMITS = (15, 30, 60, 120, 10_000)
_MESSAGES = 40
_ROUNDS = 5
_WARM_UP = 3


@dataclass(frozen=True)
class Latency:
    """Of one class of messages; times in milliseconds.

    Attributes:
        tokens: The class.
        messages: How many different ones.
        encode_p50: To encode one.
        tag_p50: To tag it then: sentences, head and evidence.
        tag_p95: The same.
        head_p50: Of it, sentences and head, without evidence.
        ratio: `tag_p50` by `encode_p50`.
    """

    tokens: str
    messages: int
    encode_p50: float
    tag_p50: float
    tag_p95: float
    head_p50: float
    ratio: float


def latency(encoder: Encoder, tagger: Tagger, examples: Sequence[Example]) -> list[Latency]:
    """Measure messages one at a time, each several times, on one thread as in the product.

    Args:
        encoder: Remembers one text only, so that each is encoded anew.
        tagger: Over this encoder.
        examples: Messages to draw from, in any order; the first of each class are taken.
    """
    classes: dict[int, list[Example]] = {limit: [] for limit in LIMITS}
    for example in examples:
        tokens = sum(len(window.places) for window in encoder.read(example.text))
        limit = next(limit for limit in LIMITS if tokens <= limit)
        if len(classes[limit]) < _MESSAGES:
            classes[limit].append(example)
        if all(len(part) == _MESSAGES for part in classes.values()):
            break
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return [
            _measure(encoder, tagger, part, _name(number))
            for number, part in enumerate(classes.values())
            if len(part) > 1
        ]
    finally:
        torch.set_num_threads(threads)


def _name(number: int) -> str:
    least = LIMITS[number - 1] + 1 if number else 1
    return f"over {LIMITS[number - 1]}" if number == len(LIMITS) - 1 else f"{least} to {LIMITS[number]}"


def _measure(encoder: Encoder, tagger: Tagger, examples: Sequence[Example], name: str) -> Latency:
    times = []
    for number, example in enumerate([*examples[:_WARM_UP], *(one for _ in range(_ROUNDS) for one in examples)]):
        begun = time.perf_counter()
        encoder.encode([example.text], "query")
        encoded = time.perf_counter()
        tagger.tag(example.text, example.language)
        tagged = time.perf_counter()
        tagger.weigh(example.text, example.language)
        weighed = time.perf_counter()
        if number >= _WARM_UP:
            times.append((encoded - begun, tagged - encoded, weighed - tagged))
    encode, tag, head = np.array(times).T * 1000
    middle = float(np.median(encode)), float(np.median(tag))
    return Latency(
        name,
        len(examples),
        *middle,
        float(np.percentile(tag, 95)),
        float(np.median(head)),
        middle[1] / middle[0],
    )
