"""Samples go to the ticks that they belong to, compared with a naive implementation of the rules."""

import math
import re
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.metrics.sending import WINDOW, Bench

from tickboard.metrics import placement as module
from tickboard.metrics.distribution import Distribution
from tickboard.metrics.late import LateRows, LateSamples
from tickboard.metrics.source import Source

NAMES = ("a", "b", "c")


@dataclass
class Naive:
    """The rules, applied to one sample at a time."""

    ticks: list[float] = field(default_factory=list)
    values: dict[str, list[float]] = field(default_factory=lambda: {name: [] for name in NAMES})
    held: dict[str, float] = field(default_factory=dict)
    newest: dict[str, float] = field(default_factory=dict)
    too_old: int = 0

    def tick(self, time: float) -> None:
        self.ticks.append(time)
        for name in NAMES:
            self.values[name].append(self.held.get(name, math.nan))

    def batch(self, samples: list[tuple[str, float, float]]) -> None:
        """Take samples. Those newer than everything their series had before are decided first."""
        if self.ticks:
            samples = [(name, value, min(time, self.ticks[-1] + 60)) for name, value, time in samples]
        samples = sorted(samples, key=lambda sample: sample[2])
        before = dict(self.newest)
        newer = [sample for sample in samples if sample[2] >= before.get(sample[0], -math.inf)]
        for name, value, time in newer:
            self._newest(name, value, time)
        for name, value, time in samples:
            if (name, value, time) not in newer:
                self._older(name, value, time, before[name])

    def _own(self, time: float) -> int | None:
        """Return the index of the first tick not before a time, or None if that is outside the window."""
        oldest = max(0, len(self.ticks) - WINDOW)
        if time <= self.ticks[oldest] - 1.0 and time != self.ticks[oldest]:
            return None
        return next((index for index in range(oldest, len(self.ticks)) if self.ticks[index] >= time), len(self.ticks))

    def _newest(self, name: str, value: float, time: float) -> None:
        own = self._own(time) if self.ticks else 0
        if own is None:
            self.too_old += 1
            return
        self.held[name], self.newest[name] = value, time
        for index in range(own, len(self.ticks)):
            self.values[name][index] = value

    def _older(self, name: str, value: float, time: float, newest: float) -> None:
        own = self._own(time) if self.ticks else 0
        if own is None or own == len(self.ticks) or own == self._own(newest):
            self.too_old += 1
        else:
            self.values[name][own] = value


SAMPLE = st.tuples(st.sampled_from(NAMES), st.floats(-100, 100), st.floats(-9, 2))
BATCHES = st.lists(st.lists(SAMPLE, max_size=6, unique_by=lambda sample: (sample[0], sample[2])), max_size=40)


@settings(max_examples=300)
@given(BATCHES)
def test_samples_of_any_age_are_placed_as_the_rules_say(batches: list[list[tuple[str, float, float]]]) -> None:
    bench, naive = Bench(), Naive()
    source = bench.intake.source("test")
    for name in NAMES:
        source.gauge(name, name)
    for batch in batches:
        at = [(name, value, bench.time + age) for name, value, age in batch]
        source.set([source.known[name] for name, _, _ in at], [value for _, value, _ in at], [t for _, _, t in at])
        naive.batch(at)
        bench.tick()
        naive.tick(bench.time)
        for name in NAMES:
            expected = naive.values[name][-WINDOW:]
            assert bench.history(name) == [None if math.isnan(value) else value for value in expected]
            column = np.array([source.known[name]])
            known = [value for value in expected if not math.isnan(value)]
            read = {
                stat: float(bench.engine.stats.read(stat, column)[0]) for stat in ("avg", "min", "max", "count", "last")
            }
            assert read["count"] == len(known)
            if known:
                assert read["avg"] == pytest.approx(sum(known) / len(known))
                assert (read["min"], read["max"], read["last"]) == (min(known), max(known), known[-1])
    assert source.samples + source.too_old == sum(map(len, batches))
    assert source.too_old == naive.too_old


def test_values_without_a_time_are_newer_than_the_newest_tick() -> None:
    bench = Bench()
    source = bench.intake.source("test")
    column = source.gauge("g", "g")
    bench.tick()
    bench.tick()
    source.set([column], [1])
    source.set([column], [9], [bench.time - 0.5])
    bench.tick()
    assert bench.history("g") == [None, 9, 1]


