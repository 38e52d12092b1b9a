"""The alert stream: server-sent events (the WHATWG HTML standard's format), resumed by Last-Event-ID.

If the server offers its connection, as `tickboard.server.uvicorn.http` does, events go straight to it, and the ASGI
call returns. Under any other ASGI server they go through ``send``. In both cases the hub's readers decide what is sent.
"""

import asyncio
import time
from functools import partial
from typing import Any

from starlette.datastructures import Headers, QueryParams
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from tickboard.hub.hub import Hub
from tickboard.hub.readers import AlertReader, AlertReaders
from tickboard.server.access.open_streams import until_logged_out
from tickboard.server.requests.connection_limits import log_connection
from tickboard.server.streams.asgi import Calls, MountedStream
from tickboard.server.streams.raw_socket import RawSocket
from tickboard.server.uvicorn.websocket import DIRECT

REREAD_S = 0.1
"""How long to wait between two calls of `receive` after the request was received."""

MAX_HEARD_BYTES = 2**20
"""The most bytes that a client of the stream may send."""

LAST_CHUNK = b"0\r\n\r\n"
"""Tells a client that the content is complete (RFC 9112, section 7.1)."""

HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
]


class AlertStream:
    """The ASGI endpoint."""

    def __init__(self, hub: Hub, calls: Calls) -> None:
        self._hub = hub
        self._readers = hub.readers
        self._calls = calls

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
            chunked = offer["last"]()
        await send(start)
        log_end = log_connection("alert stream", scope)
        if offer is not None and (transport := offer["take"]()) is not None:
            offer["on_end"].append(log_end)
            reader = DirectStream(transport, offer, self._readers, chunked=chunked).begin(asked or "")
            offer["on_end"].append(until_logged_out(scope, partial(self._readers.end, reader)))
        else:
            try:
                await self._through(scope, send, receive, asked or "")
            finally:
                log_end()

    async def _through(self, scope: Scope, send: Send, receive: Receive, asked: str) -> None:
        """Serve a stream through ASGI's ``send``, until either side ends it."""
        stream = MountedStream(send, self._calls, self._hub)
        reader = stream.reader = self._readers.join(stream, asked, time.monotonic())
        has_ended = until_logged_out(scope, partial(self._readers.end, reader))
        try:
            await stream.serve(partial(_until_gone, receive))
        finally:
            has_ended()
            self._readers.leave(reader)


async def _until_gone(receive: Receive) -> None:
    """Wait until the client has gone."""
    while (await receive())["type"] != "http.disconnect":
        # It is the request, or a message that a middleware repeats.
        await asyncio.sleep(REREAD_S)


class DirectStream(RawSocket):
    """A reader's connection under ``tickboard run``, after the head of its response.

    Attributes:
        chunked: whether the content has HTTP/1.1's chunked coding.
    """

    __slots__ = ("_heard", "_reader", "_readers", "chunked")

    def __init__(
        self, transport: asyncio.Transport, offer: dict[str, Any], readers: AlertReaders, *, chunked: bool
    ) -> None:
        super().__init__(transport, offer)
        self.chunked = chunked
        self._heard = 0
        self._readers = readers
        self._reader: AlertReader | None = None

    def begin(self, last_event_id: str) -> AlertReader:
        """Take over the transport and resume the reader; return it."""
        with self.taken_over():
            reader = self._reader = self._readers.join(self, last_event_id, time.monotonic())
        return reader

    def end(self) -> None:
        """End the stream once its queued data is sent, or soon anyway."""
        if self.chunked:
            self._transport.write(LAST_CHUNK)
        self._transport.close()
        self._cut_later()

    def data_received(self, data: bytes) -> None:
        """Discard data from the client: this response is the connection's last.

        A client that keeps sending, for example a body, is disconnected.
        """
        self._heard += len(data)
        if self._heard > MAX_HEARD_BYTES:
            self.cut()

    def resume_writing(self) -> None:
        """Resume the reader, since the transport is empty."""
        if self._reader is not None:
            self._reader.idle_again()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        if self._reader is not None:
            self._readers.leave(self._reader)
            self._reader = None
        super().connection_lost(exc)

    def shutdown(self) -> None:
        """End at once, as uvicorn requests. Events that could be sent were sent before."""
        self._transport.abort()


def alert_stream(hub: Hub, calls: Calls) -> Route:
    """Return the route of the alert stream."""
    return Route("/events/alerts", AlertStream(hub, calls), methods=["GET"])
