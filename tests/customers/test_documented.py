"""What docs/identity.md tells websites to do works."""

from __future__ import annotations

import re
from pathlib import Path

from bot.customers.keys import KeyFile, add_key
from bot.customers.tokens import Identity, IdentityTokens

PAGE = (Path(__file__).parents[2] / "docs" / "identity.md").read_text("utf-8")
USER = {"id": 7, "name": "Ada", "email": "ada@example.com", "company": "acme"}


def example(language: str) -> str:
    """The code of the page in a language."""
    found = re.search(rf"^```{language}\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    assert found
    return found[1]


def seen(file: Path, token: str) -> Identity:
    """Whom the token vouches for."""
    return IdentityTokens(KeyFile(file).find).check(token.strip())


def test_the_example_in_python(tmp_path: Path) -> None:
    file = tmp_path / "identity.json"
    key, secret = add_key(file, "HS256")
    names: dict[str, object] = {}
    exec(compile(example("python"), "identity.md", "exec"), names)
    sign = names["refill_token"]
    assert callable(sign)
    found = seen(file, sign(USER, secret, key.kid))
    assert (found.customer_id, found.name, found.email, found.account) == ("7", "Ada", "ada@example.com", "acme")
    assert found.digest != seen(file, sign(USER, secret, key.kid)).digest
