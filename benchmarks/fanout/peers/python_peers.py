"""Python's usual ways to tell many viewers: a loop of awaited sends in Starlette, and websockets' broadcast.

And to tell many readers of events: Starlette's StreamingResponse, with a queue for each. `mounted` is Tickboard's board
for the fan-out, mounted in a Starlette application under the same uvicorn.

Usage: python python_peers.py starlette|websockets|streaming|mounted INTERVAL_MS; ticks also come at
/bench/go?rounds=N.
"""

import asyncio
import contextlib
import importlib
import itertools
import json
import os
import random
import sys
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs, urlsplit

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, StreamingResponse
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect
from websockets.asyncio.server import ServerConnection, broadcast, serve
from websockets.http11 import Request as Handshake
from websockets.http11 import Response

NAMES = ("cpu_usage", "memory_usage", "requests_per_sec", "avg_latency")


class Ticks:
    """Makes frames, and has them sent."""

    def __init__(self) -> None:
        self.seq = 0

    def frame(self) -> str:
        self.seq += 1
        now = datetime.now(UTC).isoformat(timespec="milliseconds")[:-6] + "Z"
        data = [
            {"name": name, "value": round(random.uniform(0, 100), 1), "unit": "%", "timestamp": now} for name in NAMES
        ]
        message = {"type": "metrics", "data": data, "seq": self.seq, "timestamp": now}
        return json.dumps(message, separators=(",", ":"))


async def every(interval_ms: int, send: Callable[[], object]) -> None:
    """Send at whole multiples of the interval."""
    interval = interval_ms / 1000
    while interval:
        await asyncio.sleep(interval - time.time() % interval)
        done = send()
        if asyncio.iscoroutine(done):
            await done
    await asyncio.Event().wait()


async def starlette(interval_ms: int) -> None:
    ticks, viewers = Ticks(), set[WebSocket]()

    async def watch(viewer: WebSocket) -> None:
        await viewer.accept()
        viewers.add(viewer)
        try:
            while True:
                await viewer.receive_text()
        except WebSocketDisconnect:
            pass
        finally:
            viewers.discard(viewer)

    async def send() -> None:
        frame = ticks.frame()
        for viewer in list(viewers):
            with contextlib.suppress(WebSocketDisconnect):
                await viewer.send_text(frame)

    async def go(request: Request) -> JSONResponse:
        for _ in range(int(request.query_params.get("rounds", 0))):
            await send()
            await asyncio.sleep(0)
        return JSONResponse({"status": "ok"})

    routes = [WebSocketRoute("/ws/metrics", watch), Route("/bench/go", go), Route("/api/health", go)]
    await serving(Starlette(routes=routes), every(interval_ms, send))


async def streaming(interval_ms: int) -> None:
    readers = set[asyncio.Queue[str]]()
    numbers = itertools.count(1)
    newest = 0

    async def events() -> AsyncIterator[str]:
        queue = asyncio.Queue[str]()
        readers.add(queue)
        try:
            yield f"id: e-{newest}\nevent: position\ndata: {{}}\n\n"
            while True:
                yield await queue.get()
        finally:
            readers.discard(queue)

    def send() -> None:
        nonlocal newest
        newest = next(numbers)
        now = datetime.now(UTC).isoformat(timespec="milliseconds")[:-6] + "Z"
        alert = {
            "id": f"{newest:032x}",
            "message": "It has begun: 1.0%",
            "severity": "critical",
            "timestamp": now,
            "metric": "beginning",
            "value": 1.0,
        }
        event = f"id: e-{newest}\ndata: {json.dumps(alert, separators=(',', ':'))}\n\n"
        for queue in readers:
            queue.put_nowait(event)

    async def read(_: Request) -> StreamingResponse:
        return StreamingResponse(events(), media_type="text/event-stream")

    async def health(_: Request) -> JSONResponse:
        return JSONResponse({"status": "ok"})

    routes = [Route("/events/alerts", read), Route("/api/health", health)]
    await serving(Starlette(routes=routes), every(interval_ms, send))


async def mounted(interval_ms: int) -> None:
    os.environ["METRIC_INTERVAL_MS"] = str(interval_ms or 3_600_000)
    board = importlib.import_module("board").board
    await serving(Starlette(routes=[Mount("/", board)], lifespan=board.lifespan), every(0, str))


async def serving(app: Starlette, ticks: Coroutine[Any, Any, None]) -> None:
    """Serve an application, and make ticks beside it."""
    config = uvicorn.Config(app, port=0, log_level="warning", ws_per_message_deflate=False)
    server = uvicorn.Server(config)
    running = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    print(f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]} Ctrl-C", flush=True)
    await asyncio.gather(running, ticks)


async def websockets(interval_ms: int) -> None:
    ticks = Ticks()

    def send() -> None:
        broadcast(server.connections, ticks.frame())

    async def watch(viewer: ServerConnection) -> None:
        await viewer.wait_closed()

    async def documents(viewer: ServerConnection, handshake: Handshake) -> Response | None:
        url = urlsplit(handshake.path)
        if url.path == "/ws/metrics":
            return None
        for _ in range(int(parse_qs(url.query).get("rounds", ["0"])[0])):
            send()
            await asyncio.sleep(0)
        return viewer.respond(HTTPStatus.OK, "{}")

    async with serve(watch, "127.0.0.1", 0, process_request=documents, compression=None) as server:
        print(f"http://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]} Ctrl-C", flush=True)
        await every(interval_ms, send)


if __name__ == "__main__":
    peers = {"starlette": starlette, "websockets": websockets, "streaming": streaming, "mounted": mounted}
    main = peers[sys.argv[1]]
    with asyncio.Runner(loop_factory=uvicorn.Config("").get_loop_factory()) as runner:
        runner.run(main(int(sys.argv[2])))
