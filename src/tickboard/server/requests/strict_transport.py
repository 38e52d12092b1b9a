"""Strict-Transport-Security (RFC 6797): tells browsers to use HTTPS alone for this name, if its owner asks for that."""

from collections.abc import Awaitable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

DAY_S = 86_400

_STARTS = frozenset({"http.response.start", "websocket.http.response.start"})


class StrictTransport:
    """ASGI middleware that adds the header to responses over HTTPS; over HTTP browsers ignore it.

    Args:
        app: the application.
        days: how long browsers remember it.
    """

    def __init__(self, app: ASGIApp, days: int) -> None:
        self._app = app
        self._header = (b"strict-transport-security", f"max-age={days * DAY_S}".encode())

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Serve one connection."""
        if scope.get("scheme") not in {"https", "wss"}:
            return self._app(scope, receive, send)

        def send_strictly(message: Message) -> Awaitable[None]:
            if message["type"] in _STARTS:
                message = {**message, "headers": [*message.get("headers", ()), self._header]}
            return send(message)

        return self._app(scope, receive, send_strictly)
