"""The path prefix that a board is served under: hidden from its routes, and always with a slash at the end.

The page uses relative paths, which would be wrong under a prefix without its final slash. Such a request is redirected
to the prefix with its slash.
"""

from collections.abc import Awaitable
from urllib.parse import quote

from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from tickboard.errors import InputError


class Prefix:
    """ASGI middleware for a prefix that the proxy in front does not strip.

    Args:
        app: the application; it finds the prefix in the scope's ``root_path``.
        prefix: the result of `parse_prefix`.
    """

    def __init__(self, app: ASGIApp, prefix: str) -> None:
        self._app = app
        self._prefix = prefix

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Pass a connection on. A path outside the prefix, such as that of a health check, is left as it is."""
        if scope["type"] in {"http", "websocket"}:
            path: str = scope["path"]
            if self._prefix and (path == self._prefix or path.startswith(f"{self._prefix}/")):
                scope = {**scope, "root_path": self._prefix}
        return self._app(scope, receive, send)


class Slash:
    """ASGI middleware that redirects a request for the prefix without its slash.

    Args:
        app: the board's routes.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Serve one connection."""
        if scope["type"] == "http" and (last := _without_slash(scope)):
            # A relative address is right whatever other prefix a proxy has stripped.
            query = scope["query_string"].decode("latin-1")
            where = f"./{last}/{'?' if query else ''}{query}"
            return RedirectResponse(where, 308, {"cache-control": "no-store"})(scope, receive, send)
        return self._app(scope, receive, send)


def parse_prefix(text: str, named: str) -> str:
    """Return the prefix in a flag or an environment variable, without its final slash; "" if there is none.

    Args:
        text: its value.
        named: the name of the flag or variable, for messages.

    Raises:
        InputError: it is not a path.
    """
    prefix = text.strip().rstrip("/")
    if prefix and (not prefix.startswith("/") or "//" in prefix or any(each in prefix for each in "?#% \t\\")):
        raise InputError(f"{named}={text[:80]}: give the path that the proxy passes on, such as /team/board")
    return prefix


def _without_slash(scope: Scope) -> str:
    """Return the last part, encoded, of a path that is the prefix without its final slash; "" for any other path.

    Some servers pass "/" to a mounted application in both cases; then ``raw_path`` has the original path.
    """
    path, root = scope["path"], scope.get("root_path", "")
    if path == root or not path:
        asked = quote(root)
    elif path in {"/", f"{root}/"}:
        asked = (scope.get("raw_path") or b"/").partition(b"?")[0].decode("latin-1")
    else:
        return ""
    return asked.rpartition("/")[2]
