"""The WebSocket endpoint: one task reads what a viewer says, one writes what its outbox holds."""

import asyncio
import time
from collections.abc import Awaitable, Callable

import msgspec
from starlette.responses import PlainTextResponse
from starlette.websockets import WebSocket, WebSocketDisconnect

from tickboard.frames import encode, timestamp
from tickboard.hub import Hub, Position, Viewer
from tickboard.types import ClientMessage, Ping, Pong, Subscribe, Subscribed

MAX_MESSAGE_BYTES = 65_536
"""A longer message from a client ends its connection with 1009."""

MAX_PATTERNS = 1_000
"""Names in one subscription; a message with more is not understood."""

_decode = msgspec.json.Decoder(ClientMessage).decode


def ticks_endpoint(hub: Hub) -> Callable[[WebSocket], Awaitable[None]]:
    """Return the endpoint that lets viewers watch a hub's ticks."""

    async def watch(websocket: WebSocket) -> None:
        await websocket.accept()
        awake = asyncio.Event()
        # Between reading the window and being attached there is no await: no tick is missed, none comes twice.
        viewer = hub.join(awake.set, parse_position(websocket.query_params.get("since", "")))
        writing = asyncio.create_task(_write(websocket, viewer, awake))
        reading = asyncio.create_task(_read(websocket, hub, viewer))
        try:
            await asyncio.wait((writing, reading), return_when=asyncio.FIRST_COMPLETED)
        finally:
            hub.leave(viewer)
            for task in (writing, reading):
                task.cancel()
            await asyncio.gather(writing, reading, return_exceptions=True)

    return watch


async def refuse(websocket: WebSocket) -> None:
    """Answer a WebSocket handshake on any other path with 404."""
    await websocket.send_denial_response(
        PlainTextResponse(f"no WebSocket at {websocket.url.path}: use ws/metrics\n", 404)
    )


def parse_position(text: str) -> Position | None:
    """Return the position written ``EPOCH:SEQ``, or None where it isn't one."""
    epoch, colon, seq = text.rpartition(":")
    # Twenty digits are more than any board will count; int() of a megabyte of them would take its time.
    return Position(epoch, int(seq)) if colon and seq.isascii() and seq.isdigit() and len(seq) < 20 else None


def answer(message: str | bytes, hub: Hub, viewer: Viewer, now: float) -> None:
    """Do what a client's message asks for; what can't be understood is ignored."""
    try:
        request = _decode(message)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        return
    match request:
        case Ping():
            viewer.answer(encode(Pong(timestamp(now))))
        case Subscribe(metrics):
            names = metrics or []
            if len(names) > MAX_PATTERNS:
                return
            hub.subscribe(viewer, names)
            viewer.answer(encode(Subscribed(names)))


async def _read(websocket: WebSocket, hub: Hub, viewer: Viewer) -> None:
    while True:
        message = await websocket.receive()
        if message["type"] == "websocket.disconnect":
            return
        text = message.get("text")
        answer(text if text is not None else message.get("bytes") or b"", hub, viewer, time.time())
        while viewer.answers_full:
            # Who asks faster than it reads has to wait; the operating system then makes it wait, too.
            await asyncio.sleep(0.05)


async def _write(websocket: WebSocket, viewer: Viewer, awake: asyncio.Event) -> None:
    try:
        while viewer.closing is None:
            frame = viewer.take()
            if frame is None:
                awake.clear()
                await awake.wait()
            else:
                await websocket.send({"type": "websocket.send", "text": frame.decode()})
        await websocket.close(viewer.closing)
    except (WebSocketDisconnect, RuntimeError, OSError):
        return  # the client has gone; the reading side sees it too
