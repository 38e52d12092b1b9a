"""Hosts over HTTP that cannot be reached, refuse, hang or answer nonsense; the wall's credential; and real boards."""

import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import trustme
from tests.fleet.walls import Host, OverHttp, answers, echoes, wall
from tests.hostile import answering, body
from tests.raw_server import hangs, raw_server, says
from tests.security.access import Accounts
from tests.security.test_access_routes import BOARD
from tests.servers import free_port
from tests.serving import Server, serve, serve_app, wait_for
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from tickboard.fleet import http_passing, viewer_side
from tickboard.fleet.caller import Caller

TOKEN = "tickboard_0123456789012345678901234567890123456789012"


def error_through(url: str, path: str = "/api/board", headers: dict[str, str] | None = None) -> tuple[int, str]:
    """Return the status and the error that a viewer gets for a host."""
    with wall(OverHttp(url, headers or {})) as place:
        answer = httpx.get(f"http://{place}{path}", timeout=30)
    return answer.status_code, answer.json()["error"]


async def refusal_through(url: str) -> tuple[int, str]:
    """Return the status and the error that a viewer's WebSocket gets for a host."""
    with wall(OverHttp(url, {})) as place, pytest.raises(InvalidStatus) as refused:
        await connect(f"ws://{place}/ws/metrics")
    return refused.value.response.status_code, json.loads(refused.value.response.body or b"")["error"]


# --- hosts that cannot be reached ---


async def test_a_host_that_does_not_run_gets_502() -> None:
    url = f"http://user:secret-word@127.0.0.1:{free_port()}"
    for status, why in (error_through(url), await refusal_through(url)):
        assert status == 502
        assert "cannot be reached" in why
        assert "secret-word" not in why


@pytest.mark.parametrize("said", [b"SSH-2.0-OpenSSH_9\r\n", b"\x00" * 1000, b"HTTP/1.1 abc\r\n\r\n", b""])
async def test_a_host_that_speaks_no_http_gets_502(said: bytes) -> None:
    with raw_server(says(said), "") as server:
        for status, why in (error_through(server.url), await refusal_through(server.url)):
            assert (status, "cannot be reached" in why) == (502, True)


async def test_a_host_that_hangs_gets_504(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_passing, "HEAD_S", 0.3)
    with raw_server(hangs(b"HTTP/1.1 200 OK\r\n"), "") as server:
        for status, why in (error_through(server.url), await refusal_through(server.url)):
            assert (status, "does not answer" in why) == (504, True)


def test_an_answer_that_stops_half_way_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_passing, "BODY_S", 0.3)
    begun = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"
    with (
        raw_server(hangs(begun), "") as server,
        wall(OverHttp(server.url, {})) as place,
        pytest.raises(httpx.RemoteProtocolError),
    ):
        httpx.get(f"http://{place}/api/board", timeout=30)


def test_a_viewer_that_leaves_before_the_answer_ends_the_request() -> None:
    asked, left = threading.Event(), threading.Event()

    def waits(connection: socket.socket) -> None:
        asked.set()
        connection.settimeout(30)
        if connection.recv(1) == b"":
            left.set()

    with raw_server(waits, "") as server, wall(OverHttp(server.url, {})) as place:
        address, _, port = place.rpartition(":")
        viewer = socket.create_connection((address, int(port)))
        viewer.sendall(b"GET /api/board HTTP/1.1\r\nHost: x\r\n\r\n")
        assert asked.wait(30)
        viewer.close()
        assert left.wait(30)


def test_a_viewer_that_sends_half_a_body_gets_408_or_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(viewer_side, "REQUEST_S", 0.3)
    host = Host(echoes)
    half = b"POST /api/marks HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf"
    with serve_app(host) as port, wall(OverHttp(f"http://127.0.0.1:{port}", {}), Caller("operator")) as place:
        where = ("127.0.0.1", int(place.rpartition(":")[2]))
        with socket.create_connection(where, 30) as viewer:
            viewer.sendall(half)
            assert viewer.recv(65_536).startswith(b"HTTP/1.1 408 ")
        with socket.create_connection(where, 30) as viewer:
            viewer.sendall(half)
    assert host.scopes == []


# --- the credential ---


@pytest.mark.parametrize("status", ["301 Moved Permanently", "307 Temporary Redirect"])
async def test_no_redirect_is_followed(status: str) -> None:
    asked: list[bytes] = []
    with answering(body(b"secret"), asked) as there:
        moved = body(b"", f"Location: http://127.0.0.1:{there}/api/board", status=status)
        with answering(moved) as here:
            url = f"http://127.0.0.1:{here}"
            for got, why in (error_through(url, headers={"Authorization": "Bearer x"}), await refusal_through(url)):
                assert (got, "redirects" in why) == (502, True)
    assert asked == []


async def test_a_token_that_is_not_valid_is_the_walls_fault_and_not_the_viewers() -> None:
    with answering(body(b'{"error":"no"}', "WWW-Authenticate: Bearer", status="401 Unauthorized")) as port:
        url = f"http://127.0.0.1:{port}"
        for got, why in (error_through(url), await refusal_through(url)):
            assert (got, "give the wall a valid one" in why) == (502, True)


