"""Sampling: runs one function of the user's, plain or async, and reports what becomes of it.

A plain function runs in a thread of its own, so that one that blocks delays nobody; an async one in a task of its own.
Whatever it raises is reported, and it runs again at its next instant: `StopIteration`, a cancellation, an attempt to
leave the interpreter. One that does not return is reported while it does not. Stale are the metrics that it has set
before, but for those that it set in the run that failed; while a run hangs, all of them.
"""

import asyncio
import inspect
import math
import os
import threading
import time
from collections.abc import Callable
from queue import SimpleQueue

from msgspec import Struct

from tickboard.errors import InputError, SampleError
from tickboard.loop.supervisor import end_child, outcome
from tickboard.metrics.handles import written_by
from tickboard.problems import Reporter, described, last_place, own_place
from tickboard.schedule import Schedule

HANGING_INSTANTS = 3
"""A run that takes as long as from one instant to the third after it is reported as hanging."""

HANGING_S = 3.0
"""No run is reported as hanging before it has taken so long."""

YIELDS = "it yields, so that calling it runs nothing"

Function = Callable[[], object]


class Sampler(Struct, frozen=True, eq=False):
    """A function that sets values, and when it runs: at each instant of its schedule, or at every tick when None.

    Attributes:
        name: what people know it by.
        function: plain or async; what it returns is not used.
        schedule: its instants; None: every tick.
        awaited: whether a tick that is due with it waits for it, for a while. One that asks others over the network
            takes as long as they do, and is not waited for.
        patience_s: how long a run may take before it is reported as hanging.
    """

    name: str
    function: Function
    schedule: Schedule | None
    awaited: bool = True
    patience_s: float = HANGING_S


class RunningSampler:
    """One sampler at work.

    Args:
        sampler: what runs.
        source: what its problems are known by; no other sampler of the board has the same.
        ticks: when it is due that has no schedule of its own.
        problems: where its failures are reported.

    Attributes:
        sampler: as given.
        schedule: its own, or that of the ticks.
        source: as given.
        due: the instant that it is running for, or waits for.
    """

    def __init__(self, sampler: Sampler, source: str, ticks: Schedule, problems: Reporter) -> None:
        self.sampler = sampler
        self.schedule = sampler.schedule or ticks
        self.source = source
        self.due = 0.0
        self._problems = problems
        self._thread: _Thread | None = None
        self._known: set[str] = set()
        self._written: set[str] = set()
        self._began: float | None = None
        self._reported_s = 0.0

    async def run(self) -> None:
        """Run it once, to its end, and report how that went.

        Raises:
            CancelledError: the caller was cancelled.
        """
        self._written = set()
        self._began, self._reported_s = time.monotonic(), 0.0
        try:
            error = await outcome(self._call)
        finally:
            self._began = None
        stale = set() if isinstance(error, SampleError) else self._known - self._written
        self._known |= self._written
        if error is not None:
            report_failure(self._problems, self.source, error, stale)
        else:
            self._problems.clear(self.source)

    def report_hanging(self, now: float) -> None:
        """Report the run of the moment if it takes too long; again each time that it has taken twice as long.

        Args:
            now: seconds by the monotonic clock.
        """
        if self._began is None:
            return
        running_s = now - self._began
        if running_s < max(self._patience_s(), 2 * self._reported_s):
            return
        first = not self._reported_s
        self._reported_s = running_s
        # Those that this run has set, too: what was set before it hung is no longer new.
        metrics = self._known | self._written
        consequence = ": until it returns, its values are stale" if metrics else ""
        self._problems.report(
            self.source,
            f"it has been running for more than {math.floor(running_s)} s{consequence}",
            metrics=metrics,
            logged=first,
        )

    def close(self) -> None:
        """End its thread when it is idle; a run that hangs is left to itself."""
        if self._thread is not None:
            self._thread.close()

    def _patience_s(self) -> float:
        first = self.schedule.next(self.due)
        return max(HANGING_INSTANTS * (self.schedule.next(first) - first), self.sampler.patience_s)

    async def _call(self) -> BaseException | None:
        function = self.sampler.function
        with written_by(self._written):
            result: object = None
            error: BaseException | None = None
            if is_async(function):
                result = function()
            else:
                if self._thread is None:
                    self._thread = _Thread(self.source, function)
                result, error = await self._thread.call(self._written)
            while inspect.isawaitable(result):
                result = await result
        if inspect.isgenerator(result) or inspect.isasyncgen(result):
            return TypeError(f"{YIELDS}: write it without yield")
        return error


