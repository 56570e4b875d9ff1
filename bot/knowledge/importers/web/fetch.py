"""Fetch one address at a time, within the limits: redirects, bytes, seconds, pauses.

httpcore is used without httpx's client on top: so there are no cookies, no proxies or credentials from the environment,
and no decompression before it is counted. Every request has a connection of its own, checked anew.
"""

from __future__ import annotations

import gzip
import io
import time
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from types import TracebackType

import httpcore
import httpx

from bot import __version__
from bot.knowledge.importers.source import Unreadable
from bot.knowledge.importers.web.addresses import parse_address
from bot.knowledge.importers.web.limits import Limits
from bot.knowledge.importers.web.network import refused
from bot.network import CheckedBackend, Network

AGENT = "RefillImporter"
IN_PARTS = "Import the parts of the site one by one, each by its own sitemap and with a --name of its own."

_REDIRECTS = (301, 302, 303, 307, 308)
_LATER = "Import again later."
_ACCEPT = "text/html, application/xhtml+xml, application/xml;q=0.9, text/xml;q=0.9, application/pdf;q=0.8, */*;q=0.1"


class Failed(Unreadable):
    """The server did not give what was asked for.

    Attributes:
        answered: The status; None if there was no answer, or none that could be understood.
    """

    def __init__(self, message: str, remedy: str, answered: int | None = None) -> None:
        super().__init__(message, remedy)
        self.answered = answered

    @property
    def is_trouble(self) -> bool:
        """Whether the server is down, late or overloaded, and not just this address wrong."""
        return self.answered is None or self.answered == HTTPStatus.TOO_MANY_REQUESTS or self.answered >= 500


class LimitReached(Unreadable):
    """The whole import has taken what it may take."""


@dataclass(frozen=True)
class Response:
    """What an address gave, with status 200.

    Attributes:
        url: Where it was found, after redirects.
        headers: Names in lower case, values as sent, in order.
        body: Decompressed.
    """

    url: httpx.URL
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def values(self, name: str) -> list[str]:
        """Every value of a header."""
        return [value for key, value in self.headers if key == name]

    @property
    def kind(self) -> str:
        """The content type without parameters, in lower case; `text/html` if the server names none."""
        return _kind(self.headers)

    @property
    def charset(self) -> str | None:
        """The encoding the server names."""
        for parameter in "".join(self.values("content-type")[:1]).split(";")[1:]:
            name, _, value = parameter.partition("=")
            if name.strip().lower() == "charset":
                return value.strip(" \"'") or None
        return None


