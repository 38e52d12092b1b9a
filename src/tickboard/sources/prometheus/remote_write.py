"""Prometheus remote write, versions 1 and 2: protobuf messages into a source.

A request is a list of series, most of them with one sample, and the same series come again and again. In version 1 a
series with one sample ends in the 18 bytes of the sample, and what is before them is its labels:

    0a <size>  ( labels: 0a <size> name and value, … )  12 10  09 <value, 8 bytes>  10 <milliseconds, 6 bytes>
               └───────────── known ────────────────┘  └──────────────── 18 bytes ─────────────────────────┘

or, as protobuf leaves out a zero, in the 9 bytes ``12 07 10 <milliseconds>``. When the bytes of the labels are known,
they have been read as whole labels before, so a field begins after them. That costs a slice and a look into a dict for
each series; the samples are read all at once by numpy, and whatever does not look like that (several samples,
histograms, exemplars, another order) is read field by field.

The `_bucket` series of a classic histogram come one by one, in several requests. They are put together: when all that
are known of a histogram have a sample of one time, they are its distribution at that time.

The messages are `prometheus.WriteRequest` (prompb/remote.proto and types.proto) and `io.prometheus.write.v2.Request`
(prometheus.io/docs/specs/prw/remote_write_spec_2_0).
"""

import math
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from tickboard.distribution import Distribution
from tickboard.errors import PayloadError
from tickboard.intake import REFUSED, Source
from tickboard.sources.prometheus.protobuf import (
    BYTES,
    FIXED64,
    VARINT,
    fields,
    float64,
    signed,
    text,
    varint,
    varints,
    zigzag,
)

SLICE = 2_000
"""Series that are read before others may run."""

SLICE_V2 = 500
"""The same for version 2, whose series are all read field by field."""

SLOW_SLICE = 100
"""Of them, those that must be read field by field, as when they are seen for the first time."""

MAX_FAMILIES = 20_000
"""Metric families whose metadata is kept."""

MAX_BUCKET_SERIES = 200_000
"""Series of classic histograms that are known at the same time."""

_COUNTER, _HISTOGRAM, _SUMMARY = 1, 3, 5
"""MetricMetadata.MetricType, and Metadata.MetricType of version 2."""

_SAMPLE, _ZERO = 18, 9
"""Bytes of a sample with a time between 2004 and 2109, and of one whose value is 0."""

_STALE = np.uint64(0x7FF0_0000_0000_0002)
"""The NaN by which Prometheus says that a series has ended (its model/value package)."""

_CUSTOM_BOUNDS = -53
"""The schema of native histograms with bounds of their own."""

_MAX_BUCKETS = 10_000
"""Of a native histogram."""

_TOTALS = ("_total", "_count", "_sum", "_bucket")

_OFFSETS = np.arange(-_SAMPLE, 0)
_PLACES = np.array([1 << 7 * place for place in range(6)], np.float64)

Labels = tuple[tuple[str, str], ...]


@dataclass
class Batch:
    """One request on its way: what has been read and not been given to the source yet.

    Attributes:
        samples: how many samples the request has held so far.
        histograms: how many native histograms.
    """

    samples: int = 0
    histograms: int = 0
    columns: list[int] = field(default_factory=list)
    values: list[float] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    known: list[int] = field(default_factory=list)
    starts: list[int] = field(default_factory=list)
    stops: list[int] = field(default_factory=list)

    def clear(self) -> None:
        """Hold nothing that is yet to be given."""
        for part in (self.columns, self.values, self.times, self.known, self.starts, self.stops):
            part.clear()


class _Classic:
    """The buckets of one classic histogram, as they come one by one."""

    def __init__(self, name: str, labels: Labels) -> None:
        self.name = name
        self.labels = labels
        self.bounds: list[float] = []
        self.counts: list[float] = []
        self.times: list[float] = []
        self.given = -math.inf

    def place(self, bound: float) -> "_Bucket":
        if bound in self.bounds:
            return _Bucket(self, self.bounds.index(bound))
        self.bounds.append(bound)
        self.counts.append(math.nan)
        self.times.append(-math.inf)
        return _Bucket(self, len(self.bounds) - 1)

    def take(self, place: int, value: float, time: float) -> Distribution | None:
        """Take one bucket's count; return the distribution when it was the last one of its time."""
        self.counts[place], self.times[place] = value, time
        if time <= self.given or self.times.count(time) != len(self.times) or math.inf not in self.bounds:
            return None
        self.given = time
        order = sorted(range(len(self.bounds)), key=self.bounds.__getitem__)
        counts = np.diff([self.counts[index] for index in order], prepend=0.0)
        if np.isnan(counts).any():
            return None
        return Distribution.explicit([self.bounds[index] for index in order[:-1]], np.maximum(counts, 0.0), math.nan)


