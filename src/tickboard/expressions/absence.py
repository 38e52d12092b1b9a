"""Absence: the condition that an expression has no value."""

from collections.abc import Hashable, Iterator
from dataclasses import dataclass

import numpy as np

from tickboard.errors import InputError
from tickboard.expressions.alignment import Alignment, Binding, Floats, Leaf
from tickboard.expressions.expr import Comparison, Condition, Expression, Values


@dataclass(frozen=True, eq=False)
class Absence(Condition):
    """True if an expression has no value: a series without one, or a metric without series."""

    inner: Expression

    def parts(self) -> tuple[Expression, ...]:
        return (self.inner,)

    def align(self, binding: Binding) -> Alignment:
        aligned = self.inner.align(binding)
        return aligned if aligned.labels else aligned.lacking()

    def shape(self) -> Hashable:
        return ("absent", self.inner.shape())

    def evaluate(self, values: Values, leaves: Iterator[Leaf]) -> Floats:
        return np.isnan(self.inner.evaluate(values, leaves)).astype(np.float64)

    def text(self) -> str:
        return f"absent({self.inner.text()})"

    def subject(self) -> Expression:
        return self.inner

    def first(self) -> Comparison | None:
        return None

    def rises(self) -> bool:
        return True

    def true_of_nothing(self) -> bool:
        return True

    def with_threshold(self, number: float) -> Condition:
        raise InputError(
            f"{self.text()} compares with no number that threshold could replace: write the condition again, with when"
        )
