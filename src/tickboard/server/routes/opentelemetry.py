"""``POST /v1/metrics``: metrics from OpenTelemetry's SDKs and Collector, as OTLP over HTTP in protobuf or JSON."""

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tickboard.errors import PayloadError, TickboardError
from tickboard.loop.turns import in_turns
from tickboard.metrics.intake import Intake
from tickboard.server.requests.bodies import read_body
from tickboard.server.requests.identity import source_of
from tickboard.server.routes.operations import BYTES, Paths, Ref, failures, json, post
from tickboard.sources.streams import Streams
from tickboard.wire import ErrorBody, encode

if TYPE_CHECKING:
    from tickboard.sources.opentelemetry.exports import ExportResult, OpenTelemetry

MAX_BODY_BYTES = 16 * 2**20
"""The most bytes of a request, compressed and decompressed."""

PROTOBUF, JSON = "application/x-protobuf", "application/json"


def opentelemetry_route(intake: Intake) -> Route:
    """Return the route; each sending address is a source of its own."""
    streams = Streams()

    async def export(request: Request) -> Response:
        from tickboard.sources.opentelemetry.exports import ExportResult, OpenTelemetry

        source = source_of(request.scope, intake, "otlp")
        sender = source.reader(OpenTelemetry, streams)
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        result = ExportResult()
        try:
            if kind not in {PROTOBUF, JSON}:
                raise PayloadError(f"Content-Type {kind!r}: send {PROTOBUF} or {JSON}", 415)
            body = await read_body(request, MAX_BODY_BYTES)
            await in_turns(_take(sender, kind, body, result))
        except PayloadError as error:
            source.malformed += 1
            return _failure(kind, error)
        return _success(kind, result)

    return Route("/v1/metrics", export, methods=["POST"])


def describe(ref: Ref) -> Paths:
    """Describe this route."""
    either = {PROTOBUF: BYTES, **json({"type": "object"})}
    refused = {PROTOBUF: BYTES, **json(ref(ErrorBody))}
    return {
        "/v1/metrics": post(
            "exportMetrics",
            "Accepts metrics from OpenTelemetry: OTLP over HTTP, an ExportMetricsServiceRequest",
            either,
            {
                "200": {"description": "accepted; a partial success says how much was refused", "content": either},
                **failures(refused, ("400", "403", "408", "413", "415", "503")),
            },
        )
    }


def _take(sender: "OpenTelemetry", kind: str, body: bytes, result: "ExportResult") -> Iterator[None]:
    from tickboard.sources.opentelemetry.messages import read_json, read_protobuf

    now = time.time()
    for piece in read_protobuf(body) if kind == PROTOBUF else read_json(body):
        if piece is not None:
            yield from sender.receive(piece, now, result)
        yield


def _success(kind: str, result: "ExportResult") -> Response:
    """Return an ExportMetricsServiceResponse, which says how much of the request was rejected."""
    if kind == JSON:
        part = {"rejectedDataPoints": str(result.rejected), "errorMessage": result.reason} if result.rejected else {}
        return Response(encode({"partialSuccess": part} if part else {}), media_type=JSON)
    from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse

    answer = ExportMetricsServiceResponse()
    if result.rejected:
        answer.partial_success.rejected_data_points = result.rejected
        answer.partial_success.error_message = result.reason
    return Response(answer.SerializeToString(), media_type=PROTOBUF)


def _failure(kind: str, error: TickboardError) -> Response:
    """Return a google.rpc.Status, as OTLP requires, in the request's own encoding."""
    if kind == PROTOBUF:
        message = str(error).encode()[:1_000]
        # Only field 2, the message.
        size = bytes([len(message)]) if len(message) < 128 else bytes([len(message) & 127 | 128, len(message) >> 7])
        return Response(b"\x12" + size + message, error.status, media_type=PROTOBUF)
    return Response(encode({"message": str(error), "error": str(error)}), error.status, media_type=JSON)
