"""A real server whose wall clock is set while it runs: forward by a year, back by an hour."""

import asyncio
import json
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.serving import RawStream, Server, serve
from websockets.sync.client import connect

import tickboard

INTERVAL_MS = 100
HOUR_S, YEAR_S = 3_600.0, 365 * 86_400.0
NEAR_S = 5.0
"""A time this close to the clock counts as right, since the machine may be busy."""

BOARD = """
from tickboard import Board, metric

board = Board("Clock", interval_ms=100)
beat = board.gauge("beat")


@board.every()
async def sample() -> None:
    beat.set(1)


board.alert(metric("load") > 4, "load {value:.0f}", name="at once")
board.alert(metric("load") > 4, "load {value:.0f}", for_="3s", name="for a while")
"""


class Clocked:
    """A server and the wall clock that it uses.

    Attributes:
        server: the server.
        ahead_s: how far its wall clock is ahead of the machine's.
    """

    def __init__(self, server: Server, file: Path) -> None:
        self.server = server
        self.ahead_s = 0.0
        self._file = file

    @property
    def now(self) -> float:
        return time.time() + self.ahead_s

    def set(self, ahead_s: float) -> None:
        """Set the wall clock."""
        self.ahead_s = ahead_s
        self._file.write_text(f"{ahead_s:.3f}".ljust(32))

    def push(self, value: float, time: float) -> httpx.Response:
        return httpx.post(f"{self.server.url}api/metrics", json={"name": "load", "value": value, "timestamp": time})

    def newest(self) -> dict[str, Any]:
        """Return the newest value of each metric, with its time as POSIX seconds."""
        found = self.server.json("/api/metrics/recent?count=2")
        # There is no time before the first tick.
        newest = seconds(found[-1]["timestamp"]) if found else 0.0
        return {one["name"]: one["value"] for one in found} | {"time": newest}

    def wait_for_time(self) -> None:
        """Wait until ticks have the time of the clock."""
        self.server.wait_for(lambda: abs(self.newest()["time"] - self.now) < NEAR_S)

    def firing(self) -> dict[str, str]:
        """Return the id of the alert of each rule that fires."""
        return {one["rule"]: one["id"] for one in self.server.json("/api/alerts")["alerts"]}


def seconds(timestamp: str) -> float:
    return datetime.fromisoformat(timestamp).timestamp()


@pytest.fixture
def clocked(tmp_path: Path) -> Iterator[Clocked]:
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("there is no C compiler to make a wall clock with")
    library, file, board = tmp_path / "wall_clock.so", tmp_path / "ahead", tmp_path / "board.py"
    source = Path(__file__).parents[1] / "wall_clock.c"
    subprocess.run([compiler, "-shared", "-fPIC", "-o", str(library), str(source), "-ldl"], check=True)
    file.write_text("0".ljust(32))
    board.write_text(BOARD)
    env = {"LD_PRELOAD": str(library), "TEST_WALL_CLOCK": str(file)}
    with serve("run", str(board), env=env) as server:
        yield Clocked(server, file)


@pytest.mark.parametrize("step_s", [YEAR_S, -HOUR_S, 30 * YEAR_S, -YEAR_S])
def test_ticks_continue_at_the_new_time_and_the_server_can_be_stopped(clocked: Clocked, step_s: float) -> None:
    clocked.wait_for_time()
    before = clocked.server.json("/api/health")
    clocked.set(step_s)
    clocked.wait_for_time()
    after = clocked.server.json("/api/health")
    # The ticks inside a step do not count as missed: at one per 100 ms, a year has 315 million.
    assert after["ticks_skipped"] - before["ticks_skipped"] < 300
    assert clocked.server.stop(signal.SIGTERM) == 0


def test_after_the_clock_is_set_back_alerts_continue_and_samples_are_accepted(clocked: Clocked) -> None:
    server = clocked.server
    clocked.set(HOUR_S)
    clocked.wait_for_time()
    # To a clock that is ahead, the right time is too old: the sample must not be answered as accepted.
    assert clocked.push(5, time.time()).status_code >= 400
    assert clocked.push(5, clocked.now).json() == {"accepted": 1}
    server.wait_for(lambda: "at once" in clocked.firing())
    [first] = clocked.firing().values()
    with RawStream(server.port) as stream, connect(server.ws_url) as viewer:
        position = stream.event()["id"]
        epoch = json.loads(viewer.recv(10))["epoch"]
        clocked.set(0.0)
        clocked.wait_for_time()
        # The page and every other viewer start over; the alerts stay.
        messages = (json.loads(viewer.recv(10)) for _ in count())
        begun = next(message for message in messages if message["type"] == "initial")
        assert begun["epoch"] not in {"", epoch}
        assert "resumed" not in begun
    assert clocked.firing()["at once"] == first
    server.wait_for(lambda: "for a while" in clocked.firing())
    assert clocked.push(7, time.time()).json() == {"accepted": 1}
    server.wait_for(lambda: clocked.newest().get("load") == 7)
    with RawStream(server.port, path=f"/events/alerts?last_event_id={position}") as again:
        assert again.event()["id"].rpartition("-")[0] == position.rpartition("-")[0]
    assert [each["source"] for each in server.json("/api/board")["problems"]] == ["clock"]
    assert server.output().count("the wall clock was set back by 1:00:00") == 1


async def watched(clocked: Clocked) -> list[tickboard.Tick]:
    """Return the ticks that the Python client sees while the clock is set back."""
    ticks: list[tickboard.Tick] = []
    async with tickboard.connect(clocked.server.url) as board:
        async for tick in board:
            ticks.append(tick)
            if len(ticks) == 5:
                clocked.set(-HOUR_S)
            if tick.fresh:
                break
    return ticks


def test_the_python_client_continues_in_the_new_epoch(clocked: Clocked) -> None:
    ticks = asyncio.run(asyncio.wait_for(watched(clocked), 30))
    newest, before = ticks[-1], ticks[-2]
    assert newest.fresh
    assert newest.epoch != before.epoch
    assert (newest.seq, newest.missed) == (1, 0)
    assert newest.time - before.time == pytest.approx(-HOUR_S, abs=NEAR_S)
