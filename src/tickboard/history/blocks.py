"""Blocks: the columns of up to 256 series over the entries of one span, as one blob with a directory.

A series is found by its place in the stripe. Ticks have one field for each series, rollups have four. It knows bytes
and places, but no series and no files. docs/history-format.md has the format to the byte.
"""

import itertools
import sqlite3
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
_ENTRY = struct.Struct("<BBBxII")
_END = struct.Struct("<I")

_KEYS = np.dtype({"names": ["key"], "formats": ["<u2"], "itemsize": _ENTRY.size})
"""Of an entry, the place and the field as one number; the directory is sorted by it."""

_FIRST_BYTES = _HEAD.size + STRIPE * _ENTRY.size
"""What is read first of a block: the whole directory, if it has ticks."""


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
    ends = itertools.accumulate(len(cell.payload) for cell in ordered)
    directory = b"".join(
        _ENTRY.pack(cell.place, cell.field, cell.kind, end, cell.crc) for cell, end in zip(ordered, ends, strict=True)
    )
    head = _HEAD.pack(len(ordered), zlib.crc32(directory))
    return b"".join([head, directory, *(cell.payload for cell in ordered)])


class Block:
    """Decodes a block.

    Args:
        data: from `pack`, as bytes or as an open value of the database, of which only parts are read.

    Raises:
        CorruptError: its directory is damaged: nothing of it can be read.
    """

    def __init__(self, data: "bytes | sqlite3.Blob") -> None:
        first = _part(data, 0, _FIRST_BYTES)
        if len(first) < _HEAD.size:
            raise CorruptError("a block is too short")
        count, crc = _HEAD.unpack_from(first)
        self._start = _HEAD.size + count * _ENTRY.size
        directory = (first if self._start <= len(first) else _part(data, 0, self._start))[_HEAD.size : self._start]
        if len(directory) != count * _ENTRY.size or zlib.crc32(directory) != crc:
            raise CorruptError("the directory of a block is damaged")
        self._data = data
        self._directory = directory
        self._count = count
        self._keys = np.frombuffer(directory, _KEYS)["key"]

    def read(self, fields: Sequence[int], places: NDArray[np.intp], into: Floats) -> set[int]:
        """Decode some fields of some series.

        Args:
            fields: to decode.
            places: intp [series].
            into: float64 [fields x series, entries]; receives the values, NaN where there is none or it is damaged.

        Returns:
            The places of the series that have a damaged column.
        """
        wanted = (np.array(fields)[:, None] * STRIPE + places).ravel().astype(np.uint16)
        rows: list[int] = []
        kinds: list[int] = []
        payloads: list[bytes] = []
        for row, (key, number) in enumerate(
            zip(wanted.tolist(), self._keys.searchsorted(wanted).tolist(), strict=True)
        ):
            if number < self._count and self._keys[number] == key:
                cell = self._cell(number)
                rows.append(row)
                # `decode` rejects a column without a kind.
                kinds.append(cell.kind if zlib.crc32(cell.payload, cell.kind) == cell.crc else 0)
                payloads.append(cell.payload)
        if len(rows) == len(into):
            damaged = decode(kinds, payloads, into)
        else:
            into.fill(np.nan)
            some = np.empty((len(rows), into.shape[1]))
            damaged = decode(kinds, payloads, some)
            into[rows] = some
        return {int(wanted[rows[index]]) % STRIPE for index in damaged}

    def cells(self) -> list[Cell]:
        """Return all columns as they are encoded. A damaged column stays damaged."""
        return [self._cell(number) for number in range(self._count)]

    def _cell(self, number: int) -> Cell:
        at = number * _ENTRY.size
        place, field, kind, end, crc = _ENTRY.unpack_from(self._directory, at)
        # It starts where the column of the entry before ends.
        start = _END.unpack_from(self._directory, at - 8)[0] if number else 0
        return Cell(place, field, kind, _part(self._data, self._start + start, self._start + end), crc)


def _part(data: "bytes | sqlite3.Blob", start: int, end: int) -> bytes:
    found = data[start:end]
    assert isinstance(found, bytes)
    return found
