"""Compiled rules: groups of rules of one shape, bound to the series that exist and evaluated together.

A thousand rules like ``a > 1`` compile to one: their series, columns and thresholds are concatenated. Nothing here
knows the states of an alert.
"""

from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import NDArray

from tickboard.alerting.rules import Rule
from tickboard.expressions.alignment import Alignment, Binding, Columns, Floats, Labels, Leaf, joined
from tickboard.expressions.expr import Condition, Values


class CompiledRules:
    """Rules of one shape, bound to their series.

    Args:
        rules: at least one, all of one shape.
        binding: the registry's labels and columns.
        start: the index of the first of their series among the series of all compiled rules.

    Attributes:
        rules: as given.
        counts: how many series each rule has.
        labels: the labels of each series, in the order of the rules.
        place: the slice of its series among the series of all compiled rules.
        clears: whether the rules have a ``clear=`` condition.
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
            self._has_clear: NDArray[np.bool_] = np.concatenate([known for _, known in ends])

    def evaluate(self, values: Values) -> Floats:
        """Return the condition's result for each series: 1, 0 or NaN; float64 [series]."""
        return self._condition.evaluate(values, iter(self._leaves))

    def evaluate_clear(self, values: Values) -> Floats:
        """Return the result of the ``clear=`` condition for each series that has one: 1, 0 or NaN; float64 [series]."""
        assert self._clear is not None
        results = self._clear.evaluate(values, iter(self._clear_leaves))
        return np.where(self._has_clear, results, np.nan)

    def subject_values(self, values: Values, places: Columns) -> Floats:
        """Return the values that ``{value}`` shows for the series at `places`; NaN: no value; float64 [places]."""
        return self._condition.subject().evaluate(values, iter([leaf[places] for leaf in self._leaves]))


def compile_rules(rules: Sequence[Rule], binding: Binding) -> list[CompiledRules]:
    """Group rules by shape and compile each group."""
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
    """Return the leaves of all alignments, concatenated."""
    return [joined(leaves) for leaves in zip(*(each.leaves for each in aligned), strict=True)]


def _clear_of(rule: Rule) -> Condition:
    assert rule.clear is not None
    return rule.clear
