"""The reader: one thread with a read-only connection and a bounded queue.

One thread is faster than several, which would compete for the interpreter. Questions are refused when the queue is
full. A cancelled question is abandoned.
"""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue
from sqlite3 import Error
from typing import Generic, TypeVar

from tickboard.errors import BusyError, HistoryError, TickboardError
from tickboard.history.contents import Contents
from tickboard.history.file import Database, explained_errors, open_to_read
from tickboard.history.kept import KeptRanges
from tickboard.history.reading import GivenUpError, HistorySnapshot
from tickboard.history.unsealed_cache import UnsealedCache
from tickboard.storage.damage import DamageError

MAX_QUESTIONS = 16
"""The most questions in the queue."""

R = TypeVar("R")


class _Awaited(Generic[R]):
    """A future that a thread settles and a coroutine awaits, in half the time of `asyncio.wrap_future`.

    Attributes:
        future: the future in the running event loop.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.future: asyncio.Future[R] = self._loop.create_future()

    def set_running_or_notify_cancel(self) -> bool:
        """Return whether it is still awaited."""
        return not self.future.done()

    def set_result(self, result: R) -> None:
        """Set the result from another thread."""
        self._call_soon(lambda: self.future.set_result(result))

    def set_exception(self, error: BaseException) -> None:
        """Set an exception from another thread."""
        self._call_soon(lambda: self.future.set_exception(error))

    def _call_soon(self, settle: Callable[[], None]) -> None:
        with suppress(RuntimeError):  # the event loop is closed, so nothing awaits it
            self._loop.call_soon_threadsafe(lambda: None if self.future.done() else settle())


class _Order(Generic[R]):
    """A question in the queue.

    Args:
        read: answers the question.
        until_ms: the end of the range that it reads.
        future: receives the answer.
    """

    def __init__(self, read: Callable[[HistorySnapshot], R], until_ms: int, future: Future[R] | _Awaited[R]) -> None:
        self._read = read
        self.until_ms = until_ms
        self.future = future
        self.is_wanted = True

    def run(self, snapshot: HistorySnapshot) -> None:
        """Answer it."""
        self.future.set_result(self._read(snapshot))

    def fail(self, error: BaseException) -> None:
        """Fail it."""
        self.future.set_exception(error)


class HistoryReader:
    """Answers questions in a thread, which starts with the first question.

    Args:
        path: the file.
        generation: returns a number that changes when the file has to be reopened.
        amended: returns a number that changes when ticks that are not in blocks are amended; odd while that is being
            committed.
        catch_up: called with the end of the range before each read.
        damaged: called with the number of damaged columns that were found.
        kept: keeps ticks that were read from blocks.
    """

    def __init__(
        self,
        path: Path,
        generation: Callable[[], int],
        amended: Callable[[], int],
        catch_up: Callable[[int], None],
        damaged: Callable[[int], None],
        kept: KeptRanges,
    ) -> None:
        self._path = path
        self._generation = generation
        self._amended = amended
        self._catch_up = catch_up
        self._damaged = damaged
        self._kept = kept
        self._orders: SimpleQueue[_Order[object] | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        self._closed = False
        self._database: Database | None = None
        self._opened = -1
        self._contents = Contents()
        self._unsealed = UnsealedCache()
        # Damaged columns that are already counted.
        self._known: set[tuple[int, int]] = set()

    def read(self, read: Callable[[HistorySnapshot], R], until_ms: int) -> R:
        """Read in the thread, and wait for the result.

        Args:
            read: called in the thread.
            until_ms: the end of the range that it reads.

        Raises:
            BusyError: too many questions are waiting.
            HistoryError: the file cannot be read or is closed.
        """
        future: Future[R] = Future()
        self._put(_Order(read, until_ms, future))
        return future.result()

    async def ask(self, read: Callable[[HistorySnapshot], R], until_ms: int) -> R:
        """Read without blocking. Cancelling it abandons the read. Errors are those of `read`."""
        awaited: _Awaited[R] = _Awaited()
        order = _Order(read, until_ms, awaited)
        self._put(order)
        try:
            return await awaited.future
        finally:
            order.is_wanted = False

    def close(self, seconds: float) -> None:
        """Stop the thread, and wait for it for some seconds."""
        with self._lock:
            self._closed = True
            thread = self._thread
        if thread is None:
            return
        self._orders.put(None)
        thread.join(seconds)

    def _put(self, order: _Order[R]) -> None:
        with self._lock:
            if self._closed:
                raise HistoryError(f"{self._path} is closed")
            if self._orders.qsize() >= MAX_QUESTIONS:
                raise BusyError(f"{MAX_QUESTIONS} queries of the history are already waiting: try again in a second", 1)
            self._orders.put(order)  # type: ignore[arg-type]
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._work, name=f"history reader {self._path.name}", daemon=True
                )
                self._thread.start()

    # --- the thread ---

    def _work(self) -> None:
        while (order := self._orders.get()) is not None:
            # It may have been cancelled while it was queued.
            if order.future.set_running_or_notify_cancel():
                self._answer(order)
        self._close_file()

    def _answer(self, order: "_Order[object]") -> None:
        try:
            if self._closed:
                raise HistoryError(f"{self._path} is closed")
            self._catch_up(order.until_ms)
            with explained_errors(self._path):
                database = self._open()
                self._unsealed.expect(self._amended())
                self._kept.expect()
                with database.transaction("DEFERRED"):
                    snapshot = HistorySnapshot(
                        database, self._contents, lambda: order.is_wanted, self._unsealed, self._kept
                    )
                    try:
                        order.run(snapshot)
                    finally:
                        self._count(snapshot)
        except DamageError as error:
            self._close_file()
            order.fail(HistoryError(f"{self._path} is damaged: {error}"))
        except (TickboardError, GivenUpError) as error:
            order.fail(error)
        except BaseException as error:  # noqa: BLE001  # the thread must keep running
            self._close_file()
            order.fail(error)

    def _count(self, snapshot: HistorySnapshot) -> None:
        new = snapshot.columns.damaged - self._known
        if new:
            self._known |= new
            self._damaged(len(new))

    def _open(self) -> Database:
        generation = self._generation()
        if self._database is None or self._opened != generation:
            self._close_file()
            self._contents, self._unsealed = Contents(), UnsealedCache()
            self._known.clear()
            self._database = open_to_read(self._path)
            self._opened = generation
        return self._database

    def _close_file(self) -> None:
        database, self._database = self._database, None
        if database is not None:
            with suppress(Error):
                database.close()
