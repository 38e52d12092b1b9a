"""Remote write into the real Prometheus: outages and kills leave no hole, and its values are those of history."""

import contextlib
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import httpx
import numpy as np
import pytest
from tests.metric_receiver import metric_receiver
from tests.prometheus import receiving_prometheus
from tests.serving import Server, serve

import tickboard

BOARD = """\
import math

from tickboard import Board

board = Board("Sent on", interval_ms=50)
rising = board.gauge("rising.a", unit="%")
odd = board.gauge("odd", labels=["host.name"])
count = 0


@board.every()
def sample():
    global count
    count += 1
    rising.set(count + 1 / 3)
    odd.labels(**{"host.name": "a"}).set(count if count % 7 else math.inf)
"""


@pytest.fixture
def board(tmp_path: Path) -> Path:
    path = tmp_path / "board.py"
    path.write_text(BOARD)
    return path


@contextlib.contextmanager
def sending(board: Path, url: str, *arguments: str, command: str = "run") -> Iterator[Server]:
    history = str(board.with_name("h.sqlite"))
    with serve(command, str(board), "--history", history, "--remote-write", url, *arguments) as server:
        yield server


def has_ticks(server: Server, more: int) -> None:
    """Wait until some more ticks were made."""
    seq = server.json("/api/health")["seq"]
    server.wait_for(lambda: server.json("/api/health")["seq"] > seq + more)


def in_prometheus(port: int, query: str) -> tuple[dict[str, str], list[tuple[int, float]]]:
    """Return the labels of the one series of a query, and its samples."""
    answer = httpx.get(f"http://127.0.0.1:{port}/api/v1/query", params={"query": f"{query}[1h]"}).json()
    found = answer["data"]["result"]
    if not found:
        return {}, []
    [result] = found
    return result["metric"], [(round(1000 * time), float(value)) for time, value in result["values"]]


def in_history(server: Server, name: str) -> list[tuple[int, float]]:
    data = tickboard.history(server.url, name, start="-10m", points=5_000)
    [series] = data.values()
    there = series.count > 0
    return list(zip(series.times[there].astype(np.int64).tolist(), series.avg[there].tolist(), strict=True))


def compare(server: Server, port: int, name: str, query: str) -> list[tuple[int, float]]:
    """Wait until Prometheus has what history has now, compare, and return it."""
    wanted = in_history(server, name)
    server.wait_for(lambda: in_prometheus(port, query)[1][-1:] >= wanted[-1:])
    found = [sample for sample in in_prometheus(port, query)[1] if sample[0] <= wanted[-1][0]]
    assert found == [sample for sample in wanted if sample[0] >= found[0][0]]
    # What was before the first look for a position is not sent.
    assert wanted.index(found[0]) < 5
    return found


@pytest.mark.timeout(180)
def test_an_outage_and_a_kill_leave_no_gap(board: Path, tmp_path: Path) -> None:
    data = tmp_path / "prometheus"
    with contextlib.ExitStack() as stack:
        running = contextlib.ExitStack()
        port = running.enter_context(receiving_prometheus(data))
        stack.enter_context(running)
        url = f"http://127.0.0.1:{port}/api/v1/write"
        with sending(board, url) as server:
            has_ticks(server, 40)
            server.wait_for(lambda: in_prometheus(port, "rising_a")[1])
            # Prometheus ends, and Tickboard is killed while it is away.
            running.close()
            server.wait_for(lambda: server.json("/api/health")["reasons"])
            has_ticks(server, 60)
            server.process.kill()
            server.process.wait(10)
        with sending(board, url) as server:
            has_ticks(server, 60)
            server.wait_for(lambda: server.json("/api/health")["remote_write"]["waiting"] > 100)
            stack.enter_context(receiving_prometheus(data, port))
            server.wait_for(lambda: not server.json("/api/health")["reasons"])
            # And once more while it sends.
            has_ticks(server, 20)
            server.process.kill()
            server.process.wait(10)
        with sending(board, url) as server:
            has_ticks(server, 40)
            rising = compare(server, port, "rising.a", "rising_a")
            compare(server, port, "odd", "odd")
            labels, _ = in_prometheus(port, "odd")
            assert (labels["host_name"], labels["job"]) == ("a", "tickboard")
            assert labels["instance"]
            health = server.json("/api/health")
            assert (health["status"], health["remote_write"]["refused"]) == ("ok", 0)
            # Three runs, each of which counts anew.
            assert sum(after < before for (_, before), (_, after) in pairwise(rising)) == 2
            metrics = httpx.get(f"{server.url}metrics").text
            assert re.search(r'tickboard_remote_write_samples_total\{result="sent"\} [1-9]', metrics)
            assert "tickboard_remote_write_behind_seconds" in metrics


