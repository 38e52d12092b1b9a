"""Durations: how much time lies between two ticks, even if the wall clock is set.

A tick is made some milliseconds after its instant, and the delay varies: if durations used the times at which ticks are
made, ten seconds could hold nine or eleven ticks. So they use the instants, as long as a clock that never steps agrees
to within an interval. If it disagrees, the wall clock was set or the machine slept. Then the clock that never steps is
used, rounded to whole intervals if it is close to one. The disagreement is carried over, so that many small steps of
the wall clock are noticed like one large step.
"""

from typing import Final

CLOSE: Final = 0.25
"""A time this close to a whole number of intervals, measured in intervals, is rounded to it."""

LEAST_TOLERANCE_S: Final = 0.05
"""The clocks may always disagree by this many seconds, since a busy event loop makes ticks that late."""

KEPT: Final = 0.99
"""The share of the disagreement that is carried over to the next tick. Below 1, as no two clocks run equally fast."""


class Durations:
    """Counts the seconds from tick to tick.

    Args:
        interval_s: seconds between two instants.
    """

    def __init__(self, interval_s: float) -> None:
        self._interval_s = interval_s
        self._tolerance_s = max(interval_s, LEAST_TOLERANCE_S)
        self._now: float | None = None
        self._uncounted_s = 0.0

    def passed_s(self, now: float, elapsed_s: float) -> float:
        """Return the seconds from the last tick to this one.

        Args:
            now: the tick's instant by the wall clock, POSIX seconds.
            elapsed_s: seconds between the two ticks by a clock that never steps.
        """
        before, self._now = self._now, now
        uncounted_s = self._uncounted_s + elapsed_s
        if before is not None and now > before and abs(uncounted_s - (now - before)) <= self._tolerance_s:
            passed_s = now - before
        else:
            passed_s = self._whole(uncounted_s)
        self._uncounted_s = KEPT * min(max(uncounted_s - passed_s, -self._tolerance_s), self._tolerance_s)
        return passed_s

    def _whole(self, seconds: float) -> float:
        intervals = round(seconds / self._interval_s)
        if intervals and abs(seconds / self._interval_s - intervals) <= CLOSE:
            return intervals * self._interval_s
        return max(0.0, seconds)