def test_dropped_samples_are_reported_and_not_counted_as_accepted() -> None:
    bench = Bench()
    source = bench.intake.source("test")
    for _ in range(3):
        bench.tick()
    gauge = source.gauge("g", "g")
    source.set([gauge], [1.0], [bench.time - 3_600])
    refusal = source.take_refusal()
    assert refusal is not None
    assert refusal.samples == 1
    assert re.match(
        "metric 'g': a sample of .* is older than the oldest tick that is kept, .*: send it", refusal.reason
    )
    source.set([gauge, gauge], [2.0, 3.0], [bench.time + 0.2, bench.time + 0.1])
    assert source.take_refusal() is None
    source.set([gauge], [4.0], [bench.time + 0.15])
    refusal = source.take_refusal()
    assert refusal is not None
    assert refusal.reason.endswith("came after a newer one: send samples in the order of their times")
    assert (source.samples, source.too_old, source.refused) == (2, 2, 0)
    assert bench.tick() == {"g": 2}


def test_a_dropped_sample_of_a_declared_metric_is_named_even_with_an_impossible_time() -> None:
    bench = Bench()
    bench.registry.gauge("own")
    source = bench.intake.source("test")
    bench.tick()
    source.set([source.gauge("k", "own")], [1.0], [-1e20])
    refusal = source.take_refusal()
    assert refusal is not None
    assert refusal.reason.startswith(
        "metric 'own': a sample of -1e+20 s is older than the oldest tick that is kept, 1970-"
    )


def test_amended_ticks_are_reported_once() -> None:
    bench = Bench()
    source = bench.intake.source("test")
    bench.tick()
    bench.tick()
    bench.send(source, "g", (5, 1001.0))
    happened = bench.engine.tick(1003.0, 1.0)
    assert [(each.first, each.last, each.columns.tolist()) for each in happened.amended] == [(1, 2, [0])]
    assert bench.engine.tick(1004.0, 1.0).amended == []


def late(bench: Bench) -> list[tuple[int, float, float]]:
    """Return column, value and time of the samples that the next tick hands to history."""
    happened = bench.engine.tick(bench.time + 1, 1.0)
    bench.time += 1
    return [
        sample
        for each in happened.late
        if isinstance(each, LateSamples)
        for sample in zip(each.columns.tolist(), each.values.tolist(), each.times.tolist(), strict=True)
    ]


def ticked(late_s: float) -> tuple[Bench, Source]:
    bench = Bench()
    bench.intake.placement.late_s = late_s
    for _ in range(2 * WINDOW):
        bench.tick()
    return bench, bench.intake.source("test")


def test_a_sample_older_than_the_window_goes_to_history_and_not_to_the_window() -> None:
    bench, source = ticked(100)
    bench.send(source, "g", (1, bench.time - 50), (2, bench.time))
    column = source.gauge("g", "g")
    old = bench.time - 50
    assert late(bench) == [(column, 1, old)]
    assert bench.history("g") == [None] * (WINDOW - 2) + [2, 2]
    assert (source.samples, source.late, source.too_old) == (2, 2, 0)
    assert source.take_refusal() is None
    assert late(bench) == []


def test_a_sample_older_than_history_is_refused() -> None:
    bench, source = ticked(100)
    bench.send(source, "g", (1, bench.time - 101))
    refusal = source.take_refusal()
    assert refusal is not None
    assert "is older than the oldest tick that is kept, 1970-01-01T00:15:12.000Z: send it sooner" in refusal.reason
    assert late(bench) == []
    assert (source.samples, source.too_old) == (0, 1)


def test_totals_older_than_the_window_become_rates_at_their_own_times() -> None:
    bench, source = ticked(100)
    column = source.total("t", "t")
    old = bench.time - 50
    source.set_totals([column] * 3, [10, 30, 60], [old, old + 10, old + 20])
    assert late(bench) == [(column, 2, old + 10), (column, 3, old + 20)]
    assert source.too_old == 0


def test_a_distribution_older_than_the_window_belongs_to_its_own_time() -> None:
    bench, source = ticked(100)
    column = source.histogram("h", "h")
    source.merge(column, Distribution.of([1.0, 3.0]), bench.time - 50)
    found = late(bench)
    assert [time for _, _, time in found] == [bench.time - 51] * len(found)
    assert found[0][:2] == (column, 2)


