"""Recording: write each tick as a row, and amended values into ticks that are still rows.

It knows the current epoch, the id of each series, and the layouts in the file. It clears its caches if a transaction
fails.
"""

from collections.abc import Iterable

import numpy as np
from msgspec import Struct

from tickboard.expressions.alignment import Columns, Floats
from tickboard.history.answers import Integers
from tickboard.history.catalogue import encode_labels
from tickboard.history.epochs import Epoch, read_epochs
from tickboard.history.file import Database, position
from tickboard.history.layout import Layout
from tickboard.history.unsealed import first_row, layout_ids
from tickboard.history.waiting import AmendTick, AppendTick, BeginEpoch, Item

JUMP_MS = 86_400_000
"""A tick this much later than the one before may come from a wrong clock."""

_KEPT_LAYOUTS = 16
"""How many layouts `Recorder.layouts` has."""


class SealedAmendment(Struct, frozen=True, eq=False):
    """Amended values of a tick that is in a block, or in one that is being written.

    Attributes:
        epoch: the number of the tick's epoch.
        time: the time of the tick, or less than an interval before it.
        ids: int64 [values].
        values: float64 [values].
        is_in_row: whether the row of the tick already has them; the block is only being written.
    """

    epoch: int
    time: int
    ids: Integers
    values: Floats
    is_in_row: bool = False


