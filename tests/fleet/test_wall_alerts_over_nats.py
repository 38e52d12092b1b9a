"""Through NATS, too, alerts are read on and acknowledged where they arose, and the board of a host is live."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.nats_servers import NatsServer, nats_server
from tests.security.access import Accounts
from tests.serving import Server, serve
from websockets.sync.client import connect

pytestmark = pytest.mark.slow

BOARD = str(Path(__file__).parents[1] / "boards" / "alarms.py")


class World:
    """A host on NATS, and a wall where people log in."""

    def __init__(self, nats: NatsServer, host: Server, wall: Server, users: Accounts) -> None:
        self.nats, self.host, self.wall = nats, host, wall
        self.headers = {role: users.headers(role) for role in ("viewer", "operator")}
        wall.wait_for(lambda: all(self.get("/api/me", role).status_code == 200 for role in self.headers))
        wall.wait_for(lambda: self.get("/hosts/web-1/api/board").status_code == 200)

    def get(self, path: str, role: str = "operator") -> httpx.Response:
        return httpx.get(f"http://127.0.0.1:{self.wall.port}{path}", headers=self.headers[role], timeout=30)

    def acknowledge(self, path: str, role: str) -> httpx.Response:
        url = f"http://127.0.0.1:{self.wall.port}{path}/ack"
        return httpx.post(url, headers=self.headers[role], json={"note": "on it"}, timeout=30)

    def load(self, value: float) -> None:
        """Set the value that an alert of the host is about."""
        sample = [{"name": "load", "value": value}]
        assert httpx.post(f"{self.host.url}api/metrics", json=sample).status_code == 200

    def firing(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.get("/api/alerts?state=active&host=web-1").json()["alerts"]
        return found


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setenv("METRIC_INTERVAL_MS", "200")
    users = Accounts(tmp_path / "access.json")
    with nats_server() as nats:
        published = ("--name", "web-1", "--nats", nats.url, "--state", str(tmp_path / "host.sqlite"))
        with (
            serve("run", BOARD, *published) as host,
            serve("follow", nats.url, "--auth", "required", *users.flags) as wall,
        ):
            yield World(nats, host, wall, users)


def test_an_alert_is_acknowledged_through_nats_with_the_name(world: World) -> None:
    world.load(5)
    world.wall.wait_for(world.firing)
    [alert] = world.firing()
    assert (alert["host"], alert["message"]) == ("web-1", "load 5.0")
    id = alert["id"]
    assert world.acknowledge(f"/api/alerts/{id}", "viewer").status_code == 403
    done = world.acknowledge(f"/api/alerts/{id}", "operator")
    assert (done.status_code, done.json()["acknowledged"]["by"]) == (200, "a operator")
    world.wall.wait_for(lambda: "acknowledged" in world.firing()[0])
    theirs = id.removeprefix("web-1:")
    # On the host's own board, as it is shown through the wall.
    assert world.acknowledge(f"/hosts/web-1/api/alerts/{theirs}", "viewer").status_code == 403
    again = httpx.post(
        f"http://127.0.0.1:{world.wall.port}/hosts/web-1/api/alerts/{theirs}/ack",
        headers=world.headers["operator"],
        json={"note": "still on it"},
    )
    assert again.json()["acknowledged"]["note"] == "still on it"
    world.wall.wait_for(lambda: world.firing()[0]["acknowledged"]["note"] == "still on it")


def test_the_board_of_a_host_is_live_through_nats(world: World) -> None:
    roles = {role: world.get("/hosts/web-1/api/me", role).json()["role"] for role in world.headers}
    assert roles == {"viewer": "viewer", "operator": "operator"}
    url = f"ws://127.0.0.1:{world.wall.port}/hosts/web-1/ws/metrics"
    with connect(url, additional_headers=world.headers["viewer"]) as socket:
        assert json.loads(socket.recv(10))["type"] == "initial"
        world.load(3)
        found: list[float] = []
        while 3.0 not in found:
            found += [metric["value"] for metric in json.loads(socket.recv(10)).get("data", [])]


def test_alerts_are_read_on_after_nats_was_away(world: World) -> None:
    world.load(5)
    world.wall.wait_for(world.firing)
    world.nats.kill()
    world.wall.wait_for(lambda: world.get("/api/hosts").json()["hosts"][0]["state"] == "gone")
    refused = world.acknowledge(f"/api/alerts/{world.firing()[0]['id']}", "operator")
    assert refused.status_code in {502, 504}
    world.load(1)
    world.load(9)
    assert [alert["message"] for alert in world.firing()] == ["load 5.0"]
    world.nats.start()
    world.wall.wait_for(
        lambda: {alert["message"] for alert in world.firing()} == {"load 9.0"} or len(world.firing()) > 1
    )
    world.load(1)
    world.wall.wait_for(lambda: not world.firing())
    theirs = {alert["id"] for alert in world.host.json("/api/alerts")["alerts"]}
    ours = [alert["id"] for alert in world.get("/api/alerts?host=web-1").json()["alerts"]]
    assert len(ours) == len(set(ours))
    assert {id.removeprefix("web-1:") for id in ours} == theirs
