"""Pauses: when the thread that writes may work without making a tick late.

Until a tick is published, its samplers, its rules and its viewers need the processor and Python's lock. So long work
waits for the pause after it. This takes the time as an argument, and knows neither threads nor files.
"""

import math

SHORT_S, LONG_S = 0.005, 0.1
"""About how long a usual step of long work takes, and a transaction that writes a span."""

LONGEST_S = 1.0
"""How long work waits at most for a tick that is due."""


class Pauses:
    """The pauses between ticks. All times are seconds of the monotonic clock."""

    def __init__(self) -> None:
        self._due = self._resume = 0.0
        self._is_fresh = False

    def begin(self, now: float, late_s: float, interval_s: float) -> None:
        """Begin a pause: a tick has been published.

        Args:
            now: the current time.
            late_s: how long ago the tick was due.
            interval_s: seconds between two ticks. If the tick is older than that, it says nothing about the next one.
        """
        left_s = interval_s - late_s if 0 <= late_s <= interval_s else 0.0
        self._due = now + left_s
        self._resume = self._due + min(left_s, LONGEST_S)
        self._is_fresh = True

    def wait_s(self, now: float, needed_s: float, latest: float = math.inf) -> float:
        """Return how many seconds work has to wait for the next pause, at most; 0: it may begin.

        Each pause has room for one piece of work, however short it is. Call `use` when work begins.

        Args:
            now: the current time.
            needed_s: how long the work takes.
            latest: when the work has to begin, even while a tick is made.
        """
        if self._is_fresh or now + needed_s <= self._due:
            return 0.0
        return max(0.0, min(self._resume, latest) - now)

    def use(self) -> None:
        """Begin a piece of work."""
        self._is_fresh = False
