"""The ASGI middleware: requests per second, latency, errors and routes of any ASGI application.

It wraps an application and passes everything through unchanged. It knows neither the server nor the board that shows
the numbers.
"""

from collections.abc import Awaitable, Callable, MutableMapping
from time import perf_counter
from typing import Any

from tickboard.metrics.registry import Registry
from tickboard.sources.middleware.requests import MEASURED_KEY, HasRegistry, Requests
from tickboard.sources.middleware.routes import Routes

# The types of ASGI 3 (asgi.readthedocs.io), as every framework defines them.
Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]


class TickboardMiddleware:
    """Measure the HTTP requests of an ASGI application: rate, latency, errors and requests in flight, by route.

    WebSockets and lifespan pass through unmeasured. Latency is the time until ``http.response.start``, when status and
    headers are sent: for a download, a stream or an SSE subscription, that is when it begins. An error is a status of
    500 or above, or an exception; each request counts at most once. An exception before any response counts as a 500.
    Exceptions pass through unchanged. A request abandoned before any response has neither latency nor status. Requests
    to a board mounted in the application do not count.

    Args:
        app: the application to measure.
        registry: where to write: a board or a registry.
        clock: returns seconds, for latencies.
        count_board: whether requests to a mounted board count too.

    Raises:
        InputError: one of its metrics is already declared as something else.
    """

    def __init__(
        self,
        app: Application,
        registry: Registry | HasRegistry,
        clock: Callable[[], float] = perf_counter,
        *,
        count_board: bool = False,
    ) -> None:
        self.app = app
        self._clock = clock
        self._requests = Requests(registry)
        self._routes = Routes()
        self._count_board = count_board

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        clock, requests, template = self._clock, self._requests, self._routes.template
        status = 0
        boards = False
        requests.begin()
        started = clock()

        def forget() -> None:
            nonlocal boards
            boards = True
            requests.forget()

        if not self._count_board:
            # In a list, since the board may get a copy of the scope.
            scope.setdefault(MEASURED_KEY, []).append(forget)

        # Not a coroutine: returning what `send` returns saves one await per message.
        def measured_send(message: Message) -> Awaitable[None]:
            nonlocal status
            if not status and not boards and message["type"] == "http.response.start":
                latency_ms = (clock() - started) * 1000
                status = message["status"]
                requests.answer(template(scope), scope.get("method", ""), status, latency_ms)
            return send(message)

        try:
            await self.app(scope, receive, measured_send)
        except Exception:
            if boards:
                pass
            elif not status:
                latency_ms = (clock() - started) * 1000
                requests.answer(template(scope), scope.get("method", ""), 500, latency_ms)
            elif status < 500:
                requests.fail()
            raise
        finally:
            if not boards:
                requests.end()
