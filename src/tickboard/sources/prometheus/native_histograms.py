"""Prometheus' native histograms: reads their messages and turns them into distributions.

A native histogram is a single message with all its buckets, whose bounds follow from a schema or come with it.
"""

import math
from collections.abc import Iterable, Sequence

import numpy as np
from msgspec import Struct, field
from numpy.typing import NDArray

from tickboard.metrics.distribution import Distribution
from tickboard.sources.prometheus import protobuf
from tickboard.sources.prometheus.protobuf import BYTES, fields, float64, signed, varints, zigzag

MAX_BUCKETS = 1_000
"""The most buckets of one histogram, classic or native: larger ones are refused."""

MAX_NATIVE_BYTES = 20 * MAX_BUCKETS
"""The most bytes of a native histogram: `MAX_BUCKETS` buckets take fewer."""

CUSTOM_BOUNDS = -53
"""The schema of a native histogram with bounds of its own."""

SCHEMAS = range(-4, 9)
"""The other schemas: each bucket's bound is 2^(2^-schema) times the one before."""

_STALE = (0x7FF0_0000_0000_0002).to_bytes(8, "little")
"""The NaN by which Prometheus marks the end of a series (its model/value package)."""

_GAUGE_HINT = 3
"""The Histogram.ResetHint of a histogram that is not cumulative."""

FARTHEST = 1_100
"""The largest exponent of 2 for the magnitude of a bound: a float64 has up to 1024."""

Floats = NDArray[np.float64]


class NativeHistogram(Struct):
    """The message of a native histogram, in either version of remote write.

    Attributes:
        time: POSIX seconds.
        count: the number of values; NaN if it is missing.
        sum: the sum of all values.
        schema: the resolution of the buckets.
        zero_threshold: values at most this far from 0 are in the zero bucket.
        zero_count: the number of values in the zero bucket.
        negative_spans: runs of buckets, each with the number of buckets skipped before it and its length.
        negative_deltas: the number of values of each bucket minus that of the one before…
        negative_counts: …or the number of values of each bucket.
        positive_spans: like the negative ones; so are the next two.
        bounds: for `CUSTOM_BOUNDS`, the upper ends of buckets, ascending, without the infinite one.
        is_gauge: whether it is not cumulative.
        has_ended: whether it only marks the end of its series.
        size: its size in bytes, if it is too large to be read.
    """

    time: float = 0.0
    count: float = math.nan
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
    size: int = 0

    def distribution(self) -> Distribution:
        """Return the distribution.

        Raises:
            ValueError: the spans, the buckets and the bounds don't match.
        """
        if self.size:
            raise ValueError(f"it has {self.size} bytes: send {MAX_NATIVE_BYTES} at most, for {MAX_BUCKETS} buckets")
        positive = _counts(self.positive_deltas, self.positive_counts)
        below = _counts(self.negative_deltas, self.negative_counts)
        self._check_count(sum(below) + self.zero_count + sum(positive))
        places = _places(self.positive_spans, len(positive))
        if self.schema == CUSTOM_BOUNDS:
            return self._custom(positive, places)
        if self.schema not in SCHEMAS:
            raise ValueError(f"a schema of {self.schema}: send -4 to 8, or {CUSTOM_BOUNDS}")
        _usable([*below, self.zero_count, *positive])
        edge = abs(self.zero_threshold) if math.isfinite(self.zero_threshold) else 0.0
        up = self._sided(places, positive)
        # The lowest values first.
        down = self._sided(_places(self.negative_spans, len(below)), below)[::-1]
        return Distribution.exponential(self.schema, up, down, self.zero_count, edge, self.sum)

    def _check_count(self, in_buckets: float) -> None:
        """Check that the count equals that of the buckets.

        If the sum is NaN, it may be higher, since NaN observations are in no bucket (Prometheus' model/histogram). The
        last digits of float counts may differ.
        """
        is_float = bool(self.positive_counts or self.negative_counts)
        wrong = abs(self.count - in_buckets) > abs(self.count) * (1e-6 if is_float else 2.0**-52)
        if wrong and not (math.isnan(self.sum) and in_buckets < self.count):
            raise ValueError(f"a count of {self.count:g}, and {in_buckets:g} values in its buckets: they must be equal")

    def _sided(self, places: list[int], counts: list[float]) -> list[tuple[int, float]]:
        """Return buckets as index and count; Prometheus numbers them by their upper ends."""
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
        raise ValueError("a bucket with fewer than 0 values, or infinitely many")
    return found


def read_native(data: bytes, at: int, end: int) -> NativeHistogram:
    """Read a Histogram (prompb/types.proto; version 2 has the same fields)."""
    found = NativeHistogram()
    if end - at > MAX_NATIVE_BYTES:
        found.size = end - at
        return found
    for number, wire, begin, stop in fields(data, at, end):
        match number, wire:
            case 1, protobuf.VARINT:
                found.count = float(begin)
            case 2, protobuf.FIXED64:
                found.count = float64(data, begin)
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
                if len(spans) <= MAX_BUCKETS:
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
