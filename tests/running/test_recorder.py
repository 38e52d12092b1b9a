"""A board's ticks go into its history, and the next run of it begins with them."""

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from tickboard import Board
from tickboard.engine import Engine
from tickboard.errors import HistoryError
from tickboard.history.answers import Answer, Question
from tickboard.history.options import HistoryOptions
from tickboard.history.store import History
from tickboard.hub.encodings import whole
from tickboard.metrics.intake import Intake
from tickboard.metrics.registry import Registry
from tickboard.problems import Problems
from tickboard.running import recorder as recorder_module
from tickboard.running.recorder import SOURCE, TickRecorder
from tickboard.settings import Settings


class Bench:
    """An engine whose ticks are recorded, a second after each other, up to now."""

    def __init__(self, path: Path, epoch: str = "e", window: int = 10, first: float | None = None) -> None:
        self.registry = Registry()
        self.intake = Intake(self.registry)
        self.engine = Engine(self.registry, [], window, epoch, lambda: "id", self.intake)
        self.problems = Problems()
        self.recorder = opened(path, self.problems)
        self.time = float(int(time.time()) - 600) if first is None else first

    def tick(self, now: float | None = None) -> None:
        self.time = self.time + 1 if now is None else now
        happened = self.engine.tick(self.time, 1.0)
        for _ in self.recorder.record(self.engine, happened, 1000):
            pass

    def read(self, *patterns: str) -> Answer:
        """Return all that is kept of the time of this bench."""
        return self.recorder.history.read(
            Question(patterns, int(self.time - 300) * 1000, int(self.time + 300) * 1000, 5000)
        )


OPENED: list[TickRecorder] = []


def opened(path: Path, problems: Problems) -> TickRecorder:
    recorder = TickRecorder.open(HistoryOptions(str(path)), problems)
    assert recorder is not None
    OPENED.append(recorder)
    return recorder


@pytest.fixture(autouse=True)
def closed_afterwards() -> Iterator[None]:
    """Close the histories of a test, whose threads would disturb the tests after it."""
    yield
    while OPENED:
        OPENED.pop().history.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ticks.sqlite"


def values(answer: Answer) -> dict[str, list[float]]:
    return {one.name: one.avg.tolist() for one in answer.series}


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.01)


def test_every_tick_is_recorded_with_its_time_and_its_series(path: Path) -> None:
    bench = Bench(path)
    cpu = bench.registry.gauge("cpu", unit="%")
    disk = bench.registry.gauge("disk", labels=["name"])
    begun = bench.time
    for value in range(3):
        cpu.set(value)
        if value == 1:
            disk.labels(name="a").set(7)
        bench.tick()
    answer = bench.read()
    assert answer.times.tolist() == [int(begun + step) * 1000 for step in (1, 2, 3)]
    assert {(one.name, one.labels, one.unit) for one in answer.series} == {
        ("cpu", (), "%"),
        ("disk", (("name", "a"),), ""),
    }
    found = values(answer)
    assert found["cpu"] == [0, 1, 2]
    assert found["disk"][1:] == [7, 7]
    assert not bench.problems


def test_a_series_that_appears_after_the_row_was_made_is_recorded_from_the_next_tick(path: Path) -> None:
    bench = Bench(path)
    bench.registry.gauge("cpu").set(1)
    happened = bench.engine.tick(bench.time, 1.0)
    bench.registry.gauge("late").set(5)
    for _ in bench.recorder.record(bench.engine, happened, 1000):
        pass
    bench.tick()
    found = values(bench.read())
    assert found["cpu"] == [1, 1]
    assert found["late"][-1] == 5


def test_amended_ticks_are_also_amended_in_history(path: Path) -> None:
    bench = Bench(path)
    source = bench.intake.source("push")
    column = source.gauge("queue", "queue")
    source.set([column], [1.0])
    for _ in range(3):
        bench.tick()
    source.set([column], [9.0], [bench.time - 1])
    bench.tick()
    assert values(bench.read())["queue"] == [1, 9, 9, 9]


