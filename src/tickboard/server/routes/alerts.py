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

from tickboard.alerting.actions import Permit
from tickboard.alerting.alerts import Alerts
from tickboard.alerting.question import AlertQuestion, FoundAlerts
from tickboard.errors import InputError
from tickboard.fleet.link import HostLinks
from tickboard.hub.hub import Hub
from tickboard.server.announcing import Announcing
from tickboard.server.requests.connection_limits import address_of
from tickboard.server.requests.identity import signed
from tickboard.server.requests.json_bodies import read_json
from tickboard.server.requests.parameters import one_of, range_of_time, whole_number
from tickboard.server.routes.alert_actions import ActionOutcome, AlertActions
from tickboard.server.routes.documents import Documents
from tickboard.server.routes.host_boards import caller_in
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
from tickboard.wire import (
    AcknowledgeAlert,
    AcknowledgeAlerts,
    Alert,
    AlertPage,
    ChangedAlerts,
    ErrorBody,
    RefusedAlert,
    Severity,
    Silence,
    SilenceAlert,
    SilenceAlerts,
    encode,
)

PAGE_ALERTS, MAX_PAGE_ALERTS = 50, 1_000
"""How many alerts a page has by default, and at most."""

MAX_TEXT = 1_000
"""The most characters of a note, a reason or a name: they are sent to all viewers, and stored."""

MAX_IDS = 1_000
"""The most alerts of one request to acknowledge or silence."""

GROUP_PER_S = 0.1
"""How many requests for several alerts an address may make in a second, after the first ones."""

STATES = ("all", "active", "resolved")

Read = Callable[[AlertQuestion, int], Awaitable[FoundAlerts]]
"""Returns the alerts that match a question and are no longer in the log, which holds events after a number only."""

Asked = TypeVar("Asked", bound=AcknowledgeAlert | SilenceAlert)

AskedOf = TypeVar("AskedOf", AcknowledgeAlerts, SilenceAlerts)

ACKNOWLEDGE, SILENCE = '{"note": "on it"}', '{"duration": "1h", "reason": "…"}'
"""Examples of bodies, for messages."""


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
                query("host", "of any of these hosts that the board follows; empty: the board's own", texts),
                time_query("from", "only alerts that were firing at this time or began later"),
                time_query("to", "only alerts that began to fire before this time"),
                query("limit", "the most alerts in the answer", limit),
                query(
                    "before", "the `next` of the previous page", {"type": "integer", "minimum": 1, "maximum": 10**15}
                ),
            ],
            {"422": ref(ErrorBody), "503": ref(ErrorBody)},
        ),
        "/api/alerts/{id}/ack": _change(ref, "acknowledgeAlert", "Acknowledges an alert", AcknowledgeAlert),
        "/api/alerts/{id}/silence": _change(
            ref, "silenceAlert", "Silences an alert's series, or all series of its rule", SilenceAlert
        ),
        "/api/alerts/ack": _changes(ref, "acknowledgeAlerts", "Acknowledges several alerts", AcknowledgeAlerts),
        "/api/alerts/silence": _changes(
            ref, "silenceAlerts", "Silences the series of several alerts, or all series of their rules", SilenceAlerts
        ),
        "/api/silences": get(
            "silences", "The silences in force, the first to end first", {"type": "array", "items": ref(Silence)}
        ),
    }


UNWRITTEN = "in force until a restart, because the log of alerts cannot be written"
UNKEPT = {"type": "object", "properties": {"kept": {"const": False}}, "required": ["kept"]}
STATUSES = ("400", "403", "404", "408", "409", "413", "415", "422", "429", "502", "503")


def _changes(ref: Ref, operation: str, summary: str, asked: type) -> Schema:
    """Describe an action on several alerts."""
    responses = {
        "200": response(
            "done and stored, except for the refused ones; if all are refused, 404 or 409", ref(ChangedAlerts)
        ),
        "202": response(UNWRITTEN, {"allOf": [ref(ChangedAlerts), UNKEPT]}),
        **failures(json(ref(ErrorBody)), STATUSES),
    }
    return post(operation, summary, json(ref(asked)), responses)


