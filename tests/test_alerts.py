"""An episode is announced once when it begins and once when it ends, whatever the values do in between."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tickboard.alertlog import AlertEvent, AlertLog
from tickboard.alerts import STALE_S, Alerts
from tickboard.aligned import Columns, Floats
from tickboard.errors import InputError
from tickboard.expr import Condition
from tickboard.rules import NoData, Rule, check_rule, unused_name
from tickboard.series import Registry
from tickboard.types import Alert


class Row:
    """This tick's values, and nothing else."""

    def __init__(self, values: Floats) -> None:
        self._values = values

    def read(self, stat: str, columns: Columns, span_s: float | None = None) -> Floats:
        assert (stat, span_s) == ("value", None)
        return np.where(columns < 0, np.nan, self._values[columns])


class Bench:
    """One board's rules with a clock that a test steps."""

    def __init__(self) -> None:
        self.registry = Registry()
        self.rules: list[Rule] = []
        self._now: float | None = None
        ids = (f"id{number}" for number in count(1))
        self.alerts = Alerts(self.rules, AlertLog("log"), lambda: next(ids), lambda time: f"T{time:g}")

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
            severity,  # type: ignore[arg-type]  # some are none
            for_s,
            clear,
            keep_s,
            no_data,
        )
        check_rule(rule, self.registry.metrics)
        self.rules.append(rule)

    def tick(self, now: float) -> list[AlertEvent]:
        passed_s, self._now = (now - self._now if self._now is not None else 1.0), now
        row = self.registry.collect(1.0)
        return self.alerts.evaluate(now, passed_s, Row(row), self.registry.binding(), self.registry.revision)


def told(events: list[AlertEvent]) -> list[tuple[str, str]]:
    return [(event.kind, event.alert.message) for event in events]


def run(bench: Bench, values: Sequence[float | None]) -> list[list[str]]:
    """Set `cpu` to each value in turn, a second apart, and return what is told at each tick."""
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


def test_at_the_threshold_nothing_is_breached() -> None:
    bench = Bench()
    bench.rule(bench.registry.gauge("cpu") > 90)
    assert run(bench, [90, 90.0001, 90]) == [[], ["firing"], ["resolved"]]


def test_the_alert_carries_what_the_wire_needs() -> None:
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


def test_for_waits_until_the_breach_has_lasted() -> None:
    bench = Bench()
    bench.rule(bench.registry.gauge("cpu") > 90, for_s=2)
    values = [95, 95, 50, 95, 95, 95, 95, 50]
    assert run(bench, values) == [[], [], [], [], [], ["firing"], [], ["resolved"]]


def test_clear_keeps_it_firing_in_between() -> None:
    bench = Bench()
    cpu = bench.registry.gauge("cpu")
    bench.rule(cpu > 90, clear=cpu < 80)
    assert run(bench, [95, 85, 95, 79, 85]) == [["firing"], [], [], ["resolved"], []]


def test_keep_bridges_a_short_recovery() -> None:
    bench = Bench()
    bench.rule(bench.registry.gauge("cpu") > 90, keep_s=2)
    values = [95, 50, 95, 50, 50, 50, 50]
    assert run(bench, values) == [["firing"], [], [], [], [], ["resolved"], []]


def test_a_missing_value_changes_nothing() -> None:
    bench = Bench()
    bench.rule(bench.registry.gauge("cpu") > 90, for_s=2)
    assert run(bench, [95, None, None, None, 95, None, 50]) == [[], [], [], [], ["firing"], [], ["resolved"]]


def test_a_firing_alert_without_a_value_for_long_is_resolved() -> None:
    bench = Bench()
    cpu = bench.registry.gauge("cpu")
    bench.rule(cpu > 90)
    cpu.set(95)
    bench.tick(0)
    cpu.set(None)
    bench.tick(1)
    assert bench.alerts.check(STALE_S) == []
    assert bench.alerts.check(STALE_S + 2) == []


