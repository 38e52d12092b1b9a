"""Ticks are on time with their samplers' values, and a failing sampler never affects the others."""

import asyncio
import logging
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from tests.fleet.following import FakeLink
from tests.outlets import Inbox, StreamInbox, Writes, shows

from tickboard import problems
from tickboard.alerting.log import AlertEvent, AlertLog
from tickboard.client.decoder import Tick, WatchedSeries
from tickboard.engine import Engine, TickResult
from tickboard.fleet.fleet import Fleet
from tickboard.fleet.follow_options import FollowOptions
from tickboard.history.answers import Question
from tickboard.history.options import HistoryOptions
from tickboard.hub import readers
from tickboard.hub.hub import Hub
from tickboard.metrics.late import Amendment
from tickboard.metrics.registry import Registry
from tickboard.running import runner as runner_module
from tickboard.running.announcer import Announcer
from tickboard.running.recorder import TickRecorder
from tickboard.running.runner import Runner
from tickboard.running.sampling import Sampler
from tickboard.schedule import parse
from tickboard.wire import About, Alert, AlertPosition, BoardInfo, Problem, encode


class Bench:
    """A runner whose ticks are collected."""

    def __init__(self, interval_ms: int = 20) -> None:
        self.registry = Registry()
        self.engine = Engine(self.registry, [], 100, "e", lambda: "id")
        self.hub = Hub(self.engine, shows(BoardInfo("B", "e", 1, 1, "0", [], [])), Writes())
        self.interval_ms = interval_ms
        self.samplers: list[Sampler] = []
        self.ticks: list[TickResult] = []
        self.fleet: Fleet | None = None
        self.recorder: TickRecorder | None = None
        self._more = asyncio.Condition()
        publish = self.hub.publish

        def collect(tick: TickResult) -> Iterator[None]:
            yield from publish(tick)
            self.ticks.append(tick)

        self.hub.publish = collect  # type: ignore[method-assign]

    def follow(self) -> Fleet:
        """Follow hosts that the test makes up."""
        engine, hub = self.engine, self.hub
        self.fleet = Fleet(
            FollowOptions(), engine.intake, hub.problems, self.interval_ms, lambda: engine.alerts, Announcer(hub)
        )
        return self.fleet

    def sampler(self, function: Callable[[], object], when: str | None = None) -> None:
        self.samplers.append(Sampler(function.__name__, function, parse(when) if when else None))

    def seen(self, wanted: str) -> list[Problem | None]:
        """Return a list that collects the problems of a source from now on. None means that it was cleared."""
        seen: list[Problem | None] = []
        send = self.hub.problems._on_change

        def changed() -> None:
            send()
            now = self.hub.problems.get(wanted)
            if now != (seen[-1] if seen else None):
                seen.append(now)

        self.hub.problems._on_change = changed
        return seen

    async def run(self, until: Callable[[], bool]) -> Runner:
        runner = Runner(
            self.engine,
            self.hub,
            Announcer(self.hub),
            self.samplers,
            self.hub.problems,
            interval_ms=self.interval_ms,
            alert_check_s=1,
            fleet=self.fleet,
            recorder=self.recorder,
        )
        runner.start()
        try:
            async with asyncio.timeout(10):
                while not until():
                    await asyncio.sleep(0.001)
        finally:
            await runner.stop()
        return runner


def drive(test: Callable[[], Awaitable[None]]) -> None:
    async def main() -> None:
        await test()

    asyncio.run(main())


def test_ticks_are_at_multiples_of_the_interval_without_repeats() -> None:
    async def scenario() -> None:
        bench = Bench(20)
        await bench.run(lambda: len(bench.ticks) >= 5)
        times = [round(tick.time * 1000) for tick in bench.ticks]
        assert all(moment % 20 == 0 for moment in times)
        assert times == sorted(set(times))
        assert [tick.seq for tick in bench.ticks] == list(range(1, len(times) + 1))

    drive(scenario)


