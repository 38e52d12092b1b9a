"""What leaves a file, and what stays in it."""

import sqlite3
import struct
from pathlib import Path

import numpy as np
import pytest
from tests.history.recorded import LAYOUT, START, record

from tickboard.errors import HistoryError
from tickboard.history.answers import Answer, Question
from tickboard.history.exporting import readable
from tickboard.history.forgetting import forget
from tickboard.history.inspecting import inspect
from tickboard.history.store import History, Retention

WHOLE = Question((), START * 1000, (START + 20_000) * 1000, 5)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "history.sqlite"
    # Ticks, minutes, and rows that are in no block yet.
    record(file, (START, 15_500))
    return file


def answer(path: Path, question: Question) -> Answer:
    history = History(path, Retention(), lambda problem: None)
    try:
        return history.read(question)
    finally:
        history.close()


@pytest.mark.parametrize("points", [5, 100_000])
def test_forgotten_series_leave_every_tier_and_the_others_are_unchanged(path: Path, points: int) -> None:
    question = Question((), WHOLE.start_ms, WHOLE.end_ms, points)
    before = answer(path, question)
    assert forget(path, ("disk",)) == 2
    after = answer(path, question)
    assert [series.name for series in after.series] == ["cpu.usage"]
    assert after.times.tolist() == before.times.tolist()
    for name in ("min", "max", "avg", "count"):
        assert np.array_equal(getattr(after.series[0], name), getattr(before.series[0], name))


def test_none_of_their_values_remain_in_the_file(path: Path) -> None:
    before = inspect(path)
    assert forget(path, ("*",)) == 3
    after = inspect(path)
    assert after.series == 0
    assert after.rows_bytes == 0
    assert after.tiers[0].entries == before.tiers[0].entries
    assert after.size_bytes < before.size_bytes
    with readable(path) as database:
        assert database.one("SELECT count(*) FROM blocks") == 0
        assert database.one("SELECT sum(bytes - length(times)) FROM spans") == 0


def test_the_bytes_of_their_rows_are_gone_even_from_free_pages(path: Path) -> None:
    values = [struct.pack("<d", 1000.0 + seq + 0.1) for seq in (0, 1, 500, 9_000, 15_000, 15_498)]
    with sqlite3.connect(path) as file:
        assert file.execute("PRAGMA freelist_count").fetchone()[0] > 0, "sealed rows have left free pages"
    assert values[-1] in path.read_bytes()
    forget(path, ("disk",))
    assert [value in path.read_bytes() for value in values] == [False] * len(values)


def test_a_series_that_comes_back_has_only_new_values(path: Path) -> None:
    forget(path, ("cpu.usage",))
    history = History(path, Retention(), lambda problem: None)
    history.begin("again", 1000, 60)
    history.append(1, START + 16_000, LAYOUT, np.array([7.0, 8.0, 9.0]))
    history.settle()
    found = history.read(Question(("cpu.usage",), WHOLE.start_ms, WHOLE.end_ms, 100_000))
    history.close()
    assert [series.avg[~np.isnan(series.avg)].tolist() for series in found.series] == [[7.0]]


def test_a_block_that_cannot_be_read_goes_too(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("UPDATE blocks SET block = x'00' WHERE key = (SELECT min(key) FROM blocks)")
    connection.commit()
    connection.close()
    assert forget(path, ("disk",)) == 2
    assert inspect(path).series == 1


def test_a_file_that_is_open_is_left_alone(path: Path) -> None:
    history = History(path, Retention(), lambda problem: None)
    try:
        with pytest.raises(HistoryError, match="is open in a running tickboard: stop that one first"):
            forget(path, ("cpu.usage",))
    finally:
        history.close()
    assert inspect(path).series == 3


def test_a_missing_file_is_not_created(tmp_path: Path) -> None:
    with pytest.raises(HistoryError, match="does not exist"):
        forget(tmp_path / "none.sqlite", ("cpu",))
    assert list(tmp_path.iterdir()) == []
