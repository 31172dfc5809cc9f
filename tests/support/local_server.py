"""An HTTP server on this machine that simulates the faults of web servers."""

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit


@dataclass
class Page:
    """The answers at one address.

    Attributes:
        content: The body.
        kind: Content-Type.
        headers: Further headers.
        ranges: Whether requests for a range of bytes are answered with that range.
        announce: Whether Content-Length is sent.
        statuses: Status codes of the first requests, one per request, in place of the page.
        drops: Number of bytes of the body after which the connection is interrupted, one per request; later requests
            are not interrupted.
        corrupt: Number of requests that get a body whose first byte is changed.
        cookie: Cookie that a request must have; otherwise the answer is 403.
    """

    content: bytes
    kind: str = "application/octet-stream"
    headers: dict[str, str] = field(default_factory=dict)
    ranges: bool = True
    announce: bool = True
    statuses: list[int] = field(default_factory=list)
    drops: list[int] = field(default_factory=list)
    corrupt: int = 0
    cookie: str | None = None


@dataclass
class Site:
    """The pages of the server and a record of its requests.

    Attributes:
        url: Address without a slash at the end.
        pages: Pages by path with query.
        logins: Accepted passwords by user name, for POST /login.
        requests: "GET /path", or "GET /path bytes=5-" for a range of bytes.
        forms: Forms that were sent to /login.
    """

    url: str = ""
    pages: dict[str, Page] = field(default_factory=dict)
    logins: dict[str, str] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    forms: list[dict[str, list[str]]] = field(default_factory=list)


@contextmanager
def serve() -> Iterator[Site]:
    """Run a server until the block ends."""
    site = Site()

    class Handler(_Handler):
        pass

    Handler.site = site
    server = _Server(("127.0.0.1", 0), Handler)
    site.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:  # clients may close the connection
        pass


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    site: Site

    def log_message(self, *_: object) -> None:  # the tests check Site.requests
        pass

    def do_POST(self) -> None:
        form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        self.site.requests.append(f"POST {self.path}")
        self.site.forms.append(form)
        known = self.site.logins.get(form.get("username", [""])[0])
        right = urlsplit(self.path).path == "/login" and known is not None and form.get("password") == [known]
        self.send_response(302 if right else 200)
        if right:
            self.send_header("Location", "/")
            self.send_header("Set-Cookie", "member=yes; Path=/")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_GET(self) -> None:
        wanted = self.headers.get("Range")
        self.site.requests.append(f"GET {self.path}" + (f" {wanted}" if wanted else ""))
        page = self.site.pages.get(self.path)
        if page is None:
            self._refuse(404)
        elif page.statuses:
            self._refuse(page.statuses.pop(0))
        elif page.cookie is not None and page.cookie not in self.headers.get("Cookie", ""):
            self._refuse(403)
        else:
            self._send(page, wanted)

    def _refuse(self, status: int, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": "0", **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()

    def _send(self, page: Page, wanted: str | None) -> None:
        content = page.content
        if page.corrupt:
            page.corrupt -= 1
            content = bytes([content[0] ^ 255]) + content[1:]
        found = re.fullmatch(r"bytes=(\d+)-", wanted or "")
        start = int(found[1]) if found and page.ranges else 0
        if start and start >= len(content):
            self._refuse(416, {"Content-Range": f"bytes */{len(content)}"})
            return
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.send_header("Content-Type", page.kind)
        for name, value in page.headers.items():
            self.send_header(name, value)
        if page.announce:
            self.send_header("Content-Length", str(len(content) - start))
        else:
            self.send_header("Connection", "close")
        self.end_headers()
        body = content[start:]
        if page.drops:
            body = body[: page.drops.pop(0)]
            self.close_connection = True
        if not page.announce:
            self.close_connection = True
        self.wfile.write(body)
