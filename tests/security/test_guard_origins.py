"""Origin: pages of other sites can neither watch nor write, however a board is served; allowed ones can, by CORS."""

import contextlib
import json
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from starlette.routing import Route
from tests.security.raw import exchange, handshake, request
from tests.servers import program
from tests.serving import Served, Server, serve, serve_app

from tickboard import Board, serve_in_background
from tickboard.settings import Settings

BOARDS = Path(__file__).parents[1] / "boards"

ALLOWED = "https://wiki.example"

APP = f"""
from starlette.applications import Starlette
from starlette.routing import Mount
from tickboard import Board

board = Board("My service", interval_ms=50, allow_hosts=["app.example"], allow_origins=["{ALLOWED}"])
app = Starlette(routes=[Mount("/live", board)])
"""

SERVERS = {
    "uvicorn": ["uvicorn", "--port", "PORT"],
    "uvicorn, websockets' own way": ["uvicorn", "--port", "PORT", "--ws", "websockets"],
    "gunicorn": ["gunicorn", "-k", "uvicorn_worker.UvicornWorker", "-b", "127.0.0.1:PORT"],
    "granian": ["granian", "--interface", "asgi", "--port", "PORT"],
    "hypercorn": ["hypercorn", "-b", "127.0.0.1:PORT"],
}


def writing_routes() -> list[str]:
    """Return the path of every built-in route that accepts methods other than GET and HEAD."""
    board = Board()
    board.prepare(Settings())
    routes = [route for route in board._require_live().app.routes if isinstance(route, Route)]
    writing = [route for route in routes if route.methods is None or not route.methods <= {"GET", "HEAD"}]
    return sorted({re.sub(r"{\w+(:\w+)?}", "x", route.path) for route in writing})


WRITES = writing_routes()


def test_the_routes_that_write_are_found() -> None:
    assert {"/api/metrics", "/v1/metrics", "/api/v1/write", "/api/alerts/x/ack", "/api/alerts/x/silence"} <= set(WRITES)
    assert {"/api/marks", "/api/hosts/x", "/hosts/x/api/alerts/x/ack", "/hosts/x/api/marks"} <= set(WRITES)
    assert not [path for path in WRITES if "{" in path]


