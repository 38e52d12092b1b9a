"""The WSGI middleware: alone, and around Flask over real sockets."""

import io
import json
import socket
import struct
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any
from wsgiref.util import FileWrapper
from wsgiref.validate import validator

import httpx
import pytest
from flask import Flask, Response, request, stream_with_context
from tests.serving import wait_for
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.serving import make_server

from tickboard.metrics.registry import Registry
from tickboard.sources.middleware import TickboardWSGIMiddleware, WSGIApplication

Environ = dict[str, Any]
StartResponse = Callable[..., Callable[[bytes], object]]


class Clock:
    """A clock that a test advances."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


class Server:
    """A server that records the statuses and written bytes of an answer."""

    def __init__(self) -> None:
        self.statuses: list[str] = []
        self.written: list[bytes] = []

    def start_response(self, status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Callable[..., Any]:
        self.statuses.append(status)
        return self.written.append


def values(registry: Registry) -> dict[str, float]:
    """End a tick of one second and return its values."""
    row = registry.collect(1)
    return {series.key: float(row[series.column]) for series in registry.series}


def counted(registry: Registry) -> dict[str, float]:
    """End the tick and return the number of answers by route and status: ``GET /items 2xx``."""
    row = registry.collect(1)
    answered = [series for series in registry.series if series.metric.name == "http_requests" and row[series.column]]
    return {" ".join(dict(series.labels).values()): float(row[series.column]) for series in answered}


def in_flight(registry: Registry) -> float:
    return values(registry)["requests_in_flight"]


def call(app: WSGIApplication, **environ: Any) -> tuple[Server, Iterable[bytes]]:
    server = Server()
    return server, app({"REQUEST_METHOD": "GET", **environ}, server.start_response)


class Body:
    """A body that counts how often it was closed, and may raise."""

    def __init__(self, *chunks: bytes, breaks: Exception | None = None) -> None:
        self.chunks = chunks
        self.breaks = breaks
        self.closed = 0

    def __iter__(self) -> Iterator[bytes]:
        yield from self.chunks
        if self.breaks is not None:
            raise self.breaks

    def close(self) -> None:
        self.closed += 1


def answers(status: str, body: Iterable[bytes], route: str | None = "/items/<id>") -> WSGIApplication:
    def app(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        environ["tickboard.route"] = route
        start_response(status, [])
        return body

    return app


# --- without a server ---


def test_a_request_is_in_flight_until_its_body_is_closed() -> None:
    registry, body = Registry(), Body(b"one", b"two")
    server, got = call(TickboardWSGIMiddleware(answers("200 OK", body), registry))
    chunks = iter(got)
    assert next(chunks) == b"one"
    found = values(registry)
    assert (found["requests_per_sec"], found["requests_in_flight"]) == (1, 1)
    assert found['http_requests{route="GET /items/<id>",status="2xx"}'] == 1
    close(got)
    assert (in_flight(registry), body.closed) == (0, 1)
    assert server.statuses == ["200 OK"]


def test_a_fully_sent_body_is_over_before_it_is_closed() -> None:
    registry, body = Registry(), Body(b"one", b"", b"two")
    _, got = call(TickboardWSGIMiddleware(answers("200 OK", body), registry))
    assert list(got) == [b"one", b"", b"two"]
    assert in_flight(registry) == 0
    close(got)
    assert (in_flight(registry), body.closed) == (0, 1)


def test_a_body_closed_before_it_is_read_is_counted() -> None:
    registry = Registry()
    _, got = call(TickboardWSGIMiddleware(answers("404 Not Found", Body(b"one")), registry))
    close(got)
    assert counted(registry) == {"GET /items/<id> 4xx": 1}
    assert in_flight(registry) == 0


def test_an_unclosed_body_is_over_with_the_next_request() -> None:
    registry = Registry()
    app = TickboardWSGIMiddleware(answers("200 OK", Body(b"one", b"two")), registry)
    next(iter(call(app)[1]))
    assert in_flight(registry) == 1
    _, got = call(app)
    assert in_flight(registry) == 1
    close(got)
    assert in_flight(registry) == 0


def test_dropping_a_body_while_the_registry_is_locked_does_not_deadlock() -> None:
    registry = Registry()
    app = TickboardWSGIMiddleware(answers("200 OK", Body(b"one", b"two")), registry)
    chunks = iter(call(app)[1])
    next(chunks)
    with registry.lock:
        # If it waited for the lock, it would wait forever.
        del chunks


@pytest.mark.parametrize("body", [[b"one", b"two"], (b"one",), [], FileWrapper(io.BytesIO(b"one"))])
def test_a_complete_body_is_passed_on_unchanged(body: Iterable[bytes]) -> None:
    registry = Registry()
    environ = {"wsgi.file_wrapper": FileWrapper}
    _, got = call(TickboardWSGIMiddleware(answers("200 OK", body), registry), **environ)
    assert got is body
    assert in_flight(registry) == 0


@pytest.mark.parametrize(("status", "errors"), [("200 OK", 0), ("404 Not Found", 0), ("500 Oh", 1), ("nonsense", 1)])
def test_a_status_of_500_and_above_is_an_error(status: str, errors: int) -> None:
    registry = Registry()
    call(TickboardWSGIMiddleware(answers(status, [b""]), registry))
    found = values(registry)
    assert (found["requests_per_sec"], found["errors_per_sec"]) == (1, errors)


def test_latency_ends_when_the_response_starts() -> None:
    registry, clock = Registry(), Clock()

    def app(environ: Environ, start_response: StartResponse) -> Iterator[bytes]:
        clock.now += 0.25
        start_response("200 OK", [])
        clock.now += 3600
        yield b"late"

    # A generator starts only when its first chunk is requested.
    _, got = call(TickboardWSGIMiddleware(app, registry, clock))
    assert list(got) == [b"late"]
    found = values(registry)
    assert found["avg_latency"] == found['http_latency{route="other"}'] == pytest.approx(250)


def test_an_exception_of_the_application_is_counted_and_propagates_unchanged() -> None:
    registry, thrown = Registry(), RuntimeError("broken")

    def app(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        environ["tickboard.route"] = "/broken"
        raise thrown

    with pytest.raises(RuntimeError) as caught:
        call(TickboardWSGIMiddleware(app, registry))
    assert caught.value is thrown
    found = values(registry)
    assert (found["requests_per_sec"], found["errors_per_sec"], found["requests_in_flight"]) == (1, 1, 0)
    assert found['http_requests{route="GET /broken",status="5xx"}'] == 1


@pytest.mark.parametrize(
    ("chunks", "status", "expected"),
    [
        # Nothing was sent: the server answers 500.
        ([], "200 OK", {"GET /items/<id> 5xx": 1.0}),
        ([b""], "200 OK", {"GET /items/<id> 5xx": 1.0}),
        # The answer had started, and keeps its status.
        ([b"one"], "200 OK", {"GET /items/<id> 2xx": 1.0}),
        ([b"one"], "503 Oh", {"GET /items/<id> 5xx": 1.0}),
    ],
)
def test_an_exception_in_the_body_is_one_error(chunks: list[bytes], status: str, expected: dict[str, float]) -> None:
    registry, thrown = Registry(), RuntimeError("broken")
    app = TickboardWSGIMiddleware(answers(status, Body(*chunks, breaks=thrown)), registry)
    _, got = call(app)
    with pytest.raises(RuntimeError) as caught:
        list(got)
    assert caught.value is thrown
    close(got)
    assert in_flight(registry) == 0
    _, got = call(app)
    with pytest.raises(RuntimeError):
        list(got)
    row = registry.collect(1)
    found = {series.key: row[series.column] for series in registry.series}
    assert found["errors_per_sec"] == 1
    label, status_class = next(iter(expected)).rsplit(" ", 1)
    assert found[f'http_requests{{route="{label}",status="{status_class}"}}'] == 1


def test_an_exception_in_close_ends_the_request_and_propagates_unchanged() -> None:
    class Broken(Body):
        def close(self) -> None:
            raise OSError("close")

    registry = Registry()
    _, got = call(TickboardWSGIMiddleware(answers("200 OK", Broken(b"one")), registry))
    assert list(got) == [b"one"]
    with pytest.raises(OSError, match="close"):
        close(got)
    assert in_flight(registry) == 0


def test_system_exit_is_not_an_error() -> None:
    def app(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        raise SystemExit

    registry = Registry()
    with pytest.raises(SystemExit):
        call(TickboardWSGIMiddleware(app, registry))
    found = values(registry)
    assert (found["errors_per_sec"], found["requests_in_flight"]) == (0, 0)


def test_an_answer_replaced_before_it_is_sent_is_not_counted() -> None:
    def app(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", [])
        try:
            raise RuntimeError
        except RuntimeError:
            start_response("500 Oh", [], sys.exc_info())
        return [b"sorry"]

    registry = Registry()
    server, _ = call(TickboardWSGIMiddleware(app, registry))
    assert server.statuses == ["200 OK", "500 Oh"]
    assert counted(registry) == {"other 5xx": 1}


def test_the_write_callable_of_start_response_is_passed_on() -> None:
    def app(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", [])(b"written")
        return []

    server, _ = call(TickboardWSGIMiddleware(app, Registry()))
    assert server.written == [b"written"]


def test_the_middleware_conforms_to_wsgi_on_both_sides() -> None:
    def app(environ: Environ, start_response: StartResponse) -> Iterator[bytes]:
        start_response("200 OK", [("Content-Type", "text/plain")])
        yield b"fine"

    registry = Registry()
    strict = validator(TickboardWSGIMiddleware(validator(app), registry))

    def lenient(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        # Werkzeug's server violates one rule itself: the port is a number.
        return strict(environ | {"REMOTE_PORT": str(environ["REMOTE_PORT"])}, start_response)

    with serving(lenient) as url:
        assert httpx.get(url).text == "fine"
        wait_for(lambda: in_flight_now(registry) == 0)
    assert counted(registry) == {"other 2xx": 1}


def close(body: Iterable[bytes]) -> None:
    body.close()  # type: ignore[attr-defined]


# --- over real sockets ---


@contextmanager
def serving(app: WSGIApplication) -> Iterator[str]:
    """Serve an application with threads on a free port."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.port}"
    finally:
        server.shutdown()
        thread.join(10)
        server.server_close()


