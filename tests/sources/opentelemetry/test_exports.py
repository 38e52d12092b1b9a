"""OTLP: every kind of metric, in messages built with the real library, and junk."""

import contextlib
import json
import math
from collections.abc import Iterable
from dataclasses import dataclass, field
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
from tickboard.metrics.intake import Intake
from tickboard.metrics.registry import Registry
from tickboard.sources.opentelemetry import exports as module
from tickboard.sources.opentelemetry.exports import SLICE, SLOW, ExportResult, OpenTelemetry
from tickboard.sources.opentelemetry.labels import label_text
from tickboard.sources.opentelemetry.messages import read_json, read_protobuf
from tickboard.sources.streams import MAX_NUMBER, Streams

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
        self.taken = ExportResult()

    def export(self, *metrics: Metric, **resource: str) -> int:
        """Send metrics and return the number of steps that processing them took."""
        request = ExportMetricsServiceRequest()
        of_resource = request.resource_metrics.add()
        of_resource.resource.attributes.extend(
            KeyValue(key=k, value=AnyValue(string_value=v)) for k, v in resource.items()
        )
        of_resource.scope_metrics.add().metrics.extend(metrics)
        return self.take(read_protobuf(request.SerializeToString()))

    def take(self, pieces: Iterable[ExportMetricsServiceRequest | None], sender: OpenTelemetry | None = None) -> int:
        self.taken = ExportResult()
        receive = (sender or self.sender).receive
        return sum(1 for piece in pieces if piece for _ in receive(piece, self.time, self.taken))

    def send(self, *resources: "Of", sender: OpenTelemetry | None = None) -> None:
        """Send metrics of several resources and scopes in one request."""
        request = ExportMetricsServiceRequest()
        for each in resources:
            of_resource = request.resource_metrics.add()
            of_resource.resource.attributes.extend(attributes(each.resource))
            of_scope = of_resource.scope_metrics.add()
            of_scope.scope.name, of_scope.scope.version = each.scope, each.version
            of_scope.metrics.extend(each.metrics)
        self.take(read_protobuf(request.SerializeToString()), sender)

    def tick(self) -> dict[str, float]:
        self.time += 1
        row = self.engine.tick(self.time, 1.0).row
        return {one.key: float(row[one.column]) for one in self.registry.series if not math.isnan(row[one.column])}


@dataclass
class Of:
    """Metrics and their origin."""

    metrics: list[Metric]
    scope: str = ""
    resource: dict[str, str] = field(default_factory=dict)
    version: str = ""


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


def test_a_gauge_has_its_own_labels_and_those_of_its_resource() -> None:
    bench = Bench()
    for value in (1.0, 2.5):
        bench.export(
            gauge("queue.depth", value, bench.time + value / 10, "By", worker="a"),
            **{"service.name": "shop", "k8s.pod.name": "shop-1", "telemetry.sdk.name": "x", "process.pid": "7"},
        )
    assert bench.tick() == {'queue.depth{instance="7",pod="shop-1",service="shop",worker="a"}': 2.5}
    info = bench.registry.metrics["queue.depth"]
    assert (info.kind, info.unit, info.title) == ("gauge", "B", "Queue depth")


def test_a_point_without_a_time_counts_as_now() -> None:
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


def test_a_delta_counter_is_a_rate_over_its_time_span() -> None:
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


def test_histograms_become_distributions() -> None:
    bench = Bench()
    bench.export(histogram([2, 2, 0], NOW + 0.5, sum=4.0))
    found = bench.tick()
    assert (found["took"], found["took.p50"]) == (1.0, 1.0)
    assert bench.registry.metrics["took.p50"].unit == "s"


def test_cumulative_histograms_show_only_new_observations() -> None:
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
def test_a_histogram_without_buckets_still_has_statistics(members: dict[str, Any], average: float, p99: float) -> None:
    bench = Bench()
    bench.export(histogram([], NOW + 0.5, **members))
    found = bench.tick()
    assert [found["took"], found["took.p99"]] == pytest.approx([average, p99])


def test_exponential_histograms_become_distributions() -> None:
    bench = Bench()
    metric = Metric(name="took")
    metric.exponential_histogram.aggregation_temporality = DELTA  # type: ignore[assignment]
    point = metric.exponential_histogram.data_points.add(time_unix_nano=nano(NOW + 0.5), scale=0, sum=6.0, zero_count=3)
    point.positive.offset = 1
    point.positive.bucket_counts.extend([2])
    bench.export(metric)
    found = bench.tick()
    assert [found["took"], found["took.p50"], found["took.p99"]] == pytest.approx([1.2, 0.0, 3.95])


