"""An episode is announced once when it starts and once when it ends, whatever the values do in between."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tickboard.alerting.actions import ActionResult, acknowledge, silence
from tickboard.alerting.alerts import ABSENT_S, FORGOTTEN, NO_DATA, RULE_REMOVED, STALE_S, Alerts
from tickboard.alerting.episodes import Episode
from tickboard.alerting.log import AlertEvent, AlertLog
from tickboard.alerting.rules import NoData, Rule, check_rule, unused_name
from tickboard.errors import AlertError, InputError
from tickboard.expressions.alignment import Columns, Floats
from tickboard.expressions.expr import Condition
from tickboard.expressions.functions import absent, metric, total
from tickboard.metrics.registry import Registry
from tickboard.wire import Alert


class Row:
    """The values of one tick, and no stats."""

    def __init__(self, values: Floats) -> None:
        self._values = values

    def read(self, stat: str, columns: Columns, span_s: float | None = None) -> Floats:
        assert (stat, span_s) == ("value", None)
        return np.array([np.nan if column < 0 else self._values[column] for column in columns])


class Bench:
    """One board's rules and a clock that the test advances."""

    def __init__(self) -> None:
        self.registry = Registry()
        self.rules: list[Rule] = []
        self._ids = (f"id{number}" for number in count(1))
        self._now: float | None = None
        self.alerts = self.start(AlertLog("log", kept=True))

    def start(self, log: AlertLog) -> Alerts:
        """Start a run."""
        self.alerts = Alerts(self.rules, log, lambda: next(self._ids), lambda time: f"T{time:g}")
        return self.alerts

    def restart(self, episodes: Sequence[Episode] | None = None) -> None:
        """End this run and start another from what is kept: the log and the episodes."""
        before = self.alerts
        before.log.publish(before.log.number)
        self.start(AlertLog("log", before.log.since(0), kept=True))
        self.alerts.restore(before.episodes() if episodes is None else episodes, before.kept_silences())

    def reload(self) -> None:
        """Replace this board by another one while some events may still be unpublished."""
        before = self.alerts
        self.start(before.log).inherit(before)

    def rule(
        self,
        condition: Condition,
        message: str = "{value:g}",
        severity: str = "warning",
        for_s: float = 0,
        clear: Condition | None = None,
        keep_s: float = 0,
        no_data: NoData = "keep",
        name: str = "",
    ) -> None:
        taken = {rule.name for rule in self.rules}
        rule = Rule(
            name or unused_name(condition.metric_name(), taken),
            condition,
            message,
            severity,  # type: ignore[arg-type]  # some are invalid
            for_s,
            clear,
            keep_s,
            no_data,
        )
        check_rule(rule, self.registry.metrics)
        self.rules.append(rule)

    def tick(self, now: float, passed_s: float | None = None) -> list[AlertEvent]:
        """Make a tick. Unless `passed_s` says otherwise, as much time has passed as the clock shows."""
        if passed_s is None:
            passed_s = now - self._now if self._now is not None else 1.0
        self._now = now
        row = self.registry.collect(1.0)
        return self.alerts.evaluate(now, passed_s, Row(row), self.registry.binding(), self.registry.revision)


def announced(events: list[AlertEvent]) -> list[tuple[str, str]]:
    return [(event.kind, event.alert.message) for event in events]


def run(bench: Bench, values: Sequence[float | None]) -> list[list[str]]:
    """Set `cpu` to each value in turn, a second apart, and return the events of each tick."""
    cpu = bench.registry.gauge("cpu")
    found: list[list[str]] = []
    for second, value in enumerate(values):
        cpu.set(value)
        found.append([event.kind for event in bench.tick(second)])
    return found


def test_ten_ticks_of_breach_are_one_alert() -> None:
    bench = Bench()
    bench.rule(bench.registry.gauge("cpu") > 90)
    assert run(bench, [50, 95, 99, 91, 96, 50, 50]) == [[], ["firing"], [], [], [], ["resolved"], []]


def test_a_value_at_the_threshold_is_not_a_breach() -> None:
    bench = Bench()
    bench.rule(bench.registry.gauge("cpu") > 90)
    assert run(bench, [90, 90.0001, 90]) == [[], ["firing"], ["resolved"]]


def test_an_alert_carries_every_field_that_the_wire_needs() -> None:
    bench = Bench()
    cpu = bench.registry.gauge("cpu")
    bench.rule(cpu > 90, "CPU usage critical: {value:.1f}%", "critical")
    cpu.set(97.25)
    [fired] = bench.tick(7)
    expected = Alert(
        "id1",
        "CPU usage critical: 97.2%",
        "critical",
        "T7",
        "cpu",
        {},
        97.25,
        rule="cpu",
        started="T7",
        threshold=90.0,
    )
    assert fired.alert == expected
    cpu.set(99)
    assert bench.tick(8) == []
    cpu.set(1)
    [ended] = bench.tick(9)
    assert ended.alert == msgspec.structs.replace(expected, resolved="T9", seen="T8", peak=99.0)
    assert ended.number == fired.number + 1


def test_an_alert_fires_only_after_the_breach_has_lasted_for_s() -> None:
    bench = Bench()
    bench.rule(bench.registry.gauge("cpu") > 90, for_s=2)
    values = [95, 95, 50, 95, 95, 95, 95, 50]
    assert run(bench, values) == [[], [], [], [], [], ["firing"], [], ["resolved"]]


def test_an_alert_keeps_firing_until_the_clear_condition_holds() -> None:
    bench = Bench()
    cpu = bench.registry.gauge("cpu")
    bench.rule(cpu > 90, clear=cpu < 80)
    assert run(bench, [95, 85, 95, 79, 85]) == [["firing"], [], [], ["resolved"], []]