def test_a_sample_older_than_the_window_changes_its_tick_only_in_history(path: Path) -> None:
    bench = Bench(path, window=5)
    bench.intake.placement.late_s = bench.recorder.late_s
    source = bench.intake.source("push")
    column = source.gauge("queue", "queue")
    source.set([column], [1.0])
    for _ in range(20):
        bench.tick()
    source.set([column] * 2, [7.0, 8.0], [bench.time - 12.5, bench.time - 10])
    bench.tick()
    found = values(bench.read())["queue"]
    assert found == [1.0] * 7 + [7.0, 1.0, 8.0] + [1.0] * 11
    assert bench.engine.window.all().rows[:, column].tolist() == [1.0] * 5
    assert bench.recorder.history.status().dropped == 0


def test_rows_older_than_the_window_change_their_ticks_in_history(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorder_module, "STEP_LATE", 2)
    bench = Bench(path, window=5)
    bench.intake.placement.late_s = bench.recorder.late_s
    source = bench.intake.source("push")
    columns = np.array([source.gauge(name, name) for name in ("a", "b")], np.intp)
    for _ in range(20):
        bench.tick()
    times = bench.time - np.array([12.0, 11.0, 10.0])
    assert bench.intake.fill(columns, times, np.array([[1, 10], [np.nan, 11], [3, np.nan]])) == 0
    bench.tick()
    found = values(bench.read())
    assert np.array_equal(found["a"][7:11], [1, np.nan, 3, np.nan], equal_nan=True)
    assert np.array_equal(found["b"][7:11], [10, 11, np.nan, np.nan], equal_nan=True)
    assert bench.recorder.history.status().dropped == 0


def test_a_clock_that_was_set_back_begins_an_epoch_that_hides_overlapped_ticks(path: Path) -> None:
    bench = Bench(path)
    cpu = bench.registry.gauge("cpu")
    begun = bench.time
    for value in (1, 2, 3, 4, 5, 6, 7, 8):
        cpu.set(value)
        bench.tick()
    cpu.set(50)
    bench.tick(begun + 2)
    cpu.set(51)
    bench.tick(begun + 3)
    assert bench.engine.epoch == "e.2"
    assert values(bench.read())["cpu"] == [1, 50, 51, 4, 5, 6, 7, 8]


def test_the_next_run_begins_with_the_previous_window(path: Path) -> None:
    first = Bench(path)
    first.registry.gauge("cpu")
    source = first.intake.source("push")
    source.set([source.gauge("queue", "queue", [("host", "a")])], [3.0])
    for value in range(6):
        first.registry.gauge("cpu").set(value)
        first.tick()
    asyncio.run(first.recorder.close())
    second = Bench(path, "f", first=first.time + 3)
    cpu = second.registry.gauge("cpu")
    second.recorder.refill(second.engine, 10, second.time)
    assert not second.problems
    times = second.engine.window.times().tolist()
    assert times == [first.time - back for back in (5, 4, 3, 2, 1, 0)]
    assert (cpu.stats().avg, cpu.stats().count) == (2.5, 6)
    source = second.intake.source("push")
    source.set([source.gauge("queue", "queue", [("host", "a")])], [4.0])
    second.tick()
    stats = whole(second.engine.all_stats())['queue{host="a"}']
    assert (stats.count, stats.min, stats.max) == (7, 3, 4)
    # What came back was there already.
    assert values(second.read())["queue"] == [3] * 6 + [4]


def test_no_tick_older_than_the_window_or_later_than_now_comes_back(path: Path) -> None:
    first = Bench(path, window=100)
    cpu = first.registry.gauge("cpu")
    for value in range(40):
        cpu.set(value)
        first.tick()
    asyncio.run(first.recorder.close())
    second = Bench(path, "f", first=first.time - 10)
    cpu = second.registry.gauge("cpu")
    second.recorder.refill(second.engine, 10, second.time)
    assert second.engine.window.times().tolist() == [second.time - back for back in range(10, 0, -1)]
    assert (cpu.stats().min, cpu.stats().max) == (19, 28)


