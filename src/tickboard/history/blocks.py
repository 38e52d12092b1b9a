"""Blocks: the columns of up to 256 series over the entries of one span, as one blob with a directory.

A series is found by its place in the stripe. Ticks have one field for each series; rollups have four. It knows bytes
and places, and neither series nor files. docs/history-format.md has the format to the byte.
"""

import struct
import zlib
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tickboard.expressions.alignment import Floats
from tickboard.history.codec import CorruptError, checksum, decode

STRIPE = 256
"""Series of one block: those whose ids differ in the last byte only."""

VALUE, MIN, MAX, AVG, COUNT = range(5)
"""The fields of a series: ticks have the first alone, rollups the others."""

_HEAD = struct.Struct("<HI")

_ENTRY = np.dtype(
    [("place", "u1"), ("field", "u1"), ("kind", "u1"), ("reserved", "u1"), ("size", "<u4"), ("crc", "<u4")]
)


@dataclass(frozen=True, slots=True)
class Cell:
    """One column of a block.

    Attributes:
        place: of the series in its stripe.
        field: which of its fields.
        kind: how it is written.
        payload: the bytes.
        crc: of both; another one where they are damaged.
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
    """A block that is read.

    Args:
        blob: as `pack` made it.

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
        entries = np.frombuffer(directory, _ENTRY)
        self._blob = memoryview(blob)
        self._kinds = entries["kind"].tolist()
        self._crcs = entries["crc"].tolist()
        ends = np.cumsum(entries["size"], dtype=np.int64)
        self._starts = (ends - entries["size"] + end).tolist()
        self._ends = (ends + end).tolist()
        self._entries = entries
        # By field and place, the number of the entry; -1: the series has no value.
        self._numbers = np.full((len(range(5)), STRIPE), -1, np.int64)
        self._numbers[entries["field"], entries["place"]] = np.arange(count)

    @property
    def places(self) -> NDArray[np.intp]:
        """The places of the series that have a value, ascending."""
        return np.flatnonzero((self._numbers >= 0).any(axis=0))

    def read(self, field: int, places: NDArray[np.intp], into: Floats) -> list[int]:
        """Decode one field of some series.

        Args:
            field: which.
            places: of the series, [series].
            into: float64 [series, entries]; filled, with NaN where there is no value or none can be read.

        Returns:
            The indexes in `places` of the columns that are damaged.
        """
        damaged = []
        for index, number in enumerate(self._numbers[field, places].tolist()):
            row = into[index]
            if number < 0:
                row.fill(np.nan)
                continue
            kind = self._kinds[number]
            payload = self._blob[self._starts[number] : self._ends[number]]
            try:
                if checksum(kind, payload) != self._crcs[number]:
                    raise CorruptError("a column is damaged")
                decode(kind, payload, row)
            except CorruptError:
                row.fill(np.nan)
                damaged.append(index)
        return damaged

    def cells(self) -> list[Cell]:
        """Return all columns as they are written; those that are damaged stay so."""
        return [
            Cell(place, field, kind, bytes(self._blob[start:end]), crc)
            for (place, field, kind, _, _, crc), start, end in zip(
                self._entries.tolist(), self._starts, self._ends, strict=True
            )
        ]
