"""The guard: keeps other web pages in the same browser from a dashboard. It stands before every way in.

A page of any site may open a WebSocket to localhost or post to it, and by DNS rebinding even read documents from it. So
a server that listens on loopback answers only to loopback names and addresses (and the names that were allowed), and a
WebSocket or a request that writes is refused when its Origin is another site. Programs send no Origin. Every answer has
the headers that keep it from other sites' frames and pages, and only sites that were allowed get those of CORS.

Origin and Host are compared with their ports, the scheme's own where none is written: another program on the same
machine is another site. So a proxy has to pass Host on as it got it, and a refusal says how.
"""

import re
from collections.abc import Awaitable, Callable, Iterable

from starlette.datastructures import MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tickboard.output.logs import log
from tickboard.output.text import one_line
from tickboard.server.requests.allowed import Allowed
from tickboard.server.requests.places import DEFAULT_PORTS, split_host, split_origin
from tickboard.server.requests.refusal import error_response, refuse
from tickboard.server.requests.request_headers import Head, head_of
from tickboard.server.requests.response_headers import protect
from tickboard.server.uvicorn.listening import canonical, is_loopback, listening_on

READING = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods that change nothing."""

GUARDED = "tickboard.guarded"
"""In a scope that a guard has passed on: another one behind it has nothing to add."""

MAX_LOGGED = 20
"""Reasons for a refusal that are logged, each once: who makes up new ones fills no disk."""

MAX_SHOWN = 200
"""Characters of a header that are shown."""

PREFLIGHT = {
    "access-control-allow-methods": "GET, HEAD, POST",
    "access-control-allow-headers": "*",
    "access-control-max-age": "600",
}
"""What an allowed site may send; there are no credentials."""

_STARTS = frozenset({"http.response.start", "websocket.http.response.start"})


def is_foreign(head: Head) -> bool:
    """Return whether a page of another site makes this request: its Origin is not the Host that it asks for.

    A request without Origin is a program's, unless its browser says by Sec-Fetch-Site that another site makes it.
    """
    origins = head.get("origin", ())
    if not origins:
        return _first(head, "sec-fetch-site") in {"cross-site", "same-site"}
    page = split_origin(origins[0]) if len(origins) == 1 else None
    asked = split_host(_first(head, "host"))
    if page is None or asked is None or page.scheme not in DEFAULT_PORTS:
        return True
    return (page.name, page.port) != (asked[0], asked[1] or DEFAULT_PORTS[page.scheme])


def why_foreign(head: Head, does: str, allow: str) -> str:
    """Return why a page of another site is refused, and which line to change if it is the board's own page.

    Args:
        head: the request's headers.
        does: what it may not do, as "write to".
        allow: how to allow an origin, as "--allow-origin {}".
    """
    origin, host = (one_line(_first(head, name), MAX_SHOWN) for name in ("origin", "host"))
    page, asked = split_origin(origin), split_host(host)
    if page is not None and asked is not None and page.name == asked[0]:
        lost = "without its port" if asked[1] is None else "with another port"
        instead = f"ask from a page of this host; a proxy that passes Host on {lost} has to pass it on as it is"
    else:
        instead = "ask from a page of this host, or have the proxy pass Host on"
    trusted = f"; {allow.format(origin)} allows that site" if page is not None else ""
    return (
        f"a page of {origin if 'origin' in head else 'another site'} may not {does} {host}: {instead}: in nginx, "
        f'"proxy_set_header Host $http_host;" (docs/deploy.md has the line for other proxies){trusted}'
    )


class Guard:
    """ASGI middleware.

    Args:
        app: what it guards.
        bound: the address that the server's socket is bound to; None: somebody else's server, which is looked at.
        names: further names that it answers to, as the one it was started with.
        allowed: returns what is allowed at the moment.
        flags: whether a person has flags to allow more with; otherwise it is the board's arguments.
    """

    def __init__(
        self,
        app: ASGIApp,
        bound: str | None = None,
        names: Iterable[str] = (),
        allowed: Callable[[], Allowed] = Allowed,
        *,
        flags: bool = True,
    ) -> None:
        self._app = app
        self._bound = bound
        self._names = {"localhost", *map(_name, names)}
        self._allowed = allowed
        self._allow = "--allow-{} {}" if flags else "Board(allow_{}s=[{!r}])"
        self._ports: dict[int, bool] = {}
        self._logged: set[str] = set()

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Pass a connection on, or refuse it: 400 (no Host), 421 (a wrong one) or 403 (another site's page)."""
        if scope["type"] not in {"http", "websocket"} or scope.get(GUARDED):
            return self._app(scope, receive, send)
        scope[GUARDED] = True
        head, allowed = head_of(scope), self._allowed()
        origin = _first(head, "origin") if _is_allowed(head, allowed) else None
        send = _protecting(send, allowed, origin)
        if (refusal := self._refusal(scope, head, allowed, trusted=origin is not None)) is not None:
            return refuse(refusal, scope, receive, send)
        if origin is not None and _is_preflight(scope, head):
            return Response(status_code=204, headers=PREFLIGHT)(scope, receive, send)
        return self._app(scope, receive, send)

    def _refusal(self, scope: Scope, head: Head, allowed: Allowed, *, trusted: bool) -> Response | None:
        hosts = head.get("host", ())
        # Somebody else's server has looked at what HTTP wants.
        if len(hosts) > 1 or (not hosts and self._bound is not None and scope["http_version"] != "1.0"):
            return error_response(400, "send exactly one Host header, with the server's name and port")
        if hosts and not self._answers_to(place := split_host(hosts[0]), hosts[0], scope, allowed):
            if place is None:
                host = hosts[0][:MAX_SHOWN]
                return self._refused(f"Host {host!r} is not a name and port: send it as board.example.com:3000", 421)
            name = place[0]
            how = self._allow.format("host", name if re.fullmatch(r"[a-z0-9._-]{1,253}", name) else "NAME")
            fix = f"start it with {how}" if self._allow.startswith("-") else f"declare {how}"
            return self._refused(
                f"this server does not answer to {name[:MAX_SHOWN]!r}: if that is its name, {fix}", 421
            )
        watches = scope["type"] == "websocket"
        if (watches or scope["method"] not in READING) and not trusted and is_foreign(head):
            allow = self._allow.replace("{}", "origin", 1)
            return self._refused(why_foreign(head, "watch" if watches else "write to", allow), 403)
        return None

    def _answers_to(self, place: tuple[str, int | None] | None, host: str, scope: Scope, allowed: Allowed) -> bool:
        if place is None:
            return not host and not self._is_on_loopback(scope)
        # An address can't be rebound: only a name can come to mean another machine.
        name = place[0]
        return is_loopback(name) or name in self._names or name in allowed.hosts or not self._is_on_loopback(scope)

    def _is_on_loopback(self, scope: Scope) -> bool:
        """Return whether only this machine can reach the server."""
        if self._bound is not None:
            return is_loopback(self._bound)
        # Where a connection has come in, which for a server on all addresses may be loopback, too.
        host, port = scope.get("server") or ("", None)
        if port is None or not is_loopback(str(host)):
            return False
        if port not in self._ports:
            self._ports[port] = all(map(is_loopback, listening_on(port)))
        return self._ports[port]

    def _refused(self, why: str, status: int) -> Response:
        if why not in self._logged and len(self._logged) < MAX_LOGGED:
            self._logged.add(why)
            log.warning("refused with %d: %s", status, why)
        return error_response(status, why)


