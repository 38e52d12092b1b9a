"""Turns: long work in steps, one step in each turn of the event loop.

However many requests start long work at the same time, the loop does one step of one of them and then everything else:
ticks, answers, sockets. New work goes before work that has taken many steps, so that a small request does not wait for
all large ones before it.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Generator, Hashable, Iterator
from typing import Generic, TypeVar
from weakref import WeakKeyDictionary

FRESH_STEPS = 8
"""Work that has taken this many steps is long: it takes turns with other long work."""

_OVER = object()

Settle = Callable[[BaseException | None], None]
"""Called when work is over, with the exception that it raised, or None."""


class _Work:
    """One piece of work."""

    __slots__ = ("cancelled", "settle", "steps", "taken")

    def __init__(self, steps: Iterator[None], settle: Settle) -> None:
        self.steps = steps
        self.settle = settle
        self.taken = 0
        self.cancelled = False


class Turns:
    """The work of one loop."""

    def __init__(self) -> None:
        self._fresh: deque[_Work] = deque()
        self._long: deque[_Work] = deque()
        self._is_due = False
        self._is_long_next = False

    def at_once(self, steps: Iterator[None]) -> bool:
        """Do the first step of work now, if no other work waits and no step was done in this turn.

        Returns:
            True if that completed the work; otherwise call `begin` to continue.
        """
        if self._is_due:
            return False
        try:
            return next(steps, _OVER) is _OVER
        finally:
            self._call_soon()

    def begin(self, steps: Iterator[None], settle: Settle) -> Callable[[], None]:
        """Start work. Return a function that cancels it; `settle` is then not called."""
        work = _Work(steps, settle)
        self._fresh.append(work)
        self._call_soon()

        def cancel() -> None:
            work.cancelled = True

        return cancel

    def _call_soon(self) -> None:
        if not self._is_due:
            self._is_due = True
            asyncio.get_running_loop().call_soon(self._turn)

    def _turn(self) -> None:
        """Do one step of one piece of work."""
        self._is_due = False
        while (work := self._next()) is not None:
            if work.cancelled:
                continue
            try:
                self._step(work)
            finally:
                # Continue whatever `settle` raises. Even without further work: this turn has had its step, and new
                # work must wait for the next turn.
                self._call_soon()
            return

    def _next(self) -> _Work | None:
        """Return the next piece of work. Long work has every second turn, so that new work cannot starve it."""
        first, second = (self._long, self._fresh) if self._is_long_next else (self._fresh, self._long)
        self._is_long_next = not self._is_long_next
        waiting = first or second
        return waiting.popleft() if waiting else None

    def _step(self, work: _Work) -> None:
        try:
            next(work.steps)
        except StopIteration:
            work.settle(None)
        except BaseException as error:  # noqa: BLE001  # raised again where the work is awaited
            work.settle(error)
        else:
            work.taken += 1
            (self._fresh if work.taken < FRESH_STEPS else self._long).append(work)


T = TypeVar("T")

_turns: WeakKeyDictionary[asyncio.AbstractEventLoop, Turns] = WeakKeyDictionary()


def turns() -> Turns:
    """Return the turns of the running loop."""
    loop = asyncio.get_running_loop()
    found = _turns.get(loop)
    if found is None:
        found = _turns[loop] = Turns()
    return found


async def in_turns(steps: Iterator[None]) -> None:
    """Run work to its end, one step in each turn of the loop.

    Raises:
        Exception: what the work raised.
    """
    if turns().at_once(steps):
        return
    over: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    failed: list[BaseException] = []

    def settle(error: BaseException | None) -> None:
        if over.done():
            return
        if error is not None:
            failed.append(error)
        over.set_result(None)

    cancel = turns().begin(steps, settle)
    try:
        await over
    finally:
        cancel()
    if failed:
        # The error will refer to this frame. If the frame referred to it, too, only a garbage collection would free
        # both.
        raise failed.pop()


async def made_in_turns(steps: Generator[None, None, T]) -> T:
    """Run work like `in_turns`, and return its result."""
    made: list[T] = []

    def kept() -> Iterator[None]:
        made.append((yield from steps))

    await in_turns(kept())
    return made[0]


class Shared(Generic[T]):
    """A result that many callers ask for: made once, in turns, for all who ask with the same key."""

    def __init__(self) -> None:
        self._key: Hashable = None
        self._making: asyncio.Task[T] | None = None

    async def get(self, key: Hashable, make: Callable[[], Generator[None, None, T]]) -> T:
        """Return the result for a key: one that exists, is being made, or is made now.

        Args:
            key: identifies the result; the result for any other key is discarded.
            make: starts making it.
        """
        key = (asyncio.get_running_loop(), key)
        if self._making is None or self._key != key or (self._making.done() and _has_failed(self._making)):
            self._key, self._making = key, asyncio.create_task(made_in_turns(make()))
        # One caller's cancellation must not end it for the others.
        return await asyncio.shield(self._making)


def _has_failed(task: "asyncio.Task[T]") -> bool:
    return task.cancelled() or task.exception() is not None
