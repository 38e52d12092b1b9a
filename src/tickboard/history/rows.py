"""Rows: the ticks that are in no block yet, one row of values each, and the layouts that say whose the values are."""

from collections.abc import Iterator

import numpy as np

from tickboard.history.answers import Integers
from tickboard.history.file import FOREVER, Database, position

_FOUND = "FROM ticks WHERE position >= ? AND position < ? AND time >= ? AND time < ? ORDER BY position"
_ROWS = f"SELECT time, layout, row {_FOUND}"
_TIMES = f"SELECT time {_FOUND}"
_FIRST = f"SELECT position, time, layout, length(row) / 8 {_FOUND} LIMIT 1"


def each_row(database: Database, epoch: int, start_ms: int, end_ms: int) -> Iterator[tuple[int, int, bytes]]:
    """Yield the ticks of an epoch in a range: time, layout, and the values as float64."""
    bounds = position(epoch, 0), position(epoch + 1, 0), start_ms, end_ms
    yield from database.each(_ROWS, *bounds)


def row_times(database: Database, epoch: int, start_ms: int, end_ms: int) -> Integers:
    """Return the times of the ticks of an epoch in a range."""
    bounds = position(epoch, 0), position(epoch + 1, 0), start_ms, end_ms
    return np.array([time for (time,) in database.each(_TIMES, *bounds)], np.int64)


def first_row(database: Database, epoch: int, start_ms: int, end_ms: int = FOREVER) -> tuple[int, int, int, int] | None:
    """Return the first tick of an epoch in a range: position, time, layout, and how many values it has."""
    bounds = position(epoch, 0), position(epoch + 1, 0), start_ms, end_ms
    rows = database.all(_FIRST, *bounds)
    return rows[0] if rows else None


def newest_time(database: Database, epoch: int) -> int | None:
    """Return the time of the newest tick of an epoch that is in no block; None: there is none."""
    newest: int | None = database.one(
        "SELECT time FROM ticks WHERE position >= ? AND position < ? ORDER BY position DESC LIMIT 1",
        position(epoch, 0),
        position(epoch + 1, 0),
    )
    return newest


def layout_ids(database: Database, layout: int) -> Integers:
    """Return the ids of the series of a layout, in the order of its values."""
    blob = database.one("SELECT series FROM layouts WHERE id = ?", layout)
    return np.frombuffer(blob or b"", "<u4").astype(np.int64)
