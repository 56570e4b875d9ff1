"""The keys with which websites sign identity tokens: a JWK set in a file, read anew when it changes.

A key belongs to one algorithm: HS256 with a shared secret, or EdDSA (Ed25519), of which only the public part is here.
"""

from __future__ import annotations

import json
import logging
import os
import re
import secrets
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from joserfc.errors import JoseError
from joserfc.jwk import OctKey, OKPKey

from bot.errors import InvalidInput, NotFound, RefillError
from bot.settings import Settings

logger = logging.getLogger(__name__)

Algorithm = Literal["HS256", "EdDSA"]
ALGORITHMS: tuple[Algorithm, ...] = get_args(Algorithm)
# Shorter secrets can be guessed from one token (RFC 7518, 3.2).
SHORTEST_SECRET = 32
_KID = "[A-Za-z0-9._-]{1,100}"


class KeyFileError(RefillError):
    """The file of the identity keys is not usable."""

    code = "identity_keys"


@dataclass(frozen=True)
class Key:
    """A key that vouches for customers.

    Attributes:
        kid: Its name, which tokens carry.
        algorithm: The only one it is for.
        jwk: Its value: a secret, or a public key.
    """

    kid: str
    algorithm: Algorithm
    jwk: OctKey | OKPKey

    def to_json(self) -> dict[str, Any]:
        """As it stands in the file."""
        return {**self.jwk.as_dict(), "kid": self.kid, "alg": self.algorithm}


def parse_key(found: object) -> Key:
    """A key as it stands in the file.

    Raises:
        KeyFileError: It is none of the two kinds, or not fit for use.
    """
    if not isinstance(found, Mapping) or not isinstance(kid := found.get("kid"), str) or not re.fullmatch(_KID, kid):
        raise KeyFileError("A key has no 'kid' of 1 to 100 letters, digits or . _ -.", "Give it one.")
    kind, algorithm = found.get("kty"), found.get("alg")
    values = {name: value for name, value in found.items() if name in ("kty", "crv", "x", "k", "d")}
    try:
        if (kind, algorithm) == ("oct", "HS256"):
            secret = OctKey.import_key({"kty": "oct", "k": _text(values, "k")})
            if len(secret.raw_value) < SHORTEST_SECRET:
                raise KeyFileError(
                    f"The secret of key '{kid}' has {len(secret.raw_value)} bytes; it must have "
                    f"{SHORTEST_SECRET} or more.",
                    "`refill identity key` makes one.",
                )
            return Key(kid, "HS256", secret)
        if (kind, algorithm, found.get("crv")) == ("OKP", "EdDSA", "Ed25519"):
            if "d" in found:
                raise KeyFileError(f"Key '{kid}' has its private part, 'd'.", "Take it out: only the website needs it.")
            return Key(kid, "EdDSA", OKPKey.import_key({"kty": "OKP", "crv": "Ed25519", "x": _text(values, "x")}))
    except (JoseError, ValueError, TypeError) as error:
        raise KeyFileError(f"Key '{kid}' is damaged: {error}.", "Retire it and add another.") from error
    raise KeyFileError(
        f"Key '{kid}' must be of kty 'oct' with alg 'HS256', or of kty 'OKP', crv 'Ed25519' with alg 'EdDSA'. "
        f"Currently, they are {kind!r} and {algorithm!r}.",
        "Correct it, or take it out.",
    )


def _text(values: Mapping[str, Any], name: str) -> str:
    value = values.get(name)
    if not isinstance(value, str):
        raise ValueError(f"'{name}' is missing")
    return value


def read_keys(file: Path) -> dict[str, Key]:
    """The keys of a file by `kid`; none where there is no file.

    Raises:
        KeyFileError: It cannot be read, or a key in it is not usable.
    """
    try:
        text = file.read_text("utf-8")
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise KeyFileError(f"{file} cannot be read: {error}.", "Check its permissions.") from error
    try:
        content = json.loads(text)
        listed = content["keys"]
        if not isinstance(listed, list):
            raise TypeError
    except (ValueError, KeyError, TypeError) as error:
        raise KeyFileError(
            f"{file} is no JWK set.", 'It must read {"keys": […]}; `refill identity key` writes it.'
        ) from error
    keys: dict[str, Key] = {}
    for one in listed:
        key = parse_key(one)
        if key.kid in keys:
            raise KeyFileError(f"{file} has two keys '{key.kid}'.", "Take one out.")
        keys[key.kid] = key
    return keys


