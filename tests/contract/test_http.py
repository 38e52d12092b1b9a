"""What HTTP requires of a server: codings, conditions, versions and upgrades, on the real server."""

import gzip
import json
import socket
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from tests.serving import Server, serve, serve_app
from websockets.sync.client import connect

from tickboard import Board
from tickboard.server.routes.documents import qualities

BOARDS = Path(__file__).parents[1] / "boards"

DOCUMENTS = ["/", "/api/board", "/api/stats", "/api/openapi.json", "/api/config-schema.json", "/api/alerts"]
STATIC = ["/", "/api/openapi.json", "/api/config-schema.json"]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serve("run", str(BOARDS / "wide.py"), "--interval", "100", "--auth", "none") as running:
        yield running


def ask(port: int, request: str) -> tuple[int, dict[str, str], bytes]:
    """Send a request verbatim and return the status, the headers and the body of the answer."""
    with socket.create_connection(("127.0.0.1", port), 20) as client:
        client.sendall(request.replace("\n", "\r\n").encode())
        data = b""
        while b"\r\n\r\n" not in data and (part := client.recv(65_536)):
            data += part
        head, _, body = data.partition(b"\r\n\r\n")
        status, *lines = head.decode().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        while len(body) < int(headers.get("content-length", 0)) and (part := client.recv(65_536)):
            body += part
    return int(status.split()[1]), headers, body


# --- codings ---


@pytest.mark.parametrize(
    ("accept", "compressed"),
    [
        ("gzip", True),
        ("gzip, deflate, br", True),
        ("GZIP;Q=0.5", True),
        ("x-gzip", True),
        ("*", True),
        ("gzip;q=0.001", True),
        ("gzip, identity;q=0", True),
        ("gzip;q=1.0, *;q=0", True),
        ("", False),
        ("gzip;q=0", False),
        ("gzip; q = 0.000", False),
        ("br, gzip;q=0", False),
        ("gzip;q=0, *", False),
        ("*;q=0", False),
        ("identity;q=0", False),
        ("identity, gzip;q=0.5", False),
        ("notgzip", False),
        ("gzip;q=nonsense", False),
    ],
)
def test_a_document_is_compressed_if_the_client_accepts_it(server: Server, accept: str, compressed: bool) -> None:
    _, headers, body = ask(
        server.port, f"GET /api/config-schema.json HTTP/1.1\nHost: localhost\nAccept-Encoding: {accept}\n\n"
    )
    assert ("content-encoding" in headers) == compressed
    assert "accept-encoding" in headers["vary"].lower()
    assert json.loads(gzip.decompress(body) if compressed else body)


def test_a_small_document_is_compressed_only_if_nothing_else_is_accepted(server: Server) -> None:
    for accept, compressed in (("gzip", False), ("gzip, identity;q=0", True), ("gzip, *;q=0", True)):
        answer = httpx.get(f"{server.url}api/silences", headers={"Accept-Encoding": accept})
        assert answer.json() == []
        assert ("content-encoding" in answer.headers) == compressed


def test_several_headers_are_read_as_one_list() -> None:
    assert qualities(["br", "gzip;q=0.3"]) == (0.3, 1e-4)
    assert qualities([]) == (0.0, 1e-4)
    assert qualities(["*;q=0.2, gzip"]) == (1.0, 0.2)


# --- conditions ---


def assets(server: Server) -> list[str]:
    page = httpx.get(server.url).text
    return [part.partition('"')[0] for part in page.split('"./')[1:]]


def test_a_cached_static_document_is_not_sent_again(server: Server) -> None:
    paths = STATIC + [f"/{path}" for path in assets(server)]
    assert len(paths) > len(STATIC)
    for path in paths:
        first = httpx.get(f"http://127.0.0.1:{server.port}{path}")
        tag = first.headers["etag"]
        for known in (tag, f"W/{tag}", f'"other", {tag}', "*"):
            for method in ("GET", "HEAD"):
                again = httpx.request(method, first.url, headers={"If-None-Match": known})
                assert (again.status_code, again.content) == (304, b""), (path, known)
                assert again.headers["etag"] == tag
                assert again.headers["cache-control"] == first.headers["cache-control"]
        changed = httpx.get(first.url, headers={"If-None-Match": '"other"'})
        assert (changed.status_code, changed.content) == (200, first.content)


def test_the_page_keeps_its_policy_when_it_is_not_sent_again(server: Server) -> None:
    first = httpx.get(server.url)
    again = httpx.get(server.url, headers={"If-None-Match": first.headers["etag"]})
    assert again.headers["content-security-policy"] == first.headers["content-security-policy"]


