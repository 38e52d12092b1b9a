"""Spans: the entries of one epoch and tier over a stretch of time, with a block for each stripe of series.

Both reader and writer use it to read columns. It knows the tables of the file, but no threads and no questions.
"""

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import NamedTuple

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from tickboard.expressions.alignment import Floats
from tickboard.history.answers import Integers
from tickboard.history.blocks import (
    AVG,
    COUNT,
    MAX,
    MIN,
    STRIPE,
    VALUE,
    Block,
    Cell,
    Encoded,
    Found,
    keys_of,
    pack,
    read_again,
)
from tickboard.history.codec import CorruptError, check_whole, decode, decode_whole, encode_whole
from tickboard.history.file import FOREVER, PAGE_BYTES, Database, block_key, is_damage
from tickboard.history.rollup import Rolled

RAW, MINUTES, HOURS = range(3)
"""The tiers, from the finest."""

MINUTE_MS, HOUR_MS = 60_000, 3_600_000

UNIT_MS = (1, MINUTE_MS, HOUR_MS)
"""The times of a tier are multiples of this."""

LENGTH_MS = (240 * MINUTE_MS, 240 * MINUTE_MS, 240 * HOUR_MS)
"""The longest span of each tier. Spans of rollups are aligned to multiples of it."""

_COLUMN_BYTES = 2 * PAGE_BYTES
"""If a block has more bytes than this for each requested column, only those columns are read."""

_DECODED_VALUES = 60_000
"""How many values are decoded at a time: together they are faster, and this many fit into a processor's cache."""

_NOWHERE: tuple[None, list[int]] = (None, [])

_ROLLED = (MIN, MAX, AVG, COUNT)

ROLLED_FIELDS = len(_ROLLED)
"""Values of each entry of a rollup."""

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
        unit = UNIT_MS[self.tier]
        if self.tier > RAW and (self.last - self.first) // unit + 1 == self.entries:
            # Times of a rollup are multiples of its unit, so these are all that there can be.
            check_whole(self.packed)
            return np.arange(self.first, self.last + 1, unit)
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

    def cells(self, span: int, stripe: int) -> list[Cell]:
        """Return all columns of a block as they are encoded; none if it is damaged or does not exist.

        Args:
            span: the id of its span.
            stripe: the number of its stripe.
        """
        try:
            blob = self._database.one("SELECT block FROM blocks WHERE key = ?", block_key(span, stripe))
            return [] if blob is None else Block(blob).cells()
        except (CorruptError, sqlite3.DatabaseError) as error:
            self._note(error, span, stripe)
            return []

    def _columns(
        self, span: int, stripe: int, keys: NDArray[np.uint16], like: Found | None
    ) -> tuple[Found, Encoded] | None:
        """Return some columns of a block, and where they are. `like` is where they were in another block."""
        try:
            blob = self._database.blob("blocks", "block", block_key(span, stripe))
            if blob is None:
                return None
            with blob:
                data = blob.read() if len(blob) <= len(keys) * _COLUMN_BYTES else blob
                if like is not None and (encoded := read_again(data, like)) is not None:
                    return like, encoded
                block = Block(data)
                found = block.find(keys)
                return found, block.read(found)
        except (CorruptError, sqlite3.DatabaseError) as error:
            self._note(error, span, stripe)
            return None

    def _note(self, error: Exception, span: int, stripe: int) -> None:
        """Record a damaged block. Raise any other error."""
        if isinstance(error, sqlite3.DatabaseError) and not is_damage(error):
            raise error
        self.damaged.add((span, -1 - stripe))

    def stripes(self, spans: Iterable[int]) -> list[int]:
        """Return the stripes that have a block in some spans."""
        found: set[int] = set()
        for span in spans:
            keys = self._database.all(
                "SELECT key FROM blocks WHERE key >= ? AND key < ?", block_key(span, 0), block_key(span + 1, 0)
            )
            found.update(key - block_key(span, 0) for (key,) in keys)
        return sorted(found)

    def ticks(self, spans: Sequence[Span], chosen: Chosen, first: int = 0, last: int | None = None) -> Floats:
        """Read ticks of some series.

        Args:
            spans: spans of ticks, at least one. Reading many at a time is faster.
            chosen: the series.
            first: the index of the first tick of each span to read.
            last: the index after the last one; None: read to the end.

        Returns:
            float64 [series, ticks]; NaN where a series has no value.
        """
        return self._read(spans, chosen, chosen.ticks, first, last)

    def rolled(self, spans: Sequence[Span], times: Integers, chosen: Chosen) -> Rolled:
        """Read rollups of some series; `times` are those of all spans."""
        found = self._read(spans, chosen, chosen.rollups).reshape(ROLLED_FIELDS, len(chosen), len(times))
        # A series with a damaged field has no value.
        missing = np.isnan(found).any(axis=0)
        low, high, avg, count = found
        if missing.any():
            low[missing] = high[missing] = np.nan
            avg[missing] = count[missing] = 0.0
        return Rolled(times, low, high, avg * count, count)

    def _read(
        self,
        spans: Sequence[Span],
        chosen: Chosen,
        wanted: "tuple[_Wanted, ...]",
        first: int = 0,
        last: int | None = None,
    ) -> Floats:
        """Read columns of some spans, one after the other: float64 [columns, entries]."""
        lengths = [(span.entries if last is None else last) - first for span in spans]
        decoder = _Decoder(sum(len(keys) for _, keys, _ in wanted), lengths, first)
        # For each stripe: where its columns were found last, and the row of each for the first span.
        places: dict[int, tuple[Found | None, list[int]]] = {}
        for number, span in enumerate(spans):
            for stripe, keys, rows in wanted:
                like, firsts = places.get(stripe, _NOWHERE)
                columns = self._columns(span.id, stripe, keys, like)
                if columns is not None:
                    found, encoded = columns
                    if found is not like:
                        firsts = (rows[found.rows] * len(spans)).tolist()
                        places[stripe] = found, firsts
                    decoder.add(number, span.entries, firsts, encoded)
        for number, row in decoder.finish():
            self.damaged.add((spans[number].id, int(chosen.ids[row % len(chosen)])))
        return decoder.values()


