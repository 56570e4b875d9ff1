"""Who sees and does what on the desk's pages: every route, by everybody, on what they see and on what they do not.

Each queue has a secret word in all that is said there; whoever does not see the queue must never read it. A route that
has no entry in ENTRIES fails.
"""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from fastapi.routing import APIRoute
from sqlalchemy.orm import Session

from bot.conversation.models import now
from bot.desk.desk_state import DeskState
from bot.desk.inbox import live
from bot.desk.mount import ROUTERS, mount_desk
from bot.desk.pages import COOKIE, csrf_of
from bot.handoff.queues import queues
from bot.people import sessions
from bot.people.models import Person
from bot.people.roles import PERMISSIONS_OF, Permission, Role
from bot.settings import load_settings
from tests.conversation.fakes import PROJECT
from tests.desk.rig import PASSWORD, QUICK, add_person
from tests.desk.world import QUEUES, TAG, Place, World, new_world

pytestmark = pytest.mark.slow

Route = tuple[str, str]
CASE = "/desk/cases/{number}"
SUPPORT, OTHER, SUCCESS = (f"{name}@example.com" for name in ("ines", "omar", "sue"))


@dataclass(frozen=True)
class Entry:
    """What a route needs, and what is sent to it.

    Attributes:
        permission: None for everybody who is signed in.
        form: Values that begin with `=` name an attribute of the place or the world.
        number: Which objects of the place the path names, one after the other.
        status: Where it is carried out; a range for most.
        open: Nobody has to be signed in.
        remembers: It keeps how somebody looks at the desk, though it only shows.
    """

    permission: Permission | None = None
    form: dict[str, Any] = field(default_factory=dict)
    number: tuple[str, ...] = ("case",)
    query: str = ""
    status: range = range(200, 304)
    open: bool = False
    remembers: bool = False


