"""The intake is compared with a naive implementation of its rules. Also: the life of undeclared series."""

import math
import re
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tickboard.engine import Engine
from tickboard.errors import LimitError
from tickboard.metrics import intake as intake_module
from tickboard.metrics import source as source_module
from tickboard.metrics.distribution import Distribution
from tickboard.metrics.intake import Intake
from tickboard.metrics.registry import Registry
from tickboard.metrics.source import REFUSED, Source
from tickboard.metrics.stats import Aggregate

WINDOW = 6
NAMES = ("a", "b", "c")


class Bench:
    """A board's core with a clock that the test advances."""

    def __init__(self, window: int = WINDOW, max_series: int = 1_000, **limits: float) -> None:
        self.registry = Registry(max_series)
        self.intake = Intake(self.registry, **limits)  # type: ignore[arg-type]
        self.engine = Engine(self.registry, [], window, "epoch", lambda: "id", self.intake)
        self.time = 1_000.0

    def tick(self, seconds: float = 1.0) -> dict[str, float | None]:
        self.time += seconds
        self.engine.tick(self.time, seconds)
        return self.row()

    def row(self, back: int = 0) -> dict[str, float | None]:
        row = self.engine.window.row(self.engine.seq - back)
        return {
            series.key: None if math.isnan(row[series.column]) else float(row[series.column])
            for series in self.registry.series
        }

    def history(self, key: str) -> list[float | None]:
        return [self.row(back)[key] for back in range(len(self.engine.window) - 1, -1, -1)]

    def send(self, source: Source, name: str, *samples: tuple[float, float]) -> None:
        column = source.gauge(name, name)
        source.set([column] * len(samples), [value for value, _ in samples], [time for _, time in samples])


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


# --- totals, counters, histograms ---


def total(bench: Bench, source: Source, *samples: tuple[float, float]) -> None:
    column = source.total("n", "n_total")
    source.set_totals([column] * len(samples), [value for value, _ in samples], [time for _, time in samples])


def test_a_total_shows_its_rate_until_the_next_sample() -> None:
    bench = Bench()
    source = bench.intake.source("test")
    total(bench, source, (100, 1000.0))
    assert bench.tick() == {"n_total": None}
    total(bench, source, (130, 1002.0))
    assert bench.tick() == {"n_total": 15}
    assert bench.tick() == {"n_total": 15}


def count(source: Source, value: float, time: float) -> None:
    source.set_totals([source.total("n", "n_total")], [value], [time])


def test_totals_of_two_sources_with_one_name_are_never_subtracted() -> None:
    bench = Bench()
    one, other = bench.intake.source("one"), bench.intake.source("other")
    for second in range(8):
        count(one, 10_000 + 10 * second, bench.time + 0.3)
        count(other, 5 + second, bench.time + 0.6)
        count(other, 5 + second, bench.time + 0.6)
        assert bench.tick()["n_total"] in ([None] if second == 0 else [pytest.approx(10), pytest.approx(1)])
    assert one.too_old == other.too_old == 0
    # Older than what this source has sent, not than what the other one has.
    count(other, 1, bench.time - 3)
    assert other.too_old == 1


def test_one_total_sent_by_two_sources_has_one_rate() -> None:
    bench = Bench()
    sources = [bench.intake.source(name) for name in ("one", "other")]
    for second in range(8):
        for place, source in enumerate(sources):
            count(source, 100 + 10 * (second + place / 2), bench.time + place / 2)
        assert bench.tick()["n_total"] == (None if second == 0 else pytest.approx(10))


