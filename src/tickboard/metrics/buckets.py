"""Buckets: the series behind a heat map, which say how many values of a histogram lie between two bounds.

A histogram that a heat map shows has one series for each bucket, named ``NAME.buckets``, with the label ``le``: its
upper bound. Its value is the number of values per second, like that of a counter; no other bucket's values are in it.
At each tick, the buckets that have a value cover the whole range: each begins at the next lower bound that has a value
at this tick. So the bounds may change over time, and averages over many ticks still give the right shares.

Histograms that no heat map shows have no such series. They are left out where every series is listed for people or for
other systems: `is_bucket` recognizes them.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
from msgspec import Struct

from tickboard.errors import InputError, LimitError
from tickboard.expressions.alignment import Labels
from tickboard.metrics.bounds import MAX_BUCKETS, bound_of, declared, grown, sent, text_of
from tickboard.metrics.distribution import Distribution, Floats
from tickboard.metrics.late import Columns
from tickboard.wire import MetricInfo

if TYPE_CHECKING:
    from tickboard.metrics.handles import Histogram
    from tickboard.metrics.registry import Registry

SUFFIX, BOUND = ".buckets", "le"
"""The end of a bucket series' name, and the label with its bound."""

MAX_COLUMNS = 2 * MAX_BUCKETS
"""The most bucket series of one series of a histogram, with those whose bounds are no longer used. The latter stay, for
the ticks of the window, until there would be more."""


def is_bucket(name: str, labels: Iterable[str]) -> bool:
    """Return whether a metric with these labels holds the buckets of a heat map."""
    return name.endswith(SUFFIX) and BOUND in labels


class BucketSeries:
    """The bucket series of one series of a histogram; the registry's lock is held for all calls.

    Args:
        registry: where the series are.
        metric: their metric.
        labels: the labels of the histogram's series.
        fixed: the declared bounds; None: they follow the values.

    Attributes:
        columns: the column of each bound that has a series.
    """

    def __init__(self, registry: "Registry", metric: MetricInfo, labels: Labels, fixed: Floats | None) -> None:
        self.columns: dict[float, int] = {}
        self._registry = registry
        self._metric = metric
        self._labels = labels
        self._fixed = fixed
        self._ladder, self._level = np.empty(0), 0
        # The bounds of the newest values, and their columns.
        self._bounds: Floats = np.empty(0)
        self._places: Columns = np.empty(0, np.intp)
        # Of this tick, and whether they hold until the next ones.
        self._rates: Floats | None = None
        self._hold = False

    def take(self, found: Distribution, over_s: float, elapsed_s: float) -> None:
        """Record the values of this tick.

        Args:
            found: the values.
            over_s: in how many seconds they were observed; they hold until the next ones. 0: since the last tick.
            elapsed_s: seconds since the last tick.
        """
        self._rates, self._hold = self._rates_of(found, max(over_s, elapsed_s)), over_s > 0

    def write(self, row: Floats) -> None:
        """Write the recorded values into the tick's row."""
        if self._rates is None:
            return
        row[list(self.columns.values())] = np.nan
        row[self._places] = self._rates
        self._registry.values[self._places] = self._rates if self._hold else 0.0
        self._rates = None

    def amendment(self, found: Distribution, seconds: float) -> tuple[list[int], Floats]:
        """Return the columns and values of a tick in which these values were observed, in this many seconds."""
        found_rates = self._rates_of(found, seconds).tolist()
        rates = dict(zip(self._places.tolist(), found_rates, strict=True))
        columns = list(self.columns.values())
        return columns, np.array([rates.get(column, np.nan) for column in columns])

    def open(self, bounds: Iterable[float]) -> None:
        """Open the series of some bounds, as far as there is room for them."""
        for bound in bounds:
            if bound in self.columns:
                continue
            try:
                labels = (*self._labels, (BOUND, text_of(bound)))
                self.columns[bound] = self._registry.add_series(self._metric, labels)
            except LimitError as error:
                self._registry.buckets.refused = str(error)
                return
            self._registry.buckets.refused = ""

    def _rates_of(self, found: Distribution, seconds: float) -> Floats:
        """Use bounds that fit these values, and return the number of values per second between them."""
        self._use(self._bounds_for(found))
        if not len(self._bounds):
            return np.empty(0)
        counts = found.in_buckets(self._bounds)
        return counts / seconds if seconds > 0 else np.full(len(counts), np.nan)

    def _bounds_for(self, found: Distribution) -> Floats:
        if self._fixed is not None:
            return self._fixed
        if (own := sent(found)) is not None:
            return own
        self._ladder, self._level = grown(self._ladder, self._level, found)
        return self._ladder

    def _use(self, bounds: Floats) -> None:
        """Make these the bounds of the newest values, as far as there is room for their series."""
        if np.array_equal(bounds, self._bounds):
            return
        wanted = bounds.tolist()
        new = [bound for bound in wanted if bound not in self.columns]
        if len(self.columns) + len(new) > MAX_COLUMNS:
            self._drop_all_but(wanted)
        self.open(new)
        self._bounds = np.array([bound for bound in wanted if bound in self.columns])
        self._places = np.array([self.columns[bound] for bound in self._bounds.tolist()], np.intp)
        unused = [column for bound, column in self.columns.items() if bound not in wanted]
        self._registry.values[unused] = np.nan

    def _drop_all_but(self, wanted: Iterable[float]) -> None:
        unused = self.columns.keys() - set(wanted)
        self._registry.drop_columns([self.columns.pop(bound) for bound in unused])


