"""``/api/alerts`` and ``/api/silences``: firing and resolved alerts, and people's actions on them."""

import time
from collections.abc import Awaitable, Callable
from heapq import merge
from typing import TypeVar, get_args

import msgspec
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tickboard.alerting.alerts import Alerts
from tickboard.alerting.question import AlertQuestion, FoundAlerts
from tickboard.errors import InputError
from tickboard.hub.hub import Hub
from tickboard.schedule import duration
from tickboard.server.announcing import Announcing
from tickboard.server.requests.connection_limits import address_of
from tickboard.server.requests.json_bodies import read_json
from tickboard.server.requests.parameters import one_of, range_of_time, whole_number
from tickboard.server.routes.documents import Documents
from tickboard.server.routes.operations import (
    Paths,
    Ref,
    Schema,
    failures,
    get,
    json,
    post,
    query,
    response,
    time_query,
)
from tickboard.server.routes.rates import ChangeRates
from tickboard.server.routes.reads import bounded
from tickboard.wire import AcknowledgeAlert, Alert, AlertPage, ErrorBody, Severity, Silence, SilenceAlert, encode

PAGE_ALERTS, MAX_PAGE_ALERTS = 50, 1_000
"""How many alerts a page has by default, and at most."""

MAX_TEXT = 1_000
"""The most characters of a note, a reason or a name: they are sent to all viewers, and stored."""

MAX_SILENCE_S = 366 * 86_400.0
"""The longest silence. A forgotten silence hides alerts that it was not meant for."""

STATES = ("all", "active", "resolved")

Read = Callable[[AlertQuestion, int], Awaitable[FoundAlerts]]
"""Returns the alerts that match a question and are no longer in the log, which holds events after a number only."""

Asked = TypeVar("Asked", AcknowledgeAlert, SilenceAlert)


def describe(ref: Ref) -> Paths:
    """Describe these routes."""
    texts = {"type": "array", "items": {"type": "string"}}
    limit = {"type": "integer", "minimum": 1, "maximum": MAX_PAGE_ALERTS, "default": PAGE_ALERTS}
    return {
        "/api/alerts": get(
            "alerts",
            "Firing and resolved alerts of the last 24 hours or of a range of time, newest first by when they began",
            ref(AlertPage),
            [
                query("state", "which alerts", {"enum": list(STATES), "default": STATES[0]}),
                query(
                    "severity",
                    "of any of these severities",
                    {"type": "array", "items": {"enum": list(get_args(Severity))}},
                ),
                query("rule", "of any of these rules", texts),
                query("metric", "of any of these metrics", texts),
                time_query("from", "only alerts that were firing at this time or began later"),
                time_query("to", "only alerts that began to fire before this time"),
                query("limit", "the most alerts in the answer", limit),
                query(
                    "before", "the `next` of the previous page", {"type": "integer", "minimum": 1, "maximum": 10**15}
                ),
            ],
            {"422": ref(ErrorBody), "503": ref(ErrorBody)},
        ),
        "/api/alerts/{id}/ack": _change(ref, "acknowledgeAlert", "Acknowledges an alert", AcknowledgeAlert, "409"),
        "/api/alerts/{id}/silence": _change(
            ref, "silenceAlert", "Silences an alert's rule and series for a while", SilenceAlert
        ),
        "/api/silences": get(
            "silences", "The silences in force, the first to end first", {"type": "array", "items": ref(Silence)}
        ),
    }


