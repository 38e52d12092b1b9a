"""All routes of a board, put together."""

from collections.abc import Callable, Iterable

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, WebSocketRoute

from tickboard.errors import TickboardError
from tickboard.frames import encode
from tickboard.hub.hub import Hub
from tickboard.intake import Intake
from tickboard.server.alerts import Act, alert_routes
from tickboard.server.opentelemetry import opentelemetry_route
from tickboard.server.page import page_routes
from tickboard.server.prometheus import prometheus_route
from tickboard.server.prometheus_write import remote_write_route
from tickboard.server.push import push_routes
from tickboard.server.rest import rest_routes
from tickboard.server.sse import alert_stream
from tickboard.server.websocket import Ticks, refuse
from tickboard.types import ErrorBody


def create_app(
    hub: Hub, intake: Intake, act: Act, ticks_skipped: Callable[[], int], routes: Iterable[BaseRoute] = ()
) -> Starlette:
    """Return the ASGI application of one hub.

    Args:
        hub: whom the viewers join.
        intake: where those write who send metrics.
        act: does what people do to alerts.
        ticks_skipped: tells how many ticks could not be made in time.
        routes: a board's own routes; they go before the built-in ones.
    """
    return Starlette(
        routes=[
            *routes,
            WebSocketRoute("/ws/metrics", Ticks(hub)),
            alert_stream(hub),
            *rest_routes(hub, ticks_skipped),
            *alert_routes(hub, act),
            prometheus_route(hub, intake, ticks_skipped),
            remote_write_route(intake),
            opentelemetry_route(intake),
            *push_routes(intake),
            *page_routes(),
            WebSocketRoute("/{path:path}", refuse),
        ],
        exception_handlers={TickboardError: _told, HTTPException: _told, ClientDisconnect: _gone},
    )


def error_response(status: int, message: str) -> Response:
    """Return an error as JSON."""
    return Response(encode(ErrorBody(message)), status, media_type="application/json")


async def _told(request: Request, error: Exception) -> Response:
    if isinstance(error, TickboardError):
        return error_response(error.status, str(error))
    assert isinstance(error, HTTPException)
    response = error_response(error.status_code, f"{error.detail}: {request.method} {request.url.path}")
    response.headers.update(error.headers or {})
    return response


async def _gone(request: Request, error: Exception) -> Response:
    """Answer nobody: the client has left in the middle of what it sent, which is no fault of the server's."""
    return Response(status_code=400)
