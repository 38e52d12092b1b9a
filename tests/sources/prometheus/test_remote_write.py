"""Remote write, compared with the real protobuf library on the same bytes."""

import contextlib
import itertools
import struct
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.prompb import V1, V2, write_request
from tests.sources.prometheus.writing import NOW, Bench, buckets, native, sums

from tickboard.errors import PayloadError
from tickboard.metrics.intake import Intake
from tickboard.sources.prometheus import messages
from tickboard.sources.prometheus import remote_write as module
from tickboard.sources.prometheus.remote_write import RemoteWrite
from tickboard.sources.prometheus.series_writer import Batch, SeriesWriter

# --- gauges and totals ---

NAMES = st.sampled_from(["up", "temperature", "queue_depth"])
LABELS = st.dictionaries(st.sampled_from(["job", "instance", "mode", "zone"]), st.text('abc"\\é{}', max_size=5))
VALUES = st.one_of(st.just(0.0), st.floats(allow_nan=False, allow_infinity=False))
SAMPLES = st.lists(st.tuples(VALUES, st.integers(1, 900).map(lambda ms: NOW + ms / 1000)), max_size=3)
SERIES = st.tuples(NAMES, LABELS, SAMPLES).map(lambda one: ({"__name__": one[0], **one[1]}, one[2]))


def newest(request: Any) -> dict[tuple[tuple[str, str], ...], set[float]]:
    """Return the newest value of each series as the library reads it, or several if they share one time.

    A label without a value counts as absent.
    """
    found: dict[tuple[tuple[str, str], ...], tuple[int, set[float]]] = {}
    for series in request.timeseries:
        key = tuple(sorted((label.name, label.value) for label in series.labels if label.value))
        for sample in series.samples:
            if key not in found or sample.timestamp > found[key][0]:
                found[key] = sample.timestamp, set()
            if sample.timestamp == found[key][0]:
                found[key][1].add(sample.value)
    return {key: values for key, (_, values) in found.items()}


def assert_holds(bench: "Bench", request: Any) -> None:
    """Assert that every series has its newest value."""
    held = {
        tuple(sorted([("__name__", one.metric.name), *one.labels])): float(bench.registry.values[one.column])
        for one in bench.registry.series
    }
    wanted = newest(request)
    assert held.keys() == wanted.keys()
    assert all(held[key] in values for key, values in wanted.items())


@given(st.lists(SERIES, max_size=12), st.integers(1, 3))
def test_written_values_match_the_library(series: list[Any], times: int) -> None:
    request = write_request(*series)
    bench = Bench()
    for _ in range(times):
        # The first time every series is read field by field, later by its known bytes.
        batch = bench.write(request)
        assert batch.samples == sum(len(one.samples) for one in request.timeseries)
    bench.tick()
    assert_holds(bench, request)


@pytest.mark.parametrize("value", [0.0, -0.0, 1.5, -1e300, 5e-324, struct.unpack("<d", b"\x00" * 6 + b"\x12\x07")[0]])
def test_the_fast_path_reads_every_value_like_the_slow_path(value: float) -> None:
    bench = Bench()
    for second in range(3):
        bench.write(write_request(({"__name__": "up", "job": "a"}, [(value, NOW + second + 0.5)])))
        assert bench.tick() == {'up{job="a"}': value}


def test_no_samples_are_pending_while_other_tasks_run() -> None:
    request = write_request(
        *(({"__name__": name}, [(1.0, NOW + n / 10_000) for n in range(2_000)]) for name in ("a", "b"))
    )
    for series in request.timeseries:
        for _ in range(300):
            series.histograms.add(count_int=0, timestamp=int(NOW * 1000))
    bench, batch, steps = Bench(), Batch(), 0
    for _ in bench.sender.receive(request.SerializeToString(), batch):
        # Their series may be removed meanwhile, and their columns reused.
        assert not [*batch.columns, *batch.known, *batch.parts, *batch.part_samples]
        steps += 1
    assert steps > 300
    assert batch.samples == 2 * 2_000


def test_times_of_any_encoded_size_are_read() -> None:
    bench = Bench()
    for time in (1.0, 0.0, -5.0, NOW, 4e12):
        bench.write(write_request(({"__name__": "up"}, [(1.0, time)])))
    bench.tick()
    bench.write(write_request(({"__name__": "up"}, [(1.0, 3.0)])))
    assert bench.source.too_old >= 1


def test_known_labels_may_be_followed_by_other_fields() -> None:
    bench = Bench()
    plain = write_request(({"__name__": "up", "job": "a"}, [(1.0, NOW + 0.25)]))
    bench.write(plain)
    odd = write_request(({"__name__": "up", "job": "a"}, [(2.0, NOW + 0.5)]))
    odd.timeseries[0].exemplars.add(value=9.0, timestamp=int(NOW * 1000))
    bench.write(odd)
    data = plain.SerializeToString()
    # The same labels, followed by an unknown field of 18 bytes.
    other = data[:-18] + b"\x7a\x10" + b"\x00" * 16
    bench.write(other + odd.SerializeToString())
    assert bench.tick() == {'up{job="a"}': 2}


