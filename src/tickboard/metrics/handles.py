"""Handles: how a dashboard file or a source refers to a metric and records its values, from any thread.

A handle writes to its registry's row of the next tick; `tickboard.metrics.registry` owns the columns.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from math import inf, isfinite, nan
from time import perf_counter
from typing import TYPE_CHECKING, ClassVar, NoReturn, Self

import numpy as np

from tickboard.errors import InputError
from tickboard.expressions.alignment import Floats, Labels
from tickboard.expressions.expr import Measured, Reading
from tickboard.metrics.around import Around
from tickboard.metrics.buckets import BucketSeries
from tickboard.metrics.distribution import Distribution, merged
from tickboard.metrics.late import Columns
from tickboard.output.text import encodable
from tickboard.schedule import Duration, duration
from tickboard.wire import MetricInfo, MetricKind, Stats

if TYPE_CHECKING:
    from tickboard.metrics.registry import Registry

MAX_OBSERVATIONS = 10_000
"""Observations kept for one histogram series in one tick; beyond that, a fair sample of all (reservoir sampling)."""


MAX_BUCKETS = 20_000
"""Buckets of all distributions received for one histogram series in one tick; beyond that, adjacent ones are merged. A
sender that used other bounds each time would otherwise make the tick slower and slower."""


QUANTILES = {"p50": 50, "p95": 95, "p99": 99}


PER_SECOND = {"ns": 1e9, "µs": 1e6, "μs": 1e6, "us": 1e6, "ms": 1e3, "s": 1.0}
"""How many of a unit make a second."""


_WRITTEN: ContextVar[set[str] | None] = ContextVar("tickboard_written", default=None)


@contextmanager
def written_by(names: set[str]) -> Iterator[None]:
    """Add to `names` the name of every metric that is written to within the context, and in tasks started there."""
    before = _WRITTEN.set(names)
    try:
        yield
    finally:
        _WRITTEN.reset(before)


class Handle(Measured):
    """A declared metric: you write its values through it, and use it in conditions.

    Write a metric with labels through `labels`. In a condition it stands for all its series.
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
        """Return the handle of the series with these labels, and make it if it is new.

        Values become texts. A lone surrogate, as in a file name that is not UTF-8, becomes ``?``.

        Raises:
            InputError: the names are not those that the metric was declared with.
            LimitError: the registry has no room for another series.
        """
        return self._registry.child(self, self._key(labels))

    @property
    def own_labels(self) -> Labels:
        """The labels of its series; empty if the metric has none, or if it stands for all series."""
        return self._labels or ()

    def remove(self, **labels: object) -> None:
        """Remove the series with these labels. Does nothing if there is none.

        It comes back when you write to it again, through `labels` or a handle that you kept.

        Raises:
            InputError: the names are not those that the metric was declared with.
        """
        self._registry.remove_child(self, self._key(labels))

    def _key(self, labels: Mapping[str, object]) -> Labels:
        if set(labels) != set(self.metric.labels) or not labels:
            wanted, given = ", ".join(self.metric.labels), ", ".join(labels) or "none"
            if not wanted:
                raise InputError(f"metric {self.metric.name!r} has no labels: it has one series, which always stays")
            raise InputError(f"metric {self.metric.name!r} has the labels {wanted}, not {given}")
        return tuple((name, encodable(str(labels[name]))) for name in self.metric.labels)

    @property
    def value(self) -> float:
        """The value at the newest tick, as viewers see it. NaN if there is none, and before the first tick.

        Raises:
            InputError: the metric has labels, and this is not the handle of one series.
        """
        rows = self._rows(None)
        return float(rows[-1]) if len(rows) else nan

    def stats(self, span: Duration | None = None) -> Stats:
        """Return the stats over the window, or over a span of it: ``cpu.stats("10s").p95``.

        They are read from the window as it is, so that a sampler or a test can use them; conditions are written with
        ``cpu.avg`` and the like. All are 0 and None where the series has no value.

        Raises:
            InputError: the span is not a duration; or the metric has labels, and this is not the handle of one series.
        """
        rows = self._rows(None if span is None else duration(span))
        values = rows[~np.isnan(rows)]
        if not len(values):
            return Stats(0.0, 0.0, 0.0, 0)
        last = None if np.isnan(rows[-1]) else float(rows[-1])
        percentiles = np.percentile(values, list(QUANTILES.values())).tolist()
        return Stats(float(values.mean()), float(values.max()), float(values.min()), len(values), last, *percentiles)

    def _rows(self, span_s: float | None) -> Floats:
        """Return the series' values over the newest ticks, float64 [ticks]."""
        if self._labels is None:
            self._require_labels()
        # The series may have left and come back with another handle.
        column = self._registry.column_of(self, self._labels) if self._column < 0 else self._column
        if column < 0:
            return np.empty(0)
        return self._registry.read(np.array([column], np.intp), span_s)[:, 0]

    @property
    def own_columns(self) -> list[int]:
        """The columns of its series, without buckets."""
        return [self._column] if self._column >= 0 else []

    @property
    def columns(self) -> list[int]:
        """The columns of its series: one; a histogram has more; a metric with labels has none itself."""
        return self.own_columns

    @property
    def key(self) -> tuple[str, Labels | None]:
        """The name and the labels: the registry's key for it."""
        return self.metric.name, self._labels

    def leave(self) -> None:
        """Give up the columns; called by the registry."""
        self._column = -1

    def attach(self, labels: Labels) -> None:
        """Get columns; called by the registry when a series that has left is written to again."""
        self._labels, self._column = labels, self._attach(labels)

    def _attach(self, labels: Labels) -> int:
        return self._registry.add_series(self.metric, labels)

    def _require_column(self) -> int:
        """Return the column to write to; the caller holds the registry's lock.

        A series that has left, because nothing was written to it for long or because it was removed, comes back.

        Raises:
            InputError: the metric has labels, and this is not the handle of one series.
            LimitError: the registry has no room for the series to come back.
        """
        if (names := _WRITTEN.get()) is not None:
            names.add(self.metric.name)
        column = self._column if self._column >= 0 else self._come_back().columns[0]
        self._registry.written[column] = True
        return column

    def _come_back(self) -> Self:
        """Return the handle of this series that has columns; errors as for `_require_column`."""
        if self._labels is None:
            self._require_labels()
        return self._registry.reopen(self, self._labels)

    def _require_labels(self) -> NoReturn:
        raise InputError(
            f"metric {self.metric.name!r} has labels: write "
            f".labels({', '.join(f'{name}=…' for name in self.metric.labels)}) before the value"
        )

    def expression(self) -> Reading:
        """Return the expression for the value at this tick: of all series, or of this handle's one."""
        return self._read("value")

    def reading(self, stat: str) -> Reading:
        """Return the expression for one of the stats."""
        return self._read(stat)

    def _read(self, stat: str, spanned: str = "") -> Reading:
        return Reading(self.metric.name, stat, labels=self._labels or (), spanned=spanned, literal=True)


