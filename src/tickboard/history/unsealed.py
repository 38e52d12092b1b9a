"""Unsealed rows: the newest ticks, which are not in blocks yet, and the layouts that name their series."""

import struct
from collections.abc import Iterator
from itertools import groupby, takewhile

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from tickboard.expressions.alignment import Floats
from tickboard.history.answers import Integers
from tickboard.history.file import FOREVER, PAGE_BYTES, Database, position

_VALUE = struct.Struct("<d")

_COLUMN_BYTES = 3 * PAGE_BYTES
"""If rows have more bytes than this for each requested value, only those values are read."""

FEW_ROWS = 8
"""How many rows are read one after another, to find that of a time."""

_BATCH_BYTES = 2 * 2**20
"""How many bytes of rows are read at a time."""

_FOUND = "FROM ticks WHERE position > ? AND position < ? AND time >= ? AND time < ? ORDER BY position"
_ROWS = f"SELECT position, time, layout, row {_FOUND}"
_KEYS = f"SELECT position, time, layout, NULL {_FOUND}"
_COUNT = "SELECT count(*) FROM ticks WHERE position > ? AND position < ? AND time >= ?"
_LAST = "SELECT position FROM ticks WHERE position > ? AND position < ? ORDER BY position DESC LIMIT 1"
_NEXT = "SELECT position, time FROM ticks WHERE position > ? AND position <= ? ORDER BY position LIMIT 1"
_FIRST = f"SELECT position, time, layout, length(row) / 8 {_FOUND} LIMIT 1"
_SIZE = "SELECT length(row) FROM ticks WHERE position > ? AND position < ? ORDER BY position DESC LIMIT 1"

_Row = tuple[int, int, int, bytes | None]
"""Position, time and layout of a tick; and its values, unless they are read one by one."""


class UnsealedRows(Struct, frozen=True):
    """Consecutive ticks of one epoch that are not in blocks, and have the same series.

    Attributes:
        database: the connection to read from.
        positions: int64 [ticks]; their keys.
        times: int64 [ticks]; POSIX milliseconds, ascending.
        layout: the id of their layout.
        ids: int64 [series]; the id of each series in the layout.
        values: float64 [ticks, series]; None: `columns` reads them one by one.
    """

    database: Database
    positions: Integers
    times: Integers
    layout: int
    ids: Integers
    values: Floats | None

    def __len__(self) -> int:
        return len(self.times)

    def columns(self, places: NDArray[np.intp]) -> Floats:
        """Return the values of some series, float64 [ticks, places]."""
        if self.values is not None:
            return self.values.take(places, axis=1)
        found = np.empty((len(self), len(places)))
        for row, key in zip(found, self.positions.tolist(), strict=True):
            blob = self.database.blob("ticks", "row", key)
            assert blob is not None
            with blob:
                row[:] = [_VALUE.unpack(bytes(blob[8 * place : 8 * place + 8]))[0] for place in places.tolist()]
        return found

    def between(self, start_ms: int, end_ms: int) -> "UnsealedRows":
        """Return the ticks of a range, whose end is exclusive."""
        first, last = np.searchsorted(self.times, [start_ms, end_ms]).tolist()
        if last - first == len(self):
            return self
        there = slice(first, last)
        values = None if self.values is None else self.values[there]
        return UnsealedRows(self.database, self.positions[there], self.times[there], self.layout, self.ids, values)


def read_rows(
    database: Database, epoch: int, start_ms: int, end_ms: int, wanted: int = 2**31, after: int | None = None
) -> Iterator[UnsealedRows]:
    """Yield the ticks of an epoch in a range, many at a time.

    Args:
        database: the connection to read from.
        epoch: the number of the epoch.
        start_ms: the start of the range, inclusive.
        end_ms: the end of the range, exclusive.
        wanted: how many values of each row will be read.
        after: the key of the tick before the first one to return; None: start with the first tick.
    """
    begin, end = _bounds(epoch)
    size = row_bytes(database, epoch)
    one_by_one = size > wanted * _COLUMN_BYTES
    bounds = begin if after is None else after, end, start_ms, end_ms
    rows = database.each(_KEYS if one_by_one else _ROWS, *bounds)
    ids: dict[int, Integers] = {}
    for some in _batches(rows, size):
        yield from _of_one_layout(database, some, ids)


