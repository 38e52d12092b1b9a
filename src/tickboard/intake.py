"""The intake: samples that come from outside, in batches, for series that nobody has declared.

Each sender is a `Source`. It asks once for the column of each of its series, keeps it under whatever it calls the
series, and from then on writes whole batches: columns, values and times. No object is made of a sample.

    what came            between two ticks                             until the next
    gauge                the newest value                              it holds
    total                its rise per second since the sample before   it holds
    counter              what was added, per second                    0
    distribution         all that came, merged                         it holds
    observation          all that came                                 nothing

A sample that is older than the newest tick goes to its own tick, the first that is not before it, while that is in the
window; and if it is the series' newest, to all ticks after that too, for it would have held there. One that is older
than the window is counted and gone. What was amended is told by `take_amended`.

A series that nothing has come for in `forget_s` seconds leaves. A new one beyond the limits is refused, with all its
samples, and counted; what was there goes on.
"""

import re
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, NoReturn

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tickboard.distribution import Distribution, difference
from tickboard.errors import InputError, LimitError
from tickboard.expressions.aligned import Labels
from tickboard.naming import rate_unit, title_of, unit_of
from tickboard.series import Counter, Gauge, Handle, Histogram, Registry, summary
from tickboard.text import encodable
from tickboard.types import MetricInfo
from tickboard.window import Floats, Window, widened

Columns = NDArray[np.intp]

Kind = Literal["gauge", "total", "counter", "histogram"]

HANDLES: Mapping[Kind, type[Handle]] = MappingProxyType(
    {"gauge": Gauge, "total": Counter, "counter": Counter, "histogram": Histogram}
)
"""What each kind is to those who see it: a total is a counter whose sender does the counting."""

MAX_SERIES_PER_SOURCE = 50_000
"""Series of one source; one more is refused."""

MAX_ALIASES = 100_000
"""Names that a source may have for its series beyond four for each: labels in any order are the same series."""

MAX_REFUSED_KEYS = 10_000
"""Series that are known to be refused, for each source, so that they need not be looked at again."""

MAX_SOURCES = 1_000
"""Senders that are told apart; those beyond share one."""

FORGET_S = 300.0
"""A series that nothing has come for in so long leaves."""

MAX_LABELS = 64
MAX_NAME = 256
MAX_LABEL_VALUE = 1_024
"""Characters of a metric's or label's name, and of a label's value, and labels of a series: more are refused."""

AHEAD_S = 60.0
"""A sample from a clock that is ahead counts as at most so far ahead: when the clock is set right, its series go on."""

REFUSED = -1
"""The column of a series that was refused; what is written to it is counted."""

_BAD_NAME = re.compile(r"[^A-Za-z0-9_.:/-]+")
_BAD_LABEL = re.compile(r"[^A-Za-z0-9_.]+")
_FIRST = re.compile(r"[A-Za-z_]")


@dataclass(frozen=True)
class Refusal:
    """What a source has had refused since it last asked.

    Attributes:
        samples: how many samples.
        reason: why the first of them was, naming the series and the mend.
    """

    samples: int
    reason: str


