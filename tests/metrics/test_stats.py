"""The stats in blocks equal those of the specification: filter by name, then sum, min, max and len."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tickboard.metrics.stats import WindowStats
from tickboard.metrics.window import Floats, Window

values = st.one_of(st.just(math.nan), st.floats(-1e6, 1e6), st.integers(-50, 50).map(float))


def naive(history: list[list[float]], capacity: int, column: int) -> list[float]:
    """Return the values of one series in the last ticks, as the filter of the specification does."""
    recent = [row[column] for row in history[-capacity:] if column < len(row)]
    return [value for value in recent if not math.isnan(value)]


def assert_same(stats: WindowStats, history: list[list[float]], capacity: int, width: int) -> None:
    for column in range(width):
        expected = naive(history, capacity, column)
        here = np.array([column])
        assert stats.read("count", here)[0] == len(expected)
        if not expected:
            for stat in ("avg", "min", "max", "last", "p50"):
                assert math.isnan(stats.read(stat, here)[0])
            continue
        assert stats.read("avg", here)[0] == pytest.approx(math.fsum(expected) / len(expected), rel=1e-12, abs=1e-9)
        assert stats.read("min", here)[0] == min(expected)
        assert stats.read("max", here)[0] == max(expected)
        assert stats.read("last", here)[0] == expected[-1]


@given(
    capacity=st.integers(1, 20),
    history=st.lists(st.lists(values, min_size=3, max_size=3), min_size=1, max_size=70),
    read_every=st.integers(1, 7),
)
def test_all_stats_equal_the_naive_implementation_whenever_they_are_read(
    capacity: int, history: list[list[float]], read_every: int
) -> None:
    window = Window(capacity)
    stats = WindowStats(window)
    for index, row in enumerate(history):
        window.append(float(index), np.array(row))
        stats.update()
        if index % read_every == 0 or index == len(history) - 1:
            assert_same(stats, history[: index + 1], capacity, 3)


@pytest.mark.parametrize("capacity", [1, 2, 9, 59, 60, 61])
def test_stats_are_right_at_every_tick_of_a_long_run(capacity: int) -> None:
    window = Window(capacity)
    stats = WindowStats(window)
    history: list[list[float]] = []
    for index in range(4 * capacity + 20):
        history.append([float((index * 7919) % 101), math.nan if index % 3 else float(index)])
        window.append(float(index), np.array(history[-1]))
        stats.update()
        assert_same(stats, history, capacity, 2)


@given(capacity=st.integers(1, 9), widths=st.lists(st.integers(1, 6), min_size=1, max_size=30))
def test_series_that_appear_later_are_counted_from_then_on(capacity: int, widths: list[int]) -> None:
    window = Window(capacity)
    stats = WindowStats(window)
    history: list[list[float]] = []
    for index, width in enumerate(np.maximum.accumulate(widths).tolist()):
        history.append([float(index * 10 + column) for column in range(width)])
        window.append(float(index), np.array(history[-1]))
        stats.update()
        assert_same(stats, history, capacity, width)


@given(history=st.lists(st.lists(values, min_size=2, max_size=2), min_size=1, max_size=30), percent=st.floats(0, 100))
def test_percentiles_equal_those_of_numpy_over_the_present_values(history: list[list[float]], percent: float) -> None:
    window = Window(12)
    stats = WindowStats(window)
    for index, row in enumerate(history):
        window.append(float(index), np.array(row))
        stats.update()
    found = stats.percentiles([percent], np.array([0, 1]))[0]
    for column in range(2):
        expected = naive(history, 12, column)
        if expected:
            assert found[column] == pytest.approx(np.percentile(expected, percent), rel=1e-9, abs=1e-9)
        else:
            assert math.isnan(found[column])


def test_there_are_no_stats_before_the_first_tick() -> None:
    window = Window(4)
    stats = WindowStats(window)
    window.reserve(2)
    both = np.array([0, 1])
    assert stats.read("count", both).tolist() == [0.0, 0.0]
    assert np.isnan(stats.read("avg", both)).all()
    assert np.isnan(stats.percentiles([50.0], both)).all()


def test_value_is_that_of_the_newest_tick_even_if_missing() -> None:
    window = Window(4)
    stats = WindowStats(window)
    for value in (5.0, math.nan):
        window.append(0.0, np.array([value]))
        stats.update()
    here = np.array([0])
    assert math.isnan(stats.read("value", here)[0])
    assert stats.read("last", here)[0] == 5.0


def test_a_small_value_survives_a_huge_one_that_left_the_window() -> None:
    """A running sum with subtraction would lose it: 1e17 + 1 - 1e17 is 0."""
    window = Window(4)
    stats = WindowStats(window)
    for value in (1e17, 1.0, 1.0, 1.0, 1.0):
        window.append(0.0, np.array([value]))
        stats.update()
    assert stats.avg[0] == 1.0


def test_reading_changes_nothing() -> None:
    window = Window(7)
    stats, unread = WindowStats(window), WindowStats(window)
    seen: list[Floats] = []
    for index in range(40):
        window.append(float(index), np.array([float(index % 11)]))
        stats.update()
        unread.update()
        seen.append(stats.avg.copy())
    assert stats.avg[0] == unread.avg[0]
    assert any(one[0] != other[0] for one, other in pairwise(seen))


def history(*rows: list[float], capacity: int = 60) -> tuple[Window, WindowStats]:
    window = Window(capacity)
    stats = WindowStats(window)
    for index, row in enumerate(rows):
        window.append(index * 0.1, np.array(row))
        stats.update()
    return window, stats


def test_column_minus_one_has_no_value() -> None:
    _, stats = history([1.0, 2.0], [3.0, 4.0])
    columns = np.array([1, -1, 0])
    for stat, expected in (("value", [4, 3]), ("avg", [3, 2]), ("stddev", [1, 1])):
        first, lacking, second = stats.read(stat, columns).tolist()
        assert [first, second] == pytest.approx(expected)
        assert math.isnan(lacking)
    assert np.isnan(history()[1].read("value", np.array([-1]))).all()
    assert np.isnan(history([])[1].read("p95", np.array([-1, -1]))).all()


def test_a_series_can_be_read_several_times_in_one_call() -> None:
    _, stats = history([1.0, 2.0], [3.0, 8.0])
    assert stats.read("p50", np.array([1, 0, 1, 1])).tolist() == [5, 2, 5, 5]


def test_a_span_covers_as_many_ticks_as_it_has_intervals() -> None:
    _, stats = history(*([float(value)] for value in range(20)))
    column = np.array([0])
    assert stats.read("count", column, 0.5)[0] == 5
    assert stats.read("min", column, 0.5)[0] == 15
    assert stats.read("avg", column, 1.0)[0] == 14.5
    assert stats.read("count", column, 99)[0] == 20
    assert stats.read("change", column)[0] == 19
    assert stats.read("rate", column, 0.5)[0] == pytest.approx(10)