FOREIGN = [
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Origin": ""},
    {"Origin": "http://127.0.0.1:1"},
    {"Origin": "http://127.0.0.1"},
    {"Origin": "http://127.0.0.1:0"},
    {"Origin": "http://127.0.0.1:PORT.evil.example"},
    {"Origin": "http://127.0.0.1:PORT@evil.example"},
    {"Origin": "http://evil.example@127.0.0.1:PORT"},
    {"Origin": "http://evil.example http://127.0.0.1:PORT"},
    {"Origin": "http://127.0.0.1:PORT, http://evil.example"},
    {"Origin": "http://127.0.0.1:PORT/"},
    {"Origin": "//127.0.0.1:PORT"},
    {"Origin": "127.0.0.1:PORT"},
    {"Origin": "file://127.0.0.1:PORT"},
    {"Origin": "file://"},
    {"Origin": "chrome-extension://127.0.0.1:PORT"},
    # Another name of the same server is also another site for the browser.
    {"Origin": "http://localhost:PORT"},
    {"Origin": "https://wiki.example.evil.example"},
    {"Origin": "http://wiki.example"},
    {"Origin": "https://wiki.example:8443"},
    {"Origin": "https://evil.example", "X-Forwarded-Host": "evil.example", "Forwarded": "host=evil.example"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
]

OWN: list[dict[str, str]] = [
    {},
    {"Origin": "http://127.0.0.1:PORT"},
    {"Origin": "HTTP://127.0.0.1.:PORT"},
    {"Origin": "http://127.0.0.1:PORT", "Sec-Fetch-Site": "same-origin"},
    {"Sec-Fetch-Site": "none"},
    {"Origin": ALLOWED, "Sec-Fetch-Site": "cross-site"},
    {"Origin": "https://WIKI.example:443"},
]


def headers_of(given: dict[str, str], port: int) -> dict[str, Any]:
    return {name.replace("-", "_"): value.replace("PORT", str(port)) for name, value in given.items()}


# --- every way to serve a board ---


@contextlib.contextmanager
def run() -> Iterator[int]:
    with serve("run", str(BOARDS / "alarms.py"), "--interval", "100", "--allow-origin", ALLOWED) as running:
        yield running.port


@contextlib.contextmanager
def run_with_an_allowing_board() -> Iterator[int]:
    with serve("run", str(BOARDS / "allowing.py"), "--interval", "100") as running:
        yield running.port


@contextlib.contextmanager
def dev() -> Iterator[int]:
    with serve("dev", str(BOARDS / "allowing.py"), "--interval", "100") as running:
        yield running.port


@contextlib.contextmanager
def a_wall() -> Iterator[int]:
    """Run a wall that can reach a host with the name that the paths have."""
    with (
        serve("run", str(BOARDS / "alarms.py"), "--interval", "100", "--name", "x") as host,
        serve("follow", host.url, "--allow-origin", ALLOWED) as wall,
    ):
        wall.wait_for(lambda: httpx.get(f"{wall.url}hosts/x/api/board").is_success)
        yield wall.port


@contextlib.contextmanager
def in_background() -> Iterator[int]:
    with serve_in_background(Board("A", interval_ms=50, allow_origins=[ALLOWED]), port=0) as running:
        yield running.port


@contextlib.contextmanager
def the_application() -> Iterator[int]:
    with serve_app(Board("A", interval_ms=50, allow_origins=[ALLOWED])) as port:
        yield port


WAYS: dict[str, Callable[[], AbstractContextManager[int]]] = {
    "tickboard run": run,
    "tickboard run, and the board allows": run_with_an_allowing_board,
    "tickboard dev": dev,
    "tickboard follow": a_wall,
    "serve_in_background": in_background,
    "the application of uvicorn": the_application,
}


@pytest.fixture(scope="module", params=list(WAYS))
def port(request: pytest.FixtureRequest) -> Iterator[int]:
    with WAYS[request.param]() as port:
        yield port


def assert_only_allowed_pages_can_write(port: int, prefix: str = "", denial: bool = True) -> None:
    """Assert that pages of other sites can neither watch nor write, and that all others can."""
    here = f"127.0.0.1:{port}"
    for given in FOREIGN:
        headers = headers_of(given, port)
        for path in WRITES:
            for method in ("POST", "PUT", "DELETE", "PROPFIND"):
                answer = exchange(port, request(method, prefix + path, here, b"{}", **headers))
                assert answer.status == 403, (method, path, given)
        answer = exchange(port, handshake(f"{prefix}/ws/metrics", here, **headers))
        assert answer.status == 403, given
        if denial:
            assert "may not watch" in json.loads(answer.body)["error"]
    twice = request("POST", f"{prefix}/api/metrics", here, b"{}", Origin=f"http://{here}")
    twice = twice.replace(b"Origin:", b"Origin: https://evil.example\r\nOrigin:", 1)
    assert exchange(port, twice).status == 403
    twice = twice.replace(b"Origin: https://evil.example\r\n", b"").replace(
        b"\r\nContent-", b"\r\nOrigin: null\r\nContent-"
    )
    assert twice.count(b"Origin") == 2
    assert exchange(port, twice).status == 403
    for given in OWN:
        headers = headers_of(given, port)
        answer = exchange(
            port, request("POST", f"{prefix}/api/metrics", here, b'{"name": "pushed", "value": 1}', **headers)
        )
        assert answer.status == 200, given
        assert exchange(port, handshake(f"{prefix}/ws/metrics", here, **headers)).status == 101, given


def test_only_the_boards_own_and_allowed_pages_can_watch_and_write(port: int) -> None:
    assert_only_allowed_pages_can_write(port)


@pytest.mark.parametrize("server", SERVERS)
def test_a_mounted_board_is_guarded_under_every_server(server: str, tmp_path: Path) -> None:
    (tmp_path / "dash.py").write_text(APP)
    with program([*SERVERS[server], "dash:app"], tmp_path) as running:
        running.wait_for("/live/api/health")
        assert_only_allowed_pages_can_write(running.port, "/live", denial=server != "granian")
        # And the Host of a DNS rebinding attack.
        for path in ("/live/api/stats", "/live/"):
            assert exchange(running.port, request(target=path, host="evil.example")).status == 421
            assert exchange(running.port, request(target=path, host="app.example")).status == 200
        rebound: dict[str, Any] = {"Origin": "http://evil.example"}
        assert exchange(running.port, handshake("/live/ws/metrics", "evil.example", **rebound)).status in {421, 403}
        assert exchange(running.port, handshake("/live/ws/metrics", "app.example")).status == 101


@pytest.mark.parametrize(
    ("server", "bind"),
    [
        ("uvicorn", ["--host", "0.0.0.0"]),
        ("hypercorn", ["-b", "0.0.0.0:PORT"]),
        ("granian", ["--host", "0.0.0.0"]),
    ],
)
def test_a_mounted_board_bound_to_all_addresses_answers_to_any_host(
    server: str, bind: list[str], tmp_path: Path
) -> None:
    (tmp_path / "dash.py").write_text(APP)
    command = [part for part in SERVERS[server] if part not in {"-b", "127.0.0.1:PORT"}]
    with program([*command, *bind, "dash:app"], tmp_path) as running:
        running.wait_for("/live/api/health")
        assert exchange(running.port, request(target="/live/api/stats", host="any.example")).status == 200
        foreign: dict[str, Any] = {"Origin": "http://evil.example"}
        assert exchange(running.port, handshake("/live/ws/metrics", "any.example", **foreign)).status == 403


def test_the_guard_does_not_apply_to_the_application_around_a_board() -> None:
    board = Board("Mounted", interval_ms=50)
    app = FastAPI()

    @app.post("/hello")
    def hello() -> str:
        return "hello"

    app.mount("/live", board)
    with serve_app(app) as port:
        answer = exchange(port, request("POST", "/hello", "evil.example", Origin="https://evil.example"))
        assert answer.status == 200
        assert not {"content-security-policy", "x-content-type-options", "referrer-policy"} & answer.headers.keys()


def test_a_refusal_says_what_to_change() -> None:
    foreign: dict[str, Any] = {"Origin": "https://board.example"}
    with serve("run", str(BOARDS / "empty.py")) as running:
        for asked in (handshake(**foreign), request("POST", "/api/metrics", **foreign)):
            error = json.loads(exchange(running.port, asked).body)["error"]
            assert "proxy_set_header Host $http_host;" in error
            assert "--allow-origin https://board.example allows that site" in error
    with serve_app(Board("A")) as port:
        error = json.loads(exchange(port, request("POST", "/api/metrics", **foreign)).body)["error"]
        assert "Board(allow_origins=['https://board.example']) allows that site" in error
        error = json.loads(exchange(port, request(host="board.example")).body)["error"]
        assert error.endswith("if that is its name, declare Board(allow_hosts=['board.example'])")


def test_an_origin_in_a_logged_refusal_is_escaped() -> None:
    with serve("run", str(BOARDS / "empty.py")) as running:
        for origin in (b"http://a\x9b31m.example", b"http://a\xc2\x9b31m", b"\x80\x85\x9d", b"http://\xe2\x80\xa8x"):
            asked = request("POST", "/api/metrics").replace(b"\r\n\r\n", b"\r\nOrigin: " + origin + b"\r\n\r\n")
            assert exchange(running.port, asked).status in {400, 403}
        running.stop()
        assert all(line.rstrip("\n").isprintable() for line in running.lines)
        assert "refused with 403" in running.output()


# --- reading ---


def test_get_requests_change_nothing() -> None:
    served = Served(Board("A", interval_ms=50))
    with serve_app(served) as port:
        exchange(port, request(target="/api/health"))
        served.fire()
        override: dict[str, Any] = {
            "X_HTTP_Method_Override": "POST",
            "X_HTTP_Method": "POST",
            "X_Method_Override": "POST",
        }
        for path in [*WRITES, "/api/alerts/id1/ack", "/api/alerts/id1/silence"]:
            for method in ("GET", "HEAD", "OPTIONS"):
                target = f"{path}?_method=POST&duration=1h&reason=x&a=1&text=x"
                asked = request(method, target, f"127.0.0.1:{port}", **override, Origin="https://evil.example")
                reads = path == "/api/marks" and method != "OPTIONS"
                # It has no hosts whose boards it could show.
                refused = {404} if path.startswith("/hosts/") else {405, 426}
                assert exchange(port, asked).status in ({200} if reads else refused), (method, path)
        [alert] = json.loads(exchange(port, request(target="/api/alerts")).body)["alerts"]
        assert "acknowledged" not in alert
        assert json.loads(exchange(port, request(target="/api/silences")).body) == []
        assert json.loads(exchange(port, request(target="/api/marks")).body) == []
        assert served.board.registry.metrics == {}


def cors(headers: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name.startswith("access-control") or name == "vary"}


PREFLIGHT: dict[str, Any] = {"Access_Control_Request_Method": "POST", "Access_Control_Request_Headers": "content-type"}


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://localhost", "*", ""])
def test_without_permission_there_is_no_cors(origin: str) -> None:
    with serve_app(Board("A", interval_ms=50)) as port:
        for asked in (
            request(Origin=origin),
            request(target="/", Origin=origin),
            request(target="/events/alerts", Origin=origin),
            request(target="/metrics", Origin=origin),
            request(target="/nothing", Origin=origin),
            request("POST", "/api/metrics", Origin=origin),
            request("OPTIONS", "/api/metrics", Origin=origin, **PREFLIGHT),
            request("OPTIONS", "/api/metrics", Origin=origin, Access_Control_Request_Private_Network="true"),
            handshake(Origin=origin),
        ):
            answer = exchange(port, asked)
            assert not [name for name in answer.headers if name.startswith("access-control")]
            assert answer.status != 204


def test_only_an_allowed_site_can_read_and_write(port: int) -> None:
    for target in (
        "/api/stats",
        "/nothing",
        "/api/metrics/recent?count=x",
        "/events/alerts",
        "/api/config-schema.json",
    ):
        answer = exchange(port, request(target=target, Origin=ALLOWED))
        assert answer.headers["access-control-allow-origin"] == ALLOWED, target
        assert "Origin" in answer.headers["vary"]
        assert "access-control-allow-credentials" not in answer.headers
        others: list[dict[str, Any]] = [{"Origin": "https://evil.example"}, {"Origin": "null"}, {}]
        for other in others:
            answer = exchange(port, request(target=target, **other))
            assert "access-control-allow-origin" not in answer.headers
            # A cache in between must not serve one answer for the other.
            assert "Origin" in answer.headers["vary"]
    taken = exchange(port, request("POST", "/api/metrics", body=b'{"name": "pushed", "value": 2}', Origin=ALLOWED))
    assert (taken.status, taken.headers["access-control-allow-origin"]) == (200, ALLOWED)
    answer = exchange(port, request("OPTIONS", "/api/metrics", Origin=ALLOWED, **PREFLIGHT))
    assert answer.status == 204
    assert cors(answer.headers) == {
        "access-control-allow-origin": ALLOWED,
        "access-control-allow-methods": "GET, HEAD, POST",
        "access-control-allow-headers": "*",
        "access-control-max-age": "600",
        "vary": "Origin",
    }
    for origin in ("https://evil.example", "null", "https://wiki.example.evil.example"):
        answer = exchange(port, request("OPTIONS", "/api/metrics", Origin=origin, **PREFLIGHT))
        assert answer.status == 405
        assert list(cors(answer.headers)) == ["vary"]
    # An OPTIONS request that is not a preflight, or from another origin, is not granted.
    assert exchange(port, request("OPTIONS", "/api/metrics", Origin=ALLOWED)).status == 405
    assert exchange(port, request("OPTIONS", "/api/metrics", "evil.example", Origin=ALLOWED, **PREFLIGHT)).status == 421
    twice = request(Origin=ALLOWED).replace(b"\r\n\r\n", b"\r\nOrigin: https://evil.example\r\n\r\n")
    assert "access-control-allow-origin" not in exchange(port, twice).headers


def test_a_reload_changes_the_allowed_origins(tmp_path: Path) -> None:
    file = tmp_path / "dash.py"
    text = "from tickboard import Board\nboard = Board('A'{})\n"
    file.write_text(text.format(""))

    def is_allowed(running: Server) -> bool:
        answer = exchange(running.port, request(Origin=ALLOWED))
        return "access-control-allow-origin" in answer.headers

    with serve("dev", str(file), "--interval", "100") as running:
        assert not is_allowed(running)
        file.write_text(text.format(f", allow_origins=['{ALLOWED}']"))
        running.wait_for(lambda: is_allowed(running))
        file.write_text(text.format(""))
        running.wait_for(lambda: not is_allowed(running))


def test_a_single_string_is_a_list_of_one() -> None:
    one = Board(allow_hosts="a.example", allow_origins=ALLOWED, allow_frames=ALLOWED)
    assert one.allowed == Board(allow_hosts=["a.example"], allow_origins=[ALLOWED], allow_frames=[ALLOWED]).allowed
