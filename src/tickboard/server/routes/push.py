"""``POST /api/metrics``: metrics pushed by programs, as JSON or NDJSON."""

import time

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tickboard.errors import PayloadError
from tickboard.loop.turns import in_turns
from tickboard.metrics.intake import Intake
from tickboard.server.requests.bodies import read_body
from tickboard.server.requests.identity import source_of
from tickboard.server.routes.operations import Paths, Ref, body_failures, json, post, response
from tickboard.sources.push import PushDecoder
from tickboard.wire import ErrorBody, PushAccepted, PushedMetric, PushRefused, encode

MAX_BODY_BYTES = 16 * 2**20
"""The most bytes of a body, compressed and decompressed."""

_LINES = frozenset({"application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonlines"})
# The last two are what curl -d sends, and what programs send that do not set a type.
_KNOWN = _LINES | {"application/json", "text/plain", "application/x-www-form-urlencoded", ""}


def push_routes(intake: Intake) -> list[Route]:
    """Return the route for pushed metrics."""

    async def push(request: Request) -> Response:
        source = source_of(request.scope, intake, "push")
        try:
            kind = _content_type(request)
            body = await read_body(request, MAX_BODY_BYTES)
            decoder = PushDecoder(body, source, time.time(), lines=kind in _LINES)
            await in_turns(decoder.read())
        except PayloadError:
            source.malformed += 1
            raise
        await in_turns(decoder.write())
        if decoder.refused:
            return _json(encode(PushRefused(decoder.reason, decoder.accepted, decoder.refused)), 422)
        return _json(encode(PushAccepted(decoder.accepted)), 200)

    return [Route("/api/metrics", push, methods=["POST"])]


def describe(ref: Ref) -> Paths:
    """Describe this route."""
    one = ref(PushedMetric)
    return {
        "/api/metrics": post(
            "pushMetrics",
            "Accepts metrics that a program pushes",
            {
                **json({"anyOf": [one, {"type": "array", "items": one}]}),
                "application/x-ndjson": {"schema": {"type": "string"}},
            },
            {
                "200": response("all samples were accepted", ref(PushAccepted)),
                **body_failures(ref),
                "422": response(
                    "a value is invalid, and nothing was accepted; or some series were refused, the others accepted",
                    {"anyOf": [ref(PushRefused), ref(ErrorBody)]},
                ),
            },
        )
    }


def _content_type(request: Request) -> str:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in _KNOWN:
        raise PayloadError(f"Content-Type {kind[:80]!r}: send application/json or application/x-ndjson", 415)
    return kind


def _json(body: bytes, status: int) -> Response:
    return Response(body, status, media_type="application/json", headers={"cache-control": "no-store"})
