"""A real wall shows metrics of its hosts beside their overview, over HTTP and through a real NATS server."""

from pathlib import Path

import pytest
from tests.fleet.test_wall_over_nats import values
from tests.nats_servers import nats_server
from tests.serving import Server, serve, wait_for

BOARD = """
from tickboard import Board

board = Board("Shop")
load = board.gauge("load", overview=True)
orders = board.counter("orders", "Orders taken", labels=("kind",))
secret = board.gauge("not_asked_for")

@board.every()
def measure():
    load.set(1)
    orders.labels(kind="book").add(3)
    orders.labels(kind="toy").add(4)
    secret.set(2)
"""

WALL = """
from tickboard import Board, metric, total

board = Board("Wall")
board.follow("URL", metrics=['orders{kind="b*"}'])
board.alert(total(metric("orders", host="web-*")) > 0, "{value:.0f} orders a second")
"""


def shown(wall: Server) -> set[str]:
    """Return the names of the metrics with values of the host."""
    return {key.partition("{")[0] for key, each in wall.json("/api/stats").items() if each["count"]}


@pytest.mark.parametrize("kind", ["http", "nats"])
def test_a_wall_shows_what_it_asks_for_beside_the_overview(tmp_path: Path, kind: str) -> None:
    host_file, wall_file = tmp_path / "host.py", tmp_path / "wall.py"
    host_file.write_text(BOARD)
    with nats_server() as nats, serve("run", str(host_file), "--name", "web-1", "--nats", nats.url) as host:
        url = nats.url if kind == "nats" else host.url
        wall_file.write_text(WALL.replace("URL", url))
        with serve("run", str(wall_file)) as wall:
            wait_for(lambda: shown(wall) == {"host_up", "load", "orders"}, wall.output)
            [orders] = [key for key in wall.json("/api/stats") if key.startswith("orders{")]
            assert 'kind="book"' in orders
            # A rule of the wall's own uses it.
            wait_for(lambda: [each["rule"] for each in wall.json("/api/alerts?state=active")["alerts"]], wall.output)
            assert not wall.json("/api/health")["reasons"]


@pytest.mark.parametrize("kind", ["http", "nats"])
def test_a_hole_of_such_a_metric_is_filled(tmp_path: Path, kind: str) -> None:
    host_file = tmp_path / "host.py"
    host_file.write_text(BOARD)
    kept = ["--state", str(tmp_path / "host.state"), "--history", str(tmp_path / "host.history")]
    state = ["--state", str(tmp_path / "wall.state"), "--history", str(tmp_path / "wall.history")]
    with (
        nats_server() as nats,
        serve("run", str(host_file), "--name", "web-1", "--nats", nats.url, *kept) as host,
    ):
        follow = ["follow", nats.url if kind == "nats" else host.url, "--metrics", "orders", *state]
        with serve(*follow) as wall:
            wait_for(lambda: "orders" in shown(wall), wall.output)
        missed = host.json("/api/metrics/recent?count=1")
        wait_for(lambda: later(host, missed), host.output)
        back = host.json("/api/metrics/recent?count=1")
        with serve(*follow) as wall:
            wait_for(lambda: later(wall, back) and not open_holes(wall), wall.output)
            asked = f"metrics=orders&from={missed[0]['timestamp']}&to={back[0]['timestamp']}&points=5000"

            def filled() -> bool:
                counts = [
                    sum(sum(each["count"]) for each in board.json(f"/api/history?{asked}")["series"])
                    for board in (host, wall)
                ]
                return counts[0] > 0 and counts[0] == counts[1]

            wait_for(filled, wall.output)
            assert [7, {"host": "web-1"}] not in values(wall)


def later(server: Server, than: list[dict[str, str]]) -> bool:
    """Return whether a board has made a few ticks after others."""
    recent = server.json("/api/metrics/recent?count=100000")
    return len({each["timestamp"] for each in recent if each["timestamp"] > than[0]["timestamp"]}) > 3


def open_holes(wall: Server) -> bool:
    """Return whether a host is not live yet, or has a hole."""
    hosts = wall.json("/api/hosts")["hosts"]
    return not hosts or any(host["state"] != "live" or "filling" in host for host in hosts)
