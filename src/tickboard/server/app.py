"""The ASGI application of a board: all its routes and their middleware."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route, WebSocketRoute

from tickboard.errors import BusyError, HistoryError, JournalError, RateError, TickboardError
from tickboard.history.store import History
from tickboard.hub.health import Vitals
from tickboard.hub.hub import Hub
from tickboard.metrics.intake import Intake
from tickboard.output.secrets import redacted
from tickboard.server.announcing import Announcing
from tickboard.server.requests.bodies import Bodies
from tickboard.server.requests.parameters import Parameters
from tickboard.server.requests.prefix import Slash
from tickboard.server.requests.refusal import error_response
from tickboard.server.routes.about import Describe, about_route
from tickboard.server.routes.alert_spans import alert_spans_route
from tickboard.server.routes.alerts import alert_routes
from tickboard.server.routes.audit import audit_route
from tickboard.server.routes.changes import changes_route
from tickboard.server.routes.history import history_route
from tickboard.server.routes.host_boards import host_board_routes
from tickboard.server.routes.hosts import host_routes
from tickboard.server.routes.marks import mark_routes
from tickboard.server.routes.metrics_endpoint import prometheus_route
from tickboard.server.routes.openapi import openapi_route
from tickboard.server.routes.opentelemetry import opentelemetry_route
from tickboard.server.routes.page import page_routes
from tickboard.server.routes.push import push_routes
from tickboard.server.routes.remote_write import remote_write_route
from tickboard.server.routes.rest import rest_routes
from tickboard.server.streams.alert_stream import alert_stream
from tickboard.server.streams.asgi import Calls
from tickboard.server.streams.websocket import NoWebSocket, TickStream, UpgradeRequired

if TYPE_CHECKING:
    from tickboard.fleet.fleet import Fleet


def create_app(
    hub: Hub,
    intake: Intake,
    announcer: Announcing,
    vitals: Callable[[], Vitals],
    history: Callable[[], History | None],
    about: Describe,
    routes: Iterable[BaseRoute] = (),
    fleet: "Fleet | None" = None,
) -> Starlette:
    """Return the ASGI application of one hub.

    Args:
        hub: the hub that viewers join.
        intake: where senders of metrics write.
        announcer: stores and publishes people's actions.
        vitals: returns the state of the board's ticks.
        history: returns the board's history, or None.
        about: returns what walls need to know of the board, made in steps.
        routes: the board's own routes; they take precedence over the built-in ones.
        fleet: the hosts that the board follows; None: it follows none.
    """
    calls = Calls(hub)
    return Starlette(
        routes=[
            *routes,
            # Routes are tried in order, so the most frequent come first.
            history_route(history),
            remote_write_route(intake),
            opentelemetry_route(intake),
            *push_routes(intake),
            WebSocketRoute("/ws/metrics", TickStream(hub, calls)),
            Route("/ws/metrics", UpgradeRequired()),
            alert_stream(hub, calls),
            changes_route(history),
            *rest_routes(hub, vitals, history),
            about_route(hub, about),
            audit_route(),
            openapi_route(),
            *alert_routes(hub, announcer, fleet),
            alert_spans_route(hub, announcer),
            *mark_routes(hub, announcer),
            *host_routes(fleet),
            prometheus_route(hub, intake, vitals, history),
            *page_routes(),
            *host_board_routes(fleet),
            WebSocketRoute("/{path:path}", NoWebSocket()),
        ],
        middleware=[Middleware(Parameters), Middleware(Slash), Middleware(Bodies, traffic=lambda: hub.traffic)],
        exception_handlers={TickboardError: _explained, HTTPException: _explained, ClientDisconnect: _gone},
    )


async def _explained(request: Request, error: Exception) -> Response:
    if isinstance(error, TickboardError):
        response = error_response(error.status, redacted(str(error)))
        if isinstance(error, BusyError | HistoryError | JournalError | RateError):
            response.headers["retry-after"] = str(error.retry_after_s)
        return response
    assert isinstance(error, HTTPException)
    path: str = request.scope["path"]
    return error_response(error.status_code, f"{error.detail}: {request.method} {path[:200]}", error.headers)


async def _gone(request: Request, error: Exception) -> Response:
    """Answer nobody: the client disconnected while sending its body, which is not the server's fault."""
    return Response(status_code=400)
