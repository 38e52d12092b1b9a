"""Clients that are silent, or send or read too slowly, are disconnected. Tests set the time; the sockets are real."""

import asyncio
import contextlib
import gc
import socket
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, cast

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from tests.raw import GET, GUARD_S, POST, UPGRADE, refusal, rest, statuses, talk
from tests.serving import RawStream, Served, serve_app, wait_for

from tickboard import Board
from tickboard.hub.traffic import Traffic
from tickboard.server.requests import bodies
from tickboard.server.requests.client_clock import CLOCK
from tickboard.server.uvicorn.gate import FIRST_S, HEAD_S, KEEP_ALIVE_S, TAKE_BYTES, TAKE_S, Gate
from tickboard.server.uvicorn.http import HttpConnection
from tickboard.server.uvicorn.websocket import LINGER_S, Connection


class Clock:
    """The clock used by the gate and its connections.

    Attributes:
        offset: seconds ahead of the monotonic clock.
    """

    offset = 0.0

    def monotonic(self) -> float:
        return time.monotonic() + self.offset


class Gated(Served):
    """A board behind a gate whose clock a test sets.

    Attributes:
        clock: the clock of the gate and its connections.
        gate: the gate of its connections.
        traffic: the counters.
        port: the port that it listens on.
    """

    def __init__(self, board: Board) -> None:
        super().__init__(board)
        self.clock = Clock()
        self.traffic = Traffic()
        self.gate = Gate(traffic=lambda: self.traffic)
        self.port = 0

    def later(self, seconds: float) -> None:
        """Have the gate check the connections as if this many seconds had passed since the start of the test."""
        done = threading.Event()

        def look() -> None:
            self.clock.offset = seconds
            self.gate.look(self.clock.monotonic())
            done.set()

        self.run(look)
        assert done.wait(GUARD_S)

    def over(self) -> asyncio.Event:
        """Return an event that routes can use too."""
        assert self.board._live is not None
        over = self.board._live.app.state.over = asyncio.Event()
        return over

    @property
    def connections(self) -> list[HttpConnection]:
        return [each for each in self.gate._connections if isinstance(each, HttpConnection)]

    @property
    def ending(self) -> bool:
        """Whether all connections are being ended."""
        return all(each.is_closing() for each in self.connections)

    @contextlib.contextmanager
    def client(self, said: bytes, heard: Callable[[HttpConnection], object]) -> Iterator[socket.socket]:
        """Connect, send something, and wait until the server has read it.

        The kernel buffers little for this client: the server keeps what it does not read.
        """
        with socket.socket() as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
            connection.settimeout(GUARD_S)
            connection.connect(("127.0.0.1", self.port))
            connection.sendall(said)
            wait_for(lambda: self.connections and heard(self.connections[0]))
            yield connection


async def large(request: Request) -> Response:
    return PlainTextResponse("x" * (32 << 20))


async def reads(request: Request) -> Response:
    return PlainTextResponse(str(len(await request.body())))


async def hesitates(request: Request) -> Response:
    await request.app.state.over.wait()
    return PlainTextResponse(str(len(await request.body())))


async def waits(request: Request) -> Response:
    while (await request.receive())["type"] != "http.disconnect":
        pass
    request.app.state.over.set()
    return PlainTextResponse("to nobody")


@pytest.fixture
def gated(monkeypatch: pytest.MonkeyPatch) -> Iterator[Gated]:
    routes = [Route("/large", large), Route("/waits", waits)]
    routes += [Route("/reads", reads, methods=["POST"]), Route("/hesitates", hesitates, methods=["POST"])]
    gated = Gated(Board("Gated", interval_ms=50, routes=routes))
    monkeypatch.setattr("tickboard.server.uvicorn.gate.time", gated.clock)
    monkeypatch.setattr("tickboard.server.uvicorn.http.time", gated.clock)
    monkeypatch.setattr("tickboard.server.requests.client_clock.time", gated.clock)
    with serve_app(gated, Connection, partial(HttpConnection, gate=gated.gate)) as port:
        httpx.get(f"http://127.0.0.1:{port}/api/health").raise_for_status()
        wait_for(lambda: not gated.connections)
        gated.port = port
        yield gated


