"""Connections, as far as the hub knows them: the last step to a viewer or a reader of alerts, a position.

How they are made of sockets and tasks is the server's.
"""

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from tickboard.hub.frames import Frame
from tickboard.output.logs import log

WriteAll = Callable[[Sequence[int], bytes], list[tuple[int, int]]]
"""Writes the same bytes to many descriptors, and returns the index and the bytes written of each that did not take
them all: -1 where it failed. A descriptor below 0 is none."""


@dataclass(frozen=True, slots=True)
class Position:
    """The last tick that a viewer has seen."""

    epoch: str
    seq: int


class ViewerConnection(Protocol):
    """The last step to one viewer: its connection.

    Attributes:
        descriptor: what `WriteAll` may write whole frames to while the outlet is idle; -1: nothing.
        copies: whether its server makes a copy of each frame for this viewer alone.
    """

    descriptor: int
    copies: bool

    def send(self, frame: Frame) -> bool:
        """Take a frame. False: it takes no other until it calls `Viewer.idle_again`."""
        ...

    def rest(self, wire: bytes, written: int) -> bool:
        """Take what is left of a frame after so many bytes of it were written to the descriptor; -1: that failed."""
        ...

    def unsent(self) -> int:
        """Return how many bytes wait in it: what falls shows that somebody reads."""
        ...

    def close(self, code: int) -> None:
        """End the connection with a close code."""
        ...

    def cut(self) -> None:
        """End the connection at once."""
        ...


class ReaderConnection(Protocol):
    """The last step to one reader of the alert stream: its connection.

    Attributes:
        descriptor: what `WriteAll` may write to while the stream is idle; -1: nothing.
        chunked: whether what it is given is to be in HTTP/1.1's chunked coding (RFC 9112, section 7.1).
    """

    descriptor: int
    chunked: bool

    def write(self, wire: bytes) -> bool:
        """Take a chunk. False: it takes no other until it calls `Reader.idle_again`."""
        ...

    def rest(self, wire: bytes, written: int) -> bool:
        """Take what is left of a chunk after so many bytes of it were written to the descriptor; -1: that failed."""
        ...

    def unsent(self) -> int:
        """Return how many bytes wait in it: what falls shows that somebody reads."""
        ...

    def end(self) -> None:
        """End the stream after what waits in it, but soon."""
        ...

    def cut(self) -> None:
        """End the connection at once."""
        ...


def end_failed(what: str, error: Exception, end: Callable[[], object]) -> None:
    """End one connection of many, and log why.

    Args:
        what: the connection.
        error: what it raised.
        end: ends it; if that fails too, the others go on all the same.
    """
    log.error("%s failed and is cut", what, exc_info=error)
    with contextlib.suppress(Exception):
        end()


class Patience:
    """How long a connection that is busy has taken nothing."""

    __slots__ = ("_since", "_unsent")

    def __init__(self) -> None:
        self._since: float | None = None
        self._unsent = 0

    def tried(self, now: float, unsent: int) -> float:
        """Return the seconds since the connection last took something, as far as whoever asks again and again can see.

        Args:
            now: seconds by a clock that doesn't step.
            unsent: the bytes that wait in it.
        """
        if self._since is None or unsent < self._unsent:
            self._since = now
        self._unsent = unsent
        return now - self._since


@dataclass(eq=False)
class Subscriber:
    """One part of this program that reads the alert log: where it is in it, and how to wake it.

    It needs no queue: the log is one for all, and each reads on from its own number.
    """

    wake: Callable[[], None]
    epoch: str
    number: int
    closing: bool = False