def test_keep_s_bridges_a_short_recovery() -> None:
    bench = Bench()
    bench.rule(bench.registry.gauge("cpu") > 90, keep_s=2)
    values = [95, 50, 95, 50, 50, 50, 50]
    assert run(bench, values) == [["firing"], [], [], [], [], ["resolved"], []]


def test_a_missing_value_changes_nothing() -> None:
    bench = Bench()
    bench.rule(bench.registry.gauge("cpu") > 90, for_s=2)
    assert run(bench, [95, None, None, None, 95, None, 50]) == [[], [], [], [], ["firing"], [], ["resolved"]]


def test_a_firing_alert_is_resolved_when_its_series_has_had_no_value_for_long() -> None:
    bench = Bench()
    cpu = bench.registry.gauge("cpu")
    bench.rule(cpu > 90)
    cpu.set(95)
    bench.tick(0)
    cpu.set(None)
    bench.tick(STALE_S)
    assert bench.alerts.check(STALE_S) == []
    bench.tick(STALE_S + 1)
    [ended] = bench.alerts.check(STALE_S + 1)
    assert (ended.kind, ended.alert.ended) == ("resolved", NO_DATA)
    assert bench.alerts.check(STALE_S + 2) == []


def test_each_series_of_a_rule_has_its_own_episode() -> None:
    bench = Bench()
    core = bench.registry.gauge("core", labels=["core"])
    bench.rule(core > 90, "core {core}: {value:g} > {threshold:g}")
    core.labels(core=0).set(95)
    core.labels(core=1).set(50)
    assert announced(bench.tick(0)) == [("firing", "core 0: 95 > 90")]
    core.labels(core=1).set(99)
    assert announced(bench.tick(1)) == [("firing", "core 1: 99 > 90")]
    core.labels(core=2).set(1)
    core.labels(core=0).set(1)
    assert announced(bench.tick(2)) == [("resolved", "core 0: 95 > 90")]


def test_a_rule_over_two_metrics_reports_the_value_of_its_left_side() -> None:
    bench = Bench()
    used, size = bench.registry.gauge("used", labels=["d"]), bench.registry.gauge("size", labels=["d"])
    bench.rule(used / size > 0.5, "{d}: {value:.0%} {metric}")
    for name, part in (("a", 9), ("b", 1)):
        used.labels(d=name).set(part)
        size.labels(d=name).set(10)
    assert announced(bench.tick(0)) == [("firing", "a: 90% used")]


def test_an_alert_on_one_metric_can_be_cleared_by_another() -> None:
    bench = Bench()
    core, calm = bench.registry.gauge("core", labels=["core"]), bench.registry.gauge("calm")
    bench.rule(core > 90, clear=calm > 0)
    first = core.labels(core=0)
    calm.set(0)
    first.set(95)
    assert len(bench.tick(0)) == 1
    first.set(0)
    assert bench.tick(1) == []
    calm.set(1)
    assert [event.kind for event in bench.tick(2)] == ["resolved"]


def test_a_clear_condition_on_some_series_resolves_only_those() -> None:
    bench = Bench()
    core, ok = bench.registry.gauge("core", labels=["n"]), bench.registry.gauge("ok", labels=["n"])
    bench.rule(core > 90, "{n}", clear=ok > 0)
    for n in (0, 1):
        core.labels(n=n).set(95)
    ok.labels(n=1).set(1)
    assert announced(bench.tick(0)) == [("firing", "0"), ("firing", "1")]
    assert announced(bench.tick(1)) == [("resolved", "1")]


def test_the_message_shows_the_value_of_a_subject_with_other_labels() -> None:
    bench = Bench()
    total, core = bench.registry.gauge("total"), bench.registry.gauge("core", labels=["n"])
    bench.rule((total > 1) & (core > 1), "{n}: {value:g}")
    total.set(5)
    core.labels(n=0).set(7)
    assert announced(bench.tick(0)) == [("firing", "0: 5")]


def test_each_alert_of_a_rule_over_several_series_shows_its_own_value() -> None:
    bench = Bench()
    some, every = bench.registry.gauge("some", labels=["n"]), bench.registry.gauge("every", labels=["n"])
    for n in (0, 1, 2):
        every.labels(n=n).set(n)
    for n in (2, 1):
        some.labels(n=n).set(10 + n)
    bench.rule((every > 0) & (some > 0), "{n}: {value:g}")
    assert announced(bench.tick(0)) == [("firing", "1: 1"), ("firing", "2: 2")]


def test_a_new_series_does_not_reset_the_others() -> None:
    bench = Bench()
    core = bench.registry.gauge("core", labels=["n"])
    bench.rule(core > 90, "{n}", for_s=2)
    core.labels(n=0).set(95)
    assert bench.tick(0) == []
    core.labels(n=1).set(1)
    assert bench.tick(1) == []
    assert announced(bench.tick(2)) == [("firing", "0")]


def test_a_check_resolves_nothing_when_nothing_fires() -> None:
    bench = Bench()
    bench.rule(bench.registry.gauge("cpu") > 90)
    run(bench, [50])
    assert bench.alerts.check(STALE_S * 2) == []


def test_rules_can_be_added_between_ticks() -> None:
    bench = Bench()
    cpu = bench.registry.gauge("cpu")
    bench.rule(cpu > 90, "first")
    cpu.set(95)
    assert announced(bench.tick(0)) == [("firing", "first")]
    bench.rule(cpu > 80, "second")
    assert announced(bench.tick(1)) == [("firing", "second")]


