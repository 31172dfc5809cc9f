"""Keep the web page's server from reaching out: it connects to nothing but itself, whatever a visitor asks for.

Gradio's server fetches an address that stands in place of a file's path, from the open network and on behalf of anybody
who can reach the page. Such requests are refused, and the process has no connections to other places at all.
"""

import socket
import sys
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import unquote

Scope = MutableMapping[str, Any]
App = Callable[[Scope, Any, Any], Awaitable[None]]

_FETCHING = ("/file=http:", "/file=https:", "/proxy=", "/runs")


def refuse_connections(host: str, port: int) -> None:
    """Let this process connect to its own server alone, from now to its end.

    Args:
        host: Address that the server listens on.
        port: Its port.
    """
    listening = {str(found[4][0]) for found in socket.getaddrinfo(host, port)}
    own = {host, *listening, "127.0.0.1", "localhost", "::1", "0.0.0.0", "::"}

    def check(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "socket.connect":
            address = arguments[1]
            if isinstance(address, tuple) and (address[0] not in own or address[1] != port):
                raise PermissionError(f"{address[0]}: this server connects to no other place")
        elif event == "socket.getaddrinfo" and arguments[0] not in (None, *own, *(name.encode() for name in own)):
            raise PermissionError(f"{arguments[0]!r}: this server connects to no other place")

    sys.addaudithook(check)


class NoFetching:
    """ASGI middleware that answers 403 to requests for an address of another server.

    Args:
        app: The server's application.
    """

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        """Pass a request on, or refuse it."""
        path = unquote(unquote(str(scope.get("path", "")))).lower().replace("\\", "/")
        if scope["type"] == "http" and any(part in path for part in _FETCHING):
            await send({"type": "http.response.start", "status": 403, "headers": [(b"content-type", b"text/plain")]})
            await send({"type": "http.response.body", "body": b"this page fetches nothing from other places"})
            return
        await self._app(scope, receive, send)