def test_a_silent_client_is_disconnected_without_an_answer(gated: Gated) -> None:
    with gated.client(b"", lambda _: True) as silent:
        gated.later(FIRST_S - 1)
        assert not gated.ending
        gated.later(FIRST_S + 1)
        assert gated.ending
        assert rest(silent) == b""
    assert gated.traffic.requests_refused["silent"] == 1


def test_the_gate_checks_periodically_while_there_are_connections(
    gated: Gated, monkeypatch: pytest.MonkeyPatch
) -> None:
    # It has to check twice.
    monkeypatch.setattr("tickboard.server.uvicorn.http.FIRST_S", 0.7)
    for _ in range(2):
        with gated.client(b"", lambda _: True) as silent:
            assert rest(silent) == b""
        wait_for(lambda: gated.gate._timer is None)


@pytest.mark.parametrize("said", [b"G", b"\r\n", b"GET / HTTP/1.1", GET, GET + b"X: a", GET + UPGRADE])
def test_an_unfinished_head_gets_408(gated: Gated, said: bytes) -> None:
    with gated.client(said, lambda one: one._framing.head_bytes) as slow:
        gated.later(HEAD_S - 1)
        assert not gated.ending
        gated.later(HEAD_S + 1)
        assert gated.ending
        assert refusal(rest(slow))[0] == 408
    assert gated.traffic.requests_refused["slow"] == 1


def test_a_trickling_head_does_not_extend_the_deadline(gated: Gated) -> None:
    with gated.client(GET + b"X: ", lambda one: one._framing.head_bytes) as slow:
        for seconds in range(int(HEAD_S)):
            slow.sendall(b"a")
            gated.later(seconds)
        assert not gated.ending
        gated.later(HEAD_S + 1)
        assert gated.ending
        assert refusal(rest(slow))[0] == 408


def test_an_idle_connection_is_closed_after_the_keep_alive_time(gated: Gated) -> None:
    with gated.client(GET + b"\r\n", lambda one: one._answered_one) as idle:
        gated.later(KEEP_ALIVE_S - 1)
        idle.sendall(GET + b"\r\n")
        wait_for(lambda: len(statuses(idle.recv(65_536, socket.MSG_PEEK))) == 2)
        gated.later(2 * KEEP_ALIVE_S + 1)
        assert gated.ending
        assert statuses(rest(idle)) == [200, 200]
    assert not sum(gated.traffic.requests_refused.values())


@pytest.mark.parametrize("path", [b"/reads", b"/api/metrics"])
@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_that_arrives_too_slowly_gets_408(gated: Gated, path: bytes, chunked: bool) -> None:
    length = b"Transfer-Encoding: chunked\r\n\r\n2\r\n" if chunked else b"Content-Length: 9\r\n\r\n"
    head = POST.replace(b"/api/metrics", path) + length
    with gated.client(head + b"[ ", lambda one: one._framing.content) as slow:
        gated.later(bodies.GRACE_S)
        assert not gated.ending
        gated.later(bodies.GRACE_S + 2)
        assert gated.ending
        assert refusal(rest(slow))[0] == 408
    assert gated.traffic.requests_refused["slow"] == 1


def test_the_deadline_of_a_body_grows_with_the_bytes_received(gated: Gated) -> None:
    length = bodies.LEAST_BYTES_A_S * 20
    head = POST.replace(b"/api/metrics", b"/reads") + b"Content-Length: %d\r\n\r\n" % (length + 1)
    with gated.client(head + b"a" * length, lambda one: one._framing.content == length) as slow:
        gated.later(bodies.GRACE_S + 19)
        slow.sendall(b"a")
        assert statuses(slow.recv(65_536)) == [200]


