"""Work is done in turns: one step in each turn of the loop, and new work goes first."""

import asyncio
import gc
from collections.abc import Callable, Coroutine, Generator, Iterator

import pytest

from tickboard.loop.turns import FRESH_STEPS, in_turns, made_in_turns, turns


class Log:
    """Records the steps done, and how many were done in one turn of the loop."""

    def __init__(self) -> None:
        self.steps: list[str] = []
        self.most = 0
        self._in_this_turn = 0

    def work(self, name: str, steps: int) -> Generator[None]:
        for _ in range(steps):
            self.steps.append(name)
            self._in_this_turn += 1
            self.most = max(self.most, self._in_this_turn)
            asyncio.get_running_loop().call_soon(self._begin_turn)
            yield

    def _begin_turn(self) -> None:
        self._in_this_turn = 0


@pytest.mark.parametrize("run", [in_turns, made_in_turns])
async def test_each_turn_does_one_step_however_much_work_there_is(
    run: Callable[[Generator[None]], Coroutine[None, None, None]],
) -> None:
    log = Log()
    await asyncio.gather(*(run(log.work(str(number), 20)) for number in range(10)))
    assert len(log.steps) == 200
    assert log.most == 1


async def test_work_of_one_step_is_done_at_once_if_nothing_waits() -> None:
    done: list[str] = []

    def work() -> Iterator[None]:
        done.append("all")
        yield from ()

    with pytest.raises(StopIteration):  # nothing is waited for
        in_turns(work()).send(None)
    assert done == ["all"]


async def test_small_work_does_not_wait_for_earlier_long_work() -> None:
    log = Log()
    long = [asyncio.create_task(in_turns(log.work("long", 1_000))) for _ in range(20)]
    while len(log.steps) < 3 * 20 * FRESH_STEPS:
        await asyncio.sleep(0)
    begun = len(log.steps)
    await in_turns(log.work("small", 5))
    assert len(log.steps) - begun <= 2 * 5 + 2
    for task in long:
        task.cancel()
    await asyncio.gather(*long, return_exceptions=True)


async def test_new_work_does_not_stop_long_work() -> None:
    log = Log()
    long = asyncio.create_task(in_turns(log.work("long", 100)))
    while not long.done():
        await in_turns(log.work("new", 1))
    assert log.steps.count("long") == 100


async def test_an_exception_of_the_work_is_raised_where_it_is_awaited() -> None:
    def broken() -> Iterator[None]:
        yield
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        await in_turns(broken())
    await in_turns(iter([None]))


async def test_cancelled_work_is_not_continued() -> None:
    log = Log()
    task = asyncio.create_task(in_turns(log.work("gone", 1_000)))
    while not log.steps:
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    done = len(log.steps)
    await in_turns(log.work("other", 10))
    assert log.steps[done:] == ["other"] * 10


async def test_an_exception_in_a_settle_callback_does_not_stop_other_work() -> None:
    loop = asyncio.get_running_loop()
    reported: list[object] = []
    loop.set_exception_handler(lambda _, context: reported.append(context["exception"]))
    error = ValueError("broken")

    def settle(_: BaseException | None) -> None:
        raise error

    turns().begin(iter([None]), settle)
    async with asyncio.timeout(30):
        await in_turns(iter([None] * 10))
    assert reported == [error]


async def test_failed_work_leaves_no_garbage() -> None:
    def fails() -> Iterator[None]:
        yield
        yield
        raise ValueError

    gc.collect()
    gc.disable()
    try:
        for _ in range(20):
            with pytest.raises(ValueError):  # noqa: PT011  # any
                await in_turns(fails())
        assert gc.collect() < 20
    finally:
        gc.enable()