def test_a_summary_becomes_its_quantiles_and_totals() -> None:
    bench = Bench()
    for second, count in ((0.1, 10), (0.6, 20)):
        metric = Metric(name="took", unit="s")
        point = metric.summary.data_points.add(count=count, sum=count * 2.0, time_unix_nano=nano(NOW + second))
        point.quantile_values.add(quantile=0.5, value=1.5)
        bench.export(metric)
    assert bench.tick() == {'took{quantile="0.5"}': 1.5, "took_count": pytest.approx(20), "took_sum": pytest.approx(40)}
    assert len(bench.source.known) == 3


def test_the_no_recorded_value_flag_clears_the_value() -> None:
    bench = Bench()
    metrics = [gauge("g", 1.0, NOW + 0.5), histogram([1, 0, 0], NOW + 0.5)]
    bench.export(*metrics)
    assert len(bench.tick()) == 5
    metrics[0].gauge.data_points[0].flags = 1
    metrics[1].histogram.data_points[0].flags = 1
    bench.export(*metrics)
    assert bench.tick() == {}


def test_exemplars_do_not_create_new_series() -> None:
    bench = Bench()
    for second in (0.1, 0.2):
        metric = gauge("g", second, NOW + second)
        metric.gauge.data_points[0].exemplars.add(as_double=second, trace_id=b"1" * 16)
        bench.export(metric)
    assert len(bench.source.known) == 1


def test_attributes_of_every_type_become_text() -> None:
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
    assert [label_text(value) for value, _ in values] == [text for _, text in values]


@pytest.mark.parametrize(
    ("members", "wrong"),
    [
        ({"bucket_counts": [1, 2]}, "2 bounds and 2 counts"),
        ({"explicit_bounds": [2.0, 1.0], "bucket_counts": [1, 1, 1]}, "are not ascending"),
        ({"explicit_bounds": [1.0, math.nan], "bucket_counts": [1, 1, 1]}, "are not ascending"),
        ({"explicit_bounds": [0.0] * 10_001, "bucket_counts": [1] * 10_002}, "10000 at most"),
        ({"bucket_counts": [1, 2, 3], "count": 7}, "count is 7 and its buckets have 6"),
    ],
)
def test_only_an_invalid_histogram_is_rejected(members: dict[str, Any], wrong: str) -> None:
    bench = Bench()
    bench.export(gauge("g", 1.0, NOW + 0.5), histogram([], NOW + 0.5, **members), gauge("h", 2.0, NOW + 0.5))
    assert bench.tick() == {"g": 1, "h": 2}
    assert bench.taken.rejected == 1 == bench.source.malformed
    assert bench.taken.reason.startswith("metric 'took': ")
    assert wrong in bench.taken.reason
    assert "took" not in bench.registry.metrics


def exponential(time: float = NOW + 0.5, **members: Any) -> Metric:
    metric = Metric(name="took")
    metric.exponential_histogram.aggregation_temporality = DELTA  # type: ignore[assignment]
    counts = members.pop("counts", [2])
    point = metric.exponential_histogram.data_points.add(time_unix_nano=nano(time), **members)
    point.positive.bucket_counts.extend(counts)
    return metric


def summary(quantile: float) -> Metric:
    metric = Metric(name="took")
    metric.summary.data_points.add(count=1, sum=1.0).quantile_values.add(quantile=quantile, value=1.0)
    return metric


def negative(temporality: int) -> Metric:
    return total("took", -1, NOW + 0.5, NOW, temporality)


def infinite() -> Metric:
    metric = Metric(name="took")
    metric.sum.is_monotonic = True
    metric.sum.data_points.add(as_double=math.inf, time_unix_nano=nano(NOW + 0.5))
    return metric


