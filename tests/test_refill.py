"""A window that begins with the ticks of an earlier run: stats, spans and rules go on from them."""

from collections.abc import Sequence
from itertools import count
from math import nan

import numpy as np
import pytest

from tickboard.alerting.log import AlertLog
from tickboard.alerting.rules import Rule
from tickboard.engine import Engine
from tickboard.expressions.functions import anomaly
from tickboard.hub.encodings import whole
from tickboard.metrics.earlier import EarlierTicks, Key
from tickboard.metrics.intake import Intake
from tickboard.metrics.registry import Registry

CPU: Key = ("cpu", ())


def make_engine(
    registry: Registry,
    rules: Sequence[Rule] = (),
    window_size: int = 10,
    epoch: str = "e",
    log: AlertLog | None = None,
    intake: Intake | None = None,
) -> Engine:
    ids = (f"id{number}" for number in count(1))
    return Engine(registry, list(rules), window_size, epoch, lambda: next(ids), intake, log)


def ticks(first: float, values: Sequence[Sequence[float]], keys: Sequence[Key] = (CPU,)) -> EarlierTicks:
    """Return a tick a second, oldest first, with a value for each key."""
    times = first + np.arange(len(values), dtype=np.float64)
    return EarlierTicks(times, keys, np.array(values, np.float64).reshape(len(values), len(keys)))


def test_the_window_begins_with_the_earlier_ticks_and_continues_after_them() -> None:
    registry = Registry()
    registry.gauge("other").set(7)
    cpu = registry.gauge("cpu")
    engine = make_engine(registry)
    engine.refill(ticks(100, [[1], [2], [nan]]))
    assert (engine.seq, engine.last_time) == (3, 102.0)
    cpu.set(6)
    happened = engine.tick(110.0, 1.0)
    assert (happened.seq, happened.time) == (4, 110.0)
    window = engine.window.all()
    assert window.times.tolist() == [100, 101, 102, 110]
    np.testing.assert_array_equal(window.rows[:, registry.of_metric("cpu")[0].column], [1, 2, nan, 6])
    stats = whole(engine.all_stats())["cpu"]
    assert (stats.avg, stats.min, stats.max, stats.count) == (3, 1, 6, 3)


def test_of_more_ticks_than_the_window_holds_the_newest_are_kept() -> None:
    registry = Registry()
    registry.gauge("cpu")
    engine = make_engine(registry, window_size=3)
    engine.refill(ticks(100, [[value] for value in range(8)]))
    assert engine.window.all().times.tolist() == [105, 106, 107]


def test_no_ticks_at_all_are_an_empty_window() -> None:
    registry = Registry()
    registry.gauge("cpu")
    engine = make_engine(registry)
    engine.refill(ticks(100, []))
    assert (engine.seq, engine.last_time) == (0, None)
    assert engine.tick(50.0, 1.0).seq == 1


def test_the_time_without_a_board_counts_in_spans() -> None:
    registry = Registry()
    cpu = registry.gauge("cpu")
    engine = make_engine(registry)
    engine.refill(ticks(100, [[1], [2], [3]]))
    cpu.set(10)
    engine.tick(105.0, 1.0)
    engine.tick(106.0, 1.0)
    assert [cpu.stats(span).count for span in ("2s", "4s", "5s", "6s")] == [2, 2, 3, 4]


def test_labels_distinguish_series() -> None:
    registry = Registry()
    disk = registry.gauge("disk", labels=["name"])
    disk.labels(name="b").set(1)
    disk.labels(name="a").set(1)
    engine = make_engine(registry)
    keys: list[Key] = [("disk", (("name", "a"),)), ("disk", (("name", "gone"),)), ("disk", (("name", "b"),))]
    engine.refill(ticks(100, [[1, 2, 3]], keys))
    assert {key: found.avg for key, found in whole(engine.all_stats()).items()} == {
        'disk{name="a"}': 1,
        'disk{name="b"}': 3,
    }


# --- series that come later ---


