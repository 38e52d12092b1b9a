"""The score of a change: the distance of two distributions, and the shift of the median."""

import math
import statistics
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tickboard.expressions.alignment import Floats
from tickboard.history import comparing
from tickboard.history.codec import decode, encode
from tickboard.history.comparing import ONE_RANGE, compare, distance

NAN = math.nan


def row(*values: float) -> Floats:
    return np.array([values], np.float64)


def score(before: list[float], after: list[float]) -> float:
    return float(compare(row(*before), row(*after)).score[0])


# --- the distance ---


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ([1, 2, 3], [1, 2, 3], 0),
        ([1, 2, 3], [4, 5, 6], 1),
        ([4, 5, 6], [1, 2, 3], 1),
        # Up to 2: two thirds of one and none of the other.
        ([1, 2, 3], [3, 4, 5], 2 / 3),
        # Up to 1: a half and a quarter. Up to 2: all and three quarters.
        ([1, 2], [1, 2, 2, 3], 1 / 4),
        # Equal values count together.
        ([0, 0, 0, 1], [0, 0, 1, 1], 1 / 4),
        ([5, 5, 5], [5], 0),
        ([-1, 0, 1], [-0.0, 0.0], 1 / 3),
        ([-3, -2, -1], [1, 2], 1),
        ([1, 9], [4, 5, 6], 1 / 2),
    ],
)
def test_the_distance_is_the_largest_difference_of_the_shares_up_to_a_value(
    before: list[float], after: list[float], expected: float
) -> None:
    assert distance(row(*before), row(*after))[0] == pytest.approx(expected, abs=1e-15)


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (
            [
                *(0.61, 0.29, 0.06, 0.59, -1.73, -0.74, 0.51, -0.56, 0.39, 1.64, 0.05, -0.06, 0.64, -0.82, 0.37, 1.77),
                *(1.09, -1.28, 2.36, 1.31, 1.05, -0.32, -0.4, 1.06, -2.47),
            ],
            [2.2, 1.8, -0.4, 3.1, 0.9, 1.2, 1.7, 0.6, 1.1, 2.4, 0.8, -1.1],
            0.47333333333333333,
        ),
        ([3, 3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5], [2, 7, 1, 8, 2, 8, 1, 8, 2, 8], 0.4166666666666667),
        ([1_000_000, 1_000_500, 999_700], [999_900, 1_000_100, 1_000_400, 1_000_900], 0.4166666666666667),
    ],
)
def test_the_distance_equals_that_of_scipy(before: list[float], after: list[float], expected: float) -> None:
    """The expected values are those of `ks_2samp` in scipy 1.17.1."""
    assert distance(row(*before), row(*after))[0] == pytest.approx(expected, abs=1e-12)


NUMBERS = st.integers(-50, 50).map(float) | st.sampled_from([0.25, -0.1, 1e9, 3.14, 1e-9, -1e-9, 1e300, -0.0])

VALUES = st.lists(NUMBERS, min_size=1, max_size=20)


@given(st.lists(st.tuples(VALUES, VALUES), min_size=1, max_size=5))
def test_the_distance_equals_that_of_a_naive_count(pairs: list[tuple[list[float], list[float]]]) -> None:
    before, after = (with_gaps([pair[side] for pair in pairs]) for side in (0, 1))
    for (ours, theirs), found in zip(pairs, distance(before, after).tolist(), strict=True):
        assert found == pytest.approx(naive_distance(ours, theirs), abs=1e-12)


def naive_distance(before: list[float], after: list[float]) -> float:
    def share(values: list[float], most: float) -> Fraction:
        return Fraction(sum(value <= most for value in values), len(values))

    return float(max(abs(share(before, most) - share(after, most)) for most in before + after))


def with_gaps(rows: list[list[float]]) -> Floats:
    """Return rows as an array, with missing values among and after those of each."""
    found = np.full((len(rows), 2 * max(map(len, rows))), NAN)
    for number, values in enumerate(rows):
        found[number, : 2 * len(values) : 2] = values
    return found


def test_values_that_differ_by_less_than_the_precision_of_blocks_are_equal() -> None:
    exact = row(*[1 / 3, 2 / 3] * 5)
    [[column]] = encode(exact)
    rounded = np.empty_like(exact)
    decode([column.kind], [column.payload], rounded)
    assert not np.isin(rounded, exact).any()
    assert distance(exact, rounded)[0] == 0
    assert distance(exact, exact * (1 + 5e-5))[0] == 0.5