@pytest.mark.parametrize(
    ("metric", "wrong"),
    [
        (exponential(counts=[1] * 10_001), "10001 buckets: send 10000 at most"),
        (exponential(count=5), "count is 5 and its buckets have 2"),
        (exponential(zero_threshold=math.nan), "zero_threshold is nan"),
        (exponential(zero_threshold=math.inf), "zero_threshold is inf"),
        (summary(99.0), "a quantile that is not from 0 to 1"),
        (summary(math.nan), "a quantile that is not from 0 to 1"),
        (negative(CUMULATIVE), "a monotonic sum has the value -1"),
        (negative(DELTA), "a monotonic sum has the value -1"),
        (infinite(), "a monotonic sum has the value inf"),
    ],
)
def test_only_an_invalid_point_is_rejected(metric: Metric, wrong: str) -> None:
    bench = Bench()
    bench.export(gauge("g", 1.0, NOW + 0.5), metric, gauge("h", 2.0, NOW + 0.5))
    assert bench.tick() == {"g": 1, "h": 2}
    assert bench.taken.rejected == 1 == bench.source.malformed
    assert bench.taken.reason.startswith("metric 'took': ")
    assert wrong in bench.taken.reason


def test_points_of_refused_series_are_counted_with_the_invalid_ones() -> None:
    bench = Bench()
    bench.registry.gauge("n", labels=["zone"])
    bench.export(gauge("n", 1.0, NOW), gauge("", 1.0, NOW), total("took", -1, NOW), gauge("g", 3.0, NOW + 0.5))
    assert bench.tick() == {"g": 3}
    assert bench.taken.rejected == 3
    bench.export(gauge("g", 3.0, NOW + 1.5))
    assert bench.taken == ExportResult(columns=bench.taken.columns)


def without_value(metric: Metric) -> Metric:
    getattr(metric, metric.WhichOneof("data") or "").data_points[0].ClearField("value")
    return metric


def flagged(metric: Metric) -> Metric:
    getattr(metric, metric.WhichOneof("data") or "").data_points[0].flags = 1
    return metric


@pytest.mark.parametrize("nothing", [without_value, flagged, lambda _: gauge("g", math.nan, NOW + 1.5)])
def test_a_gauge_point_without_a_value_clears_the_gauge(nothing: Any) -> None:
    bench = Bench()
    bench.export(nothing(gauge("new", 1.0, NOW + 0.5)))
    assert bench.tick() == {}
    bench.export(gauge("g", 1.0, NOW + 1.2))
    assert bench.tick()["g"] == 1
    # Of several values in a request, the newest counts.
    bench.export(gauge("g", 2.0, NOW + 2.2), nothing(gauge("g", 3.0, NOW + 2.5)))
    assert "g" not in bench.tick()
    assert bench.taken.rejected == 0


@pytest.mark.parametrize("temporality", [DELTA, CUMULATIVE])
@pytest.mark.parametrize("monotonic", [True, False])
def test_a_sum_point_without_a_value_leaves_a_gap_and_the_sum_continues(temporality: int, monotonic: bool) -> None:
    bench = Bench()
    for second in range(6):
        value = 10 if temporality == DELTA else 10 * second
        start = second - 0.5 if temporality == DELTA else -0.5
        metric = total("n", value, NOW + second + 0.5, NOW + start, temporality, monotonic=monotonic)
        bench.export(without_value(metric) if second == 2 else metric)
        found = bench.tick()
        assert ("n" in found) == (second != 2 and not (second in {0, 3} and monotonic and temporality == CUMULATIVE))
    assert found["n"] == (10 if monotonic else 50)


def test_metrics_without_points_and_empty_points_are_ignored() -> None:
    bench = Bench()
    empty = [Metric(name="a"), Metric(name="b"), Metric(name="c"), Metric(name="d")]
    empty[1].gauge.SetInParent()
    empty[2].sum.SetInParent()
    empty[3].gauge.data_points.add()
    bench.export(*empty)
    assert bench.tick() == {}
    assert bench.taken.rejected == 0


# --- streams that would share a series ---


def ten_seconds(bench: Bench, *streams: Any, sender: Any = None) -> dict[str, float]:
    """Send the metrics of each stream for ten seconds, and return the last tick."""
    for second in range(10):
        bench.send(*(stream(second) for stream in streams))
        found = bench.tick()
    return found


def counting(first: int, by: int, start: float = -100.0, **origin: Any) -> Any:
    def at(second: int) -> Of:
        return Of([total("n", first + by * second, NOW + second + 0.5, NOW + start)], **origin)

    return at


def test_two_scopes_with_one_metric_are_separate_series() -> None:
    bench = Bench()
    assert ten_seconds(bench, counting(10_000, 10, scope="a"), counting(5, 1, scope="b")) == {
        "n": pytest.approx(10),
        'n{scope="b"}': pytest.approx(1),
    }
    assert bench.taken.rejected == 0


