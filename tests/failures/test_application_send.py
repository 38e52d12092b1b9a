"""Faults in an application's ``send`` and ``receive``: they affect one viewer of a mounted board and no other."""

import asyncio
import contextvars
import json
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import anyio
import httpx
import pytest
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from tests.serving import RawStream, Served, raw_viewer, serve_app, wait_for
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from tickboard import Board
from tickboard import problems as problems_module
from tickboard.server.streams import asgi as mounted
from tickboard.server.streams.asgi import SOURCE, is_disconnect

Passed = Callable[[], Awaitable[Any]]
"""The call that a fault wraps: one call of the server's own ``send`` or ``receive``."""

Fault = Callable[[Passed], Awaitable[Any]]

VICTIM = "victim=1"


async def raises(passed: Passed) -> None:
    await passed()
    raise ValueError("no such luck")


async def exits(passed: Passed) -> None:
    await passed()
    raise SystemExit(3)


async def stops(passed: Passed) -> None:
    await passed()
    raise StopAsyncIteration


async def cancels(passed: Passed) -> None:
    await passed()
    shared = asyncio.get_running_loop().create_future()
    shared.cancel()
    await shared


def returns_no_awaitable(passed: Passed) -> Awaitable[Any]:
    return None  # type: ignore[return-value]


async def hangs(passed: Passed) -> None:
    await asyncio.Event().wait()


async def swallows_its_cancellation(passed: Passed) -> None:
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        await passed()


async def returns_a_number(passed: Passed) -> int:
    await passed()
    return 7


FAILING: dict[str, Fault] = {
    "ValueError": raises,
    "SystemExit": exits,
    "StopAsyncIteration": stops,
    "CancelledError": cancels,
    "TypeError": returns_no_awaitable,
}
"""Faults by the exception name that is reported."""


class Faulty:
    """A middleware whose ``send`` or ``receive`` fails for victims after the first calls."""

    def __init__(self, app: ASGIApp, where: str, fault: Fault) -> None:
        self.app = app
        self.where = where
        self.fault: Fault | None = fault

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        calls = {"send": 0, "receive": 0}

        def pass_on(name: str, passed: Passed) -> Awaitable[Any]:
            calls[name] += 1
            late = calls[name] > (2 if name == "send" else 1)
            return self.fault(passed) if self.fault and name == self.where and late else passed()

        if scope.get("query_string") != VICTIM.encode():
            await self.app(scope, receive, send)
            return
        await self.app(
            scope, lambda: pass_on("receive", receive), lambda message: pass_on("send", lambda: send(message))
        )


@contextmanager
def faulty(where: str, fault: Fault) -> Iterator[tuple[int, Served, Faulty]]:
    board = Board("Mounted", interval_ms=20)
    board.gauge("a").set(1)
    served = Served(board)
    middleware = Faulty(served, where, fault)
    with serve_app(middleware) as port:
        yield port, served, middleware


@contextmanager
def watching(port: int) -> Iterator[ClientConnection]:
    """Watch as a viewer without faults; at the end, assert that it missed no tick."""
    with connect(f"ws://127.0.0.1:{port}/ws/metrics") as viewer:
        last = json.loads(viewer.recv(10))["seq"]
        yield viewer
        for _ in range(5):
            last += 1
            message = json.loads(viewer.recv(10))
            while message["type"] != "metrics":
                message = json.loads(viewer.recv(10))
            assert message["seq"] == last


def drain(viewer: ClientConnection) -> None:
    while True:
        viewer.recv(10)


def speak(viewer: ClientConnection) -> None:
    """Send a message, so that a faulty ``receive`` is called."""
    viewer.send('{"type":"ping"}')


def drain_after_speaking(viewer: ClientConnection) -> None:
    """Speak and drain. Speaking may already close the connection."""
    speak(viewer)
    drain(viewer)


def problem(served: Served) -> str:
    problems = served.board.hub.problems
    return problems[SOURCE].message if SOURCE in problems else ""


