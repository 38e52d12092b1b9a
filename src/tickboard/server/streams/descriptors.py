"""Writing the same bytes to many sockets: what a tick's fan-out comes down to.

Each write is the socket's own, without a buffer in between: the caller knows that nothing waits in front of it. Where
the system has io_uring, hundreds of them are one system call; elsewhere each is one.
"""

import os
import threading
from collections.abc import Sequence
from functools import cached_property

from tickboard.server.streams.uring import Ring

FEW = 64
"""With fewer writes than this, filling the ring costs as much as it saves."""


def write_each(descriptors: Sequence[int], wire: bytes) -> list[tuple[int, int]]:
    """Write to every descriptor that is not below 0, none of which blocks, one after the other.

    Returns:
        The index, and the bytes written, of each that did not take all; -1 bytes where it failed.
    """
    write, size = os.write, len(wire)
    short: list[tuple[int, int]] = []
    for index, descriptor in enumerate(descriptors):
        if descriptor < 0:
            continue
        try:
            written = write(descriptor, wire)
        except BlockingIOError:
            written = 0
        except OSError:
            written = -1
        if written != size:
            short.append((index, written))
    return short


def write_all(descriptors: Sequence[int], wire: bytes) -> list[tuple[int, int]]:
    """Do as `write_each` in the quickest way that this system has."""
    ring = _rings.ring if len(descriptors) >= FEW else None
    return ring.write_all(descriptors, wire) if ring is not None and ring.works else write_each(descriptors, wire)


class _Rings(threading.local):
    """A ring belongs to its thread. It is made when it is first needed: importing this module opens nothing."""

    @cached_property
    def ring(self) -> Ring | None:
        try:
            return Ring()
        except OSError:
            return None


_rings = _Rings()
