"""Post a delivery: to a checked address only, within a time, without following redirects."""

from __future__ import annotations

import datetime as dt
import functools
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from ipaddress import IPv4Address, ip_network

import httpcore
import httpx

from bot import __version__
from bot.network import CheckedBackend, IPAddress, Network, Refused, refusal

CONNECT_SECONDS = 5.0
WHOLE_SECONDS = 10.0

# This machine and private networks: nothing else, so that no cloud's control addresses can be reached.
_PRIVATE = tuple(
    ip_network(network)
    for network in ("127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "::1/128", "fc00::/7")
)
_METADATA = ip_network("fd00:ec2::/32")


def allowing_private() -> Network:
    """The public internet, private networks and this machine, on any port."""
    return Network(ports=frozenset(range(1, 65536)), refusal=_refusal_allowing_private)


def _refusal_allowing_private(address: IPAddress) -> str | None:
    inside = any(address in network for network in _PRIVATE if network.version == address.version)
    if inside and (isinstance(address, IPv4Address) or (address not in _METADATA and address.scope_id is None)):
        return None
    return refusal(address)


@dataclass(frozen=True)
class Answer:
    """What became of a post.

    Attributes:
        status: Of the response; None if there is none.
        error: What went wrong, for people; empty if it was accepted.
        retry_after: Seconds the receiver asks to wait.
    """

    status: int | None
    error: str = ""
    retry_after: float = 0.0

    @property
    def accepted(self) -> bool:
        """Whether the receiver has it."""
        return self.status is not None and 200 <= self.status < 300


class Sender:
    """Posts; safe from any thread.

    Args:
        network: What may be reached.
        connect_seconds: To connect, or to agree on encryption.
        whole_seconds: From looking the name up to the response's headers.
    """

    def __init__(
        self,
        network: Network,
        connect_seconds: float = CONNECT_SECONDS,
        whole_seconds: float = WHOLE_SECONDS,
    ) -> None:
        self._network = replace(network, tls=functools.cache(network.tls))
        self._connect_seconds = connect_seconds
        self._whole_seconds = whole_seconds

    def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Post JSON; whatever goes wrong with it is in the answer."""
        parsed = httpx.URL(url)
        target = httpcore.URL(
            scheme=parsed.raw_scheme, host=parsed.raw_host, port=parsed.port, target=parsed.raw_path or b"/"
        )
        fields = {
            "host": parsed.netloc.decode("ascii"),
            "content-type": "application/json",
            "content-length": str(len(body)),
            "user-agent": f"Refill/{__version__}",
            "connection": "close",
            **headers,
        }
        backend = CheckedBackend(self._network)
        backend.deadline = time.monotonic() + self._whole_seconds
        timeout = dict.fromkeys(("read", "write", "pool"), self._whole_seconds) | {"connect": self._connect_seconds}
        try:
            with (
                httpcore.ConnectionPool(ssl_context=self._tls(), network_backend=backend) as pool,
                pool.stream(
                    "POST", target, headers=list(fields.items()), content=body, extensions={"timeout": timeout}
                ) as response,
            ):
                return _answer(response)
        except httpcore.TimeoutException:
            return Answer(None, f"It did not answer within {self._whole_seconds:g} s.")
        except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.UnsupportedProtocol) as error:
            reason = (str(error).strip() or type(error).__name__).splitlines()[0][:200].rstrip(".")
            return Answer(None, f"It cannot be reached: {reason}.")
        except Refused as error:
            return Answer(None, error.message)
        finally:
            backend.close()

    def _tls(self) -> ssl.SSLContext:
        return self._network.tls()


def _answer(response: httpcore.Response) -> Answer:
    status = response.status
    if 200 <= status < 300:
        return Answer(status)
    try:
        name = f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        name = str(status)
    after = next((value for key, value in response.headers if key.lower() == b"retry-after"), b"")
    if 300 <= status < 400:
        return Answer(status, f"It answered {name}; redirects are not followed.")
    return Answer(status, f"It answered {name}.", _seconds(after.decode("latin-1").strip()))


def _seconds(retry_after: str) -> float:
    """A Retry-After header's seconds from now; 0 when it says nothing."""
    if retry_after.isascii() and retry_after.isdigit():
        return float(retry_after[:9])
    try:
        moment = parsedate_to_datetime(retry_after)
    except ValueError:
        return 0.0
    moment = moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)
    return max(0.0, (moment - dt.datetime.now(dt.UTC)).total_seconds())
