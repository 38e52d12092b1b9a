"""The path that a board is served under: kept off its routes, and always with its slash at the end.

The page asks for everything else by relative paths, so at a prefix without its slash it would find nothing. Such a
request is sent to the prefix with its slash.
"""

from collections.abc import Awaitable
from urllib.parse import quote

from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from tickboard.errors import InputError


class Prefix:
    """ASGI middleware that takes a prefix which the proxy in front does not strip.

    Args:
        app: it finds the prefix in the scope's ``root_path``.
        prefix: as `parse_prefix` returns it.
    """

    def __init__(self, app: ASGIApp, prefix: str) -> None:
        self._app = app
        self._prefix = prefix

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Pass a connection on. A path that is not below the prefix, as that of a health check, is taken as it is."""
        if scope["type"] in {"http", "websocket"}:
            path: str = scope["path"]
            if self._prefix and (path == self._prefix or path.startswith(f"{self._prefix}/")):
                scope = {**scope, "root_path": self._prefix}
        return self._app(scope, receive, send)


class Slash:
    """ASGI middleware that sends a request of a prefix without its slash to the one with it.

    Args:
        app: the board's routes.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Serve one connection."""
        if scope["type"] == "http" and (last := _without_slash(scope)):
            # A relative address is right whatever further prefix a proxy has stripped.
            query = scope["query_string"].decode("latin-1")
            where = f"./{last}/{'?' if query else ''}{query}"
            return RedirectResponse(where, 308, {"cache-control": "no-store"})(scope, receive, send)
        return self._app(scope, receive, send)


def parse_prefix(text: str, named: str) -> str:
    """Return the prefix that a flag or an environment variable says, without a slash at its end; "": none.

    Args:
        text: as it was written.
        named: what it was written for, for the error.

    Raises:
        InputError: it is no path.
    """
    prefix = text.strip().rstrip("/")
    if prefix and (not prefix.startswith("/") or "//" in prefix or any(each in prefix for each in "?#% \t\\")):
        raise InputError(f"{named}={text[:80]}: give the path that the proxy passes on, as /team/board")
    return prefix


def _without_slash(scope: Scope) -> str:
    """Return the last part, encoded, of a path that is the prefix alone, without its slash; "": it is not that.

    Some servers give an application that is mounted the path "/" for both; what was asked for is in ``raw_path``.
    """
    path, root = scope["path"], scope.get("root_path", "")
    if path == root or not path:
        asked = quote(root)
    elif path in {"/", f"{root}/"}:
        asked = (scope.get("raw_path") or b"/").partition(b"?")[0].decode("latin-1")
    else:
        return ""
    return asked.rpartition("/")[2]
