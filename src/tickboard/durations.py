"""Durations: how much time lies between two ticks, however the wall clock is set.

A tick is made some milliseconds after its instant, and the delay varies. By the times at which ticks are made, ten
seconds might hold nine ticks or eleven. So durations are counted between instants, as long as a clock that never steps
agrees with them to within an interval. Where it disagrees, the wall clock was set or the machine slept: then the clock
that never steps counts, rounded to whole intervals where it is close to one. The disagreement is carried over, so that
many small steps of the wall clock are noticed like one large one.
"""

from typing import Final

CLOSE: Final = 0.25
"""A time this close to a whole number of intervals is rounded to it; in intervals."""

LEAST_TOLERANCE_S: Final = 0.05
"""The clocks may always disagree by this many seconds: a busy loop makes ticks that late."""

KEPT: Final = 0.99
"""The share of the clocks' disagreement that is kept per tick: two clocks never run at quite the same rate."""


class Durations:
    """Counts the seconds from tick to tick.

    Args:
        interval_s: seconds between two instants.
    """

    def __init__(self, interval_s: float) -> None:
        self._interval_s = interval_s
        self._tolerance_s = max(interval_s, LEAST_TOLERANCE_S)
        self._now: float | None = None
        self._owed_s = 0.0

    def passed_s(self, now: float, elapsed_s: float) -> float:
        """Return the seconds from the last tick to this one.

        Args:
            now: the tick's instant by the wall clock, POSIX seconds.
            elapsed_s: seconds between the two ticks by a clock that never steps.
        """
        before, self._now = self._now, now
        owed_s = self._owed_s + elapsed_s
        if before is not None and now > before and abs(owed_s - (now - before)) <= self._tolerance_s:
            passed_s = now - before
        else:
            passed_s = self._whole(owed_s)
        self._owed_s = KEPT * min(max(owed_s - passed_s, -self._tolerance_s), self._tolerance_s)
        return passed_s

    def _whole(self, seconds: float) -> float:
        intervals = round(seconds / self._interval_s)
        if intervals and abs(seconds / self._interval_s - intervals) <= CLOSE:
            return intervals * self._interval_s
        return max(0.0, seconds)
