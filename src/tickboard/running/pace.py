"""Pace: when the next round of something repeated is due, by a wall clock that may jump at any time.

Missed rounds are skipped: however many instants have passed, the next round is for the newest of them. After the clock
was set back, rounds continue right away, on the schedule of the new time. `Pace` takes the time as an argument; only
`sleep_until_next` reads the clock and waits.
"""

import asyncio
import time

from tickboard.schedule import Schedule

LONGEST_SLEEP_S = 1.0
"""How often to read the clock at least: it may be set, and a laptop may sleep."""


class Pace:
    """The wait for the next round.

    Args:
        schedule: when rounds are due.
        last: the instant of the last round, or when the first wait begins; POSIX seconds.
    """

    def __init__(self, schedule: Schedule, last: float) -> None:
        self._schedule = schedule
        self._due = schedule.next(last)

    def left_s(self, now: float) -> float:
        """Return how many seconds are left to wait, 0 when a round is due.

        Ask again after `LONGEST_SLEEP_S` at the latest: the clock may have been set meanwhile.
        """
        if self._due > now:
            # After the clock was set back, an earlier instant may be next.
            self._due = min(self._due, self._schedule.next(now))
        return max(0.0, self._due - now)

    def instant(self, now: float) -> float:
        """Return the instant of a round that is due: the newest one up to now."""
        return self._schedule.latest(self._due, now)


async def sleep_until_next(schedule: Schedule, last: float) -> float:
    """Sleep until the schedule's next instant after `last`, and return it; the newest one if several have passed."""
    pace = Pace(schedule, last)
    while left_s := pace.left_s(now := time.time()):
        await asyncio.sleep(min(left_s, LONGEST_SLEEP_S))
    return pace.instant(now)


def skipped(schedule: Schedule, last: float, due: float, elapsed_s: float, interval_s: float) -> int:
    """Return how many rounds between two were missed.

    Args:
        schedule: when rounds are due.
        last: the instant of the earlier round.
        due: the instant of the later round.
        elapsed_s: seconds between them by a clock that is never set: instants that a step of the wall clock skipped are
            not counted.
        interval_s: seconds between two instants.
    """
    return max(0, min(schedule.missed(last, due) - 1, int(elapsed_s / interval_s)))
