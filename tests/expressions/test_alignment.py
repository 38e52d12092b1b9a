"""The two sides of an expression are paired by equal labels, and totals with the series of their groups."""

import numpy as np

from tickboard.expressions.alignment import Alignment, GroupTotals, Labels, Leaf, joined, paired
from tickboard.expressions.alignment import projected as of

A, B, C = ((("n", each),) for each in "abc")


def columns(labels: tuple[Labels, ...], *places: int) -> Alignment:
    return Alignment(labels, (np.array(places, np.intp),))


def number(value: float) -> Alignment:
    return Alignment(((),), (np.array([value], np.float64),))


def numbers(leaf: Leaf) -> list[float]:
    """Return the columns or numbers of a leaf; of totals, the groups of the labels."""
    found: list[float] = (leaf.places if isinstance(leaf, GroupTotals) else leaf).tolist()
    return found


def shown(aligned: Alignment) -> tuple[tuple[Labels, ...], list[list[float]]]:
    return aligned.labels, [numbers(leaf) for leaf in aligned.leaves]


def test_equal_labels_are_paired_in_the_order_of_the_left_side() -> None:
    assert shown(paired(columns((A, B), 0, 1), columns((A, B), 2, 3))) == ((A, B), [[0, 1], [2, 3]])
    assert shown(paired(columns((A, B, C), 0, 1, 2), columns((C, A), 3, 4))) == ((A, C), [[0, 2], [4, 3]])


def test_a_side_without_labels_is_paired_with_every_series() -> None:
    assert shown(paired(columns((A, B), 0, 1), number(5))) == ((A, B), [[0, 1], [5, 5]])
    assert shown(paired(number(5), columns((A, B), 0, 1))) == ((A, B), [[5, 5], [0, 1]])
    assert shown(paired(number(5), columns(()))) == ((), [[], []])


def test_sides_without_common_labels_give_no_series() -> None:
    assert shown(paired(columns((A,), 0), columns((B,), 1))) == ((), [[], []])


def test_a_lacking_alignment_has_no_column_and_nan_for_numbers() -> None:
    lacking = paired(columns(()), number(5)).lacking()
    assert lacking.labels == ((),)
    assert numbers(lacking.leaves[0]) == [-1]
    assert np.isnan(numbers(lacking.leaves[1])).all()


def test_onto_says_which_of_the_labels_it_covers() -> None:
    same, speaks = columns((A,), 7).onto((A,))
    assert (shown(same), speaks.tolist()) == (((A,), [[7]]), [True])
    every, speaks = number(5).onto((A, B))
    assert (shown(every), speaks.tolist()) == (((A, B), [[5, 5]]), [True, True])
    some, speaks = columns((B,), 7).onto((A, B))
    assert speaks.tolist() == [False, True]
    assert numbers(some.leaves[0])[1] == 7
    none, speaks = columns(()).onto((A, B))
    assert (shown(none), speaks.tolist()) == (((A, B), [[-1, -1]]), [False, False])


def series(*pairs: str) -> tuple[Labels, ...]:
    """Return labels as ``host=a env=prod``."""
    return tuple(
        tuple((label, value) for label, _, value in (one.partition("=") for one in each.split())) for each in pairs
    )


HOSTS = series("host=a env=prod", "host=b env=test", "host=c env=prod", "host=d")
BY_ENV = columns(HOSTS, 0, 1, 2, 3).totals(("env",))
ENVS = series("env=prod", "env=test", "env=")


def sums(leaf: Leaf, *values: float) -> list[float | None]:
    assert isinstance(leaf, GroupTotals)
    return [None if np.isnan(value) else value for value in leaf.sums(np.array(values)).tolist()]


