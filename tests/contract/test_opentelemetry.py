"""OTLP over HTTP with the real SDK as the sender, and the answers to other senders."""

import asyncio
import gzip
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.metrics import CallbackOptions, Observation
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.sdk.metrics import Counter, Histogram, MeterProvider, UpDownCounter
from opentelemetry.sdk.metrics.export import AggregationTemporality, PeriodicExportingMetricReader
from opentelemetry.sdk.metrics.view import ExponentialBucketHistogramAggregation, View
from opentelemetry.sdk.resources import Resource
from starlette.applications import Starlette
from starlette.middleware import Middleware
from tests.serving import Server, serve

from tickboard.hub.traffic import Traffic
from tickboard.metrics.intake import Intake
from tickboard.metrics.registry import Registry
from tickboard.server.requests.bodies import Bodies
from tickboard.server.routes.opentelemetry import opentelemetry_route

EXAMPLE = Path(__file__).parents[2] / "examples" / "opentelemetry_app.py"
PROTOBUF = {"Content-Type": "application/x-protobuf"}
BOARD = """
from tickboard import Board
board = Board("Exported to", interval_ms=100)
board.gauge("declared", labels=["zone"])
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    file = tmp_path_factory.mktemp("boards") / "board.py"
    file.write_text(BOARD)
    with serve("run", str(file)) as running:
        yield running


def post(server: Server, body: bytes, **headers: str) -> httpx.Response:
    return httpx.post(f"{server.url}v1/metrics", content=body, headers=PROTOBUF | headers)


def gauge(name: str = "g") -> bytes:
    request = ExportMetricsServiceRequest()
    metric = request.resource_metrics.add().scope_metrics.add().metrics.add(name=name)
    metric.gauge.data_points.add(as_double=4.5)
    return request.SerializeToString()


@pytest.mark.parametrize("temporality", [AggregationTemporality.CUMULATIVE, AggregationTemporality.DELTA])
@pytest.mark.parametrize("compression", [Compression.NoCompression, Compression.Gzip])
def test_metrics_that_the_sdk_exports_are_on_the_board(
    server: Server, temporality: AggregationTemporality, compression: Compression
) -> None:
    preferred: dict[type, AggregationTemporality] = dict.fromkeys((Counter, Histogram, UpDownCounter), temporality)
    exporter = OTLPMetricExporter(f"{server.url}v1/metrics", compression=compression, preferred_temporality=preferred)
    reader = PeriodicExportingMetricReader(exporter, export_interval_millis=60_000)
    service = f"shop-{temporality.name}-{compression.name}".lower()
    provider = MeterProvider(
        [reader],
        Resource.create({"service.name": service, "service.instance.id": "1"}),
        views=[View(instrument_name="size", aggregation=ExponentialBucketHistogramAggregation())],
    )
    try:
        meter = provider.get_meter("shop")
        orders = meter.create_counter("orders", unit="{order}")
        carts = meter.create_up_down_counter("carts")
        took, size = meter.create_histogram("took", unit="s"), meter.create_histogram("size", unit="By")
        meter.create_observable_gauge("heat", [lambda _: [Observation(21.5, {"room": "attic"})]], unit="Cel")
        meter.create_observable_counter("pages", [pages()])
        for _ in range(2):
            orders.add(30, {"kind": "book"})
            carts.add(2)
            carts.add(-1)
            for value in (0.2, 0.3, 4.0):
                took.record(value)
                size.record(value * 1_000)
            assert provider.force_flush()
        labels = f'instance="1",service="{service}"'
        heat = f'heat{{instance="1",room="attic",service="{service}"}}'
        wanted = {f"{name}{{{labels}}}" for name in ("carts", "took.p95", "size", "size.p50", "pages")}
        wanted |= {heat, f'orders{{instance="1",kind="book",service="{service}"}}'}
        server.wait_for(lambda: wanted <= {key for key, stats in server.json("/api/stats").items() if stats["count"]})
        stats = server.json("/api/stats")
        assert stats[heat]["last"] == 21.5
        assert stats[f"carts{{{labels}}}"]["last"] == 2
        assert 0.2 <= stats[f"took{{{labels}}}"]["last"] <= 4
        assert 200 <= stats[f"size.p50{{{labels}}}"]["last"] <= 400
        assert stats[f'orders{{instance="1",kind="book",service="{service}"}}']["last"] > 0
    finally:
        provider.shutdown()
    infos = {info["name"]: info for info in server.json("/api/board")["metrics"]}
    assert (infos["heat"]["unit"], infos["orders"]["unit"], infos["took"]["unit"]) == ("°C", "order/s", "s")


def pages() -> "Pages":
    return Pages()


class Pages:
    """A count that grows each time it is read."""

    def __init__(self) -> None:
        self._count = 0

    def __call__(self, options: CallbackOptions) -> list[Observation]:
        self._count += 10
        return [Observation(self._count)]


def test_an_answer_uses_the_encoding_of_the_request(server: Server) -> None:
    answer = post(server, gauge())
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/x-protobuf")
    assert ExportMetricsServiceResponse.FromString(answer.content) == ExportMetricsServiceResponse()
    answer = post(server, b"{}", **{"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()) == (200, {})


def test_a_point_that_is_too_old_is_rejected_and_the_others_are_recorded(server: Server) -> None:
    def point(name: str, age_s: int) -> dict[str, object]:
        at = str(int((time.time() - age_s) * 1e9))
        return {"name": name, "gauge": {"dataPoints": [{"asInt": "3", "timeUnixNano": at}]}}

    document = {"resourceMetrics": [{"scopeMetrics": [{"metrics": [point("aged", 3_600), point("young", 0)]}]}]}
    answer = post(server, json.dumps(document).encode(), **{"Content-Type": "application/json"})
    part = answer.json()["partialSuccess"]
    assert part["rejectedDataPoints"] == "1"
    assert "metric 'aged': a sample of " in part["errorMessage"]
    server.wait_for(lambda: server.json("/api/stats").get("young", {}).get("last") == 3)


def test_every_member_of_a_gzip_body_is_read(server: Server) -> None:
    body = gzip.compress(gauge("first_member")) + gzip.compress(gauge("second_member"))
    assert post(server, body, **{"Content-Encoding": "gzip"}).status_code == 200
    server.wait_for(lambda: {"first_member", "second_member"} <= server.json("/api/stats").keys())


def test_only_a_malformed_point_is_rejected(server: Server) -> None:
    histogram = {"dataPoints": [{"explicitBounds": [1, 2], "bucketCounts": ["1", "2"]}]}
    metrics = [
        {"name": "before", "gauge": {"dataPoints": [{"asInt": "3"}]}},
        {"name": "malformed", "histogram": histogram},
        {"name": "null", "gauge": {"dataPoints": [{"asDouble": None}]}},
        {"name": "nothing", "gauge": {"dataPoints": [{}]}},
        {"name": "after", "gauge": {"dataPoints": [{"asInt": "4"}]}},
    ]
    document = {"resourceMetrics": [{"scopeMetrics": [{"metrics": metrics}]}]}
    answer = post(server, json.dumps(document).encode(), **{"Content-Type": "application/json"})
    assert answer.status_code == 200
    part = answer.json()["partialSuccess"]
    assert part["rejectedDataPoints"] == "1"
    assert part["errorMessage"].startswith("metric 'malformed': a histogram has 2 bounds and 2 counts")
    server.wait_for(lambda: server.json("/api/stats").get("after", {}).get("last") == 4)
    stats = server.json("/api/stats")
    assert stats["before"]["last"] == 3
    assert stats["null"]["count"] == stats["nothing"]["count"] == 0
    body = json.dumps(document).replace("null", "NaN").encode()
    answer = post(server, body, **{"Content-Type": "application/json"})
    assert answer.status_code == 400
    assert "NaN is not JSON: send null" in answer.json()["message"]


def test_two_libraries_with_one_metric_name_make_two_series(server: Server) -> None:
    exporter = OTLPMetricExporter(f"{server.url}v1/metrics")
    reader = PeriodicExportingMetricReader(exporter, export_interval_millis=60_000)
    provider = MeterProvider([reader], Resource.create({"service.name": "twice", "service.instance.id": "1"}))
    try:
        counters = [provider.get_meter(name).create_counter("twice.requests") for name in ("client", "server")]
        counters[0].add(1_000_000)
        counters[1].add(1)

        def both() -> bool:
            counters[0].add(3)
            counters[1].add(1)
            assert provider.force_flush()
            stats = server.json("/api/stats")
            found = {key: each for key, each in stats.items() if key.startswith("twice.requests")}
            return len(found) == 2 and all(each["count"] for each in found.values())

        server.wait_for(both)
    finally:
        provider.shutdown()
    stats = server.json("/api/stats")
    labels = 'instance="1",{}service="twice"'
    found = [stats[f"twice.requests{{{labels.format(scope)}}}"] for scope in ("", 'scope="server",')]
    # Far below a million a second, however quickly the exports follow each other.
    assert all(0 < each["max"] < 100_000 for each in found)


def test_refused_series_are_reported_and_the_others_are_recorded(server: Server) -> None:
    body = gauge("declared") + gauge("other")
    told = ExportMetricsServiceResponse.FromString(post(server, body).content).partial_success
    assert told.rejected_data_points == 1
    assert "declared with the labels zone, not none" in told.error_message
    server.wait_for(lambda: server.json("/api/stats").get("other", {}).get("last") == 4.5)
    metric = {"name": "declared", "gauge": {"dataPoints": [{"asInt": "3"}]}}
    document = {"resourceMetrics": [{"scopeMetrics": [{"metrics": [metric]}]}]}
    answer = post(server, json.dumps(document).encode(), **{"Content-Type": "application/json; charset=utf-8"})
    assert answer.json()["partialSuccess"]["rejectedDataPoints"] == "1"


@pytest.mark.parametrize(
    ("body", "headers", "status", "wrong"),
    [
        (b"\xff", {}, 400, "not an ExportMetricsServiceRequest"),
        (gauge(), {"Content-Type": "text/plain"}, 415, "send application/x-protobuf or application/json"),
        (b"{", {"Content-Type": "application/json"}, 400, "in JSON"),
        (gauge(), {"Content-Encoding": "gzip"}, 400, "not gzip"),
        (gzip.compress(gauge(), mtime=0)[:-4], {"Content-Encoding": "gzip"}, 400, "ends in the middle"),
        (
            gzip.compress(gauge(), mtime=0) + b"xx",
            {"Content-Encoding": "gzip"},
            400,
            "continues after the end of its gzip data",
        ),
        (gauge(), {"Content-Encoding": "br"}, 415, "send gzip, deflate or none"),
        (gzip.compress(b"\0" * (17 << 20), mtime=0), {"Content-Encoding": "gzip"}, 413, "more than 16777216"),
        (b"\0" * (17 << 20), {}, 413, "more than 16777216"),
    ],
)
def test_an_invalid_request_is_refused_with_the_reason(
    server: Server, body: bytes, headers: dict[str, str], status: int, wrong: str
) -> None:
    answer = post(server, body, **headers)
    assert answer.status_code == status
    if "Content-Type" in headers:
        assert wrong in answer.json()["message"]
    else:
        assert wrong in Status.FromString(answer.content).message


def test_an_sdk_needs_only_environment_variables_to_export_to_the_board(server: Server) -> None:
    environ = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": server.url,
        "OTEL_METRIC_EXPORT_INTERVAL": "100",
        "OTEL_SERVICE_NAME": "example",
    }
    process = subprocess.Popen([sys.executable, str(EXAMPLE)], env=os.environ | environ)
    try:
        server.wait_for(lambda: "checkout.duration.p95{" in str(server.json("/api/stats")))
        server.wait_for(
            lambda: any(key.startswith("orders{") and 'service="example"' in key for key in server.json("/api/stats"))
        )
    finally:
        process.kill()
        process.wait()


async def test_a_large_json_body_does_not_stop_the_board() -> None:
    points = [{"asDouble": 1.0, "attributes": [{"key": "n", "value": {"stringValue": str(n)}}]} for n in range(20_000)]
    metrics = [{"name": "many", "gauge": {"dataPoints": points}}]
    body = json.dumps({"resourceMetrics": [{"scopeMetrics": [{"metrics": metrics}]}]}).encode()
    intake = Intake(Registry())
    app = Starlette(routes=[opentelemetry_route(intake)], middleware=[Middleware(Bodies, traffic=Traffic)])
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://board") as client:
        headers = {"Content-Type": "application/json"}
        sending = asyncio.create_task(client.post("/v1/metrics", content=body, headers=headers))
        turns = 0
        while not sending.done():
            turns += 1
            await asyncio.sleep(0)
    assert (await sending).json() == {}
    [source] = intake.sources.values()
    assert source.samples == len(points)
    # A body that is parsed in one go takes some ten turns.
    assert turns > 30
