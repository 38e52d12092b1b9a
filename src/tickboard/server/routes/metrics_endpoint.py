"""``GET /metrics``: Tickboard's own metrics for scrapers, in the Prometheus text format or in OpenMetrics.

It returns the counters of the hub and of the sources since the start; the scraper computes rates.
`tickboard.sources.own_metrics` shows the same on a board.
"""

import time
from collections.abc import Callable, Iterable, Sequence
from itertools import accumulate

from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tickboard.history.layout import HistoryStatus
from tickboard.history.store import History
from tickboard.hub.health import Vitals
from tickboard.hub.hub import Hub
from tickboard.hub.traffic import DELIVERY_BOUNDS_S, NatsTraffic, RemoteWritten, Traffic
from tickboard.metrics.intake import Intake
from tickboard.metrics.openmetrics import braces
from tickboard.problems import Problems
from tickboard.server.routes.documents import listed, quality
from tickboard.server.routes.operations import Paths, Ref

TEXT = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"

Labels = tuple[tuple[str, str], ...]
Sample = tuple[Labels, float]


class Family(Struct, frozen=True):
    """A metric with all its samples.

    Attributes:
        name: its name, without the ``_total`` of a counter.
        kind: gauge, counter or histogram.
        meaning: its description in one sentence.
        samples: the labels and the value of each. For a histogram: each bound in ``le``, and the number of values up to
            it.
        sum: the sum of a histogram's values.
    """

    name: str
    kind: str
    meaning: str
    samples: Sequence[Sample]
    sum: float = 0.0


def prometheus_route(
    hub: Hub, intake: Intake, vitals: Callable[[], Vitals], history: Callable[[], History | None]
) -> Route:
    """Return the route."""

    async def metrics(request: Request) -> Response:
        openmetrics = wants_openmetrics(request.headers.getlist("accept"))
        return Response(
            exposition(
                families(hub, intake, vitals(), None if (kept := history()) is None else kept.status()),
                openmetrics=openmetrics,
            ),
            media_type=OPENMETRICS if openmetrics else TEXT,
            headers={"cache-control": "no-store", "vary": "Accept"},
        )

    return Route("/metrics", metrics, methods=["GET"])


def describe(ref: Ref) -> Paths:  # the text has no wire type
    """Describe this route."""
    text = {"schema": {"type": "string"}}
    return {
        "/metrics": {
            "get": {
                "operationId": "metrics",
                "summary": "Tickboard's own metrics for Prometheus, in the format that Accept prefers",
                "responses": {
                    "200": {
                        "description": "the metrics",
                        "content": {"text/plain": text, "application/openmetrics-text": text},
                    }
                },
            }
        }
    }


def wants_openmetrics(accept: Iterable[str]) -> bool:
    """Return whether Accept headers prefer OpenMetrics to the text format; without such headers, they don't.

    The format with the higher ``q`` is preferred, and OpenMetrics if both are equal, since it was named explicitly.
    """
    open_quality = text_quality = 0.0
    for media_range in listed(accept):
        kind, *parameters = (part.strip().lower() for part in media_range.split(";"))
        wanted = quality(parameters)
        if kind == "application/openmetrics-text" and _version(parameters) in {"", "1.0.0", "0.0.1"}:
            open_quality = max(open_quality, wanted)
        elif kind == "text/plain":
            text_quality = max(text_quality, wanted)
    return open_quality > 0 and open_quality >= text_quality


def exposition(families: Iterable[Family], *, openmetrics: bool = False) -> str:
    """Return the document, in the text format (0.0.4) or in OpenMetrics (1.0)."""
    lines = [line for family in families for line in _lines(family, openmetrics=openmetrics)]
    return "\n".join([*lines, "# EOF"] if openmetrics else lines) + "\n"


