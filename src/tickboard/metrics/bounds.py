"""Bounds: where the buckets of a heat map end.

Without declared bounds, a heat map uses those of the sender, as of a classic histogram. Single values, and
distributions with too many buckets or with different ones each time, are put into the buckets of a ladder: round
numbers, ten for each power of ten. If the values spread too far for that, a ladder with fewer steps replaces it. All
bounds of a coarser ladder are in the finer ones.
"""

from collections.abc import Iterable, Sequence
from math import inf, isfinite

import numpy as np

from tickboard.errors import InputError
from tickboard.metrics.distribution import Distribution, Floats

MAX_BUCKETS = 40
"""The most buckets of one series of a histogram. A heat map has room for about 20 rows."""

LINEAR_BUCKETS = 20
"""How many buckets of equal width a metric with declared ends has: those of a percentage are 5 % wide."""


def _ladder(steps: Sequence[float], powers: Iterable[int]) -> Floats:
    """Return round numbers, ascending, with zero and the same numbers below it."""
    up = [float(f"{step}e{power}") for power in powers for step in steps]
    return np.array([*(-bound for bound in reversed(up)), 0.0, *up])


LADDERS = (
    _ladder((1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8), range(-9, 16)),
    _ladder((1, 2, 5), range(-9, 16)),
    _ladder((1,), range(-9, 16)),
    _ladder((1,), range(-9, 16, 3)),
)
"""From the finest to the coarsest, which has fewer bounds than `MAX_BUCKETS`."""


def declared(bounds: Iterable[float], low: float | None, high: float | None) -> Floats | None:
    """Return the bounds that a heat map declares, ascending, the last one infinite; None: they follow the values.

    Args:
        bounds: as declared; none: equal steps from `low` to `high`, if both are known.
        low: the declared lower end of the metric's axis.
        high: the upper end.

    Raises:
        InputError: the bounds are no ascending numbers, or too many.
    """
    try:
        given = [float(bound) for bound in bounds]
    except (TypeError, ValueError) as error:
        raise InputError(f"bounds={bounds!r}: give numbers, as bounds=[10, 20, 50, 100]") from error
    if not given:
        if low is None or high is None or not low < high:
            return None
        given = np.linspace(low, high, LINEAR_BUCKETS + 1)[1:].tolist()
    inner = given[:-1] if given[-1] == inf else given
    if not inner or not all(isfinite(bound) for bound in inner) or any(np.diff(inner) <= 0):
        raise InputError(f"bounds={given}: give ascending numbers, as bounds=[10, 20, 50, 100]")
    if len(inner) >= MAX_BUCKETS:
        raise InputError(f"bounds=…: there are {len(inner)}: give {MAX_BUCKETS - 1} at most")
    return np.array([*inner, inf])


def sent(found: Distribution) -> Floats | None:
    """Return the bounds of a sender's own buckets, the last one infinite; None if they cannot be used as they are.

    Of too many buckets, neighbours are merged.
    """
    if not found.is_adjacent:
        return None
    bounds = found.high[:-1]
    every = -(-(len(bounds) + 1) // MAX_BUCKETS)
    return np.append(bounds[::-1][::every][::-1], inf)


def grown(bounds: Floats, level: int, found: Distribution) -> tuple[Floats, int]:
    """Return bounds from a ladder that have a bucket for all values.

    Args:
        bounds: the bounds so far.
        level: the index of their ladder.
        found: the values.

    Returns:
        The bounds, `MAX_BUCKETS` at most, and the index of their ladder.
    """
    wanted = np.union1d(bounds, _around(found, LADDERS[level]))
    while len(wanted) > MAX_BUCKETS:
        level += 1
        wanted = np.union1d(_onto(bounds, LADDERS[level]), _around(found, LADDERS[level]))
    return wanted, level


def _around(found: Distribution, ladder: Floats) -> Floats:
    """Return the ends of the ladder's buckets that have values; infinity above the last bound."""
    some = found.counts > 0
    low, high = found.low[some], found.high[some]
    # A value that equals a bound belongs to the bucket below the bound.
    below = np.where(low == high, np.searchsorted(ladder, low, "left"), np.searchsorted(ladder, low, "right")) - 1
    ends = np.append(ladder, inf)
    return np.unique(np.concatenate([ends[below[below >= 0]], ends[np.searchsorted(ladder, high, "left")]]))


def _onto(bounds: Floats, ladder: Floats) -> Floats:
    """Return the bounds of a coarser ladder on both sides of each bound."""
    ends = np.append(ladder, inf)
    below = np.searchsorted(ends, bounds, "right") - 1
    return np.union1d(ends[below[below >= 0]], ends[np.searchsorted(ends, bounds, "left")])


def text_of(bound: float) -> str:
    """Return a bound as the value of the label ``le``: ``0.25``, ``+Inf``."""
    return "+Inf" if bound == inf else repr(bound).removesuffix(".0")


def bound_of(text: str) -> float | None:
    """Return the bound that a value of the label ``le`` stands for; None if it is no number."""
    try:
        bound = float(text)
    except ValueError:
        return None
    return None if np.isnan(bound) else bound
