"""The engine: one call per tick, which takes the sources' values and returns the results.

It owns the window, the stats and the alerts, and takes the time as an argument. It sends nothing.

When the wall clock is set back by more than a little, a new epoch begins: the window is empty, and its ticks are
numbered from 1. Ticks already published stay as they were. Alerts continue, since durations don't use the wall clock.

A tick that fails, for example for lack of memory, does not affect the next, which processes what the failed one left.
"""

import math
from collections.abc import Callable, Generator, Sequence

import numpy as np
from msgspec import Struct, field
from numpy.typing import NDArray

from tickboard.alerting.alerts import Alerts
from tickboard.alerting.log import AlertEvent, AlertLog
from tickboard.alerting.rehearsal import Rehearsal
from tickboard.alerting.rules import Rule
from tickboard.durations import Durations
from tickboard.metrics.earlier import EarlierTicks, Recall
from tickboard.metrics.inheritance import inherit
from tickboard.metrics.intake import Intake
from tickboard.metrics.late import Amendment, LateRows, LateSamples
from tickboard.metrics.registry import Registry
from tickboard.metrics.selection import Selection
from tickboard.metrics.series import Series
from tickboard.metrics.span_stats import PERCENTILES
from tickboard.metrics.stats import WindowStats, series_bytes
from tickboard.metrics.window import Floats, Window
from tickboard.wire import Stats, timestamp

SET_BACK_S, SET_BACK_INTERVALS = 2.0, 2
"""If the wall clock is set back by more than the longer of these, a new epoch begins. If it is set back by less, ticks
follow the last one a millisecond apart until the clock has caught up."""


STEP_SERIES = 1_000
"""How many series' stats are read in one step, before other work may run: about 3 ms."""


class TickResult(Struct, frozen=True):
    """The results of one tick.

    Attributes:
        seq: the tick's sequence number.
        time: POSIX seconds.
        row: float64 [series].
        events: the alerts that fired, were resolved or changed.
        amended: earlier ticks whose values have changed since they were published.
        late: samples that are older than the window.
        set_back_s: the seconds that the wall clock was set back by, if this tick begins a new epoch for it; else 0.
    """

    seq: int
    time: float
    row: Floats
    events: list[AlertEvent]
    amended: Sequence[Amendment] = field(default_factory=list)
    late: Sequence[LateSamples | LateRows] = field(default_factory=list)
    set_back_s: float = 0.0


