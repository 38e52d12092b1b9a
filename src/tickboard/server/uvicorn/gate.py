"""The gate: deadlines and limits of HTTP connections under ``tickboard run``, before a request is handled.

They limit how long a client may be silent, and how long and how large a head may be. All HTTP connections of a server
share one `Gate`. It knows which of them have not sent a whole request yet, which are sending a body, and which have had
their last answer. It makes each check its deadlines twice a second, counts them by address, and ends one when a new one
needs its place. The connections themselves read: see `tickboard.server.uvicorn.http`. A connection that is taken over,
for a WebSocket or an alert stream, leaves the gate; only its address still counts.
"""

import asyncio
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable
from http import HTTPStatus
from operator import itemgetter
from typing import Protocol

from tickboard.hub.connections import end_failed
from tickboard.hub.traffic import Reason, Traffic
from tickboard.output.logs import log
from tickboard.server.requests.connection_limits import RETRY_AFTER_S, address_of
from tickboard.server.requests.response_headers import ALONE
from tickboard.server.uvicorn.listening import is_loopback
from tickboard.server.uvicorn.turnstile import Share, Turnstile
from tickboard.wire import ErrorBody, encode

MAX_HEAD_BYTES = 65_536
"""The most bytes of a request's head, and of a chunked body's overhead."""

MAX_URL_BYTES = MAX_HEADER_BYTES = 16_384

MAX_HEADERS = 100

MAX_HELD_BYTES = 2**24
"""The most bytes of pipelined requests that wait unread, of all connections together."""

FIRST_S = 10.0
"""How long a new connection may send nothing."""

HEAD_S = 10.0
"""How long a head may take, from its first byte."""

KEEP_ALIVE_S = 5.0
"""How long a connection stays open between two requests."""

TAKE_S, TAKE_BYTES = 20.0, 16_384
"""A client must read this many bytes of its answer in this many seconds."""

LOOK_S = 0.5


class Refusal(Exception):  # noqa: N818  # not an error of the server's
    """A request is refused.

    Args:
        status: the HTTP status of the answer.
        reason: the kind that it is counted as.
        message: what is wrong and how to fix it.
        headers: further headers of the answer.
    """

    def __init__(self, status: int, reason: Reason, message: str, headers: Iterable[tuple[bytes, bytes]] = ()) -> None:
        super().__init__(message)
        self.headers = headers
        self.status = status
        self.reason: Reason = reason
        self.message = message

    def response(self, headers: list[tuple[bytes, bytes]]) -> bytes:
        """Return the whole answer, including these headers."""
        body = encode(ErrorBody(self.message))
        lines = [f"HTTP/1.1 {self.status} {HTTPStatus(self.status).phrase}".encode()]
        lines += [name + b": " + value for name, value in (*headers, *self.headers, *ALONE)]
        lines += [b"content-type: application/json", b"content-length: %d" % len(body), b"cache-control: no-store"]
        if self.status == 503:
            lines.append(b"retry-after: %d" % RETRY_AFTER_S)
        return b"\r\n".join([*lines, b"connection: close", b"", body])


class Gated(Protocol):
    """A connection that the gate watches.

    Attributes:
        group: its group, if it may be ended to make room for a new one; else None.
    """

    group: "Group | None"

    def look(self, now: float) -> None:
        """End it if it is past a deadline at `now`, by the monotonic clock."""
        ...

    def give_way(self) -> None:
        """End it at once, to make room for a new one."""
        ...


Group = OrderedDict[Gated, float]
"""Connections, each with the time when it joined the group, oldest first."""


