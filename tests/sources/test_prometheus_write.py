"""Remote write against the real protobuf library's reading of the same bytes."""

import contextlib
import math
import struct
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.prompb import V1, V2, write_request

from tickboard.engine import Engine
from tickboard.errors import PayloadError
from tickboard.intake import Intake
from tickboard.series import Registry
from tickboard.sources.prometheus import remote_write as module
from tickboard.sources.prometheus.remote_write import Batch, RemoteWrite

NOW = 1_795_514_400.0
STALE = struct.unpack("<d", struct.pack("<Q", 0x7FF0_0000_0000_0002))[0]


class Bench:
    def __init__(self) -> None:
        self.registry = Registry()
        self.intake = Intake(self.registry)
        self.engine = Engine(self.registry, [], 60, "e", lambda: "id", self.intake)
        self.source = self.intake.source("remote write")
        self.sender = RemoteWrite(self.source)
        self.time = NOW

    def write(self, message: Any, v2: bool = False) -> Batch:
        data = message if isinstance(message, bytes) else message.SerializeToString()
        batch = Batch()
        for _ in (self.sender.receive_v2 if v2 else self.sender.receive)(data, batch):
            pass
        return batch

    def tick(self) -> dict[str, float]:
        self.time += 1
        row = self.engine.tick(self.time, 1.0).row
        return {one.key: float(row[one.column]) for one in self.registry.series if not math.isnan(row[one.column])}


# --- gauges and totals ---

NAMES = st.sampled_from(["up", "temperature", "queue_depth"])
LABELS = st.dictionaries(st.sampled_from(["job", "instance", "mode", "zone"]), st.text('abc"\\é{}', max_size=5))
VALUES = st.one_of(st.just(0.0), st.floats(allow_nan=False, allow_infinity=False))
SAMPLES = st.lists(st.tuples(VALUES, st.integers(1, 900).map(lambda ms: NOW + ms / 1000)), max_size=3)
SERIES = st.tuples(NAMES, LABELS, SAMPLES).map(lambda one: ({"__name__": one[0], **one[1]}, one[2]))


def newest(request: Any) -> dict[tuple[tuple[str, str], ...], float]:
    """Read a WriteRequest as the library does: the newest value of each series, the last of equals."""
    found: dict[tuple[tuple[str, str], ...], tuple[int, float]] = {}
    for series in request.timeseries:
        key = tuple(sorted((label.name, label.value) for label in series.labels))
        for sample in series.samples:
            if key not in found or sample.timestamp >= found[key][0]:
                found[key] = sample.timestamp, sample.value
    return {key: value for key, (_, value) in found.items()}


@given(st.lists(SERIES, max_size=12), st.integers(1, 3))
def test_what_is_written_is_what_the_library_reads(series: list[Any], times: int) -> None:
    request = write_request(*series)
    bench = Bench()
    for _ in range(times):
        # The first time every series is read field by field, then by its known bytes.
        batch = bench.write(request)
        assert batch.samples == sum(len(one.samples) for one in request.timeseries)
    bench.tick()
    held = {
        tuple(sorted([("__name__", one.metric.name), *one.labels])): bench.registry.values[one.column]
        for one in bench.registry.series
    }
    assert held == newest(request)


@pytest.mark.parametrize("value", [0.0, -0.0, 1.5, -1e300, 5e-324, struct.unpack("<d", b"\x00" * 6 + b"\x12\x07")[0]])
def test_every_value_is_read_the_quick_way_as_the_slow_one(value: float) -> None:
    bench = Bench()
    for second in range(3):
        bench.write(write_request(({"__name__": "up", "job": "a"}, [(value, NOW + second + 0.5)])))
        assert bench.tick() == {'up{job="a"}': value}


def test_times_that_take_other_sizes_are_read_too() -> None:
    bench = Bench()
    for time in (1.0, 0.0, -5.0, NOW, 4e12):
        bench.write(write_request(({"__name__": "up"}, [(1.0, time)])))
    bench.tick()
    bench.write(write_request(({"__name__": "up"}, [(1.0, 3.0)])))
    assert bench.source.too_old >= 1


def test_what_comes_after_known_labels_may_be_something_else() -> None:
    bench = Bench()
    plain = write_request(({"__name__": "up", "job": "a"}, [(1.0, NOW + 0.25)]))
    bench.write(plain)
    odd = write_request(({"__name__": "up", "job": "a"}, [(2.0, NOW + 0.5)]))
    odd.timeseries[0].exemplars.add(value=9.0, timestamp=int(NOW * 1000))
    bench.write(odd)
    data = plain.SerializeToString()
    # The same labels, and after them 18 bytes that are an unknown field.
    other = data[:-18] + b"\x7a\x10" + b"\x00" * 16
    bench.write(other + odd.SerializeToString())
    assert bench.tick() == {'up{job="a"}': 2}


