"""Where Prometheus writes to: ``POST /api/v1/write``, in both versions of remote write."""

import asyncio

from cramjam import DecompressionError, snappy
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tickboard.errors import PayloadError
from tickboard.frames import encode
from tickboard.intake import Intake
from tickboard.sources.prometheus.protobuf import varint
from tickboard.sources.prometheus.remote_write import Batch, RemoteWrite
from tickboard.types import ErrorBody

MAX_BODY_BYTES = 32 * 2**20
"""Of a request, as sent and as undone of its compression."""

V1, V2 = "prometheus.WriteRequest", "io.prometheus.write.v2.Request"


def remote_write_route(intake: Intake) -> Route:
    """Return the route; samples go to a source for each address that sends."""
    senders: dict[str, RemoteWrite] = {}

    async def write(request: Request) -> Response:
        source = intake.source(f"remote write {request.client.host if request.client else 'local'}")
        sender = senders.setdefault(source.name, RemoteWrite(source))
        version = _version(request.headers.get("content-type", ""))
        data = await _body(request)
        written = Batch()
        try:
            for _ in (sender.receive if version == V1 else sender.receive_v2)(data, written):
                await asyncio.sleep(0)
        except PayloadError:
            source.malformed += 1
            raise
        headers = {
            "X-Prometheus-Remote-Write-Samples-Written": str(written.samples - written.refused_samples),
            "X-Prometheus-Remote-Write-Histograms-Written": str(written.histograms - written.refused_histograms),
            "X-Prometheus-Remote-Write-Exemplars-Written": "0",
        }
        if refused := written.refused_samples + written.refused_histograms:
            # Not 429: to send the same again would not help.
            message = f"{refused} samples were refused, the others were taken: {written.reason}"
            return Response(encode(ErrorBody(message)), 400, headers, media_type="application/json")
        return Response(status_code=204, headers=headers)

    return Route("/api/v1/write", write, methods=["POST"])


def _version(content_type: str) -> str:
    """Return which message a content type says that the body is.

    Raises:
        PayloadError: none that is known.
    """
    kind, _, parameters = content_type.partition(";")
    if kind.strip().lower() != "application/x-protobuf":
        raise PayloadError(f"Content-Type {content_type!r}: send application/x-protobuf", 415)
    message = V1
    for parameter in parameters.split(";"):
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "proto":
            message = value.strip().strip('"')
    if message not in {V1, V2}:
        raise PayloadError(f"Content-Type proto={message}: send {V1} or {V2}", 415)
    return message


async def _body(request: Request) -> bytes:
    """Return the body of a request, undone of its compression.

    Raises:
        PayloadError: it is too large, or not in Snappy's block format.
    """
    coding = request.headers.get("content-encoding", "snappy").strip().lower()
    if coding != "snappy":
        raise PayloadError(f"Content-Encoding {coding!r}: send snappy", 415)
    parts: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > MAX_BODY_BYTES:
            raise PayloadError(f"the body is more than {MAX_BODY_BYTES} bytes: send less at a time", 413)
        parts.append(chunk)
    packed = b"".join(parts)
    # The size stands first, so that nothing is unfolded that is too large.
    unpacked, _ = varint(packed, 0, min(len(packed), 5))
    if unpacked > MAX_BODY_BYTES:
        raise PayloadError(f"the body unfolds to {unpacked} bytes: send {MAX_BODY_BYTES} at most", 413)
    try:
        return bytes(snappy.decompress_raw(packed))
    except DecompressionError as error:
        raise PayloadError(f"the body is not in Snappy's block format: {error}") from error