def flask_app() -> Flask:
    app = Flask("measured")

    @app.get("/items/<int:item_id>")
    def item(item_id: int) -> dict[str, int]:
        return {"item": item_id}

    @app.get("/broken")
    def broken() -> str:
        raise RuntimeError("broken on purpose")

    @app.get("/endless")
    def endless() -> Response:
        def parts() -> Iterator[bytes]:
            while True:
                yield b"more" * 10_000

        return Response(stream_with_context(parts()))

    @app.get("/late")
    def late() -> Response:
        def parts() -> Iterator[bytes]:
            raise RuntimeError("broken when Flask has gone")
            yield b""

        return Response(parts())

    return app


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/items/17", "GET /items/<int:item_id> 2xx"),
        ("HEAD", "/items/17", "HEAD /items/<int:item_id> 2xx"),
        ("POST", "/items/17", "other 4xx"),
        ("GET", "/items/none", "other 4xx"),
        ("GET", "/broken", "GET /broken 5xx"),
        ("GET", "/late", "GET /late 5xx"),
    ],
)
def test_routes_of_flask_are_found_without_configuration(method: str, path: str, expected: str) -> None:
    registry, app = Registry(), flask_app()
    app.wsgi_app = TickboardWSGIMiddleware(app.wsgi_app, registry)  # type: ignore[method-assign]
    app.logger.disabled = True
    with serving(app) as url:
        httpx.request(method, f"{url}{path}")
        # The client has the whole answer before the server closes the body.
        wait_for(lambda: in_flight_now(registry) == 0)
    assert counted(registry) == {expected: 1}