def families(hub: Hub, intake: Intake, vitals: Vitals, kept: HistoryStatus | None = None) -> list[Family]:
    """Return all families; `kept` is the history's status."""
    traffic = hub.traffic
    return [
        _gauge("viewers", "WebSockets that watch.", hub.viewers),
        _gauge("subscriptions", "Distinct subscriptions of viewers.", hub.subscriptions),
        _gauge("subscribers", "Readers of the alert stream.", len(hub.readers)),
        _counter("ticks", "Ticks of this epoch.", hub.engine.seq),
        _counter("ticks_skipped", "Ticks that could not be made in time.", vitals.ticks_skipped),
        _counter("frames_sent", "Messages sent to viewers.", traffic.frames),
        _counter("sent_bytes", "Bytes of messages sent to viewers.", traffic.bytes),
        _counter("frames_skipped", "Ticks not sent to slow viewers.", traffic.frames_skipped),
        _counter("connections_refused", "Connections refused with 503.", traffic.connections_refused),
        Family(
            "requests_refused",
            "counter",
            "Requests and connections refused before they reached a route.",
            [((("reason", reason),), count) for reason, count in traffic.requests_refused.items()],
        ),
        Family(
            "viewers_dropped",
            "counter",
            "Viewers disconnected because they read nothing, or answered no ping.",
            [
                ((("reason", "stalled"),), traffic.viewers_stalled),
                ((("reason", "silent"),), traffic.viewers_silent),
            ],
        ),
        _counter(
            "subscribers_dropped", "Alert readers disconnected because they read nothing.", traffic.subscribers_stalled
        ),
        *_problems(hub.problems, vitals),
        *_notifications(traffic),
        _deliveries(traffic),
        *_history(kept),
        *_remote_write(traffic.remote_written),
        *_nats(traffic.published),
        *_hosts(vitals.host_values_dropped),
        *_sources(intake),
    ]


def _gauge(name: str, meaning: str, value: float) -> Family:
    return Family(name, "gauge", meaning, [((), value)])


def _counter(name: str, meaning: str, value: float) -> Family:
    return Family(name, "counter", meaning, [((), value)])


def _problems(problems: Problems, vitals: Vitals) -> list[Family]:
    """Return whether ticks are published, which sources have a problem, and how often each has reported one."""
    return [
        _gauge("failing", "1 while no tick is published, else 0.", float(vitals.failing)),
        Family(
            "problem", "gauge", "1 for each source that has a problem.", [((("source", s),), 1.0) for s in problems]
        ),
        Family(
            "failures",
            "counter",
            "Problems reported by each source, repeated ones included.",
            [((("source", source),), count) for source, count in problems.failures.items()],
        ),
    ]


def _notifications(traffic: Traffic) -> list[Family]:
    """Return the results of notifications; nothing without notifiers."""
    if not traffic.notified:
        return []
    results: list[Sample] = []
    dropped: list[Sample] = []
    for name, each in traffic.notified.items():
        notifier = ("notifier", name)
        results += [((notifier, ("result", "sent")), each.sent), ((notifier, ("result", "failed")), each.failed)]
        dropped.append(((notifier,), each.dropped))
    return [
        Family("notifications", "counter", "Messages about alerts: delivered, and attempts that failed.", results),
        Family("notifications_dropped", "counter", "Alerts that were dropped before they could be sent.", dropped),
    ]


def _deliveries(traffic: Traffic) -> Family:
    bounds = [*(str(bound) for bound in DELIVERY_BOUNDS_S), "+Inf"]
    counts = accumulate(traffic.deliveries)
    samples: list[Sample] = [((("le", bound),), count) for bound, count in zip(bounds, counts, strict=True)]
    return Family(
        "delivery_seconds", "histogram", "Time from a tick to its last write.", samples, sum=traffic.delivery_s
    )


def _history(kept: HistoryStatus | None) -> list[Family]:
    """Return the state of the history; nothing without a history."""
    if kept is None:
        return []
    return [
        _gauge("history_bytes", "Bytes of the history on disk.", kept.file_bytes),
        _gauge("history_series", "Series in the history, including those that have left the board.", kept.series),
        _gauge("history_queued", "Ticks that wait to be written to the history.", kept.queued),
        _counter("history_dropped", "Ticks and late values that the history could not store.", kept.dropped),
        _counter("history_lost", "Damaged columns found in the history.", kept.lost),
    ]


