"""Episodes: the state table of inactive, pending, firing and keeping. No other module knows these states.

A rule watches every series of its condition. At each tick, the result of the condition moves the series through the
table. Only two moves are published: into firing (an episode begins) and out of it (it is resolved).

    state      result of the condition                   next
    inactive   breach, for_ is 0                         firing, published
    inactive   breach                                    pending
    pending    breach for as long as for_                firing, published
    pending    no breach                                 inactive
    firing     cleared, keep is 0                        inactive, resolved
    firing     cleared                                   keeping
    keeping    not cleared                               firing, the same episode
    keeping    cleared for as long as keep               inactive, resolved
    any        unknown (a value is missing)              unchanged; or, by no_data, as a breach or as cleared

A series is cleared when ``clear=`` is true, or, without it, when there is no breach. All series of all rules move at
once, in numpy. Time is an argument, counted by a clock that never steps, so setting the wall clock moves no episode.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from tickboard.alerting.compiled_rules import CompiledRules
from tickboard.alerting.rules import Rule
from tickboard.expressions.alignment import Columns, Floats, Labels
from tickboard.wire import Alert

INACTIVE, PENDING, FIRING, KEEPING = range(4)
"""The state of a series."""

TOLERANCE_S = 1e-6
"""The rounding error, in seconds, that is allowed in a sum of durations."""

_MEANING = {"keep": np.nan, "alert": 1.0, "resolve": 0.0}
"""The result that stands in for a missing value, by ``no_data``."""

Key = tuple[str, Labels]
"""A rule's name and the labels of a series."""


class Episode(Struct, frozen=True):
    """The state of one series of one rule, in a form that survives a restart.

    Attributes:
        rule: the rule's name.
        labels: the labels of the series.
        state: `PENDING`, `FIRING` or `KEEPING`.
        lasted_s: seconds since it entered that state, without the time in which no board was running.
        unseen_s: seconds since the condition last had a value.
        started: when the breach began, POSIX seconds.
        breached: when the breach was last seen, POSIX seconds.
        peak: the worst value; NaN: none.
        alert: the published alert; None while pending.
    """

    rule: str
    labels: Labels
    state: int
    lasted_s: float
    unseen_s: float
    started: float
    breached: float
    peak: float
    alert: Alert | None = None

    @property
    def key(self) -> Key:
        """The rule's name and the labels."""
        return self.rule, self.labels


def firing(alert: Alert, time: float) -> Episode:
    """Return the episode of an alert if nothing but its firing event is known.

    Args:
        alert: the alert as published.
        time: when it fired, POSIX seconds.
    """
    peak = np.nan if alert.value is None else alert.value
    return Episode(alert.rule, tuple(alert.labels.items()), FIRING, 0.0, 0.0, time, time, peak, alert)


