"""Writing the same bytes to many sockets: what a tick's fan-out comes down to.

Each write is the socket's own, without a buffer in between: the caller knows that nothing waits in front of it.
"""

import os
from collections.abc import Sequence


def write_all(descriptors: Sequence[int], wire: bytes) -> list[tuple[int, int]]:
    """Write to every descriptor that is not below 0, none of which blocks.

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
