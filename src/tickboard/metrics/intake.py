"""The intake: takes batches of samples from outside, for series that need not be declared.

Each sender is a `Source`. It asks once for the column of each of its series, stores it under its own key for the
series, and from then on writes whole batches: columns, values and times. No object is made per sample.

    what arrives         between two ticks                             until the next
    gauge                the newest value                              it holds
    total                its rise per second since the sample before   it holds
    counter              the amount added, per second                  0
    distribution         all that arrived, merged                      it holds
    observation          all that arrived                              nothing

`Placement` determines which tick a sample belongs to, and `Totals` how much a count has risen. A sample that is too old
for either is dropped and counted, and `take_refusal` reports it for the answer to its sender.

A series with labels, or of an undeclared metric, leaves when it has received no sample for `forget_s` seconds. A new
series beyond the limits is refused: its samples are counted and ignored. Existing series are not affected.
"""

from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import NoReturn

import numpy as np
from msgspec import Struct

from tickboard.errors import InputError, LimitError
from tickboard.expressions.alignment import Labels
from tickboard.metrics.cleaning import check_texts, check_values, clean
from tickboard.metrics.declarations import check_names
from tickboard.metrics.distribution import Distribution
from tickboard.metrics.handles import Counter, Gauge, Handle, Histogram
from tickboard.metrics.late import NOTHING, Columns, Dropped, instant
from tickboard.metrics.naming import rate_unit, title_of, unit_of
from tickboard.metrics.placement import Placement
from tickboard.metrics.registry import Registry
from tickboard.metrics.source import Kind, Source
from tickboard.metrics.totals import Samples, Totals
from tickboard.metrics.window import Floats, widened
from tickboard.output.text import encodable
from tickboard.wire import MetricInfo

HANDLES: Mapping[Kind, type[Handle]] = MappingProxyType(
    {"gauge": Gauge, "total": Counter, "counter": Counter, "histogram": Histogram}
)
"""The handle for each kind: a total is a counter whose sender does the counting."""

MAX_SERIES_PER_SOURCE = 50_000
"""The most series of one source; further ones are refused."""


MAX_ALIASES = 100_000
"""How many keys a source may have beyond four per series: the same labels in any order are the same series."""

MAX_SOURCES = 1_000
"""The most sources at a time; further senders share one."""

OTHERS = "others"
"""The source that such senders share. It also has the counts of forgotten sources."""

FORGET_S = 300.0
"""A series leaves when it has received no sample for this many seconds."""


