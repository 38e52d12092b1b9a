"""Alerts: evaluate a board's rules on every tick, and keep the alerts across restarts.

`Alerts` evaluates the rules, moves each series through the state table of `episodes`, and logs which alerts fire, are
resolved, acknowledged or silenced. An alert is resolved when its series has had no value, or has been off the board,
for `STALE_S`. If missing data is a breach, as for `absent`, the alert fires for up to `ABSENT_S`. Time is an argument.
"""

import math
from collections.abc import Callable, Container, Iterable
from datetime import datetime
from functools import lru_cache

import msgspec
import numpy as np
from msgspec import Struct
from msgspec.structs import replace
from numpy.typing import NDArray

from tickboard.alerting.compiled_rules import CompiledRules, compile_rules
from tickboard.alerting.episodes import FIRING, KEEPING, PENDING, Episode, EpisodeTable, Key, firing
from tickboard.alerting.log import AlertEvent, AlertLog, EventKind
from tickboard.alerting.rules import Rule
from tickboard.errors import AlertError
from tickboard.expressions.alignment import Binding, Columns, Floats
from tickboard.expressions.expr import Values
from tickboard.wire import Acknowledgement, Alert, Silence

STALE_S = 300.0
"""A firing alert whose condition has had no value for this many seconds is resolved."""

ABSENT_S = 24 * 3600.0
"""An alert that fires because a value is missing ends when its series has been gone for this many seconds."""

SAME_S = 1.0
"""Two silences whose ends differ by at most this many seconds count as the same."""

Permit = Callable[[], None]
"""Raises if the caller may not change anything."""

NO_DATA, RULE_REMOVED = "no data", "rule removed"
"""The reasons, other than its values, for which an episode can end."""


class _Silenced(Struct):
    """A silence for one series of one rule.

    Attributes:
        until: when it ends by the wall clock, POSIX seconds.
        silence: the silence as sent on the wire.
        ends: the value of `Alerts._clock` at which its whole duration has passed in this run. The silence is kept until
            then, and ends then at the latest, whatever the wall clock says.
        over: whether it is over by the wall clock.
    """

    until: float
    silence: Silence
    ends: float
    over: bool = False