@pytest.mark.parametrize("kind", ["plain", "async"])
def test_a_tick_has_the_values_of_the_samplers_due_with_it(kind: str) -> None:
    async def scenario() -> None:
        # A tick waits for half of its interval; a busy machine may take a while to run a thread.
        bench = Bench(2_000)
        value = bench.registry.gauge("value")
        calls: list[int] = []

        def plain() -> None:
            calls.append(1)
            value.set(len(calls))

        async def coroutine() -> None:
            await asyncio.sleep(0.005)
            plain()

        bench.sampler(plain if kind == "plain" else coroutine)
        await bench.run(lambda: len(bench.ticks) >= 2)
        assert [tick.row[0] for tick in bench.ticks[:2]] == [1, 2]

    drive(scenario)


def test_a_blocking_sampler_delays_neither_ticks_nor_other_samplers_nor_stopping() -> None:
    async def scenario() -> None:
        bench = Bench(20)
        value = bench.registry.gauge("value")
        forever = threading.Event()
        seen: list[int] = []

        def blocks() -> None:
            forever.wait(30)

        def works() -> None:
            seen.append(1)
            value.set(len(seen))

        bench.sampler(blocks)
        bench.sampler(works)
        await bench.run(lambda: len(bench.ticks) >= 6)
        assert len(seen) >= 5
        assert bench.ticks[-1].row[0] >= 5
        forever.set()

    drive(scenario)


