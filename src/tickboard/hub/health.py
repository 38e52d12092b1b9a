"""Health: the status of a board and its reasons.

It takes the time since the last tick was published and the list of problems; it knows neither the clock nor viewers.
"""

from collections.abc import Iterable

from msgspec import Struct

from tickboard.wire import HealthReason, HealthStatus, Problem, timestamp

FAILING_AFTER_INTERVALS, FAILING_AFTER_S = 3, 3.0
"""A board is failing if it has published no tick for this many intervals, and for this many seconds."""


class Vitals(Struct, frozen=True):
    """The condition of a running board.

    Attributes:
        ticks_skipped: ticks that could not be made in time, since the start.
        silent_s: seconds since the last tick was published, or since the start; 0 while the board does not run.
        interval_s: seconds between two ticks.
        host_values_dropped: late values of hosts for which there was no tick; None: it follows no hosts.
    """

    ticks_skipped: int = 0
    silent_s: float = 0.0
    interval_s: float = 1.0
    host_values_dropped: int | None = None

    @property
    def failing(self) -> bool:
        """Whether no tick has been published for too long."""
        return self.silent_s > max(FAILING_AFTER_INTERVALS * self.interval_s, FAILING_AFTER_S)


def health(vitals: Vitals, problems: Iterable[Problem], now: float) -> tuple[HealthStatus, list[HealthReason]]:
    """Return the status of a board and its reasons.

    Args:
        vitals: the board's condition.
        problems: its current problems.
        now: POSIX seconds.
    """
    reasons = [HealthReason(problem.source, problem.message, problem.since) for problem in problems]
    if vitals.failing:
        message = f"no tick has been published for {vitals.silent_s:.0f} s"
        return "failing", [HealthReason("ticks", message, timestamp(now - vitals.silent_s)), *reasons]
    return ("degraded" if reasons else "ok"), reasons
