"""What the description says of the team's routes is true: its statuses happen, no others, and bodies conform."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from bot.attachments.intake import Intake
from bot.attachments.limits import Limits
from bot.errors import EncoderError
from bot.knowledge.answer import Answerer
from bot.outbox.models import Webhook
from bot.outbox.webhooks import MOST_WEBHOOKS
from bot.people.roles import PERMISSIONS
from bot.tagging.tags import Tagged
from tests.described import Operation, conforms, operations
from tests.desk.calls import API, REQUESTS, Request, sent
from tests.desk.world import KEY, QUEUES, World, new_world

pytestmark = pytest.mark.slow

CASE = f"{API}/cases/{{number}}"
# In queries, where nothing else can be wrong.
WRONG = {"limit": 0, "queue": "none", "days": 0}


class Recorder:
    """Sends requests and keeps the answers by operation; the world is put back after each."""

    def __init__(self, world: World, http: httpx.AsyncClient) -> None:
        self.world = world
        self.place = world.places[QUEUES[0]]
        self.answers: list[tuple[Operation, httpx.Response]] = []
        self._http = http
        self._narrow = {
            scope: world.holder([one for one in PERMISSIONS if one != scope], None) for scope in PERMISSIONS
        }
        world.save()

    async def send(self, operation: Operation, token: str = KEY, keep: bool = False, **changed: Any) -> httpx.Response:
        """Send a request that can be carried out, or one changed so that it cannot.

        Args:
            operation: Which.
            token: Whose.
            keep: Leave the world as it is then.
            changed: `path` and `body` in place of the right ones, `content`, `params`.
        """
        path, body = sent(self.world, operation, self.place)
        path, body = changed.pop("path", path), changed.pop("body", body)
        headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
        if "content" in changed:
            body = None
        answer = await self._http.request(operation[0], path, headers=headers, json=body, **changed)
        self.answers.append((operation, answer))
        if not keep:
            self.world.restore()
        return answer

    async def commonly(self, operation: Operation, described: dict[str, Any]) -> None:
        """Everything that happens to every operation."""
        path = operation[1]
        await self.send(operation)
        await self.send(operation, token="rf_wrong")
        await self.send(operation, token=self._narrow[described["x-permission"]])
        body = REQUESTS.get(operation, Request()).body
        if "{" in path:
            missing = {
                "conversation_id": "f" * 32,
                "number": 2**31 - 1,
                "account": "other",
                "customer": "nobody",
                "id": "f" * 32,
                "attachment_id": "f" * 32,
            }
            await self.send(operation, path=path.format(**missing))
            wrong = {
                "conversation_id": "x",
                "number": 0,
                "account": "%20",
                "customer": "c" * 101,
                "id": "x",
                "attachment_id": "x",
            }
            await self.send(operation, path=path.format(**wrong))
        if body is not None:
            await self.send(operation, body={**body, "more": 1})
        elif "422" in described["responses"] and "{" not in path:
            await self.send(operation, params=WRONG)
        if "requestBody" in described:
            await self.send(operation, content=b" " * 2_000_000)

    async def twice(self, operation: Operation, **second: Any) -> None:
        """Send the same twice, the second time perhaps changed."""
        await self.send(operation, keep=True)
        await self.send(operation, **second)


async def specially(recorder: Recorder) -> None:
    """What happens to single operations."""
    world = recorder.world
    for name in ("claim", "release", "transfer", "priority", "resolve", "return", "reopen", "merge"):
        operation = ("post", f"{CASE}/{name}")
        body = sent(world, operation, recorder.place)[1]
        await recorder.send(operation, body={**(body or {}), "version": 99})
    await recorder.send(("post", f"{CASE}/resolve"), keep=True)
    await recorder.send(("post", f"{CASE}/undo"))
    reply, report = ("post", f"{CASE}/replies"), ("post", f"{API}/signals")
    await recorder.twice(reply)
    await recorder.send(reply, body={"client_id": "s", "text": "Late", "seen_number": 0})
    for number, place in enumerate((CASE, f"{API}/signals/{{number}}")):
        note, written = ("post", f"{place}/notes"), {"text": "Mind.", "client_id": f"n{number}"}
        await recorder.send(note, body=written, keep=True)
        await recorder.send(note, body=written, keep=True)
        await recorder.send(note, body={**written, "text": "Never mind."})
    await recorder.twice(report)
    await recorder.twice(report, body={**(REQUESTS[report].body or {}), "name": "goal"})
    await recorder.twice(("post", f"{API}/conversations/{{conversation_id}}/corrections"))
    upload, files = ("post", f"{CASE}/attachments"), world.state.files
    await recorder.send(upload, path=f"{API}/cases/{2**31 - 1}/attachments?name=a.txt&client_id=n")
    await recorder.twice(upload)
    await recorder.twice(upload, body={"other": "text"})
    for limits in (Limits(max_bytes=5), Limits(enabled=False), Limits(scanner=("no-such-program",))):
        world.state.files = Intake(limits)
        await recorder.send(upload)
    world.state.files = files
    invite = ("post", f"{API}/invitations")
    await recorder.twice(invite)
    await recorder.twice(invite, body={**(REQUESTS[invite].body or {}), "after": 1})
    await recorder.send(("get", f"{API}/invitations"), params={"before": "f" * 32})
    claim = ("post", f"{API}/signals/{{number}}/claim")
    await recorder.send(claim, body={"version": 99})
    for name in ("done", "not-a-signal"):
        await recorder.twice(("post", f"{API}/signals/{{number}}/{name}"))
    await recorder.twice(("post", f"{API}/deliveries/{{id}}/retry"))
    await recorder.send(("get", f"{API}/deliveries"), params={"before": "f" * 32})
    await recorder.send(("patch", f"{API}/webhooks/{{id}}"), keep=True)
    await recorder.send(("post", f"{API}/webhooks/{{id}}/test"))
    with world.state.transaction() as session:
        for number in range(MOST_WEBHOOKS):
            one = Webhook(id=f"{number:032}", url="https://example.com", secret="s", events=["*"], created_by="ada")
            session.add(one)
    await recorder.send(("post", f"{API}/webhooks"))

    def down(text: str, language: str) -> Tagged:
        raise EncoderError("The encoder is not there.", "Run `refill setup`.")

    def no_index() -> Answerer:
        raise EncoderError("There is no index.", "Run `refill index`.")

    tag, answerer = world.state.tag, world.state.answerer
    world.state.tag, world.state.answerer = down, no_index
    heard = {"id": "2", "account": "acme", "source": "crm", "text": "We leave."}
    await recorder.send(report, body=heard)
    await recorder.send(("get", f"{CASE}/suggestions"))
    world.state.tag, world.state.answerer = tag, answerer


@pytest.fixture(scope="module")
def recorder() -> Iterator[Recorder]:
    """Every operation of the team's with each of its outcomes."""
    world = new_world()
    world.state.closing = True  # Streams end at once.

    async def record() -> Recorder:
        transport = httpx.ASGITransport(world.app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as http:
            recorder = Recorder(world, http)
            for operation, described in teams(world):
                await recorder.commonly(operation, described)
            await specially(recorder)
            return recorder

    yield asyncio.run(record())
    world.engine.dispose()


def teams(world: World) -> list[tuple[Operation, dict[str, Any]]]:
    """The operations of the team."""
    return [(operation, one) for operation, one in operations(world.app) if "x-permission" in one]


def test_answers_are_as_described(recorder: Recorder) -> None:
    components = recorder.world.app.openapi()["components"]["schemas"]
    described = dict(teams(recorder.world))
    wrong = []
    for operation, answer in recorder.answers:
        found = described[operation]["responses"].get(str(answer.status_code), {})
        if "application/json" in found.get("content", {}):
            schema = found["content"]["application/json"]["schema"]
            wrong += [f"{operation} {problem}" for problem in conforms(answer.json(), schema, components)]
    assert len(recorder.answers) > 300
    assert wrong == []


def test_described_statuses_happen_and_no_others(recorder: Recorder) -> None:
    seen = {(operation, str(answer.status_code)) for operation, answer in recorder.answers}
    told = {(operation, status) for operation, one in teams(recorder.world) for status in one["responses"]}
    assert (sorted(seen - told), sorted(told - seen)) == ([], [])
