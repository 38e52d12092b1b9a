"""Whatever a sampler does, the failure is reported, it runs again, and ticks and other samplers are not affected."""

import asyncio
import functools
import sys
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import pytest
from tests.outlets import Writes, shows

import tickboard
from tickboard.engine import Engine
from tickboard.errors import InputError
from tickboard.hub.hub import Hub
from tickboard.metrics.registry import Registry
from tickboard.running.announcer import Announcer
from tickboard.running.runner import Runner
from tickboard.running.sampling import Sampler
from tickboard.schedule import parse
from tickboard.wire import BoardInfo, Problem

SOURCE = "sampler suspect"


class Bench:
    """A running board with two samplers: the suspect, and a witness that must not be affected."""

    def __init__(self, suspect: Callable[[], object], when: str = "20ms", patience_s: float = 3.0) -> None:
        self.registry = Registry()
        self.witnessed = 0
        self.problems: list[Problem | None] = []
        self.value = self.registry.gauge("value")
        self.other = self.registry.gauge("other")
        self.engine = Engine(self.registry, [], 10, "e", lambda: "id")
        self.hub = Hub(self.engine, shows(BoardInfo("B", "e", 1, 1, "0", [], [])), Writes())
        samplers = [
            Sampler("suspect", suspect, parse(when), patience_s=patience_s),
            Sampler("witness", self._witness, parse("20ms")),
        ]
        self.runner = Runner(
            self.engine, self.hub, Announcer(self.hub), samplers, self.hub.problems, interval_ms=20, alert_check_s=1
        )
        send = self.hub.problems._on_change

        def changed() -> None:
            send()
            now = self.hub.problems.get(SOURCE)
            if now != (self.problems[-1] if self.problems else None):
                self.problems.append(now)

        self.hub.problems._on_change = changed

    def _witness(self) -> None:
        self.witnessed += 1

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(30):
            while not condition():
                await asyncio.sleep(0.005)

    async def still_ticks(self) -> None:
        """Wait until ticks and the witness have continued for a while."""
        seq, witnessed = self.engine.seq, self.witnessed
        await self.until(lambda: self.engine.seq > seq + 3 and self.witnessed > witnessed + 3)


def drive(bench: Bench, scenario: Callable[[], Awaitable[None]]) -> None:
    async def main() -> None:
        bench.runner.start()
        try:
            await scenario()
        finally:
            await bench.runner.stop()

    asyncio.run(main())


async def cancelled_elsewhere() -> None:
    task = asyncio.create_task(asyncio.sleep(60))
    asyncio.get_running_loop().call_soon(task.cancel)
    await task


async def cancels_itself() -> None:
    task = asyncio.current_task()
    assert task is not None
    task.cancel()
    await asyncio.sleep(60)


async def cancels_everything() -> None:
    for task in asyncio.all_tasks():
        task.cancel()
    await asyncio.sleep(60)


def raising(error: BaseException) -> Callable[[], None]:
    def fails() -> None:
        raise error

    return fails


def raising_async(error: BaseException) -> Callable[[], Awaitable[None]]:
    async def fails() -> None:
        raise error

    return fails


class Odd(BaseException):
    """An exception that no `except Exception` catches."""


FAILURES: dict[str, Callable[[], object]] = {
    "raises": raising(ValueError("boom")),
    "raises StopIteration": lambda: next(iter(())),
    "raises GeneratorExit": raising(GeneratorExit()),
    "raises KeyboardInterrupt": raising(KeyboardInterrupt()),
    "raises a BaseException": raising(Odd("odd")),
    "cancels": raising(asyncio.CancelledError()),
    "exits the interpreter": functools.partial(sys.exit, 3),
    "async, raises": raising_async(ValueError("boom")),
    "async, raises StopIteration": raising_async(StopIteration()),
    "async, raises StopAsyncIteration": raising_async(StopAsyncIteration()),
    "async, raises GeneratorExit": raising_async(GeneratorExit()),
    "async, raises KeyboardInterrupt": raising_async(KeyboardInterrupt()),
    "async, raises SystemExit": raising_async(SystemExit(3)),
    "async, raises a BaseException": raising_async(Odd("odd")),
    "async, raises CancelledError": raising_async(asyncio.CancelledError()),
    "async, awaits a cancelled task": cancelled_elsewhere,
    "async, cancels its own task": cancels_itself,
    "plain, returns an awaitable that raises": lambda: raising_async(ValueError("boom"))(),  # noqa: PLW0108  # a plain function is meant
}


