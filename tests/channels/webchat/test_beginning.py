"""How much one address may begin, on every route that begins something."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from bot.channels.webchat.site import Site
from bot.conversation.models import now
from bot.customers import beginnings
from bot.customers.beginnings import WINDOW, TooManyBegun, begin, counts
from bot.customers.models import Beginnings
from tests.channels.webchat.conftest import API, Chat, assert_error

OFFICE, OTHER = "8.8.8.8", "9.9.9.9"


@pytest.mark.parametrize("path", [API, "/api/v1/visitors"])
async def test_more_than_an_address_may_begin_waits(make_chat: Callable[..., Chat], path: str) -> None:
    site = Site(new_per_hour=3)
    office, other = make_chat(site, OFFICE), make_chat(site, OTHER)
    for _ in range(3):
        assert (await office.http.post(path)).status_code == 201
    refused = await office.http.post(path)
    assert_error(refused, 429, "too_many")
    assert 0 < int(refused.headers["retry-after"]) <= WINDOW.total_seconds()
    assert "webchat.new_per_hour" in refused.json()["error"]["remedy"]
    assert (await other.http.post(path)).status_code == 201
    another = API if path != API else "/api/v1/visitors"
    assert (await office.http.post(another)).status_code == 201


async def test_a_website_may_read_how_long_to_wait(make_chat: Callable[..., Chat]) -> None:
    shop = "https://shop.example"
    chat = make_chat(Site(new_per_hour=1, origins=frozenset({shop})), OFFICE)
    for status in (201, 429):
        response = await chat.http.post(API, headers={"origin": shop})
        assert response.status_code == status
    assert "retry-after" in response.headers["access-control-expose-headers"]


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "10.1.2.3", "fd00::1", "::ffff:192.168.0.9", "testclient", ""])
async def test_proxies_and_colleagues_are_not_counted(make_chat: Callable[..., Chat], address: str) -> None:
    assert not counts(address)
    chat = make_chat(Site(new_per_hour=1), address)
    for _ in range(3):
        assert (await chat.http.post(API)).status_code == 201


async def test_without_a_limit_nothing_is_counted(make_chat: Callable[..., Chat]) -> None:
    chat = make_chat(Site(new_per_hour=0), OFFICE)
    for _ in range(3):
        assert (await chat.http.post(API)).status_code == 201
    with Session(chat.bench.engine) as session:
        assert session.scalar(select(func.count()).select_from(Beginnings)) == 0


def test_a_house_of_ipv6_is_one_address(engine: Engine) -> None:
    with Session(engine) as session, session.begin():
        for number in range(2):
            begin(session, "visitor", f"2001:4860::{number + 1}", 2)
        with pytest.raises(TooManyBegun):
            begin(session, "visitor", "2001:4860::ffff", 2)
        begin(session, "visitor", "2001:4860:0:1::1", 2)
        begin(session, "visitor", "::ffff:8.8.8.8", 2)
        begin(session, "visitor", OFFICE, 2)
        with pytest.raises(TooManyBegun):
            begin(session, "visitor", OFFICE, 2)


def test_an_hour_later_it_begins_anew_and_the_old_is_forgotten(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    start = now()

    def try_at(after: dt.timedelta, address: str = OFFICE) -> int | None:
        monkeypatch.setattr(beginnings, "now", lambda: start + after)
        with Session(engine) as session, session.begin():
            try:
                begin(session, "visitor", address, 1)
            except TooManyBegun as error:
                return error.retry_after
        return None

    second = dt.timedelta(seconds=1)
    assert [try_at(dt.timedelta(0)), try_at(dt.timedelta(0), OTHER)] == [None, None]
    assert [try_at(second), try_at(WINDOW - second)] == [3599, 1]
    assert [try_at(WINDOW), try_at(WINDOW + second)] == [None, 3599]
    with Session(engine) as session:
        assert session.scalar(select(func.count()).select_from(Beginnings)) == 1


def test_requests_at_once_are_counted_one_by_one(any_engine: Engine) -> None:
    def attempt(_: int) -> bool:
        with Session(any_engine) as session, session.begin():
            try:
                begin(session, "conversation", OFFICE, 5)
            except TooManyBegun:
                return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(attempt, range(24))) == 5
