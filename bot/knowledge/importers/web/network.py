"""The only way out: look a name up, check every address it leads to, connect to one that was checked.

The name is not looked up again between the check and the connection, so a name server that changes its mind has no
effect. The name still goes into the Host header, and encryption is checked against it.
"""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any

import httpcore

from bot.knowledge.importers.source import Unreadable
from bot.knowledge.importers.web.addresses import PORTS, IPAddress, refusal


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


class Refused(Unreadable):
    """An address must not be reached."""


class CheckedBackend(httpcore.NetworkBackend):
    """Connects only to addresses that were checked, and ends whatever outlasts the deadline.

    Attributes:
        deadline: On the monotonic clock, in seconds; of everything this backend does.
    """

    def __init__(self, network: Network) -> None:
        self.deadline = float("inf")
        self._network = network
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
            raise Refused(f"Port {port} is not one websites use.")
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
                raise Refused(
                    f"'{host}' leads to {address}, {reason}; only the public internet is asked.",
                    "Save the pages as files and import their folder.",
                )
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
