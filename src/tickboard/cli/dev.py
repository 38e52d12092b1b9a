"""``tickboard dev``: serves a dashboard file and puts a new board in place of the old one whenever the file changes.

So it does when what configures the board changes, the ``tickboard.toml`` beside it or the one that was given. Viewers
stay connected: the hub outlives the boards. A file that can't be loaded, or that takes long, is reported on the page
and in the terminal, and the last good board goes on. A newer save overtakes a load that is still at work.
"""

import asyncio
import contextlib
import math
import time
from collections.abc import Callable
from pathlib import Path

from starlette.types import Receive, Scope, Send

from tickboard.board import Board
from tickboard.cli.loading import Load
from tickboard.cli.watching import Watcher
from tickboard.configuration.config import NAME
from tickboard.errors import BoardError, TickboardError
from tickboard.history.options import HistoryOptions
from tickboard.hub.hub import Hub
from tickboard.journal.journal import Journal
from tickboard.loop.garbage import collect_frozen
from tickboard.loop.supervisor import Supervisor
from tickboard.problems import described
from tickboard.running.running_board import DASHBOARD_FILE
from tickboard.sending.options import RemoteWriteOptions
from tickboard.settings import Settings

FIRST_S = 5.0
"""The longest that the start waits for the file to be loaded; from then on it is served without a board."""

SLOW_S = 3.0
"""A load that takes so long is reported; and again each time that it has taken twice as long."""

INTERRUPTED_S = 0.5
"""How long a newer load waits for the one that it overtakes to end."""

MAX_LEFT = 8
"""Overtaken loads that may be left over, each in a call that can't be interrupted; with more, a newer one waits."""

LOOK_S = 1.0
"""Seconds between two looks at what is at work."""

SILENT_S = 10.0
"""A file system that has not answered for so long is reported."""


