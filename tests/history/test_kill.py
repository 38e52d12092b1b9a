"""A kill at any moment loses only what was not committed."""

import random
import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from tests.history.writers import Writers
from tests.history_writer import BATCH
from tests.long import LONG

from tickboard.history.answers import Question
from tickboard.history.store import History, Retention

pytestmark = pytest.mark.usefixtures("unmeasured")

START_MS = 1_800_000_000_000


@pytest.mark.parametrize("kills", [6, pytest.param(100, marks=[LONG, pytest.mark.timeout(600)])])
def test_a_kill_loses_and_duplicates_no_committed_tick(tmp_path: Path, kills: int) -> None:
    path = tmp_path / "h.sqlite"
    said: list[tuple[int, int]] = []
    start_ms = START_MS
    with closing(Writers(path, random.Random())) as writers:
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
