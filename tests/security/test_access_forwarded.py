"""A board on loopback is open to this machine, and closed to clients of a proxy, which may be anywhere."""

import json
from functools import partial
from pathlib import Path

import httpx
import pytest
from starlette.types import Message, Receive, Scope, Send
from tests.security.access import INCLUDES, READ, WRITE, Accounts, allowed
from tests.security.raw import exchange, handshake
from tests.security.test_access_routes import BOARD, request
from tests.serving import RawStream, Server, serve, wait_for

from tickboard import Board, serve_in_background
from tickboard.access.authority import Authority
from tickboard.access.file import AccessError, NoAccessFile
from tickboard.access.links import new_link
from tickboard.problems import Problems
from tickboard.server.access import keeper as keeper_module
from tickboard.server.access.keeper import Keeper
from tickboard.server.access.proxy_gate import ProxyGate

FORWARDED = [
    {"X-Forwarded-For": "192.0.2.7"},
    {"X-Forwarded-For": "127.0.0.1"},
    {"X-Forwarded-For": ""},
    {"x-forwarded-proto": "https"},
    {"X-Forwarded-Host": "board.example.com"},
    {"X-Forwarded-Server": "any"},
    {"X-Forwarded-User": "admin"},
    {"Forwarded": "for=192.0.2.7"},
    {"X-Real-IP": "192.0.2.7"},
]


@pytest.fixture
def accounts(tmp_path: Path) -> Accounts:
    return Accounts(tmp_path / "access.json")


def status(server: Server, target: str = "/api/board", method: str = "GET", **headers: str) -> int:
    return exchange(server.port, request(method, target, **headers)).status


def test_only_what_a_proxy_has_passed_on_needs_a_login(accounts: Accounts) -> None:
    with serve("run", BOARD, *accounts.flags) as server:
        for headers in FORWARDED:
            assert status(server, **headers) == 401, headers
            assert status(server, "/api/metrics", "POST", **headers) == 401, headers
            assert status(server, "/metrics", **headers) == 401, headers
            assert exchange(server.port, handshake(**headers)).status == 401, headers
            health = exchange(server.port, request(target="/api/health", **headers))
            assert json.loads(health.body).keys() == {"status"}
        assert status(server) == status(server, Via="1.1 proxy") == 200
        assert exchange(server.port, handshake()).status == 101
        server.wait_for(lambda: "a request came through a proxy" in server.output())
        assert server.output().count("a request came through a proxy") == 1
    assert not accounts.file.path.exists()


def test_behind_a_proxy_every_route_needs_its_role(accounts: Accounts) -> None:
    forwarded = {"X-Forwarded-For": "192.0.2.7"}
    with serve("run", BOARD, *accounts.flags) as server:

        def is_known(headers: dict[str, str]) -> bool:
            return status(server, **headers) != 401

        for role in INCLUDES:
            headers = accounts.headers(role) | forwarded
            refused = 401 if role == "nobody" else 403
            if role != "nobody":
                server.wait_for(partial(is_known, headers))
            for method, table in (("GET", READ), ("POST", WRITE)):
                for path, needed in table.items():
                    got = status(server, path, method, **headers)
                    assert (got == refused) is (not allowed(role, needed)), (role, method, path, got)


def test_a_link_logs_in_on_a_board_that_is_open_to_this_machine(accounts: Accounts) -> None:
    with (
        serve("run", BOARD, *accounts.flags) as server,
        httpx.Client(base_url=server.url, trust_env=False, timeout=30) as browser,
    ):
        link = new_link(accounts.file, None)
        assert "logs you in as" in browser.get(f"login/{link}").text
        answer = browser.post("login", data={"once": link})
        assert (answer.status_code, answer.headers["location"]) == (303, "./")
        assert browser.get("").status_code == browser.get("login").status_code == 200
        assert "a request came through a proxy" not in server.output()
        # Where the proxy is the same host, the login counts there too.
        assert browser.get("api/me", headers={"X-Forwarded-For": "192.0.2.7"}).json()["role"] == "admin"
        assert browser.post("logout").status_code == 303


def test_a_token_that_is_older_than_the_first_request_is_known_to_it(accounts: Accounts) -> None:
    with serve("run", BOARD, *accounts.flags) as server:
        token = {"Authorization": f"Bearer {accounts.token('viewer')}"}
        assert status(server, X_Real_IP="192.0.2.7", **token) == 200


def test_a_revoked_token_closes_the_streams_of_a_proxys_client(accounts: Accounts) -> None:
    with serve("run", BOARD, *accounts.flags) as server:
        headers = {"Authorization": f"Bearer {accounts.token('viewer')}", "X-Forwarded-For": "192.0.2.7"}
        asked = request(target="/events/alerts", **headers).decode("latin-1")
        with RawStream(server.port, asked) as stream:
            stream.socket.settimeout(60)
            assert " 200 " in stream.head
            accounts.file.change(lambda records: records.without_token("a viewer"))
            assert stream.ends()


def test_said_to_be_open_it_is_open(accounts: Accounts) -> None:
    with serve("run", BOARD, "--auth", "none", *accounts.flags) as server:
        for headers in FORWARDED:
            assert status(server, **headers) == 200, headers


def test_an_access_file_that_is_damaged_is_a_problem_once_it_is_needed(accounts: Accounts) -> None:
    accounts.file.path.write_text("junk")
    with serve("run", BOARD, *accounts.flags) as server:
        # The board has a sampler that fails.
        server.wait_for(lambda: server.json("/api/health")["status"] == "degraded")
        assert "access file" not in str(server.json("/api/health"))
        assert status(server, Forwarded="for=192.0.2.7") == 401
        server.wait_for(lambda: "is not an access file" in str(server.json("/api/health")["reasons"]))


def test_a_board_that_a_program_serves_is_closed_to_a_proxys_clients_too(
    accounts: Accounts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TICKBOARD_ACCESS", str(accounts.file.path))
    with serve_in_background(Board(), port=0) as background:

        def status(**headers: str) -> int:
            url = f"http://127.0.0.1:{background.port}/api/board"
            return httpx.get(url, headers=headers, trust_env=False).status_code

        assert status() == 200
        assert status(Forwarded="for=192.0.2.7") == 401
        token = f"Bearer {accounts.token('viewer')}"
        wait_for(lambda: status(Forwarded="for=192.0.2.7", Authorization=token) == 200)


async def test_without_a_place_for_an_access_file_nobody_can_log_in_and_a_problem_says_so() -> None:
    problems = Problems()
    nowhere = NoAccessFile(AccessError("there is no home folder"))
    keeper = Keeper(nowhere, Authority("host"), lambda: problems, at_once=False)
    await keeper._look()
    assert keeper.authority.records.people == ()
    assert "there is no home folder" in problems["access file"].message


async def test_a_disk_that_hangs_refuses_a_proxys_clients(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeper_module, "CHANGE_S", 0.05)
    sent: list[Message] = []

    async def never(scope: Scope, receive: Receive, send: Send) -> None:
        raise AssertionError("it is not asked")

    async def receive() -> Message:
        raise AssertionError("nothing is read")

    async def send(message: Message) -> None:
        sent.append(message)

    problems = Problems()
    unread = Keeper(NoAccessFile(AccessError("x")), Authority("host"), lambda: problems, at_once=False)
    scope: Scope = {"type": "http", "headers": [(b"x-real-ip", b"192.0.2.7")]}
    await ProxyGate(never, never, unread)(scope, receive, send)
    assert sent[0]["status"] == 503
    assert b"its disk does not answer" in sent[1]["body"]
