"""Refusals: a request gets an error as JSON, and a WebSocket the same status in its handshake.

A server without ASGI's denial responses closes the handshake instead: its client gets 403.
"""

from collections.abc import Mapping

from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket

from tickboard.wire import ErrorBody, encode

POLICY_VIOLATION = 1008
"""A close code (RFC 6455, section 7.4.1)."""


async def refuse(response: Response, scope: Scope, receive: Receive, send: Send) -> None:
    """Refuse a request or a handshake."""
    if scope["type"] != "websocket":
        await response(scope, receive, send)
        return
    websocket = WebSocket(scope, receive, send)
    if "websocket.http.response" in (scope.get("extensions") or {}):
        await websocket.send_denial_response(response)
    else:
        await websocket.close(POLICY_VIOLATION)


def error_response(status: int, message: str, headers: Mapping[str, str] | None = None) -> Response:
    """Return an error as JSON, which caches do not store."""
    return Response(
        encode(ErrorBody(message)), status, {"cache-control": "no-store"} | dict(headers or {}), "application/json"
    )