class KeyFile:
    """The keys in force.

    Args:
        file: A JWK set; it may not be there yet.

    Raises:
        KeyFileError: The file is broken.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        self._seen = self._version()
        self._keys = read_keys(file)

    def find(self, kid: str) -> Key | None:
        """The key of this name; None if there is none."""
        return self.keys().get(kid)

    def keys(self) -> Mapping[str, Key]:
        """All keys by name. Where the file has become unusable, those of before go on."""
        version = self._version()
        if version != self._seen:
            self._seen = version
            try:
                self._keys = read_keys(self.file)
            except KeyFileError as error:
                logger.error("The identity keys of before go on: %s", error)
        return self._keys

    def _version(self) -> tuple[int, int, int] | None:
        try:
            found = self.file.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size, found.st_ino


def key_file(settings: Settings) -> Path:
    """Where the keys stand."""
    return settings.path(settings["identity.keys"])


def demand_private(file: Path) -> None:
    """Let pass only a file that nobody but its owner can read.

    Raises:
        KeyFileError: Others can.
    """
    if file.exists() and stat.S_IMODE(file.stat().st_mode) & 0o077:
        raise KeyFileError(f"Others than its owner can read {file}.", f"chmod 600 {file}")


def add_key(file: Path, algorithm: str, kid: str = "", public: str = "") -> tuple[Key, str]:
    """Add a key to the file.

    Args:
        file: A JWK set; made if it is not there.
        algorithm: One of ALGORITHMS.
        kid: Its name; empty: a new one.
        public: Of EdDSA: the public key as PEM, where the website has made its own; empty: a pair is made.

    Returns:
        The key, and what the website signs with: the secret as text, or the private key as PEM; empty if it has it.

    Raises:
        InvalidInput: There is no such algorithm, the name is taken or not one, or that is no public key.
        KeyFileError: The file is broken.
    """
    if algorithm not in ALGORITHMS:
        raise InvalidInput(f"The algorithm must be HS256 or EdDSA. Currently, it is {algorithm!r}.")
    keys = read_keys(file)
    kid = kid or f"key-{secrets.token_hex(4)}"
    if not re.fullmatch(_KID, kid):
        raise InvalidInput(f"A key's name has 1 to 100 letters, digits or . _ -. Currently, it is {kid!r}.")
    if kid in keys:
        raise InvalidInput(f"There is a key '{kid}' already.", "Give the new one another name.")
    told = ""
    if algorithm == "HS256":
        if public:
            raise InvalidInput("HS256 has no public key.", "Add --algorithm EdDSA.")
        # The text itself is the secret, so that no website has to decode it.
        told = secrets.token_urlsafe(32)
        key = Key(kid, "HS256", OctKey.import_key(told))
    elif public:
        key = Key(kid, "EdDSA", _public_key(public))
    else:
        pair = OKPKey.generate_key("Ed25519")
        told = pair.as_pem(private=True).decode()
        key = Key(kid, "EdDSA", OKPKey.import_key(pair.as_dict(private=False)))
    write_keys(file, [*keys.values(), key])
    return key, told


def _public_key(pem: str) -> OKPKey:
    try:
        found = OKPKey.import_key(pem)
        if found.curve_name != "Ed25519":
            raise ValueError
    except (JoseError, ValueError, TypeError) as error:
        raise InvalidInput(
            "That is no Ed25519 public key in PEM.", "`openssl pkey -in KEY -pubout` writes it."
        ) from error
    return OKPKey.import_key(found.as_dict(private=False))


def remove_key(file: Path, kid: str) -> Key:
    """Take a key out of the file; tokens signed with it are refused from now on.

    Raises:
        NotFound: There is no such key.
        KeyFileError: The file is broken.
    """
    keys = read_keys(file)
    if kid not in keys:
        raise NotFound(f"There is no key {kid!r}.", "`refill identity keys` lists them.")
    gone = keys.pop(kid)
    write_keys(file, list(keys.values()))
    return gone


def write_keys(file: Path, keys: Sequence[Key]) -> None:
    """Write the file whole or not at all, readable by its owner only.

    Raises:
        KeyFileError: It cannot be written.
    """
    text = json.dumps({"keys": [key.to_json() for key in keys]}, indent=2) + "\n"
    half = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as written:
            written.write(text)
            written.flush()
            os.fsync(written.fileno())
        half.replace(file)
    except OSError as error:
        half.unlink(missing_ok=True)
        raise KeyFileError(f"{file} cannot be written: {error.strerror}.", "Check identity.keys.") from error
