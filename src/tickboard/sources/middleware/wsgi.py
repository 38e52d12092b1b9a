"""The WSGI middleware: the same numbers as the ASGI one, for any WSGI application (PEP 3333).

The route is known if the application sets ``environ["tickboard.route"]``; Flask needs nothing.
"""

from collections.abc import Callable, Iterable, Iterator
from time import perf_counter
from typing import Any

from tickboard.metrics.registry import Registry
from tickboard.sources.middleware.requests import ROUTE_KEY, HasRegistry, Requests

Environ = dict[str, Any]
StartResponse = Callable[..., Callable[[bytes], object]]
WSGIApplication = Callable[[Environ, StartResponse], Iterable[bytes]]

_WHOLE = (list, tuple)


class TickboardWSGIMiddleware:
    """Measure the requests of a WSGI application, as `TickboardMiddleware` does for ASGI.

    Latency is the time until the application calls ``start_response``. A request is in flight until its body has been
    sent or closed. A body that is a list, or a file that the server itself sends (``wsgi.file_wrapper``), is passed to
    the server as it is, and the request ends there.

    Args:
        app: the application to measure.
        registry: where to write: a board or a registry.
        clock: returns seconds, for latencies.

    Raises:
        InputError: one of its metrics is already declared as something else.
    """

    def __init__(
        self, app: WSGIApplication, registry: Registry | HasRegistry, clock: Callable[[], float] = perf_counter
    ) -> None:
        self.app = app
        self._clock = clock
        self._requests = Requests(registry)

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Serve one request."""
        answer = _Answer(self._requests, self._clock, environ, start_response)
        try:
            body = self.app(environ, answer.start_response)
        except BaseException as error:
            answer.end_with(error)
            raise
        wrapper = environ.get("wsgi.file_wrapper")
        if type(body) in _WHOLE or (isinstance(wrapper, type) and isinstance(body, wrapper)):
            answer.end()
            return body
        return answer.of(body)


class _Answer:
    """One request: the application's response, and the body that the server iterates over."""

    # Initial values as class attributes cost a request nothing.
    _over = False
    _begun = False
    _status = 0
    _route: str | None = None
    _latency_ms = 0.0
    _body: Iterable[bytes] = ()

    def __init__(
        self, requests: Requests, clock: Callable[[], float], environ: Environ, start_response: StartResponse
    ) -> None:
        self._requests = requests
        self._environ = environ
        self._start_response = start_response
        self._clock = clock
        requests.begin()
        self._started = clock()

    def start_response(self, status: str, headers: list[tuple[str, str]], *exc_info: Any) -> Callable[[bytes], object]:
        """Record the status and pass everything on; until part of the body is sent, another call replaces it."""
        if not self._begun:
            self._take(int(status[:3]) if status[:3].isdecimal() else 500)
        return self._start_response(status, headers, *exc_info)

    def of(self, body: Iterable[bytes]) -> "_Answer":
        """Wrap a body, and return this object as the body."""
        self._body = body
        return self

    def __iter__(self) -> Iterator[bytes]:
        try:
            for chunk in self._body:
                # An empty chunk does not send the headers yet.
                if chunk and not self._begun:
                    self._begin()
                yield chunk
        except GeneratorExit:
            # It may come from the garbage collector, in a thread that holds the lock: leave the end to `close`.
            raise
        except BaseException as error:
            self.end_with(error)
            raise
        self.end()

    def close(self) -> None:
        """Close the body; the server calls this when it has sent it or has given up."""
        try:
            close = getattr(self._body, "close", None)
            if close is not None:
                close()
        except BaseException as error:
            self.end_with(error)
            raise
        self.end()

    def end(self) -> None:
        """Count the response, if that was not done yet, and end the request."""
        if not self._over:
            self._over = True
            if not self._begun:
                self._begin()
            self._requests.end()

    def end_with(self, error: BaseException) -> None:
        """End a request that raised; anything but an Exception is not an error of the application."""
        if not self._over and isinstance(error, Exception):
            if not self._begun:
                self._take(500)
            elif self._status < 500:
                self._requests.fail()
        self.end()

    def __del__(self) -> None:
        # The garbage collector may call this in a thread that holds the registry's lock: never wait for it.
        if not self._over:
            self._requests.abandon()

    def _take(self, status: int) -> None:
        self._latency_ms = (self._clock() - self._started) * 1000
        self._status = status
        # Flask discards its request right after the call, and an error may come later.
        self._route = _route_of(self._environ) or self._route

    def _begin(self) -> None:
        if self._status:
            self._begun = True
            method = self._environ.get("REQUEST_METHOD", "")
            self._requests.answer(self._route, method, self._status, self._latency_ms)


def _route_of(environ: Environ) -> str | None:
    """Return the route template of a request that has been routed; None if it is unknown."""
    route = environ.get(ROUTE_KEY)
    if route is None:
        # Werkzeug stores its request there, and Flask stores its rule in that.
        route = getattr(getattr(environ.get("werkzeug.request"), "url_rule", None), "rule", None)
    return route if isinstance(route, str) else None
