"""`refill chat` in a real terminal session with the running product."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.conftest import Product

pytestmark = [pytest.mark.rasa, pytest.mark.encoder, pytest.mark.slow]


def _chat(url: str, *lines: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "bot.cli", "chat", "--url", url],
        input="\n".join(lines) + "\n",
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_ask_choose_and_reach_a_person(product: Product) -> None:
    done = _chat(product.url, "printer", "3", "", "I want a person", "/quit")
    assert done.returncode == 0, done.stderr
    asked, answered = (
        done.stdout.index("Which of these do you mean?"),
        done.stdout.index("↳ The printer does not print"),
    )
    assert asked < answered < done.stdout.index("Your case number is")


def test_the_second_question_is_shown_before_the_next_input(product: Product) -> None:
    done = _chat(product.url, "how do I reset my back office password", "that helped", "1", "/quit")
    assert done.returncode == 0, done.stderr
    glad, asked = done.stdout.index("I am glad that helped!"), done.stdout.index("which result would you most like")
    assert glad < asked < done.stdout.index("Of course, another time.")


def test_the_end_of_the_input_ends_the_chat(product: Product) -> None:
    done = _chat(product.url, "hello")
    assert done.returncode == 0
    assert "Crema's support bot" in done.stdout


def test_what_is_wrong_is_said_and_the_chat_goes_on(product: Product) -> None:
    done = _chat(product.url, "x" * 4001, "hello", "/quit")
    assert "at most 4,000 are allowed" in done.stdout
    assert "Crema's support bot" in done.stdout


def test_no_bot_at_the_address() -> None:
    done = _chat("http://127.0.0.1:9", "hello")
    assert done.returncode == 1
    assert "No bot answers at http://127.0.0.1:9" in done.stderr
    assert "Traceback" not in done.stderr
