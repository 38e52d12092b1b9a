"""``/hosts/NAME/``: the boards of the hosts that a wall follows, whole and live, at the wall's own address.

The page is the wall's own, since a host's scripts could act for its viewer. All that the page asks for passes
through the host's link: documents, the ticks, the alert stream, and what people do. The wall's gate and guard have
checked the request before, and it reaches the host with the role of the viewer, and with the name.
"""

import asyncio
from contextlib import suppress
from typing import Any

import msgspec
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.types import Message, Receive, Scope, Send

from tickboard.access.roles import may
from tickboard.access.route_table import HOST_BOARD, ROUTES
from tickboard.errors import TickboardError
from tickboard.fleet.asking import fetch
from tickboard.fleet.caller import CALLER, Caller
from tickboard.fleet.link import CutOffError, HostLinks, Link
from tickboard.server.access.open_streams import LOGGED_OUT, until_logged_out
from tickboard.server.requests.connection_limits import lasts
from tickboard.server.requests.identity import identity_of
from tickboard.server.requests.refusal import error_response, refuse
from tickboard.server.routes.documents import Documents
from tickboard.server.routes.page import page_below
from tickboard.wire import Me, encode

ME_S = 5.0
"""How many seconds a host may take to say what the wall may do on it."""

_OWN = frozenset({f"{HOST_BOARD}{path}" for path in ("", "/", "/api/me")})

_decode_me = msgspec.json.Decoder(Me).decode


def host_board_routes(hosts: HostLinks | None) -> list[BaseRoute]:
    """Return the routes: one for each path in the table of routes.

    Args:
        hosts: the hosts; None: the board follows none.
    """
    boards = HostBoards(hosts)
    passed = [needs.path for needs in ROUTES if needs.path.startswith(HOST_BOARD) and needs.path not in _OWN]
    compressed = [Middleware(Documents)]
    return [
        Route(HOST_BOARD, boards.redirect, methods=["GET"]),
        Route(f"{HOST_BOARD}/", boards.page, methods=["GET"], middleware=compressed),
        Route(f"{HOST_BOARD}/api/me", boards.me, methods=["GET"], middleware=compressed),
        WebSocketRoute(f"{HOST_BOARD}/ws/metrics", boards),
        *(Route(path, boards) for path in passed),
    ]


def caller_in(scope: Scope) -> Caller:
    """Return as whom a request reaches a host: as an operator at most, with the name of who is logged in."""
    identity = identity_of(scope)
    if identity is None:
        return Caller("operator")
    return Caller("operator" if may(identity.role, "operator") else "viewer", identity.name)


class HostBoards:
    """The boards of all hosts of a wall, and the ASGI endpoint of what passes through their links.

    Args:
        hosts: the hosts; None: the board follows none.
    """

    def __init__(self, hosts: HostLinks | None) -> None:
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one connection on."""
        name = scope["path_params"]["host"]
        link = self._link(name)
        if isinstance(link, Response):
            await refuse(link, scope, receive, send)
            return
        inner = _inner(scope, name)
        if lasts(inner):
            await _Lasting(scope, receive, send).serve(link, inner)
            return
        # If the host is lost, the answer stays incomplete, and the server ends its connection.
        with suppress(CutOffError):
            await link.asgi(inner, receive, send)

    async def redirect(self, request: Request) -> Response:
        """Redirect to the address with its slash, which the page needs."""
        name = request.path_params["host"]
        return RedirectResponse(f"./{name}/", 308, {"cache-control": "no-store"}) if self._has(name) else _unknown(name)

    async def page(self, request: Request) -> Response:
        """Return the page, also of a host that cannot be reached now."""
        name = request.path_params["host"]
        return await page_below(2) if self._has(name) else _unknown(name)

    async def me(self, request: Request) -> Response:
        """Return what the viewer may do on the host: no more than on the wall, and than the wall may there."""
        link = self._link(request.path_params["host"])
        if isinstance(link, Response):
            return link
        caller = caller_in(request.scope)
        role = caller.role if caller.role == "viewer" else await _role_on(link, caller)
        return Response(
            encode(Me(caller.name, role)), media_type="application/json", headers={"cache-control": "no-store"}
        )

    def _has(self, name: str) -> bool:
        return self._hosts is not None and name in self._hosts.hosts

    def _link(self, name: str) -> Link | Response:
        """Return the link to a host, or the answer if there is none."""
        if self._hosts is None or name not in self._hosts.hosts:
            return _unknown(name)
        away = error_response(502, f"{name[:100]} cannot be reached now: GET /api/hosts says why")
        return self._hosts.link(name) or away


async def _role_on(link: Link, caller: Caller) -> Any:
    """Return what an operator of the wall may do on a host; an operator's, if the host does not say."""
    try:
        answer = await fetch(link, "GET", "/api/me", caller=caller, timeout_s=ME_S)
        if answer.status == 403:
            # The NATS server permits the wall to look, and no more.
            return "viewer"
        return "operator" if answer.status != 200 or may(_decode_me(answer.body).role, "operator") else "viewer"
    except (TickboardError, msgspec.MsgspecError):
        return "operator"


def _inner(scope: Scope, name: str) -> Scope:
    """Return the scope of a connection as the host gets it."""
    path = scope["path"].removeprefix(scope.get("root_path", "")).removeprefix(f"/hosts/{name}")
    return {**scope, "path": path, "raw_path": b"", "root_path": "", CALLER: caller_in(scope)}


def _unknown(name: str) -> Response:
    return error_response(404, f"no host {name[:100]!r} is followed here: GET /api/hosts lists those that are")


class _Lasting:
    """A WebSocket or an alert stream of a host, which ends when its viewer is logged out.

    Args:
        scope: the viewer's.
        receive: likewise.
        send: likewise.
    """

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._scope = scope
        self._receive = receive
        self._send = send
        self._over = asyncio.Event()
        self._is_open = False

    async def serve(self, link: Link, inner: Scope) -> None:
        """Pass it on until either side ends it, or the viewer is logged out."""
        has_ended = until_logged_out(self._scope, self._over.set)
        try:
            # The client of an alert stream that is cut off opens it again.
            with suppress(CutOffError):
                await link.asgi(inner, self._receive_unless_over, self._send_noting)
        finally:
            has_ended()
        if self._is_open and self._scope["type"] == "http":
            await self._send({"type": "http.response.body", "body": b"", "more_body": False})
        elif self._is_open and self._over.is_set():
            await self._send({"type": "websocket.close", "code": LOGGED_OUT, "reason": ""})

    async def _receive_unless_over(self) -> Message:
        received, over = asyncio.ensure_future(self._receive()), asyncio.ensure_future(self._over.wait())
        try:
            await asyncio.wait((received, over), return_when=asyncio.FIRST_COMPLETED)
            if received.done():
                return received.result()
        finally:
            received.cancel()
            over.cancel()
        if self._scope["type"] == "websocket":
            return {"type": "websocket.disconnect", "code": LOGGED_OUT, "reason": ""}
        return {"type": "http.disconnect"}

    async def _send_noting(self, message: Message) -> None:
        kind = message["type"]
        if kind in {"websocket.accept", "http.response.start"}:
            self._is_open = True
        elif kind == "websocket.close" or (kind == "http.response.body" and not message.get("more_body", False)):
            self._is_open = False
        await self._send(message)
