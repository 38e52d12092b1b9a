"""Recording: ticks into the file as they come, one row each, and amended values into those that are still rows.

It knows which epoch goes on, which id each series has, and which layouts the file has. What it remembers of the file
is forgotten when a transaction fails.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from tickboard.expressions.alignment import Columns, Floats
from tickboard.history.answers import Integers
from tickboard.history.catalogue import encode_labels
from tickboard.history.epochs import Epoch, read_epochs
from tickboard.history.file import Database, position
from tickboard.history.layout import Layout
from tickboard.history.rows import first_row, layout_ids
from tickboard.history.waiting import Amend, Begin, Item, Tick

JUMP_MS = 86_400_000
"""A tick that is this much later than the one before may come from a clock that is wrong."""


@dataclass(frozen=True, eq=False)
class Amended:
    """Values that belong to a tick in a block.

    Attributes:
        epoch: the number of the tick's.
        time: of the tick or a little before it.
        ids: int64 [values].
        values: float64 [values].
    """

    epoch: int
    time: int
    ids: Integers
    values: Floats


class Recorder:
    """Writes what waits; in transactions of the caller's.

    Args:
        database: the connection that writes.
        run: the epoch that goes on, where it began in another file.

    Attributes:
        run: the epoch that goes on, as it began; None: none has begun.
        epoch: the number of the one that goes on; 0: none has begun.
        interval_ms: between its ticks.
        window: ticks that the board's window has: what is in it is in no block.
        first_ms: the time of its first tick; None: there is none.
        newest_ms: the time of the newest tick; 0: there is none.
        jumped_ms: when the clock last jumped ahead by more than `JUMP_MS`.
        width: series of the newest row.
        missed: amended values for which there was no tick, in the transactions that have not failed.
    """

    def __init__(self, database: Database, run: Begin | None = None) -> None:
        self._database = database
        self.run = run
        self.epoch = self.interval_ms = self.window = self.width = 0
        self.first_ms: int | None = None
        self.newest_ms: int = database.one("SELECT max(last) FROM epochs") or 0
        self.jumped_ms = 0
        self.forget()

    def forget(self) -> None:
        """Forget what is known of the file: a transaction has failed, or it is another file."""
        self._ids: dict[tuple[str, str], tuple[int, str]] | None = None
        self.missed = 0
        self._layouts: dict[bytes, int] = {}
        # The newest one with its ids and its number in the file.
        self._layout: tuple[Layout, Integers, int] | None = None
        self.epoch = 0
        self.first_ms = None

    def write(self, items: Iterable[Item]) -> list[Amended]:
        """Write items in order, and return the amended values that belong into blocks."""
        amended: list[Amended] = []
        epochs: list[Epoch] | None = None
        for item in items:
            if isinstance(item, Begin):
                self.run, self.epoch = item, 0
                epochs = None
            elif isinstance(item, Tick):
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

    def _begin(self, run: Begin) -> None:
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
        self.interval_ms, self.window = run.interval_ms, run.window

    def _write(self, tick: Tick) -> None:
        if not self.epoch:
            assert self.run is not None, "begin an epoch first"
            self._begin(self.run)
        if self.first_ms is None:
            self.first_ms = tick.time_ms
            self._database.do("UPDATE epochs SET first = ? WHERE number = ?", tick.time_ms, self.epoch)
        _, layout = self._known(tick.layout)
        # Again, where a commit failed that had reached the disk.
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
        """Return the ids of the series of a layout, and its number in the file."""
        if self._layout is None or self._layout[0] is not layout:
            ids = self._series(layout)
            self._layout = layout, ids, self._put_layout(ids)
        return self._layout[1], self._layout[2]

    def _put_layout(self, ids: Integers) -> int:
        packed = ids.astype("<u4").tobytes()
        number = self._layouts.get(packed)
        if number is None:
            number = self._database.do("INSERT INTO layouts (series) VALUES (?)", packed)
            self._layouts[packed] = number
        return number

    def forget_layouts(self) -> None:
        """Delete the layouts that no row has any more; in a transaction."""
        self._database.do("DELETE FROM layouts WHERE id NOT IN (SELECT DISTINCT layout FROM ticks)")
        self._layouts.clear()
        self._layout = None

    def _series(self, layout: Layout) -> Integers:
        """Return the ids of the series of a layout; those that are new get one."""
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
            self._database.do("UPDATE state SET value = value + 1 WHERE name = 'series'")
        return ids

    # --- amended values ---

    def _amend(self, item: Amend, epochs: list[Epoch]) -> list[Amended]:
        time = item.time_ms
        ids, _ = self._known(item.layout)
        chosen = ids[item.places]
        epoch = _epoch_at(time, epochs)
        if epoch is not None:
            if time < epoch.sealed:
                return [Amended(epoch.number, time, chosen, item.values)]
            if self._amend_row(epoch, item, chosen):
                return []
        self.missed += len(item.values)
        return []

    def _amend_row(self, epoch: Epoch, item: Amend, ids: Integers) -> bool:
        """Change the tick of a time if it is a row; return whether it is."""
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
        return True


def _epoch_at(time_ms: int, epochs: list[Epoch]) -> Epoch | None:
    """Return the epoch that a time belongs to: the newest that has it inside, or begins less than an interval later."""
    inside = [epoch for epoch in epochs if epoch.first <= time_ms <= epoch.last]
    after = [epoch for epoch in epochs if time_ms < epoch.first < time_ms + epoch.interval_ms]
    return max(inside or after, key=lambda epoch: epoch.number, default=None)


def _places(among: Integers, ids: Integers) -> Columns:
    """Return where some ids are among others, which have them all."""
    order = np.argsort(among)
    found: Columns = order[np.searchsorted(among, ids, sorter=order)]
    return found
