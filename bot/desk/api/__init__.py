"""The HTTP API of the team: all that the desk can do, for agents' tools and other systems, by tokens with scopes."""

from __future__ import annotations

from fastapi import APIRouter

from bot.desk.api import (
    accounts,
    audit,
    case,
    cases,
    customers,
    files,
    invitations,
    lists,
    people,
    saved_replies,
    signal_work,
    tags,
    transcript,
    webhooks,
)

router = APIRouter()
for area in (
    *(lists, case, cases, files, transcript, tags, accounts, customers, signal_work, invitations),
    *(saved_replies, people, webhooks, audit),
):
    router.include_router(area.router)
