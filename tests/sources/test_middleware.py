import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from threading import Thread
from time import monotonic, sleep
from typing import Any

import httpx
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket
from websockets.sync.client import connect

from tickboard.errors import InputError
from tickboard.metrics.registry import Registry
from tickboard.sources.middleware import Application, Message, Receive, Scope, Send, TickboardMiddleware
from tickboard.sources.middleware.requests import MAX_ROUTES, Requests


@dataclass
class Clock:
    """A clock that a test advances."""

    now: float = 100.0

    def __call__(self) -> float:
        return self.now


@dataclass
class BoardLike:
    """Stands in for a board."""

    registry: Registry


@dataclass
class Sent:
    """The messages that an application has sent."""

    messages: list[Message] = field(default_factory=list)

    async def __call__(self, message: Message) -> None:
        self.messages.append(message)


async def nothing_received() -> Message:
    return {"type": "http.disconnect"}


def values(registry: Registry) -> dict[str, float]:
    """End a tick of one second and return its values."""
    row = registry.collect(1)
    return {series.key: float(row[series.column]) for series in registry.series}


def counted(registry: Registry) -> dict[str, float]:
    """End the tick and return the number of answers by route and status: ``GET /items 2xx``."""
    row = registry.collect(1)
    answered = [series for series in registry.series if series.metric.name == "http_requests" and row[series.column]]
    return {" ".join(dict(series.labels).values()): float(row[series.column]) for series in answered}


def serve(app: Application, scope_type: str = "http", **more: Any) -> Sent:
    sent = Sent()
    asyncio.run(_call(app, {"type": scope_type, "method": "GET", **more}, sent))
    return sent


async def _call(app: Application, scope: Scope, send: Send) -> None:
    await app(scope, nothing_received, send)


def answers(status: int, after_s: float, clock: Clock, then_s: float = 0) -> Application:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        clock.now += after_s
        await send({"type": "http.response.start", "status": status, "headers": []})
        clock.now += then_s
        await send({"type": "http.response.body", "body": b""})

    return app


# --- without a server ---


def test_two_middlewares_declare_and_share_their_metrics() -> None:
    registry, clock = Registry(), Clock()
    app = answers(200, 0, clock)
    first, second = TickboardMiddleware(app, registry), TickboardMiddleware(app, BoardLike(registry))
    metrics = registry.metrics
    assert (metrics["requests_per_sec"].title, metrics["requests_per_sec"].unit) == ("Requests/sec", "req/s")
    assert (metrics["avg_latency"].title, metrics["avg_latency"].unit) == ("Latency", "ms")
    assert (metrics["errors_per_sec"].title, metrics["errors_per_sec"].unit) == ("Errors/sec", "req/s")
    serve(first)
    serve(second)
    assert values(registry)["requests_per_sec"] == 2


def test_a_metric_declared_as_something_else_is_refused() -> None:
    registry = Registry()
    registry.gauge("requests_per_sec", "Requests/sec", unit="req/s")
    with pytest.raises(InputError, match="requests_per_sec"):
        TickboardMiddleware(answers(200, 0, Clock()), registry)


def test_latency_ends_when_the_response_starts() -> None:
    registry, clock = Registry(), Clock()
    serve(TickboardMiddleware(answers(200, 0.25, clock, then_s=3600), registry, clock))
    found = values(registry)
    assert found["avg_latency"] == pytest.approx(250)
    assert found["avg_latency.p95"] == pytest.approx(250)
    assert (found["requests_per_sec"], found["errors_per_sec"]) == (1, 0)


@pytest.mark.parametrize(("status", "errors"), [(200, 0), (404, 0), (499, 0), (500, 1), (503, 1)])
def test_a_status_of_500_and_above_is_an_error(status: int, errors: int) -> None:
    registry, clock = Registry(), Clock()
    sent = serve(TickboardMiddleware(answers(status, 0, clock), registry, clock))
    assert values(registry)["errors_per_sec"] == errors
    assert [message["type"] for message in sent.messages] == ["http.response.start", "http.response.body"]


@pytest.mark.parametrize("status", [None, 200, 500])
def test_an_exception_is_one_error_and_propagates_unchanged(status: int | None) -> None:
    registry, clock = Registry(), Clock()
    thrown = RuntimeError("broken")

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        clock.now += 0.5
        if status is not None:
            await send({"type": "http.response.start", "status": status, "headers": []})
        clock.now += 0.5
        raise thrown

    with pytest.raises(RuntimeError) as caught:
        serve(TickboardMiddleware(app, registry, clock))
    assert caught.value is thrown
    found = values(registry)
    assert (found["requests_per_sec"], found["errors_per_sec"]) == (1, 1)
    assert found["avg_latency"] == pytest.approx(1000 if status is None else 500)


def test_a_cancelled_request_is_not_an_error() -> None:
    registry, clock = Registry(), Clock()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        serve(TickboardMiddleware(app, registry, clock))
    found = values(registry)
    assert (found["requests_per_sec"], found["errors_per_sec"]) == (1, 0)


