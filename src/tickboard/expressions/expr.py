"""Conditions, written as ``cpu > 90`` or ``errors.rate / requests.rate > 0.05`` in a dashboard file.

An expression is a small tree over metrics, which it refers to by name. It is aligned to the columns of a registry once,
and then evaluated at every tick, for all series of its metrics at once. The leaves of the tree are passed in when it is
evaluated, so rules of one shape, such as ``a > 1`` and ``b > 2``, are evaluated together, with longer leaves.

    (used / size) > 0.9          labels  disk=a  disk=b          shape  >(/(value, value), number)
                                 used         0       1
                                 size         4       2          columns of the registry; -1: none
                                 0.9        0.9     0.9

It knows neither the registry nor the window; both are passed in. A missing value (NaN) makes a condition neither true
nor false.
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from tickboard import schedule
from tickboard.errors import InputError
from tickboard.expressions.alignment import Alignment, Binding, Columns, Floats, GroupTotals, Labels, Leaf, paired
from tickboard.expressions.globs import Glob, is_glob

STATS = ("last", "avg", "min", "max", "count", "p50", "p95", "p99", "stddev", "change", "rate")

_PLAIN_NAME = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*", re.ASCII)


class Values(Protocol):
    """Where an expression reads its values: the newest row and the stats of the window."""

    def read(self, stat: str, columns: Columns, span_s: float | None = None) -> Floats:
        """Return a value or stat of some columns, float64 [columns]; NaN: no value.

        Args:
            stat: ``value`` (this tick's row), ``anomaly`` or one of `STATS`.
            columns: [columns]; -1: no series, so no value.
            span_s: the newest seconds only; None: the whole window.
        """
        ...


class Operand(ABC):
    """Anything that may be part of an expression; it defines the operators once."""

    # Equality stays identity: handles are dictionary keys, and a measured value is hardly ever equal to a number.

    @abstractmethod
    def expression(self) -> "Expression":
        """Return it as an expression."""

    def __gt__(self, other: "Operand | float") -> "Condition":
        return Comparison(">", operand(self), operand(other))

    def __ge__(self, other: "Operand | float") -> "Condition":
        return Comparison(">=", operand(self), operand(other))

    def __lt__(self, other: "Operand | float") -> "Condition":
        return Comparison("<", operand(self), operand(other))

    def __le__(self, other: "Operand | float") -> "Condition":
        return Comparison("<=", operand(self), operand(other))

    def __add__(self, other: "Operand | float") -> "Expression":
        return Arithmetic("+", operand(self), operand(other))

    def __radd__(self, other: float) -> "Expression":
        return Arithmetic("+", operand(other), operand(self))

    def __sub__(self, other: "Operand | float") -> "Expression":
        return Arithmetic("-", operand(self), operand(other))

    def __rsub__(self, other: float) -> "Expression":
        return Arithmetic("-", operand(other), operand(self))

    def __mul__(self, other: "Operand | float") -> "Expression":
        return Arithmetic("*", operand(self), operand(other))

    def __rmul__(self, other: float) -> "Expression":
        return Arithmetic("*", operand(other), operand(self))

    def __truediv__(self, other: "Operand | float") -> "Expression":
        return Arithmetic("/", operand(self), operand(other))

    def __rtruediv__(self, other: float) -> "Expression":
        return Arithmetic("/", operand(other), operand(self))

    def __bool__(self) -> bool:
        raise InputError(
            f"{operand(self).text()}: its value is known only at each tick; combine conditions with & | ~ in "
            "parentheses, not with and, or, not, if or a chain like 1 < x < 2"
        )


class Measured(Operand):
    """A metric, which has stats over the window or a span of it: ``cpu.avg``, ``cpu.avg("10s")``."""

    last: "Reading"
    avg: "Reading"
    min: "Reading"
    max: "Reading"
    count: "Reading"
    p50: "Reading"
    p95: "Reading"
    p99: "Reading"
    stddev: "Reading"
    """The standard deviation of the population."""
    change: "Reading"
    """The newest value minus the oldest."""
    rate: "Reading"
    """The change per second."""

    def __getattr__(self, name: str) -> "Reading":
        if name in STATS:
            return self.reading(name)
        raise AttributeError(f"{self!r} has no {name!r}; its stats are {', '.join(STATS)}")

    @abstractmethod
    def reading(self, stat: str) -> "Reading":
        """Return one of its stats."""


class Expression(Operand):
    """A node of a tree."""

    def expression(self) -> "Expression":
        """Return the expression itself."""
        return self

    def parts(self) -> "tuple[Expression, ...]":
        """Return the expressions that it consists of."""
        return ()

    @abstractmethod
    def align(self, binding: Binding) -> Alignment:
        """Bind the expression to the columns that exist now."""

    @abstractmethod
    def shape(self) -> Hashable:
        """Return a key that is equal for expressions that differ only in metrics and numbers."""

    @abstractmethod
    def evaluate(self, values: Values, leaves: Iterator[Leaf]) -> Floats:
        """Return the values; of a condition, 1 is true, 0 is false and NaN is unknown.

        Args:
            values: the newest row and the stats.
            leaves: the leaves of a tree of this shape, from the left; it consumes as many as it needs.
        """

    @abstractmethod
    def text(self) -> str:
        """Return the expression as a person would write it."""

    def readings(self) -> "Iterable[Reading]":
        """Return the metrics and stats that it reads, from the left."""
        for part in self.parts():
            yield from part.readings()

    def label_names(self, known: Mapping[str, Collection[str]]) -> set[str] | None:
        """Return the names of the labels that its values may have; None: any.

        Args:
            known: the names of each metric's labels. A metric that is missing may still appear, with any labels.

        Raises:
            InputError: there is a total by a label that none of its metrics has.
        """
        names: set[str] = set()
        for part in self.parts():
            found = part.label_names(known)
            if found is None:
                return None
            names |= found
        return names

    def metric_name(self) -> str:
        """Return the name of the first metric in the expression; empty if there is none."""
        return next((reading.metric for reading in self.readings()), "")


class Condition(Expression):
    """An expression that is true or false."""

    def __and__(self, other: "Condition") -> "Condition":
        return Junction("&", self, condition(other))

    def __or__(self, other: "Condition") -> "Condition":
        return Junction("|", self, condition(other))

    def __invert__(self) -> "Condition":
        return Negation(self)

    @abstractmethod
    def subject(self) -> Expression:
        """Return the expression that an alert's ``{value}`` shows: the left side of the first comparison.

        It is the leftmost part, so it can be evaluated with the leaves of the whole condition.
        """

    @abstractmethod
    def first(self) -> "Comparison | None":
        """Return the first comparison, whose threshold the chart draws; None if there is none."""

    @abstractmethod
    def rises(self) -> bool:
        """Return whether a higher value of the subject is worse."""

    def true_of_nothing(self) -> bool:
        """Return whether the condition is true for a series that does not exist."""
        return False

    @abstractmethod
    def with_threshold(self, number: float) -> "Condition":
        """Return the condition with another number in its first comparison.

        Raises:
            InputError: the first comparison is not with a number.
        """


@dataclass(frozen=True, eq=False)
class Constant(Expression):
    """A number."""

    number: float

    def align(self, binding: Binding) -> Alignment:
        return Alignment(((),), (np.array([self.number]),))

    def shape(self) -> Hashable:
        return "number"

    def evaluate(self, values: Values, leaves: Iterator[Leaf]) -> Floats:
        return _array(next(leaves)).astype(np.float64, copy=False)

    def text(self) -> str:
        return f"{self.number!r}".removesuffix(".0")


@dataclass(frozen=True, eq=False, repr=False)
class Reading(Measured, Expression):
    """The value of a metric at this tick, or one of its stats over the window or a span of it.

    Attributes:
        metric: the metric's name.
        stat: ``value``, ``anomaly`` or one of `STATS`.
        span: such as ``10s``; empty: the whole window.
        labels: select some of its series, by values or globs; empty: all of them.
        spanned: the stat to use if a span is applied to ``value``.
        literal: whether the values of its labels are never globs, as those of one series.
    """

    metric: str
    stat: str = "value"
    span: str = ""
    labels: Labels = ()
    spanned: str = ""
    literal: bool = False

    def __repr__(self) -> str:
        return self.text()

    def __call__(self, span: schedule.Duration) -> "Reading":
        """Return the stat over the newest ticks only, as in ``cpu.avg("10s")``.

        Raises:
            InputError: it is not a stat, or the span is not a duration.
        """
        stat = self.spanned or self.stat
        if stat == "value" or self.span:
            raise InputError(f'{self.text()} is a value of one tick: name a stat, as {self.text()}.max("10s")')
        if schedule.duration(span) <= 0:
            raise InputError(f'{self.text()}("{span}"): give a span above 0, as "10s"')
        return replace(self, stat=stat, span=schedule.written(span), spanned="")

    def reading(self, stat: str) -> "Reading":
        """Return a stat of the value.

        Raises:
            InputError: it is a stat already.
        """
        if self.stat != "value":
            raise InputError(f"{self.text()} is already a stat: it has no {stat}")
        return replace(self, stat=stat, spanned="")

    @property
    def span_s(self) -> float | None:
        """The span in seconds; None: the whole window."""
        return schedule.duration(self.span) if self.span else None

    def readings(self) -> "Iterable[Reading]":
        return (self,)

    def align(self, binding: Binding) -> Alignment:
        labels, columns = binding.get(self.metric, ((), np.empty(0, np.intp)))
        if self.labels and labels != (self.labels,):
            places = self._selected(labels)
            labels, columns = tuple(labels[place] for place in places), columns[places]
        return Alignment(labels, (columns,))

    def _selected(self, series: tuple[Labels, ...]) -> list[int]:
        """Return the indices of the series that its labels select."""
        globs = () if self.literal else tuple(pair for pair in self.labels if is_glob(pair[1]))
        wanted = set(self.labels).difference(globs)
        found = [place for place, labels in enumerate(series) if wanted <= set(labels)]
        for label, text in globs:
            glob, values = Glob(text), [dict(series[place]).get(label) for place in found]
            # Series of one host, for example, share a value.
            matching = {value for value in set(values) if value is not None and glob.match(value)}
            found = [place for place, value in zip(found, values, strict=True) if value in matching]
        return found

    def shape(self) -> Hashable:
        return (self.stat, self.span_s)

    def label_names(self, known: Mapping[str, Collection[str]]) -> set[str] | None:
        return set(known[self.metric]) if self.metric in known else None

    def evaluate(self, values: Values, leaves: Iterator[Leaf]) -> Floats:
        columns: Columns = _array(next(leaves)).astype(np.intp, copy=False)
        return values.read(self.stat, columns, self.span_s)

    def text(self) -> str:
        name = self.metric
        if self.labels or not _PLAIN_NAME.fullmatch(name):
            pairs = "".join(f", {label}={quoted(value)}" for label, value in self.labels)
            name = f"metric({quoted(name)}{pairs})"
        if self.stat == "anomaly":
            return f"anomaly({name}{f', {quoted(self.span)}' if self.span else ''})"
        stat = "" if self.stat == "value" else f".{self.stat}"
        return f"{name}{stat}{f'({quoted(self.span)})' if self.span else ''}"


@dataclass(frozen=True, eq=False)
class Pair(Expression):
    """Two expressions with an operator between them, matched by their labels."""

    operator: str
    left: Expression
    right: Expression

    def parts(self) -> tuple[Expression, ...]:
        return (self.left, self.right)

    def align(self, binding: Binding) -> Alignment:
        return paired(self.left.align(binding), self.right.align(binding))

    def shape(self) -> Hashable:
        return (self.operator, self.left.shape(), self.right.shape())

    def text(self) -> str:
        return f"{_inner(self.left)} {self.operator} {_inner(self.right)}"


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
class Arithmetic(Pair):
    """Two expressions added, subtracted, multiplied or divided; a division by zero gives no value."""

    def evaluate(self, values: Values, leaves: Iterator[Leaf]) -> Floats:
        left = self.left.evaluate(values, leaves)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            result = _ARITHMETIC[self.operator](left, self.right.evaluate(values, leaves))
        return np.where(np.isinf(result), np.nan, result)


@dataclass(frozen=True, eq=False)
class Comparison(Pair, Condition):
    """Two expressions compared."""

    def evaluate(self, values: Values, leaves: Iterator[Leaf]) -> Floats:
        left = self.left.evaluate(values, leaves)
        right = self.right.evaluate(values, leaves)
        result = _COMPARISON[self.operator](left, right).astype(np.float64)
        result[np.isnan(left) | np.isnan(right)] = np.nan
        return result

    def subject(self) -> Expression:
        return self.left

    def first(self) -> "Comparison | None":
        return self

    def rises(self) -> bool:
        return self.operator.startswith(">")

    def with_threshold(self, number: float) -> Condition:
        if not isinstance(self.right, Constant):
            raise InputError(
                f"{self.text()} compares with no number that threshold could replace: write the condition again, "
                "with when"
            )
        right = operand(number)
        return Comparison(self.operator, self.left, right)


@dataclass(frozen=True, eq=False)
class Junction(Pair, Condition):
    """Two conditions joined by Kleene's *and* or *or*: false and unknown is false, true or unknown is true."""

    left: Condition
    right: Condition

    def evaluate(self, values: Values, leaves: Iterator[Leaf]) -> Floats:
        left = self.left.evaluate(values, leaves)
        right = self.right.evaluate(values, leaves)
        # Of 0 and 1, `and` is the minimum and `or` the maximum. fmin and fmax prefer a number to NaN, which agrees with
        # Kleene's logic only if that number decides.
        picked, decides = (np.fmin(left, right), 0.0) if self.operator == "&" else (np.fmax(left, right), 1.0)
        unknown = np.isnan(left) | np.isnan(right)
        return np.where(unknown & (picked != decides), np.nan, picked)

    def text(self) -> str:
        return f"({self.left.text()}) {self.operator} ({self.right.text()})"

    def subject(self) -> Expression:
        return self.left.subject()

    def first(self) -> Comparison | None:
        return self.left.first()

    def rises(self) -> bool:
        return self.left.rises()

    def true_of_nothing(self) -> bool:
        both = (self.left.true_of_nothing(), self.right.true_of_nothing())
        return all(both) if self.operator == "&" else any(both)

    def with_threshold(self, number: float) -> Condition:
        return Junction(self.operator, self.left.with_threshold(number), self.right)


@dataclass(frozen=True, eq=False)
class Negation(Condition):
    """A condition negated; unknown stays unknown."""

    inner: Condition

    def parts(self) -> tuple[Expression, ...]:
        return (self.inner,)

    def align(self, binding: Binding) -> Alignment:
        return self.inner.align(binding)

    def shape(self) -> Hashable:
        return ("~", self.inner.shape())

    def evaluate(self, values: Values, leaves: Iterator[Leaf]) -> Floats:
        return 1.0 - self.inner.evaluate(values, leaves)

    def text(self) -> str:
        return f"~({self.inner.text()})"

    def subject(self) -> Expression:
        return self.inner.subject()

    def first(self) -> Comparison | None:
        return self.inner.first()

    def rises(self) -> bool:
        return not self.inner.rises()

    def with_threshold(self, number: float) -> Condition:
        return Negation(self.inner.with_threshold(number))


def operand(value: object) -> Expression:
    """Return `value` as an expression.

    Raises:
        InputError: it is neither an expression nor a finite number.
    """
    if isinstance(value, Operand):
        return value.expression()
    if isinstance(value, int | float) and not isinstance(value, bool) and np.isfinite(value):
        return Constant(float(value))
    raise InputError(f"{value!r} is not allowed in a condition: use a metric, one of its stats or a finite number")


def condition(value: object) -> Condition:
    """Return `value` as a condition.

    Raises:
        InputError: it is not a condition.
    """
    if isinstance(value, Condition):
        return value
    shown = operand(value).text() if isinstance(value, Operand) else repr(value)
    raise InputError(f"{shown} is not a condition: compare a metric with something, as in cpu > 90")


def _array(leaf: Leaf) -> Columns | Floats:
    assert not isinstance(leaf, GroupTotals)
    return leaf


def _inner(side: Expression) -> str:
    return f"({side.text()})" if isinstance(side, Arithmetic | Condition) else side.text()


def quoted(text: str) -> str:
    return '"' + text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n") + '"'
