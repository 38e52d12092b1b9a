"""Distributions: counts in buckets, as Prometheus and OpenTelemetry send them, and their mean and percentiles.

Values are assumed to be spread evenly within a bucket, as in Prometheus' ``histogram_quantile``. Senders may use
different bounds: where their buckets overlap, the shares add up.
"""

from collections.abc import Sequence

import numpy as np
from msgspec import Struct
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


class Distribution(Struct, frozen=True, eq=False):
    """How many values lie in each bucket.

    Attributes:
        low: float64 [buckets], the lower end of each.
        high: float64 [buckets], the upper end; equal to the lower one if all values in the bucket are equal.
        counts: float64 [buckets], the number of values.
        sum: the sum of all values; NaN if the sender doesn't know it.
    """

    low: Floats
    high: Floats
    counts: Floats
    sum: float

    @classmethod
    def explicit(
        cls,
        bounds: ArrayLike,
        counts: ArrayLike,
        sum: float,
        lowest: float | None = None,
        highest: float | None = None,
    ) -> "Distribution":
        """Return a distribution over adjacent buckets.

        Args:
            bounds: [n], the upper ends, ascending, without the infinite one.
            counts: [n + 1], the last one above all bounds.
            sum: the sum of all values.
            lowest: the smallest value; if unknown, 0 or the first bound, whichever is lower.
            highest: the largest value; if unknown, the last bound.
        """
        inner = np.asarray(bounds, np.float64)
        first = inner[0] if len(inner) else 0.0
        last = inner[-1] if len(inner) else 0.0
        bottom = min(0.0, float(first)) if lowest is None else min(lowest, float(first) if len(inner) else lowest)
        top = float(last) if highest is None else max(highest, float(last) if len(inner) else highest)
        return cls(
            np.concatenate([[bottom], inner]),
            np.concatenate([inner, [top]]),
            np.asarray(counts, np.float64),
            sum,
        )

    @classmethod
    def exponential(
        cls,
        scale: int,
        positive: Sequence[tuple[int, float]],
        negative: Sequence[tuple[int, float]],
        zero_count: float,
        zero_threshold: float,
        sum: float,
    ) -> "Distribution":
        """Return a distribution over buckets whose ends grow by the factor 2^(2^-scale).

        Args:
            scale: as in OpenTelemetry's data model; Prometheus calls it the schema.
            positive: index and count of each bucket; the one with index 0 begins at 1.
            negative: the same for the values below zero.
            zero_count: the number of values around zero.
            zero_threshold: their largest distance from zero.
            sum: the sum of all values.
        """
        limit = np.finfo(np.float64).max
        with np.errstate(over="ignore"):
            exponent = np.exp2(-float(scale))
            # Ascending, as all buckets must be.
            negative = sorted(negative, reverse=True)
            up = np.array([index for index, _ in positive], np.float64)
            down = np.array([index for index, _ in negative], np.float64)
            low = np.concatenate([-np.exp2((down + 1) * exponent), [-zero_threshold], np.exp2(up * exponent)])
            high = np.concatenate([-np.exp2(down * exponent), [zero_threshold], np.exp2((up + 1) * exponent)])
        counts = np.array(
            [*(count for _, count in negative), zero_count, *(count for _, count in positive)], np.float64
        )
        return cls(low.clip(-limit, limit), high.clip(-limit, limit), np.maximum(np.nan_to_num(counts), 0.0), sum)

    @classmethod
    def of(cls, values: Sequence[float], count: int | None = None) -> "Distribution":
        """Return the distribution of single values; of `count` values if these are a sample of so many."""
        points = np.asarray(values, np.float64)
        weight = 1.0 if count is None or not len(points) else count / len(points)
        return cls(points, points, np.full(len(points), weight), float(points.sum()) * weight)

    @property
    def count(self) -> float:
        """The number of values."""
        return float(self.counts.sum())

    @property
    def mean(self) -> float:
        """The mean: from the sum if it is known, else from the buckets' midpoints; NaN if there are no values."""
        if not (count := self.count):
            return np.nan
        total = float((self.counts * (self.low + self.high) / 2).sum()) if np.isnan(self.sum) else self.sum
        return total / count

    @property
    def is_adjacent(self) -> bool:
        """Whether each bucket begins where the one before it ends, as in `explicit`, so that the last has no end."""
        low, high = self.low, self.high
        return len(low) > 1 and bool((low[1:] == high[:-1]).all() and (low[:-1] < high[:-1]).all())

    def in_buckets(self, bounds: Floats) -> Floats:
        """Return how many values lie in other buckets, float64 [bounds].

        Args:
            bounds: the upper ends, ascending, at least one. A value that equals a bound is in the bucket below it, and
                one above all bounds in the last bucket.
        """
        low, high, counts = self._ends()
        some = counts > 0
        flat = some & (low == high)
        places = np.searchsorted(bounds, high[flat], "left").clip(max=len(bounds) - 1)
        found = np.bincount(places, counts[flat], len(bounds)).astype(np.float64)
        wide = some & (low < high)
        if wide.any():
            _, up_to = _below(bounds[:-1], low[wide], high[wide], counts[wide])
            found += np.diff(up_to, prepend=0.0, append=counts[wide].sum())
        return np.maximum(found, 0.0)

    def _ends(self) -> tuple[Floats, Floats, Floats]:
        """Return the buckets' ends and counts; values above the last bound of their sender are just above it."""
        low, high = self.low, self.high
        if self.is_adjacent and low[-1] == high[-1]:
            above = np.nextafter(low[-1], np.inf)
            low, high = np.append(low[:-1], above), np.append(high[:-1], above)
        return low, high, self.counts

    def percentiles(self, percents: Sequence[float]) -> Floats:
        """Return percentiles, float64 [percents]; NaN if there are no values."""
        some = self.counts > 0
        low, high, counts = self.low[some], self.high[some], self.counts[some]
        if not len(counts):
            return np.full(len(percents), np.nan)
        edges = np.unique(np.concatenate([low, high]))
        ranks = np.asarray(percents, np.float64) / 100.0 * counts.sum()
        # Bisect for each rank's first edge with enough values at or below it: comparing all edges with all buckets
        # would be too slow with thousands of both.
        first, last = np.zeros(len(ranks), np.intp), np.full(len(ranks), len(edges) - 1)
        while (first < last).any():
            middle = (first + last) // 2
            _, up_to = _below(edges[middle], low, high, counts)
            enough = (up_to >= ranks) | (first == last)
            first, last = np.where(enough, first, middle + 1), np.where(enough, middle, last)
        below, _ = _below(edges[first], low, high, counts)
        before = edges[np.maximum(first - 1, 0)]
        _, up_to = _below(before, low, high, counts)
        rise = below - up_to
        # Values are spread evenly between two edges; at an edge there may be many equal ones.
        within = (ranks < below) & (rise > 0)
        share = np.where(within, (ranks - up_to) / np.where(rise > 0, rise, 1.0), 1.0).clip(0.0, 1.0)
        found: Floats = before * (1.0 - share) + edges[first] * share
        return found

    def coarser(self, most: int) -> "Distribution":
        """Return the same values in at most `most` buckets, by merging adjacent ones."""
        if len(self.counts) <= most:
            return self
        order = np.argsort(self.low, kind="stable")
        starts = np.arange(most) * len(order) // most
        low, high, counts = self.low[order], self.high[order], self.counts[order]
        return Distribution(
            np.minimum.reduceat(low, starts),
            np.maximum.reduceat(high, starts),
            np.add.reduceat(counts, starts),
            self.sum,
        )


