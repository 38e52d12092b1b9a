"""Spans: the entries of one epoch and tier over a stretch of time, with a block for each stripe of series.

Both reader and writer use it to read columns. It knows the tables of the file, but no threads and no questions.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import cached_property
from typing import NamedTuple

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from tickboard.expressions.alignment import Floats
from tickboard.history.answers import Integers
from tickboard.history.blocks import AVG, COUNT, MAX, MIN, STRIPE, VALUE, Block, Cell, Encoded, keys_of, pack
from tickboard.history.codec import CorruptError, decode, decode_whole, encode_whole
from tickboard.history.file import FOREVER, Database, block_key, is_damage
from tickboard.history.rollup import Rolled

RAW, MINUTES, HOURS = range(3)
"""The tiers, from the finest."""

MINUTE_MS, HOUR_MS = 60_000, 3_600_000

UNIT_MS = (1, MINUTE_MS, HOUR_MS)
"""The times of a tier are multiples of this."""

LENGTH_MS = (240 * MINUTE_MS, 240 * MINUTE_MS, 240 * HOUR_MS)
"""The longest span of each tier. Spans of rollups are aligned to multiples of it."""

_FEW = 24
"""Up to this many columns of a block are read one by one; for more, the whole block is read."""

_DECODED_VALUES = 60_000
"""How many values are decoded at a time: together they are faster, and this many fit into a processor's cache."""

_ROLLED = (MIN, MAX, AVG, COUNT)

_SPANS = (
    "SELECT id, tier, epoch, first, last, entries, times FROM spans "
    "WHERE epoch = ? AND tier = ? AND first >= ? AND first < ? AND last >= ? ORDER BY first"
)


class Span(Struct, frozen=True):
    """One span, without its blocks.

    Attributes:
        id: the id of its row.
        tier: the number of its tier.
        epoch: the number of its epoch.
        first, last: the times of its first and last entry, POSIX milliseconds.
        entries: how many entries it has.
        packed: the encoded times of its entries.
    """

    id: int
    tier: int
    epoch: int
    first: int
    last: int
    entries: int
    packed: bytes

    def times(self) -> Integers:
        """Return the times of the entries, int64 [entries], ascending.

        Raises:
            CorruptError: they are damaged.
        """
        times = decode_whole(self.packed)
        if len(times) != self.entries:
            raise CorruptError("a span has another number of times")
        return times


