"""Sealing: rows of ticks become blocks, and blocks of ticks become rollups by minute and hour.

All work is done in steps, between which the caller commits new ticks; each yields about how many seconds the next one
takes. Columns are compressed outside a transaction. One transaction then writes a span with its blocks and moves the
mark before which the epoch is sealed or rolled up, so a reader sees each tick once. The rows are deleted afterwards,
some at a time.
"""

from collections.abc import Generator, Iterator

import numpy as np

from tickboard.expressions.alignment import Columns, Floats
from tickboard.history.answers import Integers
from tickboard.history.blocks import AVG, COUNT, MAX, MIN, STRIPE, VALUE, Cell, pack
from tickboard.history.codec import AVG_BITS, EXACT_BITS, VALUE_BITS, encode
from tickboard.history.epochs import Epoch, read_epochs
from tickboard.history.file import FOREVER, Database, position
from tickboard.history.pauses import LONG_S, SHORT_S
from tickboard.history.recording import Recorder
from tickboard.history.rollup import Rolled, join, roll, roll_ticks
from tickboard.history.spans import (
    HOUR_MS,
    HOURS,
    LENGTH_MS,
    MINUTE_MS,
    MINUTES,
    RAW,
    UNIT_MS,
    Chosen,
    ColumnReader,
    Span,
    delete_span,
    distinct,
    spans_between,
    write_span,
)
from tickboard.history.unsealed import UnsealedRows, first_row, read_some_rows

BLOCK_TICKS, WIDE_BLOCK_TICKS = 600, 480
"""About how many ticks a block has: fewer with `WIDE_SERIES`, because rows are slower to read than blocks."""

WIDE_SERIES = 5_000

AFTER_WINDOW_MS = 60_000
"""How long after it left the window a tick is sealed. Samples rarely arrive later than that."""

