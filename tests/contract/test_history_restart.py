"""kill -9 and a restart: the window of the page goes on, with a gap for the time between."""

import json
import subprocess
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.serving import Server, serve
from websockets.sync.client import connect

BOARD = """\
import os

from tickboard import Board

board = Board(interval_ms=50, window_size=2000)
cpu = board.gauge("cpu_usage")
queue = board.gauge("queue", labels=["host"])


@board.every()
def sample():
    cpu.set(float(os.environ["VALUE"]))
    queue.labels(host="a").set(float(os.environ["VALUE"]))
"""


@pytest.fixture
def arguments(tmp_path: Path) -> tuple[str, ...]:
    board = tmp_path / "board.py"
    board.write_text(BOARD)
    return ("run", str(board), "--state", str(tmp_path / "alerts.sqlite"), "--history", str(tmp_path / "h.sqlite"))


def recent(server: Server, name: str = "cpu_usage") -> list[tuple[str, float]]:
    """Return the times and values of a metric, oldest first."""
    found = server.json("/api/metrics/recent?count=100000")
    return [(each["timestamp"], each["value"]) for each in found if each["name"] == name]


def kept(server: Server) -> Any:
    return server.json("/api/health")["history"]


def kill(server: Server) -> list[tuple[str, float]]:
    """Kill a server of which some ticks are on the disk, and return what its window had."""
    seq = server.json("/api/health")["seq"]
    # More than two seconds of them, which is two commits.
    server.wait_for(lambda: server.json("/api/health")["seq"] > seq + 50)
    seen = recent(server)
    server.process.kill()
    server.process.wait(10)
    return seen


def test_the_window_continues_after_a_kill(arguments: tuple[str, ...]) -> None:
    with serve(*arguments, env={"VALUE": "1"}) as server:
        epoch, before = server.json("/api/health")["epoch"], kill(server)
    with serve(*arguments, env={"VALUE": "5"}) as server:
        server.wait_for(lambda: server.json("/api/stats")["cpu"]["max"] == 5)
        stats, health = server.json("/api/stats"), server.json("/api/health")
        assert (stats["cpu"]["min"], stats['queue{host="a"}']["min"]) == (1, 1)
        assert (health["status"], health["epoch"] != epoch) == ("ok", True)
        window = recent(server)
        with connect(server.ws_url) as viewer:
            assert 1 in {metric["value"] for metric in json.loads(viewer.recv())["data"]}
    times = [time for time, _ in window]
    assert times == sorted(set(times))
    old = [tick for tick in window if tick[1] == 1]
    # What a kill may take is a second of twenty ticks.
    assert len(old) >= len(before) - 25
    assert set(before) & set(old)
    assert max(time for time, _ in old) < min(time for time, value in window if value == 5)


