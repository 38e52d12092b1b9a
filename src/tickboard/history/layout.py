"""What history is made of, as its callers see it: which series a row has, how long ticks are kept, what is kept now."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from tickboard.expressions.alignment import Columns, Labels
from tickboard.history.answers import Integers, Tier

TIERS: tuple[Tier, ...] = ("raw", "minutes", "hours")

DAY_S = 86_400


@dataclass(frozen=True, eq=False)
class Layout:
    """Which series the columns of a row are. Make one for each revision of the registry and reuse it.

    Its identity is compared, so a new one costs a look-up of every series.

    Attributes:
        keys: name, labels and unit of each series; a series occurs once.
        columns: intp [series], the column that each of them has in a row.
    """

    keys: tuple[tuple[str, Labels, str], ...]
    columns: Columns

    @cached_property
    def _places(self) -> NDArray[np.intp]:
        """By column, the place of its series in `keys`; -1 where there is none."""
        places = np.full(int(self.columns.max(initial=-1)) + 1, -1, np.intp)
        places[self.columns] = np.arange(len(self.columns))
        return places

    def places_of(self, columns: Columns) -> Columns:
        """Return the place in `keys` of the series in each column, intp [columns]; -1 where there is none."""
        found = np.full(len(columns), -1, np.intp)
        known = columns < len(self._places)
        found[known] = self._places[columns[known]]
        return found


@dataclass(frozen=True)
class Retention:
    """How long each tier is kept, and how large the file may grow.

    Attributes:
        raw_s: seconds that ticks are kept as they were recorded.
        minutes_s: seconds that minutes are kept.
        hours_s: seconds that hours are kept.
        size_bytes: of the file. Where that is too little, the oldest ticks go first, then the oldest minutes.
    """

    raw_s: float = 7 * DAY_S
    minutes_s: float = 90 * DAY_S
    hours_s: float = 2 * 365 * DAY_S
    size_bytes: int = 2**30

    def of(self, tier: int) -> float:
        """Return how many seconds a tier is kept, by its number."""
        return (self.raw_s, self.minutes_s, self.hours_s)[tier]


@dataclass(frozen=True)
class TierKept:
    """What one tier holds.

    Attributes:
        oldest_ms: the time of the oldest entry, POSIX milliseconds; None: it is empty.
        bytes: what it takes in the file, without SQLite's own pages.
    """

    oldest_ms: int | None = None
    bytes: int = 0


@dataclass(frozen=True)
class Kept:
    """What is kept, as of some seconds ago.

    Attributes:
        raw: ticks as they were recorded.
        minutes, hours: the rollups.
        file_bytes: of the file and what SQLite keeps beside it.
        series: how many different series there are, also those that have left the board.
        queued: ticks that wait to be written.
        dropped: ticks and amended values that could not be kept, since the history was opened.
        lost: columns of blocks that could not be read because they are damaged, since the history was opened.
    """

    raw: TierKept = TierKept()
    minutes: TierKept = TierKept()
    hours: TierKept = TierKept()
    file_bytes: int = 0
    series: int = 0
    queued: int = 0
    dropped: int = 0
    lost: int = 0


def milliseconds(time: float) -> int:
    """Return POSIX seconds as POSIX milliseconds."""
    return round(time * 1000)


def no_times() -> Integers:
    """Return no times at all."""
    return np.empty(0, np.int64)
