"""Rows that are not in blocks are read once, and answers have them as they are in the file."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from tests.history.naive import layout_of

from tickboard.expressions.alignment import Floats
from tickboard.history import unsealed, unsealed_cache
from tickboard.history.answers import Question
from tickboard.history.file import FOREVER, HistoryFile, open_to_read
from tickboard.history.layout import Layout, Retention
from tickboard.history.store import History
from tickboard.history.unsealed import read_rows

START = 1_800_000_000

NARROW, WIDE = (layout_of([(f"m{number:04}", (), "") for number in range(series)]) for series in (3, 2_000))


@pytest.fixture
def history(tmp_path: Path) -> Iterator[History]:
    found = History(tmp_path / "h.sqlite", Retention(), lambda problem: None)
    found.begin("run", 1000, 60)
    yield found
    found.close()


def append(history: History, layout: Layout, rows: Floats, first: int) -> None:
    for seq, row in enumerate(rows, first):
        history.append(seq + 1, START + seq, layout, row)


def values(history: History, ticks: int) -> Floats:
    """Return the values of all series, float64 [ticks, series]."""
    answer = history.read(Question((), START * 1000, (START + ticks) * 1000, ticks))
    assert answer.times.tolist() == [(START + second) * 1000 for second in range(ticks)]
    return np.array([each.avg for each in answer.series]).T


@pytest.mark.parametrize(("most", "part"), [(2**26, 2**22), (2**26, 2_000), (0, 0)])
def test_an_answer_has_what_was_recorded_and_amended_after_the_answer_before(
    history: History, monkeypatch: pytest.MonkeyPatch, most: int, part: int
) -> None:
    monkeypatch.setattr(unsealed_cache, "KEPT_BYTES", most)
    monkeypatch.setattr(unsealed_cache, "_PART_BYTES", part)
    rows = np.random.default_rng(0).integers(0, 1000, (900, 3)).astype(float)
    append(history, NARROW, rows[:400], 0)
    np.testing.assert_array_equal(values(history, 400), rows[:400])
    append(history, NARROW, rows[400:403], 400)
    np.testing.assert_array_equal(values(history, 403), rows[:403])
    rows[100, 1] = -1
    history.amend(START + 100, NARROW, np.array([1]), np.array([-1.0]))
    history.flush()
    np.testing.assert_array_equal(values(history, 403), rows[:403])
    # A column moves, and another series joins.
    layout = Layout((NARROW.keys[2], NARROW.keys[0], NARROW.keys[1], ("new", (), "")), np.arange(4))
    append(history, layout, np.column_stack([rows[403:, 2], rows[403:, :2], np.ones(497)]), 403)
    found = values(history, 900)
    np.testing.assert_array_equal(found[:, :3], rows)
    np.testing.assert_array_equal(found[:, 3], [*[np.nan] * 403, *[1.0] * 497])
    history.settle()
    np.testing.assert_array_equal(values(history, 900), found)


def test_rows_that_were_read_are_not_read_again(history: History) -> None:
    append(history, NARROW, np.ones((10, 3)), 0)
    values(history, 10)
    with closing(sqlite3.connect(history.path)) as file, file:
        # No reader can know of this.
        file.execute("UPDATE ticks SET row = zeroblob(24) WHERE position < ?", ((1 << 40) + 6,))
    append(history, NARROW, np.full((1, 3), 5.0), 10)
    assert values(history, 11)[:, 0].tolist() == [*[1.0] * 10, 5.0]
    history.amend(START + 8, NARROW, np.array([0]), np.array([8.0]))
    history.flush()
    assert values(history, 11)[:, 0].tolist() == [*[0.0] * 5, *[1.0] * 3, 8.0, 1.0, 5.0]


def test_an_answer_right_after_the_commit_of_an_amendment_has_it(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    append(history, NARROW, np.ones((10, 3)), 0)
    history.flush()
    assert values(history, 9)[5, 0] == 1
    found: list[float] = []
    do = HistoryFile.do

    def watched(self: HistoryFile, statement: str, *arguments: object) -> int:
        """Ask before and after each commit, in the thread that commits."""
        if statement != "COMMIT":
            return do(self, statement, *arguments)
        found.append(values(history, 9)[5, 0])
        result = do(self, statement, *arguments)
        found.append(values(history, 9)[5, 0])
        return result

    monkeypatch.setattr(HistoryFile, "do", watched)
    history.amend(START + 5, NARROW, np.array([0]), np.array([7.0]))
    history.flush()
    assert found[:2] == [1.0, 7.0]


@pytest.mark.parametrize("wanted", [1, 2_000])
def test_a_few_values_of_wide_rows_are_those_of_whole_rows(history: History, wanted: int) -> None:
    rows = np.random.default_rng(0).normal(0, 1, (5, 2_000))
    append(history, WIDE, rows, 0)
    history.flush()
    with closing(open_to_read(history.path)) as database:
        [part] = read_rows(database, 1, (START + 1) * 1000, (START + 4) * 1000, wanted)
        assert (part.values is None) == (wanted == 1)
        assert part.times.tolist() == [(START + second) * 1000 for second in (1, 2, 3)]
        places = np.array([1_999, 0])
        assert part.ids[places].tolist() == [2_000, 1]
        np.testing.assert_array_equal(part.columns(places), rows[1:4, places])


def test_a_batch_of_rows_is_bounded_however_much_wider_rows_become(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unsealed, "_BATCH_BYTES", 64_000)
    append(history, NARROW, np.ones((1, 3)), 0)
    append(history, WIDE, np.ones((50, 2_000)), 1)
    history.flush()
    with closing(open_to_read(history.path)) as database:
        parts = list(read_rows(database, 1, 0, FOREVER))
        assert sum(len(part) for part in parts) == 51
        assert max(len(part) * len(part.ids) * 8 for part in parts) <= 64_000
        # The newest row is wide, so that one value of each row is read without the others.
        assert all(part.values is None for part in read_rows(database, 1, 0, FOREVER, 1))


@pytest.mark.parametrize("last", [NARROW, WIDE])
def test_rows_that_became_too_many_to_keep_leave_memory(
    history: History, monkeypatch: pytest.MonkeyPatch, last: Layout
) -> None:
    monkeypatch.setattr(unsealed_cache, "KEPT_BYTES", 500_000)
    rows = np.full((52, 2_000), np.nan)
    rows[0, :3] = 1.0
    append(history, NARROW, rows[:1, :3], 0)
    append(history, WIDE, np.ones((1, 2_000)), 1)
    rows[1] = 1.0
    np.testing.assert_array_equal(values(history, 2), rows[:2])
    kept = history._reader._unsealed
    assert sum(map(len, kept._parts)) == 2
    append(history, WIDE, np.full((49, 2_000), 2.0), 2)
    rows[2:51] = 2.0
    append(history, last, np.full((1, len(last.keys)), 3.0), 51)
    rows[51, : len(last.keys)] = 3.0
    for _ in range(2):
        np.testing.assert_array_equal(values(history, 52), rows)
        assert kept._parts == []


def test_the_first_row_of_a_range_is_found_wherever_it_is(history: History, tmp_path: Path) -> None:
    chance = np.random.default_rng(3)
    seconds = np.flatnonzero(chance.random(300) < 0.4).tolist()
    for seq in seconds:
        history.append(seq + 1, START + seq, NARROW, np.zeros(3))
    history.flush()
    with closing(open_to_read(tmp_path / "h.sqlite")) as database:
        for start in range(-2, 303):
            for length in (1, 3, 400):
                wanted = next((each for each in seconds if start <= each < start + length), None)
                found = unsealed.first_row(database, 1, (START + start) * 1000, (START + start + length) * 1000)
                assert (None if found is None else found[1]) == (None if wanted is None else (START + wanted) * 1000)
        assert unsealed.first_row(database, 7, 0) is None
