"""Alerts: evaluate a board's rules on every tick, and keep the alerts across restarts.

`Alerts` evaluates the rules, moves each series through the state table of `episodes`, and logs which alerts fire, are
resolved, acknowledged or silenced. An alert is resolved when its series has had no value, or has been off the board,
for `STALE_S`. If missing data is a breach, as for `absent`, the alert fires for up to `ABSENT_S`. Time is an argument.
"""

import math
from collections.abc import Callable, Collection, Container, Iterable, Iterator, Mapping
from functools import lru_cache

import msgspec
import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from tickboard.alerting.compiled_rules import CompiledRules, compile_rules
from tickboard.alerting.episodes import FIRING, KEEPING, PENDING, Episode, EpisodeTable, Key, firing
from tickboard.alerting.log import AlertEvent, AlertLog, EventKind
from tickboard.alerting.rules import Rule
from tickboard.alerting.silences import Covered, Silences, covered_by, covers, length_s
from tickboard.expressions.alignment import Binding, Columns, Floats
from tickboard.expressions.expr import Values
from tickboard.wire import Alert, Silence

STALE_S = 300.0
"""A firing alert whose condition has had no value for this many seconds is resolved."""

ABSENT_S = 24 * 3600.0
"""An alert that fires because a value is missing ends when its series has been gone for this many seconds."""

NO_DATA, RULE_REMOVED, FORGOTTEN = "no data", "rule removed", "forgotten"
"""The reasons, other than its values, for which an episode can end."""


