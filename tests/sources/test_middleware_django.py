"""Django's routes under WSGI and ASGI, with real Django."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any, ClassVar
from wsgiref.simple_server import WSGIRequestHandler, make_server

import django  # type: ignore[import-untyped]
import httpx
import pytest
from django.conf import settings  # type: ignore[import-untyped]
from django.core.asgi import get_asgi_application  # type: ignore[import-untyped]
from django.core.wsgi import get_wsgi_application  # type: ignore[import-untyped]
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse  # type: ignore[import-untyped]
from django.urls import include, path, re_path  # type: ignore[import-untyped]
from starlette.applications import Starlette
from starlette.routing import Mount
from tests.serving import serve_app, wait_for

from tickboard.metrics.registry import Registry
from tickboard.sources.middleware import TickboardMiddleware, TickboardWSGIMiddleware, WSGIApplication

PARTS = [b"one ", b"two ", b"three"]


def item(request: HttpRequest, pk: int = 0) -> HttpResponse:
    return HttpResponse(f"item {pk}")


async def item_async(request: HttpRequest, pk: int) -> HttpResponse:
    await asyncio.sleep(0)
    return HttpResponse(f"item {pk}")


def broken(request: HttpRequest) -> HttpResponse:
    raise RuntimeError("broken on purpose")


def stream(request: HttpRequest) -> StreamingHttpResponse:
    return StreamingHttpResponse(parts_async() if hasattr(request, "scope") else iter(PARTS))


async def parts_async() -> AsyncIterator[bytes]:
    for part in PARTS:
        yield part


class Urls:
    urlpatterns: ClassVar = [
        path("items/<int:pk>/", item),
        path("later/<int:pk>/", item_async),
        path("shop/", include([path("orders/<int:pk>", item)])),
        re_path(r"^years/(?P<pk>[0-9]{4})/$", item),
        path("broken", broken),
        path("stream", stream),
    ]


@pytest.fixture(scope="module", autouse=True)
def _configured() -> None:
    if not settings.configured:
        settings.configure(
            ROOT_URLCONF=Urls,
            ALLOWED_HOSTS=["*"],
            SECRET_KEY="of a test",
            LOGGING_CONFIG=None,
            MIDDLEWARE=[
                "django.middleware.common.CommonMiddleware",
                "tickboard.sources.middleware.django_routes",
                "django.middleware.http.ConditionalGetMiddleware",
            ],
        )
        django.setup()


class Quiet(WSGIRequestHandler):
    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def serving_wsgi(app: WSGIApplication) -> Iterator[str]:
    with make_server("127.0.0.1", 0, app, handler_class=Quiet) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join(10)


@contextmanager
def under(protocol: str, registry: Registry) -> Iterator[str]:
    if protocol == "wsgi":
        with serving_wsgi(TickboardWSGIMiddleware(get_wsgi_application(), registry)) as url:
            yield url
    else:
        measured = TickboardMiddleware(get_asgi_application(), registry)
        app = measured if protocol == "asgi" else Starlette(routes=[Mount("/below/{x}", measured)])
        with serve_app(app) as port:
            yield f"http://127.0.0.1:{port}{'' if protocol == 'asgi' else '/below/7'}"


def counted(registry: Registry) -> dict[str, float]:
    """End the tick and return the number of answers by route and status: ``GET /items 2xx``."""
    row = registry.collect(1)
    answered = [series for series in registry.series if series.metric.name == "http_requests" and row[series.column]]
    return {" ".join(dict(series.labels).values()): float(row[series.column]) for series in answered}


def in_flight(registry: Registry) -> float:
    [column] = registry.handle("requests_in_flight").columns
    return float(registry.values[column])


@pytest.mark.parametrize(
    ("asked", "answer", "expected"),
    [
        ("/items/17/", "item 17", "GET /items/<int:pk>/ 2xx"),
        ("/later/17/", "item 17", "GET /later/<int:pk>/ 2xx"),
        ("/shop/orders/3", "item 3", "GET /shop/orders/<int:pk> 2xx"),
        ("/years/1984/", "item 1984", "GET /years/(?P<pk>[0-9]{4})/$ 2xx"),
        ("/stream", "one two three", "GET /stream 2xx"),
        ("/broken", None, "GET /broken 5xx"),
        ("/missing", None, "other 4xx"),
        ("/items/17", None, "other 3xx"),
    ],
)
@pytest.mark.parametrize("protocol", ["wsgi", "asgi"])
def test_requests_are_counted_under_the_routes_of_django(
    protocol: str, asked: str, answer: str | None, expected: str
) -> None:
    registry = Registry()
    with under(protocol, registry) as url:
        response = httpx.get(f"{url}{asked}")
        assert answer is None or response.text == answer
        wait_for(lambda: in_flight(registry) == 0)
    assert counted(registry) == {expected: 1}


def test_routes_of_a_mounted_django_include_the_path_of_the_mount() -> None:
    registry = Registry()
    with under("mounted", registry) as url:
        assert httpx.get(f"{url}/items/17/").text == "item 17"
        wait_for(lambda: in_flight(registry) == 0)
        assert counted(registry) == {"GET /below/{x}/items/<int:pk>/ 2xx": 1}
        assert httpx.get(f"{url}/missing").status_code == 404
        wait_for(lambda: in_flight(registry) == 0)
    assert counted(registry) == {"GET /below/{x}/{path} 4xx": 1}
