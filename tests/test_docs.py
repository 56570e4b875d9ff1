"""Documentation is complete: every setting, command and public route is described."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import cast

import pytest
import typer
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute

from bot.app import create_app
from bot.channels.webchat.state import WebchatState
from bot.cli import app
from bot.settings import SETTINGS

DOCS = Path(__file__).parents[1] / "docs"


def page(name: str) -> str:
    return (DOCS / name).read_text("utf-8")


def commands() -> dict[str, str]:
    """Every `refill` command and its first line of help."""
    group = typer.main.get_group(app)
    return {name: command.get_short_help_str(200) for name, command in group.commands.items()}


def flat(routes: Iterable[BaseRoute]) -> list[APIRoute]:
    """The routes, those of included routers too, whichever way FastAPI keeps them."""
    found = []
    for route in routes:
        if isinstance(route, APIRoute):
            found.append(route)
        elif hasattr(route, "effective_route_contexts"):
            found += [context.original_route for context in route.effective_route_contexts()]
    return found


def public_routes() -> list[tuple[str, str]]:
    """(method, path) of every route customers can reach, help pages included."""
    made = create_app(cast(WebchatState, None), lambda: True)
    pairs = [
        (method, re.sub(r":\w+}", "}", route.path))
        for route in flat(made.routes)
        for method in sorted((route.methods or set()) - {"HEAD", "OPTIONS"})
    ]
    documented = made.openapi()["paths"]
    pairs += [(method.upper(), path) for path, methods in documented.items() for method in methods]
    return sorted(set(pairs))


@pytest.mark.parametrize("name", [setting.name for setting in SETTINGS])
def test_every_setting_is_documented(name: str) -> None:
    assert f"`{name}`" in page("settings.md")


@pytest.mark.parametrize("variable", [setting.variable for setting in SETTINGS])
def test_every_variable_is_documented(variable: str) -> None:
    assert f"`{variable}`" in page("settings.md")


@pytest.mark.parametrize("name", commands())
def test_every_command_is_documented(name: str) -> None:
    assert re.search(rf"refill {name}\b", page("commands.md"))


@pytest.mark.parametrize("name", commands())
def test_every_command_says_what_it_does(name: str) -> None:
    assert len(commands()[name]) > 20


@pytest.mark.parametrize(
    "option",
    sorted(
        option
        for command in typer.main.get_group(app).commands.values()
        for parameter in command.params
        for option in parameter.opts
        if option.startswith("--") and option != "--help"
    ),
)
def test_every_option_is_documented(option: str) -> None:
    assert option in page("commands.md")


@pytest.mark.parametrize(("method", "path"), public_routes())
def test_every_public_route_is_documented(method: str, path: str) -> None:
    text = page("api.md")
    assert path in text
    assert method in text


def test_routes_are_found() -> None:
    """The test above would pass on an empty list."""
    paths = {path for _, path in public_routes()}
    assert {"/", "/health", "/help/{article_id}", "/api/v1/conversations/{conversation_id}/messages"} <= paths
