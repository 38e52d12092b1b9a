"""A rehearsal evaluates the rules over ticks of an earlier run, so that a rule waiting for its ``for_`` keeps its time.

Its alerts are neither published nor kept.
"""

import numpy as np

from tickboard.alerting.alerts import Alerts
from tickboard.alerting.log import AlertLog
from tickboard.alerting.rules import Rule
from tickboard.expressions.alignment import Binding, Floats
from tickboard.expressions.expr import Values
from tickboard.wire import timestamp

MAX_TICKS = 600
"""The most ticks that the rules are evaluated over."""

GAP_INTERVALS = 3
"""Ticks that are further apart than this many of their usual intervals have a gap between them, when nothing ran."""


class Rehearsal:
    """Evaluates rules over some ticks: call `tick` for each of them, oldest first.

    Args:
        rules: the board's.
        times: the times of the ticks, float64 [ticks], POSIX seconds.

    Attributes:
        alerts: the alerts after the ticks so far.
    """

    def __init__(self, rules: list[Rule], times: Floats) -> None:
        self.alerts = Alerts(rules, AlertLog("rehearsal"), str, timestamp)
        self._times = times
        apart_s = np.diff(times)
        usual_s = float(np.median(apart_s)) if len(apart_s) else 0.0
        # A gap counts as one interval, since an episode's duration leaves out time in which no board ran.
        apart_s[apart_s > GAP_INTERVALS * usual_s] = usual_s
        self._passed_s: Floats = np.concatenate([[0.0], apart_s])
        self._next = 0
        self._first = len(times) - min(self._wanted(rules), MAX_TICKS)

    def _wanted(self, rules: list[Rule]) -> int:
        """Return how many of the last ticks the longest ``for_`` spans; earlier ticks change nothing."""
        longest_s = max((rule.for_s for rule in rules), default=0.0)
        before_s = np.cumsum(self._passed_s[::-1])
        return int(np.count_nonzero(before_s <= longest_s + 0.001)) + 1 if longest_s else 0

    def tick(self, values: Values, binding: Binding, revision: int) -> None:
        """Evaluate the rules at the next tick; the arguments are those of `Alerts.evaluate`."""
        place, self._next = self._next, self._next + 1
        if place >= self._first:
            self.alerts.evaluate(float(self._times[place]), float(self._passed_s[place]), values, binding, revision)
