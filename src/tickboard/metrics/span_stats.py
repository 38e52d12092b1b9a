"""Stats over a span of ticks, computed from its rows on demand. `tickboard.metrics.stats` keeps the running ones.

Each function takes rows, float64 [ticks, series] with NaN for a missing value, and the ticks' times, float64 [ticks] in
POSIX seconds, and returns float64 [series], NaN where there is no result.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from tickboard.expressions.alignment import Floats

PERCENTILES = {"p50": 50.0, "p95": 95.0, "p99": 99.0}

FEWEST = 10
"""How many values a series needs before it has an anomaly score."""

_MAD_TO_SIGMA, _MEAN_TO_SIGMA = 1.4826, 1.2533
"""The factors from the median and the mean distance to the median to the standard deviation of a normal
distribution."""


def avg(rows: Floats, times: Floats) -> Floats:
    """Return the mean."""
    count = _counted(rows)
    return _divided(np.where(np.isnan(rows), 0.0, rows).sum(axis=0), count)


def stddev(rows: Floats, times: Floats) -> Floats:
    """Return the standard deviation of the population, in two passes."""
    return np.sqrt(avg((rows - avg(rows, times)) ** 2, times))


def lowest(rows: Floats, times: Floats) -> Floats:
    """Return the minimum."""
    return _finite(np.where(np.isnan(rows), np.inf, rows).min(axis=0, initial=np.inf))


def highest(rows: Floats, times: Floats) -> Floats:
    """Return the maximum."""
    return _finite(np.where(np.isnan(rows), -np.inf, rows).max(axis=0, initial=-np.inf))


def count(rows: Floats, times: Floats) -> Floats:
    """Return how many ticks have a value."""
    return _counted(rows).astype(np.float64)


def last(rows: Floats, times: Floats) -> Floats:
    """Return the newest value."""
    return _ends(rows, times)[1][1]


def change(rows: Floats, times: Floats) -> Floats:
    """Return the newest value minus the oldest; NaN if there is only one."""
    (began, first), (ended, newest) = _ends(rows, times)
    return np.where(ended > began, newest - first, np.nan)


def rate(rows: Floats, times: Floats) -> Floats:
    """Return the change per second between the oldest value and the newest."""
    (began, first), (ended, newest) = _ends(rows, times)
    return _divided(newest - first, ended - began)


def anomaly_score(rows: Floats, times: Floats) -> Floats:
    """Return how far the newest tick's value is from the median, in robust deviations; see `conditions.anomaly`."""
    if not len(rows):
        return np.full(rows.shape[1], np.nan)
    distances = np.abs(rows - median(rows))
    deviation = _MAD_TO_SIGMA * median(distances)
    same = deviation == 0
    deviation[same] = _MEAN_TO_SIGMA * avg(distances[:, same], times)
    newest = distances[-1]
    found = _divided(newest, deviation)
    # If all values are the same, the deviation is 0, and so is the score.
    found[(deviation == 0) & (newest == 0)] = 0.0
    found[_counted(rows) < FEWEST] = np.nan
    return found


def median(rows: Floats) -> Floats:
    """Return the median."""
    found: Floats = percentiles(rows, [50.0])[0]
    return found


def percentiles(rows: Floats, percents: list[float]) -> Floats:
    """Return percentiles, float64 [percents, series], by linear interpolation like numpy's default."""
    ordered = np.sort(rows, axis=0)  # NaN comes last
    result = np.full((len(percents), rows.shape[1]), np.nan)
    counted = _counted(ordered)
    some = np.flatnonzero(counted)
    for place, percent in enumerate(percents):
        rank = (counted[some] - 1) * (percent / 100.0)
        below = np.floor(rank).astype(np.intp)
        above = np.ceil(rank).astype(np.intp)
        low, high = ordered[below, some], ordered[above, some]
        result[place, some] = low + (high - low) * (rank - below)
    return result


def _percentile(percent: float) -> Callable[[Floats, Floats], Floats]:
    def of(rows: Floats, times: Floats) -> Floats:
        found: Floats = percentiles(rows, [percent])[0]
        return found

    return of


SPAN_STATS: dict[str, Callable[[Floats, Floats], Floats]] = {
    "last": last,
    "avg": avg,
    "min": lowest,
    "max": highest,
    "count": count,
    "stddev": stddev,
    "change": change,
    "rate": rate,
    "anomaly": anomaly_score,
} | {name: _percentile(percent) for name, percent in PERCENTILES.items()}
"""Each stat by its name in a condition."""


def _counted(rows: Floats) -> NDArray[np.intp]:
    counted: NDArray[np.intp] = np.count_nonzero(~np.isnan(rows), axis=0)
    return counted


def _ends(rows: Floats, times: Floats) -> tuple[tuple[Floats, Floats], tuple[Floats, Floats]]:
    """Return the times and values of each series' oldest and newest value; NaN if it has none."""
    if not len(rows):
        nothing = np.full(rows.shape[1], np.nan)
        return (nothing, nothing), (nothing, nothing)
    known = ~np.isnan(rows)
    some = known.any(axis=0)
    series = np.arange(rows.shape[1])
    first, newest = known.argmax(axis=0), len(rows) - 1 - known[::-1].argmax(axis=0)
    return (
        (np.where(some, times[first], np.nan), rows[first, series]),
        (np.where(some, times[newest], np.nan), rows[newest, series]),
    )


def _divided(values: Floats, by: Floats | NDArray[np.intp]) -> Floats:
    found: Floats = np.full(values.shape, np.nan)
    np.divide(values, by, out=found, where=by > 0)
    return found


def _finite(values: Floats) -> Floats:
    return np.where(np.isinf(values), np.nan, values)
