"""Buckets are reduced alike, whatever their lengths."""

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from tickboard.history.rollup import reduce_buckets, short_length


@pytest.mark.parametrize("combine", [np.minimum, np.fmin, np.fmax, np.add])
@given(
    lengths=st.lists(st.integers(1, 20), min_size=1)
    | st.tuples(st.integers(1, 9), st.integers(1, 9), st.integers(1, 9)).map(
        lambda each: [each[0]] * each[1] + [each[2]]
    ),
    seed=st.integers(0, 2**20),
    series=st.sampled_from([3, 400]),
)
def test_buckets_of_one_length_are_reduced_like_others(
    combine: np.ufunc, lengths: list[int], seed: int, series: int
) -> None:
    random = np.random.default_rng(seed)
    values = random.integers(-9, 9, (series, sum(lengths))).astype(float)
    values[random.random(values.shape) < 0.1] = np.nan
    before = values.copy()
    edges = np.cumsum([0, *lengths[:-1]])
    expected = combine.reduceat(values, edges, axis=1)
    length = short_length(edges, values.shape)
    assert length in {0, lengths[0]}
    np.testing.assert_array_equal(reduce_buckets(combine, values, edges, length), expected)
    np.testing.assert_array_equal(values, before)
