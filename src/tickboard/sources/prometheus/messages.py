"""Reads Prometheus' messages: a sample, a label, a series, and the request of version 2.

Reading field by field takes some microseconds per field; parts common to many series are read at once by numpy.
"""

from collections.abc import Callable, Generator, Iterator, Sequence
from itertools import pairwise

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from tickboard.errors import PayloadError
from tickboard.sources.prometheus.native_histograms import NativeHistogram, read_native
from tickboard.sources.prometheus.protobuf import BYTES, FIXED64, VARINT, fields, float64, signed, text, varints

SLICE_FIELDS = 2_000
"""How many symbols and series of version 2 are found before others may run."""

STEP_FIELDS = 1_000
"""How many fields of one series are read before others may run."""

MAX_FIELDS = 1_000_000
"""The most symbols and series in one request; in version 1, the most series that are read field by field."""

MAX_SERIES_BYTES = 2**17
"""The most bytes of one series with all its samples."""

MAX_SERIES_LABELS = 200
"""The most labels of one series; a series with more than 64 that have a value is refused alone."""

MAX_SERIES_SAMPLES = 10_000
"""The most samples of one series: more do not fit into `MAX_SERIES_BYTES` unless they are empty."""

MAX_HISTOGRAMS = 50_000
"""The most native histograms of one request: each costs as much as a hundred samples."""

MAX_SAMPLE_BYTES = 256
"""The most bytes of one sample, which normally has up to 20."""

SAMPLE, ZERO = 18, 9
"""Bytes of a sample with a time between 1971 and 2109; and of one whose value is 0."""

ZERO_SIZE = 7
"""The second byte of a sample whose value is 0. In others, that byte is the highest of a value below 1e-260."""

LEAST, LEAST_V2 = 24, 13
"""Bytes of the shortest series with a name and a sample, in version 1 and in version 2."""

# The first bytes of both forms of a sample, little-endian.
_SAMPLE_HEAD, _ZERO_HEAD, _HEAD = np.uint64(0x09_10_12), np.uint64(0x10_07_12), np.uint64(0xFF_FF_FF)

# In the six bytes of a time: the bits that mark that another byte follows, and the digits of every other byte.
_MARKS, _FIVE_MARKS = np.uint64(0x80_80_80_80_80_80), np.uint64(0x00_80_80_80_80_80)
_EVEN, _ODD, _PAIR = np.uint64(0x00_7F_00_7F_00_7F), np.uint64(0x7F_00_7F_00_7F_00), np.uint64(0x3F_FF)

UNKNOWN = 0
"""The type of a metric whose type is unknown, in both versions."""

Extent = tuple[int, int]
Columns = NDArray[np.intp]
Floats = NDArray[np.float64]


class NewSeries(Struct, frozen=True):
    """The description of a new series."""

    name: str
    labels: list[tuple[str, str]]
    kind: int
    unit: str


class SeriesV2(Struct, frozen=True):
    """A series of version 2 that was read field by field."""

    key: bytes
    about: Callable[[], NewSeries]
    samples: list[tuple[float, float]]
    histograms: list[NativeHistogram]


