"""One tick: values are collected, the window advances, and rules are evaluated."""

import math
from itertools import count

import numpy as np
import pytest

from tickboard import engine as engine_module
from tickboard.alerting.rules import Rule
from tickboard.engine import Engine
from tickboard.expressions.functions import absent
from tickboard.hub.encodings import whole
from tickboard.metrics.handles import Counter, Gauge, Histogram
from tickboard.metrics.registry import Registry
from tickboard.wire import MetricInfo, Stats


def make_engine(registry: Registry, rules: list[Rule] | None = None, window_size: int = 5, epoch: str = "e") -> Engine:
    ids = (f"id{number}" for number in count(1))
    return Engine(registry, rules if rules is not None else [], window_size, epoch, lambda: next(ids))


def test_a_tick_collects_the_values_and_returns_the_events() -> None:
    registry = Registry()
    cpu, errors = registry.gauge("cpu"), registry.counter("errors")
    engine = make_engine(registry, [Rule("cpu", cpu.avg > 50, "{value:g}", "info")])
    cpu.set(40)
    errors.inc(4)
    assert engine.last_time is None
    first = engine.tick(100.0, 2.0)
    assert engine.last_time == 100.0
    assert (first.seq, first.time, first.row.tolist(), first.events) == (1, 100.0, [40.0, 2.0], [])
    cpu.set(80)
    second = engine.tick(101.0, 1.0)
    assert [event.alert.message for event in second.events] == ["60"]
    assert engine.seq == 2


def test_times_in_a_window_only_increase() -> None:
    engine = make_engine(Registry())
    times = [engine.tick(now, 1.0).time for now in (100.0, 99.0, 98.5, 101.0)]
    assert times == pytest.approx([100.0, 100.001, 100.002, 101.0])
    assert (engine.epoch, engine.seq) == ("e", 4)
    assert times == sorted(set(times))


def test_stats_are_listed_by_key_and_zero_without_values() -> None:
    registry = Registry()
    cpu = registry.gauge("cpu_usage")
    registry.gauge("empty")
    core = registry.gauge("core", labels=["n"], key="cores")
    engine = make_engine(registry)
    assert whole(engine.all_stats()) == {"cpu": Stats(0, 0, 0, 0), "empty": Stats(0, 0, 0, 0)}
    for value in (1, 2, 6):
        cpu.set(value)
        core.labels(n=0).set(-value)
        engine.tick(value, 1.0)
    found = whole(engine.all_stats())
    cpu_stats = found["cpu"]
    assert (cpu_stats.avg, cpu_stats.max, cpu_stats.min, cpu_stats.count, cpu_stats.last) == (3.0, 6.0, 1.0, 3, 6.0)
    assert [cpu_stats.p50, cpu_stats.p95, cpu_stats.p99] == pytest.approx([2.0, 5.6, 5.92])
    assert found["empty"] == Stats(0, 0, 0, 0)
    assert found['cores{n="0"}'].min == -6


def test_a_new_series_can_be_selected_before_the_next_tick() -> None:
    registry = Registry()
    core = registry.gauge("core", labels=["n"])
    core.labels(n=0).set(1)
    engine = make_engine(registry)
    engine.tick(1, 1.0)
    for number in range(1, 40):
        core.labels(n=number)
    selection = engine.select()
    assert engine.window.all().rows[:, selection.columns].shape == (1, 40)
    assert whole(engine.all_stats())['core{n="39"}'].count == 0


def test_missed_ticks_are_known_only_within_the_epoch() -> None:
    registry = Registry()
    engine = make_engine(registry, window_size=3)
    for now in range(5):
        engine.tick(now, 1.0)
    assert [seq for seq in range(9) if engine.can_resume_after("e", seq)] == [2, 3, 4, 5]
    assert not engine.can_resume_after("other", 3)


def test_a_changed_board_inherits_the_window_of_the_series_it_keeps() -> None:
    before, after = Registry(), Registry()
    old = make_engine(before)
    cpu, gone = before.gauge("cpu"), before.gauge("gone")
    for value in (1, 2):
        cpu.set(value)
        gone.set(9)
        old.tick(value, 1.0)
    after.gauge("new")
    after.gauge("cpu")
    new = make_engine(after, epoch="f")
    new.inherit(old)
    assert whole(new.all_stats())["cpu"].avg == 1.5
    assert whole(new.all_stats())["new"].count == 0
    assert new.tick(1.5, 1.0).time > 2
    assert new.seq == 3