@pytest.mark.parametrize("failure", FAILURES)
def test_a_sampler_that_fails_is_reported_once_and_runs_again(failure: str) -> None:
    fails = FAILURES[failure]
    calls: list[int] = []

    def suspect() -> object:
        calls.append(1)
        bench.other.set(1)
        if len(calls) == 1 or len(calls) > 4:
            bench.value.set(1)
            return None
        return fails()

    async def async_suspect() -> None:
        result = suspect()
        if isinstance(result, Awaitable):
            await result

    bench = Bench(async_suspect if failure.startswith("async") else suspect)

    async def scenario() -> None:
        await bench.until(lambda: len(bench.problems) == 2)
        problem, cleared = bench.problems
        assert problem is not None
        assert cleared is None
        # `other` was set in the run that failed, so it is not stale.
        assert problem.metrics == ["value"]
        assert bench.hub.problems.failures[SOURCE] == 3
        await bench.still_ticks()

    drive(bench, scenario)


def test_a_working_sampler_does_not_clear_the_problem_of_its_namesake() -> None:
    board = tickboard.Board(interval_ms=20)
    seen: list[set[str]] = []

    def declare(name: str, *, good: bool) -> None:
        @board.every("20ms")
        def sample() -> None:
            if not good:
                raise ValueError(name)
            seen.append(set(board.hub.problems))

    declare("a", good=False)
    declare("b", good=True)
    declare("c", good=False)

    async def scenario() -> None:
        await board.start()
        problems = board.hub.problems
        async with asyncio.timeout(30):
            while len(problems) < 2:
                await asyncio.sleep(0.005)
        del seen[:]
        async with asyncio.timeout(30):
            while len(seen) < 5:
                await asyncio.sleep(0.005)
        assert {problem.message for problem in problems.values()} == {"ValueError: a", "ValueError: c"}
        # At any time.
        assert len(set(map(frozenset, seen))) == 1
        first, third = sorted(problems)
        assert first.endswith("<locals>.sample")
        assert third == f"{first} (3)"
        await board.stop()

    asyncio.run(scenario())


def test_the_counter_and_histogram_of_a_failing_sampler_are_stale() -> None:
    runs = 0

    def suspect() -> None:
        nonlocal runs
        runs += 1
        if runs > 1:
            raise OSError("no such device")
        requests.inc()
        latency.observe(1.0)

    bench = Bench(suspect)
    requests, latency = bench.registry.counter("requests"), bench.registry.histogram("latency")

    async def scenario() -> None:
        await bench.until(lambda: SOURCE in bench.hub.problems)
        stale = bench.hub.problems[SOURCE].metrics
        assert stale == ["latency", "latency.p50", "latency.p95", "latency.p99", "requests"]

    drive(bench, scenario)


def test_a_sampler_that_cancels_every_task_stops_nothing() -> None:
    calls: list[int] = []

    async def suspect() -> None:
        calls.append(1)
        if len(calls) == 2:
            for task in asyncio.all_tasks() - {waiting}:
                task.cancel()

    bench = Bench(suspect)
    waiting: asyncio.Task[object]

    async def scenario() -> None:
        nonlocal waiting
        task = asyncio.current_task()
        assert task is not None
        waiting = task
        await bench.until(lambda: len(calls) == 2 and "ticks" in bench.hub.problems)
        await bench.still_ticks()
        await bench.until(lambda: not bench.hub.problems and len(calls) > 4)

    drive(bench, scenario)


@pytest.mark.parametrize("kind", ["plain", "async"])
def test_a_sampler_is_reported_while_it_hangs(kind: str) -> None:
    go = threading.Event()
    calls: list[int] = []

    def first() -> bool:
        calls.append(1)
        bench.other.set(1)
        if len(calls) == 1:
            bench.value.set(1)
        return len(calls) == 2

    def plain() -> None:
        if first():
            go.wait(60)

    async def suspect() -> None:
        if first():
            while not go.is_set():  # a thread's event has no awaitable
                await asyncio.sleep(0.005)

    bench = Bench(plain if kind == "plain" else suspect, patience_s=0.05)

    async def scenario() -> None:
        await bench.until(lambda: bench.problems)
        problem = bench.problems[0]
        assert problem is not None
        assert problem.message.startswith("it has been running for more than ")
        # Values set before it hung are stale.
        assert problem.metrics == ["other", "value"]
        await bench.still_ticks()
        go.set()
        await bench.until(lambda: SOURCE not in bench.hub.problems and len(calls) > 3)

    drive(bench, scenario)


