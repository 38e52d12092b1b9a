"""Late samples: those that changed earlier ticks, and those that were dropped."""

from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from tickboard.metrics.window import Floats, Window

Columns = NDArray[np.intp]

AHEAD_S = 60.0
"""A sample further ahead than this, in seconds, comes from a wrong clock and counts as a sample of now. So its series
continue when that clock is corrected."""


class Dropped(Struct, frozen=True, eq=False):
    """Samples that were too old for any tick.

    Attributes:
        columns: [samples].
        times: [samples], POSIX seconds.
    """

    columns: Columns
    times: Floats

    def __len__(self) -> int:
        return len(self.columns)

    def and_also(self, columns: Columns, times: Floats) -> "Dropped":
        """Return these and further dropped samples."""
        return Dropped(np.concatenate([self.columns, columns]), np.concatenate([self.times, times]))


NOTHING = Dropped(np.empty(0, np.intp), np.empty(0))


class LateSamples(Struct, frozen=True, eq=False):
    """Samples older than the window, for history's ticks of their times.

    Attributes:
        columns: [samples].
        values: [samples].
        times: [samples], POSIX seconds.
    """

    columns: Columns
    values: Floats
    times: Floats

    def without(self, columns: Columns) -> "LateSamples":
        """Return those of other series."""
        others = ~np.isin(self.columns, columns)
        return LateSamples(self.columns[others], self.values[others], self.times[others])


class LateRows(Struct, frozen=True, eq=False):
    """Values older than the window of several series at several ticks, for history's ticks of their times.

    Attributes:
        columns: [series].
        times: [ticks], POSIX seconds, ascending.
        rows: [ticks, series]; NaN leaves a value as it is.
    """

    columns: Columns
    times: Floats
    rows: Floats

    def without(self, columns: Columns) -> "LateRows":
        """Return those of other series."""
        others = ~np.isin(self.columns, columns)
        return LateRows(self.columns[others], self.times, self.rows[:, others])


class Amendment(Struct, frozen=True, eq=False):
    """Consecutive ticks of the window that were changed.

    Attributes:
        first: the sequence number of the first tick.
        last: the sequence number of the last tick.
        columns: the columns of the changed series.
        recalled: whether the values are those of an earlier run or board, which history has.
    """

    first: int
    last: int
    columns: Columns
    recalled: bool = False


def amended_rows(amended: Sequence[Amendment], window: Window, newest: int) -> list[tuple[int, float, Floats]]:
    """Return the late values of ticks up to `newest`, as seq, time and row; NaN in a row: unchanged."""
    if not amended:
        return []
    rows: dict[int, Floats] = {}
    times = window.times()
    for each in amended:
        for seq in range(max(each.first, window.oldest), min(each.last, newest) + 1):
            row = rows.setdefault(seq, np.full(window.width, np.nan))
            row[each.columns] = window.row(seq)[each.columns]
    return [(seq, float(times[seq - window.oldest]), rows[seq]) for seq in sorted(rows)]


def instant(time: float) -> str:
    """Return a time in RFC 3339; as a plain number if it is out of the calendar's range."""
    try:
        return datetime.fromtimestamp(time, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    except (ValueError, OverflowError, OSError):
        return f"{time!r} s"
