"""History: every tick of a board, kept in one file on disk, and its rollups by minute and hour.

One thread writes: it commits what came in the last second, and seals and rolls up what is old enough in between. One
thread reads. What the event loop calls never waits for the disk: ticks go into a queue with a bound. A kill takes what
was not committed, about a second; a power cut takes ten seconds at most.
"""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TypeVar

import numpy as np

from tickboard.errors import HistoryError
from tickboard.expressions.alignment import Columns, Floats
from tickboard.history.answers import Answer, Integers, Question
from tickboard.history.file import PURPOSE
from tickboard.history.layout import Kept, Layout, Retention, TierKept, milliseconds
from tickboard.history.reader import Reader
from tickboard.history.waiting import Amend, Begin, Tick, Waiting
from tickboard.history.writer import Writer
from tickboard.output.logs import log

__all__ = ["History", "Kept", "Layout", "Retention", "TierKept"]

THROUGH_S = 10.0
"""How often a commit waits for the disk: what came since then, a power cut may take."""

ANSWER_S = 5.0
"""How long the disk may take for anything before it counts as hanging, and before nobody waits for it at the end."""

START_S = 15.0
"""How long opening the file may take."""

CHORES_AGAIN_S = 30.0
"""After how long sealing is tried again that has failed."""

R = TypeVar("R")


