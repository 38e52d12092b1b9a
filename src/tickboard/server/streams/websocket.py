"""The WebSocket endpoint: answers the handshake, and lets the viewer join the hub.

If the server offers its connection, as `tickboard.server.uvicorn.websocket` does, the viewer's frames go straight to
it, and the ASGI call returns. Under any other ASGI server they go through ``send``. In both cases the hub decides what
is sent.
"""

import asyncio
import time
from functools import partial

from starlette.datastructures import Headers
from starlette.types import Receive, Scope, Send

from tickboard.hub.hub import Hub
from tickboard.hub.viewer import Viewer
from tickboard.loop.turns import in_turns, made_in_turns
from tickboard.metrics.selection import Selection
from tickboard.metrics.selectors import why_refused
from tickboard.output.logs import log
from tickboard.server.access.open_streams import LOGGED_OUT, until_logged_out
from tickboard.server.requests.connection_limits import address_of, log_connection
from tickboard.server.requests.detail_access import is_forwarded, sees_details
from tickboard.server.requests.refusal import error_response, refuse
from tickboard.server.streams.asgi import Calls, MountedViewer
from tickboard.server.streams.client_messages import MAX_MESSAGE_BYTES, answer, asked, encoding_of, join, subprotocol
from tickboard.server.streams.sockets import TOO_BIG, Pulse, SocketViewer
from tickboard.server.uvicorn.websocket import DIRECT

NO_UPGRADE = (
    "If a proxy is in between, it does not pass WebSocket upgrades on: in nginx, write "
    '"proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade;" '
    "(docs/deploy.md has this for nginx, Caddy, Apache and HAProxy)"
)
"""Added to messages about a request that should have been a handshake."""


class TickStream:
    """The ASGI endpoint that lets viewers watch a hub's ticks."""

    def __init__(self, hub: Hub, calls: Calls) -> None:
        self._hub = hub
        self._pulse = Pulse()
        self._calls = calls

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one viewer."""
        await receive()
        if why := why_refused(selectors := asked(scope)):
            await refuse(error_response(400, why), scope, receive, send)
            return
        encoding = encoding_of(scope)
        audiences = self._hub.audiences
        prepared = await made_in_turns(audiences.prepare(selectors, encoding))
        if why := audiences.refusal(address_of(scope), prepared, selectors, encoding, details=sees_details(scope)):
            await refuse(error_response(429, why), scope, receive, send)
            return
        await send({"type": "websocket.accept", "subprotocol": subprotocol(scope), "headers": []})
        log_end = log_connection("viewer", scope)
        offer = scope.get("extensions", {}).get(DIRECT)
        if offer is not None and (transport := offer["take"]()) is not None:
            offer["on_end"].append(log_end)
            direct = SocketViewer(transport, self._hub, self._pulse, offer).begin(scope, prepared)
            offer["on_end"].append(until_logged_out(scope, partial(direct.close, LOGGED_OUT)))
            return
        try:
            await self._through(send, receive, scope, prepared)
        finally:
            log_end()

    async def _through(self, send: Send, receive: Receive, scope: Scope, prepared: Selection) -> None:
        """Serve a viewer through ASGI's ``send``, until either side ends it."""
        outlet = MountedViewer(send, self._calls, self._hub)
        viewer = outlet.viewer = join(self._hub, outlet, scope, prepared)
        has_ended = until_logged_out(scope, partial(viewer.close, LOGGED_OUT))
        try:
            await outlet.serve(partial(self._read, receive, viewer))
        finally:
            has_ended()
            self._hub.leave(viewer)

    async def _read(self, receive: Receive, viewer: Viewer) -> None:
        while (message := await receive())["type"] != "websocket.disconnect":
            text = message.get("text")
            data = text if text is not None else message.get("bytes") or b""
            # Servers accept messages of 16 MB and more, and decoding one is a single step.
            if len(data) > MAX_MESSAGE_BYTES:
                viewer.close(TOO_BIG)
            if viewer.audience is None:
                continue
            # A `receive` that always returns at once must not starve the loop.
            await in_turns(answer(data, self._hub, viewer, time.time()))
            while viewer.full:
                # Reading on would only pile up answers. Instead, the client's system makes it wait.
                await asyncio.sleep(0.05)


class UpgradeRequired:
    """The ASGI endpoint for plain requests of the WebSocket's path: they are answered with 426.

    A handshake becomes a plain request if a proxy does not pass Upgrade and Connection on; its Sec-WebSocket-Key
    usually still arrives. That is logged once, and so is a plain request through a proxy.
    """

    def __init__(self) -> None:
        self._logged: set[str] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        headers_in = Headers(scope=scope)
        if "sec-websocket-key" in headers_in:
            self._log("a handshake arrived as a plain request", scope)
        elif is_forwarded(headers_in):
            self._log("a plain request arrived through a proxy", scope)
        headers = {"upgrade": "websocket", "sec-websocket-version": "13"}
        if scope["http_version"] == "1.1":  # HTTP/2 has no such header
            headers["connection"] = "Upgrade"
        message = f"{_path(scope)} is a WebSocket: connect to it with ws:// or wss://. {NO_UPGRADE}"
        await error_response(426, message, headers)(scope, receive, send)

    def _log(self, what: str, scope: Scope) -> None:
        if what not in self._logged:
            self._logged.add(what)
            log.warning("%s: %s. %s", _path(scope), what, NO_UPGRADE)


class NoWebSocket:
    """The ASGI endpoint for handshakes on any other path: they are refused with 404."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse one handshake."""
        await refuse(error_response(404, f"no WebSocket at {_path(scope)}: use ws/metrics"), scope, receive, send)


def _path(scope: Scope) -> str:
    path: str = scope["path"]
    return path[:200]
