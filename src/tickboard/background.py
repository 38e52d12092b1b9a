"""The background: a board served from a thread, beside a program that has no event loop to serve it.

It is for what runs under WSGI, and for any script: training, a batch, a robot. The thread ends with the program.
"""

import asyncio
import atexit
import contextlib
import errno
import logging
import socket
from threading import Event, Thread
from types import TracebackType
from typing import Protocol, Self

import uvicorn
from starlette.types import Receive, Scope, Send

from tickboard.errors import InputError, TickboardError
from tickboard.hub.hub import Hub
from tickboard.server.connection import Connection
from tickboard.server.dialogue import MAX_MESSAGE_BYTES
from tickboard.server.guard import Guard
from tickboard.server.http import HttpConnection
from tickboard.server.limits import Limits
from tickboard.settings import Settings

MAX_CONNECTIONS = 500
"""WebSockets and alert streams that may be open: the program around it wants most of its open files for itself."""

GOODBYE_S = 0.5
"""How long viewers have to go by themselves."""

STOP_S = 5.0
"""How long the end of the program waits for the thread."""

logger = logging.getLogger("tickboard")


class Served(Protocol):
    """What can be served: a board."""

    @property
    def hub(self) -> Hub:
        """Who is connected."""
        ...

    @property
    def settings(self) -> Settings:
        """The settings it runs with."""
        ...

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection."""
        ...


class Background:
    """A board that is being served; leaving it as a context stops it.

    Attributes:
        url: where it is to be seen.
        port: that it listens on.
    """

    def __init__(self, server: "_Server", thread: Thread, url: str, port: int) -> None:
        self.url = url
        self.port = port
        self._server = server
        self._thread = thread

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Tell the viewers goodbye and end the thread; a second time does nothing."""
        atexit.unregister(self.stop)
        self._server.should_exit = True
        self._thread.join(STOP_S)


def serve_in_background(board: Served, host: str = "127.0.0.1", port: int = 3000) -> Background:
    """Serve a board from a thread of its own, until the program ends or `Background.stop` is called.

    It returns when viewers can connect. The process that calls it is the one whose numbers are shown: a server that
    forks workers calls it in each, and they can't all have the same port.

    Args:
        board: the board; it may not be served elsewhere too.
        host: the address to listen on; 0.0.0.0 lets other machines watch.
        port: the port; 0 picks a free one.

    Raises:
        InputError: the address can't be listened on, or the environment holds a bad value.
        TickboardError: the thread could not begin to serve; the log says why.
    """
    # Made here, so that what is wrong with the environment is told to the caller and not to a thread.
    hub = board.hub
    listening = listen(host, port)
    port = listening.getsockname()[1]
    limited = Limits(board, MAX_CONNECTIONS, MAX_CONNECTIONS, lambda: hub.traffic)
    config = uvicorn.Config(
        Guard(limited, host),
        lifespan="on",
        http=HttpConnection,
        ws=Connection,
        ws_max_size=MAX_MESSAGE_BYTES,
        ws_per_message_deflate=False,
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=1,
    )
    server = _Server(config, hub)
    thread = Thread(target=server.run_on, args=(listening,), name="tickboard", daemon=True)
    thread.start()
    server.decided.wait()
    if not server.started:
        thread.join(STOP_S)
        raise TickboardError(f"the board could not be served on port {port}: see the log")
    background = Background(server, thread, _url(host, port), port)
    # Threads that are no daemons have ended by then, those of the interpreter's own have not.
    atexit.register(background.stop)
    logger.info("%s is live", background.url)
    return background


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens.

    Raises:
        InputError: the port is taken or out of range, or the address is not one of this machine's.
    """
    if not 0 <= port <= 65_535:
        raise InputError(f"port={port}: give a number from 0 to 65535; 0 picks a free one")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise InputError(
                f"port {port} is taken: end what uses it, or give another port=; with several worker processes, "
                "only one can have it"
            ) from error
        if error.errno == errno.EACCES:
            raise InputError(f"port {port} needs more rights: give a port= above 1023") from error
        raise InputError(f"cannot listen on host={host!r}: {error.strerror or error}") from error


def _url(host: str, port: int) -> str:
    name = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)  # noqa: S104
    return f"http://{name}:{port}"


class _Server(uvicorn.Server):
    """uvicorn's server, which leaves signals to the program and says goodbye to the viewers first.

    Attributes:
        decided: set when it has started, or never will.
    """

    def __init__(self, config: uvicorn.Config, hub: Hub) -> None:
        super().__init__(config)
        self.decided = Event()
        self._hub = hub

    def run_on(self, listening: socket.socket) -> None:
        """Serve on a socket until it is told to end."""
        with listening:
            try:
                self.run(sockets=[listening])
            finally:
                self.decided.set()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and tell whoever waits for it."""
        await super().startup(sockets)
        self.decided.set()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Close WebSockets with 1001 and end the alert streams, then let uvicorn end the rest."""
        self._hub.close(1001)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(GOODBYE_S):
                while self._hub.viewers or self._hub.readers:
                    await asyncio.sleep(0.01)
        await super().shutdown(sockets)
