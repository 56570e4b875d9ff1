"""Verified customers: their sessions on the website."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path

from bot.customers.sessions import end_sessions
from bot.desk.api.routes import INVALID, By, State, error, team_router
from bot.desk.bodies.customers import SessionsEnded
from bot.desk.state import allowed

router = team_router()

CustomerId = Annotated[str, Path(min_length=1, max_length=100, description="`sub` of the identity token.")]


@router.delete(
    "/customers/{customer:path}/sessions",
    **allowed("customers:manage", all_queues=True),
    responses={**error(404, "No such customer."), **INVALID},
)
def delete_sessions(customer: CustomerId, state: State, by: By) -> SessionsEnded:
    """Sign a customer out in every browser. Identity tokens that were signed before are refused from now on."""
    with state.transaction() as session:
        ended = end_sessions(session, by, customer)
    return SessionsEnded(customer=customer, ended=ended)
