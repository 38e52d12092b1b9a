"""The wall clock is set while a board runs: ticks have the right time, and durations are unaffected.

Nothing here waits: a simulated machine has a monotonic clock, and a wall clock that a test sets.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tickboard.alerting.rules import Rule
from tickboard.durations import Durations
from tickboard.engine import Engine, TickResult
from tickboard.expressions.functions import absent, anomaly, metric
from tickboard.metrics.distribution import Distribution
from tickboard.metrics.handles import Gauge
from tickboard.metrics.intake import Intake
from tickboard.metrics.late import AHEAD_S
from tickboard.metrics.registry import Registry
from tickboard.running.pace import LONGEST_SLEEP_S, Pace
from tickboard.schedule import parse

BEGAN = 1_700_000_000.0
HOUR_S, YEAR_S = 3_600.0, 365 * 86_400.0
INTERVALS_MS = [10, 100, 250, 500, 1_000, 10_000]
STEPS_S = [sign * step for step in (10, 60, HOUR_S, 86_400, YEAR_S, 30 * YEAR_S) for sign in (1, -1)]
SMALL_STEPS_S = [-1.5, -0.3, -0.04, 0.004, 0.04, 0.3, 1.5]

Rules = Callable[[Gauge], list[Rule]]


@dataclass
class Machine:
    """A board's core on a machine whose clock a test sets, with the sample of each tick from a function.

    Attributes:
        passed_s: the seconds since the machine was started.
        offset_s: how much the wall clock is ahead of that.
        ticks: the results of all ticks.
    """

    interval_ms: int = 1_000
    rules: Rules = lambda _: []
    window: int = 60
    value: Callable[[int], float] = float
    forget_s: float = 300.0
    passed_s: float = 0.0
    offset_s: float = BEGAN
    ticks: list[TickResult] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.registry = Registry()
        self.gauge = self.registry.gauge("cpu")
        self.intake = Intake(self.registry, forget_s=self.forget_s)
        ids = (f"id{number}" for number in count(1))
        self.engine = Engine(
            self.registry,
            self.rules(self.gauge),
            self.window,
            "run",
            lambda: next(ids),
            self.intake,
            interval_s=self.interval_ms / 1000,
        )
        self._schedule = parse(f"{self.interval_ms}ms")
        self._last, self._made = self.now, self.passed_s
        self.fired: list[tuple[int, str, str, float]] = []

    @property
    def now(self) -> float:
        return self.offset_s + self.passed_s

    def tick(self) -> TickResult:
        """Advance to the next tick and make it."""
        pace = Pace(self._schedule, self._last)
        while left_s := pace.left_s(self.now):
            self.passed_s += min(left_s, LONGEST_SLEEP_S)
        self._last = pace.instant(self.now)
        value = self.value(len(self.ticks))
        self.gauge.set(value)
        tick = self.engine.tick(self._last, self.passed_s - self._made)
        self._made = self.passed_s
        self.ticks.append(tick)
        events = [*tick.events]
        if len(self.ticks) % 10 == 0:
            events += self.engine.check(self.now)
        self.fired += [(len(self.ticks), event.kind, event.alert.rule, self.passed_s) for event in events]
        return tick

    def run(self, ticks: int, steps: Mapping[int, float] = {}) -> None:
        """Make ticks. Set the clock before those that are in `steps`, counted from 1."""
        for _ in range(ticks):
            self.offset_s += steps.get(len(self.ticks) + 1, 0.0)
            self.tick()


# --- durations ---


@pytest.mark.parametrize(("interval_ms", "ticks"), [(100, 51), (250, 21), (500, 11), (1_000, 6), (10, 501)])
@pytest.mark.parametrize("step_s", [-HOUR_S, -5.0, -2.0, -1.0, -YEAR_S, -30 * YEAR_S])
def test_a_breach_fires_after_its_duration_when_the_clock_is_set_back(
    interval_ms: int, ticks: int, step_s: float
) -> None:
    machine = Machine(interval_ms, lambda cpu: [Rule("high", cpu > 1, "m", "info", for_s=5.0)], value=lambda _: 2.0)
    machine.run(ticks + 2, {3: step_s})
    assert [(tick, kind) for tick, kind, _, _ in machine.fired] == [(ticks, "firing")]


@pytest.mark.parametrize("interval_ms", INTERVALS_MS)
@pytest.mark.parametrize("step_s", [1.0, HOUR_S, YEAR_S, 30 * YEAR_S])
def test_a_breach_fires_after_its_duration_when_the_clock_is_set_forward(interval_ms: int, step_s: float) -> None:
    for_s = 50 * interval_ms / 1000
    machine = Machine(interval_ms, lambda cpu: [Rule("high", cpu > 1, "m", "info", for_s=for_s)], value=lambda _: 2.0)
    machine.tick()
    began = machine.passed_s
    machine.run(54, {3: step_s})
    [(_, kind, _, fired)] = machine.fired
    assert kind == "firing"
    assert fired - began == pytest.approx(for_s, abs=interval_ms / 1000 + 1e-6)


def all_rules(cpu: Gauge) -> list[Rule]:
    """Return a rule for each way in which conditions depend on time."""
    conditions: dict[str, Any] = {
        "high": cpu > 70,
        "avg": cpu.avg("10s") > 55,
        "change": cpu.change("5s") > 30,
        "rate": cpu.rate("5s") > 8,
        "count": cpu.count("8s") < 8,
        "anomaly": anomaly(cpu, "20s") > 1.5,
        "p95": cpu.p95("15s") > 90,
        "absent": absent(metric("other")),
    }
    return [
        *(Rule(name, condition, "m", "info") for name, condition in conditions.items()),
        *(Rule(f"{name} for", condition, "m", "info", for_s=3) for name, condition in conditions.items()),
        Rule("keep", cpu > 70, "m", "info", clear=cpu < 20, keep_s=4.0),
        Rule("no data", cpu > 70, "m", "info", for_s=2, no_data="alert"),
    ]


def wave(tick: int) -> float:
    """Return a value that rises, falls, jumps, and is sometimes missing."""
    return math.nan if tick % 23 in {20, 21, 22} else 50 + 45 * math.sin(tick / 4) + 5 * (tick % 7 == 0)


BACK_STEPS = st.dictionaries(st.integers(2, 120), st.sampled_from([step for step in STEPS_S if step < 0]), max_size=6)


@given(BACK_STEPS)
@example({40: -HOUR_S})
@example({40: -YEAR_S, 41: -YEAR_S, 42: -60})
@settings(deadline=None, max_examples=25)
def test_setting_the_clock_back_changes_no_event_of_any_rule(steps: dict[int, float]) -> None:
    still, moved = Machine(rules=all_rules, value=wave), Machine(rules=all_rules, value=wave)
    still.run(130)
    moved.run(130, steps)
    assert {rule for _, _, rule, _ in still.fired} == {rule.name for rule in all_rules(still.gauge)}
    assert [event[:3] for event in moved.fired] == [event[:3] for event in still.fired]


@given(
    st.sampled_from(INTERVALS_MS),
    st.dictionaries(st.integers(2, 80), st.sampled_from(STEPS_S + SMALL_STEPS_S), max_size=20),
)
@settings(deadline=None, max_examples=60)
def test_a_breach_fires_within_two_intervals_of_its_duration(interval_ms: int, steps: dict[int, float]) -> None:
    for_s = 40 * interval_ms / 1000
    machine = Machine(interval_ms, lambda cpu: [Rule("high", cpu > 1, "m", "info", for_s=for_s)], value=lambda _: 2.0)
    machine.tick()
    began = machine.passed_s
    # Each step may cost part of an interval, since ticks are aligned to the new time.
    machine.run(85, steps)
    [(_, kind, _, fired)] = machine.fired
    tolerance_s = 2 * max(interval_ms / 1000, 0.05)
    assert kind == "firing"
    assert fired - began == pytest.approx(for_s, abs=tolerance_s + 1e-6)


@given(
    st.sampled_from(INTERVALS_MS),
    st.lists(st.tuples(st.floats(0, 0.9), st.sampled_from([0.0] * 9 + STEPS_S + SMALL_STEPS_S)), max_size=200),
)
def test_counted_time_never_drifts_from_elapsed_time(interval_ms: int, ticks: list[tuple[float, float]]) -> None:
    interval_s = interval_ms / 1000
    durations, passed_s, wall, counted_s, made = Durations(interval_s), 0.0, BEGAN, 0.0, 0.0
    for late, step_s in ticks:
        passed_s, wall = passed_s + interval_s, wall + interval_s + step_s
        at = passed_s + late * interval_s
        counted_s, made = counted_s + durations.passed_s(wall, at - made), at
        assert counted_s == pytest.approx(made, abs=2.1 * max(interval_s, 0.05))


def test_ticks_with_alternating_delays_count_whole_intervals() -> None:
    durations = Durations(1.0)
    made = [0.0, 1.4, 2.0, 3.3, 4.0, 7.2]
    instants = [0.0, 1.0, 2.0, 3.0, 4.0, 7.0]
    durations.passed_s(BEGAN, 0.0)
    found = [durations.passed_s(BEGAN + instants[tick], made[tick] - made[tick - 1]) for tick in range(1, len(made))]
    assert found == [1.0, 1.0, 1.0, 1.0, 3.0]


# --- epochs ---


@given(
    st.sampled_from(INTERVALS_MS),
    st.dictionaries(st.integers(2, 60), st.sampled_from([*STEPS_S, *SMALL_STEPS_S, -2.5, -19.0, -25.0]), max_size=8),
)
@example(1_000, {5: -HOUR_S})
@settings(deadline=None, max_examples=60)
def test_the_window_has_the_newest_ticks_since_the_clock_was_set_back(
    interval_ms: int, steps: dict[int, float]
) -> None:
    machine = Machine(interval_ms, window=7, value=wave)
    most_s = max(2.0, 2 * interval_ms / 1000)
    times: list[float] = []
    epochs = ["run"]
    for number in range(1, 65):
        before, passed_s = machine._last, machine.passed_s
        machine.run(1, steps)
        tick, engine = machine.ticks[-1], machine.engine
        instant = machine._last
        back_s = before + machine.passed_s - passed_s - instant if times and instant <= times[-1] else 0.0
        if times and (instant < times[-1] - most_s or back_s > most_s):
            assert tick.set_back_s == pytest.approx(times[-1] - instant)
            times.clear()
            assert engine.epoch not in epochs
            epochs.append(engine.epoch)
        else:
            assert tick.set_back_s == 0
        times.append(max(instant, times[-1] + 0.001) if times else instant)
        assert engine.epoch == epochs[-1]
        assert engine.seq == tick.seq == len(times)
        assert engine.window.times().tolist() == times[-7:]
        # Never far from the actual time.
        assert abs(times[-1] - machine.now) <= most_s + 0.1 + interval_ms / 1000
        rows = engine.window.all().rows[:, 0]
        values = [wave(at) for at in range(max(0, number - len(rows)), number)]
        assert np.array_equal(rows, values, equal_nan=True)
        known = [value for value in values if not math.isnan(value)]
        found = {stat: float(engine.stats.read(stat, np.array([0]))[0]) for stat in ("avg", "min", "max", "count")}
        assert found["count"] == len(known)
        if known:
            assert found["avg"] == pytest.approx(sum(known) / len(known))
            assert (found["min"], found["max"]) == (min(known), max(known))
        assert not engine.can_resume_after("run", 1) or engine.epoch == "run"


@pytest.mark.parametrize(("interval_ms", "most_s"), [(10, 2.0), (1_000, 2.0), (10_000, 20.0)])
def test_setting_the_clock_back_slightly_starts_no_new_epoch(interval_ms: int, most_s: float) -> None:
    for back_s, epochs in ((most_s - 0.01, 1), (most_s + 0.02, 2)):
        machine = Machine(interval_ms)
        machine.run(20, {10: -back_s})
        assert len({tick.seq for tick in machine.ticks}) == (20 if epochs == 1 else 11)


# --- series that expire ---


@pytest.mark.parametrize("step_s", [-HOUR_S, YEAR_S, -YEAR_S])
def test_a_silent_series_is_removed_on_time_after_the_clock_is_set(step_s: float) -> None:
    machine = Machine(forget_s=30.0)
    source = machine.intake.source("test")
    source.set([source.gauge("a", "a")], [1.0])
    machine.run(1)
    machine.run(20, {10: step_s})
    assert "a" in source.known
    machine.run(21)
    assert "a" not in source.known


# --- samples with timestamps ---


class Sender:
    """Sends a gauge, a total and a distribution with times from its own clock."""

    def __init__(self, machine: Machine, ahead_s: float = 0.0) -> None:
        self.machine = machine
        self.ahead_s = ahead_s
        self.source = machine.intake.source("test")
        self.gauge = self.source.gauge("g", "g")
        self.total = self.source.total("n", "n")
        self.histogram = self.source.histogram("h", "h")
        self.counted = 0

    def send(self, value: float) -> int:
        """Send the three samples, and return how many were refused."""
        time = BEGAN + self.machine.passed_s + self.ahead_s
        self.counted += 10
        self.source.set([self.gauge], [value], [time])
        self.source.set_totals([self.total], [self.counted], [time])
        self.source.merge_totals(self.histogram, Distribution.explicit([10, 20], [self.counted, 0, 0], 0.0), time)
        refusal = self.source.take_refusal()
        return refusal.samples if refusal else 0

    def run(self, ticks: Iterable[int]) -> list[tuple[int, float, float, float]]:
        """Send and tick in turns. Return for each tick the number of refusals and the shown values."""
        seen = []
        for value in ticks:
            refused = self.send(value)
            row = self.machine.tick().row
            seen.append((refused, float(row[self.gauge]), float(row[self.total]), float(row[self.histogram])))
        return seen


@pytest.mark.parametrize("step_s", [-3.0, -30.0, -HOUR_S, -YEAR_S, HOUR_S, YEAR_S, 30 * YEAR_S])
@pytest.mark.parametrize("follows", [True, False], ids=["one clock", "its own clock"])
def test_samples_with_the_right_time_are_accepted_once_the_host_has_it(step_s: float, follows: bool) -> None:
    machine = Machine()
    machine.offset_s -= step_s
    sender = Sender(machine, ahead_s=-step_s if follows else 0.0)
    machine.run(2)
    before = sender.run(range(10))
    if follows:
        assert [refused for refused, *_ in before] == [0] * 10
    elif step_s < -60:
        # For a host that is far ahead they are older than its window.
        assert [refused for refused, *_ in before] == [3] * 10
        assert sender.source.samples == 0
    machine.offset_s += step_s
    if follows:
        sender.ahead_s = 0.0
    machine.run(1)
    after = sender.run(range(100, 110))
    assert [refused for refused, *_ in after] == [0] * 10
    assert [gauge for _, gauge, _, _ in after] == list(range(100, 110))
    # The counts may restart once.
    assert [total for _, _, total, _ in after][2:] == [10.0] * 8
    assert not any(math.isnan(mean) for *_, mean in after[2:])


@pytest.mark.parametrize("ahead_s", [AHEAD_S + 5, HOUR_S, YEAR_S, 30 * YEAR_S])
def test_a_sender_that_was_ahead_continues_when_its_clock_is_right(ahead_s: float) -> None:
    machine = Machine()
    machine.run(2)
    sender = Sender(machine, ahead_s)
    before = sender.run(range(10))
    assert [(refused, gauge) for refused, gauge, *_ in before] == [(0, value) for value in range(10)]
    assert [total for _, _, total, _ in before][1:] == [10.0] * 9
    sender.ahead_s = 0.0
    after = sender.run(range(10))
    assert [(refused, gauge) for refused, gauge, *_ in after] == [(0, value) for value in range(10)]
    assert [total for _, _, total, _ in after][1:] == [10.0] * 9


@pytest.mark.parametrize("ahead_s", [AHEAD_S + 5, HOUR_S, YEAR_S, 30 * YEAR_S])
@pytest.mark.parametrize("then_s", [0.0, 1.0])
def test_a_sender_ahead_before_the_first_tick_does_not_block_later_samples(ahead_s: float, then_s: float) -> None:
    sender = Sender(Machine(), ahead_s)
    sender.run([0])
    sender.ahead_s = ahead_s * then_s
    assert [(refused, gauge) for refused, gauge, *_ in sender.run(range(10))][2:] == [
        (0, value) for value in range(2, 10)
    ]


@pytest.mark.parametrize("behind_s", [HOUR_S, YEAR_S])
def test_samples_of_a_sender_far_behind_are_always_refused(behind_s: float) -> None:
    machine = Machine()
    machine.run(2)
    sender = Sender(machine, -behind_s)
    seen = sender.run(range(10))
    assert [refused for refused, *_ in seen] == [3] * 10
    assert all(math.isnan(gauge) for _, gauge, _, _ in seen)
    assert (sender.source.samples, sender.source.too_old) == (0, 30)


MOVES = st.lists(
    st.tuples(
        st.sampled_from([0.0] * 8 + STEPS_S + SMALL_STEPS_S),
        st.sampled_from([0.0] * 4 + STEPS_S),
        st.floats(-70, 1),
    ),
    max_size=40,
)


@given(MOVES, st.sampled_from([100, 1_000, 10_000]))
@settings(deadline=None, max_examples=60)
def test_every_sample_is_shown_or_refused_whichever_clock_is_wrong(
    moves: list[tuple[float, float, float]], interval_ms: int
) -> None:
    machine = Machine(interval_ms)
    machine.run(3)
    source = machine.intake.source("test")
    column = source.gauge("g", "g")
    ahead_s, sent, refused = 0.0, 0, 0
    for number, (step_s, senders_step_s, age_s) in enumerate(moves):
        machine.offset_s += step_s
        machine.tick()
        ahead_s += senders_step_s
        source.set([column], [float(number)], [BEGAN + machine.passed_s + ahead_s + age_s])
        sent += 1
        refusal = source.take_refusal()
        refused += refusal.samples if refusal else 0
        machine.tick()
        shown = number in machine.engine.window.all().rows[:, column]
        assert shown == (refusal is None)
    assert (source.samples, source.too_old) == (sent - refused, refused)
