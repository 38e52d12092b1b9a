"""Conditions: what a dashboard file writes as ``cpu > 90`` or ``errors.rate / requests.rate > 0.05``.

An expression is a small tree over metrics named by text, and is bound to the columns of a registry before it is
evaluated: for all series of its metrics at once, in numpy. It knows neither the registry nor the window; both come as
arguments. A value that is missing (NaN) makes a condition neither true nor false; `Bound.evaluate` returns which.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from tickboard.errors import InputError

Labels = tuple[tuple[str, str], ...]
Floats = NDArray[np.float64]
Columns = NDArray[np.intp]
Binding = Mapping[str, tuple[tuple[Labels, ...], Columns]]
"""For each metric, its series' labels and their columns, in the same order."""

STATS = ("last", "avg", "min", "max", "count", "p50", "p95", "p99")


class Values(Protocol):
    """Where an expression reads: the newest row and the stats of the window."""

    def read(self, stat: str, columns: Columns) -> Floats:
        """Return ``value`` (this tick's row) or one of `STATS` for these columns, float64 [columns]."""
        ...


@dataclass(frozen=True)
class Bound:
    """An expression tied to columns: what it gives for each set of labels.

    Attributes:
        labels: one set of labels for each value that `evaluate` gives.
        evaluate: float64 [labels]; for a condition 1 is true, 0 is false and NaN is unknown.
    """

    labels: tuple[Labels, ...]
    evaluate: Callable[[Values], Floats]


class Operand(ABC):
    """Anything that may stand in an expression; the operators are defined here once."""

    # Equality stays identity: handles are kept in dictionaries, and `cpu == 41.5` is hardly ever what one means.

    @abstractmethod
    def bind(self, columns: Binding) -> Bound:
        """Tie the expression to the columns that there are now."""

    @abstractmethod
    def text(self) -> str:
        """Return the expression as one would write it."""

    @abstractmethod
    def metric_name(self) -> str:
        """Return the name of the first metric in the expression; empty where there is none."""

    def __gt__(self, other: "Operand | float") -> "Condition":
        return Comparison(">", self, operand(other))

    def __ge__(self, other: "Operand | float") -> "Condition":
        return Comparison(">=", self, operand(other))

    def __lt__(self, other: "Operand | float") -> "Condition":
        return Comparison("<", self, operand(other))

    def __le__(self, other: "Operand | float") -> "Condition":
        return Comparison("<=", self, operand(other))

    def __add__(self, other: "Operand | float") -> "Operand":
        return Arithmetic("+", self, operand(other))

    def __radd__(self, other: float) -> "Operand":
        return Arithmetic("+", operand(other), self)

    def __sub__(self, other: "Operand | float") -> "Operand":
        return Arithmetic("-", self, operand(other))

    def __rsub__(self, other: float) -> "Operand":
        return Arithmetic("-", operand(other), self)

    def __mul__(self, other: "Operand | float") -> "Operand":
        return Arithmetic("*", self, operand(other))

    def __rmul__(self, other: float) -> "Operand":
        return Arithmetic("*", operand(other), self)

    def __truediv__(self, other: "Operand | float") -> "Operand":
        return Arithmetic("/", self, operand(other))

    def __rtruediv__(self, other: float) -> "Operand":
        return Arithmetic("/", operand(other), self)

    def __bool__(self) -> bool:
        raise InputError(
            f"{self.text()}: its value is known only at each tick; combine conditions with & | ~ in parentheses, "
            "not with and, or, not, if or a chain like 1 < x < 2"
        )


class Condition(Operand):
    """An expression that is true or false."""

    def __and__(self, other: "Condition") -> "Condition":
        return Junction("&", self, condition(other))

    def __or__(self, other: "Condition") -> "Condition":
        return Junction("|", self, condition(other))

    def __invert__(self) -> "Condition":
        return Negation(self)

    @abstractmethod
    def subject(self) -> "Operand":
        """Return the expression that an alert's ``{value}`` shows: the left side of the first comparison."""

    @abstractmethod
    def first(self) -> "Comparison":
        """Return the first comparison, whose threshold the chart draws."""

    def metric_name(self) -> str:
        """Return the name of the metric that is compared first."""
        return self.subject().metric_name()


@dataclass(frozen=True, eq=False)
class Constant(Operand):
    """A number."""

    number: float

    def bind(self, columns: Binding) -> Bound:
        """Give the number for every set of labels."""
        value = np.array([self.number])
        return Bound(((),), lambda values: value)

    def text(self) -> str:
        """Return the number."""
        return f"{self.number:g}"

    def metric_name(self) -> str:
        """Return nothing: a number is no metric's."""
        return ""


@dataclass(frozen=True, eq=False)
class Reading(Operand):
    """The value of a metric at this tick, or one of its stats over the window."""

    metric: str
    stat: str = "value"

    def bind(self, columns: Binding) -> Bound:
        """Take the metric's columns; none when it has no series yet."""
        labels, indices = columns.get(self.metric, ((), np.empty(0, np.intp)))
        stat = self.stat
        return Bound(labels, lambda values: values.read(stat, indices))

    def text(self) -> str:
        """Return ``name`` or ``name.stat``."""
        return self.metric if self.stat == "value" else f"{self.metric}.{self.stat}"

    def metric_name(self) -> str:
        """Return the metric's name."""
        return self.metric


