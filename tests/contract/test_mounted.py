"""A board mounted in another application."""

import asyncio
import contextlib
import json
import socket
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from hypercorn.asyncio import serve as hypercorn_serve
from hypercorn.config import Config as HypercornConfig
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import Response
from tests.serving import SUBPROTOCOL, RawStream, Served, raw_viewer, serve_app, wait_for
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from tickboard import Board, TickboardMiddleware


@pytest.mark.parametrize("with_lifespan", [True, False])
def test_everything_works_below_the_mount_path(with_lifespan: bool) -> None:
    board = Board("Mounted", interval_ms=30)
    app = FastAPI(lifespan=board.lifespan) if with_lifespan else FastAPI()
    app.add_middleware(TickboardMiddleware, registry=board)
    app.mount("/live", board)

    @app.get("/hello")
    def hello() -> str:
        return "hello"

    with serve_app(app) as port:
        base = f"http://127.0.0.1:{port}"
        assert httpx.get(f"{base}/hello").json() == "hello"
        assert httpx.get(f"{base}/live/").headers["content-type"].startswith("text/html")
        assert httpx.get(f"{base}/live", follow_redirects=True).status_code == 200
        with connect(f"ws://127.0.0.1:{port}/live/ws/metrics") as viewer:
            assert json.loads(viewer.recv(10))["type"] == "initial"
            for _ in range(3):
                assert json.loads(viewer.recv(10))["type"] == "metrics"
            httpx.get(f"{base}/hello")
            rates: list[float] = []
            while not any(rates):
                tick = json.loads(viewer.recv(10))
                rates += [metric["value"] for metric in tick["data"] if metric["name"] == "requests_per_sec"]
            stats = httpx.get(f"{base}/live/api/stats").json()
            assert stats["latency"]["count"] >= 1
            assert httpx.get(f"{base}/live/api/openapi.json").json()["servers"] == [{"url": "/live"}]
            assert httpx.get(f"{base}/live/nothing").status_code == 404
            with httpx.stream("GET", f"{base}/live/events/alerts") as stream:
                assert "retry: 2000" in next(stream.iter_text())


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1:1", "http://[", ""])
def test_pages_of_other_sites_cannot_change_alerts_of_a_mounted_board(origin: str) -> None:
    served = Served(Board("Mounted", interval_ms=30))
    app = FastAPI()
    app.mount("/live", served)
    with serve_app(app) as port:
        httpx.get(f"http://127.0.0.1:{port}/live/api/health").raise_for_status()
        served.fire()
        url = f"http://127.0.0.1:{port}/live/api/alerts/id1"
        for path, body in (("ack", {"note": "x"}), ("ack", None), ("silence", {"duration": "1h", "reason": "x"})):
            answer = httpx.post(f"{url}/{path}", json=body, headers={"Origin": origin})
            assert answer.status_code == 403
            assert answer.json()["error"].startswith(
                f"a page of {origin} may not write to 127.0.0.1:{port}: use a page of this host"
            )
        # A no-cors fetch of bytes has no content type.
        silence = b'{"duration":"1h","reason":"x"}'
        assert httpx.post(f"{url}/silence", content=silence).status_code == 415
        assert httpx.get(f"http://127.0.0.1:{port}/live/api/silences").json() == []
        assert "acknowledged" not in httpx.get(f"http://127.0.0.1:{port}/live/api/alerts").json()["alerts"][0]
        own = httpx.post(f"{url}2/ack", headers={"Origin": f"http://127.0.0.1:{port}"})
        assert (own.status_code, own.json()["error"][:24]) == (404, "there is no alert 'id12'")


