"""A viewer's connection that was handed over: its pending work ends with it."""

import asyncio
import socket
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

import pytest
from tests.hub.watching import Bench
from websockets.frames import Frame, Opcode

from tickboard.hub.hub import Hub
from tickboard.server.streams.alert_stream import DirectStream
from tickboard.server.streams.client_messages import answer
from tickboard.server.streams.sockets import PING_EVERY_S, Pulse, SocketViewer

GUARD_S = 30.0
"""A hang guard: the longest wait for anything."""


async def test_processing_a_message_stops_when_its_connection_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    bench, steps = Bench(), 0

    def prepare(*_: object) -> Iterator[None]:
        nonlocal steps
        while True:
            steps += 1
            yield

    monkeypatch.setattr(bench.hub.audiences, "prepare", prepare)
    ours, theirs = socket.socketpair()
    with theirs:
        transport, _ = await asyncio.get_running_loop().create_connection(asyncio.Protocol, sock=ours)
        ended = asyncio.Event()
        offer = {"connections": set(), "on_end": [ended.set]}
        SocketViewer(transport, bench.hub, Pulse(), offer).begin(
            {"type": "websocket", "query_string": b"", "headers": []}
        )
        message = b'{"type":"subscribe","metrics":["value"]}'
        theirs.sendall(Frame(Opcode.TEXT, message).serialize(mask=True))
        async with asyncio.timeout(GUARD_S):
            while steps < 3:
                await asyncio.sleep(0)
            transport.abort()
            await ended.wait()
        done = steps
        for _ in range(10):
            await asyncio.sleep(0)
        assert steps == done


def test_a_subscription_is_prepared_in_a_later_step_and_a_ping_is_answered_at_once() -> None:
    bench = Bench()
    inbox = bench.join()
    assert inbox.viewer is not None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bench.hub.audiences, "prepare", broken)
        subscribing = answer('{"type":"subscribe","metrics":["*"]}', bench.hub, inbox.viewer, 0.0)
        next(subscribing)
        with pytest.raises(BrokenError):
            next(subscribing)
    inbox.take()
    assert next(answer('{"type":"ping"}', bench.hub, inbox.viewer, 0.0), "over") == "over"
    assert [message["type"] for message in inbox.take()] == ["pong"]


class BrokenError(Exception):
    """An exception that nobody expects."""


def broken(*_: object, **__: object) -> NoReturn:
    raise BrokenError


def begin_viewer(transport: asyncio.Transport, hub: Hub, offer: dict[str, Any]) -> None:
    SocketViewer(transport, hub, Pulse(), offer).begin({"type": "websocket", "query_string": b"", "headers": []})


def begin_reader(transport: asyncio.Transport, hub: Hub, offer: dict[str, Any]) -> None:
    DirectStream(transport, offer, hub.readers, chunked=True).begin("")


@pytest.mark.parametrize(
    ("begin", "what"),
    [(begin_viewer, "position"), (begin_viewer, "select"), (begin_viewer, "initial"), (begin_reader, "read")],
)
async def test_a_connection_that_fails_to_join_is_disconnected_and_sent_nothing(
    begin: Callable[[asyncio.Transport, Hub, dict[str, Any]], None], what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = Bench()
    bench.tick()
    if what == "read":
        monkeypatch.setattr(bench.hub.readers, "_read_on", broken)
    elif what == "select":
        monkeypatch.setattr(bench.engine, "select", broken)
    elif what == "initial":
        monkeypatch.setattr(bench.hub.initials, "frame_for", broken)
    else:
        monkeypatch.setattr("tickboard.server.streams.client_messages.parse_position", broken)
    ours, theirs = socket.socketpair()
    with theirs:
        transport, _ = await asyncio.get_running_loop().create_connection(asyncio.Protocol, sock=ours)
        ended = asyncio.Event()
        offer: dict[str, Any] = {"connections": set(), "on_end": [ended.set]}
        with pytest.raises(BrokenError):
            begin(transport, bench.hub, offer)
        monkeypatch.undo()
        async with asyncio.timeout(GUARD_S):
            await ended.wait()
        assert not offer["connections"]
        assert (bench.hub.viewers, bench.hub.subscriptions, len(bench.hub.readers)) == (0, 0, 0)
        # A tick written to its descriptor would go to another connection that reuses it.
        bench.tick()
        theirs.setblocking(False)
        assert await asyncio.get_running_loop().sock_recv(theirs, 100) == b""


async def test_a_connection_whose_ping_fails_is_disconnected_and_the_others_are_pinged(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    bench, pulse = Bench(), Pulse()
    ends: list[socket.socket] = []
    viewers: list[SocketViewer] = []
    for _ in range(6):
        ours, theirs = socket.socketpair()
        ends.append(theirs)
        transport, _ = await asyncio.get_running_loop().create_connection(asyncio.Protocol, sock=ours)
        viewers.append(SocketViewer(transport, bench.hub, pulse, {"connections": set(), "on_end": []}))
        viewers[-1].begin({"type": "websocket", "query_string": b"", "headers": []})
    failing = set(viewers[::2])
    asked: list[SocketViewer] = []

    def ask(viewer: SocketViewer, now: float) -> None:
        if viewer in failing:
            raise BrokenError
        asked.append(viewer)

    monkeypatch.setattr(SocketViewer, "ask", ask)
    for _ in range(2):
        pulse.beat(viewers[0].heard + PING_EVERY_S + 1)
    assert sorted(map(id, asked)) == sorted(map(id, 2 * viewers[1::2]))
    assert caplog.text.count("a viewer's connection failed and is cut") == 3
    async with asyncio.timeout(GUARD_S):
        while bench.hub.viewers != 3:
            await asyncio.sleep(0.01)
    for end in ends:
        end.close()
    async with asyncio.timeout(GUARD_S):
        while bench.hub.viewers:
            await asyncio.sleep(0.01)