@dataclass(frozen=True)
class _Bucket:
    """One series of a classic histogram."""

    histogram: _Classic
    place: int


class RemoteWrite:
    """What one sender writes.

    Args:
        source: where to write.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._types: dict[str, int] = {}
        self._units: dict[str, str] = {}
        self._buckets: dict[Hashable, _Bucket] = {}
        self._classic: dict[tuple[str, Labels], _Classic] = {}
        self._totals: NDArray[np.bool_] = np.zeros(1_024, np.bool_)

    # --- version 1 ---

    def receive(self, data: bytes, batch: Batch) -> Iterator[None]:
        """Take a WriteRequest, undone of its compression; others may run at each step.

        Args:
            data: the message.
            batch: an empty one, which has counted what there was when all is taken.

        Raises:
            PayloadError: it is none. What was read before that is taken.
        """
        at = 0
        while at < len(data):
            at = self._walk(data, at, batch)
            self._give(data, batch)
            yield

    def _walk(self, data: bytes, at: int, batch: Batch) -> int:
        """Read up to `SLICE` series from `at` on, and return where the next one begins."""
        known = self._source.known.get
        columns, starts, stops = batch.known.append, batch.starts.append, batch.stops.append
        end = len(data)
        slow = 0
        try:
            for _ in range(SLICE):
                if at >= end:
                    return at
                begin = at
                size = data[at + 1]
                at += 2
                if size > 127:
                    more = data[at]
                    at += 1
                    size = (size & 127) | more << 7
                    if more > 127:
                        size, at = varint(data, begin + 1, end)
                stop = at + size
                if data[begin] == 0x0A and size > _SAMPLE and stop <= end:
                    column = known(data[at : stop - _SAMPLE])
                    if column is not None:
                        columns(column)
                        starts(at)
                        stops(stop)
                        at = stop
                        continue
                    column = known(data[at : stop - _ZERO])
                    if column is not None:
                        columns(column)
                        starts(at)
                        stops(-stop)
                        at = stop
                        continue
                    self._series(data, at, stop, batch)
                    at = stop
                else:
                    at = self._other(data, begin, batch)
                slow += 1
                if slow == SLOW_SLICE:
                    return at
        except IndexError:
            raise PayloadError(f"the write request ends in the middle of a field at byte {at}") from None
        return at

    def _other(self, data: bytes, at: int, batch: Batch) -> int:
        """Read a field that isn't a series with a sample, and return where it ends."""
        number, wire, begin, stop = next(fields(data, at))
        if number == 1 and wire == BYTES:
            self._series(data, begin, stop, batch)
        elif number == 3 and wire == BYTES:
            self._metadata(data, begin, stop)
        return stop

    def _metadata(self, data: bytes, at: int, end: int) -> None:
        """Read a MetricMetadata: of which type a family of metrics is, and in which unit."""
        kind, name, unit = 0, "", ""
        for number, wire, begin, stop in fields(data, at, end):
            if number == 1 and wire == VARINT:
                kind = begin
            elif number == 2 and wire == BYTES:
                name = text(data, begin, stop)
            elif number == 5 and wire == BYTES:
                unit = text(data, begin, stop)
        self._learn(name, kind, unit)

    def _learn(self, name: str, kind: int, unit: str) -> None:
        if name in self._types or len(self._types) < MAX_FAMILIES:
            self._types[name] = kind
            if unit:
                self._units[name] = unit

    def _series(self, data: bytes, at: int, end: int, batch: Batch) -> None:
        """Read a TimeSeries field by field."""
        labels: list[tuple[str, str]] = []
        key: list[bytes] = []
        samples: list[tuple[float, float]] = []
        histograms: list[tuple[int, int]] = []
        for number, wire, begin, stop in fields(data, at, end):
            if wire != BYTES:
                continue
            if number == 1:
                labels.append(_label(data, begin, stop))
                # With the tag and the size before it, as it stands in a series whose labels come first.
                key.append(b"\x0a" + _size(stop - begin) + data[begin:stop])
            elif number == 2:
                samples.append(_sample(data, begin, stop))
            elif number == 4:
                histograms.append((begin, stop))
        self._take(b"".join(key), labels, samples, batch)
        self._take_native(labels, [_native(data, *each) for each in histograms], batch)

    # --- version 2 ---

    def receive_v2(self, data: bytes, batch: Batch) -> Iterator[None]:
        """Take a Request of version 2 as `receive` does one of version 1.

        Raises:
            PayloadError: it is none.
        """
        symbols: list[str] = []
        series: list[tuple[int, int]] = []
        for number, wire, begin, stop in fields(data):
            if number == 4 and wire == BYTES:
                symbols.append(text(data, begin, stop))
            elif number == 5 and wire == BYTES:
                series.append((begin, stop))
        for first in range(0, len(series), SLICE_V2):
            for begin, stop in series[first : first + SLICE_V2]:
                self._series_v2(data, begin, stop, symbols, batch)
            self._give(data, batch)
            yield

    def _series_v2(self, data: bytes, at: int, end: int, symbols: Sequence[str], batch: Batch) -> None:
        references: list[int] = []
        samples: list[tuple[float, float]] = []
        histograms: list[tuple[int, int]] = []
        kind, unit = 0, 0
        for number, wire, begin, stop in fields(data, at, end):
            if number == 1:
                references += varints(data, begin, stop) if wire == BYTES else [begin]
            elif wire != BYTES:
                continue
            elif number == 2:
                samples.append(_sample(data, begin, stop))
            elif number == 3:
                histograms.append((begin, stop))
            elif number == 5:
                for part, part_wire, value, _ in fields(data, begin, stop):
                    if part_wire == VARINT:
                        kind, unit = (value, unit) if part == 1 else (kind, value) if part == 4 else (kind, unit)
        try:
            words = tuple(symbols[reference] for reference in references)
            unit_text = symbols[unit] if unit else ""
        except IndexError:
            raise PayloadError(f"a series refers to a symbol beyond the {len(symbols)} of the request") from None
        if len(words) % 2:
            raise PayloadError(f"a series has {len(words)} label references: they come in pairs, name and value")
        if kind and words not in self._source.known:
            self._learn(dict(zip(words[::2], words[1::2], strict=True)).get("__name__", ""), kind, unit_text)
        labels = list(zip(words[::2], words[1::2], strict=True))
        self._take(words, labels, samples, batch)
        self._take_native(labels, [_native(data, *each) for each in histograms], batch)

    # --- both ---

    def _take(
        self,
        key: Hashable,
        labels: list[tuple[str, str]],
        samples: list[tuple[float, float]],
        batch: Batch,
    ) -> None:
        """Put the samples of a series into the batch."""
        if not samples:
            return
        bucket = self._buckets.get(key)
        if bucket is None:
            column = self._source.known.get(key)
            if column is None:
                column = self._column(key, labels)
                bucket = self._buckets.get(key)
        if bucket is not None:
            batch.samples += len(samples)
            for value, time in samples:
                self._take_bucket(bucket, value, time)
            return
        assert column is not None
        for value, time in samples:
            batch.columns.append(column)
            batch.values.append(value)
            batch.times.append(time)

    def _column(self, key: Hashable, labels: list[tuple[str, str]]) -> int:
        """Return the column of a series that is seen for the first time."""
        name = dict(labels).get("__name__", "")
        others = tuple(pair for pair in labels if pair[0] != "__name__")
        bound = dict(labels).get("le")
        if bound is not None and name.endswith("_bucket") and (number := _bound(bound)) is not None:
            if len(self._buckets) >= MAX_BUCKET_SERIES:
                # Most of them have left long ago; those that are sent are soon known again.
                self._buckets.clear()
                self._classic.clear()
            self._buckets[key] = self._classic_of(name, others).place(number)
            return REFUSED
        is_total = self._is_total(name)
        add = self._source.total if is_total else self._source.gauge
        column = add(key, name, others, unit=self._units.get(name, ""))
        if column >= len(self._totals):
            self._totals = np.concatenate([self._totals, np.zeros(max(column, len(self._totals)), np.bool_)])
        if column >= 0:
            self._totals[column] = is_total
        return column

    def _is_total(self, name: str) -> bool:
        kind = self._types.get(name)
        if kind == _COUNTER or (kind is None and name.endswith("_total")):
            return True
        if kind is not None:
            return False
        family, _, part = name.rpartition("_")
        family_kind = self._types.get(family)
        return f"_{part}" in _TOTALS and family_kind in {None, _COUNTER, _HISTOGRAM, _SUMMARY}

    def _classic_of(self, name: str, labels: Labels) -> _Classic:
        family = name.removesuffix("_bucket")
        rest = tuple(pair for pair in labels if pair[0] != "le")
        found = self._classic.get((family, rest))
        if found is None:
            found = self._classic[family, rest] = _Classic(family, rest)
        return found

    def _take_bucket(self, bucket: _Bucket, value: float, time: float) -> None:
        histogram = bucket.histogram
        distribution = histogram.take(bucket.place, value, time)
        if distribution is not None:
            column = self._histogram(histogram.name, histogram.labels)
            self._source.merge_totals(column, distribution, time)

    def _take_native(self, labels: list[tuple[str, str]], found: "list[_Native]", batch: Batch) -> None:
        for native in found:
            name = dict(labels).get("__name__", "")
            column = self._histogram(name, tuple(pair for pair in labels if pair[0] != "__name__"))
            batch.histograms += 1
            if native.distribution is None:
                self._source.clear([column])
            elif native.is_gauge:
                self._source.merge(column, native.distribution, native.time)
            else:
                self._source.merge_totals(column, native.distribution, native.time)

    def _histogram(self, name: str, labels: Labels) -> int:
        key = ("histogram", name, labels)
        column = self._source.known.get(key)
        return self._source.histogram(key, name, labels, unit=self._units.get(name, "")) if column is None else column

    def _give(self, data: bytes, batch: Batch) -> None:
        """Give what has been read to the source, and empty the batch."""
        columns = np.array(batch.known, np.intp)
        values, times, good = _samples_at_ends(data, np.array(batch.stops, np.intp))
        if not good.all():
            for place in np.flatnonzero(~good).tolist():
                self._series(data, batch.starts[place], abs(batch.stops[place]), batch)
            columns, values, times = columns[good], values[good], times[good]
        if batch.columns:
            columns = np.concatenate([columns, np.array(batch.columns, np.intp)])
            values = np.concatenate([values, np.array(batch.values)])
            times = np.concatenate([times, np.array(batch.times)])
        batch.samples += len(columns)
        self._write(columns, values, times)
        batch.clear()

    def _write(self, columns: NDArray[np.intp], values: NDArray[np.float64], times: NDArray[np.float64]) -> None:
        if not len(columns):
            return
        ended = values.view(np.uint64) == _STALE
        if ended.any():
            self._source.clear(columns[ended])
            columns, values, times = columns[~ended], values[~ended], times[~ended]
        totals = (columns >= 0) & self._totals[columns]
        if totals.any():
            self._source.set_totals(columns[totals], values[totals], times[totals])
            columns, values, times = columns[~totals], values[~totals], times[~totals]
        self._source.set(columns, values, times)