@pytest.mark.parametrize("scope_type", ["websocket", "lifespan"])
def test_other_scopes_pass_through_unchanged(scope_type: str) -> None:
    registry = Registry()
    seen: list[object] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.extend([scope["type"], receive, send])

    sent = serve(TickboardMiddleware(app, registry), scope_type)
    assert seen == [scope_type, nothing_received, sent]
    assert values(registry)["requests_per_sec"] == 0


# --- by route and status ---


@pytest.mark.parametrize(
    ("status", "status_class"), [(200, "2xx"), (204, "2xx"), (302, "3xx"), (404, "4xx"), (503, "5xx"), (999, "other")]
)
def test_answers_are_counted_by_route_and_status_class(status: int, status_class: str) -> None:
    registry, clock = Registry(), Clock()
    app = TickboardMiddleware(answers(status, 0.25, clock), registry, clock)
    serve(app, **{"tickboard.route": "/items/{id}"})
    serve(app, **{"tickboard.route": "/items/{id}"})
    found = values(registry)
    assert found[f'http_requests{{route="GET /items/{{id}}",status="{status_class}"}}'] == 2
    assert found['http_latency{route="GET /items/{id}"}'] == pytest.approx(250)
    assert found['http_latency.p99{route="GET /items/{id}"}'] == pytest.approx(250)


def test_an_exception_before_any_answer_counts_as_500() -> None:
    registry = Registry()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        raise RuntimeError

    with pytest.raises(RuntimeError):
        serve(TickboardMiddleware(app, registry), path_template="/items/{id:int}")
    assert counted(registry) == {"GET /items/{id} 5xx": 1}


def test_a_cancelled_request_has_no_status() -> None:
    registry = Registry()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        serve(TickboardMiddleware(app, registry))
    found = values(registry)
    assert (found["requests_per_sec"], found["requests_in_flight"]) == (1, 0)
    assert not any(key.startswith("http_requests{") for key in found)


def test_paths_and_methods_of_clients_never_become_routes() -> None:
    registry = Registry()
    app = TickboardMiddleware(answers(200, 0, Clock()), registry)
    for number in range(500):
        serve(app, path=f"/{number}")
        serve(app, method=f"WORD{number}", **{"tickboard.route": "/items"})
    assert counted(registry) == {"other 2xx": 1_000}


def test_a_method_not_allowed_is_counted_as_other() -> None:
    registry = Registry()
    serve(TickboardMiddleware(answers(405, 0, Clock()), registry), **{"tickboard.route": "/items"})
    assert counted(registry) == {"other 4xx": 1}


def test_a_route_that_is_not_a_string_is_counted_as_other() -> None:
    registry = Registry()
    told: dict[str, Any] = {"tickboard.route": 17}
    serve(TickboardMiddleware(answers(200, 0, Clock()), registry), **told)
    assert counted(registry) == {"other 2xx": 1}


def test_routes_beyond_the_limit_are_counted_as_other() -> None:
    registry = Registry()
    requests = Requests(registry)
    for number in range(MAX_ROUTES + 50):
        requests.answer(f"/{number}", "GET", 200, 1.0)
    requests.answer("/0", "GET", 200, 1.0)
    requests.answer("/0", "GET", 500, 1.0)
    found = counted(registry)
    assert found["GET /0 2xx"] == 2
    assert found["GET /0 5xx"] == 1
    assert found["other 2xx"] == 50
    assert len(found) == MAX_ROUTES + 2


def test_a_full_registry_does_not_affect_requests() -> None:
    room = Registry()
    Requests(room)
    registry = Registry(max_series=len(room.series))
    sent = serve(TickboardMiddleware(answers(500, 0, Clock()), registry))
    found = values(registry)
    assert (found["requests_per_sec"], found["errors_per_sec"], found["requests_in_flight"]) == (1, 1, 0)
    assert len(sent.messages) == 2


# --- in flight ---


def test_no_requests_are_in_flight_at_first() -> None:
    registry = Registry()
    TickboardMiddleware(answers(200, 0, Clock()), registry)
    assert values(registry)["requests_in_flight"] == 0


def test_requests_are_in_flight_until_they_end() -> None:
    registry = Registry()
    seen: list[float] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/outer":
            # Nested in the other, through another middleware on the same registry.
            await second({"type": "http", "path": "/inner"}, receive, send)
        seen.append(values(registry)["requests_in_flight"])
        raise RuntimeError

    first, second = TickboardMiddleware(app, registry), TickboardMiddleware(app, registry)
    with pytest.raises(RuntimeError):
        serve(first, path="/inner")
    with pytest.raises(RuntimeError):
        serve(first, path="/outer")
    assert seen == [1, 2]
    assert values(registry)["requests_in_flight"] == 0


def test_a_closed_coroutine_is_not_in_flight() -> None:
    registry = Registry()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await asyncio.Future()

    with closing(asyncio.new_event_loop()) as loop:
        call = TickboardMiddleware(app, registry)({"type": "http"}, nothing_received, Sent())
        task = loop.create_task(call)
        loop.call_soon(loop.stop)
        loop.run_forever()
        assert values(registry)["requests_in_flight"] == 1
        task.cancel()
        loop.call_soon(loop.stop)
        loop.run_forever()
    assert values(registry)["requests_in_flight"] == 0