class Source:
    """One sender of samples. Made by `Intake.source`.

    Attributes:
        name: what it is called where its counters are shown.
        known: the column of each series, by what the sender calls it; `REFUSED` for one that was refused. A sender
            looks here first; what leaves the registry leaves here too.
        samples: how many were taken.
        late: of them, how many went to an earlier tick.
        too_old: how many were older than the window, or older than the tick that they belong to already had.
        refused: how many were of series that were refused.
        malformed: how many could not be read; counted by the sender.
        series: how many there are that came from here first.
    """

    def __init__(self, intake: "Intake", name: str) -> None:
        self.name = name
        self.known: dict[Hashable, int] = {}
        self.samples = 0
        self.late = 0
        self.too_old = 0
        self.refused = 0
        self.malformed = 0
        self.series = 0
        self._refused_keys = 0
        self._intake = intake
        self._reason = ""
        self._untold = 0

    # --- series ---

    def gauge(
        self, key: Hashable, name: str, labels: Iterable[tuple[str, str]] = (), *, title: str = "", unit: str = ""
    ) -> int:
        """Return the column of a gauge, for `set`.

        Args:
            key: what the sender calls the series, kept in `known`.
            name: the metric's; what cannot be in a name becomes ``_``.
            labels: names and values, in any order.
            title: what people read; guessed from the name when empty.
            unit: as the sender writes it (``By``, ``seconds``, ``1``, …); guessed from the name when empty.

        Returns:
            The column, or `REFUSED`: the reason is in `take_refusal` once a sample is written to it.
        """
        return self._intake.column(self, key, "gauge", name, labels, title, unit)

    def total(
        self, key: Hashable, name: str, labels: Iterable[tuple[str, str]] = (), *, title: str = "", unit: str = ""
    ) -> int:
        """Return the column of a count since a beginning, for `set_totals`, or for `set` with rates; as `gauge`."""
        return self._intake.column(self, key, "total", name, labels, title, unit)

    def counter(
        self, key: Hashable, name: str, labels: Iterable[tuple[str, str]] = (), *, title: str = "", unit: str = ""
    ) -> int:
        """Return the column of something that is counted, for `add`; as `gauge`."""
        return self._intake.column(self, key, "counter", name, labels, title, unit)

    def histogram(
        self, key: Hashable, name: str, labels: Iterable[tuple[str, str]] = (), *, title: str = "", unit: str = ""
    ) -> int:
        """Return the column of a distribution, for `merge`, `merge_totals` and `observe`; as `gauge`."""
        return self._intake.column(self, key, "histogram", name, labels, title, unit)

    # --- samples ---

    def set(self, columns: ArrayLike, values: ArrayLike, times: ArrayLike | None = None) -> None:
        """Take values that hold until the next; NaN: there is none any more.

        Args:
            columns: [samples], of gauges, or of totals whose rates per second are known.
            values: [samples].
            times: [samples], POSIX seconds; now when None.
        """
        where, (what, when) = self._taken(columns, values, times)
        if when is None:
            self._intake.set_now(where, what)
        else:
            late, too_old = self._intake.set_at(where, what, when)
            self.late += late
            self.too_old += too_old

    def set_totals(
        self, columns: ArrayLike, values: ArrayLike, times: ArrayLike, starts: ArrayLike | None = None
    ) -> None:
        """Take counts since a beginning; a count that is lower than the one before has begun anew.

        Args:
            columns: [samples], of totals.
            values: [samples].
            times: [samples], POSIX seconds.
            starts: [samples], when each count began, where that is known: one that began after the sample before has
                begun anew, too.
        """
        taken = np.asarray(columns, np.intp) >= 0
        begun = np.full(len(taken), -np.inf) if starts is None else np.asarray(starts, np.float64)
        where, (what, when) = self._taken(columns, values, times)
        assert when is not None
        late, too_old = self._intake.set_at(*self._intake.rates(where, what, when, begun[taken]))
        self.late += late
        self.too_old += too_old

    def add(self, columns: ArrayLike, amounts: ArrayLike) -> None:
        """Count more; columns [samples] of counters, and how much more of each, not less than 0."""
        where, (what, _) = self._taken(columns, amounts)
        self._intake.add(where, what)

    def observe(self, column: int, values: Sequence[float]) -> None:
        """Take single values of a histogram that were seen since the last tick."""
        histogram = self._histogram(column, len(values))
        if histogram is not None:
            histogram.observe_all(values)

    def merge(self, column: int, distribution: Distribution, time: float | None = None) -> None:
        """Take values of a histogram, seen until `time` (POSIX seconds; now when None)."""
        histogram = self._histogram(column)
        if histogram is None or not distribution.count:
            return
        if time is None or time > self._intake.now:
            histogram.merge(distribution)
        else:
            columns = np.array(histogram.columns, np.intp)
            values = np.array(summary(distribution))
            late, too_old = self._intake.set_at(columns, values, np.full(len(columns), time))
            self.late += min(1, late)
            self.too_old += min(1, too_old)

    def merge_totals(self, column: int, distribution: Distribution, time: float) -> None:
        """Take all values of a histogram since a beginning; those that are new since the last time count."""
        risen = self._intake.risen(column, distribution, time) if column >= 0 else distribution
        if risen is not None:
            self.merge(column, risen, time)

    def clear(self, columns: ArrayLike) -> None:
        """Take away the values of series whose sender says that they have ended, until they come again."""
        ended = np.asarray(columns, np.intp)
        self._intake.clear(ended[ended >= 0])

    # --- what went wrong ---

    def take_refusal(self) -> Refusal | None:
        """Return what has been refused since the last call; None when nothing was."""
        if not self._untold:
            return None
        refusal = Refusal(self._untold, self._reason)
        self._untold = 0
        return refusal

    def refuse(self, key: Hashable, reason: str) -> int:
        """Note that a series is refused, so that it is known the next time, and return `REFUSED`."""
        self._reason = reason
        if self._refused_keys < MAX_REFUSED_KEYS:
            self.known[key] = REFUSED
            self._refused_keys += 1
        return REFUSED

    def forget_refusals(self) -> None:
        """Look anew at what was refused: there may be room now."""
        if self._refused_keys:
            self.known = {key: column for key, column in self.known.items() if column != REFUSED}
            self._refused_keys = 0

    def _taken(
        self, columns: ArrayLike, values: ArrayLike, times: ArrayLike | None = None
    ) -> tuple[Columns, tuple[Floats, Floats | None]]:
        """Return a batch as arrays, without what is refused."""
        where = np.asarray(columns, np.intp)
        what = np.asarray(values, np.float64)
        when = None if times is None else np.asarray(times, np.float64)
        self.samples += len(where)
        taken = where >= 0
        if not taken.all():
            self._count_refused(len(where) - int(np.count_nonzero(taken)))
            where, what, when = where[taken], what[taken], None if when is None else when[taken]
        return where, (what, when)

    def _histogram(self, column: int, samples: int = 1) -> Histogram | None:
        self.samples += samples
        histogram = self._intake.histogram(column)
        if histogram is None:
            self._count_refused(samples)
        return histogram

    def _count_refused(self, samples: int) -> None:
        self.samples -= samples
        self.refused += samples
        self._untold += samples


