"""Native histograms: read in every form, and refused with the reason if they contradict themselves."""

import math
from typing import Any

import pytest
from tests.prompb import write_request
from tests.sources.prometheus.writing import NOW, STALE, Bench, native


def test_native_histograms_become_distributions() -> None:
    bench = Bench()
    bench.write(native(NOW + 0.1, schema=0, sum=0.0, positive_deltas=[0, 0]))
    bench.tick()
    # Schema 0: the buckets end at 1, 2, 4, …; two more values in each of the first two.
    batch = bench.write(native(NOW + 1.1, schema=0, sum=5.0, positive_deltas=[2, 0], count_int=4))
    assert (batch.samples, batch.histograms) == (0, 1)
    found = bench.tick()
    assert (found["took"], found["took.p50"]) == (1.25, 1.0)
    bench.write(native(NOW + 2.1, sum=STALE, positive_deltas=[2, 0]))
    assert bench.tick() == {}


def test_native_histograms_may_have_floats_custom_bounds_and_negative_values() -> None:
    bench = Bench()
    custom = native(NOW + 0.1, schema=-53, sum=6.0, positive_counts=[2.0, 2.0], custom_values=[1.0, 2.0], reset_hint=3)
    bench.write(custom)
    assert bench.tick()["took.p50"] == 1.0
    negative = native(NOW + 1.1, schema=1, sum=0.0, positive_counts=[0.0, 0.0], negative_counts=[4.0], reset_hint=3)
    negative.timeseries[0].histograms[0].negative_spans.add(offset=2, length=1)
    bench.write(negative)
    assert -2.0 <= bench.tick()["took.p50"] <= -math.sqrt(2)


@pytest.mark.parametrize(
    ("members", "wrong"),
    [
        ({"schema": 20, "positive_deltas": [1, 1]}, "schema of 20"),
        ({"schema": 0, "positive_deltas": [1]}, "more than its 1 buckets"),
        ({"schema": 0, "positive_deltas": [1, 1, 1]}, "spans of 2 buckets, and 3 buckets"),
        ({"schema": 0, "positive_deltas": [1, -2]}, "fewer than 0"),
        ({"schema": 0, "positive_counts": [1.0, math.inf]}, "infinitely many"),
        ({"schema": 0, "positive_deltas": [0] * 1_001}, "1001 buckets"),
        ({"schema": -53, "positive_deltas": [1, 1], "custom_values": [2.0, 1.0]}, "rising"),
        ({"schema": -53, "positive_deltas": [1, 1]}, "bucket 1 of 1"),
        ({"positive_deltas": [2, 0], "count_int": 5}, "a count of 5, and 4 values in its buckets"),
        ({"positive_deltas": [2, 0], "count_int": 3, "sum": math.nan}, "a count of 3, and 4 values in its buckets"),
        ({"positive_counts": [1.5, 1.5], "count_float": 4.0}, "a count of 4, and 3 values in its buckets"),
        ({"schema": -53, "positive_deltas": [1, 0], "custom_values": [1.0], "count_int": 9}, "a count of 9"),
    ],
)
def test_an_invalid_native_histogram_does_not_affect_the_others(members: dict[str, Any], wrong: str) -> None:
    bench = Bench()
    request = native(NOW, **members)
    request.MergeFrom(write_request(({"__name__": "up"}, [(1.0, NOW)])))
    batch = bench.write(request)
    assert bench.tick() == {"up": 1}
    assert (batch.samples, batch.histograms, batch.refused_histograms, bench.source.malformed) == (1, 1, 1, 1)
    assert batch.reason.startswith("native histogram 'took': ")
    assert wrong in batch.reason


@pytest.mark.parametrize("offset", [1 << 29, -(1 << 29)])
def test_a_native_bucket_out_of_range_is_refused(offset: int) -> None:
    request = native(NOW + 0.1, positive_deltas=[1, 0, 0], sum=3.0)
    request.timeseries[0].histograms[0].positive_spans.add(offset=offset, length=1)
    assert "a bucket beyond every number" in Bench().write(request).reason


def test_a_native_histogram_may_count_observations_outside_its_buckets() -> None:
    bench = Bench()
    for batch in (
        bench.write(native(NOW + 0.1, sum=math.nan, positive_deltas=[2, 0], count_int=5)),
        bench.write(native(NOW + 0.2, sum=1.0, positive_counts=[0.1, 0.2], count_float=0.3)),
        bench.write(native(NOW + 0.3, sum=1.0, positive_deltas=[2, 0], zero_count_int=3, count_int=7)),
    ):
        assert (batch.refused_histograms, batch.reason) == (0, "")
