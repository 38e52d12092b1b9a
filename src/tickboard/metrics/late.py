"""Late samples: what came for ticks that had been made, and what went to none."""

from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from tickboard.metrics.window import Floats

Columns = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Dropped:
    """Samples that went to no tick, as they were too old.

    Attributes:
        columns: [samples].
        times: [samples], POSIX seconds.
    """

    columns: Columns
    times: Floats

    def __len__(self) -> int:
        return len(self.columns)

    def and_also(self, columns: Columns, times: Floats) -> "Dropped":
        """Return these and more."""
        return Dropped(np.concatenate([self.columns, columns]), np.concatenate([self.times, times]))


NOTHING = Dropped(np.empty(0, np.intp), np.empty(0))


@dataclass(frozen=True, eq=False)
class LateSamples:
    """Samples that are older than the window, for the ticks that history has of their times.

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


@dataclass(frozen=True, eq=False)
class Amendment:
    """Ticks of the window that were changed.

    Attributes:
        first: the sequence number of the first of them.
        last: and of the last.
        columns: of the series that were changed.
        recalled: whether the values are those of an earlier run or board, which history has.
    """

    first: int
    last: int
    columns: Columns
    recalled: bool = False


def instant(time: float) -> str:
    """Return a time as people write it; as the number that it is where no calendar has it."""
    try:
        return datetime.fromtimestamp(time, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    except (ValueError, OverflowError, OSError):
        return f"{time!r} s"
