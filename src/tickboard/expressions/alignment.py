"""Alignment: the columns and numbers at the leaves of an expression, for each set of labels.

Two sides of an expression are matched by equal labels; a side without labels is matched with every series of the other.
Totals by some labels are matched with every series whose values of these labels are the same. This is done once, so
that both sides have the same length at each tick. This module does not know expressions.
"""

from collections.abc import Mapping, Sequence
from typing import cast

import numpy as np
from msgspec import Struct
from msgspec.structs import replace
from numpy.typing import NDArray

Labels = tuple[tuple[str, str], ...]
Floats = NDArray[np.float64]
Columns = NDArray[np.intp]
Binding = Mapping[str, tuple[tuple[Labels, ...], Columns]]
"""For each metric, the labels of its series and their columns, in the same order."""


class GroupTotals(Struct, frozen=True):
    """The leaf of a total: groups of series, whose values are added up once for all labels that use their sum.

    Attributes:
        places: the group of each label, [labels]; -1: none, so no value.
        groups: the group of each series, [series].
        count: how many groups there are.
        leaves: the leaves of what is added up, each [series].
    """

    places: Columns
    groups: Columns
    count: int
    leaves: "tuple[Leaf, ...]"

    def __getitem__(self, places: Columns) -> "GroupTotals":
        return replace(self, places=self.places[places])

    def sums(self, values: Floats) -> Floats:
        """Return the sum of the group of each label, float64 [labels]; NaN: no series of it has a value.

        Args:
            values: of each series, float64 [series].
        """
        known = ~np.isnan(values)
        groups = self.groups[known]
        sums = np.full(self.count + 1, np.nan)  # the last is the group at -1
        sums[:-1] = np.bincount(groups, values[known], self.count)
        sums[:-1][np.bincount(groups, minlength=self.count) == 0] = np.nan
        return sums[self.places]


Leaf = Columns | Floats | GroupTotals


class Alignment(Struct, frozen=True):
    """An expression bound to columns: for each set of labels, the values at each leaf.

    Attributes:
        labels: one set of labels for each value of the expression.
        leaves: for each leaf of the tree, from the left: its columns, numbers or totals, [labels].
        by: the names of the labels if these are totals by them; None: these are series.
    """

    labels: tuple[Labels, ...]
    leaves: tuple[Leaf, ...]
    by: tuple[str, ...] | None = None

    def take(self, labels: tuple[Labels, ...], places: Columns) -> "Alignment":
        """Return the leaves at some indices, with other labels."""
        leaves: list[Leaf] = [leaf[places] for leaf in self.leaves]
        return Alignment(labels, tuple(leaves), self.by)

    def lacking(self) -> "Alignment":
        """Return an alignment without labels, whose leaves have no value."""
        return Alignment(((),), tuple(_nothing(leaf) for leaf in self.leaves))

    def totals(self, by: tuple[str, ...]) -> "Alignment":
        """Return the totals of these series by the values of some labels; a label that a series lacks is empty."""
        groups: dict[Labels, int] = {}
        places = [groups.setdefault(projected(labels, by), len(groups)) for labels in self.labels]
        found = GroupTotals(np.arange(len(groups)), np.array(places, np.intp), len(groups), self.leaves)
        return Alignment(tuple(groups), (found,), by)

    def onto(self, labels: tuple[Labels, ...]) -> tuple["Alignment", NDArray[np.bool_]]:
        """Return it for other labels, and a mask of the labels that it has.

        Without labels, it matches all. Totals match by the labels that they are by.
        """
        if self.labels == labels:
            return self, np.ones(len(labels), np.bool_)
        if self.labels == ((),):
            return self.take(labels, np.zeros(len(labels), np.intp)), np.ones(len(labels), np.bool_)
        position = {each: index for index, each in enumerate(self.labels)}
        wanted = labels if self.by is None else [projected(each, self.by) for each in labels]
        places = np.array([position.get(each, -1) for each in wanted], np.intp)
        if not len(self.labels):
            lacking = self.lacking()
            return lacking.take(labels, np.zeros(len(labels), np.intp)), places >= 0
        return self.take(labels, places), places >= 0

    def is_coarser(self, other: "Alignment") -> bool:
        """Return whether these are totals that are matched with many values of another expression."""
        return self.by is not None and (other.by is None or set(self.by) < set(other.by))


def paired(left: Alignment, right: Alignment) -> Alignment:
    """Join two sides on equal labels.

    A side without labels is matched with every series of the other, and totals with every series of their group.
    """
    if left.labels == right.labels:
        return Alignment(left.labels, left.leaves + right.leaves, left.by if left.by == right.by else None)
    if right.labels == ((),) or (left.labels != ((),) and right.is_coarser(left)):
        left, right = _matched(left, right)
        by = left.by
    elif left.labels == ((),) or left.is_coarser(right):
        right, left = _matched(right, left)
        by = right.by
    else:
        left, right = _matched(left, right)
        by = left.by if left.by == right.by else None
    return Alignment(left.labels, left.leaves + right.leaves, by)


def joined(leaves: Sequence[Leaf]) -> Leaf:
    """Concatenate the leaves at one place of trees of one shape."""
    arrays = [cast("Floats", leaf) for leaf in leaves if not isinstance(leaf, GroupTotals)]
    if arrays:
        return np.concatenate(arrays)
    totals = [leaf for leaf in leaves if isinstance(leaf, GroupTotals)]
    counts = [each.count for each in totals]
    first = [sum(counts[:place]) for place in range(len(counts))]
    return GroupTotals(
        np.concatenate([np.where(one.places < 0, -1, one.places + at) for one, at in zip(totals, first, strict=True)]),
        np.concatenate([one.groups + at for one, at in zip(totals, first, strict=True)]),
        sum(counts),
        tuple(joined(each) for each in zip(*(one.leaves for one in totals), strict=True)),
    )


def projected(labels: Labels, names: tuple[str, ...]) -> Labels:
    """Return the labels of some names; one that is missing is empty."""
    values = dict(labels)
    return tuple((name, values.get(name, "")) for name in names)


def _matched(fine: Alignment, coarse: Alignment) -> tuple[Alignment, Alignment]:
    """Return the values of one side that the other has a value for, and these values."""
    found, has = coarse.onto(fine.labels)
    if has.all():
        return fine, found
    places = np.flatnonzero(has)
    labels = tuple(fine.labels[place] for place in places)
    return fine.take(labels, places), found.take(labels, places)


def _nothing(leaf: Leaf) -> Leaf:
    if isinstance(leaf, GroupTotals):
        return replace(leaf, places=np.full(1, -1, np.intp))
    return np.full(1, -1, np.intp) if leaf.dtype == np.intp else np.full(1, np.nan)