def test_a_source_continues_the_total_of_a_silent_one() -> None:
    bench = Bench()
    sources = [bench.intake.source(name) for name in "abc"]
    for second in range(9):
        count(sources[second // 3], 100 * (second // 3 + 1) + 10 * second, bench.time + 0.5)
        assert bench.tick()["n_total"] == (None if second == 0 else pytest.approx(10))
    assert not bench.intake._beside


def test_a_second_total_restarts_if_it_falls_or_has_a_new_start_time() -> None:
    bench = Bench()
    one, other = bench.intake.source("one"), bench.intake.source("other")
    count(one, 1, 999.0)
    for second, (value, start) in enumerate([(50, 0.0), (8, 0.0), (20, 1001.6), (math.nan, 0.0), (25, 0.0)], 1):
        count(one, 1 + second, bench.time)
        column = other.total("n", "n_total")
        other.set_totals([column], [value], [bench.time + 0.5], [start])
        found = bench.tick()["n_total"]
        assert found == {1: 1, 2: 8, 3: pytest.approx(20), 4: 1, 5: pytest.approx(2.5)}[second]


def test_cumulative_distributions_are_tracked_per_source() -> None:
    bench = Bench()
    one, other = bench.intake.source("one"), bench.intake.source("other")
    columns = [source.histogram("t", "t") for source in (one, other)]
    for second in range(4):
        now = bench.time + 0.5
        one.merge_totals(columns[0], Distribution.explicit([10], [1_000 + second, 0], 5_000 + 4 * second), now)
        other.merge_totals(columns[1], Distribution.explicit([10], [3 + second, 0], 7 + 6 * second), now)
        found = bench.tick()["t"]
        assert found == (None if second == 0 else 5)


@pytest.mark.parametrize("aliases", [0, 16])
@pytest.mark.parametrize(
    ("start", "rate", "average"), [(1000.6, 10, 5), (990.0, None, None)], ids=["begun since", "another count"]
)
def test_a_sender_that_takes_over_a_series_has_its_own_totals(
    start: float, rate: float | None, average: float | None, aliases: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake_module, "MAX_ALIASES", aliases)
    bench = Bench()
    bench.registry.counter("n")
    bench.registry.histogram("t")
    source = bench.intake.source("test")
    columns = {}
    for key in ("old", "new"):
        count, times = columns[key] = source.total((key, "n"), "n"), source.histogram((key, "t"), "t")
        if key == "old":
            source.set_totals([count], [100], [1000.5])
            source.merge_totals(times, Distribution.explicit([10], [50, 0], 100), 1000.5)
            bench.tick()
    assert columns["old"] == columns["new"]
    source.take_over(count, ("new", "n"), start)
    source.take_over(times, ("new", "t"), start)
    assert set(source.known) == ({("new", "n"), ("new", "t")} if aliases else set())
    source.set_totals([count], [10], [1001.5], [start])
    source.merge_totals(times, Distribution.explicit([10], [2, 0], 10), 1001.5)
    row = bench.tick()
    assert (row["n"], row["t"]) == (rate, average)
    source.set_totals([count], [16], [1002.5], [start])
    source.merge_totals(times, Distribution.explicit([10], [5, 0], 22), 1002.5)
    row = bench.tick()
    assert (row["n"], row["t"]) == (6, 4)


def test_a_total_that_falls_has_restarted() -> None:
    bench = Bench()
    source = bench.intake.source("test")
    total(bench, source, (100, 1000.0), (8, 1002.0))
    assert bench.tick(3) == {"n_total": 4}


def test_a_total_with_a_later_start_time_has_restarted_however_large_it_is() -> None:
    bench = Bench()
    source = bench.intake.source("test")
    column = source.total("n", "n_total")
    source.set_totals([column, REFUSED], [10, 1], [1000.0, 1000.0], [900.0, 0.0])
    source.set_totals([column], [12], [1001.0], [1000.5])
    assert bench.tick() == {"n_total": 12}


def test_totals_of_a_series_in_one_batch_may_be_in_any_order() -> None:
    bench = Bench()
    source = bench.intake.source("test")
    bench.tick(2)
    bench.tick()
    total(bench, source, (16, 1003.0), (10, 1001.0), (12, 1002.0))
    assert source.late == 2
    bench.tick()
    assert bench.history("n_total") == [2, 4, 4]


def test_a_total_sent_twice_counts_once() -> None:
    bench = Bench()
    source = bench.intake.source("test")
    for _ in range(2):
        total(bench, source, (10, 1000.0), (20, 1001.0))
    total(bench, source, (math.nan, 1001.5), (26, 1002.0))
    assert bench.tick(2) == {"n_total": 6}


@given(st.lists(st.floats(0, 1e6), min_size=2, max_size=30))
def test_the_rates_add_up_to_what_was_counted(rises: list[float]) -> None:
    bench = Bench()
    source = bench.intake.source("test")
    value = counted = 0.0
    total(bench, source, (0.0, bench.time))
    for rise in rises:
        value += rise
        total(bench, source, (value, bench.time + 1))
        counted += bench.tick()["n_total"] or 0.0
    assert counted == pytest.approx(sum(rises))


def test_a_counter_shows_its_rate_per_second() -> None:
    bench = Bench()
    source = bench.intake.source("test")
    column = source.counter("c", "jobs")
    bench.tick()
    source.add([column, column, column], [3, 5, -1])
    assert bench.tick(2) == {"jobs": 3.5}
    source.add([column, column, column], [-3, math.nan, math.inf])
    assert bench.tick() == {"jobs": -3}
    assert bench.tick() == {"jobs": 0}


def quantiles(row: dict[str, float | None], name: str = "t") -> list[float | None]:
    return [row[name], row[f"{name}.p50"], row[f"{name}.p95"], row[f"{name}.p99"]]


def test_a_histogram_shows_the_merged_distributions_of_a_tick_and_holds_them() -> None:
    bench = Bench()
    source = bench.intake.source("test")
    column = source.histogram("t", "t")
    bench.tick()
    source.merge(column, Distribution.explicit([10, 20], [2, 0, 0], 10))
    source.merge(column, Distribution.explicit([10, 20], [0, 2, 0], 30), bench.time + 0.5)
    source.merge(column, Distribution.explicit([10, 20], [0, 0, 0], 0))
    assert quantiles(bench.tick()) == pytest.approx([10, 10, 19, 19.8])
    assert quantiles(bench.tick()) == pytest.approx([10, 10, 19, 19.8])


def test_a_late_distribution_is_recorded_at_its_own_tick() -> None:
    bench = Bench()
    source = bench.intake.source("test")
    column = source.histogram("t", "t")
    for _ in range(3):
        bench.tick()
    source.merge(column, Distribution.of([4]), 1001.5)
    source.merge(column, Distribution.of([4]), 1.0)
    bench.tick()
    assert bench.history("t.p50") == [None, 4, 4, 4]
    assert (source.late, source.too_old) == (1, 1)


def test_observations_count_for_one_tick() -> None:
    bench = Bench()
    source = bench.intake.source("test")
    column = source.histogram("t", "t")
    source.observe(column, [1, 2, 3])
    assert quantiles(bench.tick())[:2] == [2, 2]
    assert quantiles(bench.tick()) == [None] * 4
    source.observe(column, [1])
    source.merge(column, Distribution.of([3]))
    assert quantiles(bench.tick())[0] == 2


def test_only_the_increase_of_a_cumulative_distribution_counts() -> None:
    bench = Bench()
    source = bench.intake.source("test")
    column = source.histogram("t", "t")
    source.merge_totals(column, Distribution.explicit([10, 20], [5, 0, 0], 25), 1000.0)
    assert quantiles(bench.tick()) == [None] * 4
    source.merge_totals(column, Distribution.explicit([10, 20], [5, 2, 0], 55), 1001.5)
    source.merge_totals(column, Distribution.explicit([10, 20], [5, 9, 0], 55), 1001.5)
    assert quantiles(bench.tick())[:2] == [15, 15]


def test_cleared_series_have_no_value_until_the_next_sample() -> None:
    bench = Bench()
    source = bench.intake.source("test")
    gauge, histogram = source.gauge("g", "g"), source.histogram("t", "t")
    source.set([gauge], [1])
    source.merge(histogram, Distribution.of([1]))
    total(bench, source, (1, 1000.0), (2, 1001.0))
    assert None not in bench.tick().values()
    source.clear([gauge, histogram, source.known["n"], REFUSED])
    assert set(bench.tick().values()) == {None}
    source.set([gauge], [3])
    total(bench, source, (9, bench.time))
    assert bench.tick() == {"g": 3, "t": None, "t.p50": None, "t.p95": None, "t.p99": None, "n_total": None}


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


# --- samples that are too old ---


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


@pytest.mark.parametrize("age_s", [3_600.0, 1e9])
def test_totals_and_distributions_can_be_too_old_too(age_s: float) -> None:
    bench = Bench()
    source = bench.intake.source("test")
    for _ in range(3):
        bench.tick()
    column = source.histogram("t", "t")
    for attempt in range(2):
        total(bench, source, (attempt, bench.time - age_s + attempt))
        source.merge_totals(column, Distribution.explicit([10], [attempt, 0], 0), bench.time - age_s + attempt)
        source.merge(column, Distribution.of([1]), bench.time - age_s + attempt)
    refusal = source.take_refusal()
    assert refusal is not None
    assert (refusal.samples, source.too_old, source.samples) == (6, 6, 0)
    total(bench, source, (5, bench.time + 0.2))
    total(bench, source, (5, bench.time + 0.2))
    assert source.take_refusal() is None
    total(bench, source, (4, bench.time + 0.1))
    source.merge_totals(column, Distribution.explicit([10], [1, 0], 0), bench.time + 0.2)
    source.merge_totals(column, Distribution.explicit([10], [1, 0], 0), bench.time + 0.1)
    refusal = source.take_refusal()
    assert refusal is not None
    assert refusal.samples == 2


# --- undeclared series ---


@pytest.mark.parametrize("ticks", [1, 60, 3_600])
def test_senders_cannot_create_more_series_than_the_window_has_memory_for(ticks: int) -> None:
    registry = Registry(max_window_mb=1)
    for number in range(5):
        registry.gauge(f"own{number}")
    intake = Intake(registry)
    engine = Engine(registry, [], ticks, "e", lambda: "id", intake)
    source = intake.source("test")
    for attempt in range(3):
        columns = [source.gauge((attempt, number), f"g{attempt}_{number}") for number in range(registry.room)]
        source.set(columns, [1.0] * len(columns))
        engine.tick(1_000.0 + attempt, 1.0)
    refusal = source.take_refusal()
    assert refusal is not None
    assert refusal.samples == source.refused == 2 * registry.room + 5
    assert re.fullmatch(
        rf"metric 'g0_\d+': {registry.room} series x {ticks} ticks fill the 1 MB that the window may take; use fewer "
        r"labels, a smaller --window, or a larger Board\(max_window_mb=…\)",
        refusal.reason,
    )
    taken = [engine.window, *vars(engine.window).values(), engine.stats, *vars(engine.stats).values()]
    parts = [part for one in taken for part in (vars(one).values() if isinstance(one, Aggregate) else [one])]
    arrays = [part for part in parts if isinstance(part, np.ndarray)]
    # The arrays that depend on the number of ticks alone come on top.
    assert sum(array.nbytes for array in arrays) <= 2**20 + 16 * ticks


def test_declared_metrics_are_served_even_beyond_the_memory_limit() -> None:
    registry = Registry(max_window_mb=1)
    own = [registry.gauge(f"own{number}") for number in range(200)]
    engine = Engine(registry, [], 3_600, "e", lambda: "id")
    for gauge in own:
        gauge.set(1)
    assert engine.tick(1.0, 1.0).row.tolist() == [1.0] * 200
    assert (engine.fits, registry.room) == (False, 200)
    with pytest.raises(LimitError, match="200 series x 3600 ticks fill the 1 MB"):
        registry.gauge("more")


def test_the_memory_of_removed_series_is_reused() -> None:
    registry = Registry(max_window_mb=1)
    intake = Intake(registry, forget_s=10.0)
    engine = Engine(registry, [], 3_600, "e", lambda: "id", intake)
    source = intake.source("test")
    for generation in range(3):
        columns = [source.gauge((generation, number), f"g{generation}_{number}") for number in range(registry.room)]
        assert REFUSED not in columns
        engine.tick(1_000.0 + 20 * generation, 20.0)
        engine.tick(1_011.0 + 20 * generation, 11.0)
        engine.check(0.0)
        # Their columns stay unused until a tick has cleared them.
        assert source.gauge("early", "early") == REFUSED
        source.take_refusal()
        engine.tick(1_012.0 + 20 * generation, 1.0)
        source.forget_refusals()
    assert registry.width == registry.room


def test_an_undeclared_metric_gets_a_title_and_a_unit() -> None:
    bench = Bench()
    source = bench.intake.source("test")
    source.gauge(1, "process_resident_memory_bytes")
    source.total(2, "http_requests_total", [("code", "200"), ("app", "shop")], unit="{request}")
    source.gauge(3, "x y", title="Given", unit="furlongs")
    infos = bench.registry.metrics
    memory, requests, given_info = infos["process_resident_memory_bytes"], infos["http_requests_total"], infos["x_y"]
    assert (memory.title, memory.unit, memory.kind) == ("Process resident memory", "B", "gauge")
    assert (requests.title, requests.unit, requests.kind) == ("HTTP requests", "request/s", "counter")
    assert (given_info.title, given_info.unit) == ("Given", "furlongs")
    assert [series.key for series in bench.registry.series][1] == 'http_requests_total{app="shop",code="200"}'
    assert list(bench.intake.discovered) == list(infos)


def test_series_with_the_same_name_and_labels_are_the_same() -> None:
    bench = Bench()
    one, other = bench.intake.source("one"), bench.intake.source("other")
    column = one.gauge("k", "g", [("a", "1"), ("b", "2")])
    assert other.gauge("x", "g", [("b", "2"), ("a", "1")]) == column
    assert (one.series, other.series) == (1, 0)
    assert bench.intake.source("one") is one


def test_a_declared_metric_can_be_written_from_outside() -> None:
    bench = Bench()
    bench.registry.gauge("queue", "Queue", unit="jobs")
    bench.registry.gauge("disk", labels=("mount",))
    bench.registry.counter("sent")
    bench.registry.histogram("took")
    source = bench.intake.source("test")
    source.set([source.gauge(1, "queue"), source.gauge(2, "disk", [("mount", "/")])], [3, 4])
    source.merge(source.histogram(4, "took"), Distribution.of([2.0]))
    sent = source.total(3, "sent")
    source.set_totals([sent, sent], [1, 5], [1000.0, 1001.0])
    row = bench.tick()
    assert (row["queue"], row['disk{mount="/"}'], row["sent"], row["took"]) == (3, 4, 4, 2)
    assert bench.registry.metrics["queue"].title == "Queue"
    assert not list(bench.intake.discovered)


@pytest.mark.parametrize(
    ("name", "labels", "reason"),
    [
        ("queue", [("a", "1")], "declared with the labels none, not a"),
        ("disk", [], "declared with the labels mount, not none"),
        ("took", [], "is a histogram here, not a gauge"),
        ("", [], "name"),
        ("---", [], "name"),
        ("n" * 257, [], "257 characters"),
        ("g", [(f"l{i}", "v") for i in range(65)], "65 labels"),
        ("g", [("l", "v" * 1_025)], "too long"),
        ("took.p50", [], "already declared"),
    ],
)
def test_an_invalid_series_is_refused_with_the_reason(name: str, labels: list[tuple[str, str]], reason: str) -> None:
    bench = Bench()
    bench.registry.gauge("queue")
    bench.registry.gauge("disk", labels=("mount",))
    bench.registry.histogram("took")
    source = bench.intake.source("test")
    column = source.gauge("key", name, labels)
    assert column == REFUSED == source.known["key"]
    assert source.take_refusal() is None
    source.set([column, column], [1, 2], [1000.0, 1001.0])
    refusal = source.take_refusal()
    assert refusal is not None
    assert refusal.samples == 2 == source.refused
    assert reason in refusal.reason
    assert source.take_refusal() is None
    assert source.samples == 0


def test_the_reason_is_that_of_the_latest_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source_module, "MAX_REASONS", 3)
    bench = Bench()
    bench.registry.gauge("queue")
    source = bench.intake.source("test")
    names = [f"m{number}" for number in range(3)]
    for name in names:
        bench.registry.gauge(name, labels=["zone"])
    columns = [source.gauge(name, name) for name in names]
    histogram = source.histogram("h", "queue")
    for _ in range(2):
        for name, column in zip(names[:2], columns, strict=False):
            source.set([column], [1])
            refusal = source.take_refusal()
            assert refusal is not None
            assert f"'{name}'" in refusal.reason
    source.observe(histogram, [1.0])
    refusal = source.take_refusal()
    assert refusal is not None
    assert "'queue' is a gauge here" in refusal.reason


def test_a_histogram_whose_percentile_names_are_taken_is_refused() -> None:
    bench = Bench()
    source = bench.intake.source("test")
    source.gauge(1, "t.p95")
    column = source.histogram(2, "t")
    source.merge(column, Distribution.of([1.0]))
    source.merge_totals(column, Distribution.of([1.0]), 1000.0)
    source.observe(column, [1.0, 2.0])
    refusal = source.take_refusal()
    assert refusal is not None
    assert (refusal.samples, "t.p95 is taken" in refusal.reason) == (4, True)


def test_a_discovered_name_equal_to_the_key_of_another_metric_is_refused() -> None:
    bench = Bench()
    bench.registry.gauge("cpu_usage")
    assert bench.intake.source("test").gauge(1, "cpu") == REFUSED


def test_lone_surrogates_become_question_marks() -> None:
    bench = Bench()
    column = bench.intake.source("s").gauge(1, "a", [("file", "\udcff")], title="A \udcff", unit="\udcff")
    assert column != REFUSED
    assert [series.key for series in bench.registry.series] == ['a{file="?"}']
    metric = bench.registry.metrics["a"]
    assert (metric.title, metric.unit) == ("A ?", "?")


def test_names_are_made_valid() -> None:
    bench = Bench()
    source = bench.intake.source("test")
    source.gauge(1, "9 lives", [("a-b", "x"), ("9", "y")])
    assert [series.key for series in bench.registry.series] == ['_9_lives{_9="y",a_b="x"}']


def test_labels_with_the_same_cleaned_name_keep_all_values() -> None:
    bench = Bench()
    source = bench.intake.source("test")
    for key, labels in enumerate(
        [
            [("a-b", "1"), ("a_b", "2")],
            [("a_b", "2"), ("a-b", "1")],
            [("a-b", "1"), ("a_b", "3")],
            [("a/b", "9"), ("a-b", "1"), ("a_b", "2")],
            [("a", "1"), ("a", "2")],
        ]
    ):
        source.gauge(key, "g", labels)
    keys = {series.key for series in bench.registry.series}
    assert keys == {'g{a_b="1;2"}', 'g{a_b="1;3"}', 'g{a_b="1;9;2"}', 'g{a="2"}'}
    assert source.gauge("long", "g", [("a-b", "x" * 600), ("a_b", "y" * 600)]) == REFUSED


# --- limits ---


@pytest.mark.parametrize("limits", [{"max_series": 2}, {"max_series_per_source": 2}])
def test_series_beyond_the_limit_are_refused_and_the_others_go_on(limits: dict[str, int]) -> None:
    bench = Bench(**limits)
    source = bench.intake.source("test")
    columns = [source.gauge(name, name) for name in ("a", "b", "c", "d")]
    source.set(columns, [1, 2, 3, 4])
    assert bench.tick() == {"a": 1, "b": 2}
    refusal = source.take_refusal()
    assert refusal is not None
    assert refusal.samples == 2
    assert "2 series" in refusal.reason
    assert list(bench.registry.metrics) == ["a", "b"]


def test_a_metric_with_series_stays_when_another_series_is_refused() -> None:
    bench = Bench(max_series=1)
    source = bench.intake.source("test")
    source.set([source.gauge(1, "g", [("a", "1")])], [1])
    assert source.gauge(2, "g", [("a", "2")]) == REFUSED
    assert bench.tick() == {'g{a="1"}': 1}


def test_refused_keys_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source_module, "MAX_REFUSED_KEYS", 2)
    bench = Bench(max_series=0)
    source = bench.intake.source("test")
    for name in ("a", "b", "c"):
        source.gauge(name, name)
    assert list(source.known) == ["a", "b"]


