"""OTLP: every kind of metric, in messages made by the real library, and junk."""

import contextlib
import json
import math
from typing import Any

import pytest
from google.protobuf import json_format
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric

from tickboard.engine import Engine
from tickboard.errors import PayloadError
from tickboard.intake import Intake
from tickboard.series import Registry
from tickboard.sources import opentelemetry as module
from tickboard.sources.opentelemetry import OpenTelemetry, read_json, read_protobuf, text_of

NOW = 1_795_514_400.0
DELTA, CUMULATIVE = 1, 2


class Bench:
    def __init__(self, max_series: int = 1_000) -> None:
        self.registry = Registry(max_series)
        self.intake = Intake(self.registry)
        self.engine = Engine(self.registry, [], 60, "e", lambda: "id", self.intake)
        self.source = self.intake.source("otlp")
        self.sender = OpenTelemetry(self.source)
        self.time = NOW

    def export(self, *metrics: Metric, **resource: str) -> int:
        """Send metrics and return after how many steps they were taken."""
        request = ExportMetricsServiceRequest()
        of_resource = request.resource_metrics.add()
        of_resource.resource.attributes.extend(
            KeyValue(key=k, value=AnyValue(string_value=v)) for k, v in resource.items()
        )
        of_resource.scope_metrics.add().metrics.extend(metrics)
        return self.take(read_protobuf(request.SerializeToString()))

    def take(self, request: ExportMetricsServiceRequest) -> int:
        return sum(1 for _ in self.sender.receive(request, self.time))

    def tick(self) -> dict[str, float]:
        self.time += 1
        row = self.engine.tick(self.time, 1.0).row
        return {one.key: float(row[one.column]) for one in self.registry.series if not math.isnan(row[one.column])}


def nano(time: float) -> int:
    return int(time * 1e9)


def attributes(labels: dict[str, str]) -> list[KeyValue]:
    return [KeyValue(key=name, value=AnyValue(string_value=value)) for name, value in labels.items()]


def gauge(name: str, value: float, time: float, unit: str = "", **labels: str) -> Metric:
    metric = Metric(name=name, unit=unit)
    metric.gauge.data_points.add(as_double=value, time_unix_nano=nano(time), attributes=attributes(labels))
    return metric


def total(
    name: str, value: int, time: float, start: float = 0, temporality: int = CUMULATIVE, *, monotonic: bool = True
) -> Metric:
    metric = Metric(name=name, unit="{job}")
    metric.sum.aggregation_temporality = temporality  # type: ignore[assignment]
    metric.sum.is_monotonic = monotonic
    metric.sum.data_points.add(as_int=value, time_unix_nano=nano(time), start_time_unix_nano=nano(start))
    return metric


def histogram(counts: list[int], time: float, temporality: int = DELTA, **members: Any) -> Metric:
    metric = Metric(name="took", unit="s")
    metric.histogram.aggregation_temporality = temporality  # type: ignore[assignment]
    point = {"explicit_bounds": [1.0, 2.0], "bucket_counts": counts, "count": sum(counts), "sum": 0.0} | members
    metric.histogram.data_points.add(time_unix_nano=nano(time), **point)
    return metric


def test_a_gauge_has_the_labels_of_its_resource_and_its_own() -> None:
    bench = Bench()
    for value in (1.0, 2.5):
        bench.export(
            gauge("queue.depth", value, bench.time + value / 10, "By", worker="a"),
            **{"service.name": "shop", "k8s.pod.name": "shop-1", "telemetry.sdk.name": "x", "process.pid": "7"},
        )
    assert bench.tick() == {'queue.depth{instance="7",pod="shop-1",service="shop",worker="a"}': 2.5}
    info = bench.registry.metrics["queue.depth"]
    assert (info.kind, info.unit, info.title) == ("gauge", "B", "Queue depth")


def test_a_point_without_a_time_is_of_now() -> None:
    bench = Bench()
    bench.tick()
    bench.time += 0.5
    bench.export(gauge("g", 1.0, 0.0))
    bench.export(gauge("g", 2.0, 0.0))
    assert bench.tick() == {"g": 2}


def test_a_cumulative_counter_is_a_rate_and_a_new_start_is_a_reset() -> None:
    bench = Bench()
    bench.export(total("jobs", 100, NOW + 0.1, NOW - 100))
    bench.export(total("jobs", 105, NOW + 0.6, NOW - 100))
    assert bench.tick() == {"jobs": 10}
    assert bench.registry.metrics["jobs"].unit == "job/s"
    bench.export(total("jobs", 200, NOW + 1.6, NOW + 1.1))
    assert bench.tick() == {"jobs": pytest.approx(200)}


