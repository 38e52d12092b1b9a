"""The clock of a host, as a wall sees it: how far it is behind, and by what the times of its ticks are shifted.

The wall compares the host's time in each message with its own at arrival. What the message was under way for makes the
host look further behind, never less: the least of the last comparisons is the best one, one that is lower is right at
once, and higher ones are right only if none is lower for a while. Messages that come in a burst, after the wall or the
network has stood still, all look old, so they prove nothing.

Times are shifted by whole intervals of the wall, so that a tick belongs to the first tick of the wall at or after it.
Where the clocks agree, the shift is 0. It changes only when the difference leaves the interval that it stands for by
more than a little, so that it does not alternate.
"""

from collections import deque
from math import ceil

COMPARED_S = 10.0
"""How many seconds a comparison counts: one comes each second."""

FIRST_S, GROW_S = 2.0, 5.0
"""For how many seconds all comparisons must say that the host is further behind: at first, and later on."""

MATTERS_S = 1.0
"""A smaller difference, in seconds, is not shown."""

LATE_MS, EARLY_MS = 150, 60
"""How much further behind than a shift a clock may be before the shift grows, and how much it must be further behind
than the shift before, or the shift shrinks."""

BEGIN_MS = 100
"""How much further behind than a new shift a clock may be: as long as the wall's tick waits."""


class HostClock:
    """The clock of one host.

    Args:
        interval_ms: milliseconds between two ticks of the wall.
        shift_ms: the shift that the host had in an earlier run.

    Attributes:
        shift_ms: milliseconds to add to a host's time.
        is_known: whether the shift is right, as far as is known. It is not while the host's clock or the wall's may
            have been set.
    """

    def __init__(self, interval_ms: int, shift_ms: int = 0) -> None:
        self._interval_ms = interval_ms
        # When each message arrived, by a clock that never steps, and how far behind it was.
        self._compared: deque[tuple[float, float]] = deque()
        self.shift_ms = shift_ms
        self.is_known = False

    @property
    def behind_s(self) -> float:
        """How many seconds the host's clock is behind the wall's; 0 if it has not been compared."""
        return min((behind_s for _, behind_s in self._compared), default=0.0)

    @property
    def ahead_s(self) -> float:
        """By how many seconds the host's clock is ahead of the wall's; 0 if that does not matter or is not known."""
        return -round(self.behind_s, 1) if abs(self.behind_s) >= MATTERS_S else 0.0

    def compare(self, behind_s: float, arrived: float) -> None:
        """Take a comparison.

        Args:
            behind_s: the wall's time at arrival minus the host's time in the message.
            arrived: when that was, in seconds by a clock that never steps.
        """
        compared = self._compared
        compared.append((arrived, behind_s))
        while compared[0][0] < arrived - COMPARED_S:
            compared.popleft()
        length_ms = self._interval_ms
        late_ms, early_ms = min(LATE_MS, 0.75 * length_ms), min(EARLY_MS, 0.3 * length_ms)
        behind_ms = self.behind_s * 1000
        further_ms = behind_ms - self.shift_ms
        if further_ms > late_ms and arrived - compared[0][0] < (GROW_S if self.is_known else FIRST_S):
            return
        if not early_ms - length_ms <= further_ms <= late_ms:
            self.shift_ms = ceil((behind_ms - min(BEGIN_MS, 0.5 * length_ms)) / length_ms) * length_ms
        self.is_known = True

    def doubt(self) -> None:
        """Forget all comparisons, since the host's clock or the wall's may have been set."""
        self._compared.clear()
        self.is_known = False

    def assume(self) -> None:
        """Go on with the shift so far, since the host does not say its time."""
        self.is_known = True
