"""Put the desk into an application: its pages, its files, its state."""

from __future__ import annotations

from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles

from bot.desk import sign_in, single_sign_on
from bot.desk.admin import audit, deliveries, me, people, tokens, webhooks
from bot.desk.desk_state import DeskState
from bot.desk.inbox import actions, files, live, reading, reply_pages, signal_pages
from bot.desk.inbox import pages as inbox
from bot.desk.pages import STATIC

ROUTERS = (
    sign_in.router,
    single_sign_on.router,
    me.router,
    people.router,
    tokens.router,
    webhooks.router,
    deliveries.router,
    audit.router,
    inbox.router,
    actions.router,
    live.router,
    files.router,
    reading.router,
    signal_pages.router,
    reply_pages.router,
)


def mount_desk(app: FastAPI, state: DeskState) -> None:
    """Serve the desk below /desk."""
    app.state.desk = state
    app.mount("/desk/static", StaticFiles(directory=STATIC), name="desk-static")
    for router in ROUTERS:
        app.include_router(router)
