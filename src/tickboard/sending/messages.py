"""The messages of remote write: ``prometheus.WriteRequest`` (1.0) and ``io.prometheus.write.v2.Request`` (2.0).

All series of a message have samples of the same times, so NumPy makes their bytes in one array. The labels, which do
not change from tick to tick, are encoded once (`SeriesGroup`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from tickboard.expressions.alignment import Floats, Labels
from tickboard.history.answers import Integers
from tickboard.sending.options import Version

STALE = np.uint64(0x7FF0000000000002)
"""The bits of the NaN that marks a series as ended."""

CONTENT_TYPES: dict[Version, str] = {
    "1.0": "application/x-protobuf",
    "2.0": "application/x-protobuf;proto=io.prometheus.write.v2.Request",
}

VERSION_HEADERS: dict[Version, str] = {"1.0": "0.1.0", "2.0": "2.0.0"}

# Field number << 3 | wire type; see protobuf.dev, "Encoding".
_SERIES: dict[Version, bytes] = {"1.0": b"\x0a", "2.0": b"\x2a"}
_SYMBOL = b"\x22"
_LABEL = _LABEL_REFS = _LABEL_NAME = b"\x0a"
_LABEL_VALUE = b"\x12"
_METADATA = b"\x2a"
_GAUGE = b"\x08\x02"
_UNIT = b"\x20"
_SAMPLE, _VALUE, _TIME = 0x12, 0x09, 0x10


@dataclass(frozen=True)
class OutgoingSeries:
    """One series to send.

    Attributes:
        labels: all of them, sorted by name, with ``__name__``.
        unit: the unit of its values.
    """

    labels: Labels
    unit: str

    @cached_property
    def fields(self) -> bytes:
        """The labels as fields of a series of version 1.0."""
        return b"".join(_delimited(_LABEL, _label(name, value)) for name, value in self.labels)


class SeriesGroup:
    """Series that are sent in one message, with their constant parts encoded.

    Args:
        series: at least one.
        version: the protocol's version.
    """

    def __init__(self, series: Sequence[OutgoingSeries], version: Version) -> None:
        self._tag = _SERIES[version]
        if version == "1.0":
            self._head = b""
            self._heads = [one.fields for one in series]
        else:
            symbols: dict[str, int] = {"": 0}
            self._heads = [_refs(one, symbols) for one in series]
            self._head = b"".join(_delimited(_SYMBOL, symbol.encode()) for symbol in symbols)
        self.size = len(self._head) + sum(map(len, self._heads))
        self._prefixes: tuple[int, list[bytes]] = (-1, [])

    def encode(self, times: Integers, values: Floats, there: NDArray[np.bool_]) -> bytes:
        """Return a message.

        Args:
            times: int64 [ticks], POSIX milliseconds, ascending.
            values: float64 [series, ticks].
            there: bool [series, ticks], which of the values to send. A series without any is left out.
        """
        samples = _samples(times, values)
        flat, each = samples.tobytes(), samples[0].nbytes
        prefixes = self._with_samples(each)
        parts = [self._head]
        counts = np.count_nonzero(there, axis=1)
        for number in np.flatnonzero(counts).tolist():
            if counts[number] == len(times):
                parts += (prefixes[number], flat[number * each : (number + 1) * each])
            else:
                some = samples[number, there[number]].tobytes()
                parts += (self._prefix(self._heads[number], len(some)), some)
        return b"".join(parts)

    def _with_samples(self, size: int) -> list[bytes]:
        """Return the bytes that precede the samples of each series, which take `size` bytes."""
        if self._prefixes[0] != size:
            self._prefixes = size, [self._prefix(head, size) for head in self._heads]
        return self._prefixes[1]

    def _prefix(self, head: bytes, size: int) -> bytes:
        return self._tag + _varint(len(head) + size) + head


def _samples(times: Integers, values: Floats) -> NDArray[np.uint8]:
    """Return all samples as fields of their series, uint8 [series, ticks, bytes]."""
    length = max(1, -(-int(times.max()).bit_length() // 7)) if times.min() >= 0 else 10
    found = np.empty((*values.shape, 12 + length), np.uint8)
    found[..., :3] = (_SAMPLE, 10 + length, _VALUE)
    found[..., 3:11] = np.ascontiguousarray(values, "<f8").view(np.uint8).reshape(*values.shape, 8)
    found[..., 11] = _TIME
    # All times take the same number of bytes: a varint may end with zeros.
    shifts = np.arange(0, 7 * length, 7, dtype=np.uint64)
    varints = times.astype(np.uint64)[:, None] >> shifts & np.uint64(0x7F)
    varints[:, :-1] |= np.uint64(0x80)
    found[..., 12:] = varints
    return found


def _refs(one: OutgoingSeries, symbols: dict[str, int]) -> bytes:
    """Return the labels and the metadata of a series, with their texts among the symbols."""
    refs = b"".join(_varint(symbols.setdefault(text, len(symbols))) for pair in one.labels for text in pair)
    unit = _UNIT + _varint(symbols.setdefault(one.unit, len(symbols))) if one.unit else b""
    return _delimited(_LABEL_REFS, refs) + _delimited(_METADATA, _GAUGE + unit)


def _label(name: str, value: str) -> bytes:
    return _delimited(_LABEL_NAME, name.encode()) + _delimited(_LABEL_VALUE, value.encode())


def _delimited(tag: bytes, data: bytes) -> bytes:
    return tag + _varint(len(data)) + data


def _varint(number: int) -> bytes:
    found = bytearray()
    while number > 0x7F:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    found.append(number)
    return bytes(found)
