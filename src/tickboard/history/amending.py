"""Amending: change ticks that are already in blocks, with their minutes and hours.

Each block is rewritten once for all its changes. The caller opens the transaction.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from msgspec import Struct, field
from numpy.typing import NDArray

from tickboard.expressions.alignment import Floats
from tickboard.history.answers import Integers
from tickboard.history.blocks import VALUE, Cell
from tickboard.history.codec import VALUE_BITS, encode
from tickboard.history.epochs import Epoch, read_epochs
from tickboard.history.file import Database
from tickboard.history.recording import SealedAmendment
from tickboard.history.rollup import Rolled, roll, roll_ticks
from tickboard.history.sealing import cells_of
from tickboard.history.spans import (
    HOURS,
    MINUTES,
    RAW,
    UNIT_MS,
    Chosen,
    ColumnReader,
    Span,
    replace_block,
    spans_between,
)


class _Changes(Struct):
    """The changes to one span, in order: of each entry, the ids of the series and their new values."""

    epoch: Epoch
    span: Span
    times: Integers
    entries: list[tuple[int, Integers, Floats]] = field(default_factory=list)


class Amender:
    """Rewrites blocks with amended values.

    Args:
        database: the connection for writing.
        columns: reads blocks.
    """

    def __init__(self, database: Database, columns: ColumnReader) -> None:
        self._database = database
        self._columns = columns

    def apply(self, amended: Sequence[SealedAmendment]) -> int:
        """Write amended values, and return the number of values without a tick."""
        changed: dict[int, _Changes] = {}
        missed = 0
        epochs = {epoch.number: epoch for epoch in read_epochs(self._database)} if amended else {}
        for each in amended:
            found = self._find(each, epochs[each.epoch], changed)
            if found is None:
                missed += 0 if each.is_in_row else len(each.values)
                continue
            changes, entry = found
            if len(each.ids):
                changes.entries.append((entry, each.ids, each.values))
        for changes in changed.values():
            self._write(changes)
        return missed

    def _find(
        self, amended: SealedAmendment, epoch: Epoch, changed: dict[int, _Changes]
    ) -> tuple[_Changes, int] | None:
        """Return the changes of the span that has the tick, and the index of its entry."""
        until = amended.time + epoch.interval_ms
        for span in spans_between(self._database, RAW, epoch.number, amended.time, until):
            if span.id not in changed:
                times = self._columns.times(span)
                if times is None:
                    continue
                changed[span.id] = _Changes(epoch, span, times)
            times = changed[span.id].times
            entry = int(np.searchsorted(times, amended.time))
            if entry < len(times) and times[entry] < until:
                return changed[span.id], entry
        return None

    def _write(self, changes: _Changes) -> None:
        if not changes.entries:
            return
        chosen = Chosen.of(np.unique(np.concatenate([ids for _, ids, _ in changes.entries])))
        values = self._columns.ticks([changes.span], chosen)
        for entry, ids, amended_values in changes.entries:
            values[np.searchsorted(chosen.ids, ids), entry] = amended_values
        entries = {entry for entry, _, _ in changes.entries}
        for stripe, places, where in chosen.stripes:
            self._replace(changes.span.id, stripe, places, _cells(values[where], places))
        amended = changes.times[sorted(entries)]
        if changes.epoch.minutes > int(amended[0]):
            rolled = _at(roll_ticks(changes.times, values, UNIT_MS[MINUTES]), amended, UNIT_MS[MINUTES])
            self._write_rolled(MINUTES, changes.epoch, chosen, rolled)

    def _write_rolled(self, tier: int, epoch: Epoch, chosen: Chosen, rolled: Rolled) -> None:
        """Write changed entries into a rollup, and into the one above it."""
        for span in spans_between(self._database, tier, epoch.number, int(rolled.times[0]), int(rolled.times[-1]) + 1):
            times = self._columns.times(span)
            if times is None:
                continue
            # All entries are in one span, because their ticks are.
            where = np.searchsorted(times, rolled.times)
            before = self._columns.rolled([span], times, chosen)
            for name in ("min", "max", "sum", "count"):
                getattr(before, name)[:, where] = getattr(rolled, name)
            for stripe, places, rows in chosen.stripes:
                part = Rolled(times, before.min[rows], before.max[rows], before.sum[rows], before.count[rows])
                self._replace(span.id, stripe, places, cells_of(part, places.astype(np.int64)))
            if tier < HOURS and epoch.hours > int(rolled.times[0]):
                hours = _at(roll(before, UNIT_MS[HOURS]), rolled.times, UNIT_MS[HOURS])
                self._write_rolled(HOURS, epoch, chosen, hours)

    def _replace(self, span: int, stripe: int, places: NDArray[np.intp], made: Iterator[list[Cell]]) -> None:
        """Replace all columns of some series in a block."""
        gone = set(places.tolist())
        kept = [cell for cell in self._columns.cells(span, stripe) if cell.place not in gone]
        replace_block(self._database, span, stripe, [*kept, *(cell for cells in made for cell in cells)])


def _cells(values: Floats, places: NDArray[np.intp]) -> Iterator[list[Cell]]:
    for encoded in encode(values, VALUE_BITS):
        yield [Cell(int(places[each.place]), VALUE, each.kind, each.payload, each.crc) for each in encoded]


def _at(rolled: Rolled, times: Integers, unit_ms: int) -> Rolled:
    """Return the entries that contain the given times."""
    return rolled.take(np.isin(rolled.times, times // unit_ms * unit_ms))
