"""Types that callers of the history use: the layout of rows, the retention, and the status."""

from functools import cached_property

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from tickboard.expressions.alignment import Columns, Labels
from tickboard.history.answers import Integers, Tier

TIERS: tuple[Tier, ...] = ("raw", "minutes", "hours")

DAY_S = 86_400


class Layout(Struct, frozen=True, eq=False, dict=True):
    """Names the series of a row's columns. Make one for each revision of the registry and reuse it.

    Layouts are compared by identity. A new one costs a lookup of every series.

    Attributes:
        keys: name, labels and unit of each series; a series occurs once.
        columns: intp [series], the column of each series in a row.
    """

    keys: tuple[tuple[str, Labels, str], ...]
    columns: Columns

    @cached_property
    def _places(self) -> NDArray[np.intp]:
        """The index in `keys` for each column; -1 where there is none."""
        places = np.full(int(self.columns.max(initial=-1)) + 1, -1, np.intp)
        places[self.columns] = np.arange(len(self.columns))
        return places

    def places_of(self, columns: Columns) -> Columns:
        """Return the index in `keys` for each column, intp [columns]; -1 where there is none."""
        found = np.full(len(columns), -1, np.intp)
        known = columns < len(self._places)
        found[known] = self._places[columns[known]]
        return found


class Retention(Struct, frozen=True):
    """How long each tier is kept, and how large the file may grow.

    Attributes:
        raw_s: seconds that ticks are kept.
        minutes_s: seconds that minutes are kept.
        hours_s: seconds that hours are kept.
        size_bytes: the largest size of the file. Beyond it, the oldest ticks are deleted first, then the oldest
            minutes.
    """

    raw_s: float = 7 * DAY_S
    minutes_s: float = 90 * DAY_S
    hours_s: float = 2 * 365 * DAY_S
    size_bytes: int = 2**30

    def of(self, tier: int) -> float:
        """Return how many seconds a tier is kept, by its number."""
        return (self.raw_s, self.minutes_s, self.hours_s)[tier]


class TierStatus(Struct, frozen=True):
    """The contents of one tier.

    Attributes:
        oldest_ms: time of the oldest entry, POSIX milliseconds; None if the tier is empty.
        bytes: size of its data, without the overhead of SQLite.
    """

    oldest_ms: int | None = None
    bytes: int = 0


class HistoryStatus(Struct, frozen=True):
    """The contents of the file, some seconds ago.

    Attributes:
        raw: the ticks.
        minutes, hours: the rollups.
        file_bytes: the size of the file and of those that SQLite keeps beside it.
        series: the number of series, including those that have left the board.
        queued: how many ticks wait to be written.
        dropped: how many ticks and amended values could not be kept since the start.
        lost: how many damaged columns were found since the history was opened.
    """

    raw: TierStatus = TierStatus()
    minutes: TierStatus = TierStatus()
    hours: TierStatus = TierStatus()
    file_bytes: int = 0
    series: int = 0
    queued: int = 0
    dropped: int = 0
    lost: int = 0


def milliseconds(time: float) -> int:
    """Return POSIX seconds as POSIX milliseconds."""
    return round(time * 1000)


def no_times() -> Integers:
    """Return an empty array of times."""
    return np.empty(0, np.int64)
