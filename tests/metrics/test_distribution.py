"""Distributions: percentiles of buckets, merging those of several senders, and the difference since the last one."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tickboard.metrics.distribution import Distribution, difference, merged

VALUES = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=50)


def test_values_are_spread_evenly_within_a_bucket() -> None:
    found = Distribution.explicit([10, 20], [4, 4, 0], 80)
    assert found.percentiles([0, 25, 50, 75, 100]).tolist() == [0, 5, 10, 15, 20]
    assert (found.count, found.mean) == (8, 10)


def test_values_above_all_bounds_count_as_the_last_bound() -> None:
    assert Distribution.explicit([1, 2], [0, 0, 3], 30).percentiles([1, 50, 99]).tolist() == [2, 2, 2]


def test_known_minimum_and_maximum_bound_the_outer_buckets() -> None:
    found = Distribution.explicit([10], [1, 1], 30, 5, 25)
    assert found.percentiles([0, 50, 100]).tolist() == [5, 10, 25]
    assert Distribution.explicit([], [2], 6, 1, 5).percentiles([50]).tolist() == [3]


def test_a_first_bound_below_zero_starts_the_buckets() -> None:
    assert Distribution.explicit([-5, 5], [0, 2, 0], 0).percentiles([0, 100]).tolist() == [-5, 5]


def test_an_empty_distribution_has_no_percentiles_and_no_mean() -> None:
    nothing = Distribution.explicit([1], [0, 0], 0)
    assert np.isnan(nothing.percentiles([50])).all()
    assert math.isnan(nothing.mean)


def test_an_unknown_sum_is_estimated_from_the_middles_of_the_buckets() -> None:
    assert Distribution.explicit([2, 4], [1, 1, 0], math.nan).mean == 2


@given(VALUES)
def test_percentiles_of_single_values_lie_between_them(values: list[float]) -> None:
    found = Distribution.of(values)
    assert found.percentiles([0, 100]).tolist() == [min(values), max(values)]
    assert found.count == len(values)
    low, middle, high = found.percentiles([25, 50, 75])
    assert min(values) <= low <= middle <= high <= max(values)


@given(VALUES, VALUES)
def test_merging_equals_one_distribution_of_all_values(some: list[float], others: list[float]) -> None:
    both = merged([Distribution.of(some), Distribution.of(others)])
    at_once = Distribution.of(some + others)
    assert both.percentiles([1, 50, 99]) == pytest.approx(at_once.percentiles([1, 50, 99]))
    assert both.mean == pytest.approx(at_once.mean)


def test_equal_buckets_are_added_up() -> None:
    both = merged([Distribution.explicit([1, 2], [1, 2, 3], 10), Distribution.explicit([1, 2], [1, 0, 0], 1)])
    assert both.counts.tolist() == [2, 2, 3]
    assert both.sum == 11


def test_unequal_buckets_can_be_merged() -> None:
    both = merged([Distribution.explicit([10], [10, 0], 50), Distribution.explicit([5, 10], [0, 10, 0], 75)])
    assert both.percentiles([25, 100]).tolist() == [5, 10]


def test_the_difference_holds_what_was_added_since() -> None:
    before, now = Distribution.explicit([1, 2], [1, 2, 3], 10), Distribution.explicit([1, 2], [1, 4, 3], 13)
    assert difference(now, before).counts.tolist() == [0, 2, 0]
    assert difference(now, before).sum == 3


@pytest.mark.parametrize("counts", [[1, 0, 0], [0, 9, 9]])
def test_lower_counts_are_treated_as_a_restart(counts: list[int]) -> None:
    before, now = Distribution.explicit([1, 2], [1, 2, 3], 10), Distribution.explicit([1, 2], counts, 1)
    assert difference(now, before) is now


def test_the_difference_works_after_buckets_became_coarser() -> None:
    before = Distribution.explicit([1, 2, 4, 8], [0, 3, 2, 1, 0], 20)
    now = Distribution.explicit([2, 8], [4, 5, 0], 40)
    assert difference(now, before).counts.tolist() == [1, 2, 0]


def test_exponential_buckets_grow_by_their_factor() -> None:
    found = Distribution.exponential(1, [(0, 2), (2, 2)], [(1, 4), (3, 5)], 1, 0.5, 0)
    assert found.low.tolist() == pytest.approx([-4, -2, -0.5, 1, 2])
    assert found.high.tolist() == pytest.approx([-2 * math.sqrt(2), -math.sqrt(2), 0.5, math.sqrt(2), 2 * math.sqrt(2)])
    assert found.counts.tolist() == [5, 4, 1, 2, 2]


def test_the_difference_works_for_buckets_that_share_arrays() -> None:
    before = Distribution.explicit([1, 2], [1, 2, 3], 10)
    now = Distribution(before.low, before.high, before.counts + 1, 12)
    assert difference(now, before).counts.tolist() == [1, 1, 1]


def test_exponential_buckets_beyond_float_range_end_at_the_largest_number() -> None:
    found = Distribution.exponential(-4, [(1_000, math.nan), (0, 1)], [], 0, 0, math.nan)
    assert np.isfinite(found.high).all()
    assert found.count == 1


def test_coarser_joins_neighbouring_buckets() -> None:
    values = [float(7 * number % 100) for number in range(100)]
    whole = Distribution.of(values)
    found = whole.coarser(10)
    assert found.low.tolist() == [0, 10, 20, 30, 40, 50, 60, 70, 80, 90]
    assert found.high.tolist() == [9, 19, 29, 39, 49, 59, 69, 79, 89, 99]
    assert found.counts.tolist() == [10] * 10
    assert (found.sum, found.mean) == (whole.sum, whole.mean)
    assert whole.coarser(100) is whole


@given(VALUES, st.integers(1, 20))
def test_coarser_buckets_still_cover_every_value(values: list[float], most: int) -> None:
    found = Distribution.of(values).coarser(most)
    assert len(found.counts) == min(most, len(values))
    assert found.count == len(values)
    assert (found.low <= found.high).all()
    assert (found.low.min(), found.high.max()) == (min(values), max(values))
    within = [((found.low <= value) & (value <= found.high)).any() for value in values]
    assert all(within)


# --- other buckets ---


def in_buckets(found: Distribution, *bounds: float) -> list[float]:
    counted: list[float] = found.in_buckets(np.array(bounds)).tolist()
    return counted


def test_single_values_are_in_the_bucket_whose_bound_they_do_not_exceed() -> None:
    found = Distribution.of([5, 10, 10.5, 20, 21])
    assert in_buckets(found, 10, 20, math.inf) == [2, 2, 1]
    # The last bucket has what is above it, too.
    assert in_buckets(found, 10, 20) == [2, 3]


def test_values_of_a_bucket_are_spread_evenly_over_others() -> None:
    found = Distribution.explicit([10, 20], [4, 8, 0], 0)
    assert in_buckets(found, 5, 10, 15, 20) == [2, 2, 4, 4]
    assert in_buckets(found, 12.5, math.inf) == [6, 6]
    assert in_buckets(found, 12.5, 15) == [6, 6]


def test_values_above_a_sender_s_last_bound_stay_above_it() -> None:
    assert in_buckets(Distribution.explicit([10, 20], [0, 0, 3], 0), 10, 20, math.inf) == [0, 0, 3]
    assert in_buckets(Distribution.explicit([10, 20], [0, 0, 3], 0, 0, 80), 20, 50, math.inf) == [0, 1.5, 1.5]
    assert in_buckets(Distribution.explicit([10, 20], [0, 0, 3], 0), 15, 30) == [0, 3]


def test_a_sample_of_values_counts_for_all_of_them() -> None:
    found = Distribution.of([1, 2], 10)
    assert (found.count, found.mean) == (10, 1.5)
    assert in_buckets(found, 1, 2) == [5, 5]
    assert Distribution.of([], 0).count == 0


@given(VALUES, st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=20, unique=True))
def test_no_value_is_lost_in_other_buckets(values: list[float], bounds: list[float]) -> None:
    edges = sorted({*values, max(values) + 1})
    counts = np.arange(1.0, len(edges) + 2)
    for found in (Distribution.of(values), Distribution.explicit(edges, counts, 0)):
        counted = found.in_buckets(np.array(sorted(bounds)))
        assert (counted >= 0).all()
        assert counted.sum() == pytest.approx(found.count)


def test_only_adjacent_buckets_are_adjacent() -> None:
    assert Distribution.explicit([10, 20], [1, 1, 1], 0).is_adjacent
    assert not Distribution.of([1, 2]).is_adjacent
    assert not Distribution.explicit([], [1], 0, 1, 2).is_adjacent
    one = Distribution.explicit([10, 20], [1, 1, 1], 0)
    assert merged([one, one]).is_adjacent
    assert not merged([one, Distribution.explicit([15], [1, 1], 0)]).is_adjacent