def read_some_rows(database: Database, epoch: int, start_ms: int, end_ms: int, after: int | None) -> list[UnsealedRows]:
    """Return the first of the ticks that `read_rows` yields, about `_BATCH_BYTES` of them; none if there are none."""
    begin, end = _bounds(epoch)
    rows = database.each(_ROWS, begin if after is None else after, end, start_ms, FOREVER)
    # The times ascend. If SQLite looked for the end, it would read the rows that come after it as well.
    inside = takewhile(lambda row: row[1] < end_ms, rows)
    return list(_of_one_layout(database, next(_batches(inside, 0), []), {}))


def _of_one_layout(database: Database, rows: list[_Row], ids: dict[int, Integers]) -> Iterator[UnsealedRows]:
    """Group consecutive rows by layout; `ids` keeps the ids of each."""
    for layout, group in groupby(rows, _layout_of):
        positions, times, _, data = zip(*group, strict=True)
        if layout not in ids:
            ids[layout] = layout_ids(database, layout)
        values = None if data[0] is None else np.frombuffer(b"".join(data), "<f8").reshape(len(times), -1)
        yield UnsealedRows(
            database, np.array(positions, np.int64), np.array(times, np.int64), layout, ids[layout], values
        )


def row_times(database: Database, epoch: int, start_ms: int, end_ms: int) -> Integers:
    """Return the times of the ticks of an epoch in a range."""
    return np.array([time for _, time, *_ in database.each(_KEYS, *_bounds(epoch), start_ms, end_ms)], np.int64)


def row_bytes(database: Database, epoch: int) -> int:
    """Return the size of an epoch's newest row, or 0 if it has none. Earlier rows may be smaller or larger."""
    return database.one(_SIZE, *_bounds(epoch)) or 0


def first_row(database: Database, epoch: int, start_ms: int, end_ms: int = FOREVER) -> tuple[int, int, int, int] | None:
    """Return the first tick of an epoch in a range: position, time, layout and number of values."""
    _, end = _bounds(epoch)
    rows = database.all(_FIRST, _position_before(database, epoch, start_ms), end, start_ms, FOREVER)
    # The times ascend. If SQLite looked for the end, it would read all rows after it.
    return rows[0] if rows and rows[0][1] < end_ms else None


def _position_before(database: Database, epoch: int, time_ms: int) -> int:
    """Return a key before which all ticks of an epoch are before a time, and after which few are.

    Rows are large and have no index by time, so reading them one after another would take long.
    """
    before, end = _bounds(epoch)
    last = database.all(_LAST, before, end)
    after = last[0][0] if last else before
    while after - before > FEW_ROWS:
        middle = (before + after) // 2
        found = database.all(_NEXT, middle, after)
        if found and found[0][1] < time_ms:
            before = found[0][0]
        else:
            after = middle
    return before


def count_rows(database: Database, epoch: int, start_ms: int) -> int:
    """Return the number of rows of an epoch at or after a time."""
    return int(database.one(_COUNT, *_bounds(epoch), start_ms))


def newest_time(database: Database, epoch: int) -> int | None:
    """Return the time of the newest row of an epoch, or None if it has no rows."""
    newest: int | None = database.one(
        "SELECT time FROM ticks WHERE position > ? AND position < ? ORDER BY position DESC LIMIT 1", *_bounds(epoch)
    )
    return newest


def layout_ids(database: Database, layout: int) -> Integers:
    """Return the series ids of a layout, in the order of the values."""
    blob = database.one("SELECT series FROM layouts WHERE id = ?", layout)
    return np.frombuffer(blob or b"", "<u4").astype(np.int64)


def _bounds(epoch: int) -> tuple[int, int]:
    """Return the keys before and after all ticks of an epoch."""
    return position(epoch, 0) - 1, position(epoch + 1, 0)


def _batches(rows: Iterator[_Row], size: int) -> Iterator[list[_Row]]:
    """Group rows into batches of about `_BATCH_BYTES`. `size` is that of a row whose values are not read yet."""
    batch: list[_Row] = []
    total = 0
    for row in rows:
        batch.append(row)
        total += size if row[3] is None else len(row[3])
        if total >= _BATCH_BYTES:
            yield batch
            batch, total = [], 0
    if batch:
        yield batch


def _layout_of(row: _Row) -> int:
    return row[2]
