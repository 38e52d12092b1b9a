"""Prometheus' histograms: what their series and messages say, as distributions.

A classic histogram is many series: a count up to each ``le``, and a ``_sum``. They come one by one, and not always in
one request; `ClassicHistograms` puts them together. A native one is a message, which `read_native` reads.
"""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from tickboard.distribution import Distribution
from tickboard.intake import FORGET_S, REFUSED, Source
from tickboard.sources.prometheus import protobuf
from tickboard.sources.prometheus.protobuf import BYTES, fields, float64, signed, varints, zigzag

MAX_PARTS = 500_000
"""Buckets and sums of all classic histograms of a sender."""

MAX_BUCKETS = 1_000
"""Buckets of one histogram, classic or native: more are refused."""

MAX_WAITING = 16
"""Times of one classic histogram that wait for their last buckets; the oldest is given up."""

CUSTOM_BOUNDS = -53
"""The schema of a native histogram that brings its own bounds."""

SCHEMAS = range(-4, 9)
"""The others: each bucket's bound is 2^(2^-schema) times the one before."""

_STALE = (0x7FF0_0000_0000_0002).to_bytes(8, "little")
"""The NaN by which Prometheus says that a series has ended (its model/value package)."""

_GAUGE_HINT = 3
"""Histogram.ResetHint of one that counts what there is."""

FARTHEST = 1_100
"""The power of 2 that no bound's magnitude is beyond: a number has up to 1024."""

Floats = NDArray[np.float64]
Labels = tuple[tuple[str, str], ...]


