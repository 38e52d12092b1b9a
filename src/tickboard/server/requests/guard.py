"""The guard: protects a dashboard from other web pages in the same browser. Every connection passes it.

A page of any site may open a WebSocket to localhost or post to it, and by DNS rebinding even read documents from it. So
a server that listens on loopback answers only to loopback names and addresses (and to allowed names), and refuses a
WebSocket or a request that writes if its Origin is another site. Programs send no Origin. Every response has headers
that keep it out of other sites' frames and pages, and only allowed sites get CORS headers.

Origin and Host are compared including their ports, with the scheme's default: another program on the same machine is
another site. So a proxy has to pass Host on unchanged, and a refusal says how.
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
"""The key in a scope that has passed a guard: a second guard does nothing."""

MAX_LOGGED = 20
"""How many distinct refusals are logged, each once, so that nobody can fill the disk."""

MAX_SHOWN = 200
"""How many characters of a header are shown."""

PREFLIGHT = {
    "access-control-allow-methods": "GET, HEAD, POST",
    "access-control-allow-headers": "*",
    "access-control-max-age": "600",
}
"""The answer to a preflight from an allowed site. Credentials are not allowed."""

_STARTS = frozenset({"http.response.start", "websocket.http.response.start"})


def is_foreign(head: Head) -> bool:
    """Return whether this request comes from a page of another site: its Origin differs from its Host.

    A request without Origin comes from a program, unless the header Sec-Fetch-Site names another site.
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
    """Return why a page of another site is refused, and what to change if it is the board's own page.

    Args:
        head: the request's headers.
        does: what it may not do, such as "write to".
        allow: how to allow an origin, such as "--allow-origin {}".
    """
    origin, host = (one_line(_first(head, name), MAX_SHOWN) for name in ("origin", "host"))
    page, asked = split_origin(origin), split_host(host)
    if page is not None and asked is not None and page.name == asked[0]:
        lost = "without its port" if asked[1] is None else "with another port"
        instead = f"use a page of this host; a proxy that passes Host on {lost} has to pass it on unchanged"
    else:
        instead = "use a page of this host, or configure the proxy to pass Host on"
    trusted = f"; {allow.format(origin)} allows that site" if page is not None else ""
    return (
        f"a page of {origin if 'origin' in head else 'another site'} may not {does} {host}: {instead}: in nginx, "
        f'"proxy_set_header Host $http_host;" (docs/deploy.md has the line for other proxies){trusted}'
    )


class Guard:
    """ASGI middleware that checks Host and Origin.

    Args:
        app: the application to guard.
        bound: the address that the server's socket is bound to; None for a foreign server, whose socket is looked up.
        names: further names that it answers to, such as the one it was started with.
        allowed: returns what is allowed at the moment.
        flags: whether messages suggest flags to allow more; otherwise they suggest the board's arguments.
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
        self._names = {"localhost", *map(server_name, names)}
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
        # A foreign server checks the rules of HTTP itself.
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
        # An address cannot be rebound: only a name can resolve to another machine.
        name = place[0]
        return is_loopback(name) or name in self._names or name in allowed.hosts or not self._is_on_loopback(scope)

    def _is_on_loopback(self, scope: Scope) -> bool:
        """Return whether only this machine can reach the server."""
        if self._bound is not None:
            return is_loopback(self._bound)
        # The address of this connection, which for a server on all addresses may be loopback, too.
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
    """Return whether this request comes from a page of an allowed site."""
    origins = head.get("origin", ())
    return len(origins) == 1 and split_origin(origins[0]) in allowed.origins


def _is_preflight(scope: Scope, head: Head) -> bool:
    return scope["type"] == "http" and scope["method"] == "OPTIONS" and "access-control-request-method" in head


def _protecting(send: Send, allowed: Allowed, origin: str | None) -> Send:
    """Return a `send` that adds the protective headers to each response, and CORS headers for an allowed origin."""

    # Not a coroutine, which would cost one more for each frame of a viewer.
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
    """Return the first value of a header; "" if it is missing."""
    return head[name][0] if name in head else ""


def server_name(text: str) -> str:
    """Return the name that a server was started with, in the form to compare with `Host`."""
    place = split_host(text)
    return place[0] if place else canonical(text)
