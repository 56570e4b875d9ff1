"""Inspect an installation: what is there, what is wrong, what to do."""

from __future__ import annotations

import importlib.metadata
import platform
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import httpx

from bot.errors import RefillError
from bot.settings import Settings, without_password


@dataclass(frozen=True)
class Finding:
    """One part of the installation, and how it is."""

    part: str
    good: bool
    state: str
    remedy: str = ""


def inspect(settings: Settings) -> Iterator[Finding]:
    """Look at every part; a part that cannot be looked at is a finding too."""
    parts: tuple[tuple[str, Callable[[Settings], str]], ...] = (
        ("runtime", _runtime),
        ("Rasa's runtime", _rasa_runtime),
        ("packages", _packages),
        ("encoder", _encoder),
        ("knowledge base", _knowledge),
        ("index", _index),
        ("tagger", _tagger),
        ("Rasa's model", _model),
        ("queues", _queues),
        ("web chat", _webchat),
        ("identity keys", _identity),
        ("invitations", _invitations),
        ("database", _database),
        ("Redis", _redis),
        ("ports", _ports),
    )
    for part, look in parts:
        try:
            yield Finding(part, True, look(settings))
        except RefillError as error:
            yield Finding(part, False, error.message, error.remedy or "Run `make setup`.")


def _runtime(settings: Settings) -> str:
    if sys.version_info < (3, 11):
        raise RefillError(f"Python {platform.python_version()} is too old.", "Install Python 3.11 or later.")
    return f"Python {platform.python_version()}"


def _rasa_runtime(settings: Settings) -> str:
    from bot.dialogue.training import rasa_python

    script = (
        "import sys, importlib.metadata as m; print(sys.version.split()[0], m.version('rasa'), m.version('jieba'), "
        "m.version('pythainlp'))"
    )
    try:
        found = subprocess.run(  # noqa: S603  (our own interpreter)
            [str(rasa_python(settings)), "-c", script], capture_output=True, text=True, check=False
        )
    except OSError as error:
        raise RefillError(f"Rasa's Python cannot be run: {error.strerror}.", "Run `make clean setup`.") from error
    if found.returncode:
        raise RefillError("Rasa is not installed completely in .venv-rasa.", "Run `make setup`.")
    python, rasa, *_ = found.stdout.split()
    if not python.startswith("3.10.") or _version(rasa) < (3, 6, 21):
        raise RefillError(
            f"Rasa {rasa} on Python {python}; it must be 3.6.21 or later on Python 3.10.",
            "Remove .venv-rasa and run `make setup`.",
        )
    return f"Rasa {rasa} on Python {python}"


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(".") if part.isdecimal())


def _packages(settings: Settings) -> str:
    wrong = []
    wanted = 0
    try:
        lines = settings.path("requirements", "runtime.txt").read_text("utf-8").splitlines()
    except OSError as error:
        raise RefillError(f"requirements/runtime.txt cannot be read: {error.strerror}.", "Restore it.") from error
    for line in lines:
        name, _, version = line.split("#")[0].strip().partition("==")
        if not name:
            continue
        wanted += 1
        try:
            found = importlib.metadata.version(name.split("[")[0])
        except importlib.metadata.PackageNotFoundError:
            found = "missing"
        if found.partition("+")[0] != version:
            wrong.append(f"{name} is {found}, should be {version}")
    if wrong:
        raise RefillError("; ".join(wrong[:5]) + ("…" if len(wrong) > 5 else "") + ".", "Run `make setup`.")
    return f"{wanted} as pinned"


def _encoder(settings: Settings) -> str:
    from bot.encoder.encoder import load_encoder

    encoder = load_encoder(settings)
    return f"{encoder.dimensions} dimensions, {settings['encoder.precision']}, {encoder.fingerprint}"


def _knowledge(settings: Settings) -> str:
    from bot.knowledge.loader import load_knowledge_base

    knowledge = load_knowledge_base(settings.knowledge_folder)
    if knowledge.errors:
        count = len(knowledge.errors)
        raise RefillError(f"{count} articles cannot be read; the first: {knowledge.errors[0].message}", "Correct them.")
    return f"{len(knowledge.articles)} articles"


