"""A power cut loses only what the disk was not waited for: ten seconds at most."""

import random
import shutil
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import datetime
from pathlib import Path

import httpx
import pytest
from tests.history.test_kill import START_MS, check
from tests.history.writers import Writers
from tests.long import LONG
from tests.power_cut import Disk
from tests.serving import Server, serve

from tickboard.history.answers import Question
from tickboard.history.store import History, Retention

pytestmark = pytest.mark.usefixtures("unmeasured")

LOST_S = 10.0

BOARD = """
from itertools import count

from tickboard import Board

board = Board("Power", interval_ms=100)
beat = board.gauge("beat")
numbers = count()


@board.every()
async def sample() -> None:
    beat.set(next(numbers))
"""


@pytest.mark.parametrize("cuts", [5, pytest.param(100, marks=[LONG, pytest.mark.timeout(900)])])
@pytest.mark.parametrize("strays", [False, True], ids=["only what was synced", "some pages more"])
def test_a_power_cut_loses_and_duplicates_no_synced_tick(tmp_path: Path, cuts: int, strays: bool) -> None:
    disk = Disk(tmp_path / "disk", seed=cuts)
    path = disk.files / "h.sqlite"
    chance = random.Random(cuts)
    said: list[tuple[int, int]] = []
    start_ms = START_MS
    with closing(Writers(path, chance, syncs=True, environ=disk.environ)) as writers:
        for number in range(cuts):
            said.append((start_ms, writers.kill_one(start_ms, f"run{number}", chance.randrange(1, 10))))
            disk.cut_power(strays=strays)
            # The next writer begins with what is on the disk.
            seen = tmp_path / "seen"
            shutil.copytree(disk.files, seen)
            start_ms = check(seen / path.name, said)
            shutil.rmtree(seen)


@pytest.mark.timeout(200)
@pytest.mark.parametrize(
    ("runs_s", "late_s"),
    [
        # The machine may be busy: a commit may be so late.
        ((16.0, 18.0), 5.0),
        pytest.param((12.0, 19.5, 34.0, 61.0, 75.0, 97.0), 0.0, marks=LONG),
    ],
    ids=["two cuts", "six cuts"],
)
def test_a_board_loses_at_most_ten_seconds_by_a_power_cut(
    tmp_path: Path, runs_s: tuple[float, ...], late_s: float
) -> None:
    board = tmp_path / "board.py"
    board.write_text(BOARD)
    disks = [Disk(tmp_path / f"disk{number}", seed=number) for number in range(len(runs_s))]
    seen: list[dict[int, float]] = []
    with ExitStack() as stack:
        servers = [
            stack.enter_context(
                serve(
                    "run", str(board), "--history", str(disk.files / "h.sqlite"), "--window", "2000", env=disk.environ
                )
            )
            for disk in disks
        ]
        began = time.monotonic()
        # What is read is committed, but nobody waits for the disk then.
        for server in servers[1::2]:
            stack.enter_context(reading(server))
        for server, run_s in zip(servers, runs_s, strict=True):
            # A board that ran for less would have nothing older to lose.
            time.sleep(max(0.0, began + run_s - time.monotonic()))
            seen.append(window(server))
            server.process.kill()
            server.process.wait()
    for disk, ticks in zip(disks, seen, strict=True):
        disk.cut_power(strays=False)
        kept = kept_ticks(disk.files / "h.sqlite")
        both = min(len(kept), len(ticks))
        assert list(kept.items())[:both] == list(ticks.items())[:both]
        assert max(ticks) - max(kept) <= 1000 * (LOST_S + late_s)


def window(server: Server) -> dict[int, float]:
    """Return all ticks so far, by their times."""
    found = server.json("/api/metrics/recent?count=2000")
    return {round(datetime.fromisoformat(one["timestamp"]).timestamp() * 1000): one["value"] for one in found}


def kept_ticks(path: Path) -> dict[int, float]:
    """Return all ticks in a file, by their times."""
    with closing(sqlite3.connect(path)) as file:
        assert file.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    with closing(History(path, Retention(), lambda problem: None)) as history:
        answer = history.read(Question((), 0, 2**42, 100_000))
    assert answer.series, "nothing is left"
    [beat] = answer.series
    return dict(zip(answer.times.tolist(), beat.avg.tolist(), strict=True))


@contextmanager
def reading(server: Server) -> Iterator[None]:
    """Ask for the newest ticks again and again, which makes the board commit them."""
    done = threading.Event()

    def read() -> None:
        with httpx.Client() as client:
            # Between two ticks, and more often than commits are due.
            while not done.wait(0.02):
                try:
                    client.get(f"{server.url}api/history?from=-1s&to=now").raise_for_status()
                except httpx.TransportError:
                    return

    thread = threading.Thread(target=read)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