def test_a_client_whose_route_is_not_reading_is_not_slow(gated: Gated) -> None:
    over = gated.over()
    size = 1 << 20
    head = POST.replace(b"/api/metrics", b"/hesitates") + b"Content-Length: %d\r\n\r\n" % size
    with gated.client(head + b"a" * 70_000, lambda one: one.flow.read_paused) as waiting:
        gated.later(1_000)
        assert gated.connections
        gated.run(over.set)
        wait_for(lambda: not gated.connections[0].flow.read_paused)
        gated.later(1_005)
        waiting.sendall(b"a" * (size - 70_000))
        assert statuses(waiting.recv(65_536)) == [200]


@pytest.mark.parametrize("path", [b"/reads", b"/api/metrics"])
@pytest.mark.parametrize("in_head", [False, True])
def test_a_client_waiting_in_the_turnstile_is_not_slow(
    gated: Gated, path: bytes, in_head: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    head = POST.replace(b"/api/metrics", path) + b"Content-Length: 9\r\n\r\n"
    said, more = (head[:-4], head[-4:] + b"[]") if in_head else (head, b"[]")
    with gated.client(said, lambda one: one._framing.head_bytes or one._framing.in_body) as waiting:
        [connection] = gated.connections
        with monkeypatch.context() as closed:
            closed.setattr(gated.gate.turnstile, "arrive", lambda connection, *, ahead=False: None)
            waiting.sendall(more)
            wait_for(lambda: connection._in_line)
            gated.later(1_000)
            gated.later(2_000)
            assert not gated.ending
        gated.run(lambda: connection.read_on(0.0))
        wait_for(lambda: connection._framing.content)
        waiting.sendall(b" " * 7)
        assert statuses(waiting.recv(65_536)) == [200]


def test_a_client_can_be_slow_after_waiting_in_the_turnstile(gated: Gated, monkeypatch: pytest.MonkeyPatch) -> None:
    head = POST.replace(b"/api/metrics", b"/reads") + b"Content-Length: 9\r\n\r\n"
    with gated.client(head, lambda one: one._framing.in_body) as slow:
        [connection] = gated.connections
        monkeypatch.setattr(gated.gate.turnstile, "arrive", lambda connection, *, ahead=False: None)
        slow.sendall(b"[]")
        wait_for(lambda: connection._in_line)
        # The clock that routes use.
        clock = cast("dict[str, Any]", connection.cycle.scope)[CLOCK]
        shown = clock()
        gated.later(1_000)
        assert clock() == shown
        gated.run(lambda: connection.read_on(0.0))
        wait_for(lambda: connection._framing.content)
        gated.later(1_000 + bodies.GRACE_S - 1)
        assert not gated.ending
        gated.later(1_000 + bodies.GRACE_S + 2)
        assert gated.ending
        assert refusal(rest(slow))[0] == 408


def test_a_client_that_does_not_read_its_answer_is_disconnected(gated: Gated) -> None:
    with gated.client(GET.replace(b"/api/health", b"/large") + b"\r\n", lambda one: one._answered_one) as stalled:
        gated.later(0)
        gated.later(TAKE_S - 1)
        assert gated.connections
        gated.later(TAKE_S + 1)
        assert gated.traffic.requests_refused["slow"] == 1
        assert len(rest(stalled)) < 32 << 20


def test_a_client_that_reads_its_answer_slowly_is_not_disconnected(gated: Gated) -> None:
    with gated.client(GET.replace(b"/api/health", b"/large") + b"\r\n", lambda one: one._answered_one) as slow:
        [connection] = gated.connections
        received = 0
        for turn in range(1, 5):
            # The gate looks by itself, too: time passes after it looked, and before the client has read on.
            gated.later((TAKE_S - 5) * turn)
            unsent = connection.transport.get_write_buffer_size()
            # The kernel has its own buffers, so the bytes that left the server count.
            while connection.transport.get_write_buffer_size() > unsent - TAKE_BYTES:
                part = slow.recv(65_536)
                assert part
                received += len(part)
        assert gated.connections
        while received < 32 << 20:
            part = slow.recv(65_536)
            assert part
            received += len(part)


def test_a_client_that_lingers_after_its_last_answer_is_disconnected(gated: Gated) -> None:
    with gated.client(b"JUNK\r\n\r\n", lambda one: one._ended_at) as lingering:
        gated.later(LINGER_S - 1)
        lingering.sendall(b"more")
        assert gated.connections
        gated.later(LINGER_S + 1)
        wait_for(lambda: not gated.connections)


def test_a_client_still_reading_its_last_answer_is_not_disconnected(gated: Gated) -> None:
    asked = GET.replace(b"/api/health", b"/large") + b"Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
    with gated.client(asked, lambda one: one._ended_at) as slow:
        gated.later(LINGER_S + 1)
        received = 0
        while part := slow.recv(1 << 20):
            received += len(part)
    assert received > 32 << 20


def test_a_waiting_route_notices_a_disconnect_despite_pipelined_requests(gated: Gated) -> None:
    over = gated.over()
    ahead = GET.replace(b"/api/health", b"/waits") + b"\r\n" + GET + b"\r\n"
    with gated.client(ahead, lambda one: one._held):
        assert not over.is_set()
    wait_for(over.is_set)


def test_pipelined_bytes_of_all_connections_share_a_limit(gated: Gated, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tickboard.server.uvicorn.http.MAX_HELD_BYTES", 10_000)
    ahead = (GET + b"\r\n") * 100
    last = GET + b"Connection: close\r\n\r\n"
    assert len(statuses(talk(gated.port, ahead + last))) == 101
    assert len(statuses(talk(gated.port, ahead * 10 + last))) < 101
    assert gated.traffic.requests_refused["bodies"] == 1
    assert gated.gate.held == 0


@pytest.mark.parametrize("connections", [1, 200])
def test_requests_and_connections_leave_no_garbage(gated: Gated, connections: int) -> None:
    requests = 200 // connections
    last = GET + b"Connection: close\r\n\r\n"

    def ask() -> None:
        for _ in range(connections):
            assert len(statuses(talk(gated.port, (GET + b"\r\n") * (requests - 1) + last))) == requests
        wait_for(lambda: not gated.connections)

    ask()
    gc.collect()
    gc.disable()
    try:
        ask()
        # A leak would be dozens of objects for each of them.
        assert gc.collect() < 200 * 10
    finally:
        gc.enable()


def test_clients_that_leave_in_the_middle_of_a_body_leave_no_garbage(gated: Gated) -> None:
    def leave() -> None:
        for _ in range(20):
            with socket.create_connection(("127.0.0.1", gated.port), GUARD_S) as client:
                client.sendall(POST + b"Content-Length: 999\r\n\r\n[")
                wait_for(lambda: gated.gate.receiving)
            wait_for(lambda: not gated.connections)

    leave()
    gc.collect()
    gc.disable()
    try:
        leave()
        assert gc.collect() < 20 * 10
    finally:
        gc.enable()


@pytest.mark.parametrize("headers", [b"A: b\r\n" * 200, b"A: " + b"b" * 70_000])
def test_refused_requests_leave_no_garbage(gated: Gated, headers: bytes) -> None:
    def ask() -> None:
        for _ in range(20):
            assert statuses(talk(gated.port, GET + headers + b"\r\n")) == [431]
        wait_for(lambda: not gated.connections)

    ask()
    gc.collect()
    gc.disable()
    try:
        ask()
        assert gc.collect() < 20 * 10
    finally:
        gc.enable()


def test_nothing_is_kept_for_closed_connections(gated: Gated) -> None:
    for said in (b"", b"G", GET + b"\r\n", POST + b"Content-Length: 9\r\n\r\n", b"JUNK\r\n\r\n"):
        with socket.create_connection(("127.0.0.1", gated.port), GUARD_S) as client:
            client.sendall(said)
    with RawStream(gated.port), socket.create_connection(("127.0.0.1", gated.port), GUARD_S) as viewer:
        viewer.sendall(GET.replace(b"/api/health", b"/ws/metrics") + UPGRADE + b"\r\n")
        assert viewer.recv(12) == b"HTTP/1.1 101"
        wait_for(lambda: not gated.connections)
    gate = gated.gate
    wait_for(lambda: not (gate.waiting or gate.receiving or gate.ended))
