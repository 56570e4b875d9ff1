"""The file of keys: written safely, read anew, refused where it is broken."""

from __future__ import annotations

import json
import logging
import os
import stat
from pathlib import Path
from typing import Any

import pytest
from joserfc.jwk import OKPKey

from bot.customers.keys import KeyFile, KeyFileError, add_key, demand_private, read_keys, remove_key
from bot.errors import InvalidInput, NotFound
from tests.customers.signing import Website, encoded

SECRET = {"kty": "oct", "alg": "HS256", "kid": "a", "k": encoded(b"s" * 32)}
PAIR = {"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "kid": "b", "x": encoded(Website().public)}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where the keys stand; not there yet."""
    return tmp_path / "var" / "identity.json"


def written(file: Path, *keys: Any) -> None:
    """Write a JWK set by hand."""
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps({"keys": keys}), "utf-8")


def test_a_secret_is_told_once_and_kept_for_the_owner_only(file: Path) -> None:
    key, secret = add_key(file, "HS256")
    assert len(secret) >= 43
    assert key.jwk.raw_value == secret.encode()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    demand_private(file)
    assert list(read_keys(file)) == [key.kid]
    assert list(file.parent.iterdir()) == [file]


def test_of_a_pair_only_the_public_part_is_kept(file: Path) -> None:
    _, private = add_key(file, "EdDSA", "b")
    assert private.startswith("-----BEGIN PRIVATE KEY-----")
    (kept,) = json.loads(file.read_text("utf-8"))["keys"]
    assert kept == {"kty": "OKP", "crv": "Ed25519", "x": kept["x"], "kid": "b", "alg": "EdDSA"}
    _, told = add_key(file, "EdDSA", "own", OKPKey.import_key(kept).as_pem(private=False).decode())
    assert told == ""
    assert read_keys(file)["own"].to_json()["x"] == kept["x"]


def test_keys_come_and_go_while_the_server_runs(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    keys = KeyFile(file)
    assert keys.find("a") is None
    add_key(file, "HS256", "a")
    assert keys.find("a")
    add_key(file, "HS256", "b")
    assert list(keys.keys()) == ["a", "b"]
    remove_key(file, "a")
    assert (keys.find("a"), list(keys.keys())) == (None, ["b"])
    caplog.set_level(logging.ERROR)
    file.write_text("{", "utf-8")
    assert [keys.find("b") is not None for _ in range(3)] == [True, True, True]
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    file.unlink()
    assert keys.find("b") is None


BROKEN: dict[str, Any] = {
    "a list": [],
    "no keys": {"key": []},
    "keys that are no list": {"keys": {}},
    "a key that is a text": {"keys": ["a"]},
    "no kid": {"keys": [{**SECRET, "kid": ""}]},
    "a kid with a slash": {"keys": [{**SECRET, "kid": "../a"}]},
    "two keys of one name": {"keys": [SECRET, {**PAIR, "kid": "a"}]},
    "a short secret": {"keys": [{**SECRET, "k": encoded(b"s" * 31)}]},
    "an empty secret": {"keys": [{**SECRET, "k": ""}]},
    "no secret": {"keys": [{**SECRET, "k": None}]},
    "a secret for another algorithm": {"keys": [{**SECRET, "alg": "HS512"}]},
    "a secret for none": {"keys": [{**SECRET, "alg": "none"}]},
    "a secret without algorithm": {"keys": [{**SECRET, "alg": None}]},
    "a secret as EdDSA": {"keys": [{**SECRET, "alg": "EdDSA"}]},
    "a pair as HS256": {"keys": [{**PAIR, "alg": "HS256"}]},
    "another curve": {"keys": [{**PAIR, "crv": "Ed448"}]},
    "a damaged public key": {"keys": [{**PAIR, "x": "AAAA"}]},
    "a private part": {"keys": [{**PAIR, "d": encoded(b"d" * 32)}]},
    "an RSA key": {"keys": [{"kty": "RSA", "alg": "RS256", "kid": "r", "n": "AQAB", "e": "AQAB"}]},
}


@pytest.mark.parametrize("what", BROKEN)
def test_broken_files_are_refused(file: Path, what: str) -> None:
    file.parent.mkdir()
    file.write_text(json.dumps(BROKEN[what]), "utf-8")
    with pytest.raises(KeyFileError) as refused:
        KeyFile(file)
    assert refused.value.remedy
    with pytest.raises(KeyFileError):
        add_key(file, "HS256")
    assert json.loads(file.read_text("utf-8")) == BROKEN[what]


def test_files_others_can_read(file: Path) -> None:
    written(file, SECRET)
    os.chmod(file, 0o640)
    with pytest.raises(KeyFileError, match="chmod 600"):
        demand_private(file)


def test_a_folder_in_its_place(file: Path) -> None:
    file.mkdir(parents=True)
    with pytest.raises(KeyFileError, match="cannot be read"):
        read_keys(file)


@pytest.mark.parametrize(
    ("algorithm", "kid", "public"),
    [
        ("RS256", "", ""),
        ("none", "", ""),
        ("HS256", "a b", ""),
        ("HS256", "a", ""),
        ("HS256", "c", "-----BEGIN PUBLIC KEY-----"),
        ("EdDSA", "c", "no key"),
        ("EdDSA", "c", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----"),
    ],
)
def test_keys_that_cannot_be_added(file: Path, algorithm: str, kid: str, public: str) -> None:
    written(file, SECRET)
    with pytest.raises(InvalidInput):
        add_key(file, algorithm, kid, public)
    assert list(read_keys(file)) == ["a"]


def test_a_key_that_is_not_there(file: Path) -> None:
    written(file, SECRET)
    with pytest.raises(NotFound):
        remove_key(file, "b")
