"""The supervisor: keeps all long-running parts running.

A part that ends without being stopped has failed, however it ended: by an exception, by a cancellation from elsewhere,
by trying to exit the interpreter, or by returning. It is reported and restarted after a moment; nothing else is
affected. Foreign code, such as a sampler, runs in a task of its own (`outcome`), so that its cancellations and timeouts
stay its own.
"""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable

from tickboard.output.logs import log
from tickboard.problems import Reporter, described

AGAIN_S = 1.0
"""Seconds before a failed part is restarted; they double each time it fails again soon."""

MAX_AGAIN_S = 60.0

WELL_S = 3.0
"""A part that has run for this many seconds counts as working again."""

STOP_S = 2.0
"""How long parts may take to stop; one that takes longer is abandoned."""

Call = Callable[[], Awaitable[BaseException | None]]
"""Foreign code. It may return its failure instead of raising it."""


async def outcome(call: Call) -> BaseException | None:
    """Run foreign code in a task of its own; return the exception that it raised or returned, or None if it worked.

    `SystemExit` and `KeyboardInterrupt` are returned like any other: neither ends the program.

    Raises:
        CancelledError: the caller was cancelled; the foreign task is cancelled too, but not awaited.
    """
    task = asyncio.create_task(_guarded(call))
    try:
        await asyncio.wait([task])
    except asyncio.CancelledError:
        task.cancel()
        raise
    if task.cancelled():
        return asyncio.CancelledError("something else cancelled it")
    return task.result()


async def _guarded(call: Call) -> BaseException | None:
    process = os.getpid()
    error: BaseException | None
    try:
        error = await call()
    except BaseException as raised:  # noqa: BLE001  # foreign code may raise anything
        error = raised
    end_child(process, error)
    return error


def end_child(process: int, error: BaseException | None) -> None:
    """End this process if it is a child that foreign code forked and that has returned from that code.

    Otherwise it would continue as a second board, on the sockets of the first.

    Args:
        process: the id of the process that called the foreign code.
        error: the exception that the foreign code raised, if any.
    """
    if os.getpid() == process:
        return
    code = error.code if isinstance(error, SystemExit) else error
    os._exit(code if isinstance(code, int) else int(code is not None))


class Supervisor:
    """Keeps the parts of a board running. Call `start` for each, then `stop` once.

    Args:
        problems: where a part's failure is reported.
    """

    def __init__(self, problems: Reporter) -> None:
        self._problems = problems
        self._parts: list[_Part] = []

    def start(self, name: str, job: Call) -> None:
        """Run a job until `stop`, in the running loop.

        Args:
            name: the source of its problems.
            job: returns the coroutine, at the start and after each failure.
        """
        part = _Part(name, job, self._problems)
        self._parts.append(part)
        part.start()

    async def stop(self) -> None:
        """Stop all parts; one that does not end within `STOP_S` is abandoned and logged."""
        tasks = {task: part for part in self._parts if (task := part.stop()) is not None}
        self._parts.clear()
        if tasks:
            _, left = await asyncio.wait(tasks, timeout=STOP_S)
            for task in left:
                log.warning("%s: did not stop within %g s; it is abandoned", tasks[task].name, STOP_S)


class _Part:
    """One job that is kept running."""

    def __init__(self, name: str, job: Call, problems: Reporter) -> None:
        self.name = name
        self._job = job
        self._problems = problems
        self._task: asyncio.Task[BaseException | None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._well: asyncio.TimerHandle | None = None
        self._again_s = AGAIN_S
        self._began = 0.0
        self._stopped = False

    def start(self) -> None:
        self._began = time.monotonic()
        self._task = asyncio.create_task(_guarded(self._job), name=self.name)
        self._task.add_done_callback(self._ended)

    def stop(self) -> asyncio.Task[BaseException | None] | None:
        """Cancel it, and return its task while that is ending, or None."""
        self._stopped = True
        for timer in (self._timer, self._well):
            if timer is not None:
                timer.cancel()
        if self._task is None or self._task.done():
            return None
        self._task.cancel()
        return self._task

    def _ended(self, task: asyncio.Task[BaseException | None]) -> None:
        if self._stopped:
            return
        if self._well is not None:
            self._well.cancel()
        error = asyncio.CancelledError() if task.cancelled() else task.result()
        ran_s = time.monotonic() - self._began
        self._again_s = AGAIN_S if ran_s >= WELL_S else min(2 * self._again_s, MAX_AGAIN_S)
        # Not at once: a loop that is being closed cancels all its tasks, which is no failure, and is gone before the
        # timer fires.
        self._timer = asyncio.get_running_loop().call_later(AGAIN_S, self._failed, error)

    def _failed(self, error: BaseException | None) -> None:
        loop = asyncio.get_running_loop()
        # Before reporting, since that may fail, too.
        self._timer = loop.call_later(self._again_s - AGAIN_S, self.start)
        self._well = loop.call_later(self._again_s - AGAIN_S + WELL_S, self._problems.clear, self.name)
        if error is None:
            self._problems.report(self.name, "it ended; it will be restarted", kind="ended")
        else:
            message = f"{described(error)}; it will be restarted"
            self._problems.report(self.name, message, error=error, kind=type(error))