def test_scopes_that_do_not_collide_get_no_scope_label() -> None:
    bench = Bench()
    a = Of([gauge("g", 1, NOW + 0.5, at="x"), gauge("only_a", 1, NOW + 0.5)], scope="a")
    b = Of([gauge("g", 2, NOW + 0.5, at="y"), gauge("only_b", 1, NOW + 0.5)], scope="b")
    bench.send(a, b)
    assert bench.tick() == {'g{at="x"}': 1, 'g{at="y"}': 2, "only_a": 1, "only_b": 1}


@pytest.mark.parametrize(
    ("one", "other", "label"),
    [
        ({"scope": "a"}, {"scope": "b"}, 'scope="b"'),
        ({"scope": "a"}, {"scope": "a", "version": "2"}, 'scope_version="2"'),
        ({"scope": "a"}, {"scope": ""}, 'stream="2"'),
        ({"resource": {"service.namespace": "x"}}, {"resource": {"service.namespace": "y"}}, 'service.namespace="y"'),
        (
            {"resource": {"zoo": "1", "k8s.pod.uid": "x"}},
            {"resource": {"zoo": "2", "k8s.pod.uid": "y"}},
            'k8s.pod.uid="y"',
        ),
    ],
)
@pytest.mark.parametrize("kind", ["gauge", "total", "delta", "histogram", "exponential", "up_down"])
def test_colliding_streams_of_any_kind_are_labelled_by_their_difference(
    kind: str, one: dict[str, Any], other: dict[str, Any], label: str
) -> None:
    def metric(value: int, second: int) -> Metric:
        time = NOW + second + 0.5
        if kind == "gauge":
            return gauge("n", value, time)
        if kind == "total":
            return total("n", value * second, time, NOW - 9)
        if kind == "delta":
            return total("n", value, time, time - 1, DELTA)
        if kind == "up_down":
            return total("n", value if second == 0 else 0, time, time - 1, DELTA, monotonic=False)
        if kind == "exponential":
            made = exponential(time, sum=2.0 * value)
        else:
            counts = [2 * second, 0, 0]
            made = histogram(counts, time, CUMULATIVE, sum=2.0 * value * second, start_time_unix_nano=nano(NOW - 9))
        made.name = "n"
        return made

    bench = Bench()
    for second in range(4):
        bench.send(Of([metric(10, second)], **one), Of([metric(1, second)], **other))
        found = bench.tick()
    assert {key: value for key, value in found.items() if ".p" not in key.partition("{")[0]} == {
        "n": pytest.approx(10),
        f"n{{{label}}}": pytest.approx(1),
    }


def test_colliding_streams_of_different_units_names_or_temporality_are_separate() -> None:
    bench = Bench()
    units = gauge("g", 1, NOW + 0.5, "s"), gauge("g", 1_000, NOW + 0.5, "ms")
    names = gauge("a b", 1, NOW + 0.5), gauge("a?b", 2, NOW + 0.5)
    temporality = total("n", 5, NOW + 0.5, NOW - 0.5, DELTA), total("n", 7, NOW + 0.5, NOW - 0.5)
    bench.send(Of([*units, *names, *temporality]))
    assert bench.tick() == {"g": 1, 'g{unit="ms"}': 1_000, "a_b": 1, 'a_b{metric="a?b"}': 2, "n": 5}


def test_a_metric_of_another_kind_is_refused_with_its_name() -> None:
    bench = Bench()
    bench.send(Of([gauge("n", 1, NOW + 0.5)], scope="a"), Of([total("n", 7, NOW + 0.5)], scope="b"))
    assert bench.tick() == {"n": 1}
    assert bench.taken.rejected == 1
    assert bench.taken.reason.startswith("metric 'n' is a gauge here, not a counter")


def test_streams_in_separate_requests_are_never_subtracted_from_each_other() -> None:
    bench = Bench()
    one, other = counting(10_000, 10, resource={"zoo": "1"}), counting(5, 1, resource={"zoo": "2"})
    for second in range(10):
        bench.send(one(second))
        bench.send(other(second))
        found = bench.tick()
        assert all(value <= 10.001 for value in found.values())
    assert found == {"n": pytest.approx(10), 'n{zoo="2"}': pytest.approx(1)}


def test_streams_that_differ_only_in_their_start_are_numbered() -> None:
    bench = Bench()
    streams = [counting(1_000 * number, number, -100.0 - number) for number in range(1, 5)]
    for second in range(12):
        for stream in streams:
            bench.send(stream(second))
        found = bench.tick()
        assert all(value <= 4.001 for value in found.values())
    assert sorted(found.values()) == pytest.approx([1, 2, 3, 4])
    assert set(found) == {"n", 'n{stream="2"}', 'n{stream="3"}', 'n{stream="4"}'}