@pytest.mark.parametrize(
    ("message", "severity", "hint"),
    [
        ("x", "fatal", "severity 'fatal' is unknown: use one of info, warning, critical"),
        ("{host}: x", "info", "{host} is unknown; it may use {value}"),
        ("{value:.1q}", "info", "write the value as"),
        ("{value", "info", "write the value as"),
    ],
)
def test_a_rule_with_an_invalid_severity_or_message_is_refused(message: str, severity: str, hint: str) -> None:
    bench = Bench()
    with pytest.raises(InputError) as refused:
        bench.rule(bench.registry.gauge("cpu") > 90, message, severity)
    assert hint in str(refused.value)
    assert bench.rules == []


def test_a_rule_describes_itself_for_the_chart() -> None:
    bench = Bench()
    cpu = bench.registry.gauge("cpu")
    bench.rule((cpu.avg > 90) & (cpu > 1))
    bench.rule(cpu * 2 > cpu)
    plain, odd = (rule.describe() for rule in bench.rules)
    assert (plain.condition, plain.metric, plain.threshold) == ("(cpu.avg > 90) & (cpu > 1)", "cpu", 90)
    assert (odd.metric, odd.threshold) == ("cpu", None)


def test_thousands_of_series_can_breach_in_one_tick() -> None:
    bench = Bench()
    core = bench.registry.gauge("core", labels=["n"])
    for number in range(10_000):
        core.labels(n=number)
    bench.registry.values[:10_000] = np.where(np.arange(10_000) % 2, 99.0, 1.0)
    bench.rule(core > 90, "{n}")
    assert len(bench.tick(0)) == 5_000
    assert bench.tick(1) == []


# --- missing values, and series that come and go ---


def test_missing_data_can_fire_or_resolve_an_alert() -> None:
    bench = Bench()
    cpu = bench.registry.gauge("cpu")
    bench.rule(cpu > 90, "alert: {value:.1f}", for_s=2, no_data="alert")
    bench.rule(cpu > 90, "resolve: {value:.1f}", no_data="resolve")
    cpu.set(95)
    assert announced(bench.tick(0)) == [("firing", "resolve: 95.0")]
    cpu.set(None)
    assert announced(bench.tick(1)) == [("resolved", "resolve: 95.0")]
    assert announced(bench.tick(2)) == [("firing", "alert: ? (no data)")]
    cpu.set(1)
    assert announced(bench.tick(3)) == [("resolved", "alert: ? (no data)")]


def test_no_data_decides_when_the_clear_condition_has_no_value_either() -> None:
    bench = Bench()
    cpu = bench.registry.gauge("cpu")
    for no_data in ("keep", "alert", "resolve"):
        bench.rule(cpu > 90, no_data, clear=cpu < 80, no_data=no_data)
    cpu.set(95)
    assert len(bench.tick(0)) == 3
    cpu.set(None)
    assert announced(bench.tick(1)) == [("resolved", "resolve")]
    cpu.set(85)
    assert bench.tick(2) == []


def test_a_clear_condition_without_a_value_resolves_nothing() -> None:
    bench = Bench()
    cpu, calm = bench.registry.gauge("cpu"), bench.registry.gauge("calm")
    bench.rule(cpu > 90, "m", clear=calm > 0)
    cpu.set(95)
    assert len(bench.tick(0)) == 1
    cpu.set(1)
    assert bench.tick(1) == []


@pytest.mark.parametrize(("no_data", "lasts_s"), [("keep", STALE_S), ("alert", ABSENT_S), ("resolve", 0)])
def test_the_alert_of_a_removed_series_is_resolved(no_data: NoData, lasts_s: float) -> None:
    bench = Bench()
    core = bench.registry.gauge("core", labels=["n"])
    bench.rule(core > 90, "{n}", no_data=no_data)
    gone = core.labels(n=0)
    gone.set(95)
    bench.tick(0)
    bench.registry.remove(gone)
    if lasts_s:
        assert bench.tick(lasts_s) == []
        assert len(bench.alerts.active()) == 1
    [ended] = bench.tick(lasts_s + 1)
    assert (ended.kind, ended.alert.ended) == ("resolved", NO_DATA)
    assert bench.alerts.active() == []


def test_a_series_that_comes_back_continues_its_episode() -> None:
    bench = Bench()
    core = bench.registry.gauge("core", labels=["n"])
    bench.rule(core > 90, "{n}")
    core.labels(n=0).set(95)
    bench.tick(0)
    bench.registry.remove(core.labels(n=0))
    assert bench.tick(1) == []
    core.labels(n=0).set(96)
    assert bench.tick(2) == []
    core.labels(n=0).set(1)
    assert [event.kind for event in bench.tick(3)] == ["resolved"]


def test_a_pending_no_data_alert_fires_even_if_the_series_is_removed() -> None:
    bench = Bench()
    core = bench.registry.gauge("core", labels=["n"])
    bench.rule(core > 90, "{n}", for_s=5, no_data="alert")
    core.labels(n=0).set(None)
    assert bench.tick(0) == []
    bench.registry.remove(core.labels(n=0))
    assert bench.tick(4) == []
    assert announced(bench.tick(5)) == [("firing", "0 (no data)")]
    assert bench.tick(6) == []
    core.labels(n=0).set(1)
    assert [event.kind for event in bench.tick(7)] == ["resolved"]


def test_the_pending_episode_of_a_removed_series_ends_without_an_event() -> None:
    bench = Bench()
    core = bench.registry.gauge("core", labels=["n"])
    bench.rule(core > 90, "{n}", for_s=5)
    core.labels(n=0).set(95)
    bench.tick(0)
    bench.registry.remove(core.labels(n=0))
    assert bench.tick(1) == []
    assert bench.tick(STALE_S + 2) == []
    assert bench.alerts.episodes() == []