class RequestV2:
    """A request of version 2: its symbols, and where its series are.

    Args:
        data: the message.

    Attributes:
        data: the message.
        series: the start and end of each series; empty before `find`.
    """

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.series: list[Extent] = []
        self._symbols: list[bytes] = []
        self._hashes = np.empty(0, np.int64)

    def find(self) -> Iterator[None]:
        """Find the symbols and the series; others may run at each step.

        Raises:
            PayloadError: it is malformed, or there are too many.
        """
        data, end, at = self.data, len(self.data), 0
        hashes: list[int] = []
        arrays: list[NDArray[np.int64]] = []
        for count in range(MAX_FIELDS):
            if at >= end:
                break
            tag = data[at]
            size = data[at + 1] if at + 3 < end else 0x80
            begin = at + 2
            if size >= 0x80 or begin + size > end or tag not in {0x22, 0x2A}:
                number, wire, begin, stop = next(fields(data, at))
                tag = number << 3 | wire
            else:
                stop = begin + size
            if tag == 0x22:
                symbol = data[begin:stop]
                self._symbols.append(symbol)
                hashes.append(hash(symbol))
            elif tag == 0x2A:
                self.series.append((begin, stop))
            at = stop
            if count % SLICE_FIELDS == SLICE_FIELDS - 1:
                arrays.append(np.array(hashes, np.int64))
                hashes.clear()
                yield
        else:
            raise PayloadError(f"the request has more than {MAX_FIELDS} symbols and series: send fewer", 413)
        # The first byte distinguishes the key from one of version 1.
        self._hashes = np.concatenate([*arrays, np.array(hashes, np.int64)]) | 0x80
        yield

    def keys(self, references: Sequence[bytes]) -> list[bytes]:
        """Return the keys of series: the hashes of their symbols, 63 bits each.

        Python's hashes are randomized: among a million symbols, two equal hashes have a chance of about 1 in 10^7.

        Args:
            references: the label references of each series, as encoded.

        Raises:
            PayloadError: they are malformed.
        """
        packed = np.frombuffer(b"".join(references), np.uint8)
        is_last = packed < 0x80
        bounds = np.concatenate([[0], np.cumsum([len(one) for one in references], dtype=np.intp)])
        last = np.flatnonzero(is_last)
        first = np.concatenate([[0], last + 1])[: len(last)]
        sizes = last - first + 1
        if not is_last[bounds[1:] - 1].all() or sizes.max(initial=0) > 4:
            raise PayloadError("a series has malformed label references")
        found = (packed[first] & 0x7F).astype(np.intp)
        for place in range(1, int(sizes.max(initial=0))):
            longer = sizes > place
            found[longer] |= (packed[first[longer] + place] & 0x7F).astype(np.intp) << 7 * place
        counts = np.concatenate([[0], np.cumsum(is_last)])[bounds]
        if (counts % 2).any():
            raise PayloadError("a series has an odd number of label references: they come in pairs, name and value")
        hashed = self._hashed(found)
        return [hashed[begin:end] for begin, end in pairwise((8 * counts).tolist())]

    def read(self, extent: Extent) -> Generator[None, None, SeriesV2]:
        """Read a series field by field, in steps."""
        check_size(*extent)
        data = self.data
        references: list[int] = []
        samples: list[tuple[float, float]] = []
        histograms: list[NativeHistogram] = []
        metadata: Extent = 0, 0
        for count, (number, wire, begin, stop) in enumerate(fields(data, *extent), 1):
            if not count % STEP_FIELDS:
                yield
            if number == 1:
                check_labels((len(references) + (stop - begin if wire == BYTES else 1)) // 8, extent[0])
                references += varints(data, begin, stop) if wire == BYTES else [begin]
            elif wire != BYTES:
                continue
            elif number == 2:
                check_samples(len(samples), extent[0])
                samples.append(read_sample(data, begin, stop))
            elif number == 3:
                histograms.append(read_native(data, begin, stop))
                yield
            elif number == 5:
                metadata = begin, min(stop, begin + MAX_SAMPLE_BYTES)
        check_labels(len(references) // 2, extent[0])
        if len(references) % 2:
            raise PayloadError(f"a series has {len(references)} label references: they come in pairs, name and value")
        if max(references, default=0) >= 2**32:
            raise PayloadError("a series has malformed label references")
        key = self._hashed(np.array(references, np.intp))
        return SeriesV2(key, lambda: self._about(references, metadata), samples, histograms)

    def _hashed(self, references: Columns) -> bytes:
        if references.max(initial=-1) >= len(self._hashes):
            raise PayloadError(f"a series refers to a symbol beyond the {len(self._hashes)} of the request")
        return self._hashes[references].tobytes()

    def _about(self, references: list[int], metadata: Extent) -> NewSeries:
        kind, unit = UNKNOWN, 0
        for number, wire, value, _ in fields(self.data, *metadata):
            if wire == VARINT:
                kind, unit = (value, unit) if number == 1 else (kind, value) if number == 4 else (kind, unit)
        words = [self._text(reference) for reference in references]
        name, labels = split_name(list(zip(words[::2], words[1::2], strict=True)))
        return NewSeries(name, labels, kind, self._text(unit) if 0 < unit < len(self._symbols) else "")

    def _text(self, reference: int) -> str:
        symbol = self._symbols[reference]
        return text(symbol, 0, len(symbol))


def samples_at_ends(data: bytes, stops: Columns) -> tuple[Floats, Floats, NDArray[np.bool_]]:
    """Return the value and the time in seconds of a sample that ends at each of `stops`, and whether there is one."""
    words = np.ndarray(max(0, len(data) - 7), "<u8", data, strides=(1,))
    good = stops >= SAMPLE
    stops = np.maximum(stops, SAMPLE)
    if len(data) < SAMPLE:
        return np.zeros(len(stops)), np.zeros(len(stops)), good
    whole = (words[stops - SAMPLE] & _HEAD) == _SAMPLE_HEAD
    zero = (words[stops - ZERO] & _HEAD) == _ZERO_HEAD
    values = np.where(whole, words[stops - 15].view(np.float64), 0.0)
    # The byte before the six of the time is its tag. Six digits of 7 bits make three of 14, and these the number.
    ending = words[stops - 8] >> np.uint64(8)
    digits = ending >> np.uint64(8)
    good &= (whole | zero) & (ending & np.uint64(0xFF) == np.uint64(0x10)) & (digits & _MARKS == _FIVE_MARKS)
    pairs = (digits & _EVEN) | ((digits & _ODD) >> np.uint64(1))
    low, middle, high = (pairs >> np.uint64(16 * place) & _PAIR for place in range(3))
    return values, (low | middle << np.uint64(14) | high << np.uint64(28)) / 1000.0, good


def check_size(at: int, end: int) -> None:
    if end - at > MAX_SERIES_BYTES:
        raise PayloadError(f"a series has {end - at} bytes at byte {at}: send {MAX_SERIES_BYTES} at most", 413)


def check_labels(count: int, at: int) -> None:
    if count > MAX_SERIES_LABELS:
        raise PayloadError(f"a series has more than {MAX_SERIES_LABELS} labels at byte {at}: send fewer", 413)


def check_samples(count: int, at: int) -> None:
    if count >= MAX_SERIES_SAMPLES:
        raise PayloadError(f"a series has more than {MAX_SERIES_SAMPLES} samples at byte {at}: send fewer", 413)


def read_label(data: bytes, at: int, end: int) -> tuple[str, str]:
    name = value = ""
    for number, wire, begin, stop in fields(data, at, end):
        if number == 1 and wire == BYTES:
            name = text(data, begin, stop)
        elif number == 2 and wire == BYTES:
            value = text(data, begin, stop)
    return name, value


def read_sample(data: bytes, at: int, end: int) -> tuple[float, float]:
    """Return the value and the time in seconds of a Sample."""
    if end - at > MAX_SAMPLE_BYTES:
        raise PayloadError(f"a sample has {end - at} bytes at byte {at}: send {MAX_SAMPLE_BYTES} at most")
    value = time = 0.0
    for number, wire, begin, _ in fields(data, at, end):
        if number == 1 and wire == FIXED64:
            value = float64(data, begin)
        elif number == 2 and wire == VARINT:
            time = signed(begin) / 1000.0
    return value, time


def split_name(labels: list[tuple[str, str]]) -> tuple[str, list[tuple[str, str]]]:
    """Return the name of a metric, and those of its labels that have a value."""
    return dict(labels).get("__name__", ""), [pair for pair in labels if pair[0] != "__name__" and pair[1]]
