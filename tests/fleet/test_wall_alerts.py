"""A wall of real processes: each alert event of a host is there once and notified once, and hosts do what it asks."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.fleet.real_walls import Process
from tests.receivers import Webhook, webhook
from tests.serving import wait_for

pytestmark = pytest.mark.slow

BOARDS = Path(__file__).parents[1] / "boards"


class World:
    """Two hosts whose alerts a test begins and ends, and a wall that notifies of them."""

    def __init__(self, folder: Path, hook: Webhook, patch: pytest.MonkeyPatch) -> None:
        self.hook = hook
        self.hosts = {
            name: Process("run", str(BOARDS / "alarms.py"), "--name", name, state=folder / f"{name}.sqlite")
            for name in ("web-1", "web-2")
        }
        patch.setenv("HOSTS", " ".join(host.url for host in self.hosts.values()))
        patch.setenv("HOOK", f"127.0.0.1:{hook.port}")
        patch.setenv("METRIC_INTERVAL_MS", "200")
        self.wall = Process("run", str(BOARDS / "watching.py"), state=folder / "wall.sqlite")
        for process in (*self.hosts.values(), self.wall):
            process.start()
        wait_for(lambda: len(self.live()) == 2)

    def live(self) -> list[str]:
        return [host["name"] for host in self.wall.json("/api/hosts")["hosts"] if host["state"] == "live"]

    def set(self, host: str, load: float) -> None:
        """Begin or end the alert of a host, and return when it has."""
        process = self.hosts[host]
        sample = [{"name": "load", "value": load}]
        assert httpx.post(f"{process.url}/api/metrics", json=sample).status_code == 200
        wait_for(lambda: len(process.json("/api/alerts?state=active")["alerts"]) == (1 if 4 < load <= 8 else 0))

    def alerts(self, **asked: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = httpx.get(f"{self.wall.url}/api/alerts", params=asked).json()["alerts"]
        return [alert for alert in found if alert.get("host")]

    def notified(self, what: str) -> int:
        """Return how many lines of all messages say something."""
        return sum(what in line for body in self.hook.taken for line in body["message"].split("\n"))

    def store_position(self) -> None:
        """Wait until the notifier's position is stored: what a kill takes before that is sent once more."""
        received = len(self.hook.taken)
        wait_for(lambda: sum(each["sent"] for each in self.wall.json("/api/health")["notifiers"].values()) >= received)
        # It is stored after what was to be stored before.
        assert httpx.post(f"{self.wall.url}/api/marks", json={"text": "stored"}).status_code == 200

    def close(self) -> None:
        for process in (self.wall, *self.hosts.values()):
            process.close()


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with webhook() as hook:
        made = World(tmp_path, hook, monkeypatch)
        yield made
        made.close()


def test_each_event_is_notified_once_whoever_is_killed(world: World) -> None:
    world.set("web-1", 5)
    wait_for(lambda: [alert["host"] for alert in world.alerts(state="active")] == ["web-1"])
    wait_for(lambda: world.notified("WARNING web-1: load 5.0"))
    world.store_position()
    world.wall.end()
    world.set("web-1", 1)
    world.set("web-2", 6)
    world.wall.start()
    wait_for(lambda: [alert["host"] for alert in world.alerts(state="active")] == ["web-2"])
    world.hosts["web-2"].end()
    wait_for(lambda: world.notified("CRITICAL web-2 is gone"))
    # Of a host that is gone, the alerts stay as they were.
    assert [alert["host"] for alert in world.alerts(state="active")] == ["web-2"]
    world.hosts["web-2"].start()
    wait_for(lambda: len(world.live()) == 2)
    world.set("web-2", 1)
    wait_for(lambda: not world.alerts(state="active"))
    wait_for(lambda: world.notified("RESOLVED web-2: load 6.0"))
    for host, load in (("web-1", 5), ("web-2", 6)):
        assert [world.notified(f"{word} {host}: load {load}.0") for word in ("WARNING", "RESOLVED")] == [1, 1]
    assert world.notified("CRITICAL web-2 is gone") == 1
    assert len(world.alerts(state="resolved")) == 2


def test_alerts_are_acknowledged_through_the_wall_on_both_hosts_and_the_wall(world: World) -> None:
    world.set("web-1", 5)
    world.set("web-2", 6)
    wait_for(lambda: len(world.alerts(state="active")) == 2)
    ids = [alert["id"] for alert in world.alerts(state="active")]
    answer = httpx.post(f"{world.wall.url}/api/alerts/ack", json={"ids": ids, "note": "both", "by": "Ann"})
    assert (answer.status_code, answer.json()["refused"]) == (200, [])
    wait_for(lambda: all(alert.get("acknowledged") for alert in world.alerts(state="active")))
    for host in world.hosts.values():
        [alert] = host.json("/api/alerts?state=active")["alerts"]
        assert (alert["acknowledged"]["note"], alert["acknowledged"]["by"]) == ("both", "Ann")
    one = httpx.post(f"{world.wall.url}/api/alerts/{ids[0]}/silence", json={"duration": "1h", "reason": "known"})
    assert one.json()["silenced"]["reason"] == "known"
    wait_for(lambda: sum("silenced" in alert for alert in world.alerts(state="active")) == 1)
    assert [alert["host"] for alert in world.alerts(host="web-2")] == ["web-2"]


def test_a_forgotten_host_leaves_no_alert_behind(world: World) -> None:
    world.set("web-1", 5)
    wait_for(lambda: len(world.alerts(state="active")) == 1)
    world.hosts["web-1"].end()
    wait_for(lambda: world.live() == ["web-2"])
    assert httpx.delete(f"{world.wall.url}/api/hosts/web-1").status_code == 204
    wait_for(lambda: not world.alerts(state="active"))
    assert world.alerts()[0]["ended"] == "host forgotten"
    world.hosts["web-1"].start()
    world.set("web-1", 5)
    wait_for(lambda: len(world.alerts(state="active")) == 1)