@dataclass(slots=True, eq=False)
class _Classic:
    """One classic histogram: a metric with one set of labels, ``le`` aside.

    Attributes:
        name: of the metric, without ``_bucket``.
        labels: without ``le``.
        unit: as the sender writes it.
        keys: what its parts are known by.
        bounds: the ``le`` of each part; NaN: it is the sum.
        rows: by time, what has come of it: the value of each part.
        newest: the time of the last that was complete.
        changed: there are new parts since then.
        order: the places of its buckets, by their bounds.
        sum_place: that of the sum, once it is known.
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
    order: list[int] = field(default_factory=list)
    sum_place: int | None = None
    shape: Distribution | None = None

    def add(self, key: bytes, bound: float) -> int:
        """Take one more part, and return its place."""
        self.keys.append(key)
        self.bounds.append(bound)
        self.changed = self.newest > -math.inf
        self.shape = None
        return len(self.bounds) - 1

    def distribution(self, row: dict[int, float]) -> Distribution:
        """Return what a complete row says."""
        shape = self.shape or self._shaped()
        cumulative = np.array([row[place] for place in self.order])
        counts = cumulative.copy()
        counts[1:] -= cumulative[:-1]
        total = math.nan if self.sum_place is None else row[self.sum_place]
        # A bound may be written in two ways, as +Inf and inf: what is beyond the last bucket is none.
        return Distribution(shape.low, shape.high, np.maximum(counts, 0.0)[: len(shape.low)], total)

    def _shaped(self) -> Distribution:
        """Sort the parts."""
        places = range(len(self.bounds))
        self.order = sorted((place for place in places if not self.is_sum(place)), key=self.bounds.__getitem__)
        self.sum_place = next((place for place in places if self.is_sum(place)), None)
        inner = [self.bounds[place] for place in self.order if self.bounds[place] < math.inf]
        self.shape = Distribution.explicit(inner, np.zeros(len(inner) + 1), 0.0)
        return self.shape

    def is_sum(self, place: int) -> bool:
        """Return whether a part is not a bucket but the sum."""
        return math.isnan(self.bounds[place])


Part = tuple[_Classic, int]
"""A series of a classic histogram: whose it is, and its place there."""


class ClassicHistograms:
    """The classic histograms of a sender.

    Args:
        source: where they go when they are complete.

    Attributes:
        parts: by what the sender calls each series of theirs.
    """

    def __init__(self, source: Source) -> None:
        self.parts: dict[bytes, Part] = {}
        self._source = source
        self._all: dict[tuple[str, Labels], _Classic] = {}
        self._look_again_at = 1_000
        # A total that may be the sum of a histogram whose buckets have yet to come.
        self._lone_sums: dict[tuple[str, Labels], bytes] = {}
        # By column: when a native histogram of the same name and labels came.
        self._native: dict[int, float] = {}

    # --- its series ---

    def open_bucket(self, key: bytes, name: str, labels: Labels, bound: float, unit: str) -> int | None:
        """Take a series as a bucket; None, or `REFUSED` where it can't be taken."""
        identity = (name, labels)
        histogram = self._all.get(identity) or _Classic(name, labels, unit)
        if len(histogram.bounds) >= MAX_BUCKETS:
            return self._source.refuse(key, f"metric {name!r} has more than {MAX_BUCKETS} buckets: send fewer")
        if len(self.parts) >= MAX_PARTS:
            return self._source.refuse(key, f"metric {name!r}: there are {MAX_PARTS} buckets already: send fewer")
        if self._column(histogram) == REFUSED:
            # Ask again in its own name, for the reason to be known under it.
            return self._source.histogram(key, name, labels, unit=unit)
        if identity not in self._all:
            self._sweep()
            self._all[identity] = histogram
            if (lone := self._lone_sums.pop(identity, None)) is not None:
                self._source.known.pop(lone, None)
        self.parts[key] = histogram, histogram.add(key, bound)
        return None

    def open_sum(self, key: bytes, name: str, labels: Labels) -> bool:
        """Take a series as the sum of a histogram; False where none is known of this name and labels."""
        histogram = self._all.get((name, labels))
        if histogram is None:
            if len(self._lone_sums) >= MAX_PARTS:
                self._lone_sums.clear()
            self._lone_sums[name, labels] = key
            return False
        self.parts[key] = histogram, histogram.add(key, math.nan)
        return True

    def native_came(self, column: int, time: float) -> None:
        """Pass over the classic histogram of a native one's column: they say the same."""
        self._native[column] = time

    # --- their samples ---

    def take(self, parts: Sequence[Part], values: Sequence[float], times: Sequence[float]) -> None:
        """Take samples; a histogram goes to the source when all its parts of one time are there.

        Args:
            parts: [samples].
            values: [samples]: how many values there are up to each bound; NaN: the series has ended.
            times: [samples], POSIX seconds.
        """
        ended = []
        for (histogram, place), value, time in zip(parts, values, times, strict=True):
            if math.isnan(value) and not histogram.is_sum(place):
                ended.append(histogram)
                continue
            row = histogram.rows.get(time)
            if row is None:
                if time <= histogram.newest:
                    continue
                row = histogram.rows[time] = {}
                if len(histogram.rows) > MAX_WAITING:
                    del histogram.rows[min(histogram.rows)]
            row[place] = value
            if len(row) == len(histogram.bounds) and math.inf in histogram.bounds:
                self._complete(histogram, row, time)
        for histogram in ended:
            self._drop(histogram)

    def columns(self, parts: Iterable[Part]) -> list[int]:
        """Return the columns of the histograms in a text that had these parts and no others.

        One that had more parts before is forgotten until the next text: its sender has begun anew, with other buckets.
        """
        counted = Counter(histogram for histogram, _ in parts)
        for histogram, count in counted.items():
            if count < len(histogram.bounds):
                self._drop(histogram)
        return [self._column(histogram) for histogram in counted]

    def _complete(self, histogram: _Classic, row: dict[int, float], time: float) -> None:
        source = self._source
        histogram.rows = {other: row for other, row in histogram.rows.items() if other > time}
        histogram.newest = time
        column = self._column(histogram)
        if self._native.get(column, -math.inf) > time - FORGET_S:
            return
        if histogram.changed:
            # What was counted with fewer buckets can't be taken from what is counted with more.
            source.clear([column])
            histogram.changed = False
        source.merge_totals(column, histogram.distribution(row), time)

    # --- what is kept ---

    def _column(self, histogram: _Classic) -> int:
        key = ("classic", histogram.name, histogram.labels)
        column = self._source.known.get(key)
        if column is None:
            column = self._source.histogram(key, histogram.name, histogram.labels, unit=histogram.unit)
        return column

    def _drop(self, histogram: _Classic) -> None:
        """Forget one that has ended, until it comes again."""
        if self._all.pop((histogram.name, histogram.labels), None) is None:
            return
        column = self._source.known.get(("classic", histogram.name, histogram.labels))
        if column is not None:
            self._source.clear([column])
        for key in histogram.keys:
            del self.parts[key]

    def _sweep(self) -> None:
        """Now and then, forget those whose series has left the board."""
        if len(self._all) < self._look_again_at:
            return
        known = self._source.known
        for histogram in list(self._all.values()):
            if ("classic", histogram.name, histogram.labels) not in known:
                self._drop(histogram)
        self._look_again_at = max(1_000, 2 * len(self._all))


