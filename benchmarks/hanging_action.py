"""What a hanging action of one conversation costs the others: the p95 of their turns, with and without it.

The real product, in this process. Ten visitors ask one question after the other; in every second round the action
that answers an eleventh hangs until the turn's deadline has passed. Rounds alternate; the medians of their p95s are
compared.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import tempfile
import time
import uuid
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from rasa_sdk.executor import ActionExecutor

from benchmarks.turn_latency import questions
from bot.encoder.encoder import load_encoder
from bot.knowledge.build import answerer, ensure_index
from bot.serve import running
from bot.settings import Settings, load_settings
from bot.tagging.build import ensure_tagger

VISITORS = 10
TURNS = 12
ROUNDS = 5
HANGS = 11.0


class Visitor:
    """A conversation over HTTP."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http
        self.id = ""
        self._headers: dict[str, str] = {}

    async def begin(self) -> Visitor:
        """Begin it."""
        created = (await self._http.post("/api/v1/conversations", json={"language": "en"})).json()
        self.id = created["id"]
        self._headers = {"authorization": f"Bearer {created['token']}"}
        return self

    async def turn(self, text: str) -> float:
        """Say something; milliseconds until the answer is there."""
        begun = time.perf_counter()
        path = f"/api/v1/conversations/{self.id}/messages"
        body = {"client_id": uuid.uuid4().hex, "text": text}
        posted = (await self._http.post(path, json=body, headers=self._headers)).raise_for_status().json()
        after = {"after": posted["number"], "wait": 30}
        replies = (await self._http.get(path, params=after, headers=self._headers)).raise_for_status().json()
        assert replies["messages"], "no answer within 30 s"
        return 1000 * (time.perf_counter() - begun)


async def measure(settings: Settings, folder: Path) -> dict[str, Any]:
    """p95 of the others' turns by round, and the seconds after which the held-up customers heard."""
    encoder = load_encoder(settings)
    found = answerer(settings, ensure_index(settings, encoder).index, encoder)
    _, texts = questions(settings)
    own = settings.replace(
        server__port=0, server__internal_port=0, dialogue__rasa_port=0, storage__url=f"sqlite:///{folder / 'refill.db'}"
    )
    stuck: set[str] = set()
    run = ActionExecutor.run

    async def hang(executor: ActionExecutor, call: Any) -> Any:
        if call["sender_id"].partition(".")[0] in stuck:
            await asyncio.sleep(HANGS)
        return await run(executor, call)

    ActionExecutor.run = hang
    p95: dict[str, list[float]] = {"without": [], "with": []}
    heard: list[float] = []
    try:
        async with (
            running(own, encoder, found, ensure_tagger(settings, encoder)) as parts,
            httpx.AsyncClient(base_url=parts.url, timeout=60, trust_env=False) as http,
        ):

            async def others() -> list[float]:
                visitors = [await Visitor(http).begin() for _ in range(VISITORS)]

                async def talk(number: int, visitor: Visitor) -> list[float]:
                    return [await visitor.turn(texts[(5 * number + turn) % len(texts)]) for turn in range(TURNS)]

                talks = await asyncio.gather(*(talk(number, visitor) for number, visitor in enumerate(visitors)))
                return [milliseconds for times in talks for milliseconds in times]

            await others()  # To warm up.
            for _ in range(ROUNDS):
                p95["without"].append(float(np.percentile(await others(), 95)))
                visitor = await Visitor(http).begin()
                stuck.add(visitor.id)
                waiting = asyncio.create_task(visitor.turn(texts[0]))
                await asyncio.sleep(0.5)
                p95["with"].append(float(np.percentile(await others(), 95)))
                assert not waiting.done(), "the others took longer than the action hung"
                heard.append(await waiting / 1000)
    finally:
        ActionExecutor.run = run
    without, with_one = float(np.median(p95["without"])), float(np.median(p95["with"]))
    return {
        "visitors": VISITORS,
        "p95_without_ms": round(without, 1),
        "p95_with_ms": round(with_one, 1),
        "ratio": round(with_one / without, 2),
        "rounds": {name: [round(value, 1) for value in values] for name, values in p95.items()},
        "heard_after_s": [round(seconds, 1) for seconds in heard],
    }


def main() -> None:
    """Run it, print the figures, write results/hanging_action.json beside this file."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = asyncio.run(measure(load_settings(environ={}), Path(folder)))
    results = {"machine": {"cores": os.cpu_count(), "python": platform.python_version()}, **found}
    target = Path(__file__).parent / "results" / "hanging_action.json"
    target.write_text(json.dumps(results, indent=1) + "\n", "utf-8")
    print(f"p95 of the others: {found['p95_without_ms']} ms without, {found['p95_with_ms']} ms with a hanging action")
    print(f"ratio {found['ratio']}; the customer heard after at most {max(found['heard_after_s'])} s")


if __name__ == "__main__":
    main()
