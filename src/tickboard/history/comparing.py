"""Comparing: how much the distribution of each series differs between two ranges.

It takes two arrays of values and returns scores. It knows no times, names or files. docs/what-changed.md defines the
score and names its sources.
"""

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from tickboard.expressions.alignment import Floats

MIN_VALUES = 5
"""The fewest values in a range. With fewer, two ranges differ by chance more often than once in 100."""

ALIKE = 1e-3
"""A series is unchanged if all its values differ by at most this part of the largest one."""

CRITICAL = 1.63
"""The scaled distance that one of 100 pairs of ranges reaches by chance."""

DEVIATION = 1.4826
"""The standard deviation of a normal distribution, in median absolute deviations."""

LEAST_DEVIATION = 0.01
"""The smallest robust deviation, as a part of the larger median: it is used for series that were constant."""

HALFWAY = 3.0
"""A shift by this many robust deviations counts half as much as an infinite one."""

ONE_RANGE = 0.75
"""The score of a series that has values in one range only: no value in common, and a shift that counts half."""

_BATCH_VALUES = 200_000
"""How many values are compared at a time: they fit into a processor's cache."""

_FRACTION_BITS = 16
"""How many bits of the fraction are compared. Blocks keep no more of most values, while rows keep all."""

_SHIFT = 52 - _FRACTION_BITS

_NO_VALUE = 2**29
"""The key of a missing value: larger than that of any value."""


class Compared(Struct, frozen=True):
    """The result for some series.

    Attributes:
        score: float64 [series]; 0 unchanged, at most 1; NaN if there are too few values.
        before, after: float64 [series]; the average in each range; NaN if there is no value.
    """

    score: Floats
    before: Floats
    after: Floats


def compare(before: Floats, after: Floats) -> Compared:
    """Compare two ranges.

    Args:
        before: float64 [series, values]; NaN where there is no value.
        after: the same for the other range, which may have another number of values.
    """
    counts = [np.count_nonzero(~np.isnan(values), axis=1) for values in (before, after)]
    fewer, more = np.minimum(*counts), np.maximum(*counts)
    score = np.full(len(before), np.nan)
    score[fewer >= MIN_VALUES] = 0.0
    if min(before.shape[1], after.shape[1]) >= MIN_VALUES:
        score[(fewer == 0) & (more >= MIN_VALUES)] = ONE_RANGE
    places = np.flatnonzero((fewer >= MIN_VALUES) & ~_alike(before, after))
    step = max(1, _BATCH_VALUES // max(1, before.shape[1] + after.shape[1]))
    for start in range(0, len(places), step):
        some = places[start : start + step]
        score[some] = _scores(before[some], after[some])
    return Compared(score, _averages(before, counts[0]), _averages(after, counts[1]))


def distance(before: Floats, after: Floats) -> Floats:
    """Return the two-sample Kolmogorov-Smirnov statistic of each series.

    It is the largest difference, over all numbers, between the shares of values up to that number. Values that differ
    by less than a 100,000th are equal.

    Args:
        before: float64 [series, values] with at least one value each; NaN where there is no value.
        after: the same for the other range.

    Returns:
        float64 [series], 0 to 1.
    """
    # Sort both ranges together; the last bit of each number is the number of its range.
    keys = np.concatenate([_keys(before) * 2, _keys(after) * 2 + 1], axis=1)
    keys.sort(axis=1)
    ours, theirs = (np.count_nonzero(~np.isnan(values), axis=1)[:, None] for values in (before, after))
    apart = np.abs(np.cumsum(np.where(keys & 1, -ours, theirs), axis=1))[:, :-1]
    # Equal values count together, and so do missing ones, which come last.
    apart[keys[:, 1:] >> 1 == keys[:, :-1] >> 1] = 0
    largest: Floats = apart.max(axis=1, initial=0) / (ours * theirs)[:, 0]
    return largest


def _scores(before: Floats, after: Floats) -> Floats:
    """Return the scores of series that have enough values, float64 [series]."""
    found = np.zeros(len(before))
    distances = distance(before, after)
    ours, theirs = (np.count_nonzero(~np.isnan(values), axis=1) for values in (before, after))
    root = np.sqrt(ours * theirs / (ours + theirs))
    # Stephens' correction for few values.
    clear = np.flatnonzero((root + 0.12 + 0.11 / root) * distances >= CRITICAL)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        shifts = _shifts(before[clear], ours[clear], after[clear], theirs[clear])
        # Without any deviation or shift it is 0.
        shares = np.nan_to_num(1 / (1 + HALFWAY / shifts))
    found[clear] = distances[clear] * (1 + shares) / 2
    return found


def _shifts(before: Floats, ours: NDArray[np.intp], after: Floats, theirs: NDArray[np.intp]) -> Floats:
    """Return the shift of the median in robust deviations of `before`, float64 [series]."""
    ordered = np.sort(before, axis=1)
    old, new = _middles(ordered, ours), _middles(np.sort(after, axis=1), theirs)
    deviations = DEVIATION * _middles(np.sort(np.abs(ordered - old[:, None]), axis=1), ours)
    least = LEAST_DEVIATION * np.maximum(np.abs(old), np.abs(new))
    shifts: Floats = np.abs(new - old) / np.maximum(deviations, least)
    return shifts


def _middles(ordered: Floats, counts: NDArray[np.intp]) -> Floats:
    """Return the medians of sorted rows, in which NaN comes last."""
    around = np.stack([(counts - 1) // 2, counts // 2], axis=1)
    middles: Floats = (np.take_along_axis(ordered, around, axis=1) / 2).sum(axis=1)
    return middles


def _alike(before: Floats, after: Floats) -> NDArray[np.bool_]:
    """Return which series have nearly the same value all the time, bool [series]."""
    low = np.fmin(*(np.fmin.reduce(values, axis=1, initial=np.nan) for values in (before, after)))
    high = np.fmax(*(np.fmax.reduce(values, axis=1, initial=np.nan) for values in (before, after)))
    with np.errstate(over="ignore"):
        alike: NDArray[np.bool_] = high - low <= ALIKE * np.maximum(np.abs(low), np.abs(high))
    return alike


def _averages(values: Floats, counts: NDArray[np.intp]) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        averages: Floats = np.where(np.isnan(values), 0.0, values).sum(axis=1) / counts
    return averages


def _keys(values: Floats) -> "NDArray[np.int32]":
    """Return whole numbers in the order of the values: their leading bits, rounded."""
    patterns = np.abs(values).view(np.int64)
    sizes = ((patterns + (1 << (_SHIFT - 1))) >> _SHIFT).astype(np.int32)
    keys: NDArray[np.int32] = np.where(np.signbit(values), -sizes, sizes)
    keys[np.isnan(values)] = _NO_VALUE
    return keys
