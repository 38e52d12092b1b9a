"""``GET /api/changes``: which series differ most between two ranges of time, as JSON.

The history is read and compared in a thread of its own.
"""

import time
from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tickboard.errors import NoHistoryError
from tickboard.history.answers import ChangesQuestion
from tickboard.history.asking import CHANGES_START, END, LIMIT, MAX_LIMIT, comparison
from tickboard.history.store import History
from tickboard.server.requests.connection_limits import address_of
from tickboard.server.requests.parameters import whole_number
from tickboard.server.routes.large import count_document
from tickboard.server.routes.operations import Paths, Ref, get, query, time_query
from tickboard.server.routes.reads import bounded, encoded
from tickboard.wire import ChangesAnswer, ErrorBody

TIMES = ("from", "to", "baseline_from", "baseline_to")

CHANGE_BYTES = 256
"""The approximate memory of one change."""


def changes_route(history: Callable[[], History | None]) -> Route:
    """Return the route.

    Args:
        history: returns the board's history, or None.
    """

    async def changes(request: Request) -> Response:
        if (kept := history()) is None:
            raise NoHistoryError
        from tickboard.history.encodings import change_pieces

        asked = changes_question(request, int(time.time() * 1000))
        found = await bounded(request, kept.ask_changes(asked))
        count_document(found, address_of(request.scope), CHANGE_BYTES * len(found.changed), "limit=100")
        return await encoded(request, change_pieces(found), "application/json", "Accept-Encoding")

    return Route("/api/changes", changes, methods=["GET"])


def describe(ref: Ref) -> Paths:
    """Describe this route."""
    count = {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": LIMIT}
    described = get(
        "changes",
        "Which series differ most between two ranges of time",
        ref(ChangesAnswer),
        [
            time_query("from", "the beginning of the range, inclusive", CHANGES_START),
            time_query("to", "its end, exclusive", END),
            time_query(
                "baseline_from", "the beginning of the baseline; by default the baseline is as long as the range"
            ),
            time_query("baseline_to", "its end, exclusive; by default the beginning of the range"),
            query("metrics", "names, globs and labels; all by default", {"type": "array", "items": {"type": "string"}}),
            query("limit", "the most series in the answer", count),
        ],
        {status: ref(ErrorBody) for status in ("404", "422", "503")},
    )
    return {"/api/changes": described}


def changes_question(request: Request, now_ms: int) -> ChangesQuestion:
    """Return the comparison that a request asks for.

    Raises:
        InputError: a parameter is invalid.
    """
    asked = request.query_params
    limit = whole_number(asked.get("limit"), "limit", LIMIT, MAX_LIMIT)
    start, end = asked.get("from", CHANGES_START), asked.get("to", END)
    baseline = asked.get("baseline_from"), asked.get("baseline_to")
    return comparison(asked.getlist("metrics"), start, end, *baseline, limit, now_ms, TIMES)
