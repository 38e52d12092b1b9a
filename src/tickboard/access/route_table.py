"""The table of routes: the role that each path needs, for reading and for writing.

It is the only place that says so, and it looks at nothing but the path and the method. A path that is not in the table
is closed: only an admin gets through, to the routes of the board's owner or to a 404.
"""

import re
from collections.abc import Iterable

from msgspec import Struct

from tickboard.access.roles import Role

CLOSED: Role = "admin"
"""What everything needs that is not in the table."""

LOGIN, LOGOUT, AUDIT = "/login", "/logout", "/api/audit"

READING = frozenset({"GET", "HEAD", "OPTIONS", "WEBSOCKET"})
"""Methods that change nothing, and the handshake of a WebSocket."""


METHODS = READING | {"POST", "PUT", "PATCH", "DELETE"}
"""Methods by their names; a client may send any other text."""


class Needs(Struct, frozen=True):
    """What one path needs; None: anyone may.

    Attributes:
        path: the path, where ``{id}`` stands for one part and ``{path:path}`` for any number of them.
        read: the role to read it, or to connect to it.
        write: the role to write to it.
    """

    path: str
    read: Role | None = CLOSED
    write: Role | None = CLOSED


HOST_BOARD = "/hosts/{host}"
"""The prefix under which a wall shows the boards of the hosts that it follows."""

_BOARD: tuple[Needs, ...] = (
    # The prefix without its slash, which is redirected to the one with it.
    Needs("", read=None),
    Needs("/", read="viewer"),
    Needs("/assets/{path:path}", read="viewer"),
    # A page that cannot connect sends a POST, and is told why.
    Needs("/ws/metrics", read="viewer", write="viewer"),
    Needs("/events/alerts", read="viewer"),
    Needs("/metrics", read="viewer"),
    Needs("/api/about", read="viewer"),
    Needs("/api/alerts", read="viewer"),
    Needs("/api/alerts/spans", read="viewer"),
    Needs("/api/alerts/ack", write="operator"),
    Needs("/api/alerts/silence", write="operator"),
    Needs("/api/alerts/{id}/ack", write="operator"),
    Needs("/api/alerts/{id}/silence", write="operator"),
    Needs(AUDIT, read="admin"),
    Needs("/api/board", read="viewer"),
    Needs("/api/changes", read="viewer"),
    Needs("/api/config-schema.json", read="viewer"),
    Needs("/api/health", read=None),
    Needs("/api/history", read="viewer"),
    Needs("/api/hosts", read="viewer"),
    Needs("/api/hosts/{name}", write="operator"),
    Needs("/api/marks", read="viewer", write="operator"),
    Needs("/api/me", read="viewer"),
    Needs("/api/metrics", write="sender"),
    Needs("/api/metrics/recent", read="viewer"),
    Needs("/api/openapi.json", read="viewer"),
    Needs("/api/silences", read="viewer"),
    Needs("/api/stats", read="viewer"),
    Needs("/api/v1/write", write="sender"),
    Needs("/v1/metrics", write="sender"),
    Needs(LOGIN, read=None, write=None),
    Needs(f"{LOGIN}/{{once}}", read=None),
    Needs(LOGOUT, write=None),
)


def _on_host(needs: Needs) -> Needs | None:
    """Return what a path needs on the board of a host: what it does on any board; None: it is not shown there.

    What anybody may read of a board needs a viewer of the wall. Neither a login nor the intake of metrics is there, and
    assets are the wall's own.
    """
    if needs.path.startswith((LOGIN, LOGOUT, "/assets/")) or not {needs.read, needs.write} - {"admin", "sender"}:
        return None
    return Needs(f"{HOST_BOARD}{needs.path}", needs.read or "viewer", needs.write)


ROUTES: tuple[Needs, ...] = (*_BOARD, *filter(None, map(_on_host, _BOARD)))
"""The table."""


class RouteTable:
    """Finds what a request needs.

    Args:
        routes: the table.
    """

    def __init__(self, routes: Iterable[Needs] = ROUTES) -> None:
        self._exact = {each.path: each for each in routes if "{" not in each.path}
        self._patterns = [(_pattern(each.path), each) for each in routes if "{" in each.path]
        self._unlisted = Needs("")

    def needed(self, path: str, method: str) -> Role | None:
        """Return the role that a request needs; None: anyone may make it.

        Args:
            path: the decoded path, without the prefix that the board is served under.
            method: the request's method; ``WEBSOCKET`` for a handshake.
        """
        found = self._find(path)
        return found.read if method in READING else found.write

    def listed(self, path: str) -> str:
        """Return the path in the table that a request's path matches; empty if there is none."""
        return self._find(path).path

    def _find(self, path: str) -> Needs:
        return self._exact.get(path) or self._by_pattern(path)

    def _by_pattern(self, path: str) -> Needs:
        return next((needs for pattern, needs in self._patterns if pattern.fullmatch(path)), self._unlisted)


def is_of_login(path: str) -> bool:
    """Return whether the gate itself answers a path, and not the board."""
    return path in {LOGIN, LOGOUT} or path.startswith(f"{LOGIN}/")


def _pattern(path: str) -> re.Pattern[str]:
    parts = re.split(r"(\{[a-z]+(?::path)?\})", path)
    # As Starlette reads them, so that both see the same route.
    text = "".join(
        (".*" if part.endswith(":path}") else "[^/]+") if part.startswith("{") else re.escape(part) for part in parts
    )
    return re.compile(text, re.DOTALL)
