"""Which passwords may be set, and how they are kept."""

from __future__ import annotations

import re

import pytest
from argon2 import PasswordHasher, profiles

from bot.errors import FieldError
from bot.people.passwords import Passwords, check, random_password


@pytest.mark.parametrize(
    ("password", "rule"),
    [
        ("x" * 11, "short"),
        ("", "short"),
        ("x" * 201, "long"),
        ("ada.lovelace@example.com", "is_email"),
        (" ADA.Lovelace@Example.com ", "is_email"),
        ("ada.lovelace", "is_email"),
    ],
)
def test_what_is_easy_to_guess_is_refused(password: str, rule: str) -> None:
    with pytest.raises(FieldError) as caught:
        check(password, "ada.lovelace@example.com")
    assert (caught.value.field, caught.value.rule, caught.value.status) == ("password", rule, 422)


@pytest.mark.parametrize("password", ["x" * 12, "x" * 200, "four words with spaces", "密码密码密码密码密码密码"])
def test_what_is_long_enough_may_be_set(password: str) -> None:
    check(password, "ada@example.com")


def test_the_parameters_are_those_of_rfc_9106_for_little_memory() -> None:
    passwords = Passwords()
    stored = passwords.hash("correct horse battery")
    assert stored.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    assert passwords.matches(stored, "correct horse battery")
    assert not passwords.matches(stored, "correct horse batterz")
    assert not passwords.is_outdated(stored)
    weak = PasswordHasher.from_parameters(profiles.CHEAPEST).hash("correct horse battery")
    assert passwords.is_outdated(weak)


def test_nobodys_password_is_no_password() -> None:
    passwords = Passwords(PasswordHasher.from_parameters(profiles.CHEAPEST))
    assert not passwords.matches(None, "")
    assert not passwords.matches("no hash at all", "x")
    assert not passwords.matches("", "x")


def test_random_passwords_may_be_set_and_differ() -> None:
    made = {random_password() for _ in range(50)}
    assert len(made) == 50
    for password in made:
        check(password, "ada@example.com")
        assert re.fullmatch(r"([a-zA-Z34679]{5}-){3}[a-zA-Z34679]{5}", password)
        assert not set(password) & set("01lIO")
