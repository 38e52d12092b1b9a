"""Sampling: runs one function of the user's, plain or async, and reports its failures.

A plain function runs in a thread of its own, so that one that blocks delays nobody; an async one in a task of its own.
Whatever it raises is reported, and it runs again at its next instant: `StopIteration`, a cancellation, an attempt to
exit the interpreter. One that does not return is reported until it does. After a failed run, the metrics that it set
earlier but not in that run are stale; while a run hangs, all of its metrics are.
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
"""A run that takes this many intervals of its schedule is reported as hanging."""

HANGING_S = 3.0
"""But no run is reported as hanging before it has taken this many seconds."""

YIELDS = "it is a generator, so calling it runs nothing"

Function = Callable[[], object]


class Sampler(Struct, frozen=True, eq=False):
    """A function that sets values, and when it runs.

    Attributes:
        name: its name for people.
        function: plain or async; its result is ignored.
        schedule: when it runs; None: at every tick.
        awaited: whether a tick that is due at the same instant waits for it, for a while. Ticks do not wait for
            samplers that make network requests.
        patience_s: how long a run may take before it is reported as hanging.
    """

    name: str
    function: Function
    schedule: Schedule | None
    awaited: bool = True
    patience_s: float = HANGING_S


class RunningSampler:
    """A running sampler.

    Args:
        sampler: the sampler.
        source: the source of its problems, unique on the board.
        ticks: the schedule of a sampler without one of its own.
        problems: where its failures are reported.

    Attributes:
        sampler: the sampler.
        schedule: its own, or that of the ticks.
        source: the source of its problems.
        due: the instant that it runs for, or waits for.
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
        """Run it once, to its end, and report or clear its problem.

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
        """Report the current run if it takes too long; again each time its duration has doubled.

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
        # Including those that this run has set: they are no longer new either.
        metrics = self._known | self._written
        consequence = ": until it returns, its values are stale" if metrics else ""
        self._problems.report(
            self.source,
            f"it has been running for more than {math.floor(running_s)} s{consequence}",
            metrics=metrics,
            logged=first,
        )

    def close(self) -> None:
        """End its thread when it is idle; a run that hangs is abandoned."""
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
        what: its kind and name, for the message: ``sampler read``.
        function: the object to check.
        instead: what to do instead of yielding, for the message.

    Raises:
        InputError: it cannot be called, or it is a generator.
    """
    if not callable(function):
        raise InputError(f"{what}: {function!r} cannot be called: give a function")
    if any(inspect.isgeneratorfunction(each) or inspect.isasyncgenfunction(each) for each in _called(function)):
        raise InputError(f"{what}: {YIELDS}: {instead} without yield")


def function_name(function: object) -> str:
    """Return a function's name for people."""
    return getattr(function, "__qualname__", repr(function))


def is_async(function: Callable[..., object]) -> bool:
    """Return whether a function must be called in the loop: an async one, or an object whose ``__call__`` is."""
    return any(inspect.iscoroutinefunction(each) for each in _called(function))


def _called(function: Callable[..., object]) -> tuple[object, object]:
    """Return the code that runs when a function is called: itself, and the ``__call__`` of an object."""
    return function, getattr(function, "__call__", None)  # noqa: B004


def report_failure(problems: Reporter, source: str, error: BaseException, stale: set[str] | None = None) -> None:
    """Report the exception of a failed round; the same type at the same place is the same problem.

    Its text may contain a value that changes, and a failure every second should be reported once.
    """
    if isinstance(error, SampleError):
        problems.report(source, str(error), detail=error.detail or None, metrics=stale or ())
        return
    kind = (type(error), own_place(error) or last_place(error))
    problems.report(source, described(error), error=error, metrics=stale or (), kind=kind)


class _Thread:
    """A thread that runs one plain function on demand, one run at a time.

    It is a daemon: a function that never returns must not keep the program from ending. All runs share one thread,
    since psutil measures percentages since the last call *in this thread*.
    """

    def __init__(self, name: str, function: Function) -> None:
        self._function = function
        self._orders: SimpleQueue[_Order | None] = SimpleQueue()
        threading.Thread(target=self._work, name=name, daemon=True).start()

    async def call(self, written: set[str]) -> "_Done":
        """Run the function; return its result and its exception."""
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
    """One run: the future to settle at its end, and the set that receives the names of the metrics it sets."""

    loop: asyncio.AbstractEventLoop
    done: "asyncio.Future[_Done]"
    written: set[str]


def _settle(done: "asyncio.Future[_Done]", result: _Done) -> None:
    # Not by set_exception, which refuses StopIteration.
    if not done.cancelled():
        done.set_result(result)
