"""Keep the unsealed rows of the newest epoch in memory, since every answer up to now needs them.

An answer then reads only new rows. If the rows of a board take more than `KEPT_BYTES`, they are read each time.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from tickboard.history.epochs import Epoch
from tickboard.history.file import FOREVER, Database
from tickboard.history.unsealed import UnsealedRows, read_rows, row_bytes

KEPT_BYTES = 64 * 2**20
"""The most memory to use. With the default window, the rows of 1,000 series take 6 MB, those of 10,000 take 48 MB."""

_PART_BYTES = 4 * 2**20
"""Parts are joined up to this size, since joining takes as much memory again."""


class UnsealedCache:
    """Rows in memory. One thread uses it, always with the same database."""

    def __init__(self) -> None:
        self._epoch = self._amended = 0
        # In order. Parts of one layout are joined, so that there are few.
        self._parts: list[UnsealedRows] = []
        # The epoch and its mark when its rows were too many to keep. They only grow until more of them are sealed.
        self._too_many_at: tuple[int, int] | None = None

    def expect(self, amended: int) -> None:
        """Remove all rows if any may have been amended. Call this before a transaction begins.

        Args:
            amended: changes when rows are amended; odd while that is being committed.
        """
        # Rows that are read during a commit are from before or after it.
        if amended != self._amended or amended % 2:
            self._amended = amended
            self._parts = []

    def rows(self, database: Database, epoch: Epoch, start_ms: int, end_ms: int, wanted: int) -> Iterator[UnsealedRows]:
        """Yield the ticks of an epoch in a range; see `read_rows`."""
        start_ms = max(start_ms, epoch.sealed)
        if start_ms >= end_ms:
            return
        if epoch.number < self._epoch or not self._refresh(database, epoch):
            yield from read_rows(database, epoch.number, start_ms, end_ms, wanted)
            return
        for part in self._parts:
            found = part.between(start_ms, end_ms)
            if len(found):
                yield found

    def _refresh(self, database: Database, epoch: Epoch) -> bool:
        """Remove rows that are now in blocks, and read new ones. If there are too many, keep none and return False."""
        if epoch.number != self._epoch:
            self._epoch, self._parts = epoch.number, []
        mark = epoch.number, epoch.sealed
        if mark == self._too_many_at or _size(database, epoch) > KEPT_BYTES:
            self._parts = []
            return False
        newest = int(self._parts[-1].positions[-1]) if self._parts else None
        left = [_cut(part, epoch.sealed) for part in self._parts if part.times[-1] >= epoch.sealed]
        for part in read_rows(database, epoch.number, epoch.sealed, FOREVER, after=newest):
            left.append(part)
            while len(left) > 1 and _are_joined(left[-2], left[-1]):
                left[-2:] = [_joined(left[-2], left[-1])]
            # Earlier rows may be larger than the newest.
            if _bytes(left) > KEPT_BYTES:
                self._parts, self._too_many_at = [], mark
                return False
        self._parts = left
        return True


def _size(database: Database, epoch: Epoch) -> int:
    """Return how many bytes the rows of an epoch have if all are as large as the newest."""
    ticks = (epoch.last - max(epoch.first, epoch.sealed)) // epoch.interval_ms + 1
    return ticks * row_bytes(database, epoch.number)


def _bytes(parts: Sequence[UnsealedRows]) -> int:
    return sum(8 * len(part) * len(part.ids) for part in parts)


def _cut(part: UnsealedRows, sealed_ms: int) -> UnsealedRows:
    """Remove rows that are in blocks, if they are many."""
    rest = part.between(sealed_ms, FOREVER)
    return part if 2 * len(rest) > len(part) else _joined(rest)


def _are_joined(one: UnsealedRows, other: UnsealedRows) -> bool:
    """Return whether two parts should be one. Each row is copied a few times at most until its part is large."""
    return one.layout == other.layout and len(one) <= 2 * len(other) and _bytes((one, other)) <= _PART_BYTES


def _joined(*parts: UnsealedRows) -> UnsealedRows:
    positions, times, values = (
        np.concatenate([getattr(part, name) for part in parts]) for name in ("positions", "times", "values")
    )
    return UnsealedRows(parts[0].database, positions, times, parts[0].layout, parts[0].ids, values)
