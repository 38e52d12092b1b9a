"""Limits: how many connections stay open, in all and from one address.

It counts what lasts, WebSockets and the alert stream; a request for a document is over in a moment. One too many is
refused with 503 and told when to come back; those that are there go on.
"""

import sys
from collections import Counter
from collections.abc import Callable
from functools import partial
from ipaddress import IPv6Address, ip_address

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket

from tickboard.server.connection import DIRECT
from tickboard.traffic import Traffic

RETRY_AFTER_S = 5

OPEN_FILES_KEPT = 128
"""Of those that the system allows, for requests, files and libraries."""


class Limits:
    """ASGI middleware.

    Args:
        app: what it protects.
        connections: how many may be open; 0: as many as come.
        per_address: of them from one address, or one /64 of IPv6; 0: as many as come.
        traffic: returns where refusals are counted.
    """

    def __init__(self, app: ASGIApp, connections: int, per_address: int, traffic: Callable[[], Traffic]) -> None:
        self._app = app
        self._connections = connections
        self._per_address = per_address
        self._traffic = traffic
        self._open: Counter[str] = Counter()
        self._total = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a connection on, or refuse it with 503."""
        if not lasts(scope):
            await self._app(scope, receive, send)
            return
        address = address_of(scope)
        if (refusal := self._refusal(address)) is not None:
            self._traffic().connections_refused += 1
            if scope["type"] == "websocket":
                await WebSocket(scope, receive, send).send_denial_response(refusal)
            else:
                await refusal(scope, receive, send)
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

    def _refusal(self, address: str) -> PlainTextResponse | None:
        if self._connections and self._total >= self._connections:
            why = f"all {self._connections} connections of this server are taken: see --max-connections"
        elif self._per_address and self._open[address] >= self._per_address:
            why = f"all {self._per_address} connections that {address} may have are taken: see --max-per-address"
        else:
            return None
        return PlainTextResponse(f"{why}\n", 503, {"retry-after": str(RETRY_AFTER_S)})

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
    """Return who a connection is from: an address, or the /64 of an IPv6 one, which one machine may have all of."""
    host = str((scope.get("client") or ("an unknown address",))[0])
    try:
        address = ip_address(host)
    except ValueError:
        return host
    if not isinstance(address, IPv6Address):
        return host
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return f"{IPv6Address(int(address) >> 64 << 64)}/64"


def raise_open_files() -> int:
    """Let this process have as many files open as the system allows, and return for how many connections that is.

    0 where the system doesn't say.
    """
    if sys.platform == "win32":
        return 0
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
            soft = hard
        except (OSError, ValueError):
            pass  # as on macOS, where "unlimited" is more than it takes
    return 0 if soft == resource.RLIM_INFINITY else max(soft - OPEN_FILES_KEPT, 1)
