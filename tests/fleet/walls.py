"""Walls and hosts in this process for tests: what a viewer sends to a wall reaches a host's ASGI application."""

import contextlib
import json
from collections.abc import Iterator
from typing import Protocol

from starlette.types import ASGIApp, Receive, Scope, Send
from tests.serving import serve_app

from tickboard.fleet.caller import CALLER, VIEWER, Caller
from tickboard.fleet.http_passing import HttpPassing

GUARD_S = 30.0
"""A hang guard: the longest wait for anything."""


class Passing(Protocol):
    """Passes connections on to a host, until it is closed."""

    async def asgi(self, scope: Scope, receive: Receive, send: Send) -> None: ...

    async def close(self) -> None: ...


@contextlib.contextmanager
def wall(passing: Passing, caller: Caller = VIEWER) -> Iterator[str]:
    """Serve what passes connections on to a host, for viewers with a role; yield its place, ``127.0.0.1:PORT``."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await receive()
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await passing.close()
            await send({"type": "lifespan.shutdown.complete"})
            return
        await passing.asgi({**scope, CALLER: caller}, receive, send)

    with serve_app(app) as port:
        yield f"127.0.0.1:{port}"


@contextlib.contextmanager
def http_wall(app: ASGIApp, caller: Caller = VIEWER) -> Iterator[str]:
    """Serve a host's application, and a wall that reaches it over HTTP."""
    with serve_app(app) as port, wall(HttpPassing(f"http://127.0.0.1:{port}", {}), caller) as place:
        yield place


class Host:
    """An ASGI application that records what reaches it, and answers as a test wants.

    Args:
        answer: serves the connections.

    Attributes:
        scopes: of the connections that reached it.
        ended: how many of them have ended.
    """

    def __init__(self, answer: ASGIApp) -> None:
        self.scopes: list[Scope] = []
        self.ended = 0
        self._answer = answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            return
        self.scopes.append(scope)
        try:
            await self._answer(scope, receive, send)
        finally:
            self.ended += 1

    @property
    def headers(self) -> dict[str, str]:
        """The headers of the last request."""
        return {name.decode(): value.decode() for name, value in self.scopes[-1]["headers"]}


def answers(body: bytes, *headers: tuple[str, str], status: int = 200) -> ASGIApp:
    """Answer each request with a document."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        sent = [(name.encode(), value.encode()) for name, value in headers]
        await send({"type": "http.response.start", "status": status, "headers": sent})
        await send({"type": "http.response.body", "body": body})

    return app


def streams(*chunks: bytes, media_type: str = "text/event-stream") -> ASGIApp:
    """Answer each request with some chunks, and wait until the client leaves."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", media_type.encode())]})
        for chunk in chunks:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        while (await receive())["type"] != "http.disconnect":
            pass

    return app


async def body_of(receive: Receive) -> bytes:
    """Return the body of a request."""
    body: bytes = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body", False):
            return body


async def echoes(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer a request with what has come, and a WebSocket with each of its messages."""
    if scope["type"] == "http":
        told = {"method": scope["method"], "path": scope["path"], "query": scope["query_string"].decode("latin-1")}
        told["body"] = (await body_of(receive)).decode()
        await answers(json.dumps(told).encode(), ("content-type", "application/json"))(scope, receive, send)
        return
    await receive()
    await send({"type": "websocket.accept", "subprotocol": next(iter(scope["subprotocols"]), None), "headers": []})
    while (message := await receive())["type"] != "websocket.disconnect":
        if message.get("text") == "close":
            await send({"type": "websocket.close", "code": 4401, "reason": "over"})
            return
        await send({**message, "type": "websocket.send"})
