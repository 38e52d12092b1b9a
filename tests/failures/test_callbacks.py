"""Callbacks of the event loop keep working after a failure, and the failure is reported."""

import asyncio
import logging
import socket
import time
from collections.abc import Callable, Iterator
from typing import cast

import httpx
import pytest
from tests.serving import wait_for

from tickboard import Board
from tickboard.running import background
from tickboard.running.background import serve_in_background
from tickboard.server.streams import sockets as direct
from tickboard.server.streams.sockets import Pulse, SocketViewer
from tickboard.server.uvicorn.serving import Server
from tickboard.sources.datagrams import DatagramListener


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.005)


class Defective:
    """A receiver of datagrams that fails on the first one."""

    def __init__(self) -> None:
        self.packets: list[bytes] = []

    def receive(self, data: bytes) -> Iterator[None]:
        self.packets.append(data)
        if len(self.packets) == 1:
            raise ZeroDivisionError("a defect")
        yield

    def flush(self) -> None:
        pass

    def take_complaint(self) -> str:
        return ""


def test_a_datagram_receiver_that_raises_is_reported_and_gets_the_next_datagram() -> None:
    receiver = Defective()
    told: list[str | None] = []
    now = 0.0

    async def main() -> None:
        nonlocal now
        listener = DatagramListener(receiver, port=0, report=told.append, clock=lambda: now)
        await listener.start()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            for number in range(2):
                sender.sendto(b"%d" % number, ("127.0.0.1", listener.port))
                await until(lambda: len(receiver.packets) > number)  # noqa: B023  # it is awaited here
        assert told == ["ZeroDivisionError: a defect: the packets received with it were dropped"]
        now = 3_600.0
        await listener.sample()
        assert told[1:] == [None]
        await listener.close()

    asyncio.run(main())


class Silent:
    """A connection that has been silent for long, and whose ``ask`` may raise."""

    def __init__(self, *, fails: bool) -> None:
        self.heard = time.monotonic() - 1_000
        self.asked = 0.0
        self.calls = 0
        self.cuts = 0
        self.fails = fails

    def ask(self, now: float) -> None:
        self.calls += 1
        if self.fails:
            raise OSError("a defect")

    def cut(self) -> None:
        self.cuts += 1


def test_a_connection_that_raises_is_disconnected_and_the_others_are_pinged(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(direct, "BEAT_S", 0.01)
    broken, sound = Silent(fails=True), Silent(fails=False)

    async def main() -> None:
        pulse = Pulse()
        for one in (broken, sound):
            pulse.add(cast("SocketViewer", one))
        await until(lambda: sound.calls >= 3)
        pulse.discard(cast("SocketViewer", sound))

    asyncio.run(main())
    assert (broken.calls, broken.cuts) == (1, 1)
    assert sound.cuts == 0
    assert "a viewer's connection" in caplog.text
    assert "a defect" in caplog.text


def test_a_background_board_survives_a_task_that_raises_system_exit() -> None:
    board = Board(interval_ms=20)
    left: list[asyncio.Task[None]] = []

    async def leave() -> None:
        raise SystemExit(3)

    @board.every("20ms")
    async def leaves() -> None:
        if not left:
            left.append(asyncio.create_task(leave()))

    with serve_in_background(board, port=0) as served:
        wait_for(lambda: "event loop" in board.hub.problems)
        seq = board.hub.engine.seq
        wait_for(lambda: board.hub.engine.seq > seq + 3)
        assert httpx.get(f"{served.url}/api/health").json()["status"] == "degraded"


def test_a_serving_thread_that_fails_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    class Broken:
        def run(self, sockets: list[socket.socket]) -> None:
            raise MemoryError("no room")

    with caplog.at_level(logging.ERROR, "tickboard"):
        background._serve(cast("Server", Broken()), socket.create_server(("127.0.0.1", 0)))
    assert "the board is no longer served" in caplog.text
