"""The registry: the metrics of a board, the column of each of their series, and the values of the next tick.

Sources and samplers write through handles (`Gauge`, `Counter`, `Histogram`), from any thread. Once per tick,
`Registry.collect` returns their row. Nothing here knows the time, the window or who reads the row.
"""

import sys
from collections import Counter as Tally
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from operator import attrgetter
from random import Random
from threading import RLock
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from tickboard.errors import InputError, LimitError
from tickboard.expressions.alignment import Binding, Floats, Labels
from tickboard.metrics.binding import LazyBinding
from tickboard.metrics.buckets import ShownBuckets, is_bucket
from tickboard.metrics.declarations import Declaration, MetricDeclarations, check_names
from tickboard.metrics.handles import QUANTILES, Gauge, Handle, Histogram
from tickboard.metrics.series import Series
from tickboard.wire import MetricInfo

MAX_SERIES = 200_000
"""The most series in one registry; further ones are refused with `LimitError`."""

SPARE = 10
"""One place in this many is kept from senders that may not write everything, so that the board's own series fit."""

MAX_ADDED = 10_000
"""How many of the newest metrics `Registry.added_since` can return."""

MAX_WINDOW_MB = 256
"""Memory that the window of a registry's series may take, in MiB; a series that would need more is refused."""


SPEC_KEYS = {
    "cpu_usage": "cpu",
    "memory_usage": "memory",
    "requests_per_sec": "requests",
    "avg_latency": "latency",
}
"""The keys in ``/api/stats`` of the four metrics of the specification."""


H = TypeVar("H", bound=Handle)


