"""OTLP: data points a second into an intake, beside the protobuf library's parsing of the same bytes."""

import time

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from tickboard.metrics.intake import Intake
from tickboard.metrics.registry import Registry
from tickboard.sources.opentelemetry.exports import OpenTelemetry
from tickboard.sources.opentelemetry.messages import read_protobuf

POINTS = 10_000
ROUNDS = 7
NOW = 1_795_514_400.0


def payload(points: int, at: float = NOW) -> bytes:
    """Return a request as an SDK exports it: counters and gauges of 20 metrics, with four attributes each.

    Args:
        points: how many.
        at: their time, POSIX seconds.
    """
    request = ExportMetricsServiceRequest()
    of_resource = request.resource_metrics.add()
    for name in ("service.name", "service.instance.id", "host.name", "telemetry.sdk.language"):
        of_resource.resource.attributes.add(key=name).value.string_value = f"value of {name}"
    metrics = of_resource.scope_metrics.add().metrics
    for number in range(20):
        metric = metrics.add(name=f"http.server.thing_{number}", unit="{request}")
        data = metric.sum if number % 2 else metric.gauge
        if number % 2:
            metric.sum.is_monotonic, metric.sum.aggregation_temporality = True, 2  # type: ignore[assignment]
        for point in range(points // 20):
            added = data.data_points.add(time_unix_nano=int(at * 1e9), start_time_unix_nano=int(NOW * 1e9))
            added.as_double = at - NOW + point
            for key, value in (
                ("http.route", f"/items/{point}"),
                ("method", "GET"),
                ("status", "200"),
                ("zone", "eu-1"),
            ):
                added.attributes.add(key=key).value.string_value = value
    return request.SerializeToString()


def rate() -> tuple[float, float]:
    """Return data points a second: ours of known series into an intake, and of the library's parsing alone."""
    sender = OpenTelemetry(Intake(Registry(2 * POINTS)).source("otlp"))
    bodies = [payload(POINTS, NOW + turn) for turn in range(ROUNDS + 1)]
    best = parsing = float("inf")
    for turn, body in enumerate(bodies):
        began = time.perf_counter()
        for piece in read_protobuf(body):
            if piece is not None:
                for _ in sender.receive(piece, NOW):
                    pass
        if turn:
            best = min(best, time.perf_counter() - began)
        began = time.perf_counter()
        ExportMetricsServiceRequest.FromString(body)
        parsing = min(parsing, time.perf_counter() - began)
    return POINTS / best, POINTS / parsing
