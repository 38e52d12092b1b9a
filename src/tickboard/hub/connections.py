"""The connections that the hub uses: how to send to a viewer or a reader of alerts, and positions.

The server implements them with sockets and tasks.
"""

import contextlib
from collections.abc import Callable, Sequence
from typing import Protocol

from msgspec import Struct

from tickboard.hub.frames import Frame
from tickboard.output.logs import log

TRY_AGAIN_LATER = 1013
"""A close code (IANA's registry of WebSocket close codes)."""

Listen = Callable[[Callable[[], None]], Callable[[], None]]
"""Takes a function to call in the event loop when the alert log has new events; returns a function that stops it."""

WriteAll = Callable[[Sequence[int], bytes], list[tuple[int, int]]]
"""Writes the same bytes to many descriptors. Returns the index of each descriptor that did not take them all, with the
number of bytes written; -1: writing failed. A negative descriptor is skipped."""


class Position(Struct, frozen=True):
    """The last tick that a viewer has seen."""

    epoch: str
    seq: int


class ViewerConnection(Protocol):
    """The connection of one viewer.

    Attributes:
        descriptor: the descriptor that `WriteAll` may write whole frames to while the connection is idle; -1: none.
        copies: whether its server copies each frame for this viewer alone.
    """

    descriptor: int
    copies: bool

    def send(self, frame: Frame) -> bool:
        """Send a frame. False: accept no other until the connection calls `Viewer.idle_again`."""
        ...

    def rest(self, wire: bytes, written: int) -> bool:
        """Send the rest of a frame after `written` bytes were written to the descriptor; -1: writing failed."""
        ...

    def unsent(self) -> int:
        """Return how many bytes are waiting; a falling number shows that the client reads."""
        ...

    def close(self, code: int) -> None:
        """Close the connection with a close code."""
        ...

    def cut(self) -> None:
        """Abort the connection."""
        ...


class ReaderConnection(Protocol):
    """The connection of one reader of the alert stream.

    Attributes:
        descriptor: the descriptor that `WriteAll` may write to while the connection is idle; -1: none.
        chunked: whether its bytes must use HTTP/1.1's chunked coding (RFC 9112, section 7.1).
    """

    descriptor: int
    chunked: bool

    def write(self, wire: bytes) -> bool:
        """Send a chunk. False: accept no other until the connection calls `AlertReader.idle_again`."""
        ...

    def rest(self, wire: bytes, written: int) -> bool:
        """Send the rest of a chunk after `written` bytes were written to the descriptor; -1: writing failed."""
        ...

    def unsent(self) -> int:
        """Return how many bytes are waiting; a falling number shows that the client reads."""
        ...

    def end(self) -> None:
        """End the stream after the waiting chunks."""
        ...

    def cut(self) -> None:
        """Abort the connection."""
        ...


def end_failed(what: str, error: Exception, end: Callable[[], object]) -> None:
    """End one connection of many, and log why.

    Args:
        what: the connection, for the log.
        error: the exception that it raised.
        end: ends the connection; if that raises too, the exception is ignored.
    """
    log.error("%s failed and is cut", what, exc_info=error)
    with contextlib.suppress(Exception):
        end()


class Patience:
    """Measures for how long a busy connection has taken nothing."""

    __slots__ = ("_since", "_unsent")

    def __init__(self) -> None:
        self._since: float | None = None
        self._unsent = 0

    def tried(self, now: float, unsent: int) -> float:
        """Return the seconds since the connection last took some bytes, as measured by repeated calls.

        Args:
            now: seconds by a clock that never steps.
            unsent: how many bytes are waiting.
        """
        if self._since is None or unsent < self._unsent:
            self._since = now
        self._unsent = unsent
        return now - self._since


class Subscriber(Struct, eq=False):
    """A part of this program that reads the alert log: its position, and a function that wakes it.

    It needs no queue: all readers share one log, and each continues from its own number.
    """

    wake: Callable[[], None]
    epoch: str
    number: int
    closing: bool = False