def test_totals_are_by_the_values_of_labels_and_a_missing_label_is_empty() -> None:
    assert (BY_ENV.labels, BY_ENV.by) == (ENVS, ("env",))
    assert sums(BY_ENV.leaves[0], 1, 2, 4, 8) == [5, 2, 8]
    every = columns(HOSTS, 0, 1, 2, 3).totals(())
    assert (every.labels, sums(every.leaves[0], 1, 2, 4, 8)) == (((),), [15])
    assert columns(()).totals(("env",)).labels == columns(()).totals(()).labels == ()


def test_series_without_a_value_are_left_out_and_a_group_without_any_has_no_total() -> None:
    nan = float("nan")
    assert sums(BY_ENV.leaves[0], 1, nan, nan, 0) == [1, None, 0]
    assert sums(columns(()).totals(()).lacking().leaves[0]) == [None]
    assert sums(BY_ENV.lacking().leaves[0], 1, 2, 4, 8) == [None]


def test_totals_are_paired_with_every_series_of_their_group() -> None:
    for left, right in ((columns(HOSTS, 0, 1, 2, 3), BY_ENV), (BY_ENV, columns(HOSTS, 0, 1, 2, 3))):
        both = paired(left, right)
        assert (both.labels, both.by) == (HOSTS, None)
        assert sorted(map(numbers, both.leaves)) == [[0, 1, 0, 2], [0, 1, 2, 3]]
    some = paired(columns(series("host=x env=test", "env=dev", "env=prod"), 5, 6, 7), BY_ENV)
    assert shown(some) == (series("host=x env=test", "env=prod"), [[5, 7], [1, 0]])
    assert shown(paired(columns(HOSTS, 0, 1, 2, 3), columns(()).totals(("env",)))) == ((), [[], []])


def test_totals_are_paired_with_totals_by_more_labels() -> None:
    routes = columns(series("env=prod route=/", "env=prod route=/a", "env=test route=/"), 0, 1, 2)
    finer = routes.totals(("env", "route"))
    for left, right in ((finer, BY_ENV), (BY_ENV, finer)):
        assert (paired(left, right).labels, paired(left, right).by) == (finer.labels, ("env", "route"))
    assert paired(finer, BY_ENV).by == ("env", "route")
    other = routes.totals(("route",))
    assert paired(BY_ENV, other).labels == ()


def test_totals_by_the_same_labels_stay_totals() -> None:
    same = paired(BY_ENV, BY_ENV)
    assert (same.labels, same.by) == (ENVS, ("env",))
    some = paired(BY_ENV, columns(HOSTS[:2], 4, 5).totals(("env",)))
    assert (some.labels, some.by) == (ENVS[:2], ("env",))
    assert paired(BY_ENV, number(5)).by == paired(number(5), BY_ENV).by == ("env",)
    assert paired(BY_ENV, columns(ENVS, 0, 1, 2)).by is None


def test_totals_cover_the_series_of_their_groups() -> None:
    found, has = BY_ENV.onto(series("host=z env=prod", "env=dev"))
    assert (has.tolist(), sums(found.leaves[0], 1, 2, 4, 8)[0]) == ([True, False], 5)


def test_joined_totals_have_the_groups_of_all() -> None:
    every = columns(HOSTS, 0, 1, 2, 3).totals(())
    leaf = joined([BY_ENV.leaves[0], columns(()).totals(()).lacking().leaves[0], every.leaves[0]])
    assert isinstance(leaf, GroupTotals)
    assert numbers(leaf.leaves[0]) == [0, 1, 2, 3, 0, 1, 2, 3]
    assert sums(leaf, 1, 2, 4, 8, 1, 2, 4, 8) == [5, 2, 8, None, 15]
    assert sums(leaf[np.array([4, 0])], 1, 2, 4, 8, 1, 2, 4, 8) == [15, 5]
    assert numbers(joined([np.array([1, 2]), np.array([3])])) == [1, 2, 3]


def test_labels_are_projected_in_the_order_of_the_names() -> None:
    assert of(HOSTS[0], ("env", "zone", "host")) == (("env", "prod"), ("zone", ""), ("host", "a"))
