"""Documentation is complete: every setting, command and public route is described."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, cast

import pytest
import typer
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute
from typer.core import TyperGroup

from bot.app import create_app
from bot.channels.webchat.state import WebchatState
from bot.cli import app
from bot.desk.mount import ROUTERS
from bot.desk.state import TeamState
from bot.settings import SETTINGS

DOCS = Path(__file__).parents[1] / "docs"


def page(name: str) -> str:
    return (DOCS / name).read_text("utf-8")


def commands(group: TyperGroup, above: str = "") -> dict[str, Any]:
    """Every `refill` command by its name, and those of its groups: `evaluate answers`."""
    found = {}
    for name, command in group.commands.items():
        found[above + name] = command
        if isinstance(command, TyperGroup):
            found |= commands(command, f"{above}{name} ")
    return found


COMMANDS = commands(typer.main.get_group(app))


def section(name: str) -> str:
    """What commands.md says under a command's own heading."""
    found = re.search(rf"^#+ refill {name}\n(.*?)(?=^#|\Z)", page("commands.md"), re.DOTALL | re.MULTILINE)
    return found[1] if found else ""


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
    made = create_app(cast(WebchatState, None), cast(TeamState, None), lambda: True)
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


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_documented(name: str) -> None:
    assert section(name).strip()


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_says_what_it_does(name: str) -> None:
    assert len(COMMANDS[name].get_short_help_str(200)) > 20


@pytest.mark.parametrize(
    ("name", "option"),
    [
        (name, option)
        for name, command in COMMANDS.items()
        for parameter in command.params
        for option in parameter.opts
        if option.startswith("--")
    ],
)
def test_every_option_is_documented(name: str, option: str) -> None:
    assert re.search(rf"`{option}\b", section(name))


def test_commands_of_groups_are_found() -> None:
    """The tests above would pass without them."""
    assert {"evaluate", "evaluate answers", "evaluate retrieval"} <= COMMANDS.keys()


@pytest.mark.parametrize(("method", "path"), public_routes())
def test_every_public_route_is_documented(method: str, path: str) -> None:
    text = page("api.md")
    assert path in text
    assert method in text


def desk_pages() -> list[str]:
    """Paths of the desk's pages, without those that give a part of a page or a stream."""
    part = re.compile(r"/desk/(list|events|nothing)|/desk/cases/\{number\}/.+")
    routes = (route for router in ROUTERS for route in flat(router.routes) if "GET" in (route.methods or set()))
    return sorted({route.path for route in routes if not part.fullmatch(route.path)})


@pytest.mark.parametrize("path", desk_pages())
def test_every_page_of_the_desk_is_documented(path: str) -> None:
    assert f"`{path}`" in page("desk.md") or f"example.com{path}\n" in page("desk.md")


def test_routes_are_found() -> None:
    """The test above would pass on an empty list."""
    paths = {path for _, path in public_routes()}
    assert {"/", "/health", "/help/{article_id}", "/api/v1/conversations/{conversation_id}/messages"} <= paths
    assert {"/api/v1/signals", "/api/v1/conversations/{conversation_id}/corrections"} <= paths