class History:
    """Every tick of a board, kept in one file. What the event loop calls never blocks and never raises for the disk.

    Call `begin`, then `append` for each tick; `read` and `ask` at any time; `close` at the end.

    Args:
        path: of the file; it is made with its folders where it is not there, for this user alone to read.
        retention: how long ticks, minutes and hours are kept, and how large the file may be.
        report: called from any thread with what is wrong, in one sentence, whenever that changes; with None when all is
            well.
        commit_s: how often what came is written. Longer spares an SD card; a kill then takes as much.

    Attributes:
        path: of the file, absolute.
        damaged: where a file was moved to that could not be read; None: all was well.

    Raises:
        HistoryError: another process has the file, a newer version or another program wrote it, others may write to it,
            it cannot be written to, or its disk does not answer. The board goes on without history.
    """

    def __init__(
        self, path: Path, retention: Retention, report: Callable[[str | None], None], *, commit_s: float = 1.0
    ) -> None:
        self.path = path.absolute()
        self._report = report
        self._commit_s = commit_s
        self._waiting = Waiting()
        self._jobs: SimpleQueue[Callable[[], object] | None] = SimpleQueue()
        self._closed = False
        self._last_ms = 0
        # When the thread began what it does now, by the monotonic clock; None: it does nothing.
        self._began: float | None = None
        self._is_hanging = False
        self._said: str | None = None
        self._lost = 0
        # When the chores may be done again that have failed, by the monotonic clock, and why they did.
        self._chores_at = 0.0
        self._unsealed: str | None = None
        self._lock = threading.Lock()
        self._writer: Writer | None = None
        self._thread = threading.Thread(target=self._work, name=f"history {path.name}", daemon=True)
        self._thread.start()
        self._reader = Reader(self.path, self._generation, self._catch_up, self._found_damaged)
        try:
            self._wait(self._job(lambda: self._open(retention)), START_S)
        except BaseException:
            # Should the disk answer later, the file is free for others.
            self._closed = True
            self._job(self._close)
            self._jobs.put(None)
            raise

    @property
    def damaged(self) -> Path | None:
        """Where a file was moved to that could not be read; None: all was well."""
        return None if self._writer is None else self._writer.damaged

    # --- writing: never blocks ---

    def begin(self, epoch: str, interval_ms: int, window: int) -> None:
        """Begin an epoch: a run of the board, or the clock was set back.

        Args:
            epoch: its name, which no other has.
            interval_ms: between two ticks.
            window: how many ticks are in memory; later ones are sealed.
        """
        self._last_ms = 0
        self._waiting.put(Begin(epoch, interval_ms, window))

    def append(self, seq: int, time: float, layout: Layout, row: Floats) -> None:
        """Keep a tick.

        Args:
            seq: its number in the epoch, growing.
            time: POSIX seconds; later than that of the tick before.
            layout: which series the columns are.
            row: float64 [columns], copied; NaN where there is no value.
        """
        # Two ticks of one epoch never have the same time, also where they are rounded.
        self._last_ms = max(milliseconds(time), self._last_ms + 1)
        self._waiting.put(Tick(seq, self._last_ms, layout, row[layout.columns].tobytes()))
        self._see_hanging()

    def amend(self, time: float, layout: Layout, columns: Columns, values: Floats) -> None:
        """Change values of a tick that is kept, in whatever tier it is.

        Args:
            time: of the tick, POSIX seconds. Otherwise the first tick less than an interval after it is changed; where
                there is none, the values are counted as dropped.
            layout: which series the columns are.
            columns: intp [values].
            values: float64 [values]; NaN takes a value away.
        """
        places = layout.places_of(columns)
        known = places >= 0
        self._waiting.put(Amend(milliseconds(time), layout, places[known], np.array(values, np.float64)[known]))

    # --- reading ---

    def read(self, question: Question) -> Answer:
        """Answer a question; it blocks.

        Raises:
            TooMuchError: the answer would be too large.
            BusyError: too many questions wait.
            HistoryError: the file cannot be read.
        """
        return self._reader.read(lambda reading: reading.answer(question), question.end_ms)

    async def ask(self, question: Question) -> Answer:
        """Answer a question without blocking; cancelling it gives it up. Errors are those of `read`."""
        return await self._reader.ask(lambda reading: reading.answer(question), question.end_ms)

    def newest(self, before_ms: int, since_ms: int, layout: Layout, most: int) -> tuple[Integers, Floats]:
        """Return ticks as they were recorded, to fill a window with; it blocks. Errors are those of `read`.

        Args:
            before_ms: POSIX milliseconds; ticks at this time or later are left out.
            since_ms: ticks before this time are left out.
            layout: which series are wanted, and in which columns.
            most: how many ticks; the newest.

        Returns:
            When they were made, POSIX milliseconds, int64 [ticks], ascending; and float64 [ticks, columns].
        """
        return self._reader.read(lambda reading: reading.newest(before_ms, since_ms, layout, most), before_ms)

    def kept(self) -> Kept:
        """Return what is kept, as of some seconds ago; it does not block."""
        writer = self._writer
        if writer is None:
            return Kept()
        return replace(
            writer.kept,
            queued=self._waiting.ticks,
            dropped=self._waiting.dropped + writer.missed,
            lost=self._lost + writer.lost,
        )

    # --- the end, and tests ---

    def flush(self) -> None:
        """Commit what was appended; it blocks.

        Raises:
            HistoryError: that failed; it is tried again.
        """
        self._wait(self._job(lambda: self._commit(through=False)), None)

    def settle(self) -> None:
        """Commit what was appended, and seal, roll up and delete all that is due; it blocks.

        Raises:
            HistoryError: that failed.
        """
        self._wait(self._job(self._settle), None)

    def close(self) -> None:
        """Commit what was appended and close the file; a second time does nothing.

        It waits for the disk for a few seconds at most.
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
            self._say(str(error))

    # --- the thread ---

    def _job(self, job: Callable[[], R]) -> "Future[R]":
        """Have the thread do something."""
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
        chores = False
        while True:
            now = time.monotonic()
            if now >= due:
                through = now >= through_at
                self._do(partial(self._commit, through=through))
                chores = self._do(self._is_due)
                due = max(due + self._commit_s, time.monotonic())
                if through:
                    through_at = now + THROUGH_S
                continue
            try:
                job = self._jobs.get_nowait() if chores else self._jobs.get(timeout=due - now)
            except Empty:
                chores = chores and self._do(self._do_chores)
                continue
            if job is None:
                return
            self._do(job)

    def _do(self, job: Callable[[], object]) -> bool:
        """Do something of which nobody waits for the outcome; return whether it returned true."""
        self._began = time.monotonic()
        try:
            return bool(job())
        except HistoryError as error:
            self._say(str(error))
        except BaseException as error:  # whatever it was, the thread goes on: nothing would be kept any more
            log.exception("the history")
            self._say(f"{self.path} does not keep the history: {type(error).__name__}: {error}")
        finally:
            self._began = None
        return False

    def _open(self, retention: Retention) -> None:
        self._writer = Writer(self.path, retention, self._waiting)

    def _commit(self, *, through: bool) -> None:
        if self._writer is not None:
            self._writer.commit(through=through)
            self._is_well()

    def _is_due(self) -> bool:
        is_time = time.monotonic() >= self._chores_at
        return is_time and self._writer is not None and self._writer.is_due()

    def _do_chores(self) -> bool:
        """Do a part of the chores, and return whether there is more to do."""
        assert self._writer is not None
        try:
            more = self._writer.step()
        except BaseException as error:
            # What is compressed each second in vain costs more than it is worth.
            self._chores_at = time.monotonic() + CHORES_AGAIN_S
            self._unsealed = str(error)
            raise
        self._unsealed = None
        return more

    def _settle(self) -> None:
        self._commit(through=False)
        while self._do_chores():
            pass
        # What was amended meanwhile has waited for it.
        self._commit(through=False)

    def _close(self) -> None:
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.close()

    def _generation(self) -> int:
        return 0 if self._writer is None else self._writer.generation

    # --- what is reported ---

    def _catch_up(self, until_ms: int) -> None:
        """Have what was appended committed, so that a reader sees it; called by its thread."""
        writer = self._writer
        if writer is not None and until_ms > writer.newest_ms and writer.is_behind:
            with suppress(HistoryError):
                self._wait(self._job(partial(self._commit, through=False)), _CATCH_UP_S)

    def _see_hanging(self) -> None:
        """Report a disk that does not answer: the thread that waits for it cannot."""
        began = self._began
        if began is not None and time.monotonic() - began > ANSWER_S and not self._is_hanging:
            self._is_hanging = True
            self._say(f"{self.path} does not keep the history: its disk has not answered for {ANSWER_S:g} s: {_CHECK}")

    def _found_damaged(self, columns: int) -> None:
        self._lost += columns
        self._say(None)

    def _is_well(self) -> None:
        self._is_hanging = False
        self._say(None)

    def _say(self, problem: str | None) -> None:
        """Report what is wrong, where it is not the same as before; what is damaged stays so."""
        with self._lock:
            said = problem or self._unsealed or self._damage()
            if said == self._said:
                return
            self._said = said
        self._report(said)

    def _damage(self) -> str | None:
        writer = self._writer
        if writer is None:
            return None
        lost = self._lost + writer.lost
        told = list(writer.lost_files)
        if lost:
            told.append(f"{lost} columns of blocks in {self.path} are damaged: their values are missing")
        return "; ".join(told) or None


_CHECK = "check that it is there and works"

_CATCH_UP_S = 1.0
"""How long a reader waits for the writer; then it reads what there is."""


def _run(job: Callable[[], R], done: "Future[R]") -> None:
    try:
        done.set_result(job())
    except BaseException as error:  # noqa: BLE001  # raised where it is waited for
        done.set_exception(error)
