"""Viewers of a mounted board that read nothing: uvicorn's buffers for them are bounded, and dropped in the end."""

import asyncio
import contextlib
import socket
import threading
from collections.abc import Iterator

import pytest
from starlette.types import ASGIApp, Receive, Scope, Send
from tests.raw import GUARD_S
from tests.serving import RawStream, Served, raw_viewer, serve_app, wait_for
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from tickboard import Board
from tickboard.hub.encodings import JSON, whole
from tickboard.hub.frames import Frame
from tickboard.server.streams.uvicorn_call import transport_beneath

SERIES, TICKS = 3_000, 60

MOST_SYSTEM_BYTES = 3 * 2**21
"""The most that the kernel may buffer for a connection, on both sides."""


@contextlib.contextmanager
def large_board(ws: str = "websockets-sansio", around: type | None = None) -> Iterator[tuple[int, Served]]:
    """Serve a board whose window is full and that makes no more ticks."""
    board = Board("Large", interval_ms=3_600_000, window_size=TICKS)
    gauges = [board.gauge(f"wide_metric_{number}") for number in range(SERIES)]
    for gauge in gauges:
        gauge.set(1.5)
    served = Served(board)
    engine = board.hub.engine
    for number in range(TICKS):
        engine.tick(1_700_000_000.0 + number, 1.0)
    with serve_app(around(served) if around else served, ws=ws) as port:
        yield port, served


def window(served: Served) -> Frame:
    """Return the `initial` frame that every viewer gets."""
    engine = served.board.hub.engine
    steps = JSON.initial(engine.select(), 1, engine.epoch, engine.seq, engine.window.all(), resumed=False, skipped=0)
    return whole(steps)


def has_unsent_windows(served: Served, viewers: int = 1) -> bool:
    """Return whether this many viewers have an unsent window."""
    return [viewer.untaken is not None for viewer in list(served.board.hub.waiting)] == [True] * viewers


def ends(client: socket.socket) -> bool:
    """Return whether a connection ends after no more than the kernel had buffered."""
    client.settimeout(GUARD_S)
    size = 0
    with contextlib.suppress(ConnectionError):
        while size < MOST_SYSTEM_BYTES:
            if not (data := client.recv(2**16)):
                break
            size += len(data)
    return size < MOST_SYSTEM_BYTES


def check_on(served: Served, now: float) -> None:
    """Have the hub check for stalled viewers at a given time."""
    done = threading.Event()

    def check() -> None:
        served.board.hub.check(now)
        done.set()

    served.run(check)
    assert done.wait(GUARD_S)


any_ws = pytest.mark.parametrize("ws", ["websockets-sansio", "wsproto"])


@any_ws
def test_viewers_of_one_address_with_too_much_unsent_are_closed_at_once(
    ws: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with large_board(ws) as (port, served), contextlib.ExitStack() as stack:
        size = window(served).size
        assert size > 2 * MOST_SYSTEM_BYTES
        monkeypatch.setattr("tickboard.hub.hub.MAX_UNTAKEN_BYTES", 3 * size)
        hub = served.board.hub
        clients = [stack.enter_context(raw_viewer(port)) for _ in range(8)]
        wait_for(lambda: hub.traffic.viewers_stalled == 5 and hub.viewers == 3 and has_unsent_windows(served, 3))
        # The frames queued for the others are dropped.
        assert sum(map(ends, clients)) == 5
        with connect(f"ws://127.0.0.1:{port}/ws/metrics?metrics=wide_metric_1") as viewer:
            viewer.recv(GUARD_S)


@any_ws
def test_frames_queued_for_a_closed_viewer_are_dropped(ws: str) -> None:
    with large_board(ws) as (port, served), raw_viewer(port) as client:
        hub = served.board.hub
        wait_for(lambda: has_unsent_windows(served))
        check_on(served, 0.0)
        check_on(served, 20.0)
        wait_for(lambda: hub.viewers == 0)
        assert hub.traffic.viewers_stalled == 1
        assert ends(client)


@any_ws
def test_a_slow_reader_is_not_stalled_and_gets_everything(ws: str) -> None:
    with large_board(ws) as (port, served), raw_viewer(port) as client:
        hub, size = served.board.hub, window(served).size
        client.settimeout(GUARD_S)
        left, now = size, 0.0
        while left > 2**22:
            wait_for(lambda: has_unsent_windows(served))
            check_on(served, now)
            for _ in range(2**21 // 4096):
                left -= len(client.recv(4096))
            now += 19.0
        assert hub.traffic.viewers_stalled == 0
        while left > 0:
            left -= len(client.recv(2**16))
        wait_for(lambda: not hub.waiting)
        assert hub.viewers == 1


def test_frames_queued_for_a_viewer_that_closes_unread_are_dropped() -> None:
    with large_board() as (port, served), raw_viewer(port) as client:
        hub = served.board.hub
        wait_for(lambda: has_unsent_windows(served))
        client.sendall(b"\x88\x82\0\0\0\0\x03\xe8")
        wait_for(lambda: hub.viewers == 0)
        assert ends(client)


class InAnotherTask:
    """A middleware that calls the application in its own task, which hides the server's transport."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.seen: list[asyncio.Transport | None] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def call() -> None:
            self.seen.append(transport_beneath())
            await self.app(scope, receive, send)

        await asyncio.create_task(call())
        assert self.seen == [None] * len(self.seen)


def test_without_a_visible_transport_a_large_window_counts_until_it_is_sent() -> None:
    with (
        large_board(around=InAnotherTask) as (port, served),
        connect(f"ws://127.0.0.1:{port}/ws/metrics", max_size=None) as viewer,
    ):
        assert len(viewer.recv(GUARD_S)) == window(served).size
        wait_for(lambda: not served.board.hub.waiting)
        served.run(lambda: served.board.hub.close(1001))
        with pytest.raises(ConnectionClosed) as closed:
            viewer.recv(GUARD_S)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1001


def test_nothing_is_kept_for_a_disconnected_reader_of_alerts() -> None:
    with large_board() as (port, served), RawStream(port) as reader:
        assert reader.event()["event"] == "position"
        served.fire(2_000, "m" * 5_000)
        wait_for(lambda: served.board.hub.readers._busy)
        check_on(served, 0.0)
        check_on(served, 20.0)
        wait_for(lambda: served.readers == 0)
        assert ends(reader.socket)
