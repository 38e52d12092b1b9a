"""Answers from ticks that were kept are those of the file, byte for byte, and never older."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.history.naive import layout_of
from tests.history.test_store import CPU, DISKS, MEMORY, START, Recorded, walk

from tickboard.expressions.alignment import Floats
from tickboard.history import kept, store
from tickboard.history.answers import Answer, Question
from tickboard.history.contents import Contents
from tickboard.history.encodings import PIECES
from tickboard.history.file import open_to_read
from tickboard.history.kept import KeptRanges, KeptTicks
from tickboard.history.layout import Retention
from tickboard.history.reading import HistorySnapshot
from tickboard.history.spans import ColumnReader, Span

LAYOUT = layout_of([CPU, MEMORY, *DISKS])

BLOCK_S = 600


@pytest.fixture
def recorded(tmp_path: Path) -> Iterator[Recorded]:
    """A history with two blocks and rows after them."""
    found = Recorded(tmp_path / "state" / "history.sqlite", commit_s=3600)
    found.begin()
    rows = walk(1400, 5)
    rows[100:160, 2] = np.nan
    found.append(LAYOUT, rows)
    found.history.settle()
    yield found
    found.history.close()


def question(start_s: float, end_s: float, *patterns: str, points: int = 5000) -> Question:
    """Return a question about seconds after `START`."""
    return Question(patterns, round((START + start_s) * 1000), round((START + end_s) * 1000), points)


def documents(answer: Answer) -> list[list[bytes]]:
    return [list(pieces(answer)) for pieces in PIECES.values()]


def from_file(recorded: Recorded, asked: Question) -> Answer:
    """Return the answer of the file, from a connection that keeps nothing."""
    database = open_to_read(recorded.path)
    with database.transaction("DEFERRED"):
        answer = HistorySnapshot(database, Contents(), lambda: True).answer(asked)
    database.close()
    return answer


def remembered(recorded: Recorded, asked: Question) -> Answer | None:
    """Return the answer from memory, after checking that the file gives the same."""
    answer = recorded.history.answer_from_memory(asked)
    if answer is not None:
        assert documents(answer) == documents(from_file(recorded, asked))
    return answer


def read(recorded: Recorded, asked: Question) -> None:
    """Have the history read a range, which it keeps."""
    assert documents(recorded.history.read(asked)) == documents(from_file(recorded, asked))


@pytest.mark.parametrize("patterns", [(), ("cpu",), ("disk", "memory"), ("nothing",)])
def test_a_range_that_was_read_is_kept_to_the_ends_of_its_blocks(recorded: Recorded, patterns: tuple[str, ...]) -> None:
    asked = question(200, 260, *patterns)
    assert remembered(recorded, asked) is None, "nothing was read yet"
    read(recorded, asked)
    for start, end in ((200, 260), (0, 600), (130.5, 131.5), (90, 170)):
        for points in (5000, 60, 20):
            assert remembered(recorded, question(start, end, *patterns, points=points)) is not None
    for start, end in ((-1, 60), (500, 601), (700, 710)):
        assert remembered(recorded, question(start, end, *patterns)) is None


def test_a_range_of_several_blocks_is_kept(recorded: Recorded) -> None:
    read(recorded, question(590, 610, "cpu"))
    answer = remembered(recorded, question(0, 1200, "cpu", points=100))
    assert answer is not None
    assert len(answer.times) == 100


def test_other_series_are_read_from_the_file(recorded: Recorded) -> None:
    read(recorded, question(0, 600, "cpu"))
    assert remembered(recorded, question(0, 600, "memory")) is None
    assert remembered(recorded, question(0, 600)) is None


def test_buckets_of_a_minute_and_those_that_begin_earlier_are_read_from_the_file(recorded: Recorded) -> None:
    read(recorded, question(0, 600, "cpu"))
    assert remembered(recorded, question(0, 600, "cpu", points=10)) is None
    assert remembered(recorded, question(0, 600, "cpu", points=12)) is not None
    # Buckets of 55 seconds would begin before the block.
    assert START % 55
    assert remembered(recorded, question(0, 600, "cpu", points=11)) is None


@pytest.mark.parametrize("patterns", [(), ("cpu",), ("disk",), ("nothing",)])
@pytest.mark.parametrize("points", [5000, 150, 29, 7])
def test_ticks_from_blocks_and_newer_ones_are_answered_together(
    recorded: Recorded, patterns: tuple[str, ...], points: int
) -> None:
    asked = question(1100, 1401, *patterns, points=points)
    assert remembered(recorded, asked) is None
    read(recorded, asked)
    answer = remembered(recorded, asked)
    assert answer is not None
    # Buckets of 43 seconds are in both.
    assert answer.tier == "raw"
    recorded.append(LAYOUT, walk(10, 5, seed=1))
    recorded.history.flush()
    assert remembered(recorded, question(1110, 1411, *patterns, points=points)) is not None
    assert remembered(recorded, question(590, 1411, *patterns, points=points)) is None, "another block"


def test_newer_ticks_may_be_of_other_series(recorded: Recorded) -> None:
    recorded.append(layout_of([DISKS[0], CPU]), walk(10, 2))
    recorded.history.flush()
    for patterns in ((), ("disk",), ("memory",)):
        asked = question(1100, 1500, *patterns)
        read(recorded, asked)
        assert remembered(recorded, asked) is not None
    before = question(1100, 1500, "*")
    read(recorded, before)
    recorded.append(layout_of([DISKS[0], ("more", (), "")]), walk(1, 2))
    assert recorded.history.answer_from_memory(before) is None, "the file does not have the new series"
    recorded.history.flush()
    assert recorded.history.answer_from_memory(before) is None, "what was kept does not have it"
    read(recorded, before)
    assert remembered(recorded, before) is not None


def test_newer_ticks_with_another_interval_are_read_from_the_file(recorded: Recorded) -> None:
    asked = question(1100, 3000, "cpu")
    recorded.now += 200
    recorded.begin(interval_s=2)
    recorded.append(LAYOUT, walk(200, 5))
    recorded.history.settle()
    read(recorded, question(1100, 1400, "cpu"))
    assert remembered(recorded, question(1100, 1400, "cpu")) is not None
    assert remembered(recorded, asked) is None


def test_newer_ticks_that_are_being_sealed_are_read_from_the_file(recorded: Recorded) -> None:
    asked = question(1100, 1401, "cpu")
    read(recorded, asked)
    recorded.append(LAYOUT, walk(600, 5))
    recorded.history.settle()
    assert remembered(recorded, asked) is None
    read(recorded, asked)
    assert remembered(recorded, asked) is not None


def test_late_values_of_newer_ticks_are_answered(recorded: Recorded) -> None:
    asked = question(1100, 1401, "cpu")
    read(recorded, asked)
    recorded.history.amend(START + 1300, LAYOUT, np.array([0]), np.array([999.0]))
    recorded.history.flush()
    answer = remembered(recorded, asked)
    assert answer is not None
    assert answer.series[0].max[200] == 999


def test_ticks_from_blocks_are_decoded_once_if_newer_ones_follow(
    recorded: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tickboard.history.recent.MAX_VALUES", 0)
    decoded: list[int] = []
    ticks = ColumnReader.ticks

    def counted(self: ColumnReader, spans: Sequence[Span], *others: Any) -> Floats:
        decoded.append(len(spans))
        return ticks(self, spans, *others)

    monkeypatch.setattr(ColumnReader, "ticks", counted)
    # Buckets of 11 seconds begin before the range.
    for points, count in ((5000, 300), (29, 307)):
        answer = recorded.history.read(question(1100, 1401, "cpu", points=points))
        assert sum(decoded) == 1
        assert sum(answer.series[0].count) == count
    recorded.history.read(question(590, 1401, "cpu"))
    assert sum(decoded) == 3, "another block"


def test_a_range_is_read_to_be_kept_only_once(recorded: Recorded, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tickboard.history.recent.MAX_VALUES", 0)
    put: list[KeptTicks] = []
    monkeypatch.setattr(KeptRanges, "put", lambda self, patterns, ticks: put.append(ticks))
    monkeypatch.setattr(KeptRanges, "find", lambda self, patterns: put[-1] if put else None)
    for _ in range(3):
        recorded.history.read(question(1100, 1401, "cpu"))
    assert len(put) == 1


def test_an_empty_range_is_read_from_the_file(recorded: Recorded) -> None:
    recorded.now += 1000
    recorded.append(LAYOUT, walk(1400, 5))
    recorded.history.settle()
    read(recorded, question(1300, 2500, "cpu"))
    assert remembered(recorded, question(1300, 2500, "cpu")) is not None
    assert remembered(recorded, question(1500, 1600, "cpu")) is None


def test_an_amended_tick_is_not_answered_as_it_was(recorded: Recorded) -> None:
    asked = question(0, 600, "cpu")
    read(recorded, asked)
    recorded.history.amend(START + 100, LAYOUT, np.array([0]), np.array([999.0]))
    recorded.history.flush()
    assert remembered(recorded, asked) is None
    read(recorded, asked)
    answer = remembered(recorded, asked)
    assert answer is not None
    assert answer.series[0].max[100] == 999


def test_new_rows_change_nothing_that_is_kept(recorded: Recorded) -> None:
    asked = question(0, 600, "cpu")
    read(recorded, asked)
    recorded.append(LAYOUT, walk(10, 5))
    recorded.history.flush()
    assert remembered(recorded, asked) is not None


def test_a_new_series_may_be_meant_by_the_same_selector(recorded: Recorded) -> None:
    asked = question(0, 600, "cpu")
    read(recorded, asked)
    recorded.append(layout_of([CPU, ("cpu", (("core", "1"),), "%")]), walk(1, 2))
    recorded.history.flush()
    assert remembered(recorded, asked) is None


def test_expired_ticks_are_not_answered(recorded: Recorded) -> None:
    asked = question(0, 600, "cpu")
    recorded.append(LAYOUT, walk(4 * 3600, 5))
    recorded.history.settle()
    read(recorded, asked)
    assert remembered(recorded, asked) is not None
    recorded.history.retain(Retention(raw_s=3600), 3600)
    recorded.append(LAYOUT, walk(600, 5))
    recorded.history.settle()
    assert remembered(recorded, asked) is None
    read(recorded, asked)
    assert remembered(recorded, asked) is None, "its ticks are minutes now"


def test_ticks_that_a_later_epoch_hides_are_not_answered(recorded: Recorded) -> None:
    asked = question(300, 600, "cpu")
    read(recorded, asked)
    recorded.now = float(START + 200)
    recorded.begin()
    recorded.append(LAYOUT, walk(1, 5, seed=1))
    recorded.history.flush()
    assert remembered(recorded, asked) is None
    # The epoch has no ticks in this range yet, but it may grow.
    read(recorded, asked)
    assert remembered(recorded, asked) is None
    recorded.append(LAYOUT, walk(200, 5, seed=2))
    recorded.history.flush()
    read(recorded, asked)


def test_each_file_is_read_anew(recorded: Recorded, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = question(0, 600, "cpu")
    read(recorded, asked)
    recorded.history.close()
    assert recorded.history.answer_from_memory(asked) is None
    recorded.open()
    assert recorded.history.answer_from_memory(asked) is None
    read(recorded, asked)
    assert remembered(recorded, asked) is not None


def test_large_answers_are_not_made_at_once(recorded: Recorded, monkeypatch: pytest.MonkeyPatch) -> None:
    read(recorded, question(0, 600))
    monkeypatch.setattr(store, "MAX_VALUES", 500)
    assert remembered(recorded, question(0, 100)) is not None
    assert remembered(recorded, question(0, 101)) is None


def test_large_ranges_are_not_kept(recorded: Recorded, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tickboard.history.reading.MAX_KEPT_VALUES", 5 * BLOCK_S)
    for start, end, is_kept in ((590, 610, False), (0, 600, True)):
        read(recorded, question(start, end))
        assert (remembered(recorded, question(start, end)) is not None) is is_kept


def ticks(count: int) -> KeptTicks:
    return KeptTicks(1, 1000, 0, 1000 * count, np.arange(count) * 1000, np.zeros((1, count)), np.zeros(1, np.int64), ())


def test_memory_is_bounded_and_what_was_used_last_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "KEPT_BYTES", 3 * ticks(10).size)
    ranges = KeptRanges(lambda: (1, 0))
    ranges.expect()
    for name in "abc":
        ranges.put((name,), ticks(10))
    assert ranges.find(("a",)) is not None
    ranges.put(("d",), ticks(10))
    assert [name for name in "abcd" if ranges.find((name,)) is not None] == ["a", "c", "d"]
    ranges.put(("a",), ticks(5))
    ranges.put(("e",), ticks(5))
    assert [name for name in "acde" if ranges.find((name,)) is not None] == ["a", "c", "d", "e"]


def test_what_was_read_while_the_file_changed_is_not_kept() -> None:
    version = (1, 0)
    ranges = KeptRanges(lambda: version)
    ranges.expect()
    version = (1, 1)
    ranges.put(("a",), ticks(1))
    ranges.expect()
    ranges.put(("a",), ticks(1))
    version = (1, 2)
    assert ranges.find(("a",)) is None
    ranges.expect()
    ranges.put(("a",), ticks(1))
    assert ranges.find(("a",)) is not None
    version = (1, 3)
    assert ranges.find(("a",)) is None
