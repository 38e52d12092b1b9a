"""The ASGI middleware: requests per second, latency, errors and routes of any ASGI application.

It stands in front of an application and passes everything through as it is; it knows neither the server before it nor
the board that shows the numbers.
"""

from collections.abc import Awaitable, Callable, MutableMapping
from time import perf_counter
from typing import Any

from tickboard.series import Registry
from tickboard.sources.requests import HasRegistry, Requests
from tickboard.sources.routes import Routes

# The types of ASGI 3 (asgi.readthedocs.io), as every framework spells them.
Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]


class TickboardMiddleware:
    """An ASGI application that measures the HTTP requests of the one it wraps.

    The metrics are those of `Requests`. WebSockets and lifespan pass through unmeasured.

    A request counts when it comes in, and is in flight until the application has done with it. Its latency is the time
    until ``http.response.start``, when the status and the headers go out: a download, a stream or an SSE subscription
    has the latency of its beginning and not of its length. An error is a status of 500 or above, or an exception, once
    for each request; an exception before any answer is an answer with 500. Exceptions go on unchanged. A request that
    is given up before any answer has neither latency nor status.

    Args:
        app: the application to measure.
        registry: where to write: a registry or anything with one, such as a board.
        clock: seconds from any beginning, for latencies.

    Raises:
        InputError: the registry has one of the metrics already, declared as something else.
    """

    def __init__(
        self, app: Application, registry: Registry | HasRegistry, clock: Callable[[], float] = perf_counter
    ) -> None:
        self.app = app
        self._clock = clock
        self._requests = Requests(registry)
        self._routes = Routes()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        clock, requests, template = self._clock, self._requests, self._routes.template
        status = 0
        requests.begin()
        started = clock()

        # Not a coroutine of its own: what `send` returns is passed on, which saves one await for each message.
        def measured_send(message: Message) -> Awaitable[None]:
            nonlocal status
            if not status and message["type"] == "http.response.start":
                latency_ms = (clock() - started) * 1000
                status = message["status"]
                requests.answer(template(scope), scope.get("method", ""), status, latency_ms)
            return send(message)

        try:
            await self.app(scope, receive, measured_send)
        except Exception:
            if not status:
                latency_ms = (clock() - started) * 1000
                requests.answer(template(scope), scope.get("method", ""), 500, latency_ms)
            elif status < 500:
                requests.fail()
            raise
        finally:
            requests.end()