def test_a_series_that_is_pushed_has_its_past_when_it_comes() -> None:
    registry = Registry()
    intake = Intake(registry)
    engine = make_engine(registry, intake=intake)
    key: Key = ("queue", (("host", "a"),))
    engine.refill(ticks(100, [[5], [6], [7]], [key]))
    assert whole(engine.all_stats()) == {}
    engine.tick(104.0, 1.0)
    source = intake.source("push")
    column = source.gauge("queue", "queue", [("host", "a")])
    source.set([column], [9.0])
    happened = engine.tick(105.0, 1.0)
    np.testing.assert_array_equal(engine.window.all().rows[:, column], [5, 6, 7, nan, 9])
    [amended] = happened.amended
    assert (amended.first, amended.last, amended.columns.tolist(), amended.recalled) == (1, 3, [column], True)
    stats = whole(engine.all_stats())['queue{host="a"}']
    assert (stats.avg, stats.count) == (27 / 4, 4)
    assert engine.tick(106.0, 1.0).amended == []


def test_values_that_have_left_the_window_do_not_come_back() -> None:
    registry = Registry()
    engine = make_engine(registry, window_size=3)
    engine.refill(ticks(100, [[1], [2], [3]]))
    engine.tick(103.0, 1.0)
    engine.tick(104.0, 1.0)
    late = registry.gauge("cpu")
    late.set(5)
    engine.tick(105.0, 1.0)
    assert (late.stats().count, late.stats().min) == (1, 5)
    engine.tick(106.0, 1.0)
    other = registry.gauge("other")
    other.set(1)
    assert engine.tick(107.0, 1.0).amended == []


def test_a_late_sample_of_this_run_is_not_overwritten_by_the_past() -> None:
    registry = Registry()
    intake = Intake(registry)
    engine = make_engine(registry, intake=intake)
    engine.refill(ticks(100, [[1], [2]], [("queue", ())]))
    engine.tick(102.0, 1.0)
    source = intake.source("push")
    column = source.gauge("queue", "queue")
    source.set([column], [8.0], [101.0])
    engine.tick(103.0, 1.0)
    assert engine.window.all().rows[:, column].tolist() == [1, 8, 8, 8]


def test_a_changed_board_has_the_past_also_of_series_still_to_come() -> None:
    before = Registry()
    before.gauge("cpu")
    engine = make_engine(before)
    engine.refill(ticks(100, [[1, 5], [2, 6]], [CPU, ("queue", ())]))
    engine.tick(105.0, 1.0)
    after = Registry()
    after.gauge("cpu")
    changed = make_engine(after, window_size=2)
    changed.inherit(engine)
    queue = after.gauge("queue")
    changed.tick(106.0, 1.0)
    assert queue.stats().count == 0
    again = make_engine(after)
    again.inherit(engine)
    again.tick(106.0, 1.0)
    assert (queue.stats().count, queue.stats().avg) == (2, 5.5)


def test_a_board_without_series_yet_passes_its_past_on() -> None:
    engine = make_engine(Registry())
    engine.refill(ticks(100, [[1], [3]]))
    registry = Registry()
    cpu = registry.gauge("cpu")
    changed = make_engine(registry)
    changed.inherit(engine)
    changed.tick(110.0, 1.0)
    assert (cpu.stats().avg, cpu.stats("9s").count) == (2, 0)


# --- the clock ---


def test_a_clock_that_was_set_back_leaves_the_past_alone() -> None:
    registry = Registry()
    registry.gauge("cpu")
    engine = make_engine(registry)
    engine.refill(ticks(100, [[1, 4], [2, 5]], [CPU, ("queue", ())]))
    happened = engine.tick(50.0, 1.0)
    assert (engine.epoch, happened.seq, happened.set_back_s) == ("e.2", 1, 51.0)
    queue = registry.gauge("queue")
    assert engine.tick(51.0, 1.0).amended == []
    assert queue.stats().count == 0


# --- rules ---


def hot(registry: Registry, for_s: float) -> Rule:
    return Rule("hot", registry.gauge("cpu") > 90, "hot", "critical", for_s)


