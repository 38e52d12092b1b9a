"""``/api/hosts``: the hosts that a wall follows, and forgetting one that is gone."""

import time
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tickboard.server.requests.parameters import whole_number
from tickboard.server.requests.refusal import error_response
from tickboard.server.routes.operations import Paths, Ref, get, query, response
from tickboard.wire import ErrorBody, HostList, encode

if TYPE_CHECKING:
    from tickboard.fleet.fleet import Fleet

HOSTS = "/api/hosts"

MAX_REVISION = 2**53
"""Larger numbers are not exact in a browser."""


KEPT_S = 1.0
"""For how many seconds an answer is sent again if no host has changed: only when they were heard from may be older."""

MAX_KEPT = 100
"""How many answers are kept, each for another revision that viewers had."""


class ListAnswers:
    """Encodes the list of hosts once for all viewers who ask for the same: that of a thousand hosts takes 8 ms.

    Args:
        fleet: the hosts.
    """

    def __init__(self, fleet: "Fleet") -> None:
        self._fleet = fleet
        self._made = (-1, 0.0)
        self._kept: dict[int | None, bytes] = {}

    def answer(self, since: int | None, now: float) -> bytes:
        """Return the list; that of the changes since a revision, if one is given.

        Args:
            since: the revision.
            now: seconds by a clock that never steps.
        """
        revision, made = self._made
        if revision != self._fleet.revision or now - made > KEPT_S or len(self._kept) >= MAX_KEPT:
            self._made = self._fleet.revision, now
            self._kept = {}
        if since not in self._kept:
            self._kept[since] = encode(self._fleet.listed(since))
        return self._kept[since]


def host_routes(fleet: "Fleet | None") -> list[Route]:
    """Return the routes.

    Args:
        fleet: the hosts; None: the board follows none.
    """
    answers = None if fleet is None else ListAnswers(fleet)

    async def hosts(request: Request) -> Response:
        given = request.query_params.get("since")
        since = None if given is None else whole_number(given, "since", 0, MAX_REVISION)
        found = encode(HostList(0, [], whole=True)) if answers is None else answers.answer(since, time.monotonic())
        return Response(found, 200, {"cache-control": "no-store"}, "application/json")

    async def forget(request: Request) -> Response:
        name = request.path_params["name"]
        try:
            if fleet is None:
                raise LookupError
            fleet.forget(name)
        except LookupError:
            return error_response(404, f"there is no host {name[:100]!r}: GET {HOSTS} lists all hosts")
        return Response(status_code=204)

    return [Route(HOSTS, hosts, methods=["GET"]), Route(f"{HOSTS}/{{name}}", forget, methods=["DELETE"])]


def describe(ref: Ref) -> Paths:
    """Describe these routes."""
    listing = get(
        "hosts",
        "The hosts that this wall follows, and the state of each",
        ref(HostList),
        [query("since", "only what has changed since this revision", {"type": "integer", "minimum": 0})],
        {"422": ref(ErrorBody)},
    )
    name = {"name": "name", "in": "path", "required": True, "schema": {"type": "string"}}
    forgetting = {
        "operationId": "forgetHost",
        "summary": "Forget a host that is gone; what is recorded of it stays",
        "parameters": [name],
        "responses": {
            "204": {"description": "it is forgotten"},
            "404": response("there is no such host", ref(ErrorBody)),
            "409": response("the host is live", ref(ErrorBody)),
        },
    }
    return {HOSTS: listing, f"{HOSTS}/{{name}}": {"delete": forgetting}}