def _index(settings: Settings) -> str:
    from bot.encoder.encoder import retrieval_fingerprint
    from bot.knowledge.build import index_folder, is_current
    from bot.knowledge.index import read_index

    index = read_index(index_folder(settings), retrieval_fingerprint(settings), thorough=True)
    if not is_current(settings):
        raise RefillError("Articles changed since it was built.", "Run `refill index`.")
    return ", ".join(f"{len(shelf.articles)} {audience}" for audience, shelf in index.shelves.items())


def _tagger(settings: Settings) -> str:
    from bot.encoder.encoder import encoder_fingerprint
    from bot.tagging.build import is_current, manifest, verify

    verify(settings)
    if not is_current(settings, encoder_fingerprint(settings)):
        raise RefillError("Examples, encoder or recipe changed since it was trained.", "Run `refill train`.")
    record = manifest(settings)
    corrections = f", {record['corrections']:,} corrections among them" if record["corrections"] else ""
    return f"version {record['version']}, trained from {record['examples']:,} examples{corrections}"


def _model(settings: Settings) -> str:
    from bot.dialogue.training import is_trained, verified_model
    from bot.encoder.encoder import encoder_fingerprint

    model = verified_model(settings)
    if not is_trained(settings, encoder_fingerprint(settings)):
        raise RefillError("Its training data or configuration changed since it was trained.", "Run `refill train`.")
    return f"{model.name}, SHA-256 as recorded"


def _queues(settings: Settings) -> str:
    from bot.handoff.queues import queues

    return ", ".join(queues(settings).names)


def _webchat(settings: Settings) -> str:
    from bot.channels.webchat.bundle import current_bundle
    from bot.channels.webchat.site import site

    origins = ", ".join(sorted(site(settings).origins)) or "Refill's own pages"
    return f"on {origins}; {len(current_bundle().zipped):,} bytes"


def _invitations(settings: Settings) -> str:
    from bot.success.invitations.rules import invitation_rules

    return ", ".join(rule.name for rule in invitation_rules(settings)) or "no rules"


def _identity(settings: Settings) -> str:
    from bot.customers.keys import demand_private, key_file, read_keys

    file = key_file(settings)
    keys = read_keys(file)
    if not keys:
        return "none: customers cannot be verified"
    demand_private(file)
    return ", ".join(f"{key.kid} ({key.algorithm})" for key in keys.values())


def _database(settings: Settings) -> str:
    from bot.storage.engine import is_current, open_engine

    engine = open_engine(settings)
    try:
        if not is_current(engine):
            raise RefillError("The tables are not those of this version.", "Run `refill setup`.")
    finally:
        engine.dispose()
    return f"{without_password(settings['storage.url'])}, tables current"


def _redis(settings: Settings) -> str:
    url = settings["storage.redis_url"]
    if not url:
        return "not used"
    from redis import Redis
    from redis.exceptions import RedisError

    try:
        with Redis.from_url(url, socket_connect_timeout=5, socket_timeout=5) as redis:
            redis.ping()
    except (RedisError, ValueError, OSError) as error:
        raise RefillError(
            f"{without_password(url)} cannot be used: {error}.", "Start it, or correct storage.redis_url."
        ) from error
    return f"{without_password(url)} answers"


def _ports(settings: Settings) -> str:
    """Free, or held by a Refill that runs."""
    ports = {
        "server.port": settings["server.port"],
        "server.internal_port": settings["server.internal_port"],
        "dialogue.rasa_port": settings["dialogue.rasa_port"],
    }
    taken = [name for name, port in ports.items() if port and not _free(port)]
    if not taken:
        return "free: " + ", ".join(str(port) for port in ports.values())
    try:
        health = httpx.get(f"http://127.0.0.1:{ports['server.port']}/health", timeout=3, trust_env=False).json()
        if "rasa" in health:
            return f"a Refill is running ({health['status']})"
    except (httpx.HTTPError, ValueError):
        pass  # Then it is some other program; said below.
    names = ", ".join(f"{ports[name]} ({name})" for name in taken)
    raise RefillError(f"Taken by another program: {names}.", "Stop it, or choose others in refill.toml.")


def _free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        return probe.connect_ex(("127.0.0.1", port)) != 0