def test_separating_many_streams_takes_linear_work() -> None:
    bench = Bench()
    points = 1_000
    metric = total("n", 0, NOW, NOW)
    for number in range(1, points):
        metric.sum.data_points.extend(total("n", number, NOW, NOW - number).sum.data_points)
    steps = bench.export(metric)
    assert len(bench.registry.series) == MAX_NUMBER
    # Finding the series of one stream is as much work as `SLOW` data points.
    assert steps <= 3 * points * SLOW / SLICE


def test_senders_without_an_instance_are_separated_by_address() -> None:
    bench, streams = Bench(), Streams()
    senders = [OpenTelemetry(bench.intake.source(f"otlp 10.0.0.{number}"), streams) for number in (1, 2)]
    for second in range(4):
        for sender, value in zip(senders, (1.0, 2.0), strict=True):
            bench.send(Of([gauge("g", value, NOW + second + 0.5)], resource={"service.name": "shop"}), sender=sender)
        found = bench.tick()
    assert found == {'g{sender="10.0.0.2",service="shop"}': 2, 'g{service="shop"}': 1} or found == {
        'g{sender="10.0.0.1",service="shop"}': 1,
        'g{service="shop"}': 2,
    }


def test_one_stream_over_two_addresses_is_one_series() -> None:
    bench, streams = Bench(), Streams()
    senders = [OpenTelemetry(bench.intake.source(f"otlp 10.0.0.{number}"), streams) for number in (1, 2)]
    stream = counting(10_000, 10, resource={"service.instance.id": "x"})
    for second in range(6):
        bench.send(stream(second), sender=senders[second % 2])
        found = bench.tick()
    assert found == {'n{instance="x"}': pytest.approx(10)}


def test_a_stream_that_replaces_another_continues_its_series() -> None:
    bench = Bench()
    ten_seconds(bench, counting(10_000, 10, resource={"service.version": "1"}))
    for second in range(10, 20):
        bench.send(Of([total("n", second - 9, NOW + second + 0.5, NOW + 9.9)], resource={"service.version": "2"}))
        found = bench.tick()
        assert found == {"n": pytest.approx(1)}


def test_an_older_count_that_takes_over_a_series_has_no_rate_at_first() -> None:
    bench = Bench()
    ten_seconds(bench, counting(10_000, 10, resource={"service.version": "1"}))
    bench.send(Of([total("n", 50_000, NOW + 10.5, NOW - 50)], resource={"service.version": "2"}))
    assert bench.tick()["n"] == pytest.approx(10)  # the value it had before
    bench.send(Of([total("n", 50_002, NOW + 11.5, NOW - 50)], resource={"service.version": "2"}))
    assert bench.tick()["n"] == pytest.approx(2)


def test_a_second_stream_of_a_declared_metric_is_rejected() -> None:
    bench = Bench()
    bench.registry.counter("n")
    found = ten_seconds(bench, counting(10_000, 10, scope="a"), counting(5, 1, scope="b"))
    assert found == {"n": pytest.approx(10)}
    assert bench.taken.rejected == 1
    assert "metric 'n' was declared with the labels none, not scope" in bench.taken.reason


def test_a_distinguishing_label_does_not_replace_a_label_of_the_stream() -> None:
    bench = Bench()
    bench.send(
        Of([gauge("g", 1, NOW + 0.5, scope="own")], scope="a"), Of([gauge("g", 2, NOW + 0.5, scope="own")], scope="b")
    )
    assert bench.tick() == {'g{scope="own"}': 1, 'g{otel.scope="b",scope="own"}': 2}


def test_a_repeated_point_counts_once() -> None:
    bench = Bench()
    metrics = [
        total("up", 5, NOW + 0.5, NOW - 0.5, DELTA, monotonic=False),
        total("rate", 5, NOW + 0.5, NOW - 0.5, DELTA),
        total("count", 5, NOW + 0.5, NOW - 0.5),
        histogram([1, 0, 0], NOW + 0.5, DELTA, sum=0.5, start_time_unix_nano=nano(NOW - 0.5)),
    ]
    for _ in range(3):
        bench.export(*metrics, *metrics)
    found = bench.tick()
    assert {key: value for key, value in found.items() if ".p" not in key} == {"up": 5, "rate": 5, "took": 0.5}


