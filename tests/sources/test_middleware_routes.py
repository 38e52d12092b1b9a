"""The route of a request, with the real frameworks."""

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import APIRouter, FastAPI
from starlette.applications import Starlette
from starlette.endpoints import HTTPEndpoint
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Host, Mount, Route, Router
from starlette.staticfiles import StaticFiles

from tickboard import Board
from tickboard.metrics.registry import Registry
from tickboard.sources.middleware import Application, Receive, Scope, Send, TickboardMiddleware
from tickboard.sources.middleware.routes import MAX_KNOWN, Routes


def routes_of(
    app: Application, *asked: str, root_path: str = "", registry: Registry | None = None, count_board: bool = False
) -> list[str]:
    """Send "METHOD PATH" requests one after the other, and return the routes that they were counted under."""
    registry = registry or Registry()
    measured = TickboardMiddleware(app, registry, count_board=count_board)
    transport = httpx.ASGITransport(measured, raise_app_exceptions=False, root_path=root_path)

    async def ask() -> list[str]:
        found = []
        async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as client:
            for each in asked:
                method, _, path = each.partition(" ")
                await client.request(method, path)
                found.append(newest(registry))
        return found

    return asyncio.run(ask())


def newest(registry: Registry) -> str:
    """Return the only route of this tick."""
    row = registry.collect(1)
    series = [one for one in registry.series if one.metric.name == "http_requests" and row[one.column] > 0]
    assert len(series) == 1
    return dict(series[0].labels)["route"]


async def answer(request: Request) -> Response:
    return PlainTextResponse("answer")


async def another(request: Request) -> Response:
    return PlainTextResponse("another")


class Thing(HTTPEndpoint):
    async def get(self, request: Request) -> Response:
        return PlainTextResponse("thing")


def inner() -> Starlette:
    return Starlette(routes=[Route("/", answer), Route("/deep/{key}", answer)])


class Passing(BaseHTTPMiddleware):
    async def dispatch(self, request: Request, call_next: RequestResponseEndpoint) -> Response:
        return await call_next(request)


# --- Starlette ---


@pytest.mark.parametrize(
    ("asked", "route"),
    [
        ("GET /", "GET /"),
        ("GET /items/17", "GET /items/{id}"),
        ("HEAD /items/17", "HEAD /items/{id}"),
        ("POST /items/17", "POST /items/{id}"),
        ("PUT /items/17", "other"),
        ("GET /files/a/b/c", "GET /files/{path}"),
        ("GET /thing", "GET /thing"),
        ("GET /broken", "GET /broken"),
        ("GET /missing", "other"),
        ("GET /items/17/", "other"),
        ("GET /static/test_middleware_routes.py", "GET /static/{path}"),
        ("GET /static/missing", "GET /static/{path}"),
        ("GET /group/x", "GET /group/x"),
        ("GET /users/17/orders/3", "GET /users/{user}/orders/{order}"),
        ("GET /users/17/nothing", "GET /users/{user}/{path}"),
        ("GET /app/deep/9", "GET /app/deep/{key}"),
        ("GET /zipped/deep/9", "GET /zipped/deep/{key}"),
        ("GET /a/b/deep/9", "GET /a/b/deep/{key}"),
    ],
)
@pytest.mark.parametrize("root_path", ["", "/behind"])
def test_routes_of_starlette(asked: str, route: str, root_path: str) -> None:
    async def broken(request: Request) -> Response:
        raise RuntimeError

    app = Starlette(
        routes=[
            Route("/", answer),
            Route("/items/{id:int}", answer),
            Route("/items/{id:int}", another, methods=["POST"]),
            Route("/files/{path:path}", answer),
            Route("/thing", Thing),
            Route("/broken", broken),
            Mount("/static", StaticFiles(directory=Path(__file__).parent)),
            Mount("/group", routes=[Route("/x", answer)]),
            Mount("/users/{user}", routes=[Route("/orders/{order}", answer)]),
            Mount("/app", inner()),
            Mount("/zipped", GZipMiddleware(inner())),
            Mount("/a", routes=[Mount("/b", inner())]),
        ]
    )
    method, _, path = asked.partition(" ")
    # Sent twice: computed the first time, cached the second.
    asked = f"{method} {root_path}{path}"
    assert routes_of(app, asked, asked, root_path=root_path) == [route, route]


def test_an_endpoint_at_several_paths_has_several_routes() -> None:
    app = Starlette(routes=[Route("/new/{id}", answer), Route("/old/{id}", answer)])
    assert routes_of(app, "GET /new/1", "GET /old/1", "GET /new/2") == [
        "GET /new/{id}",
        "GET /old/{id}",
        "GET /new/{id}",
    ]


def test_an_endpoint_at_similar_paths_has_the_matching_route() -> None:
    app = Starlette(routes=[Route("/x/{number:int}", answer), Route("/x/{name}", answer)])
    assert routes_of(app, "GET /x/1", "GET /x/one") == ["GET /x/{number}", "GET /x/{name}"]


def test_an_application_mounted_twice_has_the_routes_of_both_mounts() -> None:
    twice = inner()
    app = Starlette(routes=[Mount("/v1", twice), Mount("/v2/{tenant}", twice)])
    asked = ["GET /v1/deep/9", "GET /v2/acme/deep/9", "GET /v1/", "GET /v2/acme/"]
    expected = ["GET /v1/deep/{key}", "GET /v2/{tenant}/deep/{key}", "GET /v1/", "GET /v2/{tenant}/"]
    assert routes_of(app, *asked, *asked) == expected * 2