@pytest.mark.parametrize("kind", ["plain", "async"])
def test_a_sampler_that_never_returns_does_not_keep_the_board_from_ending(kind: str) -> None:
    go = threading.Event()
    hangs = threading.Event()

    def plain() -> None:
        hangs.set()
        go.wait(60)

    async def stubborn() -> None:
        hangs.set()
        while not go.is_set():
            try:
                await asyncio.sleep(0.01)
            except asyncio.CancelledError:
                continue

    bench = Bench(plain if kind == "plain" else stubborn)

    async def scenario() -> None:
        await bench.until(hangs.is_set)
        await bench.runner.stop()
        go.set()

    drive(bench, scenario)


class Counting:
    """An object whose call is a coroutine."""

    def __init__(self) -> None:
        self.calls = 0

    async def __call__(self) -> None:
        await asyncio.sleep(0)
        self.calls += 1

    async def twice(self, step: int) -> None:
        await asyncio.sleep(0)
        self.calls += step


@pytest.mark.parametrize(
    "wrap",
    [
        lambda counting: counting,
        lambda counting: counting.__call__,
        lambda counting: functools.partial(counting.twice, 2),
        lambda counting: lambda: counting(),  # noqa: PLW0108  # a plain function is meant
        lambda counting: lambda: asyncio.sleep(0, counting.twice(1)),
    ],
    ids=["object", "method", "partial", "lambda", "awaitable of an awaitable"],
)
def test_any_awaitable_result_of_a_sampler_is_awaited(wrap: Callable[[Counting], Callable[[], object]]) -> None:
    counting = Counting()
    bench = Bench(wrap(counting))

    async def scenario() -> None:
        await bench.until(lambda: counting.calls >= 3)
        assert not bench.hub.problems

    drive(bench, scenario)


def test_the_return_value_of_a_sampler_is_ignored() -> None:
    bench = Bench(lambda: {"any": "thing"})

    async def scenario() -> None:
        await bench.still_ticks()
        assert not bench.hub.problems

    drive(bench, scenario)


def yields() -> Iterator[int]:
    yield 1


async def yields_async() -> AsyncIterator[int]:
    yield 1


@pytest.mark.parametrize("function", [yields, yields_async, functools.partial(yields)])
def test_a_generator_function_is_refused_where_it_is_declared(function: Callable[[], object]) -> None:
    with pytest.raises(InputError, match="it is a generator, so calling it runs nothing"):
        tickboard.Board().every("1s")(function)


def test_a_sampler_that_returns_a_generator_is_reported() -> None:
    bench = Bench(lambda: yields())  # noqa: PLW0108  # a plain function is meant

    async def scenario() -> None:
        await bench.until(lambda: bench.problems)
        problem = bench.problems[0]
        assert problem is not None
        assert "it is a generator, so calling it runs nothing" in problem.message

    drive(bench, scenario)


def test_a_sampler_that_fails_on_and_off_does_not_flood_the_log(caplog: pytest.LogCaptureFixture) -> None:
    calls: list[int] = []

    def suspect() -> None:
        calls.append(1)
        if len(calls) % 2:
            raise ValueError(len(calls))

    bench = Bench(suspect)

    async def scenario() -> None:
        await bench.until(lambda: len(bench.problems) > 20)

    drive(bench, scenario)
    lines = [record.getMessage() for record in caplog.records if record.getMessage().startswith(SOURCE)]
    assert lines[:2] == [f"{SOURCE}: ValueError: 1", f"{SOURCE}: works again"]
    assert len(lines) <= 5


def test_a_thread_that_cannot_be_started_is_retried(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[float] = []
    start = threading.Thread.start
    refused: list[str] = []

    def starting(thread: threading.Thread) -> None:
        if thread.name == SOURCE and len(refused) < 2:
            refused.append(thread.name)
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", starting)
    bench = Bench(lambda: calls.append(time.monotonic()))

    async def scenario() -> None:
        await bench.until(lambda: len(bench.problems) == 2 and len(calls) > 2)
        assert len(refused) == 2

    drive(bench, scenario)
