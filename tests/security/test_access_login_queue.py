"""The login queue: its length is limited, and a crowd of one address does not keep others out."""

import asyncio
from typing import Self

import pytest

from tickboard.errors import BusyError
from tickboard.server.access.login_queue import LoginQueue

LONG_S = 600.0


def none() -> float:
    return 0.0


class Crowd:
    """Logins that wait."""

    def __init__(self, queue: LoginQueue) -> None:
        self._queue = queue
        self.tasks: list[asyncio.Task[str]] = []

    async def join(self, address: str, delay_s: float = LONG_S, account: str = "ann") -> "asyncio.Task[str]":
        async def log_in() -> str:
            async with self._queue.turn(address, account, lambda: delay_s):
                return "its turn"

        task = asyncio.create_task(log_in())
        self.tasks.append(task)
        # It runs up to where it waits.
        await asyncio.sleep(0)
        return task

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        assert len(self._queue) == 0


async def test_a_login_waits_for_its_delay_and_for_a_place() -> None:
    queue = LoginQueue(1, 10, 10)
    async with Crowd(queue) as crowd:
        async with queue.turn("a", "ann", none):
            second = await crowd.join("b", 0)
            await asyncio.sleep(0)
            assert not second.done()
        assert await second == "its turn"
        # The place is free again, also after a failure in it.
        with pytest.raises(ValueError, match="x"):
            async with queue.turn("a", "ann", none):
                raise ValueError("x")
        assert await (await crowd.join("b", 0)) == "its turn"


async def test_an_account_may_have_a_few_from_an_address() -> None:
    async with Crowd(LoginQueue(1, 10, 2)) as crowd:
        first = [await crowd.join("a") for _ in range(2)]
        with pytest.raises(BusyError):
            await (await crowd.join("a"))
        assert await (await crowd.join("b", 0)) == "its turn"
        assert not any(each.done() for each in first)
        # Another person behind the same address has places of their own.
        assert await (await crowd.join("a", 0, "bob")) == "its turn"
        assert not any(each.done() for each in first)


async def test_behind_one_address_the_account_with_most_gives_way() -> None:
    async with Crowd(LoginQueue(1, 4, 3)) as crowd:
        others = [await crowd.join(address) for address in "b"]
        many = [await crowd.join("a", account=account) for account in ("ann", "ann", "bob")]
        assert await (await crowd.join("a", 0, "cleo")) == "its turn"
        with pytest.raises(BusyError):
            await many[0]
        assert not any(each.done() for each in (*others, *many[1:]))


async def test_a_login_waits_for_what_failed_while_it_waited(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    real = asyncio.sleep

    async def sleep(delay_s: float) -> None:
        slept.append(delay_s)
        await real(0)

    queue, delay_s = LoginQueue(1, 10, 10), 0.0
    async with Crowd(queue) as crowd:
        async with queue.turn("a", "ann", none):

            async def log_in() -> str:
                async with queue.turn("a", "ann", lambda: delay_s):
                    return "its turn"

            waiting = asyncio.create_task(log_in())
            crowd.tasks.append(waiting)
            await asyncio.sleep(0)
            delay_s = 4.0
            monkeypatch.setattr(asyncio, "sleep", sleep)
        assert await waiting == "its turn"
    assert slept == [4.0]


async def test_a_newcomer_takes_the_place_of_one_of_a_crowd() -> None:
    async with Crowd(LoginQueue(1, 6, 3)) as crowd:
        many = [await crowd.join(address) for address in "aaabbb"]
        assert await (await crowd.join("c", 0)) == "its turn"
        with pytest.raises(BusyError):
            await many[0]
        waiting = await crowd.join("c")
        for address in "de":
            assert not (await crowd.join(address)).done()
        assert not waiting.done()


async def test_nobody_takes_the_place_of_one_who_has_no_more() -> None:
    async with Crowd(LoginQueue(1, 2, 2)) as crowd:
        first = [await crowd.join(address) for address in "ab"]
        with pytest.raises(BusyError):
            await (await crowd.join("a"))
        assert not any(each.done() for each in first)


async def test_one_that_waits_for_a_place_gives_way_too() -> None:
    queue = LoginQueue(1, 1, 1)
    async with Crowd(queue) as crowd:
        async with queue.turn("a", "ann", none):
            waiting = await crowd.join("b", 0)
            another = await crowd.join("c", 0)
            with pytest.raises(BusyError):
                await waiting
        assert await another == "its turn"
