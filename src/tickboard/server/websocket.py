"""The WebSocket endpoint: answers the handshake, and lets the viewer join the hub.

Where the server offers its connection, as `tickboard.server.connection` does, the viewer's frames go straight to it,
and the application is done. Under any other ASGI server they go through ``send``. What is sent is decided by the hub
either way.
"""

import asyncio
import time

from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket

from tickboard.hub.hub import Hub, Viewer
from tickboard.server.connection import DIRECT
from tickboard.server.dialogue import answer, join, subprotocol
from tickboard.server.direct import Direct, Pulse
from tickboard.server.mounted import MountedViewer


class Ticks:
    """The ASGI endpoint that lets viewers watch a hub's ticks."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._pulse = Pulse()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one viewer."""
        await receive()
        await send({"type": "websocket.accept", "subprotocol": subprotocol(scope), "headers": []})
        offer = scope.get("extensions", {}).get(DIRECT)
        if offer is not None and (transport := offer["take"]()) is not None:
            Direct(transport, self._hub, self._pulse, offer).begin(scope)
            return
        reading = asyncio.current_task()
        assert reading is not None
        outlet = MountedViewer(send, reading)
        viewer = outlet.viewer = join(self._hub, outlet, scope)
        try:
            await self._read(receive, viewer)
        except asyncio.CancelledError:
            if not outlet.cut:
                raise
            reading.uncancel()
        finally:
            self._hub.leave(viewer)
            outlet.abandon()

    async def _read(self, receive: Receive, viewer: Viewer) -> None:
        while (message := await receive())["type"] != "websocket.disconnect":
            text = message.get("text")
            answer(text if text is not None else message.get("bytes") or b"", self._hub, viewer, time.time())
            while viewer.full:
                # Reading on would only pile up answers; the client's own system then makes it wait.
                await asyncio.sleep(0.05)


async def refuse(websocket: WebSocket) -> None:
    """Answer a WebSocket handshake on any other path with 404."""
    await websocket.send_denial_response(
        PlainTextResponse(f"no WebSocket at {websocket.url.path}: use ws/metrics\n", 404)
    )