class Shown(Struct, frozen=True, eq=False):
    """A histogram that heat maps show.

    Attributes:
        metric: the metric of its buckets.
        fixed: the declared bounds; None: they follow the values.
        series: the labels of the shown series; None: all are shown.
    """

    metric: MetricInfo
    fixed: Floats | None
    series: frozenset[Labels] | None


class ShownBuckets:
    """The histograms of a registry that heat maps show, and the buckets of their series.

    Args:
        registry: the registry. Its lock is held for all calls but `show` and `recall`.

    Attributes:
        refused: why a bucket has no series; empty if each has one. Its values are in the next bucket.
    """

    def __init__(self, registry: "Registry") -> None:
        self.refused = ""
        self._registry = registry
        self._shown: dict[str, Shown] = {}
        self._all: dict[tuple[str, Labels], BucketSeries] = {}
        # The bounds of earlier series, for which the past is known.
        self._earlier: dict[tuple[str, Labels], dict[float, None]] = {}

    def show(self, histogram: "Histogram", bounds: Iterable[float]) -> None:
        """Keep the buckets of a histogram from now on: of one series if the handle is that of one, else of all.

        Raises:
            InputError: the bounds cannot be used or differ from those of another heat map, or the name or the label of
                the bucket series is taken.
        """
        metric = histogram.metric
        if BOUND in metric.labels:
            raise InputError(f"metric {metric.name!r} has the label {BOUND!r}, which its buckets need: rename it")
        fixed = declared(bounds, metric.min, metric.max)
        with self._registry.lock:
            self._show(metric, fixed, histogram.key[1])

    def _show(self, metric: MetricInfo, fixed: Floats | None, labels: Labels | None) -> None:
        registry, name = self._registry, metric.name + SUFFIX
        before = self._shown.get(metric.name)
        if before is None:
            if name in registry.metrics:
                raise InputError(f"metric {name!r} is already declared: a heat map of {metric.name!r} needs this name")
            info = MetricInfo(name, f"{metric.title}, buckets", "/s", "histogram", [*metric.labels, BOUND])
            registry.add_metric(info, registry.keys[metric.name] + SUFFIX)
            series = None if labels is None else frozenset((labels,))
            self._shown[metric.name] = Shown(info, fixed, series)
        else:
            if not _same(before.fixed, fixed):
                raise InputError(f"metric {metric.name!r}: another heat map of it has other bounds: give both the same")
            series = None if labels is None or before.series is None else before.series | {labels}
            self._shown[metric.name] = Shown(before.metric, fixed, series)
        for histogram in list(registry.histograms):
            if histogram.metric.name == metric.name:
                histogram.show_buckets()

    def of(self, name: str, labels: Labels) -> BucketSeries | None:
        """Return the buckets of one series of a histogram; None if no heat map shows it."""
        shown = self._shown.get(name)
        if shown is None or not (shown.series is None or labels in shown.series):
            return None
        key = shown.metric.name, labels
        if key not in self._all:
            self._all[key] = BucketSeries(self._registry, shown.metric, labels, shown.fixed)
            self._all[key].open(self._earlier.get(key, ()))
        return self._all[key]

    def forget(self, name: str, labels: Labels) -> None:
        """Forget the buckets of a series that leaves."""
        self._all.pop((name + SUFFIX, labels), None)

    def recall(self, keys: Iterable[tuple[str, Labels]]) -> None:
        """Open the series of the buckets that earlier ticks have, now or when their histogram's series appears.

        Args:
            keys: the name and labels of all series of the earlier ticks.
        """
        with self._registry.lock:
            for name, labels in keys:
                others, (label, text) = (labels[:-1], labels[-1]) if labels else ((), ("", ""))
                if name.endswith(SUFFIX) and label == BOUND and (bound := bound_of(text)) is not None:
                    self._earlier.setdefault((name, others), {})[bound] = None
            for key, buckets in self._all.items():
                buckets.open(self._earlier.get(key, ()))

    def write(self, row: Floats) -> Floats:
        """Return a tick's row with the buckets' values."""
        if not self._all:
            return row
        registry = self._registry
        # Some series may have appeared since the row was made.
        row = np.concatenate([row, registry.values[len(row) : registry.width]])
        for buckets in self._all.values():
            buckets.write(row)
        return row


def _same(one: Floats | None, other: Floats | None) -> bool:
    return one is other if one is None or other is None else np.array_equal(one, other)
