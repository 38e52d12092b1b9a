"""``tickboard dev``: serves a dashboard file, and replaces its board whenever the file changes.

It also reloads when the ``tickboard.toml`` changes. Viewers stay connected: the hub outlives the boards. A file that
can't be loaded, or that takes long, is reported on the page and in the terminal, and the last good board stays. A newer
save replaces a load that has not ended.
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
from tickboard.fleet.options import HostOptions
from tickboard.history.options import NONE, HistoryOptions
from tickboard.hub.hub import Hub
from tickboard.journal.journal import Journal
from tickboard.loop.garbage import collect_frozen
from tickboard.loop.supervisor import Supervisor
from tickboard.panels.chosen import Snapshot
from tickboard.problems import described
from tickboard.running.running_board import DASHBOARD_FILE
from tickboard.sending.options import RemoteWriteOptions
from tickboard.settings import Settings

FIRST_S = 5.0
"""How long the start waits for the file to be loaded. After that, an empty board is served until it is."""

SLOW_S = 3.0
"""A load that takes this long is reported, and again each time that its duration has doubled."""

INTERRUPTED_S = 0.5
"""How long a new load waits for the interrupted one to end."""

MAX_LEFT = 8
"""The most interrupted loads that may still run, each in a call that can't be interrupted. With more, a new load
waits."""

LOOK_S = 1.0
"""Seconds between two checks of the loads and the watcher."""

HISTORY_FILE = "history file"
"""The source of the problem that a changed history file needs a restart."""

SILENT_S = 10.0
"""A file system that has not answered for this many seconds is reported."""


class Reloader:
    """An ASGI application that serves the newest good board of a file.

    Args:
        path: the dashboard file; the Python files beside it are watched too.
        settings: returns a board's settings from the board's own defaults.
        say: prints a line in the terminal.
        journal: opens the journal that keeps the log of alerts, for the first board and those after it; None: none
            does.
        history: returns where and for how long a board's ticks are kept. Boards after the first stay with its file.
        config: the file that configures the board; None: the ``tickboard.toml`` beside `path`, if there is one.
        remote_write: returns where a board's ticks are sent; None: as the board itself declares.
        host: returns a board's name and where it publishes; None: as the board itself declares.

    Raises:
        BoardError: the dashboard file or `config` does not exist.
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
        host: Callable[[Board], HostOptions | None] = lambda _: None,
    ) -> None:
        # Absolute, since the file may change the current folder.
        path, config = path.absolute(), None if config is None else config.absolute()
        self._path = path
        self._config = config
        self._settings = settings
        self._history = history
        self._remote_write = remote_write
        self._host = host
        self._print = say
        self._watcher = Watcher(path, config or path.with_name(NAME))
        self._version = 0
        self._reported_s = 0.0
        self._has_replaced = False
        self._left: list[Load] = []
        self._news = asyncio.Event()
        self._load: Load | None = Load(path, config)
        self._load.start()
        # In a thread like every later load, so that all behave alike, and Ctrl-C differs from an error of the file.
        self._load.wait(FIRST_S)
        error = self._load.error
        if self._load.board is not None:
            self.board, self._load = self._load.board, None
        else:
            if error is not None and (not path.is_file() or (config is not None and not config.is_file())):
                raise error
            self.board = Board(path.name)
        kept = history(self.board)
        self._history_path = kept.path
        self.board.prepare(
            settings(self.board.defaults),
            journal=journal(self.board),
            history=kept,
            remote_write=remote_write(self.board),
            host=host(self.board),
        )
        if error is not None:
            self._load = None
            self._report(error)
            self._say(str(error), "Waiting for it to be fixed.")
        elif self._load is not None:
            self._say(f"{path} has been loading for {FIRST_S:g} s; its board is shown as soon as it is loaded.")

    @property
    def hub(self) -> Hub:
        """The hub, which outlives the boards."""
        return self.board.hub

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection with the current board."""
        if scope["type"] != "lifespan":
            await self.board(scope, receive, send)
            return
        await receive()
        await self.board.start()
        supervisor = Supervisor(self.hub.problems)
        supervisor.start("reload", self._reload_on_changes)
        self._watcher.start(self._wake_from_thread())
        await send({"type": "lifespan.startup.complete"})
        await receive()
        self._watcher.stop()
        await supervisor.stop()
        if self._load is not None:
            await self._interrupt(self._load)
        await self.board.close()
        await send({"type": "lifespan.shutdown.complete"})

    def _wake_from_thread(self) -> Callable[[], None]:
        loop = asyncio.get_running_loop()

        def wake() -> None:
            loop.call_soon_threadsafe(self._news.set)

        return wake

    # --- loads ---

    async def _reload_on_changes(self) -> None:
        """Load the file whenever it has changed, and show the result."""
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
                # Nothing uses the replaced board any more, but it refers to itself.
                self._has_replaced = False
                collect_frozen()
            self._check(time.monotonic())

    async def _begin(self) -> None:
        """Load the file, and interrupt a load that has not ended."""
        if self._load is not None:
            await self._interrupt(self._load)
        if len(self._left) > MAX_LEFT:
            return
        version = self._watcher.version
        load = Load(self._path, self._config, self._wake_from_thread())
        load.start()
        self._load, self._version, self._reported_s = load, version, 0.0

    async def _interrupt(self, load: Load) -> None:
        self._load = None
        if load.has_ended():
            return
        self._left.append(load)
        end = time.monotonic() + INTERRUPTED_S
        while not load.has_ended() and time.monotonic() < end:
            load.interrupt()
            await asyncio.sleep(0.01)

    async def _finish(self, load: Load) -> None:
        """Show the loaded board, or report the error."""
        self._load = None
        error: TickboardError | None = load.error
        board = load.board or self.board
        try:
            if board is not self.board:
                kept = self._history(board)
                board.prepare(
                    self._settings(board.defaults),
                    replaces=self.board,
                    history=kept,
                    remote_write=self._remote_write(board),
                    host=self._host(board),
                )
                self._check_file(kept.path)
        except TickboardError as raised:
            error = raised
        except Exception as raised:  # noqa: BLE001  # preparing a board may call code of the file
            error = BoardError(described(raised), str(self._path))
        if error is not None:
            self._report(error)
            self._say(str(error), "The last good board keeps running.")
            return
        if board is self.board:
            self.hub.problems.clear(DASHBOARD_FILE)
            self._say(f"{self._path}: its board is made by a module in another folder; restart to reload that module")
            return
        before, self.board = self.board, board
        for step in (before.stop, board.start):
            try:
                await step()
            except Exception as raised:  # noqa: BLE001  # the other step still runs
                self.hub.problems.report(DASHBOARD_FILE, described(raised), error=raised)
        self._has_replaced = True
        metrics = len(Snapshot.of(board.registry).metrics)
        self._say(f"{self._path}: reloaded, {metrics} metric{'' if metrics == 1 else 's'}")

    def _check_file(self, path: Path | None) -> None:
        """Report that another history file needs a restart."""
        if path == self._history_path:
            self.hub.problems.clear(HISTORY_FILE, "")
            return
        there = "nothing is kept" if self._history_path is None else f"ticks are kept in {self._history_path}"
        message = f"the file is now {path or NONE}, which needs a restart; until then, {there}"
        brief = "the board has another file now, which needs a restart"
        self.hub.problems.report(HISTORY_FILE, message, brief=brief, logged=False)
        self._say(f"{HISTORY_FILE}: {message}")

    def _check(self, now: float) -> None:
        """Report loads and a watcher that take too long, and clear these problems when they are over."""
        load = self._load
        if load is not None and not load.has_ended() and now - load.began >= max(SLOW_S, self._reported_s):
            taken_s = now - load.began
            self._reported_s = 2 * taken_s
            message = (
                f"it has been loading for more than {math.floor(taken_s)} s; the last good board keeps running, "
                "and a newer save replaces this load"
            )
            file, line = load.place or (str(self._path), None)
            self.hub.problems.report(DASHBOARD_FILE, message, file=file, line=line, logged=False)
            self._say(f"{file}{f':{line}' if line else ''}: {message}")
        self._check_left()
        silent_s = now - self._watcher.looked
        if self._watcher.failure is not None:
            self.hub.problems.report("file watcher", described(self._watcher.failure), error=self._watcher.failure)
        elif silent_s > SILENT_S:
            message = f"{self._path.parent} can't be watched: its file system does not answer"
            self.hub.problems.report("file watcher", message)
        else:
            self.hub.problems.clear("file watcher")

    def _check_left(self) -> None:
        self._left = [load for load in self._left if not load.has_ended()]
        for load in self._left:
            load.interrupt()
        if not self._left:
            self.hub.problems.clear("earlier load")
            return
        file, line = self._left[0].place or (str(self._path), None)
        count = f"{len(self._left)} earlier loads are" if len(self._left) > 1 else "an earlier load is"
        waits = "; the newest save waits until one ends, or restart" if len(self._left) > MAX_LEFT else ""
        message = f"{count} still in a call that can't be interrupted; its board will not be shown{waits}"
        self.hub.problems.report("earlier load", message, file=file, line=line, logged=False)

    def _report(self, error: TickboardError) -> None:
        message, file, line = str(error), None, None
        if isinstance(error, BoardError):
            message, file, line = error.message, error.file, error.line
        # The message may contain an exception's text, which only the owner may see.
        brief = "it cannot be used; the terminal says why"
        self.hub.problems.report(DASHBOARD_FILE, message, brief=brief, file=file, line=line, logged=False)

    def _say(self, *lines: str) -> None:
        with contextlib.suppress(Exception):  # the terminal may be gone
            for line in lines:
                self._print(line)