def test_a_prometheus_that_does_not_know_2_0_is_sent_1_0(board: Path, tmp_path: Path) -> None:
    with receiving_prometheus(tmp_path / "prometheus") as port:
        url = f"http://127.0.0.1:{port}/api/v1/write"
        labels = ("--remote-write-label", "env=test", "--remote-write-label", "instance=here")
        with sending(board, url, "--remote-write-version", "2.0", *labels) as server:
            has_ticks(server, 40)
            compare(server, port, "rising.a", "rising_a")
            assert in_prometheus(port, "rising_a")[0] == {
                "__name__": "rising_a",
                "env": "test",
                "instance": "here",
                "job": "tickboard",
            }
            assert server.says("does not support version 2.0: using 1.0")


def test_the_file_names_the_receiver_and_a_reload_continues(board: Path, tmp_path: Path) -> None:
    with metric_receiver() as receiver:
        (tmp_path / "tickboard.toml").write_text(
            f"""
            [remote_write]
            url = "{receiver.url}"
            version = "2.0"
            metrics = ["rising*"]
            headers = {{ Authorization = "Bearer ${{RECEIVER_TOKEN}}" }}
            labels = {{ env = "prod" }}
            """
        )
        arguments = ("--history", str(tmp_path / "h.sqlite"))
        with serve("dev", str(board), *arguments, env={"RECEIVER_TOKEN": "t0ken-t0ken"}) as server:
            server.wait_for(lambda: len(receiver.series("rising_a", env="prod")) > 20)
            board.write_text(BOARD.replace('"rising.a"', '"rising.a", "Rising"'))
            server.wait_for(lambda: "reloaded" in server.output())
            many = len(receiver.series("rising_a"))
            server.wait_for(lambda: len(receiver.series("rising_a")) > many + 20)
            assert receiver.series("odd") == []
            assert receiver.asked[-1].headers["authorization"] == "Bearer t0ken-t0ken"
            assert server.json("/api/health")["remote_write"]["refused"] == 0
            # Every tick since the first is there, also those around the reload.
            times = [time for time, _ in receiver.series("rising_a")]
            kept = [time for time, _ in in_history(server, "rising.a") if times[0] <= time <= times[-1]]
            assert times == kept
            (tmp_path / "tickboard.toml").write_text('[remote_write]\nurl = "none"\n')
            server.wait_for(lambda: server.json("/api/health")["remote_write"] is None)


def test_the_environment_and_the_dashboard_file_name_a_receiver(board: Path, tmp_path: Path) -> None:
    with metric_receiver() as receiver, metric_receiver() as other:
        board.write_text(f"{BOARD}\nboard.remote_write({other.url!r}, labels={{'env': 'prod'}})\n")
        arguments = ("--history", str(tmp_path / "h.sqlite"))
        with serve("run", str(board), *arguments, env={"TICKBOARD_REMOTE_WRITE": receiver.url}) as server:
            server.wait_for(lambda: receiver.series("rising_a", env="prod"))
            assert not other.asked
        with serve("run", str(board), *arguments) as server:
            server.wait_for(lambda: other.series("rising_a", env="prod"))
