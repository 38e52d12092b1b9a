"""Each stat of a span is compared with a plain implementation, one series at a time."""

import math
import statistics

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tickboard.metrics.span_stats import FEWEST, SPAN_STATS, percentiles

VALUES = st.one_of(st.floats(-1e6, 1e6), st.just(math.nan))
ROWS = st.lists(st.tuples(VALUES, VALUES), max_size=30)


def plain(stat: str, column: list[float]) -> float | None:
    """Compute a stat in the obvious way. Return None if it has no value."""
    known = [(time, value) for time, value in enumerate(column) if not math.isnan(value)]
    values = [value for _, value in known]
    if stat == "count":
        return float(len(values))
    if not values:
        return None
    seconds = known[-1][0] - known[0][0]
    match stat:
        case "last":
            return values[-1]
        case "avg":
            return statistics.fmean(values)
        case "min" | "max":
            return min(values) if stat == "min" else max(values)
        case "stddev":
            return statistics.pstdev(values)
        case "change":
            return values[-1] - values[0] if seconds else None
        case "rate":
            return (values[-1] - values[0]) / seconds if seconds else None
        case "p50" | "p95" | "p99":
            return float(np.percentile(values, float(stat[1:])))
    return plain_anomaly(column, values)


def plain_anomaly(column: list[float], values: list[float]) -> float | None:
    if math.isnan(column[-1]) or len(values) < FEWEST:
        return None
    center = statistics.median(values)
    distances = [abs(value - center) for value in values]
    deviation = 1.4826 * statistics.median(distances) or 1.2533 * statistics.fmean(distances)
    return distances[-1] / deviation if deviation else 0.0


def test_every_stat_has_a_plain_implementation() -> None:
    assert all(plain(stat, [float(number) for number in range(12)]) is not None for stat in SPAN_STATS)


@pytest.mark.parametrize("stat", SPAN_STATS)
@given(rows=ROWS)
def test_a_stat_equals_its_plain_implementation(stat: str, rows: list[tuple[float, float]]) -> None:
    if stat == "anomaly":
        # It divides by the spread of the values: if that is almost zero, the quotient is only rounding error.
        rows = [(round(first, 3), round(second, 3)) for first, second in rows]
    table = np.array(rows, np.float64).reshape(-1, 2)
    found = SPAN_STATS[stat](table, np.arange(float(len(rows)))).tolist()
    for column in (0, 1):
        expected = plain(stat, [row[column] for row in rows])
        # Subtracting values of a million loses anything smaller than this.
        wanted = math.nan if expected is None else pytest.approx(expected, rel=1e-6, abs=1e-4)
        assert math.isnan(found[column]) if expected is None else found[column] == wanted


def test_the_anomaly_of_an_outlier_is_large_and_of_an_ordinary_value_small() -> None:
    ordinary = np.array([10.0, 11, 9, 10, 12, 8, 10, 11, 9, 10])[:, None]
    times = np.arange(11.0)
    outlier = SPAN_STATS["anomaly"](np.vstack([ordinary, [[30.0]]]), times)
    common = SPAN_STATS["anomaly"](np.vstack([ordinary, [[10.5]]]), times)
    assert outlier[0] == pytest.approx(20 / 1.4826)
    assert common[0] < 1


def test_a_change_of_a_constant_value_is_an_anomaly() -> None:
    rows = np.full((20, 1), 5.0)
    assert SPAN_STATS["anomaly"](rows, np.arange(20.0))[0] == 0
    rows[-1] = 6
    assert SPAN_STATS["anomaly"](rows, np.arange(20.0))[0] == pytest.approx(20 / 1.2533)


def test_percentiles_of_no_ticks_are_nan() -> None:
    assert np.isnan(percentiles(np.empty((0, 3)), [50.0, 99.0])).all()