def test_threads_lose_no_count() -> None:
    registry = Registry()
    requests = Requests(registry)

    def many(thread: int) -> None:
        for number in range(500):
            requests.begin()
            requests.answer(f"/{number % 7}", "GET", 200 + 300 * (number % 2), 1.0)
            if number % 5:
                requests.end()
            else:
                requests.abandon()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(many, range(8)))
    requests.begin()
    found = values(registry)
    assert (found["requests_per_sec"], found["errors_per_sec"], found["requests_in_flight"]) == (4_001, 2_000, 1)
    assert sum(value for key, value in found.items() if key.startswith("http_requests{")) == 4_000


# --- Starlette on uvicorn, over real sockets ---


async def hello(request: Request) -> Response:
    return PlainTextResponse("hello")


async def broken(request: Request) -> Response:
    raise RuntimeError("broken on purpose")


async def slow_stream(request: Request) -> Response:
    async def parts() -> AsyncIterator[bytes]:
        for part in (b"one ", b"two ", b"three"):
            yield part
            await asyncio.sleep(0.1)

    return StreamingResponse(parts(), media_type="text/event-stream")


async def endless(request: Request) -> Response:
    async def parts() -> AsyncIterator[bytes]:
        while True:
            yield b"more"
            await asyncio.sleep(0.01)

    return StreamingResponse(parts())


async def echo(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.send_text(await websocket.receive_text())
    await websocket.close()


@contextmanager
def serving(app: Starlette) -> Iterator[str]:
    """Serve an application on a free port, and yield host and port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(uvicorn.Config(app, log_level="critical"))
        thread = Thread(target=server.run, args=([listener],))
        thread.start()
        try:
            _until(lambda: server.started)
            yield "{}:{}".format(*listener.getsockname())
        finally:
            server.should_exit = True
            thread.join(10)
    assert not thread.is_alive()


def _until(true: Callable[[], bool]) -> None:
    end = monotonic() + 10
    while not true():
        assert monotonic() < end
        sleep(0.005)


@pytest.fixture
def registry() -> Registry:
    return Registry()


@pytest.fixture
def host(registry: Registry) -> Iterator[str]:
    routes = [
        Route("/hello", hello),
        Route("/broken", broken),
        Route("/stream", slow_stream),
        Route("/endless", endless),
        WebSocketRoute("/echo", echo),
    ]
    with serving(Starlette(routes=routes, middleware=[Middleware(TickboardMiddleware, registry=registry)])) as where:
        yield where


def test_real_requests_are_counted_and_timed(registry: Registry, host: str) -> None:
    with httpx.Client(base_url=f"http://{host}") as client:
        assert [client.get("/hello").text for _ in range(20)] == ["hello"] * 20
        assert client.get("/missing").status_code == 404
    found = values(registry)
    assert (found["requests_per_sec"], found["errors_per_sec"]) == (21, 0)
    assert 0 < found["avg_latency"] < 1000


def test_a_real_exception_is_answered_with_500_and_counted(registry: Registry, host: str) -> None:
    assert httpx.get(f"http://{host}/broken").status_code == 500
    found = values(registry)
    assert (found["requests_per_sec"], found["errors_per_sec"]) == (1, 1)


def test_a_real_stream_arrives_whole_and_its_latency_ends_at_its_start(registry: Registry, host: str) -> None:
    started = monotonic()
    assert httpx.get(f"http://{host}/stream").text == "one two three"
    lasted_ms = (monotonic() - started) * 1000
    assert lasted_ms >= 300
    assert 0 < values(registry)["avg_latency"] < lasted_ms - 200


def test_a_real_websocket_passes_through(registry: Registry, host: str) -> None:
    with connect(f"ws://{host}/echo") as websocket:
        websocket.send("as it was")
        assert websocket.recv() == "as it was"
    assert values(registry)["requests_per_sec"] == 0


def test_a_real_client_that_disconnects_is_not_in_flight(registry: Registry, host: str) -> None:
    with httpx.stream("GET", f"http://{host}/endless") as response:
        # Kept in a variable, since the connection closes with it.
        parts = response.iter_raw()
        next(parts)
        assert values(registry)["requests_in_flight"] == 1
    _until(lambda: values(registry)["requests_in_flight"] == 0)


def test_concurrent_requests_are_all_counted(registry: Registry, host: str) -> None:
    async def ask_all() -> list[int]:
        async with httpx.AsyncClient(base_url=f"http://{host}") as client:
            found = await asyncio.gather(*(client.get(path) for path in ["/hello", "/broken"] * 25))
        return [response.status_code for response in found]

    assert asyncio.run(ask_all()) == [200, 500] * 25
    found = values(registry)
    assert (found["requests_per_sec"], found["errors_per_sec"], found["requests_in_flight"]) == (50, 25, 0)
    assert found['http_requests{route="GET /hello",status="2xx"}'] == 25
    assert found['http_requests{route="GET /broken",status="5xx"}'] == 25
