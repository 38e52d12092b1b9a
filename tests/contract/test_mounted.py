"""A board mounted in somebody else's application."""

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest
import uvicorn
from fastapi import FastAPI
from websockets.sync.client import connect

from tickboard import Board, TickboardMiddleware


@contextmanager
def serving(app: FastAPI) -> Iterator[int]:
    """Run an application on a free port, in a thread, with stock uvicorn."""
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning", ws="websockets-sansio"))
    started = threading.Event()

    async def main() -> None:
        task = asyncio.create_task(server.serve())
        while not server.started and not task.done():
            await asyncio.sleep(0.01)
        started.set()
        await task

    thread = threading.Thread(target=lambda: asyncio.run(main()))
    thread.start()
    try:
        assert started.wait(10)
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        thread.join(10)
        assert not thread.is_alive()


@pytest.mark.parametrize("with_lifespan", [True, False])
def test_everything_works_below_its_path(with_lifespan: bool) -> None:
    board = Board("Mounted", interval_ms=30)
    app = FastAPI(lifespan=board.lifespan) if with_lifespan else FastAPI()
    app.add_middleware(TickboardMiddleware, registry=board)
    app.mount("/live", board)

    @app.get("/hello")
    def hello() -> str:
        return "hello"

    with serving(app) as port:
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
