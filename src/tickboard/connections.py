"""Connections, as far as the hub knows them: the last step to a viewer, a reader of the alert stream, a position.

How they are made of sockets and tasks is the server's.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from tickboard.frames import Frame

WriteAll = Callable[[Sequence[int], bytes], list[tuple[int, int]]]
"""Writes the same bytes to many descriptors, and returns the index and the bytes written of each that did not take
them all: -1 where it failed. A descriptor below 0 is none."""


@dataclass(frozen=True, slots=True)
class Position:
    """The last tick that a viewer has seen."""

    epoch: str
    seq: int


class Outlet(Protocol):
    """The last step to one viewer: its connection.

    Attributes:
        descriptor: what `WriteAll` may write whole frames to while the outlet is idle; -1: nothing.
    """

    descriptor: int

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


@dataclass(eq=False)
class Subscriber:
    """One connection that reads the alert stream: where it is in the log, and how to wake it.

    It needs no queue: the log is one for all, and each reads on from its own number.
    """

    wake: Callable[[], None]
    epoch: str
    number: int
    closing: bool = False
