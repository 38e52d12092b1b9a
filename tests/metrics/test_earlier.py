"""Series that come later get what they had in earlier ticks."""

import numpy as np
import pytest

from tickboard.metrics.earlier import EarlierTicks, Recall


def test_missing_ticks_are_empty() -> None:
    key = ("load", ())
    recall = Recall(1, [key], np.array([[1.0], [2.0]]))
    keys, rows = recall.past(2, 2)
    assert keys == [key]
    np.testing.assert_array_equal(rows, [[2.0], [np.nan]])
    keys, rows = recall.past(3, 2)
    assert keys == [key]
    assert np.isnan(rows).all()


def test_empty_ticks_fill_the_instants_between() -> None:
    ticks = EarlierTicks(np.array([10.0, 11.0, 13.001]), [("a", ())], np.array([[1.0], [2.0], [4.0]]))
    padded = ticks.padded(9.0, 16.0, 1.0)
    assert padded.times.tolist() == [9.0, 10.0, 11.0, 12.0, 13.001, 14.0, 15.0]
    assert np.array_equal(padded.rows[:, 0], [np.nan, 1, 2, np.nan, 4, np.nan, np.nan], equal_nan=True)
    assert padded.keys == ticks.keys


def test_empty_ticks_may_be_all_there_is() -> None:
    padded = EarlierTicks(np.empty(0), [], np.empty((0, 0))).padded(0.25, 0.8, 0.2)
    assert padded.times.tolist() == pytest.approx([0.2, 0.4, 0.6])
    assert padded.rows.shape == (3, 0)
