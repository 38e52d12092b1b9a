"""Inspecting a history file: how much of each tier it has, since when, and how many bytes a value takes.

It only reads, and works while a board writes the file.
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
"""How many of the newest spans of each tier are measured. All spans of a large file would take minutes."""

_NEWEST = (
    "SELECT id, tier, epoch, first, last, entries, times, bytes FROM spans WHERE tier = ? ORDER BY id DESC LIMIT ?"
)
_TIER = "SELECT total(entries), min(first), max(last), total(bytes) FROM spans WHERE tier = ?"
_ROWS = (
    "SELECT count(*), min(ticks.time), max(ticks.time), total(length(row)) FROM ticks "
    "JOIN epochs ON epochs.number = position >> 40 WHERE ticks.time >= epochs.sealed"
)


class TierInfo(Struct, frozen=True):
    """The contents of one tier of a file. Times are POSIX milliseconds.

    Attributes:
        tier: the tier.
        entries: how many ticks, minutes or hours it has, including ticks that are not in blocks yet.
        oldest_ms, newest_ms: the times of the first and the last entry; None: there are none.
        size_bytes: the size of the blocks.
        value_bytes: the bytes of a value in the newest blocks, where a bucket with its four numbers is one value; None:
            there is no block.
    """

    tier: Tier
    entries: int
    oldest_ms: int | None
    newest_ms: int | None
    size_bytes: int
    value_bytes: float | None


class FileInfo(Struct, frozen=True):
    """The contents of a history file.

    Attributes:
        tiers: ticks, minutes, hours.
        series: how many different series it has, including those that have left the board.
        rows: how many ticks are not in blocks yet.
        rows_bytes: the size of these ticks.
        size_bytes: the size of the file and of those that SQLite keeps beside it.
        is_open: whether a process has it open for writing.
    """

    tiers: tuple[TierInfo, ...]
    series: int
    rows: int
    rows_bytes: int
    size_bytes: int
    is_open: bool


def inspect(path: Path) -> FileInfo:
    """Return the contents of a history file.

    Raises:
        HistoryError: the file does not exist, is not a history, or cannot be read.
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
    """Return the bytes of a value in the newest spans; None: there are none."""
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
            values += int(np.count_nonzero(~np.isnan(columns.ticks([span], chosen))))
        else:
            values += int(np.count_nonzero(columns.rolled([span], times, chosen).count))
    return size / values if values else None


def _newest(database: Database, tier: int) -> Iterator[tuple[Span, int]]:
    for *span, size in database.all(_NEWEST, tier, SAMPLE):
        yield Span(*span), size
