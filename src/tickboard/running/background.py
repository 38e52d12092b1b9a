"""The background: serves a board from a thread, in a program that has no event loop.

For applications under WSGI, and for any script: training, a batch job, a robot. The thread ends with the program.
"""

import atexit
import os
import socket
from threading import Event, Thread
from types import TracebackType
from typing import Literal, Protocol, Self

from starlette.types import ASGIApp, Receive, Scope, Send

from tickboard.errors import PortTakenError, TickboardError, UsedError
from tickboard.hub.hub import Hub
from tickboard.output.logs import log
from tickboard.problems import Reporter
from tickboard.running.mounting import RETRY_S, without_board
from tickboard.server.requests.allowed import Allowed
from tickboard.server.requests.connection_limits import ROOM, Limits, lasting, open_files
from tickboard.server.requests.guard import Guard
from tickboard.server.uvicorn.gate import Gate
from tickboard.server.uvicorn.listening import is_loopback, listen, url_of
from tickboard.server.uvicorn.serving import Server, uvicorn_config
from tickboard.settings import Settings

MAX_CONNECTIONS = 500
"""WebSockets and alert streams that may be open: most of the open files belong to the program around it."""

STOP_S = 5.0
"""How long the end of the program waits for the thread."""


def places_beside() -> int:
    """Return how many connections of all kinds may be open: at most half of the process's file limit."""
    files = open_files()
    return min(MAX_CONNECTIONS + ROOM, files // 2) if files else MAX_CONNECTIONS + ROOM


Auth = Literal["none", "required"]


class Served(Protocol):
    """A board that can be served."""

    @property
    def hub(self) -> Hub:
        """The connected viewers and readers."""
        ...

    @property
    def settings(self) -> Settings:
        """The settings it runs with."""
        ...

    @property
    def allowed(self) -> Allowed:
        """The allowed names and sites."""
        ...

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection."""
        ...


class Background:
    """A board served from a thread. As a context manager it stops when the block ends.

    Args:
        board: the board.
        host: the address to listen on.
        port: the port; 0 picks a free one.
        auth: whether people log in; see `serve_in_background`.

    Attributes:
        url: the address of its page.
        port: the port that it listens on.
    """

    def __init__(self, board: Served, host: str, port: int, auth: Auth | None = None) -> None:
        self._auth = auth
        self.url = f"http://{host}:{port}"
        self.port = port
        self._board = board
        self._host = host
        self._server: Server | None = None
        self._thread: Thread | None = None
        self._waiting: Thread | None = None
        self._stopped = Event()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def serving(self) -> bool:
        """Whether this process serves the board. False while another process has the port or the log of alerts."""
        return self._server is not None

    def start(self) -> None:
        """Serve the board. If another process has its port or its log of alerts, wait for them in a thread.

        Raises:
            TickboardError: as for `serve_in_background`.
        """
        try:
            self._serve()
        except (PortTakenError, UsedError) as error:
            log.error("%s", without_board(error))
            self._waiting = Thread(target=self._wait, name="tickboard waits", daemon=True)
            self._waiting.start()
        # At that time non-daemon threads have ended, but the interpreter's own threads still run.
        atexit.register(self.stop)

    def stop(self) -> None:
        """Close the viewers' connections and end the thread. Calling it again does nothing."""
        atexit.unregister(self.stop)
        self._stopped.set()
        if self._waiting is not None:
            self._waiting.join(STOP_S)
        if self._server is not None and self._thread is not None:
            self._server.should_exit = True
            self._thread.join(STOP_S)

    def _wait(self) -> None:
        """Try again now and then until the board is served, or stopped."""
        while not self._stopped.wait(RETRY_S):
            try:
                self._serve()
            except (PortTakenError, UsedError):
                continue
            except TickboardError as error:
                log.error("%s", without_board(error))
                continue
            log.warning("this process has the board now: %s", self.url)
            return

    def _gated(self, bound: str) -> ASGIApp:
        """Return the board, behind a gate unless nobody has to log in.

        Raises:
            AccessError: people have to, and the access file cannot be used.
            InputError: the file that ``TICKBOARD_PASSWORD_FILE`` names cannot be used.
        """
        is_local = is_loopback(bound)
        if self._auth == "none":
            if not is_local:
                log.warning('anyone who reaches the port of the board may see and change everything: auth="none"')
            return self._board
        from tickboard.access.file import default_access_path
        from tickboard.access.records import PROGRAM
        from tickboard.running.keeping import open_keeper
        from tickboard.server.access.proxy_gate import gated

        def problems() -> Reporter:
            return self._board.hub.problems

        at_once = self._auth is not None or not is_local
        keeper = open_keeper(lambda: default_access_path(os.environ), PROGRAM, problems, at_once=at_once)
        if at_once:
            clear = "" if is_local else "; without TLS, passwords travel in clear text: put a proxy in front"
            log.warning("people log in to the board: tickboard login prints a link that logs an admin in%s", clear)
        return gated(self._board, keeper, problems)

    def _serve(self) -> None:
        # Create it here, so that errors in the environment are raised in the caller.
        hub = self._board.hub
        listening = listen(self._host, self.port, "{}={!r}")
        places = places_beside()
        bound = listening.getsockname()[0]
        try:
            gated = self._gated(bound)
        except TickboardError:
            listening.close()
            raise
        limited = Limits(gated, lasting(places, MAX_CONNECTIONS), MAX_CONNECTIONS, lambda: hub.traffic)
        guarded = Guard(limited, bound, [self._host], lambda: self._board.allowed, flags=False)
        gate = Gate(places, MAX_CONNECTIONS, lambda: hub.traffic)
        config = uvicorn_config(guarded, gate, "warning")
        self.url, self.port = url_of(self._host, listening), listening.getsockname()[1]
        server = Server(config, lambda: hub, gate)
        thread = Thread(target=_serve, args=(server, listening), name="tickboard", daemon=True)
        thread.start()
        server.decided.wait()
        if not server.started:
            thread.join(STOP_S)
            raise TickboardError(f"the board could not be served on port {self.port}: see the log")
        self._server, self._thread = server, thread
        log.info("%s is live", self.url)


def serve_in_background(
    board: Served, host: str = "127.0.0.1", port: int = 3000, *, auth: Auth | None = None
) -> Background:
    """Serve a board from a thread of its own, until the program ends or `Background.stop` is called.

    It returns when viewers can connect. The board shows the numbers of the process that calls it. A server that forks
    workers calls it in each, and one of them gets the port. The others log that they have no board and continue; one
    takes over when the first ends.

    Args:
        board: the board, which must not be served elsewhere.
        host: the address to listen on; 0.0.0.0 lets other machines watch.
        port: the port; 0 picks a free one.
        auth: ``"required"``: people log in, and programs send a token; ``"none"``: nobody does. If None, nobody does on
            loopback, except clients of a proxy, and everyone elsewhere. ``tickboard user``, ``token`` and ``login``
            make what they need, and ``TICKBOARD_PASSWORD_FILE`` names a file with the password of ``admin``.

    Raises:
        InputError: the address can't be listened on, or the environment holds a bad value.
        TickboardError: the thread could not start serving; the log says why.
    """
    background = Background(board, host, port, auth)
    background.start()
    return background


def _serve(server: Server, listening: socket.socket) -> None:
    """Serve on a socket until asked to end."""
    with listening:
        try:
            server.run(sockets=[listening])
        except BaseException:  # however the only serving thread ends, that must be known
            log.exception("the board is no longer served")