READ: Permission = "conversations:read"
WRITE: Permission = "conversations:write"
REPLY = {"title": "Hello", "text_en": "Hello {customer_name}", "queue": "support"}
PERSON = {"email": "cy@example.com", "name": "Cy", "role": "agent", "language": "en", "capacity": ""}
WEBHOOK = {"url": "https://example.com/new", "description": "", "events": "case.*"}
BOTH = ("case", "work")
ENTRIES: dict[Route, Entry] = {
    ("GET", "/desk/sign-in"): Entry(open=True),
    ("POST", "/desk/sign-in"): Entry(form={"email": SUPPORT, "password": PASSWORD}, status=range(403, 404), open=True),
    ("GET", "/desk/sign-in/provider"): Entry(status=range(404, 405), open=True),
    ("GET", "/desk/sign-in/provider/return"): Entry(query="state=x&code=y", status=range(404, 405), open=True),
    ("POST", "/desk/sign-out"): Entry(),
    ("GET", "/desk/settings"): Entry(),
    ("POST", "/desk/settings"): Entry(form={"language": "tr", "theme": "dark"}),
    ("POST", "/desk/preferences"): Entry(form={"theme": "dark", "next": "https://evil.example/"}),
    ("POST", "/desk/presence"): Entry(form={"online": "yes", "next": "//evil.example/"}),
    ("POST", "/desk/settings/password"): Entry(form={"current": PASSWORD, "password": "n" * 20, "again": "n" * 20}),
    ("POST", "/desk/settings/browsers"): Entry(),
    ("POST", "/desk/settings/picture"): Entry(),
    ("GET", "/desk/attachments/{attachment_id}"): Entry(READ),
    ("POST", f"{CASE}/attachments"): Entry(WRITE, number=BOTH, query="name=a.txt&client_id=n"),
    ("GET", "/desk/people"): Entry("people:manage"),
    ("GET", "/desk/people/new"): Entry("people:manage"),
    ("POST", "/desk/people"): Entry("people:manage", PERSON),
    ("GET", "/desk/people/{id}"): Entry("people:manage"),
    ("POST", "/desk/people/{id}"): Entry("people:manage", PERSON),
    ("POST", "/desk/people/{id}/password"): Entry("people:manage"),
    ("POST", "/desk/people/{id}/disable"): Entry("people:manage"),
    ("POST", "/desk/people/{id}/enable"): Entry("people:manage"),
    ("GET", "/desk/tokens"): Entry("tokens:manage"),
    ("GET", "/desk/tokens/new"): Entry("tokens:manage"),
    ("POST", "/desk/tokens"): Entry("tokens:manage", {"name": "New", "scopes": "audit:read", "days": "30"}),
    ("POST", "/desk/tokens/{id}/revoke"): Entry("tokens:manage"),
    ("GET", "/desk/webhooks"): Entry("webhooks:manage"),
    ("GET", "/desk/webhooks/new"): Entry("webhooks:manage"),
    ("POST", "/desk/webhooks"): Entry("webhooks:manage", WEBHOOK),
    ("GET", "/desk/webhooks/{id}"): Entry("webhooks:manage"),
    ("POST", "/desk/webhooks/{id}"): Entry("webhooks:manage", WEBHOOK),
    ("POST", "/desk/webhooks/{id}/{action}"): Entry("webhooks:manage"),
    ("GET", "/desk/deliveries"): Entry("deliveries:manage"),
    ("POST", "/desk/deliveries/retry"): Entry("deliveries:manage", {"webhook": "=webhook"}),
    ("POST", "/desk/deliveries/{id}/retry"): Entry("deliveries:manage"),
    ("GET", "/desk/audit"): Entry("audit:read"),
    ("GET", "/desk"): Entry(READ, query="view=all", remembers=True),
    ("GET", "/desk/list"): Entry(READ, query="view=support"),
    ("GET", "/desk/nothing"): Entry(READ),
    ("GET", "/desk/events"): Entry(query="after=0"),
    ("GET", CASE): Entry(READ, number=(*BOTH, "twin", "closed")),
    ("GET", f"{CASE}/head"): Entry(READ, number=BOTH),
    ("GET", f"{CASE}/composer"): Entry(READ, number=BOTH),
    ("GET", f"{CASE}/side"): Entry(READ, number=BOTH),
    ("GET", f"{CASE}/suggestions"): Entry(READ, number=BOTH),
    ("GET", f"{CASE}/earlier"): Entry(READ, number=BOTH),
    ("GET", f"{CASE}/entries"): Entry(READ, number=BOTH, query="after=0"),
    ("GET", f"{CASE}/replies"): Entry(READ, number=BOTH),
    ("GET", f"{CASE}/events"): Entry(number=BOTH, query="after=0"),
    ("GET", f"{CASE}/transcript"): Entry(READ, number=BOTH, query="zone=Asia/Bangkok"),
    ("POST", f"{CASE}/read"): Entry(WRITE, {"number": "1"}, number=BOTH),
    ("POST", f"{CASE}/claim"): Entry(WRITE, number=BOTH),
    ("POST", f"{CASE}/release"): Entry(WRITE),
    ("POST", f"{CASE}/transfer"): Entry(WRITE, {"to": "queue:success", "note": "Mind."}, number=BOTH),
    ("POST", f"{CASE}/priority"): Entry(WRITE, {"priority": "high"}, number=BOTH),
    ("POST", f"{CASE}/resolve"): Entry(WRITE, {"resolution": "solved"}),
    ("POST", f"{CASE}/return"): Entry(WRITE),
    ("POST", f"{CASE}/reopen"): Entry(WRITE, number=("closed",)),
    ("POST", f"{CASE}/merge"): Entry(WRITE, {"into": "=twin"}),
    ("POST", f"{CASE}/undo"): Entry(WRITE, status=range(409, 410)),
    ("POST", f"{CASE}/tags"): Entry("tags:write", {"message": "1", "name": "defect", "verdict": "confirm"}),
    ("POST", f"{CASE}/reply"): Entry(WRITE, {"text": "Is it on?", "client_id": "r", "seen_number": "2"}),
    ("POST", f"{CASE}/note"): Entry(WRITE, {"text": "Mind.", "client_id": "n"}, number=BOTH),
    ("POST", f"{CASE}/draft"): Entry(WRITE, {"kind": "note", "text": "Mi", "seen_number": "2"}, number=BOTH),
    ("POST", f"{CASE}/typing"): Entry(WRITE, {"on": "yes"}),
    ("GET", "/desk/signals"): Entry("signals:read", query="state=open"),
    ("POST", "/desk/accounts/{account}/stage"): Entry("accounts:write", {"stage": "adoption"}),
    ("GET", "/desk/replies"): Entry("replies:write"),
    ("GET", "/desk/replies/new"): Entry("replies:write"),
    ("POST", "/desk/replies"): Entry("replies:write", REPLY),
    ("POST", "/desk/replies/preview"): Entry("replies:write", {"language": "en", "text_en": "Hello"}),
    ("GET", "/desk/replies/{number}"): Entry("replies:write", number=("reply",)),
    ("POST", "/desk/replies/{number}"): Entry("replies:write", REPLY, number=("reply",)),
    ("POST", "/desk/replies/{number}/delete"): Entry("replies:write", number=("reply",)),
}