class Chosen(Struct, frozen=True, dict=True):
    """Some series, grouped by stripe.

    Attributes:
        ids: int64 [series], ascending.
        stripes: for each stripe its number, the places of the series in it, and their slice of `ids`.
    """

    ids: Integers
    stripes: tuple[tuple[int, NDArray[np.intp], slice], ...]

    @cached_property
    def ticks(self) -> "tuple[_Wanted, ...]":
        """The columns of ticks, one for each series."""
        return self._wanted((VALUE,))

    @cached_property
    def rollups(self) -> "tuple[_Wanted, ...]":
        """The columns of rollups: the four fields of each series, those of the first field first."""
        return self._wanted(_ROLLED)

    @classmethod
    def of(cls, ids: Integers) -> "Chosen":
        """Group series by stripe; `ids` are ascending."""
        numbers = distinct(ids // STRIPE)
        starts = np.searchsorted(ids, numbers * STRIPE)
        ends = [*starts.tolist(), len(ids)][1:]
        stripes = tuple(
            (int(number), (ids[start:end] % STRIPE).astype(np.intp), slice(start, end))
            for number, start, end in zip(numbers.tolist(), starts.tolist(), ends, strict=True)
        )
        return cls(ids, stripes)

    def __len__(self) -> int:
        return len(self.ids)

    def _wanted(self, fields: Sequence[int]) -> "tuple[_Wanted, ...]":
        rows = np.arange(len(fields) * len(self.ids)).reshape(len(fields), -1)
        return tuple(
            _Wanted(number, keys_of(fields, places), rows[:, where].ravel()) for number, places, where in self.stripes
        )


class _Wanted(NamedTuple):
    """Columns of a stripe to read: their keys, and their rows in the result."""

    stripe: int
    keys: NDArray[np.uint16]
    rows: NDArray[np.intp]


class ColumnReader:
    """Reads columns, and records which are damaged.

    Args:
        database: the connection to read from.

    Attributes:
        damaged: a span and the id of a series for each column that could not be read; a negative number instead of the
            id for a whole stripe or span.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self.damaged: set[tuple[int, int]] = set()

    def times(self, span: Span) -> Integers | None:
        """Return the times of a span, or None if they are damaged. Then nothing in the span can be read."""
        try:
            return span.times()
        except CorruptError:
            self.damaged.add((span.id, -1))
            return None

    @contextmanager
    def block(self, span: int, stripe: int, columns: int = STRIPE) -> Iterator[Block | None]:
        """Open one block; None if none of its series has a value, or it is damaged.

        Args:
            span: the id of its span.
            stripe: the number of its stripe.
            columns: how many columns will be read.
        """
        key = block_key(span, stripe)
        block: Block | None = None
        with ExitStack() as stack:
            try:
                if columns > _FEW:
                    blob = self._database.one("SELECT block FROM blocks WHERE key = ?", key)
                else:
                    blob = self._database.blob("blocks", "block", key)
                    if blob is not None:
                        stack.enter_context(blob)
                block = None if blob is None else Block(blob)
            except (CorruptError, sqlite3.DatabaseError) as error:
                if isinstance(error, sqlite3.DatabaseError) and not is_damage(error):
                    raise
                self.damaged.add((span, -1 - stripe))
            yield block

    def stripes(self, spans: Iterable[int]) -> list[int]:
        """Return the stripes that have a block in some spans."""
        found: set[int] = set()
        for span in spans:
            keys = self._database.all(
                "SELECT key FROM blocks WHERE key >= ? AND key < ?", block_key(span, 0), block_key(span + 1, 0)
            )
            found.update(key - block_key(span, 0) for (key,) in keys)
        return sorted(found)

    def values(self, span: Span, chosen: Chosen, into: Floats, first: int = 0) -> None:
        """Read ticks of some series into float64 [series, ticks], beginning with the tick at index `first`."""
        self._read(span, chosen, chosen.ticks, into, first)

    def rolled(self, span: Span, times: Integers, chosen: Chosen) -> Rolled:
        """Read a rollup of some series; `times` are those of the span."""
        found = np.empty((len(_ROLLED), len(chosen), len(times)))
        self._read(span, chosen, chosen.rollups, found.reshape(-1, len(times)))
        # A series with a damaged field has no value.
        missing = np.isnan(found).any(axis=0)
        low, high, avg, count = found
        if missing.any():
            low[missing] = high[missing] = np.nan
            avg[missing] = count[missing] = 0.0
        return Rolled(times, low, high, avg * count, count)

    def _read(self, span: Span, chosen: Chosen, wanted: "tuple[_Wanted, ...]", into: Floats, first: int = 0) -> None:
        into.fill(np.nan)
        waiting = Encoded([], [], [])
        for stripe, keys, rows in wanted:
            with self.block(span.id, stripe, len(keys)) as block:
                if block is not None:
                    found = block.find(keys)
                    waiting.rows.extend(rows[found.rows].tolist())
                    waiting.kinds.extend(found.kinds)
                    waiting.payloads.extend(found.payloads)
            if len(waiting.rows) * span.entries >= _DECODED_VALUES:
                self._decode(span, chosen, waiting, into, first)
                waiting = Encoded([], [], [])
        self._decode(span, chosen, waiting, into, first)

    def _decode(self, span: Span, chosen: Chosen, encoded: Encoded, into: Floats, first: int) -> None:
        rows, kinds, payloads = encoded
        some = np.empty((len(rows), into.shape[1]))
        damaged = decode(kinds, payloads, some, first, span.entries)
        into[rows] = some
        self.damaged.update((span.id, int(chosen.ids[rows[index] % len(chosen)])) for index in damaged)


def distinct(numbers: Integers) -> Integers:
    """Return each number once, ascending. `np.unique` would import `numpy.ma`, which takes 10 MB."""
    ordered = np.sort(numbers)
    once: Integers = ordered[np.diff(ordered, prepend=ordered[:1] - 1) != 0]
    return once


def spans_between(
    database: Database, tier: int, epoch: int, start_ms: int, end_ms: int, since_ms: int = 0
) -> list[Span]:
    """Return the spans of a tier and an epoch that have an entry in a range, in order.

    Args:
        database: the connection to read from.
        tier: the number of the tier.
        epoch: the number of the epoch.
        start_ms: the start of the range, inclusive.
        end_ms: the end of the range, exclusive.
        since_ms: spans that start before this are left out.
    """
    earliest = max(start_ms - LENGTH_MS[tier], since_ms)
    return [Span(*row) for row in database.each(_SPANS, epoch, tier, earliest, end_ms, start_ms)]


def first_span(database: Database, epoch: int, since_ms: int) -> Span | None:
    """Return the first span with a tick of an epoch at or after a time, or None."""
    rows = database.all(f"{_SPANS} LIMIT 1", epoch, RAW, since_ms - LENGTH_MS[RAW], FOREVER, since_ms)
    return Span(*rows[0]) if rows else None


def write_span(database: Database, tier: int, epoch: int, times: Integers, blocks: Mapping[int, list[Cell]]) -> int:
    """Write a span with its blocks by stripe, and return its id. Call it inside a transaction."""
    packed = encode_whole(times)
    blobs = {stripe: pack(cells) for stripe, cells in blocks.items() if cells}
    size = len(packed) + sum(len(blob) for blob in blobs.values())
    span = database.do(
        "INSERT INTO spans (tier, epoch, first, last, entries, bytes, times) VALUES (?, ?, ?, ?, ?, ?, ?)",
        tier,
        epoch,
        int(times[0]),
        int(times[-1]),
        len(times),
        size,
        packed,
    )
    database.many(
        "INSERT INTO blocks VALUES (?, ?)", ((block_key(span, stripe), blob) for stripe, blob in blobs.items())
    )
    return span


def replace_block(database: Database, span: int, stripe: int, cells: list[Cell]) -> None:
    """Replace a block. Call it inside a transaction."""
    key, blob = block_key(span, stripe), pack(cells) if cells else b""
    before = database.one("SELECT length(block) FROM blocks WHERE key = ?", key) or 0
    if blob:
        database.do("INSERT OR REPLACE INTO blocks VALUES (?, ?)", key, blob)
    else:
        database.do("DELETE FROM blocks WHERE key = ?", key)
    database.do("UPDATE spans SET bytes = bytes + ? WHERE id = ?", len(blob) - before, span)