def test_each_series_of_a_rule_has_its_own_episode() -> None:
    bench = Bench()
    core = bench.registry.gauge("core", labels=["core"])
    bench.rule(core > 90, "core {core}: {value:g} > {threshold:g}")
    core.labels(core=0).set(95)
    core.labels(core=1).set(50)
    assert told(bench.tick(0)) == [("firing", "core 0: 95 > 90")]
    core.labels(core=1).set(99)
    assert told(bench.tick(1)) == [("firing", "core 1: 99 > 90")]
    core.labels(core=2).set(1)
    core.labels(core=0).set(1)
    assert told(bench.tick(2)) == [("resolved", "core 0: 95 > 90")]


def test_a_rule_over_two_metrics_tells_the_left_side_s_value() -> None:
    bench = Bench()
    used, size = bench.registry.gauge("used", labels=["d"]), bench.registry.gauge("size", labels=["d"])
    bench.rule(used / size > 0.5, "{d}: {value:.0%} {metric}")
    for name, part in (("a", 9), ("b", 1)):
        used.labels(d=name).set(part)
        size.labels(d=name).set(10)
    assert told(bench.tick(0)) == [("firing", "a: 90% used")]


def test_a_condition_on_one_metric_may_be_cleared_by_another() -> None:
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


def test_a_clear_that_knows_only_some_series_ends_only_those() -> None:
    bench = Bench()
    core, ok = bench.registry.gauge("core", labels=["n"]), bench.registry.gauge("ok", labels=["n"])
    bench.rule(core > 90, "{n}", clear=ok > 0)
    for n in (0, 1):
        core.labels(n=n).set(95)
    ok.labels(n=1).set(1)
    assert told(bench.tick(0)) == [("firing", "0"), ("firing", "1")]
    assert told(bench.tick(1)) == [("resolved", "1")]


def test_a_subject_with_other_labels_is_still_told() -> None:
    bench = Bench()
    total, core = bench.registry.gauge("total"), bench.registry.gauge("core", labels=["n"])
    bench.rule((total > 1) & (core > 1), "{n}: {value:g}")
    total.set(5)
    core.labels(n=0).set(7)
    assert told(bench.tick(0)) == [("firing", "0: 5")]


def test_an_alert_of_a_rule_over_several_series_tells_each_series_value() -> None:
    bench = Bench()
    some, every = bench.registry.gauge("some", labels=["n"]), bench.registry.gauge("every", labels=["n"])
    for n in (0, 1, 2):
        every.labels(n=n).set(n)
    for n in (2, 1):
        some.labels(n=n).set(10 + n)
    bench.rule((every > 0) & (some > 0), "{n}: {value:g}")
    assert told(bench.tick(0)) == [("firing", "1: 1"), ("firing", "2: 2")]


def test_a_new_series_leaves_the_others_where_they_are() -> None:
    bench = Bench()
    core = bench.registry.gauge("core", labels=["n"])
    bench.rule(core > 90, "{n}", for_s=2)
    core.labels(n=0).set(95)
    assert bench.tick(0) == []
    core.labels(n=1).set(1)
    assert bench.tick(1) == []
    assert told(bench.tick(2)) == [("firing", "0")]


def test_nothing_is_stale_where_nothing_fires() -> None:
    bench = Bench()
    bench.rule(bench.registry.gauge("cpu") > 90)
    run(bench, [50])
    assert bench.alerts.check(STALE_S * 2) == []


def test_rules_may_be_added_on_the_way() -> None:
    bench = Bench()
    cpu = bench.registry.gauge("cpu")
    bench.rule(cpu > 90, "first")
    cpu.set(95)
    assert told(bench.tick(0)) == [("firing", "first")]
    bench.rule(cpu > 80, "second")
    assert told(bench.tick(1)) == [("firing", "second")]