class ShortDesk(DeskState):
    """A desk whose streams look a few times, then end.

    Attributes:
        looks: How many are left.
    """

    looks = 0

    @property
    def closing(self) -> bool:
        """Whether the looks are used up."""
        self.looks -= 1
        return self.looks < 0

    @closing.setter
    def closing(self, value: bool) -> None:
        """As it was made."""


@dataclass(frozen=True)
class Caller:
    """Somebody with a browser.

    Attributes:
        token: Of their session; empty for none.
        bearer: A visitor's token, sent as they do.
        role: None where nobody is signed in.
        queues: They see; None for all.
    """

    name: str
    token: str = ""
    bearer: str = ""
    role: Role | None = None
    queues: frozenset[str] | None = frozenset()

    def sees(self, queue: str) -> bool:
        """Whether the cases of a queue may be seen."""
        return self.role is not None and (self.queues is None or queue in self.queues)


@dataclass
class Desk:
    """The desk of a world, and who calls at it."""

    world: World
    state: ShortDesk
    callers: list[Caller]

    @property
    def administrator(self) -> Caller:
        """Who may do everything."""
        return next(caller for caller in self.callers if caller.role == "administrator")


def _desk(world: World) -> Desk:
    settings = load_settings(PROJECT, {})
    members = {"support": {"members": [SUPPORT]}, "account_management": {"members": [OTHER, SUCCESS]}}
    team = queues(settings.with_section("queues", members))
    given = world.state
    state = ShortDesk(settings, given.changes, given.delivery, team, given.answerer, given.say, TAG, QUICK)
    mount_desk(world.app, state)
    callers = [Caller("nobody"), Caller("a wrong cookie", "wrong")]
    callers += [Caller(f"the visitor of {name}", bearer=place.token) for name, place in world.places.items()]
    roles: dict[str, Role] = {SUPPORT: "agent", OTHER: "agent", SUCCESS: "success_manager", "lea@example.com": "lead"}
    for email, role in {**roles, "adam@example.com": "administrator"}.items():
        person = add_person(world.engine, email, role)
        token = _session(world, person)
        own = None if role in ("lead", "administrator") else team.of(person)
        callers.append(Caller(f"{email}, {role}", token, role=role, queues=own))
    gone = add_person(world.engine, "gone@example.com", "administrator")
    left = add_person(world.engine, "left@example.com", "administrator")
    callers += [Caller("somebody disabled", _session(world, gone)), Caller("who signed out", _session(world, left))]
    with Session(world.engine) as session, session.begin():
        session.get_one(Person, gone.id).disabled_at = now()
        sessions.end(session, callers[-1].token)
    world.save()
    return Desk(world, state, callers)


def _session(world: World, person: Person) -> str:
    with Session(world.engine) as session, session.begin():
        return sessions.start(session, session.get_one(Person, person.id))


@pytest.fixture(scope="module")
def desk() -> Iterator[Desk]:
    """One for all tests here, put back after each change."""
    world = new_world()
    yield _desk(world)
    world.engine.dispose()