class Reloader:
    """An ASGI application that serves the newest good board of a file.

    Args:
        path: the dashboard file; the Python files beside it are watched too.
        settings: returns a board's settings from those that it asks for.
        say: prints a line for the person at the terminal.
        journal: opens what keeps the log of alerts of the first board, and of those after it; None: nothing does.
        history: returns where the ticks of the first board, and of those after it, are kept.
        config: what configures the board, in place of the ``tickboard.toml`` beside the file.
        remote_write: returns where the ticks of a board are sent on; None: where it says itself.

    Raises:
        BoardError: the file, or what is to configure it, is not there.
    """

    def __init__(
        self,
        path: Path,
        settings: Callable[[Settings], Settings],
        say: Callable[[str], None],
        journal: Callable[[Board], Journal | None] = lambda _: None,
        history: Callable[[Board], HistoryOptions] = lambda _: HistoryOptions(),
        config: Path | None = None,
        remote_write: Callable[[Board], RemoteWriteOptions | None] = lambda _: None,
    ) -> None:
        # Absolute: the file may change the folder of the process.
        path, config = path.absolute(), None if config is None else config.absolute()
        self._path = path
        self._config = config
        self._settings = settings
        self._remote_write = remote_write
        self._print = say
        self._watcher = Watcher(path, config or path.with_name(NAME))
        self._version = 0
        self._reported_s = 0.0
        self._has_replaced = False
        self._left: list[Load] = []
        self._news = asyncio.Event()
        self._load: Load | None = Load(path, config)
        self._load.start()
        # In a thread, so that what works now works when it is loaded again, and Ctrl-C differs from what a file raises.
        self._load.wait(FIRST_S)
        error = self._load.error
        if self._load.board is not None:
            self.board, self._load = self._load.board, None
        else:
            if error is not None and (not path.is_file() or (config is not None and not config.is_file())):
                raise error
            self.board = Board(path.name)
        self.board.prepare(
            settings(self.board.defaults),
            journal=journal(self.board),
            history=history(self.board),
            remote_write=remote_write(self.board),
        )
        if error is not None:
            self._load = None
            self._report(error)
            self._say(str(error), "Waiting for it to be fixed.")
        elif self._load is not None:
            self._say(f"{path} has been loading for {FIRST_S:g} s; its board is shown as soon as it has been loaded.")

    @property
    def hub(self) -> Hub:
        """Who is connected, whichever board they see."""
        return self.board.hub

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection with the board of the moment."""
        if scope["type"] != "lifespan":
            await self.board(scope, receive, send)
            return
        await receive()
        await self.board.start()
        supervisor = Supervisor(self.hub.problems)
        supervisor.start("reload", self._keep_up)
        self._watcher.start(self._wake_from_thread())
        await send({"type": "lifespan.startup.complete"})
        await receive()
        self._watcher.stop()
        await supervisor.stop()
        if self._load is not None:
            await self._overtake(self._load)
        await self.board.close()
        await send({"type": "lifespan.shutdown.complete"})

    def _wake_from_thread(self) -> Callable[[], None]:
        loop = asyncio.get_running_loop()

        def wake() -> None:
            loop.call_soon_threadsafe(self._news.set)

        return wake

    # --- what is at work ---

    async def _keep_up(self) -> None:
        """Load the file whenever it has changed, and show what comes of it."""
        if self._load is not None:
            self._load.notify(self._wake_from_thread())
            self._news.set()
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_S):
                    await self._news.wait()
            self._news.clear()
            if self._watcher.version != self._version:
                await self._begin()
            elif self._load is not None and self._load.has_ended():
                await self._finish(self._load)
            elif self._has_replaced:
                # By now nothing uses the board that was replaced; but it holds itself.
                self._has_replaced = False
                collect_frozen()
            self._look_after(time.monotonic())

    async def _begin(self) -> None:
        """Load the file, in place of a load that is still at work."""
        if self._load is not None:
            await self._overtake(self._load)
        if len(self._left) > MAX_LEFT:
            return
        version = self._watcher.version
        load = Load(self._path, self._config, self._wake_from_thread())
        load.start()
        self._load, self._version, self._reported_s = load, version, 0.0

    async def _overtake(self, load: Load) -> None:
        self._load = None
        if load.has_ended():
            return
        self._left.append(load)
        end = time.monotonic() + INTERRUPTED_S
        while not load.has_ended() and time.monotonic() < end:
            load.interrupt()
            await asyncio.sleep(0.01)

    async def _finish(self, load: Load) -> None:
        """Show the board that was loaded, or what is wrong with the file."""
        self._load = None
        error: TickboardError | None = load.error
        board = load.board or self.board
        try:
            if board is not self.board:
                board.prepare(
                    self._settings(board.defaults), replaces=self.board, remote_write=self._remote_write(board)
                )
        except TickboardError as raised:
            error = raised
        except Exception as raised:  # noqa: BLE001  # what a board is made of is the file's
            error = BoardError(described(raised), str(self._path))
        if error is not None:
            self._report(error)
            self._say(str(error), "The last good board goes on.")
            return
        if board is self.board:
            self.hub.problems.clear(DASHBOARD_FILE)
            self._say(f"{self._path}: its board is that of a module elsewhere; start again to see a change of that")
            return
        before, self.board = self.board, board
        for step in (before.stop, board.start):
            try:
                await step()
            except Exception as raised:  # noqa: BLE001  # the rest goes on
                self.hub.problems.report(DASHBOARD_FILE, described(raised), error=raised)
        self._has_replaced = True
        metrics = len(board.registry.metrics)
        self._say(f"{self._path}: reloaded, {metrics} metric{'' if metrics == 1 else 's'}")

    def _look_after(self, now: float) -> None:
        """Report what takes too long, and clear what no longer does."""
        load = self._load
        if load is not None and not load.has_ended() and now - load.began >= max(SLOW_S, self._reported_s):
            taken_s = now - load.began
            self._reported_s = 2 * taken_s
            message = (
                f"it has been loading for more than {math.floor(taken_s)} s; the last good board goes on, "
                "and a newer save overtakes it"
            )
            file, line = load.place or (str(self._path), None)
            self.hub.problems.report(DASHBOARD_FILE, message, file=file, line=line, logged=False)
            self._say(f"{file}{f':{line}' if line else ''}: {message}")
        self._look_after_left()
        silent_s = now - self._watcher.looked
        if self._watcher.failure is not None:
            self.hub.problems.report("file watcher", described(self._watcher.failure), error=self._watcher.failure)
        elif silent_s > SILENT_S:
            message = f"{self._path.parent} can't be watched: its file system does not answer"
            self.hub.problems.report("file watcher", message)
        else:
            self.hub.problems.clear("file watcher")

    def _look_after_left(self) -> None:
        self._left = [load for load in self._left if not load.has_ended()]
        for load in self._left:
            load.interrupt()
        if not self._left:
            self.hub.problems.clear("earlier load")
            return
        file, line = self._left[0].place or (str(self._path), None)
        count = f"{len(self._left)} earlier loads have" if len(self._left) > 1 else "an earlier load has"
        waits = "; the newest save waits for one to end, or start again" if len(self._left) > MAX_LEFT else ""
        message = f"{count} not ended: a call that can't be interrupted; nothing of it is shown{waits}"
        self.hub.problems.report("earlier load", message, file=file, line=line, logged=False)

    def _report(self, error: TickboardError) -> None:
        message, file, line = str(error), None, None
        if isinstance(error, BoardError):
            message, file, line = error.message, error.file, error.line
        # What is wrong with it may be what it raised.
        brief = "it cannot be used as it is; the terminal says why"
        self.hub.problems.report(DASHBOARD_FILE, message, brief=brief, file=file, line=line, logged=False)

    def _say(self, *lines: str) -> None:
        with contextlib.suppress(Exception):  # nobody may be there to read it
            for line in lines:
                self._print(line)
