"""Which addresses are acceptable: of pages (URLs), and of machines (IP).

A name is judged by what it leads to, not by how it looks: see `bot.knowledge.importers.web.network`.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network

import httpx

from bot.knowledge.importers.source import Unreadable

IPAddress = IPv4Address | IPv6Address

# The web's own ports and their usual alternatives. Mail, databases, caches and control ports speak on others, so an
# address cannot be used to say something to them.
PORTS = frozenset({80, 443, 8080, 8443})
MAX_CHARACTERS = 2_048

_DEFAULT_PORTS = {"http": 80, "https": 443}
_NAME = re.compile(
    r"(?=.{1,253}$)(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
)
_NUMBER_AT_END = re.compile(r"(?:.*\.)?(?:[0-9]+|0x[0-9a-f]*)")

# From the registries of special-purpose addresses (IANA; RFC 6890 and those that update it).
_SPECIAL_V4: dict[IPv4Network, str] = {
    IPv4Network(network): kind
    for network, kind in (
        ("0.0.0.0/8", "an unspecified"),
        ("10.0.0.0/8", "a private"),
        ("100.64.0.0/10", "a provider's internal"),
        ("127.0.0.0/8", "a loopback"),
        ("168.63.129.16/32", "a cloud platform's internal"),  # Azure: public by number, yet its machines' own control.
        ("169.254.0.0/16", "a link-local"),
        ("172.16.0.0/12", "a private"),
        ("192.0.0.0/24", "a reserved"),
        ("192.0.2.0/24", "a documentation"),
        ("192.88.99.0/24", "a 6to4 relay's"),
        ("192.168.0.0/16", "a private"),
        ("198.18.0.0/15", "a benchmarking"),
        ("198.51.100.0/24", "a documentation"),
        ("203.0.113.0/24", "a documentation"),
        ("224.0.0.0/4", "a multicast"),
        ("240.0.0.0/4", "a reserved"),
    )
}
_SPECIAL_V6: dict[IPv6Network, str] = {
    IPv6Network(network): kind
    for network, kind in (
        ("::/128", "an unspecified"),
        ("::1/128", "a loopback"),
        ("::ffff:0:0/96", "an IPv4-mapped"),
        ("::ffff:0:0:0/96", "an IPv4-translated"),
        ("::/96", "an IPv4-compatible"),
        ("64:ff9b:1::/48", "a private translated"),
        ("2001::/32", "a Teredo"),
        ("2001::/23", "a reserved"),
        ("2001:db8::/32", "a documentation"),
        ("2002::/16", "a 6to4"),
        ("3fff::/20", "a documentation"),
        ("fc00::/7", "a private"),
        ("fe80::/10", "a link-local"),
        ("fec0::/10", "a site-local"),
        ("ff00::/8", "a multicast"),
    )
}
_TRANSLATED = ip_network("64:ff9b::/96")  # NAT64, RFC 6052: the last 32 bits are an IPv4 address.
_GLOBAL = ip_network("2000::/3")


def refusal(address: IPAddress) -> str | None:
    """What forbids to connect to this address, such as `a private address`; None if it is one of the public internet.

    Every form that carries an IPv4 address inside is refused, but for NAT64: there, the address inside decides.
    """
    if isinstance(address, IPv4Address):
        kind = next((kind for network, kind in _SPECIAL_V4.items() if address in network), None)
    elif address.scope_id is not None:
        kind = "a local"
    elif address in _TRANSLATED:
        return refusal(IPv4Address(int(address) & 0xFFFFFFFF))
    else:
        kind = next((kind for network, kind in _SPECIAL_V6.items() if address in network), None)
        kind = kind or (None if address in _GLOBAL else "a reserved")
    return f"{kind} address" if kind else None


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
    if not _is_host(host):
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


def _is_host(host: str) -> bool:
    """Whether it is a name or an IP address in its usual form; not 0x7f.1, 017700000001 or fe80::1%eth0."""
    try:
        if ":" in host:
            return IPv6Address(host).scope_id is None
        if _NUMBER_AT_END.fullmatch(host):
            return bool(str(IPv4Address(host)))
    except ValueError:
        return False
    return _NAME.fullmatch(host) is not None


def same_site(one: httpx.URL, other: httpx.URL) -> bool:
    """Whether two addresses are of one site: the same host, `www.` aside, on the same port, http or https."""
    return _site(one) == _site(other)


def _site(url: httpx.URL) -> tuple[str, int | None]:
    return url.host.removeprefix("www."), url.port