def test_the_token_and_the_path_of_the_board_are_the_walls() -> None:
    host = Host(answers(b"{}"))
    with serve_app(host) as port:
        passing = OverHttp(f"http://127.0.0.1:{port}/live/", {"Authorization": f"Bearer {TOKEN}"})
        with wall(passing) as place:
            httpx.get(f"http://{place}/api/board", headers={"Authorization": "Bearer other"})
    assert host.scopes[0]["path"] == "/live/api/board"
    assert host.headers["authorization"] == f"Bearer {TOKEN}"
    assert host.headers["host"] == f"127.0.0.1:{port}"
    assert host.headers["via"] == "1.1 tickboard-wall"


def test_headers_beyond_ascii_reach_the_host_as_they_are() -> None:
    host = Host(answers(b"{}"))
    with serve_app(host) as port, wall(OverHttp(f"http://127.0.0.1:{port}", {})) as place:
        answer = httpx.get(f"http://{place}/api/board", headers={b"last-event-id": b"\xff\xe9", b"accept": b"\xe9"})
    assert answer.status_code == 200
    assert {(b"last-event-id", b"\xff\xe9"), (b"accept", b"\xe9")} <= set(host.scopes[-1]["headers"])


def test_a_certificate_that_is_not_trusted_gets_502(tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(tmp_path / "cert.pem")
    with serve(
        "run", BOARD, "--tls-cert", str(tmp_path / "cert.pem"), "--tls-key", str(tmp_path / "cert.pem")
    ) as server:
        status, why = error_through(f"https://127.0.0.1:{server.port}")
    assert (status, "certificate" in why.lower()) == (502, True)


# --- real boards ---


class Guarded:
    """A board that needs a login, with credentials that it knows."""

    def __init__(self, server: Server, accounts: Accounts, viewer: str, operator: str) -> None:
        self.url = server.url
        self.viewer, self.operator = ({"Authorization": f"Bearer {token}"} for token in (viewer, operator))
        self.session = accounts.session("root", "admin")


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    accounts = Accounts(tmp_path_factory.mktemp("access") / "access.json")
    tokens = accounts.token("viewer"), accounts.token("operator", name="wall")
    accounts.person("root", "admin")
    with serve("run", BOARD, "--auth", "required", *accounts.flags) as server:
        yield Guarded(server, accounts, *tokens)


def test_a_change_is_signed_by_the_person_and_the_walls_token(host: Guarded) -> None:
    with wall(OverHttp(host.url, host.operator), Caller("operator", "Änna\n")) as place:
        made = httpx.post(f"http://{place}/api/marks", json={"text": "x", "by": "mallory"})
        assert (made.status_code, made.json()["by"]) == (200, "Änna via wall")
    with wall(OverHttp(host.url, host.operator), Caller("operator")) as place:
        assert httpx.post(f"http://{place}/api/marks", json={"text": "y"}).json()["by"] == "wall"


def test_the_wall_may_no_more_than_its_token(host: Guarded) -> None:
    with wall(OverHttp(host.url, host.viewer), Caller("operator", "anna")) as place:
        refused = httpx.post(f"http://{place}/api/marks", json={"text": "x"})
        assert (refused.status_code, "a viewer" in refused.json()["error"]) == (403, True)
        assert httpx.get(f"http://{place}/api/board").status_code == 200


def test_only_a_token_vouches_for_another_person(host: Guarded) -> None:
    session = {"Cookie": host.session, "Tickboard-For": "mallory"}

    def made() -> bool:
        answer = httpx.post(f"{host.url}api/marks", json={"text": "z"}, headers=session)
        return answer.is_success and answer.json()["by"] == "root"

    # The board learns of a session within a second or two.
    wait_for(made)


def test_a_board_without_logins_records_the_person() -> None:
    with serve("run", BOARD) as server, wall(OverHttp(server.url, {}), Caller("operator", "anna")) as place:
        assert httpx.post(f"http://{place}/api/marks", json={"text": "x", "by": "bob"}).json()["by"] == "anna"
        assert httpx.post(f"{server.url}api/marks", json={"text": "y", "by": "bob"}).json()["by"] == "bob"


FAILING = """
from tickboard import Board

board = Board("Failing")
board.gauge("load")


@board.every("100ms")
def fails():
    raise ValueError("secret of the machine")
"""


def test_details_for_the_machine_itself_are_not_for_viewers_of_a_wall(tmp_path: Path) -> None:
    (tmp_path / "failing.py").write_text(FAILING)
    with serve("run", str(tmp_path / "failing.py")) as server, wall(OverHttp(server.url, {})) as place:
        server.wait_for(lambda: "secret of the machine" in httpx.get(f"{server.url}api/board").text)
        passed = httpx.get(f"http://{place}/api/board")
    assert passed.json()["problems"]
    assert "secret" not in passed.text
