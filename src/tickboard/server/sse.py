"""The alert stream: server-sent events (the WHATWG HTML standard's format), resumed by Last-Event-ID.

Where the server offers its connection, as `tickboard.server.http` does, the events go straight to it, and the
application is done. Under any other ASGI server they go through ``send``. What is sent is decided by the hub's readers
either way.
"""

import asyncio
import time
from typing import Any

from starlette.datastructures import Headers, QueryParams
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from tickboard.hub.hub import Hub
from tickboard.hub.readers import Reader, Readers
from tickboard.server.connection import DIRECT
from tickboard.server.mounted import MountedStream
from tickboard.server.outlet import SocketOutlet

HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
]


class AlertStream:
    """The ASGI endpoint."""

    def __init__(self, hub: Hub) -> None:
        self._readers = hub.readers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one stream."""
        start = {"type": "http.response.start", "status": 200, "headers": HEADERS}
        if scope["method"] == "HEAD":
            await send(start)
            await send({"type": "http.response.body", "body": b""})
            return
        asked = Headers(scope=scope).get("last-event-id") or QueryParams(scope["query_string"]).get("last_event_id", "")
        offer = (scope.get("extensions") or {}).get(DIRECT)
        if offer is not None:
            offer["last"]()
        await send(start)
        if offer is not None and (transport := offer["take"]()) is not None:
            DirectStream(transport, offer, self._readers).begin(asked or "")
        else:
            await self._through(send, receive, asked or "")

    async def _through(self, send: Send, receive: Receive, asked: str) -> None:
        """Serve a stream through ASGI's ``send``, until either side ends it."""
        reading = asyncio.current_task()
        assert reading is not None
        stream = MountedStream(send, reading)
        reader = stream.reader = self._readers.join(stream, asked, time.monotonic())
        try:
            while (await receive())["type"] != "http.disconnect":
                pass
        except asyncio.CancelledError:
            if not stream.ended:
                raise
            reading.uncancel()
        finally:
            self._readers.leave(reader)
            stream.abandon()


class DirectStream(SocketOutlet):
    """A reader's connection under ``tickboard run``, after the head of its response."""

    __slots__ = ("_reader", "_readers")

    def __init__(self, transport: asyncio.Transport, offer: dict[str, Any], readers: Readers) -> None:
        super().__init__(transport, offer)
        self._readers = readers
        self._reader: Reader | None = None

    def begin(self, last_event_id: str) -> None:
        """Take the transport over, and let the reader join where it was."""
        self.take_over()
        self._reader = self._readers.join(self, last_event_id, time.monotonic())

    def end(self) -> None:
        """End the stream after what waits in it, but soon."""
        self._transport.close()
        self._cut_later()

    def cut(self) -> None:
        """End the connection at once."""
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        """Throw away what the client says: the response that it gets is the connection's last."""

    def resume_writing(self) -> None:
        """Let the reader read on, now that the transport is empty."""
        if self._reader is not None:
            self._reader.idle_again()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        if self._reader is not None:
            self._readers.leave(self._reader)
            self._reader = None
        super().connection_lost(exc)

    def shutdown(self) -> None:
        """End at once, as uvicorn asks for; whoever could be told has been told."""
        self._transport.abort()


def alert_stream(hub: Hub) -> Route:
    """Return the route of the alert stream."""
    return Route("/events/alerts", AlertStream(hub), methods=["GET"])
