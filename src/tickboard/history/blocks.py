"""Blocks: the columns of up to 256 series over the entries of one span, as one blob with a directory.

A series is found by its place in the stripe. Ticks have one field for each series, rollups have four. This module knows
bytes and places, but no series and no files. docs/history-format.md describes the format to the byte.
"""

import itertools
import sqlite3
import struct
import zlib
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from tickboard.history.codec import CorruptError

STRIPE = 256
"""Series in one block: their ids differ only in the last byte."""

VALUE, MIN, MAX, AVG, COUNT = range(5)
"""The fields of a series. Ticks have the first, rollups have the others."""

_HEAD = struct.Struct("<HI")
_ENTRY = struct.Struct("<BBBxII")

_ENTRIES = np.dtype(
    {
        "names": ["key", "place", "field", "kind", "end", "crc"],
        "formats": ["<u2", "u1", "u1", "u1", "<u4", "<u4"],
        "offsets": [0, 0, 1, 2, 4, 8],
    }
)
"""An entry of the directory. The key is its place and field as one number; the entries are sorted by it."""

_ZERO = np.zeros(1, np.intp)

_FIRST_BYTES = _HEAD.size + STRIPE * _ENTRY.size
"""How many bytes of a block are read first: the whole directory, if the block has ticks."""


class Cell(Struct, frozen=True):
    """One column of a block.

    Attributes:
        place: the place of its series in the stripe.
        field: the field of the series.
        kind: how the column is encoded.
        payload: the encoded column.
        crc: the checksum that was written; it differs from the payload's if the column is damaged.
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


class Encoded(NamedTuple):
    """Columns as they are encoded.

    Attributes:
        rows: the index of each among the requested columns.
        kinds: how each is encoded; 0, which is not a kind, if it is damaged.
        payloads: the encoded columns.
    """

    rows: list[int]
    kinds: list[int]
    payloads: list[bytes]


class Block:
    """A block, opened to read.

    Args:
        data: the result of `pack`, as bytes or as an open value of the database. Only the needed parts are read.

    Raises:
        CorruptError: its directory is damaged, so nothing in it can be read.
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
        self._entries = np.frombuffer(directory, _ENTRIES)

    def find(self, keys: NDArray[np.uint16]) -> Encoded:
        """Return some columns; columns that the block does not have are left out.

        Args:
            keys: the result of `keys_of`.
        """
        there = self._entries["key"]
        numbers = there.searchsorted(keys)
        rows = np.flatnonzero(there.take(numbers, mode="clip") == keys) if len(there) else _ZERO[:0]
        numbers = numbers[rows]
        kinds, crcs = self._entries["kind"][numbers].tolist(), self._entries["crc"][numbers].tolist()
        payloads = self._payloads(numbers)
        columns = zip(kinds, payloads, crcs, strict=True)
        checked = [kind if zlib.crc32(payload, kind) == crc else 0 for kind, payload, crc in columns]
        return Encoded(rows.tolist(), checked, payloads)

    def cells(self) -> list[Cell]:
        """Return all columns as they are encoded. A damaged column stays damaged."""
        places, fields, kinds, crcs = (self._entries[name].tolist() for name in ("place", "field", "kind", "crc"))
        payloads = self._payloads(np.arange(len(self._entries)))
        return [Cell(*cell) for cell in zip(places, fields, kinds, payloads, crcs, strict=True)]

    def _payloads(self, numbers: NDArray[np.intp]) -> list[bytes]:
        # A column starts where the previous one ends.
        ends = np.concatenate([_ZERO, self._entries["end"]]) + self._start
        starts, data = ends[numbers].tolist(), self._data
        return [_part(data, start, end) for start, end in zip(starts, ends[numbers + 1].tolist(), strict=True)]


def keys_of(fields: Sequence[int], places: NDArray[np.intp]) -> NDArray[np.uint16]:
    """Return the keys of some fields of some series, uint16 [fields x series]."""
    return (np.array(fields)[:, None] * STRIPE + places).ravel().astype(np.uint16)


def _part(data: "bytes | sqlite3.Blob", start: int, end: int) -> bytes:
    found = data[start:end]
    assert isinstance(found, bytes)
    return found