def _below(at: Floats, low: Floats, high: Floats, counts: Floats) -> tuple[Floats, Floats]:
    """Return how many values lie below each point, and how many at or below it; both float64 [points]."""
    with np.errstate(over="ignore"):
        width = high - low
        flat = width == 0
        # The two differ only for buckets of equal values.
        inside = np.clip((at[:, None] - low) / np.where(flat, 1.0, width), 0.0, 1.0)
    below: Floats = np.where(flat, at[:, None] > low, inside) @ counts
    up_to: Floats = np.where(flat, at[:, None] >= low, inside) @ counts
    return below, up_to


def merged(distributions: Sequence[Distribution]) -> Distribution:
    """Return one distribution of all values of one or more distributions."""
    first, *others = distributions
    if all(_same(one, first) for one in others):
        low, high, counts = first.low, first.high, np.sum([one.counts for one in distributions], axis=0)
    else:
        ends = [one._ends() for one in distributions]  # noqa: SLF001
        low, high, counts = (np.concatenate(part) for part in zip(*ends, strict=True))
    return Distribution(low, high, counts, sum(one.sum for one in distributions))


def difference(now: Distribution, before: Distribution) -> Distribution:
    """Return the values that `now` has beyond `before`, both counted since the same start.

    If `now` has fewer, counting has restarted, and the result is `now`. If the buckets have changed, as those of an
    exponential histogram do when it becomes coarser, each old bucket is subtracted from the one that contains its
    midpoint.
    """
    if now.count < before.count:
        return now
    if _same(now, before):
        counts = now.counts - before.counts
        if (counts < 0).any():
            return now
    else:
        places = np.searchsorted(now.high, (before.low + before.high) / 2).clip(max=len(now.high) - 1)
        counts = np.maximum(now.counts - np.bincount(places, before.counts, len(now.counts)), 0.0)
    return Distribution(now.low, now.high, counts, now.sum - before.sum)


def _same(one: Distribution, other: Distribution) -> bool:
    """Return whether two distributions have the same buckets."""
    if one.low is other.low and one.high is other.high:
        return True
    return np.array_equal(one.low, other.low) and np.array_equal(one.high, other.high)
