"""Boards that run in this process, a link to each that can be cut, and a wall that reads their alerts."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from starlette.types import ASGIApp, Receive, Scope, Send

from tickboard import Board
from tickboard.alerting.actions import acknowledge
from tickboard.alerting.log import AlertEvent, AlertLog
from tickboard.errors import RefusedError
from tickboard.fleet.alerts import FollowedAlerts
from tickboard.history.options import NO_HISTORY
from tickboard.journal.journal import Journal
from tickboard.problems import Problems
from tickboard.running.announcer import Announcer
from tickboard.settings import Settings
from tickboard.wire import Alert


class BoardLink:
    """A link to an application in this process.

    Attributes:
        app: what it leads to; None: the host is away.
        asked: the paths that were asked for.
    """

    address = "board"
    kind = "http"

    def __init__(self, app: ASGIApp | None = None) -> None:
        self.app = app
        self.asked: list[str] = []
        self._calls: set[asyncio.Future[None]] = set()

    async def asgi(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.asked.append(scope["path"])
        if self.app is None:
            await send({"type": "http.response.start", "status": 502, "headers": []})
            await send({"type": "http.response.body", "body": b""})
            return
        call = asyncio.ensure_future(self.app(scope, receive, send))
        self._calls.add(call)
        try:
            await asyncio.wait([call])
        finally:
            self._calls.discard(call)
            cut = call.cancel()
            await asyncio.wait([call])
        if not cut and call.cancelled():
            raise RefusedError("the host was lost")
        call.result()

    def cut(self) -> None:
        """Lose the host, with everything that is open."""
        self.app = None
        for call in list(self._calls):
            call.cancel()

    @property
    def open(self) -> int:
        """How many calls are open."""
        return len(self._calls)


class AlertHost:
    """A board whose alerts begin and end as a test says.

    Args:
        state: the file of its journal; None: it keeps no log.
    """

    def __init__(self, state: Path | None = None) -> None:
        self.board = Board("Host", interval_ms=20)
        self.cpu = self.board.gauge("cpu", labels=["core"])
        self.board.alert(self.cpu > 90, "core {core} is hot", name="hot")
        self.board.prepare(
            Settings(interval_ms=20), journal=None if state is None else Journal(state), history=NO_HISTORY
        )
        self.link = BoardLink(self.board)

    @property
    def log(self) -> AlertLog:
        return self.board.hub.engine.alerts.log

    async def fire(self, core: int) -> str:
        """Begin an alert; return its id once it is published."""
        self.cpu.labels(core=core).set(95)
        await until(lambda: str(core) in self._firing())
        return self._firing()[str(core)]

    async def resolve(self, core: int) -> None:
        """End an alert, and return once that is published."""
        self.cpu.labels(core=core).set(1)
        await until(lambda: str(core) not in self._firing())

    def acknowledge(self, id: str, note: str) -> None:
        """Acknowledge an alert."""
        changed = acknowledge(self.board.hub.engine.alerts, [id], time.time(), note)
        self._announcer.announce(changed.events)

    @property
    def _announcer(self) -> Announcer:
        return self.board._require_live()._announcer

    def _firing(self) -> dict[str, str]:
        return {event.alert.labels["core"]: event.alert.id for event in self.log.firing()}


@asynccontextmanager
async def running_host(state: Path | None = None) -> AsyncIterator[AlertHost]:
    """Run a host."""
    host = AlertHost(state)
    await host.board.start()
    try:
        yield host
    finally:
        host.link.cut()
        await host.board.close()


class AlertWall:
    """The alerts of a wall.

    Args:
        state: the file of its journal; None: it keeps no log.
    """

    def __init__(self, state: Path | None = None) -> None:
        self.board = Board("Wall")
        self.journal = None if state is None else Journal(state)
        self.board.prepare(Settings(), journal=self.journal, history=NO_HISTORY)
        self.problems = Problems()
        self.announcer = Announcer(self.board.hub, self.journal)
        self.alerts = FollowedAlerts(lambda: self.log, self.announcer, self.problems)

    @property
    def log(self) -> AlertLog:
        return self.board.hub.engine.alerts.log

    def events(self) -> list[AlertEvent]:
        return [event for event in self.log.since(0) if isinstance(event, AlertEvent)]

    def said(self) -> list[str]:
        """Return what happened, as ``firing 0``: the kind, and the core whose alert it is."""
        return [f"{event.kind} {event.alert.labels['core']}" for event in self.events()]

    def firing(self) -> dict[str, Alert]:
        return {event.alert.id: event.alert for event in self.log.firing()}

    async def close(self) -> None:
        await self.alerts.stop()
        await self.announcer.close()


@asynccontextmanager
async def running_wall(state: Path | None = None) -> AsyncIterator[AlertWall]:
    """Run a wall."""
    wall = AlertWall(state)
    try:
        yield wall
    finally:
        await wall.close()


async def until(condition: Callable[[], object]) -> None:
    """Wait until a condition is true."""
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.01)