def _samples_at_ends(
    data: bytes, stops: NDArray[np.intp]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
    """Return the values, the times in seconds, and whether there is a sample that ends at each of `stops`.

    Of a negative one, the sample is one whose value is 0.
    """
    if not len(stops):
        return np.empty(0), np.empty(0), np.empty(0, np.bool_)
    # Of one that begins before the message, what is read is thrown away.
    ends = np.frombuffer(data, np.uint8)[np.abs(stops)[:, None] + _OFFSETS]
    short = stops < 0
    whole = ~short & (ends[:, 0] == 0x12) & (ends[:, 1] == 0x10) & (ends[:, 2] == 0x09) & (ends[:, 11] == 0x10)
    zero = short & (ends[:, 9] == 0x12) & (ends[:, 10] == 0x07) & (ends[:, 11] == 0x10)
    values = np.where(zero, 0.0, np.ascontiguousarray(ends[:, 3:11]).view("<f8")[:, 0])
    digits = ends[:, 12:]
    good = (whole | zero) & (digits[:, :5] > 127).all(axis=1) & (digits[:, 5] < 128)
    # Exact: 42 bits are fewer than a float64 holds.
    times = (digits & 127) @ _PLACES / 1000.0
    return values, times, good


def _label(data: bytes, at: int, end: int) -> tuple[str, str]:
    name = value = ""
    for number, wire, begin, stop in fields(data, at, end):
        if number == 1 and wire == BYTES:
            name = text(data, begin, stop)
        elif number == 2 and wire == BYTES:
            value = text(data, begin, stop)
    return name, value


def _size(size: int) -> bytes:
    """Return a size as the varint that stands before a field."""
    found = bytearray()
    while size > 127:
        found.append(size & 127 | 128)
        size >>= 7
    found.append(size)
    return bytes(found)


def _sample(data: bytes, at: int, end: int) -> tuple[float, float]:
    """Return the value and the time in seconds of a Sample."""
    value = time = 0.0
    for number, wire, begin, _ in fields(data, at, end):
        if number == 1 and wire == FIXED64:
            value = float64(data, begin)
        elif number == 2 and wire == VARINT:
            time = signed(begin) / 1000.0
    return value, time


def _bound(written: str) -> float | None:
    try:
        return float(written)
    except ValueError:
        return None


@dataclass(frozen=True)
class _Native:
    """One native histogram: its distribution, None where it says that the series has ended."""

    distribution: Distribution | None
    time: float
    is_gauge: bool


def _native(data: bytes, at: int, end: int) -> _Native:
    """Read a Histogram (prompb/types.proto; the fields are the same in version 2)."""
    numbers = {1: 0.0, 2: 0.0, 3: 0.0, 5: 0.0, 6: 0.0, 7: 0.0}
    schema = hint = 0
    time = 0.0
    spans: dict[int, list[tuple[int, int]]] = {8: [], 11: []}
    deltas: dict[int, list[int]] = {9: [], 12: []}
    counts: dict[int, list[float]] = {10: [], 13: [], 16: []}
    for number, wire, begin, stop in fields(data, at, end):
        if number in spans and wire == BYTES:
            spans[number].append(_span(data, begin, stop))
        elif number in deltas:
            packed = varints(data, begin, stop) if wire == BYTES else [begin]
            deltas[number] += [zigzag(value) for value in packed]
        elif number in counts and wire == BYTES and (stop - begin) % 8 == 0:
            counts[number] += np.frombuffer(data, "<f8", (stop - begin) // 8, begin).tolist()
        elif number in counts and wire == FIXED64:
            counts[number].append(float64(data, begin))
        elif number == 4 and wire == VARINT:
            schema = zigzag(begin)
        elif number == 14 and wire == VARINT:
            hint = begin
        elif number == 15 and wire == VARINT:
            time = signed(begin) / 1000.0
        elif number in numbers:
            numbers[number] = float64(data, begin) if wire == FIXED64 else float(begin)
    total = np.array([numbers[3]])
    if total.view(np.uint64)[0] == _STALE:
        return _Native(None, time, is_gauge=False)
    positive = _buckets(spans[11], deltas[12], counts[13])
    negative = _buckets(spans[8], deltas[9], counts[10])
    if schema == _CUSTOM_BOUNDS:
        distribution = _custom(counts[16], positive, numbers[3])
    elif -4 <= schema <= 8:
        # A bucket's index is that of its upper end here.
        up, down = ([(index - 1, count) for index, count in side] for side in (positive, negative))
        distribution = Distribution.exponential(schema, up, down, numbers[6] + numbers[7], numbers[5], numbers[3])
    else:
        raise PayloadError(f"a native histogram has the schema {schema}: send -4 to 8, or {_CUSTOM_BOUNDS}")
    return _Native(distribution, time, is_gauge=hint == 3)


def _span(data: bytes, at: int, end: int) -> tuple[int, int]:
    offset = length = 0
    for number, wire, begin, _ in fields(data, at, end):
        if number == 1 and wire == VARINT:
            offset = zigzag(begin)
        elif number == 2 and wire == VARINT:
            length = begin
    return offset, length


def _buckets(spans: list[tuple[int, int]], deltas: list[int], counts: list[float]) -> list[tuple[int, float]]:
    """Return the index and count of each bucket."""
    wanted = sum(length for _, length in spans)
    if wanted > _MAX_BUCKETS:
        raise PayloadError(f"a native histogram has {wanted} buckets: send {_MAX_BUCKETS} at most")
    given = counts or np.cumsum(deltas, dtype=np.float64).tolist()
    if len(given) != wanted:
        raise PayloadError(f"a native histogram has spans of {wanted} buckets and counts for {len(given)}")
    indices: list[int] = []
    at = 0
    for offset, length in spans:
        at += offset
        indices += range(at, at + length)
        at += length
    if any(abs(index) > 1 << 20 for index in indices):
        raise PayloadError("a native histogram has a bucket beyond every number")
    return list(zip(indices, given, strict=True))


def _custom(bounds: list[float], positive: list[tuple[int, float]], total: float) -> Distribution:
    counts = [0.0] * (len(bounds) + 1)
    for index, count in positive:
        if not 0 <= index <= len(bounds):
            raise PayloadError(f"a native histogram has a bucket {index}, and {len(bounds)} bounds")
        counts[index] += count
    if sorted(bounds) != bounds:
        raise PayloadError("a native histogram's bounds do not rise")
    return Distribution.explicit(bounds, np.maximum(counts, 0.0), total)
