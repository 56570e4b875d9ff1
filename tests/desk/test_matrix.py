"""Who may do what: every operation of the description, by everybody, on what they see and on what they do not.

What is expected follows from the description alone: `x-permission`, `x-all-queues`, and what the path names. Each queue
has a secret word in all that is said there; whoever does not see the queue must never read it, whatever they ask for.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from bot.desk.pages import COOKIE
from bot.people.roles import PERMISSIONS, PERMISSIONS_OF, Permission
from tests.described import Operation, operations
from tests.desk.calls import AGENT, API, REQUESTS, SIGNALS, VISITORS, Request, sent
from tests.desk.world import KEY, QUEUES, Place, World, new_world

pytestmark = pytest.mark.slow

# Where nobody needs to say who they are.
OPEN = {
    ("get", "/health"),
    ("get", f"{API}/faces/{{digest}}"),
    ("get", f"{API}/widget"),
    ("get", f"{API}/widget/logo/{{digest}}"),
    ("post", f"{API}/visitors"),
    ("post", f"{API}/conversations"),
}
# For whoever has a visitor's token, each for themselves.
IDENTITY = ("post", f"{API}/visitors/me/identity")
BEGIN = ("post", f"{API}/conversations")
OF_BROWSERS = {
    ("get", f"{API}/visitors/me"),
    ("delete", f"{API}/visitors/me"),
    ("get", f"{API}/conversations"),
    ("get", f"{API}/visitors/me/invitations"),
    ("post", f"{API}/visitors/me/invitations/{{invitation_id}}/outcome"),
    IDENTITY,
}
# An account is one for all queues, and so is what its signals quote: they are for those who may read signals.
OF_ACCOUNTS = {("get", f"{API}/accounts/{{account}}/signals")}


@dataclass(frozen=True)
class Caller:
    """Somebody who calls.

    Attributes:
        token: They send; none where it is empty.
        permissions: They have; None for whom the team does not know.
        queues: They see; None for all.
        visits: The queue whose conversation is theirs, as its visitor.
        browser: Whether the token is a visitor's, not the conversation's own.
    """

    name: str
    token: str = ""
    permissions: frozenset[Permission] | None = None
    queues: frozenset[str] | None = None
    visits: str = ""
    browser: bool = False
    cookies: dict[str, str] = field(default_factory=dict)

    def sees(self, queue: str) -> bool:
        """Whether the cases of a queue may be seen."""
        return self.permissions is not None and (self.queues is None or queue in self.queues)


def team(world: World, name: str, permissions: frozenset[Permission], *queues: str) -> Caller:
    """Somebody with a token of permissions and queues; none named: all."""
    wanted = [permission for permission in PERMISSIONS if permission in permissions]
    of = list(queues) or None
    return Caller(name, world.holder(wanted, of), permissions, frozenset(queues) if queues else None)


def callers(world: World) -> list[Caller]:
    """Everybody: outsiders, visitors, each role, and tokens of one scope."""
    support, other = (world.places[queue] for queue in QUEUES)
    return [
        Caller("nobody"),
        Caller("a wrong token", "rf_wrong"),
        Caller("an administrator's browser", cookies={COOKIE: world.session}),
        Caller("the visitor", support.token, visits=support.queue),
        Caller("another visitor", other.token, visits=other.queue),
        Caller("the visitor's browser", support.browser, visits=support.queue, browser=True),
        Caller("another visitor's browser", other.browser, visits=other.queue, browser=True),
        Caller("the key", KEY, frozenset(PERMISSIONS)),
        team(world, "an agent", AGENT, "support"),
        team(world, "an agent of another queue", AGENT, "account_management"),
        team(world, "a success manager", PERMISSIONS_OF["success_manager"], "success", "account_management"),
        team(world, "a lead", PERMISSIONS_OF["lead"]),
        team(world, "an administrator", PERMISSIONS_OF["administrator"]),
        team(world, "all scopes in one queue", frozenset(PERMISSIONS), "support"),
        *(team(world, f"only {scope}", frozenset({scope})) for scope in PERMISSIONS),
    ]


def expected(caller: Caller, operation: Operation, described: dict[str, Any], place: Place) -> int:
    """The status: 401, 403, 404, or 200 for what is carried out."""
    if operation == BEGIN and caller.token:
        return 200 if caller.browser else 404
    if operation in OPEN:
        return 200
    if operation in OF_BROWSERS:
        mine = operation != IDENTITY or caller.visits == place.queue
        return (200 if mine else 409) if caller.browser else 404
    permission = described.get("x-permission")
    if permission is None:
        return 200 if caller.visits == place.queue else 404
    if caller.permissions is None:
        return 401
    if permission not in caller.permissions or (described["x-all-queues"] and caller.queues is not None):
        return 403
    request = REQUESTS.get(operation, Request())
    names_a_place = any(name in operation[1] for name in ("{conversation_id}", "{number}"))
    if names_a_place and (not caller.sees(place.queue) or not SIGNALS & request.also <= caller.permissions):
        return 404
    if not request.also <= caller.permissions:
        return 403
    return 409 if request.conflict else 200


@pytest.fixture(scope="module")
def everybody(world: World) -> list[Caller]:
    """All callers; what they need to call stands in the world's database."""
    found = callers(world)
    world.save()
    return found


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    """One for all tests here, put back after each change."""
    world = new_world()
    world.state.closing = world.app.state.webchat.closing = True  # Streams end at once.
    yield world
    world.engine.dispose()


def test_every_route_of_the_team_names_its_permission(world: World) -> None:
    found = operations(world.app)
    assert len(found) > 60
    for operation, described in found:
        if "team" in described["tags"]:
            assert described["x-permission"] in PERMISSIONS, operation
            assert described["security"] == [{"Team token": []}], operation
            assert {"401", "403"} <= described["responses"].keys(), operation
        else:
            assert operation in OPEN | OF_BROWSERS or operation[1].startswith(VISITORS), operation
    assert REQUESTS.keys() <= {operation for operation, _ in found}


@pytest.mark.parametrize("queue", QUEUES)
async def test_nobody_does_or_reads_what_is_not_theirs(world: World, everybody: list[Caller], queue: str) -> None:
    wrong = []
    place = world.places[queue]
    secrets = {one.queue: one.secret for one in world.places.values()}
    transport = httpx.ASGITransport(world.app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as http:
        for operation, described in operations(world.app):
            path, body = sent(world, operation, place)
            for caller in everybody:
                headers = {"authorization": f"Bearer {caller.token}"} if caller.token else {}
                headers |= {"cookie": "; ".join(f"{name}={value}" for name, value in caller.cookies.items())}
                before = world.changes
                answer = await http.request(operation[0], path, headers=headers, json=body)
                status = answer.status_code
                wanted = expected(caller, operation, described, place)
                if not (status == wanted or (wanted == 200 and status in (201, 202, 204))):
                    wrong.append(f"{caller.name}: {operation} is {status}, not {wanted}: {answer.text[:200]}")
                if world.changes != before:
                    if status >= 400 and not world.is_as_saved():
                        wrong.append(f"{caller.name}: {operation} is refused with {status}, and yet something changed")
                    world.restore()
                if operation not in OF_ACCOUNTS:
                    wrong += [
                        f"{caller.name}: {operation} tells of {other}"
                        for other, secret in secrets.items()
                        if secret in answer.text and not caller.sees(other) and caller.visits != other
                    ]
    assert "\n".join(wrong) == ""