def test_the_aliases_of_a_series_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake_module, "MAX_ALIASES", 0)
    bench = Bench()
    source = bench.intake.source("test")
    columns = {source.gauge(spelling, "a") for spelling in range(20)}
    assert len(columns) == 1
    assert len(source.known) == 4


def test_a_declared_histogram_accepts_values_without_room_for_aliases(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake_module, "MAX_ALIASES", 0)
    bench = Bench()
    bench.registry.histogram("t")
    source = bench.intake.source("test")
    source.merge(source.histogram("k", "t"), Distribution.of([3.0]))
    assert (bench.tick()["t"], source.refused) == (3, 0)


def test_sources_beyond_the_limit_share_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake_module, "MAX_SOURCES", 1)
    bench = Bench()
    first = bench.intake.source("a")
    assert bench.intake.source("b") is bench.intake.source("c") is not first


def counted(bench: Bench) -> tuple[int, ...]:
    names = ("samples", "late", "too_old", "refused", "malformed")
    return tuple(sum(getattr(source, name) for source in bench.intake.sources.values()) for name in names)


def test_senders_that_are_gone_are_forgotten_but_their_counts_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake_module, "MAX_SOURCES", 20)
    bench = Bench(forget_s=2.0)
    bench.intake.source("scrape")
    bench.registry.gauge("declared", labels=["zone"])
    for number in range(500):
        source = bench.intake.sender(f"push {number}")
        assert source.name == f"push {number}"
        source.set([source.gauge("k", "g", [("from", str(number))])], [number])
        source.set([source.gauge("r", "declared")], [1])
        source.malformed += 1
        bench.tick()
        bench.engine.check(bench.time)
        assert len(bench.intake.sources) <= 8
    assert counted(bench) == (500, 0, 0, 500, 500)
    for _ in range(4):
        bench.tick()
        bench.engine.check(bench.time)
    assert set(bench.intake.sources) == {"scrape", "others"}
    assert counted(bench) == (500, 0, 0, 500, 500)