def _is_allowed(head: Head, allowed: Allowed) -> bool:
    """Return whether a page of a site that was allowed makes this request."""
    origins = head.get("origin", ())
    return len(origins) == 1 and split_origin(origins[0]) in allowed.origins


def _is_preflight(scope: Scope, head: Head) -> bool:
    return scope["type"] == "http" and scope["method"] == "OPTIONS" and "access-control-request-method" in head


def _protecting(send: Send, allowed: Allowed, origin: str | None) -> Send:
    """Return a `send` that adds what each response has to have; an origin that is allowed gets the header of CORS."""

    # Not a coroutine of its own, which would be one more for each frame of a viewer.
    def send_protected(message: Message) -> Awaitable[None]:
        if message["type"] in _STARTS:
            headers = MutableHeaders(raw=list(message.get("headers", ())))
            protect(headers, allowed.frames)
            if allowed.origins:
                headers.add_vary_header("Origin")
            if origin is not None:
                headers["access-control-allow-origin"] = origin
            message = {**message, "headers": headers.raw}
        return send(message)

    return send_protected


def _first(head: Head, name: str) -> str:
    """Return the first value of a header; "" where there is none."""
    return head[name][0] if name in head else ""


def _name(text: str) -> str:
    place = split_host(text)
    return place[0] if place else canonical(text)
