"""``POST /api/v1/write``: samples from Prometheus, in both versions of remote write."""

import asyncio
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tickboard.errors import PayloadError
from tickboard.loop.turns import in_turns
from tickboard.metrics.intake import Intake
from tickboard.server.requests.bodies import chunks, coding_of, lease_of
from tickboard.server.requests.identity import source_of
from tickboard.server.routes.operations import BYTES, Paths, Ref, failures, json, post
from tickboard.sources.prometheus.protobuf import varint
from tickboard.sources.unfolding import unfold
from tickboard.wire import ErrorBody, encode

if TYPE_CHECKING:
    from tickboard.sources.prometheus.series_writer import Batch

MAX_BODY_BYTES = 32 * 2**20
"""The most bytes of a request, compressed and decompressed."""

QUICK_BYTES = 2**20
"""The most bytes of a body that is decompressed at once, in less than 1 ms."""

V1, V2 = "prometheus.WriteRequest", "io.prometheus.write.v2.Request"


def remote_write_route(intake: Intake) -> Route:
    """Return the route; each sending address is a source of its own."""

    async def write(request: Request) -> Response:
        from tickboard.sources.prometheus.remote_write import RemoteWrite
        from tickboard.sources.prometheus.series_writer import Batch

        source = source_of(request.scope, intake, "remote write")
        sender = source.reader(RemoteWrite)
        written = Batch()
        try:
            version = _version(request.headers.get("content-type", ""))
            receive = sender.receive if version == V1 else sender.receive_v2
            packed, size = await _body(request)
            if size > QUICK_BYTES:
                # Decompression releases the GIL.
                await in_turns(receive(await asyncio.to_thread(_unfolded, packed), written))
            else:
                await in_turns(_quick(receive, packed, written))
        except PayloadError:
            source.malformed += 1
            raise
        headers = {
            "X-Prometheus-Remote-Write-Samples-Written": str(written.samples - written.refused_samples),
            "X-Prometheus-Remote-Write-Histograms-Written": str(written.histograms - written.refused_histograms),
            "X-Prometheus-Remote-Write-Exemplars-Written": "0",
        }
        if refused := written.refused_samples + written.refused_histograms:
            # Not 429: sending the same again would not help.
            message = f"{refused} samples were refused, the others were accepted: {written.reason}"
            return Response(encode(ErrorBody(message)), 400, headers, media_type="application/json")
        return Response(status_code=204, headers=headers)

    return Route("/api/v1/write", write, methods=["POST"])


def describe(ref: Ref) -> Paths:
    """Describe this route."""
    return {
        "/api/v1/write": post(
            "remoteWrite",
            "Accepts samples from Prometheus: a WriteRequest of version 1 or a Request of version 2, in Snappy",
            {"application/x-protobuf": BYTES},
            {
                "204": {"description": "accepted"},
                **failures(json(ref(ErrorBody)), ("400", "403", "408", "413", "415", "503")),
            },
        )
    }


def _version(content_type: str) -> str:
    """Return which message the body contains, according to its content type.

    Raises:
        PayloadError: the type is unknown.
    """
    kind, _, parameters = content_type.partition(";")
    if kind.strip().lower() != "application/x-protobuf":
        raise PayloadError(f"Content-Type {content_type[:80]!r}: send application/x-protobuf", 415)
    message = V1
    for parameter in parameters.split(";"):
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "proto":
            message = value.strip().strip('"')
    if message not in {V1, V2}:
        raise PayloadError(f"Content-Type proto={message[:80]}: send {V1} or {V2}", 415)
    return message


async def _body(request: Request) -> tuple[bytes, int]:
    """Return the body of a request as it was sent, and its decompressed size in bytes.

    Raises:
        PayloadError: it is too large or too slow, or its coding is not Snappy.
        BusyError: there are too many bodies already.
    """
    coding = coding_of(request, "snappy")
    if coding != "snappy":
        raise PayloadError(f"Content-Encoding {coding[:80]!r}: send snappy", 415)
    lease = lease_of(request)
    packed = await unfold(chunks(request, MAX_BODY_BYTES), "identity", MAX_BODY_BYTES, lease.take)
    # The body begins with its size, so nothing too large is decompressed.
    size, _ = varint(packed, 0, min(len(packed), 5))
    if size > MAX_BODY_BYTES:
        raise PayloadError(f"the decompressed body has {size} bytes: send {MAX_BODY_BYTES} at most", 413)
    lease.take(max(0, size - len(packed)))
    return packed, size


def _quick(receive: "Callable[[bytes, Batch], Iterator[None]]", packed: bytes, written: "Batch") -> Iterator[None]:
    """Decompress a body in its first turn, and receive it.

    So only one such body is in memory at a time: with two, the allocator would return the memory of each to the system,
    and getting it back costs half as much as decoding.
    """
    yield from receive(_unfolded(packed), written)


def _unfolded(packed: bytes) -> bytes:
    """Return a decompressed body.

    Raises:
        PayloadError: it is not in Snappy's block format.
    """
    from cramjam import DecompressionError, snappy

    try:
        return bytes(snappy.decompress_raw(packed))
    except DecompressionError as error:
        raise PayloadError(f"the body is not in Snappy's block format: {error}") from error
