"""Cumulative counts and distributions become rates and increases, each source's its own."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.metrics.sending import Bench, count, total

from tickboard.metrics import intake as intake_module
from tickboard.metrics.distribution import Distribution
from tickboard.metrics.source import REFUSED


def test_a_total_shows_its_rate_until_the_next_sample() -> None:
    bench = Bench()
    source = bench.intake.source("test")
    total(bench, source, (100, 1000.0))
    assert bench.tick() == {"n_total": None}
    total(bench, source, (130, 1002.0))
    assert bench.tick() == {"n_total": 15}
    assert bench.tick() == {"n_total": 15}


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
    assert not bench.intake.totals._beside


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
def test_the_rates_add_up_to_the_count(rises: list[float]) -> None:
    bench = Bench()
    source = bench.intake.source("test")
    value = counted = 0.0
    total(bench, source, (0.0, bench.time))
    for rise in rises:
        value += rise
        total(bench, source, (value, bench.time + 1))
        counted += bench.tick()["n_total"] or 0.0
    assert counted == pytest.approx(sum(rises))


def test_only_the_increase_of_a_cumulative_distribution_counts() -> None:
    bench = Bench()
    source = bench.intake.source("test")
    column = source.histogram("t", "t")
    source.merge_totals(column, Distribution.explicit([10, 20], [5, 0, 0], 25), 1000.0)
    assert set(bench.tick().values()) == {None}
    source.merge_totals(column, Distribution.explicit([10, 20], [5, 2, 0], 55), 1001.5)
    source.merge_totals(column, Distribution.explicit([10, 20], [5, 9, 0], 55), 1001.5)
    row = bench.tick()
    assert (row["t"], row["t.p50"]) == (15, 15)


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
