"""A viewer's connection under ``tickboard run``: the WebSocket protocol, and clients that violate it."""

import asyncio
import contextlib
import json
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from typing import Any, Self

import pytest
from starlette.types import Receive, Scope, Send
from tests.serving import raw_viewer, serve_app, wait_for
from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.protocol import State
from websockets.uri import parse_uri

from tickboard import Board
from tickboard.server.uvicorn.websocket import Connection

PING = b'{"type":"ping"}'


@pytest.fixture
def board() -> Board:
    board = Board("Direct", interval_ms=50)
    board.gauge("a").set(1)
    return board


@pytest.fixture
def port(board: Board) -> Iterator[int]:
    with serve_app(board, Connection) as port:
        yield port


class Client:
    """A client that sends whatever bytes a test wants."""

    def __init__(self, port: int, meanwhile: Callable[[socket.socket], None] = lambda _: None) -> None:
        self.socket = raw_viewer(port)
        self.socket.settimeout(10)
        meanwhile(self.socket)
        self._protocol = ClientProtocol(parse_uri("ws://x/"), state=State.OPEN, max_size=None)
        self._events: list[Frame] = []
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += self.socket.recv(1)
        assert head.startswith(b"HTTP/1.1 101 ")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.socket.close()

    def send(self, opcode: int, data: bytes = b"", *, fin: bool = True, mask: bool = True) -> None:
        self.socket.sendall(frame(opcode, data, fin=fin, mask=mask))

    def receive(self, *opcodes: int) -> Frame:
        """Return the next frame of one of these kinds. Raise EOFError if the connection ends first."""
        while True:
            for event in self._events:
                if event.opcode in opcodes:
                    self._events = self._events[self._events.index(event) + 1 :]
                    return event
            self._events.clear()
            data = self.socket.recv(65_536)
            if not data:
                raise EOFError
            self._protocol.receive_data(data)
            self._events += [event for event in self._protocol.events_received() if isinstance(event, Frame)]

    def message(self, kind: str) -> Any:
        while (message := json.loads(bytes(self.receive(Opcode.TEXT).data)))["type"] != kind:
            pass
        return message

    def close_code(self) -> int:
        data = bytes(self.receive(Opcode.CLOSE).data)
        return int.from_bytes(data[:2], "big")


def frame(opcode: int, data: bytes = b"", *, fin: bool = True, mask: bool = True) -> bytes:
    size = bytes([len(data) | 0x80 * mask]) if len(data) < 126 else struct.pack("!BH", 126 | 0x80 * mask, len(data))
    return bytes([opcode | 0x80 * fin]) + size + bytes(4 * mask) + data


def test_a_fragmented_message_with_pings_between_is_read_byte_by_byte(port: int) -> None:
    with Client(port) as client:
        parts = (
            frame(Opcode.TEXT, PING[:5], fin=False)
            + frame(Opcode.PING, b"between")
            + frame(Opcode.CONT, PING[5:8], fin=False)
            + frame(Opcode.CONT, b"", fin=False)
            + frame(Opcode.CONT, PING[8:])
        )
        for byte in parts:
            client.socket.sendall(bytes([byte]))
        assert bytes(client.receive(Opcode.PONG).data) == b"between"
        assert client.message("pong")
        client.send(Opcode.BINARY, PING)
        assert client.message("pong")
        client.send(Opcode.PONG, b"unasked")
        client.send(Opcode.TEXT, PING)
        assert client.message("pong")