def test_a_sampler_that_raises_is_reported_once_and_continues(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        bench = Bench(10)
        calls: list[int] = []

        def fails() -> None:
            calls.append(1)
            if len(calls) <= 4:
                raise ZeroDivisionError(f"by zero, {len(calls)} times")

        bench.sampler(fails)
        await bench.run(lambda: bool(bench.hub.problems))
        [problem] = bench.hub.problems.values()
        assert (problem.source, problem.message) == ("sampler fails", "ZeroDivisionError: by zero, 1 times")
        assert problem.file == __file__
        assert problem.line is not None
        assert "Traceback" in (problem.detail or "")
        await bench.run(lambda: not bench.hub.problems)
        assert len(calls) >= 5

    with caplog.at_level(logging.ERROR, "tickboard"):
        drive(scenario)
    assert [record.exc_info is not None for record in caplog.records] == [True]


def test_a_sampler_that_calls_exit_is_reported_and_ticks_continue() -> None:
    async def scenario() -> None:
        bench = Bench(10)

        def leaves() -> None:
            raise SystemExit(3)

        bench.sampler(leaves)
        await bench.run(lambda: bool(bench.hub.problems) and len(bench.ticks) > 3)
        assert bench.hub.problems["sampler leaves"].message == "SystemExit: 3"

    drive(scenario)


def test_an_exception_without_a_printable_text_is_still_reported() -> None:
    class MuteError(Exception):
        def __str__(self) -> str:
            raise ValueError

    async def scenario() -> None:
        bench = Bench(10)

        def mute() -> None:
            raise MuteError

        def odd() -> None:
            raise OSError("no such file: \udcff")

        bench.sampler(mute)
        bench.sampler(odd)
        await bench.run(lambda: len(bench.hub.problems) == 2 and len(bench.ticks) > 3)
        assert bench.hub.problems["sampler mute"].message == "MuteError"
        assert bench.hub.problems["sampler odd"].message == r"OSError: no such file: \udcff"

    drive(scenario)


def failing_at(calls: list[int], *times: int) -> None:
    """Raise at some of the calls, and count them."""
    calls.append(1)
    if len(calls) in times:
        raise ZeroDivisionError(f"call {len(calls)}")


def test_ticks_continue_after_failed_ticks(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        bench = Bench(20)
        calls: list[int] = []
        tick = bench.engine.tick

        def ticking(now: float, elapsed_s: float) -> TickResult:
            failing_at(calls, 3, 4)
            return tick(now, elapsed_s)

        bench.engine.tick = ticking  # type: ignore[method-assign]
        reported = bench.seen("ticks")
        await bench.run(lambda: len(bench.ticks) >= 4)
        assert [tick.seq for tick in bench.ticks[:4]] == [1, 2, 3, 4]
        # The two failed ticks took up their intervals.
        assert bench.ticks[3].time - bench.ticks[0].time >= 0.09
        [problem, cleared] = reported
        assert problem is not None
        assert problem.message == "ZeroDivisionError: call 3"
        assert "Traceback" in (problem.detail or "")
        assert cleared is None
        assert not bench.hub.problems

    with caplog.at_level(logging.ERROR, "tickboard"):
        drive(scenario)
    assert [record.exc_info is not None for record in caplog.records] == [True]


def test_another_type_of_exception_is_reported_again() -> None:
    async def scenario() -> None:
        bench = Bench(10)
        failures = [ZeroDivisionError("a"), ZeroDivisionError("b"), MemoryError("c"), MemoryError("d")]

        def ticking(now: float, elapsed_s: float) -> TickResult:
            raise failures.pop(0) if failures else MemoryError("e")

        bench.engine.tick = ticking  # type: ignore[method-assign]
        reported = bench.seen("ticks")
        await bench.run(lambda: not failures)
        assert [problem and problem.message for problem in reported] == ["ZeroDivisionError: a", "MemoryError: c"]

    drive(scenario)


def test_ticks_continue_if_problems_cannot_be_sent_to_the_page(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        bench = Bench(10)
        calls: list[int] = []
        publish = bench.hub.publish

        def publishing(tick: TickResult) -> Iterator[None]:
            failing_at(calls, 2)
            return publish(tick)

        def deaf() -> None:
            raise RuntimeError("deaf")

        bench.hub.publish = publishing  # type: ignore[method-assign]
        bench.hub.problems._on_change = deaf
        await bench.run(lambda: len(bench.ticks) >= 3)
        assert [tick.seq for tick in bench.ticks[:3]] == [1, 3, 4]

    with caplog.at_level(logging.ERROR, "tickboard"):
        drive(scenario)
    assert [record.getMessage().partition(":")[0] for record in caplog.records] == [
        "ticks",
        "the viewers cannot be sent the list of problems",
        "the viewers cannot be sent the list of problems",
    ]


def test_a_sampler_has_its_own_schedule() -> None:
    async def scenario() -> None:
        bench = Bench(100)
        calls: list[int] = []

        def often() -> None:
            calls.append(1)

        bench.sampler(often, "10ms")
        await bench.run(lambda: len(bench.ticks) >= 3)
        assert len(calls) >= 10

    drive(scenario)


def test_a_plain_sampler_stays_in_one_thread() -> None:
    async def scenario() -> None:
        bench = Bench(10)
        threads: set[int] = set()

        def notes() -> None:
            threads.add(threading.get_ident())

        bench.sampler(notes)
        await bench.run(lambda: len(bench.ticks) >= 4)
        assert len(threads) == 1
        assert threading.get_ident() not in threads

    drive(scenario)


def test_ticks_skipped_because_the_loop_was_blocked_are_counted() -> None:
    async def scenario() -> None:
        bench = Bench(10)
        held: list[int] = []

        async def holds() -> None:
            if len(bench.ticks) == 2 and not held:
                held.append(1)
                time.sleep(0.1)  # noqa: ASYNC251  # holding the loop up is what is tested

        bench.sampler(holds)
        runner = await bench.run(lambda: len(bench.ticks) >= 6)
        assert runner.ticks_skipped >= 7
        times = [tick.time for tick in bench.ticks]
        assert times == sorted(set(times))

    drive(scenario)


def test_alerts_are_checked_on_whole_seconds() -> None:
    async def scenario() -> None:
        bench = Bench(100)
        checked: list[float] = []

        def check(now: float) -> list[AlertEvent]:
            checked.append(now)
            return []

        bench.engine.check = check  # type: ignore[method-assign]
        await bench.run(lambda: bool(checked))
        assert checked[0] == round(checked[0])

    drive(scenario)


def test_a_clock_set_forward_by_a_year_does_not_cause_a_year_of_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        began, offset = time.monotonic(), 0.0
        monkeypatch.setattr(time, "time", lambda: 1_000_000.0 + offset + (time.monotonic() - began))
        bench = Bench(10)
        checked: list[float] = []
        runs: list[float] = []

        def check(now: float) -> list[AlertEvent]:
            checked.append(now)
            return []

        async def sample() -> None:
            runs.append(time.time())

        bench.engine.check = check  # type: ignore[method-assign]
        bench.sampler(sample, "* * * * * *")
        running = asyncio.create_task(bench.run(lambda: len([now for now in checked if now > 2_000_000]) >= 2))
        while not checked or not runs:
            await asyncio.sleep(0.001)
        before, offset = len(bench.ticks), 365 * 86_400.0
        runner = await running
        # On time again: one check a second, and none for the seconds that were skipped.
        assert [now for now in checked if now > 2_000_000] == pytest.approx([checked[-2], checked[-2] + 1])
        assert len(checked) <= 5
        assert len(runs) <= 5
        assert len(bench.ticks) - before <= 400
        assert runner.ticks_skipped < 400

    drive(scenario)


def test_setting_the_clock_back_is_reported_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(problems, "QUIET_S", 0.1)

    async def scenario() -> None:
        began, offset = time.monotonic(), 0.0
        monkeypatch.setattr(time, "time", lambda: 1_000_000.0 + offset + (time.monotonic() - began))
        bench = Bench(10)
        seen = bench.seen("clock")
        running = asyncio.create_task(bench.run(lambda: len(seen) == 2))
        while len(bench.ticks) < 3:
            await asyncio.sleep(0.001)
        offset = -3_600.0
        await running
        [problem, cleared] = seen
        assert problem is not None
        assert problem.message == "the wall clock was set back by 1:00:00: the charts start over, alerts continue"
        assert cleared is None
        assert bench.engine.epoch != "e"

    drive(scenario)


def test_alert_checks_continue_after_a_failure() -> None:
    async def scenario() -> None:
        bench = Bench(3_600_000)
        calls: list[int] = []
        checked: list[float] = []

        def check(now: float) -> list[AlertEvent]:
            failing_at(calls, 1)
            checked.append(now)
            return []

        bench.engine.check = check  # type: ignore[method-assign]
        reported = bench.seen("alert check")
        await bench.run(lambda: len(reported) == 2)
        assert [problem and problem.message for problem in reported] == ["ZeroDivisionError: call 1", None]
        assert len(checked) == 1

    drive(scenario)


def test_no_room_for_the_buckets_of_a_heat_map_is_reported() -> None:
    async def scenario() -> None:
        bench = Bench(3_600_000)
        buckets = bench.engine.registry.buckets
        buckets.refused = "there is no room"
        reported = bench.seen("heat maps")

        def check(now: float) -> list[AlertEvent]:
            if reported:
                buckets.refused = ""
            return []

        bench.engine.check = check  # type: ignore[method-assign]
        await bench.run(lambda: len(reported) == 2)
        message = "some values are shown in a wider bucket than theirs: there is no room"
        assert [problem and problem.message for problem in reported] == [message, None]

    drive(scenario)


def test_readers_get_alerts_and_heartbeats_independently_of_ticks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readers, "HEARTBEAT_S", 0.05)
    monkeypatch.setattr(runner_module, "BEAT_S", 0.01)

    async def scenario() -> None:
        bench = Bench(interval_ms=3_600_000)
        stream = StreamInbox()
        bench.hub.readers.join(stream, "", time.monotonic())
        log = bench.engine.alerts.log
        # One event before the runner starts, as when a board replaces another, and one after.
        log.append("firing", Alert("id1", "m", "info", "T"), 0.0)
        later = asyncio.get_running_loop().call_later(0.03, tell, bench, log)
        await bench.run(lambda: stream.raw.count(b"heartbeat") == 2 and b"id2" in stream.raw)
        assert not bench.ticks
        assert not later.cancelled()
        events = [event["data"] for event in stream.take()]
        assert [event for event in events if "heartbeat" not in event] == [
            encode(AlertPosition("e", 0, whole=True)).decode(),
            *(encode(Alert(f"id{number}", "m", "info", "T")).decode() for number in (1, 2)),
        ]

    def tell(bench: Bench, log: AlertLog) -> None:
        bench.hub.announce([log.append("firing", Alert("id2", "m", "info", "T"), 0.0)])

    drive(scenario)


@pytest.mark.parametrize(("name", "source"), [("send_new", "alert stream"), ("beat", "alert stream heartbeats")])
def test_serving_readers_resumes_after_a_failure_with_a_pause(
    monkeypatch: pytest.MonkeyPatch, name: str, source: str
) -> None:
    monkeypatch.setattr(readers, "HEARTBEAT_S", 0.05)
    monkeypatch.setattr(runner_module, "BEAT_S", 0.02)

    async def scenario() -> None:
        bench = Bench(interval_ms=3_600_000)
        stream = StreamInbox()
        bench.hub.readers.join(stream, "", time.monotonic())
        bench.engine.alerts.log.append("firing", Alert("id1", "m", "info", "T"), 0.0)
        calls: list[float] = []
        serve = getattr(bench.hub.readers, name)

        def serving(*arguments: float) -> Iterator[None]:
            calls.append(time.monotonic())
            if len(calls) <= 3:
                raise ZeroDivisionError(f"call {len(calls)}")
            yield from serve(*arguments)

        setattr(bench.hub.readers, name, serving)
        reported = bench.seen(source)
        await bench.run(lambda: len(reported) == 2 and b"id1" in stream.raw and b"heartbeat" in stream.raw)
        assert [problem and problem.message for problem in reported] == ["ZeroDivisionError: call 1", None]
        assert calls[3] - calls[0] >= 0.05

    drive(scenario)


async def publish_after(fleet: Fleet, interval_ms: int, after_s: float) -> None:
    """Send a tick of a host some time after each instant."""
    link, series = FakeLink(), (WatchedSeries("load"),)
    fleet.follower.introduced(link, About("web-1", "id", "1", 1, "", interval_ms))
    schedule, instant = parse(f"{interval_ms}ms"), time.time()
    while True:
        instant = schedule.next(instant)
        fleet.follower.heard(link, 0, -1, time.time())
        await asyncio.sleep(max(0.0, instant + after_s - time.time()))
        tick = Tick("e", round(instant * 1000), instant, series, np.array([instant]).tobytes())
        fleet.follower.ticked(link, tick)


async def test_a_tick_of_a_wall_waits_for_those_of_its_hosts() -> None:
    bench = Bench(interval_ms=400)
    publishing = asyncio.create_task(publish_after(bench.follow(), bench.interval_ms, 0.03))
    await bench.run(lambda: len(bench.ticks) >= 4)
    publishing.cancel()
    [column] = [one.column for one in bench.registry.series if one.metric.name == "load"]
    # The first ones may come before the wall knows the host's clock.
    assert [tick.row[column] for tick in bench.ticks[2:]] == [tick.time for tick in bench.ticks[2:]]


async def test_values_that_a_host_sends_after_the_tick_of_a_wall_are_sent_to_viewers_before_the_next_tick() -> None:
    bench = Bench(interval_ms=1000)
    viewer = Inbox()
    viewer.viewer = bench.hub.join(viewer, selectors=["load"])
    publishing = asyncio.create_task(publish_after(bench.follow(), bench.interval_ms, 0.2))
    sent: list[tuple[str, int]] = []
    seqs: list[int] = []

    def came() -> bool:
        for message in viewer.take():
            kind, seq = message["type"], message.get("seq", 0)
            if kind == "amended" and sent[-1] == ("metrics", seq):
                seqs.append(seq)
            sent.append((kind, seq))
        return len(seqs) >= 2

    await bench.run(came)
    publishing.cancel()
    [column] = [one.column for one in bench.registry.series if one.metric.name == "load"]
    assert [bench.engine.window.row(seq)[column] for seq in seqs] == [bench.ticks[seq - 1].time for seq in seqs]


async def test_values_that_come_late_are_recorded_however_long_the_steps_of_that_take(tmp_path: Path) -> None:
    bench = Bench(interval_ms=400)
    recorder = TickRecorder.open(HistoryOptions(str(tmp_path / "ticks.sqlite")), bench.hub.problems)
    assert recorder is not None
    bench.recorder = recorder
    amend, amended_at = recorder.amend, list[float]()

    def slowly(engine: Engine, amended: Sequence[Amendment], interval_ms: int) -> Iterator[None]:
        time.sleep(interval_ms / 2000)
        yield
        amended_at.extend(bench.ticks[each.first - 1].time for each in amended)
        yield from amend(engine, amended, interval_ms)

    recorder.amend = slowly  # type: ignore[method-assign]
    publishing = asyncio.create_task(publish_after(bench.follow(), bench.interval_ms, 0.12))
    await bench.run(lambda: len(amended_at) >= 3)
    publishing.cancel()
    start_ms, end_ms = (round(each * 1000) for each in (amended_at[0], bench.ticks[-1].time))
    [load] = recorder.history.read(Question(("load",), start_ms, end_ms, 100)).series
    assert not np.isnan(load.avg).any()
    await recorder.close()


async def test_values_of_hosts_that_cannot_be_collected_are_reported_and_ticks_go_on() -> None:
    bench = Bench()
    failing = True

    def collect(due: float) -> None:
        if failing:
            raise ValueError("broken")

    bench.follow().collect = collect  # type: ignore[method-assign]
    seen = bench.seen(runner_module.HOSTS)
    await bench.run(lambda: len(bench.ticks) >= 3)
    [problem] = seen
    assert problem is not None
    failing = False
    await bench.run(lambda: len(seen) == 2)
    assert seen[1] is None


async def test_a_wall_makes_up_for_the_ticks_that_it_missed_even_if_late_values_cannot_be_sent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bench = Bench(interval_ms=20)
    bench.follow()
    bench.registry.gauge("value").set(1)

    def broken(_: Sequence[Amendment]) -> Iterator[None]:
        raise ValueError("broken")

    monkeypatch.setattr(bench.hub, "amend", broken)
    stopped = False

    def stop() -> bool:
        nonlocal stopped
        if len(bench.ticks) >= 3 and not stopped:
            stopped = True
            bench.engine.intake.fill(np.array([0]), np.array([bench.ticks[-1].time]), np.array([[7.0]]))
            time.sleep(bench.interval_ms / 1000 * 20)
        return len(bench.ticks) > 30

    seen = bench.seen(f"{runner_module.HOSTS} that come late")
    await bench.run(stop)
    assert any(seen)
    assert set(np.round(np.diff(bench.engine.window.times()) * 1000).tolist()) == {bench.interval_ms}


async def test_a_wall_makes_up_for_the_ticks_that_it_missed_with_empty_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner_module, "STEP_PADDED", 1)
    bench = Bench(interval_ms=20)
    bench.follow()
    bench.recorder = TickRecorder.open(HistoryOptions(str(tmp_path / "ticks.sqlite")), bench.hub.problems)
    value = bench.registry.gauge("value")
    value.set(1)
    columns, changed, stopped = np.array([0]), 0.0, False

    def stop() -> bool:
        """Stand still once for longer than the window, as a process that is stopped."""
        nonlocal changed, stopped
        if len(bench.ticks) >= 3 and not stopped:
            stopped = True
            # A value that comes late, just before.
            changed = bench.ticks[-1].time
            bench.engine.intake.fill(columns, np.array([changed]), np.array([[7.0]]))
            time.sleep(bench.interval_ms / 1000 * (bench.engine.window.capacity + 20))
        return len(bench.ticks) > bench.engine.window.capacity + 2

    runner = await bench.run(stop)
    empty = np.array([np.isnan(tick.row).all() for tick in bench.ticks])
    assert runner.ticks_skipped >= bench.engine.window.capacity
    assert empty.sum() >= bench.engine.window.capacity - 1
    assert set(np.round(np.diff(bench.engine.window.times()) * 1000).tolist()) == {bench.interval_ms}
    assert bench.recorder is not None
    at_ms = round(changed * 1000)
    [recorded] = bench.recorder.history.read(Question((), at_ms, at_ms + 1, 10)).series
    assert recorded.avg.tolist() == [7.0]
    await bench.recorder.close()
    assert bench.recorder.history.status().dropped == 0
    assert not bench.hub.problems
