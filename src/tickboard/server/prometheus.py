"""Tickboard's own metrics in the Prometheus text format, version 0.0.4: ``GET /metrics``.

It reads the hub's counters as they are, since the start; what scrapes it makes rates of them.
"""

from collections.abc import Callable
from itertools import accumulate

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tickboard.hub import Hub
from tickboard.traffic import DELIVERY_BOUNDS_S, Traffic

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def prometheus_route(hub: Hub, ticks_skipped: Callable[[], int]) -> Route:
    """Return the route."""

    async def metrics(request: Request) -> Response:
        return Response(
            exposition(hub, ticks_skipped()), media_type=CONTENT_TYPE, headers={"cache-control": "no-store"}
        )

    return Route("/metrics", metrics, methods=["GET"])


def exposition(hub: Hub, ticks_skipped: int) -> str:
    """Return the document."""
    traffic = hub.traffic
    lines = [
        *_single("viewers", "gauge", "WebSockets that watch.", hub.viewers),
        *_single("subscriptions", "gauge", "Distinct subscriptions that they have.", hub.subscriptions),
        *_single("subscribers", "gauge", "Readers of the alert stream.", len(hub.subscribers)),
        *_single("ticks_total", "counter", "Ticks of this epoch.", hub.engine.seq),
        *_single("ticks_skipped_total", "counter", "Ticks that could not be made in time.", ticks_skipped),
        *_single("frames_sent_total", "counter", "Messages sent to viewers.", traffic.frames),
        *_single("sent_bytes_total", "counter", "Bytes of those messages.", traffic.bytes),
        *_single("frames_skipped_total", "counter", "Ticks not sent to slow viewers.", traffic.frames_skipped),
        *_single("connections_refused_total", "counter", "Connections refused with 503.", traffic.connections_refused),
        *_family("viewers_dropped_total", "counter", "Viewers closed: they took nothing, or answered no ping."),
        f'tickboard_viewers_dropped_total{{reason="stalled"}} {traffic.viewers_stalled}',
        f'tickboard_viewers_dropped_total{{reason="silent"}} {traffic.viewers_silent}',
        *_deliveries(traffic),
    ]
    return "\n".join(lines) + "\n"


def _family(name: str, kind: str, meaning: str) -> list[str]:
    return [f"# HELP tickboard_{name} {meaning}", f"# TYPE tickboard_{name} {kind}"]


def _single(name: str, kind: str, meaning: str, value: int) -> list[str]:
    return [*_family(name, kind, meaning), f"tickboard_{name} {value}"]


def _deliveries(traffic: Traffic) -> list[str]:
    name = "delivery_seconds"
    bounds = [*(str(bound) for bound in DELIVERY_BOUNDS_S), "+Inf"]
    counts = list(accumulate(traffic.deliveries))
    return [
        *_family(name, "histogram", "From a tick to the last write of it."),
        *(f'tickboard_{name}_bucket{{le="{bound}"}} {count}' for bound, count in zip(bounds, counts, strict=True)),
        f"tickboard_{name}_sum {traffic.delivery_s}",
        f"tickboard_{name}_count {counts[-1]}",
    ]
