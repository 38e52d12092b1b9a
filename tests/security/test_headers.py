"""The headers that restrict a board's answers to its own pages: on all of its answers, and on no others."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route
from tests.security.raw import Answer, exchange, handshake, request
from tests.serving import RawStream, Server, serve, serve_app

from tickboard import Board
from tickboard.errors import UsedError
from tickboard.running.mounting import Mounting
from tickboard.server.requests.allowed import Allowed
from tickboard.server.routes.page import STATIC

BOARDS = Path(__file__).parents[1] / "boards"

NOBODY = "frame-ancestors 'none'"


def directives(answer: Answer) -> dict[str, str]:
    found = (part.strip().partition(" ") for part in answer.headers["content-security-policy"].split(";"))
    return {name: value for name, _, value in found}


def is_protected(answer: Answer, frames: str = "'none'") -> bool:
    return (
        directives(answer)["frame-ancestors"] == frames
        and answer.headers["x-content-type-options"] == "nosniff"
        and answer.headers["referrer-policy"] == "no-referrer"
        and answer.headers["cross-origin-resource-policy"] == "same-origin"
    )


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    flags = ("--root-path", "/team/board", "--max-connections", "1")
    with serve("run", str(BOARDS / "alarms.py"), "--interval", "100", *flags) as running:
        yield running


ASSETS = [f"/assets/{path.name}" for path in (STATIC / "assets").iterdir()]

ANSWERS = {
    200: [
        *(request(target=path) for path in ("/", "/team/board/", "/api/stats", "/api/health", "/metrics", *ASSETS)),
        request(target="/api/openapi.json", Accept_Encoding="gzip"),
        request("HEAD", "/"),
        request("HEAD", "/events/alerts"),
        request("POST", "/api/metrics", body=b'{"name": "pushed", "value": 1}'),
    ],
    308: [request(target="/team/board"), request("POST", "/team/board?x=y")],
    307: [request(target="/api/stats/")],
    304: [request(target=path, If_None_Match="*") for path in ("/", "/api/openapi.json", *ASSETS)],
    206: [request(target=ASSETS[0], Range="bytes=0-1")],
    400: [request("POST", "/api/metrics", body=b"{"), request(host=None)],
    403: [request("POST", "/api/metrics", Origin="https://evil.example"), handshake(Origin="https://evil.example")],
    404: [request(target="/nothing"), request(target="/assets/nothing.js"), handshake("/nothing")],
    405: [request("POST", "/api/stats"), request("DELETE", "/"), request("OPTIONS", "/api/metrics")],
    415: [request("POST", "/api/metrics", body=b"{}", Content_Type="image/png")],
    416: [request(target=ASSETS[0], Range="bytes=99999999-")],
    421: [request(host="evil.example"), handshake(host="evil.example")],
    422: [request(target="/api/metrics/recent?count=x")],
    426: [request(target="/ws/metrics"), request("POST", "/ws/metrics")],
}


@pytest.mark.parametrize(
    ("status", "asked"), [(status, asked) for status, asks in ANSWERS.items() for asked in asks], ids=repr
)
def test_every_answer_has_the_protective_headers(server: Server, status: int, asked: bytes) -> None:
    answer = exchange(server.port, asked)
    assert answer.status == status
    assert is_protected(answer)
    assert "server" not in answer.headers


def test_streams_and_refused_connections_have_the_protective_headers(server: Server) -> None:
    with RawStream(server.port) as stream:
        assert NOBODY in stream.head
        for asked in (handshake(), request(target="/events/alerts")):
            answer = exchange(server.port, asked)
            assert answer.status == 503
            assert is_protected(answer)


NO_HANDSHAKES = [
    (414, handshake("/ws/metrics?" + "a" * 9_000)),
    (431, handshake(X_Long="a" * 9_000)),
    (426, handshake(Sec_WebSocket_Version="12")),
    (426, handshake(Sec_WebSocket_Version="8, 13")),
    (400, handshake(Sec_WebSocket_Key="short")),
    (400, handshake(Sec_WebSocket_Protocol=";;")),
    (400, handshake(Connection="Upgrade, ;;")),
    (405, handshake().replace(b"GET", b"POST")),
    (
        426,
        handshake(Upgrade="websocket, h2c").replace(b"Upgrade: websocket, h2c", b"Upgrade: h2c\r\nUpgrade: websocket"),
    ),
]


@pytest.mark.parametrize(
    ("status", "asked"),
    [
        (400, b"nonsense\r\n\r\n"),
        (400, request(host="localhost", target="http://evil.example/")),
        (414, request(target="/" + "a" * 20_000)),
        (431, request(X_Long="a" * 20_000)),
        (400, request("POST", "/api/metrics", Transfer_Encoding="gzip")),
        *NO_HANDSHAKES,
    ],
    ids=lambda value: str(value)[:40],
)
def test_requests_refused_before_the_application_have_the_protective_headers(
    server: Server, status: int, asked: bytes
) -> None:
    answer = exchange(server.port, asked)
    assert answer.status == status
    assert is_protected(answer)


def test_the_policy_of_the_page_and_its_worker_forbids_other_hosts_and_inline_code(server: Server) -> None:
    worker = next(path for path in ASSETS if "worker" in path)
    for path in ("/", worker):
        found = directives(exchange(server.port, request(target=path)))
        assert found["default-src"] == "'self'"
        assert found["base-uri"] == found["form-action"] == found["object-src"] == "'none'"
        assert "unsafe" not in str(found)
        assert "*" not in str(found)


async def boom(request: Request) -> Response:
    raise RuntimeError("boom")


async def own(request: Request) -> Response:
    policy = {"content-security-policy": "default-src 'none'"}
    return HTMLResponse("<p>own</p>", headers=policy)


async def framed(request: Request) -> Response:
    headers = {
        "content-security-policy": "frame-ancestors https://own.example",
        "referrer-policy": "same-origin",
        "cross-origin-resource-policy": "cross-origin",
    }
    return HTMLResponse("<p>own</p>", headers=headers)


async def plain(request: Request) -> Response:
    return HTMLResponse("<script>inline()</script>")


def test_a_mounted_board_adds_the_headers_to_its_own_answers_only() -> None:
    routes = [Route("/boom", boom), Route("/own", own), Route("/framed", framed), Route("/plain", plain)]
    board = Board("Mounted", interval_ms=50, routes=routes, allow_frames=["self", "https://Wiki.example:443"])
    app = FastAPI()
    app.mount("/live", board)
    ancestors = "'self' https://wiki.example"
    with serve_app(app) as port:
        for path, status in {"/": 200, "/api/stats": 200, "/nothing": 404, "/boom": 500, "/plain": 200}.items():
            answer = exchange(port, request(target=f"/live{path}"))
            assert answer.status == status
            assert is_protected(answer, ancestors), path
        # Headers set by the owner's own routes are kept.
        found = directives(exchange(port, request(target="/live/own")))
        assert found == {"default-src": "'none'", "frame-ancestors": ancestors}
        found = directives(exchange(port, request(target="/live/plain")))
        assert found == {"frame-ancestors": ancestors}
        answer = exchange(port, request(target="/live/framed"))
        assert directives(answer) == {"frame-ancestors": "https://own.example"}
        assert answer.headers["referrer-policy"] == "same-origin"
        assert answer.headers["cross-origin-resource-policy"] == "cross-origin"
        for path in ("/docs", "/nothing", "/openapi.json"):
            answer = exchange(port, request(target=path))
            assert not {"content-security-policy", "referrer-policy"} & answer.headers.keys()


def test_a_process_without_the_board_sends_the_protective_headers() -> None:
    def used() -> None:
        raise UsedError("another process has it")

    with serve_app(Mounting(used, Allowed())) as port:  # type: ignore[arg-type]
        for asked in (request(), handshake()):
            answer = exchange(port, asked)
            assert answer.status == 503
            assert "another process has it" in json.loads(answer.body)["error"]
            assert is_protected(answer)


def test_flags_and_the_board_set_which_sites_may_frame_the_page() -> None:
    flags = (
        "--allow-frame",
        "https://a.example:8443",
        "--allow-frame",
        "https://wiki.example",
        "--allow-frame",
        "self",
    )
    with serve("run", str(BOARDS / "allowing.py"), *flags) as running:
        for path in ("/", "/api/stats", "/nothing"):
            answer = exchange(running.port, request(target=path))
            assert is_protected(answer, "https://a.example:8443 https://wiki.example 'self'")
