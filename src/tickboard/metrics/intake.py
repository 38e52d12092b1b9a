"""The intake: takes batches of samples from outside, for series that need not be declared.

Each sender is a `Source`. It asks once for the column of each of its series, stores it under its own key for the
series, and from then on writes whole batches: columns, values and times. No object is made per sample.

    what arrives         between two ticks                             until the next
    gauge                the newest value                              it holds
    total                its rise per second since the sample before   it holds
    counter              the amount added, per second                  0
    distribution         all that arrived, merged                      it holds
    observation          all that arrived                              nothing

A sample older than the newest tick goes to its own tick, the first one that is not before it, if that is still in the
window. If it is the newest of its series, it also goes to all ticks after that, where it would have held.
`take_amended` returns the changed ticks. A sample older than the window goes to its own tick in history, if history
keeps ticks that old (`late_s`): `take_late` returns it. Any other, and one older than the sample that its tick has
already, is dropped and counted, and `take_refusal` reports it for the answer to its sender.

A series with labels, or of an undeclared metric, leaves when it has received no sample for `forget_s` seconds. A new
series beyond the limits is refused: its samples are counted and ignored. Existing series are not affected.
"""

from collections.abc import Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from tickboard.errors import InputError, LimitError
from tickboard.expressions.alignment import Labels
from tickboard.metrics.cleaning import check_texts, clean
from tickboard.metrics.distribution import Distribution, difference
from tickboard.metrics.handles import Counter, Gauge, Handle, Histogram
from tickboard.metrics.late import NOTHING, Amendment, Columns, Dropped, LateSamples, instant
from tickboard.metrics.naming import rate_unit, title_of, unit_of
from tickboard.metrics.registry import Registry
from tickboard.metrics.source import Kind, Source
from tickboard.metrics.window import Floats, Window, widened
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
"""The most sources at the same time; further senders share one."""

OTHERS = "others"
"""The source that such senders share. It also has the counts of forgotten sources."""

FORGET_S = 300.0
"""A series leaves when it has received no sample for this many seconds."""


MAX_LATE = 1_000_000
"""Samples for history alone that wait for the next tick at most: 24 MB."""

AHEAD_S = 60.0
"""A sample further ahead than this, in seconds, comes from a wrong clock and counts as one of now. So its series
continue when that clock is corrected."""


