"""The engine: one call a tick, from the sources' values to what happened.

It owns the window, the stats and the alerts of one epoch, and is told the time. It sends nothing to anyone.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from tickboard.alerting.alerts import Alerts
from tickboard.alerting.log import AlertEvent, AlertLog
from tickboard.alerting.rules import Rule
from tickboard.frames import Selection, timestamp
from tickboard.intake import Amendment, Intake
from tickboard.series import Registry
from tickboard.spans import PERCENTILES
from tickboard.stats import WindowStats
from tickboard.types import Stats
from tickboard.window import Floats, Window

SET_S = 0.5
"""A clock that went by so much more or less than time did was set, or the machine slept: that moves no episode."""


@dataclass(frozen=True)
class Happened:
    """What one tick brought.

    Attributes:
        seq: its sequence number.
        time: POSIX seconds.
        row: float64 [series].
        events: the alerts that began or ended.
        amended: ticks before it that have other values than when they were told.
    """

    seq: int
    time: float
    row: Floats
    events: list[AlertEvent]
    amended: list[Amendment] = field(default_factory=list)


class Engine:
    """Everything that one epoch of a board knows.

    Args:
        registry: where the sources write.
        rules: the board's, read at every tick.
        window_size: ticks in the window.
        epoch: names this run; no other run has the same.
        new_id: gives each alert its id.
        intake: where samples come from outside, and late ones amend the window.
        log: of alert events; one of this epoch when None.
    """

    def __init__(
        self,
        registry: Registry,
        rules: list[Rule],
        window_size: int,
        epoch: str,
        new_id: Callable[[], str],
        intake: Intake | None = None,
        log: AlertLog | None = None,
    ) -> None:
        self.registry = registry
        self.intake = intake or Intake(registry)
        self.rules = rules
        self.epoch = epoch
        self.window = Window(window_size)
        self.stats = WindowStats(self.window)
        self.alerts = Alerts(rules, log or AlertLog(epoch), new_id, timestamp)
        self.intake.attach(self.window)
        self._last_time = 0.0

    @property
    def seq(self) -> int:
        """The newest tick's sequence number; 0 before the first."""
        return self.window.seq

    def tick(self, now: float, elapsed_s: float) -> Happened:
        """Make a tick.

        Args:
            now: its time, POSIX seconds. One that isn't later than the last tick's, as after a step of the clock, is
                put a millisecond after it: times in a window only grow.
            elapsed_s: seconds since the last tick by a clock that doesn't step; for the counters' rates.
        """
        now = max(now, self._last_time + 0.001)
        passed_s = now - self._last_time
        if abs(passed_s - elapsed_s) > SET_S:
            passed_s = elapsed_s
        self._last_time = now
        self._clear_left()
        amended = self._take_amended()
        row = self.registry.collect(elapsed_s)
        # A series may appear from another thread at any time: the binding decides what the rules see, and the window
        # has room for all of that.
        revision, binding = self.registry.revision, self.registry.binding()
        self.window.reserve(self.registry.width)
        seq = self.window.append(now, row, passed_s)
        self.stats.update()
        self.intake.ticked(now)
        return Happened(seq, now, row, self.alerts.evaluate(now, passed_s, self.stats, binding, revision), amended)

    def check(self, now: float) -> list[AlertEvent]:
        """Do the work that time alone brings, on series and alerts, and return what is to be told."""
        self.intake.forget()
        return self.alerts.check(now)

    def _clear_left(self) -> None:
        """Forget the values of series that have left, so that their columns are free for others."""
        if left := self.registry.take_left():
            columns = np.array(left, np.intp)
            self.window.clear(columns)
            self.stats.amend(columns, self.window.oldest)
            self.registry.recycle(left)

    def _take_amended(self) -> list[Amendment]:
        amended = self.intake.take_amended()
        if amended:
            columns = np.unique(np.concatenate([each.columns for each in amended]))
            self.stats.amend(columns, min(each.first for each in amended))
        return amended

    def select(self, patterns: tuple[str, ...] = ()) -> Selection:
        """Return the series that `patterns` ask for, bound to the registry as it is now."""
        selection = Selection(self.registry, patterns)
        self.window.reserve(selection.width)
        return selection

    def has_missed(self, epoch: str, seq: int) -> bool:
        """Return whether the window has every tick after a position, so that a viewer can go on from there."""
        return epoch == self.epoch and self.window.oldest - 1 <= seq <= self.seq

    def all_stats(self) -> dict[str, Stats]:
        """Return the stats of every series by its key, as ``/api/stats`` has them."""
        selection = self.select()
        columns, series = selection.columns, selection.series
        count = self.stats.read("count", columns)
        values = [self.stats.read(stat, columns).tolist() for stat in ("avg", "max", "min", "last")]
        quantiles = self.stats.percentiles(list(PERCENTILES.values()), columns).tolist()
        found: dict[str, Stats] = {}
        for index, one in enumerate(series):
            key = self.registry.keys[one.metric.name] + one.key[len(one.metric.name) :]
            if not count[index]:
                found[key] = Stats(0.0, 0.0, 0.0, 0)
                continue
            avg, high, low, last = (each[index] for each in values)
            found[key] = Stats(avg, high, low, int(count[index]), last, *(each[index] for each in quantiles))
        return found

    def inherit(self, previous: "Engine") -> None:
        """Begin with the ticks of another engine, for the series that both have; before the first tick.

        So a board that was changed while it ran doesn't start with an empty page. Its alerts go on, too.
        """
        self.alerts.inherit(previous.alerts)
        ours = {series.key: series.column for series in self.registry.series}
        pairs = [(ours[one.key], one.column) for one in previous.registry.series if one.key in ours]
        history = previous.window.last(self.window.capacity)
        if not pairs or not len(history):
            return
        to, source = (np.array(side, np.intp) for side in zip(*pairs, strict=True))
        for index in range(len(history)):
            row = np.full(self.registry.width, np.nan)
            row[to] = history.rows[index][source]
            self.window.append(float(history.times[index]), row)
            self.stats.update()
        self._last_time = float(history.times[-1])
