"""The REST documents: stats, recent metrics, the board, health, and the OpenAPI document that describes them."""

from collections.abc import Callable

from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tickboard.configuration.config import config_schema
from tickboard.errors import InputError
from tickboard.frames import encode, recent_metrics
from tickboard.hub.hub import Hub
from tickboard.server.openapi import document
from tickboard.types import Health, NotifierHealth

RECENT_METRICS = 60
"""How many Metrics ``/api/metrics/recent`` gives without ``count``."""


def rest_routes(hub: Hub, ticks_skipped: Callable[[], int]) -> list[Route]:
    """Return the REST routes of a hub."""

    async def stats(request: Request) -> Response:
        return _json(encode(hub.engine.all_stats()))

    async def recent(request: Request) -> Response:
        count = parse_count(request.query_params.get("count"))
        engine = hub.engine
        return _json(recent_metrics(engine.select(), engine.window.all(), count))

    async def board(request: Request) -> Response:
        return _json(encode(hub.describe()))

    async def health(request: Request) -> Response:
        engine, traffic = hub.engine, hub.traffic
        return _json(
            encode(
                Health(
                    "ok",
                    engine.epoch,
                    engine.seq,
                    ticks_skipped(),
                    hub.viewers,
                    hub.subscriptions,
                    len(hub.readers),
                    traffic.frames,
                    traffic.bytes,
                    traffic.frames_skipped,
                    traffic.viewers_stalled,
                    traffic.viewers_silent,
                    traffic.subscribers_stalled,
                    traffic.connections_refused,
                    round(traffic.last_delivery_s * 1000, 3),
                    {
                        name: NotifierHealth(each.sent, each.failed, each.dropped)
                        for name, each in traffic.notified.items()
                    },
                )
            )
        )

    async def openapi(request: Request) -> Response:
        return _json(encode(document(request.scope.get("root_path", ""))))

    async def schema(request: Request) -> Response:
        return _json(encode(config_schema()))

    endpoints = {
        "/api/stats": stats,
        "/api/metrics/recent": recent,
        "/api/board": board,
        "/api/health": health,
        "/api/openapi.json": openapi,
        "/api/config-schema.json": schema,
    }
    compressed = [Middleware(GZipMiddleware, minimum_size=1_000)]
    return [Route(path, endpoint, methods=["GET"], middleware=compressed) for path, endpoint in endpoints.items()]


def parse_count(text: str | None) -> int:
    """Return how many Metrics are asked for.

    Raises:
        InputError: it is not a whole number of 0 or more.
    """
    if text is None:
        return RECENT_METRICS
    if not (text.isascii() and text.isdigit()):
        raise InputError(f"count={text[:40]}: give a whole number of 0 or more")
    # Nobody has more than this, and int() refuses thousands of digits.
    return int(text) if len(text) < 19 else 10**18


def _json(body: bytes) -> Response:
    return Response(body, media_type="application/json", headers={"cache-control": "no-store"})
