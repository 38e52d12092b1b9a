"""``tickboard dev``: serves a dashboard file and puts a new board in place of the old one whenever the file changes.

So it does when what configures the board changes, the ``tickboard.toml`` beside it or the one that was given. Viewers
stay connected: the hub outlives the boards. A file that can't be loaded is reported on the page and in the terminal,
and the last good board goes on.
"""

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable
from pathlib import Path

from starlette.types import Receive, Scope, Send
from watchfiles import Change, PythonFilter, awatch

from tickboard.board import Board
from tickboard.configuration.config import NAME
from tickboard.dashboard_file import load_board
from tickboard.errors import BoardError, InputError
from tickboard.frames import timestamp
from tickboard.hub.hub import Hub
from tickboard.journal.journal import Journal
from tickboard.settings import Settings
from tickboard.types import Problem

DEBOUNCE_MS = 100
"""An editor may write a file in several steps; they count as one change."""


class Reloader:
    """An ASGI application that serves the newest good board of a file.

    Args:
        path: the dashboard file; the Python files beside it are watched too.
        settings: returns a board's settings from those that it asks for.
        say: prints a line for the person at the terminal.
        journal: opens what keeps the log of alerts of the first board, and of those after it; None: nothing does.
        config: what configures the board, in place of the ``tickboard.toml`` beside the file.
    """

    def __init__(
        self,
        path: Path,
        settings: Callable[[Settings], Settings],
        say: Callable[[str], None],
        journal: Callable[[Board], Journal | None] = lambda _: None,
        config: Path | None = None,
    ) -> None:
        self._path = path
        self._config = config
        self._settings = settings
        self._say = say
        self._stopping = asyncio.Event()
        self._problem: Problem | None = None
        try:
            self.board = load_board(path, config)
        except BoardError as error:
            if not path.is_file() or (config is not None and not config.is_file()):
                raise
            self.board = Board(path.name)
            self._problem = _problem(error)
            say(f"{error}\nWaiting for it to be mended.")
        self.board.prepare(settings(self.board.defaults), journal=journal(self.board))
        if self._problem is not None:
            self.board.hub.report(self._problem)

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
        watching = asyncio.create_task(self._watch())
        await send({"type": "lifespan.startup.complete"})
        await receive()
        self._stopping.set()
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        await self.board.close()
        await send({"type": "lifespan.shutdown.complete"})

    async def _watch(self) -> None:
        config = self._config or self._path.with_name(NAME)
        config = config.parent.resolve() / config.name
        folder = self._path.resolve().parent
        changes = awatch(
            *{folder, config.parent},
            watch_filter=_Watched(config),
            debounce=DEBOUNCE_MS,
            stop_event=self._stopping,
            recursive=False,
        )
        try:
            async with contextlib.aclosing(changes):
                async for _ in changes:
                    await self.reload()
        except OSError as error:
            # As where the system lets no more folders be watched; the board goes on, and its owner has to know.
            self._tell(f"{folder} can't be watched for changes: {error}")

    def _tell(self, message: str) -> None:
        self.hub.report(Problem("reload", message, timestamp(time.time())))
        self._say(message)

    async def reload(self) -> None:
        """Load the file again and show its board, or what is wrong with it."""
        try:
            board = await _loaded(self._path, self._config)
            board.prepare(self._settings(board.defaults), replaces=self.board)
        except (BoardError, InputError) as error:
            self.hub.report(_problem(error))
            self._say(f"{error}\nThe last good board goes on.")
            return
        before, self.board = self.board, board
        await before.stop()
        await board.start()
        metrics = len(board.registry.metrics)
        self._say(f"{self._path}: reloaded, {metrics} metric{'' if metrics == 1 else 's'}")


class _Watched(PythonFilter):
    """Says what matters of what changes: Python files, and the file that configures the board."""

    def __init__(self, config: Path) -> None:
        super().__init__()
        self._config = str(config)

    def __call__(self, change: Change, path: str) -> bool:
        return path == self._config or super().__call__(change, path)


async def _loaded(path: Path, config: Path | None) -> Board:
    """Load a board in a thread, so that ticks go on.

    Not in asyncio's own threads: the program would wait at its end for a file that never does.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[Board] = loop.create_future()

    def settle(board: Board | None, error: Exception | None) -> None:
        if done.cancelled():
            return
        if board is not None:
            done.set_result(board)
        elif error is not None:
            done.set_exception(error)

    def load() -> None:
        board: Board | None = None
        error: Exception | None = None
        try:
            board = load_board(path, config)
        except Exception as raised:  # noqa: BLE001  # the loop's side raises it
            error = raised
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(settle, board, error)

    threading.Thread(target=load, name="dashboard file", daemon=True).start()
    return await done


def _problem(error: BoardError | InputError) -> Problem:
    message, file, line = str(error), None, None
    if isinstance(error, BoardError):
        message, file, line = error.message, error.file, error.line
    return Problem("dashboard file", message, timestamp(time.time()), file, line)
