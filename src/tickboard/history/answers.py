"""What is asked of history, and what it answers: plain data."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tickboard.expressions.alignment import Floats, Labels

Tier = Literal["raw", "minutes", "hours"]

Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Question:
    """A range of time, and how finely it is to be answered.

    Attributes:
        patterns: selectors, as in a subscription; empty: every series.
        start_ms: POSIX milliseconds, inclusive.
        end_ms: POSIX milliseconds, exclusive.
        points: the most buckets for each series that are wanted. An answer has two more at most, for the buckets that
            the ends of the range cut.
    """

    patterns: tuple[str, ...]
    start_ms: int
    end_ms: int
    points: int


@dataclass(frozen=True)
class Buckets:
    """One series over a range. A tick as it was recorded is a bucket of one.

    Attributes:
        name: the metric's.
        labels: the series' own.
        unit: the metric's.
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


@dataclass(frozen=True)
class Answer:
    """What history has of some series over a range.

    Attributes:
        start_ms, end_ms: the range that was asked for.
        resolution_ms: the length of a bucket; of raw ticks, the interval at which they were made.
        tier: what the buckets were made from; raw with ``resolution_ms`` of the interval: the ticks themselves.
        times: int64 [buckets]; when each begins, POSIX milliseconds, ascending. Where nothing at all was recorded there
            are no buckets: two times that lie further apart than `resolution_ms` have a gap between them.
        series: those that have a value in the range, by name and labels.
    """

    start_ms: int
    end_ms: int
    resolution_ms: int
    tier: Tier
    times: Integers
    series: tuple[Buckets, ...]
