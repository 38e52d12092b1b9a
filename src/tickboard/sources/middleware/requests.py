"""Requests: counts them, whatever server handles them.

A middleware calls it when a request arrives, when it is answered and when it ends; it writes to the registry and knows
neither ASGI nor WSGI. It may be called from any thread.
"""

import re
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from threading import Lock
from typing import Protocol

from tickboard.errors import LimitError
from tickboard.metrics.registry import Registry

ROUTE_KEY = "tickboard.route"
"""The key of a request's route in the ASGI scope or the WSGI environ; a framework or an application may set it."""

MEASURED_KEY = "tickboard.measured"
"""The key, in the ASGI scope, of a list of functions that exclude a request from the counts. A board mounted in the
application calls them, since requests for its page and its streams are not the application's."""

MAX_ROUTES = 200
"""How many routes are distinguished, each with its method; further ones count as `OTHER`."""

MAX_KINDS = 10_000
"""How many combinations of route, method and status are cached; others are looked up each time."""

OTHER = "other"
"""The route of requests without a known route. A path is never used as a route, since there is no end of paths."""

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "QUERY"})
"""The methods that are distinguished: clients may send any word."""

METHOD_NOT_ALLOWED = 405

_TYPED = re.compile(r"\{(\w+):[^{}]*\}")


class HasRegistry(Protocol):
    """Anything with a registry, such as a board."""

    @property
    def registry(self) -> Registry:
        """The registry to write to."""
        ...


Answers = tuple[Callable[[], None], Callable[[float], None]]
"""Counts the responses of one route and status, and observes the route's latency."""


def _nowhere(latency_ms: float = 0.0) -> None:
    """Ignore responses for which the registry has no room."""


class Requests:
    """The metrics of requests, declared in a registry. Several of these on one registry share the metrics.

    ``requests_per_sec``, ``errors_per_sec`` (counters), ``avg_latency`` (a histogram, ms) and ``requests_in_flight`` (a
    gauge) are of all requests. ``http_requests`` (a counter with the labels route and status) and ``http_latency`` (a
    histogram with the label route, ms) distinguish them by route, such as "GET /items/{id}", and class of status, such
    as "2xx".

    For each request, call `begin`; `answer` when its status is known; `fail` for an error after that; and in any case
    `end` or `abandon`. Or call `forget` instead of all that follows `begin`.

    Args:
        registry: where to write: a registry or anything with one.

    Raises:
        InputError: one of its metrics is already declared as something else.
    """

    def __init__(self, registry: Registry | HasRegistry) -> None:
        self._registry = registry = registry if isinstance(registry, Registry) else registry.registry
        self._lock = registry.lock
        requests = registry.counter("requests_per_sec", "Requests/sec", unit="req/s")
        self._observe = registry.histogram("avg_latency", "Latency", unit="ms", min=0).add
        self._errors = registry.counter("errors_per_sec", "Errors/sec", unit="req/s")
        in_flight = registry.gauge("requests_in_flight", "Requests in flight", unit="req", min=0)
        # 0 from the start, since a gauge that was never set has no value.
        in_flight.inc(0)
        self._route_requests = registry.counter(
            "http_requests", "Requests by route", unit="req/s", labels=("route", "status"), forget=False
        )
        self._route_latency = registry.histogram(
            "http_latency", "Latency by route", unit="ms", labels=("route",), min=0, forget=False
        )
        [self._begun], [self._open] = requests.columns, in_flight.columns
        self._owed = 0
        self._abandoned: deque[None] = deque()
        self._answers: dict[tuple[str | None, str, int], Answers] = {}
        self._by_label: dict[tuple[str, str], Answers] = {}
        self._routes: set[str] = set()
        self._learning = Lock()

    # The parts that every request goes through write to columns under one lock; handles would take it five times.

    def begin(self) -> None:
        """Count a request that arrives."""
        registry = self._registry
        with self._lock:
            if self._owed:
                self._owed -= 1
            else:
                registry.counts[self._begun] += 1
            registry.values[self._open] += 1
            while self._abandoned:
                self._abandoned.pop()
                registry.values[self._open] -= 1

    def forget(self) -> None:
        """Undo `begin` for a request, which is then neither answered nor ended."""
        registry = self._registry
        with self._lock:
            if registry.counts[self._begun] >= 1:
                registry.counts[self._begun] -= 1
            else:
                # A tick has counted it already: skip another request instead, so that no rate is negative.
                self._owed += 1
            registry.values[self._open] -= 1

    def answer(self, route: str | None, method: str, status: int, latency_ms: float) -> None:
        """Count a response.

        Args:
            route: the route template, such as ``/items/{id}``; None: unknown.
            method: such as GET.
            status: 500 or above is an error.
            latency_ms: from the start of the request to that of the response.
        """
        count, observe = self._answers.get((route, method, status)) or self._learn(route, method, status)
        with self._lock:
            self._observe(latency_ms)
            # A removed series comes back, unless the registry is full by now.
            with suppress(LimitError):
                observe(latency_ms)
                count()
        if status >= 500:
            self._errors.inc()

    def fail(self) -> None:
        """Count an error that occurred after the response had begun."""
        self._errors.inc()

    def end(self) -> None:
        """Remove a request from those in flight."""
        with self._lock:
            self._registry.values[self._open] -= 1

    def abandon(self) -> None:
        """End a request when the next one begins; never blocks, so a finalizer may call it."""
        self._abandoned.append(None)

    def _learn(self, route: str | None, method: str, status: int) -> Answers:
        """Return the counters for the first response of its kind."""
        with self._learning:
            answers = self._labelled(self._label(route, method, status), status)
            if method in METHODS and len(self._answers) < MAX_KINDS:
                self._answers[route, method, status] = answers
        return answers

    def _label(self, route: str | None, method: str, status: int) -> str:
        # If its method is not allowed, no route was taken, and clients could make up many methods.
        if route is None or method not in METHODS or status == METHOD_NOT_ALLOWED:
            return OTHER
        label = f"{method} {shown(route)}"
        if label not in self._routes:
            if len(self._routes) >= MAX_ROUTES:
                return OTHER
            self._routes.add(label)
        return label

    def _labelled(self, label: str, status: int) -> Answers:
        status_class = f"{status // 100}xx" if 100 <= status < 600 else OTHER
        answers = self._by_label.get((label, status_class))
        if answers is None:
            try:
                observe = self._route_latency.labels(route=label).add
                answers = self._route_requests.labels(route=label, status=status_class).add, observe
            except LimitError:
                # The registry is full: the request is still served, and counted in the totals only.
                answers = _nowhere, _nowhere
            self._by_label[label, status_class] = answers
        return answers


def shown(template: str) -> str:
    """Return a route template as people read it: ``{id}`` for ``{id:int}`` in Starlette and Litestar."""
    return _TYPED.sub(r"{\1}", template)
