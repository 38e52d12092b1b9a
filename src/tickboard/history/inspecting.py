"""What is in the file of a history: how much of each tier, from when, and what a value costs.

It only reads, also while a board writes the file.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from msgspec import Struct

from tickboard.history.answers import Tier
from tickboard.history.exporting import readable
from tickboard.history.file import PURPOSE, Database, is_in_use, size_bytes
from tickboard.history.layout import TIERS
from tickboard.history.spans import RAW, Chosen, ColumnReader, Span
from tickboard.storage.place import find_place

SAMPLE = 20
"""Spans of each tier, the newest, in which values are counted: all of a large file would take minutes."""

_NEWEST = (
    "SELECT id, tier, epoch, first, last, entries, times, bytes FROM spans WHERE tier = ? ORDER BY id DESC LIMIT ?"
)
_TIER = "SELECT total(entries), min(first), max(last), total(bytes) FROM spans WHERE tier = ?"
_ROWS = (
    "SELECT count(*), min(ticks.time), max(ticks.time), total(length(row)) FROM ticks "
    "JOIN epochs ON epochs.number = position >> 40 WHERE ticks.time >= epochs.sealed"
)


class TierInfo(Struct, frozen=True):
    """What a file has of one tier. Times are POSIX milliseconds.

    Attributes:
        tier: which.
        entries: how many ticks, minutes or hours; of the ticks also those that are in no block yet.
        oldest_ms, newest_ms: the first and the last of them; None: there is none.
        size_bytes: of the blocks.
        value_bytes: what a value takes in the newest blocks, a bucket with its four numbers being one value; None:
            there is no block.
    """

    tier: Tier
    entries: int
    oldest_ms: int | None
    newest_ms: int | None
    size_bytes: int
    value_bytes: float | None


class FileInfo(Struct, frozen=True):
    """What is in the file of a history.

    Attributes:
        tiers: ticks, minutes, hours.
        series: how many different series there are, also those that have left the board.
        rows: ticks that are in no block yet.
        rows_bytes: what those take.
        size_bytes: of the file and what SQLite keeps beside it.
        is_open: whether a process writes it.
    """

    tiers: tuple[TierInfo, ...]
    series: int
    rows: int
    rows_bytes: int
    size_bytes: int
    is_open: bool


def inspect(path: Path) -> FileInfo:
    """Return what is in a file.

    Raises:
        HistoryError: there is no such file, it is none of a history, or it cannot be read.
    """
    with readable(path) as database:
        real = find_place(path, PURPOSE)
        with database.transaction("DEFERRED"):
            [(rows, oldest, newest, rows_bytes)] = database.all(_ROWS)
            tiers = [_tier(database, number, tier) for number, tier in enumerate(TIERS)]
            series = database.one("SELECT count(*) FROM series")
        if rows:
            tiers[RAW] = _with_rows(tiers[RAW], rows, oldest, newest)
        return FileInfo(tuple(tiers), series, rows, int(rows_bytes), size_bytes(real), is_in_use(real))


def _tier(database: Database, number: int, tier: Tier) -> TierInfo:
    [(entries, oldest, newest, size)] = database.all(_TIER, number)
    value_bytes = _value_bytes(database, number)
    return TierInfo(tier, int(entries), oldest, newest, int(size), value_bytes)


def _with_rows(ticks: TierInfo, rows: int, oldest: int, newest: int) -> TierInfo:
    known = [time for time in (ticks.oldest_ms, ticks.newest_ms, oldest, newest) if time is not None]
    return TierInfo(ticks.tier, ticks.entries + rows, min(known), max(known), ticks.size_bytes, ticks.value_bytes)


def _value_bytes(database: Database, tier: int) -> float | None:
    """Return what a value takes in the newest spans; None: there is none."""
    columns = ColumnReader(database)
    ids = [id for (id,) in database.all("SELECT id FROM series ORDER BY id")]
    chosen = Chosen.of(np.array(ids, np.int64))
    size = values = 0
    for span, span_bytes in _newest(database, tier):
        times = columns.times(span)
        if times is None:
            continue
        size += span_bytes
        if tier == RAW:
            found = np.empty((len(chosen), len(times)))
            columns.values(span, chosen, found)
            values += int(np.count_nonzero(~np.isnan(found)))
        else:
            values += int(np.count_nonzero(columns.rolled(span, times, chosen).count))
    return size / values if values else None


def _newest(database: Database, tier: int) -> Iterator[tuple[Span, int]]:
    for *span, size in database.all(_NEWEST, tier, SAMPLE):
        yield Span(*span), size
