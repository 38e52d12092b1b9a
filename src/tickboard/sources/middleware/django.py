"""Django's routes: a Django middleware that passes the route of a request to the middleware around Django.

From outside Django, under ASGI or WSGI, a request's resolved route is not visible. One line in the settings, anywhere
in the list, makes it so: ``MIDDLEWARE = ["tickboard.django_routes", …]``.
"""

from collections.abc import Awaitable, Callable
from inspect import iscoroutinefunction
from typing import Any, TypeVar

from tickboard.sources.middleware.requests import ROUTE_KEY

GetResponse = Callable[[Any], Any]
F = TypeVar("F", bound=Callable[..., Any])


def _sync_and_async(factory: F) -> F:
    """Mark a middleware as sync and async; Django's own decorator for it would require Django."""
    factory.sync_capable = factory.async_capable = True  # type: ignore[attr-defined]
    return factory


@_sync_and_async
def django_routes(get_response: GetResponse) -> GetResponse:
    """Return a Django middleware that stores each request's route where `TickboardMiddleware` looks for it.

    The route is as Django writes it, ``/items/<int:pk>/``. A request without a route stores none.
    """
    if iscoroutinefunction(get_response):

        async def measured_async(request: Any) -> Any:
            awaited: Awaitable[Any] = get_response(request)
            try:
                return await awaited
            finally:
                _measured(request)

        return measured_async

    def measured(request: Any) -> Any:
        try:
            return get_response(request)
        finally:
            _measured(request)

    return measured


def _measured(request: Any) -> None:
    match = request.resolver_match
    if match is not None and isinstance(match.route, str):
        carrier = request.scope if hasattr(request, "scope") else request.environ
        # A regular expression begins with ^, and no route begins with /.
        carrier[ROUTE_KEY] = f"/{match.route.removeprefix('^')}"