@dataclass(slots=True)
class NativeHistogram:
    """A native histogram's message, of either version of remote write.

    Attributes:
        time: POSIX seconds.
        sum: of all values.
        schema: how fine the buckets are.
        zero_threshold: values so near to 0 are in the zero bucket.
        zero_count: how many are.
        negative_spans: runs of buckets, each as how many are left out before it, and how many it has.
        negative_deltas: how many values more than the bucket before each has…
        negative_counts: …or how many it has.
        positive_spans: as the negative ones; so are the next two.
        bounds: for `CUSTOM_BOUNDS`, the upper ends of buckets, rising, without the infinite one.
        is_gauge: it counts what there is, not what there has been since a beginning.
        has_ended: there is nothing in it but that its series has ended.
    """

    time: float = 0.0
    sum: float = 0.0
    schema: int = 0
    zero_threshold: float = 0.0
    zero_count: float = 0.0
    negative_spans: list[tuple[int, int]] = field(default_factory=list)
    negative_deltas: list[int] = field(default_factory=list)
    negative_counts: list[float] = field(default_factory=list)
    positive_spans: list[tuple[int, int]] = field(default_factory=list)
    positive_deltas: list[int] = field(default_factory=list)
    positive_counts: list[float] = field(default_factory=list)
    bounds: list[float] = field(default_factory=list)
    is_gauge: bool = False
    has_ended: bool = False

    def distribution(self) -> Distribution:
        """Return what it says.

        Raises:
            ValueError: the spans, the buckets and the bounds don't belong together.
        """
        positive = _counts(self.positive_deltas, self.positive_counts)
        places = _places(self.positive_spans, len(positive))
        if self.schema == CUSTOM_BOUNDS:
            return self._custom(positive, places)
        if self.schema not in SCHEMAS:
            raise ValueError(f"a schema of {self.schema}: send -4 to 8, or {CUSTOM_BOUNDS}")
        below = _counts(self.negative_deltas, self.negative_counts)
        _usable([*below, self.zero_count, *positive])
        edge = abs(self.zero_threshold) if math.isfinite(self.zero_threshold) else 0.0
        up = self._sided(places, positive)
        # The lowest values first.
        down = self._sided(_places(self.negative_spans, len(below)), below)[::-1]
        return Distribution.exponential(self.schema, up, down, self.zero_count, edge, self.sum)

    def _sided(self, places: list[int], counts: list[float]) -> list[tuple[int, float]]:
        """Return buckets as index and count; Prometheus counts by their upper ends."""
        if any(abs(place) * 2.0**-self.schema > FARTHEST for place in places):
            raise ValueError("a bucket beyond every number")
        return [(place - 1, count) for place, count in zip(places, counts, strict=True)]

    def _custom(self, counts: list[float], places: Sequence[int]) -> Distribution:
        whole = [0.0] * (len(self.bounds) + 1)
        for place, count in zip(places, counts, strict=True):
            if not 0 <= place < len(whole):
                raise ValueError(f"bucket {place} of {len(whole)}")
            whole[place] = count
        if sorted(self.bounds) != self.bounds or len(whole) > MAX_BUCKETS or not all(map(math.isfinite, self.bounds)):
            raise ValueError(f"{len(self.bounds)} bounds: send up to {MAX_BUCKETS}, rising, without the infinite one")
        return Distribution.explicit(self.bounds, _usable(whole), self.sum)


def _counts(deltas: list[int], counts: list[float]) -> list[float]:
    return counts or np.cumsum(np.array(deltas, np.float64)).tolist()


def _places(spans: Iterable[tuple[int, int]], buckets: int) -> list[int]:
    """Return the index of each bucket."""
    if buckets > MAX_BUCKETS:
        raise ValueError(f"{buckets} buckets: send {MAX_BUCKETS} at most")
    places: list[int] = []
    following = 0
    for offset, length in spans:
        if len(places) + length > buckets:
            raise ValueError(f"spans of more than its {buckets} buckets")
        places.extend(range(following + offset, following + offset + length))
        following += offset + length
    if len(places) != buckets:
        raise ValueError(f"spans of {len(places)} buckets, and {buckets} buckets")
    return places


def _usable(counts: Sequence[float]) -> Floats:
    found = np.array(counts, np.float64)
    if not (np.isfinite(found) & (found >= 0)).all():
        raise ValueError("a bucket with fewer than 0 values, or endlessly many")
    return found


def read_native(data: bytes, at: int, end: int) -> NativeHistogram:
    """Read a Histogram (prompb/types.proto; the fields are the same in version 2)."""
    found = NativeHistogram()
    for number, wire, begin, stop in fields(data, at, end):
        match number, wire:
            case 3, protobuf.FIXED64:
                found.sum = float64(data, begin)
                found.has_ended = data[begin:stop] == _STALE
            case 4, protobuf.VARINT:
                found.schema = zigzag(begin)
            case 5, protobuf.FIXED64:
                found.zero_threshold = float64(data, begin)
            case 6, protobuf.VARINT:
                found.zero_count = float(begin)
            case 7, protobuf.FIXED64:
                found.zero_count = float64(data, begin)
            case ((8 | 11), protobuf.BYTES):
                spans = found.negative_spans if number == 8 else found.positive_spans
                spans.append(_span(data, begin, stop))
            case ((9 | 12), (protobuf.VARINT | protobuf.BYTES)):
                deltas = found.negative_deltas if number == 9 else found.positive_deltas
                deltas += map(zigzag, varints(data, begin, stop) if wire == BYTES else [begin])
            case ((10 | 13 | 16), (protobuf.FIXED64 | protobuf.BYTES)):
                values = {10: found.negative_counts, 13: found.positive_counts, 16: found.bounds}[number]
                values += np.frombuffer(data, "<f8", (stop - begin) // 8, begin).tolist()
            case 14, protobuf.VARINT:
                found.is_gauge = begin == _GAUGE_HINT
            case 15, protobuf.VARINT:
                found.time = signed(begin) / 1000.0
            case _:
                pass
    return found


def _span(data: bytes, at: int, end: int) -> tuple[int, int]:
    offset = length = 0
    for number, wire, begin, _ in fields(data, at, end):
        if number == 1 and wire == protobuf.VARINT:
            offset = zigzag(begin)
        elif number == 2 and wire == protobuf.VARINT:
            length = begin
    return offset, length
