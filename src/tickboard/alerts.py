"""Rules and episodes: the one table of inactive, pending, firing and keeping. Nothing else knows the states.

A rule watches every series of its condition. What the condition says of a series at a tick moves that series through
the table; only two moves are told to anyone: into firing (an episode begins) and out of it (it is resolved).

    state      the condition says                        then
    inactive   breach, for_ is 0                         firing, announced
    inactive   breach                                    pending
    pending    breach for as long as for_                firing, announced
    pending    no breach                                 inactive
    firing     cleared, keep is 0                        inactive, resolved
    firing     cleared                                   keeping
    keeping    not cleared                               firing, the same episode
    keeping    cleared for as long as keep               inactive, resolved
    any        nothing (a value is missing)              as it was

Cleared is what ``clear=`` says, or simply no breach. All series of a rule move at once, in numpy; Python loops over the
announcements alone. Time is an argument.
"""

import string
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import IntEnum
from typing import get_args

import msgspec
import numpy as np
from numpy.typing import NDArray

from tickboard.alertlog import AlertEvent, AlertLog
from tickboard.errors import InputError
from tickboard.expr import Binding, Bound, Condition, Constant, Floats, Labels, Values
from tickboard.types import Alert, RuleInfo, Severity

STALE_S = 300.0
"""A firing alert whose condition has had no value for so long is resolved."""


class State(IntEnum):
    """Where a series is in an episode."""

    INACTIVE = 0
    PENDING = 1
    FIRING = 2
    KEEPING = 3


@dataclass(frozen=True, eq=False)
class Rule:
    """A condition, how long it must last, how bad it is, and what to say.

    Attributes:
        condition: what is watched.
        message: a format text; it may use ``{value}``, ``{metric}``, ``{threshold}`` and the labels' names.
        severity: info, warning or critical.
        for_s: seconds that a breach lasts before it fires.
        clear: what ends it; the condition being false when None.
        keep_s: seconds that it goes on firing after it is cleared.
    """

    condition: Condition
    message: str
    severity: Severity
    for_s: float = 0.0
    clear: Condition | None = None
    keep_s: float = 0.0

    def describe(self) -> RuleInfo:
        """Return what the page needs to know."""
        return RuleInfo(self.condition.text(), self.message, self.severity, self.metric_name(), self.threshold())

    def metric_name(self) -> str:
        """Return the name of the metric that the condition compares."""
        return self.condition.metric_name()

    def threshold(self) -> float | None:
        """Return the number that the condition compares with, where it is one."""
        right = self.condition.first().right
        return right.number if isinstance(right, Constant) else None


def make_rule(
    condition: Condition,
    message: str,
    severity: str,
    for_s: float,
    clear: Condition | None,
    keep_s: float,
    label_names: Iterable[str],
) -> Rule:
    """Return a rule whose severity and message have been checked.

    Raises:
        InputError: the severity is unknown, or the message uses a name or format that it can't have.
    """
    if severity not in get_args(Severity):
        raise InputError(f"severity {severity!r} is none of {', '.join(get_args(Severity))}")
    names = {"value": 1.0, "metric": "m", "threshold": 1.0} | dict.fromkeys(label_names, "label")
    try:
        for _, name, _, _ in string.Formatter().parse(message):
            if name is not None and name not in names:
                raise InputError(
                    f"alert message {message!r}: {{{name}}} is unknown; it may use "
                    f"{', '.join(f'{{{known}}}' for known in names)}"
                )
        message.format(**names)
    except ValueError as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"alert message {message!r}: {error}; write the value as {{value:.1f}}") from error
    checked: Severity = severity  # type: ignore[assignment]  # it is one of them, as seen above
    return Rule(condition, message, checked, for_s, clear, keep_s)


class _Watch:
    """One rule, bound, with the state of each of its series."""

    def __init__(self, rule: Rule, binding: Binding) -> None:
        self.rule = rule
        self.bind(binding, {})

    def bind(self, binding: Binding, before: dict[Labels, tuple[int, float, float, Alert | None]]) -> None:
        self.breach: Bound = self.rule.condition.bind(binding)
        self.clear: Bound | None = self.rule.clear.bind(binding) if self.rule.clear is not None else None
        self.subject: Bound = self.rule.condition.subject().bind(binding)
        self.labels = self.breach.labels
        count = len(self.labels)
        self.state: NDArray[np.int8] = np.zeros(count, np.int8)
        self.since: Floats = np.zeros(count)
        self.seen: Floats = np.zeros(count)
        self.alerts: dict[int, Alert] = {}
        for index, labels in enumerate(self.labels):
            if labels in before:
                self.state[index], self.since[index], self.seen[index], alert = before[labels]
                if alert is not None:
                    self.alerts[index] = alert
        self.active = bool(self.state.any())

    def kept(self) -> dict[Labels, tuple[int, float, float, Alert | None]]:
        return {
            labels: (int(self.state[index]), self.since[index], self.seen[index], self.alerts.get(index))
            for index, labels in enumerate(self.labels)
            if self.state[index]
        }

    def subject_values(self, values: Values) -> list[float]:
        """Return what ``{value}`` shows for each series of the rule; NaN where its subject has none with its labels."""
        found: list[float] = _aligned(self.labels, self.subject, values).tolist()
        return found


