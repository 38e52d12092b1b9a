"""Accepts connections, but never more than there is room for.

The loops' own servers accept everything. When no more files may be opened, asyncio's tries a thousand times and logs
each, and uvloop's may silently stop listening for good. Here, an idle connection is ended to make room for a new one;
if there is none, new ones wait in the system's queue until there is room.
"""

import asyncio
import errno
import socket
import time
from collections.abc import Callable, Sized
from functools import partial
from typing import Any, Unpack

from tickboard.problems import QUIET_S, Details, Quiet, Reporter, described
from tickboard.server.uvicorn.gate import HEAD_S, Gate
from tickboard.server.uvicorn.tls import Tls

AT_ONCE = 32
"""How many connections are accepted in one step."""

RETRY_S = 0.1
"""How long to wait before accepting again when there is no room."""

SHUTDOWN_S = 2.0
"""How long a TLS connection that ends may take to say so."""

SOURCE = "connections"
"""The source of the reported problem."""

RAISE = ": raise the limit on open files"

EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
"""The errors of `accept` when the system has no room."""


class Acceptor:
    """Listens on one socket. It replaces an `asyncio.Server`, as far as uvicorn uses one.

    Args:
        listening: the socket; its creator closes it.
        connect: makes the protocol of a new connection.
        connections: the open connections.
        gate: limits their number, and ends one to make room for another.
        tls: the server's certificate; None: it speaks plain HTTP.
        problems: where it is reported that there is no room, or that a connection cannot be served.
    """

    def __init__(
        self,
        listening: socket.socket,
        connect: Callable[[], asyncio.Protocol],
        connections: Sized,
        gate: Gate,
        problems: Reporter,
        tls: Tls | None = None,
    ) -> None:
        self._tls = tls
        self._listening = listening
        self._connect = connect
        self._connections = connections
        self._gate = gate
        self._problems = problems
        self._crowded = Quiet()
        self._loop = asyncio.get_running_loop()
        # The oldest first.
        self._arriving: dict[asyncio.Task[Any], None] = {}
        self._again: asyncio.TimerHandle | None = None
        self._clearing: asyncio.TimerHandle | None = None
        self._serving = False

    def start(self) -> None:
        """Start accepting."""
        self._listening.setblocking(False)
        self._serving = True
        self._listen()

    def is_serving(self) -> bool:
        """Return whether it accepts."""
        return self._serving

    def close(self) -> None:
        """Stop accepting; connections stay open."""
        if self._clearing is not None:
            self._clearing.cancel()
        if self._again is not None:
            self._again.cancel()
        elif self._serving:
            self._loop.remove_reader(self._listening)
        self._serving = False

    async def wait_closed(self) -> None:
        """Return at once: uvicorn itself waits for connections."""

    def _listen(self) -> None:
        self._again = None
        self._loop.add_reader(self._listening, self._accept)

    def _wait(self, why: str) -> None:
        """Leave new connections in the system's queue for a moment."""
        self._loop.remove_reader(self._listening)
        self._again = self._loop.call_later(RETRY_S, self._listen)
        self._report(f"have to wait: {why}")

    def _report(self, what: str, **details: Unpack[Details]) -> None:
        self._problems.report(SOURCE, f"new connections {what}", **details)
        if self._crowded.failed(time.monotonic()):
            self._clearing = self._loop.call_later(QUIET_S, self._clear)

    def _clear(self) -> None:
        """Clear the problem when no connection has had to wait for a while."""
        if self._crowded.is_over(time.monotonic()):
            self._problems.clear(SOURCE)
        else:
            self._clearing = self._loop.call_later(QUIET_S, self._clear)

    def _accept(self) -> None:
        """Accept waiting connections."""
        for begun in range(AT_ONCE):
            places = self._gate.places
            if places and len(self._connections) + len(self._arriving) >= places and not self._make_room(begun):
                self._wait(f"all {places} that may be open are in use{RAISE}")
                return
            try:
                connection, _ = self._listening.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                break
            except OSError as error:
                exhausted = error.errno in EXHAUSTED
                if exhausted:
                    self._make_room(begun)
                self._wait(f"{error.strerror or error}{RAISE if exhausted else ''}")
                return
            connection.setblocking(False)
            task = self._loop.create_task(self._begin(connection))
            self._arriving[task] = None
            # This runs even for a task that is cancelled before its first step.
            task.add_done_callback(partial(self._arrived, connection))

    def _make_room(self, begun: int) -> bool:
        """End a connection to make room for a new one; return whether there was one to end.

        Under TLS, it is the oldest one that has not finished its handshake: the gate does not know of these yet.

        Args:
            begun: how many arrived in this step. They are not ended: nothing could be read of them yet.
        """
        if self._tls is None or len(self._arriving) <= begun:
            return self._gate.make_room()
        oldest = next(iter(self._arriving))
        del self._arriving[oldest]
        oldest.cancel()
        self._gate.count("crowded", "there is no room for more connections: the longest waiting one was ended")
        return True

    async def _begin(self, connection: socket.socket) -> None:
        if self._tls is None:
            await self._loop.connect_accepted_socket(self._connect, connection)
            return
        await self._loop.connect_accepted_socket(
            self._connect,
            connection,
            ssl=self._tls.context,
            ssl_handshake_timeout=HEAD_S,
            ssl_shutdown_timeout=SHUTDOWN_S,
        )

    def _arrived(self, connection: socket.socket, task: "asyncio.Task[Any]") -> None:
        """Close a connection that could not be started, whatever the reason."""
        self._arriving.pop(task, None)
        error = None if task.cancelled() else task.exception()
        if task.cancelled() or error is not None:
            connection.close()
        # An OSError means that the client has already disconnected.
        if error is not None and not isinstance(error, OSError):
            self._report(f"cannot be served: {described(error)}", error=error)
