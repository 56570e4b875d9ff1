"""`refill check` looks at every part, says how it is, and what to do where it is not good."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from bot import check
from bot.check import Finding, inspect
from bot.customers.keys import add_key
from bot.errors import EncoderError, RefillError
from bot.settings import Settings, load_settings
from bot.storage.engine import migrate, open_engine

PARTS = [
    *("runtime", "Rasa's runtime", "packages", "encoder", "knowledge base"),
    *("index", "tagger", "Rasa's model", "queues", "web chat", "identity keys", "invitations"),
    *("database", "Redis", "ports"),
]


def fake_rasa_runtime(root: Path, body: str) -> None:
    """Put a program in the place of Rasa's interpreter."""
    python = root / ".venv-rasa" / "bin" / "python"
    python.parent.mkdir(parents=True, exist_ok=True)
    python.write_text(f"#!{sys.executable}\n{body}\n", "utf-8")
    python.chmod(0o755)


@pytest.fixture
def own(tmp_path: Path) -> Settings:
    """Settings of a project in a folder of its own, on ports the system chooses."""
    (tmp_path / "requirements").mkdir()
    (tmp_path / "requirements" / "runtime.txt").write_text("pytest==" + pytest.__version__ + "\n", "utf-8")
    variables = {"REFILL_SERVER_PORT": "0", "REFILL_SERVER_INTERNAL_PORT": "0", "REFILL_DIALOGUE_RASA_PORT": "0"}
    return load_settings(tmp_path, variables)


def test_part_that_is_wrong_is_a_finding_and_the_others_are_looked_at(
    own: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def good(settings: Settings) -> str:
        return "fine"

    def wrong(settings: Settings) -> str:
        raise EncoderError("There is no encoder.", "Run it.")

    def wrong_without_remedy(settings: Settings) -> str:
        raise RefillError("Odd.")

    for name in ("_runtime", "_rasa_runtime", "_packages", "_knowledge", "_index", "_tagger", "_model", "_database"):
        monkeypatch.setattr(check, name, good)
    monkeypatch.setattr(check, "_encoder", wrong)
    monkeypatch.setattr(check, "_ports", wrong_without_remedy)
    findings = list(inspect(own))
    assert [finding.part for finding in findings] == PARTS
    assert findings[0] == Finding("runtime", True, "fine")
    assert findings[3] == Finding("encoder", False, "There is no encoder.", "Run it.")
    assert findings[-1] == Finding("ports", False, "Odd.", "Run `make setup`.")


@pytest.fixture
def found(own: Settings) -> dict[str, Finding]:
    """What is found in a project where nothing is built."""
    own.path("knowledge_base", "public", "en").mkdir(parents=True)
    return {finding.part: finding for finding in inspect(own)}


def test_empty_project(found: dict[str, Finding]) -> None:
    assert list(found) == PARTS
    bad = {part for part, finding in found.items() if not finding.good}
    assert bad >= {"Rasa's runtime", "encoder", "index", "tagger", "Rasa's model", "database"}
    assert all(found[part].remedy for part in bad)
    assert found["runtime"].state.startswith("Python 3.")


# One part each


def test_rasa_s_runtime(own: Settings) -> None:
    fake_rasa_runtime(own.root, "print('3.10.14', '3.6.21', '0.42.1', '5.0.4')")
    assert check._rasa_runtime(own) == "Rasa 3.6.21 on Python 3.10.14"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("print('3.10.14', '3.6.20', '0', '0')", "3.6.20"),
        ("print('3.10.14', '3.5.17', '0', '0')", "3.5.17"),
        ("print('3.11.2', '3.6.21', '0', '0')", r"3\.11\.2"),
        ("print('3.1.0', '3.6.21', '0', '0')", r"3\.1\.0"),
        ("raise SystemExit(1)", "not installed completely"),
    ],
)
def test_rasa_s_runtime_that_will_not_do(own: Settings, body: str, message: str) -> None:
    fake_rasa_runtime(own.root, body)
    with pytest.raises(RefillError, match=message) as caught:
        check._rasa_runtime(own)
    assert "make setup" in caught.value.remedy


def test_packages(own: Settings) -> None:
    file = own.path("requirements", "runtime.txt")
    file.write_text(f"# pinned\n\npytest=={pytest.__version__}  # for tests\n", "utf-8")
    assert check._packages(own) == "1 as pinned"
    file.write_text("pytest==0.1\nno-such-package-anywhere==1.0\n", "utf-8")
    with pytest.raises(RefillError, match=r"should be 0\.1; no-such-package-anywhere is missing, should be 1\.0"):
        check._packages(own)


def test_list_of_packages_is_missing(own: Settings) -> None:
    own.path("requirements", "runtime.txt").unlink()
    assert not {finding.part: finding for finding in inspect(own)}["packages"].good


def test_rasa_s_interpreter_cannot_be_run(own: Settings) -> None:
    fake_rasa_runtime(own.root, "")
    own.path(".venv-rasa", "bin", "python").chmod(0o644)
    assert not {finding.part: finding for finding in inspect(own)}["Rasa's runtime"].good


