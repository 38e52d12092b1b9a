"""A large frame counts as sent when the server has passed it on, whatever was sent before it."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from starlette.types import Message
from tests.raw import GUARD_S

from tickboard import Board
from tickboard.hub.frames import Frame
from tickboard.hub.outbox import OUTBOX_BYTES
from tickboard.server.streams.asgi import Calls, MountedViewer
from tickboard.server.streams.raw_socket import MAX_LINGERING_BYTES

SMALL = Frame.text(b"a")
LARGE = Frame.text(b"a" * (max(OUTBOX_BYTES, MAX_LINGERING_BYTES) + 1))


class Server(asyncio.Transport):
    """A server that accepts everything at once, and keeps it."""

    def __init__(self) -> None:
        super().__init__()
        self.kept_bytes = 0
        self.takes_large = asyncio.Event()
        self.begun: list[int] = []

    async def send(self, message: Message) -> None:
        size = len(message["text"])
        self.begun.append(size)
        if size > OUTBOX_BYTES:
            await self.takes_large.wait()
        self.kept_bytes += size

    def get_write_buffer_size(self) -> int:
        return self.kept_bytes

    def abort(self) -> None:
        self.kept_bytes = 0


class Outlet(MountedViewer):
    """A viewer that counts how often it asks for more."""

    def __init__(self, server: Server) -> None:
        hub = Board("Mounted").hub
        super().__init__(server.send, Calls(hub), hub)
        self._transport = server
        self.asked = 0

    def idle_again(self) -> None:
        self.asked += 1


async def never() -> Any:
    await asyncio.Event().wait()


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(GUARD_S):
        while not condition():
            await asyncio.sleep(0.001)


@pytest.mark.parametrize("first", [(), (SMALL,)], ids=["alone", "after a small one"])
async def test_a_large_frame_counts_as_sent_once_the_server_has_passed_it_on(first: tuple[Frame, ...]) -> None:
    server = Server()
    server.takes_large.set()
    outlet = Outlet(server)
    serving = asyncio.create_task(outlet.serve(never))
    assert all(outlet.send(frame) for frame in first)
    assert not outlet.send(LARGE)
    await until(lambda: server.kept_bytes >= LARGE.size)
    for _ in range(100):
        await asyncio.sleep(0)
    assert not outlet.asked
    server.kept_bytes = 0
    await until(lambda: outlet.asked == 1)
    assert outlet.send(SMALL)
    outlet.cut()
    await serving


@pytest.mark.parametrize("first", [(), (SMALL,)], ids=["alone", "after a small one"])
async def test_closing_does_not_wait_for_a_large_frame(first: tuple[Frame, ...]) -> None:
    server = Server()
    outlet = Outlet(server)
    serving = asyncio.create_task(outlet.serve(never))
    for frame in (*first, LARGE):
        outlet.send(frame)
    await until(lambda: len(server.begun) == len(first) + 1)
    outlet.close(1000)
    assert outlet._over.done()
    await serving
