"""Every route for every role, wherever the board is served: each needs what it should, and all else is closed."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.security.access import INCLUDES, READ, WRITE, Accounts, allowed
from tests.security.raw import exchange, handshake
from tests.security.raw import request as raw_request
from tests.serving import Server, serve

from tickboard.access.route_table import CLOSED, ROUTES, RouteTable

BOARD = str(Path(__file__).parents[1] / "boards" / "own_route.py")

PLACES: dict[str, tuple[str, ...]] = {
    "loopback": ("--auth", "required"),
    "network": ("--host", "0.0.0.0"),
    "prefix": ("--auth", "required", "--root-path", "/team/board"),
}


OF_THE_GATE = {"", "/login", "/login/{once}", "/logout"}
"""What nobody needs a role for: tests/security/test_access_login.py."""


def request(method: str = "GET", target: str = "/api/stats", **headers: str) -> bytes:
    """Return a request with these headers."""
    named: dict[str, Any] = headers
    return raw_request(method, target, **named)


class Place:
    """A server, and the requests of one role to it."""

    def __init__(self, server: Server, accounts: Accounts, prefix: str) -> None:
        self.server, self.accounts, self.prefix = server, accounts, prefix
        self.roles = {role: accounts.headers(role) for role in INCLUDES}

    def status(self, method: str, path: str, headers: dict[str, str]) -> int:
        target = path if path.startswith("//") else self.prefix + path
        return exchange(self.server.port, request(method, target, **headers)).status


@pytest.fixture(scope="module", params=PLACES)
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    accounts = Accounts(tmp_path_factory.mktemp("access") / "access.json")
    flags = PLACES[request.param]
    with serve("run", BOARD, *flags, *accounts.flags) as server:
        yield Place(server, accounts, "/team/board" if request.param == "prefix" else "")


@contextlib.contextmanager
def known(place: Place, headers: dict[str, str]) -> Iterator[None]:
    """Wait until the server knows a new token or session."""
    if headers:
        place.server.wait_for(lambda: place.status("GET", "/api/board", headers) != 401)
    yield


def test_every_route_is_asked_for_with_its_role() -> None:
    """The tables that these tests go through name each route of a board: see tests/access/test_route_table.py."""
    known = RouteTable()
    read = {known.listed(path.replace("%2F", "/")): role for path, role in READ.items()}
    written = {known.listed(path): role for path, role in WRITE.items()}
    for needs in ROUTES:
        if needs.path not in OF_THE_GATE:
            assert needs.path in read | written
            assert read.get(needs.path, CLOSED) == (needs.read or "nobody"), needs.path
            assert written.get(needs.path, CLOSED) == (needs.write or "nobody"), needs.path


@pytest.mark.parametrize("role", INCLUDES)
def test_every_route_needs_its_role(place: Place, role: str) -> None:
    headers = place.roles[role]
    refused = 403 if role != "nobody" else 401
    with known(place, headers):
        for method, table in (("GET", READ), ("HEAD", READ), ("POST", WRITE), ("PUT", WRITE), ("DELETE", WRITE)):
            for path, needed in table.items():
                status = place.status(method, path, headers)
                assert (status == refused) is (not allowed(role, needed)), (role, method, path, status)
                assert status not in {401, 403} or status == refused


@pytest.mark.parametrize("role", INCLUDES)
def test_a_websocket_is_refused_in_its_handshake(place: Place, role: str) -> None:
    headers = place.roles[role]
    refused = 403 if role != "nobody" else 401
    with known(place, headers):
        for path, good in (("/ws/metrics", 101), ("/ws/metrics?metrics=" + "x" * 5_000, 400)):
            answer = exchange(place.server.port, handshake(place.prefix + path, **headers))
            assert answer.status == (good if allowed(role, "viewer") else refused), (role, path)
        elsewhere = exchange(place.server.port, handshake(place.prefix + "/ws/other", **headers))
        assert elsewhere.status == (404 if role == "admin" else refused)


def test_parameters_are_not_looked_at_before_the_role(place: Place) -> None:
    for path in (
        "/api/metrics/recent?count=x",
        "/api/history?points=x",
        "/api/alerts?state=x",
        "/api/stats?" + "a=1&" * 2_000,
    ):
        assert place.status("GET", path, {}) == 401


def test_a_body_is_not_read_before_the_role(place: Place) -> None:
    unfinished = request("POST", place.prefix + "/api/metrics", Content_Length="1000000")
    assert exchange(place.server.port, unfinished).status in {400, 401}
    begun = f"POST {place.prefix}/api/metrics HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n{{"
    assert exchange(place.server.port, begun.encode()).status == 401


def test_the_error_names_the_role(place: Place) -> None:
    viewer = place.roles["viewer"]
    with known(place, viewer):
        lacks = exchange(place.server.port, request("POST", place.prefix + "/api/marks", **viewer))
        assert b"this needs the role operator, and a viewer is a viewer" in lacks.body
    nobody = exchange(place.server.port, request("POST", place.prefix + "/api/metrics"))
    assert b"this needs the role sender: log in, or send a token" in nobody.body
    assert nobody.headers["www-authenticate"] == 'Bearer realm="Tickboard"'
    assert nobody.headers["cache-control"] == "no-store"


def test_a_bad_token_is_nobodys(place: Place) -> None:
    good = place.accounts.token("viewer")
    with known(place, {"Authorization": f"Bearer {good}"}):
        assert place.status("GET", "/api/board", {"Authorization": f"bearer  {good}"}) == 200
        for bad in (
            f"Bearer {good}x",
            f"Bearer {good[:-1]}",
            f"Basic {good}",
            f"Token {good}",
            good,
            "Bearer",
            "",
            "Bearer " + "x" * 10_000,
            f"Bearer {good}, Bearer {good}",
        ):
            assert place.status("GET", "/api/board", {"Authorization": bad}) == 401, bad[:80]
        # A header that is wrong is not made up for by a cookie that is right.
        admin = place.roles["admin"]
        with known(place, admin):
            assert place.status("GET", "/api/board", {"Authorization": "Bearer x", **admin}) == 401


def test_two_headers_are_nobodys(place: Place) -> None:
    good = place.accounts.token("viewer")
    with known(place, {"Authorization": f"Bearer {good}"}):
        twice = request(
            "GET", place.prefix + "/api/board", Authorization=f"Bearer {good}", authorization=f"Bearer {good}"
        )
        assert exchange(place.server.port, twice).status == 401


def test_tokens_end(place: Place) -> None:
    accounts, token = place.accounts, place.accounts.token("viewer")
    soon = {"Authorization": f"Bearer {token}"}
    with known(place, soon):
        accounts.expire(token)
        place.server.wait_for(lambda: place.status("GET", "/api/board", soon) == 401)
    other_board = {"Authorization": f"Bearer {accounts.token('viewer', board='host')}"}
    this_board = {"Authorization": f"Bearer {accounts.token('viewer', board=BOARD)}"}
    with known(place, this_board):
        assert place.status("GET", "/api/board", other_board) == 401
        accounts.file.change(lambda records: records.without_token(accounts.file.read().tokens[-1].id))
        place.server.wait_for(lambda: place.status("GET", "/api/board", this_board) == 401)


def test_only_a_viewers_token_counts_in_a_cookie(place: Place) -> None:
    name = place.accounts.session("x").partition("=")[0]
    viewer, operator = place.accounts.token("viewer"), place.accounts.token("operator")
    with known(place, {"Cookie": f"{name}={viewer}"}), known(place, {"Authorization": f"Bearer {operator}"}):
        assert place.status("GET", "/api/board", {"Cookie": f"a=b; {name}={viewer}; c"}) == 200
        assert place.status("GET", "/api/board", {"Cookie": f"{name}={operator}"}) == 401
        assert place.status("GET", "/api/board", {"Cookie": f"{name}2={viewer}"}) == 401
        # A cookie that was set by somebody else for a longer path does not log anyone out.
        assert place.status("GET", "/api/board", {"Cookie": f"{name}=x; {name}={viewer}"}) == 200


def test_health_in_brief_is_for_anyone_and_the_rest_for_viewers(place: Place) -> None:
    health = place.prefix + "/api/health"
    place.server.wait_for(lambda: exchange(place.server.port, request(target=health)).body == b'{"status":"degraded"}')
    viewer = place.roles["viewer"]
    with known(place, viewer):
        assert b'"reasons":[' in exchange(place.server.port, request(target=health, **viewer)).body
    # A sender sees no more than anyone.
    sender = place.roles["sender"]
    with known(place, sender):
        assert exchange(place.server.port, request(target=health, **sender)).body == b'{"status":"degraded"}'


def test_details_of_problems_are_for_admins(place: Place) -> None:
    target = place.prefix + "/api/board"
    admin, viewer = place.roles["admin"], place.roles["viewer"]
    with known(place, admin), known(place, viewer):
        shown = [exchange(place.server.port, request(target=target, **headers)).body for headers in (admin, viewer)]
    assert all(b"sampler fail" in each for each in shown)
    assert [b"the text of an exception" in each for each in shown] == [True, False]


@pytest.mark.parametrize(("flags", "status"), [((), 200), (("--auth", "none", "--host", "0.0.0.0"), 200)])
def test_without_a_login_everyone_may_do_everything(flags: tuple[str, ...], status: int, tmp_path: Path) -> None:
    with serve("run", BOARD, *flags, "--access", str(tmp_path / "access.json")) as server:
        for path in READ:
            if path not in {"/", "/events/alerts", "/assets/none.js", "/login"} and READ[path] != "admin":
                got = exchange(server.port, request(target=path)).status
                assert got not in {401, 403}, path
        assert exchange(server.port, request(target="/own")).status == status
        assert exchange(server.port, handshake()).status == 101
        assert ("--auth none" in server.output()) is bool(flags)
    assert not (tmp_path / "access.json").exists()
