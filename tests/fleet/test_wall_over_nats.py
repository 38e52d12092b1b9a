"""A real wall follows every host of a real NATS server, and reaches them through it."""

import signal
from pathlib import Path

import httpx
import pytest
import trustme
from tests.docs.blocks import ROOT, blocks_of
from tests.nats_servers import nats_server
from tests.serving import Server, serve, wait_for

PUBLISHING = ROOT / "docs" / "publishing.md"

BOARD = """
from tickboard import Board

board = Board("Web")
value = board.gauge("value")

@board.every()
def measure():
    value.set(7)
"""


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("METRIC_INTERVAL_MS", "200")


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


def test_two_hosts_of_one_name_are_told(tmp_path: Path) -> None:
    file = tmp_path / "board.py"
    file.write_text(BOARD)
    arguments = ("run", str(file), "--name", "web-1", "--nats")
    with nats_server() as nats, serve("follow", nats.url) as wall, serve(*arguments, nats.url):
        wait_for(lambda: states(wall) == {"web-1": "live"}, wall.output)
        with serve(*arguments, nats.url):
            wait_for(lambda: "wants to publish under its name" in problem(wall), wall.output)
        wait_for(lambda: problem(wall) == "", wall.output)
        assert states(wall) == {"web-1": "live"}


def test_a_host_that_was_forgotten_while_it_was_gone_comes_back(tmp_path: Path) -> None:
    file = tmp_path / "board.py"
    file.write_text(BOARD)
    with (
        nats_server() as nats,
        serve("follow", nats.url) as wall,
        serve("run", str(file), "--name", "web-1", "--nats", nats.url) as host,
    ):
        wait_for(lambda: states(wall) == {"web-1": "live"}, wall.output)
        host.process.send_signal(signal.SIGSTOP)
        try:
            wait_for(lambda: states(wall) == {"web-1": "gone"}, wall.output)
            httpx.delete(f"{wall.url}api/hosts/web-1").raise_for_status()
            assert states(wall) == {}
        finally:
            host.process.send_signal(signal.SIGCONT)
        wait_for(lambda: states(wall) == {"web-1": "live"}, wall.output)


@pytest.mark.parametrize("user", ["wall", "display"])
def test_a_wall_has_all_that_it_needs_with_the_documented_permissions(user: str, tmp_path: Path) -> None:
    file = tmp_path / "board.py"
    file.write_text(BOARD)
    env = dict.fromkeys(("WEB_1_PASSWORD", "WALL_PASSWORD", "DISPLAY_PASSWORD"), "pass-word")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in env.items():
            patch.setenv(name, value)
        [config] = [block.code for block in blocks_of(PUBLISHING) if "user: display" in block.code]
        with (
            nats_server(config) as nats,
            serve("run", str(file), "--name", "web-1", "--nats", nats.with_login("web-1:${WEB_1_PASSWORD}")) as host,
            serve("follow", nats.with_login(user + ":${" + user.upper() + "_PASSWORD}")) as wall,
        ):
            wait_for(lambda: states(wall) == {"web-1": "live"}, wall.output)
            wait_for(lambda: [7, {"host": "web-1"}] in values(wall), wall.output)
            assert wall.json("/hosts/web-1/api/board")["title"] == "Web"
            role = {"wall": "operator", "display": "viewer"}[user]
            assert wall.json("/hosts/web-1/api/me") == {"name": "", "role": role}
            if user == "wall":
                mark = {"text": "deployed"}
                httpx.post(f"{wall.url}hosts/web-1/api/marks", json=mark, timeout=60).raise_for_status()
            for each in (wall, host):
                assert not each.json("/api/health")["reasons"]
            assert f"  follows {nats.url}\n" in wall.output()
            assert "no metrics yet" not in wall.output()


def test_a_wall_and_a_host_use_tls(tmp_path: Path) -> None:
    file = tmp_path / "board.py"
    file.write_text(BOARD)
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "server.pem"))
    with nats_server('tls { cert_file: "server.pem", key_file: "server.pem" }', tmp_path) as nats:
        url, trusted = nats.url.replace("nats:", "tls:"), ("--nats-ca", str(tmp_path / "ca.pem"))
        with (
            serve("follow", url, *trusted) as wall,
            serve("run", str(file), "--name", "web-1", "--nats", url, *trusted),
        ):
            wait_for(lambda: states(wall) == {"web-1": "live"}, wall.output)
            assert not wall.json("/api/health")["reasons"]


def problem(wall: Server) -> str:
    [host] = wall.json("/api/hosts")["hosts"]
    return str(host.get("problem", ""))


def values(wall: Server) -> list[list[object]]:
    recent = wall.json("/api/metrics/recent")
    return [[point["value"], point["labels"]] for point in recent if point["name"] == "value"]