class _Decoder:
    """Decodes columns of several spans into one array, many at a time.

    Args:
        columns: the number of columns of each span.
        lengths: how many entries of each span to decode.
        first: the index of the first entry to decode.
    """

    def __init__(self, columns: int, lengths: list[int], first: int) -> None:
        self._columns, self._lengths, self._first = columns, lengths, first
        # A row for each span of each column, as wide as the longest.
        self._into = np.empty((columns * len(lengths), max(lengths)))
        self._missing = np.ones(len(self._into), np.bool_)
        self._kinds: list[int] = []
        self._payloads: list[bytes] = []
        self._entries: list[int] = []
        self._rows: list[int] = []
        self._damaged: list[tuple[int, int]] = []

    def add(self, span: int, entries: int, firsts: list[int], encoded: Encoded) -> None:
        """Add columns of one span.

        Args:
            span: the index of the span.
            entries: how many entries it has.
            firsts: for each column, its row for the first span.
            encoded: the columns.
        """
        self._rows += [row + span for row in firsts] if span else firsts
        self._kinds += encoded.kinds
        self._payloads += encoded.payloads
        self._entries += [entries] * len(firsts)
        if len(self._rows) * entries >= _DECODED_VALUES:
            self._decode()

    def finish(self) -> list[tuple[int, int]]:
        """Decode the remaining columns. Return the span and the number of each damaged column."""
        self._decode()
        self._into[self._missing] = np.nan
        return self._damaged

    def values(self) -> Floats:
        """Return the values, float64 [rows, entries]."""
        width = self._into.shape[1]
        if min(self._lengths) == width:
            return self._into.reshape(self._columns, len(self._lengths) * width)
        parts = self._into.reshape(self._columns, len(self._lengths), width)
        return np.concatenate([parts[:, span, :length] for span, length in enumerate(self._lengths)], axis=1)

    def _decode(self) -> None:
        damaged = decode(self._kinds, self._payloads, self._into, self._first, self._entries, self._rows)
        self._missing[self._rows] = False
        spans = len(self._lengths)
        self._damaged += [(self._rows[index] % spans, self._rows[index] // spans) for index in damaged]
        self._kinds, self._payloads, self._entries, self._rows = [], [], [], []


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


def write_span(database: Database, tier: int, epoch: int, times: Integers, blocks: Mapping[int, bytes]) -> int:
    """Write a span with its blocks by stripe, and return its id. Call it inside a transaction."""
    packed = encode_whole(times)
    size = len(packed) + sum(len(block) for block in blocks.values())
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
        "INSERT INTO blocks VALUES (?, ?)", ((block_key(span, stripe), block) for stripe, block in blocks.items())
    )
    return span


def delete_span(database: Database, span: int) -> None:
    """Delete a span with its blocks. Call it inside a transaction."""
    database.do("DELETE FROM blocks WHERE key >= ? AND key < ?", block_key(span, 0), block_key(span + 1, 0))
    database.do("DELETE FROM spans WHERE id = ?", span)


def replace_block(database: Database, span: int, stripe: int, cells: list[Cell]) -> None:
    """Replace a block. Call it inside a transaction."""
    key, blob = block_key(span, stripe), pack(cells) if cells else b""
    before = database.one("SELECT length(block) FROM blocks WHERE key = ?", key) or 0
    if blob:
        database.do("INSERT OR REPLACE INTO blocks VALUES (?, ?)", key, blob)
    else:
        database.do("DELETE FROM blocks WHERE key = ?", key)
    database.do("UPDATE spans SET bytes = bytes + ? WHERE id = ?", len(blob) - before, span)
