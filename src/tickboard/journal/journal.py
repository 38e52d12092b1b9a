"""The journal: the file that keeps the log of alerts, and every other part of alerting that outlives a run.

It stores events, episodes, silences and the notifiers' positions. After a restart, a crash or a power cut it returns
them as of the last `Journal.commit` that returned. It is an SQLite database, described in docs/alerts.md, that only one
process may open. One thread makes all disk accesses, since a disk may hang: no caller waits for it for longer than
`WRITE_S`, and the end of the program does not wait at all. Changes that arrive during a write go into the next
transaction. The journal knows no rules and no readers.
"""

import asyncio
import hashlib
import os
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue
from sqlite3 import IntegrityError
from typing import TypeVar

from tickboard.alerting.episodes import Episode
from tickboard.alerting.log import HostPosition, LogEvent
from tickboard.alerting.question import AlertQuestion, FoundAlerts
from tickboard.alerting.spans import Found, SpanQuestion
from tickboard.errors import BusyError, JournalError
from tickboard.journal.change import JournalChange, JournalContents
from tickboard.journal.file import JournalFile, LostError
from tickboard.journal.renewal import begin_anew, set_aside
from tickboard.output.logs import log
from tickboard.storage.damage import DamageError
from tickboard.storage.place import state_folder
from tickboard.wire import Silence

WRITE_S = 5.0
"""How long a write may take before it counts as failed, though it may still succeed. A busy SD card or network drive
may take a second or two, and an alert should not be delayed for much longer."""

MAX_QUESTIONS = 16
"""How many questions may wait. One takes up to 0.3 s among 200,000 alerts, and writes go before them."""

START_S = 15.0
"""How long opening and reading the file may take. At the start, no alert waits for it."""

Waiter = Callable[[JournalError | None], None]
"""Called when the awaited change is written, with the error if it is not."""

R = TypeVar("R")


