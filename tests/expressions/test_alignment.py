"""The two sides of an expression are paired by equal labels."""

import numpy as np

from tickboard.expressions.alignment import Alignment, Labels, paired

A, B, C = ((("n", each),) for each in "abc")


def columns(labels: tuple[Labels, ...], *places: int) -> Alignment:
    return Alignment(labels, (np.array(places, np.intp),))


def number(value: float) -> Alignment:
    return Alignment(((),), (np.array([value], np.float64),))


def shown(aligned: Alignment) -> tuple[tuple[Labels, ...], list[list[float]]]:
    return aligned.labels, [leaf.tolist() for leaf in aligned.leaves]


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
    assert lacking.leaves[0].tolist() == [-1]
    assert np.isnan(lacking.leaves[1]).all()


def test_onto_says_which_of_the_labels_it_covers() -> None:
    same, speaks = columns((A,), 7).onto((A,))
    assert (shown(same), speaks.tolist()) == (((A,), [[7]]), [True])
    every, speaks = number(5).onto((A, B))
    assert (shown(every), speaks.tolist()) == (((A, B), [[5, 5]]), [True, True])
    some, speaks = columns((B,), 7).onto((A, B))
    assert speaks.tolist() == [False, True]
    assert some.leaves[0][1] == 7
    none, speaks = columns(()).onto((A, B))
    assert (shown(none), speaks.tolist()) == (((A, B), [[-1, -1]]), [False, False])
