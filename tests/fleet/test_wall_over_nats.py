"""A real wall follows every host of a real NATS server, and reaches them through it."""

from pathlib import Path

from tests.nats_servers import nats_server
from tests.serving import Server, serve, wait_for

BOARD = """
from tickboard import Board

board = Board("Web")
value = board.gauge("value")

@board.every()
def measure():
    value.set(7)
"""


def states(wall: Server) -> dict[str, str]:
    return {host["name"]: host["state"] for host in wall.json("/api/hosts")["hosts"]}


def test_every_host_that_publishes_is_followed_and_can_be_asked(tmp_path: Path) -> None:
    file = tmp_path / "board.py"
    file.write_text(BOARD)
    with nats_server() as nats, serve("follow", nats.url) as wall:
        publish = ["--nats", nats.url, "--label", "env=prod"]
        with serve("run", str(file), "--name", "web-1", *publish):
            wait_for(lambda: states(wall) == {"web-1": "live"}, wall.output)
            labels = {"host": "web-1", "env": "prod"}
            wait_for(lambda: [7, labels] in values(wall), wall.output)
            assert wall.json("/hosts/web-1/api/board")["title"] == "Web"
            [host] = wall.json("/api/hosts")["hosts"]
            # The kind "nats" is the default, which is left out.
            assert (host.get("kind"), host["address"]) == (None, nats.url)
            nats.kill()
            wait_for(lambda: states(wall) == {"web-1": "gone"}, wall.output)
            [reason] = wall.json("/api/health")["reasons"]
            assert reason["message"].endswith("until it can be reached, its hosts are not followed")
            nats.start()
            wait_for(lambda: states(wall) == {"web-1": "live"}, wall.output)
        # It said goodbye.
        wait_for(lambda: states(wall) == {"web-1": "left"}, wall.output)


def values(wall: Server) -> list[list[object]]:
    recent = wall.json("/api/metrics/recent")
    return [[point["value"], point["labels"]] for point in recent if point["name"] == "value"]
