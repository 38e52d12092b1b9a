"""The login queue: its length is limited, and a crowd of one address does not keep others out."""

import asyncio
from typing import Self

import pytest

from tickboard.errors import BusyError
from tickboard.server.access.login_queue import LoginQueue

LONG_S = 600.0


class Crowd:
    """Logins that wait."""

    def __init__(self, queue: LoginQueue) -> None:
        self._queue = queue
        self.tasks: list[asyncio.Task[str]] = []

    async def join(self, address: str, delay_s: float = LONG_S) -> "asyncio.Task[str]":
        async def log_in() -> str:
            async with self._queue.turn(address, delay_s):
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
        async with queue.turn("a", 0):
            second = await crowd.join("b", 0)
            await asyncio.sleep(0)
            assert not second.done()
        assert await second == "its turn"
        # The place is free again, also after a failure in it.
        with pytest.raises(ValueError, match="x"):
            async with queue.turn("a", 0):
                raise ValueError("x")
        assert await (await crowd.join("b", 0)) == "its turn"


async def test_an_address_may_have_a_few() -> None:
    async with Crowd(LoginQueue(1, 10, 2)) as crowd:
        first = [await crowd.join("a") for _ in range(2)]
        with pytest.raises(BusyError):
            await (await crowd.join("a"))
        assert await (await crowd.join("b", 0)) == "its turn"
        assert not any(each.done() for each in first)


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
        async with queue.turn("a", 0):
            waiting = await crowd.join("b", 0)
            another = await crowd.join("c", 0)
            with pytest.raises(BusyError):
                await waiting
        assert await another == "its turn"
