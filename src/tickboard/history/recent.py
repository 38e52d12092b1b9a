"""Recent ticks: those that are not in blocks yet, in memory, to answer small questions without the disk or a thread.

The answer is the one that the file gives once every tick is committed. Ticks before them may come from blocks, if they
were kept. If all these ticks do not suffice, or if it would take long, there is no answer, and the file has to be read.
"""

import threading
from bisect import bisect_right
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from tickboard.expressions.alignment import Columns, Floats, Labels
from tickboard.history.answering import Sums, answer_of_buckets, answer_of_ticks, bucket_tier, whole_buckets
from tickboard.history.answers import Answer, Integers, Question
from tickboard.history.catalogue import Catalogue, Entry
from tickboard.history.kept import KeptTicks
from tickboard.history.layout import TIERS, Layout, no_times
from tickboard.history.rollup import roll, roll_ticks
from tickboard.history.spans import MINUTE_MS, RAW

MAX_SERIES = 1_000
"""The most series of a tick in memory. Selecting among more would take too long between two ticks."""

MAX_VALUES = 100_000
"""The most values that an answer is made from, in two milliseconds at most."""

KEPT_BYTES = 6 * 2**20
"""The most memory to use: 12 minutes of 1,000 series with a tick a second, about as long as they are not sealed."""

_PART_TICKS = 64
"""How many ticks are stored together."""

_CHOICES = 32
"""How many choices of series to keep."""

_LAYOUTS = 32
"""How many layouts to keep the ids of, including those that are no longer needed."""

IdsOf = Callable[[Layout], Integers | None]
"""Returns the id of each series in a layout, or None if they are not known."""


class _Part:
    """Consecutive ticks of one layout, at least one.

    Attributes:
        layout: names the series.
        start_ms, end_ms: the times of its first and its last tick.
    """

    def __init__(self, layout: Layout, time_ms: int, row: Floats) -> None:
        self.layout = layout
        self.start_ms = time_ms
        self._first = self._end = 0
        self._times = np.empty(_PART_TICKS, np.int64)
        self._rows = np.empty((_PART_TICKS, len(row)))
        self.append(time_ms, row)

    @property
    def size(self) -> int:
        """Size in bytes."""
        return self._times.nbytes + self._rows.nbytes

    @property
    def times(self) -> Integers:
        """The times of its ticks, ascending."""
        return self._times[self._first : self._end]

    @property
    def rows(self) -> Floats:
        """Their values, float64 [ticks, series]."""
        return self._rows[self._first : self._end]

    @property
    def is_full(self) -> bool:
        """Whether it has no room for another tick."""
        return self._end == _PART_TICKS

    def append(self, time_ms: int, row: Floats) -> None:
        """Add a tick."""
        self._times[self._end], self._rows[self._end] = time_ms, row
        self._end += 1
        self.end_ms = time_ms

    def forget_before(self, time_ms: int) -> None:
        """Forget ticks before a time, but not the last one."""
        self._first += int(np.searchsorted(self.times, time_ms))
        self.start_ms = int(self._times[self._first])


class _Choice(Struct, frozen=True):
    """Some series.

    Attributes:
        ids: int64 [series], ascending.
        entries: the series.
        places: for each layout, their places in its rows, and among the entries.
    """

    ids: Integers
    entries: Sequence[Entry]
    places: dict[Layout, tuple[NDArray[np.intp], NDArray[np.intp]]]


_Found = tuple[_Part, int, int]
"""Some ticks of a part: the place of the first one, and that after the last one."""