def test_labels_in_another_place_are_the_same_series() -> None:
    bench = Bench()
    request = write_request(({"__name__": "up", "job": "a"}, [(1.0, NOW + 0.25)]))
    bench.write(request)
    series = request.timeseries[0]
    sample = V1["TimeSeries"](samples=[V1["Sample"](value=7.0, timestamp=int((NOW + 0.5) * 1000))])
    labels = V1["TimeSeries"](labels=series.labels)
    turned = sample.SerializeToString() + labels.SerializeToString()
    bench.write(b"\x0a" + bytes([len(turned)]) + turned)
    assert bench.tick() == {'up{job="a"}': 7}
    assert len(bench.registry.series) == 1


def test_totals_are_told_by_metadata_or_by_their_names() -> None:
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


def test_a_stale_marker_takes_the_value_away() -> None:
    bench = Bench()
    labels = {"__name__": "up", "job": "a"}
    bench.write(write_request((labels, [(1.0, NOW + 0.1)]), ({"__name__": "n_total"}, [(1.0, NOW + 0.1)])))
    bench.write(write_request(({"__name__": "n_total"}, [(2.0, NOW + 0.2)])))
    assert len(bench.tick()) == 2
    bench.write(write_request((labels, [(STALE, NOW + 1.1)]), ({"__name__": "n_total"}, [(STALE, NOW + 1.1)])))
    assert bench.tick() == {}
    bench.write(write_request((labels, [(3.0, NOW + 2.1)])))
    assert bench.tick() == {'up{job="a"}': 3}


# --- histograms ---


def buckets(counts: dict[str, float], time: float, name: str = "took_seconds_bucket", **labels: str) -> list[Any]:
    return [({"__name__": name, "le": le, **labels}, [(count, time)]) for le, count in counts.items()]


def test_the_buckets_of_a_histogram_are_put_together_however_they_come() -> None:
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


def test_a_bucket_that_is_none_is_a_series_like_others() -> None:
    bench = Bench()
    bench.write(
        write_request(({"__name__": "x_bucket", "le": "big"}, [(1.0, NOW)]), ({"__name__": "y_bucket"}, [(1.0, NOW)]))
    )
    assert set(bench.registry.metrics) == {"x_bucket", "y_bucket"}


def test_buckets_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_BUCKET_SERIES", 10)
    bench = Bench()
    for place in range(30):
        bench.write(write_request(*buckets({"1": 0, "+Inf": 0}, NOW + 0.1, route=str(place))))
    assert len(bench.sender._buckets) <= 10


def native(time: float, **members: Any) -> Any:
    request = V1["WriteRequest"]()
    series = request.timeseries.add()
    series.labels.add(name="__name__", value="took")
    histogram = series.histograms.add(timestamp=int(time * 1000), **members)
    histogram.positive_spans.add(offset=0, length=2)
    return request


def test_native_histograms_are_distributions() -> None:
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


def test_native_histograms_of_floats_with_bounds_of_their_own_and_negative_values() -> None:
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
        ({"schema": 20, "positive_deltas": [1, 1]}, "schema 20"),
        ({"schema": 0, "positive_deltas": [1]}, "2 buckets and counts for 1"),
        ({"schema": -53, "positive_deltas": [1, 1], "custom_values": [2.0, 1.0]}, "do not rise"),
        ({"schema": -53, "positive_deltas": [1, 1]}, "a bucket 1, and 0 bounds"),
    ],
)
def test_a_native_histogram_that_cannot_be_is_an_error(members: dict[str, Any], wrong: str) -> None:
    with pytest.raises(PayloadError, match=wrong):
        Bench().write(native(NOW, **members))


@pytest.mark.parametrize(("offset", "length", "wrong"), [(0, 20_000, "20002 buckets"), (1 << 29, 1, "beyond")])
def test_spans_are_bounded(offset: int, length: int, wrong: str) -> None:
    request = native(NOW, positive_deltas=[1, 1, 1])
    request.timeseries[0].histograms[0].positive_spans.add(offset=offset, length=length)
    with pytest.raises(PayloadError, match=wrong):
        Bench().write(request)


# --- version 2 ---


def request_v2(*series: tuple[dict[str, str], list[tuple[float, float]], int, str]) -> Any:
    request = V2["Request"](symbols=[""])

    def symbol(word: str) -> int:
        if word not in request.symbols:
            request.symbols.append(word)
        return list(request.symbols).index(word)

    for labels, samples, kind, unit in series:
        one = request.timeseries.add()
        one.labels_refs.extend(symbol(word) for pair in sorted(labels.items()) for word in pair)
        for value, time in samples:
            one.samples.add(value=value, timestamp=round(time * 1000))
        one.metadata.type, one.metadata.unit_ref = kind, symbol(unit)
    return request


