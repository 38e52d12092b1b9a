"""The login queue: logins wait for their delay, and then for one of the few places where passwords are compared.

Its length is limited. When it is full, a newcomer takes the place of a login from the address that has most in it, and
there of the account that has most. So a crowd cannot keep the others out, and people behind one address have places of
their own.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from tickboard.errors import BusyError

RETRY_S = 5
"""After how many seconds somebody who was refused is asked to try again."""


class LoginQueue:
    """The logins of one server that wait.

    Args:
        at_once: how many passwords are compared at a time.
        most: how many logins may wait.
        most_of_each: how many may wait for one account from one address.
    """

    def __init__(self, at_once: int, most: int, most_of_each: int) -> None:
        self._places = asyncio.Semaphore(at_once)
        self._most = most
        self._most_of_each = most_of_each
        # By address, and there by account.
        self._waiting: dict[str, dict[str, list[asyncio.Timeout]]] = {}

    def __len__(self) -> int:
        """The number of logins that wait."""
        return sum(map(self._count, self._waiting))

    @asynccontextmanager
    async def turn(self, address: str, account: str, delay_s: Callable[[], float]) -> AsyncIterator[None]:
        """Wait, and hold a place for comparing a password while the context is open.

        Args:
            address: where the login comes from.
            account: the name that is tried.
            delay_s: returns how many seconds it has to wait. It may grow meanwhile, when others fail.

        Raises:
            BusyError: too many wait for this account from this address, or another login needs the place.
        """
        self._make_room(address, account)
        # It has no end of its own: another login brings it to an end.
        waits = asyncio.timeout(None)
        self._waiting.setdefault(address, {}).setdefault(account, []).append(waits)
        try:
            async with waits:
                await self._take_place(delay_s)
        except TimeoutError:
            raise _busy() from None
        finally:
            self._remove(address, account, waits)
        try:
            yield
        finally:
            self._places.release()

    async def _take_place(self, delay_s: Callable[[], float]) -> None:
        waited_s = 0.0
        while True:
            if (left_s := delay_s() - waited_s) > 0:
                await asyncio.sleep(left_s)
                waited_s += left_s
            await self._places.acquire()
            # Logins that were sent together begin without a delay. When one has failed, it counts for the others.
            if delay_s() <= waited_s:
                return
            self._places.release()

    def _make_room(self, address: str, account: str) -> None:
        own = len(self._waiting.get(address, {}).get(account, ()))
        if own >= self._most_of_each:
            raise _busy()
        if len(self) < self._most:
            return
        crowded = max(self._waiting, key=self._count)
        if self._count(crowded) <= self._count(address):
            crowded = address
        accounts = self._waiting[crowded]
        largest = max(accounts, key=lambda each: len(accounts[each]))
        if crowded == address and len(accounts[largest]) <= own:
            raise _busy()
        first = accounts[largest][0]
        first.reschedule(asyncio.get_running_loop().time())
        self._remove(crowded, largest, first)

    def _count(self, address: str) -> int:
        return sum(map(len, self._waiting.get(address, {}).values()))

    def _remove(self, address: str, account: str, waits: asyncio.Timeout) -> None:
        accounts = self._waiting.get(address, {})
        waiting = accounts.get(account, [])
        if waits in waiting:
            waiting.remove(waits)
        if not waiting:
            accounts.pop(account, None)
        if not accounts:
            self._waiting.pop(address, None)


def _busy() -> BusyError:
    return BusyError("too many logins wait: try again in a few seconds", RETRY_S)
