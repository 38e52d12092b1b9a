"""A real wall follows real hosts over HTTP: their ticks are its own, even after one of them was killed or stopped."""

import signal
from pathlib import Path

import httpx
from tests.fleet.real_walls import BOARD, INTERVAL_MS, WINDOW, running
from tests.serving import serve, wait_for


def test_the_ticks_of_hosts_are_those_of_the_wall(tmp_path: Path) -> None:
    with running(tmp_path, "a", "b") as walls:
        for name in ("a", "b"):
            walls.wait_for_state(name, "live")
            walls.wait_for_ticks(name, 1)
        start = {name: walls.newest(name) for name in ("a", "b")}
        walls.wait_for_ticks("a", 10)
        for name in ("a", "b"):
            walls.wait_until_equal(name, start[name])
        [host, other] = walls.wall.json("/api/hosts")["hosts"]
        assert (host["title"], host["labels"], host["kind"]) == ("Board of a", {"env": "prod"}, "http")
        assert other["address"] == walls.hosts["b"].url


def test_a_host_that_is_killed_is_gone_and_one_that_ends_has_left(tmp_path: Path) -> None:
    with running(tmp_path, "a", "b") as walls:
        for name in ("a", "b"):
            walls.wait_for_ticks(name, 1)
        walls.hosts["a"].end(signal.SIGKILL)
        walls.hosts["b"].end(signal.SIGTERM)
        walls.wait_for_state("a", "gone")
        assert walls.state("b") == "left"
        up = {point["labels"]["host"]: point["value"] for point in walls.wall.json("/api/metrics/recent?count=4")}
        assert up == {"a": 0}
        walls.hosts["a"].start()
        walls.wait_for_state("a", "live")
        walls.wait_for_ticks("a", 1)


def test_a_wall_shows_its_hosts_in_one_table(tmp_path: Path) -> None:
    with running(tmp_path, "a") as walls:
        walls.wait_for_ticks("a", 1)
        board = walls.wall.json("/api/board")
        assert board["panels"] == [{"type": "hosts", "title": "Hosts"}]
        labels = {metric["name"]: metric["labels"] for metric in board["metrics"]}
        assert labels == {
            "host_up": ["host"],
            "value": ["host", "env"],
            "disk": ["host", "env", "mount"],
        }


def test_a_wall_that_was_stopped_makes_up_for_its_ticks(tmp_path: Path) -> None:
    with running(tmp_path, "a") as walls:
        walls.wait_for_ticks("a", 5)
        start = walls.newest("a")
        walls.wall.send(signal.SIGSTOP)
        # Longer than the window, so that the host no longer has all of it in its own.
        walls.hosts["a"].wait_for_own_ticks(WINDOW + 5)
        walls.wall.send(signal.SIGCONT)
        walls.wait_for_ticks("a", WINDOW + 10)
        walls.wait_until_equal("a", start)
        assert walls.wall.json("/api/hosts")["hosts"][0]["since"] <= walls.wall.json("/api/hosts")["hosts"][0]["seen"]


def test_a_wall_that_is_killed_reads_from_its_hosts_what_it_missed(tmp_path: Path) -> None:
    with running(tmp_path, "a", "b") as walls:
        for name in ("a", "b"):
            walls.wait_for_ticks(name, 5)
        start = walls.newest("a")
        walls.wait_until_kept("a", "b")
        walls.wall.end(signal.SIGKILL)
        walls.hosts["a"].wait_for_own_ticks(WINDOW + 10)
        walls.hosts["b"].end(signal.SIGKILL)
        walls.wall.start()
        walls.wait_for_ticks("a", 5)
        walls.wait_until_equal("a", start)
        walls.wait_for_state("b", "gone")
        walls.hosts["b"].start()
        walls.wait_for_ticks("b", 5)
        walls.wait_until_equal("b", start)


def test_a_host_that_was_forgotten_while_it_was_paused_comes_back(tmp_path: Path) -> None:
    with running(tmp_path, "a") as walls:
        walls.wait_for_ticks("a", 1)
        walls.hosts["a"].send(signal.SIGSTOP)
        walls.wait_for_state("a", "gone")
        httpx.delete(f"{walls.wall.url}/api/hosts/a").raise_for_status()
        walls.hosts["a"].send(signal.SIGCONT)
        walls.wait_for_state("a", "live")
        walls.wait_for_ticks("a", 1)


def test_the_name_goes_back_to_a_host_that_was_paused_when_the_other_one_ends(tmp_path: Path) -> None:
    file = tmp_path / "board.py"
    file.write_text(BOARD.replace("NAME", "a"))
    with (
        serve("run", str(file)) as one,
        serve("run", str(file)) as two,
        serve("follow", one.url, two.url, "--interval", str(INTERVAL_MS)) as wall,
    ):

        def followed() -> tuple[str, str]:
            [host] = wall.json("/api/hosts")["hosts"]
            return host["address"], host["state"]

        wait_for(lambda: len(wall.json("/api/hosts")["hosts"]) == 1 and followed()[1] == "live", wall.output)
        first, second = (one, two) if followed()[0] == one.url else (two, one)
        first.process.send_signal(signal.SIGSTOP)
        try:
            wait_for(lambda: followed() == (second.url, "live"), wall.output)
        finally:
            first.process.send_signal(signal.SIGCONT)
        second.process.kill()
        wait_for(lambda: followed() == (first.url, "live"), wall.output)
