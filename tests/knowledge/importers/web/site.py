"""A website on this machine, with a name of its own, for tests."""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address

from bot.knowledge.importers.source import Document, Unread
from bot.knowledge.importers.web import Kind, Limits, pages
from bot.network import IPAddress, Network, refusal

HOST = "help.test"
QUICK = Limits(pause_seconds=1e-6, connect_seconds=5, read_seconds=5, request_seconds=10, total_seconds=60)

Act = Callable[[BaseHTTPRequestHandler], None]


@dataclass
class Reply:
    """What a path answers."""

    body: str | bytes = b""
    kind: str = "text/html; charset=utf-8"
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Asked:
    """A request the website got."""

    path: str
    headers: dict[str, str]
    began: float
    ended: float = 0


@dataclass
class Site:
    """A running website. Paths that are not in routes answer 404, robots.txt too."""

    port: int
    routes: dict[str, Reply | Act] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)
    scheme: str = "http"

    def url(self, path: str = "/", host: str = HOST) -> str:
        return f"{self.scheme}://{host}:{self.port}{path}"

    def page(self, path: str, title: str = "Title", text: str = "Text.", head: str = "", **headers: str) -> None:
        """Add a page."""
        body = f"<html><head>{head}</head><body><main><h1>{title}</h1><p>{text}</p></main></body></html>"
        self.routes[path] = Reply(body, headers={name.replace("_", "-"): value for name, value in headers.items()})

    def sitemap(self, path: str, *locations: str, tag: str = "url") -> None:
        """Add a sitemap of paths or addresses; with tag `sitemap`, an index."""
        root = "urlset" if tag == "url" else "sitemapindex"
        self.routes[path] = Reply(xml(*locations, root=root, tag=tag, base=self.url("")), "application/xml")

    def robots(self, text: str) -> None:
        self.routes["/robots.txt"] = Reply(text, "text/plain")

    @property
    def paths(self) -> list[str]:
        """Of all requests but those for robots.txt."""
        return [asked.path for asked in self.asked if asked.path != "/robots.txt"]

    def network(self, **names: str | list[str]) -> Network:
        """Only this site; further names lead where they are told to, numbers to themselves, all else nowhere."""
        table = {HOST: ["127.0.0.1"], **{name.replace("_", "."): value for name, value in names.items()}}

        def look_up(host: str, port: int) -> list[str]:
            if host in table:
                found = table[host]
                return [found] if isinstance(found, str) else found
            try:
                return [str(ip_address(host))]
            except ValueError as error:
                raise OSError(f"{host} is not known") from error

        return Network(frozenset({self.port}), look_up, only_this_machine, trusting_nobody)

    def read(
        self, address: str = "/", kind: Kind = "auto", limits: Limits = QUICK, network: Network | None = None
    ) -> list[Document | Unread]:
        """Import a path of this site."""
        address = address if "://" in address else self.url(address)
        return list(pages(address, kind, limits, network or self.network()))

    def one(self, address: str = "/", **options: object) -> Document:
        """Import a page that can be read."""
        (found,) = self.read(address, **options)  # type: ignore[arg-type]
        assert isinstance(found, Document), found
        return found

    def none(self, address: str = "/", **options: object) -> Unread:
        """Import what cannot be read."""
        (found,) = self.read(address, **options)  # type: ignore[arg-type]
        assert isinstance(found, Unread), found
        return found


def only_this_machine(address: IPAddress) -> str | None:
    """The rules, but for one address."""
    return None if address == ip_address("127.0.0.1") else refusal(address)


def trusting_nobody() -> ssl.SSLContext:
    """Made quickly, for sites without encryption."""
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def xml(*locations: str, root: str = "urlset", tag: str = "url", base: str = "") -> str:
    """A sitemap; a location may be followed by a space and its date."""
    entries = ""
    for location in locations:
        address, _, date = location.partition(" ")
        address = address if "://" in address else base + address
        entries += f"<{tag}><loc>{address}</loc>{f'<lastmod>{date}</lastmod>' if date else ''}</{tag}>"
    return f'<?xml version="1.0"?><{root} xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">{entries}</{root}>'


@contextmanager
def running_site(address: str = "127.0.0.1", port: int = 0, tls: ssl.SSLContext | None = None) -> Iterator[Site]:
    """A website at an address of this machine."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = Asked(self.path, {k.lower(): v for k, v in self.headers.items()}, time.monotonic())
            site.asked.append(asked)
            reply = site.routes.get(self.path, Reply("<h1>Not found</h1>", status=404))
            if isinstance(reply, Reply):
                body = reply.body.encode() if isinstance(reply.body, str) else reply.body
                self.send_response(reply.status)
                for name, value in {"Content-Type": reply.kind, **reply.headers}.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
            else:
                reply(self)
            asked.ended = time.monotonic()

        def log_message(self, *arguments: object) -> None:
            """Keep the tests' output quiet."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        block_on_close = False

        def handle_error(self, *arguments: object) -> None:
            """Clients that hang up are what is tested."""

    server = Server((address, port), Handler)
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    site = Site(server.server_port, scheme="https" if tls else "http")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
