"""The only way out: look a name up, check every address it leads to, connect to one that was checked.

The name is not looked up again between the check and the connection, so a name server that changes its mind has no
effect. The name still goes into the Host header, and encryption is checked against it.
"""

from __future__ import annotations

import re
import socket
import ssl
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any

import httpcore

from bot.errors import RefillError

IPAddress = IPv4Address | IPv6Address

# The web's own ports and their usual alternatives. Mail, databases, caches and control ports speak on others, so an
# address cannot be used to say something to them.
PORTS = frozenset({80, 443, 8080, 8443})

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


def is_host(host: str) -> bool:
    """Whether it is a name or an IP address in its usual form; not 0x7f.1, 017700000001 or fe80::1%eth0."""
    try:
        if ":" in host:
            return IPv6Address(host).scope_id is None
        if _NUMBER_AT_END.fullmatch(host):
            return bool(str(IPv4Address(host)))
    except ValueError:
        return False
    return _NAME.fullmatch(host) is not None


def look_up(host: str, port: int) -> list[str]:
    """The addresses a name leads to, as the system knows them, best first.

    Raises:
        OSError: There are none.
    """
    return [str(answer[4][0]) for answer in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


@dataclass(frozen=True)
class Network:
    """What of the network may be reached, and how; tests hand in their own.

    Attributes:
        ports: That may be asked.
        look_up: From host and port to IP addresses.
        refusal: What forbids to connect to an address; None allows it.
        tls: Makes the context that checks certificates.
    """

    ports: frozenset[int] = PORTS
    look_up: Callable[[str, int], list[str]] = look_up
    refusal: Callable[[IPAddress], str | None] = refusal
    tls: Callable[[], ssl.SSLContext] = httpcore.default_ssl_context


class Refused(RefillError):
    """An address must not be reached."""

    code = "refused"


class CheckedBackend(httpcore.NetworkBackend):
    """Connects only to addresses that were checked, and ends whatever outlasts the deadline.

    Args:
        network: What may be reached.
        refused: Makes the error for what must not be reached.

    Attributes:
        deadline: On the monotonic clock, in seconds; of everything this backend does.
    """

    def __init__(self, network: Network, refused: Callable[[str], Exception] = Refused) -> None:
        self.deadline = float("inf")
        self._network = network
        self._refused = refused
        self._sync = httpcore.SyncBackend()
        self._resolver = ThreadPoolExecutor(1, "resolver")

    def close(self) -> None:
        """Wait for no look-up any more."""
        self._resolver.shutdown(wait=False, cancel_futures=True)

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        """Connect to the first address of host that answers, if all of them are allowed.

        Raises:
            Refused: The port, or one of the addresses, is not allowed.
            httpcore.ConnectError: No address, or none that answers.
            httpcore.ConnectTimeout: It took too long.
        """
        if port not in self._network.ports:
            raise self._refused(f"Port {port} is not one websites use.")
        failure: Exception = httpcore.ConnectError(f"{host} leads to no address")
        for address in self._checked(host, port, timeout):
            try:
                stream = self._sync.connect_tcp(address, port, self.left(timeout), local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
            else:
                return _TimedStream(stream, self)
        raise failure

    def left(self, timeout: float | None) -> float:
        """Seconds an operation may take.

        Raises:
            httpcore.ReadTimeout: The deadline has passed.
        """
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise httpcore.ReadTimeout("the request took too long")
        return left if timeout is None else min(left, timeout)

    def _checked(self, host: str, port: int, timeout: float | None) -> list[str]:
        """Every address of host, in a form no look-up would read differently."""
        try:
            found = self._resolver.submit(self._network.look_up, host, port).result(self.left(timeout))
        except TimeoutError as error:
            raise httpcore.ConnectTimeout(f"{host} was not found in time") from error
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError(f"{host} is not known") from error
        addresses = [ip_address(text) for text in dict.fromkeys(found)]
        for address in addresses:
            if reason := self._network.refusal(address):
                raise self._refused(f"'{host}' leads to {address}, {reason}; only the public internet is asked.")
        return [str(address) for address in addresses]


class _TimedStream(httpcore.NetworkStream):
    """A connection that its backend's deadline ends, however slowly bytes still come."""

    def __init__(self, stream: httpcore.NetworkStream, backend: CheckedBackend) -> None:
        self._stream = stream
        self._backend = backend

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, self._backend.left(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, self._backend.left(timeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        stream = self._stream.start_tls(ssl_context, server_hostname, self._backend.left(timeout))
        return _TimedStream(stream, self._backend)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)
