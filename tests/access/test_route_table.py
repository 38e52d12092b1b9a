"""The table of routes: it lists every route of a board with the role that it needs, and all else is closed."""

import pytest
from starlette.routing import Mount, Route, WebSocketRoute

from tickboard import Board
from tickboard.access.roles import Role
from tickboard.access.route_table import CLOSED, ROUTES, Needs, RouteTable, is_of_login

TABLE = RouteTable()


def routes_of_a_board() -> set[tuple[str, str]]:
    """Return the method and the path of each route of a board."""
    board = Board()
    board.prepare()
    found: set[tuple[str, str]] = set()
    for route in board._require_live().app.routes:
        match route:
            case WebSocketRoute():
                found.add(("WEBSOCKET", route.path))
            case Mount():
                found |= {("GET", f"{route.path}/{{path:path}}"), ("HEAD", f"{route.path}/{{path:path}}")}
            case Route(methods=None):
                # Whatever the method.
                found |= {("GET", route.path), ("POST", route.path)}
            case Route():
                found |= {(method, route.path) for method in route.methods or ()}
    # Every handshake on another path is refused with 404.
    return found - {("WEBSOCKET", "/{path:path}")}


def test_every_route_of_a_board_is_in_the_table() -> None:
    listed = {each.path for each in ROUTES}
    assert {path for _, path in routes_of_a_board()} <= listed


def test_the_table_lists_nothing_else() -> None:
    known = {path for _, path in routes_of_a_board()} | {"", "/login", "/login/{once}", "/logout"}
    assert {each.path for each in ROUTES} == known


def test_no_path_is_listed_twice() -> None:
    assert len({each.path for each in ROUTES}) == len(ROUTES)


def test_what_a_route_does_not_support_is_closed() -> None:
    methods = {
        path: {method for method, other in routes_of_a_board() if other == path} for _, path in routes_of_a_board()
    }
    for path, supported in methods.items():
        if not supported & {"POST", "DELETE"}:
            assert TABLE.needed(path, "POST") == CLOSED, path
        if not supported & {"GET", "WEBSOCKET"}:
            assert TABLE.needed(path, "GET") == CLOSED, path


@pytest.mark.parametrize(
    ("method", "path", "needed"),
    [
        ("GET", "/", "viewer"),
        ("GET", "", None),
        ("GET", "/assets/app-123.js", "viewer"),
        ("GET", "/assets/a/b\n.js", "viewer"),
        ("WEBSOCKET", "/ws/metrics", "viewer"),
        ("GET", "/ws/metrics", "viewer"),
        ("POST", "/ws/metrics", "viewer"),
        ("GET", "/events/alerts", "viewer"),
        ("HEAD", "/events/alerts", "viewer"),
        ("GET", "/api/health", None),
        ("POST", "/api/health", CLOSED),
        ("GET", "/api/alerts", "viewer"),
        ("POST", "/api/alerts/ack", "operator"),
        ("POST", "/api/alerts/silence", "operator"),
        ("POST", "/api/alerts/1/ack", "operator"),
        ("POST", "/api/alerts/a b/silence", "operator"),
        ("GET", "/api/alerts/1/ack", CLOSED),
        ("POST", "/api/alerts/1/2/ack", CLOSED),
        ("POST", "/api/alerts//ack", CLOSED),
        ("POST", "/api/marks", "operator"),
        ("GET", "/api/marks", "viewer"),
        ("OPTIONS", "/api/marks", "viewer"),
        ("PUT", "/api/marks", "operator"),
        ("POST", "/api/metrics", "sender"),
        ("GET", "/api/metrics", CLOSED),
        ("POST", "/v1/metrics", "sender"),
        ("POST", "/api/v1/write", "sender"),
        ("GET", "/login", None),
        ("POST", "/login", None),
        ("GET", "/login/abc", None),
        ("POST", "/login/abc", CLOSED),
        ("GET", "/login/a/b", CLOSED),
        ("POST", "/logout", None),
        ("GET", "/own", CLOSED),
        ("GET", "/api/stats/", CLOSED),
        ("GET", "//api/health", CLOSED),
        ("GET", "/API/health", CLOSED),
        ("GET", "/api/health/../board", CLOSED),
        ("GET", "/assets", CLOSED),
        ("WEBSOCKET", "/", "viewer"),
        ("WEBSOCKET", "/ws/other", CLOSED),
        ("DELETE", "/", CLOSED),
        ("GET", "/hosts/web-1", "viewer"),
        ("GET", "/hosts/web-1/", "viewer"),
        ("GET", "/hosts/web-1/api/health", "viewer"),
        ("WEBSOCKET", "/hosts/web-1/ws/metrics", "viewer"),
        ("POST", "/hosts/web-1/api/alerts/1/ack", "operator"),
        ("POST", "/hosts/web-1/api/marks", "operator"),
        ("POST", "/hosts/web-1/api/metrics", CLOSED),
        ("GET", "/hosts/web-1/login", CLOSED),
        ("POST", "/hosts/web-1/logout", CLOSED),
        ("GET", "/hosts/web-1/api/audit", CLOSED),
        ("GET", "/hosts/web-1/assets/app.js", CLOSED),
        ("GET", "/hosts/web-1/hosts/web-2/api/board", CLOSED),
        ("GET", "/hosts//api/board", CLOSED),
        ("GET", "/hosts/a/b/api/board", CLOSED),
    ],
)
def test_a_request_needs(method: str, path: str, needed: Role | None) -> None:
    assert TABLE.needed(path, method) == needed


@pytest.mark.parametrize("path", ["/login", "/login/abc", "/login/", "/logout"])
def test_the_gate_answers_a_login_itself(path: str) -> None:
    assert is_of_login(path)
    assert not is_of_login(f"/api{path}")
    assert not is_of_login(path.replace("log", "Log"))


def test_a_path_is_named_as_the_table_lists_it() -> None:
    paths = ("/api/board", "/api/alerts/17/ack", "/assets/a/b.js", "/own", "/api/board/")
    assert [TABLE.listed(each) for each in paths] == [
        "/api/board",
        "/api/alerts/{id}/ack",
        "/assets/{path:path}",
        "",
        "",
    ]


def test_a_dot_in_a_listed_path_is_a_dot() -> None:
    assert RouteTable([Needs("/a.b/{id}", read="viewer")]).needed("/aXb/1", "GET") == CLOSED
