"""The REST documents: stats, recent metrics, the board, its health and the schema of its configuration."""

import time
from collections.abc import Callable, Generator
from typing import Any, cast

from msgspec import structs
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tickboard.configuration.config import config_schema
from tickboard.engine import STEP_SERIES, Engine
from tickboard.errors import InputError
from tickboard.history.layout import HistoryStatus
from tickboard.history.store import History
from tickboard.hub.encodings import recent_metrics
from tickboard.hub.health import Vitals, health
from tickboard.hub.hub import Hub
from tickboard.hub.traffic import RemoteWritten
from tickboard.server.requests.detail_access import sees_details
from tickboard.server.requests.identity import can_log_out, identity_of, may_view
from tickboard.server.routes.documents import Documents, static_json
from tickboard.server.routes.large import Large
from tickboard.server.routes.operations import Paths, Ref, get, query
from tickboard.wire import (
    BoardInfo,
    ErrorBody,
    Health,
    HealthInBrief,
    HistoryHealth,
    Me,
    Metric,
    NatsHealth,
    NotifierHealth,
    RemoteWriteHealth,
    Stats,
    TierHealth,
    encode,
    timestamp,
)

BOARD_VALUES = 4
"""The size of one metric in the description of a board, with its card and its chart, in values of a document."""

RECENT_METRICS = 60
"""How many Metrics ``/api/metrics/recent`` returns by default."""


def rest_routes(hub: Hub, vitals: Callable[[], Vitals], history: Callable[[], History | None]) -> list[Route]:
    """Return the REST routes of a hub; the health document includes the state of the history."""
    all_stats, newest, boards = Large(), Large(), Large()

    async def stats(request: Request) -> Response:
        engine = hub.engine
        return await all_stats.answer(request, _now(engine), len(engine.registry.series), lambda: _stats(engine))

    async def recent(request: Request) -> Response:
        engine = hub.engine
        most = len(engine.registry.series) * len(engine.window)
        asked = parse_count(request.query_params.get("count"))
        # Requests for more than there is share one answer. It includes a tick that comes before it is made.
        count = min(asked, most)
        return await newest.answer(request, (_now(engine), count), count, lambda: _recent(engine, asked))

    async def board(request: Request) -> Response:
        engine, details = hub.engine, sees_details(request.scope)
        # Problems may change between two ticks; their frame then changes as well.
        key = (*_now(engine), details, hub.problems_frames[details])
        return await boards.answer(
            request, key, BOARD_VALUES * len(engine.registry.metrics), lambda: _board(hub, details=details)
        )

    async def health_now(request: Request) -> Response:
        engine, traffic, now = hub.engine, hub.traffic, vitals()
        status, reasons = health(now, hub.problems.shown(details=sees_details(request.scope)), time.time())
        code = 503 if status == "failing" else 200
        if not may_view(request.scope):
            return _json(encode(HealthInBrief(status)), code)
        return _json(
            encode(
                Health(
                    status,
                    reasons,
                    engine.epoch,
                    engine.seq,
                    now.ticks_skipped,
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
                    sum(traffic.requests_refused.values()),
                    round(traffic.last_delivery_s * 1000, 3),
                    {
                        name: NotifierHealth(each.sent, each.failed, each.dropped)
                        for name, each in traffic.notified.items()
                    },
                    _history_health(kept.status()) if (kept := history()) is not None and kept.is_open else None,
                    None if (written := traffic.remote_written) is None else _remote_write(written, time.time()),
                    None if traffic.published is None else NatsHealth(**structs.asdict(traffic.published)),
                    now.host_values_dropped,
                )
            ),
            code,
        )

    async def me(request: Request) -> Response:
        identity = identity_of(request.scope)
        if identity is None:
            return _json(encode(Me("", "admin")))
        return _json(encode(Me(identity.name, cast(Any, identity.role), can_log_out(identity))))

    async def schema(request: Request) -> Response:
        return static_json(config_schema())

    endpoints = {
        "/api/stats": stats,
        "/api/metrics/recent": recent,
        "/api/board": board,
        "/api/health": health_now,
        "/api/config-schema.json": schema,
        "/api/me": me,
    }
    compressed = [Middleware(Documents)]
    return [Route(path, endpoint, methods=["GET"], middleware=compressed) for path, endpoint in endpoints.items()]


def describe(ref: Ref) -> Paths:
    """Describe these routes."""
    count = query(
        "count",
        "how many at most",
        {"type": "integer", "minimum": 0, "default": RECENT_METRICS},
    )
    return {
        "/api/stats": get(
            "stats",
            "The stats of every series over the window, by key",
            {"type": "object", "additionalProperties": ref(Stats)},
        ),
        "/api/metrics/recent": get(
            "recentMetrics",
            "The newest Metrics of the window, oldest first",
            {"type": "array", "items": ref(Metric)},
            [count],
            {"422": ref(ErrorBody)},
        ),
        "/api/board": get("board", "The board's title, metrics, panels, rules and problems", ref(BoardInfo)),
        "/api/health": get(
            "health",
            "Whether ticks are published, which problems there are, and viewers; without a login only the first",
            {"anyOf": [ref(Health), ref(HealthInBrief)]},
            errors={"503": {"anyOf": [ref(Health), ref(HealthInBrief)]}},
        ),
        "/api/me": get("me", "Who makes the request, and what they may do", ref(Me)),
        "/api/config-schema.json": get("configSchema", "The JSON Schema of tickboard.toml", {"type": "object"}),
    }


def _history_health(status: HistoryStatus) -> HistoryHealth:
    raw, minutes, hours = (
        TierHealth(None if tier.oldest_ms is None else timestamp(tier.oldest_ms / 1000), tier.bytes)
        for tier in (status.raw, status.minutes, status.hours)
    )
    return HistoryHealth(
        raw,
        minutes,
        hours,
        status.file_bytes,
        status.series,
        status.queued,
        status.dropped,
        status.lost,
    )


def _remote_write(written: RemoteWritten, now: float) -> RemoteWriteHealth:
    return RemoteWriteHealth(
        written.sent, written.refused, written.failed, written.waiting, round(written.behind_s(now), 3)
    )


def _now(engine: Engine) -> tuple[str, int, int]:
    """Return the common part of the keys of all documents of one tick."""
    return engine.epoch, engine.seq, engine.registry.revision


def _board(hub: Hub, *, details: bool) -> Generator[None, None, list[bytes]]:
    return [encode((yield from hub.board.described(details=details)))]


def _stats(engine: Engine) -> Generator[None, None, list[bytes]]:
    found = list((yield from engine.all_stats()).items())
    pieces = [b"{"]
    for start in range(0, len(found), STEP_SERIES):
        yield
        pieces += [encode(dict(found[start : start + STEP_SERIES]))[1:-1], b","]
    return [*pieces[: max(1, len(pieces) - 1)], b"}"]


def _recent(engine: Engine, count: int) -> Generator[None, None, list[bytes]]:
    return (yield from recent_metrics(engine.select(), engine.window.all(), count))


def parse_count(text: str | None) -> int:
    """Parse the number of Metrics that a request asks for.

    Raises:
        InputError: it is not a whole number of 0 or more.
    """
    if text is None:
        return RECENT_METRICS
    if not (text.isascii() and text.isdigit()):
        raise InputError(f"count={text[:40]}: give a whole number of 0 or more")
    # No window has more than this, and int() refuses thousands of digits.
    return int(text) if len(text) < 19 else 10**18


def _json(body: bytes, status: int = 200) -> Response:
    return Response(body, status, media_type="application/json", headers={"cache-control": "no-store"})