def test_a_board_without_common_series_inherits_nothing() -> None:
    before, after = Registry(), Registry()
    before.gauge("a")
    after.gauge("b")
    old, new = make_engine(before), make_engine(after)
    old.tick(1, 1.0)
    new.inherit(old)
    assert new.seq == 0
    again = make_engine(before)
    again.inherit(make_engine(before))
    assert again.seq == 0


def replaced(old: Engine, after: Registry, window_size: int = 5) -> Engine:
    """Return an engine that goes on where another is."""
    new = make_engine(after, epoch="f", window_size=window_size)
    new.inherit(old)
    return new


def values_of(engine: Engine, key: str) -> list[float]:
    """Return the values of a series in the window, -1 where it has none."""
    [column] = [one.column for one in engine.registry.series if one.key == key]
    return [-1.0 if math.isnan(value) else value for value in engine.window.all().rows[:, column].tolist()]


def test_a_series_with_labels_has_its_window_when_the_changed_board_writes_it() -> None:
    before, after = Registry(), Registry()
    old = make_engine(before)
    queue = before.gauge("queue", labels=["city"])
    for value in (1, 2):
        queue.labels(city="Oslo").set(value)
        queue.labels(city="Rome").set(-value)
        old.tick(value, 1.0)
    queue = after.gauge("queue", labels=["city"])
    new = replaced(old, after)
    assert whole(new.all_stats()) == {}
    queue.labels(city="Oslo").set(3)
    happened = new.tick(3, 1.0)
    assert values_of(new, 'queue{city="Oslo"}') == [1, 2, 3]
    [amended] = happened.amended
    assert (amended.first, amended.last, amended.recalled) == (1, 2, True)
    queue.labels(city="Rome").set(-4)
    new.tick(4, 1.0)
    assert values_of(new, 'queue{city="Rome"}') == [-1, -2, -1, -4]


def test_counters_and_quantiles_with_labels_have_their_window_too() -> None:
    before, after = Registry(), Registry()
    old, new = make_engine(before), make_engine(after, epoch="f")
    for registry in (before, after):
        registry.counter("errors", labels=["host"])
        registry.histogram("took", labels=["host"])

    def write(registry: Registry, amount: float) -> None:
        errors, took = registry.handle("errors"), registry.handle("took")
        assert isinstance(errors, Counter)
        assert isinstance(took, Histogram)
        errors.labels(host="a").inc(amount)
        took.labels(host="a").observe_all([amount, 3 * amount])

    for value in (1, 2):
        write(before, value)
        old.tick(value, 1.0)
    new.inherit(old)
    write(after, 3)
    new.tick(3, 1.0)
    assert values_of(new, 'errors{host="a"}') == [1, 2, 3]
    assert values_of(new, 'took{host="a"}') == [2, 4, 6]
    assert values_of(new, 'took.p50{host="a"}') == [2, 4, 6]


def test_metrics_with_another_name_kind_or_labels_start_over() -> None:
    before, after = Registry(), Registry()
    old = make_engine(before)
    before.gauge("a", labels=["n"]).labels(n=1).set(1)
    before.gauge("b", labels=["n"]).labels(n=1).set(1)
    before.gauge("c", labels=["n"]).labels(n=1).set(1)
    before.gauge("d").set(1)
    before.gauge("same").set(1)
    old.tick(1, 1.0)
    renamed, other_labels = after.gauge("z", labels=["n"]), after.gauge("b", labels=["m"])
    other_kind, unlabelled = after.counter("c", labels=["n"]), after.counter("d")
    after.gauge("same")
    new = replaced(old, after)
    renamed.labels(n=1).set(5)
    other_labels.labels(m=1).set(5)
    other_kind.labels(n=1).inc(5)
    unlabelled.inc(5)
    new.tick(2, 1.0)
    keys = ('z{n="1"}', 'b{m="1"}', 'c{n="1"}', "d")
    assert [values_of(new, key) for key in keys] == [[-1, 5]] * 4
    assert values_of(new, "same") == [1, -1]


def test_a_board_that_is_changed_again_before_a_series_is_written_keeps_its_window() -> None:
    registries = [Registry() for _ in range(3)]
    queues = [registry.gauge("queue", labels=["city"]) for registry in registries]
    engine = make_engine(registries[0])
    for value in (1, 2, 3):
        queues[0].labels(city="Oslo").set(value)
        engine.tick(value, 1.0)
    engine = replaced(engine, registries[1])
    engine.tick(4, 1.0)
    # A shorter window begins with later ticks.
    engine = replaced(engine, registries[2], window_size=4)
    queues[2].labels(city="Oslo").set(9)
    engine.tick(5, 1.0)
    assert values_of(engine, 'queue{city="Oslo"}') == [2, 3, -1, 9]


