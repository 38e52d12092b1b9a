"""The alert stream: server-sent events (the WHATWG HTML standard's format), resumed by Last-Event-ID.

Each stream reads on in the one log of alert events from its own position, so that it has no queue that could fill.
"""

import asyncio
import time
from collections.abc import AsyncIterator

from starlette.datastructures import Headers, QueryParams
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from tickboard.alertlog import AlertLog
from tickboard.connections import Subscriber
from tickboard.frames import alert_event, heartbeat, stream_start
from tickboard.hub import Hub

HEARTBEAT_S = 30.0
"""Seconds between two heartbeats."""

HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
]


class AlertStream:
    """The ASGI endpoint. It watches for the client's going away while it waits for something to send."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one stream until either side ends it."""
        asked = Headers(scope=scope).get("last-event-id") or QueryParams(scope["query_string"]).get("last_event_id", "")
        await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
        if scope["method"] == "HEAD":
            await send({"type": "http.response.body", "body": b""})
            return
        streaming = asyncio.create_task(self._stream(asked or "", send))
        leaving = asyncio.create_task(_until_gone(receive))
        try:
            await asyncio.wait((streaming, leaving), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (streaming, leaving):
                task.cancel()
            await asyncio.gather(streaming, leaving, return_exceptions=True)

    async def _stream(self, asked: str, send: Send) -> None:
        async for chunk in self._chunks(asked):
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    async def _chunks(self, asked: str) -> AsyncIterator[bytes]:
        hub = self._hub
        awake = asyncio.Event()
        subscriber, chunk = self._begin(asked, awake)
        hub.subscribers.add(subscriber)
        try:
            yield chunk
            beat = time.monotonic() + HEARTBEAT_S
            while not subscriber.closing:
                if chunk := self._news(subscriber):
                    yield chunk
                    continue
                try:
                    async with asyncio.timeout_at(asyncio.get_running_loop().time() + beat - time.monotonic()):
                        await awake.wait()
                    awake.clear()
                except TimeoutError:
                    beat += HEARTBEAT_S
                    yield heartbeat(subscriber.epoch, subscriber.number, time.time())
        finally:
            hub.subscribers.discard(subscriber)

    def _begin(self, asked: str, awake: asyncio.Event) -> tuple[Subscriber, bytes]:
        """Return a subscriber at its position, and the stream's beginning."""
        log = self._hub.engine.alerts.log
        number = _resumed_number(asked, log)
        subscriber = Subscriber(awake.set, log.epoch, log.told if number is None else number)
        firing = log.firing() if number is None else []
        chunk = b"".join(alert_event(log.epoch, event) for event in firing)
        # Those events have older ids; a client that comes back must go on from here, so the position comes after them.
        return subscriber, chunk + stream_start(log.epoch, subscriber.number, whole=number is None)

    def _news(self, subscriber: Subscriber) -> bytes:
        """Return what is new in the log for a subscriber, and move it on."""
        log = self._hub.engine.alerts.log
        if subscriber.epoch != log.epoch:
            subscriber.epoch, subscriber.number = log.epoch, 0
        events = log.since(subscriber.number)
        subscriber.number = log.told
        return b"".join(alert_event(log.epoch, event) for event in events)


def alert_stream(hub: Hub) -> Route:
    """Return the route of the alert stream."""
    return Route("/events/alerts", AlertStream(hub), methods=["GET"])


def _resumed_number(asked: str, log: AlertLog) -> int | None:
    """Return the event number to go on after, or None when the client has no position from which it could."""
    if asked == "0":
        return 0
    named, dash, number = asked.rpartition("-")
    if not (dash and named == log.epoch and number.isascii() and number.isdigit() and len(number) < 20):
        return None
    return int(number) if log.has_missed(int(number)) else None


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
