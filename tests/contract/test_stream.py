"""A reader's connection to the alert stream under ``tickboard run``: what clients do, and how it ends."""

import contextlib
import signal
import socket
import struct
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from starlette.types import Message, Receive, Scope, Send
from tests.serving import RawStream, Served, event_number, serve, serve_app, wait_for

from tickboard import Board
from tickboard.server.uvicorn.gate import Gate
from tickboard.server.uvicorn.http import HttpConnection

BOARDS = Path(__file__).parents[1] / "boards"
GET = "GET /events/alerts HTTP/1.1\r\nHost: 127.0.0.1\r\n"


def gated() -> Any:
    """Return the connection class as uvicorn creates it, with its own gate."""
    return partial(HttpConnection, gate=Gate())


@pytest.fixture
def served() -> Served:
    return Served(Board("Alerts", interval_ms=50))


@pytest.fixture
def port(served: Served) -> Iterator[int]:
    with serve_app(served, http=gated()) as port:
        yield port


# --- HTTP ---


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_the_content_is_chunked_except_for_http_1_0(served: Served, port: int, version: str) -> None:
    with RawStream(port, f"GET /events/alerts HTTP/{version}\r\nHost: 127.0.0.1\r\n\r\n") as stream:
        assert stream.head.startswith("http/1.1 200 ")
        assert "content-type: text/event-stream" in stream.head
        assert "connection: close" in stream.head
        assert ("transfer-encoding: chunked" in stream.head) == (version == "1.1")
        assert stream.event()["event"] == "position"
        before = len(stream.chunks)
        served.fire()
        assert event_number(stream.event()) == 1
        assert len(stream.chunks) - before == (1 if version == "1.1" else 0)
        assert served.readers == 1
        served.run(lambda: served.board.hub.close(1001))
        assert stream.ends()
        assert stream.whole == (version == "1.1")
    wait_for(lambda: served.readers == 0)