def check_function(what: str, function: object, instead: str) -> None:
    """Check that calling a function runs it.

    Args:
        what: its kind and name, for the error: ``sampler read``.
        function: what was given.
        instead: what to do without yield, for the error.

    Raises:
        InputError: it cannot be called, or it yields.
    """
    if not callable(function):
        raise InputError(f"{what}: {function!r} cannot be called: give a function")
    if any(inspect.isgeneratorfunction(each) or inspect.isasyncgenfunction(each) for each in _called(function)):
        raise InputError(f"{what}: {YIELDS}: {instead} without yield")


def function_name(function: object) -> str:
    """Return what people know a function by."""
    return getattr(function, "__qualname__", repr(function))


def is_async(function: Callable[..., object]) -> bool:
    """Return whether a function must be called in the loop: an async one, or an object whose ``__call__`` is."""
    return any(inspect.iscoroutinefunction(each) for each in _called(function))


def _called(function: Callable[..., object]) -> tuple[object, object]:
    """Return what runs when a function is called: itself, or the ``__call__`` of an object."""
    return function, getattr(function, "__call__", None)  # noqa: B004


def report_failure(problems: Reporter, source: str, error: BaseException, stale: set[str] | None = None) -> None:
    """Report what a round failed with; the same kind at the same place is the same problem.

    Its text may hold a value that changes, and the same failure every second is one report, not one a second.
    """
    if isinstance(error, SampleError):
        problems.report(source, str(error), detail=error.detail or None, metrics=stale or ())
        return
    kind = (type(error), own_place(error) or last_place(error))
    problems.report(source, described(error), error=error, metrics=stale or (), kind=kind)


class _Thread:
    """A thread that runs one plain function when asked to, one run at a time.

    It is a daemon: a function that never returns must not keep the program from ending. And it stays the same thread
    from run to run, since psutil's percentages are since the last call *in this thread*.
    """

    def __init__(self, name: str, function: Function) -> None:
        self._function = function
        self._orders: SimpleQueue[_Order | None] = SimpleQueue()
        threading.Thread(target=self._work, name=name, daemon=True).start()

    async def call(self, written: set[str]) -> "_Done":
        """Run the function, and return what it returned and what it raised."""
        loop = asyncio.get_running_loop()
        done: asyncio.Future[_Done] = loop.create_future()
        self._orders.put(_Order(loop, done, written))
        return await done

    def close(self) -> None:
        self._orders.put(None)

    def _work(self) -> None:
        while (order := self._orders.get()) is not None:
            result, error = self._run(order.written)
            try:
                order.loop.call_soon_threadsafe(_settle, order.done, (result, error))
            except RuntimeError:
                return  # the loop is closed: nobody waits any more

    def _run(self, written: set[str]) -> "_Done":
        process = os.getpid()
        result: object = None
        error: BaseException | None = None
        try:
            with written_by(written):
                result = self._function()
        except BaseException as raised:  # noqa: BLE001  # it is reported
            error = raised
        end_child(process, error)
        return result, error


_Done = tuple[object, BaseException | None]


class _Order(Struct, frozen=True, eq=False):
    """A run that is asked for: where its end is announced, and where the names of the metrics that it sets go."""

    loop: asyncio.AbstractEventLoop
    done: "asyncio.Future[_Done]"
    written: set[str]


def _settle(done: "asyncio.Future[_Done]", result: _Done) -> None:
    # Not by set_exception, which refuses StopIteration.
    if not done.cancelled():
        done.set_result(result)