def test_a_message_sent_before_the_handshake_is_answered_is_read(board: Board) -> None:
    asked, said = threading.Event(), threading.Event()

    async def hesitating(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            asked.set()
            while not said.is_set():
                await asyncio.sleep(0.02)
            await asyncio.sleep(0.1)  # the message has arrived by now
        await board(scope, receive, send)

    def say(client: socket.socket) -> None:
        assert asked.wait(10)
        client.sendall(frame(Opcode.TEXT, PING))
        said.set()

    with serve_app(hesitating, Connection) as port, Client(port, say) as client:
        assert client.message("initial")
        assert client.message("pong")
        assert client.message("metrics")


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        (frame(Opcode.TEXT, b"x", mask=False), 1002),
        (frame(Opcode.CONT, b"x"), 1002),
        (frame(3, b"x"), 1002),
        (frame(Opcode.TEXT, b"x", fin=False) + frame(Opcode.TEXT, b"x"), 1002),
        (frame(Opcode.PING, b"x", fin=False), 1002),
        (frame(Opcode.CLOSE, b"x"), 1002),
        (frame(Opcode.CLOSE, b"\x00\x01"), 1002),
        (frame(Opcode.TEXT, b"\xff"), 1007),
        (frame(Opcode.TEXT, b"", fin=False) + frame(Opcode.CONT, b"", fin=False) * 2_000, 1009),
        (frame(Opcode.TEXT, b"x" * 60_000, fin=False) + frame(Opcode.CONT, b"x" * 6_000), 1009),
    ],
    ids=[
        "unmasked",
        "continuation without a start",
        "reserved opcode",
        "text inside a fragmented text",
        "fragmented ping",
        "close with half a code",
        "close with a wrong code",
        "invalid UTF-8",
        "endless fragments",
        "large fragmented message",
    ],
)
def test_a_protocol_error_closes_the_connection_with_its_code(port: int, board: Board, wrong: bytes, code: int) -> None:
    with Client(port) as client:
        client.message("initial")
        with contextlib.suppress(OSError):
            client.socket.sendall(wrong + frame(Opcode.TEXT, PING) * 100)
        assert client.close_code() == code
        assert client.socket.recv(100) == b""
        assert board.hub.viewers == 1
    wait_for(lambda: board.hub.viewers == 0)


@pytest.mark.parametrize(("said", "heard"), [(b"\x03\xe8bye", 1000), (b"\x0f\xa0", 4000), (b"", 1000)])
def test_a_close_frame_is_answered(port: int, board: Board, said: bytes, heard: int) -> None:
    with Client(port) as client:
        client.message("initial")
        client.send(Opcode.CLOSE, said)
        assert client.close_code() == heard
        assert client.socket.recv(100) == b""
    wait_for(lambda: board.hub.viewers == 0)


def test_a_viewer_that_closes_only_its_own_side_is_disconnected(port: int, board: Board) -> None:
    with Client(port) as client:
        client.message("initial")
        client.socket.shutdown(socket.SHUT_WR)
        wait_for(lambda: board.hub.viewers == 0)


def test_a_viewer_that_answers_no_ping_is_closed_with_1011(board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    # Long enough for the answers of the other viewer, even on a busy machine.
    monkeypatch.setattr("tickboard.server.streams.sockets.ANSWER_WITHIN_S", 1.5)
    for name in ("PING_EVERY_S", "BEAT_S"):
        monkeypatch.setattr(f"tickboard.server.streams.sockets.{name}", 0.2)
    with serve_app(board, Connection) as port, Client(port) as silent, Client(port) as alive:
        for _ in range(3):
            alive.receive(Opcode.PING)
            alive.send(Opcode.PONG)
        assert silent.close_code() == 1011
        assert board.hub.traffic.viewers_silent == 1
        alive.send(Opcode.TEXT, PING)
        assert alive.message("pong")
        wait_for(lambda: board.hub.viewers == 1)


def test_a_viewer_that_reads_nothing_is_closed_with_1013_and_disconnected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tickboard.hub.viewer.STALLED_S", 0.5)
    board = Board("Wide", interval_ms=20)
    for number in range(2_000):
        board.gauge(f"wide_{number}").set(number)
    with serve_app(board, Connection) as port:
        stalled = raw_viewer(port)
        wait_for(lambda: board.hub.traffic.viewers_stalled == 1)
        assert board.hub.traffic.frames_skipped > 0
        wait_for(lambda: board.hub.viewers == 0)
        stalled.close()


def test_a_viewer_that_sends_pings_and_reads_no_answers_is_throttled(port: int, board: Board) -> None:
    client = raw_viewer(port)
    client.settimeout(2)

    def flood() -> None:
        for _ in range(2_000):
            client.sendall(frame(Opcode.PING, b"x" * 100) * 200)

    with pytest.raises(OSError, match="timed out"):
        flood()
    client.close()
    wait_for(lambda: board.hub.viewers == 0)