@pytest.fixture
async def http(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[httpx.AsyncClient]:
    """A client that keeps no cookies of its own, for streams that wait for nothing."""
    monkeypatch.setattr(live, "HEARTBEAT_SECONDS", 0.0)
    transport = httpx.ASGITransport(desk.world.app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="https://desk.example") as client:
        yield client


def routes() -> set[Route]:
    """Every route below /desk that is not a file."""
    found = [route for router in ROUTERS for route in router.routes if isinstance(route, APIRoute)]
    return {(method, route.path) for route in found for method in route.methods or ()}


def requests(world: World, route: Route) -> Iterator[tuple[str, str, Place]]:
    """What can be asked of a route: path with query, name of the object, and whose it is."""
    entry = ENTRIES[route]
    path = route[1] + (f"?{entry.query}" if entry.query else "")
    kind = route[1].split("/")[2] if route[1].count("/") > 1 else ""
    values = {"people": world.person, "tokens": world.token, "webhooks": world.webhook, "deliveries": world.delivery}
    named = {"id": values.get(kind, ""), "action": "pause", "account": "acme"}
    if not {"{number}", "{attachment_id}"} & set(path.partition("?")[0].split("/")):
        yield path.format(**named), "", next(iter(world.places.values()))
        return
    for place, name in itertools.product(world.places.values(), entry.number):
        yield path.format(number=getattr(place, name), attachment_id=place.file, **named), name, place


def form(world: World, entry: Entry, place: Place) -> dict[str, Any]:
    """A form that can be carried out."""

    def filled(value: str) -> str:
        name = value.removeprefix("=")
        return value if name == value else str(getattr(place, name, None) or getattr(world, name))

    return {name: filled(value) for name, value in entry.form.items()}


def expected(caller: Caller, entry: Entry, path: str, name: str, place: Place) -> range:
    """The statuses that are right."""
    if entry.open:
        # Whoever is signed in goes on from the door to the desk.
        return entry.status
    if caller.role is None:
        return range(303, 304)
    may = PERMISSIONS_OF[caller.role]
    if entry.permission is not None and entry.permission not in may:
        return range(403, 404)
    if name and (not caller.sees(place.queue) or (name == "work" and "signals:read" not in may)):
        return range(404, 405)
    return entry.status


def test_every_route_has_an_entry(desk: Desk) -> None:
    assert routes() == ENTRIES.keys()
    others = {getattr(route, "path", "") for route in desk.world.app.routes} - {path for _, path in ENTRIES}
    assert {path for path in others if path.startswith("/desk")} == {"/desk/static"}


async def test_nobody_does_or_reads_what_is_not_theirs(desk: Desk, http: httpx.AsyncClient) -> None:
    world, wrong = desk.world, []
    secrets = {place.queue: place.secret for place in world.places.values()}
    told: dict[str, set[str]] = {caller.name: set() for caller in desk.callers}
    for route, caller in itertools.product(sorted(ENTRIES), desk.callers):
        entry = ENTRIES[route]
        # Who is nobody to the desk is sent to the door whatever the path names.
        for path, name, place in itertools.islice(requests(world, route), 1 if caller.role is None else None):
            headers = {"cookie": f"{COOKIE}={caller.token}"} if caller.token else {}
            headers |= {"authorization": f"Bearer {caller.bearer}"} if caller.bearer else {}
            headers |= {"x-csrf-token": csrf_of(caller.token)} if route[0] == "POST" else {}
            sent = {"csrf": csrf_of(caller.token), **form(world, entry, place)} if route[0] == "POST" else None
            desk.state.looks = 2
            before = world.changes
            answer = await http.request(route[0], path, headers=headers, data=sent)
            here = f"{caller.name}: {route[0]} {path} ({name} of {place.queue})"
            wanted = expected(caller, entry, path, name, place)
            if answer.status_code not in wanted:
                wrong.append(f"{here} is {answer.status_code}, not {wanted}: {answer.text[-300:]}")
            if caller.role is None and not entry.open and not answer.headers["location"].startswith("/desk/sign-in"):
                wrong.append(f"{here} leads to {answer.headers['location']}")
            if not answer.headers.get("location", "/desk").startswith("/desk"):
                wrong.append(f"{here} leads away, to {answer.headers['location']}")
            if world.changes != before:
                shows = route[0] == "GET" and not entry.remembers
                refused = shows or answer.status_code >= 400 or caller.role is None
                if refused and not world.is_as_saved():
                    wrong.append(f"{here} is answered with {answer.status_code}, and yet something changed")
                world.restore()
            read = {
                queue for queue, secret in secrets.items() if secret in answer.text or secret in str(answer.headers)
            }
            told[caller.name] |= read
            wrong += [f"{here} tells of {queue}" for queue in read if not caller.sees(queue)]
    assert "\n".join(wrong) == ""
    # The words are there to be read, by those who may.
    assert {name for name, read in told.items() if read == set(QUEUES)} == {
        "lea@example.com, lead",
        "adam@example.com, administrator",
    }
    assert told[f"{SUPPORT}, agent"] == {"support"}
    assert told[f"{OTHER}, agent"] == told[f"{SUCCESS}, success_manager"] == {"account_management"}


@pytest.mark.parametrize("given", [{}, {"csrf": "0" * 64}, {"csrf": ""}], ids=["none", "wrong", "empty"])
async def test_no_form_is_taken_without_its_token(desk: Desk, http: httpx.AsyncClient, given: dict[str, str]) -> None:
    boss = desk.administrator
    headers = {"cookie": f"{COOKIE}={boss.token}"}
    for route in sorted(route for route in ENTRIES if route[0] == "POST"):
        path, _, place = next(requests(desk.world, route))
        before = desk.world.changes
        answer = await http.post(path, headers=headers, data={**form(desk.world, ENTRIES[route], place), **given})
        assert answer.status_code == 403, route
        assert desk.world.changes == before, route
