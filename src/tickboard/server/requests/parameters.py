"""Parameters: how many an address may have, looked at before anything reads them."""

from starlette.types import ASGIApp, Receive, Scope, Send

from tickboard.metrics.selectors import MAX_SELECTORS
from tickboard.server.requests.refusal import error_response, refuse

MAX_PARAMETERS = MAX_SELECTORS + 10
"""Of one address: a subscription's selectors, and all else that a route knows. To read so many takes 2 ms."""


class Parameters:
    """ASGI middleware that refuses an address with too many parameters, of a request or a handshake, with 400."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        query = scope.get("query_string", b"")
        if (count := query.count(b"&") + query.count(b";") + 1) <= MAX_PARAMETERS:
            await self._app(scope, receive, send)
            return
        why = f"the address has {count} parameters: send {MAX_PARAMETERS} at most"
        await refuse(error_response(400, why), scope, receive, send)