def test_a_delta_counter_is_a_rate_over_what_it_spans() -> None:
    bench = Bench()
    bench.export(total("jobs", 30, NOW + 0.5, NOW - 9.5, DELTA))
    assert bench.tick() == {"jobs": pytest.approx(3)}
    bench.export(total("other", 4, NOW + 1.1, 0, DELTA))
    assert "other" not in bench.tick()
    bench.export(total("other", 4, NOW + 3.1, 0, DELTA))
    assert bench.tick()["other"] == pytest.approx(2)


def test_an_up_down_counter_is_a_gauge() -> None:
    bench = Bench()
    for second, value in enumerate((5, -2)):
        bench.export(
            total("open", value, NOW + second + 0.5, NOW, DELTA, monotonic=False),
            total("level", value, NOW + second + 0.5, NOW, monotonic=False),
        )
        found = bench.tick()
    assert found == {"open": 3, "level": -2}


def test_histograms_are_distributions() -> None:
    bench = Bench()
    bench.export(histogram([2, 2, 0], NOW + 0.5, sum=4.0))
    found = bench.tick()
    assert (found["took"], found["took.p50"]) == (1.0, 1.0)
    assert bench.registry.metrics["took.p50"].unit == "s"


def test_cumulative_histograms_show_what_is_new() -> None:
    bench = Bench()
    bench.export(histogram([2, 2, 0], NOW + 0.1, CUMULATIVE, sum=4.0))
    assert bench.tick() == {}
    bench.export(histogram([2, 4, 0], NOW + 1.1, CUMULATIVE, sum=7.0))
    assert bench.tick()["took"] == 1.5


@pytest.mark.parametrize(
    ("members", "average", "p99"),
    [
        ({"bucket_counts": [], "explicit_bounds": [], "count": 2, "sum": 8.0, "min": 2.0, "max": 6.0}, 4.0, 5.96),
        ({"bucket_counts": [], "explicit_bounds": [], "count": 2, "sum": 8.0}, 4.0, 4.0),
        ({"bucket_counts": [4], "explicit_bounds": [], "count": 4, "sum": 8.0}, 2.0, 2.0),
        ({"bucket_counts": [0, 0, 2], "count": 2, "sum": 8.0, "max": 6.0}, 4.0, 5.96),
        ({"bucket_counts": [2, 0, 0], "count": 2, "sum": 1.0, "min": 0.5}, 0.5, 0.995),
    ],
)
def test_what_a_histogram_leaves_out(members: dict[str, Any], average: float, p99: float) -> None:
    bench = Bench()
    bench.export(histogram([], NOW + 0.5, **members))
    found = bench.tick()
    assert [found["took"], found["took.p99"]] == pytest.approx([average, p99])


def test_exponential_histograms_are_distributions() -> None:
    bench = Bench()
    metric = Metric(name="took")
    metric.exponential_histogram.aggregation_temporality = DELTA  # type: ignore[assignment]
    point = metric.exponential_histogram.data_points.add(time_unix_nano=nano(NOW + 0.5), scale=0, sum=6.0, zero_count=3)
    point.positive.offset = 1
    point.positive.bucket_counts.extend([2])
    bench.export(metric)
    found = bench.tick()
    assert [found["took"], found["took.p50"], found["took.p99"]] == pytest.approx([1.2, 0.0, 3.95])


def test_a_summary_is_its_quantiles_and_totals() -> None:
    bench = Bench()
    for second, count in ((0.1, 10), (0.6, 20)):
        metric = Metric(name="took", unit="s")
        point = metric.summary.data_points.add(count=count, sum=count * 2.0, time_unix_nano=nano(NOW + second))
        point.quantile_values.add(quantile=0.5, value=1.5)
        bench.export(metric)
    assert bench.tick() == {'took{quantile="0.5"}': 1.5, "took_count": pytest.approx(20), "took_sum": pytest.approx(40)}
    assert len(bench.source.known) == 3


def test_no_recorded_value_takes_the_value_away() -> None:
    bench = Bench()
    metrics = [gauge("g", 1.0, NOW + 0.5), histogram([1, 0, 0], NOW + 0.5)]
    bench.export(*metrics)
    assert len(bench.tick()) == 5
    metrics[0].gauge.data_points[0].flags = 1
    metrics[1].histogram.data_points[0].flags = 1
    bench.export(*metrics)
    assert bench.tick() == {}


def test_exemplars_do_not_tell_series_apart() -> None:
    bench = Bench()
    for second in (0.1, 0.2):
        metric = gauge("g", second, NOW + second)
        metric.gauge.data_points[0].exemplars.add(as_double=second, trace_id=b"1" * 16)
        bench.export(metric)
    assert len(bench.source.known) == 1


