"""Work that takes long begins in the pause after a tick, and ends before the next tick is due."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from tests.history.naive import layout_of

from tickboard.history import unsealed, writing
from tickboard.history.answers import Question
from tickboard.history.layout import Retention
from tickboard.history.pauses import LONG_S, LONGEST_S, SHORT_S, Pauses
from tickboard.history.store import History
from tickboard.history.writer import Writer

START = 1_800_000_000
LAYOUT = layout_of([("cpu", (), "%")])
TICKS = 1_500


@pytest.fixture
def pauses() -> Pauses:
    """Return the pauses of a board with a tick a second: one has begun at 100, when its tick was 30 ms late."""
    found = Pauses()
    found.begin(100.0, 0.03, 1.0)
    found.use()
    return found


def test_a_pause_ends_when_the_next_tick_is_due(pauses: Pauses) -> None:
    assert not pauses.wait_s(100.0, SHORT_S)
    assert not pauses.wait_s(100.5, SHORT_S)
    assert not pauses.wait_s(100.97 - SHORT_S - 0.001, SHORT_S)
    assert pauses.wait_s(100.97 - SHORT_S + 0.001, SHORT_S)


def test_longer_work_needs_more_room_in_a_pause(pauses: Pauses) -> None:
    assert not pauses.wait_s(100.0, LONG_S)
    assert not pauses.wait_s(100.8, LONG_S)
    assert pauses.wait_s(100.9, LONG_S)
    assert not pauses.wait_s(100.9, SHORT_S)


def test_a_short_pause_has_room_for_one_piece_of_work_however_long(pauses: Pauses) -> None:
    pauses.begin(200.0, 0.008, 0.01)
    assert not pauses.wait_s(200.001, LONG_S)
    pauses.use()
    assert pauses.wait_s(200.001, LONG_S)
    assert pauses.wait_s(200.001, SHORT_S)
    pauses.begin(200.01, 0.008, 0.01)
    assert not pauses.wait_s(200.011, SHORT_S)


def test_work_waits_for_a_tick_that_does_not_come_no_longer_than_the_rest_of_an_interval(pauses: Pauses) -> None:
    assert pauses.wait_s(101.0, SHORT_S) == pytest.approx(0.94)
    assert pauses.wait_s(101.0, LONG_S) == pytest.approx(0.94)
    assert not pauses.wait_s(101.95, LONG_S)


def test_work_waits_a_second_at_most_for_a_tick_of_a_slow_board(pauses: Pauses) -> None:
    pauses.begin(200.0, 0.0, 60.0)
    pauses.use()
    assert pauses.wait_s(260.0, SHORT_S) == pytest.approx(LONGEST_S)
    assert not pauses.wait_s(261.01, SHORT_S)


def test_work_that_has_to_begin_does_not_wait_longer(pauses: Pauses) -> None:
    assert pauses.wait_s(100.97, SHORT_S, 101.07) == pytest.approx(0.1)
    assert not pauses.wait_s(101.07, SHORT_S, 101.07)


@pytest.mark.parametrize("late_s", [-5.0, 3600.0])
def test_ticks_whose_times_are_not_those_of_the_clock_delay_nothing(late_s: float) -> None:
    pauses = Pauses()
    for number in range(3):
        pauses.begin(100.0 + number, late_s, 1.0)
        pauses.use()
        assert not pauses.wait_s(100.5 + number, LONG_S)
        assert not pauses.wait_s(100.9 + number, LONG_S)


def test_work_before_the_first_tick_does_not_wait() -> None:
    assert not Pauses().wait_s(100.0, LONG_S)


# --- the thread that writes ---


class HeldPauses(Pauses):
    """Pauses that do not begin until `is_open` is set, and then have room for one step of the chores for each tick.

    A commit takes no room: on a busy machine it may come before the step that the tick has woken.
    """

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[float] = []
        self.room = 0
        self.is_open = self.is_commit = False

    def begin(self, now: float, late_s: float, interval_s: float) -> None:
        self.room = int(self.is_open)

    def wait_s(self, now: float, needed_s: float, latest: float = float("inf")) -> float:
        self.is_commit = latest < float("inf")
        if self.is_commit:
            return 0.0
        self.asked.append(needed_s)
        return 0.0 if self.room else 3600.0

    def use(self) -> None:
        if not self.is_commit:
            self.room = 0


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> HeldPauses:
    found = HeldPauses()
    monkeypatch.setattr(writing, "Pauses", lambda: found)
    return found


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> list[float | None]:
    """Return the result of each step of the chores."""
    found: list[float | None] = []
    step = Writer.step

    def counted(self: Writer) -> float | None:
        found.append(step(self))
        return found[-1]

    monkeypatch.setattr(Writer, "step", counted)
    return found


@pytest.fixture
def history(tmp_path: Path, held: HeldPauses) -> Iterator[History]:
    found = History(tmp_path / "h.sqlite", Retention(), lambda problem: None, commit_s=0.02)
    found.begin("run", 1000, 60)
    for second in range(TICKS):
        found.append(second + 1, START + second, LAYOUT, np.array([second / 7]))
    yield found
    found.close()


def until(condition: Callable[[], bool]) -> None:
    """Wait until something is so."""
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end, "it took too long"
        time.sleep(0.005)


def test_chores_take_a_step_in_each_pause_and_are_woken_by_the_tick_before_it(
    history: History, held: HeldPauses, steps: list[float | None]
) -> None:
    until(lambda: len(held.asked) > 1)
    # Meanwhile ticks are committed and read.
    assert len(history.read(Question((), START * 1000, (START + TICKS) * 1000, TICKS)).times) == TICKS
    assert not steps
    # From now on, only ticks wake the thread.
    history.retain(Retention(), 3600.0)
    held.is_open = True
    for second in range(TICKS, TICKS + 3):
        seen = len(steps)
        history.append(second + 1, START + second, LAYOUT, np.array([0.5]))
        until(lambda seen=seen: len(steps) > seen)  # type: ignore[misc]
    history.flush()
    assert len(steps) == 3
    assert set(held.asked) <= {SHORT_S, LONG_S}


def test_the_transaction_that_writes_a_span_is_expected_to_take_long(
    history: History, steps: list[float | None]
) -> None:
    history.settle()
    assert steps.count(LONG_S) == 2, "two blocks of ticks"
    assert history.status().raw.bytes


def test_a_commit_waits_for_a_tick_only_for_a_moment(
    history: History, held: HeldPauses, monkeypatch: pytest.MonkeyPatch
) -> None:
    until(lambda: not history.status().queued)
    latest: list[float] = []

    def wait(now: float, needed_s: float, at_latest: float = float("inf")) -> float:
        if at_latest < float("inf"):
            latest.append(at_latest - now)
        return max(0.0, min(3600.0, at_latest - now))

    monkeypatch.setattr(held, "wait_s", wait)
    history.append(TICKS + 1, START + TICKS, LAYOUT, np.array([0.5]))
    until(lambda: not history.status().queued)
    assert min(latest) <= 0 < max(latest) <= writing.COMMIT_WAIT_S


def test_rows_are_read_in_steps_however_often_the_series_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, steps: list[float | None]
) -> None:
    monkeypatch.setattr(unsealed, "_BATCH_BYTES", 800)
    layouts = [layout_of([("cpu", (), "%"), (f"m{number}", (), "")]) for number in range(3)]
    rows = np.random.default_rng(0).normal(0, 1, (1_200, 2))
    history = History(tmp_path / "h.sqlite", Retention(), lambda problem: None, commit_s=3600)
    history.begin("run", 1000, 60)
    for second, row in enumerate(rows):
        history.append(second + 1, START + second, layouts[second // 100 % 3], row)
    history.flush()
    question = Question((), START * 1000, (START + 1_200) * 1000, 1_200)
    before = history.read(question)
    history.settle()
    assert history.status().raw.bytes
    assert len(steps) > 600 * 16 // 800
    for one, other in zip(before.series, history.read(question).series, strict=True):
        np.testing.assert_allclose(one.avg, other.avg, rtol=2e-5, atol=1e-3)
        np.testing.assert_array_equal(one.count, other.count)
    history.close()