class Journal:
    """An open journal: `load` once, then `commit`, `keep_position` and `check` in any order, then `close`.

    Args:
        path: the file. It and its folders are created if missing, readable by this user only.

    Attributes:
        path: the absolute path, since the program may change its working directory.
        damaged: where an unreadable file was moved to; None if there was none.

    Raises:
        JournalError: another process has it open, its folder can't be written to, others may write to it, a newer
            version wrote it, it is not a journal, or its disk does not respond.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.damaged: Path | None = None
        self._file: JournalFile | None = None
        self._lock = threading.Lock()
        self._waiting = JournalChange()
        self._waiters: list[Waiter] = []
        self._ordered = False
        self._questions = 0
        self._closed = False
        # A new file was created, but its contents are not written yet.
        self._begun_anew = False
        # When the thread began its current job, by the monotonic clock; None: it is idle.
        self._begun: float | None = None
        self._jobs: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        threading.Thread(target=self._work, name=f"journal {path.name}", daemon=True).start()
        self._at_start(self._open)

    def load(self) -> JournalContents:
        """Return the contents. This blocks while it reads.

        Raises:
            JournalError: the file can't be read or written to, or its disk does not respond.
        """
        return self._at_start(self._load)

    async def commit(
        self,
        events: Iterable[LogEvent],
        episodes: list[Episode] | None = None,
        silences: list[tuple[float, Silence]] | None = None,
        *,
        epoch: str | None = None,
        oldest: int | None = None,
        since: str | None = None,
        followed: dict[str, HostPosition] | None = None,
    ) -> None:
        """Write all of this together, or none of it. When this returns, it survives a crash and a power cut.

        What could not be written is tried again by the next call, so that the numbers in the file have no gap. If more
        than `LOG_EVENTS` events wait, the oldest are dropped, but all firing alerts are recorded.

        Args:
            events: the newest of the log, in order; those that are written already are skipped.
            episodes: all current ones; None: unchanged.
            silences: all that are in force, each with its end in POSIX seconds; None: unchanged.
            epoch: a new name for the log, if events were published that could not be written. After a restart other
                events get their numbers, so readers must not resume from them.
            oldest: the number of the oldest event to keep; None keeps all.
            since: marks and resolved alerts that ended before this time are deleted, RFC 3339 in UTC with milliseconds;
                None keeps all.
            followed: how far the alert streams of all hosts were read; None: unchanged.

        Raises:
            LostError: the file was deleted, replaced or damaged: call `renew`.
            JournalError: the disk is full, fails or does not respond, or the journal is closed. The next call tries
                again.
        """
        change = JournalChange(
            epoch, episodes=episodes, silences=silences, oldest=oldest, since=since, followed=followed
        )
        change.append(events)
        await self._write(change)

    async def renew(self, whole: JournalContents) -> None:
        """Replace a lost file by a new one with the whole contents.

        Raises:
            JournalError: as for `commit`; the next call tries again.
        """
        await self._write(JournalChange(whole=whole))

    async def keep_position(self, notifier: str, number: int) -> None:
        """Record a notifier's position.

        Raises:
            JournalError: as for `commit`.
        """
        await self._write(JournalChange(positions={notifier: number}))

    async def check(self) -> None:
        """Check that the file is unchanged and in its place, and can still be written to.

        Raises:
            LostError: the file was deleted, replaced or changed: call `renew`.
            JournalError: it cannot be accessed or written to, or its disk does not respond.
        """
        await self._order(JournalChange())

    async def resolved(self, asked: AlertQuestion, left: int) -> FoundAlerts:
        """Return the resolved alerts that match a question, without those in the log.

        Args:
            asked: the question.
            left: events up to this number have left the log.

        Raises:
            BusyError: too many questions wait.
            JournalError: the file cannot be read, or its disk does not respond.
        """
        return await self._read(lambda file: file.resolved(asked, left))

    async def spans(self, asked: SpanQuestion, left: int) -> list[Found]:
        """Return when resolved alerts fired, without those in the log; arguments and errors as for `resolved`."""
        return await self._read(lambda file: file.spans(asked, left))

    async def _read(self, read: Callable[[JournalFile], R]) -> R:
        if self._closed:
            raise JournalError(f"{self.path} is closed and can no longer be read")
        with self._lock:
            if self._questions >= MAX_QUESTIONS:
                raise BusyError(f"{MAX_QUESTIONS} requests for the log of alerts are waiting: try again in a second", 1)
            self._questions += 1
        found: Future[R] = Future()
        self._jobs.put(lambda: self._answer_question(read, found))
        try:
            async with asyncio.timeout(WRITE_S):
                return await asyncio.wrap_future(found)
        except TimeoutError:
            raise self._hangs(WRITE_S) from None

    async def close(self) -> None:
        """Write waiting changes and close the file. A second call does nothing.

        Raises:
            JournalError: waiting changes are lost, unless the disk responds before the program ends.
        """
        if not self._closed:
            self._closed = True
            closed, settle = _waiter()
            try:
                await self._order(JournalChange())
            finally:
                self._end(settle)
                await self._answer(closed)

    # --- orders for the thread ---

    async def _write(self, newer: JournalChange) -> None:
        if self._closed:
            raise JournalError(f"{self.path} is closed and can no longer be written")
        await self._order(newer)

    async def _order(self, newer: JournalChange) -> None:
        """Have the thread write a change, or check the file if nothing waits, and wait for that, within limits."""
        done, settle = _waiter()
        with self._lock:
            self._waiting.add(newer)
            self._waiters.append(settle)
            # One order takes all waiting changes, so the queue never holds two, however long the disk hangs.
            if not self._ordered:
                self._ordered = True
                self._jobs.put(self._keep_waiting)
        try:
            await self._answer(done)
        finally:
            with self._lock, suppress(ValueError):
                self._waiters.remove(settle)

    async def _answer(self, done: "asyncio.Future[JournalError | None]") -> None:
        """Wait for the thread, but no longer than `WRITE_S` since it began its current job."""
        begun = self._begun
        left_s = WRITE_S if begun is None else max(0.0, begun + WRITE_S - time.monotonic())
        try:
            async with asyncio.timeout(left_s):
                error = await done
        except TimeoutError:
            error = self._hangs(WRITE_S)
        if error is not None:
            raise error

    def _at_start(self, job: Callable[[], R]) -> R:
        """Have the thread run a job, and block until it has."""
        done: Future[R] = Future()
        self._jobs.put(lambda: _run(job, done))
        try:
            error = done.exception(START_S)
        except BaseException as waited:
            # If the disk responds later, the file becomes free for others.
            self._end()
            if not isinstance(waited, TimeoutError):
                raise
            raise self._hangs(START_S) from waited
        if error is None:
            return done.result()
        self._end()
        raise (error if isinstance(error, JournalError) else self._failed(error)) from error

    def _end(self, settle: Waiter = lambda error: None) -> None:
        """Have the thread finish its jobs, close the file and end."""
        self._closed = True
        self._jobs.put(lambda: settle(self._unlock()))
        self._jobs.put(None)

    def _hangs(self, seconds: float) -> JournalError:
        return JournalError(
            f"{self.path} does not keep the log of alerts: its disk has not answered for {seconds:g} s: "
            "check that it is there and works"
        )

    def _failed(self, error: BaseException) -> JournalError:
        return JournalError(f"{self.path} does not keep the log of alerts: {type(error).__name__}: {error}")

    # --- the thread ---

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            self._begun = time.monotonic()
            try:
                job()
            except BaseException:  # whatever it was, the thread must go on, or nothing would be written any more
                log.exception("the log of alerts")
            self._begun = None

    def _open(self) -> None:
        try:
            self._file = JournalFile(self.path)
        except DamageError:
            self._file = self._replace()

    def _load(self) -> JournalContents:
        assert self._file is not None
        try:
            return self._file.read()
        except DamageError:
            self._file.close()
            self._file = self._replace()
            return self._file.read()

    def _replace(self) -> JournalFile:
        self.damaged = set_aside(self.path)
        return JournalFile(self.path)

    def _unlock(self) -> JournalError | None:
        file, self._file = self._file, None
        try:
            if file is not None:
                file.close()
        except Exception as error:  # noqa: BLE001  # committed changes are safe in the write-ahead log
            return self._failed(error)
        return None

    def _answer_question(self, read: Callable[[JournalFile], R], found: "Future[R]") -> None:
        with self._lock:
            self._questions -= 1
        if self._ordered:
            # Waiting alerts go first; the order in the queue then finds nothing left to write.
            self._keep_waiting()
        if not found.set_running_or_notify_cancel():
            return
        try:
            if self._file is None:
                raise JournalError(f"{self.path} is being replaced by a new file: try again later")
            found.set_result(read(self._file))
        except JournalError as error:
            found.set_exception(error)
        except BaseException as error:  # noqa: BLE001  # such as an alert that cannot be decoded
            found.set_exception(self._failed(error))

    def _keep_waiting(self) -> None:
        with self._lock:
            self._ordered = False
            waiters, self._waiters = self._waiters, []
            change, self._waiting = self._waiting, JournalChange()
        error = self._keep(change)
        for settle in waiters:
            settle(error)

    def _keep(self, change: JournalChange) -> JournalError | None:
        try:
            self._put(change)
        except (UnicodeEncodeError, IntegrityError) as error:
            # It can never be written, and must not block everything else.
            return JournalError(f"{self.path}: an alert cannot be kept: {error}")
        except BaseException as error:  # noqa: BLE001  # anything else may be temporary: a full disk, no memory
            with self._lock:
                change.add(self._waiting)
                self._waiting = change
            return error if isinstance(error, JournalError) else self._failed(error)
        return None

    def _put(self, change: JournalChange) -> None:
        if change.whole is not None and not self._begun_anew:
            lost, self._file = self._file, None
            self._file = begin_anew(self.path, lost)
            self._begun_anew = True
        if self._file is None:
            raise LostError(f"{self.path} could not be replaced by a new file: it will be tried again")
        try:
            if change == JournalChange():
                self._file.check()
            else:
                self._file.write(change)
        except LostError:
            self._begun_anew = False
            raise
        self._begun_anew = False


def default_path(file: Path | None, environ: Mapping[str, str]) -> Path:
    """Return the default path of a board's journal.

    Args:
        file: the dashboard file; None for the host board.
        environ: ``XDG_STATE_HOME`` and ``HOME`` are read.

    Raises:
        JournalError: there is no home folder.
    """
    try:
        folder = state_folder(environ)
    except RuntimeError as error:
        raise JournalError(
            "there is no home folder for the log of alerts: give a file with --state, or --state none"
        ) from error
    if file is None:
        return folder / "host.sqlite"
    # Files of the same name in different folders are different boards.
    digest = hashlib.sha256(os.fsencode(file.resolve())).hexdigest()[:8]
    return folder / f"{file.stem[:60]}-{digest}.sqlite"


def _waiter() -> "tuple[asyncio.Future[JournalError | None], Waiter]":
    """Return a future of the running loop, and a function that settles it from any thread."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[JournalError | None] = loop.create_future()

    def settle(error: JournalError | None) -> None:
        # If the loop is closed, nobody waits any more.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(_settle, done, error)

    return done, settle


def _run(job: Callable[[], R], done: "Future[R]") -> None:
    try:
        done.set_result(job())
    except BaseException as error:  # noqa: BLE001  # raised where it is waited for
        done.set_exception(error)


def _settle(done: asyncio.Future[JournalError | None], error: JournalError | None) -> None:
    if not done.done():
        done.set_result(error)
