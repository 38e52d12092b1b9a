"""Details: who may see problems in full, with tracebacks, places in files and the texts of exceptions.

Only people on the machine itself may, if the server is bound to loopback and the request shows no sign of a proxy; and
admins, if people log in or the application around a board says who they are. All others see the short form. The log has
everything.
"""

from collections.abc import Awaitable, Collection

from starlette.types import ASGIApp, Receive, Scope, Send

from tickboard.server.requests.request_headers import head_of
from tickboard.server.uvicorn.listening import is_loopback

_KEY = "tickboard.details"

_NAMING = frozenset({"forwarded", "x-real-ip"})


class DetailAccess:
    """ASGI middleware that records in the scope whether the client may see details.

    Args:
        app: the application.
        bound: the address that the server's socket is bound to.
    """

    def __init__(self, app: ASGIApp, bound: str) -> None:
        self._app = app
        self._local = is_loopback(bound)

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Pass a connection on."""
        if self._local and scope["type"] in {"http", "websocket"} and not is_forwarded(head_of(scope)):
            scope = {**scope, _KEY: True}
        return self._app(scope, receive, send)


def see_details(scope: Scope) -> None:
    """Record that the client of a connection may see details, since it is an admin."""
    scope[_KEY] = True


def sees_details(scope: Scope) -> bool:
    """Return whether the client of a connection may see the details of problems."""
    return scope.get(_KEY) is True


def is_forwarded(names: Collection[str]) -> bool:
    """Return whether a request's headers show that a proxy has passed it on.

    Args:
        names: the names of the headers, in lower case.
    """
    return "via" in names or is_for_another(names)


def is_for_another(names: Collection[str]) -> bool:
    """Return whether a request's headers say that a proxy has passed it on for a client of its own.

    Args:
        names: the names of the headers, in lower case.
    """
    return any(name in _NAMING or name.startswith("x-forwarded-") for name in names)
