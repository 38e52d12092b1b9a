"""Health: whether a board publishes its ticks, in one word and with the reasons.

It takes how long ago the last tick was published and the list of problems, and knows neither the clock nor who asks.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from tickboard.wire import HealthReason, HealthStatus, Problem, timestamp

FAILING_AFTER_INTERVALS = 3
"""A board that has published no tick for so many intervals is failing."""

FAILING_AFTER_S = 3.0
"""But not before it has published none for so long."""


@dataclass(frozen=True)
class Vitals:
    """What a running board knows of itself.

    Attributes:
        ticks_skipped: ticks that could not be made in time, since the start.
        silent_s: seconds since the last tick was published, or since it began; 0 while it does not run.
        interval_s: seconds between two ticks.
    """

    ticks_skipped: int = 0
    silent_s: float = 0.0
    interval_s: float = 1.0

    @property
    def failing(self) -> bool:
        """Whether no tick has been published for too long."""
        return self.silent_s > max(FAILING_AFTER_INTERVALS * self.interval_s, FAILING_AFTER_S)


def health(vitals: Vitals, problems: Iterable[Problem], now: float) -> tuple[HealthStatus, list[HealthReason]]:
    """Return the status of a board, and why it is not ``ok``.

    Args:
        vitals: of the board.
        problems: those that there are.
        now: POSIX seconds.
    """
    reasons = [HealthReason(problem.source, problem.message, problem.since) for problem in problems]
    if vitals.failing:
        message = f"no tick has been published for {vitals.silent_s:.0f} s"
        return "failing", [HealthReason("ticks", message, timestamp(now - vitals.silent_s)), *reasons]
    return ("degraded" if reasons else "ok"), reasons