def test_absence_fires_for_a_metric_that_nobody_sends() -> None:
    bench = Bench()
    bench.rule(absent(metric("queue.depth")), "nothing in {metric}", for_s=2)
    assert [len(bench.tick(now)) for now in (0, 1, 2)] == [0, 0, 1]
    bench.registry.gauge("queue.depth").set(1)
    assert [event.kind for event in bench.tick(3)] == ["resolved"]


def test_a_pending_episode_starts_over_after_a_long_time_without_values() -> None:
    bench = Bench()
    cpu = bench.registry.gauge("cpu")
    bench.rule(cpu > 90, for_s=10)
    cpu.set(95)
    bench.tick(0)
    cpu.set(None)
    bench.tick(STALE_S + 1)
    assert bench.alerts.check(STALE_S + 1) == []
    cpu.set(95)
    assert bench.tick(3_600) == []
    assert len(bench.tick(3_610)) == 1


def test_the_absence_of_a_series_is_announced_once_even_if_it_is_removed() -> None:
    bench = Bench()
    beat = bench.registry.gauge("beat", labels=["host"])
    bench.rule(absent(beat), "{host} is silent", for_s=2)
    for host in ("a", "b"):
        beat.labels(host=host).set(1)
    bench.tick(0)
    for now, host in ((1, "a"), (2, "b")):
        beat.labels(host=host).set(None)
        bench.tick(now)
    assert announced(bench.tick(3)) == [("firing", "a is silent")]
    for host in ("a", "b"):
        bench.registry.remove(beat.labels(host=host))
    # No alert for the metric without series: each series has its own.
    assert announced(bench.tick(4)) == [("firing", "b is silent")]
    assert bench.tick(4 + STALE_S * 2) == []
    for host in ("a", "b"):
        beat.labels(host=host).set(1)
    assert announced(bench.tick(5 + STALE_S * 2)) == [("resolved", "a is silent"), ("resolved", "b is silent")]


def test_the_absence_of_a_metric_is_resolved_by_its_first_series() -> None:
    bench = Bench()
    beat = bench.registry.gauge("beat", labels=["host"])
    bench.rule(absent(beat), "nobody: {host}")
    assert announced(bench.tick(0)) == [("firing", "nobody: ")]
    beat.labels(host="a").set(1)
    [ended] = bench.tick(1)
    assert (ended.kind, ended.alert.ended) == ("resolved", "")


def test_the_absence_of_series_that_a_glob_selects_is_announced_whether_they_left_or_never_came() -> None:
    bench = Bench()
    beat = bench.registry.gauge("beat", labels=["host"])
    bench.rule(absent(metric("beat", host="web-*")), "{host} is silent")
    assert announced(bench.tick(0)) == [("firing", "web-* is silent")]
    beat.labels(host="db-1").set(1)
    assert bench.tick(1) == []
    for host in ("web-1", "web-2"):
        beat.labels(host=host).set(1)
    assert announced(bench.tick(2)) == [("resolved", "web-* is silent")]
    for host in ("web-2", "db-1"):
        beat.labels(host=host).set(None)
    assert announced(bench.tick(3)) == [("firing", "web-2 is silent")]


def test_series_that_are_forgotten_end_their_alerts_unless_they_are_back() -> None:
    bench = Bench()
    beat = bench.registry.gauge("beat", labels=["host"])
    bench.rule(absent(beat), "{host} is silent")
    for host in "abcd":
        beat.labels(host=host).set(None)
    assert len(bench.tick(0)) == 4
    for host in "abd":
        bench.registry.remove(beat.labels(host=host))
    assert bench.tick(1) == []
    for host in "abc":
        bench.alerts.forget("host", host)
    beat.labels(host="b")
    bench.reload()
    events = bench.tick(2)
    assert [(event.alert.message, event.alert.ended) for event in events] == [("a is silent", FORGOTTEN)]
    bench.registry.remove(beat.labels(host="b"))
    assert bench.tick(3) == []
    assert sorted(alert.message[0] for alert in bench.alerts.active()) == ["b", "c", "d"]


def test_an_alert_on_a_total_is_of_its_group() -> None:
    bench = Bench()
    requests = bench.registry.gauge("requests", labels=["host", "env"])
    bench.rule(total(requests, by="env") > 10, "{env}: {value:g}")
    for host, env in (("a", "prod"), ("b", "prod"), ("c", "test")):
        requests.labels(host=host, env=env).set(6)
    [event] = bench.tick(0)
    assert (event.alert.message, event.alert.labels, event.alert.value) == ("prod: 12", {"env": "prod"}, 12)
    requests.labels(host="d", env="prod").set(1)
    assert bench.tick(1) == []
    for host in ("a", "b"):
        bench.registry.remove(requests.labels(host=host, env="prod"))
    [event] = bench.tick(2)
    assert (event.kind, event.alert.peak) == ("resolved", 13)


def test_the_peak_of_an_alert_on_low_values_is_the_lowest() -> None:
    bench = Bench()
    cpu = bench.registry.gauge("cpu")
    bench.rule(cpu < 10, keep_s=5)
    for now, value in enumerate((5, 3, 7, 50, 2, None)):
        cpu.set(value)
        bench.tick(now)
    [alert] = bench.alerts.active()
    assert (alert.value, alert.peak, alert.started, alert.seen) == (5, 2, "T0", "T4")


# --- acknowledging and silencing ---


def firing_bench() -> Bench:
    bench = Bench()
    core = bench.registry.gauge("core", labels=["n"])
    bench.rule(core > 90, "{n}")
    for n in (0, 1):
        core.labels(n=n).set(95)
    bench.tick(0)
    return bench


