"""The middleware: requests per second, latency and errors of any ASGI application.

It stands in front of an application and passes everything through as it is; it writes to the registry that it is
given and knows nothing of the framework behind it, the server before it or the board that shows the numbers.
"""

from collections.abc import Awaitable, Callable, MutableMapping
from time import perf_counter
from typing import Any, Protocol

from tickboard.series import Registry

# The types of ASGI 3 (asgi.readthedocs.io), as every framework spells them.
Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]


class HasRegistry(Protocol):
    """Anything with a registry, such as a board."""

    @property
    def registry(self) -> Registry:
        """The registry to write to."""
        ...


class TickboardMiddleware:
    """An ASGI application that measures the HTTP requests of the one it wraps.

    It declares ``requests_per_sec`` and ``errors_per_sec`` (counters) and ``avg_latency`` (a histogram, ms). Several
    middlewares on one registry write to the same three. WebSockets and lifespan pass through unmeasured.

    A request counts when it comes in. Its latency is the time until ``http.response.start``, when the status and the
    headers go out: a download, a stream or an SSE subscription has the latency of its beginning and not of its length.
    An error is a status of 500 or above, or an exception, once for each request; where an exception comes before any
    answer, the time until then is the latency. Exceptions go on unchanged.

    Args:
        app: the application to measure.
        registry: where to write: a registry or anything with one, such as a board.
        clock: seconds from any beginning, for latencies.

    Raises:
        InputError: the registry has one of the three metrics already, declared as something else.
    """

    def __init__(
        self, app: Application, registry: Registry | HasRegistry, clock: Callable[[], float] = perf_counter
    ) -> None:
        if not isinstance(registry, Registry):
            registry = registry.registry
        self.app = app
        self._clock = clock
        self._requests = registry.counter("requests_per_sec", "Requests/sec", unit="req/s")
        self._latency = registry.histogram("avg_latency", "Latency", unit="ms", min=0)
        self._errors = registry.counter("errors_per_sec", "Errors/sec", unit="req/s")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        clock = self._clock
        answered = failed = False
        self._requests.inc()
        started = clock()

        # Not a coroutine of its own: what `send` returns is passed on, which saves one await for each message.
        def measured_send(message: Message) -> Awaitable[None]:
            nonlocal answered, failed
            if message["type"] == "http.response.start":
                self._latency.observe((clock() - started) * 1000)
                answered = True
                if message["status"] >= 500:
                    failed = True
                    self._errors.inc()
            return send(message)

        try:
            await self.app(scope, receive, measured_send)
        except Exception:
            if not answered:
                self._latency.observe((clock() - started) * 1000)
            if not failed:
                self._errors.inc()
            raise
