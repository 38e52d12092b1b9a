"""Requests: what is counted of them, whoever serves them.

A middleware tells it when a request comes in, what it was answered with and when it is over; it writes to the registry
and knows neither ASGI nor WSGI. It may be told from any thread.
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
"""Where a framework or an application may say which route a request took: in the ASGI scope or the WSGI environ."""

MEASURED_KEY = "tickboard.measured"
"""Where a middleware leaves, in the ASGI scope, a list of functions by which a request is not counted after all. A
board that is mounted in the application calls them: its page and its streams are no requests of the application's."""

MAX_ROUTES = 200
"""Routes that are told apart, each with its method; those beyond are `OTHER`."""

MAX_KINDS = 10_000
"""Answers by route, method and status whose place is remembered; that of others is looked up each time."""

OTHER = "other"
"""The route of a request that took none that is known; a path is never one, as there is no end to them."""

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "QUERY"})
"""Methods that are told apart: any client may send any word."""

METHOD_NOT_ALLOWED = 405

_TYPED = re.compile(r"\{(\w+):[^{}]*\}")


class HasRegistry(Protocol):
    """Anything with a registry, such as a board."""

    @property
    def registry(self) -> Registry:
        """The registry to write to."""
        ...


Answers = tuple[Callable[[], None], Callable[[float], None]]
"""What counts the answers of one route and status, and what observes the route's latency."""


def _nowhere(latency_ms: float = 0.0) -> None:
    """Count answers that the registry has no room for."""


class Requests:
    """The metrics of requests, declared in a registry; several of these on one registry write to the same metrics.

    ``requests_per_sec``, ``errors_per_sec`` (counters), ``avg_latency`` (a histogram, ms) and ``requests_in_flight`` (a
    gauge) are of all requests. ``http_requests`` (a counter with the labels route and status) and ``http_latency`` (a
    histogram with the label route, ms) tell them apart: by route, as "GET /items/{id}", and class of status, as "2xx".

    For each request: `begin`, then `answer` when its status is known, `fail` for an error that comes after that, and in
    any case `end`, or `abandon`; or `forget` in place of all of these.

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
        # There are none from the start, and a gauge that was never set has no value.
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

    # What happens to every request writes to its columns under one lock: a handle each would take it five times.

    def begin(self) -> None:
        """Count a request that comes in."""
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
        """Take back a request that has begun, which then neither is answered nor ends."""
        registry = self._registry
        with self._lock:
            if registry.counts[self._begun] >= 1:
                registry.counts[self._begun] -= 1
            else:
                # A tick has counted it already: another is left out for it, and no rate is below zero.
                self._owed += 1
            registry.values[self._open] -= 1

    def answer(self, route: str | None, method: str, status: int, latency_ms: float) -> None:
        """Count an answer.

        Args:
            route: the template that was taken, as ``/items/{id}``; None when it isn't known.
            method: as GET.
            status: one of 500 or above is an error.
            latency_ms: from the beginning to the answer's.
        """
        count, observe = self._answers.get((route, method, status)) or self._learn(route, method, status)
        with self._lock:
            self._observe(latency_ms)
            # A series that somebody has removed comes back, unless the registry is full by now.
            with suppress(LimitError):
                observe(latency_ms)
                count()
        if status >= 500:
            self._errors.inc()

    def fail(self) -> None:
        """Count an error that came when the answer had begun."""
        self._errors.inc()

    def end(self) -> None:
        """Take a request out of those in flight."""
        with self._lock:
            self._registry.values[self._open] -= 1

    def abandon(self) -> None:
        """Take a request out when the next one comes in; never waits, so that a finalizer may call it."""
        self._abandoned.append(None)

    def _learn(self, route: str | None, method: str, status: int) -> Answers:
        """Find or make where an answer is counted that is the first of its kind."""
        with self._learning:
            answers = self._labelled(self._label(route, method, status), status)
            if method in METHODS and len(self._answers) < MAX_KINDS:
                self._answers[route, method, status] = answers
        return answers

    def _label(self, route: str | None, method: str, status: int) -> str:
        # With a method that it doesn't take, a route was not taken; a client could make up many of those.
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
                # The registry is full: a request is served all the same, and counted with all others.
                answers = _nowhere, _nowhere
            self._by_label[label, status_class] = answers
        return answers


def shown(template: str) -> str:
    """Return a route template as people read it: ``{id}`` for the ``{id:int}`` of Starlette and Litestar."""
    return _TYPED.sub(r"{\1}", template)
