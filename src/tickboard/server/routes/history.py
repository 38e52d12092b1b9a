"""``GET /api/history``: the recorded values of a range of time, as JSON, CSV or binary.

A small answer about the newest ticks is made at once. For any other, the history is read in a thread of its own. The
answer stays in memory as arrays and is encoded piece by piece, as fast as the client reads it. If the client
disconnects, reading and encoding stop.
"""

import time
from collections.abc import Callable, Collection
from functools import lru_cache

from msgspec import Struct
from starlette.datastructures import Headers, QueryParams
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from tickboard.errors import InputError, NoHistoryError
from tickboard.history.answers import Question
from tickboard.history.asking import END, MAX_POINTS, POINTS, START, STATS, selectors, time_range
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


LONGEST_KEPT = 4_000
"""The longest query of a URL that is parsed only once for all requests: pages and scripts repeat theirs."""


def history_route(history: Callable[[], History | None]) -> Route:
    """Return the route.

    Args:
        history: returns the board's history, or None.
    """
    return Route("/api/history", _Answers(history), methods=["GET"])


class _Answers:
    """The endpoint. It is an ASGI application, which takes less time than a function that Starlette wraps."""

    def __init__(self, history: Callable[[], History | None]) -> None:
        self._history = history

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        response = await self._response(Request(scope, receive))
        await response(scope, receive, send)

    async def _response(self, request: Request) -> Response:
        if (kept := self._history()) is None:
            raise NoHistoryError
        query: bytes = request.scope["query_string"]
        asked = (_parsed if len(query) <= LONGEST_KEPT else _parsed.__wrapped__)(query)
        form = asked.form or preferred_form(request.headers)
        if asked.stats and form == "binary":
            raise InputError("stats: the binary format always has all: leave stats out, or ask for format=json or csv")
        question = asked.question(int(time.time() * 1000))
        from tickboard.history.encodings import PIECES

        answer = kept.answer_from_memory(question)
        if answer is None:
            answer = await bounded(request, kept.ask(question))
        size = BUCKET_BYTES * len(answer.times) * len(answer.series)
        count_document(answer, address_of(request.scope), size, "points=100")
        pieces = PIECES[form](answer, asked.stats or STATS)
        return await encoded(request, pieces, MEDIA_TYPES[form], "Accept, Accept-Encoding")


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


class _Asked(Struct, frozen=True):
    """The parameters of a request.

    Attributes:
        patterns: the selectors.
        start: the beginning of the range, as it is written.
        end: its end, as it is written.
        points: the most buckets for each series.
        stats: what to return of each bucket; none: everything.
        form: the format; None: the header Accept decides.
    """

    patterns: tuple[str, ...]
    start: str
    end: str
    points: int
    stats: Collection[str]
    form: str | None

    def question(self, now_ms: int) -> Question:
        """Return the question at a time.

        Raises:
            InputError: the range cannot be used.
        """
        start_ms, end_ms = time_range(self.start, self.end, now_ms, ("from", "to"))
        return Question(self.patterns, start_ms, end_ms, self.points)


@lru_cache(maxsize=100)
def _parsed(query_string: bytes) -> _Asked:
    """Return the parameters of a URL.

    Raises:
        InputError: a parameter is invalid.
    """
    given = QueryParams(query_string)
    form = given.get("format")
    return _Asked(
        selectors(given.getlist("metrics"), "metrics"),
        given.get("from", START),
        given.get("to", END),
        whole_number(given.get("points"), "points", POINTS, MAX_POINTS),
        frozenset(one_of(stat, "stats", STATS) for stat in given.getlist("stats")),
        None if form is None else one_of(form, "format", tuple(MEDIA_TYPES)),
    )


def preferred_form(headers: Headers) -> str:
    """Return the format that the header Accept prefers, or JSON."""
    wanted = dict.fromkeys(MEDIA_TYPES, 0.0)
    for media_range in listed(headers.getlist("accept")):
        kind, *parameters = (part.strip().lower() for part in media_range.split(";"))
        for form, media_type in MEDIA_TYPES.items():
            if kind == media_type.partition(";")[0]:
                wanted[form] = max(wanted[form], quality(parameters))
    best = max(wanted, key=lambda form: wanted[form])
    return best if wanted[best] else "json"
