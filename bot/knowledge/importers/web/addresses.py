"""Which addresses of pages are acceptable.

A name is judged by what it leads to, not by how it looks: see `bot.network`.
"""

from __future__ import annotations

import httpx

from bot.knowledge.importers.source import Unreadable
from bot.network import PORTS, is_host

MAX_CHARACTERS = 2_048

_DEFAULT_PORTS = {"http": 80, "https": 443}


def parse_address(text: str, ports: frozenset[int] = PORTS) -> httpx.URL:
    """An address in the one form Refill uses: lower-case ASCII host without final dot, no default port, no fragment.

    Raises:
        Unreadable: It is not an http or https address Refill would ask for.
    """
    text = text.strip()
    shown = text if len(text) <= 200 else f"{text[:200]}…"
    if len(text) > MAX_CHARACTERS:
        raise Unreadable(f"The address {shown} has more than {MAX_CHARACTERS:,} characters.", "Use a shorter one.")
    try:
        url = httpx.URL(text)
        host = url.raw_host.decode("ascii").lower().removesuffix(".")
    except (httpx.InvalidURL, ValueError) as error:
        raise Unreadable(f"'{shown}' is not a valid address.", "Write it as in https://help.example.com/.") from error
    if url.scheme not in _DEFAULT_PORTS or not host:
        raise Unreadable(f"'{shown}' is not a web address.", "Give one that begins with https:// or http://.")
    if url.userinfo:
        raise Unreadable(
            "An address must not hold a user name or password.",
            "Remove what stands before the @. Pages behind a login cannot be imported: export them as files.",
        )
    if not is_host(host):
        raise Unreadable(f"'{host}' is not a valid host.", "Write a name, or an address in its usual form: 192.0.2.1.")
    default = _DEFAULT_PORTS[url.scheme]
    port = default if url.port is None else url.port
    if port not in ports:
        allowed = ", ".join(map(str, sorted(ports)))
        raise Unreadable(f"Port {port} is not one websites use.", f"Ports that are asked: {allowed}.")
    return httpx.URL(
        scheme=url.scheme,
        host=host,
        port=None if port == default else port,
        raw_path=url.raw_path or b"/",
    )


def same_site(one: httpx.URL, other: httpx.URL) -> bool:
    """Whether two addresses are of one site: the same host, `www.` aside, on the same port, http or https."""
    return _site(one) == _site(other)


def _site(url: httpx.URL) -> tuple[str, int | None]:
    return url.host.removeprefix("www."), url.port
