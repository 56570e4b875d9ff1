"""How long the next try waits."""

from __future__ import annotations

import contextlib
import datetime as dt
import threading

from sqlalchemy import Engine, select, update
from sqlalchemy.orm import Session

from bot.conversation.models import now
from bot.people.models import SignInFailure
from bot.people.throttle import (
    FORGOTTEN_AFTER,
    FREE_OF_ACCOUNT,
    FREE_OF_ADDRESS,
    LONGEST_WAIT,
    TooManyAttempts,
    begin,
    succeed,
    wait_after,
)


def test_the_wait_doubles_up_to_its_longest() -> None:
    assert [wait_after(count, 5).total_seconds() for count in (0, 4, 5, 6, 7)] == [0, 0, 2, 4, 8]
    assert wait_after(13, 5) < LONGEST_WAIT
    assert wait_after(14, 5) == wait_after(10**6, 5) == LONGEST_WAIT


def attempt(engine: Engine, address: str = "a") -> bool:
    """Whether a try may go on."""
    try:
        with Session(engine) as session, session.begin():
            begin(session, "ada@example.com", address)
    except TooManyAttempts:
        return False
    return True


def test_tries_side_by_side_are_all_counted(any_engine: Engine) -> None:
    found: list[bool] = []
    threads = [threading.Thread(target=lambda: found.append(attempt(any_engine))) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found.count(True) == FREE_OF_ACCOUNT


def test_a_house_with_many_addresses_counts_as_one(engine: Engine) -> None:
    for number in range(FREE_OF_ADDRESS):
        with Session(engine) as session, session.begin():
            begin(session, f"{number}@example.com", f"2001:db8:1:2::{number:x}")
    tries = {"2001:db8:1:2:ffff::1": False, "2001:db8:1:3::1": True, "::ffff:203.0.113.9": True, "2001:db8::%x": True}
    for address, passes in tries.items():
        with Session(engine) as session, contextlib.suppress(TooManyAttempts):
            begin(session, f"{address}@example.com", address)
            assert passes, address
            continue
        assert not passes, address


def test_failures_are_forgotten_after_a_day(engine: Engine) -> None:
    for _ in range(FREE_OF_ACCOUNT):
        assert attempt(engine)
    assert not attempt(engine)
    with Session(engine) as session, session.begin():
        session.execute(update(SignInFailure).values(last_at=now() - FORGOTTEN_AFTER))
    assert attempt(engine)
    with Session(engine) as session:
        assert session.scalars(select(SignInFailure.failures)).all() == [1, 1]


def test_success_forgets_the_account_and_this_try_of_the_address(engine: Engine) -> None:
    for _ in range(3):
        attempt(engine)
    with Session(engine) as session, session.begin():
        session.execute(
            update(SignInFailure).where(SignInFailure.failures == 3).values(last_at=now() - dt.timedelta(hours=1))
        )
        begin(session, "grace@example.com", "b")
        succeed(session, "Ada@example.com", "a")
    with Session(engine) as session:
        assert sorted(session.scalars(select(SignInFailure.failures))) == [1, 1, 2]


def test_no_address_is_kept_as_it_is(engine: Engine) -> None:
    attempt(engine, "203.0.113.9")
    with Session(engine) as session:
        for key in session.scalars(select(SignInFailure.key)):
            assert len(key) == 64
            assert "ada" not in key
