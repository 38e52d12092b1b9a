"""The registry: which metrics there are, which labels lead to which column, and the values of the tick to come.

Sources and samplers write through handles (`Gauge`, `Counter`, `Histogram`), from any thread; once a tick,
`Registry.collect` takes one row out. Nothing here knows the time, the window or who reads the row.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import inf
from random import Random
from threading import Lock
from typing import ClassVar, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from tickboard.distribution import Distribution, merged
from tickboard.errors import InputError, LimitError
from tickboard.expressions.aligned import Binding, Floats, Labels
from tickboard.expressions.expr import Measured, Reading
from tickboard.text import encodable
from tickboard.types import MetricInfo, MetricKind

MAX_SERIES = 200_000
"""Series in one registry; one more is refused with `LimitError`."""

MAX_OBSERVATIONS = 10_000
"""Observations kept for one histogram series and tick; beyond them, a fair sample of all (reservoir sampling)."""

SPEC_KEYS = {
    "cpu_usage": "cpu",
    "memory_usage": "memory",
    "requests_per_sec": "requests",
    "avg_latency": "latency",
}
"""The keys that the four metrics of the specification have in ``/api/stats``."""

QUANTILES = {"p50": 50, "p95": 95, "p99": 99}

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.:/-]*")
_LABEL = re.compile(r"[A-Za-z_][A-Za-z0-9_.]*")


@dataclass(frozen=True)
class Series:
    """One metric with one set of labels, and its column in every row."""

    metric: MetricInfo
    labels: Labels
    column: int

    @property
    def key(self) -> str:
        """The name with its labels, ``disk_usage{device="sda"}``: unique in a registry."""
        if not self.labels:
            return self.metric.name
        pairs = ",".join(f'{name}="{_escaped(value)}"' for name, value in self.labels)
        return f"{self.metric.name}{{{pairs}}}"


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


class Handle(Measured):
    """What a dashboard file holds of a metric: it writes its values and stands in its conditions.

    A metric with labels is written through `labels`, and stands in conditions for all its series.
    """

    kind: ClassVar[MetricKind]

    def __init__(self, registry: "Registry", metric: MetricInfo, labels: Labels | None) -> None:
        self._registry = registry
        self.metric = metric
        self._labels = labels
        self._column = -1 if labels is None else self._attach(labels)

    def __repr__(self) -> str:
        return f"<{self.kind} {self.metric.name}>"

    def labels(self, **labels: object) -> Self:
        """Return the handle of the series with these labels, made when first asked for.

        A value that is no text becomes one. A lone surrogate in it, as in a file's name that is not UTF-8, becomes
        ``?``.

        Raises:
            InputError: the names are not those that the metric was declared with.
            LimitError: the registry has no room for another series.
        """
        if set(labels) != set(self.metric.labels) or not labels:
            wanted = ", ".join(self.metric.labels) or "none"
            raise InputError(f"metric {self.metric.name!r} has the labels {wanted}, not {', '.join(labels) or 'none'}")
        key = tuple((name, encodable(str(labels[name]))) for name in self.metric.labels)
        return self._registry.child(self, key)

    @property
    def columns(self) -> list[int]:
        """The columns of its series: one, a histogram has more, and a metric with labels has none of its own."""
        return [self._column] if self._column >= 0 else []

    def leave(self) -> None:
        """Have no columns any more; the registry calls it."""
        self._column = -1

    def _attach(self, labels: Labels) -> int:
        return self._registry.add_series(self.metric, labels)

    def _require_column(self) -> int:
        if self._column < 0 and self._labels is not None:
            raise InputError(f"this series of {self.metric.name!r} was removed: ask for its labels again")
        if self._column < 0:
            raise InputError(
                f"metric {self.metric.name!r} has labels: write "
                f".labels({', '.join(f'{name}=…' for name in self.metric.labels)}) before the value"
            )
        return self._column

    def expression(self) -> Reading:
        """Stand for the value at this tick: of all series, or of the one that it is the handle of."""
        return self._read("value")

    def reading(self, stat: str) -> Reading:
        """Stand for one of the stats."""
        return self._read(stat)

    def _read(self, stat: str, **more: str) -> Reading:
        return Reading(self.metric.name, stat, labels=self._labels or (), **more)


H = TypeVar("H", bound=Handle)


class Gauge(Handle):
    """A value that goes up and down; between two ticks the last one set counts, and it holds until the next."""

    kind = "gauge"

    def set(self, value: float | None) -> None:
        """Set the value; NaN, infinity and None mean that there is none."""
        column = self._require_column()
        registry = self._registry
        with registry.lock:
            registry.values[column] = np.nan if value is None else value

    def inc(self, amount: float = 1) -> None:
        """Add to the value; one that was never set starts at 0."""
        column = self._require_column()
        registry = self._registry
        with registry.lock:
            value = registry.values[column]
            registry.values[column] = amount if np.isnan(value) else value + amount

    def dec(self, amount: float = 1) -> None:
        """Take from the value."""
        self.inc(-amount)


class Counter(Handle):
    """Something that is counted; each tick has its rate per second."""

    kind = "counter"

    def reading(self, stat: str) -> Reading:
        """Stand for one of the stats; the rate at this tick is the value itself, and over a span its average."""
        return self._read("value", spanned="avg") if stat == "rate" else self._read(stat)

    def inc(self, amount: float = 1) -> None:
        """Count `amount` more.

        Raises:
            InputError: the amount is negative or not finite.
        """
        if not 0 <= amount < np.inf:
            raise InputError(f"counter {self.metric.name!r} cannot grow by {amount!r}: give a finite amount >= 0")
        column = self._require_column()
        registry = self._registry
        with registry.lock:
            registry.counts[column] += amount


class Histogram(Handle):
    """A distribution: each tick has the average of what was observed since the last one, and its p50, p95, p99.

    The percentiles are metrics of their own, named ``NAME.p50`` and so on; in conditions, ``handle.p95`` is that of
    the newest tick.
    """

    kind = "histogram"

    def __init__(self, registry: "Registry", metric: MetricInfo, labels: Labels | None) -> None:
        self._observations: list[float] = []
        self._count = 0
        self._sum = 0.0
        self._distributions: list[Distribution] = []
        self._quantile_columns: list[int] = []
        super().__init__(registry, metric, labels)

    def _attach(self, labels: Labels) -> int:
        registry = self._registry
        registry.require_room(self.metric, 1 + len(QUANTILES))
        column = registry.add_series(self.metric, labels)
        self._quantile_columns = [
            registry.add_series(registry.metrics[f"{self.metric.name}.{quantile}"], labels) for quantile in QUANTILES
        ]
        registry.histograms.append(self)
        return column

    @property
    def columns(self) -> list[int]:
        """Those of the average, p50, p95 and p99."""
        return [*super().columns, *self._quantile_columns]

    def leave(self) -> None:
        """Have no columns any more; the registry calls it."""
        super().leave()
        self._quantile_columns = []
        self._registry.histograms.remove(self)

    def reading(self, stat: str) -> Reading:
        """Stand for one of the stats; a percentile is that of the newest tick, and has stats of its own."""
        if stat not in QUANTILES:
            return self._read(stat)
        return Reading(f"{self.metric.name}.{stat}", labels=self._labels or ())

    def observe(self, value: float) -> None:
        """Add one observation; NaN and infinity are not counted."""
        self._require_column()
        with self._registry.lock:
            self.add(value)

    def add(self, value: float) -> None:
        """Add one observation as `observe` does; the caller holds the lock."""
        if not -inf < value < inf:
            return
        self._count += 1
        self._sum += value
        if self._count <= MAX_OBSERVATIONS:
            self._observations.append(value)
            return
        # Algorithm R (Vitter 1985): each of the values so far is kept with the same chance.
        place = self._registry.random.randrange(self._count)
        if place < MAX_OBSERVATIONS:
            self._observations[place] = value

    def observe_all(self, values: Iterable[float]) -> None:
        """Add many observations."""
        self._require_column()
        with self._registry.lock:
            for value in values:
                self.add(value)

    def merge(self, distribution: Distribution) -> None:
        """Add what somebody else has observed; it holds until the next, as it is told now and then."""
        self._require_column()
        with self._registry.lock:
            self._distributions.append(distribution)

    def collect(self, row: Floats) -> None:
        """Write this tick's values into `row` and start anew; the caller holds the registry's lock."""
        if self._distributions:
            if self._observations:
                self._distributions.append(Distribution.of(self._observations))
            self._hold(merged(self._distributions))
            row[self.columns] = self._registry.values[self.columns]
            self._distributions.clear()
        elif self._count:
            row[self._column] = self._sum / self._count
            row[self._quantile_columns] = np.percentile(self._observations, list(QUANTILES.values()))
        self._observations.clear()
        self._count, self._sum = 0, 0.0

    def _hold(self, distribution: Distribution) -> None:
        self._registry.values[self.columns] = summary(distribution)


def summary(distribution: Distribution) -> list[float]:
    """Return what a histogram shows of a distribution, in the order of its columns."""
    return [distribution.mean, *distribution.percentiles(list(QUANTILES.values())).tolist()]


class Registry:
    """All metrics and series of one board, and the values of the tick to come.

    A series that is removed gives its column back: first `take_left`, so that whoever has kept its values can forget
    them, then `recycle`; from then on another series may have it.

    Attributes:
        metrics: by name, in the order declared.
        keys: by metric name, the key in ``/api/stats``.
        series: those that there are.
        values: float64 [width], what the gauges hold; NaN where there is nothing.
        counts: float64 [width], what was counted since the last tick.
        width: how many columns a row has.
        revision: changes with every metric or series, so that others know when to bind anew.
        metrics_revision: changes with every metric.
    """

    def __init__(self, max_series: int = MAX_SERIES) -> None:
        self.metrics: dict[str, MetricInfo] = {}
        self.keys: dict[str, str] = {}
        self._taken_keys: set[str] = set()
        self.series: list[Series] = []
        self.values: Floats = np.empty(0)
        self.counts: Floats = np.empty(0)
        self.histograms: list[Histogram] = []
        self.width = 0
        self.revision = 0
        self.metrics_revision = 0
        self.max_series = max_series
        self.lock = Lock()
        self.random = Random(0)
        self._counted: dict[int, None] = {}
        self._counter_columns: NDArray[np.intp] = np.empty(0, np.intp)
        self._left: list[int] = []
        self._free: list[int] = []
        self._handles: dict[str, Handle] = {}
        self._children: dict[tuple[str, Labels], Handle] = {}
        self._binding: tuple[int, Binding] = (-1, {})
        self._ordered: tuple[int, list[Series]] = (-1, [])

    def gauge(
        self,
        name: str,
        title: str = "",
        *,
        unit: str = "",
        labels: Iterable[str] = (),
        key: str | None = None,
        min: float | None = None,
        max: float | None = None,
    ) -> Gauge:
        """Declare a metric that goes up and down.

        Args:
            name: what it is called on the wire.
            title: what people read; the name when empty. A lone surrogate in it or in the unit becomes ``?``.
            unit: of its values, as shown.
            labels: the names of the labels that tell its series apart.
            key: its key in ``/api/stats``; the name when not given.
            min: the lower end of its chart's axis, where it is known.
            max: the upper end.

        Raises:
            InputError: the name is malformed, or declared already as something else.
        """
        return self._declare(Gauge, name, title, unit, labels, key, min, max)

    def counter(
        self,
        name: str,
        title: str = "",
        *,
        unit: str = "/s",
        labels: Iterable[str] = (),
        key: str | None = None,
        min: float | None = 0,
        max: float | None = None,
    ) -> Counter:
        """Declare a metric that is counted and shown as a rate per second; arguments and errors as for `gauge`."""
        return self._declare(Counter, name, title, unit, labels, key, min, max)

    def histogram(
        self,
        name: str,
        title: str = "",
        *,
        unit: str = "",
        labels: Iterable[str] = (),
        key: str | None = None,
        min: float | None = None,
        max: float | None = None,
    ) -> Histogram:
        """Declare a metric that is observed many times a tick; arguments and errors as for `gauge`."""
        return self._declare(Histogram, name, title, unit, labels, key, min, max)

    def handle(self, name: str) -> Handle:
        """Return the handle of a metric that was declared, as by a source, to write conditions with.

        Raises:
            InputError: no metric has this name.
        """
        found = self._handles.get(name)
        if found is None:
            raise InputError(f"{name!r} is not a metric of this board; it has {', '.join(self._handles) or 'none'}")
        return found

    def _declare(
        self,
        handle_class: type[H],
        name: str,
        title: str,
        unit: str,
        labels: Iterable[str],
        key: str | None,
        low: float | None,
        high: float | None,
    ) -> H:
        if isinstance(labels, str):
            raise InputError(f"metric {name!r}: labels={labels!r} is one text; write labels=({labels!r},)")
        metric = MetricInfo(name, encodable(title) or name, encodable(unit), handle_class.kind, list(labels), low, high)
        self._check(metric)
        if (known := self._handles.get(name)) is not None:
            if known.metric == metric and isinstance(known, handle_class):
                return known
            raise InputError(f"metric {name!r} is declared already, as a {known.kind}: give each metric its own name")
        wanted_key = key or SPEC_KEYS.get(name, name)
        if wanted_key in self._taken_keys:
            raise InputError(f"metric {name!r}: the key {wanted_key!r} is taken: give it another key=")
        self._add_metric(metric, wanted_key)
        if handle_class is Histogram:
            self._declare_quantiles(metric)
        try:
            handle = handle_class(self, metric, None if metric.labels else ())
        except LimitError:
            self._forget_metric(name)
            raise
        self._handles[name] = handle
        self.revision += 1
        self.metrics_revision += 1
        return handle

    def _declare_quantiles(self, metric: MetricInfo) -> None:
        for quantile in QUANTILES:
            name = f"{metric.name}.{quantile}"
            if name in self.metrics:
                raise InputError(f"metric {name!r} is declared already: {metric.name!r} needs it for its {quantile}")
            title = f"{metric.title} {quantile}"
            info = MetricInfo(name, title, metric.unit, "histogram", metric.labels, metric.min, metric.max)
            self._add_metric(info, f"{self.keys[metric.name]}.{quantile}")

    def _check(self, metric: MetricInfo) -> None:
        if not _NAME.fullmatch(metric.name):
            raise InputError(
                f"metric name {metric.name!r}: start with a letter or _, go on with letters, digits and _ . : / -"
            )
        for label in metric.labels:
            if not _LABEL.fullmatch(label):
                raise InputError(f"metric {metric.name!r}: label name {label!r}: use letters, digits, _ and .")

    def child(self, handle: H, labels: Labels) -> H:
        """Return the handle of one series of a labelled metric, made when first asked for.

        Raises:
            LimitError: there is no room for another series.
        """
        with self.lock:
            return self.open(handle, labels)

    def open(self, handle: H, labels: Labels) -> H:
        """Return the handle of one series as `child` does; the caller holds the lock."""
        known = self._children.get((handle.metric.name, labels))
        if known is None:
            known = type(handle)(self, handle.metric, labels)
            self._children[handle.metric.name, labels] = known
        assert isinstance(known, type(handle))
        return known

    def discover(self, handle_class: type[H], metric: MetricInfo) -> H:
        """Declare a metric that has come from outside, with no series yet; the caller holds the lock.

        Raises:
            InputError: the name is malformed or taken.
        """
        self._check(metric)
        if metric.name in self.metrics or metric.name in self._taken_keys:
            raise InputError(f"metric {metric.name!r} is declared already: send it under another name")
        if handle_class is Histogram and (
            taken := next((q for q in QUANTILES if f"{metric.name}.{q}" in self.metrics), "")
        ):
            raise InputError(f"metric {metric.name!r}: {metric.name}.{taken} is taken: send it under another name")
        self._add_metric(metric, metric.name)
        if handle_class is Histogram:
            self._declare_quantiles(metric)
        handle = handle_class(self, metric, None)
        self._handles[metric.name] = handle
        self.revision += 1
        self.metrics_revision += 1
        return handle

    def withdraw(self, name: str) -> None:
        """Forget a discovered metric whose series have left; the caller holds the lock."""
        self._forget_metric(name)
        del self._handles[name]
        self.revision += 1
        self.metrics_revision += 1

    def _add_metric(self, metric: MetricInfo, key: str) -> None:
        self.metrics[metric.name] = metric
        self.keys[metric.name] = key
        self._taken_keys.add(key)

    def _forget_metric(self, name: str) -> None:
        percentiles = [f"{name}.{quantile}" for quantile in QUANTILES] if self.metrics[name].kind == "histogram" else []
        for each in (name, *percentiles):
            self._taken_keys.discard(self.keys.pop(each))
            del self.metrics[each]

    def child_of(self, handle: H, labels: Labels) -> H | None:
        """Return the handle of one series if there is one; the caller holds the lock."""
        known = self._children.get((handle.metric.name, labels))
        assert known is None or isinstance(known, type(handle))
        return known

    def find(self, name: str) -> Handle | None:
        """Return the handle of a metric; None when there is none of this name."""
        return self._handles.get(name)

    def remove(self, *children: Handle) -> None:
        """Remove series, by their handles as `Handle.labels` gives them; one that was removed already is none."""
        with self.lock:
            self.drop(children)

    def drop(self, children: Iterable[Handle]) -> None:
        """Remove series as `remove` does; the caller holds the lock."""
        columns: set[int] = set()
        for child in children:
            columns.update(child.columns)
            child.leave()
        if not columns:
            return
        self._children = {key: child for key, child in self._children.items() if child.columns}
        self.series = [series for series in self.series if series.column not in columns]
        for column in columns:
            self.hold(column)
        left = list(columns)
        self.values[left] = np.nan
        self.counts[left] = 0
        self._left += left
        self.revision += 1

    def take_left(self) -> list[int]:
        """Return the columns of the series that were removed since the last call; give them to `recycle` afterwards."""
        with self.lock:
            left, self._left = self._left, []
        return left

    def recycle(self, columns: Iterable[int]) -> None:
        """Let new series have these columns; nothing of the old ones may be kept anywhere."""
        with self.lock:
            self._free += columns

    def require_room(self, metric: MetricInfo, series: int = 1) -> None:
        """See that so many more series of a metric may be added.

        Raises:
            LimitError: there is no room for them.
        """
        if len(self.series) + series > self.max_series:
            raise LimitError(f"metric {metric.name!r}: the board has its {self.max_series} series; use fewer labels")

    def add_series(self, metric: MetricInfo, labels: Labels) -> int:
        """Give a series its column and return it.

        Raises:
            LimitError: there is no room for another series.
        """
        self.require_room(metric)
        if self._free:
            column = self._free.pop()
            # A gauge may have been written through a handle that it was removed from a moment ago.
            self.values[column], self.counts[column] = np.nan, 0.0
        else:
            column = self.width
            self.width += 1
        if column == len(self.values):
            more = np.full(max(16, column // 2), np.nan)
            self.values = np.concatenate([self.values, more])
            self.counts = np.concatenate([self.counts, np.zeros(len(more))])
        self.series.append(Series(metric, labels, column))
        if metric.kind == "counter":
            self._counted[column] = None
            self._counter_columns = np.empty(0, np.intp)
        self.revision += 1
        return column

    def hold(self, column: int) -> None:
        """Let a counter's column show what is in `values`: a rate that somebody else has computed."""
        if column in self._counted:
            del self._counted[column]
            self._counter_columns = np.empty(0, np.intp)

    def collect(self, elapsed_s: float) -> Floats:
        """End the tick: return its row, float64 [width], and start counting anew.

        Args:
            elapsed_s: seconds since the last tick, for rates; where it isn't positive, counters have no value.
        """
        with self.lock:
            row = self.values[: self.width].copy()
            if self._counted:
                if not len(self._counter_columns):
                    self._counter_columns = np.fromiter(self._counted, np.intp, len(self._counted))
                columns = self._counter_columns
                row[columns] = self.counts[columns] / elapsed_s if elapsed_s > 0 else np.nan
                self.counts[columns] = 0
            for histogram in self.histograms:
                histogram.collect(row)
        row[np.isinf(row)] = np.nan
        return row

    def binding(self) -> Binding:
        """Return each metric's labels and columns, made anew only when the registry has changed."""
        if self._binding[0] != self.revision:
            found: dict[str, list[Series]] = {}
            for series in self.series:
                found.setdefault(series.metric.name, []).append(series)
            binding: Mapping[str, tuple[tuple[Labels, ...], np.ndarray]] = {
                name: (tuple(one.labels for one in each), np.array([one.column for one in each], np.intp))
                for name, each in found.items()
            }
            self._binding = (self.revision, binding)
        return self._binding[1]

    def in_order(self) -> list[Series]:
        """Return the series in the order in which their metrics were declared, as they go on the wire."""
        if self._ordered[0] != self.revision:
            revision, series = self.revision, list(self.series)
            rank = {name: index for index, name in enumerate(self.metrics)}
            # A series may appear from another thread, with a metric that wasn't there a moment ago.
            last = len(rank)
            series.sort(key=lambda one: (rank.get(one.metric.name, last), one.column))
            self._ordered = (revision, series)
        return self._ordered[1]
