"""The login queue: logins wait for their delay, and then for one of the few places where passwords are compared.

Its length is limited. When it is full, a newcomer takes the place of a login from the address that has most in it, so a
crowd cannot keep the others out.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tickboard.errors import BusyError

RETRY_S = 5
"""After how many seconds somebody who was refused is asked to try again."""


class LoginQueue:
    """The logins of one server that wait.

    Args:
        at_once: how many passwords are compared at a time.
        most: how many logins may wait.
        most_of_address: how many may wait from one address.
    """

    def __init__(self, at_once: int, most: int, most_of_address: int) -> None:
        self._places = asyncio.Semaphore(at_once)
        self._most = most
        self._most_of_address = most_of_address
        self._waiting: dict[str, list[asyncio.Timeout]] = {}

    def __len__(self) -> int:
        """The number of logins that wait."""
        return sum(map(len, self._waiting.values()))

    @asynccontextmanager
    async def turn(self, address: str, delay_s: float) -> AsyncIterator[None]:
        """Wait, and hold a place for comparing a password while the context is open.

        Raises:
            BusyError: too many wait from this address, or it has more than others and one of those needs the place.
        """
        self._make_room(address)
        # It has no end of its own: another login brings it to an end.
        waits = asyncio.timeout(None)
        self._waiting.setdefault(address, []).append(waits)
        try:
            async with waits:
                if delay_s:
                    await asyncio.sleep(delay_s)
                await self._places.acquire()
        except TimeoutError:
            raise _busy() from None
        finally:
            self._remove(address, waits)
        try:
            yield
        finally:
            self._places.release()

    def _make_room(self, address: str) -> None:
        own = len(self._waiting.get(address, ()))
        if own >= self._most_of_address:
            raise _busy()
        if len(self) < self._most:
            return
        crowded = max(self._waiting, key=lambda each: len(self._waiting[each]))
        if len(self._waiting[crowded]) <= own:
            raise _busy()
        first = self._waiting[crowded][0]
        first.reschedule(asyncio.get_running_loop().time())
        self._remove(crowded, first)

    def _remove(self, address: str, waits: asyncio.Timeout) -> None:
        waiting = self._waiting.get(address, [])
        if waits in waiting:
            waiting.remove(waits)
        if not waiting:
            self._waiting.pop(address, None)


def _busy() -> BusyError:
    return BusyError("too many logins wait: try again in a few seconds", RETRY_S)