def test_an_application_mounted_in_itself_does_not_recurse_endlessly() -> None:
    app = Router(routes=[Route("/x", answer)])
    app.mount("/again", app)
    assert routes_of(app, "GET /x", "GET /again/x", "GET /again/again/x") == [
        "GET /x", "GET /again/x", "GET /again/again/x",
    ]  # fmt: skip


def test_hosts_are_not_part_of_a_route() -> None:
    app = Starlette(routes=[Host("testserver", Router(routes=[Route("/items/{id}", answer)])), Route("/x", answer)])
    assert routes_of(app, "GET /items/1", "GET /nothing") == ["GET /items/{id}", "other"]


def test_the_middleware_may_be_inside_the_application() -> None:
    registry = Registry()
    app = Starlette(
        routes=[Mount("/in/{x}", routes=[Route("/items/{id}", answer)])],
        middleware=[Middleware(Passing), Middleware(TickboardMiddleware, registry=registry), Middleware(Passing)],
    )

    async def ask() -> None:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://testserver") as client:
            await client.get("/in/7/items/1")

    asyncio.run(ask())
    assert newest(registry) == "GET /in/{x}/items/{id}"


def test_routes_may_be_added_later() -> None:
    app, registry = Starlette(routes=[Route("/x", answer)]), Registry()
    assert routes_of(app, "GET /x", "GET /y/1", registry=registry) == ["GET /x", "other"]
    app.router.routes.append(Route("/y/{id}", answer))
    assert routes_of(app, "GET /y/1", registry=registry) == ["GET /y/{id}"]


def test_a_mounted_board_has_its_own_routes() -> None:
    board = Board()
    app = Starlette(routes=[Mount("/live", board), Mount("/of/{team}", board)])
    asked = ("GET /live/api/health", "GET /of/us/api/health", "GET /live/api/health")
    assert routes_of(app, *asked, count_board=True) == [
        "GET /live/api/health", "GET /of/{team}/api/health", "GET /live/api/health",
    ]  # fmt: skip


# --- FastAPI ---


@pytest.mark.parametrize(
    ("asked", "route"),
    [
        ("GET /items/17", "GET /items/{id}"),
        ("GET /items/no-number", "GET /items/{id}"),
        ("DELETE /items/17", "other"),
        ("GET /docs", "GET /docs"),
        ("GET /openapi.json", "GET /openapi.json"),
        ("GET /missing", "other"),
        ("GET /v1/shop/things/9", "GET /v1/shop/things/{key}"),
        ("GET /v2/things/9", "GET /v2/things/{key}"),
        ("GET /v2/plain", "GET /v2/plain"),
        ("GET /v2/app/deep/9", "GET /v2/app/deep/{key}"),
        ("GET /sub/items/9", "GET /sub/items/{id}"),
        ("GET /sub/docs", "GET /sub/docs"),
        ("GET /sub/missing", "GET /sub/{path}"),
        ("GET /star/deep/9", "GET /star/deep/{key}"),
    ],
)
def test_routes_of_fastapi(asked: str, route: str) -> None:
    things = APIRouter()

    @things.get("/things/{key}")
    async def thing(key: str) -> str:
        return key

    things.add_route("/plain", answer)
    things.mount("/app", inner())
    shop = APIRouter(prefix="/shop")
    shop.include_router(things)

    app, sub = FastAPI(), FastAPI()

    @app.get("/items/{id}")
    @sub.get("/items/{id}")
    async def item(id: int) -> int:
        return id

    app.include_router(shop, prefix="/v1")
    app.include_router(things, prefix="/v2")
    app.mount("/sub", sub)
    app.mount("/star", inner())
    assert routes_of(app, asked, asked) == [route, route]


# --- others ---


def test_a_route_of_another_framework_includes_the_path_of_the_mount() -> None:
    async def framework(scope: Scope, receive: Receive, send: Send) -> None:
        scope["path_template"] = "/items/{id:int}"
        await PlainTextResponse("answer")(scope, receive, send)

    app = Starlette(routes=[Mount("/shops/{shop}", framework)])
    assert routes_of(app, "GET /shops/7/items/17", "GET /shops/8/items/17") == ["GET /shops/{shop}/items/{id}"] * 2
    assert routes_of(framework, "GET /items/17") == ["GET /items/{id}"]


def test_any_route_object_with_a_path_is_supported() -> None:
    class Found:
        path = "/items/{id}"

    found = Found()

    async def framework(scope: Scope, receive: Receive, send: Send) -> None:
        scope["route"] = found
        await PlainTextResponse("answer")(scope, receive, send)

    assert routes_of(framework, "GET /items/17") == ["GET /items/{id}"]


@pytest.mark.parametrize(
    "left", [{"route": object()}, {"endpoint": answer}, {"route": 17}, {"router": 17, "route": answer}]
)
def test_unknown_objects_give_no_route(left: dict[str, Any]) -> None:
    assert Routes().template({"path": "/x", **left}) is None


def test_a_prefix_without_a_matching_mount_gives_no_route() -> None:
    scope = {"path_template": "/x", "app_root_path": "", "root_path": "/elsewhere/17", "router": Router()}
    assert Routes().template(scope) is None


def test_the_caches_of_routes_are_bounded() -> None:
    routes = Routes()
    for number in range(MAX_KNOWN * 2):
        routes.template({"path": "/x", "route": type("Route", (), {"path": f"/{number}"})()})
        routes.template({"path_template": "/x", "app_root_path": "", "root_path": f"/{number}", "router": Router()})
    assert len(routes._known) == len(routes._prefixes) == MAX_KNOWN