class Intake:
    """All sources of a board.

    Args:
        registry: contains their series.
        max_series_per_source: the most series of one source.
        forget_s: seconds without a sample after which a series leaves.

    Attributes:
        sources: the sources by name.
        stale: metrics whose series stay without samples, since what writes to them fails or hangs.
        placement: which tick each sample belongs to.
        totals: the newest cumulative counts.
    """

    def __init__(
        self,
        registry: Registry,
        *,
        max_series_per_source: int = MAX_SERIES_PER_SOURCE,
        forget_s: float = FORGET_S,
    ) -> None:
        self.sources: dict[str, Source] = {}
        self.stale: Collection[str] = ()
        self._made = 0
        self._registry = registry
        self._max_series = max_series_per_source
        self._forget_s = forget_s
        # Seconds that passed between ticks, unlike a tick's time, which is the wall clock's.
        self._clock = 0.0
        self._owned: dict[int, _Owned] = {}
        self._discovered: dict[str, None] = {}
        # By column: when the last sample arrived.
        self._seen: Floats = np.empty(0)
        self.placement = Placement(registry)
        self.totals = Totals(self._see)
        self._histograms: dict[int, Histogram] = {}
        # By column of a series inherited from another board: its senders' keys for it there.
        self._called: dict[int, set[Hashable]] = {}

    def source(self, name: str) -> Source:
        """Return the source of this name; it is made on first use."""
        source = self.sources.get(name)
        if source is None:
            if len(self.sources) >= MAX_SOURCES:
                return self._others()
            source = self.sources[name] = Source(self, name)
        return source

    def sender(self, name: str, may_write: Callable[[str], bool] | None = None) -> Source:
        """Return the source of a sender that may never come back; call this for each request.

        The source is forgotten once this has not been called for `forget_s` seconds and it has no series left.

        Args:
            name: the source's name. Senders that may write different metrics have different names.
            may_write: returns whether the sender may write a declared metric, by its name; None: it may write all.
        """
        source = self.source(name) if may_write is None else self._restricted(name)
        source.asked = self._clock
        source.may_write = may_write
        return source

    def _restricted(self, name: str) -> Source:
        """Return the source of a sender that may not write everything; never one that it shares with others.

        Raises:
            LimitError: there are too many sources.
        """
        if name not in self.sources and len(self.sources) >= MAX_SOURCES:
            raise LimitError(f"there are {MAX_SOURCES} senders already: try again when some have gone")
        return self.source(name)

    def next_number(self) -> int:
        """Return a number for a source; no two sources get the same."""
        self._made += 1
        return self._made

    def _others(self) -> Source:
        return self.sources.setdefault(OTHERS, Source(self, OTHERS))

    @property
    def discovered(self) -> Iterable[str]:
        """The names of the metrics that were not declared."""
        return self._discovered

    # --- for the engine ---

    def ticked(self, now: float, passed_s: float) -> None:
        """Record a tick's time, and the seconds since the one before it."""
        self._fit()
        # What handles have written since the last tick counts as seen at that tick, like all samples until this one.
        self._seen[self._registry.take_written()] = self._clock
        self.placement.ticked(now)
        self._clock += passed_s

    def begin_epoch(self, now: float) -> None:
        """Continue after the wall clock was set back to `now`: no earlier sample may count as newer than later ones."""
        self.placement.begin_epoch(now)
        self.totals.begin_epoch(now)

    def forget(self) -> None:
        """Remove series without samples for `forget_s` seconds, and forget senders that are gone."""
        registry = self._registry
        with registry.lock:
            self._fit()
            if self.stale:
                kept = [column for column, handle in registry.leaving.items() if handle.metric.name in self.stale]
                self._seen[kept] = self._clock
            self._seen[list(registry.busy)] = self._clock
            columns = np.fromiter(registry.leaving, np.intp, len(registry.leaving))
            silent = (self._seen[columns] < self._clock - self._forget_s) & ~registry.written[columns]
            gone = columns[silent].tolist()
            handles = [registry.leaving[column] for column in gone]
            left = [column for handle in handles for column in handle.columns]
            registry.drop(handles)
        self.left(left)
        self._forget_senders()

    def _forget_senders(self) -> None:
        """Forget the senders that are gone, to make room for others; their counts are kept."""
        before = self._clock - self._forget_s
        for source in [one for one in self.sources.values() if one.asked < before and not one.series]:
            if source.name == OTHERS:
                continue
            del self.sources[source.name]
            self.totals.forget_source(source.number)
            self._others().count_in(source)
            for column in set(source.known.values()):
                # These series were created by other sources.
                if (owned := self._owned.get(column)) is not None:
                    owned.keys[:] = [key for key in owned.keys if key[0] is not source]

    def left(self, columns: Sequence[int]) -> None:
        """Forget the series that had these columns; the engine calls it before the columns are reused."""
        if not columns:
            return
        self._fit()
        for column in columns:
            self.totals.forget(column)
            self._called.pop(column, None)
            self._histograms.pop(column, None)
            if (owned := self._owned.pop(column, None)) is not None:
                if owned.source is not None:
                    owned.source.series -= 1
                _forget_keys(owned.keys, column)
        gone, which = set(columns), np.array(columns, np.intp)
        self.placement.forget(which)
        self._seen[which] = np.inf
        with self._registry.lock:
            self._withdraw_empty()
        for source in self.sources.values():
            source.forget_refusals()
            source.inherited -= gone

    def _withdraw_empty(self) -> None:
        """Forget the undeclared metrics that have no series; the caller holds the registry's lock."""
        for name in self._discovered.keys() - self._registry.has_series(self._discovered):
            del self._discovered[name]
            self._registry.withdraw(name)

    # --- for the sources ---

    def column(
        self,
        source: Source,
        key: Hashable,
        kind: Kind,
        name: str,
        labels: Iterable[tuple[str, str]],
        title: str,
        unit: str,
    ) -> int:
        """Return the column of a series, or `REFUSED`; a new series is made on first use."""
        try:
            name, pairs = clean(name, labels)
            check_texts(name, title, unit)
            with self._registry.lock:
                handle = self._open(source, kind, name, pairs, title, unit)
        except (InputError, LimitError) as error:
            return source.refuse(key, str(error))
        column = handle.columns[0]
        self._fit()
        if isinstance(handle, Histogram):
            self._histograms[column] = handle
        if key not in self._called.pop(column, (key,)):
            # It may be a different count from the one before.
            self.totals.forget(column)
        if len(source.known) >= 4 * source.series + MAX_ALIASES:
            return column
        source.known[key] = column
        self._note_owned(column).keys.append((source, key))
        return column

    def followed_column(self, source: Source, key: Hashable, metric: MetricInfo, labels: Labels) -> int:
        """Return the column of a series that another board has; errors as for `Source.follow`."""
        check_texts(metric.name, metric.title, metric.unit)
        check_names(metric)
        check_values(metric.name, labels)
        kind: Kind = "total" if metric.kind == "counter" else "gauge"
        with self._registry.lock:
            handle = self._followed(source, kind, metric, labels)
        column = handle.columns[0]
        self._fit()
        source.known[key] = column
        self._note_owned(column).keys.append((source, key))
        return column

    def _followed(self, source: Source, kind: Kind, metric: MetricInfo, labels: Labels) -> Handle:
        registry = self._registry
        lead = registry.find(metric.name)
        if is_new := lead is None:
            lead = registry.discover(HANDLES[kind], metric)
            self._discovered[metric.name] = None
        elif (lead.kind, lead.metric.unit) != (metric.kind, metric.unit):
            raise InputError(
                f"metric {metric.name!r} is a {_described(lead.metric)} here, not a {_described(metric)}: "
                "send it under another name"
            )
        try:
            return self._child(source, lead, kind, labels)
        except LimitError:
            if is_new:
                del self._discovered[metric.name]
                registry.withdraw(metric.name)
            raise

    def drop(self, columns: Collection[int]) -> None:
        """Remove series with labels, by their columns, and undeclared metrics that become empty."""
        registry = self._registry
        with registry.lock:
            series = [one for column in columns if (one := registry.series_at(column)) is not None]
            found = [registry.child_of(registry.handle(one.metric.name), one.labels) for one in series]
            handles = [handle for handle in found if handle is not None]
            left = [column for handle in handles for column in handle.columns]
            registry.drop(handles)
        self.left(left)

    def _note_owned(self, column: int) -> "_Owned":
        """Record that sources write to a series, and return that record."""
        return self._owned.setdefault(column, _Owned(None, []))

    def _open(self, source: Source, kind: Kind, name: str, labels: Labels, title: str, unit: str) -> Handle:
        registry = self._registry
        wanted = HANDLES[kind]
        lead = registry.find(name)
        if is_new := lead is None:
            known_unit = unit_of(name, unit)
            shown_unit = rate_unit(known_unit) if wanted is Counter else known_unit
            info = MetricInfo(
                name,
                encodable(title) or title_of(name),
                encodable(shown_unit),
                wanted.kind,
                [pair[0] for pair in labels],
            )
            lead = registry.discover(wanted, info)
            self._discovered[name] = None
        if not isinstance(lead, wanted):
            raise InputError(f"metric {name!r} is a {lead.kind} here, not a {wanted.kind}: send it under another name")
        if name not in self._discovered:
            return self._declared(source, lead, kind, labels)
        try:
            return self._child(source, lead, kind, labels)
        except LimitError:
            if is_new:
                del self._discovered[name]
                registry.withdraw(name)
            raise

    def _declared(self, source: Source, lead: Handle, kind: Kind, labels: Labels) -> Handle:
        """Return the series of a declared metric, with its declared labels."""
        if source.may_write is not None and not source.may_write(lead.metric.name):
            raise InputError(
                f"metric {lead.metric.name!r} is declared by the board, and this token does not list it: send another "
                f"name, or make a token with --metrics {lead.metric.name}"
            )
        wanted, given = lead.metric.labels, dict(labels)
        if set(wanted) != set(given):
            raise InputError(
                f"metric {lead.metric.name!r} was declared with the labels {', '.join(wanted) or 'none'}, "
                f"not {', '.join(given) or 'none'}: send those, or another name"
            )
        if wanted:
            return self._child(source, lead, kind, tuple((label, given[label]) for label in wanted))
        if kind == "total":
            self._registry.hold(lead.columns[0])
        return lead

    def _child(self, source: Source, lead: Handle, kind: Kind, labels: Labels) -> Handle:
        registry = self._registry
        known = registry.child_of(lead, labels)
        if known is not None:
            return known
        if source.series >= (self._max_series if source.most is None else source.most):
            self._refuse_more(source, lead.metric.name)
        if source.may_write is not None:
            # Or the sender could keep a new series of the board, and with it an alert, from beginning.
            registry.require_spare(lead.metric)
        handle = registry.open(lead, labels)
        column = handle.columns[0]
        if kind == "total":
            registry.hold(column)
        self._fit()
        self.placement.begin(handle.columns)
        for each in handle.columns:
            self.totals.forget(each)
        self._seen[column] = self._clock
        self._owned[column] = _Owned(source, [])
        source.series += 1
        return handle

    def _refuse_more(self, source: Source, name: str) -> NoReturn:
        raise LimitError(
            f"metric {name!r}: {source.name} is at its limit of {self._max_series} series: send fewer, or raise it"
        )

    def _fit(self) -> None:
        """Make room for every column of the registry."""
        width = len(self._registry.values)
        if width > len(self._seen):
            self._seen = widened(self._seen, width, np.inf)
            self.placement.fit(width)
            self.totals.fit(width)

    def _see(self, columns: Columns) -> None:
        """Record that series have received samples."""
        self._seen[columns] = self._clock

    def histogram(self, column: int) -> Histogram | None:
        """Return the histogram with this first column, and record that it has received a sample."""
        histogram = self._histograms.get(column)
        if histogram is not None:
            self._seen[column] = self._clock
        return histogram

    def amendment(self, histogram: Histogram, distribution: Distribution, over_s: float) -> tuple[Columns, Floats]:
        """Return the columns and values of an earlier tick with these values of a histogram."""
        columns, values = histogram.amendment(distribution, max(over_s, self.placement.interval_s))
        # Buckets may have appeared.
        self._fit()
        return columns, values

    def set_now(self, columns: Columns, values: Floats) -> None:
        """Set values from the next tick on."""
        self._see(columns)
        self.placement.set_now(columns, values)

    def fill(self, columns: Columns, times: Floats, rows: Floats) -> int:
        """Write values to earlier ticks: see `Placement.fill`."""
        self._see(columns)
        return self.placement.fill(columns, times, rows)

    def set_at(self, columns: Columns, values: Floats, times: Floats) -> tuple[int, "Dropped"]:
        """Write values to the ticks that they belong to: see `Placement.set_at`."""
        if not len(columns):
            return 0, NOTHING
        self._see(columns)
        return self.placement.set_at(columns, values, times)

    def rates(
        self, source: Source, columns: Columns, values: Floats, times: Floats, starts: Floats
    ) -> Iterator[tuple[Samples, Dropped]]:
        """Yield the rates per second of a source's totals, and those that are too old: see `Totals.rates`."""
        now, oldest = self.placement.now, self.placement.oldest_total()
        return self.totals.rates(source.number, columns, values, times, starts, now=now, oldest=oldest)

    def is_too_old(self, source: Source, column: int, time: float) -> bool:
        """Return whether a cumulative distribution is older than the window, or than the one before it."""
        now, oldest = self.placement.now, self.placement.oldest_total()
        return self.totals.is_too_old(source.number, column, time, now=now, oldest=oldest)

    def take_over(self, source: Source, column: int, key: Hashable, start: float) -> None:
        """Do what `Source.take_over` describes."""
        if (owned := self._owned.get(column)) is not None:
            _forget_keys([other for other in owned.keys if other != (source, key)], column)
            owned.keys[:] = [(source, key)]
        self.totals.take_over(source.number, column, start)

    def add(self, columns: Columns, amounts: Floats) -> None:
        """Count more, or less."""
        good = np.isfinite(amounts)
        if not good.all():
            columns, amounts = columns[good], amounts[good]
        self._seen[columns] = self._clock
        registry = self._registry
        with registry.lock:
            np.add.at(registry.counts, columns, amounts)

    def clear(self, columns: Columns) -> None:
        """Clear values until new ones arrive; totals start over."""
        every = np.array([each for column in columns.tolist() for each in self._all_columns(column)], np.intp)
        registry = self._registry
        with registry.lock:
            registry.values[every] = np.nan
        for column in columns.tolist():
            self.totals.forget(column)

    def _all_columns(self, column: int) -> list[int]:
        histogram = self._histograms.get(column)
        return [column] if histogram is None else histogram.columns

    def why_dropped(self, dropped: "Dropped") -> str:
        """Return why the first of these samples was dropped, and how its sender can fix it."""
        column, time = int(dropped.columns[0]), float(dropped.times[0])
        handle = self._registry.leaving.get(column)
        name = handle.metric.name if handle is not None else self._registry.name_of(column)
        return f"metric {name!r}: a sample of {instant(time)} {self.placement.why_dropped(time)}"


class _Owned(Struct, frozen=True, eq=False):
    """A series that sources write to.

    Attributes:
        source: the source that created it and whose limit it counts towards; None if the board declares it.
        keys: the sources' keys for it.
    """

    source: Source | None
    keys: list[tuple[Source, Hashable]]


def _described(metric: MetricInfo) -> str:
    return f"{metric.kind} in {metric.unit!r}" if metric.unit else f"{metric.kind} without a unit"


def _forget_keys(keys: Iterable[tuple[Source, Hashable]], column: int) -> None:
    """Make sources ask again for a column by these keys. A key may refer to another column by now."""
    for source, key in keys:
        if source.known.get(key) == column:
            del source.known[key]