def test_database(own: Settings) -> None:
    with pytest.raises(RefillError, match="not those of this version"):
        check._database(own)
    engine = open_engine(own)
    migrate(engine)
    engine.dispose()
    assert check._database(own) == "sqlite:///var/refill.db, tables current"


@pytest.mark.services
def test_database_on_postgresql(own: Settings, pg_url: str) -> None:
    url = pg_url.replace("postgres@", "postgres:s3cret@")
    assert check._database(own.replace(storage__url=url)) == f"{url.replace('s3cret', '***')}, tables current"


def test_web_chat(own: Settings) -> None:
    assert check._webchat(own).startswith("on Refill's own pages; ")
    there = own.replace(webchat__origins="https://b.example https://a.example")
    assert check._webchat(there).startswith("on https://a.example, https://b.example; ")
    found = {finding.part: finding for finding in inspect(own.replace(webchat__logo="gone.svg"))}["web chat"]
    assert not found.good
    assert "gone.svg" in found.state


def test_queues(own: Settings) -> None:
    assert check._queues(own) == "support, success, account_management"
    broken = own.with_section("queues", {"support": {"capacity": 0}})
    found = {finding.part: finding for finding in inspect(broken)}["queues"]
    assert not found.good
    assert "capacity" in found.state


def test_identity_keys(own: Settings) -> None:
    assert check._identity(own) == "none: customers cannot be verified"
    file = own.path("var", "identity.json")
    add_key(file, "HS256", "a")
    add_key(file, "EdDSA", "b")
    assert check._identity(own) == "a (HS256), b (EdDSA)"
    file.chmod(0o644)
    with pytest.raises(RefillError, match="Others than its owner"):
        check._identity(own)
    file.write_text("{", "utf-8")
    with pytest.raises(RefillError, match="is no JWK set"):
        check._identity(own)


def test_no_redis(own: Settings) -> None:
    assert check._redis(own) == "not used"
    with pytest.raises(RefillError, match=r"redis://:\*\*\*@127.*cannot be used: .*refused") as caught:
        check._redis(own.replace(storage__redis_url="redis://:s3cret@127.0.0.1:1"))
    assert "storage.redis_url" in caught.value.remedy
    assert "s3cret" not in str(caught.value)


@pytest.mark.services
def test_redis(own: Settings, redis_url: str) -> None:
    assert check._redis(own.replace(storage__redis_url=redis_url)) == f"{redis_url} answers"


def test_damaged_database(own: Settings) -> None:
    own.path("var").mkdir()
    own.path("var", "refill.db").write_bytes(b"This is no database. " * 500)
    assert not {finding.part: finding for finding in inspect(own)}["database"].good


ARTICLE = """---
id: refunds
title: Refunds
language: en
audience: public
topics: [how_to]
questions:
  - How do I refund a sale?
updated: 2026-05-01
---
Open Sales and choose Refund.
"""


def test_broken_articles(own: Settings) -> None:
    folder = own.path("knowledge_base", "public", "en")
    folder.mkdir(parents=True)
    (folder / "broken.md").write_text("no front matter", "utf-8")
    with pytest.raises(RefillError, match=r"broken\.md:1"):
        check._knowledge(own)
    (folder / "whole.md").write_text(ARTICLE, "utf-8")
    with pytest.raises(RefillError, match=r"1 article.*cannot be read.*broken\.md:1") as caught:
        check._knowledge(own)
    assert caught.value.remedy
    (folder / "broken.md").unlink()
    assert check._knowledge(own) == "1 articles"


# Ports


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """A port somebody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener


def test_free_ports(own: Settings) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    assert check._ports(own.replace(server__port=port)) == f"free: {port}, 0, 0"


def test_taken_port_is_named_with_its_setting(own: Settings, listener: socket.socket) -> None:
    port = listener.getsockname()[1]
    with pytest.raises(RefillError, match=rf"{port} \(server\.internal_port\)") as caught:
        check._ports(own.replace(server__internal_port=port))
    assert "refill.toml" in caught.value.remedy


def test_ports_of_a_refill_that_runs(own: Settings, listener: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    port = listener.getsockname()[1]

    def answer(url: str, **options: object) -> httpx.Response:
        assert url == f"http://127.0.0.1:{port}/health"
        return httpx.Response(200, json={"status": "degraded", "rasa": False, "version": "0"})

    monkeypatch.setattr(httpx, "get", answer)
    assert check._ports(own.replace(server__port=port)) == "a Refill is running (degraded)"


@pytest.mark.parametrize("content", [b"<html>", b"{}", b"\xff"])
def test_another_program_on_the_public_port(
    own: Settings, listener: socket.socket, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    monkeypatch.setattr(httpx, "get", lambda url, **options: httpx.Response(200, content=content))
    with pytest.raises(RefillError, match=r"server\.port"):
        check._ports(own.replace(server__port=listener.getsockname()[1]))
