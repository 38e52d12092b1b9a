"""Reads Prometheus remote write, versions 1 and 2: protobuf messages.

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

from collections.abc import Generator, Iterable, Iterator, Sequence

from tickboard.errors import PayloadError
from tickboard.metrics.cleaning import MAX_KEY_BYTES, MAX_NAME, short
from tickboard.metrics.source import Source
from tickboard.sources.prometheus.messages import (
    LEAST,
    LEAST_V2,
    MAX_FIELDS,
    SAMPLE,
    STEP_FIELDS,
    UNKNOWN,
    ZERO,
    ZERO_SIZE,
    Extent,
    NewSeries,
    RequestV2,
    check_labels,
    check_samples,
    check_size,
    read_label,
    read_sample,
    split_name,
)
from tickboard.sources.prometheus.native_histograms import NativeHistogram, read_native
from tickboard.sources.prometheus.protobuf import BYTES, VARINT, fields, text
from tickboard.sources.prometheus.series_writer import Batch, SeriesWriter

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


class RemoteWrite:
    """Reads the requests of one sender.

    Args:
        source: where to write.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._types: dict[str, tuple[int, str]] = {}
        self._writer = SeriesWriter(source)

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
            if misread := self._writer.write(data, batch):
                others += [
                    (start, stop)
                    for number, wire, start, stop in fields(data, begin, at)
                    if number == 1 and wire == BYTES and stop in misread
                ]
            visited += batch.visited
            if visited > MAX_FIELDS:
                raise PayloadError(f"the request has more than {MAX_FIELDS} fields without a sample: send fewer", 413)
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
        known, known_part = self._source.known.get, self._writer.parts.get
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
        yield from self._writer.take(short(key), lambda: self._about(key), samples, histograms, batch)
        return 1 + (end - at) // SLOW_BYTES

    def _in_slices(self, data: bytes, series: Iterable[Generator[None, None, int]], batch: Batch) -> Iterator[None]:
        """Read series field by field; let others run now and then.

        Everything read is written to the source before that: meanwhile a series may leave, and another get its column.
        """
        cost = 0
        for steps in series:
            cost += yield from self._write_between(data, steps, batch)
            if cost >= SLOW_SLICE:
                cost = 0
                self._writer.write(data, batch)
                yield
        self._writer.write(data, batch)

    def _write_between(
        self, data: bytes, steps: Generator[None, None, int], batch: Batch
    ) -> Generator[None, None, int]:
        """Write everything read to the source before each step; return the result of the steps."""
        while True:
            try:
                next(steps)
            except StopIteration as end:
                cost: int = end.value
                return cost
            self._writer.write(data, batch)
            yield

    def _about(self, key: bytes) -> NewSeries:
        name, labels = split_name([read_label(key, begin, stop) for _, _, begin, stop in fields(key)])
        kind, unit = self._types.get(name) or self._types.get(name.rpartition("_")[0]) or (UNKNOWN, "")
        return NewSeries(name, labels, kind, unit)

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
        known, known_part = self._source.known.get, self._writer.parts.get
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
        misread = self._writer.write(data, batch)
        if misread:
            others += [extent for extent, stop in zip(usual, stops, strict=True) if stop in misread]
        return others

    def _series_v2(self, request: "RequestV2", extent: Extent, batch: Batch) -> Generator[None, None, int]:
        """Read a series field by field, in steps; return the cost."""
        one = yield from request.read(extent)
        yield from self._writer.take(short(one.key), one.about, one.samples, one.histograms, batch)
        return 1 + (extent[1] - extent[0]) // SLOW_BYTES
