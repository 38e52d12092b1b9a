"""Reading: choose the tier for a question, and compute the answer from one snapshot of the file.

Entries that are not rolled up yet are computed from the tier below, and ticks that are not in blocks yet are read from
rows. So the answer does not depend on the progress of the writer. Buckets at the ends of the range are complete.
`tickboard.history.recent` answers in the same way from memory. Nothing here knows threads.
"""

from collections.abc import Callable, Iterator

import numpy as np
from msgspec import Struct

from tickboard.errors import TooMuchError
from tickboard.expressions.alignment import Columns, Floats
from tickboard.history.answering import Sums, answer_of_buckets, answer_of_ticks, bucket_tier, buckets_ms, whole_buckets
from tickboard.history.answers import Answer, Integers, Question
from tickboard.history.catalogue import Entry
from tickboard.history.contents import Contents
from tickboard.history.epochs import Epoch, overlap, visible
from tickboard.history.file import Database
from tickboard.history.kept import MAX_VALUES as MAX_KEPT_VALUES
from tickboard.history.kept import KeptRanges, KeptTicks
from tickboard.history.layout import TIERS, Layout, no_times
from tickboard.history.rollup import Rolled, roll, roll_ticks
from tickboard.history.spans import (
    HOURS,
    MINUTE_MS,
    RAW,
    ROLLED_FIELDS,
    UNIT_MS,
    Chosen,
    ColumnReader,
    Span,
    spans_between,
)
from tickboard.history.unsealed import UnsealedRows, read_rows
from tickboard.history.unsealed_cache import UnsealedCache

MAX_VALUES = 2_000_000
"""The most buckets in one answer, over all series: 64 MB."""

MAX_WORK = 200_000_000
"""The most values to decode for one answer: some seconds."""

_BATCH_VALUES = 200_000
"""How many values are put into buckets at a time: they fit into a processor's cache."""


_CUT_VALUES = 60_000
"""The most values of a batch with a span that is only partly in the range. Computing them all is quicker than two
batches."""


class GivenUpError(Exception):
    """The question was cancelled."""


class Plan(Struct, frozen=True):
    """How to answer a question.

    Attributes:
        tier: the number of the tier to read.
        length_ms: the length of a bucket; 0 for the ticks themselves.
        interval_ms: the longest interval of the epochs in the range.
        ticks: the number of ticks, if they are the answer.
    """

    tier: int
    length_ms: int
    interval_ms: int
    ticks: int = 0


