"""Epochs: the runs of a board, and which of them hide others.

If the times of two epochs overlap, for example after the clock was set back, the newer one hides the older one there.
This module reads the file, but no values.
"""

from collections.abc import Sequence

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from tickboard.history.answers import Integers
from tickboard.history.file import FOREVER, Database
from tickboard.history.unsealed import newest_time


class Epoch(Struct, frozen=True):
    """One epoch that has a tick. Times are POSIX milliseconds.

    Attributes:
        number: grows with each epoch.
        interval_ms: milliseconds between two ticks.
        first, last: the times of its first and last tick.
        sealed: ticks before this are in blocks.
        minutes: ticks before this are rolled up into minutes.
        hours: and into hours.
    """

    number: int
    interval_ms: int
    first: int
    last: int
    sealed: int
    minutes: int
    hours: int

    @property
    def is_sealed(self) -> bool:
        """Whether it has ended and all its ticks are in blocks."""
        return self.sealed >= FOREVER

    def marks(self) -> tuple[int, int, int]:
        """Return, for each tier, the time before which its ticks are in spans of that tier."""
        return self.sealed, self.minutes, self.hours


def read_epochs(database: Database) -> list[Epoch]:
    """Return the epochs that have a tick, oldest first."""
    rows = database.all(
        "SELECT number, interval_ms, first, last, sealed, minutes, hours FROM epochs WHERE first NOT NULL "
        "ORDER BY number"
    )
    found = []
    for number, interval_ms, first, last, sealed, minutes, hours in rows:
        newest = None if sealed >= FOREVER else newest_time(database, number)
        found.append(Epoch(number, interval_ms, first, newest or last or first, sealed, minutes, hours))
    return found


def visible(times: Integers, epoch: Epoch, epochs: Sequence[Epoch], unit_ms: int) -> NDArray[np.bool_]:
    """Return which entries of an epoch are not hidden by a later one, bool [entries].

    Args:
        times: the times of the entries.
        epoch: the epoch of the entries.
        epochs: all epochs.
        unit_ms: the unit of the tier. All entries of a unit are hidden together.
    """
    shown = np.ones(len(times), np.bool_)
    for other in epochs:
        if other.number > epoch.number and overlap(epoch, other):
            starts = times // unit_ms
            shown &= (starts < other.first // unit_ms) | (starts > other.last // unit_ms)
    return shown


def overlap(one: Epoch, other: Epoch) -> bool:
    """Return whether the times of two epochs overlap."""
    return one.first <= other.last and other.first <= one.last
