"""Walls and hosts in this process for tests: what a viewer sends to a wall reaches a host's ASGI application."""

import asyncio
import contextlib
import json
import threading
from collections.abc import AsyncIterator, Iterable, Iterator
from concurrent.futures import Future
from typing import Protocol

from starlette.types import ASGIApp, Receive, Scope, Send
from tests.nats_servers import NatsServer, nats_server
from tests.serving import serve_app

from tickboard.fleet.caller import CALLER, VIEWER, Caller
from tickboard.fleet.calls_host import HostCalls
from tickboard.fleet.calls_wall import WallCalls
from tickboard.fleet.http_passing import HttpPassing
from tickboard.fleet.nats_connection import NatsConnection
from tickboard.fleet.nats_options import NatsOptions, read_servers
from tickboard.problems import Problems

GUARD_S = 30.0
"""A hang guard: the longest wait for anything."""


class Passing(Protocol):
    """Passes connections on to a host, until it is closed."""

    async def asgi(self, scope: Scope, receive: Receive, send: Send) -> None: ...

    async def start(self) -> None: ...

    async def close(self) -> None: ...


class OverHttp(HttpPassing):
    """Passes connections on over HTTP."""

    async def start(self) -> None: ...


class OverNats:
    """Passes connections on through NATS to the host web-1."""

    def __init__(self, server: NatsServer) -> None:
        self._server = server
        self._tasks: list[asyncio.Task[None]] = []
        self._calls: WallCalls | None = None

    async def start(self) -> None:
        connection = nats_connection(self._server)
        self._calls = WallCalls(connection)
        self._tasks = [asyncio.ensure_future(part.run()) for part in (self._calls, connection)]
        while not connection.connected:
            await asyncio.sleep(0.01)

    async def asgi(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert self._calls is not None
        await self._calls.asgi("web-1", scope, receive, send)

    async def close(self) -> None:
        await ended(self._tasks)


def nats_connection(server: NatsServer) -> NatsConnection:
    """Return a connection to a server, which somebody has to run."""
    return NatsConnection(NatsOptions(read_servers(server.url, {})), "test", Problems(), "nothing is passed on")


@contextlib.asynccontextmanager
async def connected(server: NatsServer) -> AsyncIterator[NatsConnection]:
    """Connect to a server while the context is open."""
    connection = nats_connection(server)
    task = asyncio.ensure_future(connection.run())
    try:
        async with asyncio.timeout(GUARD_S):
            while not connection.connected:
                await asyncio.sleep(0.01)
        yield connection
    finally:
        await ended([task])


async def ended(tasks: Iterable["asyncio.Task[None]"]) -> None:
    """Cancel tasks and wait for their end."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@contextlib.contextmanager
def nats_host(server: NatsServer, app: ASGIApp) -> Iterator[HostCalls]:
    """Serve the calls to the host web-1 in a thread."""
    made: Future[HostCalls] = Future()
    over = threading.Event()

    async def main() -> None:
        connection = nats_connection(server)
        calls = HostCalls(connection, "web-1", app, identify)
        tasks = [asyncio.ensure_future(part.run()) for part in (calls, connection)]
        while not connection.connected:
            await asyncio.sleep(0.01)
        made.set_result(calls)
        while not over.is_set():
            await asyncio.sleep(0.01)
        await ended(tasks)

    thread = threading.Thread(target=lambda: asyncio.run(main()))
    thread.start()
    try:
        yield made.result(GUARD_S)
    finally:
        over.set()
        thread.join(GUARD_S)


def identify(scope: Scope, caller: Caller) -> None:
    scope["identified"] = caller


@contextlib.contextmanager
def nats_wall(app: ASGIApp, caller: Caller = VIEWER) -> Iterator[str]:
    """Serve a host's application, and a wall that reaches it through NATS."""
    with nats_server() as server, nats_host(server, app), wall(OverNats(server), caller) as place:
        yield place


@contextlib.contextmanager
def wall(passing: Passing, caller: Caller = VIEWER) -> Iterator[str]:
    """Serve what passes connections on to a host, for viewers with a role; yield its place, ``127.0.0.1:PORT``."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await receive()
            await passing.start()
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
    with serve_app(app) as port, wall(OverHttp(f"http://127.0.0.1:{port}", {}), caller) as place:
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