def _change(ref: Ref, operation: str, summary: str, asked: type) -> Schema:
    """Describe an action on one alert; an empty body counts as an empty object."""
    responses = {
        "200": response("done and stored: the alert as it is now", ref(Alert)),
        "202": response(UNWRITTEN, {"allOf": [ref(Alert), UNKEPT]}),
        **failures(json(ref(ErrorBody)), STATUSES),
    }
    described = post(operation, summary, json(ref(asked)), responses)
    described["post"]["parameters"] = [{"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}]
    return described


def alert_routes(hub: Hub, announcer: Announcing, hosts: HostLinks | None) -> list[Route]:
    """Return the routes that read alerts and change them.

    Args:
        hub: the hub whose alerts they are.
        announcer: makes, stores and publishes changes; it raises the errors of `Alerts`.
        hosts: the hosts whose alerts are among them; None: the board follows none.
    """
    actions = AlertActions(lambda: hub.engine.alerts.log, announcer, hosts)
    rates = ChangeRates()
    group_rates = ChangeRates("requests for several alerts", "from one address", per_s=GROUP_PER_S)

    def permit(request: Request, id: str) -> Permit:  # the wire's name
        names = f"address {address_of(request.scope)}", f"alert {id}"
        return lambda: rates.take(time.monotonic(), *names)

    def permit_group(request: Request) -> Permit:
        name = f"address {address_of(request.scope)}"
        return lambda: group_rates.take(time.monotonic(), name)

    async def alerts(request: Request) -> Response:
        asked, journal = alert_question(request, int(time.time() * 1000)), announcer.journal
        read = None if journal is None else lambda asked, left: bounded(request, journal.resolved(asked, left))
        return _json(encode(await page(hub.engine.alerts, asked, read)))

    async def silences(request: Request) -> Response:
        now = time.time()
        found = sorted(hub.engine.alerts.silences(), key=lambda each: each[0])
        return _json(encode([each for until, each in found if until > now]))

    async def acknowledge_one(request: Request) -> Response:
        return await act_on_one(request, await _asked(request, AcknowledgeAlert, ACKNOWLEDGE))

    async def acknowledge_several(request: Request) -> Response:
        return await act_on_several(request, await _asked_of(request, AcknowledgeAlerts, ACKNOWLEDGE))

    async def silence_one(request: Request) -> Response:
        return await act_on_one(request, await _asked(request, SilenceAlert, SILENCE))

    async def silence_several(request: Request) -> Response:
        return await act_on_several(request, await _asked_of(request, SilenceAlerts, SILENCE))

    async def act_on_one(request: Request, asked: AcknowledgeAlert | SilenceAlert) -> Response:
        id = request.path_params["id"]
        return _acted(await actions.act([id], asked, caller_in(request.scope), permit(request, id)))

    async def act_on_several(request: Request, asked: AcknowledgeAlerts | SilenceAlerts) -> Response:
        return _acted_all(await actions.act(asked.ids, asked, caller_in(request.scope), permit_group(request)), asked)

    compressed = [Middleware(Documents)]
    return [
        Route("/api/alerts", alerts, methods=["GET"], middleware=compressed),
        Route("/api/alerts/ack", acknowledge_several, methods=["POST"]),
        Route("/api/alerts/silence", silence_several, methods=["POST"]),
        Route("/api/alerts/{id}/ack", acknowledge_one, methods=["POST"]),
        Route("/api/alerts/{id}/silence", silence_one, methods=["POST"]),
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
        {name: frozenset(asked.getlist(name)) for name in ("severity", "rule", "metric", "host") if name in asked},
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


async def _asked(request: Request, kind: type[Asked], example: str) -> Asked:
    """Return the body of a request, signed with the name of the person who is logged in.

    Raises:
        PayloadError: it is not JSON, not declared as JSON, or too large.
        InputError: a field is missing, unknown, of another type or too long.
    """
    asked = await read_json(request, kind, example)
    for name, text in msgspec.structs.asdict(asked).items():
        if isinstance(text, str) and len(text) > MAX_TEXT:
            raise InputError(f"{name} has {len(text)} characters: send {MAX_TEXT} at most")
    return msgspec.structs.replace(asked, by=signed(request.scope, asked.by))


async def _asked_of(request: Request, kind: type[AskedOf], example: str) -> AskedOf:
    """Return the body of a request for several alerts.

    Raises:
        PayloadError: it is not JSON, not declared as JSON, or too large.
        InputError: a field is missing, unknown, of another type or too long.
    """
    asked = await _asked(request, kind, f'{{"ids": ["…"], {example[1:]}')
    if not 0 < len(asked.ids) <= MAX_IDS:
        raise InputError(f"ids has {len(asked.ids)} entries: send 1 to {MAX_IDS}")
    return asked


def _acted(changed: ActionOutcome) -> Response:
    """Answer an action: with 202 if it is in force, but would be lost with a restart."""
    [alert] = changed.alerts.values()
    if changed.kept:
        return _json(encode(alert))
    return _json(encode({**msgspec.to_builtins(alert), "kept": False}), 202)


def _acted_all(changed: ActionOutcome, asked: AcknowledgeAlerts | SilenceAlerts) -> Response:
    """Answer an action on several alerts, in the order in which they were asked for."""
    ids = dict.fromkeys(asked.ids)
    alerts = [changed.alerts[id] for id in ids if id in changed.alerts]
    refused = [RefusedAlert(id, str(changed.refused[id])) for id in ids if id in changed.refused]
    return _json(encode(ChangedAlerts(alerts, refused, changed.kept)), 200 if changed.kept else 202)


def _json(body: bytes, status: int = 200) -> Response:
    return Response(body, status, media_type="application/json", headers={"cache-control": "no-store"})