def test_ticks_of_a_shorter_interval_come_back_as_means(path: Path) -> None:
    first = Bench(path, window=100)
    cpu = first.registry.gauge("cpu")
    begun = first.time
    for value in range(40):
        cpu.set(value)
        first.tick()
    asyncio.run(first.recorder.close())
    second = Bench(path, "f", window=4, first=begun + 41)
    cpu = second.registry.gauge("cpu")
    second.recorder.refill(second.engine, 40, second.time)
    means = second.engine.window.all().rows[:, 0].tolist()
    assert len(means) == 4
    assert means == sorted(means)
    # Ten ticks each, and no tick of the last is later than now.
    assert (cpu.stats().min > 4, cpu.stats().max < 39.5) == (True, True)


def test_if_one_answer_cannot_have_all_series_the_declared_ones_come_back(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tickboard.history.reading.MAX_VALUES", 15)
    first = Bench(path)
    first.registry.gauge("cpu").set(1)
    first.registry.gauge("gone").set(2)
    for _ in range(3):
        first.tick()
    asyncio.run(first.recorder.close())
    second = Bench(path, "f", first=first.time + 1)
    cpu = second.registry.gauge("cpu")
    second.recorder.refill(second.engine, 10, second.time)
    assert cpu.stats().count == 3
    assert not second.problems


# --- what goes wrong ---


def test_a_file_that_is_in_use_is_reported_and_opened_later(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tickboard.history.writing.FIRST_PAUSE_S", 0.01)
    monkeypatch.setattr("tickboard.history.file.LOCK_WAIT_S", 0.01)
    monkeypatch.setattr(recorder_module, "SHOWN_S", 0.0)
    first = opened(path, Problems())

    async def main() -> None:
        second = Bench(path, "f")
        second.registry.gauge("cpu").set(1)
        assert "is in use by another tickboard" in second.problems[SOURCE].message
        [brief] = second.problems.shown(details=False)
        assert str(path) not in brief.message
        second.recorder.refill(second.engine, 10, second.time)
        second.recorder.start()
        second.tick()
        assert "is in use by another tickboard" in second.problems[SOURCE].message
        await first.close()
        await until(lambda: second.recorder.history.is_open)
        second.tick()
        await until(lambda: not second.problems)
        assert values(second.read()) == {"cpu": [1]}

    asyncio.run(main())


def test_a_history_without_a_thread_is_reported_and_there_is_no_recorder(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", full)
    problems = Problems()
    assert TickRecorder.open(HistoryOptions(str(path)), problems) is None
    assert "can't start new thread" in problems[SOURCE].message


def test_a_missing_history_is_not_a_problem() -> None:
    problems = Problems()
    assert TickRecorder.open(HistoryOptions("none"), problems) is None
    assert not problems


def test_a_problem_from_the_thread_of_history_is_shown_until_it_recovers(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder_module, "SHOWN_S", 0.05)

    async def main() -> None:
        bench = Bench(path)
        recorder = bench.recorder
        recorder._noted("before the start")
        assert not bench.problems
        recorder.start()
        assert bench.problems[SOURCE].message == "before the start"
        await asyncio.to_thread(recorder._noted, "the disk is full: make room")
        await until(lambda: bench.problems[SOURCE].message.startswith("the disk is full"))
        await asyncio.to_thread(recorder._noted, None)
        await until(lambda: not bench.problems)

    asyncio.run(main())


def test_a_problem_that_ends_at_once_is_shown_for_a_while(path: Path) -> None:
    async def main() -> None:
        bench = Bench(path)
        bench.recorder.start()
        bench.recorder._noted("it was deleted")
        bench.recorder._noted(None)
        await until(lambda: bench.problems)
        assert bench.problems[SOURCE].message == "it was deleted"
        bench.recorder._shown_until = 0.0
        bench.recorder._show()
        assert not bench.problems

    asyncio.run(main())


def test_an_exception_while_recording_is_reported_and_the_next_tick_is_recorded(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = Bench(path)
    bench.registry.gauge("cpu").set(1)
    with monkeypatch.context() as failing:
        failing.setattr(recorder_module, "Layout", lambda *_: 1 / 0)
        bench.tick()
        assert "ZeroDivisionError" in bench.problems[SOURCE].message
    bench.tick()
    assert not bench.problems
    assert values(bench.read())["cpu"] == [1]


def test_an_exception_while_reading_leaves_the_window_empty_and_is_reported(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read(_: History, question: Question) -> Answer:
        raise HistoryError("it is gone")

    monkeypatch.setattr(History, "read", read)
    bench = Bench(path)
    bench.recorder.refill(bench.engine, 10, bench.time)
    assert bench.engine.seq == 0
    assert "it is gone" in bench.problems[SOURCE].message


# --- a board ---


def run(main: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(30):
            await main()

    asyncio.run(bounded())


def make_board(path: Path, value: float) -> Board:
    # A long window, since a busy machine may take a while to serve the next board.
    board = Board(history=path, interval_ms=20, window_size=1000)
    board.gauge("cpu").set(value)
    board.prepare()
    return board


def test_a_board_records_while_it_is_served_and_continues_when_served_again(path: Path) -> None:
    async def main() -> None:
        board = make_board(path, 1)
        engine = board.hub.engine
        await board.start()
        await until(lambda: engine.seq >= 10)
        await board.close()
        again = make_board(path, 5)
        assert again.hub.engine.epoch != engine.epoch
        assert len(again.hub.engine.window) > 0
        await again.start()
        await until(lambda: again.metric("cpu").stats().max == 5)
        assert again.metric("cpu").stats().min == 1
        await again.close()

    run(main)


def test_a_board_that_replaces_another_continues_recording(path: Path) -> None:
    async def main() -> None:
        board = make_board(path, 1)
        live = board._live
        assert live is not None
        assert live.history is not None
        await board.start()
        await until(lambda: live.engine.seq >= 5)
        after = Board(interval_ms=20, window_size=20)
        after.gauge("cpu").set(2)
        after.prepare(after.defaults, replaces=board)
        await board.stop()
        await after.start()
        history = live.history
        assert after._live is not None
        assert after._live.history is history
        await until(lambda: after.hub.engine.seq >= 30)
        now_ms = int(time.time() * 1000)
        answer = history.read(Question(("cpu",), now_ms - 60_000, now_ms + 1000, 5000))
        await after.close()
        [cpu] = answer.series
        assert {1, 2} <= set(cpu.avg.tolist())
        assert sorted(cpu.avg.tolist()) == cpu.avg.tolist()

    run(main)


def test_a_board_that_replaces_another_brings_its_retention(path: Path) -> None:
    async def main() -> None:
        board = make_board(path, 1)
        live = board._require_live()
        assert live.history is not None
        after = Board(interval_ms=20)
        after.prepare(after.defaults, replaces=board, history=HistoryOptions(str(path), keep=7200, keep_hours=172_800))
        await asyncio.to_thread(live.history.flush)
        assert live.history._writing.retention.raw_s == after.intake.placement.late_s == 7200
        assert after.hub.engine.alerts.log.keeping.keep_s == 90 * 86_400
        await after.close()

    run(main)


def test_pushed_and_later_series_continue_in_the_history_of_a_changed_board(path: Path) -> None:
    async def main() -> None:
        board = Board(history=path, interval_ms=20, window_size=200)
        board.gauge("queue", labels=["city"]).labels(city="Oslo").set(1)
        source = board.intake.source("push")
        source.set([source.gauge("t", "temperature", [("room", "attic")])], [20])
        board.prepare()
        await board.start()
        await until(lambda: board.hub.engine.seq >= 5)
        after = Board(interval_ms=20, window_size=200)
        queue = after.gauge("queue", labels=["city"])
        after.prepare(after.defaults, replaces=board)
        await board.stop()
        await after.start()
        first = after.hub.engine.seq
        await until(lambda: after.hub.engine.seq >= first + 5)
        queue.labels(city="Oslo").set(2)
        await until(lambda: after.hub.engine.seq >= first + 15)
        history = after._require_live().history
        assert history is not None
        now_ms = int(time.time() * 1000)
        answer = await asyncio.to_thread(history.read, Question((), now_ms - 60_000, now_ms + 1000, 5000))
        await after.close()
        found = {(one.name, one.labels): one.avg[~np.isnan(one.avg)].tolist() for one in answer.series}
        oslo, attic = found["queue", (("city", "Oslo"),)], found["temperature", (("room", "attic"),)]
        assert len(found) == 2
        assert oslo == sorted(oslo)
        assert set(oslo) == {1, 2}
        # Every tick has it, and those of the first board are there once; the last of them may have been cut off.
        assert attic == [20] * len(answer.times)
        assert first - 1 <= oslo.count(1) <= first
        assert max(answer.series[0].count) == 1

    run(main)


def test_a_tick_that_cannot_be_published_is_recorded(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        board = make_board(path, 3)
        live = board._require_live()
        monkeypatch.setattr(board.hub, "publish", lambda _: 1 / 0)
        await board.start()
        await until(lambda: live.engine.seq >= 5)
        assert "ticks" in board.hub.problems
        assert live.history is not None
        now_ms = int(time.time() * 1000)
        answer = await asyncio.to_thread(live.history.read, Question((), now_ms - 60_000, now_ms + 1000, 5000))
        await board.close()
        assert len(answer.times) >= 4

    run(main)


def test_a_board_whose_history_is_unusable_runs_without_it(tmp_path: Path) -> None:
    async def main() -> None:
        board = Board(history=tmp_path, interval_ms=20)
        board.prepare(Settings(20, 60, 10))
        await board.start()
        await until(lambda: board.hub.engine.seq >= 3)
        assert SOURCE in board.hub.problems
        await board.close()

    run(main)


def test_a_board_that_ticks_in_a_test_touches_no_history(path: Path) -> None:
    board = Board(history=path)
    board.gauge("cpu").set(1)
    board.tick()
    assert not path.exists()


def test_a_padded_run_has_empty_ticks_since_the_last_one_for_values_that_come_late(path: Path) -> None:
    first = Bench(path)
    cpu = first.registry.gauge("cpu")
    for value in range(3):
        cpu.set(value)
        first.tick()
    asyncio.run(first.recorder.close())
    second = Bench(path, "f", first=first.time + 20)
    second.intake.placement.late_s = second.recorder.late_s
    cpu = second.registry.gauge("cpu")
    second.recorder.refill(second.engine, 10, second.time, padded=True)
    assert second.engine.window.times().tolist() == [second.time - back for back in range(10, 0, -1)]
    columns = np.array(cpu.columns, np.intp)
    times = np.array([first.time + 1, second.time - 2])
    second.tick()
    assert second.intake.fill(columns, times, np.array([[7.0], [8.0]])) == 0
    second.tick()
    found = second.recorder.history.read(Question((), int(first.time - 60) * 1000, int(second.time + 60) * 1000, 5000))
    [one] = found.series
    known = ~np.isnan(one.avg)
    assert dict(zip(found.times[known].tolist(), one.avg[known].tolist(), strict=True)) == {
        int((first.time - 2) * 1000): 0,
        int((first.time - 1) * 1000): 1,
        int(first.time * 1000): 2,
        int((first.time + 1) * 1000): 7,
        int((first.time + 18) * 1000): 8,
    }
    assert not second.problems


def test_the_first_run_has_nothing_to_pad(path: Path) -> None:
    bench = Bench(path)
    bench.recorder.refill(bench.engine, 10, bench.time, padded=True)
    assert bench.engine.seq == 0


def test_an_empty_tick_that_cannot_be_recorded_is_reported(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(path)
    bench.tick()
    padding = bench.engine.pad(bench.time + 1)
    bench.recorder.pad(bench.engine, padding, 1000)
    assert not bench.problems
    monkeypatch.setattr(bench.recorder.history, "append", lambda *_: 1 / 0)
    bench.recorder.pad(bench.engine, padding, 1000)
    assert "ZeroDivisionError" in bench.problems[SOURCE].message
