"""Standard input, read in a thread of its own, so that it may be a pipe, a file or a terminal."""

import asyncio
import os
import threading
from collections.abc import Callable

CHUNK = 65_536


class Stdin:
    """Reads a descriptor to its end and gives what comes to a receiver, in the loop.

    The next is read when the receiver has taken the last: a command that prints faster than it can be taken waits, as
    with any pipe.

    Args:
        descriptor: what to read.
        receive: takes what has come.
        end: called once when there is no more.
    """

    def __init__(self, descriptor: int, receive: Callable[[bytes], None], end: Callable[[], None]) -> None:
        self._descriptor = descriptor
        self._receive = receive
        self._end = end
        self._taken = threading.Semaphore(1)
        self._thread: threading.Thread | None = None
        self._closed = False

    async def start(self) -> None:
        """Begin to read."""
        if self._thread is None:
            loop = asyncio.get_running_loop()
            # A daemon: a command that prints nothing more must not keep the program from ending.
            self._thread = threading.Thread(target=self._read, args=(loop,), name="standard input", daemon=True)
            self._thread.start()

    async def close(self) -> None:
        """Take nothing more."""
        self._closed = True
        self._taken.release()

    def _read(self, loop: asyncio.AbstractEventLoop) -> None:
        data = b"begin"
        while data and not self._closed:
            self._taken.acquire()
            data = os.read(self._descriptor, CHUNK)
            try:
                loop.call_soon_threadsafe(self._give, data)
            except RuntimeError:
                return  # the loop is closed: nobody waits any more

    def _give(self, data: bytes) -> None:
        if self._closed:
            return
        if data:
            self._receive(data)
        else:
            self._end()
        self._taken.release()