def test_a_sender_that_is_active_or_still_has_series_is_not_forgotten() -> None:
    bench = Bench(forget_s=2.0)
    bench.intake.sender("malformed")
    for second in range(6):
        writing, other = bench.intake.sender("writing"), bench.intake.sender("other")
        writing.set([writing.gauge("k", "g")], [second])
        # It writes to a series that another sender created.
        other.set([other.gauge("o", "g")], [second])
        bench.tick()
        bench.engine.check(bench.time)
    assert set(bench.intake.sources) == {"writing", "other", "others"}
    for _ in range(4):
        writing.set([writing.gauge("k", "g")], [1])
        bench.tick()
        bench.engine.check(bench.time)
    # It was not asked for, as during a long request, but its series still exists.
    assert set(bench.intake.sources) == {"writing", "others"}
    assert bench.tick() == {"g": 1}
    again = bench.intake.sender("other")
    assert (again is other, again.known) == (False, {})


def test_the_totals_of_a_sender_are_forgotten_with_it() -> None:
    bench = Bench(forget_s=2.0)
    staying, leaving = bench.intake.source("staying"), bench.intake.sender("leaving")
    for second in range(12):
        for source in (staying, leaving) if second < 2 else (staying,):
            count(source, 10 * second, bench.time + 0.5)
            source.merge_totals(
                source.histogram("t", "t"), Distribution.explicit([10], [second, 0], 0), bench.time + 0.5
            )
        bench.tick()
        bench.engine.check(bench.time)
    assert set(bench.intake.sources) == {"staying", "others"}
    assert leaving.number not in {number for known in bench.intake._beside.values() for number in known}
    assert leaving.number not in {number for known in bench.intake._distributions.values() for number in known}
    # The first sample of each only sets the starting point.
    assert counted(bench)[0] == (11 + 12) + (1 + 2)


