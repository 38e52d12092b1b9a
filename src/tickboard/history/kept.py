"""Kept ticks: ranges of ticks that were read from blocks, to answer similar questions without the disk or a thread.

A panel asks for the same series again and again: for the same range, a part of it, or in other buckets. Blocks of ticks
hardly ever change, so what was decoded is kept until anything but new rows is written.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence

import numpy as np
from msgspec import Struct

from tickboard.expressions.alignment import Floats
from tickboard.history.answering import answer_of_buckets, answer_of_ticks, buckets_ms, whole_buckets
from tickboard.history.answers import Answer, Integers, Question
from tickboard.history.catalogue import Entry
from tickboard.history.layout import TIERS
from tickboard.history.rollup import roll_ticks
from tickboard.history.spans import MINUTE_MS, RAW

MAX_VALUES = 500_000
"""The most values of a range: four megabytes."""

KEPT_BYTES = 16 * 2**20
"""The most memory to use."""


class KeptTicks(Struct, frozen=True):
    """All ticks of some series in a range in which one epoch has ticks.

    Attributes:
        epoch: the number of the epoch.
        interval_ms: milliseconds between two ticks of the epoch.
        start_ms: the start of the range, POSIX milliseconds, inclusive.
        end_ms: its end, exclusive.
        times: int64 [ticks], POSIX milliseconds, ascending.
        values: float64 [series, ticks]; NaN where there is no value.
        ids: int64 [series], ascending; the ids of the series.
        entries: the series.
    """

    epoch: int
    interval_ms: int
    start_ms: int
    end_ms: int
    times: Integers
    values: Floats
    ids: Integers
    entries: Sequence[Entry]

    def has(self, start_ms: int, end_ms: int) -> bool:
        """Return whether it has all ticks of a range."""
        return self.start_ms <= start_ms and end_ms <= self.end_ms

    def starts(self, epoch: int, ids: Integers, start_ms: int) -> bool:
        """Return whether it has the first ticks of an epoch and of these series from a time on."""
        return self.epoch == epoch and self.ids is ids and self.start_ms <= start_ms < self.end_ms

    def between(self, start_ms: int, end_ms: int) -> tuple[Integers, Floats]:
        """Return its ticks in a range: times, and float64 [series, ticks]."""
        first, last = self.times.searchsorted([start_ms, end_ms]).tolist()
        return self.times[first:last], self.values[:, first:last]

    def knows(self, ids: Integers) -> bool:
        """Return whether it has all series of some ids."""
        return bool(np.isin(ids, self.ids, assume_unique=True).all())

    def like(self, ids: Integers, values: Floats) -> Floats:
        """Return values of some of the series, float64 [ids, ticks], for all of them; NaN for the others."""
        if len(ids) == len(self.ids):
            return values
        found = np.full((len(self.ids), values.shape[1]), np.nan)
        found[self.ids.searchsorted(ids)] = values
        return found

    @property
    def size(self) -> int:
        """Size in bytes."""
        return self.times.nbytes + self.values.nbytes

    def answer(self, question: Question, most: int = MAX_VALUES) -> Answer | None:
        """Answer a question about these series, or return None if the file has to be read.

        Args:
            question: the question.
            most: the most values that the answer may be made from.
        """
        if not self.has(question.start_ms, question.end_ms):
            return None
        times, values = self.between(question.start_ms, question.end_ms)
        # If nothing was recorded in the range, the file knows more about it.
        if not len(times) or values.size > most:
            return None
        if len(times) <= question.points:
            return answer_of_ticks(question, self.interval_ms, times, values, self.entries)
        length_ms = buckets_ms(question, self.interval_ms, RAW)
        start, end = whole_buckets(question, length_ms)
        if length_ms >= MINUTE_MS or not self.has(start, end):
            return None
        times, values = self.between(start, end)
        return answer_of_buckets(question, length_ms, TIERS[RAW], roll_ticks(times, values, length_ms), self.entries)


class KeptRanges:
    """Ranges of ticks, each with the selectors that have chosen its series. Any thread may use it.

    Args:
        version: returns what changes when anything but rows is written to the file, and whether that is over.
    """

    def __init__(self, version: Callable[[], tuple[int, int]]) -> None:
        self._current = version
        self._lock = threading.Lock()
        self._version = self._expected = version()
        self._ranges: OrderedDict[tuple[str, ...], KeptTicks] = OrderedDict()
        self._size = 0

    def expect(self) -> None:
        """Note the version of the file. Call this before a transaction begins that reads what `put` keeps."""
        self._expected = self._current()

    def put(self, patterns: tuple[str, ...], ticks: KeptTicks) -> None:
        """Keep a range, unless the file may have changed since `expect`."""
        with self._lock:
            if self._current() != self._expected or self._expected[1] % 2:
                return
            if self._version != self._expected:
                self._version, self._size = self._expected, 0
                self._ranges.clear()
            self._forget(patterns)
            self._ranges[patterns] = ticks
            self._size += ticks.size
            while self._size > KEPT_BYTES:
                self._forget(next(iter(self._ranges)))

    def find(self, patterns: tuple[str, ...]) -> KeptTicks | None:
        """Return the range of the series that selectors have chosen; None if there is none."""
        with self._lock:
            if self._version != self._current():
                return None
            ticks = self._ranges.get(patterns)
            if ticks is not None:
                self._ranges.move_to_end(patterns)
            return ticks

    def _forget(self, patterns: tuple[str, ...]) -> None:
        if (ticks := self._ranges.pop(patterns, None)) is not None:
            self._size -= ticks.size