class Alerts:
    """All rules of a board and their episodes.

    Args:
        rules: the board's own list, read at every tick, so rules may be added.
        log: receives the alert events.
        new_id: returns a unique id for each episode.
        format_time: formats POSIX seconds as a timestamp of the wire.

    Attributes:
        log: as given.
        format_time: as given.
    """

    def __init__(
        self, rules: list[Rule], log: AlertLog, new_id: Callable[[], str], format_time: Callable[[float], str]
    ) -> None:
        self.log = log
        self._rules = rules
        self._new_id = new_id
        # Ten thousand alerts that fire at one tick share their timestamps.
        self.format_time = lru_cache(64)(format_time)
        self._clock = 0.0
        self._revision = (-1, 0)
        self._groups: list[CompiledRules] = []
        self._table = EpisodeTable([], [])
        # Episodes of series that are not on the board now.
        self._elsewhere: dict[Key, Episode] = {}
        # Labels of series that left for good.
        self._forgotten: set[tuple[str, str]] = set()
        self._silences = Silences()
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
        if self._forgotten:
            self._end_forgotten(now)
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
        self._events += self._update_silenced(self._silences.pass_time(now, self._clock), now)
        self.log.expire()
        return self._take_events()

    def forget(self, label: str, value: str) -> None:
        """End, at the next tick, the episodes of the series with this label that are not on the board then."""
        self._forgotten.add((label, value))

    def _append(self, kind: EventKind, alert: Alert, now: float) -> None:
        """Append an event to the log, and keep it for the caller to publish."""
        self._events.append(self.log.append(kind, alert, now))

    def _take_events(self) -> list[AlertEvent]:
        # They include events that an earlier call logged before it failed.
        events, self._events = self._events, []
        if self._silences.any_until_resolved() and any(event.kind == "resolved" for event in events):
            self._silences.end_resolved(key for key, _ in self._firing())
        return events

    def _firing(self) -> Iterator[tuple[Key, Alert]]:
        """Yield the series that fire, with their alerts as they were when last changed."""
        for place, alert in self._table.alerts.items():
            yield self._table.keys[place], alert
        for key, episode in self._elsewhere.items():
            if episode.alert is not None:
                yield key, episode.alert

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
            self.format_time(now),
            rule.metric_name,
            labels,
            None if missing else value,
            rule=rule.name,
            started=self.format_time(started),
            threshold=rule.threshold,
            silenced=self._silences.of(key),
        )

    def _resolve(self, places: Columns, now: float, ended: str = "") -> None:
        for place in places.tolist():
            self._log_resolved(self._current_alert(place), now, ended)
            self._table.resolve(place)

    def _current_alert(self, place: int) -> Alert:
        """Return a series' firing alert with its peak and the time its breach was last seen."""
        table, peak = self._table, float(self._table.peak[place])
        seen = self.format_time(table.last_breach(place))
        return msgspec.structs.replace(table.alerts[place], seen=seen, peak=None if np.isnan(peak) else peak)

    def _log_resolved(self, alert: Alert, now: float, ended: str) -> None:
        self._append("resolved", msgspec.structs.replace(alert, resolved=self.format_time(now), ended=ended), now)

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

    def _end_forgotten(self, now: float) -> None:
        for key in list(self._elsewhere):
            if not self._forgotten.isdisjoint(key[1]):
                self._end_elsewhere(key, now, FORGOTTEN)
        self._forgotten.clear()

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

        The log decides which of this board's alerts fire; `episodes` add their state. Alerts of rules that no longer
        exist are resolved at the first tick.

        Args:
            episodes: what `episodes` returned in the earlier run; they may be older than the end of the log.
            silences: each with its end in POSIX seconds.
        """
        # The alerts of other hosts are not of these rules.
        begun = {event.alert.id: event for event in self.log.firing_by_now() if not event.alert.host}
        for episode in episodes:
            if episode.alert is None:
                self._elsewhere[episode.key] = episode
            elif (event := begun.pop(episode.alert.id, None)) is not None:
                self._elsewhere[episode.key] = replace(episode, alert=event.alert)
        for event in begun.values():
            episode = firing(event.alert, event.time)
            self._elsewhere[episode.key] = episode
        fires = list(self._firing())
        for until, each in silences:
            covered = covered_by(each)
            # The earlier run may have ended this silence by a wrong clock.
            over = any(alert.silenced is None for key, alert in fires if covers(covered, key))
            self._silences.add(each, until, self._clock + length_s(each), over=over)

    def inherit(self, previous: "Alerts") -> None:
        """Continue the episodes of the board that this one replaces; both must share one log."""
        self._forgotten |= previous._forgotten  # noqa: SLF001  # of this class
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
        return self._silences.in_force()

    def kept_silences(self) -> list[tuple[float, Silence]]:
        """Return the silences to save across a restart, each with its end in POSIX seconds.

        A silence that the wall clock says is over stays among them until its duration has also passed in this run: the
        clock may be wrong and still be corrected.
        """
        return self._silences.kept()

    def has_silence(self, covered: Covered, silence: Silence | None, until: float) -> bool:
        """Return whether a silence with these terms covers this already; None: whether none does."""
        return self._silences.has(covered, silence, until)

    def set_silences(self, wanted: Mapping[Covered, Silence | None], until: float, now: float) -> list[AlertEvent]:
        """Begin or end silences; return an event for each firing alert that they change.

        Args:
            wanted: the silence of each rule or series; None: none.
            until: the end of all of them, POSIX seconds.
            now: POSIX seconds.
        """
        for covered, silence in wanted.items():
            self._silences.end(covered)
            if silence is not None:
                self._silences.add(silence, until, self._clock + until - now)
        return self._update_silenced(wanted, now)

    def silence_of(self, key: Key) -> Silence | None:
        """Return the silence in force for a series of a rule."""
        return self._silences.of(key)

    def _update_silenced(self, covered: Collection[Covered], now: float) -> list[AlertEvent]:
        """Show the silences of these rules and series in the alerts that fire."""

        def silenced(key: Key, alert: Alert) -> Alert:
            if key not in covered and (key[0], None) not in covered:
                return alert
            silence = self._silences.of(key)
            return alert if silence == alert.silenced else replace(alert, silenced=silence)

        return self.change(silenced, now) if covered else []

    def change(self, change: Callable[[Key, Alert], Alert], now: float) -> list[AlertEvent]:
        """Change the alerts that fire; return an event for each that changes.

        Args:
            change: takes the rule and series of an alert, and the alert; returns it, or another one in its place.
            now: POSIX seconds.
        """
        table = self._table
        events: list[AlertEvent] = []
        for place, alert in list(table.alerts.items()):
            if (changed := change(table.keys[place], alert)) is not alert:
                table.alerts[place] = changed
                events.append(self.log.append("changed", self._current_alert(place), now))
        for key, episode in list(self._elsewhere.items()):
            if episode.alert is not None and (changed := change(key, episode.alert)) is not episode.alert:
                self._elsewhere[key] = replace(episode, alert=changed)
                events.append(self.log.append("changed", changed, now))
        return events
