"""Series that come later get what they had in earlier ticks."""

import numpy as np

from tickboard.metrics.earlier import Recall


def test_missing_ticks_are_empty() -> None:
    key = ("load", ())
    recall = Recall(1, [key], np.array([[1.0], [2.0]]))
    keys, rows = recall.past(2, 2)
    assert keys == [key]
    np.testing.assert_array_equal(rows, [[2.0], [np.nan]])
    keys, rows = recall.past(3, 2)
    assert keys == [key]
    assert np.isnan(rows).all()
