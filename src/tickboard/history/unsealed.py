"""Unsealed rows: the newest ticks, which are not in blocks yet, and the layouts that name their series."""

import struct
from collections.abc import Iterator

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from tickboard.expressions.alignment import Floats
from tickboard.history.answers import Integers
from tickboard.history.file import FOREVER, Database, position
from tickboard.history.layout import no_times

_VALUE = struct.Struct("<d")

_FEW, _WIDE = 3, 2_000
"""Up to `_FEW` values of a row with at least `_WIDE` are read one by one, since such a row fills many pages."""

_FOUND = "FROM ticks WHERE position >= ? AND position < ? AND time >= ? AND time < ? ORDER BY position"
_ROWS = f"SELECT position, time, layout, row {_FOUND}"
_KEYS = f"SELECT position, time, layout, NULL {_FOUND}"
_TIMES = f"SELECT time {_FOUND}"
_COUNT = "SELECT count(*) FROM ticks WHERE position >= ? AND position < ? AND time >= ?"
_FIRST = f"SELECT position, time, layout, length(row) / 8 {_FOUND} LIMIT 1"


class UnsealedRow(Struct, frozen=True):
    """One tick that is not in a block.

    Attributes:
        database: the connection to read from.
        position: its key.
        time: POSIX milliseconds.
        layout: the series of its values; see `layout_ids`.
        data: its values as float64; None: `values` reads them one by one.
    """

    database: Database
    position: int
    time: int
    layout: int
    data: bytes | None

    def values(self, places: NDArray[np.intp]) -> Floats:
        """Return some of its values, float64 [places]."""
        if self.data is not None:
            found: Floats = np.frombuffer(self.data, "<f8")[places]
            return found
        blob = self.database.blob("ticks", "row", self.position)
        assert blob is not None
        with blob:
            return np.array([_VALUE.unpack(bytes(blob[8 * place : 8 * place + 8]))[0] for place in places.tolist()])


def each_row(database: Database, epoch: int, start_ms: int, end_ms: int, wanted: int = 2**31) -> Iterator[UnsealedRow]:
    """Yield the ticks of an epoch in a range.

    Args:
        database: the connection to read from.
        epoch: the number of the epoch.
        start_ms: the start of the range, inclusive.
        end_ms: the end of the range, exclusive.
        wanted: how many values of each row will be read.
    """
    if start_ms >= end_ms:
        return
    bounds = position(epoch, 0), position(epoch + 1, 0), start_ms, end_ms
    first = database.all(_FIRST, *bounds)
    one_by_one = first and first[0][3] >= _WIDE and wanted <= _FEW
    for row in database.each(_KEYS if one_by_one else _ROWS, *bounds):
        yield UnsealedRow(database, *row)


def row_times(database: Database, epoch: int, start_ms: int, end_ms: int) -> Integers:
    """Return the times of the ticks of an epoch in a range."""
    if start_ms >= end_ms:
        return no_times()
    bounds = position(epoch, 0), position(epoch + 1, 0), start_ms, end_ms
    return np.array([time for (time,) in database.each(_TIMES, *bounds)], np.int64)


def first_row(database: Database, epoch: int, start_ms: int, end_ms: int = FOREVER) -> tuple[int, int, int, int] | None:
    """Return the first tick of an epoch in a range: position, time, layout and number of values."""
    bounds = position(epoch, 0), position(epoch + 1, 0), start_ms, end_ms
    rows = database.all(_FIRST, *bounds)
    return rows[0] if rows else None


def count_rows(database: Database, epoch: int, start_ms: int) -> int:
    """Return the number of rows of an epoch at or after a time."""
    return int(database.one(_COUNT, position(epoch, 0), position(epoch + 1, 0), start_ms))


def newest_time(database: Database, epoch: int) -> int | None:
    """Return the time of the newest row of an epoch, or None if it has no rows."""
    newest: int | None = database.one(
        "SELECT time FROM ticks WHERE position >= ? AND position < ? ORDER BY position DESC LIMIT 1",
        position(epoch, 0),
        position(epoch + 1, 0),
    )
    return newest


def layout_ids(database: Database, layout: int) -> Integers:
    """Return the series ids of a layout, in the order of the values."""
    blob = database.one("SELECT series FROM layouts WHERE id = ?", layout)
    return np.frombuffer(blob or b"", "<u4").astype(np.int64)
