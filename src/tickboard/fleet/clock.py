"""The clock of a host, as a wall sees it: how far it is behind, and by what the times of its ticks are shifted.

The wall compares the host's time in each message with its own at arrival. What the message was under way for makes the
host look further behind, never less, so the least of the last comparisons is the best one.

Times are shifted by whole intervals of the wall, so that a tick belongs to the first tick of the wall at or after it.
Where the clocks agree, the shift is 0. It changes only when the difference leaves the interval that it stands for by
more than a little, so that it does not alternate.
"""

from collections import deque
from math import ceil

COMPARED = 8
"""How many comparisons count: one comes each second."""

MATTERS_S = 1.0
"""A smaller difference, in seconds, is not shown."""

LATE_MS, EARLY_MS = 150, 60
"""How much further behind than a shift a clock may be before the shift grows, and how much it must be further behind
than the shift before, or the shift shrinks."""

BEGIN_MS = 100
"""How much further behind than its first shift a clock may be: as long as the wall's tick waits."""


class HostClock:
    """The clock of one host.

    Args:
        interval_ms: milliseconds between two ticks of the wall.

    Attributes:
        shift_ms: milliseconds to add to a host's time.
        is_known: whether it has been compared since it may have been set.
    """

    def __init__(self, interval_ms: int) -> None:
        self._interval_ms = interval_ms
        self._behind: deque[float] = deque(maxlen=COMPARED)
        self._begun = False
        self.shift_ms = 0
        self.is_known = False

    @property
    def ahead_s(self) -> float:
        """By how many seconds the host's clock is ahead of the wall's; 0 if that does not matter or is not known."""
        behind_s = min(self._behind, default=0.0)
        return -round(behind_s, 1) if abs(behind_s) >= MATTERS_S else 0.0

    def compare(self, behind_s: float) -> None:
        """Take a comparison: the wall's time at arrival minus the host's time in the message."""
        self._behind.append(behind_s)
        self.is_known = True
        behind_ms, length_ms = min(self._behind) * 1000, self._interval_ms
        late_ms, early_ms = min(LATE_MS, 0.75 * length_ms), min(EARLY_MS, 0.3 * length_ms)
        if not self._begun or not early_ms - length_ms <= behind_ms - self.shift_ms <= late_ms:
            self.shift_ms = ceil((behind_ms - min(BEGIN_MS, 0.5 * length_ms)) / length_ms) * length_ms
            self._begun = True

    def doubt(self) -> None:
        """Forget all comparisons, since the host's clock or the wall's may have been set."""
        self._behind.clear()
        self.is_known = False

    def assume(self) -> None:
        """Go on with the shift so far, since the host does not say its time."""
        self.is_known = True
