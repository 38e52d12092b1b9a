"""Prometheus remote write, versions 1 and 2: protobuf messages, written to a source.

A request is a list of series, most of them with one sample, and the same series arrive again and again. In version 1, a
series with one sample ends in the 18 bytes of the sample, and the bytes before it are its labels:

    0a <size>  ( labels: 0a <size> name and value, … )  12 10  09 <value, 8 bytes>  10 <milliseconds, 6 bytes>
               └───────────── known ────────────────┘  └──────────────── 18 bytes ─────────────────────────┘

or, as protobuf leaves out a zero, in the 9 bytes ``12 07 10 <milliseconds>``. If the bytes of the labels are known,
they have been parsed as whole labels before, so a field begins after them. Each series then costs a slice and a dict
look-up, and numpy reads all samples at once. Series of any other form (several samples, histograms, exemplars, another
order) are read field by field.

In version 2, labels are indices of symbols, which each request numbers anew:

    2a <size>  0a <size> <references>  12 10 …, as above  2a <size> <metadata>

numpy reads the references of many series at once; the key of a series is the hashes of its symbols.

The messages are `prometheus.WriteRequest` (prompb/remote.proto and types.proto) and `io.prometheus.write.v2.Request`
(prometheus.io/docs/specs/prw/remote_write_spec_2_0).
"""

import math
from collections.abc import Callable, Generator, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from tickboard.errors import PayloadError
from tickboard.metrics.cleaning import MAX_KEY_BYTES, MAX_NAME, short
from tickboard.metrics.source import Source
from tickboard.sources.prometheus.classic_histograms import ClassicHistograms, Labels, Part
from tickboard.sources.prometheus.messages import (
    LEAST,
    LEAST_V2,
    MAX_FIELDS,
    MAX_HISTOGRAMS,
    SAMPLE,
    STEP_FIELDS,
    UNKNOWN,
    ZERO,
    ZERO_SIZE,
    About,
    Columns,
    Extent,
    Floats,
    RequestV2,
    check_labels,
    check_samples,
    check_size,
    read_label,
    read_sample,
    samples_at_ends,
    split_name,
)
from tickboard.sources.prometheus.native_histograms import NativeHistogram, read_native
from tickboard.sources.prometheus.protobuf import BYTES, VARINT, fields, text

SLICE = 2_000
"""How many series are read before others may run."""

SLOW_SLICE = 10
"""The same, for series that must be read field by field, such as new ones."""

SLOW_BYTES = 512
"""How many bytes of a series that is read field by field cost as much as a short series."""

OTHER_COST = 0.1
"""The cost of any other field, besides its bytes, in series that are read field by field."""

LONG_BYTES = 4_096
"""A series with more bytes than this is read in several steps."""

MAX_METADATA_BYTES = 2**14
"""Bytes of the metadata of one metric family, including its help."""

MAX_FAMILIES = 20_000
"""The most metric families whose metadata is kept; only those whose name and unit are short enough for a metric."""

MAX_SPELLINGS = 100_000
"""How many spellings of its series a source may have beyond four for each."""

_COUNTER, _HISTOGRAM, _SUMMARY = 1, 3, 5
"""MetricMetadata.MetricType, and Metadata.MetricType of version 2; series of other types are not totals."""

_NAMELESS = "a series without a name"


@dataclass
class Batch:
    """The state of one request: its counts, and samples that were read but not written to the source yet.

    Attributes:
        samples: how many samples were read so far.
        histograms: how many native histograms were read so far.
        refused_samples: how many of these samples are of series that the board refuses.
        refused_histograms: how many of these histograms are refused or cannot be used.
        reason: why the first of them was refused.
        visited: how many fields without a sample were skipped in the last step.
    """

    samples: int = 0
    histograms: int = 0
    refused_samples: int = 0
    refused_histograms: int = 0
    reason: str = ""
    visited: int = 0
    # Samples that were read one by one.
    columns: list[int] = field(default_factory=list)
    values: list[float] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    part_samples: list[tuple[Part, float, float]] = field(default_factory=list)
    # Known series of the usual form, and where the sample of each ends; then the same for parts of histograms.
    known: list[int] = field(default_factory=list)
    stops: list[int] = field(default_factory=list)
    parts: list[Part] = field(default_factory=list)
    part_stops: list[int] = field(default_factory=list)

    def clear(self) -> None:
        """Remove all samples that were not written yet."""
        self.columns.clear()
        self.values.clear()
        self.times.clear()
        self.part_samples.clear()
        self.known.clear()
        self.stops.clear()
        self.parts.clear()
        self.part_stops.clear()


