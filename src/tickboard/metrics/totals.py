"""Totals: cumulative counts and distributions, and how much each has risen since the one before.

Counts of different sources are never compared, even for the same series. The first source that counts a series sets its
rate. The counts of further sources are kept beside it, and one of them takes over when the first is silent. A count
that falls, or began later than the one before, has restarted.

Times are arguments: `now` is the newest tick's, and no total before `oldest` is accepted, not even as the base of the
next rate.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tickboard.metrics.distribution import Distribution, difference
from tickboard.metrics.late import AHEAD_S, NOTHING, Columns, Dropped
from tickboard.metrics.window import Floats, widened

Samples = tuple[Columns, Floats, Floats]
"""Columns, values and times, each [samples]."""


class Totals:
    """The newest totals and distributions of all series.

    Args:
        see: called with the columns of the series that have received samples.
    """

    def __init__(self, see: Callable[[Columns], None]) -> None:
        self._see = see
        # By column: the newest total with its time, and the source that counts it. Totals of further sources for the
        # same series are in `_beside`, as value and time.
        self._total: Floats = np.empty(0)
        self._total_time: Floats = np.empty(0)
        self._counting: NDArray[np.intp] = np.empty(0, np.intp)
        self._beside: dict[int, dict[int, tuple[float, float]]] = {}
        # By column and source: the newest distribution with its time.
        self._distributions: dict[int, dict[int, tuple[float, Distribution]]] = {}

    def fit(self, width: int) -> None:
        """Make room for this many columns."""
        self._total = widened(self._total, width, np.nan)
        self._total_time = widened(self._total_time, width, np.nan)
        self._counting = np.concatenate([self._counting, np.full(width - len(self._counting), -1, np.intp)])

    # --- starting over ---

    def begin_epoch(self, now: float) -> None:
        """Forget totals later than `now`, since the wall clock was set back."""
        ahead = self._total_time > now
        self._total[ahead] = self._total_time[ahead] = np.nan
        self._beside.clear()
        for known in self._distributions.values():
            for number in [number for number, (time, _) in known.items() if time > now]:
                del known[number]

    def forget(self, column: int) -> None:
        """Start all counts of a series over."""
        self._total[column] = self._total_time[column] = np.nan
        self._counting[column] = -1
        self._beside.pop(column, None)
        self._distributions.pop(column, None)

    def forget_source(self, number: int) -> None:
        """Forget the totals of a source that is gone."""
        for beside in self._beside.values():
            beside.pop(number, None)
        for distributions in self._distributions.values():
            distributions.pop(number, None)

    def take_over(self, number: int, column: int, start: float) -> None:
        """Continue another source's count of a series; see `Source.take_over`."""
        total, time = self._total[column], self._total_time[column]
        newest = max((time for time, _ in self._distributions.get(column, {}).values()), default=np.nan)
        self.forget(column)
        if start > time:
            self._counting[column], self._total[column], self._total_time[column] = number, total, time
        if start > newest:
            self._distributions[column] = {number: (newest, Distribution.of([]))}

    def go_on(self, previous: "Totals", old: int, new: int, numbers: Mapping[int, int]) -> None:
        """Continue the counts of a series that had another column on the previous board.

        Args:
            previous: the totals of that board.
            old: its column there.
            new: its column here.
            numbers: the numbers of the sources here, by those there.
        """
        counting, total, time, beside, distributions = previous.of_series(old)
        if counting in numbers:
            self._counting[new], self._total[new], self._total_time[new] = numbers[counting], total, time
        if here := {numbers[one]: count for one, count in beside.items() if one in numbers}:
            self._beside[new] = here
        if known := {numbers[one]: count for one, count in distributions.items() if one in numbers}:
            self._distributions[new] = known

    def of_series(
        self, column: int
    ) -> tuple[int, float, float, dict[int, tuple[float, float]], dict[int, tuple[float, Distribution]]]:
        """Return all counts of a series: the source that counts it, its total and time, and what other sources sent.

        The last two are by source: totals and distributions, each with its time.
        """
        counting, total, time = int(self._counting[column]), float(self._total[column]), float(self._total_time[column])
        return counting, total, time, self._beside.get(column, {}), self._distributions.get(column, {})

    # --- counts ---

    def rates(
        self, number: int, columns: Columns, values: Floats, times: Floats, starts: Floats, *, now: float, oldest: float
    ) -> Iterator[tuple[Samples, Dropped]]:
        """Yield the rates per second of totals, each since the total before it from the same source.

        Args:
            number: the source's.
            columns: [samples].
            values: [samples].
            times: [samples], POSIX seconds.
            starts: [samples], when each count started; minus infinity: unknown.
            now: the newest tick's time.
            oldest: the time before which a total is too old.

        Yields:
            Columns, rates and times, and the totals that are too old for a rate.
        """
        counting = self._counting[columns]
        beside = (counting >= 0) & (counting != number)
        if beside.any():
            which = columns[beside], values[beside], times[beside], starts[beside]
            yield self._rates_beside(number, *which, oldest)
            columns, values, times, starts = columns[~beside], values[~beside], times[~beside], starts[~beside]
        self._counting[columns] = number
        yield self._rates(columns, values, times, starts, now, oldest)

    def _rates_beside(
        self, number: int, columns: Columns, values: Floats, times: Floats, starts: Floats, oldest: float
    ) -> tuple[Samples, Dropped]:
        """Return what `rates` does, for series whose totals another source counts as well."""
        found: list[tuple[int, float, float]] = []
        dropped: list[tuple[int, float]] = []
        self._see(columns)
        order = np.argsort(times, kind="stable")
        batch = (one[order].tolist() for one in (columns, values, times, starts))
        for column, value, time, start in zip(*batch, strict=True):
            known = self._beside.setdefault(column, {})
            before, since = known.get(number, (np.nan, np.nan))
            if time < since or time < oldest:
                dropped.append((column, time))
            elif np.isfinite(value) and time != since:
                known[number] = value, time
                if self._total_time[column] <= since:
                    # The other source is silent: this one takes its place.
                    self.forget(column)
                    self._counting[column], self._total[column], self._total_time[column] = number, value, time
                rise = value if value < before or start > since else value - before
                if since < time:
                    found.append((column, rise / (time - since), time))
        return _columns(found), Dropped(*_columns(dropped)) if dropped else NOTHING

    def _rates(
        self, columns: Columns, values: Floats, times: Floats, starts: Floats, now: float, oldest: float
    ) -> tuple[Samples, Dropped]:
        good, dropped = ~np.isnan(values), NOTHING
        since = self._total_time[columns]
        wrong = columns[(times < since) & (since > now + AHEAD_S)]
        # The sender's clock was ahead and has been corrected: its counts start over.
        self._total[wrong] = self._total_time[wrong] = np.nan
        too_old = good & ((times < self._total_time[columns]) | (times < oldest))
        if too_old.any():
            dropped = Dropped(columns[too_old], times[too_old])
            self._see(dropped.columns)
            good &= ~too_old
        if not good.all():
            columns, values, times, starts = columns[good], values[good], times[good], starts[good]
        if not len(columns):
            return (columns, values, times), dropped
        self._see(columns)
        several = len(columns) > 1 and _has_duplicates(columns, len(self._total))
        if several:
            order = np.lexsort((times, columns))
            columns, values, times, starts = columns[order], values[order], times[order], starts[order]
        before, since = self._total[columns], self._total_time[columns]
        newer = ~(times <= since)
        if several:
            same = np.flatnonzero(columns[1:] == columns[:-1])
            before[same + 1], since[same + 1] = values[same], times[same]
        elapsed = times - since
        with np.errstate(invalid="ignore"):
            rise = values - before
        rise = np.where((rise < 0) | (starts > since), values, rise)
        self._total[columns[newer]], self._total_time[columns[newer]] = values[newer], times[newer]
        rated = newer & (elapsed > 0)
        with np.errstate(over="ignore"):
            return (columns[rated], rise[rated] / elapsed[rated], times[rated]), dropped

    # --- distributions ---

    def is_too_old(self, number: int, column: int, time: float, *, now: float, oldest: float) -> bool:
        """Return whether a source's cumulative distribution is too old, or older than the one before it."""
        known = self._distributions.get(column, {})
        before = known.get(number)
        if before is not None and time < before[0] and before[0] > now + AHEAD_S:
            # The sender's clock was ahead and has been corrected.
            before = None
            del known[number]
        return time < oldest or (before is not None and time < before[0])

    def risen(
        self, number: int, column: int, distribution: Distribution, time: float
    ) -> tuple[Distribution, float] | None:
        """Return how a source's cumulative distribution has grown since the one before; None if there is none.

        Returns:
            The values since then, and the seconds in which they were observed; 0 if that is unknown.
        """
        known = self._distributions.setdefault(column, {})
        before = known.get(number)
        self._see(np.array([column], np.intp))
        if before is not None and time <= before[0]:
            return None
        known[number] = (time, distribution)
        if before is None:
            return None
        return difference(distribution, before[1]), float(np.nan_to_num(time - before[0]))


def _columns(samples: Sequence[tuple[float, ...]]) -> tuple[Any, ...]:
    """Return samples as an array of columns and arrays of the rest; three empty arrays if there are none."""
    columns, *rest = zip(*samples, strict=True) if samples else ((), (), ())
    return (np.array(columns, np.intp), *(np.array(one, np.float64) for one in rest))


def _has_duplicates(columns: Columns, width: int) -> bool:
    """Return whether a column occurs more than once."""
    mark = np.empty(width, np.intp)
    order = np.arange(len(columns))
    mark[columns] = order
    return bool((mark[columns] != order).any())
