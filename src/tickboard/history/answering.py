"""Making answers: from ticks, or from entries that are put into buckets of equal length.

It knows arrays and series, but not where they come from.
"""

import math
from collections.abc import Callable, Sequence

import numpy as np

from tickboard.expressions.alignment import Floats
from tickboard.history.answers import Answer, Buckets, Integers, Question, Tier
from tickboard.history.catalogue import Entry
from tickboard.history.layout import TIERS
from tickboard.history.rollup import Rolled
from tickboard.history.spans import HOURS, MINUTES, RAW, UNIT_MS


def bucket_tier(
    question: Question, interval_ms: int, finest: Callable[[int], int] = lambda tier: tier
) -> tuple[int, int]:
    """Return the number of the tier to make buckets from, and their length in milliseconds.

    Args:
        question: the question.
        interval_ms: milliseconds between two ticks.
        finest: returns the finest tier, the given one or coarser, that still has the whole range.
    """
    tier = finest(RAW)
    for longer in (MINUTES, HOURS):
        if tier < longer and buckets_ms(question, interval_ms, tier) >= UNIT_MS[longer]:
            tier = finest(longer)
    return tier, buckets_ms(question, interval_ms, tier)


def buckets_ms(question: Question, interval_ms: int, tier: int) -> int:
    """Return the length of the buckets that a question wants if they are made from a tier, in milliseconds."""
    unit_ms = UNIT_MS[tier] if tier else interval_ms
    wanted = max((question.end_ms - question.start_ms) / question.points, interval_ms)
    return math.ceil(wanted / unit_ms) * unit_ms


def whole_buckets(question: Question, length_ms: int) -> tuple[int, int]:
    """Return the range of a question, extended to whole buckets."""
    return question.start_ms // length_ms * length_ms, -(-question.end_ms // length_ms) * length_ms


def answer_of_ticks(
    question: Question, interval_ms: int, times: Integers, values: Floats, entries: Sequence[Entry]
) -> Answer:
    """Return the answer that consists of ticks.

    Args:
        question: the question.
        interval_ms: milliseconds between two ticks.
        times: int64 [ticks].
        values: float64 [series, ticks]; NaN where there is no value.
        entries: the series.
    """
    present = ~np.isnan(values)
    columns = zip(entries, values, present.astype(np.int64), np.logical_or.reduce(present, axis=1), strict=True)
    series = tuple(
        Buckets(entry.name, entry.labels, entry.unit, each, each, each, count)
        for entry, each, count, there in columns
        if there
    )
    return Answer(question.start_ms, question.end_ms, interval_ms, TIERS[RAW], times, series)


def answer_of_buckets(
    question: Question, length_ms: int, tier: Tier, rolled: Rolled, entries: Sequence[Entry]
) -> Answer:
    """Return the answer that consists of buckets of a length, made from a tier."""
    count = rolled.count.astype(np.int64)
    columns = zip(entries, rolled.min, rolled.max, rolled.avg, count, np.logical_or.reduce(count, axis=1), strict=True)
    series = tuple(
        Buckets(entry.name, entry.labels, entry.unit, low, high, mean, each)
        for entry, low, high, mean, each, there in columns
        if there
    )
    return Answer(question.start_ms, question.end_ms, length_ms, tier, rolled.times, series)


class Sums:
    """Sums of entries in buckets of equal length.

    Args:
        series: how many series there are.
        start: the beginning of the first bucket, POSIX milliseconds.
        count: the number of buckets.
        length_ms: the length of a bucket.
    """

    def __init__(self, series: int, start: int, count: int, length_ms: int) -> None:
        self._start, self._length_ms = start, length_ms
        self._low = np.full((series, count), np.nan)
        self._high = np.full((series, count), np.nan)
        self._sum = np.zeros((series, count))
        self._count = np.zeros((series, count))
        self._present = np.zeros(count, np.bool_)

    def add(self, rolled: Rolled) -> None:
        """Add entries of the same length."""
        places = (rolled.times - self._start) // self._length_ms
        self._present[places] = True
        # The buckets are nearly always adjacent, and a slice is faster.
        where: slice | Integers = places
        if places[-1] - places[0] == len(places) - 1:
            where = slice(int(places[0]), int(places[-1]) + 1)
        self._low[:, where] = np.fmin(self._low[:, where], rolled.min)
        self._high[:, where] = np.fmax(self._high[:, where], rolled.max)
        self._sum[:, where] += rolled.sum
        self._count[:, where] += rolled.count

    def result(self) -> Rolled:
        """Return the buckets in which anything was recorded."""
        times = self._start + np.arange(len(self._present)) * self._length_ms
        return Rolled(times, self._low, self._high, self._sum, self._count).take(self._present)