class RemoteWrite:
    """Reads the requests of one sender.

    Args:
        source: where to write.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._types: dict[str, tuple[int, str]] = {}
        self._classic = ClassicHistograms(source)
        self._totals: NDArray[np.bool_] = np.zeros(1_024, np.bool_)

    # --- version 1 ---

    def receive(self, data: bytes, batch: Batch) -> Iterator[None]:
        """Read a WriteRequest, decompressed; others may run at each step.

        Args:
            data: the message.
            batch: a new one; it has the counts after the last step.

        Raises:
            PayloadError: it is malformed. What was read before that is written.
        """
        at = visited = 0
        while at < len(data):
            others: list[Extent] = []
            begin, at = at, self._walk(data, at, batch, others)
            if misread := self._take_batch(data, batch):
                others += [
                    (start, stop)
                    for number, wire, start, stop in fields(data, begin, at)
                    if number == 1 and wire == BYTES and stop in misread
                ]
            visited += batch.visited
            if visited > MAX_FIELDS:
                raise PayloadError(f"the request has more than {MAX_FIELDS} series that are none: send fewer", 413)
            if others or at < len(data):
                yield
            if others:
                yield from self._in_slices(data, (self._series(data, *extent, batch) for extent in others), batch)

    def _walk(self, data: bytes, at: int, batch: Batch, others: list[Extent]) -> int:
        """Read up to `SLICE` series from `at` on; return where the next one begins.

        Args:
            data: the message.
            at: where a field begins.
            batch: receives what is read.
            others: receives the series that are too long to be read at once.
        """
        known, known_part = self._source.known.get, self._classic.parts.get
        add_column, add_stop = batch.known.append, batch.stops.append
        end = len(data)
        slow, batch.visited = 0.0, 0
        for _ in range(SLICE):
            size = data[at + 1] if at + 3 < end else 0
            # Most sizes take two bytes.
            if size < 0x80:
                begin = at + 2
            else:
                size += (data[at + 2] - 1) << 7
                begin = at + 3
            stop = begin + size
            if not LEAST <= size < 0x40_00 or data[at] != 0x0A or stop > end:
                if at >= end:
                    break
                before, at = at, self._other(data, at, batch, others)
                slow += OTHER_COST + (at - before) / SLOW_BYTES
                batch.visited += 1
                if slow >= SLOW_SLICE:
                    break
                continue
            key = data[begin : stop - (ZERO if data[stop - 8] == ZERO_SIZE else SAMPLE)]
            column = known(key)
            if column is None and size > MAX_KEY_BYTES:
                key = short(key)
                column = known(key)
            if column is not None:
                add_column(column)
                add_stop(stop)
            elif (part := known_part(key)) is not None:
                batch.parts.append(part)
                batch.part_stops.append(stop)
            else:
                slow += self._read(data, begin, stop, batch, others)
                if slow >= SLOW_SLICE:
                    return stop
            at = stop
        return at

    def _read(self, data: bytes, at: int, end: int, batch: Batch, others: list[Extent]) -> int:
        """Read a series field by field, unless it is long; return the cost."""
        if end - at > LONG_BYTES:
            others.append((at, end))
        elif end > at:
            for _ in self._series(data, at, end, batch):
                pass
        return 1 + (end - at) // SLOW_BYTES

    def _other(self, data: bytes, at: int, batch: Batch, others: list[Extent]) -> int:
        """Read a field that isn't a series with a sample; return where it ends."""
        number, wire, begin, stop = next(fields(data, at))
        if number == 1 and wire == BYTES:
            self._read(data, begin, stop, batch, others)
        elif number == 3 and wire == BYTES:
            self._metadata(data, begin, stop)
        return stop

    def _metadata(self, data: bytes, at: int, end: int) -> None:
        """Read a MetricMetadata: the type and the unit of a metric family."""
        if end - at > MAX_METADATA_BYTES:
            raise PayloadError(f"metadata has {end - at} bytes at byte {at}: send {MAX_METADATA_BYTES} at most", 413)
        kind, name, unit = UNKNOWN, "", ""
        for number, wire, begin, stop in fields(data, at, end):
            if number == 1 and wire == VARINT:
                kind = begin
            elif number == 2 and wire == BYTES:
                name = text(data, begin, stop)
            elif number == 5 and wire == BYTES:
                unit = text(data, begin, stop)
        if max(len(name), len(unit)) <= MAX_NAME and (name in self._types or len(self._types) < MAX_FAMILIES):
            self._types[name] = kind, unit

    def _series(self, data: bytes, at: int, end: int, batch: Batch) -> Generator[None, None, int]:
        """Read a TimeSeries field by field, in steps; return the cost."""
        check_size(at, end)
        labels: list[bytes] = []
        samples: list[tuple[float, float]] = []
        histograms: list[NativeHistogram] = []
        before = at
        for count, (number, wire, begin, stop) in enumerate(fields(data, at, end), 1):
            if wire == BYTES:
                if number == 1:
                    # With its tag and size, as in a series whose labels come first.
                    labels.append(data[before:stop])
                elif number == 2:
                    check_samples(len(samples), at)
                    samples.append(read_sample(data, begin, stop))
                elif number == 4:
                    histograms.append(read_native(data, begin, stop))
                    yield
            before = stop
            if not count % STEP_FIELDS:
                yield
        check_labels(len(labels), at)
        key = b"".join(labels)
        yield from self._take(short(key), lambda: self._about(key), samples, histograms, batch)
        return 1 + (end - at) // SLOW_BYTES

    def _in_slices(self, data: bytes, series: Iterable[Generator[None, None, int]], batch: Batch) -> Iterator[None]:
        """Read series field by field; let others run now and then.

        Everything read is written to the source before that: meanwhile a series may leave, and another get its column.
        """
        cost = 0
        for steps in series:
            cost += yield from self._giving(data, steps, batch)
            if cost >= SLOW_SLICE:
                cost = 0
                self._take_batch(data, batch)
                yield
        self._take_batch(data, batch)

    def _giving(self, data: bytes, steps: Generator[None, None, int], batch: Batch) -> Generator[None, None, int]:
        """Write everything read to the source before each step; return the result of the steps."""
        while True:
            try:
                next(steps)
            except StopIteration as end:
                cost: int = end.value
                return cost
            self._take_batch(data, batch)
            yield

    def _about(self, key: bytes) -> About:
        name, labels = split_name([read_label(key, begin, stop) for _, _, begin, stop in fields(key)])
        kind, unit = self._types.get(name) or self._types.get(name.rpartition("_")[0]) or (UNKNOWN, "")
        return About(name, labels, kind, unit)

    # --- version 2 ---

    def receive_v2(self, data: bytes, batch: Batch) -> Iterator[None]:
        """Read a Request of version 2; otherwise like `receive`.

        Raises:
            PayloadError: it is malformed.
        """
        request = RequestV2(data)
        yield from request.find()
        waiting = request.series
        for first in range(0, len(waiting), SLICE):
            others = self._walk_v2(request, waiting[first : first + SLICE], batch)
            if others or first + SLICE < len(waiting):
                yield
            if others:
                yield from self._in_slices(data, (self._series_v2(request, extent, batch) for extent in others), batch)

    def _walk_v2(self, request: "RequestV2", series: Sequence[Extent], batch: Batch) -> list[Extent]:
        """Read the known series of the usual form; return the others."""
        data = request.data
        known, known_part = self._source.known.get, self._classic.parts.get
        references: list[bytes] = []
        usual: list[Extent] = []
        stops: list[int] = []
        others: list[Extent] = []
        for extent in series:
            at, end = extent
            if end - at >= LEAST_V2 and data[at] == 0x0A and 0 < (size := data[at + 1]) < 0x80 and at + size + 4 < end:
                last = at + 2 + size
                stop = last + (ZERO if data[last + 1] == ZERO_SIZE else SAMPLE)
                # After the sample there is nothing, or metadata.
                if stop == end or (stop + 1 < end and data[stop] == 0x2A and stop + 2 + data[stop + 1] == end):
                    references.append(data[at + 2 : last])
                    usual.append(extent)
                    stops.append(stop)
                    continue
            others.append(extent)
        for key, extent, stop in zip(request.keys(references), usual, stops, strict=True):
            column = known(key)
            if column is not None:
                batch.known.append(column)
                batch.stops.append(stop)
            elif (part := known_part(key)) is not None:
                batch.parts.append(part)
                batch.part_stops.append(stop)
            else:
                others.append(extent)
        misread = self._take_batch(data, batch)
        if misread:
            others += [extent for extent, stop in zip(usual, stops, strict=True) if stop in misread]
        return others

    def _series_v2(self, request: "RequestV2", extent: Extent, batch: Batch) -> Generator[None, None, int]:
        """Read a series field by field, in steps; return the cost."""
        one = yield from request.read(extent)
        yield from self._take(short(one.key), one.about, one.samples, one.histograms, batch)
        return 1 + (extent[1] - extent[0]) // SLOW_BYTES

    # --- both ---

    def _take(
        self,
        key: bytes,
        about: Callable[[], About],
        samples: list[tuple[float, float]],
        histograms: list[NativeHistogram],
        batch: Batch,
    ) -> Iterator[None]:
        """Add the samples of a series to the batch, in steps."""
        if samples:
            place = self._source.known.get(key)
            found: int | Part | None = self._classic.parts.get(key) if place is None else place
            if found is None:
                found = self._open(key, about)
            for value, time in samples:
                if isinstance(found, int):
                    batch.columns.append(found)
                    batch.values.append(value)
                    batch.times.append(time)
                else:
                    batch.part_samples.append((found, value, time))
        for histogram in histograms:
            self._take_native(key, about, histogram, batch)
            yield

    def _open(self, key: bytes, about: Callable[[], About]) -> int | Part:
        """Return the column of a new series, or the part of a histogram that it is."""
        series = self._acquaint(key, about)
        if isinstance(series, int):
            return series
        source, name, labels, unit = self._source, series.name, series.labels, series.unit
        family, _, last = name.rpartition("_")
        is_total = _is_total(last, series.kind)
        if is_total and family and last == "bucket" and (bound := _bound(labels)) is not None:
            refused = self._classic.open_bucket(key, family, _identity(labels), bound, unit)
            return self._classic.parts[key] if refused is None else refused
        if is_total and family and last == "sum" and self._classic.open_sum(key, family, _identity(labels)):
            return self._classic.parts[key]
        if is_total:
            # A number of values is not in the values' unit, even if the name contains it: took_seconds_count.
            column = source.total(key, name, labels, unit="1" if last in {"count", "bucket"} else unit)
            if last == "count" and family:
                self._classic.open_count(key, family, _identity(labels))
        else:
            column = source.gauge(key, name, labels, unit=unit)
        if column >= len(self._totals):
            self._totals = np.concatenate([self._totals, np.zeros(max(column, len(self._totals)), np.bool_)])
        if column >= 0:
            self._totals[column] = is_total
        return column

    def _acquaint(self, key: Hashable, about: Callable[[], About]) -> About | int:
        """Return the description of a new series, or `REFUSED` or below."""
        source = self._source
        if len(source.known) >= 4 * source.series + MAX_SPELLINGS:
            return source.refuse(key, f"{source.name}: its labels are written in too many ways: send one order of them")
        series = about()
        if not series.name:
            return source.refuse(_NAMELESS, f"a series with the labels {series.labels[:3]} has no __name__: send one")
        return series

    def _take_native(self, key: bytes, about: Callable[[], About], histogram: NativeHistogram, batch: Batch) -> None:
        source = self._source
        batch.histograms += 1
        if batch.histograms > MAX_HISTOGRAMS:
            raise PayloadError(f"the request has more than {MAX_HISTOGRAMS} native histograms: send fewer", 413)
        native_key = ("native", key)
        column = source.known.get(native_key)
        if column is None:
            series = self._acquaint(native_key, about)
            if isinstance(series, int):
                column = series
            else:
                column = source.histogram(native_key, series.name, series.labels, unit=series.unit)
        if histogram.has_ended:
            source.clear([column])
            return
        try:
            distribution = histogram.distribution()
        except ValueError as error:
            source.malformed += 1
            batch.refused_histograms += 1
            batch.reason = batch.reason or f"native histogram {about().name!r}: {error}"
            return
        self._classic.native_came(column, histogram.time)
        if histogram.is_gauge:
            source.merge(column, distribution, histogram.time)
        else:
            source.merge_totals(column, distribution, histogram.time)
        if (refusal := source.take_refusal()) is not None:
            batch.refused_histograms += refusal.samples
            batch.reason = batch.reason or refusal.reason

    def _take_batch(self, data: bytes, batch: Batch) -> set[int]:
        """Write everything read to the source, and empty the batch; return the ends of what were not samples."""
        misread: set[int] = set()
        columns, values, times = np.array(batch.columns, np.intp), np.array(batch.values), np.array(batch.times)
        if batch.known:
            # A third faster than `array` for a list of this length.
            known, stops = (np.fromiter(one, np.intp, len(one)) for one in (batch.known, batch.stops))
            some_values, some_times, good = samples_at_ends(data, stops)
            if not good.all():
                misread.update(stops[~good].tolist())
                known, some_values, some_times = known[good], some_values[good], some_times[good]
            columns = np.concatenate([columns, known])
            values, times = np.concatenate([values, some_values]), np.concatenate([times, some_times])
        batch.samples += len(columns)
        self._write(columns, values, times)
        if batch.parts:
            stops = np.array(batch.part_stops, np.intp)
            part_values, part_times, good = samples_at_ends(data, stops)
            misread.update(stops[~good].tolist())
            parts = [part for part, is_good in zip(batch.parts, good.tolist(), strict=True) if is_good]
            self._classic.take(parts, part_values[good].tolist(), part_times[good].tolist())
            batch.samples += len(parts)
        if batch.part_samples:
            self._classic.take(*zip(*batch.part_samples, strict=True))
            batch.samples += len(batch.part_samples)
        self._classic.take_counts(columns, values, times)
        problem, given_up = self._classic.take_problem()
        if given_up:
            batch.refused_samples += given_up
            batch.reason = batch.reason or problem
        if (refusal := self._source.take_refusal()) is not None:
            batch.refused_samples += refusal.samples
            batch.reason = batch.reason or refusal.reason
        batch.clear()
        return misread

    def _write(self, columns: Columns, values: Floats, times: Floats) -> None:
        if not len(columns):
            return
        totals = columns >= 0
        totals[totals] = self._totals[columns[totals]]
        if totals.any():
            self._write_totals(columns[totals], values[totals], times[totals])
            columns, values, times = columns[~totals], values[~totals], times[~totals]
        # Prometheus marks the end of a series by a NaN: from its time on there is no value.
        self._source.set(columns, values, times)

    def _write_totals(self, columns: Columns, values: Floats, times: Floats) -> None:
        finite = np.isfinite(values)
        if finite.all():
            self._source.set_totals(columns, values, times)
            return
        self._source.set_totals(columns[finite], values[finite], times[finite])
        ended = dict(zip(columns[~finite].tolist(), times[~finite].tolist(), strict=True))
        newest = dict(zip(columns[finite].tolist(), times[finite].tolist(), strict=True))
        self._source.clear([column for column, time in ended.items() if newest.get(column, -math.inf) < time])


def _is_total(last: str, kind: int) -> bool:
    """Return whether a series is a cumulative count.

    Args:
        last: the last word of its name.
        kind: the type of its metric; if unknown, the name decides.
    """
    if kind == UNKNOWN:
        return last in {"total", "bucket", "sum", "count"}
    if kind == _COUNTER:
        return last != "created"
    return kind in {_HISTOGRAM, _SUMMARY} and last in {"bucket", "sum", "count"}


def _bound(labels: list[tuple[str, str]]) -> float | None:
    """Return the upper end of a bucket; None if the labels have none."""
    try:
        bound = float(dict(labels).get("le", ""))
    except ValueError:
        return None
    return bound if bound > -math.inf else None


def _identity(labels: list[tuple[str, str]]) -> Labels:
    return tuple(sorted(pair for pair in labels if pair[0] != "le"))
