"""Alignment: the columns and numbers at the leaves of an expression, for each set of labels.

Two sides of an expression are matched by equal labels; a side without labels is matched with every series of the other.
This is done once, so that both sides have the same length at each tick. This module does not know expressions.
"""

from collections.abc import Mapping

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

Labels = tuple[tuple[str, str], ...]
Floats = NDArray[np.float64]
Columns = NDArray[np.intp]
Leaf = Columns | Floats
Binding = Mapping[str, tuple[tuple[Labels, ...], Columns]]
"""For each metric, the labels of its series and their columns, in the same order."""


class Alignment(Struct, frozen=True):
    """An expression bound to columns: for each set of labels, the values at each leaf.

    Attributes:
        labels: one set of labels for each value of the expression.
        leaves: for each leaf of the tree, from the left: its columns or numbers, [labels].
    """

    labels: tuple[Labels, ...]
    leaves: tuple[Leaf, ...]

    def take(self, labels: tuple[Labels, ...], places: Columns) -> "Alignment":
        """Return the leaves at some indices, with other labels."""
        leaves: list[Leaf] = [leaf[places] for leaf in self.leaves]
        return Alignment(labels, tuple(leaves))

    def lacking(self) -> "Alignment":
        """Return an alignment without labels, whose leaves have no value."""
        nothing: list[Leaf] = [
            np.full(1, -1, np.intp) if leaf.dtype == np.intp else np.full(1, np.nan) for leaf in self.leaves
        ]
        return Alignment(((),), tuple(nothing))

    def onto(self, labels: tuple[Labels, ...]) -> tuple["Alignment", NDArray[np.bool_]]:
        """Return it for other labels, and a mask of the labels that it has; without labels, it matches all."""
        if self.labels == labels:
            return self, np.ones(len(labels), np.bool_)
        if self.labels == ((),):
            return self.take(labels, np.zeros(len(labels), np.intp)), np.ones(len(labels), np.bool_)
        position = {each: index for index, each in enumerate(self.labels)}
        places = np.array([position.get(each, -1) for each in labels], np.intp)
        if not len(self.labels):
            lacking = self.lacking()
            return lacking.take(labels, np.zeros(len(labels), np.intp)), places >= 0
        return self.take(labels, places), places >= 0


def paired(left: Alignment, right: Alignment) -> Alignment:
    """Join two sides on equal labels; a side without labels is matched with every series of the other."""
    if left.labels != right.labels:
        if right.labels == ((),):
            right = right.onto(left.labels)[0]
        elif left.labels == ((),):
            left = left.onto(right.labels)[0]
        else:
            right_has = set(right.labels)
            common = tuple(labels for labels in left.labels if labels in right_has)
            left, right = left.onto(common)[0], right.onto(common)[0]
    return Alignment(left.labels, left.leaves + right.leaves)
