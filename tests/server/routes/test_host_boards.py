"""The board of a host is whole and live at the wall's address, for those who may see it, and nothing else of it is."""

import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.types import Receive, Scope, Send
from tests.fleet.alert_hosts import BoardLink
from tests.security.access import Accounts
from tests.serving import RawStream, Server, serve
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from tickboard.fleet.caller import Caller
from tickboard.server.routes import host_boards, page

BOARDS = Path(__file__).parents[2] / "boards"
PREFIX = "/team/wall"


class World:
    """A host where people log in, a wall that may act on it, one that may only look, and their users."""

    def __init__(self, folder: Path, host: Server, accounts: Accounts, wall: Server, users: Accounts) -> None:
        self.folder, self.host, self.accounts, self.wall, self.users = folder, host, accounts, wall, users
        self.headers = {role: users.headers(role) for role in ("viewer", "operator", "admin", "sender", "nobody")}
        self.url = f"http://127.0.0.1:{wall.port}{PREFIX}/"
        wall.wait_for(
            lambda: all(self.get("api/me", role).status_code == 200 for role in ("viewer", "operator", "admin"))
        )
        wall.wait_for(lambda: self.get("api/me", "sender").status_code == 403)
        wall.wait_for(lambda: self.get("hosts/web-1/api/stats").status_code == 200)

    def get(self, path: str, role: str = "operator", **more: Any) -> httpx.Response:
        return httpx.get(self.url + path, headers=self.headers[role], timeout=30, **more)

    def post(self, path: str, content: dict[str, Any], role: str = "operator") -> httpx.Response:
        return httpx.post(self.url + path, headers=self.headers[role], json=content, timeout=30)

    def fire(self, load: float) -> str:
        """Fire an alert on the host; return its id once it is there."""
        sender = {"Authorization": f"Bearer {self.accounts.token('sender', 'load')}"}
        sample = [{"name": "load", "value": load}]
        url = f"{self.host.url}api/metrics"
        self.host.wait_for(lambda: httpx.post(url, headers=sender, json=sample).status_code == 200)
        self.host.wait_for(lambda: bool(self.firing()) == (load > 4))
        return self.firing()[0] if load > 4 else ""

    def firing(self) -> list[str]:
        return [alert["id"] for alert in self.get("hosts/web-1/api/alerts?state=active").json()["alerts"]]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("hosts")
    accounts, users = Accounts(folder / "host.json"), Accounts(folder / "wall.json")
    operator, viewer = accounts.token("operator", name="the wall"), accounts.token("viewer")
    with serve("run", str(BOARDS / "alarms.py"), "--auth", "required", *accounts.flags) as host:
        hosts = [
            ("web-1", host.url, operator),
            ("web-2", host.url, viewer),
            ("away", "http://127.0.0.1:9/", ""),
            ("lost", "", ""),
        ]
        flags = ("--auth", "required", "--root-path", PREFIX, *users.flags)
        with serve("run", str(BOARDS / "passing.py"), *flags, env={"HOSTS": json.dumps(hosts)}) as wall:
            yield World(folder, host, accounts, wall, users)


# --- what is there ---


def test_the_documents_are_those_of_the_host(world: World) -> None:
    assert world.get("hosts/web-1/api/board").json()["title"] == "Alarms"
    assert world.get("api/board").json()["title"] == "Wall"
    assert world.get("hosts/web-1/api/metrics/recent?count=x").status_code == 422
    assert (
        world.get("hosts/web-1/api/history?points=2", "viewer")
        .json()["error"]
        .startswith("this board keeps no history")
    )


def test_the_page_is_the_walls_own_with_its_assets(world: World) -> None:
    answer = world.get("hosts/web-1/", "viewer")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "default-src 'self'" in answer.headers["content-security-policy"]
    own = world.get("", "viewer").text
    assert answer.text == own.replace('"./', '"../../')
    assert 'src="../../assets/' in answer.text
    assert world.get("hosts/web-1/assets/index.js", "viewer").status_code == 403


def test_a_missing_slash_is_added(world: World) -> None:
    answer = world.get("hosts/web-1", "viewer")
    assert (answer.status_code, answer.headers["location"]) == (308, "./web-1/")