class Engine:
    """The state of one run of a board.

    Args:
        registry: where the sources record values.
        rules: the board's rules, read at every tick.
        window_size: ticks in the window.
        epoch: a unique name for this run and its first epoch.
        new_id: returns a unique id for each alert.
        intake: takes samples from outside; late ones amend the window.
        log: the log of alert events; None: a new one of this epoch.
        interval_s: seconds between two ticks.

    Attributes:
        interval_s: as given.
        epoch: the epoch of the window's ticks; it changes when the clock is set back.
        fits: whether the series declared at the start fit into the memory allowed for the window.
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
        interval_s: float = 1.0,
    ) -> None:
        self.registry = registry
        self.intake = intake or Intake(registry)
        self.rules = rules
        self.epoch = epoch
        self.interval_s = interval_s
        self.fits = registry.fit(window_size, series_bytes(window_size))
        self.window = Window(window_size, registry.room)
        self.stats = WindowStats(self.window)
        self.alerts = Alerts(rules, log or AlertLog(epoch), new_id, timestamp)
        self.intake.placement.attach(self.window, interval_s)
        registry.read = self._read
        self._run = epoch
        self._epochs = 1
        self._most_back_s = max(SET_BACK_S, SET_BACK_INTERVALS * interval_s)
        self._durations = Durations(interval_s)
        # What no tick has processed yet: empty between ticks, unless the last one failed.
        self._elapsed_s = self._passed_s = self._unseen_s = self._set_back_s = 0.0
        self._left: list[int] = []
        self._amended: list[Amendment] = []
        # The newest tick after which an earlier one has changed.
        self._changed_after = -1
        self._late: list[LateSamples | LateRows] = []
        self._events: list[AlertEvent] = []
        # The last tick's time, and the wall clock at that tick.
        self._last_time = self._last_now = -math.inf
        # Whether the last tick is from an earlier run, and earlier values of series that may still appear.
        self._resumes = False
        self._recall: Recall | None = None

    @property
    def seq(self) -> int:
        """The newest tick's sequence number; 0 before the first."""
        return self.window.seq

    @property
    def last_time(self) -> float | None:
        """The newest tick's time, POSIX seconds; None before the first."""
        return None if self._last_time == -math.inf else self._last_time

    def tick(self, now: float, elapsed_s: float) -> TickResult:
        """Make a tick.

        Args:
            now: its time, POSIX seconds. Times in a window only increase: a time slightly before the last tick's is
                moved to a millisecond after it; one long before it begins a new epoch.
            elapsed_s: seconds since the last call, by a clock that never steps.
        """
        passed_s = self._durations.passed_s(now, elapsed_s)
        self._elapsed_s += elapsed_s
        self._passed_s += passed_s
        self._unseen_s += passed_s
        if self._is_set_back(now, elapsed_s):
            self._begin_epoch(now)
        self._last_now = now
        now = max(now, self._last_time + 0.001)
        # Allocate memory before values are taken, since that can fail. A series may have come and left in between.
        self.window.reserve(self.registry.width)
        self._clear_left()
        self._take_amended()
        self._take_recalled()
        row = self.registry.collect(self._elapsed_s)
        self._elapsed_s = 0.0
        # Another thread may add a series at any time. The rules see the series of this binding, so the window needs
        # room for all of them.
        revision, binding = self.registry.revision, self.registry.binding()
        self.window.reserve(self.registry.width)
        self._passed_s = max(0.0, self._passed_s)
        # The time between two runs counts for the window's spans, but not for the intake, which waits for samples.
        seq = self.window.append(now, row, max(self._passed_s, now - self._last_time if self._resumes else 0.0))
        self._last_time, self._resumes = now, False
        self.intake.ticked(now, self._passed_s)
        self._passed_s = 0.0
        self.stats.update()
        unseen_s, self._unseen_s = self._unseen_s, 0.0
        self._events += self.alerts.evaluate(now, unseen_s, self.stats, binding, revision)
        return self._hand_over(TickResult(seq, now, row, self._events, self._amended, self._late, self._set_back_s))

    def pad(self, time: float) -> TickResult:
        """Make an empty tick for an instant that was missed, so that late values find it. Rules do not see it.

        Args:
            time: POSIX seconds, after the last tick's and before that of the next call of `tick`.
        """
        self.window.reserve(self.registry.width)
        row = np.full(self.registry.width, np.nan)
        seq = self.window.append(time, row, self.interval_s)
        self._last_time = time
        # The next tick counts the time since the last one that was no padding.
        self._passed_s -= self.interval_s
        self.intake.placement.now = time
        self.stats.update()
        return TickResult(seq, time, row, [])

    def _hand_over(self, result: TickResult) -> TickResult:
        self._events, self._amended, self._late, self._set_back_s = [], [], [], 0.0
        return result

    def _read(self, columns: NDArray[np.intp], span_s: float | None) -> Floats:
        """Return columns over the newest `span_s` seconds of the window, or all of it; float64 [ticks, columns]."""
        if columns.max() >= self.window.width:
            # Some columns are newer than the newest tick.
            return np.empty((0, len(columns)))
        return self.window.spanned(columns, span_s).rows

    def check(self, now: float) -> list[AlertEvent]:
        """Do the work on series, alerts and marks that depends on time alone; return the events to publish."""
        self.intake.forget()
        self.alerts.log.forget(now)
        return self.alerts.check(now)

    def _is_set_back(self, now: float, elapsed_s: float) -> bool:
        """Return whether the wall clock was set back too far for this tick to follow the last one."""
        if now < self._last_time - self._most_back_s:
            return True
        # A clock set back by as much just after the last tick may have caught up a little since.
        return now <= self._last_time and now < self._last_now + elapsed_s - self._most_back_s

    def _begin_epoch(self, now: float) -> None:
        """Begin a new epoch with an empty window, at a time before the last tick's."""
        self._epochs += 1
        self.epoch = f"{self._run}.{self._epochs}"
        self.window.begin_epoch()
        self.stats = WindowStats(self.window)
        self.intake.begin_epoch(now)
        self._amended.clear()
        self._changed_after = -1
        self._resumes, self._recall = False, None
        self._set_back_s, self._last_time = self._last_time - now, -math.inf

    def _clear_left(self) -> None:
        """Clear the values of series that have left, so that their columns can be reused."""
        self._left += self.registry.take_left()
        if self._left:
            columns = np.array(self._left, np.intp)
            self.window.clear(columns)
            self.stats.amend(columns, self.window.oldest)
            self.intake.left(self._left)
            self.registry.recycle(self._left)
            self._left = []

    def amend(self) -> list[Amendment]:
        """Take late values into the window between two ticks; return what has changed, which no tick's result has."""
        self._take_amended()
        amended, self._amended = self._amended, []
        return amended

    def _take_amended(self) -> None:
        self._late += self.intake.placement.take_late()
        if amended := self.intake.placement.take_amended():
            self._amended += amended
            columns = np.unique(np.concatenate([each.columns for each in amended]))
            self.stats.amend(columns, min(each.first for each in amended))
            self._changed_after = self.seq

    def _take_recalled(self) -> None:
        """Fill in the earlier values of series that appeared since the last tick, from an earlier run or board."""
        if self._recall is None:
            return
        if (found := self._recall.take(self.registry, self.window.oldest)) is not None and len(found.rows):
            self.window.fill(found.first, found.columns, found.rows)
            self.stats.amend(found.columns, found.first)
            last = found.first + len(found.rows) - 1
            self._amended.append(Amendment(found.first, last, found.columns, recalled=True))
            self._changed_after = self.seq
        if self._recall.is_over(self.window.oldest):
            self._recall = None

    def select(
        self, patterns: tuple[str, ...] = (), before: Selection | None = None, *, buckets: bool = False
    ) -> Selection:
        """Return the series that `patterns` select, bound to the registry's current state.

        Args:
            patterns: selectors; empty: every series.
            before: an earlier selection of the same patterns, to start from.
            buckets: whether the buckets of heat maps may be among them.
        """
        selection = Selection(self.registry, patterns, before, buckets=buckets)
        self.window.reserve(selection.width)
        return selection

    def select_in_steps(
        self, patterns: tuple[str, ...], before: Selection | None = None, *, buckets: bool = False
    ) -> Generator[None, None, Selection]:
        """Return what `select` does, in steps; other series may appear between them."""
        selection = yield from Selection.steps(self.registry, patterns, before, buckets=buckets)
        self.window.reserve(selection.width)
        return selection

    def can_resume_after(self, epoch: str, seq: int) -> bool:
        """Return whether a viewer can resume after a position.

        The window must have every tick after it, and the viewer must not have missed that a tick before it was amended.
        """
        return epoch == self.epoch and max(self.window.oldest - 1, self._changed_after + 1) <= seq <= self.seq

    def all_stats(self) -> Generator[None, None, dict[str, Stats]]:
        """Return the stats of every series by its key, as in ``/api/stats``; in steps."""
        selection = self.select()
        found: dict[str, Stats] = {}
        for start in range(0, len(selection.series), STEP_SERIES):
            if start:
                yield
            some = slice(start, start + STEP_SERIES)
            found |= self._stats_of(selection.series[some], selection.columns[some])
        return found

    def _stats_of(self, series: Sequence[Series], columns: NDArray[np.intp]) -> dict[str, Stats]:
        found: dict[str, Stats] = {}
        count = self.stats.read("count", columns)
        values = [self.stats.read(stat, columns).tolist() for stat in ("avg", "max", "min", "last")]
        quantiles = self.stats.percentiles(list(PERCENTILES.values()), columns).tolist()
        for index, one in enumerate(series):
            if one.metric.name not in self.registry.keys:
                continue  # it left after the first step
            key = self.registry.keys[one.metric.name] + one.key[len(one.metric.name) :]
            if not count[index]:
                found[key] = Stats(0.0, 0.0, 0.0, 0)
                continue
            avg, high, low, last = (each[index] for each in values)
            found[key] = Stats(avg, high, low, int(count[index]), last, *(each[index] for each in quantiles))
        return found

    def refill(self, earlier: EarlierTicks) -> None:
        """Begin with the ticks of an earlier run, numbered from 1. Call it before the first tick.

        Series are matched by name and labels. If the board does not have a series yet, for example because it is
        pushed, its values are put into the window when it appears. Spans count the time between the two runs. Pending
        alerts continue.

        Args:
            earlier: the ticks; none is later than now.
        """
        ticks = earlier.last(self.window.capacity)
        if not len(ticks):
            return
        self.registry.buckets.recall(ticks.keys)
        columns = {(one.metric.name, one.labels): one.column for one in self.registry.series}
        here = [place for place, key in enumerate(ticks.keys) if key in columns]
        to = np.array([columns[ticks.keys[place]] for place in here], np.intp)
        rehearsal = Rehearsal(self.rules, ticks.times)
        for time, values in zip(ticks.times.tolist(), ticks.rows, strict=True):
            row = np.full(self.registry.width, np.nan)
            row[to] = values[here]
            self.window.append(time, row)
            self.stats.update()
            self._last_time, self._resumes = time, True
            if not np.isnan(values).all():
                # In a tick that was only made for late values, nothing was absent.
                rehearsal.tick(self.stats, self.registry.binding(), self.registry.revision)
        self.alerts.continue_waiting(rehearsal.alerts, self.stats)
        elsewhere = [place for place, key in enumerate(ticks.keys) if key not in columns]
        self._recall = Recall(1, [ticks.keys[place] for place in elsewhere], ticks.rows[:, elsewhere])

    def inherit(self, previous: "Engine") -> None:
        """Begin with the ticks and alerts of another engine, so that a board edited while it runs keeps its window.

        Call it before the first tick. Series that sources write to stay on the board. Other series that the new board
        declares in the same way come back with their window when they are written to.
        """
        self.alerts.inherit(previous.alerts)
        self.registry.buckets.recall((one.metric.name, one.labels) for one in previous.registry.series)
        if previous._recall is not None:  # noqa: SLF001  # of this class
            self.registry.buckets.recall(previous._recall.keys)  # noqa: SLF001
        columns = inherit(self.intake, previous.intake)
        previous.window.reserve(previous.registry.width)
        previous._take_recalled()  # noqa: SLF001  # of this class
        ticks = previous.window.last(self.window.capacity)
        kept = [one for one in previous.registry.series if one.column in columns or self._declares(one)]
        recall = previous._recall  # noqa: SLF001
        if not len(ticks) or not (kept or recall is not None):
            return
        ours = {(one.metric.name, one.labels): one.column for one in self.registry.series}
        columns |= {
            one.column: column for one in kept if (column := ours.get((one.metric.name, one.labels))) is not None
        }
        source, to = np.fromiter(columns, np.intp, len(columns)), np.fromiter(columns.values(), np.intp, len(columns))
        passed = previous.window.passed()[-len(ticks) :]
        for index in range(len(ticks)):
            row = np.full(self.registry.width, np.nan)
            row[to] = ticks.rows[index][source]
            self.window.append(float(ticks.times[index]), row, float(passed[index]))
            self.stats.update()
        self._last_time, self._resumes = float(ticks.times[-1]), previous._resumes  # noqa: SLF001
        self.intake.placement.now = previous.intake.placement.now
        keys, rows = ([], np.empty((len(ticks), 0))) if recall is None else recall.past(ticks.first, len(ticks))
        absent = [one for one in kept if one.column not in columns]
        keys += [(one.metric.name, one.labels) for one in absent]
        if keys:
            self._recall = Recall(1, keys, np.hstack([rows, ticks.rows[:, [one.column for one in absent]]]))

    def _declares(self, series: Series) -> bool:
        """Return whether the board has a metric of this name, kind and labels."""
        metric = self.registry.metrics.get(series.metric.name)
        return metric is not None and (metric.kind, metric.labels) == (series.metric.kind, series.metric.labels)
