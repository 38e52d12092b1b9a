"""Rollups: min, max, sum and count of every series over buckets of entries.

Entries are ticks, or buckets of a finer tier. Each series is a row of the arrays, so its values are contiguous in
memory. This module knows only arrays.
"""

from collections.abc import Sequence

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from tickboard.expressions.alignment import Floats
from tickboard.history.answers import Integers


class Rolled(Struct, frozen=True):
    """Buckets of some series.

    Attributes:
        times: int64 [entries], when each bucket starts, ascending.
        min, max: float64 [series, entries]; NaN where there is no value.
        sum: float64 [series, entries]; 0 where there is no value.
        count: float64 [series, entries]; the ticks that have a value.
    """

    times: Integers
    min: Floats
    max: Floats
    sum: Floats
    count: Floats

    @property
    def avg(self) -> Floats:
        """float64 [series, entries]; NaN where there is no value."""
        if np.count_nonzero(self.count) == self.count.size:
            return self.sum / self.count
        with np.errstate(invalid="ignore", divide="ignore"):
            return self.sum / np.where(self.count > 0, self.count, np.nan)

    def between(self, first: int, last: int) -> "Rolled":
        """Return the entries from an index to another, whose end is exclusive."""
        if last - first == len(self.times):
            return self
        there = slice(first, last)
        return Rolled(
            self.times[there], self.min[:, there], self.max[:, there], self.sum[:, there], self.count[:, there]
        )

    def take(self, kept: NDArray[np.bool_]) -> "Rolled":
        """Return some of the entries."""
        if kept.all():
            return self
        return Rolled(self.times[kept], self.min[:, kept], self.max[:, kept], self.sum[:, kept], self.count[:, kept])


def join(parts: Sequence[Rolled]) -> Rolled:
    """Concatenate entries; there is at least one part."""
    if len(parts) == 1:
        return parts[0]
    return Rolled(
        np.concatenate([part.times for part in parts]),
        np.concatenate([part.min for part in parts], axis=1),
        np.concatenate([part.max for part in parts], axis=1),
        np.concatenate([part.sum for part in parts], axis=1),
        np.concatenate([part.count for part in parts], axis=1),
    )


def roll_ticks(times: Integers, values: Floats, length_ms: int) -> Rolled:
    """Roll ticks up into buckets.

    Args:
        times: int64 [ticks], POSIX milliseconds, ascending, at least one.
        values: float64 [series, ticks]; NaN where there is no value.
        length_ms: the length of a bucket; buckets start at its multiples.
    """
    starts, edges = buckets(times, length_ms)
    length = short_length(edges, values.shape)
    missing = np.isnan(values)
    if not np.count_nonzero(missing):
        count = np.empty((len(values), len(edges)))
        count[:, :-1] = edges[1:] - edges[:-1]
        count[:, -1] = len(times) - edges[-1]
        return Rolled(
            starts,
            reduce_buckets(np.minimum, values, edges, length),
            reduce_buckets(np.maximum, values, edges, length),
            reduce_buckets(np.add, values, edges, length),
            count,
        )
    return Rolled(
        starts,
        reduce_buckets(np.fmin, values, edges, length),
        reduce_buckets(np.fmax, values, edges, length),
        reduce_buckets(np.add, np.where(missing, 0.0, values), edges, length),
        reduce_buckets(np.add, (~missing).astype(np.float64), edges, length),
    )


def roll(entries: Rolled, length_ms: int) -> Rolled:
    """Roll buckets up into longer ones; `entries` has at least one."""
    starts, edges = buckets(entries.times, length_ms)
    length = short_length(edges, entries.sum.shape)
    return Rolled(
        starts,
        reduce_buckets(np.fmin, entries.min, edges, length),
        reduce_buckets(np.fmax, entries.max, edges, length),
        reduce_buckets(np.add, entries.sum, edges, length),
        reduce_buckets(np.add, entries.count, edges, length),
    )


def buckets(times: Integers, length_ms: int) -> tuple[Integers, NDArray[np.intp]]:
    """Return the start of each bucket that has an entry, and the index of its first entry."""
    numbers = times // length_ms
    edges = np.concatenate([_FIRST, (numbers[1:] != numbers[:-1]).nonzero()[0] + 1])
    return numbers[edges] * length_ms, edges


def short_length(edges: NDArray[np.intp], shape: tuple[int, ...]) -> int:
    """Return the length of buckets that are many, short and of one length; 0 for others.

    Args:
        edges: the index of the first entry of each bucket.
        shape: how many series and how many entries there are. The last bucket may have fewer than the others.
    """
    series, entries = shape
    last = entries - int(edges[-1])
    length = int(edges[1]) if len(edges) > 1 else last
    if length > _SHORT or series * len(edges) < _MANY or last > length:
        return 0
    if np.count_nonzero(edges[1:] - edges[:-1] != length):
        return 0
    return length


def reduce_buckets(combine: np.ufunc, values: Floats, edges: NDArray[np.intp], length: int) -> Floats:
    """Return one value for each bucket, as ``combine.reduceat(values, edges, axis=1)`` does.

    Args:
        combine: the function.
        values: float64 [series, entries].
        edges: the index of the first entry of each bucket.
        length: the result of `short_length`. If there is one, this takes a fraction of the time.
    """
    if not length:
        reduced: Floats = combine.reduceat(values, edges, axis=1)
        return reduced
    reduced = values[:, ::length].copy()
    # The last bucket may be shorter.
    for place in range(1, length):
        others = values[:, place::length]
        combine(reduced[:, : others.shape[1]], others, out=reduced[:, : others.shape[1]])
    return reduced


_SHORT, _MANY = 12, 1_000
"""Entries of buckets are combined one after the other if a bucket has at most the first, and if all series together
have at least the second number of buckets. Otherwise `reduceat` is quicker."""

_FIRST = np.zeros(1, np.intp)