# --- the score ---


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        # The distance is 1. The deviation is 0, so one of 20 hundredths counts: 10 / 0.2 are 50 of them.
        ([10.0] * 5, [20.0] * 5, (1 + 50 / 53) / 2),
        ([20.0] * 5, [10.0] * 5, (1 + 50 / 53) / 2),
        # The largest shift of a constant: 100 deviations.
        ([0.0] * 5, [7.0] * 5, (1 + 100 / 103) / 2),
        # The median absolute deviation of 1 to 5 is 1, and the median shifts by 8.
        ([1.0, 2.0, 3.0, 4.0, 5.0], [9.0, 10.0, 11.0, 12.0, 13.0], (1 + (8 / 1.4826) / (8 / 1.4826 + 3)) / 2),
        # A part of the values has changed, and the median has not.
        ([0.0] * 40, [0.0] * 24 + [5.0] * 16, 0.4 / 2),
        ([50.0] * 10, [50.0] * 10, 0),
        # By chance: each of 20 values twice, and a distance of 0.2.
        ([float(number) for number in range(20)], [float(number + 4) for number in range(20)], 0),
    ],
)
def test_the_score_is_half_distance_and_half_shift(before: list[float], after: list[float], expected: float) -> None:
    assert score(before, after) == pytest.approx(expected, abs=1e-12)


@given(
    st.lists(st.integers(1, 30).map(float), min_size=5, max_size=40),
    st.lists(st.integers(1, 30).map(float), min_size=5, max_size=40),
)
def test_the_score_equals_that_of_the_formula(before: list[float], after: list[float]) -> None:
    far = naive_distance(before, after)
    root = math.sqrt(len(before) * len(after) / (len(before) + len(after)))
    expected = 0.0
    if (root + 0.12 + 0.11 / root) * far >= 1.63:
        old, new = statistics.median(before), statistics.median(after)
        spread = 1.4826 * statistics.median(abs(value - old) for value in before)
        shift = abs(new - old) / max(spread, 0.01 * max(old, new))
        expected = far * (1 + shift / (shift + 3)) / 2
    assert score(before, after) == pytest.approx(expected, abs=1e-12)


def test_a_distance_explained_by_chance_is_not_a_change() -> None:
    # For 600 values, 1.63 is a distance of 0.0934.
    values = np.arange(600.0)
    assert compare(row(*values), row(*values + 56)).score[0] == 0
    assert compare(row(*values), row(*values + 57)).score[0] > 0


def test_a_constant_with_tiny_noise_is_unchanged() -> None:
    before = 1000 + np.random.default_rng(0).uniform(-0.2, 0.2, (1, 100))
    assert compare(before, before + 0.5).score[0] == 0
    assert compare(before, before + 2).score[0] > 0.5


def test_noise_is_unchanged() -> None:
    random = np.random.default_rng(0)
    found = compare(random.normal(50, 5, (1_000, 600)), random.normal(50, 5, (1_000, 600)))
    # Chance alone scores in one of 100.
    assert np.count_nonzero(found.score) <= 20


def test_a_series_with_too_few_values_in_a_range_has_no_score() -> None:
    five, four = [1.0] * 5, [9.0] * 4
    assert score(five, [9.0] * 5) > 0.9
    assert math.isnan(score(five, four))
    assert math.isnan(score(five, [*four, NAN, NAN]))
    assert math.isnan(score(four, five))
    assert math.isnan(score([NAN] * 9, four))


def test_gaps_do_not_count() -> None:
    before, after = [1.0, 2.0, 3.0, 4.0, 5.0], [8.0, 9.0, 9.0, 8.0, 9.0, 9.0]
    assert score([NAN, *before, NAN], [*after[:3], NAN, *after[3:]]) == score(before, after) > 0


def test_a_series_in_one_range_only_has_a_score_if_the_other_has_ticks() -> None:
    there, missing = [1.0] * 5, [NAN] * 5
    assert score(there, missing) == score(missing, there) == ONE_RANGE
    assert math.isnan(score(missing, missing))
    assert math.isnan(score([NAN] * 4, there))
    assert math.isnan(score([], there))
    assert math.isnan(score(there, []))


def test_a_clear_shift_ranks_before_a_new_series_and_a_steady_drift_after_it() -> None:
    drift = [float(number) for number in range(100)]
    assert score([40.0, 41.0] * 50, [50.0, 51.0] * 50) > ONE_RANGE > score(drift[:50], drift[50:]) > 0.5


def test_before_and_after_are_averages() -> None:
    found = compare(row(1, 2, NAN, 6), row(NAN, NAN))
    assert found.before[0] == 3
    assert math.isnan(found.after[0])


@pytest.mark.parametrize("values", [[1e308, -1e308], [5e-324, 1.0], [0.0, 5e-324]])
def test_extreme_values_have_a_score(values: list[float]) -> None:
    assert 0 <= score([values[0]] * 5, [values[1]] * 5) <= 1
    assert 0 <= score(values * 5, values[::-1] * 5) <= 1


def test_many_series_are_compared_in_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(0)
    before, after = random.normal(0, 1, (50, 40)), random.normal(0.8, 1, (50, 30))
    whole = compare(before, after).score
    monkeypatch.setattr(comparing, "_BATCH_VALUES", 200)
    np.testing.assert_array_equal(compare(before, after).score, whole)
    assert np.count_nonzero(whole) > 10
