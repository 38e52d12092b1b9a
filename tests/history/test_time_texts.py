"""Columns of times as text."""

import json

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tickboard.history.time_texts import TIME_BYTES, json_times, time_texts
from tickboard.times import MAX_TIME_MS, time_text

DAY_MS = 86_400_000


@given(st.lists(st.integers(0, MAX_TIME_MS), unique=True).map(sorted))
@example([])
@example([0, MAX_TIME_MS])
@example([DAY_MS - 1, DAY_MS, 3 * DAY_MS])
def test_times_written_together_equal_times_written_one_by_one(times: list[int]) -> None:
    given = np.array(times, np.int64)
    assert time_texts(given) == [time_text(each) for each in times]
    assert json.loads(b"[%b]" % json_times(given)[1:]) == [time_text(each) for each in times]


@pytest.mark.parametrize(("first", "end"), [(0, 3), (1, 2), (1, 3), (2, 2)])
def test_the_text_of_a_range_is_a_slice(first: int, end: int) -> None:
    times = np.array([0, 1_500, DAY_MS], np.int64)
    text = json_times(times)[TIME_BYTES * first + 1 : TIME_BYTES * end]
    assert json.loads(b"[%b]" % text) == [time_text(each) for each in times[first:end].tolist()]
