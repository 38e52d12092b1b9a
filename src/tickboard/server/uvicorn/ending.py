"""Detects that the server around a mounted board is shutting down.

The lifespan event comes too late: a server first waits for its connections, and an alert stream never ends by itself.
Our own server ends streams itself. With any other, this module checks every quarter of a second. uvicorn, alone, with
workers or in gunicorn, has a flag and closes its listening sockets, whatever the reason; its `Server` is found among
the waiting coroutines, and only read. Other servers react to SIGINT and SIGTERM: a handler here records the signal and
calls theirs. If a server continues after such a signal, so does its board: streams that reconnect some seconds later
stay open.
"""

import asyncio
import contextlib
import signal
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import Any

import uvicorn

from tickboard.server.streams.uvicorn_call import waiting_in

LOOK_S = 0.25

SIGNALLED_S = 5.0
"""How long after a signal streams that reconnect are ended again."""

Handler = Callable[[int, FrameType | None], Any]


class EndsStreams:
    """A server that ends streams itself when it shuts down: nobody has to watch it."""


class Ending:
    """Watches the server around a board.

    Args:
        on_end: called when the server begins to shut down, and again until it has.
    """

    def __init__(self, on_end: Callable[[], None]) -> None:
        self._on_end = on_end
        self._server: uvicorn.Server | None = None
        self._chained: dict[int, tuple[Handler, Handler]] = {}
        self._signalled_until = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Start watching. Call it in the server's loop."""
        loop = asyncio.get_running_loop()
        self._server = server_around()
        if isinstance(self._server, EndsStreams):
            return
        if self._server is None and threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._chain(number, loop)
        self._timer = loop.call_later(LOOK_S, self._look)

    def stop(self) -> None:
        """Stop watching, and restore signal handlers unless they have been changed since."""
        if self._timer is not None:
            self._timer.cancel()
        for number, (own, before) in self._chained.items():
            if signal.getsignal(number) is own:
                signal.signal(number, before)
        self._chained.clear()

    def _look(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(LOOK_S, self._look)
        if time.monotonic() < self._signalled_until or (self._server is not None and is_ending(self._server)):
            self._on_end()

    def _chain(self, number: int, loop: asyncio.AbstractEventLoop) -> None:
        """Replace a signal's handler by one that records the signal and calls the original."""
        before = signal.getsignal(number)
        if not callable(before) or before is signal.default_int_handler:
            return  # not handled: the signal ends the program

        def handler(number: int, frame: FrameType | None) -> None:
            with contextlib.suppress(RuntimeError):  # the loop is closed
                loop.call_soon_threadsafe(self._signalled)
            before(number, frame)

        signal.signal(number, handler)
        if hasattr(signal, "siginterrupt"):
            signal.siginterrupt(number, False)
        self._chained[number] = (handler, before)

    def _signalled(self) -> None:
        self._signalled_until = time.monotonic() + SIGNALLED_S
        self._on_end()


def server_around() -> uvicorn.Server | None:
    """Return the uvicorn server that runs this loop, if any."""
    found = (each for task in asyncio.all_tasks() for each in waiting_in(task))
    return next((each for each in found if isinstance(each, uvicorn.Server)), None)


def is_ending(server: uvicorn.Server) -> bool:
    """Return whether a server is shutting down: it was asked to, or it no longer listens."""
    listening = getattr(server, "servers", ())
    return server.should_exit or (server.started and not any(each.is_serving() for each in listening))
