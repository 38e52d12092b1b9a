"""Where OpenTelemetry's SDKs and Collector export to: ``POST /v1/metrics``, OTLP over HTTP in protobuf and JSON."""

import asyncio
import time

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tickboard.errors import PayloadError, TickboardError
from tickboard.frames import encode
from tickboard.intake import Intake, Refusal
from tickboard.server.bodies import read_body
from tickboard.sources.opentelemetry import OpenTelemetry, read_json, read_protobuf

MAX_BODY_BYTES = 16 * 2**20
"""Of a request, as sent and as undone of its compression."""

QUICK_BYTES = 2**16
"""Of a JSON body that is read at once: Python code reads it, which takes seconds for the largest."""

PROTOBUF, JSON = "application/x-protobuf", "application/json"


def opentelemetry_route(intake: Intake) -> Route:
    """Return the route; data points go to a source for each address that sends."""
    senders: dict[str, OpenTelemetry] = {}

    async def export(request: Request) -> Response:
        source = intake.source(f"otlp {request.client.host if request.client else 'local'}")
        sender = senders.setdefault(source.name, OpenTelemetry(source))
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        try:
            if kind not in {PROTOBUF, JSON}:
                raise PayloadError(f"Content-Type {kind!r}: send {PROTOBUF} or {JSON}", 415)
            body = await read_body(request, MAX_BODY_BYTES)
            if kind == JSON and len(body) > QUICK_BYTES:
                found = await asyncio.to_thread(read_json, body)
            else:
                found = read_protobuf(body) if kind == PROTOBUF else read_json(body)
            for _ in sender.receive(found, time.time()):
                await asyncio.sleep(0)
        except PayloadError as error:
            source.malformed += 1
            return _failure(kind, error)
        return _success(kind, source.take_refusal())

    return Route("/v1/metrics", export, methods=["POST"])


def _success(kind: str, refusal: Refusal | None) -> Response:
    """Return an ExportMetricsServiceResponse, which says how much of the request was refused."""
    if kind == JSON:
        part = {} if refusal is None else {"rejectedDataPoints": str(refusal.samples), "errorMessage": refusal.reason}
        return Response(encode({"partialSuccess": part} if part else {}), media_type=JSON)
    from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse

    answer = ExportMetricsServiceResponse()
    if refusal is not None:
        answer.partial_success.rejected_data_points = refusal.samples
        answer.partial_success.error_message = refusal.reason
    return Response(answer.SerializeToString(), media_type=PROTOBUF)


def _failure(kind: str, error: TickboardError) -> Response:
    """Return a google.rpc.Status, as OTLP wants it, in the request's own encoding."""
    if kind == PROTOBUF:
        message = str(error).encode()[:1_000]
        # Its one field that matters: number 2, the message.
        size = bytes([len(message)]) if len(message) < 128 else bytes([len(message) & 127 | 128, len(message) >> 7])
        return Response(b"\x12" + size + message, error.status, media_type=PROTOBUF)
    return Response(encode({"message": str(error), "error": str(error)}), error.status, media_type=JSON)