def test_a_board_without_a_journal_keeps_no_history(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    run, board, *_ = arguments
    with serve(run, board, "--state", "none", env={"VALUE": "1", "TICKBOARD_HISTORY": ""}) as server:
        server.wait_for(lambda: server.json("/api/health")["seq"])
        assert kept(server) is None
    assert not list(tmp_path.rglob("*.sqlite"))


def test_history_is_kept_beside_the_journal_by_default(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    home = {"XDG_STATE_HOME": str(tmp_path / "home"), "TICKBOARD_STATE": "", "TICKBOARD_HISTORY": "", "VALUE": "1"}
    with serve(*arguments[:2], env=home) as server:
        server.wait_for(lambda: kept(server)["raw"]["oldest"])
        said = kept(server)
        assert said["series"] == 2
        assert said["file_bytes"] > 0
        assert "tickboard_history_series 2" in httpx.get(f"{server.url}metrics").text
    assert [path.name.split("-")[0] for path in (tmp_path / "home").rglob("*.history.sqlite")] == ["board"]


def test_a_sample_older_than_the_window_goes_to_its_tick_in_history(arguments: tuple[str, ...]) -> None:
    with serve(*arguments, "--window", "10", env={"VALUE": "1"}) as server:
        server.wait_for(lambda: server.json("/api/health")["seq"] > 60)
        first = server.json("/api/history?metrics=cpu_usage&points=5000")["series"][0]
        time = first["times"][20]
        sample = {"name": "queue", "labels": {"host": "a"}, "value": 77, "timestamp": time}
        assert httpx.post(f"{server.url}api/metrics", json=[sample]).status_code == 200

        def kept() -> float:
            series = server.json("/api/history?metrics=queue&points=5000")["series"][0]
            found: float = series["avg"][series["times"].index(time)]
            return found

        server.wait_for(lambda: kept() == 77)
        assert server.json("/api/stats")['queue{host="a"}']["max"] == 1
        assert server.json("/api/health")["history"]["dropped"] == 0


def test_a_pipe_continues_with_the_values_of_the_previous_command(tmp_path: Path) -> None:
    home = {"XDG_STATE_HOME": str(tmp_path), "TICKBOARD_STATE": "", "TICKBOARD_HISTORY": ""}
    arguments = ("pipe", "--interval", "50", "--window", "2000")

    def prints(server: Server, line: str) -> None:
        assert server.process.stdin is not None
        server.process.stdin.write(f"{line}\n")
        server.process.stdin.flush()

    with serve(*arguments, env=home, stdin=subprocess.PIPE) as server:
        prints(server, "load 3")
        kill(server)
    with serve(*arguments, env=home, stdin=subprocess.PIPE) as server:
        server.wait_for(lambda: server.json("/api/health")["seq"] > 3)
        with connect(server.ws_url) as viewer:
            assert json.loads(viewer.recv())["data"] == []
            prints(server, "load 8")
            # Who watches already is sent what there was before.
            seen = [json.loads(viewer.recv(timeout=20))]
            while seen[-1]["type"] != "amended":
                seen.append(json.loads(viewer.recv(timeout=20)))
            amended = [seen[-1], *(json.loads(viewer.recv(timeout=20)) for _ in range(10))]
        assert [message["data"][0]["value"] for message in amended if message["type"] == "amended"] == [3] * 11
        server.wait_for(lambda: server.json("/api/stats").get("load", {}).get("max") == 8)
        assert server.json("/api/stats")["load"]["min"] == 3
    [path] = tmp_path.rglob("*.history.sqlite")
    assert path.name.startswith("pipe-")


def test_a_file_that_is_reloaded_continues_recording(arguments: tuple[str, ...]) -> None:
    _, file, *options = arguments
    with serve("dev", file, *options, env={"VALUE": "1"}) as server:
        server.wait_for(lambda: server.json("/api/health")["seq"] > 20)
        board = Path(file)
        board.write_text(board.read_text().replace('"cpu_usage"', '"cpu_usage", "CPU, again"'))
        server.wait_for(lambda: "reloaded" in server.output())
        seq = server.json("/api/health")["seq"]
        server.wait_for(lambda: server.json("/api/health")["seq"] > seq + 20)
        [cpu] = server.json("/api/history?metrics=cpu_usage&points=5000")["series"]
        assert sum(cpu["count"]) > 40
        kill(server)
    with serve("dev", file, *options, env={"VALUE": "5"}) as server:
        server.wait_for(lambda: server.json("/api/stats")["cpu"]["max"] == 5)
        assert server.json("/api/stats")["cpu"]["min"] == 1


def test_a_changed_interval_is_not_an_error(arguments: tuple[str, ...]) -> None:
    with serve(*arguments, env={"VALUE": "1"}) as server:
        kill(server)
    for interval, window in (("200", "500"), ("20", "5000")):
        with serve(*arguments, "--interval", interval, "--window", window, env={"VALUE": "5"}) as server:
            server.wait_for(lambda: server.json("/api/stats")["cpu"]["max"] == 5)
            assert server.json("/api/stats")["cpu"]["min"] == 1
            times = [time for time, _ in recent(server)]
            assert all(one < other for one, other in pairwise(times))
            kill(server)