class Alerts:
    """All rules of a board and the episodes that they are in.

    Args:
        rules: the list that the board adds to; it is read at every tick.
        log: where what is to be told goes.
        new_id: gives each episode an id that no other has.
        format_time: turns POSIX seconds into the wire's timestamps.
    """

    def __init__(
        self, rules: list[Rule], log: AlertLog, new_id: Callable[[], str], format_time: Callable[[float], str]
    ) -> None:
        self.log = log
        self._rules = rules
        self._new_id = new_id
        self._format_time = format_time
        self._watches: list[_Watch] = []
        self._revision = -1

    def evaluate(self, now: float, values: Values, binding: Binding, revision: int) -> list[AlertEvent]:
        """Move every series of every rule on by one tick and return what is to be told, in the order of the rules.

        Args:
            now: POSIX seconds.
            values: the newest row and the stats.
            binding: the registry's labels and columns.
            revision: changes when `binding` does.
        """
        if revision != self._revision or len(self._watches) != len(self._rules):
            for watch in self._watches:
                watch.bind(binding, watch.kept())
            self._watches += [_Watch(rule, binding) for rule in self._rules[len(self._watches) :]]
            self._revision = revision
        events: list[AlertEvent] = []
        for watch in self._watches:
            events += self._step(watch, now, values)
        return events

    def check(self, now: float) -> list[AlertEvent]:
        """Do the work that time alone brings: resolve what has had no value for `STALE_S`, forget old events."""
        events: list[AlertEvent] = []
        for watch in self._watches:
            if watch.active:
                on = (watch.state == State.FIRING) | (watch.state == State.KEEPING)
                stale = on & (watch.seen < now - STALE_S)
                events += self._resolve(watch, np.flatnonzero(stale), now)
        self.log.expire(now)
        return events

    def _step(self, watch: _Watch, now: float, values: Values) -> list[AlertEvent]:
        said = watch.breach.evaluate(values)
        breach = said == 1.0
        if not watch.active and not breach.any():
            return []
        state, since = watch.state, watch.since
        known = ~np.isnan(said)
        if watch.clear is None:
            cleared = said == 0.0
        else:
            cleared = _aligned(watch.labels, watch.clear, values) == 1.0
            known |= cleared
        watch.seen[known] = now

        was_pending, was_firing, was_keeping = state == State.PENDING, state == State.FIRING, state == State.KEEPING
        begins = (state == State.INACTIVE) & breach
        since[begins] = now
        state[begins] = State.PENDING
        state[was_pending & (said == 0.0)] = State.INACTIVE
        fires = (state == State.PENDING) & breach & (now - since >= watch.rule.for_s)
        keeps = was_firing & cleared
        since[keeps] = now
        state[keeps] = State.KEEPING
        state[was_keeping & ~cleared & known] = State.FIRING
        ends = (state == State.KEEPING) & cleared & (now - since >= watch.rule.keep_s)

        events = self._resolve(watch, np.flatnonzero(ends), now)
        events += self._fire(watch, np.flatnonzero(fires), now, values)
        watch.active = bool(state.any())
        return events

    def _fire(self, watch: _Watch, indices: NDArray[np.intp], now: float, values: Values) -> list[AlertEvent]:
        if not len(indices):
            return []
        events = []
        rule, subject = watch.rule, watch.subject_values(values)
        for index in indices.tolist():
            labels, value = dict(watch.labels[index]), subject[index]
            alert = Alert(
                self._new_id(),
                rule.message.format(
                    **{"value": value, "metric": rule.metric_name(), "threshold": rule.threshold()} | labels
                ),
                rule.severity,
                self._format_time(now),
                rule.metric_name(),
                labels,
                None if np.isnan(value) else value,
            )
            watch.state[index] = State.FIRING
            watch.alerts[index] = alert
            events.append(self.log.append("firing", alert, now))
        return events

    def _resolve(self, watch: _Watch, indices: NDArray[np.intp], now: float) -> list[AlertEvent]:
        events = []
        for index in indices.tolist():
            alert = msgspec.structs.replace(watch.alerts.pop(index), resolved=self._format_time(now))
            watch.state[index] = State.INACTIVE
            events.append(self.log.append("resolved", alert, now))
        return events


def _aligned(labels: tuple[Labels, ...], bound: Bound, values: Values) -> Floats:
    """Return what an expression gives for each of `labels`; NaN for those that it doesn't speak of."""
    found = bound.evaluate(values)
    if bound.labels == labels:
        return found
    if bound.labels == ((),):
        return np.broadcast_to(found, len(labels))
    by_labels = dict(zip(bound.labels, found.tolist(), strict=True))
    return np.array([by_labels.get(one, np.nan) for one in labels])