def test_labels_after_the_samples_are_the_same_series() -> None:
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
def test_version_2_matches_the_library(series: list[Any], times: int) -> None:
    request = request_v2(*((labels, samples, 2, "") for labels, samples in series))
    bench = Bench()
    for _ in range(times):
        assert bench.write(request, v2=True).samples == sum(len(samples) for _, samples in series)
    bench.tick()
    assert_holds(bench, write_request(*series))


def test_version_2_includes_the_kind_and_unit_of_a_series() -> None:
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


def test_version_2_includes_the_kind_of_the_parts_of_a_histogram() -> None:
    bench = Bench()
    for value in (0.0, 4.0):
        names = ("took_seconds_sum", "took_seconds_count", "rest_seconds_count", "rest_seconds")
        parts = [
            *buckets({"1": value, "+Inf": value}, bench.time + 0.1),
            *(sums(value, bench.time + 0.1, name) for name in names),
        ]
        bench.write(
            request_v2(*((labels, samples, 5 if "rest" in labels["__name__"] else 3, "") for labels, samples in parts)),
            v2=True,
        )
        found = bench.tick()
    assert {name for name, info in bench.registry.metrics.items() if info.kind == "counter"} == {
        "took_seconds_count",
        "rest_seconds_count",
    }
    assert (found["took_seconds"], found["took_seconds_count"], found["rest_seconds"]) == pytest.approx((1, 4, 4))


@pytest.mark.parametrize("count", [100, 200, 20_000])
def test_version_2_reads_references_of_any_size(count: int) -> None:
    bench = Bench()
    request = V2["Request"](symbols=["", *(f"text{place}" for place in range(count)), "__name__", "up", "down"])
    for value, name in ((1.0, count + 2), (0.0, count + 3)):
        one = request.timeseries.add(labels_refs=[count + 1, name, 1, count])
        one.samples.add(value=value, timestamp=int(NOW * 1000) + 1)
    for _ in range(2):
        bench.write(request, v2=True)
    label = f'{{text0="text{count - 1}"}}'
    assert bench.tick() == {f"up{label}": 1, f"down{label}": 0}


def test_version_2_with_too_many_fields_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(messages, "MAX_FIELDS", 10)
    with pytest.raises(PayloadError, match="more than 10 symbols and series"):
        Bench().write(b"\x22\x00" * 10, v2=True)


def test_malformed_references_are_an_error() -> None:
    sample = b"\x12\x07\x10" + b"\x80" * 5 + b"\x01"
    for references in (b"\x80", b"\x80\x80\x80\x80\x80\x01\x01", b"\x01\x80"):
        series = b"\x0a" + bytes([len(references)]) + references + sample
        with pytest.raises(PayloadError):
            Bench().write(b"\x22\x00\x22\x01a\x2a" + bytes([len(series)]) + series, v2=True)


@pytest.mark.parametrize(("references", "wrong"), [([1, 9], "beyond the 2"), ([0], "in pairs")])
def test_version_2_with_wrong_references_is_an_error(references: list[int], wrong: str) -> None:
    request = V2["Request"](symbols=["", "a"])
    request.timeseries.add(labels_refs=references)
    with pytest.raises(PayloadError, match=wrong):
        Bench().write(request, v2=True)


# --- slices, limits, junk ---