class Gauge(Handle):
    """A value that goes up and down. The last value set before a tick counts, and holds until you set another."""

    kind = "gauge"

    def set(self, value: float | None) -> None:
        """Set the value. NaN, infinity and None mean no value."""
        number = _number(value)
        registry = self._registry
        with registry.lock:
            registry.values[self._require_column()] = number

    def inc(self, amount: float = 1) -> None:
        """Add to the value, which starts at 0."""
        amount = float(amount)
        registry = self._registry
        with registry.lock:
            column = self._require_column()
            value = registry.values[column]
            registry.values[column] = amount if np.isnan(value) else value + amount

    def dec(self, amount: float = 1) -> None:
        """Subtract from the value."""
        self.inc(-amount)

    def set_function(self, function: Callable[[], float | None]) -> None:
        """Set the value to what a function returns, at every tick: ``queue_length.set_function(queue.qsize)``.

        It runs like a sampler, in a thread of its own. If it raises, that is reported, and the value is stale. A second
        call replaces the function. Removing the series removes its function.

        Raises:
            InputError: it is async or yields, the metric has labels and this is not the handle of one series, the board
                is being served, or the handle is no board's.
        """
        self._registry.pull(self, function)

    def set_at(self, column: int, value: float | None) -> None:
        """Set the value if the series still has this column. One that was removed stays removed."""
        number = _number(value)
        registry = self._registry
        with registry.lock:
            if self._column == column:
                registry.values[self._require_column()] = number

    def track_inprogress(self) -> Around:
        """Count how many runs of a block or function are in progress: use it with ``with`` or as a decorator."""
        if self._labels is None:
            self._require_labels()

        def begin() -> Callable[[], None]:
            return self._registry.begin_run(self)

        return Around(begin)