def test_a_sender_with_only_refused_samples_is_forgotten_but_the_shared_source_stays(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(intake_module, "MAX_SOURCES", 1)
    bench = Bench(forget_s=2.0, max_series=0)
    for name in ("refused", "beyond"):
        source = bench.intake.sender(name)
        source.set([source.gauge("k", "g")], [1])
    assert set(bench.intake.sources) == {"refused", "others"}
    for _ in range(4):
        bench.tick()
        bench.engine.check(bench.time)
    assert set(bench.intake.sources) == {"others"}
    assert counted(bench) == (0, 0, 0, 2, 0)


def test_the_reader_of_a_source_is_made_once_and_forgotten_with_it() -> None:
    class Reader:
        def __init__(self, source: Source, more: str) -> None:
            self.source, self.more = source, more

    bench = Bench(forget_s=1.0)
    source = bench.intake.sender("a")
    reader = source.reader(Reader, "x")
    assert (reader.source, reader.more) == (source, "x")
    assert bench.intake.sender("a").reader(Reader, "y") is reader
    for _ in range(4):
        bench.tick()
        bench.engine.check(bench.time)
    assert bench.intake.sender("a").reader(Reader, "y") is not reader


# --- removing series ---


def test_a_series_without_samples_is_removed_and_its_column_is_reused() -> None:
    bench = Bench(forget_s=2.0)
    source = bench.intake.source("test")
    source.set([source.gauge("old", "old"), source.gauge("kept", "kept")], [1, 2])
    source.merge(source.histogram("t", "t"), Distribution.of([5.0]))
    for _ in range(3):
        bench.tick()
        source.set([source.known["kept"]], [3])
    revision = bench.registry.metrics_revision
    bench.tick()
    bench.engine.check(bench.time)
    assert list(bench.registry.metrics) == ["kept"] == list(bench.intake.discovered)
    assert bench.registry.metrics_revision > revision
    assert list(source.known) == ["kept"]
    assert source.series == 1
    assert bench.tick() == {"kept": 3}
    width = bench.registry.width
    new = source.gauge("new", "new")
    assert bench.registry.width == width
    assert bench.history("new") == [None] * 5
    assert bench.engine.stats.read("count", np.array([new]))[0] == 0
    source.set([new], [7])
    assert bench.tick() == {"kept": 3, "new": 7}


def test_a_metric_stays_while_it_has_a_series() -> None:
    bench = Bench(forget_s=2.0)
    source = bench.intake.source("test")
    first, second = (source.counter(place, "hits", [("place", place)]) for place in "ab")
    source.add([first, second], [1, 1])
    for _ in range(4):
        bench.tick()
        source.add([second], [1])
    bench.engine.check(bench.time)
    assert bench.tick() == {'hits{place="b"}': 1}
    assert list(bench.registry.metrics) == ["hits"]


def test_unwritten_series_of_a_declared_metric_are_removed() -> None:
    bench = Bench(forget_s=1.0)
    job = bench.registry.gauge("job", labels=["id"])
    for second in range(50):
        for number in range(100):
            job.labels(id=second * 100 + number).set(number)
        bench.tick()
        bench.engine.check(bench.time)
        assert len(bench.registry.series) <= 300
    assert bench.registry.width <= 400
    for _ in range(3):
        bench.tick()
        bench.engine.check(bench.time)
    assert not bench.registry.series
    assert list(bench.registry.metrics) == ["job"]
    job.labels(id="again").set(1)
    assert bench.tick() == {'job{id="again"}': 1}


def test_series_written_now_and_then_stay_and_so_do_those_with_forget_false() -> None:
    bench = Bench(forget_s=3.0)
    registry = bench.registry
    registry.gauge("plain").set(1)
    registry.counter("counted").inc()
    registry.histogram("took")
    registry.gauge("limit", labels=["queue"], forget=False).labels(queue="a").set(100)
    gauge, counter = registry.gauge("heat", labels=["host"]), registry.counter("hits", labels=["host"])
    histogram = registry.histogram("size", labels=["host"])
    often = gauge.labels(host="a"), counter.labels(host="a"), histogram.labels(host="a")
    for second in range(20):
        if second % 3 == 0:
            # Writing the same value counts too.
            often[0].set(5)
            often[1].inc(0)
            often[2].observe(math.nan)
        for metric in (gauge, counter, histogram):
            metric.labels(host=f"once {second}")
        bench.tick()
        bench.engine.check(bench.time)
    names = {key for key in bench.row() if "once" not in key}
    sizes = {f'size{part}{{host="a"}}' for part in ("", ".p50", ".p95", ".p99")}
    tooks = {f"took{part}" for part in ("", ".p50", ".p95", ".p99")}
    assert names == {"plain", "counted", 'limit{queue="a"}', 'heat{host="a"}', 'hits{host="a"}'} | sizes | tooks
    assert len(bench.row()) - len(names) <= 5 * 6


def test_stale_series_of_a_failing_sampler_stay_until_it_works_again() -> None:
    bench = Bench(forget_s=2.0)
    heat, load = (bench.registry.gauge(name, labels=["host"]) for name in ("heat", "load"))
    heat.labels(host="a").set(1)
    load.labels(host="a").set(2)
    bench.intake.stale = {"heat"}
    for _ in range(10):
        bench.tick()
        bench.engine.check(bench.time)
    assert bench.row() == {'heat{host="a"}': 1}
    bench.intake.stale = ()
    bench.engine.check(bench.time)
    assert bench.tick() == {'heat{host="a"}': 1}
    for _ in range(4):
        bench.tick()
        bench.engine.check(bench.time)
    assert bench.tick() == {}


def test_a_write_after_a_long_silence_keeps_the_series() -> None:
    bench = Bench(forget_s=1.0)
    heat = bench.registry.gauge("heat", labels=["host"]).labels(host="a")
    for _ in range(5):
        bench.tick()
    heat.set(7)
    bench.engine.check(bench.time)
    assert bench.tick() == {'heat{host="a"}': 7}


def test_a_new_series_in_a_reused_column_does_not_inherit_its_age() -> None:
    bench = Bench(forget_s=1.0)
    heat = bench.registry.gauge("heat", labels=["host"])
    heat.labels(host="a").set(1)
    for _ in range(4):
        bench.tick()
    bench.engine.check(bench.time)
    bench.tick()
    heat.labels(host="b").set(2)
    bench.engine.check(bench.time)
    assert bench.tick() == {'heat{host="b"}': 2}


@pytest.mark.parametrize("kind", ["gauge", "total", "counter", "histogram"])
def test_samples_for_a_removed_series_are_not_written_to_another(kind: str) -> None:
    bench = Bench()
    source = bench.intake.source("test")

    def column() -> int:
        known = source.known.get("key")
        made = {"gauge": source.gauge, "total": source.total, "counter": source.counter, "histogram": source.histogram}
        return made[kind]("key", "m", [("host", "a")]) if known is None else known

    def write(value: float) -> None:
        if kind == "gauge":
            source.set([column()], [value])
        elif kind == "total":
            source.set_totals([column()], [value * bench.time], [bench.time])
        elif kind == "counter":
            source.add([column()], [value])
        else:
            source.observe(column(), [value])

    for _ in range(3):
        write(4)
        bench.tick()
    assert bench.row()['m{host="a"}'] == 4
    assert source.series == 1
    bench.registry.handle("m").remove(host="a")
    bench.tick()
    assert (source.series, source.known, bench.registry.metrics, list(bench.intake.discovered)) == (0, {}, {}, [])
    bench.registry.gauge("other").set(7)
    for _ in range(3):
        write(4)
        bench.tick()
    assert (bench.row()["other"], bench.row()['m{host="a"}']) == (7, 4)


def test_a_source_forgets_a_declared_series_when_it_is_removed() -> None:
    bench = Bench()
    heat = bench.registry.gauge("heat", labels=["host"])
    heat.labels(host="a").set(1)
    source = bench.intake.source("test")
    source.set([source.gauge("key", "heat", [("host", "a")])], [2])
    assert bench.tick() == {'heat{host="a"}': 2}
    heat.remove(host="a")
    bench.tick()
    assert source.known == {}
    assert bench.tick() == {}


def test_declared_metrics_stay_but_their_series_from_senders_are_removed() -> None:
    bench = Bench(forget_s=1.0)
    bench.registry.gauge("alone")
    bench.registry.gauge("disk", labels=("mount",))
    source = bench.intake.source("test")
    source.set([source.gauge(1, "alone"), source.gauge(2, "disk", [("mount", "/")])], [1, 2])
    for _ in range(3):
        bench.tick()
    bench.engine.check(bench.time)
    assert bench.tick() == {"alone": 1}
    assert list(bench.registry.metrics) == ["alone", "disk"]


def test_refused_series_are_retried_when_there_is_room_again() -> None:
    bench = Bench(max_series=1, forget_s=1.0)
    source = bench.intake.source("test")
    source.gauge("a", "a")
    assert source.gauge("b", "b") == REFUSED
    for _ in range(3):
        bench.tick()
    bench.engine.check(bench.time)
    bench.tick()
    assert "b" not in source.known
    assert source.gauge("b", "b") >= 0


def test_a_series_can_be_removed_before_the_first_tick() -> None:
    bench = Bench()
    core = bench.registry.gauge("core", labels=["core"])
    core.labels(core=0).set(1)
    bench.registry.remove(core.labels(core=0))
    core.labels(core=1).set(2)
    assert bench.tick() == {'core{core="1"}': 2}


def test_series_with_recent_samples_are_not_removed() -> None:
    bench = Bench(forget_s=2.0)
    source = bench.intake.source("test")
    source.set([source.gauge("g", "g")], [1])
    bench.engine.check(bench.time)
    assert bench.tick() == {"g": 1}
    bench.engine.check(bench.time)
    assert bench.tick() == {"g": 1}


def test_amended_ticks_are_reported_once() -> None:
    bench = Bench()
    source = bench.intake.source("test")
    bench.tick()
    bench.tick()
    bench.send(source, "g", (5, 1001.0))
    happened = bench.engine.tick(1003.0, 1.0)
    assert [(each.first, each.last, each.columns.tolist()) for each in happened.amended] == [(1, 2, [0])]
    assert bench.engine.tick(1004.0, 1.0).amended == []


# --- samples for history alone ---


def late(bench: Bench) -> list[tuple[int, float, float]]:
    """Return column, value and time of the samples that the next tick hands to history."""
    happened = bench.engine.tick(bench.time + 1, 1.0)
    bench.time += 1
    return [
        sample
        for each in happened.late
        for sample in zip(each.columns.tolist(), each.values.tolist(), each.times.tolist(), strict=True)
    ]


def ticked(late_s: float) -> tuple[Bench, Source]:
    bench = Bench()
    bench.intake.late_s = late_s
    for _ in range(2 * WINDOW):
        bench.tick()
    return bench, bench.intake.source("test")


def test_a_sample_from_before_the_window_is_for_history_and_leaves_the_window_alone() -> None:
    bench, source = ticked(100)
    bench.send(source, "g", (1, bench.time - 50), (2, bench.time))
    column = source.gauge("g", "g")
    old = bench.time - 50
    assert late(bench) == [(column, 1, old)]
    assert bench.history("g") == [None] * (WINDOW - 2) + [2, 2]
    assert (source.samples, source.late, source.too_old) == (2, 2, 0)
    assert source.take_refusal() is None
    assert late(bench) == []


def test_one_that_is_older_than_history_is_refused() -> None:
    bench, source = ticked(100)
    bench.send(source, "g", (1, bench.time - 101))
    refusal = source.take_refusal()
    assert refusal is not None
    assert "is older than the oldest tick that is kept, 1970-01-01T00:15:12.000Z: send it sooner" in refusal.reason
    assert late(bench) == []
    assert (source.samples, source.too_old) == (0, 1)


def test_totals_from_before_the_window_make_the_rates_of_their_time() -> None:
    bench, source = ticked(100)
    column = source.total("t", "t")
    old = bench.time - 50
    source.set_totals([column] * 3, [10, 30, 60], [old, old + 10, old + 20])
    assert late(bench) == [(column, 2, old + 10), (column, 3, old + 20)]
    assert source.too_old == 0


def test_a_distribution_from_before_the_window_is_that_of_its_time() -> None:
    bench, source = ticked(100)
    column = source.histogram("h", "h")
    source.merge(column, Distribution.of([1.0, 3.0]), bench.time - 50)
    found = late(bench)
    assert [time for _, _, time in found] == [bench.time - 51] * len(found)
    assert found[0][:2] == (column, 2)


def test_what_came_for_a_series_that_has_left_is_for_no_other() -> None:
    bench, source = ticked(100)
    bench.send(source, "g", (1, bench.time - 50), (2, bench.time))
    handle = bench.registry.leaving[source.gauge("g", "g")]
    bench.registry.remove(handle)
    assert late(bench) == []


def test_more_than_may_wait_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake_module, "MAX_LATE", 2)
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


def test_empty_batches_have_no_effect() -> None:
    bench = Bench()
    source = bench.intake.source("test")
    source.set([], [], [])
    source.set_totals([], [], [])
    source.add([], [])
    source.clear([])
    bench.engine.check(bench.time)
    assert bench.tick() == {}