def test_samples_for_a_series_that_has_left_go_to_no_other() -> None:
    bench, source = ticked(100)
    bench.send(source, "g", (1, bench.time - 50), (2, bench.time))
    handle = bench.registry.leaving[source.gauge("g", "g")]
    bench.registry.remove(handle)
    assert late(bench) == []


def test_samples_beyond_the_bound_of_waiting_ones_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_LATE", 2)
    bench, source = ticked(100)
    for number in range(3):
        bench.send(source, "g", (number, bench.time - 50 + number))
    assert (source.samples, source.too_old) == (2, 1)
    assert [value for _, value, _ in late(bench)] == [0, 1]
    bench.send(source, "g", (3, bench.time - 50))
    assert [value for _, value, _ in late(bench)] == [3]


def test_a_sample_at_the_time_of_the_only_tick_is_recorded_there() -> None:
    bench = Bench()
    source = bench.intake.source("test")
    bench.tick()
    bench.send(source, "g", (5, bench.time))
    bench.tick()
    assert bench.history("g") == [5, 5]


# --- rows of several series ---


def filled(bench: Bench, times: list[float], rows: list[list[float]]) -> tuple[int, list[LateRows]]:
    """Fill the series a, b, … and return how many values were dropped, and what the next tick hands to history."""
    source = bench.intake.source("test")
    columns = np.array([source.gauge(name, name) for name in NAMES[: len(rows[0])]], np.intp)
    dropped = bench.intake.fill(columns, np.array(times), np.array(rows))
    happened = bench.engine.tick(bench.time + 1, 1.0)
    bench.time += 1
    return dropped, [each for each in happened.late if isinstance(each, LateRows)]


def test_rows_go_to_the_ticks_of_their_times_and_hold_no_longer() -> None:
    bench, _ = ticked(0)
    now = bench.time
    assert filled(bench, [now - 2, now], [[1, 10], [3, math.nan]]) == (0, [])
    assert bench.history("a") == [None, None, 1, None, 3, None]
    assert bench.history("b") == [None, None, 10, None, None, None]


def test_rows_change_values_and_leave_others() -> None:
    bench, _ = ticked(0)
    now = bench.time
    filled(bench, [now - 1, now], [[1, 10], [2, 20]])
    assert filled(bench, [now], [[math.nan, 21]]) == (0, [])
    assert bench.history("a")[-4:] == [1, 2, None, None]
    assert bench.history("b")[-4:] == [10, 21, None, None]


def test_values_without_a_tick_of_their_time_are_dropped() -> None:
    bench, _ = ticked(0)
    bench.tick(3)
    now = bench.time
    assert filled(bench, [now - 2, now - 1, now], [[1, 2], [3, math.nan], [5, 6]]) == (3, [])
    bench.tick()
    assert filled(bench, [bench.time + 1], [[1]])[0] == 1


def test_rows_older_than_the_window_go_to_history_as_far_back_as_it_reaches(monkeypatch: pytest.MonkeyPatch) -> None:
    bench, source = ticked(30)
    now = bench.time
    dropped, [late] = filled(bench, [now - 31, now - 30, now - 20], [[1, 2], [3, math.nan], [5, 6]])
    assert dropped == 2
    assert late.times.tolist() == [now - 30, now - 20]
    np.testing.assert_array_equal(late.rows, [[3, math.nan], [5, 6]])
    assert [source.known[name] for name in ("a", "b")] == late.columns.tolist()
    monkeypatch.setattr(module, "MAX_LATE", 3)
    assert filled(bench, [now - 20, now - 19], [[1, 2], [3, 4]]) == (4, [])
    assert bench.history("a") == [None] * WINDOW


def test_rows_of_a_series_that_leaves_are_forgotten() -> None:
    bench, source = ticked(100)
    columns = np.array([source.gauge(name, name) for name in ("a", "b")], np.intp)
    bench.intake.fill(columns, np.array([bench.time - 50]), np.array([[1.0, 2.0]]))
    bench.intake.drop([int(columns[0])])
    [late] = bench.engine.tick(bench.time + 1, 1.0).late
    assert isinstance(late, LateRows)
    assert (late.columns.tolist(), late.rows.tolist()) == ([int(columns[1])], [[2.0]])