class RecentTicks:
    """The newest ticks of the current epoch."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._parts: deque[_Part] = deque()
        self._interval_ms = 0
        # Every tick at this time or later is here, whatever its epoch.
        self._since_ms = 0
        self._newest_ms = 0
        self._forget_series()

    def begin(self, interval_ms: int, newest_ms: int) -> None:
        """Begin an epoch or a file.

        Args:
            interval_ms: milliseconds between two ticks.
            newest_ms: the time of the newest tick in the file, POSIX milliseconds.
        """
        with self._lock:
            self._interval_ms = interval_ms
            self._newest_ms = max(self._newest_ms, newest_ms)
            self._forget_series()
            self._forget_before(self._newest_ms + 1)

    def append(self, time_ms: int, layout: Layout, row: Floats) -> None:
        """Add a tick, float64 [series]."""
        with self._lock:
            self._newest_ms = max(self._newest_ms, time_ms)
            if len(row) > MAX_SERIES:
                self._forget_before(self._newest_ms + 1)
                return
            part = self._parts[-1] if self._parts else None
            if part is not None and part.layout is layout and not part.is_full:
                part.append(time_ms, row)
                return
            self._parts.append(_Part(layout, time_ms, row))
            while sum(each.size for each in self._parts) > KEPT_BYTES:
                self._since_ms = max(self._since_ms, self._parts.popleft().end_ms + 1)

    def amend(self, time_ms: int, layout: Layout, places: Columns, values: Floats) -> None:
        """Change values of the tick of a time, or of the first one less than an interval later.

        Args:
            time_ms: POSIX milliseconds.
            layout: names the series.
            places: intp [values], which series.
            values: float64 [values].
        """
        with self._lock:
            parts = self._parts
            number = bisect_right(parts, time_ms, key=lambda part: part.start_ms) - 1
            # The first tick at this time or later may be the first of the next part.
            if number < 0 or time_ms > parts[number].end_ms:
                number += 1
            if number == len(parts):
                return
            part = parts[number]
            place = int(np.searchsorted(part.times, time_ms))
            found_ms = int(part.times[place])
            if found_ms - time_ms >= self._interval_ms:
                return
            # Before the first tick here, there may be one that is meant. Another layout may lack the series.
            if part.layout is layout and time_ms >= parts[0].start_ms:
                part.rows[place, places] = values
            else:
                self._forget_before(found_ms + 1)

    def answer(
        self, question: Question, ids_of: IdsOf, sealed_ms: int, earlier: KeptTicks | None = None
    ) -> Answer | None:
        """Answer a question, or return None if the file has to be read.

        Args:
            question: the question.
            ids_of: returns the ids of a layout's series in the file.
            sealed_ms: ticks before this may be in blocks, POSIX milliseconds.
            earlier: ticks of the same series from blocks.
        """
        with self._lock:
            self._forget_before(sealed_ms)
            # If nothing was recorded in the range, the file knows more about it.
            if question.start_ms > self._newest_ms or not self._parts or question.end_ms <= self._parts[0].start_ms:
                return None
            tier, length_ms = bucket_tier(question, self._interval_ms)
            start, end = whole_buckets(question, length_ms)
            # The file has rollups of blocks.
            if start >= self._since_ms or tier != RAW or earlier is None or not self._continues(earlier):
                earlier = None
            since_ms = self._since_ms if earlier is None else earlier.start_ms
            if question.start_ms < since_ms or (choice := self._choose(question.patterns, ids_of)) is None:
                return None
            if earlier is not None and not earlier.knows(choice.ids):
                return None
            entries = choice.entries if earlier is None else earlier.entries
            ticks = self._count(question.start_ms, question.end_ms, earlier)
            if ticks * len(entries) > MAX_VALUES:
                return None
            if ticks <= question.points:
                times, values = _joined(
                    [*self._ticks(question.start_ms, question.end_ms, choice, earlier)], len(entries)
                )
                return answer_of_ticks(question, self._interval_ms, times, values, entries)
            if start < since_ms:
                return None
            sums = Sums(len(entries), start, (end - start) // length_ms, length_ms)
            for times, values in self._ticks(start, end, choice, earlier):
                rolled = roll_ticks(times, values, length_ms if tier == RAW else MINUTE_MS)
                sums.add(rolled if tier == RAW else roll(rolled, length_ms))
            return answer_of_buckets(question, length_ms, TIERS[tier], sums.result(), entries)

    def _continues(self, earlier: KeptTicks) -> bool:
        """Return whether these ticks continue others without a gap."""
        return earlier.interval_ms == self._interval_ms and earlier.end_ms >= self._since_ms

    # --- ticks ---

    def _forget_before(self, time_ms: int) -> None:
        """Forget ticks before a time."""
        if time_ms <= self._since_ms:
            return
        self._since_ms = time_ms
        while self._parts and self._parts[0].end_ms < time_ms:
            self._parts.popleft()
        if self._parts:
            self._parts[0].forget_before(time_ms)

    def _between(self, start_ms: int, end_ms: int) -> Iterator[_Found]:
        """Yield the parts that have a tick in a range."""
        for part in self._parts:
            if part.start_ms >= start_ms and part.end_ms < end_ms:
                yield part, 0, len(part.times)
            elif part.start_ms < end_ms and part.end_ms >= start_ms:
                first, last = part.times.searchsorted([start_ms, end_ms]).tolist()
                if first < last:
                    yield part, first, last

    def _count(self, start_ms: int, end_ms: int, earlier: KeptTicks | None) -> int:
        """Return how many ticks are in a range."""
        count = sum(last - first for _, first, last in self._between(start_ms, end_ms))
        return count if earlier is None else count + len(earlier.between(start_ms, self._since_ms)[0])

    def _ticks(
        self, start_ms: int, end_ms: int, choice: _Choice, earlier: KeptTicks | None
    ) -> Iterator[tuple[Integers, Floats]]:
        """Yield the ticks of a range, those of blocks first: times, and float64 [series, ticks]."""
        if earlier is not None:
            times, values = earlier.between(start_ms, self._since_ms)
            if len(times):
                yield times, values
        times, values = _read(self._between(start_ms, end_ms), choice)
        if len(times):
            yield times, values if earlier is None else earlier.like(choice.ids, values)

    # --- series ---

    def _choose(self, patterns: tuple[str, ...], ids_of: IdsOf) -> _Choice | None:
        """Return the series that selectors match; None if the ids of some of them are not known."""
        layouts = dict.fromkeys(part.layout for part in self._parts)
        if len(self._ids) > _LAYOUTS:
            self._forget_series()
        for layout in layouts:
            if layout not in self._ids:
                if (ids := ids_of(layout)) is None:
                    # Layouts are added in the order of their ticks, so that the newest unit of a series is kept.
                    break
                self._add_series(layout, ids)
        choice = self._choices.get(patterns)
        if choice is None:
            ids = self._catalogue.choose(patterns)
            choice = _Choice(ids, [self._catalogue.entries[id] for id in ids.tolist()], {})
            self._choices[patterns] = choice
            if len(self._choices) > _CHOICES:
                self._choices.popitem(last=False)
        for layout in layouts:
            if layout not in choice.places:
                ids = self._ids[layout] if layout in self._ids else self._ids_before(layout, patterns)
                if ids is None:
                    return None
                _, *both = np.intersect1d(ids, choice.ids, assume_unique=True, return_indices=True)
                choice.places[layout] = both[0], both[1]
        return choice

    def _ids_before(self, layout: Layout, patterns: tuple[str, ...]) -> Integers | None:
        """Return the ids of the series in a layout that the writer does not know (yet), below 0 for new series.

        None: selectors match a new one. New processes bring new layouts, and the other series need not wait for these.
        """
        known = self._catalogue
        ids, new = -1 - np.arange(len(layout.keys)), []
        for place, (name, labels, unit) in enumerate(layout.keys):
            entry = Entry(known.id_of(name, labels), name, labels, unit)
            if known.entries.get(entry.id) == entry:
                ids[place] = entry.id
            else:
                new.append(entry)
        return None if new and len(Catalogue(new).choose(patterns)) else ids

    def _add_series(self, layout: Layout, ids: Integers) -> None:
        self._ids[layout] = ids
        added = False
        for id, key in zip(ids.tolist(), layout.keys, strict=True):
            # Layouts share the key of a series.
            if self._keys.get(id) is not key:
                self._keys[id] = key
                added = True
        if added:
            self._catalogue = Catalogue(Entry(id, *key) for id, key in self._keys.items())
            self._choices.clear()

    def _forget_series(self) -> None:
        self._ids: dict[Layout, Integers] = {}
        self._keys: dict[int, tuple[str, Labels, str]] = {}
        self._catalogue = Catalogue()
        self._choices: OrderedDict[tuple[str, ...], _Choice] = OrderedDict()


def _read(found: Iterable[_Found], choice: _Choice) -> tuple[Integers, Floats]:
    """Return ticks of some series: times, and float64 [series, ticks]."""
    parts = list(found)
    if not parts:
        return no_times(), np.empty((len(choice.ids), 0))
    values = np.empty((len(choice.ids), sum(last - first for _, first, last in parts)))
    end = 0
    for part, first, last in parts:
        source, target = choice.places[part.layout]
        start, end = end, end + last - first
        rows = part.rows[first:last].take(source, axis=1).T
        if len(target) == len(choice.ids):
            values[:, start:end] = rows
        else:
            values[:, start:end] = np.nan
            values[target, start:end] = rows
    if len(parts) == 1:
        return part.times[first:last], values
    return np.concatenate([part.times[first:last] for part, first, last in parts]), values


def _joined(parts: Sequence[tuple[Integers, Floats]], series: int) -> tuple[Integers, Floats]:
    if len(parts) == 1:
        return parts[0]
    if not parts:
        return no_times(), np.empty((series, 0))
    return np.concatenate([times for times, _ in parts]), np.concatenate([values for _, values in parts], axis=1)
