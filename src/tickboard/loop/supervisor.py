"""The supervisor: the few lines by which everything that runs for long is kept running.

A part that ends without having been stopped has failed, however it ended: by an exception, by a cancellation that is
somebody else's, by trying to leave the interpreter, or by returning. It is reported, and started again after a moment;
nothing else is affected. Foreign code, such as a sampler, runs in a task of its own (`outcome`), so that its
cancellations and time-outs are its own.
"""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable

from tickboard.output.logs import log
from tickboard.problems import Reporter, described

AGAIN_S = 1.0
"""How long a part that has failed waits before it is started again; twice as long each time that it fails at once."""

MAX_AGAIN_S = 60.0

WELL_S = 3.0
"""A part that has run for so long works again."""

STOP_S = 2.0
"""How long parts may take to end when they are stopped; one that takes longer is left to itself."""

Call = Callable[[], Awaitable[BaseException | None]]
"""Foreign code; what it returns, it failed with."""


async def outcome(call: Call) -> BaseException | None:
    """Run foreign code in a task of its own, and return what it failed with, raised or returned; None: it worked.

    `SystemExit` and `KeyboardInterrupt` are returned like all else: neither ends the program.

    Raises:
        CancelledError: the caller was cancelled; the foreign task is cancelled too, and not waited for.
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
    """End this process where it is a child that foreign code has forked and that has come back from there.

    It would go on as a second board, on the sockets of the first.

    Args:
        process: the id of the process that called the foreign code.
        error: what that raised.
    """
    if os.getpid() == process:
        return
    code = error.code if isinstance(error, SystemExit) else error
    os._exit(code if isinstance(code, int) else int(code is not None))


class Supervisor:
    """Keeps the parts of a board running: `start` each, then `stop` them all.

    Args:
        problems: where a part's failure is reported.
    """

    def __init__(self, problems: Reporter) -> None:
        self._problems = problems
        self._parts: list[_Part] = []

    def start(self, name: str, job: Call) -> None:
        """Run a job that is to run until `stop`; the caller is in a running loop.

        Args:
            name: the source of its problems.
            job: makes the coroutine, at the start and after each failure.
        """
        part = _Part(name, job, self._problems)
        self._parts.append(part)
        part.start()

    async def stop(self) -> None:
        """Stop all parts; one that does not end within `STOP_S` is left to itself, and the log says so."""
        tasks = {task: part for part in self._parts if (task := part.stop()) is not None}
        self._parts.clear()
        if tasks:
            _, left = await asyncio.wait(tasks, timeout=STOP_S)
            for task in left:
                log.warning("%s: did not stop within %g s; it is left to itself", tasks[task].name, STOP_S)


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
        """Ask it to end, and return the task that does; None: it has ended."""
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
        # A loop that is being closed cancels every task in it, and has gone before the timer fires: that is no failure.
        self._timer = asyncio.get_running_loop().call_later(AGAIN_S, self._failed, error)

    def _failed(self, error: BaseException | None) -> None:
        loop = asyncio.get_running_loop()
        # First of all: reporting it may fail too.
        self._timer = loop.call_later(self._again_s - AGAIN_S, self.start)
        self._well = loop.call_later(self._again_s - AGAIN_S + WELL_S, self._problems.clear, self.name)
        if error is None:
            self._problems.report(self.name, "it ended, and is started again", kind="ended")
        else:
            message = f"{described(error)}; it is started again"
            self._problems.report(self.name, message, error=error, kind=type(error))
