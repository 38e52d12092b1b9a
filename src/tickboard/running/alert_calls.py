"""Alert calls: calls an application's functions with each alert that fires, and with each that is resolved.

A function runs like a sampler: a plain one in a thread of its own, an async one in a task. It gets its alerts one after
another, in order. If it raises, that is reported, and it gets the next alert. If it hangs, that is reported, and up to
`LOG_EVENTS` alerts wait. When the board stops, functions have `FINISH_S` to finish; the remaining alerts are passed to
the board that replaces it, or counted in the log.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import suppress
from functools import partial

from tickboard.alerting.log import LOG_EVENTS, AlertEvent, AlertLog
from tickboard.hub.connections import Listen
from tickboard.loop.supervisor import Supervisor
from tickboard.output.logs import log as logger
from tickboard.problems import Reporter, numbered
from tickboard.running.sampling import HANGING_S, RunningSampler, Sampler, is_async
from tickboard.schedule import parse
from tickboard.wire import Alert

WATCH_S = 1.0
"""How often to check whether a function hangs."""

FINISH_S = 1.0
"""How long functions may take to finish their waiting alerts when the board stops."""

AlertFunction = Callable[[Alert], object]


def sources(functions: Iterable[tuple[str, AlertFunction]]) -> list[str]:
    """Return a distinct source name for each function."""
    return numbered(f"alert function {name}" for name, _ in functions)


class AlertCalls:
    """All functions of a board that are called with its alerts: `start`, then `stop`.

    Args:
        functions: by name.
        problems: where their failures are reported.
    """

    def __init__(self, functions: Iterable[tuple[str, AlertFunction]], problems: Reporter) -> None:
        functions = list(functions)
        self._queues = [
            _Queue(source, function, problems)
            for source, (_, function) in zip(sources(functions), functions, strict=True)
        ]
        self._supervisor = Supervisor(problems)

    def start(self, log: AlertLog, subscribe: Listen, positions: Mapping[str, int]) -> None:
        """Start calling. Call this in a running loop.

        Args:
            log: the log of the board's alerts.
            subscribe: makes a function be called when the log has events to read; returns a function that ends that.
            positions: by source, the number of the last event that a function of the replaced board was called for.
                Functions without one start with the next alert.
        """
        for queue in self._queues:
            queue.follow(log, subscribe, positions.get(queue.source, log.published))
            self._supervisor.start(queue.source, queue.work)
        if self._queues:
            self._supervisor.start("alert function watch", self._watch)

    async def stop(self, handed_over: Collection[str] = ()) -> dict[str, int]:
        """Wait up to `FINISH_S` for the functions to finish, and end.

        Args:
            handed_over: the sources of the functions that another board continues.

        Returns:
            Their positions, for that board's `start`. Alerts that wait for other functions are counted in the log.
        """
        for queue in self._queues:
            queue.leave()
        with suppress(TimeoutError):
            async with asyncio.timeout(FINISH_S):
                for queue in self._queues:
                    await queue.idle.wait()
        await self._supervisor.stop()
        positions: dict[str, int] = {}
        lost: dict[str, int] = {}
        for queue in self._queues:
            waiting = queue.close()
            if queue.source in handed_over:
                positions[queue.source] = waiting[0].number - 1 if waiting else queue.position
            elif waiting:
                lost[queue.source] = len(waiting)
        if lost:
            counts = ", ".join(f"{count} to {source}" for source, count in lost.items())
            logger.warning("the board stopped before all alerts were delivered; not delivered: %s", counts)
        return positions

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(WATCH_S)
            for queue in self._queues:
                queue.running.report_hanging(time.monotonic())


class _Queue:
    """The alerts that wait for one function.

    Attributes:
        source: the source of its problems.
        position: the number of the last event that was read from the log.
        idle: set while no alert waits and no call runs.
        running: the running function.
    """

    def __init__(self, source: str, function: AlertFunction, problems: Reporter) -> None:
        self.source = source
        self.position = 0
        self.idle = asyncio.Event()
        self._function = function
        self._problems = problems
        self._waiting: deque[AlertEvent] = deque()
        self._awake = asyncio.Event()
        self._leave: Callable[[], None] | None = None
        call = self._call_async if is_async(function) else self._call
        self.running = RunningSampler(Sampler(source, call, None, patience_s=HANGING_S), source, parse("1s"), problems)

    def follow(self, log: AlertLog, subscribe: Listen, position: int) -> None:
        """Queue the log's alerts after a position, now and in the future."""
        self.position = position
        self._leave = subscribe(partial(self._read, log))
        self._read(log)

    def _read(self, log: AlertLog) -> None:
        while events := log.since(self.position):
            self.position = events[-1].number
            self._waiting.extend(event for event in events if isinstance(event, AlertEvent) and event.kind != "changed")
        if (dropped := len(self._waiting) - LOG_EVENTS) > 0:
            for _ in range(dropped):
                self._waiting.popleft()
            self._problems.report(
                f"{self.source}: queue", f"more than {LOG_EVENTS} alerts are waiting for it: the oldest are dropped"
            )
        self.idle.clear()
        self._awake.set()

    async def work(self) -> None:
        """Call the function whenever an alert waits."""
        while True:
            # Alerts may be waiting already, since this restarts after a failure.
            while self._waiting:
                await self.running.run()
            self._problems.clear(f"{self.source}: queue")
            self.idle.set()
            await self._awake.wait()
            self._awake.clear()

    def leave(self) -> None:
        """Stop queueing alerts."""
        if self._leave is not None:
            self._leave()

    def close(self) -> list[AlertEvent]:
        """Stop calling the function, and return the events it was not called for."""
        waiting, self._waiting = self._waiting, deque()
        self.running.close()
        return list(waiting)

    def _call(self) -> object:
        return self._function(self._waiting.popleft().alert)

    async def _call_async(self) -> object:
        return self._function(self._waiting.popleft().alert)
