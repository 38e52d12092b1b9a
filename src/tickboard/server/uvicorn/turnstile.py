"""The turnstile: connections are read one after another, so that however many send at once, the loop is never held.

What a connection has received waits here until it is its turn. In each turn of the loop a few requests begin, as many
as take some milliseconds; then ticks, answers and sockets have theirs. The next is always the connection, and the
address, that has had the least: a client that asks now and then goes before a hundred that ask without a pause. What
was sent before the last answer had come, ahead, goes last: no browser does that.
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
"""A turn of the loop that took less has room for one more request; one that took more had too many."""

MOST_AT_ONCE = 8
"""Requests that begin in one turn of the loop at most."""

AHEAD_EVERY = 8
"""Of those that are read while others wait, one in so many was sent ahead."""


CREDIT, NEW_CREDIT = 8.0, 2.0
"""Rounds that a connection can save up by asking less often than the others, and those that a new one has."""


ROUND_BYTES = 512
"""What is read costs a turn more for each so many bytes: a request that says much makes much work."""

MOST_ROUNDS = 8.0
"""Rounds that the bytes of one read cost at most: the next piece of a large body has to be read in time, too."""


class Share:
    """What a connection or an address has had of the turns.

    Attributes:
        until: the round up to which it has had its part: one turn in each. A round is over when everybody who waits
            has had one.
    """

    __slots__ = ("_left", "until")

    def __init__(self, until: float = 0.0) -> None:
        self.until = until
        self._left = MOST_ROUNDS

    def begin(self) -> None:
        """Begin a read, which costs `MOST_ROUNDS` at most."""
        self._left = MOST_ROUNDS

    def charge(self, size: int) -> None:
        """Count so many bytes that were read."""
        rounds = min(size / ROUND_BYTES, self._left)
        self._left -= rounds
        self.until += rounds


class Passing(Protocol):
    """A connection that is read in turns.

    Attributes:
        shares: its own, and that of its address if that has one.
    """

    shares: tuple[Share, ...]

    def read_on(self, until: float) -> bool:
        """Read what waits, until a time by the monotonic clock; return whether a request has begun."""
        ...

    def give_way(self) -> None:
        """End the connection at once."""
        ...


_Place = tuple[float, int, Passing]
"""The round in which somebody is due, and their number among those that are due in the same."""


class Turnstile:
    """Whose turn it is, for the connections of one server."""

    def __init__(self) -> None:
        self._waiting: list[_Place] = []
        self._ahead: list[_Place] = []
        self._order, self._reads = count(), count(1)
        self._round = 0.0
        self._is_due = False
        self._at_once = 1
        self._ended = 0.0

    def share(self) -> Share:
        """Return the share of a new connection: it goes before those that have saved nothing up."""
        return Share(self._round - NEW_CREDIT)

    def arrive(self, connection: Passing, *, ahead: bool = False) -> None:
        """Have a connection read: at once if nobody was read in this turn, or else when it is its turn.

        Args:
            connection: it is read once.
            ahead: whether what is to be read was sent before the last answer.
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
        """Read those whose turn it is."""
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
        """Read connections until some requests have begun."""
        # The next turn first: whatever is raised here, it comes.
        asyncio.get_running_loop().call_soon(self._turn)
        begun, until = 0, time.monotonic() + SLICE_S
        while self._waiting or self._ahead:
            begun += self._read_one(self._next(), until)
            self._ended = time.monotonic()
            if begun >= self._at_once or self._ended >= until:
                return

    def _read_one(self, connection: Passing, until: float) -> bool:
        """Read one connection; if that fails, end it: what it had received is lost."""
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
        # Every connection that waits is a part of the round; nobody who is read is ahead of it.
        self._round = max(self._round + (0 if is_ahead else 1 / (len(self._waiting) + 1)), due)
        return connection