async def under_hypercorn(app: Any, meanwhile: Callable[[int], Awaitable[None]]) -> None:
    """Run an application under Hypercorn on a free port, and a coroutine beside it."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    config = HypercornConfig()
    config.bind = [f"127.0.0.1:{port}"]
    config.errorlog = None
    over = asyncio.Event()

    async def ended() -> None:
        await over.wait()

    serving = asyncio.create_task(hypercorn_serve(app, config, shutdown_trigger=ended))
    try:
        await meanwhile(port)
    finally:
        over.set()
        await serving


def test_the_hub_works_under_another_server() -> None:
    board = Board("Elsewhere", interval_ms=30)
    board.gauge("a").set(1)
    served = Served(board)

    def watch(port: int) -> None:
        wait_for(lambda: answers(port))
        read_alerts(port, served)
        url = f"ws://127.0.0.1:{port}/ws/metrics?metrics=a"
        with connect(url) as text, connect(url, subprotocols=[SUBPROTOCOL]) as binary:
            first = json.loads(text.recv(10))
            assert first["type"] == "initial"
            ticks = [json.loads(text.recv(10))["seq"] for _ in range(3)]
            assert ticks == list(range(first["seq"] + 1, first["seq"] + 4))
            assert json.loads(binary.recv(10))["type"] == "series"
            kinds = [binary.recv(10)[0] for _ in range(3)]
            assert kinds == [1, 2, 2]
            text.send('{"type":"ping"}')
            while json.loads(text.recv(10))["type"] != "pong":
                pass
        wait_for(lambda: board.hub.viewers == 0)

    def answers(port: int) -> bool:
        with contextlib.suppress(httpx.TransportError):
            return httpx.get(f"http://127.0.0.1:{port}/api/health").is_success
        return False

    async def beside(port: int) -> None:
        await asyncio.to_thread(watch, port)

    asyncio.run(under_hypercorn(served, beside))


def read_alerts(port: int, served: Served, path: str = "/events/alerts") -> None:
    """Read the alert stream, and resume it."""
    url = f"http://127.0.0.1:{port}{path}"
    for first in (1, 3):
        with httpx.stream("GET", f"{url}?last_event_id={served.log.epoch}-{first - 1}", timeout=10) as stream:
            lines = stream.iter_lines()
            assert next(line for line in lines if line.startswith("event:")) == "event: position"
            served.fire()
            served.fire()
            ids = [next(line for line in lines if line.startswith("id: ")) for _ in range(2)]
            assert ids == [f"id: {served.log.epoch}-{number}" for number in (first, first + 1)]
        wait_for(lambda: served.readers == 0)


def test_alerts_pass_through_other_middleware() -> None:
    served = Served(Board("Mounted", interval_ms=30))

    class Passing(BaseHTTPMiddleware):
        async def dispatch(self, request: Request, call_next: RequestResponseEndpoint) -> Response:
            return await call_next(request)

    app = FastAPI()
    app.add_middleware(GZipMiddleware)
    app.add_middleware(Passing)
    app.mount("/live", served)
    with serve_app(app) as port:
        read_alerts(port, served, "/live/events/alerts")


def test_a_reader_that_never_reads_is_disconnected_and_delays_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tickboard.hub.viewer.STALLED_S", 1.0)
    served = Served(Board("Mounted", interval_ms=20))
    with serve_app(served) as port, httpx.stream("GET", f"http://127.0.0.1:{port}/events/alerts", timeout=10) as stream:
        lines = stream.iter_lines()
        assert next(line for line in lines if line.startswith("id: ")).endswith("-0")
        with RawStream(port):
            told = 0
            while served.number < 15_000:
                # As fast as the other reader reads: the kernel alone buffers some megabytes for a stalled one.
                served.fire(100, "x" * 500)
                while told < served.number:
                    told += 1
                    assert next(line for line in lines if line.startswith("id: ")).endswith(f"-{told}")
            wait_for(lambda: served.board.hub.traffic.subscribers_stalled == 1)
        wait_for(lambda: served.readers == 1)


def test_the_streams_of_a_mounted_board_end_cleanly() -> None:
    served = Served(Board("Mounted", interval_ms=20))
    with serve_app(served) as port, httpx.stream("GET", f"http://127.0.0.1:{port}/events/alerts", timeout=10) as stream:
        lines = stream.iter_lines()
        assert next(lines) == "retry: 2000"
        served.fire()
        served.run(lambda: served.board.hub.close(1001))
        assert any("id1" in line for line in list(lines))


def test_a_viewer_that_never_reads_is_disconnected_and_delays_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    # Long enough for the other viewer, even on a busy machine.
    monkeypatch.setattr("tickboard.hub.viewer.STALLED_S", 1.5)
    board = Board("Mounted", interval_ms=20)
    for number in range(2_000):
        board.gauge(f"wide_{number}").set(number)
    app = FastAPI(lifespan=board.lifespan)
    app.mount("/live", board)
    with serve_app(app) as port, connect(f"ws://127.0.0.1:{port}/live/ws/metrics", max_size=None) as viewer:
        stalled = raw_viewer(port, "/live/ws/metrics")
        seen: list[int] = []
        while board.hub.traffic.viewers_stalled == 0:
            message = json.loads(viewer.recv(10))
            seen.append(message["seq"])
        assert seen == list(range(seen[0], seen[0] + len(seen)))
        assert board.hub.traffic.frames_skipped > 0
        wait_for(lambda: board.hub.viewers == 1)
        stalled.close()


def drain(viewer: ClientConnection) -> None:
    while True:
        viewer.recv(10)


def read_until_subscribed(viewer: ClientConnection) -> None:
    while json.loads(viewer.recv(10))["type"] != "subscribed":
        pass


@pytest.mark.parametrize("ws", ["websockets-sansio", "wsproto"])
@pytest.mark.parametrize("kind", ["text", "binary"])
def test_an_oversized_message_disconnects_its_viewer_unread(ws: str, kind: str) -> None:
    fits = json.dumps({"type": "subscribe", "metrics": ["none"], "more": "x" * 60_000})
    large = json.dumps({"type": "subscribe", "metrics": ["none"], "more": ["x"] * 20_000})
    with (
        serve_app(Board("Big", interval_ms=30), ws=ws) as port,
        connect(f"ws://127.0.0.1:{port}/ws/metrics") as viewer,
    ):
        viewer.send(fits)
        read_until_subscribed(viewer)
        viewer.send(large if kind == "text" else large.encode())
        with pytest.raises(ConnectionClosed) as ended:
            read_until_subscribed(viewer)
    assert ended.value.rcvd is not None
    assert ended.value.rcvd.code == 1009


def test_a_mounted_board_that_ends_sends_a_close_frame() -> None:
    board = Board("Mounted", interval_ms=20)
    board.gauge("a").set(1)
    app = FastAPI(lifespan=board.lifespan)
    app.mount("/live", board)
    with serve_app(app) as port, connect(f"ws://127.0.0.1:{port}/live/ws/metrics") as viewer:
        viewer.recv(10)
        board.hub.close(1001)
        with pytest.raises(ConnectionClosed) as closed:
            drain(viewer)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1001


@pytest.mark.parametrize("count_board", [False, True])
@pytest.mark.parametrize("path", ["/live", "/a/b", ""])
def test_requests_to_the_board_are_not_counted_as_the_applications(path: str, count_board: bool) -> None:
    # No tick comes that would consume the counts.
    board = Board("Mounted", interval_ms=3_600_000)
    app = FastAPI(lifespan=board.lifespan)
    app.add_middleware(GZipMiddleware)
    app.add_middleware(TickboardMiddleware, registry=board, count_board=count_board)

    @app.get("/hello")
    def hello() -> str:
        return "hello"

    app.mount(path, board)

    def column(name: str) -> int:
        [found] = board.metric(name).columns
        return found

    with serve_app(app) as port:
        base = f"http://127.0.0.1:{port}{path}"
        for _ in range(5):
            assert httpx.get(f"{base}/").status_code in {200, 503}
            assert httpx.get(f"{base}/api/stats").is_success
            assert httpx.get(f"{base}/nothing/there").status_code == 404
            assert httpx.get(f"{base}/ws/metrics").status_code == 426
        with (
            connect(f"ws://127.0.0.1:{port}{path}/ws/metrics") as viewer,
            httpx.stream("GET", f"{base}/events/alerts") as stream,
        ):
            # Kept in a variable, since the stream ends with it.
            lines = stream.iter_lines()
            assert next(lines)
            for _ in range(3):
                assert httpx.get(f"http://127.0.0.1:{port}/hello").is_success
            assert viewer.recv(10)
            registry = board.registry
            # A request counts as in flight until a moment after the client has its answer.
            wait_for(lambda: registry.values[column("requests_in_flight")] == (1 if count_board else 0))
            assert registry.counts[column("requests_per_sec")] == (24 if count_board else 3)