def test_the_connection_stays_open_after_a_304(server: Server) -> None:
    with httpx.Client() as client:
        tag = client.get(server.url).headers["etag"]
        for _ in range(3):
            assert client.get(server.url, headers={"If-None-Match": tag}).status_code == 304
            assert client.get(f"{server.url}api/health").json()["status"] == "ok"


# --- versions ---


def test_http_1_0_needs_no_host_on_loopback(server: Server) -> None:
    status, _, body = ask(server.port, "GET /api/health HTTP/1.0\n\n")
    assert (status, json.loads(body)["status"]) == (200, "ok")
    assert ask(server.port, "GET /events/alerts HTTP/1.0\n\n")[0] == 200
    assert ask(server.port, "GET /api/health HTTP/1.0\nHost: evil.example\n\n")[0] == 421


@pytest.mark.parametrize("hosts", ["", "Host: localhost\nHost: localhost\n", "Host: localhost\nHost: evil.example\n"])
def test_http_1_1_requires_exactly_one_host(server: Server, hosts: str) -> None:
    status, _, body = ask(server.port, f"GET /api/health HTTP/1.1\n{hosts}\n")
    assert (status, b"one Host" in body) == (400, True)


def test_head_is_answered_wherever_get_is(server: Server) -> None:
    for path in [*DOCUMENTS, "/metrics", "/api/health", "/api/metrics/recent", "/events/alerts", "/api/silences"]:
        status, headers, body = ask(server.port, f"HEAD {path} HTTP/1.1\nHost: localhost\nConnection: close\n\n")
        assert (status, body) == (200, b""), path
        assert "content-type" in headers


# --- upgrades ---


HANDSHAKE = "Host: localhost\nUpgrade: websocket\nConnection: Upgrade\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\n"


@pytest.mark.parametrize("version", ["5", "8", "14", "013", "8, 13", "x"])
def test_an_unsupported_websocket_version_gets_426_and_the_supported_version(server: Server, version: str) -> None:
    status, headers, body = ask(
        server.port, f"GET /ws/metrics HTTP/1.1\n{HANDSHAKE}Sec-WebSocket-Version: {version}\n\n"
    )
    assert (status, headers["sec-websocket-version"], headers["upgrade"]) == (426, "13", "websocket")
    assert b"version 13" in body


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "OPTIONS", "HEAD"])
def test_a_plain_request_to_the_websocket_gets_426_upgrade_required(server: Server, method: str) -> None:
    app = FastAPI()
    board = Board("Mounted")
    app.mount("/live", board)
    with serve_app(app) as port:
        for url in (f"{server.url}ws/metrics", f"http://127.0.0.1:{port}/live/ws/metrics"):
            answer = httpx.request(method, url)
            assert (answer.status_code, answer.headers["upgrade"]) == (426, "websocket")
            assert answer.headers["sec-websocket-version"] == "13"
            assert answer.headers["connection"].lower() == "upgrade"
            if method != "HEAD":
                assert "docs/deploy.md" in answer.json()["error"]


def test_a_handshake_that_arrives_as_a_plain_request_is_logged_once() -> None:
    with serve("run", str(BOARDS / "empty.py"), "--auth", "none") as running:
        httpx.get(f"{running.url}ws/metrics")
        for _ in range(3):
            httpx.get(f"{running.url}ws/metrics", headers={"Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="})
        running.wait_for(lambda: "proxy_set_header Upgrade $http_upgrade" in running.output())
        for name in ("X-Forwarded-For", "Forwarded", "Via"):
            httpx.get(f"{running.url}ws/metrics", headers={name: "192.0.2.1"})
        running.stop()
    assert running.output().count("a handshake arrived as a plain request") == 1
    assert running.output().count("a plain request arrived through a proxy") == 1


@pytest.mark.parametrize(
    ("host", "origin", "status"),
    [
        ("localhost:443", "https://localhost", 101),
        ("localhost", "https://localhost", 101),
        ("localhost", "https://localhost:8443", 403),
        ("localhost:443", "https://evil.example", 403),
    ],
)
def test_behind_a_proxy_that_terminates_tls_the_origin_may_be_https(
    server: Server, host: str, origin: str, status: int
) -> None:
    handshake = HANDSHAKE.replace("Host: localhost\n", f"Host: {host}\nX-Forwarded-Proto: https\nOrigin: {origin}\n")
    assert ask(server.port, f"GET /ws/metrics HTTP/1.1\n{handshake}Sec-WebSocket-Version: 13\n\n")[0] == status


# --- messages of a viewer ---


def test_a_single_string_subscribes_to_one_metric(server: Server) -> None:
    with connect(server.ws_url, max_size=None) as viewer:
        viewer.send('{"type":"subscribe","metrics":"metric_0"}')
        while (message := json.loads(viewer.recv(10)))["type"] != "subscribed":
            pass
    assert message == {"type": "subscribed", "metrics": ["metric_0"]}
