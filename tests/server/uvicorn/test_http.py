"""What a connection writes at once, over real sockets."""

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
from starlette.types import Receive, Scope, Send
from tests.raw import GUARD_S, talk
from tests.serving import serve_app
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT

from tickboard.server.uvicorn.gate import Gate
from tickboard.server.uvicorn.http import HttpConnection
from tickboard.server.uvicorn.websocket import DIRECT, Connection

CONTENT = b"x" * 1_000

HEADERS = [(b"content-length", b"%d" % len(CONTENT))]


LARGE = b"y" * (HIGH_WATER_LIMIT + 1)


class Application:
    """Answers with `CONTENT`; at the path /stream, the content follows when a test says so.

    At /upload, it reads the request first. At /large, it answers with `LARGE`. At /empty, it answers without content,
    and shuts the connection down in the same turn of the loop.
    """

    def __init__(self) -> None:
        self.loop: asyncio.AbstractEventLoop | None = None
        self._goes_on = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.loop = asyncio.get_running_loop()
        if scope["path"] == "/upload":
            await receive()
        if scope["path"] == "/large":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": LARGE})
            return
        if scope["path"] == "/empty":
            await send({"type": "http.response.start", "status": 204, "headers": []})
            await send({"type": "http.response.body", "body": b""})
            for connection in scope["extensions"][DIRECT]["connections"]:
                connection.shutdown()
            return
        await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
        if scope["path"] == "/stream":
            await self._goes_on.wait()
        await send({"type": "http.response.body", "body": CONTENT})

    def go_on(self) -> None:
        assert self.loop is not None
        self.loop.call_soon_threadsafe(self._goes_on.set)


class RecordedTransport:
    """A transport, and what is written to it at once."""

    def __init__(self, transport: asyncio.Transport, written: list[bytes]) -> None:
        self._transport = transport
        self._written = written

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        self._written += filter(None, [data])
        self._transport.write(data)

    def writelines(self, parts: tuple[bytes, ...]) -> None:
        raise AssertionError("in some versions of Python, `writelines` never pauses writing")


@contextlib.contextmanager
def recorded(app: Application) -> Iterator[tuple[int, list[bytes]]]:
    """Serve an application; yield its port and what its connections write at once."""
    written: list[bytes] = []

    class Recorded(HttpConnection):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            super().connection_made(RecordedTransport(transport, written))  # type: ignore[arg-type]

    with serve_app(app, Connection, partial(Recorded, gate=Gate())) as port:
        yield port, written


@pytest.mark.parametrize("times", [1, 3])
def test_the_head_of_an_answer_is_sent_with_its_content(times: int) -> None:
    request = b"GET / HTTP/1.1\r\nHost: localhost\r\n"
    with recorded(Application()) as (port, written):
        received = talk(port, *[request + b"\r\n"] * (times - 1), request + b"Connection: close\r\n\r\n")
    assert received.count(b"HTTP/1.1 200 OK") == received.count(b"\r\n\r\n" + CONTENT) == times
    assert [part.count(b"HTTP/1.1 200 OK") for part in written] == [1] * times
    assert all(part.endswith(b"\r\n\r\n" + CONTENT) for part in written)


def test_the_head_of_a_stream_is_sent_before_there_is_content() -> None:
    app = Application()
    with recorded(app) as (port, _), socket.create_connection(("127.0.0.1", port), GUARD_S) as client:
        client.sendall(b"GET /stream HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        head = client.recv(65_536)
        assert head.startswith(b"HTTP/1.1 200 OK")
        assert head.endswith(b"\r\n\r\n")
        app.go_on()
        received = b""
        while part := client.recv(65_536):
            received += part
        assert received == CONTENT


def test_the_head_of_an_answer_without_content_is_sent_before_the_connection_ends() -> None:
    with recorded(Application()) as (port, _):
        received = talk(port, b"HEAD / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    assert received.startswith(b"HTTP/1.1 200 OK")
    assert received.endswith(b"\r\n\r\n")


def test_the_head_of_an_answer_without_content_is_sent_before_a_shutdown_in_the_same_turn() -> None:
    with recorded(Application()) as (port, _):
        received = talk(port, b"GET /empty HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert received.startswith(b"HTTP/1.1 204 No Content")
    assert received.endswith(b"\r\n\r\n")


def test_a_large_content_is_sent_after_the_head_without_a_copy() -> None:
    with recorded(Application()) as (port, written):
        received = talk(port, b"GET /large HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    head, content = written[0], b"".join(written[1:])
    assert head.endswith(b"\r\n\r\n")
    assert received == head + content
    assert LARGE in content


def test_the_head_after_100_continue_is_sent_with_its_content() -> None:
    request = b"POST /upload HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 2\r\n"
    with (
        recorded(Application()) as (port, written),
        socket.create_connection(("127.0.0.1", port), GUARD_S) as client,
    ):
        client.sendall(request + b"Expect: 100-continue\r\n\r\n")
        assert client.recv(65_536) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(b"ab")
        while client.recv(65_536):
            pass
    assert len(written) == 2
    assert written[1].startswith(b"HTTP/1.1 200 OK")
    assert written[1].endswith(b"\r\n\r\n" + CONTENT)
