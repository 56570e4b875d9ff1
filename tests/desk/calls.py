"""For each operation, a request that can be carried out in the world of `tests.desk.world`."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from bot.conversation.models import now
from bot.people.roles import PERMISSIONS_OF, Permission
from tests.described import Operation
from tests.desk.world import FACE, LOGO, Place, World

API = "/api/v1"
VISITORS = f"{API}/conversations/{{conversation_id}}"


@dataclass(frozen=True)
class Request:
    """What is sent with an operation so that it can be carried out.

    Attributes:
        query: Behind the path.
        case: Which case of the queue the path means.
        also: Permissions it takes beside `x-permission`.
        conflict: It is refused with 409 for its sake alone: there is nothing to be undone.
    """

    body: dict[str, Any] | None = None
    query: str = ""
    case: str = "case"
    also: frozenset[Permission] = frozenset()
    conflict: bool = False


AGENT = PERMISSIONS_OF["agent"]
END = (now() + dt.timedelta(days=1)).isoformat()
SIGNALS: frozenset[Permission] = frozenset({"signals:read"})
_TEXT = {"text": "Is it on?"}
# What each operation is sent; those left out need nothing.
REQUESTS: dict[Operation, Request] = {
    ("post", VISITORS + "/messages"): Request({"client_id": "m", **_TEXT}),
    ("post", VISITORS + "/messages/{number}/thumb"): Request({"thumb": "up"}),
    ("post", VISITORS + "/rating"): Request({"case": "case", "csat": 5}),
    ("post", VISITORS + "/read"): Request({"number": 1}),
    ("post", VISITORS + "/context"): Request({"title": "Prices"}),
    ("post", VISITORS + "/contact"): Request({"email": "me@example.com"}),
    ("post", f"{API}/visitors/me/identity"): Request({"token": "identity"}),
    ("post", f"{API}/visitors/me/invitations/{{invitation_id}}/outcome"): Request({"outcome": "shown"}),
    ("post", f"{API}/invitations"): Request(
        {"external_id": "new", "account": "acme", "texts": {"en": "Hello"}, "expires_at": END}
    ),
    ("post", VISITORS + "/attachments"): Request({"any": "text"}, "name=a.txt&client_id=n"),
    ("post", f"{API}/cases/{{number}}/attachments"): Request({"any": "text"}, "name=a.txt&client_id=n"),
    ("post", VISITORS + "/corrections"): Request({"number": 1, "name": "defect", "verdict": "confirm"}),
    ("put", VISITORS + "/account"): Request({"account": "acme"}),
    ("post", f"{API}/cases/{{number}}/transfer"): Request({"queue": "success"}),
    ("post", f"{API}/cases/{{number}}/replies"): Request({"client_id": "r", **_TEXT}),
    ("post", f"{API}/cases/{{number}}/notes"): Request(_TEXT),
    ("post", f"{API}/cases/{{number}}/priority"): Request({"priority": "high"}),
    ("post", f"{API}/cases/{{number}}/resolve"): Request({"resolution": "solved"}),
    ("post", f"{API}/cases/{{number}}/merge"): Request({"into": "twin"}),
    ("post", f"{API}/cases/{{number}}/reopen"): Request(case="closed"),
    ("post", f"{API}/cases/{{number}}/undo"): Request(conflict=True),
    ("put", f"{API}/accounts/{{account}}"): Request({"stage": "adoption"}),
    ("post", f"{API}/signals"): Request({"id": "1", "account": "acme", "source": "crm", "name": "renewal"}),
    ("post", f"{API}/signals/{{number}}/claim"): Request(case="work", also=SIGNALS),
    ("post", f"{API}/signals/{{number}}/notes"): Request(_TEXT, case="work", also=SIGNALS),
    ("post", f"{API}/signals/{{number}}/done"): Request(case="work", also=SIGNALS),
    ("post", f"{API}/signals/{{number}}/not-a-signal"): Request(case="work", also=SIGNALS),
    ("post", f"{API}/saved-replies"): Request({"title": "Hello", "texts": {"en": "Hello {customer_name}"}}),
    ("get", f"{API}/saved-replies/{{number}}"): Request(case="reply"),
    ("patch", f"{API}/saved-replies/{{number}}"): Request({"title": "Good day"}, case="reply"),
    ("delete", f"{API}/saved-replies/{{number}}"): Request(case="reply"),
    ("post", f"{API}/people"): Request({"email": "cy@example.com", "name": "Cy", "role": "agent"}, also=AGENT),
    ("patch", f"{API}/people/{{id}}"): Request({"name": "Ada L."}, also=AGENT),
    ("post", f"{API}/people/{{id}}/disable"): Request(also=AGENT),
    ("post", f"{API}/people/{{id}}/enable"): Request(also=AGENT),
    ("post", f"{API}/people/{{id}}/password"): Request(also=AGENT),
    ("post", f"{API}/tokens"): Request({"name": "New", "scopes": ["tokens:manage"]}),
    ("post", f"{API}/webhooks"): Request({"url": "https://example.com/new", "events": ["case.*"]}),
    ("patch", f"{API}/webhooks/{{id}}"): Request({"active": False}),
}


def sent(world: World, operation: Operation, place: Place) -> tuple[str, dict[str, Any] | None]:
    """The path and the body of a request that can be carried out."""
    request = REQUESTS.get(operation, Request())
    path = operation[1]
    named = {"webhooks": world.webhook, "tokens": world.token, "invitations": world.invitation}
    identifier = next((found for name, found in named.items() if name in path), world.person)
    values = {
        "conversation_id": place.conversation,
        "number": 2 if "thumb" in path else getattr(place, request.case),
        "account": "acme",
        "customer": world.customer,
        "invitation_id": "page",
        "attachment_id": place.file,
        "digest": LOGO.digest if "logo" in path else FACE,
        "id": world.delivery if "deliveries" in path else identifier,
    }
    body = request.body and {
        key: getattr(place, value) if value in ("case", "twin", "identity") else value
        for key, value in request.body.items()
    }
    return path.format(**values) + (f"?{request.query}" if request.query else ""), body
