"""Where the buckets of a heat map end: as declared, as the sender has them, or on a ladder of round numbers."""

from collections.abc import Iterable
from math import inf, nan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tickboard.errors import InputError
from tickboard.metrics.bounds import LADDERS, MAX_BUCKETS, bound_of, declared, grown, sent, text_of
from tickboard.metrics.distribution import Distribution, Floats

NOTHING = np.empty(0)


def ladder_for(*values: float) -> list[float]:
    found, _ = grown(NOTHING, 0, Distribution.of(values))
    bounds: list[float] = found.tolist()
    return bounds


def test_single_values_get_the_round_numbers_around_them() -> None:
    assert ladder_for(17) == [15, 20]
    assert ladder_for(17, 18, 20, 90) == [15, 20, 80, 100]
    assert ladder_for(0.0031) == [0.003, 0.004]


def test_a_value_that_equals_a_bound_is_in_the_bucket_below_it() -> None:
    assert ladder_for(20) == [15, 20]


def test_values_of_zero_and_below_have_buckets_too() -> None:
    assert ladder_for(0) == [-1e-9, 0]
    assert ladder_for(-17) == [-20, -15]


def test_values_beyond_the_ladder_are_in_a_bucket_without_an_end() -> None:
    assert ladder_for(1e300) == [8e15, inf]
    assert ladder_for(-1e300) == [-8e15]


def test_a_bucket_of_a_sender_gets_the_round_numbers_around_its_ends() -> None:
    found = Distribution(np.array([0.0, 17.0]), np.array([17.0, 23.0]), np.array([3.0, 2.0]), 50)
    assert grown(NOTHING, 0, found)[0].tolist() == [0, 15, 20, 25]


def test_bounds_stay_when_other_values_come() -> None:
    bounds, level = grown(NOTHING, 0, Distribution.of([17]))
    bounds, level = grown(bounds, level, Distribution.of([300]))
    assert (bounds.tolist(), level) == ([15, 20, 250, 300], 0)


def test_a_wide_spread_gets_a_coarser_ladder() -> None:
    spread = np.geomspace(1, 1e6, 1_000).tolist()
    bounds, level = grown(NOTHING, 0, Distribution.of(spread))
    assert level == 1
    assert bounds.tolist()[:7] == [0.5, 1, 2, 5, 10, 20, 50]
    # It continues there.
    assert grown(bounds, level, Distribution.of([13]))[0].tolist() == bounds.tolist()


@pytest.mark.parametrize("ladder", range(1, len(LADDERS)))
def test_a_coarser_ladder_has_no_new_bounds(ladder: int) -> None:
    assert set(LADDERS[ladder].tolist()) < set(LADDERS[ladder - 1].tolist())


ANY = st.lists(st.floats(-1e300, 1e300), min_size=1, max_size=80)


@given(ANY, ANY)
def test_every_value_has_a_bucket_and_there_are_never_too_many(some: list[float], more: list[float]) -> None:
    bounds, level = grown(NOTHING, 0, Distribution.of(some))
    bounds, level = grown(bounds, level, Distribution.of(more))
    assert len(bounds) <= MAX_BUCKETS
    assert bounds[-1] >= max(some + more)
    # A bucket that has values begins at a bound, too, except below the whole ladder.
    assert bounds[0] < min(some + more) or bounds[0] == LADDERS[level][0]
    assert (np.diff(bounds) > 0).all()


# --- the sender's own bounds ---


def own(bounds: list[float]) -> Floats | None:
    return sent(Distribution.explicit(bounds, [1.0] * (len(bounds) + 1), 1.0))


def test_a_sender_s_own_bounds_are_used_as_they_are() -> None:
    found = own([0.005, 0.25, 10])
    assert found is not None
    assert found.tolist() == [0.005, 0.25, 10, inf]


def test_neighbours_of_too_many_buckets_are_merged() -> None:
    found = own(np.arange(1.0, 101).tolist())
    assert found is not None
    assert found.tolist() == [*np.arange(1.0, 101, 3), inf]
    exactly = own(np.arange(1.0, MAX_BUCKETS).tolist())
    assert exactly is not None
    assert len(exactly) == MAX_BUCKETS


def test_values_without_common_bounds_have_none_of_their_own() -> None:
    assert sent(Distribution.of([1, 2, 3])) is None
    assert sent(Distribution.explicit([], [2], 6, 1, 5)) is None
    assert sent(Distribution.exponential(0, [(0, 1), (1, 2)], [], 1, 0, 1)) is None


# --- declared bounds ---


def test_declared_bounds_are_used_with_a_bucket_above_them() -> None:
    found = declared([10, 20, 50], None, None)
    assert found is not None
    assert found.tolist() == [10, 20, 50, inf]
    with_end = declared([10, inf], 0, 100)
    assert with_end is not None
    assert with_end.tolist() == [10, inf]


def test_a_metric_with_declared_ends_has_equal_steps() -> None:
    found = declared([], 0, 100)
    assert found is not None
    assert found.tolist() == [*range(5, 101, 5), inf]
    assert declared([], 0, None) is None
    assert declared([], 100, 100) is None


@pytest.mark.parametrize(
    ("bounds", "wrong"),
    [
        ([20, 10], r"bounds=\[20.0, 10.0\]: give ascending numbers, as bounds=\[10, 20, 50, 100\]"),
        ([10, 10], "give ascending numbers"),
        ([inf], "give ascending numbers"),
        ([nan, 1], "give ascending numbers"),
        (["a"], r"bounds=\['a'\]: give numbers"),
        (5, "bounds=5: give numbers"),
        (range(100), r"there are 100: give 39 at most"),
    ],
)
def test_bounds_that_cannot_be_used_are_refused(bounds: Iterable[float], wrong: str) -> None:
    with pytest.raises(InputError, match=wrong):
        declared(bounds, None, None)


# --- as texts ---


@pytest.mark.parametrize(
    ("bound", "text"),
    [(0.25, "0.25"), (100.0, "100"), (-0.5, "-0.5"), (1e-9, "1e-09"), (1e16, "1e+16"), (0.0, "0"), (inf, "+Inf")],
)
def test_a_bound_is_a_text_and_back(bound: float, text: str) -> None:
    assert text_of(bound) == text
    assert bound_of(text) == bound


@pytest.mark.parametrize("text", ["", "much", "nan"])
def test_other_texts_are_no_bounds(text: str) -> None:
    assert bound_of(text) is None
