"""The window keeps the newest ticks, returns them oldest first, and says if missed ticks are no longer there."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tickboard.errors import InputError
from tickboard.metrics.window import Window


def filled(capacity: int, ticks: int) -> Window:
    window = Window(capacity)
    window.reserve(2)
    for index in range(ticks):
        window.append(1000.0 + index, np.array([float(index), -float(index)]))
    return window


def test_a_window_of_zero_ticks_is_refused() -> None:
    with pytest.raises(InputError, match="window of 0 ticks"):
        Window(0)


def test_an_empty_window_has_no_ticks() -> None:
    window = Window(3)
    assert len(window) == 0
    assert len(window.all()) == 0
    assert window.seq == 0
    assert window.oldest == 1


@given(capacity=st.integers(1, 12), ticks=st.integers(0, 40))
def test_a_window_holds_the_last_ticks_oldest_first(capacity: int, ticks: int) -> None:
    everything = filled(capacity, ticks).all()
    kept = list(range(ticks))[-capacity:]
    assert everything.rows[:, 0].tolist() == kept
    assert everything.times.tolist() == [1000.0 + index for index in kept]
    assert everything.first == (kept[0] + 1 if kept else 1)


@given(capacity=st.integers(1, 12), ticks=st.integers(0, 40), seen=st.integers(-3, 45))
def test_since_returns_exactly_the_missed_ticks_or_none(capacity: int, ticks: int, seen: int) -> None:
    missed = filled(capacity, ticks).since(seen)
    wanted = list(range(seen, ticks))
    oldest_known = max(0, ticks - capacity)
    if oldest_known <= seen <= ticks:
        assert missed is not None
        assert missed.rows[:, 0].tolist() == wanted
        assert missed.first == seen + 1
    else:
        assert missed is None


def test_a_series_that_appears_later_has_no_value_before() -> None:
    window = filled(4, 2)
    window.append(1002.0, np.array([2.0, -2.0, 7.0]))
    third = window.all().rows[:, 2]
    assert np.isnan(third[:2]).all()
    assert third[2] == 7.0


def test_a_shorter_row_leaves_no_old_values_behind() -> None:
    window = Window(1)
    window.append(1.0, np.array([1.0, 2.0]))
    window.append(2.0, np.array([3.0]))
    assert window.row(2)[0] == 3.0
    assert np.isnan(window.row(2)[1])


def test_last_returns_the_newest_ticks_and_no_more_than_there_are() -> None:
    assert filled(5, 9).last(2).rows[:, 0].tolist() == [7.0, 8.0]
    assert len(filled(5, 3).last(99)) == 3


def test_reserving_adds_columns_and_keeps_the_values() -> None:
    window = filled(3, 3)
    window.reserve(50)
    assert window.width >= 50
    assert window.all().rows[:, 0].tolist() == [0.0, 1.0, 2.0]
    before = window.width
    window.reserve(2)
    assert window.width == before


def test_ticks_can_be_amended() -> None:
    window = filled(4, 6)
    window.amend(4, 5, np.array([0, 2]), np.array([9.0, 8.0]))
    assert window.all().rows[:, 0].tolist() == [2.0, 9.0, 9.0, 5.0]
    assert window.row(4)[2] == window.row(5)[2] == 8.0
    assert np.isnan(window.row(6)[2])


def test_the_values_of_a_series_can_be_cleared() -> None:
    window = filled(3, 3)
    window.clear(np.array([0, 1_000]))
    assert np.isnan(window.all().rows[:, 0]).all()


def test_times_are_oldest_first() -> None:
    window = filled(3, 5)
    assert window.times().tolist() == window.all().times.tolist()


def test_a_span_is_measured_in_elapsed_time_not_by_the_clock() -> None:
    window = Window(60)
    for index in range(10):
        window.append(1_000.0 + index, np.array([float(index)]))
    # The clock was set back by an hour: times advance slowly, but time passes as before.
    for index in range(10):
        window.append(1_009.0 + 0.001 * (index + 1), np.array([10.0 + index]), 1.0)
    column = np.array([0])
    span = window.spanned(column, 5.0)
    assert span.rows[:, 0].tolist() == [15, 16, 17, 18, 19]
    assert np.diff(window.spanned(column).times).tolist() == [1.0] * 19
