"""Threads for plain functions: a few, which one that blocks may take, and nothing else stops."""

import asyncio
import contextvars
import gc
import threading
from collections.abc import Callable
from functools import partial

import pytest

from tickboard.errors import BusyError
from tickboard.loop import threads as module
from tickboard.loop.threads import Threads

WHO: contextvars.ContextVar[str] = contextvars.ContextVar("who")


def failing(error: BaseException) -> Callable[..., object]:
    def fails(*_: object) -> None:
        raise error

    return fails


async def test_a_function_runs_in_a_thread_and_in_the_context_of_its_caller() -> None:
    WHO.set("ann")
    result, error = await Threads("asked", 1).call(lambda: (WHO.get(), threading.current_thread().name))
    assert (result, error) == (("ann", "asked"), None)


@pytest.mark.parametrize("error", [ValueError("x"), StopIteration(1), SystemExit(3), KeyboardInterrupt()])
async def test_what_it_raises_is_returned(error: BaseException) -> None:
    threads = Threads("asked", 1)
    assert await threads.call(failing(error)) == (None, error)
    assert await threads.call(lambda: 1) == (1, None)


async def test_one_thread_is_kept_for_calls_one_after_the_other() -> None:
    threads = Threads("asked", 8)
    assert len({(await threads.call(threading.get_ident))[0] for _ in range(20)}) == 1


async def test_one_that_blocks_takes_a_thread_and_the_others_go_on() -> None:
    threads, release = Threads("asked", 2), threading.Event()
    blocked = asyncio.create_task(threads.call(release.wait))
    await asyncio.sleep(0)
    assert [await threads.call(lambda: 1) for _ in range(3)] == [(1, None)] * 3
    assert not blocked.done()
    release.set()
    assert await blocked == (True, None)


async def test_a_call_that_was_given_up_is_not_made() -> None:
    threads, release, calls = Threads("asked", 1), threading.Event(), list[int]()
    blocked = asyncio.create_task(threads.call(release.wait))
    await asyncio.sleep(0)
    given_up = asyncio.create_task(threads.call(lambda: calls.append(1)))
    await asyncio.sleep(0)
    given_up.cancel()
    await asyncio.wait([given_up])
    release.set()
    assert await threads.call(lambda: calls.append(2)) == (None, None)
    assert calls == [2]
    await blocked


async def test_a_bounded_number_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_WAITING", 2)
    threads, release = Threads("asked", 1), threading.Event()
    waiting = [asyncio.create_task(threads.call(release.wait)) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(BusyError):
        await threads.call(release.wait)
    release.set()
    assert await asyncio.gather(*waiting) == [(True, None)] * 2
    assert await threads.call(lambda: 1) == (1, None)


async def test_where_no_thread_can_be_started_the_next_call_tries_again(monkeypatch: pytest.MonkeyPatch) -> None:
    threads = Threads("asked", 1)
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", failing(RuntimeError("can't start new thread")))
        with pytest.raises(RuntimeError, match="new thread"):
            await threads.call(lambda: 1)
    async with asyncio.timeout(20):
        assert await threads.call(lambda: 2) == (2, None)


def test_a_call_that_outlives_its_loop_ends_quietly() -> None:
    threads, release = Threads("asked", 1), threading.Event()

    async def give_up() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await threads.call(release.wait)

    asyncio.run(give_up())
    release.set()
    assert asyncio.run(threads.call(lambda: 1)) == (1, None)


class Owner:
    """What has threads, and runs its own methods in them."""

    def __init__(self) -> None:
        self.threads = Threads("owned", 2)

    def look(self, barrier: threading.Barrier) -> threading.Thread:
        barrier.wait(20)
        return threading.current_thread()


async def test_threads_end_when_nothing_uses_them_any_more() -> None:
    owner, barrier = Owner(), threading.Barrier(2)
    calls = [owner.threads.call(partial(owner.look, barrier)) for _ in range(2)]
    found = [thread for thread, _ in await asyncio.gather(*calls)]
    assert len(set(found)) == 2
    del owner, calls
    gc.collect()
    for thread in found:
        assert isinstance(thread, threading.Thread)
        thread.join(20)
        assert not thread.is_alive()


async def test_a_thread_whose_function_blocks_ends_after_it() -> None:
    threads, running, release, found = Threads("asked", 1), threading.Event(), threading.Event(), []

    def blocks() -> None:
        found.append(threading.current_thread())
        running.set()
        release.wait(20)

    given_up = asyncio.create_task(threads.call(blocks))
    while not running.is_set():
        await asyncio.sleep(0.001)
    given_up.cancel()
    await asyncio.wait([given_up])
    del threads, given_up
    gc.collect()
    release.set()
    [thread] = found
    thread.join(20)
    assert not thread.is_alive()