_ARITHMETIC: dict[str, Callable[[Floats, Floats], Floats]] = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": np.divide,
}
_COMPARISON: dict[str, Callable[[Floats, Floats], NDArray[np.bool_]]] = {
    ">": np.greater,
    ">=": np.greater_equal,
    "<": np.less,
    "<=": np.less_equal,
}


@dataclass(frozen=True, eq=False)
class Arithmetic(Operand):
    """Two expressions added, subtracted, multiplied or divided; a division by zero gives no value."""

    operator: str
    left: Operand
    right: Operand

    def bind(self, columns: Binding) -> Bound:
        """Pair the two sides by their labels."""
        compute = _ARITHMETIC[self.operator]

        def apply(left: Floats, right: Floats) -> Floats:
            with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
                result = compute(left, right)
            return np.where(np.isinf(result), np.nan, result)

        return _pair(self.left.bind(columns), self.right.bind(columns), apply)

    def text(self) -> str:
        """Return both sides with the operator between them."""
        return f"{_inner(self.left)} {self.operator} {_inner(self.right)}"

    def metric_name(self) -> str:
        """Return the first metric's name, from the left."""
        return self.left.metric_name() or self.right.metric_name()


@dataclass(frozen=True, eq=False)
class Comparison(Condition):
    """Two expressions compared."""

    operator: str
    left: Operand
    right: Operand

    def bind(self, columns: Binding) -> Bound:
        """Pair the two sides by their labels."""
        compare = _COMPARISON[self.operator]

        def apply(left: Floats, right: Floats) -> Floats:
            known = ~(np.isnan(left) | np.isnan(right))
            return np.where(known, compare(left, right), np.nan)

        return _pair(self.left.bind(columns), self.right.bind(columns), apply)

    def text(self) -> str:
        """Return both sides with the operator between them."""
        return f"{_inner(self.left)} {self.operator} {_inner(self.right)}"

    def subject(self) -> Operand:
        """Return the left side."""
        return self.left

    def first(self) -> "Comparison":
        """Return itself."""
        return self


@dataclass(frozen=True, eq=False)
class Junction(Condition):
    """Two conditions joined by and or or, by Kleene's rules: false and unknown is false, true or unknown is true."""

    operator: str
    left: Condition
    right: Condition

    def bind(self, columns: Binding) -> Bound:
        """Pair the two sides by their labels."""
        # With 0 and 1, `and` is the lower and `or` the higher one; fmin and fmax prefer a number to a NaN, which is
        # Kleene's rule only when that number decides.
        pick, decides = (np.fmin, 0.0) if self.operator == "&" else (np.fmax, 1.0)

        def apply(left: Floats, right: Floats) -> Floats:
            picked: Floats = pick(left, right)
            unknown = np.isnan(left) | np.isnan(right)
            return np.where(unknown & (picked != decides), np.nan, picked)

        return _pair(self.left.bind(columns), self.right.bind(columns), apply)

    def text(self) -> str:
        """Return both sides in parentheses with the operator between them."""
        return f"({self.left.text()}) {self.operator} ({self.right.text()})"

    def subject(self) -> Operand:
        """Return the left side's subject."""
        return self.left.subject()

    def first(self) -> Comparison:
        """Return the left side's first comparison."""
        return self.left.first()


@dataclass(frozen=True, eq=False)
class Negation(Condition):
    """A condition turned round; unknown stays unknown."""

    inner: Condition

    def bind(self, columns: Binding) -> Bound:
        """Turn the inner condition round."""
        bound = self.inner.bind(columns)
        return Bound(bound.labels, lambda values: 1.0 - bound.evaluate(values))

    def text(self) -> str:
        """Return the inner condition with a tilde."""
        return f"~({self.inner.text()})"

    def subject(self) -> Operand:
        """Return the inner condition's subject."""
        return self.inner.subject()

    def first(self) -> Comparison:
        """Return the inner condition's first comparison."""
        return self.inner.first()


def operand(value: object) -> Operand:
    """Return `value` as an expression.

    Raises:
        InputError: it is neither an expression nor a finite number.
    """
    if isinstance(value, Operand):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool) and np.isfinite(value):
        return Constant(float(value))
    raise InputError(f"{value!r} cannot stand in a condition: use a metric, one of its stats or a finite number")


def condition(value: object) -> Condition:
    """Return `value` as a condition.

    Raises:
        InputError: it is something else.
    """
    if isinstance(value, Condition):
        return value
    shown = value.text() if isinstance(value, Operand) else repr(value)
    raise InputError(f"{shown} is not a condition: compare a metric with something, as in cpu > 90")


def _inner(side: Operand) -> str:
    return f"({side.text()})" if isinstance(side, Arithmetic | Condition) else side.text()


def _pair(left: Bound, right: Bound, apply: Callable[[Floats, Floats], Floats]) -> Bound:
    """Join two sides on equal labels; a side with no labels goes with every series of the other."""
    if left.labels == right.labels or right.labels == ((),):
        return Bound(left.labels, lambda values: apply(left.evaluate(values), right.evaluate(values)))
    if left.labels == ((),):
        return Bound(right.labels, lambda values: apply(left.evaluate(values), right.evaluate(values)))
    position = {labels: index for index, labels in enumerate(right.labels)}
    both = [(index, position[labels]) for index, labels in enumerate(left.labels) if labels in position]
    from_left = np.array([index for index, _ in both], np.intp)
    from_right = np.array([index for _, index in both], np.intp)
    labels = tuple(left.labels[index] for index in from_left)
    return Bound(labels, lambda values: apply(left.evaluate(values)[from_left], right.evaluate(values)[from_right]))
