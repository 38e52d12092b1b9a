"""Totals: the sum of an expression over its series, for each value of some labels."""

from collections.abc import Collection, Hashable, Iterator, Mapping
from dataclasses import dataclass
from typing import NoReturn

from tickboard.errors import InputError
from tickboard.expressions.alignment import Alignment, Binding, Floats, GroupTotals, Leaf
from tickboard.expressions.expr import STATS, Expression, Values, quoted


@dataclass(frozen=True, eq=False, repr=False)
class Total(Expression):
    """The sum of an expression over its series, for each value of some labels; series without a value are left out.

    Attributes:
        inner: what is added up.
        by: the names of the labels; empty: the sum over all series.
    """

    inner: Expression
    by: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return self.text()

    def __getattr__(self, name: str) -> NoReturn:
        hint = "; write the stat inside, as total(requests.avg)" if name in STATS else ""
        raise AttributeError(f"{self!r} has no {name!r}{hint}")

    def parts(self) -> tuple[Expression, ...]:
        return (self.inner,)

    def align(self, binding: Binding) -> Alignment:
        return self.inner.align(binding).totals(self.by)

    def shape(self) -> Hashable:
        return ("total", self.inner.shape())

    def label_names(self, known: Mapping[str, Collection[str]]) -> set[str] | None:
        names = self.inner.label_names(known)
        if names is not None and (lacking := [label for label in self.by if label not in names]):
            fix = f"use one of {', '.join(sorted(names))}" if names else "leave by out"
            raise InputError(f"{self.text()}: {self.metric_name()} has no label {quoted(lacking[0])}: {fix}")
        return set(self.by)

    def evaluate(self, values: Values, leaves: Iterator[Leaf]) -> Floats:
        leaf = next(leaves)
        assert isinstance(leaf, GroupTotals)
        return leaf.sums(self.inner.evaluate(values, iter(leaf.leaves)))

    def text(self) -> str:
        by = ", ".join(quoted(label) for label in self.by)
        return f"total({self.inner.text()}{f', by={by}' if len(self.by) == 1 else f', by=({by})' if by else ''})"
