"""``/api/marks``: the marks that people and programs make, for example for a deployment."""

import time
from collections.abc import Generator
from uuid import uuid4

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tickboard.alerting.marks import new_mark
from tickboard.hub.hub import Hub
from tickboard.server.announcing import Announcing
from tickboard.server.requests.connection_limits import address_of
from tickboard.server.requests.identity import signed
from tickboard.server.requests.json_bodies import read_json
from tickboard.server.requests.parameters import range_of_time
from tickboard.server.routes.large import Large
from tickboard.server.routes.operations import Paths, Ref, failures, get, json, post, response, time_query
from tickboard.server.routes.rates import ChangeRates
from tickboard.times import MAX_TIME_MS, time_text
from tickboard.wire import ErrorBody, Mark, NewMark, encode

BURST_OF_ALL, PER_S_OF_ALL = 100, 10.0
"""How many marks all addresses together may make at once, and in each second after that."""

STEP_MARKS = 500
"""How many marks are encoded in one step before other work may run: less than 1 ms."""

MARK_VALUES = 8
"""The size of the largest mark, in values of a document."""


def describe(ref: Ref) -> Paths:
    """Describe these routes."""
    marks = get(
        "marks",
        "The marks that overlap a range of time, in the order of their times",
        {"type": "array", "items": ref(Mark)},
        [
            time_query("from", "the beginning of the range, inclusive; without it, marks of any age"),
            time_query("to", "its end, exclusive; without it, marks of any later time"),
        ],
        {"422": ref(ErrorBody), "503": ref(ErrorBody)},
    )
    unkept = {"type": "object", "properties": {"kept": {"const": False}}, "required": ["kept"]}
    unwritten = "published, but lost with a restart, because the log of alerts cannot be written"
    statuses = ("400", "403", "408", "413", "415", "422", "429", "503")
    responses = {
        "200": response("published and stored: the mark, or an existing one with the same content", ref(Mark)),
        "202": response(unwritten, {"allOf": [ref(Mark), unkept]}),
        **failures(json(ref(ErrorBody)), statuses),
    }
    return {"/api/marks": marks | post("mark", "Marks a moment or a span of time", json(ref(NewMark)), responses)}


def mark_routes(hub: Hub, announcer: Announcing) -> list[Route]:
    """Return the routes that read marks and make them.

    Args:
        hub: the hub whose marks they are.
        announcer: stores and publishes them.
    """
    large = Large()
    of_address = ChangeRates("marks", "from one address")
    of_all = ChangeRates("marks", "in total", BURST_OF_ALL, PER_S_OF_ALL)

    def permit(address: str) -> None:
        now = time.monotonic()
        of_address.take(now, address)
        of_all.take(now, "")

    async def marks(request: Request) -> Response:
        log = hub.engine.alerts.log
        start, end = range_of_time(request.query_params, int(time.time() * 1000))
        found = log.marks.between(start or "", end or time_text(MAX_TIME_MS), log.published)
        key = log.epoch, log.marks.revision, log.published, start, end
        return await large.answer(request, key, MARK_VALUES * len(found), lambda: _array(found))

    async def mark(request: Request) -> Response:
        asked = await read_json(request, NewMark, '{"text": "deployed 1.4"}')
        made = new_mark(
            str(uuid4()),
            asked.text,
            asked.timestamp,
            asked.until,
            signed(request.scope, asked.by),
            int(time.time() * 1000),
            hub.engine.alerts.log.keeping.keep_s,
            "timestamp",
        )
        address = address_of(request.scope)
        done, kept = await announcer.mark(made, lambda: permit(address))
        if kept:
            return _json(encode(done))
        return _json(encode({**msgspec.to_builtins(done), "kept": False}), 202)

    return [
        Route("/api/marks", marks, methods=["GET"]),
        Route("/api/marks", mark, methods=["POST"]),
    ]


def _array(marks: list[Mark]) -> Generator[None, None, list[bytes]]:
    pieces = [b"["]
    for first in range(0, len(marks), STEP_MARKS):
        yield
        pieces += [encode(marks[first : first + STEP_MARKS])[1:-1], b","]
    return [*pieces[: max(1, len(pieces) - 1)], b"]"]


def _json(body: bytes, status: int = 200) -> Response:
    return Response(body, status, media_type="application/json", headers={"cache-control": "no-store"})