def event_of(done: ActionResult) -> AlertEvent:
    [event] = done.events
    assert done.alerts == [event.alert]
    return event


def test_an_alert_can_be_acknowledged_until_it_is_resolved() -> None:
    bench = firing_bench()
    event = event_of(acknowledge(bench.alerts, ["id1"], 5, "on it", "ann"))
    assert event.kind == "changed"
    for alert in (event.alert, next(one for one in bench.alerts.active() if one.id == "id1")):
        assert alert.acknowledged is not None
        assert (alert.acknowledged.note, alert.acknowledged.by, alert.acknowledged.timestamp) == ("on it", "ann", "T5")
    bench.registry.values[0] = 1
    [ended] = bench.tick(6)
    assert ended.alert.acknowledged is not None
    with pytest.raises(AlertError, match="was resolved at T6") as refused:
        acknowledge(bench.alerts, ["id1"], 7)
    assert refused.value.status == 409


@pytest.mark.parametrize("step_s", [100.0, 2 * 86_400.0, 1e9])
@pytest.mark.parametrize("restarted", [False, True])
def test_a_silence_ended_by_a_wrong_clock_returns_when_the_clock_is_corrected(step_s: float, restarted: bool) -> None:
    bench = firing_bench()
    silence(bench.alerts, ["id2"], 10, 60, "upgrade")
    if restarted:
        bench.restart()
    [over] = bench.alerts.check(10 + step_s)
    assert (over.kind, over.alert.id, over.alert.silenced) == ("changed", "id2", None)
    assert (bench.alerts.silences(), bench.alerts.check(10 + step_s)) == ([], [])
    if restarted:
        bench.restart()
    [again] = bench.alerts.check(20)
    assert again.alert.silenced is not None
    assert [until for until, _ in bench.alerts.silences()] == [70]


@pytest.mark.parametrize("step_s", [-100.0, -2 * 86_400.0, -1e9])
def test_setting_the_clock_back_does_not_prolong_a_silence(step_s: float) -> None:
    bench = firing_bench()
    silence(bench.alerts, ["id2"], 0, 60, "upgrade")
    for second in range(1, 60):
        bench.tick(second)
        assert bench.alerts.check(second + step_s) == []
    bench.tick(60)
    [over] = bench.alerts.check(60 + step_s)
    assert over.alert.silenced is None
    assert bench.alerts.kept_silences() == []


def test_a_silence_covers_later_alerts_of_its_rule_and_series_until_it_expires() -> None:
    bench = firing_bench()
    event = event_of(silence(bench.alerts, ["id2"], 10, 60, "upgrade", "ann"))
    assert event.alert.silenced is not None
    assert (event.alert.silenced.until, event.alert.silenced.labels) == ("T70", {"n": "1"})
    bench.registry.values[:2] = 1
    bench.tick(11)
    bench.registry.values[:2] = 95
    first, second = bench.tick(12)
    assert (first.alert.silenced, second.alert.silenced) == (None, event.alert.silenced)
    assert bench.alerts.check(69) == []
    [over] = bench.alerts.check(70)
    assert (over.kind, over.alert.id, over.alert.silenced) == ("changed", second.alert.id, None)
    assert bench.alerts.silences() == []


def test_a_resolved_alert_can_be_silenced_and_a_silence_can_be_ended_early() -> None:
    bench = firing_bench()
    bench.registry.values[:2] = 1
    bench.tick(1)
    assert event_of(silence(bench.alerts, ["id1"], 2, 60, "flapping")).alert.silenced is not None
    assert [until for until, _ in bench.alerts.silences()] == [62]
    assert bench.alerts.check(30) == []
    assert event_of(silence(bench.alerts, ["id1"], 3, 0, "")).alert.silenced is None
    assert bench.alerts.silences() == []


def test_repeating_an_acknowledgement_or_silence_changes_nothing_and_asks_nobody() -> None:
    bench = firing_bench()
    alerts = bench.alerts

    def refuse() -> None:
        raise AssertionError("it was asked whether this may be done")

    event_of(acknowledge(alerts, ["id1"], 5, "on it", "ann"))
    event_of(silence(alerts, ["id2"], 10, 60, "upgrade", "ann"))
    before = alerts.log.number
    acknowledged = acknowledge(alerts, ["id1"], 6, "on it", "ann", refuse)
    silenced = silence(alerts, ["id2"], 11, 59.5, "upgrade", "ann", permit=refuse)
    unsilenced = silence(alerts, ["id1"], 11, 0, "", "ann", permit=refuse)
    assert alerts.log.number == before
    assert [done.events for done in (acknowledged, silenced, unsilenced)] == [[], [], []]
    [first], [second], [third] = acknowledged.alerts, silenced.alerts, unsilenced.alerts
    assert first.acknowledged is not None
    assert first.acknowledged.timestamp == "T5"
    assert second.silenced is not None
    assert second.silenced.until == "T70"
    assert third.silenced is None


@pytest.mark.parametrize(
    ("now", "duration_s", "reason", "by"),
    [(10, 62, "upgrade", "ann"), (10, 60, "repair", "ann"), (10, 60, "upgrade", "bob"), (10, 0, "", "ann")],
)
def test_a_silence_with_other_terms_replaces_the_old_one(now: float, duration_s: float, reason: str, by: str) -> None:
    alerts = firing_bench().alerts
    silence(alerts, ["id2"], 10, 60, "upgrade", "ann")
    event_of(silence(alerts, ["id2"], now, duration_s, reason, by))
    assert [until for until, _ in alerts.silences()] == ([now + duration_s] if duration_s else [])


