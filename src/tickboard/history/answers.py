"""Questions to history and its answers, as plain data."""

from typing import Literal

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from tickboard.expressions.alignment import Floats, Labels

Tier = Literal["raw", "minutes", "hours"]

Integers = NDArray[np.int64]


class Question(Struct, frozen=True):
    """A range of time, and the number of buckets.

    Attributes:
        patterns: selectors, as in a subscription; empty: every series.
        start_ms: POSIX milliseconds, inclusive.
        end_ms: POSIX milliseconds, exclusive.
        points: the most buckets for each series. An answer has at most two more, for the buckets at the ends of the
            range.
    """

    patterns: tuple[str, ...]
    start_ms: int
    end_ms: int
    points: int


class ChangesQuestion(Struct, frozen=True):
    """Two ranges of time to compare. Times are POSIX milliseconds.

    Attributes:
        patterns: selectors, as in a subscription; empty: every series.
        start_ms, end_ms: the range; its end is exclusive.
        baseline_start_ms, baseline_end_ms: the range that it is compared with.
        limit: the most series to return.
    """

    patterns: tuple[str, ...]
    start_ms: int
    end_ms: int
    baseline_start_ms: int
    baseline_end_ms: int
    limit: int

    @property
    def until_ms(self) -> int:
        """The end of the later range."""
        return max(self.end_ms, self.baseline_end_ms)


class Buckets(Struct, frozen=True):
    """One series over a range. A single tick is a bucket of one.

    Attributes:
        name: the name of its metric.
        labels: its labels.
        unit: the unit of its metric.
        min, max, avg: float64 [buckets]; NaN where the series has no value.
        count: int64 [buckets]; how many ticks have a value.
    """

    name: str
    labels: Labels
    unit: str
    min: Floats
    max: Floats
    avg: Floats
    count: Integers


class Answer(Struct, frozen=True, weakref=True):
    """The history of some series over a range.

    Attributes:
        start_ms, end_ms: the range of the question.
        resolution_ms: the length of a bucket; of single ticks, their interval.
        tier: the tier that the buckets were made from; if raw and `resolution_ms` is the interval, they are the ticks.
        times: int64 [buckets]; when each begins, POSIX milliseconds, ascending. There are no buckets where nothing was
            recorded: between two times that are more than `resolution_ms` apart there is a gap.
        series: the series that have a value in the range, by name and labels.
    """

    start_ms: int
    end_ms: int
    resolution_ms: int
    tier: Tier
    times: Integers
    series: tuple[Buckets, ...]


class Changed(Struct, frozen=True):
    """How one series differs between two ranges.

    Attributes:
        name: the name of its metric.
        labels: its labels.
        unit: the unit of its metric.
        score: above 0, at most 1.
        before, after: the average in the baseline and in the range; NaN where the series has no value.
    """

    name: str
    labels: Labels
    unit: str
    score: float
    before: float
    after: float


class FoundChanges(Struct, frozen=True, weakref=True):
    """The series that differ between two ranges.

    Attributes:
        question: the ranges.
        tier: what was compared: ticks, or the averages of minutes or hours.
        compared: how many series have enough values to be compared.
        count: how many of them differ.
        changed: those that differ most, the highest score first; as many as the question's limit.
    """

    question: ChangesQuestion
    tier: Tier
    compared: int
    count: int
    changed: tuple[Changed, ...]


class TimePosition(Struct, frozen=True):
    """A reader's position among the ticks, in the order they were recorded.

    Attributes:
        epoch: the name of the epoch. If the file does not have it, the reader still needs every tick after `time_ms`.
        time_ms: the time of the last tick that was read, POSIX milliseconds.
    """

    epoch: str
    time_ms: int


class RecordedTicks(Struct, frozen=True):
    """Consecutive ticks of one epoch, as they were recorded.

    Attributes:
        epoch: the name of the epoch.
        interval_ms: milliseconds between two ticks.
        ids: int64 [series], ascending; the chosen series, including those without a value.
        times: int64 [ticks], at least one, POSIX milliseconds, ascending.
        values: float64 [series, ticks]; NaN where there is no value.
    """

    epoch: str
    interval_ms: int
    ids: Integers
    times: Integers
    values: Floats
