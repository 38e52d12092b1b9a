"""Prometheus' classic histograms: turns their series into distributions.

A classic histogram is many series: a count up to each ``le``, and a ``_sum``. They arrive one by one, and not always in
one request; `ClassicHistograms` combines them.
"""

import math
from collections import Counter
from collections.abc import Generator, Sequence

import numpy as np
from msgspec import Struct, field
from numpy.typing import NDArray

from tickboard.metrics.distribution import Distribution
from tickboard.metrics.intake import FORGET_S
from tickboard.metrics.source import REFUSED, STATE_S, Source
from tickboard.sources.prometheus.native_histograms import MAX_BUCKETS

MAX_PARTS = 500_000
"""The most buckets and sums of all classic histograms of a sender."""

SETTLED_PARTS, SETTLED_HISTOGRAMS = 5_000, 200
"""How many parts, and how many histograms, are processed at the end of a text before others may run."""

SOON = 3
"""When more times than this of a classic histogram wait for a bucket +Inf, its count is used in place of the bucket."""

MAX_WAITING = 16
"""How many times of one classic histogram may wait for their last buckets; beyond that, the oldest is dropped."""

Floats = NDArray[np.float64]
Labels = tuple[tuple[str, str], ...]


class _Classic(Struct, eq=False):
    """One classic histogram: a metric with one set of labels, not counting ``le``.

    Attributes:
        name: the metric's name, without ``_bucket``.
        labels: the labels without ``le``.
        unit: the sender's unit.
        keys: the keys of its parts.
        bounds: the ``le`` of each part; NaN: the sum.
        rows: the values received so far of each part, by time.
        newest: the newest time that was complete.
        changed: whether there are new parts since then.
        is_gauge: whether it is not cumulative.
        shares: whether two parts share a place, such as those whose ``le`` are 1 and 1.0.
        order: the places of its buckets, sorted by their bounds.
        sum_place: the place of the sum; None if unknown.
        shape: a distribution with these buckets.
    """

    name: str
    labels: Labels
    unit: str
    keys: list[bytes] = field(default_factory=list)
    bounds: list[float] = field(default_factory=list)
    rows: dict[float, dict[int, float]] = field(default_factory=dict)
    newest: float = -math.inf
    changed: bool = False
    is_gauge: bool = False
    shares: bool = False
    order: list[int] = field(default_factory=list)
    sum_place: int | None = None
    shape: Distribution | None = None

    def add(self, key: bytes, bound: float) -> int:
        """Add a part; return its place, which is that of the part with the same bound if there is one."""
        self.keys.append(key)
        if (place := self.place(bound)) is not None:
            self.shares = True
            return place
        return self.add_place(bound)

    def add_place(self, bound: float) -> int:
        """Add a bucket, or the sum; return its place."""
        self.bounds.append(bound)
        self.changed = self.newest > -math.inf
        self.shape = None
        return len(self.bounds) - 1

    def place(self, bound: float) -> int | None:
        """Return the place of the bucket with this bound, or of the sum for NaN; None if there is none."""
        if math.isnan(bound):
            return next((place for place in range(len(self.bounds)) if self.is_sum(place)), None)
        return self.bounds.index(bound) if bound in self.bounds else None

    def distribution(self, row: dict[int, float]) -> tuple[Distribution | None, str]:
        """Return the distribution of a complete row, or None if it is unusable, and its problem or an empty string."""
        shape = self.shape or self._shaped()
        total = math.nan if self.sum_place is None else row[self.sum_place]
        cumulative = np.array([row[place] for place in self.order])
        counts = cumulative.copy()
        counts[1:] -= cumulative[:-1]
        problem = ""
        if not (counts.min() >= 0 and math.isfinite(cumulative[-1])):
            if not np.isfinite(cumulative).all():
                return None, "has a bucket with infinitely many values: it was left out"
            # A program may count while it writes, so that a bucket is slightly lower than the one before. Raise it, as
            # Prometheus does.
            counts = np.diff(np.maximum.accumulate(np.maximum(cumulative, 0.0)), prepend=0.0)
            problem = "has buckets that decrease, though each counts all values up to its le: they were raised"
        return Distribution(shape.low, shape.high, counts, total), problem

    def _shaped(self) -> Distribution:
        """Sort the parts."""
        places = range(len(self.bounds))
        self.order = sorted((place for place in places if not self.is_sum(place)), key=self.bounds.__getitem__)
        self.sum_place = next((place for place in places if self.is_sum(place)), None)
        inner = [self.bounds[place] for place in self.order if self.bounds[place] < math.inf]
        self.shape = Distribution.explicit(inner, np.zeros(len(inner) + 1), 0.0)
        return self.shape

    def is_sum(self, place: int) -> bool:
        """Return whether a part is the sum rather than a bucket."""
        return math.isnan(self.bounds[place])


