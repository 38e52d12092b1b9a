"""Blocks: the columns of up to 256 series over the entries of one span, as one blob with a directory.

A series is found by its place in the stripe. Ticks have one field for each series, rollups have four. This module knows
bytes and places, but no series and no files. docs/history-format.md describes the format to the byte.
"""

import itertools
import sqlite3
import struct
import zlib
from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol, cast

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

_FIRST_COLUMN = struct.Struct("<HBxII")
"""An entry with its place and field as one number, the key."""

_COLUMN, _END_BEFORE = struct.Struct("<I4xHBxII"), 8
"""The same, with the end of the payload before it, where its own begins."""

_NONE = np.empty(0, np.intp)

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
        kinds: how each is encoded; 0, which is not a kind, if it is damaged.
        payloads: the encoded columns.
    """

    kinds: list[int]
    payloads: list[bytes]


class _Parts(Protocol):
    """Bytes, or an open value of the database."""

    def __getitem__(self, part: slice) -> bytes: ...


class Found(NamedTuple):
    """Where some columns are in a block.

    Attributes:
        columns: how many columns the block has.
        rows: the index of each column among the requested ones.
        keys: the key of each column.
        numbers: the number of each column's entry in the directory, ascending.
        is_complete: whether all requested columns were found.
    """

    columns: int
    rows: list[int]
    keys: list[int]
    numbers: list[int]
    is_complete: bool


class Block:
    """A block, opened to read.

    Args:
        data: the result of `pack`, as bytes or as an open value of the database. Only the needed parts are read.

    Raises:
        CorruptError: its directory is damaged, so nothing in it can be read.
    """

    def __init__(self, data: "bytes | sqlite3.Blob") -> None:
        parts = cast(_Parts, data)
        first = parts[:_FIRST_BYTES]
        if len(first) < _HEAD.size:
            raise CorruptError("a block is too short")
        count, crc = _HEAD.unpack_from(first)
        self._start = _HEAD.size + count * _ENTRY.size
        directory = (first if self._start <= len(first) else parts[: self._start])[_HEAD.size : self._start]
        if len(directory) != count * _ENTRY.size or zlib.crc32(directory) != crc:
            raise CorruptError("the directory of a block is damaged")
        self._data = parts
        self._directory = directory

    def find(self, keys: NDArray[np.uint16]) -> Found:
        """Return where some columns are; columns that the block does not have are left out.

        Args:
            keys: the result of `keys_of`.
        """
        there = np.frombuffer(self._directory, "<u2")[:: _ENTRY.size // 2]
        numbers = there.searchsorted(keys)
        rows = np.flatnonzero(there.take(numbers, mode="clip") == keys) if len(there) else _NONE
        numbers = numbers[rows]
        return Found(len(there), rows.tolist(), keys[rows].tolist(), numbers.tolist(), len(rows) == len(keys))

    def read(self, found: Found) -> Encoded:
        """Return the columns that were found."""
        return _read(self._data, self._start, self._directory, 0, found)

    def cells(self) -> list[Cell]:
        """Return all columns as they are encoded. A damaged column stays damaged."""
        begin = 0
        cells = []
        for place, field, kind, end, crc in _ENTRY.iter_unpack(self._directory):
            cells.append(Cell(place, field, kind, self._data[self._start + begin : self._start + end], crc))
            begin = end
        return cells


def read_again(data: "bytes | sqlite3.Blob", found: Found) -> Encoded | None:
    """Return columns of a block if they are in the same places as in another block of the stripe, as they usually are.

    Args:
        data: as for `Block`.
        found: where the columns of the other block are.

    Returns:
        The columns; None if the other block did not have all of them, or if this one has any elsewhere or damaged.
    """
    if not found.is_complete:
        return None
    parts = cast(_Parts, data)
    # Each column has its own checksum, so that of the directory need not be computed.
    size = _HEAD.size + (found.numbers[-1] + 1) * _ENTRY.size
    head = parts[:size]
    if len(head) < size or _HEAD.unpack_from(head)[0] != found.columns:
        return None
    read = _read(parts, _HEAD.size + found.columns * _ENTRY.size, head, _HEAD.size, found)
    return None if 0 in read.kinds else read


def keys_of(fields: Sequence[int], places: NDArray[np.intp]) -> NDArray[np.uint16]:
    """Return the keys of some fields of some series, uint16 [fields x series]."""
    return (np.array(fields)[:, None] * STRIPE + places).ravel().astype(np.uint16)


def _read(data: _Parts, start: int, directory: bytes, offset: int, found: Found) -> Encoded:
    """Return columns of a block.

    Args:
        data: the block.
        start: the offset of its payloads.
        directory: bytes with its directory.
        offset: the offset of the directory in these bytes.
        found: where the columns are.
    """
    kinds: list[int] = []
    payloads: list[bytes] = []
    for number, key in zip(found.numbers, found.keys, strict=True):
        if number:
            begin, there, kind, end, crc = _COLUMN.unpack_from(directory, offset + number * _ENTRY.size - _END_BEFORE)
        else:
            begin, (there, kind, end, crc) = 0, _FIRST_COLUMN.unpack_from(directory, offset)
        payload = data[start + begin : start + end]
        kinds.append(kind if there == key and zlib.crc32(payload, kind) == crc else 0)
        payloads.append(payload)
    return Encoded(kinds, payloads)