def fired(engine: Engine, first: float, values: Sequence[float]) -> list[float]:
    """Return when alerts fire, of a tick a second."""
    handle = engine.registry.gauge("cpu")
    times: list[float] = []
    for step, value in enumerate(values):
        handle.set(value)
        happened = engine.tick(first + step, 1.0)
        times += [happened.time for event in happened.events if event.kind == "firing"]
    return times


def test_a_breach_continues_where_it_was() -> None:
    registry = Registry()
    engine = make_engine(registry, [hot(registry, 5)])
    engine.refill(ticks(100, [[1], [95], [96], [97]]))
    # It had lasted for two seconds; the time in which nothing ran is left out.
    assert fired(engine, 200, [95] * 6) == [202]
    [event] = engine.alerts.log.firing()
    assert event.alert.started.endswith("00:01:41.000Z")


def test_a_breach_that_ended_in_the_past_begins_anew() -> None:
    registry = Registry()
    engine = make_engine(registry, [hot(registry, 5)])
    engine.refill(ticks(100, [[95], [96], [97], [1]]))
    assert fired(engine, 104, [95] * 8) == [109]


def test_the_past_alone_fires_nothing() -> None:
    registry = Registry()
    engine = make_engine(registry, [hot(registry, 2)])
    engine.refill(ticks(100, [[95]] * 8))
    assert engine.alerts.log.number == 0
    assert fired(engine, 108, [1, 1]) == []


def test_an_alert_that_fires_in_the_log_is_not_fired_again() -> None:
    registry = Registry()
    rules = [hot(registry, 2)]
    first = make_engine(registry, rules)
    assert fired(first, 100, [95] * 4) == [102]
    log, episodes = first.alerts.log, first.alerts.episodes()
    registry = Registry()
    engine = make_engine(registry, [hot(registry, 2)], log=log)
    engine.alerts.restore(episodes)
    engine.refill(ticks(100, [[95]] * 4))
    assert fired(engine, 110, [95] * 4) == []
    assert len(engine.alerts.log.firing()) == 1


def test_a_wait_in_the_journal_is_corrected_by_later_ticks() -> None:
    registry = Registry()
    first = make_engine(registry, [hot(registry, 10)])
    fired(first, 100, [95] * 6)
    pending = first.alerts.episodes()
    for past, expected in (([[95]] * 6 + [[95]] * 2, [110]), ([[95]] * 6 + [[1]], [118])):
        registry = Registry()
        engine = make_engine(registry, [hot(registry, 10)])
        engine.alerts.restore(pending)
        engine.refill(ticks(100, past))
        assert fired(engine, 108, [95] * 12) == expected


def test_a_wait_longer_than_the_window_continues_from_the_journal() -> None:
    registry = Registry()
    first = make_engine(registry, [hot(registry, 60)])
    fired(first, 100, [95] * 41)
    pending = first.alerts.episodes()
    registry = Registry()
    engine = make_engine(registry, [hot(registry, 60)])
    engine.alerts.restore(pending)
    engine.refill(ticks(131, [[95]] * 10))
    assert fired(engine, 141, [95] * 30) == [160]


@pytest.mark.parametrize("gap_s", [1, 600])
def test_ticks_of_a_longer_interval_count_with_their_own_duration(gap_s: int) -> None:
    registry = Registry()
    engine = make_engine(registry, [hot(registry, 40)])
    times = np.array([100.0, 110.0, 120.0, 130.0])
    engine.refill(EarlierTicks(times, [CPU], np.full((4, 1), 95.0)))
    start = 130.0 + gap_s
    assert fired(engine, start, [95] * 12) == [start + 9]


def test_an_anomaly_is_compared_with_the_past() -> None:
    registry = Registry()
    cpu = registry.gauge("cpu")
    engine = make_engine(registry, [Rule("odd", anomaly(cpu) > 5, "odd", "warning")], window_size=20)
    engine.refill(ticks(100, [[10 + number % 3] for number in range(15)]))
    assert fired(engine, 120, [11, 500]) == [121]
