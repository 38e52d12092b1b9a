"""The guard: keeps other web pages in the same browser from reading a dashboard.

A page of any site may open a WebSocket to localhost or post to it, and by DNS rebinding even read documents from it. So
a server that listens on loopback answers only to loopback names (and those that were allowed), and a WebSocket or a
request that writes is refused when its Origin is another site. Programs send no Origin.
"""

from collections.abc import Iterable
from ipaddress import ip_address
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket

READING = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods that change nothing."""

LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})


def is_loopback(host: str) -> bool:
    """Return whether a server on this host can be reached from this machine alone."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def is_foreign(headers: Headers) -> bool:
    """Return whether a page of another site makes this request: its Origin is not the Host that it asks for."""
    origin = headers.get("origin")
    return origin is not None and _place_of(origin) != headers.get("host", "").lower()


class Guard:
    """ASGI middleware.

    Args:
        app: what it guards.
        host: where the server listens.
        allowed: further names that it answers to, as those of a proxy in front of it.
    """

    def __init__(self, app: ASGIApp, host: str, allowed: Iterable[str] = ()) -> None:
        self._app = app
        self._names = LOOPBACK_NAMES | {host} | {name.lower() for name in allowed} if is_loopback(host) else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a connection on, or refuse it with 421 (wrong name) or 403 (another site's page)."""
        if scope["type"] in {"http", "websocket"} and (refusal := self._refusal(scope)) is not None:
            if scope["type"] == "websocket":
                await WebSocket(scope, receive, send).send_denial_response(refusal)
            else:
                await refusal(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _refusal(self, scope: Scope) -> PlainTextResponse | None:
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if self._names is not None and (name := _name_of(f"//{host}")) not in self._names:
            return PlainTextResponse(f"this server does not answer to {name!r}: start it with --allow-host NAME\n", 421)
        writes = scope["type"] == "websocket" or scope["method"] not in READING
        if writes and is_foreign(headers):
            does = "watch" if scope["type"] == "websocket" else "write to"
            return PlainTextResponse(
                f"a page of {headers['origin']} may not {does} {host}: let the proxy pass Host on\n", 403
            )
        return None


def _place_of(origin: str) -> str:
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return ""


def _name_of(url: str) -> str:
    try:
        return (urlsplit(url).hostname or "").lower()
    except ValueError:
        return ""
