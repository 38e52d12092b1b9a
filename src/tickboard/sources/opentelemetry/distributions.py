"""Distributions from the histograms of OTLP, explicit and exponential."""

from typing import Any

import numpy as np

from tickboard.errors import PayloadError
from tickboard.metrics.distribution import Distribution

MAX_BUCKETS = 10_000
"""The most buckets of one histogram."""


def explicit(point: Any) -> Distribution:
    """Return the distribution of a HistogramDataPoint.

    Raises:
        PayloadError: its bounds and counts don't match.
    """
    bounds, counts = list(point.explicit_bounds), list(point.bucket_counts)
    total = point.sum if point.HasField("sum") else np.nan
    lowest = point.min if point.HasField("min") else None
    highest = point.max if point.HasField("max") else None
    if not counts:
        # Only the number and the sum of the values are known.
        mean = total / point.count if point.count else 0.0
        return Distribution.explicit([], [point.count], total, either(lowest, mean), either(highest, mean))
    if len(counts) != len(bounds) + 1 or len(counts) > MAX_BUCKETS:
        raise PayloadError(
            f"a histogram has {len(bounds)} bounds and {len(counts)} counts: send one count more than bounds, "
            f"and {MAX_BUCKETS} at most"
        )
    if point.count and sum(counts) != point.count:
        raise PayloadError(f"a histogram's count is {point.count} and its buckets have {sum(counts)}: send the same")
    if not bounds:
        mean = total / point.count if point.count else 0.0
        return Distribution.explicit([], counts, total, either(lowest, mean), either(highest, mean))
    if sorted(bounds) != bounds or not np.isfinite(bounds).all():
        raise PayloadError(f"a histogram's bounds are not ascending: {bounds[:10]}")
    if counts[0] == 0:
        lowest = None
    if counts[-1] == 0:
        highest = None
    return Distribution.explicit(bounds, counts, total, lowest, highest)


def exponential(point: Any) -> Distribution:
    """Return the distribution of an ExponentialHistogramDataPoint.

    Raises:
        PayloadError: it has too many buckets.
    """
    sides = []
    for side in (point.positive, point.negative):
        if len(side.bucket_counts) > MAX_BUCKETS:
            raise PayloadError(f"a histogram has {len(side.bucket_counts)} buckets: send {MAX_BUCKETS} at most")
        sides.append([(side.offset + place, float(count)) for place, count in enumerate(side.bucket_counts)])
    held = sum(count for side in sides for _, count in side) + point.zero_count
    if point.count and held != point.count:
        raise PayloadError(f"a histogram's count is {point.count} and its buckets have {held:g}: send the same")
    if not 0 <= abs(point.zero_threshold) < np.inf:
        raise PayloadError(f"a histogram's zero_threshold is {point.zero_threshold}: send a finite number")
    total = point.sum if point.HasField("sum") else np.nan
    # Finer than any float64 needs, and coarse enough not to overflow.
    scale = min(max(point.scale, -11), 20)
    return Distribution.exponential(scale, sides[0], sides[1], point.zero_count, abs(point.zero_threshold), total)


def either(value: float | None, otherwise: float) -> float:
    return otherwise if value is None or np.isnan(value) else value
