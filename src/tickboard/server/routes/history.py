"""``GET /api/history``: the recorded values of a range of time, as JSON, CSV or binary.

A small answer about the newest ticks is made at once. For any other, the history is read in a thread of its own. The
answer stays in memory as arrays and is encoded piece by piece, as fast as the client reads it. If the client
disconnects, reading and encoding stop.
"""

import time
from collections.abc import Callable, Collection

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tickboard.errors import InputError, NoHistoryError
from tickboard.history.answers import Question
from tickboard.history.asking import END, MAX_POINTS, POINTS, START, STATS, question
from tickboard.history.store import History
from tickboard.server.requests.connection_limits import address_of
from tickboard.server.requests.parameters import one_of, whole_number
from tickboard.server.routes.documents import listed, quality
from tickboard.server.routes.large import count_document
from tickboard.server.routes.operations import BYTES, Paths, Ref, get, query, time_query
from tickboard.server.routes.reads import bounded, encoded
from tickboard.wire import ErrorBody, HistoryAnswer

BINARY = "application/vnd.tickboard.history.v1"

MEDIA_TYPES = {"json": "application/json", "csv": "text/csv; charset=utf-8; header=present", "binary": BINARY}
"""The media type of each value of `format`, the preferred one first."""

BUCKET_BYTES = 32
"""The memory that one bucket of one series takes."""


def history_route(history: Callable[[], History | None]) -> Route:
    """Return the route.

    Args:
        history: returns the board's history, or None.
    """

    async def read(request: Request) -> Response:
        if (kept := history()) is None:
            raise NoHistoryError
        form = wanted_form(request)
        stats = wanted_stats(request, form)
        asked = history_question(request, int(time.time() * 1000))
        from tickboard.history.encodings import PIECES

        answer = kept.answer_from_memory(asked)
        if answer is None:
            answer = await bounded(request, kept.ask(asked))
        size = BUCKET_BYTES * len(answer.times) * len(answer.series)
        count_document(answer, address_of(request.scope), size, "points=100")
        return await encoded(request, PIECES[form](answer, stats), MEDIA_TYPES[form], "Accept, Accept-Encoding")

    return Route("/api/history", read, methods=["GET"])


def describe(ref: Ref) -> Paths:
    """Describe this route."""
    count = {"type": "integer", "minimum": 1, "maximum": MAX_POINTS, "default": POINTS}
    described = get(
        "history",
        "The recorded values of a range of time, in buckets with min, max, avg and count",
        ref(HistoryAnswer),
        [
            time_query("from", "the beginning of the range, inclusive", START),
            time_query("to", "its end, exclusive", END),
            query("metrics", "names, globs and labels; all by default", {"type": "array", "items": {"type": "string"}}),
            query("points", "buckets of each series; two more cover the ends of the range", count),
            query(
                "stats",
                "what JSON and CSV have of each bucket; all by default",
                {"type": "array", "items": {"enum": [*STATS]}},
            ),
            query(
                "format", "the format of the answer; by default the header Accept decides", {"enum": list(MEDIA_TYPES)}
            ),
        ],
        {status: ref(ErrorBody) for status in ("404", "422", "503")},
    )
    described["get"]["responses"]["200"]["content"] |= {"text/csv": {"schema": {"type": "string"}}, BINARY: BYTES}
    return {"/api/history": described}


def history_question(request: Request, now_ms: int) -> Question:
    """Return the question in a request.

    Raises:
        InputError: a parameter is invalid.
    """
    asked = request.query_params
    points = whole_number(asked.get("points"), "points", POINTS, MAX_POINTS)
    start, end = asked.get("from", START), asked.get("to", END)
    return question(asked.getlist("metrics"), start, end, points, now_ms, ("from", "to", "metrics"))


def wanted_stats(request: Request, form: str) -> Collection[str]:
    """Return what an answer is to have of each bucket.

    Raises:
        InputError: it is unknown, or the format always has everything.
    """
    if not (asked := request.query_params.getlist("stats")):
        return STATS
    if form == "binary":
        raise InputError("stats: the binary format always has all: leave stats out, or ask for format=json or csv")
    return {one_of(stat, "stats", STATS) for stat in asked}


def wanted_form(request: Request) -> str:
    """Return the format that a request asks for: the parameter's, or the one that Accept prefers, or JSON.

    Raises:
        InputError: the format is unknown.
    """
    if (form := request.query_params.get("format")) is not None:
        return one_of(form, "format", tuple(MEDIA_TYPES))
    wanted = dict.fromkeys(MEDIA_TYPES, 0.0)
    for media_range in listed(request.headers.getlist("accept")):
        kind, *parameters = (part.strip().lower() for part in media_range.split(";"))
        for form, media_type in MEDIA_TYPES.items():
            if kind == media_type.partition(";")[0]:
                wanted[form] = max(wanted[form], quality(parameters))
    best = max(wanted, key=lambda form: wanted[form])
    return best if wanted[best] else "json"