class EpisodeTable:
    """The states of all series of some compiled rules; every array is [series].

    Attributes:
        keys: the rule's name and the labels of each series.
        rules: the rule of each series.
        rank: intp, the index of that rule in the board's list.
        direction: float64, 1 where a higher value is worse, -1 where a lower one is.
        peak: float64, the worst value of the episode.
        started: float64, when the breach began, POSIX seconds.
        alerts: the published alerts, by the index of their series.
    """

    def __init__(self, groups: Sequence[CompiledRules], rules: Sequence[Rule]) -> None:
        self.rules = [rule for group in groups for rule in _each(group)]
        self.keys: list[Key] = list(
            zip(
                (rule.name for rule in self.rules),
                (labels for group in groups for labels in group.labels),
                strict=True,
            )
        )
        count = len(self.keys)
        ranks = {rule.name: rank for rank, rule in enumerate(rules)}
        self.rank: Columns = np.fromiter((ranks[rule.name] for rule in self.rules), np.intp, count)
        of_rank = [(rule.for_s, rule.keep_s, _MEANING[rule.no_data], _direction(rule)) for rule in rules]
        settings = np.array(of_rank, np.float64).reshape(-1, 4)[self.rank]
        self._for, self._keep, self._meaning, self.direction = settings.T
        self._no_data_means = not np.isnan(self._meaning).all()
        self.state: NDArray[np.int8] = np.zeros(count, np.int8)
        self._since: Floats = np.zeros(count)
        self._seen: Floats = np.zeros(count)
        self._breached: Floats = np.zeros(count)
        self.started: Floats = np.zeros(count)
        self.peak: Floats = np.full(count, np.nan)
        self._fresh: NDArray[np.bool_] = np.zeros(count, np.bool_)
        self.alerts: dict[int, Alert] = {}

    def interpret_missing(self, result: Floats) -> Floats:
        """Return the results of conditions, with a missing one replaced as its rule's ``no_data`` says.

        ``no_data="resolve"`` does not end the episode of a series that has just come back and has no value yet.
        """
        missing = np.isnan(result)
        self._fresh &= missing & (self.state != INACTIVE)
        return np.where(missing & ~self._fresh, self._meaning, result) if self._no_data_means else result

    def moving(self, result: Floats) -> Columns:
        """Return the series that are in an episode or are about to begin one."""
        return np.flatnonzero((result == 1.0) | (self.state != INACTIVE))

    def move(
        self, moving: Columns, result: Floats, cleared: Floats, clock: float, now: float
    ) -> tuple[Columns, Columns]:
        """Advance series by one tick; return those that should fire and those that should be resolved.

        The caller creates and publishes the alerts, and then calls `fire` and `resolve`.

        Args:
            moving: the series that may move.
            result: the condition's result for each: 1 is a breach, 0 is none, NaN is unknown.
            cleared: whether each is cleared, likewise.
            clock: seconds since the table's clock began.
            now: POSIX seconds.
        """
        breach, clear = result == 1.0, cleared == 1.0
        known = ~np.isnan(result) | clear
        self._seen[moving[known]] = clock
        self._breached[moving[breach]] = now

        before = self.state[moving]
        state = before.copy()
        begins = (before == INACTIVE) & breach
        self._since[moving[begins]] = clock
        self.started[moving[begins]] = now
        self.peak[moving[begins]] = np.nan
        state[begins] = PENDING
        state[(before == PENDING) & (result == 0.0)] = INACTIVE
        lasted = clock - self._since[moving] + TOLERANCE_S
        fires = (state == PENDING) & breach & (lasted >= self._for[moving])
        keeps = (before == FIRING) & clear
        self._since[moving[keeps]] = clock
        lasted[keeps] = TOLERANCE_S
        state[keeps] = KEEPING
        state[(before == KEEPING) & ~clear & known] = FIRING
        ends = (state == KEEPING) & clear & (lasted >= self._keep[moving])
        self.state[moving] = state
        return self._ordered(moving[fires]), self._ordered(moving[ends])

    def fire(self, place: int, alert: Alert) -> None:
        """Record that a series fires, with its alert."""
        self.state[place] = FIRING
        self.alerts[place] = alert

    def resolve(self, place: int) -> None:
        """End the episode of a firing series."""
        self.state[place] = INACTIVE
        del self.alerts[place]

    def stale(self, before: float) -> Columns:
        """Return the firing series that have had no value since `before`, a time of the table's clock."""
        return self._ordered(np.flatnonzero((self.state >= FIRING) & (self._seen < before)))

    def forget_stale(self, before: float) -> None:
        """Reset the pending series that have had no value since `before`; nothing was published of them."""
        self.state[(self.state == PENDING) & (self._seen < before)] = INACTIVE

    def active(self, group: CompiledRules) -> Columns:
        """Return the series of `group` that are in an episode, as indices from its first series."""
        return np.flatnonzero(self.state[group.place])

    def last_breach(self, place: int) -> float:
        """Return when the breach of a series was last seen, POSIX seconds."""
        return float(self._breached[place])

    def episodes(self, clock: float) -> Iterator[Episode]:
        """Yield all episodes."""
        for place in np.flatnonzero(self.state).tolist():
            name, labels = self.keys[place]
            yield Episode(
                name,
                labels,
                int(self.state[place]),
                clock - float(self._since[place]),
                clock - float(self._seen[place]),
                float(self.started[place]),
                float(self._breached[place]),
                float(self.peak[place]),
                self.alerts.get(place),
            )

    def fresh(self) -> set[Key]:
        """Return the series that came back to the board with an episode and have had no value since."""
        return {self.keys[place] for place in np.flatnonzero(self._fresh).tolist()}

    def restore(self, place: int, episode: Episode, clock: float, *, fresh: bool) -> None:
        """Continue an episode in this table.

        Args:
            place: the index of the series.
            episode: the episode, with the same key.
            clock: as for `move`.
            fresh: whether the series has just come back, so its first value may take a while.
        """
        self.state[place] = episode.state
        self._since[place] = clock - episode.lasted_s
        self._seen[place] = clock - episode.unseen_s
        self.started[place] = episode.started
        self._breached[place] = episode.breached
        self.peak[place] = episode.peak
        self._fresh[place] = fresh and self._meaning[place] == _MEANING["resolve"]
        if episode.alert is not None:
            self.alerts[place] = episode.alert

    def _ordered(self, places: Columns) -> Columns:
        """Return indices of series, sorted by the order of the rules."""
        return places[np.argsort(self.rank[places], kind="stable")]


def _each(group: CompiledRules) -> Iterator[Rule]:
    for rule, count in zip(group.rules, group.counts, strict=True):
        for _ in range(count):
            yield rule


def _direction(rule: Rule) -> float:
    return 1.0 if rule.condition.rises() else -1.0