class Intake:
    """All sources of a board.

    Args:
        registry: where their series are.
        max_series_per_source: series that one of them may have.
        forget_s: a series that nothing has come for in so long leaves.

    Attributes:
        sources: by name.
        now: the newest tick's time, POSIX seconds; minus infinity before the first.
    """

    def __init__(
        self,
        registry: Registry,
        *,
        max_series_per_source: int = MAX_SERIES_PER_SOURCE,
        forget_s: float = FORGET_S,
    ) -> None:
        self.sources: dict[str, Source] = {}
        self.now = -np.inf
        self._registry = registry
        self._max_series = max_series_per_source
        self._forget_s = forget_s
        self._window: Window | None = None
        self._owned: dict[int, _Owned] = {}
        self._discovered: dict[str, int] = {}
        self._amended: list[Amendment] = []
        # By column: when something last came for it, the time of its newest sample, and its newest total with its time.
        self._seen: Floats = np.empty(0)
        self._sampled: Floats = np.empty(0)
        self._total: Floats = np.empty(0)
        self._total_time: Floats = np.empty(0)
        self._distributions: dict[int, tuple[float, Distribution]] = {}
        self._histograms: dict[int, Histogram] = {}

    def source(self, name: str) -> Source:
        """Return the source of this name, made when first asked for."""
        source = self.sources.get(name)
        if source is None:
            if len(self.sources) >= MAX_SOURCES:
                return self.sources.setdefault("others", Source(self, "others"))
            source = self.sources[name] = Source(self, name)
        return source

    @property
    def discovered(self) -> Iterable[str]:
        """The names of the metrics that nobody has declared."""
        return self._discovered.keys()

    # --- for the engine ---

    def attach(self, window: Window) -> None:
        """Amend the ticks of this window from now on."""
        self._window = window

    def ticked(self, now: float) -> None:
        """Take note of a tick's time."""
        if np.isneginf(self.now):
            self._seen[np.isneginf(self._seen)] = now
        self.now = now

    def take_amended(self) -> list["Amendment"]:
        """Return what was changed in the window since the last call."""
        amended, self._amended = self._amended, []
        return amended

    def forget(self) -> None:
        """Let the series leave that nothing has come for in `forget_s`."""
        if not self._owned:
            return
        columns = np.fromiter(self._owned, np.intp, len(self._owned))
        gone = columns[self._seen[columns] < self.now - self._forget_s]
        if not len(gone):
            return
        with self._registry.lock:
            handles = []
            for column in gone.tolist():
                owned = self._owned.pop(column)
                handles.append(owned.handle)
                self._distributions.pop(column, None)
                self._histograms.pop(column, None)
                owned.source.series -= 1
                for source, key in owned.keys:
                    source.known.pop(key, None)
            self._sampled[gone] = self._total[gone] = self._total_time[gone] = np.nan
            self._registry.drop(handles)
            for handle in handles:
                self._withdraw(handle.metric.name)
        for source in self.sources.values():
            source.forget_refusals()

    def _withdraw(self, name: str) -> None:
        if name in self._discovered:
            self._discovered[name] -= 1
            if not self._discovered[name]:
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
        """Return the column of a series, made when there is none yet, or `REFUSED`."""
        try:
            name, pairs = _clean(name, labels)
            with self._registry.lock:
                handle = self._open(source, kind, name, pairs, title, unit)
        except (InputError, LimitError) as error:
            return source.refuse(key, str(error))
        column = handle.columns[0]
        self._fit()
        if len(source.known) >= 4 * source.series + MAX_ALIASES:
            return column
        source.known[key] = column
        if isinstance(handle, Histogram):
            self._histograms[column] = handle
        if (owned := self._owned.get(column)) is not None:
            owned.keys.append((source, key))
        return column

    def _open(self, source: Source, kind: Kind, name: str, labels: Labels, title: str, unit: str) -> Handle:
        registry = self._registry
        wanted = HANDLES[kind]
        lead = registry.find(name)
        if lead is None:
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
            self._discovered[name] = 0
        if not isinstance(lead, wanted):
            raise InputError(f"metric {name!r} is a {lead.kind} here, not a {wanted.kind}: send it under another name")
        if name not in self._discovered:
            return self._declared(source, lead, kind, labels)
        try:
            return self._child(source, lead, kind, labels)
        except LimitError:
            if not self._discovered[name]:
                del self._discovered[name]
                registry.withdraw(name)
            raise

    def _declared(self, source: Source, lead: Handle, kind: Kind, labels: Labels) -> Handle:
        """Return the series of a metric that the board has declared, with the labels that it was declared with."""
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
            self._sampled[each] = self._total[each] = self._total_time[each] = np.nan
        self._seen[column] = self.now
        self._owned[column] = _Owned(handle, source, [])
        source.series += 1
        if lead.metric.name in self._discovered:
            self._discovered[lead.metric.name] += 1
        return handle

    def _refuse_more(self, source: Source, name: str) -> NoReturn:
        raise LimitError(
            f"metric {name!r}: {source.name} has its {self._max_series} series; send fewer labels, or raise the limit"
        )

    def _fit(self) -> None:
        """Have room for every column of the registry."""
        width = len(self._registry.values)
        if width > len(self._seen):
            self._seen = widened(self._seen, width, np.inf)
            self._sampled = widened(self._sampled, width, np.nan)
            self._total = widened(self._total, width, np.nan)
            self._total_time = widened(self._total_time, width, np.nan)

    def histogram(self, column: int) -> Histogram | None:
        """Return the histogram whose column this is, noting that something has come for it."""
        histogram = self._histograms.get(column)
        if histogram is not None:
            self._seen[column] = self.now
        return histogram

    def set_now(self, columns: Columns, values: Floats) -> None:
        """Let values hold from the tick to come."""
        registry = self._registry
        with registry.lock:
            registry.values[columns] = values
        self._sampled[columns] = np.nextafter(self.now, np.inf)
        self._seen[columns] = self.now

    def set_at(self, columns: Columns, values: Floats, times: Floats) -> tuple[int, int]:
        """Give values to the ticks that they belong to.

        Returns:
            How many went to ticks that there were already, and how many to none.
        """
        if not len(columns):
            return 0, 0
        if (times[1:] < times[:-1]).any():
            # The newest last: of several for one place, numpy keeps that.
            order = np.argsort(times, kind="stable")
            columns, values, times = columns[order], values[order], times[order]
        self._seen[columns] = self.now
        times = np.minimum(times, self.now + AHEAD_S) if np.isfinite(self.now) else times
        newest = ~(times < self._sampled[columns])
        late = times <= self.now
        amended = too_old = 0
        if late.any():
            amended, too_old = self._amend(columns[late], values[late], times[late], newest[late])
            if not (kept := ~late).any():
                return amended, too_old
            columns, values, times, newest = columns[kept], values[kept], times[kept], newest[kept]
        if not newest.all():
            too_old += int(np.count_nonzero(~newest))
            columns, values, times = columns[newest], values[newest], times[newest]
        self._hold(columns, values, times)
        return amended, too_old

    def rates(self, columns: Columns, values: Floats, times: Floats, starts: Floats) -> tuple[Columns, Floats, Floats]:
        """Return the rates per second that totals make with those before them, as columns, rates and times."""
        known = ~np.isnan(values)
        if not known.all():
            columns, values, times, starts = columns[known], values[known], times[known], starts[known]
        if not len(columns):
            return columns, values, times
        self._seen[columns] = self.now
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
        told = newer & (elapsed > 0)
        with np.errstate(over="ignore"):
            return columns[told], rise[told] / elapsed[told], times[told]

    def risen(self, column: int, distribution: Distribution, time: float) -> Distribution | None:
        """Return what a distribution since a beginning has more than the one before; None where there is none."""
        before = self._distributions.get(column)
        self._seen[column] = self.now
        if before is not None and time <= before[0]:
            return None
        self._distributions[column] = (time, distribution)
        return None if before is None else difference(distribution, before[1])

    def add(self, columns: Columns, amounts: Floats) -> None:
        """Count more."""
        good = (amounts >= 0) & np.isfinite(amounts)
        if not good.all():
            columns, amounts = columns[good], amounts[good]
        self._seen[columns] = self.now
        registry = self._registry
        with registry.lock:
            np.add.at(registry.counts, columns, amounts)

    def clear(self, columns: Columns) -> None:
        """Take values away until new ones come; totals begin anew."""
        every = np.array([each for column in columns.tolist() for each in self._all_columns(column)], np.intp)
        registry = self._registry
        with registry.lock:
            registry.values[every] = np.nan
        self._total[columns] = self._total_time[columns] = np.nan
        for column in columns.tolist():
            self._distributions.pop(column, None)

    def _all_columns(self, column: int) -> list[int]:
        histogram = self._histograms.get(column)
        return [column] if histogram is None else histogram.columns

    def _hold(self, columns: Columns, values: Floats, times: Floats) -> None:
        registry = self._registry
        with registry.lock:
            registry.values[columns] = values
        self._sampled[columns] = times

    def _amend(self, columns: Columns, values: Floats, times: Floats, newest: NDArray[np.bool_]) -> tuple[int, int]:
        """Give samples to ticks that have been made; `newest` tells which are their series' newest."""
        window = self._window
        assert window is not None
        history = window.times()
        places = np.searchsorted(history, times)
        spacing = history[1] - history[0] if len(history) > 1 else 0.0
        inside = (places > 0) | (times > history[0] - spacing) | (times == history[0])
        # An older one is the value of its tick alone, unless that tick has a newer one already.
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
        amended = int(np.count_nonzero(inside & (newest | free)))
        return amended, len(columns) - amended