class HistorySnapshot:
    """Reads one snapshot of the file. Make one inside a transaction.

    Args:
        database: the connection to read from.
        contents: the contents of the file; they are refreshed.
        is_wanted: returns False if the question was cancelled.
        unsealed: keeps unsealed rows in memory; None: the rows of each range are read from the file.
        kept: keeps ticks that were read from blocks; None: they are read each time.

    Attributes:
        catalogue: the series of the file.
        columns: reads the columns, and records which are damaged.
        database: as given.
        epochs: the epochs that have a tick, oldest first.
    """

    def __init__(
        self,
        database: Database,
        contents: Contents,
        is_wanted: Callable[[], bool],
        unsealed: UnsealedCache | None = None,
        kept: KeptRanges | None = None,
    ) -> None:
        contents.refresh(database)
        self.database = database
        self.catalogue = contents.catalogue
        self._choose = contents.choose
        self.epochs = contents.epochs
        self._expired = contents.expired
        self._is_wanted = is_wanted
        self._unsealed = unsealed
        self._kept = kept
        self._known: KeptTicks | None = None
        self.columns = ColumnReader(database)
        self._work = 0
        self._known_times: dict[int, Integers | None] = {}
        self._known_spans: dict[tuple[int, ...], list[Span]] = {}

    def answer(self, question: Question) -> Answer:
        """Answer a question.

        Raises:
            TooMuchError: the answer would be too large, or too much had to be read for it.
            GivenUpError: it was cancelled.
        """
        chosen = self._choose(question.patterns)
        if self._kept is not None and (answer := self._answer_from_kept(question, chosen, self._kept)) is not None:
            return answer
        plan = self._plan(question)
        if not plan.length_ms:
            _check_size(len(chosen), plan.ticks)
            times, values = self._ticks(question.start_ms, question.end_ms, chosen)
            return answer_of_ticks(question, plan.interval_ms, times, values, self._entries(chosen))
        start, end = whole_buckets(question, plan.length_ms)
        _check_size(len(chosen), (end - start) // plan.length_ms)
        rolled = self._buckets(plan.tier, plan.length_ms, start, end, chosen)
        return answer_of_buckets(question, plan.length_ms, TIERS[plan.tier], rolled, self._entries(chosen))

    def _answer_from_kept(self, question: Question, chosen: Chosen, kept: KeptRanges) -> Answer | None:
        """Answer a question from ticks that are kept; None: it is about other ticks, or about too many."""
        self._known = kept.find(question.patterns)
        if self._known is not None and (answer := self._known.answer(question)) is not None:
            return answer
        ticks = self._ticks_to_keep(question, chosen, self._known)
        if ticks is None:
            return None
        self._known = ticks
        kept.put(question.patterns, ticks)
        return ticks.answer(question)

    def _ticks_to_keep(self, question: Question, chosen: Chosen, known: KeptTicks | None) -> KeptTicks | None:
        """Read the ticks in blocks that a question is about, to the ends of the blocks; None: `known` has them."""
        epochs = self._between(question.start_ms, question.end_ms)
        if len(epochs) != 1:
            return None
        [epoch] = epochs
        length_ms = buckets_ms(question, epoch.interval_ms, RAW)
        start, end = whole_buckets(question, length_ms)
        end = min(end, epoch.sealed)
        if length_ms >= MINUTE_MS or start >= end or (known is not None and known.has(start, end)):
            return None
        spans = self._spans(RAW, epoch, start, end)
        if not spans or sum(span.entries for span in spans) * len(chosen) > MAX_KEPT_VALUES:
            return None
        # Blocks have whole minutes.
        start = min(start, spans[0].first // MINUTE_MS * MINUTE_MS)
        end = max(end, spans[-1].last // MINUTE_MS * MINUTE_MS + MINUTE_MS)
        if start < self._expired[RAW] or self._may_hide(epoch, start, end):
            return None
        parts = list(self._raw(epoch, chosen, start, end))
        if not parts:
            return None
        times, values = np.concatenate([part[0] for part in parts]), np.concatenate([part[1] for part in parts], axis=1)
        return KeptTicks(epoch.number, epoch.interval_ms, start, end, times, values, chosen.ids, self._entries(chosen))

    def _may_hide(self, epoch: Epoch, start: int, end: int) -> bool:
        """Return whether another epoch has ticks in a range, or may yet have some."""
        others = (other for other in self.epochs if other is not epoch)
        return any(other.first < end and (other.last >= start or not other.is_sealed) for other in others)

    def newest(self, before_ms: int, since_ms: int, layout: Layout, most: int) -> tuple[Integers, Floats]:
        """Return the newest ticks of a range as they were recorded; see `History.newest`."""
        ids = np.array([self.catalogue.id_of(name, labels) for name, labels, _ in layout.keys], np.int64)
        known = np.flatnonzero(ids >= 0)
        known = known[np.argsort(ids[known])]
        times, values = self._ticks(since_ms, before_ms, Chosen.of(ids[known]))
        times, values = times[-most:], values[:, -most:]
        rows = np.full((len(times), int(layout.columns.max(initial=-1)) + 1), np.nan)
        rows[:, layout.columns[known]] = values.T
        return times, rows

    def averages(self, tier: int, start: int, end: int, chosen: Chosen) -> tuple[Integers, Floats]:
        """Return the ticks that are in a range, or the averages of the minutes or hours that begin in it.

        Args:
            tier: number of the tier.
            start: the start of the range, POSIX milliseconds, inclusive.
            end: its end, exclusive.
            chosen: the series.

        Returns:
            Times, POSIX milliseconds, int64 [entries], ascending; and float64 [series, entries], NaN where a series has
            no value.

        Raises:
            TooMuchError: too much had to be read.
            GivenUpError: it was cancelled.
        """
        if tier == RAW:
            return self._ticks(start, end, chosen)
        unit = UNIT_MS[tier]
        start, end = -(-start // unit) * unit, -(-end // unit) * unit
        rolled = self._buckets(tier, unit, start, end, chosen)
        return rolled.times, rolled.avg

    def recorded(self, epoch: Epoch, chosen: Chosen, start: int, end: int) -> tuple[Integers, Floats]:
        """Return the ticks of one epoch in a range, including those that a later epoch hides.

        Args:
            epoch: one of `epochs`.
            chosen: the series.
            start: the start of the range, POSIX milliseconds, inclusive.
            end: its end, exclusive; the range must contain a tick.

        Returns:
            Times, POSIX milliseconds, int64 [ticks], ascending; and float64 [series, ticks].
        """
        parts = list(self._raw(epoch, chosen, start, end))
        return np.concatenate([part[0] for part in parts]), np.concatenate([part[1] for part in parts], axis=1)

    @property
    def expired_ms(self) -> int:
        """The time before which ticks may have been deleted."""
        return self._expired[RAW]

    # --- which tier ---

    def finest(self, start_ms: int, tier: int) -> int:
        """Return the finest tier, `tier` or coarser, that still has everything after a time."""
        while tier < HOURS and start_ms < self._expired[tier]:
            tier += 1
        return tier

    def shortest_interval(self, start_ms: int, end_ms: int) -> int:
        """Return the shortest interval between two ticks of a range, in milliseconds."""
        return min((epoch.interval_ms for epoch in self._between(start_ms, end_ms)), default=1000)

    def _plan(self, question: Question) -> Plan:
        start, end = question.start_ms, question.end_ms
        epochs = self._between(start, end)
        interval_ms = max((epoch.interval_ms for epoch in epochs), default=1000)
        if self.finest(start, RAW) == RAW and (ticks := self._few_ticks(question, epochs)) is not None:
            return Plan(RAW, 0, interval_ms, ticks)
        tier, length_ms = bucket_tier(question, interval_ms, lambda tier: self.finest(start, tier))
        return Plan(tier, length_ms, interval_ms)

    def _few_ticks(self, question: Question, epochs: list[Epoch]) -> int | None:
        """Return the number of ticks in the range, or None if there are more than the points wanted."""
        start, end = question.start_ms, question.end_ms
        hides = any(overlap(one, other) for one in epochs for other in epochs if one.number < other.number)
        # Counting them is quicker than reading the times of many, but not than reading the times of few.
        usual = sum((end - start) // epoch.interval_ms for epoch in epochs)
        if usual > question.points and not hides:
            inside = sum(self._inside(epoch, start, end) for epoch in epochs)
            if inside > question.points:
                return None
        count = 0
        for epoch, times in self._tick_times(epochs, start, end):
            count += int(np.count_nonzero(visible(times, epoch, self.epochs, 1)))
            if count > question.points:
                return None
        return count

    def _inside(self, epoch: Epoch, start: int, end: int) -> int:
        """Return the number of ticks in spans that are completely inside a range."""
        total = self.database.one(
            "SELECT total(entries) FROM spans WHERE epoch = ? AND tier = 0 AND first >= ? AND first < ? AND last < ?",
            epoch.number,
            start,
            end,
            end,
        )
        return int(total)

    def _tick_times(self, epochs: list[Epoch], start: int, end: int) -> Iterator[tuple[Epoch, Integers]]:
        """Yield the times of all ticks of a range, by epoch."""
        for epoch in epochs:
            for span in self._spans(RAW, epoch, start, end):
                times = self._times_of(span)
                if times is not None:
                    yield epoch, times[(times >= start) & (times < end)]
            if not epoch.is_sealed:
                for part in self._unsealed_rows(epoch, start, end, 0):
                    yield epoch, part.times

    # --- entries ---

    def _between(self, start: int, end: int) -> list[Epoch]:
        return [epoch for epoch in self.epochs if epoch.first < end and epoch.last >= start]

    def _spans(self, tier: int, epoch: Epoch, start: int, end: int, since: int = 0) -> list[Span]:
        """Return the spans of an epoch in a range, except those that start before `since`."""
        place = tier, epoch.number, max(start, since), end, since
        if place not in self._known_spans:
            self._known_spans[place] = spans_between(self.database, *place)
        return self._known_spans[place]

    def _raw(
        self, epoch: Epoch, chosen: Chosen, start: int, end: int, since: int = 0
    ) -> Iterator[tuple[Integers, Floats]]:
        """Yield the ticks of an epoch in a range, in batches: times, and float64 [series, ticks]."""
        known = self._known
        if known is not None and not since and known.starts(epoch.number, chosen.ids, start):
            times, values = known.between(start, end)
            if len(times):
                yield times, values
            start = min(known.end_ms, end)
        for spans, times in self._batches(RAW, epoch, chosen, start, end, since):
            first, last = np.searchsorted(times, [start, end]).tolist()
            if first >= last:
                continue
            if len(spans) == 1:
                yield times[first:last], self.columns.ticks(spans, chosen, first, last)
            else:
                yield times[first:last], self.columns.ticks(spans, chosen)[:, first:last]
        if not epoch.is_sealed:
            yield from self._rows(epoch, chosen, start, end)

    def _batches(
        self, tier: int, epoch: Epoch, chosen: Chosen, start: int, end: int, since: int
    ) -> Iterator[tuple[list[Span], Integers]]:
        """Yield the spans in a range in batches, with the times of all their entries.

        Spans with damaged times are left out. A span of many ticks that is only partly in the range is a batch of its
        own, since only those in the range are computed.
        """
        fields = 1 if tier == RAW else ROLLED_FIELDS
        batch: list[Span] = []
        size, has_cut = 0, False
        for span in self._spans(tier, epoch, start, end, since):
            is_cut = tier == RAW and (span.first < start or span.last >= end)
            values = fields * span.entries * len(chosen)
            most = _CUT_VALUES if is_cut or has_cut else _BATCH_VALUES
            if batch and size + values > most:
                yield batch, self._times(batch)
                batch, size, has_cut = [], 0, False
            self._count(values)
            if self._times_of(span) is not None:
                batch.append(span)
                size, has_cut = size + values, has_cut or is_cut
        if batch:
            yield batch, self._times(batch)

    def _times(self, spans: list[Span]) -> Integers:
        """Return the times of some spans, none of them damaged."""
        return np.concatenate([times for span in spans if (times := self._times_of(span)) is not None])

    def _times_of(self, span: Span) -> Integers | None:
        """Return the times of a span, or None if they are damaged."""
        if span.id not in self._known_times:
            self._known_times[span.id] = self.columns.times(span)
        return self._known_times[span.id]

    def _rows(self, epoch: Epoch, chosen: Chosen, start: int, end: int) -> Iterator[tuple[Integers, Floats]]:
        """Yield ticks that are still rows, in batches."""
        times: list[Integers] = []
        found: list[Floats] = []
        # By layout: where the series are in a row, and their places among the chosen ones.
        places: dict[int, tuple[Columns, Columns]] = {}
        for part in self._unsealed_rows(epoch, start, end, len(chosen)):
            self._count(len(part) * len(chosen))
            if part.layout not in places:
                _, *both = np.intersect1d(part.ids, chosen.ids, assume_unique=True, return_indices=True)
                places[part.layout] = both[0], both[1]
            times.append(part.times)
            found.append(_columns(part, *places[part.layout], len(chosen)))
            if sum(map(len, times)) * len(chosen) >= _BATCH_VALUES:
                yield np.concatenate(times), np.concatenate(found, axis=1)
                times, found = [], []
        if found:
            yield np.concatenate(times), np.concatenate(found, axis=1)

    def _unsealed_rows(self, epoch: Epoch, start: int, end: int, wanted: int) -> Iterator[UnsealedRows]:
        if self._unsealed is None:
            return read_rows(self.database, epoch.number, max(start, epoch.sealed), end, wanted)
        return self._unsealed.rows(self.database, epoch, start, end, wanted)

    def _rolled(
        self, tier: int, epoch: Epoch, chosen: Chosen, start: int, end: int, since: int = 0
    ) -> Iterator[Rolled]:
        """Yield the entries of an epoch and a tier in a range. Compute those that are not rolled up yet."""
        if tier == RAW:
            for tick_times, values in self._raw(epoch, chosen, start, end, since):
                yield roll_ticks(tick_times, values, MINUTE_MS)
            return
        for spans, times in self._batches(tier, epoch, chosen, start, end, since):
            first, last = np.searchsorted(times, [start, end]).tolist()
            if first < last:
                yield self.columns.rolled(spans, times, chosen).between(first, last)
        mark = epoch.marks()[tier]
        if mark < end:
            yield from self._rolled(tier - 1, epoch, chosen, max(start, mark), end, max(since, mark))

    def _count(self, values: int) -> None:
        """Count values to be read. Raise if there are too many, or if the question was cancelled."""
        self._work += values
        if self._work > MAX_WORK:
            raise TooMuchError(
                "too much history has to be read for this: ask for fewer series, a shorter range or fewer points"
            )
        if not self._is_wanted():
            raise GivenUpError

    # --- the answer ---

    def _ticks(self, start: int, end: int, chosen: Chosen) -> tuple[Integers, Floats]:
        """Return the ticks of a range in order: times, and float64 [series, ticks]."""
        parts: list[tuple[Integers, Floats]] = []
        epochs = self._between(start, end)
        for epoch in epochs:
            parts += self._shown(epoch, chosen, start, end)
        if not parts:
            return no_times(), np.empty((len(chosen), 0))
        times = np.concatenate([part[0] for part in parts])
        values = parts[0][1] if len(parts) == 1 else np.concatenate([part[1] for part in parts], axis=1)
        # The times of an epoch ascend.
        if len(epochs) > 1 and (np.diff(times) < 0).any():
            order = np.argsort(times, kind="stable")
            times, values = times[order], values[:, order]
        return times, values

    def _shown(self, epoch: Epoch, chosen: Chosen, start: int, end: int) -> Iterator[tuple[Integers, Floats]]:
        """Yield the ticks of an epoch in a range that are not hidden, in batches of at least one."""
        for times, values in self._raw(epoch, chosen, start, end):
            shown = visible(times, epoch, self.epochs, 1)
            if shown.all():
                yield times, values
            elif shown.any():
                yield times[shown], values[:, shown]

    def _buckets(self, tier: int, length_ms: int, start: int, end: int, chosen: Chosen) -> Rolled:
        """Return the buckets of a range, made from a tier. `start` and `end` are multiples of their length."""
        sums = Sums(len(chosen), start, (end - start) // length_ms, length_ms)
        start = max(start, self._expired[tier])
        for epoch in self._between(start, end):
            if tier == RAW:
                for times, values in self._shown(epoch, chosen, start, end):
                    sums.add(roll_ticks(times, values, length_ms))
            else:
                for rolled in self._rolled(tier, epoch, chosen, start, end):
                    shown = visible(rolled.times, epoch, self.epochs, UNIT_MS[tier])
                    if shown.any():
                        sums.add(roll(rolled.take(shown), length_ms))
        return sums.result()

    def _entries(self, chosen: Chosen) -> list[Entry]:
        return [self.catalogue.entries[id] for id in chosen.ids.tolist()]


def _check_size(series: int, buckets: int) -> None:
    if series * buckets > MAX_VALUES:
        raise TooMuchError(
            f"{series} series x {buckets} buckets are more than the {MAX_VALUES} that one answer may have: "
            "ask for fewer series or fewer points"
        )


def _columns(rows: UnsealedRows, source: Columns, target: Columns, series: int) -> Floats:
    """Return the values of some series, float64 [series, ticks]; NaN where the rows do not have the series.

    Args:
        rows: the rows.
        source: the columns to read.
        target: the place of each among the series.
        series: how many series there are.
    """
    values = rows.columns(source).T
    if len(target) == series:
        return values
    found = np.full((series, len(rows)), np.nan)
    found[target] = values
    return found