def _change(ref: Ref, operation: str, summary: str, asked: type, *also: str) -> Schema:
    """Describe an action on one alert; an empty body counts as an empty object."""
    unkept = {"type": "object", "properties": {"kept": {"const": False}}, "required": ["kept"]}
    unwritten = "in force until a restart, because the log of alerts cannot be written"
    statuses = ("400", "403", "404", "408", "413", "415", "422", "429", "503", *also)
    responses = {
        "200": response("done and stored: the alert as it is now", ref(Alert)),
        "202": response(unwritten, {"allOf": [ref(Alert), unkept]}),
        **failures(json(ref(ErrorBody)), statuses),
    }
    described = post(operation, summary, json(ref(asked)), responses)
    described["post"]["parameters"] = [{"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}]
    return described


def alert_routes(hub: Hub, announcer: Announcing) -> list[Route]:
    """Return the routes that read alerts and change them.

    Args:
        hub: the hub whose alerts they are.
        announcer: makes, stores and publishes changes; it raises the errors of `Alerts`.
    """
    rates = ChangeRates()

    def permit(request: Request, id: str) -> Callable[[], None]:  # the wire's name
        names = f"address {address_of(request.scope)}", f"alert {id}"
        return lambda: rates.take(time.monotonic(), *names)

    async def alerts(request: Request) -> Response:
        asked, journal = alert_question(request, int(time.time() * 1000)), announcer.journal
        read = None if journal is None else lambda asked, left: bounded(request, journal.resolved(asked, left))
        return _json(encode(await page(hub.engine.alerts, asked, read)))

    async def silences(request: Request) -> Response:
        now = time.time()
        found = sorted(hub.engine.alerts.silences(), key=lambda each: each[0])
        return _json(encode([silence for until, silence in found if until > now]))

    async def acknowledge(request: Request) -> Response:
        id, asked = request.path_params["id"], await _asked(request, AcknowledgeAlert, '{"note": "on it"}')
        may = permit(request, id)
        return _acted(*await announcer.act(lambda alerts, now: alerts.acknowledge(id, now, asked.note, asked.by, may)))

    async def silence(request: Request) -> Response:
        id, asked = request.path_params["id"], await _asked(request, SilenceAlert, '{"duration": "1h", "reason": "…"}')
        length_s, may = silence_length(asked), permit(request, id)
        return _acted(
            *await announcer.act(lambda alerts, now: alerts.silence(id, now, length_s, asked.reason, asked.by, may))
        )

    compressed = [Middleware(Documents)]
    return [
        Route("/api/alerts", alerts, methods=["GET"], middleware=compressed),
        Route("/api/alerts/{id}/ack", acknowledge, methods=["POST"]),
        Route("/api/alerts/{id}/silence", silence, methods=["POST"]),
        Route("/api/silences", silences, methods=["GET"], middleware=compressed),
    ]


def alert_question(request: Request, now_ms: int) -> AlertQuestion:
    """Return the question in a request for alerts.

    Raises:
        InputError: a parameter is invalid.
    """
    asked = request.query_params
    state = one_of(asked.get("state", "all"), "state", STATES)
    for severity in asked.getlist("severity"):
        one_of(severity, "severity", get_args(Severity))
    return AlertQuestion(
        state,
        {name: frozenset(asked.getlist(name)) for name in ("severity", "rule", "metric") if name in asked},
        whole_number(asked.get("limit"), "limit", PAGE_ALERTS, MAX_PAGE_ALERTS),
        whole_number(asked.get("before"), "before", 10**15, 10**15),
        *range_of_time(asked, now_ms),
    )


async def page(alerts: Alerts, asked: AlertQuestion, read: Read | None) -> AlertPage:
    """Return the page of alerts that a question asks for, newest first by the number of their firing event.

    Args:
        alerts: the board's alerts.
        asked: the question.
        read: reads alerts that are no longer in the log; None: there are none.
    """
    log = alerts.log
    found = [(number, alert) for number, alert in reversed(log.alerts()) if asked.matches(alert)]
    rest = [(number, alert) for number, alert in found if number < asked.before]
    older = FoundAlerts(0, [])
    # The log has every alert that ended after the last one that left it.
    if read is not None and asked.is_of_range and log.older and (asked.start or "") <= log.older:
        older = await read(asked, log.left)
    rest = list(merge(rest[: asked.limit + 1], older.page, key=lambda each: -each[0]))
    shown = rest[: asked.limit]
    as_is = {alert.id: alert for alert in alerts.active({alert.id for _, alert in shown})}
    return AlertPage(
        [alert if alert.resolved is not None else as_is.get(alert.id, alert) for _, alert in shown],
        len(found) + older.total,
        shown[-1][0] if len(rest) > asked.limit else None,
    )


def silence_length(asked: SilenceAlert) -> float:
    """Return how many seconds a silence should last; 0 ends one.

    Raises:
        InputError: it is not a duration, or too long, or it has no reason.
    """
    length_s = duration(asked.duration)
    if length_s > MAX_SILENCE_S:
        raise InputError(
            f"duration {asked.duration[:40]!r}: the longest silence is 366d: silence for less, or fix the rule"
        )
    if length_s and not asked.reason.strip():
        raise InputError("reason is empty: say why, so that others know later why nobody was notified")
    return length_s


async def _asked(request: Request, kind: type[Asked], example: str) -> Asked:
    """Return the body of a request.

    Raises:
        PayloadError: it is not JSON, not declared as JSON, or too large.
        InputError: a field is missing, unknown, of another type or too long.
    """
    asked = await read_json(request, kind, example)
    for name, text in msgspec.structs.asdict(asked).items():
        if len(text) > MAX_TEXT:
            raise InputError(f"{name} has {len(text)} characters: send {MAX_TEXT} at most")
    return asked


def _acted(alert: Alert, kept: bool) -> Response:
    """Answer an action: with 202 if it is in force, but would be lost with a restart."""
    if kept:
        return _json(encode(alert))
    return _json(encode({**msgspec.to_builtins(alert), "kept": False}), 202)


def _json(body: bytes, status: int = 200) -> Response:
    return Response(body, status, media_type="application/json", headers={"cache-control": "no-store"})