class Gate:
    """The state shared by all HTTP connections of one server.

    Args:
        places: how many connections of all kinds may be open; 0: any number.
        per_address: how many may be open from one address of another machine, or one /64 of IPv6; 0: any number.
            Connections from this machine are not counted: a proxy here connects for many clients.
        traffic: returns the counters of refusals.

    Attributes:
        places: how many connections may be open.
        ended: connections that have had their last answer, oldest first.
        waiting: connections that have not sent a whole request since they began, or since their last answer.
        receiving: connections that are sending a body.
        held: how many received bytes of all of them are unread.
        turnstile: decides which connection is read next.
    """

    def __init__(self, places: int = 0, per_address: int = 0, traffic: Callable[[], Traffic] = Traffic) -> None:
        self.places = places
        self.ended: Group = OrderedDict()
        self.waiting: Group = OrderedDict()
        self.receiving: Group = OrderedDict()
        self.held = 0
        self.turnstile = Turnstile()
        self._per_address = per_address
        self._traffic = traffic
        self._connections: set[Gated] = set()
        self._addresses: Counter[str] = Counter()
        self._shares: dict[str, Share] = {}
        self._logged: set[Reason] = set()
        self._timer: asyncio.TimerHandle | None = None

    def enter(self, connection: Gated, client: tuple[str, int] | None) -> str:
        """Watch a new connection; return the address that it counts for, to pass to `leave`, or "".

        Raises:
            Refusal: its address has too many; the connection is watched all the same, but not counted.
        """
        self._connections.add(connection)
        self.move(connection, self.waiting)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(LOOK_S, self._look)
        if client is None or not self._per_address or is_loopback(client[0]):
            return ""
        address = address_of({"type": "http", "client": client, "headers": []})
        if self._addresses[address] >= self._per_address:
            message = f"all {self._per_address} connections that {address} may have are in use: see --max-per-address"
            raise Refusal(503, "address", message)
        self._addresses[address] += 1
        return address

    def leave(self, address: str) -> None:
        """Count one connection fewer for an address."""
        if not address:
            return
        self._addresses[address] -= 1
        if not self._addresses[address]:
            del self._addresses[address]
            self._shares.pop(address, None)

    def shares(self, address: str) -> tuple[Share, ...]:
        """Return the shares of a new connection: one of its own, and that of the address it counts for."""
        own = self.turnstile.share()
        return (own, self._shares.setdefault(address, Share())) if address else (own,)

    def move(self, connection: Gated, group: "Group | None") -> None:
        """Move a connection to the end of a group, or to none."""
        if connection.group is not None:
            del connection.group[connection]
        if group is not None:
            group[connection] = time.monotonic()
        connection.group = group

    def release(self, connection: Gated) -> None:
        """Stop watching a connection: it has ended, or was taken over."""
        self._connections.discard(connection)
        self.move(connection, None)

    def make_room(self) -> bool:
        """End a connection to make room for a new one; return whether there was one to end.

        It is one that has had its last answer, or else the one that has kept the server waiting the longest for a
        request or the end of a body. So a new one is safe, even if the others are all taken.
        """
        if self.ended:
            next(iter(self.ended)).give_way()
            return True
        oldest = [next(iter(group.items())) for group in (self.waiting, self.receiving) if group]
        if not oldest:
            return False
        self.count("crowded", "there is no room for more connections: the longest waiting one was ended")
        connection, _ = min(oldest, key=itemgetter(1))
        connection.give_way()
        return True

    def count(self, reason: Reason, message: str) -> None:
        """Count a refusal; the first of its kind is logged."""
        self._traffic().refused(reason)
        if reason not in self._logged:
            self._logged.add(reason)
            log.info("a request was refused (%s; others like it are only counted): %s", reason, message)

    def _look(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(LOOK_S, self._look) if self._connections else None
        self.look(time.monotonic())

    def look(self, now: float) -> None:
        """Make all connections check their deadlines at `now`, seconds of the monotonic clock.

        A connection that raises is logged and ended; the others are not affected.
        """
        for connection in list(self._connections):
            try:
                connection.look(now)
            except Exception as error:  # noqa: BLE001  # it is logged
                self.release(connection)
                end_failed("a connection", error, connection.give_way)