def test_a_checkout_without_the_page_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import asyncio

    monkeypatch.setattr(page, "STATIC", tmp_path)
    assert asyncio.run(page.page_below(2)).status_code == 503


def test_ticks_are_live(world: World) -> None:
    with connect(f"ws{world.url[4:]}hosts/web-1/ws/metrics", additional_headers=world.headers["viewer"]) as socket:
        assert json.loads(socket.recv(10))["type"] == "initial"
        socket.send('{"type":"ping"}')
        found = {json.loads(socket.recv(10))["type"] for _ in range(3)}
        assert found >= {"metrics"}
        while "pong" not in found:
            found.add(json.loads(socket.recv(10))["type"])
    with pytest.raises(InvalidStatus) as refused:
        connect(f"ws{world.url[4:]}hosts/web-1/ws/metrics")
    assert refused.value.response.status_code == 401
    answer = world.post("hosts/web-1/ws/metrics", {}, "viewer")
    assert answer.status_code == 426


def test_alerts_are_streamed(world: World) -> None:
    with alert_stream(world, "viewer") as stream:
        id = world.fire(9)
        found: list[str] = []
        while id not in found:
            with suppress(KeyError):
                found.append(json.loads(stream.event()["data"]).get("id"))
    world.fire(1)


def alert_stream(world: World, role: str, host: str = "web-1") -> RawStream:
    lines = "".join(f"{name}: {value}\r\n" for name, value in world.headers[role].items())
    path = f"{PREFIX}/hosts/{host}/events/alerts"
    return RawStream(world.wall.port, f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{lines}\r\n")


# --- who may do what ---


def test_what_an_operator_does_is_signed_with_the_name(world: World) -> None:
    id = world.fire(9)
    refused = world.post(f"hosts/web-1/api/alerts/{id}/ack", {"note": "mine"}, "viewer")
    assert (refused.status_code, "needs the role operator" in refused.json()["error"]) == (403, True)
    done = world.post(f"hosts/web-1/api/alerts/{id}/ack", {"note": "on it", "by": "somebody else"})
    assert done.json()["acknowledged"]["by"] == "a operator via the wall"
    # The wall may only look at this one.
    assert world.post(f"hosts/web-2/api/alerts/{id}/ack", {"note": "mine"}).status_code == 403
    marked = world.post("hosts/web-1/api/marks", {"text": "deployed"}, "admin")
    assert marked.json()["by"] == "root via the wall"
    assert world.post("api/alerts/ack", {"ids": [id]}).status_code == 404
    world.fire(1)


def test_a_viewer_is_told_what_the_viewer_may_do_there(world: World) -> None:
    def me(host: str, role: str) -> tuple[str, str, bool]:
        found = world.get(f"hosts/{host}/api/me", role).json()
        return found["name"], found["role"], "logout" in found

    assert me("web-1", "viewer") == ("a viewer", "viewer", False)
    assert me("web-1", "operator") == ("a operator", "operator", False)
    assert me("web-1", "admin") == ("root", "operator", False)
    assert me("web-2", "admin") == ("root", "viewer", False)
    assert me("away", "operator") == ("a operator", "operator", False)


@pytest.mark.parametrize(
    "path",
    [
        "login",
        "login/abc",
        "logout",
        "api/audit",
        "api/metrics",
        "v1/metrics",
        "api/v1/write",
        "own",
        "assets/x.js",
        "hosts/web-2/api/board",
        "assets/../api/audit",
        "%2e%2e/web-2/api/audit",
    ],
)
@pytest.mark.parametrize("role", ["viewer", "operator", "sender", "admin", "nobody"])
def test_nothing_else_is_there(world: World, path: str, role: str) -> None:
    request = f"GET {PREFIX}/hosts/web-1/{path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"
    lines = "".join(f"{name}: {value}\r\n" for name, value in world.headers[role].items())
    with RawStream(world.wall.port, f"{request}{lines}\r\n") as answer:
        status = int(answer.head.split()[1])
    assert status == (404 if role == "admin" else 401 if role == "nobody" else 403)


def test_another_site_may_neither_watch_nor_write(world: World) -> None:
    foreign = {**world.headers["operator"], "Origin": "https://evil.example"}
    assert httpx.post(f"{world.url}hosts/web-1/api/marks", headers=foreign, json={"text": "x"}).status_code == 403
    with pytest.raises(InvalidStatus) as refused:
        connect(f"ws{world.url[4:]}hosts/web-1/ws/metrics", additional_headers=foreign)
    assert refused.value.response.status_code == 403


def test_open_streams_end_when_the_viewer_is_logged_out(world: World) -> None:
    token = world.users.token("viewer")
    world.headers["leaving"] = {"Authorization": f"Bearer {token}"}
    world.wall.wait_for(lambda: world.get("api/me", "leaving").status_code == 200)
    url = f"ws{world.url[4:]}hosts/web-1/ws/metrics"
    with connect(url, additional_headers=world.headers["leaving"]) as socket, alert_stream(world, "leaving") as stream:
        assert json.loads(socket.recv(10))["type"] == "initial"
        assert "200" in stream.head
        world.users.expire(token)
        assert close_code(socket) == 4401
        assert stream.ends()
        assert stream.whole


def close_code(socket: ClientConnection) -> int | None:
    """Read until a WebSocket is closed, and return the code."""
    try:
        while True:
            socket.recv(30)
    except ConnectionClosed as error:
        return None if error.rcvd is None else error.rcvd.code


# --- hosts that are not there ---


def test_an_unknown_host_is_not_found(world: World) -> None:
    for path in ("", "/", "/api/board", "/api/me"):
        answer = world.get(f"hosts/web-9{path}")
        assert (answer.status_code, answer.json()["error"][:18]) == (404, "no host 'web-9' is")
    with pytest.raises(InvalidStatus) as refused:
        connect(f"ws{world.url[4:]}hosts/web-9/ws/metrics", additional_headers=world.headers["viewer"])
    assert refused.value.response.status_code == 404


def test_a_host_that_is_away_says_so(world: World) -> None:
    assert world.get("hosts/away/").status_code == 200
    answer = world.get("hosts/away/api/board")
    assert (answer.status_code, "cannot be reached" in answer.json()["error"]) == (502, True)
    with pytest.raises(InvalidStatus) as refused:
        connect(f"ws{world.url[4:]}hosts/away/ws/metrics", additional_headers=world.headers["viewer"])
    assert refused.value.response.status_code == 502
    with alert_stream(world, "viewer", "away") as stream:
        assert "502" in stream.head


def test_a_host_without_a_link_says_where_to_look(world: World) -> None:
    assert world.get("hosts/lost/").status_code == 200
    for path in ("api/board", "api/me"):
        answer = world.get(f"hosts/lost/{path}")
        assert (answer.status_code, answer.json()["error"]) == (
            502,
            "lost cannot be reached now: GET /api/hosts says why",
        )


def test_a_host_that_is_lost_ends_what_is_open(tmp_path: Path) -> None:
    with serve("run", str(BOARDS / "alarms.py")) as host:
        hosts = json.dumps([("web-1", host.url, "")])
        with serve("run", str(BOARDS / "passing.py"), env={"HOSTS": hosts}) as wall:
            url = f"ws://127.0.0.1:{wall.port}/hosts/web-1/ws/metrics"
            with connect(url) as socket, RawStream(wall.port, path="/hosts/web-1/events/alerts") as stream:
                assert json.loads(socket.recv(10))["type"] == "initial"
                assert stream.event()["event"] == "position"
                host.process.kill()
                assert close_code(socket) == 1014
                assert stream.ends()
            # On loopback, nobody is asked to log in.
            assert httpx.get(f"{wall.url}hosts/web-1/api/me").json() == {"name": "", "role": "operator"}
            assert "Traceback" not in wall.output()


@pytest.mark.parametrize("body", [None, b"nonsense", b'{"name":"","role":"king"}'])
async def test_of_a_host_that_does_not_say_what_the_wall_may_do_an_operator_is_assumed(body: bytes | None) -> None:
    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        if body is not None:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": body})

    assert await host_boards._role_on(BoardLink(serve), Caller("operator")) == "operator"