class Alerts:
    """All rules of a board and their episodes.

    Args:
        rules: the board's own list, read at every tick, so rules may be added.
        log: receives the alert events.
        new_id: returns a unique id for each episode.
        format_time: formats POSIX seconds as a timestamp of the wire.

    Attributes:
        log: as given.
    """

    def __init__(
        self, rules: list[Rule], log: AlertLog, new_id: Callable[[], str], format_time: Callable[[float], str]
    ) -> None:
        self.log = log
        self._rules = rules
        self._new_id = new_id
        # Ten thousand alerts that fire at one tick share their timestamps.
        self._format_time = lru_cache(64)(format_time)
        self._clock = 0.0
        self._revision = (-1, 0)
        self._groups: list[CompiledRules] = []
        self._table = EpisodeTable([], [])
        # Episodes of series that are not on the board now.
        self._elsewhere: dict[Key, Episode] = {}
        self._silences: dict[Key, _Silenced] = {}
        # Indices of the series without labels that stand for a metric without series.
        self._stand_ins: list[int] = []
        self._events: list[AlertEvent] = []
        self._uncounted_s = 0.0

    # --- ticks ---

    def evaluate(
        self, now: float, passed_s: float, values: Values, binding: Binding, revision: int
    ) -> list[AlertEvent]:
        """Advance every series of every rule by one tick; return the events to publish: resolved ones, then firing.

        Args:
            now: POSIX seconds.
            passed_s: seconds since the last tick, however the wall clock was set meanwhile.
            values: the newest row and the stats.
            binding: the registry's labels and columns.
            revision: a number that changes whenever `binding` does.
        """
        # If a call fails before it has counted this time, the next call counts it.
        self._uncounted_s += passed_s
        if (revision, len(self._rules)) != self._revision:
            self._bind(now, binding)
            self._revision = (revision, len(self._rules))
        passed_s, self._uncounted_s = self._uncounted_s, 0.0
        self._clock += passed_s
        self.log.pass_time(passed_s)
        if self._elsewhere:
            self._move_elsewhere(now, passed_s)
        self._step(now, values)
        return self._take_events()

    def check(self, now: float) -> list[AlertEvent]:
        """Do the work that depends on time alone: resolve stale alerts, end silences, expire old events.

        Args:
            now: POSIX seconds.
        """
        self._table.forget_stale(self._clock - STALE_S)
        self._resolve(self._table.stale(self._clock - STALE_S), now, NO_DATA)
        self._check_silences(now)
        self.log.expire()
        return self._take_events()

    def _append(self, kind: EventKind, alert: Alert, now: float) -> None:
        """Append an event to the log, and keep it for the caller to publish."""
        self._events.append(self.log.append(kind, alert, now))

    def _take_events(self) -> list[AlertEvent]:
        # They include events that an earlier call logged before it failed.
        events, self._events = self._events, []
        return events

    def _check_silences(self, now: float) -> None:
        """End the silences that are over, and resume those that a wrong clock ended too early."""
        for key, each in list(self._silences.items()):
            passed = self._clock >= each.ends
            over = passed or each.until <= now
            if over != each.over:
                each.over = over
                self._events += self._change(key, now, silenced=None if over else each.silence)
            if passed:
                del self._silences[key]

    def _step(self, now: float, values: Values) -> None:
        table = self._table
        raw = np.empty(len(table.keys))
        for group in self._groups:
            raw[group.place] = group.evaluate(values)
        results = table.interpret_missing(raw)
        for place in self._stand_ins:
            if any(rule == table.rules[place].name for rule, _ in self._elsewhere):
                # The series that left the board have episodes of their own.
                results[place] = np.nan
        moving = table.moving(results)
        if not len(moving):
            return
        cleared = self._cleared(results, np.isnan(raw), values)
        fires, ends = table.move(moving, results[moving], cleared[moving], self._clock, now)
        self._measure(values)
        self._resolve(ends, now)
        self._fire(fires, now, values)

    def _cleared(self, results: Floats, missing: NDArray[np.bool_], values: Values) -> Floats:
        """Return whether each series is cleared: 1, 0 or NaN; float64 [series]."""
        cleared: Floats = 1.0 - results
        for group in self._groups:
            if group.clears and len(self._table.active(group)):
                place, found = group.place, group.evaluate_clear(values)
                # Where neither condition has a value, `no_data` decides.
                unknown = np.where(missing[place], cleared[place], 0.0)
                cleared[place] = np.where(np.isnan(found), unknown, found)
        return cleared

    def _measure(self, values: Values) -> None:
        """Update the worst value of each episode."""
        table = self._table
        for group in self._groups:
            active = table.active(group)
            if len(active):
                at = active + group.place.start
                turned = table.direction[at] * group.subject_values(values, active)
                table.peak[at] = table.direction[at] * np.fmax(table.direction[at] * table.peak[at], turned)

    # --- fire and resolve ---

    def _fire(self, places: Columns, now: float, values: Values) -> None:
        table = self._table
        found = np.full(len(table.keys), np.nan) if len(places) else np.empty(0)
        for group in self._groups:
            mine = places[(places >= group.place.start) & (places < group.place.stop)]
            if len(mine):
                found[mine] = group.subject_values(values, mine - group.place.start)
        for place in places.tolist():
            key, value = table.keys[place], float(found[place])
            alert = self._new_alert(table.rules[place], key, value, float(table.started[place]), now)
            self._append("firing", alert, now)
            table.fire(place, alert)

    def _new_alert(self, rule: Rule, key: Key, value: float, started: float, now: float) -> Alert:
        labels = dict(key[1])
        message, missing = rule.format_message(value, labels), math.isnan(value)
        return Alert(
            self._new_id(),
            f"{message} ({NO_DATA})" if missing and rule.no_data == "alert" else message,
            rule.severity,
            self._format_time(now),
            rule.metric_name,
            labels,
            None if missing else value,
            rule=rule.name,
            started=self._format_time(started),
            threshold=rule.threshold,
            silenced=each.silence if (each := self._silences.get(key)) is not None and not each.over else None,
        )

    def _resolve(self, places: Columns, now: float, ended: str = "") -> None:
        for place in places.tolist():
            self._log_resolved(self._current_alert(place), now, ended)
            self._table.resolve(place)

    def _current_alert(self, place: int) -> Alert:
        """Return a series' firing alert with its peak and the time its breach was last seen."""
        table, peak = self._table, float(self._table.peak[place])
        seen = self._format_time(table.last_breach(place))
        return msgspec.structs.replace(table.alerts[place], seen=seen, peak=None if np.isnan(peak) else peak)

    def _log_resolved(self, alert: Alert, now: float, ended: str) -> None:
        self._append("resolved", msgspec.structs.replace(alert, resolved=self._format_time(now), ended=ended), now)

    # --- series that appear and leave ---

    def _bind(self, now: float, binding: Binding) -> None:
        """Bind the rules to the series that exist now; episodes continue where they were."""
        before = {episode.key: episode for episode in self.episodes()}
        known = set(self._elsewhere)
        fresh = known | self._table.fresh()
        bound = compile_rules(self._rules, binding)
        table = EpisodeTable(bound, self._rules)
        if before:
            for place, key in enumerate(table.keys):
                if (episode := before.pop(key, None)) is not None:
                    table.restore(place, episode, self._clock, fresh=key in fresh)
        stand_ins = [
            place
            for place, (_, labels) in enumerate(table.keys)
            if not labels and table.rules[place].condition.true_of_nothing()
        ]
        # Assigned last: if an error occurs above, nothing has changed, and the next tick binds again.
        self._groups, self._table, self._elsewhere, self._stand_ins = bound, table, before, stand_ins
        rules = {rule.name: rule for rule in self._rules}
        has_series = {rule for rule, _ in table.keys} if before else set()
        for key, episode in list(before.items()):
            rule = rules.get(episode.rule)
            if rule is None:
                self._end_elsewhere(key, now, RULE_REMOVED)
            elif rule.no_data == "resolve" and key not in known:
                self._end_elsewhere(key, now, NO_DATA)
            elif not episode.labels and episode.rule in has_series:
                # The episode stood for a metric without series, which now has some.
                self._end_elsewhere(key, now, "")

    def _move_elsewhere(self, now: float, passed_s: float) -> None:
        """Advance the episodes of series that are not on the board."""
        rules = {rule.name: rule for rule in self._rules}
        for key, before in list(self._elsewhere.items()):
            rule = rules[before.rule]
            episode = replace(before, lasted_s=before.lasted_s + passed_s, unseen_s=before.unseen_s + passed_s)
            self._elsewhere[key] = episode
            missed = rule.no_data == "alert" or rule.condition.true_of_nothing()
            if episode.unseen_s > (ABSENT_S if missed else STALE_S):
                self._end_elsewhere(key, now, NO_DATA)
            elif missed and episode.alert is None and episode.lasted_s >= rule.for_s:
                alert = self._new_alert(rule, key, np.nan, episode.started, now)
                self._append("firing", alert, now)
                self._elsewhere[key] = replace(episode, state=FIRING, lasted_s=0.0, alert=alert)

    def _end_elsewhere(self, key: Key, now: float, ended: str) -> None:
        alert = self._elsewhere[key].alert
        if alert is not None:
            self._log_resolved(alert, now, ended)
        del self._elsewhere[key]

    # --- across restarts ---

    def episodes(self) -> list[Episode]:
        """Return all episodes, to be saved across a restart."""
        return [*self._table.episodes(self._clock), *self._elsewhere.values()]

    def restore(self, episodes: Iterable[Episode], silences: Iterable[tuple[float, Silence]] = ()) -> None:
        """Continue the episodes of an earlier run; call it before the first tick.

        The log decides which alerts fire; `episodes` add their state. Alerts of rules that no longer exist are resolved
        at the first tick.

        Args:
            episodes: what `episodes` returned in the earlier run; they may be older than the end of the log.
            silences: each with its end in POSIX seconds.
        """
        begun = {event.alert.id: event for event in self.log.firing_by_now()}
        for episode in episodes:
            if episode.alert is None:
                self._elsewhere[episode.key] = episode
            elif (event := begun.pop(episode.alert.id, None)) is not None:
                self._elsewhere[episode.key] = replace(episode, alert=event.alert)
        for event in begun.values():
            episode = firing(event.alert, event.time)
            self._elsewhere[episode.key] = episode
        for until, each in silences:
            key = (each.rule, tuple(each.labels.items()))
            fires = self._elsewhere[key].alert if key in self._elsewhere else None
            # The earlier run may have ended this silence by a wrong clock.
            over = fires is not None and fires.silenced is None
            self._silences[key] = _Silenced(until, each, self._clock + _length_s(each), over)

    def inherit(self, previous: "Alerts") -> None:
        """Continue the episodes of the board that this one replaces; both must share one log."""
        self.restore(previous.episodes(), previous.kept_silences())

    def continue_waiting(self, rehearsed: "Alerts", values: Values) -> None:
        """Continue the pending series of an earlier run; call it before the first tick.

        Firing alerts stay as they are in the log. A series that was breaching in the last tick of the earlier run is
        pending for as long as it had been breaching; any other is not pending.

        Args:
            rehearsed: the same rules, evaluated over ticks of the earlier run.
            values: the values at the last of those ticks.
        """
        breaching = {episode.key: episode for episode in rehearsed.episodes() if episode.state != KEEPING}
        for key in rehearsed.keys_with_result(values):
            before = self._elsewhere.get(key)
            if before is not None and before.alert is not None:
                continue
            if (episode := breaching.get(key)) is None:
                self._elsewhere.pop(key, None)
                continue
            if before is not None and episode.lasted_s >= rehearsed._clock:  # noqa: SLF001  # of this class
                # It breached in all of the ticks, and maybe before them.
                lasted_s, started = max(episode.lasted_s, before.lasted_s), min(episode.started, before.started)
                episode = replace(episode, lasted_s=lasted_s, started=started)
            self._elsewhere[key] = replace(episode, state=PENDING, alert=None)

    def keys_with_result(self, values: Values) -> list[Key]:
        """Return the rule and labels of each series whose condition has a result."""
        results = [group.evaluate(values) for group in self._groups]
        known = ~np.isnan(np.concatenate(results)) if results else np.empty(0, np.bool_)
        return [self._table.keys[place] for place in np.flatnonzero(known).tolist()]

    # --- acknowledging and silencing ---

    def active(self, ids: Container[str] | None = None) -> list[Alert]:
        """Return the alerts that fire now, each with its peak and the time its breach was last seen, unordered.

        Args:
            ids: return only these; None: all.
        """
        found = [
            self._current_alert(place) for place, alert in self._table.alerts.items() if ids is None or alert.id in ids
        ]
        elsewhere = [episode.alert for episode in self._elsewhere.values() if episode.alert is not None]
        return found + [alert for alert in elsewhere if ids is None or alert.id in ids]

    def silences(self) -> list[tuple[float, Silence]]:
        """Return the silences in force, each with its end in POSIX seconds."""
        return [(each.until, each.silence) for each in self._silences.values() if not each.over]

    def kept_silences(self) -> list[tuple[float, Silence]]:
        """Return the silences to save across a restart, each with its end in POSIX seconds.

        A silence that the wall clock says is over stays among them until its duration has also passed in this run: the
        clock may be wrong and still be corrected.
        """
        return [(each.until, each.silence) for each in self._silences.values()]

    def acknowledge(
        self,
        id: str,  # the wire's name
        now: float,
        note: str = "",
        by: str = "",
        permit: Permit = lambda: None,
    ) -> AlertEvent | Alert:
        """Acknowledge a firing alert.

        Args:
            id: the alert's id.
            now: POSIX seconds.
            note: the person's note.
            by: the person's name.
            permit: called before anything changes; its exception propagates.

        Returns:
            The event; or the unchanged alert, if it already has this acknowledgement.

        Raises:
            AlertError: there is no such alert, or it is resolved.
        """
        alert = self._find(id)
        if alert.resolved is not None:
            raise AlertError(f"alert {id[:80]!r} was resolved at {alert.resolved}: it needs no acknowledgement", 409)
        before = alert.acknowledged
        if before is not None and (before.note, before.by) == (note, by):
            return self._by_now(alert)
        permit()
        seen = Acknowledgement(self._format_time(now), by, note)
        events = self._change(_key_of(alert), now, acknowledged=seen)
        if not events:
            raise AlertError(f"alert {id[:80]!r} is resolved: it needs no acknowledgement", 409)
        return events[0]

    def silence(
        self,
        id: str,  # the wire's name
        now: float,
        duration_s: float,
        reason: str,
        by: str = "",
        permit: Permit = lambda: None,
    ) -> AlertEvent | Alert:
        """Silence the rule and series of an alert for a while: nobody is notified, but the page still shows it.

        Args:
            id: an alert of that rule and series, firing or resolved.
            now: POSIX seconds.
            duration_s: seconds; 0 ends a silence.
            reason: why.
            by: the person's name.
            permit: called before anything changes; its exception propagates.

        Returns:
            The event; or the unchanged alert, if it already has the same silence with the same end (within `SAME_S`),
            or has none to end.

        Raises:
            AlertError: there is no such alert.
        """
        alert = self._find(id)
        key, silence = _key_of(alert), None
        if self._is_silenced_so(key, now + duration_s if duration_s > 0 else None, reason, by):
            return self._by_now(alert)
        permit()
        self._silences.pop(key, None)
        if duration_s > 0:
            until = now + duration_s
            silence = Silence(key[0], self._format_time(until), reason, self._format_time(now), alert.labels, by)
            self._silences[key] = _Silenced(until, silence, self._clock + duration_s)
        if events := self._change(key, now, silenced=silence):
            return events[0]
        return self.log.append("changed", msgspec.structs.replace(alert, silenced=silence), now)

    def _is_silenced_so(self, key: Key, until: float | None, reason: str, by: str) -> bool:
        before = self._silences.get(key)
        if before is None or until is None:
            return before is None and until is None
        same = (before.silence.reason, before.silence.by) == (reason, by)
        return not before.over and same and abs(before.until - until) <= SAME_S

    def _by_now(self, alert: Alert) -> Alert:
        """Return an alert in its current state, with its peak, if it still fires."""
        return next(iter(self.active({alert.id})), alert)

    def _find(self, id: str) -> Alert:  # the wire's name
        alert = self.log.find(id)
        if alert is None:
            raise AlertError(f"there is no alert {id[:80]!r}: see GET /api/alerts?state=all", 404)
        return alert

    def _change(self, key: Key, now: float, **changes: Acknowledgement | Silence | None) -> list[AlertEvent]:
        """Change the firing alert of a series, if there is one."""
        table = self._table
        for place in table.alerts:
            if table.keys[place] == key:
                table.alerts[place] = msgspec.structs.replace(table.alerts[place], **changes)
                return [self.log.append("changed", self._current_alert(place), now)]
        episode = self._elsewhere.get(key)
        if episode is None or episode.alert is None:
            return []
        alert = msgspec.structs.replace(episode.alert, **changes)
        self._elsewhere[key] = replace(episode, alert=alert)
        return [self.log.append("changed", alert, now)]


def _length_s(silence: Silence) -> float:
    try:
        return (datetime.fromisoformat(silence.until) - datetime.fromisoformat(silence.timestamp)).total_seconds()
    except ValueError:
        return math.inf


def _key_of(alert: Alert) -> Key:
    return alert.rule, tuple(alert.labels.items())
