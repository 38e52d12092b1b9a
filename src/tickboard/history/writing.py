"""The thread that writes a history: commits once a second, does the chores in the pauses between ticks, and reports.

It opens the file, and tries again if that fails. Whatever fails is reported once, and the thread keeps running.
"""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TypeVar

from tickboard.errors import HistoryError
from tickboard.history.file import PURPOSE
from tickboard.history.layout import Retention
from tickboard.history.pauses import SHORT_S, Pauses
from tickboard.history.waiting import Waiting
from tickboard.history.writer import Writer
from tickboard.output.logs import log

THROUGH_S = 9.5
"""A commit waits for the disk if more than this would pass since the last one that did. A power cut loses the ticks
after that one: ten seconds at most, if the disk takes no longer than half a second."""

ANSWER_S = 5.0
"""How long the disk may take before it is reported as hanging, and how long `Writing.close` waits for it."""

START_S = 15.0
"""How long `Writing.open` waits for the file to open."""

CHORES_AGAIN_S = 30.0
"""How long to wait before the chores are tried again after a failure."""

COMMIT_WAIT_S = 0.1
"""How long a commit waits at most for a tick that is being made."""

FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 60.0
"""The first and the longest pause before opening the file is tried again; each is twice the one before."""

_CATCH_UP_S = 1.0
"""How long a read waits for the writer. After that, it continues without the newest ticks."""

_CHECK = "check that it is connected and works"

R = TypeVar("R")