class Recorder:
    """Writes queued items. The caller opens the transactions.

    Args:
        database: the connection for writing.
        run: the current epoch, if it began in another file.

    Attributes:
        run: the current epoch; None before the first.
        epoch: the number of the current epoch; 0 before the first.
        interval_ms: milliseconds between its ticks.
        window: the number of ticks in the board's window; these are not sealed.
        first_ms: the time of its first tick; None before that.
        newest_ms: the time of the newest tick; 0 before the first.
        jumped_ms: when the clock last jumped ahead by more than `JUMP_MS`.
        width: the number of series in the newest row.
        amended: how many rows were amended, in transactions that did not fail.
        missed: amended values without a tick, in transactions that did not fail.
        has_new: whether an epoch has begun, or a series is new, in transactions that did not fail.
        sealing: the epoch of the rows that are being written into a block, and the time where they end; None if none.
        sealed_ms: the end of the newest block of the current epoch, from when it is being written; 0 before the first.
        layouts: the last layouts and the ids of their series, in transactions that did not fail.
    """

    def __init__(self, database: Database, run: BeginEpoch | None = None) -> None:
        self._database = database
        self.run = run
        self.epoch = self.interval_ms = self.window = self.width = 0
        self.first_ms: int | None = None
        self.newest_ms: int = database.one("SELECT max(last) FROM epochs") or 0
        self.jumped_ms = self.sealed_ms = 0
        self.sealing: tuple[int, int] | None = None
        self.forget()

    def forget(self) -> None:
        """Clear the caches, after a transaction failed."""
        self._ids: dict[tuple[str, str], tuple[int, str]] | None = None
        self.amended = self.missed = 0
        self.has_new = False
        self._layouts: dict[bytes, int] = {}
        # The newest layout, its series ids and its id in the file.
        self._layout: tuple[Layout, Integers, int] | None = None
        self.layouts: tuple[tuple[Layout, Integers], ...] = ()
        self.epoch = 0
        self.first_ms = None

    def write(self, items: Iterable[Item]) -> list[SealedAmendment]:
        """Write items in order, and return the amended values that have to be written into blocks."""
        amended: list[SealedAmendment] = []
        epochs: list[Epoch] | None = None
        for item in items:
            if isinstance(item, BeginEpoch):
                self.run, self.epoch = item, 0
                epochs = None
            elif isinstance(item, AppendTick):
                self._write(item)
                epochs = None
            else:
                if epochs is None:
                    epochs = read_epochs(self._database)
                amended += self._amend(item, epochs)
        if self.run is not None and not self.epoch:
            self._begin(self.run)
        return amended

    # --- ticks ---

    def _begin(self, run: BeginEpoch) -> None:
        known = self._database.all("SELECT number, first FROM epochs WHERE name = ?", run.epoch)
        if known:
            [(self.epoch, self.first_ms)] = known
        else:
            self.epoch = self._database.do(
                "INSERT INTO epochs (name, interval_ms, sealed, minutes, hours) VALUES (?, ?, 0, 0, 0)",
                run.epoch,
                run.interval_ms,
            )
            self.first_ms = None
        self.has_new = True
        self.interval_ms, self.window = run.interval_ms, run.window

    def _write(self, tick: AppendTick) -> None:
        if not self.epoch:
            assert self.run is not None, "begin an epoch first"
            self._begin(self.run)
        if self.first_ms is None:
            self.first_ms, self.has_new = tick.time_ms, True
            self._database.do("UPDATE epochs SET first = ? WHERE number = ?", tick.time_ms, self.epoch)
        _, layout = self._known(tick.layout)
        # Replace, because a commit that failed may have reached the disk.
        self._database.do(
            "INSERT OR REPLACE INTO ticks VALUES (?, ?, ?, ?)",
            position(self.epoch, tick.seq),
            tick.time_ms,
            layout,
            tick.row,
        )
        if self.newest_ms and tick.time_ms - self.newest_ms > JUMP_MS:
            self.jumped_ms = tick.time_ms
        self.newest_ms, self.width = tick.time_ms, len(tick.layout.keys)

    def _known(self, layout: Layout) -> tuple[Integers, int]:
        """Return the series ids of a layout, and its id in the file."""
        if self._layout is None or self._layout[0] is not layout:
            ids = self._series(layout)
            self._layout = layout, ids, self._put_layout(ids)
            self.layouts = (*self.layouts[1 - _KEPT_LAYOUTS :], (layout, ids))
        return self._layout[1], self._layout[2]

    def _put_layout(self, ids: Integers) -> int:
        packed = ids.astype("<u4").tobytes()
        number = self._layouts.get(packed)
        if number is None:
            number = self._database.do("INSERT INTO layouts (series) VALUES (?)", packed)
            self._layouts[packed] = number
        return number

    def forget_layouts(self) -> None:
        """Delete layouts that no row uses. Call it inside a transaction."""
        self._database.do("DELETE FROM layouts WHERE id NOT IN (SELECT DISTINCT layout FROM ticks)")
        self._layouts.clear()
        self._layout = None

    def _series(self, layout: Layout) -> Integers:
        """Return the series ids of a layout. Add series that are new."""
        if self._ids is None:
            self._ids = {
                (name, labels): (id, unit)
                for id, name, labels, unit in self._database.each("SELECT id, name, labels, unit FROM series")
            }
        ids = np.empty(len(layout.keys), np.int64)
        changed = False
        for index, (name, labels, unit) in enumerate(layout.keys):
            key = name, encode_labels(labels).decode()
            id, unit_before = self._ids.get(key, (0, None))
            if unit_before is None:
                id = self._database.do("INSERT INTO series (name, labels, unit) VALUES (?, ?, ?)", *key, unit)
            elif unit_before != unit:
                self._database.do("UPDATE series SET unit = ? WHERE id = ?", unit, id)
            if unit_before != unit:
                self._ids[key] = id, unit
                changed = True
            ids[index] = id
        if changed:
            self.has_new = True
            self._database.do("UPDATE state SET value = value + 1 WHERE name = 'series'")
        return ids

    # --- amended values ---

    def _amend(self, item: AmendTick, epochs: list[Epoch]) -> list[SealedAmendment]:
        time = item.time_ms
        ids, _ = self._known(item.layout)
        chosen = ids[item.places]
        epoch = _epoch_at(time, epochs)
        if epoch is not None:
            if time < epoch.sealed:
                return [SealedAmendment(epoch.number, time, chosen, item.values)]
            if self._amend_row(epoch, item, chosen):
                # The rows were read before. If writing the block fails, they are read again.
                is_read = self.sealing is not None and epoch.number == self.sealing[0] and time < self.sealing[1]
                return [SealedAmendment(epoch.number, time, chosen, item.values, is_in_row=True)] if is_read else []
        self.missed += len(item.values)
        return []

    def _amend_row(self, epoch: Epoch, item: AmendTick, ids: Integers) -> bool:
        """Change the tick of a time if it is a row. Return whether it is."""
        found = first_row(self._database, epoch.number, item.time_ms, item.time_ms + epoch.interval_ms)
        if found is None:
            return False
        tick, _, layout, _ = found
        row = self._database.one("SELECT row FROM ticks WHERE position = ?", tick)
        before = layout_ids(self._database, layout)
        new = ids[~np.isin(ids, before)]
        after = np.concatenate([before, new])
        values = np.concatenate([np.frombuffer(row, "<f8"), np.full(len(new), np.nan)])
        values[_places(after, ids)] = item.values
        number = self._put_layout(after) if len(new) else layout
        self._database.do("UPDATE ticks SET layout = ?, row = ? WHERE position = ?", number, values.tobytes(), tick)
        self.amended += 1
        return True


def _epoch_at(time_ms: int, epochs: list[Epoch]) -> Epoch | None:
    """Return the newest epoch that contains a time, or else one that begins less than an interval later."""
    inside = [epoch for epoch in epochs if epoch.first <= time_ms <= epoch.last]
    after = [epoch for epoch in epochs if time_ms < epoch.first < time_ms + epoch.interval_ms]
    return max(inside or after, key=lambda epoch: epoch.number, default=None)


def _places(among: Integers, ids: Integers) -> Columns:
    """Return the indexes of ids among others, which contain them all."""
    order = np.argsort(among)
    found: Columns = order[np.searchsorted(among, ids, sorter=order)]
    return found
