"""Blocks: the columns of up to 256 series over the entries of one span, as one blob with a directory.

A series is found by its place in the stripe. Ticks have one field for each series, rollups have four. It knows bytes
and places, but no series and no files. docs/history-format.md has the format to the byte.
"""

import struct
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tickboard.expressions.alignment import Floats
from tickboard.history.codec import CorruptError, decode

STRIPE = 256
"""Series in one block: their ids differ only in the last byte."""

VALUE, MIN, MAX, AVG, COUNT = range(5)
"""The fields of a series. Ticks have the first, rollups have the others."""

_HEAD = struct.Struct("<HI")

_ENTRY = np.dtype(
    [("place", "u1"), ("field", "u1"), ("kind", "u1"), ("reserved", "u1"), ("size", "<u4"), ("crc", "<u4")]
)


@dataclass(frozen=True, slots=True)
class Cell:
    """One column of a block.

    Attributes:
        place: of the series in its stripe.
        field: of the series.
        kind: how the column is encoded.
        payload: the encoded column.
        crc: as it was written; it differs from the payload's when the column is damaged.
    """

    place: int
    field: int
    kind: int
    payload: bytes
    crc: int


def pack(cells: Iterable[Cell]) -> bytes:
    """Return a block of some columns."""
    ordered = sorted(cells, key=lambda cell: (cell.field, cell.place))
    directory = np.array(
        [(cell.place, cell.field, cell.kind, 0, len(cell.payload), cell.crc) for cell in ordered],
        _ENTRY,
    ).tobytes()
    head = _HEAD.pack(len(ordered), zlib.crc32(directory))
    return b"".join([head, directory, *(cell.payload for cell in ordered)])


class Block:
    """Decodes a block.

    Args:
        blob: from `pack`.

    Raises:
        CorruptError: its directory is damaged: nothing of it can be read.
    """

    def __init__(self, blob: bytes) -> None:
        if len(blob) < _HEAD.size:
            raise CorruptError("a block is too short")
        count, crc = _HEAD.unpack_from(blob)
        end = _HEAD.size + count * _ENTRY.itemsize
        directory = blob[_HEAD.size : end]
        if len(directory) != count * _ENTRY.itemsize or zlib.crc32(directory) != crc:
            raise CorruptError("the directory of a block is damaged")
        self._blob = blob
        self._entries = np.frombuffer(directory, _ENTRY)
        # The directory is sorted by these.
        self._keys = self._entries["place"] + self._entries["field"].astype(np.int64) * STRIPE
        self._ends = np.cumsum(self._entries["size"], dtype=np.int64) + end

    def read(self, fields: Sequence[int], places: NDArray[np.intp], into: Floats) -> set[int]:
        """Decode some fields of some series.

        Args:
            fields: to decode.
            places: intp [series].
            into: float64 [fields x series, entries]; receives the values, NaN where there is none or it is damaged.

        Returns:
            The places of the series that have a damaged column.
        """
        wanted = (np.array(fields)[:, None] * STRIPE + places).ravel()
        numbers = np.searchsorted(self._keys, wanted)
        there = numbers < len(self._keys)
        there[there] = self._keys[numbers[there]] == wanted[there]
        if there.all():
            damaged = self._decode(numbers, into)
        else:
            into.fill(np.nan)
            wanted = wanted[there]
            some = np.empty((len(wanted), into.shape[1]))
            damaged = self._decode(numbers[there], some)
            into[there] = some
        return {int(wanted[index]) % STRIPE for index in damaged}

    def _decode(self, numbers: NDArray[np.intp], into: Floats) -> list[int]:
        """Decode some entries of the directory, and return which of them are damaged."""
        entries, ends = self._entries[numbers], self._ends[numbers]
        kinds = entries["kind"].tolist()
        payloads = [
            self._blob[start:end] for start, end in zip((ends - entries["size"]).tolist(), ends.tolist(), strict=True)
        ]
        crcs = entries["crc"].tolist()
        bad = [
            index
            for index, (kind, payload, crc) in enumerate(zip(kinds, payloads, crcs, strict=True))
            if zlib.crc32(payload, kind) != crc
        ]
        for index in bad:
            # `decode` rejects a column without a kind.
            kinds[index] = 0
        return decode(kinds, payloads, into)

    def cells(self) -> list[Cell]:
        """Return all columns as they are encoded. A damaged column stays damaged."""
        return [
            Cell(place, field, kind, self._blob[end - size : end], crc)
            for (place, field, kind, _, size, crc), end in zip(self._entries.tolist(), self._ends.tolist(), strict=True)
        ]