class Writing:
    """The thread. Call `open` first.

    Args:
        path: the absolute path of the file.
        retention: how long ticks, minutes and hours are kept, and how large the file may be.
        waiting: the ticks to write.
        report: called from any thread with the problem, in one sentence, whenever it changes; None: there is none.
        commit_s: seconds between two commits.
        retries: whether to try again in the background if the file cannot be opened.

    Attributes:
        retention: as given, or as replaced by `retain`.
        writer: the open file; None until it is open, and after it was closed.
        lost: how many damaged columns readers have found.
    """

    def __init__(
        self,
        path: Path,
        retention: Retention,
        waiting: Waiting,
        report: Callable[[str | None], None],
        commit_s: float,
        *,
        retries: bool,
    ) -> None:
        self.retention = retention
        self.writer: Writer | None = None
        self.lost = 0
        self._path = path
        self._waiting = waiting
        self._report = report
        self._commit_s = commit_s
        self._retries = retries
        self._pauses = Pauses()
        self._waits_for_pause = False
        self._jobs: SimpleQueue[Callable[[], object] | None] = SimpleQueue()
        # When the thread started its current job, by the monotonic clock; None if it is idle.
        self._began: float | None = None
        self._is_hanging = False
        self._reported: str | None = None
        # After the chores failed: when to try again, by the monotonic clock, and the reason.
        self._chores_at = 0.0
        self._unsealed: str | None = None
        # After the file could not be opened: when to try again, by the monotonic clock.
        self._open_at: float | None = None
        self._pause_s = FIRST_PAUSE_S
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._work, name=f"history {path.name}", daemon=True)

    # --- for other threads ---

    def open(self) -> None:
        """Start the thread, and wait until it has opened the file, for some seconds at most.

        Raises:
            HistoryError: it cannot be opened. With `retries` that is reported instead.
        """
        self._thread.start()
        opened = self._job(partial(self._do, self._open) if self._retries else self._open)
        try:
            self._wait(opened, START_S)
        except BaseException as error:
            if self._retries and isinstance(error, HistoryError):
                # The thread opens the file when the disk answers.
                self._report_hanging(str(error))
                return
            # Close the file if the disk answers later.
            self._end()
            raise

    def begin_pause(self, tick_s: float, interval_s: float) -> None:
        """Begin the pause after a tick.

        Args:
            tick_s: the time of the tick, POSIX seconds.
            interval_s: seconds between two ticks.
        """
        # Ticks are made at instants of the wall clock.
        self._pauses.begin(time.monotonic(), time.time() - tick_s, interval_s)
        if self._waits_for_pause:
            self._jobs.put(_do_nothing)

    def retain(self, retention: Retention, commit_s: float) -> None:
        """Replace the retention and the time between two commits."""
        self._commit_s = commit_s
        self._job(partial(self._retain, retention))

    def flush(self) -> None:
        """Commit all queued ticks. It blocks.

        Raises:
            HistoryError: it failed. It is tried again with the next commit.
        """
        self._wait(self._job(lambda: self._commit(through=False)), None)

    def settle(self) -> None:
        """Commit all queued ticks, then do all chores that are due. It blocks.

        Raises:
            HistoryError: it failed.
        """
        self._wait(self._job(self._settle), None)

    def catch_up(self, until_ms: int) -> None:
        """Commit queued ticks before a read of a range that ends then.

        Raises:
            HistoryError: the file could not be opened yet.
        """
        writer = self.writer
        if writer is None:
            raise HistoryError(self._reported or f"{self._path} is not open")
        if until_ms > writer.newest_ms and writer.is_behind:
            with suppress(HistoryError):
                self._wait(self._job(partial(self._commit, through=False)), _CATCH_UP_S)

    def close(self) -> None:
        """Commit all queued ticks, close the file and end the thread. It waits for the disk, but not for long."""
        try:
            self._wait(self._end(), ANSWER_S)
        except HistoryError as error:
            self._report_if_new(str(error))

    def _end(self) -> "Future[None]":
        done = self._job(self._close)
        self._jobs.put(None)
        return done

    def generation(self) -> int:
        """Return a number that changes when the file has to be reopened."""
        return 0 if self.writer is None else self.writer.generation

    def amended(self) -> int:
        """Return `Writer.amended`."""
        return 0 if self.writer is None else self.writer.amended

    def version(self) -> tuple[int, int]:
        """Return `generation` and `Writer.changed`."""
        return (0, 0) if (writer := self.writer) is None else (writer.generation, writer.changed)

    # --- the thread ---

    def _retain(self, retention: Retention) -> None:
        self.retention = retention
        if self.writer is not None:
            self.writer.retain(retention)

    def _job(self, job: Callable[[], R]) -> "Future[R]":
        """Run a job in the writer thread."""
        done: Future[R] = Future()
        self._jobs.put(lambda: _run(job, done))
        return done

    def _wait(self, done: "Future[R]", seconds: float | None) -> R:
        try:
            return done.result(seconds)
        except TimeoutError as error:
            raise PURPOSE.failed(self._path, f"its disk has not answered for {seconds:g} s: {_CHECK}") from error

    def _work(self) -> None:
        due = through_at = time.monotonic()
        # About how many seconds the next step of the chores takes; None: there are none.
        needed_s: float | None = None
        while True:
            now = time.monotonic()
            # Set before the wait is computed, which a pause that begins just then would not shorten.
            self._waits_for_pause = now >= due or needed_s is not None
            wait_s = self._wait_s(now, due, needed_s)
            if now >= due and not wait_s:
                self._pauses.use()
                # The next commit would be too late.
                through = now + self._commit_s > through_at
                if self._do(partial(self._commit, through=through)) and through:
                    through_at = now + THROUGH_S
                needed_s = self._do(self._first_chore_s)
                due = max(due + self._commit_s, time.monotonic())
                continue
            try:
                job = self._jobs.get(timeout=wait_s)
            except Empty:
                if not wait_s:
                    self._pauses.use()
                    needed_s = self._do(self._do_chores)
                continue
            if job is None:
                return
            self._do(job)
            # The job may have changed the time between two commits.
            due = min(due, time.monotonic() + self._commit_s)

    def _wait_s(self, now: float, due: float, needed_s: float | None) -> float:
        """Return how many seconds to wait for a job; 0: do what is due, a commit or a step of the chores.

        Args:
            now: seconds of the monotonic clock.
            due: when to commit.
            needed_s: how long the next step takes; None: there is none.
        """
        if now >= due:
            return self._pauses.wait_s(now, SHORT_S, due + COMMIT_WAIT_S)
        return due - now if needed_s is None else min(due - now, self._pauses.wait_s(now, needed_s))

    def _do(self, job: Callable[[], R]) -> R | None:
        """Run a job, and report its errors. Return what the job returned; None if it failed."""
        self._began = time.monotonic()
        try:
            return job()
        except HistoryError as error:
            self._report_if_new(str(error))
        except BaseException as error:  # the thread must keep running
            problem = f"{self._path} does not keep the history: {type(error).__name__}: {error}"
            if problem != self._reported:
                log.exception("the history")
            self._report_if_new(problem)
        finally:
            self._began, self._is_hanging = None, False
        return None

    def _open(self) -> None:
        try:
            self.writer = Writer(self._path, self.retention, self._waiting)
        except BaseException as error:
            if not self._retries:
                raise
            self._open_at = time.monotonic() + self._pause_s
            self._pause_s = min(2 * self._pause_s, LONGEST_PAUSE_S)
            if not isinstance(error, HistoryError):
                raise
            raise HistoryError(f"{error}; it is tried again by itself, and no tick is kept until it works") from error
        self._open_at = None

    def _commit(self, *, through: bool) -> bool:
        """Write all queued items. Return True: it did not fail."""
        if self._open_at is not None and time.monotonic() >= self._open_at:
            self._open()
        if self.writer is not None:
            self.writer.commit(through=through)
            self._report_if_new(None)
        return True

    def _first_chore_s(self) -> float | None:
        """Return about how many seconds the first step of the chores takes; None: they are not due."""
        is_time = time.monotonic() >= self._chores_at
        return SHORT_S if is_time and self.writer is not None and self.writer.is_due() else None

    def _do_chores(self) -> float | None:
        """Do one step of the chores. Return about how many seconds the next one takes; None: there is none."""
        assert self.writer is not None
        try:
            needed_s = self.writer.step()
        except BaseException as error:
            # Otherwise the same block would be compressed every second, in vain.
            self._chores_at = time.monotonic() + CHORES_AGAIN_S
            self._unsealed = str(error)
            raise
        self._unsealed = None
        return needed_s

    def _settle(self) -> None:
        self._commit(through=False)
        while self._do_chores() is not None:
            pass
        # Amendments may have waited for the chores.
        self._commit(through=False)

    def _close(self) -> None:
        writer, self.writer, self._open_at = self.writer, None, None
        if writer is not None:
            writer.close()

    # --- reports ---

    def see_hanging(self) -> None:
        """Report a hanging disk, since the writer thread cannot."""
        began = self._began
        if began is not None and time.monotonic() - began > ANSWER_S and not self._is_hanging:
            self._report_hanging(
                f"{self._path} does not keep the history: its disk has not answered for {ANSWER_S:g} s: {_CHECK}"
            )

    def _report_hanging(self, problem: str) -> None:
        self._is_hanging = True
        self._report_if_new(problem)

    def found_damaged(self, columns: int) -> None:
        """Count and report damaged columns that a reader has found."""
        self.lost += columns
        self._report_if_new(None)

    def _report_if_new(self, problem: str | None) -> None:
        """Report a problem if it is new. Lost and damaged data stay reported."""
        with self._lock:
            current = problem or self._unsealed or self._damage()
            if current == self._reported:
                return
            self._reported = current
        self._report(current)

    def _damage(self) -> str | None:
        writer = self.writer
        if writer is None:
            return None
        lost = self.lost + writer.lost
        damage = list(writer.lost_files)
        if lost:
            columns = "1 column" if lost == 1 else f"{lost} columns"
            damage.append(f"the values of {columns} in {self._path} are damaged and missing")
        return "; ".join(damage) or None


def _do_nothing() -> None:
    """Wake the thread."""


def _run(job: Callable[[], R], done: "Future[R]") -> None:
    try:
        done.set_result(job())
    except BaseException as error:  # noqa: BLE001  # raised where it is waited for
        done.set_exception(error)
