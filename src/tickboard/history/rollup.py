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
        with np.errstate(invalid="ignore", divide="ignore"):
            return self.sum / np.where(self.count > 0, self.count, np.nan)

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
    present = ~np.isnan(values)
    if present.all():
        lengths = np.diff(edges, append=len(times)).astype(np.float64)
        return Rolled(
            starts,
            reduce_buckets(np.minimum, values, edges),
            reduce_buckets(np.maximum, values, edges),
            reduce_buckets(np.add, values, edges),
            np.broadcast_to(lengths, (len(values), len(edges))),
        )
    return Rolled(
        starts,
        reduce_buckets(np.fmin, values, edges),
        reduce_buckets(np.fmax, values, edges),
        reduce_buckets(np.add, np.where(present, values, 0.0), edges),
        reduce_buckets(np.add, present.astype(np.float64), edges),
    )


def roll(entries: Rolled, length_ms: int) -> Rolled:
    """Roll buckets up into longer ones; `entries` has at least one."""
    starts, edges = buckets(entries.times, length_ms)
    return Rolled(
        starts,
        reduce_buckets(np.fmin, entries.min, edges),
        reduce_buckets(np.fmax, entries.max, edges),
        reduce_buckets(np.add, entries.sum, edges),
        reduce_buckets(np.add, entries.count, edges),
    )


def buckets(times: Integers, length_ms: int) -> tuple[Integers, NDArray[np.intp]]:
    """Return the start of each bucket that has an entry, and the index of its first entry."""
    numbers = times // length_ms
    edges = np.concatenate([_FIRST, np.flatnonzero(numbers[1:] != numbers[:-1]) + 1])
    return numbers[edges] * length_ms, edges


def reduce_buckets(combine: np.ufunc, values: Floats, edges: NDArray[np.intp]) -> Floats:
    """Return one value for each bucket, as ``combine.reduceat(values, edges, axis=1)`` does.

    If buckets are short and of one length, which they nearly always are, this takes a fraction of the time.
    """
    lengths = np.diff(edges, append=values.shape[1])
    length = int(lengths[0])
    if length > _SHORT or (lengths[:-1] != length).any() or lengths[-1] > length:
        reduced: Floats = combine.reduceat(values, edges, axis=1)
        return reduced
    reduced = values[:, ::length].copy()
    # The last bucket may be shorter.
    for place in range(1, length):
        others = values[:, place::length]
        combine(reduced[:, : others.shape[1]], others, out=reduced[:, : others.shape[1]])
    return reduced


_SHORT = 6
"""The longest bucket, in entries, whose entries are combined one after the other."""

_FIRST = np.zeros(1, np.intp)
