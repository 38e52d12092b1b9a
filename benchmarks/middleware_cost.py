"""What the middleware adds to a request: over an application that does nothing, and over Starlette and Flask.

Each pair, with and without, is measured in turn in the same run.
"""

import asyncio
import json
import statistics
import time
from collections.abc import Awaitable, Callable
from typing import Any

from flask import Flask
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from benchmarks.report import Table
from tickboard.metrics.registry import Registry
from tickboard.sources.middleware import (
    Application,
    Message,
    Receive,
    Scope,
    Send,
    TickboardMiddleware,
    TickboardWSGIMiddleware,
    WSGIApplication,
)

REQUESTS = 4_000
"""In one round, which is one tick: about what a histogram sees in a second of a busy server."""

BEYOND = 10_000
"""Observations that a histogram keeps of one tick; beyond them it samples, which costs a random number each."""

ROUNDS = 30
FRAMEWORK_ROUNDS = 10

LIMIT_NS = 5_000

ROUTE = Route("/items/{id}", lambda request: None)


async def no_op(scope: Scope, receive: Receive, send: Send) -> None:
    scope["route"], scope["endpoint"] = ROUTE, ROUTE.endpoint
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b""})


def wsgi_no_op(environ: dict[str, Any], start_response: Callable[..., object]) -> "WSGIBody":
    environ["tickboard.route"] = "/items/<id>"
    start_response("200 OK", [])
    return WSGIBody()


class WSGIBody:
    """What frameworks return: an iterable that wants to be closed."""

    def __iter__(self) -> "WSGIBody":
        self._chunks = iter((b"hello",))
        return self

    def __next__(self) -> bytes:
        return next(self._chunks)

    def close(self) -> None:
        pass


async def item(request: Request) -> Response:
    return PlainTextResponse(request.path_params["id"])


def starlette_app() -> Application:
    return Starlette(routes=[Route("/items/{id}", item)])


def flask_app() -> WSGIApplication:
    app = Flask("measured")

    @app.get("/items/<key>")
    def item(key: str) -> str:
        return key

    return app


async def _receive() -> Message:
    return {"type": "http.request", "body": b"", "more_body": False}


async def _send(message: Message) -> None:
    pass


async def _asgi_round(app: Application, requests: int = REQUESTS) -> float:
    scope = {
        "type": "http", "method": "GET", "path": "/items/17", "root_path": "", "headers": [], "query_string": b"",
        "http_version": "1.1", "scheme": "http", "server": ("127.0.0.1", 80), "client": ("127.0.0.1", 1),
    }  # fmt: skip
    started = time.perf_counter_ns()
    for _ in range(requests):
        # A server makes a scope for each request, and routing writes into it.
        await app(scope.copy(), _receive, _send)
    return (time.perf_counter_ns() - started) / requests


async def _wsgi_round(app: WSGIApplication, requests: int = REQUESTS) -> float:
    environ = {
        "REQUEST_METHOD": "GET", "PATH_INFO": "/items/17", "SCRIPT_NAME": "", "QUERY_STRING": "",
        "SERVER_NAME": "127.0.0.1", "SERVER_PORT": "80", "SERVER_PROTOCOL": "HTTP/1.1", "wsgi.url_scheme": "http",
    }  # fmt: skip
    started = time.perf_counter_ns()
    for _ in range(requests):
        body = app(environ.copy(), _start_response)
        for _chunk in body:
            pass
        if close := getattr(body, "close", None):
            close()
    return (time.perf_counter_ns() - started) / requests


def _start_response(status: str, headers: list[tuple[str, str]], *exc_info: object) -> Callable[[bytes], object]:
    return len


def _added(one_round: Callable[..., Awaitable[float]], bare: Any, middleware: Any, rounds: int) -> dict[str, float]:
    """Return nanoseconds a request, bare and measured, what is added, and what is added beyond `BEYOND` a tick."""
    registry = Registry()
    measured = middleware(bare, registry)

    async def measure() -> dict[str, float]:
        bare_ns, measured_ns, beyond_ns = [], [], []
        for _ in range(rounds):
            bare_ns.append(await one_round(bare))
            measured_ns.append(await one_round(measured))
            await one_round(measured, BEYOND - REQUESTS)
            beyond_ns.append(await one_round(measured))
            registry.collect(1)
        # In turns, and the best of each: another process's noise falls on both, and hardly ever on every round.
        return {
            "bare_ns": round(min(bare_ns)),
            "measured_ns": round(min(measured_ns)),
            "added_ns": round(min(measured_ns) - min(bare_ns)),
            "ratio": round(statistics.median(b / a for a, b in zip(bare_ns, measured_ns, strict=True)), 3),
            "added_ns_beyond_10000_a_tick": round(min(beyond_ns) - min(bare_ns)),
        }

    return asyncio.run(measure())


def measure() -> dict[str, dict[str, float]]:
    """Return the figures of each application."""
    return {
        "ASGI, no-op": _added(_asgi_round, no_op, TickboardMiddleware, ROUNDS),
        "WSGI, no-op": _added(_wsgi_round, wsgi_no_op, TickboardWSGIMiddleware, ROUNDS),
        "Starlette": _added(_asgi_round, starlette_app(), TickboardMiddleware, FRAMEWORK_ROUNDS),
        "Flask": _added(_wsgi_round, flask_app(), TickboardWSGIMiddleware, FRAMEWORK_ROUNDS),
    }


def tables() -> list[Table]:
    """Return the table of this benchmark."""
    result = Table(
        "The middleware",
        "What `TickboardMiddleware` (ASGI) and `TickboardWSGIMiddleware` add to a request that has a route: over an "
        "application that does nothing, and over one endpoint of Starlette and of Flask, called without a server, with "
        "and without in turn in the same run. Beyond 10,000 requests a tick, latencies are sampled, which costs a "
        "random number each.",
        ["application", "bare", "measured", "added", "beyond 10,000 a tick", "ratio", "limit"],
    )
    for name, figures in measure().items():
        result.add(
            name,
            *(f"{figures[key] / 1e3:.2f} µs" for key in ("bare_ns", "measured_ns", "added_ns")),
            f"{figures['added_ns_beyond_10000_a_tick'] / 1e3:.2f} µs",
            f"{figures['ratio']:.2f} x",
            f"< {LIMIT_NS / 1e3:.0f} µs added",
        )
    return [result]


if __name__ == "__main__":
    print(json.dumps(measure(), indent=2))
