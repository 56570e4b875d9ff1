"""What the list of cases is asked for: a view, and what narrows it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from sqlalchemy.orm import Session

from bot.handoff.access import leads
from bot.handoff.listing import CURSOR_PATTERN, ME, NOBODY, ORDERS, SLA_STATES, Filters, Order, counts
from bot.handoff.queues import PRIORITIES, QUEUES
from bot.people.roles import Principal
from bot.settings import LANGUAGES
from bot.tagging.tags import TAGS

MINE, UNASSIGNED, ALL, CLOSED = "mine", "unassigned", "all", "closed"
SORTS: tuple[Order, ...] = tuple(one for one in ORDERS if one != CLOSED)
_LONGEST = 100
__all__ = ["CURSOR_PATTERN", "Asked", "View", "asked", "first_view", "views"]


@dataclass(frozen=True)
class Asked:
    """What a page of the list was asked for; an unknown value counts as none.

    Attributes:
        view: `mine`, `unassigned`, `all`, `closed`, or a queue.
        q: Searched for.
    """

    view: str
    q: str
    sort: Order
    priority: str
    language: str
    sla: str
    tag: str

    @property
    def narrow(self) -> int:
        """How many filters are set."""
        return sum(map(bool, (self.priority, self.language, self.sla, self.tag)))

    @property
    def query(self) -> str:
        """As a page's address has it."""
        values = {"view": self.view, "q": self.q, "sort": self.sort if self.sort != SORTS[0] else ""}
        narrowing = {"priority": self.priority, "language": self.language, "sla": self.sla, "tag": self.tag}
        return urlencode({name: value for name, value in {**values, **narrowing}.items() if value})

    def filters(self) -> Filters:
        """For `list_cases`."""
        closed = self.view == CLOSED
        return Filters(
            queue=self.view if self.view in QUEUES else None,
            status="closed" if closed else "open",
            assignee={MINE: ME, UNASSIGNED: NOBODY}.get(self.view),
            priority=self.priority or None,
            language=self.language or None,
            tag=self.tag or None,
            sla=self.sla or None,
            text=self.q,
            order="closed" if closed else self.sort,
        )


def asked(query: Mapping[str, str], by: Principal, otherwise: str = MINE) -> Asked:
    """Read the address of a page of the list; `otherwise` is the view where it names none."""

    def one_of(name: str, known: tuple[str, ...]) -> str:
        return next((one for one in known if one == query.get(name)), "")

    view = one_of("view", _names(by)) or otherwise
    sort = next((one for one in SORTS if one == query.get("sort")), SORTS[0])
    return Asked(
        view,
        " ".join(query.get("q", "").split())[:_LONGEST],
        sort,
        one_of("priority", PRIORITIES),
        one_of("language", LANGUAGES),
        one_of("sla", SLA_STATES),
        one_of("tag", TAGS),
    )


def _names(by: Principal) -> tuple[str, ...]:
    queues = tuple(queue for queue in QUEUES if by.sees(queue))
    everything = (ALL,) if leads(by) or len(queues) != 1 else ()
    return (MINE, UNASSIGNED, *queues, *everything, CLOSED)


@dataclass(frozen=True)
class View:
    """A way into the list.

    Attributes:
        count: Of its open cases; None for the closed ones.
        hot: One of them has broken its promise.
    """

    name: str
    count: int | None
    hot: bool


def views(session: Session, by: Principal) -> list[View]:
    """The views somebody has, with how much is in each."""
    found = counts(session, by)
    late = any(one.breached for one in found.values())
    made = {
        MINE: View(MINE, sum(one.mine for one in found.values()), False),
        UNASSIGNED: View(UNASSIGNED, sum(one.unassigned for one in found.values()), False),
        ALL: View(ALL, sum(one.open for one in found.values()), late),
        CLOSED: View(CLOSED, None, False),
        **{name: View(name, one.open, one.breached > 0) for name, one in found.items()},
    }
    return [made.get(name, View(name, 0, False)) for name in _names(by)]


def first_view(found: Sequence[View], last: str) -> str:
    """The view to begin with: the last one chosen, else one's own cases; while those are none, what nobody has.

    Args:
        found: The views somebody has.
        last: Name of the view they chose last; empty if none.
    """
    count = {view.name: view.count for view in found}
    chosen = last if last in count else MINE
    return UNASSIGNED if chosen == MINE and not count[MINE] and count[UNASSIGNED] else chosen
