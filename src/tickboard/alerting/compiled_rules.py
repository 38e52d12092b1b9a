"""Compiled rules: rules of one shape, bound to the series that there are, and evaluated together.

A thousand rules like ``a > 1`` are compiled to one: their series stand one behind the other, and so do their columns
and thresholds. Nothing here knows the states of an alert.
"""

from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import NDArray

from tickboard.alerting.rules import Rule
from tickboard.expressions.alignment import Alignment, Binding, Columns, Floats, Labels, Leaf
from tickboard.expressions.expr import Condition, Values


class CompiledRules:
    """Rules of one shape.

    Args:
        rules: what is watched; not empty, and of one shape.
        binding: the registry's labels and columns.
        start: the place of its first series among those of all watches.

    Attributes:
        rules: as given.
        counts: how many series each has.
        labels: of its series, in the order of the rules.
        place: of its series among those of all watches.
        clears: whether the rules say what ends them.
    """

    def __init__(self, rules: Sequence[Rule], binding: Binding, start: int) -> None:
        self.rules = rules
        self._condition = rules[0].condition
        self._clear = rules[0].clear
        self.clears = self._clear is not None
        aligned = [rule.condition.align(binding) for rule in rules]
        self.counts = [len(each.labels) for each in aligned]
        self.labels: list[Labels] = [labels for each in aligned for labels in each.labels]
        self.place = slice(start, start + len(self.labels))
        self._leaves = _joined(aligned)
        if self.clears:
            ends = [_clear_of(rule).align(binding).onto(each.labels) for rule, each in zip(rules, aligned, strict=True)]
            self._clear_leaves = _joined([end for end, _ in ends])
            self._clear_speaks: NDArray[np.bool_] = np.concatenate([speaks for _, speaks in ends])

    def say(self, values: Values) -> Floats:
        """Return what the condition says of each series: 1, 0 or NaN; float64 [series]."""
        return self._condition.evaluate(values, iter(self._leaves))

    def say_cleared(self, values: Values) -> Floats:
        """Return what ``clear=`` says of each series, where there is one: 1, 0 or NaN; float64 [series]."""
        assert self._clear is not None
        said = self._clear.evaluate(values, iter(self._clear_leaves))
        return np.where(self._clear_speaks, said, np.nan)

    def subject_values(self, values: Values, places: Columns) -> Floats:
        """Return what ``{value}`` shows of some of its series; NaN where there is nothing; float64 [places]."""
        return self._condition.subject().evaluate(values, iter([leaf[places] for leaf in self._leaves]))


def watches(rules: Sequence[Rule], binding: Binding) -> list[CompiledRules]:
    """Return what watches all of the rules, a watch for each shape."""
    shapes: dict[Hashable, list[Rule]] = {}
    for rule in rules:
        shape = (rule.condition.shape(), rule.clear.shape() if rule.clear is not None else None)
        shapes.setdefault(shape, []).append(rule)
    found: list[CompiledRules] = []
    start = 0
    for alike in shapes.values():
        found.append(CompiledRules(alike, binding, start))
        start = found[-1].place.stop
    return found


def _joined(aligned: Sequence[Alignment]) -> list[Leaf]:
    """Return the leaves of all, one behind the other."""
    return [np.concatenate(leaves) for leaves in zip(*(each.leaves for each in aligned), strict=True)]


def _clear_of(rule: Rule) -> Condition:
    assert rule.clear is not None
    return rule.clear