def test_the_order_of_attributes_does_not_matter() -> None:
    bench = Bench()
    for second in range(4):
        metric = total("n", second * 3, NOW + second + 0.5, NOW - 1)
        pairs = attributes({"a": "1", "b": "2"})
        metric.sum.data_points[0].attributes.extend(pairs if second % 2 else reversed(pairs))
        bench.export(metric)
        found = bench.tick()
    assert found == {'n{a="1",b="2"}': pytest.approx(3)}


# --- labels that would collide ---


def test_an_attribute_named_like_one_of_the_resource_hides_nothing() -> None:
    bench = Bench()
    points = [
        gauge("g", 1, NOW + 0.5, host="a"),
        gauge("g", 2, NOW + 0.5, host="b"),
        gauge("g", 3, NOW + 0.5, host="h"),
    ]
    bench.send(Of([*points, gauge("g", 4, NOW + 0.5)], resource={"host.name": "h", "service.name": "s"}))
    # An attribute equal to the resource's appears once.
    assert bench.tick() == {
        'g{host="a",host.name="h",service="s"}': 1,
        'g{host="b",host.name="h",service="s"}': 2,
        'g{host="h",service="s"}': 4,
    }


def test_attributes_with_both_names_of_a_resource_attribute_hide_nothing() -> None:
    bench = Bench()
    own = {"host": "a", "host.name": "b"}
    bench.send(Of([gauge("g", 1, NOW + 0.5, **own)], resource={"host.name": "h"}))
    assert bench.tick() == {'g{host="a",host.name="b",resource.host.name="h"}': 1}


def test_two_resource_attributes_for_one_label_are_both_kept() -> None:
    bench = Bench()
    both = {"deployment.environment": "old", "deployment.environment.name": "new", "container.name": "c"}
    bench.send(Of([gauge("g", 1, NOW + 0.5)], resource=both | {"k8s.container.name": "c"}))
    assert bench.tick() == {'g{container="c",deployment.environment="old",environment="new"}': 1}


def test_attributes_that_map_to_one_label_are_joined() -> None:
    bench = Bench()
    bench.export(
        gauge("g", 1, NOW + 0.5, **{"a-b": "x", "a_b": "y"}),
        gauge("g", 2, NOW + 0.5, **{"a-b": "z", "a_b": "y"}),
        gauge("g", 3, NOW + 0.5, **{"a.b": "x", "a_b": "y"}),
    )
    assert bench.tick() == {'g{a_b="x;y"}': 1, 'g{a_b="z;y"}': 2, 'g{a.b="x",a_b="y"}': 3}


def test_other_tasks_run_while_a_large_request_is_processed(monkeypatch: pytest.MonkeyPatch) -> None:
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


def test_the_caches_of_the_sender_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
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


def test_json_gives_the_same_values() -> None:
    metric = gauge("g", 1.5, NOW + 0.5, worker="a")
    metric.gauge.data_points[0].exemplars.add(as_double=1.0)
    document = json_format.MessageToDict(request_of(metric, total("jobs", 3, NOW + 0.5)))
    # OTLP writes ids in hexadecimal, which is not valid base64 at this length.
    point = document["resourceMetrics"][0]["scopeMetrics"][0]["metrics"][0]["gauge"]["dataPoints"][0]
    point["exemplars"][0]["spanId"] = "abcde"
    point["unknownField"] = 1
    bench = Bench()
    bench.take(read_json(json.dumps(document).encode()))
    assert bench.tick() == {'g{worker="a"}': 1.5}


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"3", b"null", b'{"resourceMetrics": 3}', b"[" * 100_000, b"\xff"])
def test_json_that_cannot_be_read_is_an_error(body: bytes) -> None:
    with pytest.raises(PayloadError, match="is not an ExportMetricsServiceRequest in JSON"):
        list(read_json(body))


def test_nan_in_json_is_named_in_the_error() -> None:
    with pytest.raises(PayloadError, match="NaN is not JSON: send null"):
        list(read_json(b'{"resourceMetrics": [{"scopeMetrics": [{"metrics": [{"name": NaN}]}]}]}'))


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
def test_any_json_is_accepted_or_raises_payload_error(document: object) -> None:
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
def test_any_bytes_are_accepted_or_raise_payload_error(data: bytes) -> None:
    bench = Bench()
    for _ in range(2):
        with contextlib.suppress(PayloadError):
            bench.take(read_protobuf(data))
        bench.tick()
