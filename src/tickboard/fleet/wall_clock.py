"""The wall's own clocks: how long it was stopped itself, and whether its wall clock was set."""

from collections.abc import Callable

SET_S = 2.0
"""A wall clock that moves by this much against the one that never steps has been set."""


class WallClock:
    """Notices that the wall itself was stopped whenever it is asked, and that its wall clock was set at each tick.

    Args:
        clock: returns seconds by a clock that never steps.
        interval_s: seconds between two ticks.
    """

    def __init__(self, clock: Callable[[], float], interval_s: float) -> None:
        self._clock = clock
        self._interval_s = interval_s
        # How long the wall itself was stopped: no host was silent then.
        self._stopped_s = 0.0
        self._asked = clock()
        self._last: tuple[float, float] | None = None

    def elapsed(self) -> float:
        """Return seconds by a clock that never steps, and that stands still while the wall is stopped."""
        # Not at ticks alone: messages that waited while the wall was stopped may come before its next tick.
        now = self._clock()
        passed_s, self._asked = now - self._asked, now
        if passed_s > 2 * self._interval_s + 1:
            self._stopped_s += passed_s - self._interval_s
        return now - self._stopped_s

    def tick(self, due: float) -> bool:
        """Take a tick's instant, POSIX seconds; return whether the wall clock has been set since the last one."""
        self.elapsed()
        now, before = self._asked, self._last
        self._last = due, now
        if before is None:
            return False
        last_due, last = before
        passed_s = now - last
        return abs(due - last_due - passed_s) > max(SET_S, 2 * self._interval_s)