@pytest.mark.parametrize("v2", [False, True])
def test_known_series_are_not_read_field_by_field(v2: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench()
    names = ("up", "jobs_total", "took_seconds_sum")
    for second in range(3):
        parts = [
            *buckets({"1": second, "+Inf": second}, NOW + second + 0.1),
            *(sums(second, NOW + second + 0.1, name) for name in names),
        ]
        request = request_v2(*((*part, 0, "") for part in parts)) if v2 else write_request(*parts)
        bench.write(request, v2=v2)
        found = bench.tick()
        monkeypatch.setattr(SeriesWriter, "take", None)
    assert found == {
        "up": 2,
        "jobs_total": pytest.approx(1),
        **dict.fromkeys(("took_seconds",), 1),
        "took_seconds.p50": 0.5,
        "took_seconds.p95": 0.95,
        "took_seconds.p99": 0.99,
    }


@pytest.mark.parametrize("v2", [False, True])
@pytest.mark.parametrize("name", ["up", "took_seconds_bucket"])
def test_a_sample_with_its_time_before_its_value_is_read(name: str, v2: bool) -> None:
    bench = Bench()
    for second in range(3):
        labels = {"__name__": name} | ({"le": "+Inf"} if name != "up" else {})
        parts = [(labels, [(float(second), NOW + second + 0.1)])]
        data = (request_v2((*parts[0], 0, "")) if v2 else write_request(*parts)).SerializeToString()
        value = struct.pack("<d", second)
        # 12 10 09 <value> 10 <time>, with value and time swapped.
        start = data.find(b"\x12\x10\x09" + value)
        if start >= 0:
            data = data[: start + 2] + data[start + 11 : start + 18] + data[start + 2 : start + 11] + data[start + 18 :]
        assert bench.write(data, v2=v2).samples == 1
        found = bench.tick()
    assert start >= 0
    assert found["up" if name == "up" else "took_seconds"] == (2 if name == "up" else 0)


@pytest.mark.parametrize("v2", [False, True])
def test_series_beyond_the_limit_are_refused(v2: bool) -> None:
    bench = Bench()
    bench.intake = Intake(bench.registry, max_series_per_source=1)
    bench.sender = RemoteWrite(bench.intake.source("remote write"))
    for _ in range(2):
        parts = [sums(1.0, NOW, "up"), *buckets({"1": 1, "+Inf": 1}, NOW), sums(1.0, NOW, "down"), sums(1.0, NOW)]
        request = request_v2(*((*part, 0, "") for part in parts)) if v2 else write_request(*parts)
        batch = bench.write(request, v2=v2)
        assert (batch.samples, batch.refused_samples) == (5, 4)
        assert "is at its limit of 1 series" in batch.reason
    if not v2:
        batch = bench.write(native(NOW, schema=0, positive_deltas=[1, 1]))
        assert (batch.histograms, batch.refused_histograms) == (1, 1)
        assert "is at its limit of 1 series" in batch.reason


def test_a_series_that_is_too_long_is_an_error() -> None:
    request = write_request(({"__name__": "up"}, [(1.0, NOW)] * 10_000))
    with pytest.raises(PayloadError, match="send 131072 at most"):
        Bench().write(request)


LABEL_FIELDS = st.sampled_from("abc").map(
    lambda name: V1["TimeSeries"](labels=[V1["Label"](name=name, value="x")]).SerializeToString()
)
UNKNOWN_FIELDS = st.sampled_from(
    [b"\x7a\x03abc", b"\x78\x96\x01", b"\x79" + bytes(8), b"\x7d" + bytes(4), b"\x1a\x02\x7a\x00"]
)
# A number stands for the value of a sample.
CHUNKS = st.lists(st.one_of(VALUES, LABEL_FIELDS, UNKNOWN_FIELDS), max_size=5)


@given(st.lists(CHUNKS, max_size=4), st.integers(0, 5))
def test_fields_in_any_order_match_the_library(all_chunks: list[list[Any]], place: int) -> None:
    name = V1["TimeSeries"](labels=[V1["Label"](name="__name__", value="up")]).SerializeToString()
    milliseconds = itertools.count(int(NOW * 1000) + 1)
    data = b""
    for chunks in all_chunks:
        series = b""
        for chunk in [*chunks[:place], name, *chunks[place:]]:
            is_sample = isinstance(chunk, float)
            sample = V1["Sample"](value=chunk, timestamp=next(milliseconds)) if is_sample else None
            series += V1["TimeSeries"](samples=[sample]).SerializeToString() if is_sample else chunk
        data += b"\x0a" + bytes([len(series) & 127 | 128, len(series) >> 7]) + series
    bench = Bench()
    for _ in range(2):
        bench.write(data)
    bench.tick()
    held = {
        tuple(sorted([("__name__", one.metric.name), *one.labels])): bench.registry.values[one.column]
        for one in bench.registry.series
    }
    read = newest(V1["WriteRequest"].FromString(data))
    wanted = {tuple(dict(key).items()): value for key, values in read.items() for value in values}
    assert held == wanted


def test_other_tasks_run_while_a_large_request_is_processed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SLICE", 10)
    monkeypatch.setattr(module, "SLOW_SLICE", 4)
    bench = Bench()
    data = write_request(*(({"__name__": f"g{i}"}, [(1.0, NOW + 0.5)]) for i in range(40))).SerializeToString()
    steps = [sum(1 for _ in bench.sender.receive(data, Batch())) for _ in range(2)]
    assert steps == [9, 3]
    assert len(bench.tick()) == 40


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
def test_any_bytes_are_accepted_or_raise_payload_error(data: bytes, v2: bool) -> None:
    bench = Bench()
    bench.write(next(valid()))
    with contextlib.suppress(PayloadError):
        bench.write(data, v2)
    bench.tick()


def test_a_truncated_request_is_an_error_or_shorter() -> None:
    data = next(valid())
    for end in range(len(data)):
        bench = Bench()
        bench.write(data)
        with np.errstate(all="raise"), contextlib.suppress(PayloadError):
            bench.write(data[:end])
