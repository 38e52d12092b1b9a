"""``GET /api/history``: what was recorded in a range of time, as JSON, CSV or binary.

The history is read in a thread of its own. The answer stays in memory as arrays and is encoded piece by piece, as fast
as the client reads it. If the client disconnects, reading and encoding stop.
"""

import asyncio
import time
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterator
from typing import TypeVar

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from tickboard.errors import BusyError, HistoryError, NoHistoryError
from tickboard.history.answers import Answer, Question
from tickboard.history.asking import END, MAX_POINTS, POINTS, START, question
from tickboard.history.encodings import binary_pieces, csv_pieces, json_pieces
from tickboard.history.store import History
from tickboard.loop.turns import made_in_turns
from tickboard.server.requests.bodies import SHARE, Budget
from tickboard.server.requests.connection_limits import address_of
from tickboard.server.requests.detail_access import sees_details
from tickboard.server.requests.parameters import one_of, whole_number
from tickboard.server.routes.documents import listed, quality, wants_gzip
from tickboard.server.routes.large import count_document
from tickboard.server.routes.operations import BYTES, Paths, Ref, get, query
from tickboard.wire import ErrorBody, HistoryAnswer

BINARY = "application/vnd.tickboard.history.v1"

MEDIA_TYPES = {"json": "application/json", "csv": "text/csv; charset=utf-8; header=present", "binary": BINARY}
"""The media type of each value of `format`, the preferred one first."""

PIECES = {"json": json_pieces, "csv": csv_pieces, "binary": binary_pieces}

MAX_READS = 16
"""The most questions that this process reads at the same time; half of them from one address."""

READS = Budget(MAX_READS)

RETRY_AFTER_S = 1
"""When to ask again: most reads take some milliseconds."""

LEVEL = 1
"""The level of compression: the client is waiting, and nobody else gets the same answer."""

BUCKET_BYTES = 32
"""The memory that one bucket of one series takes."""

T = TypeVar("T")


def history_route(history: Callable[[], History | None]) -> Route:
    """Return the route.

    Args:
        history: returns the board's history, or None if it keeps none.
    """

    async def read(request: Request) -> Response:
        if (kept := history()) is None:
            raise NoHistoryError
        form = wanted_form(request)
        asked = asked_question(request, int(time.time() * 1000))
        address = address_of(request.scope)
        answer = await _read(request, kept, asked, address)
        size = BUCKET_BYTES * len(answer.times) * len(answer.series)
        count_document(answer, address, size, "points=100")
        headers = {"cache-control": "no-store", "vary": "Accept, Accept-Encoding"}
        pieces = PIECES[form](answer)
        if wants_gzip(request.headers):
            headers["content-encoding"] = "gzip"
            pieces = _compressed(pieces)
        content = _sent(pieces if request.method == "GET" else iter(()))
        return StreamingResponse(content, media_type=MEDIA_TYPES[form], headers=headers)

    return Route("/api/history", read, methods=["GET"])


def describe(ref: Ref) -> Paths:
    """Describe this route."""
    form = 'RFC 3339, an age as "-15m", or "now"'
    count = {"type": "integer", "minimum": 1, "maximum": MAX_POINTS, "default": POINTS}
    described = get(
        "history",
        "What was recorded in a range of time, in buckets with min, max, avg and count",
        ref(HistoryAnswer),
        [
            query("from", f"the beginning of the range, inclusive: {form}", {"type": "string", "default": START}),
            query("to", f"its end, exclusive: {form}", {"type": "string", "default": END}),
            query("metrics", "names, globs and labels; none: all", {"type": "array", "items": {"type": "string"}}),
            query("points", "buckets of each series; two more cover the ends of the range", count),
            query("format", "of the answer; without it, Accept decides", {"enum": list(MEDIA_TYPES)}),
        ],
        {status: ref(ErrorBody) for status in ("404", "422", "503")},
    )
    described["get"]["responses"]["200"]["content"] |= {"text/csv": {"schema": {"type": "string"}}, BINARY: BYTES}
    return {"/api/history": described}


def asked_question(request: Request, now_ms: int) -> Question:
    """Return the question in a request.

    Raises:
        InputError: a parameter cannot be used.
    """
    asked = request.query_params
    points = whole_number(asked.get("points"), "points", POINTS, MAX_POINTS)
    start, end = asked.get("from", START), asked.get("to", END)
    return question(asked.getlist("metrics"), start, end, points, now_ms, ("from", "to"))


def wanted_form(request: Request) -> str:
    """Return the format that a request asks for: the parameter's, or the one that Accept prefers, or JSON.

    Raises:
        InputError: there is no such format.
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


async def _read(request: Request, history: History, asked: Question, address: str) -> Answer:
    """Return the answer to a question.

    Raises:
        BusyError: too many questions are being read.
        HistoryError: the file cannot be read. Only who may see details is shown its path.
        ClientDisconnect: the client has disconnected.
    """
    if not READS.take(address, 1):
        raise BusyError(
            f"{MAX_READS // SHARE} questions from one address, or {MAX_READS} in all, are being read: ask again later",
            RETRY_AFTER_S,
        )
    try:
        return await _unless_gone(request, history.ask(asked))
    except HistoryError as error:
        if sees_details(request.scope):
            raise
        raise HistoryError("the history cannot be read: the board's problems and its log say why") from error
    finally:
        READS.give_back(address, 1)


async def _unless_gone(request: Request, work: Awaitable[T]) -> T:
    """Await work, but cancel it if the client disconnects.

    Raises:
        ClientDisconnect: the client has disconnected.
    """
    working, leaving = asyncio.ensure_future(work), asyncio.ensure_future(_gone(request))
    try:
        await asyncio.wait((working, leaving), return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            leaving.result()  # raises if it failed for another reason
            raise ClientDisconnect
        return working.result()
    finally:
        working.cancel()
        leaving.cancel()
        await asyncio.gather(working, leaving, return_exceptions=True)


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _compressed(pieces: Iterator[bytes]) -> Iterator[bytes]:
    compressor = zlib.compressobj(LEVEL, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
    for piece in pieces:
        yield compressor.compress(piece)
    yield compressor.flush()


async def _sent(pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
    """Encode one piece in each turn of the loop, once the client has taken the one before."""
    while (piece := await made_in_turns(_next(pieces))) is not None:
        if piece:
            yield piece
        else:
            await asyncio.sleep(0)


def _next(pieces: Iterator[bytes]) -> Generator[None, None, bytes | None]:
    yield from ()
    return next(pieces, None)