@pytest.mark.parametrize("name", FAILING)
@pytest.mark.parametrize("where", ["send", "receive"])
def test_a_failure_disconnects_one_viewer_and_is_reported_until_it_works_again(
    where: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with faulty(where, FAILING[name]) as (port, served, middleware), watching(port):
        url = f"ws://127.0.0.1:{port}/ws/metrics?{VICTIM}"
        with connect(url) as victim, pytest.raises(ConnectionClosed):
            drain_after_speaking(victim)
        wait_for(lambda: served.board.hub.viewers == 1)
        assert problem(served).startswith(f"the application's {where} raised {name}, and the connection was ended")
        # It works again, and the quiet time after a failure is over.
        middleware.fault = None
        monkeypatch.setattr(problems_module, "QUIET_S", 0.0)
        with connect(url) as victim:
            assert json.loads(victim.recv(10))["type"] == "initial"
            wait_for(lambda: not problem(served))


@pytest.mark.parametrize("name", FAILING)
@pytest.mark.parametrize("where", ["send", "receive"])
def test_a_failure_disconnects_one_alert_reader_and_is_reported(where: str, name: str) -> None:
    with faulty(where, FAILING[name]) as (port, served, _), RawStream(port) as reader:
        assert reader.event()["event"] == "position"
        with RawStream(port, path=f"/events/alerts?{VICTIM}") as victim:
            served.fire()
            # Its ``receive`` returns only when its client disconnects, and fails then.
            assert where == "receive" or victim.ends()
        wait_for(lambda: served.readers == 1)
        assert name in problem(served)
        served.fire()
        assert [reader.event()["id"][-2:] for _ in range(2)] == ["-1", "-2"]


@pytest.mark.parametrize("fault", [hangs, swallows_its_cancellation])
def test_a_viewer_whose_send_hangs_is_disconnected_as_stalled(fault: Fault, monkeypatch: pytest.MonkeyPatch) -> None:
    # Long enough for the other viewer, even on a busy machine.
    monkeypatch.setattr("tickboard.hub.viewer.STALLED_S", 1.0)
    monkeypatch.setattr(mounted, "LINGER_S", 0.2)
    with faulty("send", fault) as (port, served, _), watching(port):
        with connect(f"ws://127.0.0.1:{port}/ws/metrics?{VICTIM}") as victim, pytest.raises(ConnectionClosed):
            drain(victim)
        wait_for(lambda: served.board.hub.viewers == 1)
        assert served.board.hub.traffic.viewers_stalled == 1


def test_a_hanging_receive_delays_no_tick() -> None:
    with faulty("receive", hangs) as (port, served, _), watching(port):
        with connect(f"ws://127.0.0.1:{port}/ws/metrics?{VICTIM}") as victim:
            first = json.loads(victim.recv(10))["seq"]
            assert [json.loads(victim.recv(10))["seq"] for _ in range(5)] == list(range(first + 1, first + 6))
        assert not problem(served)


@pytest.mark.parametrize("where", ["send", "receive"])
def test_the_result_of_send_is_ignored_and_the_result_of_receive_is_checked(where: str) -> None:
    with faulty(where, returns_a_number) as (port, served, _), watching(port):
        with connect(f"ws://127.0.0.1:{port}/ws/metrics?{VICTIM}") as victim:
            if where == "receive":
                speak(victim)
                with pytest.raises(ConnectionClosed):
                    drain(victim)
            else:
                first = json.loads(victim.recv(10))["seq"]
                assert json.loads(victim.recv(10))["seq"] == first + 1
        wait_for(lambda: served.board.hub.viewers == 1)
        assert ("TypeError" in problem(served)) == (where == "receive")


@pytest.mark.parametrize("kind", ["ws/metrics", "events/alerts"])
def test_a_receive_that_repeats_one_message_forever_delays_nobody(kind: str) -> None:
    async def repeats(passed: Passed) -> Message:
        return {"type": "http.request" if kind == "events/alerts" else "websocket.receive", "text": "{}"}

    with faulty("receive", repeats) as (port, served, middleware), watching(port):
        if kind == "ws/metrics":
            with connect(f"ws://127.0.0.1:{port}/ws/metrics?{VICTIM}") as victim:
                assert json.loads(victim.recv(10))["type"] == "initial"
        else:
            with RawStream(port, path=f"/events/alerts?{VICTIM}") as reader:
                assert reader.event()["event"] == "position"
                served.fire()
                assert reader.event()["id"].endswith("-1")
        # The board has not noticed the reader leave.
        middleware.fault = None


async def bounded_by_asyncio(passed: Passed) -> None:
    async with asyncio.timeout(0.2):
        await passed()


async def bounded_by_anyio(passed: Passed) -> None:
    with anyio.fail_after(0.2):
        await passed()


async def abandoned_by_anyio(passed: Passed) -> None:
    with anyio.move_on_after(0.2):
        await passed()


@pytest.mark.parametrize(
    ("bound", "ends"), [(bounded_by_asyncio, True), (bounded_by_anyio, True), (abandoned_by_anyio, False)]
)
def test_a_time_limit_around_send_affects_only_the_viewer_that_stops_reading(bound: Fault, ends: bool) -> None:
    board = Board("Mounted", interval_ms=20)
    for number in range(1_000):
        board.gauge(f"wide_{number}").set(number)
    with (
        serve_app(Faulty(board, "send", bound)) as port,
        connect(f"ws://127.0.0.1:{port}/ws/metrics?metrics=wide_1") as viewer,
        raw_viewer(port, f"/ws/metrics?{VICTIM}"),
    ):
        traffic = board.hub.traffic
        seen = [json.loads(viewer.recv(10))["seq"]]
        # Some ticks are skipped for it before each limit is reached; an abandoned frame is lost with its ticks.
        while not (traffic.viewers_stalled if ends else traffic.frames_skipped):
            seen.append(json.loads(viewer.recv(10))["seq"])
        seen += [json.loads(viewer.recv(10))["seq"] for _ in range(5)]
        assert seen == list(range(seen[0], seen[0] + len(seen)))
        assert httpx.get(f"http://127.0.0.1:{port}/api/health").json()["status"] == "ok"
        wait_for(lambda: board.hub.viewers == (1 if ends else 2))


def test_each_send_runs_in_a_task_with_the_context_of_its_viewer() -> None:
    who = contextvars.ContextVar[str]("who")
    seen: dict[str, set[tuple[str, int]]] = {"1": set(), "2": set()}
    board = Board("Mounted", interval_ms=20)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        name = scope.get("query_string", b"").decode()

        async def sending(message: Message) -> None:
            seen[name].add((who.get(), id(asyncio.current_task())))
            await send(message)

        who.set(name)
        await board(scope, receive, sending if name in seen else send)

    with (
        serve_app(app) as port,
        connect(f"ws://127.0.0.1:{port}/ws/metrics?1") as one,
        connect(f"ws://127.0.0.1:{port}/ws/metrics?2") as two,
    ):
        for viewer in (one, two):
            for _ in range(3):
                viewer.recv(10)
    assert [{name for name, _ in seen[viewer]} for viewer in seen] == [{"1"}, {"2"}]
    # The call itself answers the handshake, and the task beside it sends the ticks.
    assert [len(seen[viewer]) for viewer in seen] == [2, 2]
    assert not {task for _, task in seen["1"]} & {task for _, task in seen["2"]}


@pytest.mark.parametrize(
    ("error", "gone"),
    [
        (ConnectionResetError(), True),
        (OSError(), True),
        (TimeoutError(), True),
        (OSError(28, "No space left on device"), False),
        (FileNotFoundError(2, "No such file"), False),
        (RuntimeError(), False),
    ],
)
def test_a_disconnected_client_is_distinguished_from_a_fault(error: Exception, gone: bool) -> None:
    assert is_disconnect(error) == gone
