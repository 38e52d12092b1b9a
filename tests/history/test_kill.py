"""A kill at any moment loses only what was not committed."""

import os
import random
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from tests.history_writer import BATCH, SAID

from tickboard.history.answers import Question
from tickboard.history.store import History, Retention

START_MS = 1_800_000_000_000
ROOT = Path(__file__).parents[2]


class Writers:
    """Processes that write one file, one after another, each killed at a random moment."""

    def __init__(self, path: Path) -> None:
        self._path = path
        command = [sys.executable, "-m", "tests.history_writer"]
        self._process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(30)
        self._process.stdout.close()

    def kill_one(self, start_ms: int, name: str, after: int) -> int:
        """Start a writer, kill it shortly after it committed some batches, and return the last tick it reported."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{self._path}\t{start_ms}\t{name}\n".encode())
        self._process.stdin.flush()
        pid = self._heard()
        said = 0
        for _ in range(after):
            said = self._heard()
        for _ in range(random.randrange(20_000)):
            pass
        os.kill(pid, signal.SIGKILL)
        while number := self._heard():
            said = number
        return said

    def _heard(self) -> int:
        assert self._process.stdout is not None
        return int.from_bytes(self._process.stdout.read(SAID), "big")


@pytest.mark.parametrize("kills", [6, pytest.param(100, marks=[pytest.mark.slow, pytest.mark.timeout(600)])])
def test_a_kill_loses_no_committed_tick_and_doubles_none(tmp_path: Path, kills: int) -> None:
    path = tmp_path / "h.sqlite"
    said: list[tuple[int, int]] = []
    start_ms = START_MS
    with closing(Writers(path)) as writers:
        for number in range(kills):
            said.append((start_ms, writers.kill_one(start_ms, f"run{number}", random.randrange(1, 60))))
            start_ms = check(path, said)


def check(path: Path, said: list[tuple[int, int]]) -> int:
    """Check that a file has every reported tick of all runs once, and return when the next run may begin."""
    file = sqlite3.connect(path)
    assert file.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    file.close()
    history = History(path, Retention(), lambda problem: None)
    start_ms, least = said[-1]
    answer = history.read(Question(("m0", "m299"), start_ms, start_ms + 10**8, 100_000))
    seqs = (answer.times - start_ms) // 1000
    assert seqs.tolist() == list(range(1, len(seqs) + 1))
    assert least <= len(seqs)
    for each in answer.series:
        np.testing.assert_array_equal(each.avg, seqs)
    # All runs, in buckets, as far as they are kept.
    whole = history.read(Question(("m0",), START_MS, start_ms + 10**8, 100))
    for run_start, run_least in said:
        inside = (whole.times >= run_start + whole.resolution_ms) & (whole.times < run_start + run_least * 1000)
        full = whole.series[0].count[inside][:-2]
        assert (full == whole.resolution_ms // 1000).all()
    assert history.status().lost == 0
    history.close()
    return start_ms + 1000 * (len(seqs) + BATCH)
