"""The turnstile: reads connections one after another, so that the loop is never blocked, however many send at once.

Received data waits here until it is its connection's turn. In each turn of the loop a few requests start, as many as
take some milliseconds; then ticks, answers and sockets have their turn. The next is always the connection, and the
address, that has used the least: a client that asks now and then comes before a hundred that ask without a pause.
Requests that were sent ahead, before the last answer, come last: no browser does that.
"""

import asyncio
import heapq
import time
from itertools import count
from typing import Protocol

from tickboard.hub.connections import end_failed

SLICE_S = 0.002
"""How long connections are read in one turn of the loop."""

QUICK_S, LONG_S = 0.004, 0.008
"""After a turn of the loop shorter than the first, one more request may start; longer than the second, fewer."""

MOST_AT_ONCE = 8
"""The most requests that start in one turn of the loop."""

AHEAD_EVERY = 8
"""While others wait, one in this many reads is of requests that were sent ahead."""


CREDIT, NEW_CREDIT = 8.0, 2.0
"""How many rounds a connection can save up by asking less often than others, and how many a new one has."""


ROUND_BYTES = 512
"""Each of this many bytes costs one more turn, since large requests make much work."""

MOST_ROUNDS = 8.0
"""The most rounds that the bytes of one read cost, so that the next piece of a large body is read in time."""


class Share:
    """How much a connection or an address has used.

    Attributes:
        until: the round up to which it has used its turns, one in each. A round is over when everyone waiting has had
            one.
    """

    __slots__ = ("_left", "until")

    def __init__(self, until: float = 0.0) -> None:
        self.until = until
        self._left = MOST_ROUNDS

    def begin(self) -> None:
        """Start a read, which costs `MOST_ROUNDS` at most."""
        self._left = MOST_ROUNDS

    def charge(self, size: int) -> None:
        """Count bytes that were read."""
        rounds = min(size / ROUND_BYTES, self._left)
        self._left -= rounds
        self.until += rounds


class Passing(Protocol):
    """A connection that is read in turns.

    Attributes:
        shares: its own share, and that of its address if there is one.
    """

    shares: tuple[Share, ...]

    def read_on(self, until: float) -> bool:
        """Read waiting data until a time by the monotonic clock; return whether a request has started."""
        ...

    def give_way(self) -> None:
        """End the connection at once."""
        ...


_Place = tuple[float, int, Passing]
"""The round in which a connection is due, its order among those of the same round, and the connection."""


class Turnstile:
    """Decides which connection of one server is read next."""

    def __init__(self) -> None:
        self._waiting: list[_Place] = []
        self._ahead: list[_Place] = []
        self._order, self._reads = count(), count(1)
        self._round = 0.0
        self._is_due = False
        self._at_once = 1
        self._ended = 0.0

    def share(self) -> Share:
        """Return the share of a new connection: it comes before those that have saved nothing."""
        return Share(self._round - NEW_CREDIT)

    def arrive(self, connection: Passing, *, ahead: bool = False) -> None:
        """Queue a connection to be read: at once if none was read in this turn, or else when it is its turn.

        Args:
            connection: the connection; it is read once.
            ahead: whether its data was sent before the last answer.
        """
        due = max([self._round - CREDIT, *(share.until for share in connection.shares)])
        for share in connection.shares:
            share.until = due + 1
        number = next(self._order)
        heapq.heappush(self._ahead if ahead else self._waiting, (due, number, connection))
        if not self._is_due:
            self._is_due = True
            self._at_once = 1
            self._read()

    def _turn(self) -> None:
        """Read the connections whose turn it is."""
        if not self._waiting and not self._ahead:
            self._is_due = False
            return
        took = time.monotonic() - self._ended
        if took < QUICK_S:
            self._at_once = min(self._at_once + 1, MOST_AT_ONCE)
        elif took > LONG_S:
            self._at_once = max(self._at_once // 2, 1)
        self._read()

    def _read(self) -> None:
        """Read connections until some requests have started."""
        # Schedule the next turn first, so that it comes whatever is raised here.
        asyncio.get_running_loop().call_soon(self._turn)
        begun, until = 0, time.monotonic() + SLICE_S
        while self._waiting or self._ahead:
            begun += self._read_one(self._next(), until)
            self._ended = time.monotonic()
            if begun >= self._at_once or self._ended >= until:
                return

    def _read_one(self, connection: Passing, until: float) -> bool:
        """Read one connection; if that fails, end it, and its data is lost."""
        for share in connection.shares:
            share.begin()
        try:
            return connection.read_on(until)
        except Exception as error:  # noqa: BLE001  # it is logged
            end_failed("a connection", error, connection.give_way)
            return False

    def _next(self) -> Passing:
        is_ahead = not self._waiting or (bool(self._ahead) and not next(self._reads) % AHEAD_EVERY)
        due, _, connection = heapq.heappop(self._ahead if is_ahead else self._waiting)
        # Every waiting connection is one part of the round; no connection that is read is ahead of the round.
        self._round = max(self._round + (0 if is_ahead else 1 / (len(self._waiting) + 1)), due)
        return connection
