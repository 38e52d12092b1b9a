"""The clock of a host, as a wall sees it: how far it is behind, and by what the times of its ticks are shifted.

The wall compares the host's time in each message with its own at arrival. What the message was under way for makes the
host look further behind, never less: the least of the last comparisons is the best one. One that is lower than the
shift is right at once, and higher ones are right only if none is lower for a while. Messages that come in a burst,
after the wall or the network has stood still, all look old, so they prove nothing: until the shift is known, a lower
one is not believed at once either.

Times are shifted by whole intervals of the wall, so that a tick belongs to the first tick of the wall at or after it.
Where the clocks agree, the shift is 0. It changes only when the difference leaves the interval that it stands for by
more than a little, so that it does not alternate.

A host whose messages are in time but whose ticks are not, each one later than the wall's tick waits, would have no
values when the wall's rules are evaluated. Its times are shifted further, interval by interval, until its ticks are in
time, and back again after a long time in which they would all have been.
"""

from collections import deque
from math import ceil, inf

COMPARED_S = 10.0
"""How many seconds a comparison counts: one comes each second."""

FIRST_S, GROW_S = 2.0, 5.0
"""For how many seconds all comparisons must differ from the shift: at first, and later on, if they are higher."""

MATTERS_S = 1.0
"""A smaller difference, in seconds, is not shown."""

WAIT_MS = 100
"""How many milliseconds after it is due a tick of the wall waits for those of its hosts; at most half its interval."""

EARLY_MS = 60
"""How much further behind than the shift before a clock must be, or the shift shrinks. It grows if the clock is further
behind than the shift by more than `WAIT_MS`."""

DELAYED, IN_TIME = 5, 60
"""The delay grows after so many late ticks in a row, for `GROW_S` at least, and shrinks after so many that came early
enough for a shorter one."""

LONGEST_MS = 5_000
"""The longest delay. What comes later than this is old, for example sent again after an interruption."""


def wait_ms(interval_ms: int) -> float:
    """Return how long a wall's tick waits for those of its hosts, in milliseconds."""
    return min(WAIT_MS, 0.5 * interval_ms)


class HostClock:
    """The clock of one host.

    Args:
        interval_ms: milliseconds between two ticks of the wall.
        shift_ms: the shift that the host had in an earlier run.

    Attributes:
        offset_ms: how much of the shift is for the difference of the clocks.
        delay_ms: how much of it is for ticks that come later than other messages.
        behind_s: how many seconds the host's clock is behind the wall's; 0 if it has not been compared.
        is_known: whether the shift is right, as far as is known. It is not while the host's clock or the wall's may
            have been set.
    """

    def __init__(self, interval_ms: int, shift_ms: int = 0) -> None:
        self._interval_ms = interval_ms
        # When each message arrived, by a clock that never steps, and how far behind it was.
        self._compared: deque[tuple[float, float]] = deque()
        self.offset_ms = shift_ms
        self.delay_ms = 0
        self.behind_s = 0.0
        self.is_known = False
        # How many ticks in a row came late, since when, and how many early enough for a shorter delay.
        self._late = self._early = 0
        self._late_since = 0.0
        # When the newest tick that counts came.
        self._counted = -inf

    @property
    def shift_ms(self) -> int:
        """Milliseconds to add to a host's time."""
        return self.offset_ms + self.delay_ms

    @property
    def is_compared(self) -> bool:
        """Whether the host has said its time lately."""
        return bool(self._compared)

    @property
    def ahead_s(self) -> float:
        """By how many seconds the host's clock is ahead of the wall's; 0 if that does not matter or is not known."""
        return -round(self.behind_s, 1) if abs(self.behind_s) >= MATTERS_S else 0.0

    def shown_ms(self, now: float) -> int:
        """Return the time that the host's clock shows, in milliseconds; up to an interval more where that is not known.

        It is not if the host has said nothing lately, or nothing but what looks old.

        Args:
            now: the wall's time, POSIX seconds.
        """
        if not self._compared or self.behind_s * 1000 - self.offset_ms > wait_ms(self._interval_ms):
            return round(now * 1000) - self.offset_ms + self._interval_ms
        return round((now - self.behind_s) * 1000)

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
        self.behind_s = min([each for _, each in compared])
        length_ms = self._interval_ms
        late_ms, early_ms = wait_ms(length_ms), min(EARLY_MS, 0.3 * length_ms)
        further_ms = self.behind_s * 1000 - self.offset_ms
        passed_s = arrived - compared[0][0]
        if early_ms - length_ms <= further_ms <= late_ms:
            self.is_known = True
        elif passed_s >= (GROW_S if self.is_known else FIRST_S) or (self.is_known and further_ms < 0):
            self._move()

    def receive(self, after_ms: float, arrived: float, *, late: bool) -> bool:
        """Take when a tick came, and return whether the shift has changed by one interval.

        Ticks that come in a burst count as one.

        Args:
            after_ms: milliseconds from the wall's instant of the tick until it came.
            arrived: when that was, in seconds by a clock that never steps.
            late: whether the wall's tick of that instant had been made.
        """
        length_ms = self._interval_ms
        if arrived - self._counted < 0.5 * length_ms / 1000:
            return False
        self._counted = arrived
        self._late = self._late + 1 if late and after_ms <= LONGEST_MS else 0
        if self._late <= 1:
            self._late_since = arrived
        in_time = self.delay_ms > 0 and after_ms + length_ms <= min(EARLY_MS, 0.3 * length_ms)
        self._early = self._early + 1 if in_time else 0
        is_delayed = self._late >= DELAYED and arrived - self._late_since >= GROW_S
        if is_delayed and self.delay_ms + length_ms <= max(LONGEST_MS, length_ms):
            self.delay_ms += length_ms
        elif self._early >= IN_TIME:
            self.delay_ms -= length_ms
        else:
            return False
        self._late = self._early = 0
        return True

    def doubt(self) -> None:
        """Forget all comparisons, since the host's clock or the wall's may have been set."""
        self._compared.clear()
        self.behind_s = 0.0
        self.is_known = False
        self._late = self._early = 0

    def assume(self) -> None:
        """Go on with the shift so far, since the host does not say its time, or with a lower one that it has said."""
        if self.is_compared and self.behind_s * 1000 < self.offset_ms:
            self._move()
        self.is_known = True

    def _move(self) -> None:
        """Take the offset that the comparisons say."""
        length_ms = self._interval_ms
        self.offset_ms = ceil((self.behind_s * 1000 - wait_ms(length_ms)) / length_ms) * length_ms
        self.is_known = True