def _nats(published: NatsTraffic | None) -> list[Family]:
    """Return the state of the connection on which the board is published; nothing if it is not."""
    if published is None:
        return []
    results = ("sent", "dropped", "received", "lost")
    return [
        _gauge("nats_connected", "1 while there is a connection to NATS, else 0.", float(published.connected)),
        _gauge("nats_calls", "Open calls of walls.", published.calls),
        _counter("nats_calls_refused", "Calls of walls refused because there were too many.", published.calls_refused),
        _counter("nats_connections", "Connections to NATS that were made.", published.connections),
        Family(
            "nats_messages",
            "counter",
            "Messages on NATS: sent, dropped before they were sent, received, and lost after they were received.",
            [((("result", result),), getattr(published, result)) for result in results],
        ),
    ]


def _hosts(dropped: int | None) -> list[Family]:
    """Return the counters of the hosts that the board follows; nothing if it follows none."""
    if dropped is None:
        return []
    return [_counter("host_values_dropped", "Late values of hosts for which the board has no tick.", dropped)]


def _remote_write(written: RemoteWritten | None) -> list[Family]:
    """Return the results of remote write; nothing without remote write."""
    if written is None:
        return []
    return [
        Family(
            "remote_write_samples",
            "counter",
            "Samples of remote write that the receiver accepted or refused.",
            [((("result", "sent"),), written.sent), ((("result", "refused"),), written.refused)],
        ),
        _counter("remote_write_failures", "Requests of remote write that failed and were tried again.", written.failed),
        _gauge("remote_write_waiting", "Approximate number of samples that wait for remote write.", written.waiting),
        # The oldest sample's time is the wall clock's.
        _gauge(
            "remote_write_behind_seconds",
            "Age of the oldest sample that waits for remote write.",
            written.behind_s(time.time()),
        ),
    ]


_SOURCE_COUNTERS = (
    ("samples", "Accepted samples.", "samples"),
    ("samples_late", "Accepted samples that went to an earlier tick.", "late"),
    ("samples_too_old", "Dropped samples: older than the oldest tick or than an earlier sample.", "too_old"),
    ("samples_refused", "Samples of refused series.", "refused"),
    ("samples_malformed", "Lines, samples or requests that could not be read.", "malformed"),
)


def _sources(intake: Intake) -> list[Family]:
    """Return what each source has sent; families without a sample are left out."""
    sources = [((("source", name),), source) for name, source in intake.sources.items()]
    if not sources:
        return []
    return [
        Family("source_series", "gauge", "Series of each source.", [(labels, one.series) for labels, one in sources]),
        *(
            Family(name, "counter", meaning, [(labels, getattr(one, counted)) for labels, one in sources])
            for name, meaning, counted in _SOURCE_COUNTERS
        ),
    ]


# --- the formats ---


def _lines(family: Family, *, openmetrics: bool) -> list[str]:
    name = f"tickboard_{family.name}"
    sampled = f"{name}_total" if family.kind == "counter" else name
    # The text format names a counter by its samples, OpenMetrics by its family.
    head = name if openmetrics else sampled
    lines = [f"# HELP {head} {family.meaning}", f"# TYPE {head} {family.kind}"]
    if openmetrics and (unit := head.rpartition("_")[2]) in {"seconds", "bytes"}:
        lines.append(f"# UNIT {head} {unit}")
    if family.kind != "histogram":
        return [*lines, *(f"{sampled}{braces(labels)} {value}" for labels, value in family.samples)]
    lines += [f"{name}_bucket{braces(labels)} {value}" for labels, value in family.samples]
    return [*lines, f"{name}_sum {family.sum}", f"{name}_count {family.samples[-1][1]}"]


# --- the Accept header ---


def _parameter(parameters: list[str], wanted: str) -> str:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == wanted:
            return value.strip().strip('"')
    return ""


def _version(parameters: list[str]) -> str:
    return _parameter(parameters, "version")
