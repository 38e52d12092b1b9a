"""A board as an ASGI application: it starts with the first call, and a process that cannot have it says why.

Of several worker processes, one has the log of alerts (and, beside a WSGI application, the port). In the others the
application runs on, and requests to the board get 503 and the reason. These processes try again now and then, since the
one with the board may end. Errors that a person must fix first (a setting, a file that cannot be opened) fail the
server's start, if the server uses the lifespan protocol.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from tickboard.errors import PortTakenError, TickboardError, UsedError
from tickboard.output.logs import log
from tickboard.output.secrets import redacted
from tickboard.output.text import escaped
from tickboard.problems import Reporter, described
from tickboard.running.running_board import RunningBoard
from tickboard.server.access.authorized import Authorize, AuthorizedByApplication
from tickboard.server.requests.allowed import Allowed
from tickboard.server.requests.guard import READING, Guard
from tickboard.server.requests.refusal import error_response, refuse
from tickboard.server.streams.asgi import LINGER_S
from tickboard.server.uvicorn.ending import Ending
from tickboard.sources.middleware.requests import MEASURED_KEY

RETRY_S = 5.0
"""How long a process without the board waits before it tries again to get it."""

GOING_AWAY = 1001
"""A close code (RFC 6455, section 7.4.1)."""


class Mounting:
    """Serves the ASGI calls of one board.

    Args:
        live: returns the served board, and creates it on the first call; it may block for a second.
        allowed: who may access it, besides its own pages.
        authorize: says who may do what; None: everyone may do everything.
    """

    def __init__(self, live: Callable[[], RunningBoard], allowed: Allowed, authorize: Authorize | None = None) -> None:
        self._live = live
        gated: ASGIApp = self._serve
        if authorize is not None:
            gated = AuthorizedByApplication(gated, authorize, self._problems)
        self._guard = Guard(gated, allowed=lambda: allowed, flags=False)
        self._running: RunningBoard | None = None
        self._refusal = ""
        self._again_at = 0.0
        self._ending = Ending(self._server_ends)
        self._writing: set[asyncio.Task[Any]] = set()
        self._given_up: set[asyncio.Task[Any]] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI call."""
        if scope["type"] == "lifespan":
            await self._serve_lifespan(receive, send)
            return
        for forget in _taken(scope.get(MEASURED_KEY, [])):
            forget()
        await self._guard(scope, receive, send)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a call that the guard has accepted."""
        if (live := await self._begun()) is not None:
            if scope["type"] == "http" and scope["method"] not in READING:
                await self._write(live, scope, receive, send)
            else:
                await live.app(scope, receive, send)
        else:
            await refuse(_later(self._refusal), scope, receive, send)

    def _problems(self) -> Reporter | None:
        return None if self._running is None else self._running.hub.problems

    @asynccontextmanager
    async def lifespan(self) -> AsyncIterator[None]:
        """Run the board while the context is open, unless another process has it.

        Raises:
            TickboardError: something has to be fixed first.
        """
        await self._start()
        try:
            yield
        finally:
            await self._end()

    async def _write(self, live: RunningBoard, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request that has a body, which may never be complete."""
        task = asyncio.current_task()
        assert task is not None
        self._writing.add(task)
        try:
            await live.app(scope, receive, send)
        except asyncio.CancelledError:
            if task not in self._given_up or task.uncancel():
                raise
            await refuse(_later("the server is shutting down: send it again later"), scope, receive, send)
        finally:
            self._writing.discard(task)
            self._given_up.discard(task)

    def _server_ends(self) -> None:
        """End everything that would keep the server from ending: viewers, alert streams, and incomplete bodies."""
        if self._running is not None:
            self._running.hub.close(GOING_AWAY)
        asyncio.get_running_loop().call_later(LINGER_S, self._give_up, set(self._writing))

    def _give_up(self, tasks: set[asyncio.Task[Any]]) -> None:
        for task in tasks & self._writing - self._given_up:
            self._given_up.add(task)
            task.cancel()

    async def _serve_lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        try:
            await self._start()
        except TickboardError as error:
            await send({"type": "lifespan.startup.failed", "message": escaped(str(error))})
            return
        except Exception as error:
            log.exception("the board cannot start")
            await send({"type": "lifespan.startup.failed", "message": f"the board cannot start: {described(error)}"})
            return
        await send({"type": "lifespan.startup.complete"})
        await receive()
        try:
            await self._end()
        except Exception as error:
            log.exception("the board could not be stopped cleanly")
            await send({"type": "lifespan.shutdown.failed", "message": described(error)})
            return
        await send({"type": "lifespan.shutdown.complete"})

    async def _start(self) -> None:
        try:
            await self._run(self._live())
        except UsedError as error:
            self._refuse(error)

    async def _end(self) -> None:
        if self._running is not None:
            live, self._running = self._running, None
            self._ending.stop()
            live.hub.close(GOING_AWAY)
            await live.close()

    async def _begun(self) -> RunningBoard | None:
        """Return the board, running; None if this process cannot have it."""
        try:
            if not self._refusal:
                live = self._live()
            elif time.monotonic() < self._again_at:
                return None
            else:
                self._again_at = time.monotonic() + RETRY_S
                live = await asyncio.to_thread(self._live)
            if not live.running:
                await self._run(live)
        except TickboardError as error:
            self._refuse(error)
            return None
        return live

    async def _run(self, live: RunningBoard) -> None:
        await live.start()
        if self._running is None:
            self._ending.start()
        self._running = live
        if self._refusal:
            self._refusal = ""
            log.warning("this process has the board now")

    def _refuse(self, error: TickboardError) -> None:
        refusal = without_board(error)
        if refusal != self._refusal:
            log.error("%s", refusal)
        self._refusal, self._again_at = refusal, time.monotonic() + RETRY_S


def _taken(functions: list[Callable[[], None]]) -> list[Callable[[], None]]:
    """Empty a list and return its items, so that none is called twice."""
    taken, functions[:] = functions[:], []
    return taken


def without_board(error: TickboardError) -> str:
    """Return a sentence that says why a process has no board."""
    several = isinstance(error, UsedError | PortTakenError)
    fix = "; of several worker processes only one can have the board: start the server with --workers 1"
    return redacted(f"this process has no board: {error}{fix if several else ''}")


def _later(why: str) -> Response:
    return error_response(503, why, {"retry-after": str(int(RETRY_S))})