class Registry(MetricDeclarations):
    """All metrics and series of one board, and the values of the next tick.

    A removed series gives up its column in two steps: `take_left` returns it, so that its values can be cleared
    everywhere; after `recycle`, another series may get it.

    Attributes:
        leaving: the handle of each series that leaves after a time without samples, by its first column.
        buckets: the histograms that heat maps show.
        busy: by column of a gauge, how many runs in progress it counts; its series stays until they end.
        metrics: the metrics by name, in the order declared.
        keys: the key in ``/api/stats``, by metric name.
        values: float64 [width], the values of gauges; NaN: none.
        counts: float64 [width], the counts since the last tick.
        written: bool [width], which series were written to through handles since the last `take_written`.
        width: how many columns a row has.
        room: how many series the window has memory for.
        added: how many metrics have been added so far.
        revision: changes with every metric or series, so that others know when to bind again.
        metrics_revision: changes with every metric.
        read: returns columns over the newest seconds of the window, or all of it, float64 [ticks, columns].
        pull: makes a gauge take its value from a function at every tick.
    """

    def __init__(self, max_series: int = MAX_SERIES, max_window_mb: int = MAX_WINDOW_MB) -> None:
        self.metrics: dict[str, MetricInfo] = {}
        # The newest metrics, and how many there have been: a selection only looks at those added since it was made.
        self._added: deque[str] = deque(maxlen=MAX_ADDED)
        self.added = 0
        self.keys: dict[str, str] = {}
        self._taken_keys: set[str] = set()
        # By column, so that removing one of many is fast.
        self._series: dict[int, Series] = {}
        self._by_metric: dict[str, dict[int, Series]] = {}
        self.values: Floats = np.empty(0)
        self.counts: Floats = np.empty(0)
        self.written: NDArray[np.bool_] = np.empty(0, np.bool_)
        self.leaving: dict[int, Handle] = {}
        self.busy: Tally[int] = Tally()
        self.histograms: dict[Histogram, None] = {}
        self.buckets = ShownBuckets(self)
        self.width = 0
        self.revision = 0
        self.metrics_revision = 0
        self.max_series = max_series
        self.max_window_mb = max_window_mb
        self.room = sys.maxsize
        # The engine and the board replace these.
        self.read: Callable[[NDArray[np.intp], float | None], Floats] = lambda columns, _: np.empty((0, len(columns)))
        self.pull: Callable[[Gauge, Callable[[], float | None]], None] = _no_board
        self._ticks = 0
        # Reentrant, since a signal handler or a finalizer may write in the middle of a write.
        self.lock = RLock()
        self.random = Random(0)
        self._counted: dict[int, None] = {}
        self._counter_columns: NDArray[np.intp] = np.empty(0, np.intp)
        self._left: list[int] = []
        self._free: list[int] = []
        self._handles: dict[str, Handle] = {}
        self._staying: set[str] = set()
        self._children: dict[tuple[str, Labels | None], Handle] = {}
        self._binding: tuple[int, Binding] = (-1, {})
        self._ordered: tuple[int, list[Series], list[Series]] = (-1, [], [])

    def handle(self, name: str) -> Handle:
        """Return the handle of a metric by its name, to use it in conditions.

        Raises:
            InputError: no metric has this name.
        """
        found = self._handles.get(name)
        if found is None:
            raise InputError(f"{name!r} is not a metric of this board: use one of {', '.join(self._handles) or 'none'}")
        return found

    def _declare(self, handle_class: type[H], declaration: Declaration) -> H:
        return self.declare(handle_class, declaration)

    def declare(self, handle_class: type[H], declaration: Declaration) -> H:
        """Declare a metric, and return its handle.

        Raises:
            InputError: the declaration is malformed, or the name or the key is taken.
            LimitError: there is no room for its series.
        """
        metric = declaration.metric(handle_class.kind)
        name, forget = metric.name, declaration.forget
        if (known := self._handles.get(name)) is not None:
            if known.metric == metric and isinstance(known, handle_class) and forget != (name in self._staying):
                return known
            raise InputError(f"metric {name!r} is already declared as a {known.kind}: give each metric its own name")
        wanted_key = declaration.key or SPEC_KEYS.get(name, name)
        if wanted_key in self._taken_keys:
            raise InputError(f"metric {name!r}: key {wanted_key!r} is taken: give another key=")
        self._add_metric(metric, wanted_key)
        if handle_class is Histogram:
            self._declare_quantiles(metric)
        try:
            handle = handle_class(self, metric, None if metric.labels else ())
        except LimitError:
            self._forget_metric(name)
            raise
        self._handles[name] = handle
        if not forget:
            self._staying.add(name)
        self.revision += 1
        self.metrics_revision += 1
        return handle

    def _declare_quantiles(self, metric: MetricInfo) -> None:
        for quantile in QUANTILES:
            name = f"{metric.name}.{quantile}"
            if name in self.metrics:
                raise InputError(f"metric {name!r} is already declared: {metric.name!r} needs it for its {quantile}")
            title = f"{metric.title} {quantile}"
            info = MetricInfo(name, title, metric.unit, "histogram", metric.labels, metric.min, metric.max)
            self._add_metric(info, f"{self.keys[metric.name]}.{quantile}")

    def child(self, handle: H, labels: Labels) -> H:
        """Return the handle of one series of a metric with labels; it is made on first use.

        Raises:
            InputError: the metric has left the board.
            LimitError: there is no room for another series.
        """
        with self.lock:
            self._require_metric(handle)
            return self.open(handle, labels)

    def reopen(self, handle: H, labels: Labels) -> H:
        """Bring back a series that has left, and return its handle; the caller holds the lock.

        That is `handle` itself, unless another handle has brought the series back already. Errors as for `child`.
        """
        self._require_metric(handle)
        known = self.child_of(handle, labels)
        if known is not None:
            return known
        handle.attach(labels)
        self._add_child(handle, labels)
        return handle

    def _require_metric(self, handle: Handle) -> None:
        """Check that a handle's metric still exists: an undeclared one leaves with its last series."""
        lead = self._handles.get(handle.metric.name)
        if lead is None or type(lead) is not type(handle):
            raise InputError(f"metric {handle.metric.name!r} has left the board: wait until a source sends it again")

    def open(self, handle: H, labels: Labels) -> H:
        """Return the handle of one series like `child`; the caller holds the lock."""
        known = self._children.get((handle.metric.name, labels))
        if known is None:
            known = type(handle)(self, handle.metric, labels)
            self._add_child(known, labels)
        assert isinstance(known, type(handle))
        return known

    def _add_child(self, handle: Handle, labels: Labels) -> None:
        self._children[handle.metric.name, labels] = handle
        if handle.metric.name not in self._staying:
            self.leaving[handle.columns[0]] = handle

    def discover(self, handle_class: type[H], metric: MetricInfo) -> H:
        """Add a metric from outside, which has no series yet; the caller holds the lock.

        Raises:
            InputError: the name is malformed or taken.
        """
        check_names(metric)
        if metric.name in self.metrics or metric.name in self._taken_keys:
            raise InputError(f"metric {metric.name!r} is already declared: send it under another name")
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
        """Remove an undeclared metric whose series have left; the caller holds the lock."""
        self._forget_metric(name)
        del self._handles[name]
        self.revision += 1
        self.metrics_revision += 1

    def add_metric(self, metric: MetricInfo, key: str) -> None:
        """Add a metric without a handle; the caller holds the lock, and has checked that the name is free."""
        self._add_metric(metric, key)
        self.revision += 1
        self.metrics_revision += 1

    def _add_metric(self, metric: MetricInfo, key: str) -> None:
        self.metrics[metric.name] = metric
        self.keys[metric.name] = key
        self._taken_keys.add(key)
        self._added.append(metric.name)
        self.added += 1

    def _forget_metric(self, name: str) -> None:
        percentiles = [f"{name}.{quantile}" for quantile in QUANTILES] if self.metrics[name].kind == "histogram" else []
        for each in (name, *percentiles):
            self._taken_keys.discard(self.keys.pop(each))
            del self.metrics[each]

    def child_of(self, handle: H, labels: Labels) -> H | None:
        """Return the handle of one series, or None if there is none; the caller holds the lock."""
        known = self._children.get((handle.metric.name, labels))
        assert known is None or isinstance(known, type(handle))
        return known

    def column_of(self, handle: Handle, labels: Labels) -> int:
        """Return the first column of one series, whichever handle has it; -1 if it has left."""
        with self.lock:
            known = self.child_of(handle, labels)
            return known.columns[0] if known is not None else -1

    def begin_run(self, gauge: Gauge) -> Callable[[], None]:
        """Count one more run in progress in a gauge; return a function that ends the run.

        Until then, the series does not leave for lack of samples. If it is removed, it stays removed.
        """
        with self.lock:
            gauge.inc()
            column = gauge.columns[0] if gauge.columns else self.column_of(gauge, gauge.key[1] or ())
            series = self._series[column]
            self.busy[column] += 1

        def end() -> None:
            with self.lock:
                if self._series.get(column) is not series:
                    return
                self.busy[column] -= 1
                if not self.busy[column]:
                    del self.busy[column]
                gauge.dec()

        return end

    def name_of(self, column: int) -> str:
        """Return the name of the metric that a column belongs to; empty if it belongs to none."""
        found = self._series.get(column)
        return "" if found is None else found.metric.name

    def series_at(self, column: int) -> Series | None:
        """Return the series that a column belongs to, or None."""
        return self._series.get(column)

    def counts_at(self, column: int) -> bool:
        """Return whether a column takes its value from `counts`, not from `values`."""
        return column in self._counted

    def find(self, name: str) -> Handle | None:
        """Return the handle of a metric, or None."""
        return self._handles.get(name)

    def remove(self, *children: Handle) -> None:
        """Remove series by the handles that `Handle.labels` returns; those that have left are ignored."""
        with self.lock:
            self.drop(children)

    def remove_child(self, handle: Handle, labels: Labels) -> None:
        """Remove one series of a metric with labels, if it exists."""
        with self.lock:
            if (child := self._children.get((handle.metric.name, labels))) is not None:
                self.drop([child])

    def has_series(self, names: Iterable[str]) -> set[str]:
        """Return which of these metrics with labels have series; the caller holds the lock."""
        wanted = set(names)
        return {name for name, _ in self._children if name in wanted}

    def drop(self, children: Iterable[Handle]) -> None:
        """Remove series like `remove`; the caller holds the lock."""
        left: list[int] = []
        for child in children:
            if child.columns:
                left += child.columns
                self._children.pop(child.key, None)
                child.leave()
        if left:
            self.drop_columns(left)

    def drop_columns(self, left: Sequence[int]) -> None:
        """Remove the series with these columns; the caller holds the lock."""
        for column in left:
            name = self._series.pop(column).metric.name
            del self._by_metric[name][column]
            if not self._by_metric[name]:
                del self._by_metric[name]
            self.hold(column)
            self.leaving.pop(column, None)
            self.busy.pop(column, None)
        self.values[list(left)] = np.nan
        self.counts[list(left)] = 0
        self._left += left
        self.revision += 1

    def take_left(self) -> list[int]:
        """Return the columns of series removed since the last call; pass them to `recycle` afterwards."""
        with self.lock:
            left, self._left = self._left, []
        return left

    def recycle(self, columns: Iterable[int]) -> None:
        """Make columns available to new series. The old series' values must be cleared everywhere by now."""
        with self.lock:
            self._free += columns

    def require_room(self, metric: MetricInfo, series: int = 1) -> None:
        """Check that this many more series of a metric may be added.

        Raises:
            LimitError: there is no room for them.
        """
        if len(self._series) + series > self.max_series:
            raise LimitError(
                f"metric {metric.name!r}: the board is at its limit of {self.max_series} series: use fewer labels"
            )
        if self.width - len(self._free) + series > self.room:
            raise LimitError(
                f"metric {metric.name!r}: {self.room} series x {self._ticks} ticks fill the {self.max_window_mb} MB "
                "that the window may take: use fewer labels, a smaller --window, or a larger Board(max_window_mb=…)"
            )

    def require_spare(self, metric: MetricInfo) -> None:
        """Check that another series of a metric leaves the board a share of all places for series of its own.

        Raises:
            LimitError: it does not.
        """
        places = min(self.max_series, self.room)
        left = min(self.max_series - len(self._series), self.room - self.width + len(self._free))
        if left <= places // SPARE:
            raise LimitError(
                f"metric {metric.name!r}: of the {places} series that the board may have, {places // SPARE} are for "
                "its own, and the others are taken: send fewer series"
            )

    def fit(self, ticks: int, series_bytes: int) -> bool:
        """Refuse series from now on that do not fit into the window's memory; existing ones stay.

        Args:
            ticks: ticks in the window.
            series_bytes: bytes that one series takes in the window.

        Returns:
            Whether the existing series fit.
        """
        room = self.max_window_mb * 2**20 // series_bytes
        self._ticks, self.room = ticks, max(room, self.width)
        return self.width <= room

    def add_series(self, metric: MetricInfo, labels: Labels) -> int:
        """Add a series and return its column.

        Raises:
            LimitError: there is no room for another series.
        """
        self.require_room(metric)
        if not self._free and self.width == len(self.values):
            self._grow()
        if self._free:
            column = self._free.pop()
            # A source without handles may have written to it just after the series was removed.
            self.values[column], self.counts[column] = np.nan, 0.0
        else:
            column = self.width
            self.width += 1
        self.written[column] = True
        series = Series(metric, labels, column)
        self._series[column] = series
        self._by_metric.setdefault(metric.name, {})[column] = series
        if metric.kind == "counter":
            self._counted[column] = None
            self._counter_columns = np.empty(0, np.intp)
        self.revision += 1
        return column

    def _grow(self) -> None:
        more = np.full(max(16, self.width // 2), np.nan)
        values = np.concatenate([self.values, more])
        counts = np.concatenate([self.counts, np.zeros(len(more))])
        written = np.concatenate([self.written, np.zeros(len(more), np.bool_)])
        # All or nothing, in case memory runs out.
        self.values, self.counts, self.written = values, counts, written

    def hold(self, column: int) -> None:
        """Make a counter's column take its value from `values`: a rate computed elsewhere."""
        if column in self._counted:
            del self._counted[column]
            self._counter_columns = np.empty(0, np.intp)

    def take_written(self) -> NDArray[np.intp]:
        """Return the columns of series that are new or were written to through handles since the last call."""
        with self.lock:
            written: NDArray[np.intp] = np.flatnonzero(self.written)
            self.written[written] = False
        return written

    def collect(self, elapsed_s: float) -> Floats:
        """Return the tick's row, float64 [width], and restart the counts.

        Args:
            elapsed_s: seconds since the last tick, for rates; if it is not positive, counters have no value.
        """
        with self.lock:
            row = self.values[: self.width].copy()
            if self._counted:
                if not len(self._counter_columns):
                    self._counter_columns = np.fromiter(self._counted, np.intp, len(self._counted))
                columns = self._counter_columns
                row[columns] = self.counts[columns] / elapsed_s if elapsed_s > 0 else np.nan
            for histogram in self.histograms:
                histogram.collect(row, elapsed_s)
            row[np.isinf(row)] = np.nan
            row = self.buckets.write(row)
            # Not earlier: an error above must not lose the counts.
            self.counts[self._counter_columns] = 0
        return row

    def binding(self) -> Binding:
        """Return each metric's labels and columns, rebuilt only when the registry has changed."""
        if self._binding[0] != self.revision:
            self._binding = (self.revision, LazyBinding(self.metrics, self.of_metric, self.width))
        return self._binding[1]

    @property
    def series(self) -> list[Series]:
        """All series, in the order in which they appeared."""
        return list(self._series.values())

    def of_metric(self, name: str) -> list[Series]:
        """Return the series of a metric, in the order of their columns."""
        return sorted(self._by_metric.get(name, {}).values(), key=_column)

    def added_since(self, added: int) -> list[str] | None:
        """Return the names of metrics added after the first `added` ones, oldest first; None if not all are known."""
        count, names = self.added - added, list(self._added)
        return None if count > len(names) else names[len(names) - count :]

    def in_order(self, *, buckets: bool = True) -> list[Series]:
        """Return the series in the order of their metrics, as on the wire; with the buckets of heat maps or without."""
        if self._ordered[0] != self.revision:
            revision = self.revision
            # Another thread may add a series of a new metric meanwhile.
            names = dict.fromkeys([*self.metrics, *self._by_metric])
            every = [series for name in names for series in self.of_metric(name)]
            plain = [one for one in every if not is_bucket(one.metric.name, one.metric.labels)]
            self._ordered = revision, every, plain
        _, every, plain = self._ordered
        return every if buckets else plain


_column = attrgetter("column")


def _no_board(gauge: Gauge, function: object) -> None:
    raise InputError(f"metric {gauge.metric.name!r}: only a board calls a function for it: declare it with board.gauge")