@dataclass(frozen=True, eq=False)
class Amendment:
    """Ticks of the window that were changed.

    Attributes:
        first: the sequence number of the first of them.
        last: and of the last.
        columns: of the series that were changed.
    """

    first: int
    last: int
    columns: Columns


@dataclass(frozen=True, eq=False)
class _Owned:
    """A series that leaves when nothing comes for it.

    Attributes:
        handle: of the series.
        source: whose limit it counts to.
        keys: what the sources call it.
    """

    handle: Handle
    source: Source
    keys: list[tuple[Source, Hashable]]


def _clean(name: str, labels: Iterable[tuple[str, str]]) -> tuple[str, Labels]:
    """Return a metric's name and labels as they can be.

    Raises:
        InputError: there is no name, or something is too long or too much.
    """
    if len(name) > MAX_NAME:
        raise InputError(f"metric {name[:40]!r}…: the name has {len(name)} characters: use {MAX_NAME} at most")
    found = _BAD_NAME.sub("_", name)
    if not found or not any(character.isalnum() for character in found):
        raise InputError(f"a metric's name {name!r}: use letters, digits and _ . : / -")
    if not _FIRST.match(found):
        found = f"_{found}"
    pairs = sorted((_clean_label(label), encodable(value)) for label, value in labels)
    if len(pairs) > MAX_LABELS:
        raise InputError(f"metric {name!r} has {len(pairs)} labels: send {MAX_LABELS} at most")
    for label, value in pairs:
        if len(value) > MAX_LABEL_VALUE or len(label) > MAX_NAME:
            raise InputError(f"metric {name!r}: label {label[:40]!r} is too long: {MAX_LABEL_VALUE} characters at most")
    # Of two that come to the same name the last one counts.
    return found, tuple(dict(pairs).items())


def _clean_label(label: str) -> str:
    found = _BAD_LABEL.sub("_", label)
    return found if _FIRST.match(found) else f"_{found}"


def _has_duplicates(columns: Columns, width: int) -> bool:
    """Return whether a column is there more than once."""
    mark = np.empty(width, np.intp)
    order = np.arange(len(columns))
    mark[columns] = order
    return bool((mark[columns] != order).any())
