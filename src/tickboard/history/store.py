"""History: every tick of a board, kept in one file on disk, and its rollups by minute and hour.

One thread writes. It commits once a second, and seals and rolls up old ticks in the pauses between ticks. One thread
reads. The event loop never waits for the disk: ticks go into a bounded queue. A kill loses ticks that are not
committed, about a second. A power cut loses ten seconds at most.
"""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np
from msgspec.structs import replace

from tickboard.errors import HistoryError
from tickboard.expressions.alignment import Columns, Floats
from tickboard.history.answers import Answer, ChangesQuestion, FoundChanges, Integers, Question
from tickboard.history.changes import changes
from tickboard.history.kept import KeptRanges
from tickboard.history.layout import HistoryStatus, Layout, Retention, TierStatus, milliseconds
from tickboard.history.reader import HistoryReader
from tickboard.history.reading import HistorySnapshot
from tickboard.history.recent import MAX_VALUES, RecentTicks
from tickboard.history.waiting import AmendTick, AppendTick, BeginEpoch, Waiting
from tickboard.history.writing import ANSWER_S, Writing

__all__ = ["History", "HistoryStatus", "Layout", "Retention", "TierStatus"]

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
        self._waiting = Waiting()
        self._recent = RecentTicks()
        # The file that the ticks in memory are from, by `Writer.generation`; 0: a new epoch has begun.
        self._recent_file = 0
        self._interval_ms = 0
        self._last_ms = 0
        self._missed = 0
        self._closed = False
        self._writing = writing = Writing(self.path, retention, self._waiting, report, commit_s, retries=retries)
        self._kept = KeptRanges(writing.version)
        self._reader = HistoryReader(
            self.path, writing.generation, writing.amended, writing.catch_up, writing.found_damaged, self._kept
        )
        writing.open()

    @property
    def is_open(self) -> bool:
        """Whether ticks are kept. False if the file could not be opened, until it can."""
        return self._writing.writer is not None

    @property
    def newest_ms(self) -> int:
        """The time of the newest tick in the file when it was opened, POSIX milliseconds; 0: it had none."""
        return 0 if self._writing.writer is None else self._writing.writer.opened_ms

    @property
    def damaged(self) -> Path | None:
        """The path that a damaged file was moved to; None if there was none."""
        return None if self._writing.writer is None else self._writing.writer.damaged

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
        self._writing.see_hanging()
        if (writer := self._writing.writer) is None:
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
        self._writing.begin_pause(time, self._interval_ms / 1000)

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
        writer = self._writing.writer
        if writer is None or self._closed:
            return None
        kept = self._kept.find(question.patterns)
        if kept is not None and (answer := kept.answer(question, MAX_VALUES)) is not None:
            return answer
        if writer.generation != self._recent_file:
            return None
        return self._recent.answer(question, writer.ids_of, writer.sealed_ms, kept)

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
        writer = self._writing.writer
        if writer is None:
            return HistoryStatus(dropped=self._missed)
        return replace(
            writer.status,
            queued=self._waiting.ticks,
            dropped=self._missed + self._waiting.dropped + writer.missed,
            lost=self._writing.lost + writer.lost,
        )

    # --- flushing and closing ---

    def flush(self) -> None:
        """Commit all queued ticks. It blocks.

        Raises:
            HistoryError: it failed. It is tried again with the next commit.
        """
        self._check_open()
        self._writing.flush()

    def settle(self) -> None:
        """Commit all queued ticks, then seal, roll up and expire everything that is due. It blocks.

        Raises:
            HistoryError: it failed.
        """
        self._check_open()
        self._writing.settle()

    def close(self) -> None:
        """Commit all queued ticks and close the file. A second call does nothing.

        It waits for the disk for some seconds at most.
        """
        if self._closed:
            return
        self._closed = True
        self._reader.close(ANSWER_S)
        self._writing.close()

    def _check_open(self) -> None:
        if self._closed:
            raise HistoryError(f"{self.path} is closed")

    # --- options ---

    def retain(self, retention: Retention, commit_s: float) -> None:
        """Replace the retention and the time between two commits."""
        self._writing.retain(retention, commit_s)