Part = tuple[_Classic, int]
"""A series of a classic histogram: the histogram, and its place there."""


class ClassicHistograms:
    """The classic histograms of a sender.

    Args:
        source: where complete histograms are written.

    Attributes:
        parts: the part for each of their series, by the sender's key.
    """

    def __init__(self, source: Source) -> None:
        self.parts: dict[bytes, Part] = {}
        self._source = source
        self._all: dict[tuple[str, Labels], _Classic] = {}
        self._look_again_at = 1_000
        # Totals that may be the sum of a histogram whose buckets have not arrived yet.
        self._lone_sums: dict[tuple[str, Labels], bytes] = {}
        # The keys of all series of counts; and the histograms whose count replaces the bucket +Inf.
        self._counts: dict[tuple[str, Labels], bytes] = {}
        self._counted: dict[_Classic, bytes] = {}
        self._counted_at: dict[int, _Classic] = {}
        # By column: when a native histogram of the same name and labels arrived.
        self._native: dict[int, float] = {}
        self._problem = ""
        self._given_up = 0

    # --- their series ---

    def open_bucket(
        self, key: bytes, name: str, labels: Labels, bound: float, unit: str, *, is_gauge: bool = False
    ) -> int | None:
        """Add a series as a bucket; return None, or `REFUSED` or below if it is refused."""
        identity = (name, labels)
        histogram = self._all.get(identity) or _Classic(name, labels, unit, is_gauge=is_gauge)
        if len(histogram.bounds) >= MAX_BUCKETS:
            return self._source.refuse(key, f"metric {name!r} has more than {MAX_BUCKETS} buckets: send fewer")
        if len(self.parts) >= MAX_PARTS:
            return self._source.refuse(key, f"metric {name!r}: there are {MAX_PARTS} buckets already: send fewer")
        if self._column(histogram) <= REFUSED:
            # Ask again with the bucket's own key, so that the reason is stored under it.
            return self._source.histogram(key, name, labels, unit=unit)
        if identity not in self._all:
            self._sweep()
            self._all[identity] = histogram
            if (lone := self._lone_sums.pop(identity, None)) is not None:
                self._source.known.pop(lone, None)
        self.parts[key] = histogram, histogram.add(key, bound)
        return None

    def open_sum(self, key: bytes, name: str, labels: Labels) -> bool:
        """Add a series as the sum of a histogram; return False if there is none with this name and labels."""
        histogram = self._all.get((name, labels))
        if histogram is None:
            if len(self._lone_sums) >= MAX_PARTS:
                self._lone_sums.clear()
            self._lone_sums[name, labels] = key
            return False
        self.parts[key] = histogram, histogram.add(key, math.nan)
        return True

    def open_count(self, key: bytes, name: str, labels: Labels) -> None:
        """Record the series of a histogram's count: it equals the bucket +Inf, which may be missing."""
        if len(self._counts) >= MAX_PARTS:
            self._counts.clear()
        self._counts[name, labels] = key
        if (histogram := self._all.get((name, labels))) is not None and histogram in self._counted:
            # It may have another column than before.
            self._count_from(histogram, key)

    def native_came(self, column: int, time: float) -> None:
        """Ignore the classic histogram in the column of a native one: they contain the same."""
        self._native[column] = time

    # --- their samples ---

    def take(self, parts: Sequence[Part], values: Sequence[float], times: Sequence[float]) -> None:
        """Process samples; a histogram is written to the source when all its parts of one time are there.

        Args:
            parts: [samples].
            values: [samples]: the number of values up to each bound; NaN: the series has ended.
            times: [samples], POSIX seconds.
        """
        ended = []
        for (histogram, place), value, time in zip(parts, values, times, strict=True):
            if math.isnan(value) and not histogram.is_sum(place):
                ended.append(histogram)
                continue
            row = histogram.rows.get(time) or self._new_row(histogram, time)
            if row is None:
                continue
            if histogram.shares and row.get(place, value) != value:
                self._note(histogram, f"has two buckets up to {histogram.bounds[place]:g}: the last one was used")
            row[place] = value
            if len(row) == len(histogram.bounds):
                self._end_row(histogram, row, time)
        for histogram in ended:
            self._drop(histogram)

    def take_counts(self, columns: NDArray[np.intp], values: Floats, times: Floats) -> None:
        """Process those samples that are the count of a histogram without a bucket +Inf."""
        if not self._counted_at:
            return
        for place, column in enumerate(columns.tolist()):
            if (histogram := self._counted_at.get(column)) is not None:
                self._take_count(histogram, column, float(values[place]), float(times[place]))

    def _take_count(self, histogram: _Classic, column: int, value: float, time: float) -> None:
        key = self._counted.get(histogram)
        # If the count's series has left, another may have its column now.
        if key is not None and self._source.known.get(key) == column:
            bucket = histogram.place(math.inf)
            assert bucket is not None
            self.take([(histogram, bucket)], [value], [time])

    def settle(
        self, parts: Sequence[Part], times: Sequence[float], columns: NDArray[np.intp], values: Floats
    ) -> Generator[None, None, list[int]]:
        """Return the columns of the histograms in a text, and record the problems of incomplete ones; in steps.

        A histogram that had more parts before is forgotten until the next text: its sender has restarted with other
        buckets.

        Args:
            parts: [parts], all parts in the text.
            times: [parts], POSIX seconds.
            columns: [samples], all other samples of the text.
            values: [samples].
        """
        counted: Counter[_Classic] = Counter()
        newest: dict[_Classic, float] = {}
        for number, ((histogram, _), time) in enumerate(zip(parts, times, strict=True), 1):
            counted[histogram] += 1
            newest[histogram] = max(time, newest.get(histogram, -math.inf))
            if not number % SETTLED_PARTS:
                yield
        # The index of the last sample of each column.
        last = np.full(int(columns.max(initial=-1)) + 1, -1)
        last[columns[columns >= 0]] = np.flatnonzero(columns >= 0)
        for number, (histogram, lines) in enumerate(counted.items(), 1):
            if not number % SETTLED_HISTOGRAMS:
                yield
            if self._all.get((histogram.name, histogram.labels)) is not histogram:
                continue
            if lines < len(histogram.keys):
                self._drop(histogram)
                continue
            if self._needs_count(histogram):
                self._use_count(histogram)
            if (key := self._counted.get(histogram)) is not None:
                column = self._source.known.get(key, REFUSED)
                if 0 <= column < len(last) and last[column] >= 0:
                    self._take_count(histogram, column, float(values[last[column]]), newest[histogram])
            if histogram.newest < newest[histogram]:
                self._note(histogram, self._missing(histogram))
        return [self._column(histogram) for histogram in counted]

    def take_problem(self) -> tuple[str, int]:
        """Return the problem of the first bad histogram since the last call, and how many samples were dropped."""
        found = self._problem, self._given_up
        self._problem, self._given_up = "", 0
        return found

    def _new_row(self, histogram: _Classic, time: float) -> dict[int, float] | None:
        """Return the row of a new time; None if it is older than the newest complete one."""
        if time <= histogram.newest:
            return None
        row = histogram.rows.setdefault(time, {})
        if len(histogram.rows) > MAX_WAITING:
            del histogram.rows[min(histogram.rows)]
            self._given_up += 1
            self._note(histogram, self._missing(histogram))
        return row

    def _end_row(self, histogram: _Classic, row: dict[int, float], time: float) -> None:
        """Process a row whose parts are all there, except perhaps a bucket +Inf that does not exist."""
        if not self._needs_count(histogram):
            self._complete(histogram, row, time)
        elif len(histogram.rows) > SOON:
            self._use_count(histogram)

    def _needs_count(self, histogram: _Classic) -> bool:
        return math.inf not in histogram.bounds

    def _use_count(self, histogram: _Classic) -> None:
        """Use the histogram's count as its bucket +Inf from now on, if there is a count."""
        key = self._counts.get((histogram.name, histogram.labels))
        if key is not None and key in self._source.known:
            histogram.add_place(math.inf)
            self._count_from(histogram, key)

    def _count_from(self, histogram: _Classic, key: bytes) -> None:
        self._counted[histogram] = key
        if len(self._counted_at) > 2 * len(self._counted):
            self._counted_at = {column: one for column, one in self._counted_at.items() if one in self._counted}
        self._counted_at[self._source.known.get(key, REFUSED)] = histogram

    def _missing(self, histogram: _Classic) -> str:
        """Return why a histogram is incomplete."""
        if self._needs_count(histogram):
            return 'has neither a bucket with le="+Inf" nor a _count: it was left out; send one of them'
        return "has missing lines, or lines of different times: it was left out; send all of it at once"

    def _note(self, histogram: _Classic, problem: str) -> None:
        self._problem = self._problem or f"histogram {histogram.name!r} {problem}"

    def _complete(self, histogram: _Classic, row: dict[int, float], time: float) -> None:
        source = self._source
        histogram.rows = {other: row for other, row in histogram.rows.items() if other > time}
        histogram.newest = time
        column = self._column(histogram)
        if self._native.get(column, -math.inf) > time - FORGET_S:
            return
        if histogram.changed:
            # Counts with fewer buckets can't be subtracted from counts with more.
            source.clear([column])
            histogram.changed = False
        distribution, problem = histogram.distribution(row)
        if problem:
            self._note(histogram, problem)
        if distribution is None or (histogram.is_gauge and not distribution.count):
            source.clear([column])
        elif histogram.is_gauge:
            source.merge(column, distribution, time, over_s=STATE_S)
        else:
            too_old = source.too_old
            source.merge_totals(column, distribution, time)
            if source.too_old > too_old:
                # The source has counted it as one sample.
                self._given_up += len(row) - 1

    # --- cleaning up ---

    def _column(self, histogram: _Classic) -> int:
        key = ("classic", histogram.name, histogram.labels)
        column = self._source.known.get(key)
        if column is None:
            column = self._source.histogram(key, histogram.name, histogram.labels, unit=histogram.unit)
        return column

    def _drop(self, histogram: _Classic) -> None:
        """Forget a histogram that has ended, until it comes back."""
        if self._all.pop((histogram.name, histogram.labels), None) is None:
            return
        column = self._source.known.get(("classic", histogram.name, histogram.labels))
        if column is not None:
            self._source.clear([column])
        self._counted.pop(histogram, None)
        for key in histogram.keys:
            del self.parts[key]

    def _sweep(self) -> None:
        """Now and then, forget the histograms whose series has left the board."""
        if len(self._all) < self._look_again_at:
            return
        known = self._source.known
        for histogram in list(self._all.values()):
            if ("classic", histogram.name, histogram.labels) not in known:
                self._drop(histogram)
        self._look_again_at = max(1_000, 2 * len(self._all))