@given(st.lists(SERIES, max_size=12), st.integers(1, 2))
def test_version_2_is_what_the_library_reads(series: list[Any], times: int) -> None:
    request = request_v2(*((labels, samples, 2, "") for labels, samples in series))
    bench = Bench()
    for _ in range(times):
        assert bench.write(request, v2=True).samples == sum(len(samples) for _, samples in series)
    bench.tick()
    held = {
        tuple(sorted([("__name__", one.metric.name), *one.labels])): bench.registry.values[one.column]
        for one in bench.registry.series
    }
    assert held == newest(write_request(*series))


def test_version_2_says_what_a_series_is() -> None:
    bench = Bench()
    for value, second in ((1, 0.1), (2, 0.6)):
        bench.write(request_v2(({"__name__": "jobs"}, [(value, NOW + second)], 1, "bytes")), v2=True)
    assert bench.tick() == {"jobs": pytest.approx(2)}
    assert bench.registry.metrics["jobs"].unit == "B/s"


def test_version_2_has_native_histograms_too() -> None:
    bench = Bench()
    request = V2["Request"](symbols=["", "__name__", "took"])
    series = request.timeseries.add(labels_refs=[1, 2])
    histogram = series.histograms.add(
        schema=0, sum=3.0, positive_deltas=[2], timestamp=int(NOW * 1000) + 1, reset_hint=3
    )
    histogram.positive_spans.add(offset=1, length=1)
    assert bench.write(request, v2=True).histograms == 1
    assert bench.tick()["took"] == 1.5


@pytest.mark.parametrize(("references", "wrong"), [([1, 9], "beyond the 2"), ([0], "in pairs")])
def test_version_2_with_wrong_references_is_an_error(references: list[int], wrong: str) -> None:
    request = V2["Request"](symbols=["", "a"])
    request.timeseries.add(labels_refs=references)
    with pytest.raises(PayloadError, match=wrong):
        Bench().write(request, v2=True)


# --- slices, limits, junk ---


def test_others_may_run_while_a_large_request_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SLICE", 10)
    monkeypatch.setattr(module, "SLOW_SLICE", 4)
    bench = Bench()
    data = write_request(*(({"__name__": f"g{i}"}, [(1.0, NOW + 0.5)]) for i in range(40))).SerializeToString()
    steps = [sum(1 for _ in bench.sender.receive(data, Batch())) for _ in range(2)]
    assert steps == [10, 4]
    assert len(bench.tick()) == 40


def test_a_series_that_left_is_known_again_when_it_comes_back() -> None:
    bench = Bench()
    for _ in range(2):
        bench.write(
            write_request(
                ({"__name__": "up"}, [(1.0, bench.time + 0.5)]), *buckets({"1": 1, "+Inf": 2}, bench.time + 0.5)
            )
        )
        bench.tick()
        bench.time += 1_000
        bench.tick()
        bench.engine.check(bench.time)
        bench.tick()
        assert not bench.registry.series
    bench.write(write_request(({"__name__": "up"}, [(4.0, bench.time + 0.5)])))
    assert bench.tick() == {"up": 4}


def valid() -> Iterator[bytes]:
    yield write_request(
        ({"__name__": "up", "job": "a"}, [(1.0, NOW)]),
        *buckets({"1": 1, "+Inf": 2}, NOW),
        ({"__name__": "z"}, [(0.0, NOW)]),
    ).SerializeToString()
    yield native(NOW, schema=0, sum=5.0, positive_deltas=[2, 0], count_int=4).SerializeToString()
    yield request_v2(({"__name__": "jobs"}, [(1.0, NOW)], 1, "bytes")).SerializeToString()


@given(
    st.one_of(
        st.binary(max_size=100),
        st.tuples(st.sampled_from(list(valid())), st.integers(0, 200), st.binary(max_size=6)).map(
            lambda one: one[0][: one[1]] + one[2] + one[0][one[1] + len(one[2]) :]
        ),
    ),
    st.booleans(),
)
def test_whatever_comes_is_taken_or_an_error_that_says_what_is_wrong(data: bytes, v2: bool) -> None:
    bench = Bench()
    bench.write(next(valid()))
    with contextlib.suppress(PayloadError):
        bench.write(data, v2)
    bench.tick()


def test_a_request_cut_anywhere_is_an_error_or_shorter() -> None:
    data = next(valid())
    for end in range(len(data)):
        bench = Bench()
        bench.write(data)
        with np.errstate(all="raise"), contextlib.suppress(PayloadError):
            bench.write(data[:end])
