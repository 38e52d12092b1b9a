"""History: every tick of a board, kept in one file on disk, and its rollups by minute and hour.

One thread writes. It commits once a second, and seals and rolls up old ticks in the pauses between ticks. One thread
reads. The event loop never waits for the disk: ticks go into a bounded queue. A kill loses ticks that are not
committed, about a second. A power cut loses ten seconds at most.
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

import numpy as np
from msgspec.structs import replace

from tickboard.errors import HistoryError
from tickboard.expressions.alignment import Columns, Floats
from tickboard.history.answers import Answer, ChangesQuestion, FoundChanges, Integers, Question
from tickboard.history.changes import changes
from tickboard.history.file import PURPOSE
from tickboard.history.kept import KeptRanges
from tickboard.history.layout import HistoryStatus, Layout, Retention, TierStatus, milliseconds
from tickboard.history.pauses import SHORT_S, Pauses
from tickboard.history.reader import HistoryReader
from tickboard.history.reading import HistorySnapshot
from tickboard.history.recent import MAX_VALUES, RecentTicks
from tickboard.history.waiting import AmendTick, AppendTick, BeginEpoch, Waiting
from tickboard.history.writer import Writer
from tickboard.output.logs import log

__all__ = ["History", "HistoryStatus", "Layout", "Retention", "TierStatus"]

THROUGH_S = 9.5
"""A commit waits for the disk if more than this would pass since the last one that did. A power cut loses the ticks
after that one: ten seconds at most, if the disk takes no longer than half a second."""

ANSWER_S = 5.0
"""How long the disk may take before it is reported as hanging, and how long `History.close` waits for it."""

START_S = 15.0
"""How long `History` waits for the file to open."""

CHORES_AGAIN_S = 30.0
"""How long to wait before the chores are tried again after a failure."""

COMMIT_WAIT_S = 0.1
"""How long a commit waits at most for a tick that is being made."""

FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 60.0
"""The first and the longest pause before opening the file is tried again; each is twice the one before."""

R = TypeVar("R")


class History:
    """Every tick of a board, kept in one file.

    Call `begin`, then `append` for each tick, `read` and `ask` at any time, and `close` at the end. `begin`, `append`,
    `amend`, `ask` and `status` never block. Of these, only `ask` can raise because of the disk.

    Args:
        path: the file. It is created with its folders if needed, private to this user.
        retention: how long ticks, minutes and hours are kept, and how large the file may be.
        report: called from any thread with the problem, in one sentence, whenever it changes; None: there is none.
        commit_s: seconds between two commits. A longer time is kinder to an SD card, but a kill loses more.
        retries: if the file cannot be opened, report that and try again in the background, instead of raising. Ticks
            that are appended until then are dropped.

    Attributes:
        path: the absolute path of the file.

    Raises:
        HistoryError: another process uses the file, a newer version or another program wrote it, other users can write
            to it, it cannot be written to, or its disk does not answer.
    """

    def __init__(
        self,
        path: Path,
        retention: Retention,
        report: Callable[[str | None], None],
        *,
        commit_s: float = 1.0,
        retries: bool = False,
    ) -> None:
        self.path = path.absolute()
        self._retention = retention
        self._report = report
        self._commit_s = commit_s
        self._retries = retries
        self._writer: Writer | None = None
        self._waiting = Waiting()
        self._recent = RecentTicks()
        self._kept = KeptRanges(self._version)
        # The file that the ticks in memory are from, by `Writer.generation`; 0: a new epoch has begun.
        self._recent_file = 0
        self._interval_ms = 0
        self._pauses = Pauses()
        self._waits_for_pause = False
        self._jobs: SimpleQueue[Callable[[], object] | None] = SimpleQueue()
        self._closed = False
        self._last_ms = 0
        # When the thread started its current job, by the monotonic clock; None if it is idle.
        self._began: float | None = None
        self._is_hanging = False
        self._reported: str | None = None
        self._lost = 0
        # After the chores failed: when to try again, by the monotonic clock, and the reason.
        self._chores_at = 0.0
        self._unsealed: str | None = None
        # After the file could not be opened: when to try again, by the monotonic clock.
        self._open_at: float | None = None
        self._pause_s = FIRST_PAUSE_S
        self._missed = 0
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._work, name=f"history {path.name}", daemon=True)
        self._thread.start()
        self._reader = HistoryReader(
            self.path, self._generation, self._amended, self._catch_up, self._found_damaged, self._kept
        )
        opened = self._job(partial(self._do, self._open) if retries else self._open)
        try:
            self._wait(opened, START_S)
        except BaseException as error:
            if retries and isinstance(error, HistoryError):
                # The thread opens the file when the disk answers.
                self._report_hanging(str(error))
                return
            # Close the file if the disk answers later.
            self._closed = True
            self._job(self._close)
            self._jobs.put(None)
            raise

    @property
    def is_open(self) -> bool:
        """Whether ticks are kept. False if the file could not be opened, until it can."""
        return self._writer is not None

    @property
    def damaged(self) -> Path | None:
        """The path that a damaged file was moved to; None if there was none."""
        return None if self._writer is None else self._writer.damaged

    # --- writing: never blocks ---

    def begin(self, epoch: str, interval_ms: int, window: int) -> None:
        """Begin an epoch: at the start of a run, or after the clock was set back.

        Args:
            epoch: a unique name.
            interval_ms: milliseconds between two ticks.
            window: the number of ticks in the board's window. They are not sealed before they leave it.
        """
        self._last_ms = self._recent_file = 0
        self._interval_ms = interval_ms
        self._waiting.put(BeginEpoch(epoch, interval_ms, window))

    def append(self, seq: int, time: float, layout: Layout, row: Floats) -> None:
        """Queue a tick to be written.

        Args:
            seq: its sequence number; grows within an epoch.
            time: POSIX seconds; later than the time of the tick before.
            layout: names the series of the columns.
            row: float64 [columns], copied; NaN where there is no value.
        """
        self._see_hanging()
        if (writer := self._writer) is None:
            # They are not queued. Meanwhile another process may write the file, and these ticks would hide its own.
            self._missed += 1
            return
        # Two ticks of an epoch must not have the same time, even after rounding.
        self._last_ms = max(milliseconds(time), self._last_ms + 1)
        values = row[layout.columns]
        self._waiting.put(AppendTick(seq, self._last_ms, layout, values.tobytes()))
        if self._recent_file != writer.generation:
            self._recent_file = writer.generation
            self._recent.begin(self._interval_ms, writer.opened_ms)
        self._recent.append(self._last_ms, layout, values)
        self._begin_pause(time)

    def _begin_pause(self, tick_s: float) -> None:
        # Ticks are made at instants of the wall clock.
        self._pauses.begin(time.monotonic(), time.time() - tick_s, self._interval_ms / 1000)
        if self._waits_for_pause:
            self._jobs.put(_do_nothing)

    def amend(self, time: float, layout: Layout, columns: Columns, values: Floats) -> None:
        """Change values of a tick that is already kept, and of its minute and hour.

        Args:
            time: the time of the tick, POSIX seconds. If no tick has this time, the first one less than an interval
                later is changed. If there is none, the values are counted as dropped.
            layout: names the series of the columns.
            columns: intp [values].
            values: float64 [values]; NaN removes a value.
        """
        if not self.is_open:
            self._missed += len(columns)
            return
        places = layout.places_of(columns)
        known = places >= 0
        item = AmendTick(milliseconds(time), layout, places[known], np.array(values, np.float64)[known])
        self._waiting.put(item)
        self._recent.amend(item.time_ms, layout, item.places, item.values)

    # --- reading ---

    def answer_from_memory(self, question: Question) -> Answer | None:
        """Answer a small question about ticks in memory without blocking; None: read the file.

        The answer is that of `read`, or newer: it has ticks and amendments that wait to be committed.
        """
        writer = self._writer
        if writer is None or self._closed:
            return None
        if (kept := self._kept.find(question.patterns)) is not None:
            answer = kept.answer(question, MAX_VALUES)
            if answer is not None:
                return answer
        if writer.generation != self._recent_file:
            return None
        return self._recent.answer(question, writer.ids_of, writer.sealed_ms)

    def read(self, question: Question) -> Answer:
        """Answer a question. It blocks.

        Raises:
            TooMuchError: the answer would be too large.
            BusyError: too many questions are queued.
            HistoryError: the file cannot be read.
        """
        return self._reader.read(lambda snapshot: snapshot.answer(question), question.end_ms)

    async def ask(self, question: Question) -> Answer:
        """Answer a question without blocking. Cancelling it abandons the read. Errors are those of `read`."""
        return await self._reader.ask(lambda snapshot: snapshot.answer(question), question.end_ms)

    def compare(self, question: ChangesQuestion) -> FoundChanges:
        """Rank series by how much they differ between two ranges. It blocks.

        Raises:
            TooMuchError: too much would have to be read.
            BusyError: too many questions are queued.
            HistoryError: the file cannot be read.
        """
        return self._reader.read(lambda snapshot: changes(snapshot, question), question.until_ms)

    async def ask_changes(self, question: ChangesQuestion) -> FoundChanges:
        """Compare without blocking. Cancelling it abandons the read. Errors are those of `compare`."""
        return await self._reader.ask(lambda snapshot: changes(snapshot, question), question.until_ms)

    async def read_committed(self, read: Callable[[HistorySnapshot], R]) -> R:
        """Run a function in the thread that reads, without blocking, and return what it returns.

        The function sees what is committed so far, without queued ticks. Errors are those of `read`.

        Args:
            read: called with a snapshot of the file. It should take some milliseconds at most, since others wait.
        """
        return await self._reader.ask(read, 0)

    def newest(self, before_ms: int, since_ms: int, layout: Layout, most: int) -> tuple[Integers, Floats]:
        """Return the newest ticks, to fill a window. It blocks. Errors are those of `read`.

        Args:
            before_ms: the end of the range, POSIX milliseconds, exclusive.
            since_ms: the start of the range, inclusive.
            layout: the series to return, and their columns in the result.
            most: the most ticks to return.

        Returns:
            Times, POSIX milliseconds, int64 [ticks], ascending; and rows, float64 [ticks, columns].
        """
        return self._reader.read(lambda snapshot: snapshot.newest(before_ms, since_ms, layout, most), before_ms)

    def status(self) -> HistoryStatus:
        """Return the contents of the file, as of some seconds ago."""
        writer = self._writer
        if writer is None:
            return HistoryStatus(dropped=self._missed)
        return replace(
            writer.status,
            queued=self._waiting.ticks,
            dropped=self._missed + self._waiting.dropped + writer.missed,
            lost=self._lost + writer.lost,
        )

    # --- flushing and closing ---

    def flush(self) -> None:
        """Commit all queued ticks. It blocks.

        Raises:
            HistoryError: it failed. It is tried again with the next commit.
        """
        self._check_open()
        self._wait(self._job(lambda: self._commit(through=False)), None)

    def settle(self) -> None:
        """Commit all queued ticks, then seal, roll up and expire everything that is due. It blocks.

        Raises:
            HistoryError: it failed.
        """
        self._check_open()
        self._wait(self._job(self._settle), None)

    def close(self) -> None:
        """Commit all queued ticks and close the file. A second call does nothing.

        It waits for the disk for some seconds at most.
        """
        if self._closed:
            return
        self._closed = True
        self._reader.close(ANSWER_S)
        done = self._job(self._close)
        self._jobs.put(None)
        try:
            self._wait(done, ANSWER_S)
        except HistoryError as error:
            self._report_if_new(str(error))

    def _check_open(self) -> None:
        if self._closed:
            raise HistoryError(f"{self.path} is closed")

    # --- options ---

    def retain(self, retention: Retention, commit_s: float) -> None:
        """Replace the retention and the time between two commits."""
        self._commit_s = commit_s
        self._job(partial(self._retain, retention))

    def _retain(self, retention: Retention) -> None:
        self._retention = retention
        if self._writer is not None:
            self._writer.retain(retention)

    # --- the thread ---

    def _job(self, job: Callable[[], R]) -> "Future[R]":
        """Run a job in the writer thread."""
        done: Future[R] = Future()
        self._jobs.put(lambda: _run(job, done))
        return done

    def _wait(self, done: "Future[R]", seconds: float | None) -> R:
        try:
            return done.result(seconds)
        except TimeoutError as error:
            raise PURPOSE.failed(self.path, f"its disk has not answered for {seconds:g} s: {_CHECK}") from error

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
            problem = f"{self.path} does not keep the history: {type(error).__name__}: {error}"
            if problem != self._reported:
                log.exception("the history")
            self._report_if_new(problem)
        finally:
            self._began, self._is_hanging = None, False
        return None

    def _open(self) -> None:
        try:
            self._writer = Writer(self.path, self._retention, self._waiting)
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
        if self._writer is not None:
            self._writer.commit(through=through)
            self._report_if_new(None)
        return True

    def _first_chore_s(self) -> float | None:
        """Return about how many seconds the first step of the chores takes; None: they are not due."""
        is_time = time.monotonic() >= self._chores_at
        return SHORT_S if is_time and self._writer is not None and self._writer.is_due() else None

    def _do_chores(self) -> float | None:
        """Do one step of the chores. Return about how many seconds the next one takes; None: there is none."""
        assert self._writer is not None
        try:
            needed_s = self._writer.step()
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
        writer, self._writer, self._open_at = self._writer, None, None
        if writer is not None:
            writer.close()

    def _generation(self) -> int:
        return 0 if self._writer is None else self._writer.generation

    def _version(self) -> tuple[int, int]:
        return (0, 0) if (writer := self._writer) is None else (writer.generation, writer.changed)

    def _amended(self) -> int:
        return 0 if self._writer is None else self._writer.amended

    # --- reports ---

    def _catch_up(self, until_ms: int) -> None:
        """Commit queued ticks before a read. The reader thread calls this.

        Raises:
            HistoryError: the file could not be opened yet.
        """
        writer = self._writer
        if writer is None:
            raise HistoryError(self._reported or f"{self.path} is not open")
        if until_ms > writer.newest_ms and writer.is_behind:
            with suppress(HistoryError):
                self._wait(self._job(partial(self._commit, through=False)), _CATCH_UP_S)

    def _see_hanging(self) -> None:
        """Report a hanging disk, since the writer thread cannot."""
        began = self._began
        if began is not None and time.monotonic() - began > ANSWER_S and not self._is_hanging:
            self._report_hanging(
                f"{self.path} does not keep the history: its disk has not answered for {ANSWER_S:g} s: {_CHECK}"
            )

    def _report_hanging(self, problem: str) -> None:
        self._is_hanging = True
        self._report_if_new(problem)

    def _found_damaged(self, columns: int) -> None:
        self._lost += columns
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
        writer = self._writer
        if writer is None:
            return None
        lost = self._lost + writer.lost
        damage = list(writer.lost_files)
        if lost:
            columns = "1 column" if lost == 1 else f"{lost} columns"
            damage.append(f"the values of {columns} in {self.path} are damaged and missing")
        return "; ".join(damage) or None


_CHECK = "check that it is connected and works"

_CATCH_UP_S = 1.0
"""How long a read waits for the writer. After that, it continues without the newest ticks."""


def _do_nothing() -> None:
    """Wake the thread."""


def _run(job: Callable[[], R], done: "Future[R]") -> None:
    try:
        done.set_result(job())
    except BaseException as error:  # noqa: BLE001  # raised where it is waited for
        done.set_exception(error)