def test_a_flask_application_below_a_path_has_its_own_route() -> None:
    registry = Registry()
    with serving(TickboardWSGIMiddleware(DispatcherMiddleware(flask_app(), {"/sub": flask_app()}), registry)) as url:
        assert httpx.get(f"{url}/sub/items/3").json() == {"item": 3}
        wait_for(lambda: in_flight_now(registry) == 0)
    assert counted(registry) == {"GET /items/<int:item_id> 2xx": 1}


def test_a_client_that_disconnects_is_not_in_flight() -> None:
    registry = Registry()
    with serving(TickboardWSGIMiddleware(flask_app(), registry)) as url:
        port = int(url.rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.sendall(b"GET /endless HTTP/1.1\r\nHost: testserver\r\n\r\n")
            assert client.recv(100).startswith(b"HTTP/1.")
            wait_for(lambda: in_flight_now(registry) == 1)
            # Disconnect with a reset while the server sends.
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        wait_for(lambda: in_flight_now(registry) == 0)
    assert counted(registry) == {"GET /endless 2xx": 1}


def test_requests_in_many_threads_are_all_counted() -> None:
    registry = Registry()
    with serving(TickboardWSGIMiddleware(flask_app(), registry)) as url:

        def ask() -> None:
            with httpx.Client(base_url=url) as client:
                for number in range(25):
                    client.get(f"/items/{number}").raise_for_status()

        threads = [threading.Thread(target=ask) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        wait_for(lambda: in_flight_now(registry) == 0)
    found = values(registry)
    assert (found["requests_per_sec"], found["errors_per_sec"]) == (100, 0)
    assert found['http_requests{route="GET /items/<int:item_id>",status="2xx"}'] == 100


def in_flight_now(registry: Registry) -> float:
    """Return the number of requests in flight without ending the tick."""
    [column] = registry.handle("requests_in_flight").columns
    return float(registry.values[column])


def test_the_request_body_reaches_the_application() -> None:
    registry = Registry()
    app = Flask("measured")

    @app.post("/orders")
    def order() -> Any:
        return request.get_json()

    with serving(TickboardWSGIMiddleware(app, registry)) as url:
        assert (
            httpx.post(f"{url}/orders", json={"of": [1, 2]}).text == json.dumps({"of": [1, 2]}).replace(" ", "") + "\n"
        )
