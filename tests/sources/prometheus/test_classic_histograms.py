"""Classic histograms: their series are combined in any order, bounded, and forgotten when they end."""

import pytest
from tests.prompb import write_request
from tests.sources.prometheus.writing import NOW, STALE, Bench, buckets, native, sums

from tickboard.sources.prometheus import classic_histograms as module


def test_the_buckets_of_a_histogram_are_combined_in_any_order() -> None:
    bench = Bench()
    bench.write(write_request(*buckets({"1": 0, "2": 0, "+Inf": 0}, NOW + 0.1, route="/")))
    bench.tick()
    first, second, third = buckets({"+Inf": 8, "1": 4, "2": 8}, NOW + 1.1, route="/")
    for part in (first, second, third):
        assert 'took_seconds{route="/"}' not in bench.tick()
        bench.write(write_request(part))
    found = bench.tick()
    assert found['took_seconds.p50{route="/"}'] == pytest.approx(1.0)
    assert found['took_seconds{route="/"}'] == pytest.approx(1.0)
    assert bench.registry.metrics["took_seconds"].kind == "histogram"
    assert bench.registry.metrics["took_seconds"].unit == "s"


def test_a_bucket_without_a_valid_bound_is_an_ordinary_series() -> None:
    bench = Bench()
    bench.write(
        write_request(({"__name__": "x_bucket", "le": "big"}, [(1.0, NOW)]), ({"__name__": "y_bucket"}, [(1.0, NOW)]))
    )
    assert set(bench.registry.metrics) == {"x_bucket", "y_bucket"}


def test_the_total_number_of_buckets_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_PARTS", 10)
    bench = Bench()
    batch = bench.write(
        write_request(*(one for place in range(8) for one in buckets({"1": 0, "+Inf": 0}, NOW, a=str(place))))
    )
    assert len(bench.sender._writer.parts) == 10
    assert (batch.samples, batch.refused_samples) == (16, 6)
    assert batch.reason == "metric 'took_seconds': there are 10 buckets already: send fewer"


def test_the_number_of_buckets_of_one_histogram_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_BUCKETS", 4)
    batch = Bench().write(write_request(*buckets({str(bound): 0 for bound in range(6)}, NOW)))
    assert batch.refused_samples == 2
    assert "'took_seconds' has more than 4 buckets" in batch.reason


def test_histograms_removed_from_the_board_are_forgotten() -> None:
    bench = Bench()
    for place in range(2_100):
        if place % 100 == 0:
            bench.tick(302)
            bench.engine.check(bench.time)
            bench.tick()
        bench.write(write_request(*buckets({"+Inf": 0}, bench.time, a=str(place))))
    assert len(bench.sender._writer.parts) <= 1_100


@pytest.mark.parametrize("comes_first", [False, True])
def test_the_average_of_a_histogram_comes_from_its_sum(comes_first: bool) -> None:
    bench = Bench()
    for second, (count, total) in enumerate([(0, 0.0), (4, 1.0), (8, 3.0)]):
        parts = [*buckets({"1": count, "+Inf": count}, NOW + second + 0.1), sums(total, NOW + second + 0.1)]
        for part in reversed(parts) if comes_first else parts:
            bench.write(write_request(part))
        found = bench.tick()
    assert found["took_seconds"] == pytest.approx(0.5)
    assert "took_seconds_sum" not in found


def test_the_parts_of_a_histogram_may_lag_behind_each_other() -> None:
    # Two queues, one of which is always one sample behind the other.
    bench = Bench()
    for second in range(4):
        bench.write(write_request(*buckets({"1": 2 * second}, NOW + second + 1.1)))
        bench.write(write_request(*buckets({"+Inf": 2 * second}, NOW + second + 0.1)))
        found = bench.tick()
    assert found["took_seconds.p50"] == 0.5


def test_a_histogram_whose_series_end_has_no_value() -> None:
    bench = Bench()
    for second, count in enumerate((5.0, 9.0)):
        bench.write(write_request(*buckets({"1": count, "+Inf": count}, NOW + second + 0.1)))
        found = bench.tick()
    assert "took_seconds" in found
    bench.write(write_request(*buckets({"1": STALE, "+Inf": STALE}, NOW + 2.1)))
    assert bench.tick() == {}
    assert not bench.sender._writer.parts
    bench.write(write_request(*buckets({"1": 50.0, "+Inf": 90.0}, NOW + 3.1)))
    assert bench.tick() == {}
    bench.write(write_request(*buckets({"1": 50.0, "+Inf": 92.0}, NOW + 4.1)))
    assert bench.tick()["took_seconds.p50"] == 1.0


def test_a_bucket_that_appears_later_restarts_the_histogram() -> None:
    bench = Bench()
    for second in range(2):
        bench.write(write_request(*buckets({"+Inf": 100, "9": 100}, NOW + second + 0.1)))
        bench.tick()
    bench.write(write_request(*buckets({"1": 50, "9": 100, "+Inf": 100}, NOW + 2.1)))
    assert bench.tick() == {}
    bench.write(write_request(*buckets({"1": 54, "9": 104, "+Inf": 104}, NOW + 3.1)))
    assert bench.tick()["took_seconds.p95"] <= 1.0


def test_the_count_replaces_a_missing_last_bucket() -> None:
    bench = Bench()
    refused = 0
    for second in range(8):
        time, count = NOW + second + 0.1, 4 * second
        counts = ({"__name__": "took_seconds_count"}, [(float(count), time)])
        for part in (*buckets({"1": count / 2, "2": count}, time), counts):
            refused += bench.write(write_request(part)).refused_samples
        found = bench.tick()
    assert refused == 0
    assert (found["took_seconds.p50"], found["took_seconds_count"]) == (1.0, 4.0)


def test_a_histogram_that_is_never_complete_is_refused_with_the_reason() -> None:
    bench = Bench()
    answers = [bench.write(write_request(*buckets({"1": 1, "2": 1}, NOW + second + 0.1))) for second in range(30)]
    assert [batch.refused_samples for batch in answers[:16]] == [0] * 16
    assert [batch.refused_samples for batch in answers[16:]] == [1] * 14
    assert "histogram 'took_seconds' has neither a bucket with le=\"+Inf\" nor a _count" in answers[16].reason


def test_all_parts_of_a_too_old_histogram_are_refused() -> None:
    bench = Bench()
    for _ in range(3):
        bench.tick()
    batch = bench.write(write_request(*buckets({"1": 1, "2": 1, "+Inf": 1}, NOW - 3_600)))
    assert (batch.samples, batch.refused_samples) == (3, 3)
    assert "metric 'took_seconds': a sample of" in batch.reason


def test_a_histogram_sent_as_classic_and_native_is_recorded_once() -> None:
    bench = Bench()
    for second, count in enumerate((0, 4, 8)):
        bench.write(native(NOW + second + 0.1, schema=0, sum=1.25 * count, positive_deltas=[count, 0]))
        classic = {"50": 0.0, "100": float(count), "+Inf": float(count)}
        bench.write(write_request(*buckets(classic, NOW + second + 0.2, name="took_bucket")))
        found = bench.tick()
    assert found["took.p50"] == 1.0
