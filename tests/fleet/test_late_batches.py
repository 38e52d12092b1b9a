"""Ticks of a host are brought to the wall's instants, and batches of the same time become one."""

import numpy as np
import pytest

from tickboard.client.history_data import HistorySeries
from tickboard.fleet import late_batches as module
from tickboard.fleet.late_batches import LateBatch, batch_of, joined

NAN = np.nan


def series(times_ms: list[int], values: list[float]) -> HistorySeries:
    array = np.array(values)
    times = np.array(times_ms, "datetime64[ms]")
    return HistorySeries("a", "", {}, times, array, array, array, np.ones(len(values), np.int64))


def same(batch: LateBatch, instants: list[int], rows: list[list[float]]) -> None:
    assert batch.instants.tolist() == instants
    np.testing.assert_array_equal(batch.rows, np.array(rows).reshape(batch.rows.shape))


def test_ticks_of_the_same_interval_keep_their_instants() -> None:
    batch = batch_of([(7, series([1000, 2000], [1, 2])), (9, series([2000, 3000], [20, NAN]))], 0, 1000, 1000, 9000)
    same(batch, [1000, 2000, 3000], [[1, NAN], [2, 20], [NAN, NAN]])
    assert batch.columns.tolist() == [7, 9]


def test_times_are_shifted_and_belong_to_the_first_instant_at_or_after_them() -> None:
    same(batch_of([(0, series([1250, 2250], [1, 2]))], -1000, 1000, 1000, 9000), [1000, 2000], [[1], [2]])


def test_of_several_ticks_of_one_instant_the_newest_counts() -> None:
    same(batch_of([(0, series([1100, 1500, 2000, 2100], [1, 2, 3, 4]))], 0, 100, 1000, 9000), [2000, 3000], [[3], [4]])


def test_a_value_holds_for_the_interval_of_its_host_and_not_beyond_the_newest_instant() -> None:
    batch = batch_of([(0, series([10_000, 20_000], [1, 2]))], 0, 3_000, 1000, 21_000)
    same(batch, [10_000, 11_000, 12_000, 20_000, 21_000], [[1], [1], [1], [2], [2]])


def test_nothing_is_an_empty_batch() -> None:
    same(batch_of([], 0, 1000, 1000, 9000), [], [])
    assert list(joined([batch_of([], 0, 1000, 1000, 9000)])) == []


def batch(column: int, *instants: int) -> LateBatch:
    times = np.array(instants, np.int64)
    return LateBatch(times, np.array([column], np.intp), times[:, None] / 1000 + column)


def test_batches_of_the_same_time_become_one() -> None:
    [one] = joined([batch(100, 2000, 3000), batch(0, 1000, 2000)])
    same(one, [1000, 2000, 3000], [[1, NAN], [2, 102], [NAN, 103]])
    assert one.columns.tolist() == [0, 100]


def test_batches_of_other_times_stay_apart() -> None:
    first, second = joined([batch(0, *range(0, 10_000, 1000)), batch(1, *range(90_000, 100_000, 1000))])
    assert (first.columns.tolist(), second.columns.tolist()) == ([0], [1])


def test_batches_do_not_grow_without_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_CELLS", 10)
    found = list(joined([batch(column, 1000, 2000, 3000) for column in range(5)]))
    assert [len(each.columns) for each in found] == [3, 2]