def test_attributes_of_every_type_are_texts() -> None:
    values = [
        (AnyValue(string_value="a"), "a"),
        (AnyValue(bool_value=True), "true"),
        (AnyValue(int_value=7), "7"),
        (AnyValue(double_value=0.5), "0.5"),
        (AnyValue(bytes_value=b"ab"), "YWI="),
        (AnyValue(array_value=ArrayValue(values=[AnyValue(int_value=1), AnyValue(string_value="é")])), '[1, "é"]'),
        (AnyValue(kvlist_value=KeyValueList(values=[KeyValue(key="k", value=AnyValue(int_value=1))])), '{"k": 1}'),
        (AnyValue(), ""),
    ]
    assert [text_of(value) for value, _ in values] == [text for _, text in values]


@pytest.mark.parametrize(
    ("members", "wrong"),
    [
        ({"bucket_counts": [1, 2]}, "2 bounds and 2 counts"),
        ({"explicit_bounds": [2.0, 1.0], "bucket_counts": [1, 1, 1]}, "do not rise"),
        ({"explicit_bounds": [1.0, math.nan], "bucket_counts": [1, 1, 1]}, "do not rise"),
        ({"explicit_bounds": [0.0] * 10_001, "bucket_counts": [1] * 10_002}, "10000 at most"),
    ],
)
def test_a_histogram_that_cannot_be_is_an_error(members: dict[str, Any], wrong: str) -> None:
    bench = Bench()
    with pytest.raises(PayloadError, match=wrong):
        bench.export(gauge("g", 1.0, NOW), histogram([], NOW, **members))
    assert bench.tick() == {"g": 1}


def test_exponential_histograms_are_bounded() -> None:
    metric = Metric(name="took")
    metric.exponential_histogram.data_points.add().positive.bucket_counts.extend([1] * 10_001)
    with pytest.raises(PayloadError, match="10001 buckets"):
        Bench().export(metric)


def test_others_may_run_while_a_large_request_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SLICE", 10)
    bench = Bench()
    metric = Metric(name="g")
    for index in range(40):
        metric.gauge.data_points.add(
            as_double=index, time_unix_nano=nano(NOW), attributes=attributes({"i": str(index)})
        )
    steps = [bench.export(metric) for _ in range(2)]
    assert steps == [40, 4]
    assert len(bench.tick()) == 40


def test_what_is_known_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_KINDS", 3)
    bench = Bench()
    for index in range(20):
        bench.export(gauge(f"g{index}", 1.0, NOW), **{"service.name": str(index)})
    assert len(bench.sender._kinds) <= 3
    assert len(bench.sender._resources) <= 3


# --- JSON ---


def request_of(*metrics: Metric) -> ExportMetricsServiceRequest:
    request = ExportMetricsServiceRequest()
    request.resource_metrics.add().scope_metrics.add().metrics.extend(metrics)
    return request


def test_json_is_the_same() -> None:
    metric = gauge("g", 1.5, NOW + 0.5, worker="a")
    metric.gauge.data_points[0].exemplars.add(as_double=1.0)
    document = json_format.MessageToDict(request_of(metric, total("jobs", 3, NOW + 0.5)))
    # As OTLP writes ids: in hexadecimal, which is no base64 of this length.
    point = document["resourceMetrics"][0]["scopeMetrics"][0]["metrics"][0]["gauge"]["dataPoints"][0]
    point["exemplars"][0]["spanId"] = "abcde"
    point["unknownField"] = 1
    bench = Bench()
    bench.take(read_json(json.dumps(document).encode()))
    assert bench.tick() == {'g{worker="a"}': 1.5}


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"3", b"null", b'{"resourceMetrics": 3}', b"[" * 100_000, b"\xff"])
def test_json_that_cannot_be_read_is_an_error(body: bytes) -> None:
    with pytest.raises(PayloadError, match="no ExportMetricsServiceRequest in JSON"):
        read_json(body)


KEYS = (
    *("resourceMetrics", "scopeMetrics", "metrics", "gauge", "sum", "histogram", "dataPoints", "asInt", "name", "key"),
    *("timeUnixNano", "attributes", "value", "stringValue", "exemplars", "isMonotonic", "resource"),
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(KEYS),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@given(JSON)
def test_any_json_is_taken_or_an_error(document: object) -> None:
    bench = Bench()
    with contextlib.suppress(PayloadError):
        bench.take(read_json(json.dumps(document).encode()))
    bench.tick()


VALID = request_of(
    gauge("g", 1.0, NOW, worker="a"), total("n", 2, NOW), histogram([1, 2, 3], NOW, CUMULATIVE)
).SerializeToString()


@given(
    st.binary(max_size=100)
    | st.tuples(st.integers(0, len(VALID)), st.binary(max_size=5)).map(
        lambda one: VALID[: one[0]] + one[1] + VALID[one[0] + len(one[1]) :]
    )
)
def test_any_bytes_are_taken_or_an_error(data: bytes) -> None:
    bench = Bench()
    for _ in range(2):
        with contextlib.suppress(PayloadError):
            bench.take(read_protobuf(data))
        bench.tick()
