"""Answers from memory are those of the file, byte for byte, or there are none."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from tests.failures.test_history import until
from tests.history.naive import layout_of
from tests.history.test_store import CPU, DISKS, MEMORY, START, Recorded, walk

from tickboard.history import recent, writing
from tickboard.history.answers import Answer, Question
from tickboard.history.encodings import PIECES
from tickboard.history.layout import Layout
from tickboard.history.store import History, Retention

LAYOUT = layout_of([CPU, MEMORY, *DISKS], [4, 0, 6, 1, 2])


@pytest.fixture
def recorded(tmp_path: Path) -> Iterator[Recorded]:
    found = Recorded(tmp_path / "state" / "history.sqlite")
    found.begin()
    yield found
    found.history.close()


def question(recorded: Recorded, seconds: float, *patterns: str, points: int = 5000, end: float = 1.0) -> Question:
    """Return a question about the last seconds; `end` is how many seconds after the newest tick it ends."""
    newest = recorded.now - recorded.interval_s
    return Question(patterns, round((newest - seconds) * 1000), round((newest + end) * 1000), points)


def remembered(recorded: Recorded, asked: Question) -> Answer | None:
    """Return the answer from memory, after checking that the file gives the same."""
    recorded.history.flush()
    # In this order, since ticks may be sealed meanwhile.
    read = recorded.history.read(asked)
    answer = recorded.history.answer_from_memory(asked)
    if answer is not None:
        assert {name: list(pieces(answer)) for name, pieces in PIECES.items()} == {
            name: list(pieces(read)) for name, pieces in PIECES.items()
        }
    return answer


def append(recorded: Recorded, layout: Layout, ticks: int, seed: int = 0) -> None:
    recorded.append(layout, walk(ticks, int(layout.columns.max()) + 1, seed))


@pytest.mark.parametrize("points", [5000, 60, 17, 5, 1])
@pytest.mark.parametrize("patterns", [(), ("cpu",), ("disk", "memory"), ('*{device="sdb"}',), ("nothing",)])
@pytest.mark.parametrize("end", [0.5, -10.0, 100.0])
def test_the_newest_ticks_are_answered_as_the_file_does(
    recorded: Recorded, points: int, patterns: tuple[str, ...], end: float
) -> None:
    rows = walk(150, 7)
    rows[20:60, 4] = np.nan
    rows[:, 6] = np.nan
    recorded.append(LAYOUT, rows)
    answer = remembered(recorded, question(recorded, 50.5, *patterns, points=points, end=end))
    assert answer is not None
    assert len(answer.times) <= points + 2
    assert (answer.tier == "minutes") == (points == 1 and end == 100)


def test_series_that_come_and_leave_are_answered_as_the_file_does(recorded: Recorded) -> None:
    append(recorded, layout_of([CPU, MEMORY]), 100)
    append(recorded, layout_of([CPU, ("memory", (), "kB"), *DISKS]), 30, seed=1)
    append(recorded, layout_of([DISKS[0], CPU]), 20, seed=2)
    for seconds in (10, 40, 100):
        for patterns in ((), ("cpu",), ("memory",), ("disk",)):
            for points in (5000, 7):
                assert remembered(recorded, question(recorded, seconds, *patterns, points=points)) is not None


def test_gaps_are_answered_as_the_file_does(recorded: Recorded) -> None:
    append(recorded, LAYOUT, 10)
    recorded.now += 40
    append(recorded, LAYOUT, 1)
    for points, found in ((5000, 10), (5, 2)):
        answer = remembered(recorded, question(recorded, 49, points=points))
        assert answer is not None
        assert len(answer.times) == found
    gap = question(recorded, 30, end=-10)
    answer = remembered(recorded, gap)
    assert answer is not None
    assert (len(answer.times), answer.series) == (0, ())
    assert remembered(recorded, question(recorded, 3600, end=-3500)) is None, "before the first tick"
    assert remembered(recorded, question(recorded, -3600, end=3700)) is None, "after the newest"


def test_amended_ticks_are_answered_as_the_file_does(recorded: Recorded) -> None:
    append(recorded, LAYOUT, 70)
    for back, values in ((0, [1.0, 2.0]), (5, [np.nan, 3.0]), (5.3, [4.0, 5.0]), (64.5, [6.0, 7.0]), (63, [8.0, 9.0])):
        time = recorded.now - recorded.interval_s - back
        recorded.history.amend(time, LAYOUT, np.array([0, 4]), np.array(values))
    # After the newest tick, and before the first.
    recorded.history.amend(recorded.now, LAYOUT, np.array([0]), np.array([10.0]))
    recorded.history.amend(START - 100, LAYOUT, np.array([0]), np.array([11.0]))
    answer = remembered(recorded, question(recorded, 69))
    assert answer is not None
    memory = next(one for one in answer.series if one.name == "memory")
    assert memory.avg[-1] == 1
    assert recorded.history.status().dropped == 2


def test_after_a_gap_a_time_without_a_tick_changes_nothing(recorded: Recorded) -> None:
    append(recorded, LAYOUT, 64)
    recorded.now += 10
    append(recorded, LAYOUT, 5)
    recorded.history.amend(recorded.now - 9, LAYOUT, np.array([0]), np.array([10.0]))
    recorded.history.amend(recorded.now - 5.5, LAYOUT, np.array([0]), np.array([20.0]))
    answer = remembered(recorded, question(recorded, 78))
    assert answer is not None
    memory = next(one for one in answer.series if one.name == "memory")
    assert 10 not in memory.avg
    assert memory.avg[64] == 20


@pytest.mark.parametrize(("back", "left"), [(20, 19), (29.5, 28)])
def test_a_tick_amended_with_another_layout_is_read_from_the_file(recorded: Recorded, back: float, left: int) -> None:
    append(recorded, layout_of([CPU]), 30)
    after = layout_of([CPU, MEMORY])
    append(recorded, after, 1)
    recorded.history.amend(recorded.now - 1 - back, after, np.array([1]), np.array([5.0]))
    assert remembered(recorded, question(recorded, left + 1)) is None
    assert remembered(recorded, question(recorded, left)) is not None


def test_a_tick_that_may_be_the_one_before_the_first_is_forgotten(recorded: Recorded) -> None:
    append(recorded, LAYOUT, 10)
    recorded.history.amend(START - 0.5, LAYOUT, np.array([0]), np.array([5.0]))
    assert remembered(recorded, question(recorded, 9)) is None
    assert remembered(recorded, question(recorded, 8)) is not None


def test_sealed_ticks_are_read_from_the_file_once(tmp_path: Path) -> None:
    recorded = Recorded(tmp_path / "h.sqlite", commit_s=3600)
    recorded.begin()
    rows = np.random.default_rng(0).normal(0, 1, (1000, 7))
    recorded.append(LAYOUT, rows[:700])
    assert remembered(recorded, question(recorded, 699, "cpu")) is not None
    recorded.append(LAYOUT, rows[700:])
    recorded.history.settle()
    # The first block ends after 600 ticks.
    before = question(recorded, 400, "cpu")
    assert recorded.history.answer_from_memory(before) is None
    assert remembered(recorded, question(recorded, 399, "cpu")) is not None
    # Buckets would begin in the block.
    assert recorded.history.answer_from_memory(question(recorded, 398, "cpu", points=9)) is None
    append(recorded, LAYOUT, 10)
    assert remembered(recorded, question(recorded, 408, "cpu")) is not None
    assert recorded.history.answer_from_memory(before) is None
    assert remembered(recorded, before) is not None
    recorded.history.close()


@pytest.mark.parametrize(("points", "tier"), [(4, "raw"), (3, "minutes"), (1, "minutes")])
@pytest.mark.parametrize("pattern", ["cpu", "disk"])
def test_buckets_of_minutes_are_those_of_the_file(recorded: Recorded, points: int, tier: str, pattern: str) -> None:
    rows = walk(300, 7)
    rows[100:130, 6] = np.nan
    recorded.append(LAYOUT, rows)
    answer = remembered(recorded, question(recorded, 190, pattern, points=points))
    assert answer is not None
    assert answer.tier == tier


def test_buckets_of_hours_are_those_of_the_file(recorded: Recorded) -> None:
    recorded.begin(interval_s=60, window=300)
    append(recorded, LAYOUT, 300)
    answer = remembered(recorded, question(recorded, 3 * 3600, points=3))
    assert answer is not None
    assert (answer.tier, answer.resolution_ms) == ("hours", 2 * 3_600_000)


def test_large_answers_are_read_from_the_file(recorded: Recorded, monkeypatch: pytest.MonkeyPatch) -> None:
    append(recorded, LAYOUT, 200)
    monkeypatch.setattr(recent, "MAX_VALUES", 500)
    assert remembered(recorded, question(recorded, 99)) is not None
    assert remembered(recorded, question(recorded, 100)) is None
    assert remembered(recorded, question(recorded, 190, "cpu")) is not None


def test_ticks_of_many_series_are_not_kept(recorded: Recorded, monkeypatch: pytest.MonkeyPatch) -> None:
    append(recorded, layout_of([CPU]), 10)
    monkeypatch.setattr(recent, "MAX_SERIES", 2)
    append(recorded, layout_of([CPU, *DISKS]), 1)
    assert remembered(recorded, question(recorded, 5)) is None
    append(recorded, layout_of([CPU]), 10)
    assert remembered(recorded, question(recorded, 10)) is None
    assert remembered(recorded, question(recorded, 9)) is not None


def test_memory_is_bounded(recorded: Recorded, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recent, "KEPT_BYTES", 3 * 64 * 6 * 8)
    append(recorded, LAYOUT, 300)
    assert remembered(recorded, question(recorded, 171)) is not None
    assert remembered(recorded, question(recorded, 172)) is None


def test_many_layouts_and_selectors_are_answered(recorded: Recorded, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recent, "_LAYOUTS", 3)
    monkeypatch.setattr(recent, "_CHOICES", 2)
    for number in range(9):
        append(recorded, layout_of([CPU, DISKS[number % 3]]), 5, seed=number)
        for pattern in ("cpu", "disk", "*"):
            assert remembered(recorded, question(recorded, 12, pattern)) is not None or number < 2
    assert remembered(recorded, question(recorded, 44)) is not None


def test_earlier_epochs_are_read_from_the_file(recorded: Recorded) -> None:
    append(recorded, LAYOUT, 50)
    newest = recorded.now - 1
    recorded.now = newest - 10
    recorded.begin()
    append(recorded, LAYOUT, 11, seed=1)
    assert remembered(recorded, question(recorded, 5)) is None, "the earlier epoch had ticks then"
    append(recorded, LAYOUT, 20, seed=2)
    assert recorded.now - 1 - 20 == newest
    assert remembered(recorded, question(recorded, 20)) is None
    assert remembered(recorded, question(recorded, 19)) is not None


def test_an_earlier_run_is_read_from_the_file(recorded: Recorded) -> None:
    append(recorded, LAYOUT, 50)
    recorded.history.close()
    recorded.open()
    recorded.begin(interval_s=2)
    assert recorded.history.answer_from_memory(question(recorded, 5)) is None
    append(recorded, LAYOUT, 10)
    assert remembered(recorded, question(recorded, 20)) is None
    answer = remembered(recorded, question(recorded, 18))
    assert answer is not None
    assert answer.resolution_ms == 2000


def test_series_that_the_file_does_not_have_yet_are_read_from_it(tmp_path: Path) -> None:
    history = History(tmp_path / "h.sqlite", Retention(), lambda problem: None, commit_s=3600)
    history.begin("run", 1000, 60)
    for second in range(10):
        history.append(second, START + second, layout_of([CPU]) if second == 9 else LAYOUT, np.full(7, second))
        asked = Question((), START * 1000, (START + 100) * 1000, 100)
        assert history.answer_from_memory(asked) is None
    history.flush()
    assert history.answer_from_memory(asked) is not None
    history.close()
    assert history.answer_from_memory(asked) is None


def test_new_series_do_not_keep_others_from_being_answered_until_they_are_written(tmp_path: Path) -> None:
    history = History(tmp_path / "h.sqlite", Retention(), lambda problem: None, commit_s=3600)
    history.begin("run", 1000, 60)
    for second in range(10):
        history.append(second, START + second, LAYOUT, np.full(7, float(second)))
    history.flush()
    asked = {pattern: Question((pattern,), START * 1000, (START + 100) * 1000, 100) for pattern in ("cpu", "disk", "*")}
    assert None not in [history.answer_from_memory(question) for question in asked.values()]
    # A program comes, another one leaves, and a unit changes.
    came = layout_of([("process", (("name", "sh"),), "%"), CPU, ("memory", (), "kB"), DISKS[1]])
    history.append(10, START + 10, came, np.arange(4.0))
    found = {pattern: history.answer_from_memory(question) for pattern, question in asked.items()}
    assert found["*"] is None
    changed = Question(("memory",), START * 1000, (START + 100) * 1000, 100)
    assert history.answer_from_memory(changed) is None
    history.flush()
    for pattern in ("cpu", "disk"):
        assert (answer := found[pattern]) is not None
        assert answer.times[-1] == (START + 10) * 1000
        assert [*PIECES["json"](answer)] == [*PIECES["json"](history.read(asked[pattern]))]
    assert history.answer_from_memory(changed) is not None
    history.close()


def test_more_layouts_than_are_remembered_are_read_from_the_file(recorded: Recorded) -> None:
    first, newest = layout_of([CPU, MEMORY]), layout_of([CPU, ("memory", (), "kB")])
    append(recorded, first, 1)
    for _ in range(40):
        append(recorded, layout_of([CPU]), 1)
        remembered(recorded, question(recorded, 0.5, "cpu"))
    append(recorded, newest, 1)
    # Looking for each of their series would take too long.
    assert remembered(recorded, question(recorded, 0.5, "cpu")) is None
    # After this, the ids of the first one are known again, but its unit is not the newest.
    recorded.history.amend(START, first, np.array([0]), np.array([5.0]))
    remembered(recorded, question(recorded, 0.5, "cpu"))
    append(recorded, newest, 1)
    assert remembered(recorded, question(recorded, 0.5, "memory")) is None


def test_a_new_file_in_place_of_a_lost_one_is_read(recorded: Recorded, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "THROUGH_S", 0.01)
    append(recorded, LAYOUT, 10)
    recorded.history.flush()
    asked = question(recorded, 5)
    assert recorded.history.answer_from_memory(asked) is not None
    for ending in ("", "-wal", "-shm"):
        Path(f"{recorded.path}{ending}").unlink(missing_ok=True)
    until(lambda: recorded.problems)
    assert recorded.history.answer_from_memory(asked) is None
    append(recorded, LAYOUT, 10)
    assert remembered(recorded, question(recorded, 15)) is None
    assert remembered(recorded, question(recorded, 8)) is not None
