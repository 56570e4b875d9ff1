"""Who may do what: roles of people and scopes of tokens are sets of the same permissions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from bot.errors import RefillError

Role = Literal["agent", "success_manager", "lead", "administrator"]
ROLES: tuple[Role, ...] = get_args(Role)

Permission = Literal[
    "conversations:read",
    "conversations:write",
    "tags:write",
    "signals:read",
    "signals:write",
    "accounts:read",
    "accounts:write",
    "invitations:write",
    "customers:manage",
    "replies:write",
    "reports:read",
    "deliveries:manage",
    "webhooks:manage",
    "people:manage",
    "tokens:manage",
    "audit:read",
]
PERMISSIONS: tuple[Permission, ...] = get_args(Permission)

_AGENT: frozenset[Permission] = frozenset({"conversations:read", "conversations:write", "tags:write", "accounts:read"})
_SUCCESS: frozenset[Permission] = _AGENT | {
    "signals:read",
    "signals:write",
    "accounts:write",
    "invitations:write",
}
_LEAD: frozenset[Permission] = _SUCCESS | {
    "customers:manage",
    "replies:write",
    "reports:read",
    "deliveries:manage",
    "audit:read",
}
PERMISSIONS_OF: dict[Role, frozenset[Permission]] = {
    "agent": _AGENT,
    "success_manager": _SUCCESS,
    "lead": _LEAD,
    "administrator": frozenset(PERMISSIONS),
}


class Forbidden(RefillError):
    """Whoever asks is known, and may not do this."""

    code = "forbidden"
    status = 403


@dataclass(frozen=True)
class Principal:
    """Somebody, or some system, that acts.

    Attributes:
        kind: `person`; `token` of another system; `key`, the operator's `server.api_key`; `operator` at the command
            line; `system` for what Refill does by itself.
        id: Of the person or token; a name for the others.
        name: As others see it.
        permissions: What is allowed.
        queues: Whose conversations; None for all.
        language: Of labels and errors.
    """

    kind: Literal["person", "token", "key", "operator", "system"]
    id: str
    name: str
    permissions: frozenset[Permission]
    queues: frozenset[str] | None = None
    language: str = "en"

    @property
    def label(self) -> str:
        """How the audit log and events name it, at most 60 characters."""
        return f"{self.kind}:{self.id}"[:60]

    @property
    def owner(self) -> str:
        """As the owner of a conversation."""
        return f"agent:{self.id}"

    def may(self, permission: Permission) -> bool:
        """Whether something is allowed."""
        return permission in self.permissions

    def demand(self, permission: Permission) -> None:
        """Let those pass that are allowed to.

        Raises:
            Forbidden: It is not.
        """
        if not self.may(permission):
            raise Forbidden(f"This needs the permission '{permission}'.", "Ask an administrator for it.")

    def sees(self, queue: str) -> bool:
        """Whether the conversations of a queue may be seen."""
        return self.queues is None or queue in self.queues


SYSTEM = Principal("system", "refill", "Refill", frozenset(PERMISSIONS))


def operator(name: str) -> Principal:
    """Who works at the command line, on the machine itself."""
    return Principal("operator", name, name, frozenset(PERMISSIONS))