class Fetcher:
    """Asks for addresses, one at a time. Close it, or use it as a context.

    Args:
        limits: That hold for all requests together.
        network: What may be reached.

    Attributes:
        pause: Seconds between the end of a request and the next one.
    """

    def __init__(self, limits: Limits, network: Network) -> None:
        self.pause = limits.pause_seconds
        self._limits = limits
        self._network = network
        self._backend = CheckedBackend(network, refused)
        self._pool = httpcore.ConnectionPool(
            ssl_context=network.tls(), max_connections=1, max_keepalive_connections=0, network_backend=self._backend
        )
        self._end = time.monotonic() + limits.total_seconds
        self._last = float("-inf")
        self._bytes = 0

    def __enter__(self) -> Fetcher:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.close()
        self._backend.close()

    def get(
        self,
        url: httpx.URL,
        most_bytes: Mapping[str, int],
        permit: Callable[[httpx.URL], None] = lambda url: None,
    ) -> Response:
        """Ask for an address and follow its redirects.

        Args:
            url: From `parse_address`.
            most_bytes: By content type, how long a response may be; other types are refused. The type `*` stands
                for all, and then the response is cut at this length.
            permit: Raises if an address must not be asked for; called before each request.

        Raises:
            Failed: The server cannot be reached, is late, or answers with anything but 200.
            Refused: The address, or one it redirects to, must not be reached.
            Unreadable: The response is too long, of another type, or damaged.
            LimitReached: The import has taken all the time or bytes it may take.
        """
        for _ in range(self._limits.redirects + 1):
            permit(url)
            found = self._request(url, most_bytes)
            if isinstance(found, Response):
                return found
            url = found
        raise Unreadable(f"It is redirected more than {self._limits.redirects} times.", "Give the final address.")

    def _request(self, url: httpx.URL, most_bytes: Mapping[str, int]) -> Response | httpx.URL:
        """The response, or the address it redirects to."""
        self._wait()
        self._backend.deadline = min(self._end, time.monotonic() + self._limits.request_seconds)
        limits = self._limits
        timeout = {
            "connect": limits.connect_seconds,
            "read": limits.read_seconds,
            "write": limits.read_seconds,
            "pool": limits.connect_seconds,
        }
        headers = [
            ("Host", url.netloc.decode("ascii")),
            ("User-Agent", f"{AGENT}/{__version__}"),
            ("Accept", _ACCEPT),
            ("Accept-Encoding", "gzip"),
            ("Connection", "close"),
        ]
        target = httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path)
        try:
            with self._pool.stream("GET", target, headers=headers, extensions={"timeout": timeout}) as answer:
                fields = tuple((name.decode("latin-1").lower(), _text(value)) for name, value in answer.headers)
                if answer.status in _REDIRECTS:
                    return self._redirected(url, fields)
                if answer.status != HTTPStatus.OK:
                    raise _bad_status(answer.status)
                return Response(url, fields, self._body(answer, fields, most_bytes))
        except httpcore.TimeoutException as error:
            if time.monotonic() >= self._end:
                raise self._out_of_time() from error
            raise Failed(f"{url.host} does not answer in time.", _LATER) from error
        except (httpcore.NetworkError, httpcore.ProtocolError) as error:
            raise Failed(f"{url.host} cannot be asked: {_plain(error)}.", "Check the address, or try later.") from error
        finally:
            self._last = time.monotonic()

    def _wait(self) -> None:
        """Pause between two requests."""
        rest = max(0.0, self._last + self.pause - time.monotonic())
        if time.monotonic() + rest >= self._end:
            raise self._out_of_time()
        time.sleep(rest)

    def _redirected(self, url: httpx.URL, headers: tuple[tuple[str, str], ...]) -> httpx.URL:
        location = next((value for name, value in headers if name == "location"), "")
        if not location:
            raise Failed("The server redirects it nowhere.", "Correct the address.", HTTPStatus.FOUND)
        try:
            target = parse_address(str(url.join(location.strip())), self._network.ports)
        except (httpx.InvalidURL, ValueError) as error:
            raise Unreadable("It is redirected to what is no address.", "Give the final address.") from error
        if url.scheme == "https" and target.scheme != "https":
            raise Unreadable(
                f"It is redirected from https to {target}, which is not encrypted.", "Give the final address."
            )
        return target

    def _body(
        self, answer: httpcore.Response, headers: tuple[tuple[str, str], ...], most_bytes: Mapping[str, int]
    ) -> bytes:
        """The decompressed body, read no further than it may be long."""
        kind = _kind(headers)
        cut = "*" in most_bytes
        most = most_bytes.get("*") or most_bytes.get(kind)
        if most is None:
            raise Unreadable(f"It is neither a page nor a document ({kind[:60]}).", "Leave it out, or save it as text.")
        encodings = {value.strip().lower() for name, value in headers if name == "content-encoding"} - {"", "identity"}
        if not encodings <= {"gzip", "x-gzip"}:
            raise Unreadable("It is compressed in a way that was not asked for.", "Have the server send gzip or none.")
        body = bytearray()
        for part in answer.iter_stream():
            body += part
            if len(body) > most:
                break
        if len(body) > most and not (cut and not encodings):
            raise _too_long(most)
        whole = gunzip(bytes(body), most, cut) if encodings else bytes(body[:most])
        self._bytes += max(len(body), len(whole))
        if self._bytes > self._limits.total_bytes:
            raise LimitReached(
                f"All responses together have more than {self._limits.total_bytes:,} bytes.",
                IN_PARTS,
            )
        return whole

    def _out_of_time(self) -> LimitReached:
        return LimitReached(
            f"The import has taken {self._limits.total_seconds:,.0f} seconds, the most it may take.",
            IN_PARTS,
        )


def gunzip(data: bytes, most: int, cut: bool = False) -> bytes:
    """Decompress gzip data, no further than most bytes.

    Raises:
        Unreadable: It is damaged; or longer, unless it is to be cut.
    """
    try:
        whole = gzip.GzipFile(fileobj=io.BytesIO(data)).read(most + 1)
    except (EOFError, OSError, zlib.error) as error:
        raise Unreadable("Its compression is damaged.", _LATER) from error
    if len(whole) > most and not cut:
        raise _too_long(most)
    return whole[:most]


def _kind(headers: tuple[tuple[str, str], ...]) -> str:
    named = next((value for name, value in headers if name == "content-type"), "")
    return named.partition(";")[0].strip().lower() or "text/html"


def _text(value: bytes) -> str:
    """A header's value: UTF-8 as most servers mean it, else Latin-1, which always fits."""
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return value.decode("latin-1")


def _too_long(most: int) -> Unreadable:
    return Unreadable(f"It has more than {most:,} bytes.", "Split it, or save its text as a file and import that.")


def _plain(error: Exception) -> str:
    """The first line of a library's message."""
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200].rstrip(".")


def _bad_status(status: int) -> Failed:
    try:
        name = f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        name = str(status)
    if status in (HTTPStatus.NOT_FOUND, HTTPStatus.GONE):
        remedy = "Correct the address, or take it out of the sitemap."
    elif status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        remedy = "Pages that ask for a login or keep robots out are imported as files: save them, or use an export."
    else:
        remedy = _LATER
    return Failed(f"The server answers {name}.", remedy, status)
