import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator

import pytest

from tickboard.errors import InputError
from tickboard.metrics.around import Around


class Log(list[str]):
    def begin(self) -> Callable[[], None]:
        self.append("begin")
        return lambda: self.append("end")


@pytest.fixture
def log() -> Log:
    return Log()


def test_begin_and_end_are_called_around_a_block(log: Log) -> None:
    with Around(log.begin):
        log.append("block")
    assert log == ["begin", "block", "end"]


def test_end_is_called_after_a_block_that_raises(log: Log) -> None:
    with pytest.raises(KeyError), Around(log.begin):
        raise KeyError
    assert log == ["begin", "end"]


def test_blocks_may_be_nested(log: Log) -> None:
    around = Around(log.begin)
    with around, around:
        pass
    assert log == ["begin", "begin", "end", "end"]


def test_a_failing_end_does_not_hide_the_exception_of_the_block() -> None:
    def begin() -> Callable[[], None]:
        def end() -> None:
            raise InputError("full")

        return end

    with pytest.raises(KeyError), Around(begin):
        raise KeyError
    with pytest.raises(InputError), Around(begin):
        pass


def test_an_around_can_be_used_by_several_threads_at_once() -> None:
    ended: list[str] = []
    meeting = threading.Barrier(2)

    def begin() -> Callable[[], None]:
        name = threading.current_thread().name
        return lambda: ended.append(f"{name} in {threading.current_thread().name}")

    around = Around(begin)

    def work() -> None:
        with around:
            meeting.wait(30)

    threads = [threading.Thread(target=work, name=name) for name in ("a", "b")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(ended) == ["a in a", "b in b"]


def test_begin_and_end_are_called_around_each_call_of_a_function(log: Log) -> None:
    @Around(log.begin)
    def double(number: int, *, by: int = 2) -> int:
        """Say something."""
        log.append("call")
        return number * by

    assert (double(2), double(2, by=3)) == (4, 6)
    assert log == ["begin", "call", "end"] * 2
    assert (double.__name__, double.__doc__) == ("double", "Say something.")


def test_end_is_called_after_a_call_that_raises(log: Log) -> None:
    @Around(log.begin)
    def fail() -> None:
        raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert log == ["begin", "end"]


def test_end_is_called_when_an_async_function_has_been_awaited(log: Log) -> None:
    @Around(log.begin)
    async def double(number: int) -> int:
        await asyncio.sleep(0)
        log.append("call")
        return 2 * number

    @Around(log.begin)
    async def fail() -> None:
        await asyncio.sleep(0)
        raise KeyError

    assert asyncio.run(double(2)) == 4
    with pytest.raises(KeyError):
        asyncio.run(fail())
    assert log == ["begin", "call", "end", "begin", "end"]


def test_generator_functions_are_refused(log: Log) -> None:
    def plain() -> Iterator[int]:
        yield 1

    async def awaited() -> AsyncIterator[int]:
        yield 1

    for function in (plain, awaited):
        with pytest.raises(InputError, match="is a generator: use `with` inside it"):
            Around(log.begin)(function)
