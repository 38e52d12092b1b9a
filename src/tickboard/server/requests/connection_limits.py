"""Connection limits: how many WebSockets and alert streams may be open, in total and from one address.

Requests for documents are not counted. A connection over the limit gets 503 with Retry-After; open ones are not
affected. `tickboard.server.uvicorn.gate` has the limits and deadlines of HTTP connections.
"""

import contextlib
import logging
import sys
from collections import Counter
from collections.abc import Awaitable, Callable
from functools import lru_cache, partial
from ipaddress import IPv6Address

from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from tickboard.hub.traffic import Traffic
from tickboard.output.logs import log
from tickboard.output.text import one_line
from tickboard.server.requests.proxied import client_of
from tickboard.server.requests.refusal import error_response, refuse
from tickboard.server.uvicorn.listening import LONGEST_ADDRESS, literal
from tickboard.server.uvicorn.websocket import DIRECT

RETRY_AFTER_S = 5

OPEN_FILES_KEPT = 128
"""How many of the allowed open files are reserved for the board's own work: samplers, files and libraries."""

ROOM = 64
"""How many of the allowed connections are reserved for requests: WebSockets and alert streams don't get them."""

MAX_SHOWN = 100
"""How many characters are shown of a text that is not an address."""


class Limits:
    """ASGI middleware that limits connections.

    Args:
        app: the application to protect.
        connections: how many may be open; 0: any number.
        per_address: how many may be open from one address, or one /64 of IPv6; 0: any number.
        traffic: returns the counters of refusals.
    """

    def __init__(self, app: ASGIApp, connections: int, per_address: int, traffic: Callable[[], Traffic]) -> None:
        self._app = app
        self._connections = connections
        self._per_address = per_address
        self._traffic = traffic
        self._open: Counter[str] = Counter()
        self._total = 0

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Pass a connection on, or refuse it with 503."""
        return self._lasting(scope, receive, send) if lasts(scope) else self._app(scope, receive, send)

    async def _lasting(self, scope: Scope, receive: Receive, send: Send) -> None:
        address = address_of(scope)
        if (refusal := self._refusal(address)) is not None:
            self._traffic().connections_refused += 1
            await refuse(refusal, scope, receive, send)
            return
        self._enter(address)
        try:
            await self._app(scope, receive, send)
        finally:
            offer = (scope.get("extensions") or {}).get(DIRECT) or {}
            if offer.get("handed_over") and not offer.get("ended"):
                offer["on_end"].append(partial(self._leave, address))
            else:
                self._leave(address)

    def _refusal(self, address: str) -> Response | None:
        if self._connections and self._total >= self._connections:
            why = f"all {self._connections} connections of this server are in use: see --max-connections"
        elif self._per_address and self._open[address] >= self._per_address:
            why = f"all {self._per_address} connections that {address} may have are in use: see --max-per-address"
        else:
            return None
        return error_response(503, why, {"retry-after": str(RETRY_AFTER_S), "connection": "close"})

    def _enter(self, address: str) -> None:
        self._total += 1
        self._open[address] += 1

    def _leave(self, address: str) -> None:
        self._total -= 1
        self._open[address] -= 1
        if not self._open[address]:
            del self._open[address]


def lasts(scope: Scope) -> bool:
    """Return whether a connection stays open: a WebSocket, or the alert stream."""
    kind: str = scope["type"]
    path: str = scope.get("path", "")
    return kind == "websocket" or (kind == "http" and path.endswith("/events/alerts"))


def address_of(scope: Scope) -> str:
    """Return where a connection is from: an address, or the /64 of an IPv6 address, all of which one machine may have.

    Behind a proxy on this machine, this is the address that the proxy has passed on.
    """
    host = client_of(scope)
    return _address_of(host) if len(host) <= LONGEST_ADDRESS else one_line(host, MAX_SHOWN)


@lru_cache(maxsize=1_024)
def _address_of(host: str) -> str:
    address = literal(host)
    if address is None:
        return one_line(host, MAX_SHOWN) or "an unknown address"
    if isinstance(address, IPv6Address):
        return f"{IPv6Address(int(address) >> 64 << 64)}/64"
    return str(address)


def log_connection(what: str, scope: Scope) -> Callable[[], None]:
    """Log that a viewer or an alert stream has connected; return a function that logs its end."""
    if not log.isEnabledFor(logging.INFO):
        return _nothing
    address = address_of(scope)
    log.info("%s connected from %s", what, address)
    return partial(log.info, "%s disconnected from %s", what, address)


def _nothing() -> None: ...


def lasting(places: int, asked: int | None = None) -> int:
    """Return how many WebSockets and alert streams may be open; 0: any number.

    Args:
        places: connections of every kind that may be open; 0: any number.
        asked: the configured number; None if there is none.
    """
    possible = places - min(ROOM, places // 4)
    return min(asked or possible, possible) if possible else asked or 0


def open_files() -> int:
    """Return how many files this process may have open; 0 if unknown."""
    if sys.platform == "win32":
        return 0
    import resource

    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return 0 if soft == resource.RLIM_INFINITY else soft


def raise_open_files() -> int:
    """Raise the limit of open files as far as the system allows; return how many connections fit, 0 if unknown."""
    if sys.platform == "win32":
        return 0
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(OSError, ValueError):  # as on macOS, which rejects its own "unlimited"
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    files = open_files()
    return max(files - OPEN_FILES_KEPT, files // 4, 1) if files else 0