@pytest.mark.parametrize("iterate", ["iter_lines", "iter_content"])
def test_requests_receives_an_alert_without_waiting_for_a_heartbeat(
    served: Served, port: int, iterate: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tickboard.hub.readers.HEARTBEAT_S", 1e9)
    requests: Any = pytest.importorskip("requests")
    with requests.get(f"http://127.0.0.1:{port}/events/alerts", stream=True, timeout=30) as answer:
        # This is how sseclient-py and most programs read it.
        pieces = answer.iter_lines() if iterate == "iter_lines" else answer.iter_content(chunk_size=None)
        assert b"retry: 2000" in next(pieces)
        for number in (1, 2):
            served.fire()
            assert any(f'"id":"id{number}"'.encode() in piece for piece in pieces)


def test_clients_of_both_http_versions_get_the_same_events(served: Served, port: int) -> None:
    old = "GET /events/alerts HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n"
    with contextlib.ExitStack() as stack:
        streams = [stack.enter_context(RawStream(port, old if number % 2 else "")) for number in range(200)]
        for stream in streams:
            assert stream.event()["event"] == "position"
        served.fire(3)
        assert [[event_number(stream.event()) for _ in range(3)] for stream in streams] == [[1, 2, 3]] * 200
        assert [bool(stream.chunks) for stream in streams] == [True, False] * 100


def test_a_connection_may_have_been_used_before(served: Served, port: int) -> None:
    with RawStream(port, f"HEAD /api/health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n{GET}\r\n") as stream:
        assert "application/json" in stream.head
        assert "text/event-stream" in stream.next_head()
        assert stream.event()["event"] == "position"
        served.fire()
        assert event_number(stream.event()) == 1


def test_requests_pipelined_behind_the_stream_are_ignored(served: Served, port: int) -> None:
    with RawStream(port, f"{GET}\r\n" + f"{GET}\r\n" * 3) as stream:
        assert stream.event()["event"] == "position"
        stream.socket.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        stream.socket.sendall(b"\x00\xff" * 50_000)
        served.fire()
        assert event_number(stream.event()) == 1
        served.fire()
        assert event_number(stream.event()) == 2
        assert served.readers == 1


def test_a_request_may_have_a_body(served: Served, port: int) -> None:
    with RawStream(port, f"{GET}Content-Length: 10\r\n\r\nhello") as stream:
        stream.socket.sendall(b"world")
        assert stream.event()["event"] == "position"
        served.fire()
        assert event_number(stream.event()) == 1


def test_head_is_answered_without_a_stream(served: Served, port: int) -> None:
    with httpx.Client(base_url=f"http://127.0.0.1:{port}") as client:
        answer = client.head("/events/alerts")
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert client.get("/api/health").json()["subscribers"] == 0
        assert client.post("/events/alerts").status_code == 405


def test_content_follows_a_head_that_a_middleware_delays(served: Served) -> None:
    async def holding(scope: Scope, receive: Receive, send: Send) -> None:
        held: list[Message] = []

        async def hold(message: Message) -> None:
            if message["type"] == "http.response.start":
                held.append(message)
                return
            while held:
                await send(held.pop())
            await send(message)

        await served(scope, receive, hold)

    with (
        serve_app(holding, http=gated()) as port,
        httpx.stream("GET", f"http://127.0.0.1:{port}/events/alerts") as stream,
    ):
        assert stream.headers["transfer-encoding"] == "chunked"
        lines = stream.iter_lines()
        assert next(lines) == "retry: 2000"
        served.fire()
        assert any("id1" in line for line in lines)


# --- how it ends ---


def test_a_reader_that_closes_its_side_is_disconnected(served: Served, port: int) -> None:
    with RawStream(port) as stream:
        assert stream.event()["event"] == "position"
        stream.socket.shutdown(socket.SHUT_WR)
        assert stream.ends()
    wait_for(lambda: served.readers == 0)


def test_readers_that_vanish_are_removed(served: Served, port: int) -> None:
    for _ in range(20):
        stream = RawStream(port)
        stream.event()
        # A reset instead of a goodbye, as from a machine that was switched off and on.
        stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        stream.socket.close()
        served.fire()
    wait_for(lambda: served.readers == 0)


def test_a_reader_that_reads_nothing_is_disconnected_and_can_resume(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tickboard.hub.viewer.STALLED_S", 1.0)
    with (
        serve_app(served, http=gated()) as port,
        RawStream(port) as stalled,
        RawStream(port) as other,
    ):
        stalled.event()
        other.event()
        told = 0
        while served.number < 5_000:
            # As fast as the other reader reads.
            served.fire(200, "x" * 500)
            while told < served.number:
                told += 1
                assert event_number(other.event()) == told
        wait_for(lambda: served.board.hub.traffic.subscribers_stalled == 1)
        wait_for(lambda: served.readers == 1)
        last = ""
        with contextlib.suppress(EOFError, OSError):
            while event := stalled.event():
                last = event["id"]
        seen = int(last.rpartition("-")[2])
        assert 0 < seen < told
        with RawStream(port, f"{GET}Last-Event-ID: {last}\r\n\r\n") as back:
            assert back.event()["event"] == "position"
            while seen < told:
                seen += 1
                assert event_number(back.event()) == seen


def test_the_streams_end_when_the_board_closes(served: Served, port: int) -> None:
    with RawStream(port) as idle, RawStream(port) as stalled:
        idle.event()
        stalled.event()
        served.fire(5_000, "x" * 500)
        asked = time.monotonic()
        served.run(lambda: served.board.hub.close(1001))
        told = 0
        with contextlib.suppress(EOFError):
            while event := idle.event():
                told += 1
                assert event_number(event) == told
        wait_for(lambda: served.readers == 0)
        assert time.monotonic() - asked < 10


def test_ctrl_c_ends_the_streams_and_the_server() -> None:
    with (
        serve("run", str(BOARDS / "waves.py"), "--interval", "40", "--max-per-address", "0") as server,
        contextlib.ExitStack() as stack,
    ):
        streams = [stack.enter_context(RawStream(server.port)) for _ in range(50)]
        server.process.send_signal(signal.SIGINT)
        assert all(stream.ends() for stream in streams)
        assert server.process.wait(10) == 0
        assert "Traceback" not in server.output()


# --- heartbeats ---


def test_heartbeats_are_sent_while_no_alert_fires(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tickboard.hub.readers.HEARTBEAT_S", 0.1)
    monkeypatch.setattr("tickboard.running.runner.BEAT_S", 0.02)
    with serve_app(served, http=gated()) as port, RawStream(port) as stream:
        assert stream.event()["event"] == "position"
        for _ in range(3):
            event = stream.event()
            assert set(event) == {"id", "data"}
            assert event["data"].startswith('{"type":"heartbeat","timestamp":')


# --- many ---


def test_a_thousand_readers_get_each_event_and_cost_little(served: Served, port: int) -> None:
    with serve("run", str(BOARDS / "waves.py"), "--interval", "100", "--max-per-address", "0") as server:
        process = psutil.Process(server.process.pid)
        path = "/events/alerts?last_event_id=0"
        streams = [RawStream(server.port, path=path) for _ in range(100)]
        before = process.memory_info().rss
        streams += [RawStream(server.port, path=path) for _ in range(900)]
        memory = process.memory_info().rss - before
        assert server.json("/api/health")["subscribers"] == 1_000
        try:
            for stream in streams:
                assert stream.event()["event"] == "position"
                assert [event_number(stream.event()) for _ in range(6)] == [1, 2, 3, 4, 5, 6]
            assert memory / 900 < 8_000
        finally:
            for stream in streams:
                stream.socket.close()
        server.wait_for(lambda: server.json("/api/health")["subscribers"] == 0)


def test_ten_thousand_events_reach_a_reader_and_are_not_kept_per_reader(served: Served, port: int) -> None:
    process = psutil.Process()
    with contextlib.ExitStack() as stack:
        stalled = [stack.enter_context(RawStream(port)) for _ in range(50)]
        reading = stack.enter_context(RawStream(port))
        assert reading.event()["event"] == "position"
        wait_for(lambda: served.readers == 51)
        served.fire(10, "x")
        before = process.memory_info().rss
        served.fire(10_000, "x" * 300)
        told = 0
        while told < 10_010:
            told += 1
            assert event_number(reading.event()) == told
        # The log holds them once, 10,000 times some 500 bytes, encoded; one copy for each of 50 would be 250 MB.
        assert process.memory_info().rss - before < 60_000_000
        assert all(stream.event()["event"] == "position" for stream in stalled)