@pytest.mark.parametrize(
    ("message", "severity", "mend"),
    [
        ("x", "fatal", "severity 'fatal' is none of info, warning, critical"),
        ("{host}: x", "info", "{host} is unknown; it may use {value}"),
        ("{value:.1q}", "info", "write the value as"),
        ("{value", "info", "write the value as"),
    ],
)
def test_a_rule_that_could_not_be_told_is_refused(message: str, severity: str, mend: str) -> None:
    bench = Bench()
    with pytest.raises(InputError) as refused:
        bench.rule(bench.registry.gauge("cpu") > 90, message, severity)
    assert mend in str(refused.value)
    assert bench.rules == []


def test_a_rule_describes_itself_for_the_chart() -> None:
    bench = Bench()
    cpu = bench.registry.gauge("cpu")
    bench.rule((cpu.avg > 90) & (cpu > 1))
    bench.rule(cpu * 2 > cpu)
    plain, odd = (rule.describe() for rule in bench.rules)
    assert (plain.condition, plain.metric, plain.threshold) == ("(cpu.avg > 90) & (cpu > 1)", "cpu", 90)
    assert (odd.metric, odd.threshold) == ("cpu", None)


# --- the naive reading: one series at a time, in plain words ---


@dataclass
class Naive:
    """The table of the module's docstring, for one series, without numpy."""

    for_s: float
    keep_s: float
    state: str = "inactive"
    since: float = 0.0

    def step(self, now: float, breach: bool | None, cleared: bool | None) -> list[str]:
        told: list[str] = []
        if self.state == "inactive" and breach:
            self.state, self.since = "pending", now
        elif self.state == "pending" and breach is False:
            self.state = "inactive"
        elif self.state == "firing" and cleared:
            self.state, self.since = "keeping", now
        elif self.state == "keeping" and cleared is False:
            self.state = "firing"
        if self.state == "pending" and breach and now - self.since >= self.for_s:
            self.state = "firing"
            told.append("firing")
        elif self.state == "keeping" and cleared and now - self.since >= self.keep_s:
            self.state = "inactive"
            told.append("resolved")
        return told


@given(
    for_s=st.integers(0, 4),
    keep_s=st.integers(0, 4),
    hysteresis=st.booleans(),
    rows=st.lists(
        st.tuples(st.lists(st.sampled_from([0.0, 5.0, 10.0, math.nan]), min_size=3, max_size=3), st.integers(-2, 3)),
        max_size=60,
    ),
)
def test_every_series_moves_as_the_table_says(
    for_s: int, keep_s: int, hysteresis: bool, rows: list[tuple[list[float], int]]
) -> None:
    bench = Bench()
    core = bench.registry.gauge("core", labels=["n"])
    bench.rule(core > 7, "{n}", for_s=for_s, keep_s=keep_s, clear=core < 3 if hysteresis else None)
    handles = [core.labels(n=number) for number in range(3)]
    models = [Naive(for_s, keep_s) for _ in range(3)]
    now = 100.0
    for values, step in rows:
        now += step
        wanted: set[tuple[str, str]] = set()
        for number, (value, handle, model) in enumerate(zip(values, handles, models, strict=True)):
            handle.set(value)
            known = not math.isnan(value)
            breach = value > 7 if known else None
            cleared = (value < 3 if hysteresis else value <= 7) if known else None
            wanted |= {(kind, str(number)) for kind in model.step(now, breach, cleared)}
        assert set(told(bench.tick(now))) == wanted
    firing = [event.alert.message for event in bench.alerts.log.firing()]
    assert sorted(firing) == [str(n) for n, model in enumerate(models) if model.state in {"firing", "keeping"}]


def test_ten_thousand_series_may_breach_in_one_tick() -> None:
    bench = Bench()
    core = bench.registry.gauge("core", labels=["n"])
    for number in range(10_000):
        core.labels(n=number)
    bench.registry.values[:10_000] = np.where(np.arange(10_000) % 2, 99.0, 1.0)
    bench.rule(core > 90, "{n}")
    assert len(bench.tick(0)) == 5_000
    assert bench.tick(1) == []