def test_an_expired_silence_can_be_set_again() -> None:
    bench = firing_bench()
    silence(bench.alerts, ["id2"], 10, 60, "upgrade")
    # The clock may be wrong, so the silence is kept. The same terms still count as a new silence.
    assert bench.alerts.check(70)
    again = event_of(silence(bench.alerts, ["id2"], 10, 60, "upgrade"))
    assert again.alert.silenced is not None


def test_the_alert_of_a_removed_series_can_be_acknowledged() -> None:
    bench = firing_bench()
    bench.registry.remove(bench.registry.handle("core").labels(n=0))
    bench.tick(1)
    assert event_of(acknowledge(bench.alerts, ["id1"], 2)).alert.acknowledged is not None
    assert sorted(alert.id for alert in bench.alerts.active() if alert.acknowledged) == ["id1"]


@pytest.mark.parametrize("act", ["acknowledge", "silence"])
def test_acknowledging_or_silencing_an_unknown_alert_raises(act: str) -> None:
    alerts = firing_bench().alerts
    with pytest.raises(AlertError, match="there is no alert 'id9'") as refused:
        _ = acknowledge(alerts, ["id9"], 1) if act == "acknowledge" else silence(alerts, ["id9"], 1, 5, "")
    assert refused.value.status == 404


@pytest.mark.parametrize("act", ["acknowledge", "silence"])
def test_of_several_alerts_those_that_cannot_be_changed_are_refused(act: str) -> None:
    bench = firing_bench()
    bench.registry.values[0] = 1
    bench.tick(1)
    ids = ["id1", "id9", "id2", "id2"]
    done = acknowledge(bench.alerts, ids, 2) if act == "acknowledge" else silence(bench.alerts, ids, 2, None, "known")
    assert [(event.kind, event.alert.id) for event in done.events] == [("changed", "id2")]
    assert [alert.id for alert in done.alerts] == ["id2"]
    assert {id: error.status for id, error in done.refused.items()} == {"id1": 409, "id9": 404}


def test_a_silence_until_resolved_covers_no_later_alert() -> None:
    bench = firing_bench()
    event = event_of(silence(bench.alerts, ["id2"], 1, None, "known", "ann"))
    assert event.alert.silenced is not None
    assert event.alert.silenced.until_resolved
    assert silence(bench.alerts, ["id2"], 5, None, "known", "ann").events == [], "it has this silence already"
    bench.registry.values[0] = 1
    bench.tick(6)
    assert len(bench.alerts.silences()) == 1, "another series has been resolved"
    bench.registry.values[1] = 1
    [ended] = bench.tick(7)
    assert ended.alert.silenced is not None, "so that nobody is notified of the end"
    assert bench.alerts.silences() == []
    bench.registry.values[1] = 95
    [again] = bench.tick(8)
    assert again.alert.silenced is None


def test_a_silence_until_resolved_of_a_series_that_left_ends_with_its_alert() -> None:
    bench = firing_bench()
    silence(bench.alerts, ["id1"], 1, None, "known")
    bench.registry.remove(bench.registry.handle("core").labels(n=0))
    bench.tick(2)
    bench.registry.values[:2] = 1
    bench.tick(3)
    assert len(bench.alerts.silences()) == 1
    bench.tick(3 + STALE_S + 1)
    assert bench.alerts.silences() == []


def test_a_silence_of_a_rule_covers_its_other_and_later_series_across_a_restart() -> None:
    bench = firing_bench()
    done = silence(bench.alerts, ["id2"], 1, 60, "upgrade", scope="rule")
    assert sorted(event.alert.id for event in done.events) == ["id1", "id2"]
    assert [alert.id for alert in done.alerts] == ["id2"]
    bench.restart()
    bench.registry.handle("core").labels(n=2).set(95)
    fired = next(event for event in bench.tick(2) if event.kind == "firing")
    assert fired.alert.silenced is not None
    assert (fired.alert.silenced.scope, fired.alert.silenced.labels) == ("rule", {})
    [over] = [one for _, one in bench.alerts.silences()]
    assert over.reason == "upgrade"
    ended = silence(bench.alerts, ["id2"], 3, 0, "", scope="rule")
    assert len(ended.events) == 3
    assert bench.alerts.silences() == []


def test_a_rule_of_which_nothing_fires_can_be_silenced_by_its_resolved_alert() -> None:
    bench = firing_bench()
    bench.registry.values[:2] = 1
    bench.tick(1)
    done = silence(bench.alerts, ["id1", "id2"], 2, 60, "upgrade", scope="rule")
    assert [(event.kind, event.alert.id) for event in done.events] == [("changed", "id1"), ("changed", "id2")]
    bench.registry.values[0] = 95
    [fired] = bench.tick(3)
    assert fired.alert.silenced is not None


# --- restarts ---


def test_a_restart_neither_loses_an_episode_nor_announces_it_twice() -> None:
    bench = firing_bench()
    silence(bench.alerts, ["id2"], 1, 600, "upgrade")
    bench.restart()
    assert bench.tick(100) == []
    assert sorted(alert.id for alert in bench.alerts.active()) == ["id1", "id2"]
    assert len(bench.alerts.silences()) == 1
    bench.registry.values[:2] = 1
    assert [event.alert.id for event in bench.tick(101)] == ["id1", "id2"]
    assert bench.alerts.log.number == 5


def test_the_log_decides_which_alerts_fire_after_a_restart() -> None:
    bench = firing_bench()
    before = bench.alerts.episodes()
    bench.registry.values[:1] = 1
    bench.tick(1)
    bench.restart(before)
    assert bench.tick(2) == []
    assert [alert.id for alert in bench.alerts.active()] == ["id2"]
    bench.restart([])
    assert bench.tick(3) == []
    assert [alert.id for alert in bench.alerts.active()] == ["id2"]


