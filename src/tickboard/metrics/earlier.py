"""Ticks of an earlier run or board that a window begins with, and their series that have not returned yet."""

import math
from collections.abc import Sequence

import numpy as np
from msgspec import Struct

from tickboard.expressions.alignment import Labels
from tickboard.metrics.late import Columns
from tickboard.metrics.registry import Registry
from tickboard.metrics.window import Floats

HALF = 0.5
"""Instants that are closer than half an interval are the same."""

Key = tuple[str, Labels]
"""A metric's name and the labels of one of its series."""


class EarlierTicks(Struct, frozen=True, eq=False):
    """Ticks as they were recorded.

    Attributes:
        times: float64 [ticks], POSIX seconds, ascending.
        keys: [series], the key of each.
        rows: float64 [ticks, series]; NaN where a series has no value.
    """

    times: Floats
    keys: Sequence[Key]
    rows: Floats

    def __len__(self) -> int:
        return len(self.times)

    def padded(self, since: float, until: float, interval_s: float) -> "EarlierTicks":
        """Return the ticks with empty ones at all other instants between two times, the second exclusive."""
        instants = np.arange(math.ceil(since / interval_s - HALF), math.ceil(until / interval_s - HALF)) * interval_s
        places = np.searchsorted(self.times, instants)
        before = np.concatenate([self.times, [np.inf]])[places] - instants
        after = instants - np.concatenate([[-np.inf], self.times])[places]
        added = instants[(before > HALF * interval_s) & (after > HALF * interval_s)]
        order = np.argsort(times := np.concatenate([self.times, added]), kind="stable")
        rows = np.concatenate([self.rows, np.full((len(added), len(self.keys)), np.nan)])
        return EarlierTicks(times[order], self.keys, rows[order])

    def last(self, ticks: int) -> "EarlierTicks":
        """Return the newest ticks, as many as there are."""
        return EarlierTicks(self.times[-ticks:], self.keys, self.rows[-ticks:])


class Recalled(Struct, frozen=True, eq=False):
    """The past values of series that have just appeared.

    Attributes:
        first: the sequence number of the first tick.
        columns: [columns], one for each series.
        rows: float64 [ticks, columns].
    """

    first: int
    columns: Columns
    rows: Floats


class Recall:
    """The series of earlier ticks that the registry lacks so far: each gets its past values when it appears.

    Args:
        first: the sequence number of the first tick in the window; less than 1 if the window does not include it.
        keys: [series], the key of each.
        rows: float64 [ticks, series].
    """

    def __init__(self, first: int, keys: Sequence[Key], rows: Floats) -> None:
        self._first = first
        self._rows = rows
        self._places = {key: place for place, key in enumerate(keys)}
        self._looked_at: tuple[Registry, int] | None = None

    @property
    def keys(self) -> list[Key]:
        """The series that have not appeared yet."""
        return list(self._places)

    def is_over(self, oldest: int) -> bool:
        """Return whether every series has appeared, or every tick is older than the window's oldest."""
        return not self._places or self._first + len(self._rows) <= oldest

    def take(self, registry: Registry, oldest: int) -> Recalled | None:
        """Return the past values of the series that have appeared since the last call, or None.

        Args:
            registry: where they appear.
            oldest: the sequence number of the window's oldest tick.
        """
        if self._looked_at == (registry, registry.revision):
            return None
        self._looked_at = registry, registry.revision
        come = {key: one.column for one in registry.series if (key := (one.metric.name, one.labels)) in self._places}
        if not come:
            return None
        places = [self._places.pop(key) for key in come]
        first = max(self._first, oldest)
        columns = np.fromiter(come.values(), np.intp, len(come))
        return Recalled(first, columns, self._rows[first - self._first :, places])

    def past(self, first: int, ticks: int) -> tuple[list[Key], Floats]:
        """Return the series that have not appeared yet, with their values in some ticks of the window.

        Args:
            first: the sequence number of the first tick.
            ticks: how many.

        Returns:
            Their keys, and float64 [ticks, series]; NaN in ticks outside these rows.
        """
        rows = np.full((ticks, len(self._places)), np.nan)
        start, end = max(first, self._first), min(first + ticks, self._first + len(self._rows))
        if start < end:
            known = self._rows[start - self._first : end - self._first]
            rows[start - first : end - first] = known[:, list(self._places.values())]
        return list(self._places), rows
