"""Answers of history for tests."""

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from tickboard.expressions.alignment import Floats, Labels
from tickboard.history.answers import Answer, Buckets, Integers, Tier

TIERS: tuple[Tier, ...] = ("raw", "minutes", "hours")

START_MS = 1_769_860_800_000
"""2026-01-31T12:00:00Z."""

LOW, HIGH = -1e300, 1e300


def buckets(name: str, values: Floats, labels: Labels = (), unit: str = "", *, many: int = 1) -> Buckets:
    """Return a series whose buckets have `many` values each, or none where `values` has NaN."""
    count = np.where(np.isnan(values), 0, many).astype(np.int64)
    spread = many - 1
    return Buckets(name, labels, unit, values - spread, values + spread, values, count)


def answer(*series: Buckets, resolution_ms: int = 1_000, tier: Tier = "raw") -> Answer:
    """Return an answer with consecutive buckets from `START_MS` on."""
    length = len(series[0].count) if series else 0
    times = START_MS + resolution_ms * np.arange(length)
    return Answer(START_MS, START_MS + resolution_ms * length + 1, resolution_ms, tier, times, series)


@st.composite
def answers(draw: st.DrawFn) -> Answer:
    """Generate answers of every kind."""
    at = draw(st.lists(st.integers(0, 4 * 10**12), unique=True, max_size=30).map(sorted))
    labels = st.dictionaries(st.sampled_from("abc"), st.text(max_size=4), max_size=2)
    keys = draw(
        st.lists(st.tuples(st.text('ab._ø", \n', min_size=1, max_size=8), labels), max_size=5)
        .map(lambda pairs: {(name, tuple(sorted(labels.items()))) for name, labels in pairs})
        .map(sorted)
    )
    series = tuple(_series(draw, len(at), name, labels) for name, labels in keys)
    start, end = sorted(draw(st.tuples(st.integers(0, 10**13), st.integers(0, 10**13))))
    return Answer(
        start, end, draw(st.integers(0, 10**11)), draw(st.sampled_from(TIERS)), np.array(at, dtype=np.int64), series
    )


def _series(draw: st.DrawFn, length: int, name: str, labels: Labels) -> Buckets:
    most = draw(st.sampled_from([1, 1, 10**6]))
    count: Integers = draw(arrays.arrays(np.int64, length, elements=st.integers(0, most)))
    values = draw(arrays.arrays(np.float64, (3, length), elements=st.floats(LOW, HIGH)))
    low, mean, high = np.sort(values, axis=0)
    if most == 1:
        low = high = mean
    low, mean, high = (np.where(count > 0, column, np.nan) for column in (low, mean, high))
    return Buckets(name, labels, draw(st.text(max_size=4)), low, high, mean, count)