class Intake:
    """All sources of a board.

    Args:
        registry: contains their series.
        max_series_per_source: the most series of one source.
        forget_s: seconds without a sample after which a series leaves.

    Attributes:
        sources: the sources by name.
        stale: metrics whose series stay without samples, since what writes to them fails or hangs.
        now: the newest tick's time, POSIX seconds; minus infinity before the first.
        late_s: how much older than the newest tick a sample may be that goes to history alone.
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
        self.now = -np.inf
        self.late_s = 0.0
        self._registry = registry
        self._max_series = max_series_per_source
        self._forget_s = forget_s
        self._window: Window | None = None
        self._interval_s = 0.0
        # Seconds that have passed between ticks, whereas `now` is the wall clock's time.
        self._clock = 0.0
        self._owned: dict[int, _Owned] = {}
        self._discovered: dict[str, None] = {}
        self._amended: list[Amendment] = []
        self._late: list[LateSamples] = []
        # By column: when the last sample arrived, the newest sample's time, and the newest total with its time.
        self._seen: Floats = np.empty(0)
        self._sampled: Floats = np.empty(0)
        self._total: Floats = np.empty(0)
        self._total_time: Floats = np.empty(0)
        # By column: the source that counts the total. Totals of further sources for the same series are in `_beside`,
        # as value and time.
        self._counting: NDArray[np.intp] = np.empty(0, np.intp)
        self._beside: dict[int, dict[int, tuple[float, float]]] = {}
        # By column and source: the newest distribution with its time.
        self._distributions: dict[int, dict[int, tuple[float, Distribution]]] = {}
        self._histograms: dict[int, Histogram] = {}
        # By column of a series whose counts are another board's: what its senders called it there.
        self._called: dict[int, set[Hashable]] = {}

    def source(self, name: str) -> Source:
        """Return the source of this name; it is made on first use."""
        source = self.sources.get(name)
        if source is None:
            if len(self.sources) >= MAX_SOURCES:
                return self._others()
            source = self.sources[name] = Source(self, name)
        return source

    def sender(self, name: str) -> Source:
        """Return the source of a sender that may never come back; call this for each request.

        The source is forgotten when this was not called for `forget_s` seconds and it has no series left.
        """
        source = self.source(name)
        source.asked = self._clock
        return source

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

    def attach(self, window: Window, interval_s: float) -> None:
        """Amend the ticks of this window from now on, which has one tick every `interval_s` seconds."""
        self._window, self._interval_s = window, interval_s

    def ticked(self, now: float, passed_s: float) -> None:
        """Record a tick's time, and the seconds since the one before it."""
        self._fit()
        # What handles have written since the last tick counts as seen at that tick, like all samples until this one.
        self._seen[self._registry.take_written()] = self._clock
        if np.isneginf(self.now):
            # Before the first tick, a sender's clock could not be compared with anything.
            self._sampled[self._sampled > now + AHEAD_S] = now
        self.now = now
        self._clock += passed_s

    def begin_epoch(self, now: float) -> None:
        """Continue after the wall clock was set back to `now`: no earlier sample may count as newer than later ones."""
        self.now = now
        self._amended = []
        self._sampled[:] = np.nan
        ahead = self._total_time > now
        self._total[ahead] = self._total_time[ahead] = np.nan
        self._beside.clear()
        for known in self._distributions.values():
            for number in [number for number, (time, _) in known.items() if time > now]:
                del known[number]

    def take_amended(self) -> list["Amendment"]:
        """Return the changes of the window since the last call."""
        amended, self._amended = self._amended, []
        return amended

    def take_late(self) -> list[LateSamples]:
        """Return the samples for history alone that have come since the last call."""
        late, self._late = self._late, []
        return late

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
            for beside in self._beside.values():
                beside.pop(source.number, None)
            for distributions in self._distributions.values():
                distributions.pop(source.number, None)
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
            self._forget_counts(column)
            self._called.pop(column, None)
            self._histograms.pop(column, None)
            if (owned := self._owned.pop(column, None)) is not None:
                if owned.source is not None:
                    owned.source.series -= 1
                _forget_keys(owned.keys, column)
        gone, which = set(columns), np.array(columns, np.intp)
        self._late = [each.without(which) for each in self._late]
        self._sampled[which] = np.nan
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
            # It may be another count than the one before.
            self._forget_counts(column)
        if len(source.known) >= 4 * source.series + MAX_ALIASES:
            return column
        source.known[key] = column
        self._note_owned(column).keys.append((source, key))
        return column

    def _note_owned(self, column: int) -> "_Owned":
        """Note that sources write to a series, and return what is known of that."""
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
        wanted, given = lead.metric.labels, dict(labels)
        if set(wanted) != set(given):
            raise InputError(
                f"metric {lead.metric.name!r} was declared with the labels {', '.join(wanted) or 'none'}, "
                f"not {', '.join(given) or 'none'}: send it so, or under another name"
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
        if source.series >= self._max_series:
            self._refuse_more(source, lead.metric.name)
        handle = registry.open(lead, labels)
        column = handle.columns[0]
        if kind == "total":
            registry.hold(column)
        self._fit()
        for each in handle.columns:
            self._sampled[each] = np.nan
            self._forget_counts(each)
        self._seen[column] = self._clock
        self._owned[column] = _Owned(source, [])
        source.series += 1
        return handle

    def _refuse_more(self, source: Source, name: str) -> NoReturn:
        raise LimitError(
            f"metric {name!r}: {source.name} has its {self._max_series} series; send fewer labels, or raise the limit"
        )

    def _fit(self) -> None:
        """Make room for every column of the registry."""
        width = len(self._registry.values)
        if width > len(self._seen):
            self._seen = widened(self._seen, width, np.inf)
            self._sampled = widened(self._sampled, width, np.nan)
            self._total = widened(self._total, width, np.nan)
            self._total_time = widened(self._total_time, width, np.nan)
            self._counting = np.concatenate([self._counting, np.full(width - len(self._counting), -1, np.intp)])

    def histogram(self, column: int) -> Histogram | None:
        """Return the histogram with this first column, and record that it has received a sample."""
        histogram = self._histograms.get(column)
        if histogram is not None:
            self._seen[column] = self._clock
        return histogram

    def set_now(self, columns: Columns, values: Floats) -> None:
        """Set values from the next tick on."""
        registry = self._registry
        with registry.lock:
            registry.values[columns] = values
        self._sampled[columns] = np.nextafter(self.now, np.inf)
        self._seen[columns] = self._clock

    def set_at(self, columns: Columns, values: Floats, times: Floats) -> tuple[int, "Dropped"]:
        """Write values to the ticks that they belong to.

        Returns:
            How many went to ticks that were made already, and the samples that were dropped.
        """
        if not len(columns):
            return 0, NOTHING
        if (times[1:] < times[:-1]).any():
            # The newest last: of several values for one place, numpy keeps the last.
            order = np.argsort(times, kind="stable")
            columns, values, times = columns[order], values[order], times[order]
        self._seen[columns] = self._clock
        if np.isfinite(self.now):
            times = np.where(times > self.now + AHEAD_S, np.nextafter(self.now, np.inf), times)
        newest = ~(times < self._sampled[columns])
        late = times <= self.now
        amended, dropped = 0, NOTHING
        if late.any():
            amended, dropped = self._amend(columns[late], values[late], times[late], newest[late])
            if not (kept := ~late).any():
                return amended, dropped
            columns, values, times, newest = columns[kept], values[kept], times[kept], newest[kept]
        if not newest.all():
            dropped = dropped.and_also(columns[~newest], times[~newest])
            columns, values, times = columns[newest], values[newest], times[newest]
        self._hold(columns, values, times)
        return amended, dropped

    def rates(
        self, source: Source, columns: Columns, values: Floats, times: Floats, starts: Floats
    ) -> Iterator[tuple[tuple[Columns, Floats, Floats], "Dropped"]]:
        """Yield the rates per second of totals, each since the total before it from the same source.

        Yields:
            Columns, rates and times; and the totals that are too old for a rate.
        """
        counting = self._counting[columns]
        beside = (counting >= 0) & (counting != source.number)
        if beside.any():
            yield self._rates_beside(source, columns[beside], values[beside], times[beside], starts[beside])
            columns, values, times, starts = columns[~beside], values[~beside], times[~beside], starts[~beside]
        self._counting[columns] = source.number
        yield self._rates(columns, values, times, starts)

    def _rates_beside(
        self, source: Source, columns: Columns, values: Floats, times: Floats, starts: Floats
    ) -> tuple[tuple[Columns, Floats, Floats], "Dropped"]:
        """Return what `rates` does, for series whose totals another source counts as well."""
        oldest = self._oldest_total()
        found: list[tuple[int, float, float]] = []
        dropped: list[tuple[int, float]] = []
        self._seen[columns] = self._clock
        order = np.argsort(times, kind="stable")
        batch = (one[order].tolist() for one in (columns, values, times, starts))
        for column, value, time, start in zip(*batch, strict=True):
            known = self._beside.setdefault(column, {})
            before, since = known.get(source.number, (np.nan, np.nan))
            if time < since or time < oldest:
                dropped.append((column, time))
            elif np.isfinite(value) and time != since:
                known[source.number] = value, time
                if self._total_time[column] <= since:
                    # The other source is silent: this one takes its place.
                    self._forget_counts(column)
                    self._counting[column], self._total[column], self._total_time[column] = source.number, value, time
                rise = value if value < before or start > since else value - before
                if since < time:
                    found.append((column, rise / (time - since), time))
        return _columns(found), Dropped(*_columns(dropped)) if dropped else NOTHING

    def _forget_counts(self, column: int) -> None:
        """Start all counts of a series over."""
        self._total[column] = self._total_time[column] = np.nan
        self._counting[column] = -1
        self._beside.pop(column, None)
        self._distributions.pop(column, None)

    def _rates(
        self, columns: Columns, values: Floats, times: Floats, starts: Floats
    ) -> tuple[tuple[Columns, Floats, Floats], "Dropped"]:
        good, dropped = ~np.isnan(values), NOTHING
        since = self._total_time[columns]
        wrong = columns[(times < since) & (since > self.now + AHEAD_S)]
        # The sender's clock was ahead and has been corrected: its counts start over.
        self._total[wrong] = self._total_time[wrong] = np.nan
        too_old = good & ((times < self._total_time[columns]) | (times < self._oldest_total()))
        if too_old.any():
            dropped = Dropped(columns[too_old], times[too_old])
            self._seen[dropped.columns] = self._clock
            good &= ~too_old
        if not good.all():
            columns, values, times, starts = columns[good], values[good], times[good], starts[good]
        if not len(columns):
            return (columns, values, times), dropped
        self._seen[columns] = self._clock
        several = len(columns) > 1 and _has_duplicates(columns, len(self._seen))
        if several:
            order = np.lexsort((times, columns))
            columns, values, times, starts = columns[order], values[order], times[order], starts[order]
        before, since = self._total[columns], self._total_time[columns]
        newer = ~(times <= since)
        if several:
            same = np.flatnonzero(columns[1:] == columns[:-1])
            before[same + 1], since[same + 1] = values[same], times[same]
        elapsed = times - since
        with np.errstate(invalid="ignore"):
            rise = values - before
        rise = np.where((rise < 0) | (starts > since), values, rise)
        self._total[columns[newer]], self._total_time[columns[newer]] = values[newer], times[newer]
        rated = newer & (elapsed > 0)
        with np.errstate(over="ignore"):
            return (columns[rated], rise[rated] / elapsed[rated], times[rated]), dropped

    def is_too_old(self, source: Source, column: int, time: float) -> bool:
        """Return whether a cumulative distribution is older than the window, or than the one before it."""
        known = self._distributions.get(column, {})
        before = known.get(source.number)
        if before is not None and time < before[0] and before[0] > self.now + AHEAD_S:
            # The sender's clock was ahead and has been corrected.
            before = None
            del known[source.number]
        return time < self._oldest_total() or (before is not None and time < before[0])

    def risen(self, source: Source, column: int, distribution: Distribution, time: float) -> Distribution | None:
        """Return how a cumulative distribution has grown since the one before; None if there is none before."""
        known = self._distributions.setdefault(column, {})
        before = known.get(source.number)
        self._seen[column] = self._clock
        if before is not None and time <= before[0]:
            return None
        known[source.number] = (time, distribution)
        return None if before is None else difference(distribution, before[1])

    def take_over(self, source: Source, column: int, key: Hashable, start: float) -> None:
        """Do what `Source.take_over` describes."""
        if (owned := self._owned.get(column)) is not None:
            _forget_keys([other for other in owned.keys if other != (source, key)], column)
            owned.keys[:] = [(source, key)]
        total, time = self._total[column], self._total_time[column]
        newest = max((time for time, _ in self._distributions.get(column, {}).values()), default=np.nan)
        self._forget_counts(column)
        if start > time:
            self._counting[column], self._total[column], self._total_time[column] = source.number, total, time
        if start > newest:
            self._distributions[column] = {source.number: (newest, Distribution.of([]))}

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
            self._forget_counts(column)

    def _all_columns(self, column: int) -> list[int]:
        histogram = self._histograms.get(column)
        return [column] if histogram is None else histogram.columns

    def _hold(self, columns: Columns, values: Floats, times: Floats) -> None:
        registry = self._registry
        with registry.lock:
            registry.values[columns] = values
        self._sampled[columns] = times

    def _oldest_total(self) -> float:
        """Return the time before which no total is accepted, not even as the base of the next rate.

        A window that is not full yet counts as if it were.
        """
        if self._window is None or np.isneginf(self.now):
            return -np.inf
        return float(self.now) - max(self._window.capacity * self._interval_s, self.late_s)

    def _is_before_window(self, times: Floats) -> NDArray[np.bool_]:
        """Return which times are too old for the first tick of the window."""
        history = np.empty(0) if self._window is None else self._window.times()
        if not len(history):
            return np.zeros(len(times), np.bool_)
        within: NDArray[np.bool_] = (times > history[0] - self._interval_s) | (times >= history[0])
        return ~within

    def _amend(
        self, columns: Columns, values: Floats, times: Floats, newest: NDArray[np.bool_]
    ) -> tuple[int, "Dropped"]:
        """Write samples to ticks that were made already; `newest` marks those that are the newest of their series."""
        window = self._window
        assert window is not None
        history = window.times()
        places = np.searchsorted(history, times)
        inside = ~self._is_before_window(times)
        # An older sample is the value of its own tick only, unless that tick has a newer one already.
        free = places != np.searchsorted(history, self._sampled[columns])
        first = window.oldest
        for which, to_the_end in ((inside & newest, True), (inside & ~newest & free, False)):
            for place in np.unique(places[which]).tolist():
                here = which & (places == place)
                seq = first + place
                last = window.seq if to_the_end else seq
                window.amend(seq, last, columns[here], values[here])
                self._amended.append(Amendment(seq, last, columns[here]))
        held = inside & newest
        self._hold(columns[held], values[held], times[held])
        amended = (inside & (newest | free)) | self._keep_late(columns, values, times, ~inside)
        if amended.all():
            return len(columns), NOTHING
        return int(np.count_nonzero(amended)), Dropped(columns[~amended], times[~amended])

    def _keep_late(
        self, columns: Columns, values: Floats, times: Floats, before: NDArray[np.bool_]
    ) -> NDArray[np.bool_]:
        """Keep samples from before the window for history, as far as it reaches back; return which they are."""
        late = before & (times >= self.now - self.late_s)
        count = int(np.count_nonzero(late))
        if count and count + sum(len(each.times) for each in self._late) > MAX_LATE:
            late[:] = False
        elif count:
            self._late.append(LateSamples(columns[late], values[late], times[late]))
        return late

    def why_dropped(self, dropped: "Dropped") -> str:
        """Return why the first of these samples was dropped, and what its sender can do."""
        column, time = int(dropped.columns[0]), float(dropped.times[0])
        handle = self._registry.leaving.get(column)
        name = handle.metric.name if handle is not None else self._registry.name_of(column)
        said = f"metric {name!r}: a sample of {instant(time)} "
        if self._is_before_window(dropped.times[:1])[0]:
            assert self._window is not None
            begin = instant(min(float(self._window.times()[0]), self.now - self.late_s))
            return f"{said}is older than the oldest tick that is kept, {begin}: send it sooner, or check the clock"
        return f"{said}came after a newer one: send samples in the order of their times"


@dataclass(frozen=True, eq=False)
class _Owned:
    """A series that sources write to.

    Attributes:
        source: the source that created it, to whose limit it counts; None if the board has declared it.
        keys: the sources' keys for it.
    """

    source: Source | None
    keys: list[tuple[Source, Hashable]]


def _forget_keys(keys: Iterable[tuple[Source, Hashable]], column: int) -> None:
    """Make sources ask again for a column by these keys; a key may lead to another column by now."""
    for source, key in keys:
        if source.known.get(key) == column:
            del source.known[key]


def _columns(samples: Sequence[tuple[float, ...]]) -> tuple[Any, ...]:
    """Return samples as an array of columns and arrays of the rest; three empty arrays if there are none."""
    columns, *rest = zip(*samples, strict=True) if samples else ((), (), ())
    return (np.array(columns, np.intp), *(np.array(one, np.float64) for one in rest))


def _has_duplicates(columns: Columns, width: int) -> bool:
    """Return whether a column occurs more than once."""
    mark = np.empty(width, np.intp)
    order = np.arange(len(columns))
    mark[columns] = order
    return bool((mark[columns] != order).any())
