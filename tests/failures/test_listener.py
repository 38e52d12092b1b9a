"""Whatever a listener does when it starts or closes, the rest of the board starts, stops and reloads."""

import asyncio
import sys
from collections.abc import Awaitable, Callable

import pytest

from tickboard import Board
from tickboard.errors import InputError
from tickboard.running import listeners
from tickboard.settings import Settings

SOURCE = "listener Suspect"


class Witness:
    """A well-behaved listener beside the suspect."""

    def __init__(self) -> None:
        self.listens = False

    async def start(self) -> None:
        self.listens = True

    async def close(self) -> None:
        self.listens = False


class Suspect:
    """A listener that runs a given action the first times that it starts or closes.

    Attributes:
        starts: how often it was started.
        closes: how often it was closed.
    """

    def __init__(self, *, start: Callable[[], object] | None = None, close: Callable[[], object] | None = None) -> None:
        self.starts = self.closes = 0
        self._start, self._close = start, close

    async def start(self) -> None:
        self.starts += 1
        if self._start is not None and self.starts <= 2:
            await _do(self._start)

    async def close(self) -> None:
        self.closes += 1
        if self._close is not None and self.closes == 1:
            await _do(self._close)


async def _do(action: Callable[[], object]) -> None:
    result = action()
    if isinstance(result, Awaitable):
        await result


def raises() -> None:
    raise OSError("no such device")


def raises_runtime_error() -> None:
    raise RuntimeError("cannot schedule new futures")


def interrupts() -> None:
    raise KeyboardInterrupt


async def cancels() -> None:
    task = asyncio.current_task()
    assert task is not None
    task.cancel()
    await asyncio.sleep(60)


async def hangs() -> None:
    await asyncio.sleep(3600)


FAILURES: dict[str, Callable[[], object]] = {
    "raises": raises,
    "raises RuntimeError": raises_runtime_error,
    "exits the interpreter": lambda: sys.exit(3),
    "interrupts": interrupts,
    "cancels": cancels,
}


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listeners, "AGAIN_S", 0.05)
    monkeypatch.setattr(listeners, "START_S", 0.1)
    monkeypatch.setattr(listeners, "CLOSE_S", 0.1)


class Bench:
    """A board with a suspect between two witnesses, a sampler and other listeners."""

    def __init__(self, suspect: Suspect, *others: Suspect) -> None:
        self.suspect = suspect
        self.witnesses = [Witness(), Witness()]
        self.sampled = 0
        self.board = Board(interval_ms=20)
        self.board.add_source(self.witnesses[0])
        self.board.add_source(suspect)
        self.board.add_source(self.witnesses[1])
        for other in others:
            self.board.add_source(other)
        self.board.every("20ms")(self._sample)
        self.board.prepare(Settings(interval_ms=20))

    def _sample(self) -> None:
        self.sampled += 1

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(30):
            while not condition():
                await asyncio.sleep(0.005)

    async def works(self) -> None:
        """Assert that everything but the suspect works."""
        sampled = self.sampled
        await self.until(lambda: self.sampled > sampled + 2)
        assert [witness.listens for witness in self.witnesses] == [True, True]


@pytest.mark.parametrize("failure", FAILURES)
def test_a_listener_that_cannot_start_is_reported_and_retried(failure: str) -> None:
    bench = Bench(Suspect(start=FAILURES[failure]))

    async def scenario() -> None:
        await bench.board.start()
        problems = bench.board.hub.problems
        assert "; it will be tried again" in problems[SOURCE].message
        await bench.works()
        await bench.until(lambda: not problems)
        assert bench.suspect.starts == 3
        await bench.board.stop()
        assert bench.suspect.closes == 1
        assert not any(witness.listens for witness in bench.witnesses)

    asyncio.run(scenario())


def test_a_listener_that_starts_does_not_clear_the_problem_of_its_namesake(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(listeners, "AGAIN_S", 60.0)
    monkeypatch.setattr(listeners, "START_S", 30.0)
    reported = asyncio.Event()
    bench = Bench(Suspect(start=raises), Suspect(start=reported.wait))

    async def scenario() -> None:
        starting = asyncio.create_task(bench.board.start())
        await bench.until(lambda: SOURCE in bench.board.hub.problems)
        reported.set()
        await starting
        assert "no such device" in bench.board.hub.problems[SOURCE].message
        await bench.board.stop()

    asyncio.run(scenario())


def test_a_listener_whose_start_hangs_is_reported_and_delays_nothing() -> None:
    bench = Bench(Suspect(start=hangs))

    async def scenario() -> None:
        await bench.board.start()
        assert bench.board.hub.problems[SOURCE].message == "its start() has not returned within 0.1 s"
        await bench.works()
        await bench.board.stop()

    asyncio.run(scenario())


@pytest.mark.parametrize("failure", [*FAILURES, "hangs"])
def test_a_listener_that_cannot_close_is_reported_and_the_board_can_restart(failure: str) -> None:
    bench = Bench(Suspect(close=FAILURES.get(failure, hangs)))

    async def scenario() -> None:
        await bench.board.start()
        await bench.works()
        await bench.board.stop()
        assert not any(witness.listens for witness in bench.witnesses)
        assert f"closing {SOURCE}" in bench.board.hub.problems
        await bench.board.start()
        await bench.works()
        await bench.board.stop()
        assert not bench.board.hub.problems

    asyncio.run(scenario())


def test_a_board_can_replace_one_whose_listener_cannot_close() -> None:
    bench = Bench(Suspect(close=raises))

    async def scenario() -> None:
        await bench.board.start()
        after = Bench(Suspect())
        after.board.prepare(Settings(interval_ms=20), replaces=bench.board)
        await bench.board.stop()
        await after.board.start()
        await after.works()
        problem = after.board.hub.problems[f"closing {SOURCE}"]
        assert problem.message == "OSError: no such device: its resources may not be free"
        await after.board.stop()

    asyncio.run(scenario())


def test_a_listener_whose_start_is_not_async_is_reported() -> None:
    class Plain(Witness):
        def start(self) -> None:  # type: ignore[override]
            self.listens = True

    board = Board(interval_ms=20)
    board.add_source(Plain())  # type: ignore[arg-type]
    board.prepare(Settings(interval_ms=20))

    async def scenario() -> None:
        await board.start()
        assert "'await'" in board.hub.problems["listener Plain"].message
        await board.stop()

    asyncio.run(scenario())


def test_an_object_without_start_and_close_is_refused_where_it_is_declared() -> None:
    with pytest.raises(InputError, match=r"give it async methods start\(\) and close\(\)"):
        Board().add_source(object())  # type: ignore[arg-type]


class Nameless(Suspect):
    @property
    def name(self) -> str:
        raise RuntimeError("it has no name yet")


def test_a_listener_whose_name_raises_is_reported_by_its_type() -> None:
    bench = Bench(Nameless(start=raises))

    async def scenario() -> None:
        await bench.board.start()
        assert list(bench.board.hub.problems) == ["listener Nameless"]
        await bench.works()
        await bench.board.stop()

    asyncio.run(scenario())