class Counter(Handle):
    """A count. Each tick has its rate per second."""

    kind = "counter"

    def reading(self, stat: str) -> Reading:
        """Return the expression for a stat; the rate at this tick is the value itself, and over a span its average."""
        return self._read("value", spanned="avg") if stat == "rate" else self._read(stat)

    def inc(self, amount: float = 1) -> None:
        """Count `amount` more.

        Raises:
            InputError: the amount is negative or not finite.
        """
        number = float(amount)
        if not 0 <= number < np.inf:
            raise InputError(f"counter {self.metric.name!r} cannot grow by {amount!r}: give a finite amount >= 0")
        with self._registry.lock:
            self.add(number)

    def add(self, amount: float = 1) -> None:
        """Count more, or less; the caller holds the lock."""
        column = self._require_column()
        self._registry.counts[column] += amount


class Histogram(Handle):
    """A distribution: each tick has the average of the values observed since the last one, and their p50, p95, p99.

    The percentiles are metrics of their own, named ``NAME.p50`` and so on; in conditions, ``handle.p95`` is that of
    the newest tick.

    Attributes:
        buckets: the series of its buckets, if a heat map shows them.
    """

    kind = "histogram"

    def __init__(self, registry: "Registry", metric: MetricInfo, labels: Labels | None) -> None:
        self._observations: list[float] = []
        self._count = 0
        self._sum = 0.0
        self._distributions: list[Distribution] = []
        # How many buckets these have, and in how many seconds their values were observed.
        self._received = 0
        self._over_s = 0.0
        self.buckets: BucketSeries | None = None
        self._quantile_columns: list[int] = []
        self._quantiles = [f"{metric.name}.{quantile}" for quantile in QUANTILES]
        # np.percentile imports it when it is first called, and a tick would wait for that.
        import numpy.ma  # noqa: F401

        super().__init__(registry, metric, labels)

    def _attach(self, labels: Labels) -> int:
        registry = self._registry
        registry.require_room(self.metric, 1 + len(QUANTILES))
        column = registry.add_series(self.metric, labels)
        self._quantile_columns = [registry.add_series(registry.metrics[name], labels) for name in self._quantiles]
        registry.histograms[self] = None
        self.buckets = registry.buckets.of(self.metric.name, labels)
        return column

    @property
    def columns(self) -> list[int]:
        """The columns of the average, p50, p95 and p99, and of the buckets if a heat map shows them."""
        return [*self.own_columns, *(() if self.buckets is None else self.buckets.columns.values())]

    @property
    def own_columns(self) -> list[int]:
        """The columns of the average, p50, p95 and p99."""
        return [*super().own_columns, *self._quantile_columns]

    def show_buckets(self) -> None:
        """Keep its buckets from now on, if a heat map shows this series; the caller holds the registry's lock."""
        assert self._labels is not None
        self.buckets = self._registry.buckets.of(self.metric.name, self._labels)

    def leave(self) -> None:
        """Give up the columns; called by the registry."""
        super().leave()
        self._quantile_columns = []
        self.buckets = None
        self._observations.clear()
        self._distributions.clear()
        self._count = self._received = 0
        self._sum = self._over_s = 0.0
        assert self._labels is not None
        self._registry.buckets.forget(self.metric.name, self._labels)
        del self._registry.histograms[self]

    def reading(self, stat: str) -> Reading:
        """Return the expression for a stat; a percentile is that of the newest tick, and has stats of its own."""
        if stat not in QUANTILES:
            return self._read(stat)
        return Reading(f"{self.metric.name}.{stat}", labels=self._labels or (), literal=True)

    def observe(self, value: float) -> None:
        """Add one observation. NaN and infinity are ignored."""
        self.observe_all((value,))

    def time(self) -> Around:
        """Observe how long a block or call takes: ``with latency.time():`` or ``@latency.time()``.

        The unit is the metric's if that is ns, µs, ms or s, and seconds otherwise.
        """
        if self._labels is None:
            self._require_labels()
        scale = PER_SECOND.get(self.metric.unit, 1.0)

        def begin() -> Callable[[], None]:
            start = perf_counter()
            return lambda: self.observe((perf_counter() - start) * scale)

        return Around(begin)

    def observe_all(self, values: Iterable[float]) -> None:
        """Add many observations."""
        # Before taking the lock: the iterable may write to handles itself.
        numbers = [float(value) for value in values]
        with self._registry.lock:
            self._add_all(numbers)

    def add(self, value: float) -> None:
        """Add one observation as `observe` does; the caller holds the lock."""
        self._add_all((value,))

    def _add_all(self, values: Iterable[float]) -> None:
        if self._column < 0:
            self._come_back()._add_all(values)  # noqa: SLF001  # another handle of this series
            return
        self._note_written()
        for value in values:
            if not -inf < value < inf:
                continue
            self._count += 1
            self._sum += value
            if self._count <= MAX_OBSERVATIONS:
                self._observations.append(value)
                continue
            # Algorithm R (Vitter 1985): each value so far is kept with the same probability.
            place = self._registry.random.randrange(self._count)
            if place < MAX_OBSERVATIONS:
                self._observations[place] = value

    def merge(self, distribution: Distribution, over_s: float = 0.0) -> None:
        """Add values observed elsewhere. They hold until the next distribution, since senders report now and then.

        Args:
            distribution: the values.
            over_s: in how many seconds they were observed. If it is 0, that is since the last tick, and a heat map
                shows them in one tick only.
        """
        with self._registry.lock:
            self._merge(distribution, over_s)

    def _merge(self, distribution: Distribution, over_s: float) -> None:
        if self._column < 0:
            self._come_back()._merge(distribution, over_s)  # noqa: SLF001  # another handle of this series
            return
        self._note_written()
        self._over_s = max(self._over_s, over_s)
        self._distributions.append(distribution)
        self._received += len(distribution.counts)
        if self._received > MAX_BUCKETS:
            whole = merged(self._distributions).coarser(MAX_BUCKETS // 2)
            self._distributions, self._received = [whole], len(whole.counts)

    def amendment(self, distribution: Distribution, seconds: float) -> tuple[Columns, Floats]:
        """Return the columns and values of an earlier tick in which these values were observed, in so many seconds."""
        with self._registry.lock:
            columns = self.own_columns if distribution.count else []
            values = np.array(summary(distribution) if columns else [])
            if self.buckets is not None:
                more, rates = self.buckets.amendment(distribution, seconds)
                columns, values = columns + more, np.concatenate([values, rates])
        return np.array(columns, np.intp), values

    def _note_written(self) -> None:
        if (names := _WRITTEN.get()) is not None:
            names.update((self.metric.name, *self._quantiles))
        self._registry.written[self._column] = True

    def collect(self, row: Floats, elapsed_s: float) -> None:
        """Write this tick's values into `row` and start over; the caller holds the registry's lock.

        Args:
            row: the tick's row.
            elapsed_s: seconds since the last tick.
        """
        found = None
        if self._distributions:
            if self._observations:
                self._distributions.append(Distribution.of(self._observations, self._count))
            found = merged(self._distributions)
            if found.count:
                row[self.own_columns] = self._registry.values[self.own_columns] = summary(found)
            self._distributions.clear()
            self._received = 0
        elif self._count:
            row[self._column] = self._sum / self._count
            row[self._quantile_columns] = np.percentile(self._observations, list(QUANTILES.values()))
            found = None if self.buckets is None else Distribution.of(self._observations, self._count)
        if self.buckets is not None and found is not None:
            self.buckets.take(found, self._over_s, elapsed_s)
        self._observations.clear()
        self._count, self._sum, self._over_s = 0, 0.0, 0.0


def _number(value: float | None) -> float:
    """Return a value as the registry stores it: NaN for none. Call it without the lock: converting may be slow."""
    number = nan if value is None else float(value)
    return number if isfinite(number) else nan


def summary(distribution: Distribution) -> list[float]:
    """Return the values that a histogram shows of a distribution, in the order of its columns."""
    return [distribution.mean, *distribution.percentiles(list(QUANTILES.values())).tolist()]