def test_pending_and_keeping_episodes_continue_after_a_restart() -> None:
    bench = Bench()
    cpu, load = bench.registry.gauge("cpu"), bench.registry.gauge("load")
    bench.rule(cpu > 90, "cpu", for_s=10)
    bench.rule(load > 4, "load", keep_s=10)
    cpu.set(95)
    load.set(5)
    bench.tick(0)
    load.set(1)
    bench.tick(1)
    bench.tick(7)
    bench.restart()
    assert bench.tick(1_000, 0.0) == []
    assert announced(bench.tick(1_003)) == [("firing", "cpu")]
    assert announced(bench.tick(1_004)) == [("resolved", "load")]


@pytest.mark.parametrize("no_data", ["alert", "resolve"])
def test_no_data_waits_for_the_first_value_of_a_series_after_a_restart(no_data: NoData) -> None:
    bench = Bench()
    core = bench.registry.gauge("core", labels=["n"])
    bench.rule(core > 90, "{n}", no_data=no_data)
    core.labels(n=0).set(95)
    bench.tick(0)
    bench.registry.remove(core.labels(n=0))
    bench.restart()
    assert bench.tick(1) == []
    core.labels(n=0)
    assert bench.tick(2) == []
    core.labels(n=0).set(95)
    assert bench.tick(3) == []
    core.labels(n=0).set(None)
    assert [event.kind for event in bench.tick(4)] == (["resolved"] if no_data == "resolve" else [])


def test_the_alerts_of_a_removed_rule_are_resolved() -> None:
    bench = firing_bench()
    bench.rules.clear()
    bench.restart()
    ended = bench.tick(5)
    assert [(event.kind, event.alert.ended) for event in ended] == [("resolved", RULE_REMOVED)] * 2
    assert bench.alerts.episodes() == []


def test_a_replacement_board_continues_the_episodes() -> None:
    bench = firing_bench()
    before = bench.alerts
    after = bench.start(before.log)
    after.inherit(before)
    assert bench.tick(1) == []
    assert sorted(alert.id for alert in after.active()) == ["id1", "id2"]
    assert [alert.id for alert in after.active({"id2", "id9"})] == ["id2"]


def test_a_reload_during_a_commit_neither_loses_nor_repeats_an_episode() -> None:
    bench = firing_bench()
    assert bench.alerts.log.published == 0
    bench.reload()
    bench.alerts.log.publish(2)
    assert bench.tick(1) == []
    assert event_of(acknowledge(bench.alerts, ["id1"], 2)).alert.acknowledged is not None
    bench.registry.values[:2] = 1
    assert sorted(event.alert.id for event in bench.tick(3)) == ["id1", "id2"]


def test_an_alert_without_an_episode_cannot_be_acknowledged() -> None:
    bench = firing_bench()
    bench.start(bench.alerts.log)
    with pytest.raises(AlertError, match="is resolved"):
        acknowledge(bench.alerts, ["id1"], 1)


# --- a naive model: one series at a time, without numpy ---


@dataclass
class Naive:
    """The table of `tickboard.alerting.episodes`, for one series, without numpy."""

    for_s: float
    keep_s: float
    no_data: NoData
    state: str = "inactive"
    here: bool = True
    fresh: bool = False
    lasted_s: float = 0.0
    unseen_s: float = 0.0

    def tick(self, passed_s: float, breach: bool | None, cleared: bool | None) -> list[str]:
        """Step a series that exists. None means that its value is missing."""
        self.here = True
        # Only an episode that would otherwise end at once gets a grace period.
        self.fresh &= self.state != "inactive" and self.no_data == "resolve"
        self.lasted_s += passed_s
        self.unseen_s += passed_s
        if breach is None and not self.fresh and self.no_data != "keep":
            breach = self.no_data == "alert"
            cleared = not breach
        elif breach is not None:
            self.fresh = False
        if breach is not None:
            self.unseen_s = 0.0
        return self._step(breach, cleared)

    def _step(self, breach: bool | None, cleared: bool | None) -> list[str]:
        announced: list[str] = []
        if self.state == "inactive" and breach:
            self.state, self.lasted_s = "pending", 0.0
        elif self.state == "pending" and breach is False:
            self.state = "inactive"
        elif self.state == "firing" and cleared:
            self.state, self.lasted_s = "keeping", 0.0
        elif self.state == "keeping" and cleared is False:
            self.state = "firing"
        if self.state == "pending" and breach and self.lasted_s >= self.for_s:
            self.state = "firing"
            announced.append("firing")
        elif self.state == "keeping" and cleared and self.lasted_s >= self.keep_s:
            self.state = "inactive"
            announced.append("resolved")
        return announced

    def tick_removed(self, passed_s: float) -> list[str]:
        """Step a series that has been removed."""
        if self.here and self.no_data == "resolve":
            self.here = False
            return self.end()
        self.here, self.fresh = False, True
        self.lasted_s += passed_s
        self.unseen_s += passed_s
        if self.unseen_s > (ABSENT_S if self.no_data == "alert" else STALE_S):
            return self.end()
        if self.no_data == "alert" and self.state == "pending" and self.lasted_s >= self.for_s:
            self.state, self.lasted_s = "firing", 0.0
            return ["firing"]
        return []

    def check(self) -> list[str]:
        return self.end() if self.here and self.unseen_s > STALE_S else []

    def end(self) -> list[str]:
        announced = ["resolved"] if self.on else []
        self.state = "inactive"
        return announced

    @property
    def on(self) -> bool:
        return self.state in {"firing", "keeping"}