def test_a_series_that_appeared_after_the_last_tick_can_be_inherited() -> None:
    before, after = Registry(), Registry()
    old = make_engine(before)
    before.gauge("cpu").set(1)
    old.tick(1, 1.0)
    core = before.gauge("core", labels=["n"])
    for number in range(40):
        core.labels(n=number)
    core = after.gauge("core", labels=["n"])
    core.labels(n=39).set(7)
    after.gauge("cpu")
    new = replaced(old, after)
    new.tick(2, 1.0)
    assert values_of(new, 'core{n="39"}') == [-1, 7]
    assert values_of(new, "cpu") == [1, -1]


def test_the_periodic_check_resolves_stale_alerts() -> None:
    registry = Registry()
    cpu = registry.gauge("cpu")
    engine = make_engine(registry, [Rule("cpu", cpu > 1, "m", "info")])
    cpu.set(2)
    assert len(engine.tick(0, 1.0).events) == 1
    cpu.set(math.nan)
    engine.tick(200, 200.0)
    assert engine.check(200) == []
    engine.tick(301, 101.0)
    assert len(engine.check(301)) == 1


def test_setting_the_clock_does_not_shorten_the_duration_of_a_rule() -> None:
    registry = Registry()
    cpu = registry.gauge("cpu")
    engine = make_engine(registry, [Rule("cpu", cpu > 1, "m", "info", for_s=10)])
    cpu.set(2)
    told = [len(engine.tick(now, 1.0).events) for now in (100, 101, 9_000, 9_001, 50, 51, 52, 53, 54, 55, 56)]
    assert told == [0] * 10 + [1]


def test_setting_the_clock_does_not_distort_a_rate() -> None:
    registry = Registry()
    level = registry.gauge("level")
    engine = make_engine(registry, [Rule("level", level.rate > 5, "m", "info")])
    told = []
    for tick in range(40):
        level.set(tick)
        told += engine.tick(1_000.0 + tick - (3_600 if tick > 10 else 0), 1.0).events
    assert told == []


def test_stats_are_read_in_steps_and_omit_series_removed_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_module, "STEP_SERIES", 2)
    registry = Registry()
    for name in ("a", "b", "c", "d"):
        registry.gauge(name).set(1)
    gone = registry.discover(Gauge, MetricInfo("gone", "gone", "", "gauge", ["host"]))
    registry.open(gone, (("host", "h"),)).set(1)
    engine = make_engine(registry)
    engine.tick(1.0, 1.0)
    assert set(whole(engine.all_stats())) == {"a", "b", "c", "d", 'gone{host="h"}'}
    steps = engine.all_stats()
    next(steps)
    gone.remove(host="h")
    registry.withdraw("gone")
    next(steps)
    found = whole(steps)
    assert set(found) == {"a", "b", "c", "d"}
    assert all(stats.last == 1 for stats in found.values())


def test_a_series_that_comes_and_leaves_between_two_ticks_does_not_keep_ticks_from_being_made() -> None:
    registry = Registry()
    engine = Engine(registry, [], 5, "e", lambda: "id")
    engine.tick(1.0, 1.0)
    gauge = registry.gauge("disk", labels=("mount",))
    gauge.labels(mount="/").set(1)
    gauge.remove(mount="/")
    assert engine.tick(2.0, 1.0).seq == 2


def test_an_empty_tick_takes_late_values_and_no_rule_sees_it() -> None:
    registry = Registry()
    cpu = registry.gauge("cpu")
    engine = make_engine(registry, [Rule("cpu", absent(cpu), "gone", "info")], window_size=10)
    cpu.set(1)
    engine.tick(100.0, 1.0)
    for time in (101.0, 102.0):
        padding = engine.pad(time)
        assert (padding.time, padding.events) == (time, [])
        assert math.isnan(padding.row[0])
    assert engine.intake.fill(np.array(cpu.columns), np.array([102.0]), np.array([[5.0]])) == 0
    happened = engine.tick(103.0, 3.0)
    assert (happened.seq, happened.events) == (4, [])
    rows = engine.window.all().rows[:, cpu.columns[0]]
    assert np.array_equal(rows, [1, math.nan, 5, 1], equal_nan=True)
    # Spans count each tick as one interval.
    assert engine.window.passed().tolist() == [0, 1, 1, 1]
