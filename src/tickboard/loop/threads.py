"""A few threads that run plain functions of others, so that one that blocks does not stop the event loop.

They are daemons: a function that never returns takes a thread, and stops neither the loop nor the end of the program.
"""

import asyncio
import contextvars
import os
import threading
import weakref
from collections.abc import Callable
from queue import SimpleQueue

from msgspec import Struct

from tickboard.errors import BusyError
from tickboard.loop.supervisor import end_child

MOST_WAITING = 1_000
"""How many calls may wait or run at a time."""

RETRY_S = 5

Done = tuple[object, BaseException | None]
"""The result of a function, and its exception."""


class _Order(Struct, frozen=True, eq=False):
    """One call, and the future to settle at its end."""

    function: Callable[[], object]
    context: contextvars.Context
    loop: asyncio.AbstractEventLoop
    done: "asyncio.Future[Done]"


class _Load:
    """How many calls wait or run. Its lock is also for starting threads."""

    def __init__(self) -> None:
        self.calls = 0
        self.lock = threading.Lock()


class Threads:
    """Threads that are started when they are needed, and end when this object is no longer used.

    Args:
        name: of each thread.
        most: how many there may be.
    """

    def __init__(self, name: str, most: int) -> None:
        self._name = name
        self._most = most
        self._started = 0
        # The threads have these, but not this object.
        self._load = _Load()
        self._orders: SimpleQueue[_Order | None] = SimpleQueue()
        weakref.finalize(self, self._orders.put, None).atexit = False

    async def call(self, function: Callable[[], object]) -> Done:
        """Run a function in the context of the caller; return its result and its exception.

        Raises:
            BusyError: too many calls wait.
            RuntimeError: all threads are busy, and the system has no room for another one.
        """
        loop = asyncio.get_running_loop()
        done: asyncio.Future[Done] = loop.create_future()
        load = self._load
        with load.lock:
            if load.calls >= MOST_WAITING:
                raise BusyError(f"{MOST_WAITING} calls wait", RETRY_S)
            if load.calls >= self._started < self._most:
                # Counted once it runs: the system may have no room for another thread.
                threading.Thread(target=_work, args=(self._orders, load), name=self._name, daemon=True).start()
                self._started += 1
            load.calls += 1
        self._orders.put(_Order(function, contextvars.copy_context(), loop, done))
        return await done


def _work(orders: "SimpleQueue[_Order | None]", load: _Load) -> None:
    """Run functions until the end mark comes."""
    while (order := orders.get()) is not None:
        _follow(order, load)
        # While it waits, a thread keeps nothing alive that a function belongs to.
        del order
    # For the next thread.
    orders.put(None)


def _follow(order: _Order, load: _Load) -> None:
    # Nobody waits for a call that was cancelled meanwhile.
    outcome = None if order.done.cancelled() else _run(order)
    with load.lock:
        load.calls -= 1
    if outcome is not None:
        _answer(order, outcome)


def _run(order: _Order) -> Done:
    process = os.getpid()
    result: object = None
    error: BaseException | None = None
    try:
        result = order.context.run(order.function)
    except BaseException as raised:  # noqa: BLE001  # it is the caller's to report
        error = raised
    end_child(process, error)
    return result, error


def _answer(order: _Order, outcome: Done) -> None:
    try:
        order.loop.call_soon_threadsafe(_settle, order.done, outcome)
    except RuntimeError:
        return  # the loop is closed: nobody waits any more


def _settle(done: "asyncio.Future[Done]", outcome: Done) -> None:
    # Not by set_exception, which refuses StopIteration.
    if not done.cancelled():
        done.set_result(outcome)