GONE = None
VALUES = st.sampled_from([0.0, 5.0, 10.0, math.nan, GONE])
TICK = st.tuples(
    st.just("tick"), st.lists(VALUES, min_size=3, max_size=3), st.sampled_from([0, 1, 2, 400]), st.integers(-9, 9)
)
OTHERS = [(step, None, 0, 0) for step in ("restart", "reload", "tell", "check")]
STEPS = st.one_of(TICK, TICK, TICK, st.sampled_from(OTHERS))


@given(
    for_s=st.integers(0, 4),
    keep_s=st.integers(0, 4),
    hysteresis=st.booleans(),
    no_data=st.sampled_from(["keep", "alert", "resolve"]),
    steps=st.lists(STEPS, max_size=60),
)
@settings(max_examples=400)
def test_every_series_follows_the_state_table(
    for_s: int, keep_s: int, hysteresis: bool, no_data: NoData, steps: list[tuple[str, Any, int, int]]
) -> None:
    """Covers gaps, series that leave and come back, restarts, and clocks set by any amount."""
    bench = Bench()
    core = bench.registry.gauge("core", labels=["n"])
    bench.rule(core > 7, "{n}", for_s=for_s, keep_s=keep_s, clear=core < 3 if hysteresis else None, no_data=no_data)
    models = [Naive(for_s, keep_s, no_data) for _ in range(3)]
    now = 100.0
    for step, values, passed_s, set_by in steps:
        wanted: set[tuple[str, str]] = set()
        found: list[AlertEvent] = []
        if step in {"restart", "reload"}:
            bench.restart() if step == "restart" else bench.reload()
            for model in models:
                model.here, model.fresh = False, True
        elif step == "tell":
            bench.alerts.log.publish(bench.alerts.log.number)
        elif step == "check":
            wanted = {(kind, str(number)) for number, model in enumerate(models) for kind in model.check()}
            found = bench.alerts.check(now)
        else:
            now += passed_s + set_by
            for number, (value, model) in enumerate(zip(values, models, strict=True)):
                if value is GONE:
                    bench.registry.remove(core.labels(n=number))
                else:
                    core.labels(n=number).set(value)
                wanted |= {(kind, str(number)) for kind in naive_tick(model, value, passed_s, hysteresis)}
            found = bench.tick(now, passed_s)
        assert {(kind, message.split()[0]) for kind, message in announced(found)} == wanted
        assert len(found) == len(wanted)
    bench.alerts.log.publish(bench.alerts.log.number)
    firing = sorted(event.alert.labels["n"] for event in bench.alerts.log.firing())
    assert firing == [str(number) for number, model in enumerate(models) if model.on]
    assert_announced_once(bench.alerts.log)


def naive_tick(model: Naive, value: float | None, passed_s: float, hysteresis: bool) -> list[str]:
    if value is GONE:
        return model.tick_removed(passed_s)
    known = not math.isnan(value)
    breach = value > 7 if known else None
    cleared = (value < 3 if hysteresis else value <= 7) if known else None
    return model.tick(passed_s, breach, cleared)


def assert_announced_once(log: AlertLog) -> None:
    """Check that every episode fires once and ends at most once, and that a series has one at a time."""
    current: dict[str, str] = {}
    ids: set[str] = set()
    for event in log.since(0):
        assert isinstance(event, AlertEvent)
        series, id_ = event.alert.labels["n"], event.alert.id
        if event.kind == "firing":
            assert id_ not in ids
            assert series not in current
            ids.add(id_)
            current[series] = id_
        else:
            assert current.pop(series) == id_


@given(
    values=st.lists(st.tuples(VALUES, st.sampled_from(["", "kept", "killed"])), max_size=60),
    no_data=st.sampled_from(["keep", "alert", "resolve"]),
)
def test_after_any_crash_every_episode_is_announced_once_and_ends(
    values: list[tuple[float | None, str]], no_data: NoData
) -> None:
    """The kept episodes may be older than the log, or missing."""
    bench = Bench()
    core = bench.registry.gauge("core", labels=["n"])
    bench.rule(core > 7, "{n}", for_s=1, keep_s=1, no_data=no_data)
    kept: list[Episode] = []
    for now, (value, crash) in enumerate(values):
        if value is GONE:
            bench.registry.remove(core.labels(n=0))
        else:
            core.labels(n=0).set(value)
        bench.tick(float(now))
        if crash == "kept":
            kept = bench.alerts.episodes()
        elif crash:
            bench.restart(kept)
    core.labels(n=0).set(0)
    for now in range(3):
        bench.tick(float(len(values) + now))
    bench.alerts.log.publish(bench.alerts.log.number)
    assert bench.alerts.log.firing() == []
    assert bench.alerts.episodes() == []
    assert_announced_once(bench.alerts.log)


def test_a_restart_leaves_the_alerts_of_other_hosts_alone() -> None:
    bench = Bench()
    cpu = bench.registry.gauge("cpu")
    bench.rule(cpu > 90, name="hot")
    log = bench.alerts.log
    log.append(
        "firing", Alert("web-1:a", "hot", "critical", "T1", "cpu", {"host": "web-1"}, rule="hot", host="web-1"), 1
    )
    log.append("firing", Alert("db-1:a", "gone", "critical", "T1", rule="no such rule", host="db-1"), 1)
    bench.restart()
    assert bench.tick(1) == []
    assert [event.alert.host for event in bench.alerts.log.firing_by_now()] == ["web-1", "db-1"]
    assert bench.alerts.episodes() == []
