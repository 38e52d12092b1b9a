"""``/api/alerts/spans``: when alerts fired in a range of time, thinned for a picture of it."""

import time
from collections.abc import Awaitable, Callable

from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tickboard.alerting.alerts import Alerts
from tickboard.alerting.spans import Found, SpanQuestion, span_question, spans_in, thinned
from tickboard.hub.hub import Hub
from tickboard.server.announcing import Announcing
from tickboard.server.requests.parameters import range_of_time, whole_number
from tickboard.server.routes.documents import Documents
from tickboard.server.routes.operations import Paths, Ref, get, query, time_query
from tickboard.server.routes.reads import bounded
from tickboard.times import parse_time, time_text
from tickboard.wire import AlertSpans, ErrorBody, encode

POINTS, MAX_POINTS = 500, 5_000
"""How many steps the range has by default, and at most."""

LENGTH_MS = 86_400_000
"""How long before its end the range begins, unless the question says when."""

Read = Callable[[SpanQuestion, int], Awaitable[list[Found]]]
"""Returns when alerts fired that are no longer in the log, which holds events after a number only."""


def describe(ref: Ref) -> Paths:
    """Describe this route."""
    points = {"type": "integer", "minimum": 1, "maximum": MAX_POINTS, "default": POINTS}
    return {
        "/api/alerts/spans": get(
            "alertSpans",
            "When alerts fired in a range of time, thinned: those of one severity that began in the same step are one",
            ref(AlertSpans),
            [
                time_query("from", "the beginning of the range, inclusive; a day before its end if not given"),
                time_query("to", "its end, exclusive", "now"),
                query("points", "the most steps in the range", points),
            ],
            {"422": ref(ErrorBody), "503": ref(ErrorBody)},
        )
    }


def alert_spans_route(hub: Hub, announcer: Announcing) -> Route:
    """Return the route.

    Args:
        hub: the hub whose alerts they are.
        announcer: has the journal.
    """

    async def spans(request: Request) -> Response:
        asked, journal = asked_spans(request, int(time.time() * 1000)), announcer.journal
        read = None if journal is None else lambda asked, left: bounded(request, journal.spans(asked, left))
        answer = encode(await alert_spans(hub.engine.alerts, asked, read))
        return Response(answer, media_type="application/json", headers={"cache-control": "no-store"})

    return Route("/api/alerts/spans", spans, methods=["GET"], middleware=[Middleware(Documents)])


def asked_spans(request: Request, now_ms: int) -> SpanQuestion:
    """Return the question in a request.

    Raises:
        InputError: a parameter is invalid.
    """
    asked = {"to": "now", **request.query_params}
    start, end = range_of_time(asked, now_ms)
    assert end is not None
    points = whole_number(asked.get("points"), "points", POINTS, MAX_POINTS)
    return span_question(start or time_text(max(0, parse_time("to", end, now_ms) - LENGTH_MS)), end, points)


async def alert_spans(alerts: Alerts, asked: SpanQuestion, read: Read | None) -> AlertSpans:
    """Return when alerts fired in a range.

    Args:
        alerts: the board's alerts.
        asked: the question.
        read: reads alerts that are no longer in the log; None: there are none.
    """
    log = alerts.log
    found = spans_in((alert for _, alert in log.alerts()), asked)
    # The log has every alert that ended after the last one that left it.
    if read is not None and log.older and asked.start <= log.older:
        found += await read(asked, log.left)
    return thinned(found, asked)
