"""A copy of a history, and what is said of a file."""

from pathlib import Path

import numpy as np
import pytest
from tests.history.recorded import LAYOUT, START, record

from tickboard.errors import HistoryError, InputError
from tickboard.history.answers import Question
from tickboard.history.backup import back_up
from tickboard.history.export_formats import csv
from tickboard.history.exporting import exported
from tickboard.history.file import FOREVER
from tickboard.history.inspecting import inspect
from tickboard.history.store import History, Retention


def text(path: Path) -> bytes:
    with exported(path, Question((), 0, FOREVER, 1)) as export:
        return b"".join(csv(export))


def test_a_copy_made_while_the_history_is_written_has_every_committed_tick(tmp_path: Path) -> None:
    path, copy = tmp_path / "history.sqlite", tmp_path / "copies" / "copy.sqlite"
    record(path, (START, 1_000))
    history = History(path, Retention(), lambda problem: None)
    try:
        history.begin("more", 1000, 60)
        for seq in range(500):
            history.append(seq + 1, START + 2_000 + seq, LAYOUT, np.array([seq, 2.0, 3.0]))
        history.flush()
        assert back_up(path, copy) == copy.stat().st_size
        assert text(copy) == text(path)
    finally:
        history.close()
    assert [file.name for file in copy.parent.iterdir()] == [copy.name]
    assert copy.stat().st_mode & 0o077 == 0
    # It is a history like any other.
    again = History(copy, Retention(), lambda problem: None)
    again.begin("copied", 1000, 60)
    again.append(1, START + 9_000, LAYOUT, np.array([1.0, 2.0, 3.0]))
    again.close()
    assert text(copy).count(b"\n") == text(path).count(b"\n") + 3


def test_a_file_that_exists_is_not_replaced(tmp_path: Path) -> None:
    path, copy = tmp_path / "history.sqlite", tmp_path / "copy.sqlite"
    record(path, (START, 10))
    copy.write_text("mine")
    with pytest.raises(InputError, match=r"copy\.sqlite already exists: give the copy another name"):
        back_up(path, copy)
    assert copy.read_text() == "mine"
    with pytest.raises(InputError, match="already exists"):
        back_up(path, path)


def test_a_copy_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "history.sqlite"
    record(path, (START, 10))
    with pytest.raises(HistoryError, match="cannot be copied to"):
        back_up(path, path / "below" / "copy.sqlite")
    with pytest.raises(HistoryError, match="does not exist"):
        back_up(tmp_path / "none.sqlite", tmp_path / "copy.sqlite")
    assert not (tmp_path / "copy.sqlite").exists()


def test_a_file_says_what_it_keeps_and_whether_it_is_open(tmp_path: Path) -> None:
    path = tmp_path / "history.sqlite"
    record(path, (START, 15_000))
    found = inspect(path)
    ticks, minutes, hours = found.tiers
    assert (found.series, found.is_open) == (3, False)
    assert (ticks.entries, ticks.oldest_ms, ticks.newest_ms) == (15_000, START * 1000, (START + 14_999) * 1000)
    assert (minutes.oldest_ms, minutes.entries) == (START * 1000, 240)
    assert (hours.entries, hours.oldest_ms, hours.newest_ms, hours.value_bytes) == (0, None, None, None)
    assert 0 < found.rows < 2_000
    assert found.rows_bytes == found.rows * 3 * 8
    history = History(path, Retention(), lambda problem: None)
    try:
        assert inspect(path).is_open
    finally:
        history.close()
    assert not inspect(path).is_open
    # Of a half, there is a value at every other tick.
    values = (ticks.entries - found.rows) * 2.5
    assert ticks.value_bytes is not None
    assert ticks.value_bytes == pytest.approx(ticks.size_bytes / values, rel=0.3)


def test_a_file_of_one_tick_has_no_blocks(tmp_path: Path) -> None:
    path = tmp_path / "history.sqlite"
    record(path, (START, 1))
    ticks, _, _ = inspect(path).tiers
    assert (ticks.entries, ticks.oldest_ms, ticks.value_bytes) == (1, START * 1000, None)
