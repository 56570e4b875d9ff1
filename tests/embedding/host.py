"""A website of somebody else's with the widget on it: its pages stand in `pages/`, here is who sends them and how.

It has its own port, so it is another origin than the product; as `localhost` it is another site, too. `{refill}` in a
page is the product's address.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

PAGES = Path(__file__).parent / "pages"
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
}
_CLOSED = (
    "default-src 'none'; connect-src {refill}; img-src {refill}; style-src 'none'; "
    "require-trusted-types-for 'script'; trusted-types refill; base-uri 'none'; form-action 'none'; script-src "
)
POLICIES = {
    "/strict.html": _CLOSED + "{refill}",
    "/nonce.html": _CLOSED + "'nonce-cmVmaWxs' 'strict-dynamic'",
}


class Host:
    """The website.

    Attributes:
        url: Its address; another origin than the product's.
        site: Another name of it; another site than the product's.
        refill: Of the product.
    """

    def __init__(self, port: int, refill: str) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.site = f"http://localhost:{port}"
        self.refill = refill

    @property
    def origins(self) -> str:
        """Both, as `webchat.origins` takes them."""
        return f"{self.url} {self.site}"

    def page(self, path: str) -> tuple[bytes, dict[str, str]] | None:
        """What is sent for a path, and its headers; None if there is no such page."""
        file = PAGES / Path(path).name
        if not file.is_file():
            return None
        body = file.read_text("utf-8").replace("{refill}", self.refill).encode()
        headers = {"content-type": TYPES[file.suffix], "content-length": f"{len(body)}"}
        if path in POLICIES:
            headers["content-security-policy"] = POLICIES[path].replace("{refill}", self.refill)
        return body, headers


@contextmanager
def serving(refill: str = "") -> Iterator[Host]:
    """Serve the website for as long as the context lasts.

    Args:
        refill: Address of the product; `Host.refill` sets it later.
    """

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            found = host.page(urlsplit(self.path).path)
            body, headers = found or (b"", {"content-length": "0"})
            self.send_response(200 if found else 404)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    host = Host(server.server_address[1], refill)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), name="host")
    thread.start()
    try:
        yield host
    finally:
        server.shutdown()
        thread.join(10)
        server.server_close()