GROWTH_MS = {MINUTES: (HOUR_MS // 2, MINUTE_MS), HOURS: (24 * HOUR_MS, LENGTH_MS[MINUTES])}
"""For each rollup, the least that a span grows at a time, and the unit of its end. Readers have to compute everything
newer. Hours are made from spans of minutes that have their full length."""

GROWING_AVG_BITS = 27
"""How many bits of averages to keep in a span that still grows, since each growth rounds them again."""

_DELETED_ROWS = 50
"""How many rows are deleted in one transaction."""

_MINUTES = (1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 16, 20, 24, 30, 40, 48, 60, 80, 120, 240)
"""Possible lengths of a block in minutes. They divide 240, so a rollup is made of whole blocks."""


def block_ms(interval_ms: int, series: int) -> int:
    """Return the length of a block."""
    wanted = (WIDE_BLOCK_TICKS if series >= WIDE_SERIES else BLOCK_TICKS) * interval_ms / MINUTE_MS
    return min(_MINUTES, key=lambda minutes: abs(minutes - wanted)) * MINUTE_MS


_MARK = {
    MINUTES: "UPDATE epochs SET minutes = ? WHERE number = ?",
    HOURS: "UPDATE epochs SET hours = ? WHERE number = ?",
}


class Sealer:
    """Turns rows into blocks, and blocks into rollups.

    Args:
        database: the connection for writing.
        recorder: knows the current epoch.

    Attributes:
        columns: reads blocks.
        busy_before: ticks before this time must not be amended now, since they are being sealed or rolled up.
    """

    def __init__(self, database: Database, recorder: Recorder) -> None:
        self._database = database
        self._recorder = recorder
        self.columns = ColumnReader(database)
        self.busy_before = 0

    def run(self) -> Iterator[float]:
        """Seal and roll up everything that is old enough, in steps."""
        try:
            for epoch in read_epochs(self._database):
                yield from self._seal(epoch)
            for tier in (MINUTES, HOURS):
                for epoch in read_epochs(self._database):
                    yield from self._roll_up(epoch, tier)
        finally:
            self.busy_before = 0
            self._recorder.sealing = None

    # --- from rows to blocks ---

    def is_due(self) -> bool:
        """Return whether anything can be sealed."""
        oldest = self._database.all("SELECT position, time FROM ticks ORDER BY position LIMIT 1")
        if not oldest:
            return False
        [(tick, time)] = oldest
        if tick < position(self._recorder.epoch, 0):
            return self._is_settled()
        length = block_ms(self._recorder.interval_ms, self._recorder.width)
        return bool(time // length * length + length + self._margin() <= self._recorder.newest_ms)

    def _margin(self) -> int:
        return self._recorder.interval_ms * self._recorder.window + AFTER_WINDOW_MS

    def _is_settled(self) -> bool:
        """Return whether ticks of earlier epochs have left the window."""
        first = self._recorder.first_ms
        return first is not None and self._recorder.newest_ms - first >= self._margin()

    def _seal(self, epoch: Epoch) -> Iterator[float]:
        if epoch.is_sealed:
            return
        # A kill may have left rows that are in blocks.
        yield from self._delete_rows(epoch.number, epoch.sealed)
        is_current = epoch.number == self._recorder.epoch
        if not is_current and not self._is_settled():
            return
        sealed = epoch.sealed
        while (found := first_row(self._database, epoch.number, sealed)) is not None:
            _, time, _, width = found
            length = block_ms(epoch.interval_ms, width)
            end = time // length * length + length
            if is_current and end + self._margin() > self._recorder.newest_ms:
                return
            yield from self._seal_block(epoch.number, sealed, end)
            sealed = end
            yield from self._delete_rows(epoch.number, sealed)
            yield SHORT_S
        if not is_current:
            with self._database.transaction():
                self._database.do("UPDATE epochs SET sealed = ? WHERE number = ?", FOREVER, epoch.number)

    def _seal_block(self, epoch: int, start: int, end: int) -> Iterator[float]:
        self.busy_before = FOREVER
        self._recorder.sealing = epoch, end
        if epoch == self._recorder.epoch:
            self._recorder.sealed_ms = end
        rows = yield from self._read_rows(epoch, start, end)
        blocks: dict[int, bytes] = {}
        for stripe in rows.stripes:
            cells: list[Cell] = []
            places, values = rows.of(stripe)
            for encoded in encode(values, VALUE_BITS):
                cells += [Cell(int(places[each.place]), VALUE, each.kind, each.payload, each.crc) for each in encoded]
                yield SHORT_S
            if cells:
                blocks[stripe] = pack(cells)
        yield LONG_S
        with self._database.transaction():
            write_span(self._database, RAW, epoch, rows.times, blocks)
            last = int(rows.times[-1])
            self._database.do("UPDATE epochs SET sealed = ?, last = ? WHERE number = ?", end, last, epoch)
        self.busy_before = 0
        self._recorder.sealing = None

    def _read_rows(self, epoch: int, start: int, end: int) -> "Generator[float, None, _Rows]":
        parts: list[UnsealedRows] = []
        after: int | None = None
        # Rows that are amended between two steps are amended in the block as well.
        while some := read_some_rows(self._database, epoch, start, end, after):
            parts += some
            after = int(some[-1].positions[-1])
            yield SHORT_S
        return _Rows(parts)

    def _delete_rows(self, epoch: int, sealed: int) -> Iterator[float]:
        """Delete rows that are in blocks, some at a time."""
        deleted = False
        while True:
            with self._database.transaction():
                found = self._database.all(
                    "SELECT position, time FROM ticks WHERE position >= ? AND position < ? ORDER BY position LIMIT ?",
                    position(epoch, 0),
                    position(epoch + 1, 0),
                    _DELETED_ROWS,
                )
                old = [tick for tick, time in found if time < sealed]
                if not old:
                    if deleted:
                        self._recorder.forget_layouts()
                    return
                self._database.do("DELETE FROM ticks WHERE position >= ? AND position <= ?", old[0], old[-1])
            deleted = True
            yield SHORT_S

    # --- from blocks to rollups ---

    def _roll_up(self, epoch: Epoch, tier: int) -> Iterator[float]:
        below, mark = epoch.marks()[tier - 1], epoch.marks()[tier]
        while True:
            first = self._database.one(
                "SELECT min(first) FROM spans WHERE epoch = ? AND tier = ? AND first >= ?", epoch.number, tier - 1, mark
            )
            if first is None:
                break
            start = first // LENGTH_MS[tier] * LENGTH_MS[tier]
            least, multiple = GROWTH_MS[tier]
            end = min(start + LENGTH_MS[tier], below // multiple * multiple)
            if end < start + LENGTH_MS[tier] and end - first // multiple * multiple < least:
                return
            yield from self._roll_up_span(epoch.number, tier, start, mark, end)
            mark = end
        if below >= FOREVER > mark:
            with self._database.transaction():
                self._mark(epoch.number, tier, FOREVER)

    def _roll_up_span(self, epoch: int, tier: int, start: int, mark: int, end: int) -> Iterator[float]:
        """Roll up everything from `mark` to `end`. A span from `start` to `mark` is replaced by a longer one."""
        self.busy_before = FOREVER
        before = self._readable(tier, epoch, start, min(mark, end), start)
        found = self._readable(tier - 1, epoch, mark, end, mark)
        blocks: dict[int, bytes] = {}
        for stripe in self.columns.stripes(span.id for span, _ in [*before, *found]):
            chosen = Chosen.of(np.arange(stripe * STRIPE, (stripe + 1) * STRIPE))
            parts = [self.columns.rolled([span], times, chosen) for span, times in before]
            for span, times in found:
                parts.append(self._rolled(span, times, chosen, UNIT_MS[tier]))
                yield SHORT_S
            cells: list[Cell] = []
            # Averages are fully rounded when the span has its full length.
            bits = AVG_BITS if end == start + LENGTH_MS[tier] else GROWING_AVG_BITS
            for encoded in cells_of(join(parts), np.arange(STRIPE), bits):
                cells += encoded
                yield SHORT_S
            if cells:
                blocks[stripe] = pack(cells)
        yield LONG_S
        entries = [times // UNIT_MS[tier] * UNIT_MS[tier] for _, times in [*before, *found]]
        with self._database.transaction():
            for span, _ in before:
                delete_span(self._database, span.id)
            if entries:
                write_span(self._database, tier, epoch, distinct(np.concatenate(entries)), blocks)
            self._mark(epoch, tier, end)
        self.busy_before = 0

    def _readable(self, tier: int, epoch: int, start: int, end: int, since: int) -> list[tuple[Span, Integers]]:
        """Return the spans in a range whose times can be read, with their times."""
        found = spans_between(self._database, tier, epoch, start, end, since)
        return [(span, times) for span in found if (times := self.columns.times(span)) is not None]

    def _rolled(self, span: Span, times: Integers, chosen: Chosen, unit_ms: int) -> Rolled:
        if span.tier > RAW:
            return roll(self.columns.rolled([span], times, chosen), unit_ms)
        return roll_ticks(times, self.columns.ticks([span], chosen), unit_ms)

    def _mark(self, epoch: int, tier: int, until: int) -> None:
        self._database.do(_MARK[tier], until, epoch)


class _Rows:
    """The rows of one block.

    Args:
        parts: all of them, in order.

    Attributes:
        times: the times of all rows, POSIX milliseconds.
        stripes: the stripes of all series.
    """

    def __init__(self, parts: list[UnsealedRows]) -> None:
        self._parts = parts
        self._layouts = {part.layout: part.ids for part in parts}
        self.times = np.concatenate([part.times for part in parts])
        self.stripes: list[int] = distinct(np.concatenate([*self._layouts.values()]) // STRIPE).tolist()

    def of(self, stripe: int) -> tuple[Integers, Floats]:
        """Return the places of the series in one stripe, and their values, float64 [series, ticks]."""
        # By layout: the columns of these series, and their places.
        found: dict[int, tuple[Columns, Integers]] = {}
        for layout, ids in self._layouts.items():
            columns = np.flatnonzero(ids // STRIPE == stripe)
            found[layout] = columns, ids[columns] % STRIPE
        places = distinct(np.concatenate([some for _, some in found.values()]))
        rows = {layout: np.searchsorted(places, some) for layout, (_, some) in found.items()}
        values = np.full((len(places), len(self.times)), np.nan)
        first = 0
        for part in self._parts:
            last = first + len(part)
            values[rows[part.layout], first:last] = part.columns(found[part.layout][0]).T
            first = last
        return places, values


def cells_of(rolled: Rolled, places: Integers, avg_bits: int = AVG_BITS) -> Iterator[list[Cell]]:
    """Encode a rollup in steps.

    Args:
        rolled: the rollup.
        places: the places of its series in their stripe.
        avg_bits: how many bits of the fraction of averages to keep.
    """
    count = np.where(rolled.count > 0, rolled.count, np.nan)
    fields = ((MIN, rolled.min, EXACT_BITS), (MAX, rolled.max, EXACT_BITS), (AVG, rolled.avg, avg_bits))
    for field, columns, bits in (*fields, (COUNT, count, EXACT_BITS)):
        for encoded in encode(columns, bits):
            yield [Cell(int(places[each.place]), field, each.kind, each.payload, each.crc) for each in encoded]
