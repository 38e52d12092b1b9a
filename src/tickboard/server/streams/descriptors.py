"""Writes the same bytes to many sockets, for the fan-out of a tick.

Writes go directly to each socket, so its transport must have nothing queued. If the system has io_uring, one system
call does hundreds of writes; otherwise each write is one.
"""

import os
import threading
from collections.abc import Sequence
from functools import cached_property

from tickboard.server.streams.uring import Ring

FEW = 64
"""With fewer writes than this, filling the ring costs as much as it saves."""


def write_each(descriptors: Sequence[int], wire: bytes) -> list[tuple[int, int]]:
    """Write to every descriptor that is not below 0, one after the other. All must be non-blocking.

    Returns:
        The index and the number of bytes written of each incomplete write; -1 bytes if it failed.
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
    """Do the same as `write_each` in the fastest way of this system."""
    ring = _rings.ring if len(descriptors) >= FEW else None
    return ring.write_all(descriptors, wire) if ring is not None and ring.works else write_each(descriptors, wire)


class _Rings(threading.local):
    """One ring for each thread, created on first use, so that importing this module opens nothing."""

    @cached_property
    def ring(self) -> Ring | None:
        try:
            return Ring()
        except OSError:
            return None


_rings = _Rings()
