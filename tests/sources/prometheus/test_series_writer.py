"""What was read is written to the right series: a gauge or a total, ended and refused alone."""

import itertools
import math

import pytest
from tests.prompb import V1, write_request
from tests.sources.prometheus.writing import NOW, STALE, Bench, buckets, native

from tickboard.sources.prometheus import remote_write
from tickboard.sources.prometheus import series_writer as module
from tickboard.sources.prometheus.series_writer import Batch


def test_counters_are_recognized_by_metadata_or_name() -> None:
    bench = Bench()
    request = V1["WriteRequest"]()
    for kind, name in ((1, "jobs"), (2, "seats_count"), (3, "took_seconds"), (2, "thing_total")):
        request.metadata.add(type=kind, metric_family_name=name, help="h", unit="")
    request.metadata.add(type=2, metric_family_name="heat", unit="celsius")
    bench.write(request)
    names = ("jobs", "seats_count", "took_seconds_count", "took_seconds_sum", "other_total", "thing_total", "heat")
    for value, second in ((10.0, 0.1), (30.0, 0.6)):
        bench.write(write_request(*(({"__name__": name}, [(value, NOW + second)]) for name in names)))
    kinds = {name: info.kind for name, info in bench.registry.metrics.items()}
    assert [name for name in names if kinds[name] == "counter"] == [
        "jobs",
        "took_seconds_count",
        "took_seconds_sum",
        "other_total",
    ]
    found = bench.tick()
    assert found["jobs"] == pytest.approx(40)
    assert found["heat"] == 30
    assert bench.registry.metrics["heat"].unit == "°C"


def test_a_stale_marker_clears_the_value() -> None:
    bench = Bench()
    labels = {"__name__": "up", "job": "a"}
    bench.write(write_request((labels, [(1.0, NOW + 0.1)]), ({"__name__": "n_total"}, [(1.0, NOW + 0.1)])))
    bench.write(write_request(({"__name__": "n_total"}, [(2.0, NOW + 0.2)])))
    assert len(bench.tick()) == 2
    bench.write(write_request((labels, [(STALE, NOW + 1.1)]), ({"__name__": "n_total"}, [(STALE, NOW + 1.1)])))
    assert bench.tick() == {}
    bench.write(write_request((labels, [(3.0, NOW + 2.1)])))
    assert bench.tick() == {'up{job="a"}': 3}


@pytest.mark.parametrize("name", ["up", "n_total"])
def test_a_series_that_ends_in_the_request_of_its_last_value_has_no_value(name: str) -> None:
    bench = Bench()
    for values in ([1.0], [2.0, STALE]):
        bench.write(
            write_request(
                *(({"__name__": name}, [(value, bench.time + 0.1 + place / 10)]) for place, value in enumerate(values))
            )
        )
        found = bench.tick()
    assert found == {}


@pytest.mark.parametrize("name", ["up", "n_total"])
def test_a_series_that_returns_in_the_request_that_ends_it_has_a_value(name: str) -> None:
    bench = Bench()
    for values in ([1.0], [STALE, 2.0, 3.0], [4.0]):
        bench.write(
            write_request(
                *(({"__name__": name}, [(value, bench.time + 0.1 + place / 10)]) for place, value in enumerate(values))
            )
        )
        found = bench.tick()
    assert name in found


def test_an_infinite_counter_has_no_value() -> None:
    bench = Bench()
    for value in (1.0, math.inf, math.inf, -math.inf, 5.0):
        bench.write(write_request(({"__name__": "n_total"}, [(value, bench.time + 0.1)])))
        assert bench.tick() == {}


def test_a_count_does_not_have_the_unit_of_its_observations() -> None:
    bench = Bench()
    bench.write(
        write_request(
            ({"__name__": "took_seconds_count"}, [(1.0, NOW)]), ({"__name__": "took_seconds_sum"}, [(1.0, NOW)])
        )
    )
    units = {name: info.unit for name, info in bench.registry.metrics.items()}
    assert units == {"took_seconds_count": "/s", "took_seconds_sum": "s/s"}


def test_a_series_without_a_name_is_refused_and_the_others_are_recorded() -> None:
    bench = Bench()
    for _ in range(2):
        batch = bench.write(
            write_request(({"job": "a"}, [(1.0, NOW)]), ({}, [(1.0, NOW)]), ({"__name__": "up"}, [(2.0, NOW)]))
        )
        assert (batch.samples, batch.refused_samples) == (3, 2)
        assert "has no __name__" in batch.reason
    assert bench.tick() == {"up": 2}


def test_refusals_are_reported_to_the_request_that_caused_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote_write, "SLICE", 1)
    bench = Bench()
    bad, good = Batch(), Batch()
    series = ({"job": "a"}, [(1.0, NOW)]), ({"__name__": "down"}, [(1.0, NOW)])
    first = bench.sender.receive(write_request(*series).SerializeToString(), bad)
    next(first)
    list(bench.sender.receive(write_request(({"__name__": "up"}, [(1.0, NOW)])).SerializeToString(), good))
    list(first)
    assert (bad.refused_samples, good.refused_samples) == (1, 0)


def test_the_number_of_spellings_of_a_series_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_SPELLINGS", 3)
    bench = Bench()
    labels = [
        V1["TimeSeries"](labels=[V1["Label"](name=name, value=value)]).SerializeToString()
        for name, value in (("__name__", "up"), ("a", "1"), ("b", "2"), ("c", "3"))
    ]
    sample = V1["TimeSeries"](samples=[V1["Sample"](value=7.0, timestamp=int(NOW * 1000))]).SerializeToString()
    refused = 0
    for order in itertools.permutations(labels):
        series = b"".join(order) + sample
        refused += bench.write(b"\x0a" + bytes([len(series)]) + series).refused_samples
    assert len(bench.registry.series) == 1
    assert refused == 24 - 7


def test_many_different_refusals_do_not_affect_other_series() -> None:
    bench = Bench()
    names = [f"m{number}" for number in range(100)]
    for name in names:
        bench.registry.gauge(name, labels=["zone"])
    for turn in range(2):
        series = [({"__name__": name}, [(1.0, NOW + turn + 0.5)]) for name in [*names, "taken"]]
        written = bench.write(write_request(*series))
        assert written.refused_samples == 100
        assert written.reason.startswith("metric 'm0' was declared with the labels zone")
        assert bench.tick() == {"taken": 1}


def test_a_native_histogram_without_a_name_is_refused() -> None:
    request = native(NOW, schema=0, positive_deltas=[1, 1])
    del request.timeseries[0].labels[:]
    batch = Bench().write(request)
    assert batch.refused_histograms == 1
    assert "has no __name__" in batch.reason


def test_a_removed_series_is_known_again_when_it_returns() -> None:
    bench = Bench()
    for _ in range(2):
        bench.write(
            write_request(
                ({"__name__": "up"}, [(1.0, bench.time + 0.5)]), *buckets({"1": 1, "+Inf": 2}, bench.time + 0.5)
            )
        )
        bench.tick()
        bench.tick(1_000)
        bench.engine.check(bench.time)
        bench.tick()
        assert not bench.registry.series
    bench.write(write_request(({"__name__": "up"}, [(4.0, bench.time + 0.5)])))
    assert bench.tick() == {"up": 4}
