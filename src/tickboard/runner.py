"""The runner: asyncio's part in the life of a tick.

It runs the samplers on their schedules, makes each tick on time, and hands what happened to the hub. It also has the
hub give the readers of alerts what is new to them.

Ticks stay on the wall clock: each is made at a multiple of the interval and carries that time, however late the loop
was. One that could not be made in its own interval is skipped and counted, never made up for. A tick waits for the
samplers that are due at the same instant, for at most half its interval, so that it has their values.

Whatever is done again and again goes on after a failure: it is logged, the page shows it, and the next round comes at
its time.
"""

import asyncio
import contextlib
import inspect
import logging
import threading
import time
import traceback
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from queue import SimpleQueue

from tickboard.engine import Engine
from tickboard.frames import timestamp
from tickboard.hub.hub import Hub
from tickboard.schedule import Schedule, parse
from tickboard.teller import Teller
from tickboard.text import encodable
from tickboard.types import Problem

log = logging.getLogger("tickboard")

LONGEST_SLEEP_S = 1.0
"""The clock is looked at again at least so often: it may be set, and a laptop may sleep."""

BEAT_S = 1.0
"""Seconds between two looks for which readers of alerts a heartbeat is due."""

Sample = Callable[[], object]

Place = tuple[str, int]
"""A file, and a line in it."""


@dataclass(frozen=True, eq=False)
class Sampler:
    """A function that sets values, and when it runs: at each instant of its schedule, or at every tick when None.

    A plain function runs in a thread of its own, so that one that blocks delays nobody; an async one in the loop.

    Attributes:
        awaited: whether a tick that is due with it waits for it, for a while. One that asks others over the network
            takes as long as they do, and is not waited for.
    """

    name: str
    function: Sample
    schedule: Schedule | None
    awaited: bool = True


class Runner:
    """Makes the ticks of one engine, until it is stopped.

    Args:
        engine: what makes them.
        hub: who gets them.
        teller: who tells of alerts.
        samplers: what runs before them.
        interval_ms: milliseconds between two.
        alert_check_s: seconds between two runs of the alerts' time-driven work.

    Attributes:
        ticks_skipped: ticks that could not be made in time.
    """

    def __init__(
        self,
        engine: Engine,
        hub: Hub,
        teller: Teller,
        samplers: list[Sampler],
        *,
        interval_ms: int,
        alert_check_s: int,
    ) -> None:
        self.ticks_skipped = 0
        self._engine = engine
        self._hub = hub
        self._teller = teller
        self._interval_s = interval_ms / 1000
        self._tick_schedule = parse(f"{interval_ms}ms")
        self._check_schedule = parse(f"{alert_check_s}s")
        self._running = [_Running(sampler, self._tick_schedule, hub, self._progressed) for sampler in samplers]
        self._awaited = [one for one, sampler in zip(self._running, samplers, strict=True) if sampler.awaited]
        self._progress = asyncio.Event()
        self._news = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin; the caller is in a running loop."""
        self._hub.readers.on_news = self._news.set
        # Whom another board's runner had not given all of it yet.
        self._news.set()
        jobs = [
            self._make_ticks(),
            self._check_alerts(),
            self._give_alerts(),
            *(running.run() for running in self._running),
        ]
        self._tasks = [asyncio.create_task(job) for job in jobs]

    async def stop(self) -> None:
        """End, without waiting for a sampler that blocks."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for running in self._running:
            running.close()

    async def _make_ticks(self) -> None:
        failures = _Failures("ticks", self._hub)
        last_due = time.time()
        last_made = time.monotonic()
        while True:
            due = await sleep_until_next(self._tick_schedule, last_due)
            await self._wait_for_samplers(last_due, due)
            made = time.monotonic()
            with failures.told():
                await self._make_tick(due, made, made - last_made)
            # Instants that went by while this tick was made are gone.
            now = time.time()
            self.ticks_skipped += (skipped := self._tick_schedule.missed(due, now))
            last_due, last_made = (now if skipped else due), made

    async def _make_tick(self, due: float, made: float, elapsed_s: float) -> None:
        happened = self._engine.tick(due, elapsed_s)
        self._teller.tell(happened.events)
        await _run_through(self._hub.publish(happened))
        delivered = time.monotonic()
        self._hub.traffic.delivered(delivered - made)
        self._hub.check(delivered)

    async def _wait_for_samplers(self, last_due: float, due: float) -> None:
        """Wait for the samplers that were due since the last tick; not for those that have been running for longer."""
        try:
            async with asyncio.timeout(self._interval_s / 2):
                while any(last_due < running.due <= due for running in self._awaited):
                    self._progress.clear()
                    await self._progress.wait()
        except TimeoutError:
            pass

    def _progressed(self) -> None:
        self._progress.set()

    async def _check_alerts(self) -> None:
        failures = _Failures("alert check", self._hub)
        last = time.time()
        while True:
            last = await sleep_until_next(self._check_schedule, last)
            with failures.told():
                self._teller.tell(self._engine.check(last))
                self._teller.keep_episodes()

    async def _give_alerts(self) -> None:
        """Give the readers of alerts what is new, as soon as it is, and their heartbeats."""
        readers = self._hub.readers
        giving, beating = _Failures("alert stream", self._hub), _Failures("alert stream heartbeats", self._hub)
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(BEAT_S):
                    await self._news.wait()
            if self._news.is_set():
                self._news.clear()
                with giving.told():
                    await _run_through(readers.give())
                if giving.last is not None:
                    # What was not given is still to be, but not at once: it would fail again.
                    await asyncio.sleep(BEAT_S)
                    self._news.set()
            with beating.told():
                await _run_through(readers.beat(time.monotonic(), time.time()))


async def _run_through(steps: Iterator[None]) -> None:
    """Run something to its end, and let others run at each step."""
    for _ in steps:
        await asyncio.sleep(0)


async def sleep_until_next(schedule: Schedule, last: float) -> float:
    """Sleep until the schedule's next instant after `last`, and return it.

    A clock that is set back while it sleeps does not leave it asleep, one that is set forward makes it late once.
    """
    due = schedule.next(last)
    while (left := due - (now := time.time())) > 0:
        if left > (soonest := schedule.next(now)) - now:
            due = soonest
            continue
        await asyncio.sleep(min(left, LONGEST_SLEEP_S))
    return due


class _Running:
    """One sampler at work.

    Attributes:
        due: the instant that it is running for, or waits for.
    """

    def __init__(self, sampler: Sampler, ticks: Schedule, hub: Hub, progressed: Callable[[], None]) -> None:
        self.due = 0.0
        self._sampler = sampler
        self._schedule = sampler.schedule or ticks
        self._progressed = progressed
        self._failures = _Failures(f"sampler {sampler.name}", hub)
        self._thread: _Thread | None = None
        self._call: Callable[[], Awaitable[object]]
        if inspect.iscoroutinefunction(sampler.function):
            self._call = sampler.function
        else:
            self._thread = _Thread(sampler.function)
            self._call = self._thread.call

    async def run(self) -> None:
        last = time.time()
        self.due = self._schedule.next(last)
        while True:
            self.due = await sleep_until_next(self._schedule, last)
            with self._failures.told():
                await self._call()
            # One that took longer than to its next instant skips those it missed.
            now = time.time()
            last = now if self._schedule.missed(self.due, now) else self.due
            self.due = self._schedule.next(last)
            self._progressed()

    def close(self) -> None:
        if self._thread is not None:
            self._thread.close()


class _Failures:
    """The failures of something that is done again and again: each is told, and the next round comes.

    Attributes:
        last: what the last round failed with, and where; None: it worked.
    """

    def __init__(self, source: str, hub: Hub) -> None:
        self.last: tuple[type[Exception], Place | None] | None = None
        self._source = source
        self._hub = hub

    @contextlib.contextmanager
    def told(self) -> Iterator[None]:
        """Run one round, and keep its failure from whoever runs it."""
        try:
            yield
        except Exception as error:  # noqa: BLE001  # a sampler is anybody's code, and nothing else may stop either
            self._attempt(self._failed, error)
        else:
            self._attempt(self._worked)

    def _attempt(self, tell: Callable[..., None], *arguments: Exception) -> None:
        # What fails may be what would tell of it.
        try:
            tell(*arguments)
        except Exception:
            log.exception("%s: the page cannot be told how it is", self._source)

    def _failed(self, error: Exception) -> None:
        # The same failure every second is one report, not one a second; its text may hold a value that changes.
        own = _last_own_place(error)
        failure = (type(error), own or _last_place(error))
        if failure == self.last:
            return
        self.last = failure
        log.error("%s: %s; it goes on at its next instant", self._source, _described(error), exc_info=error)
        self._hub.report(
            Problem(
                self._source,
                _described(error),
                timestamp(time.time()),
                own[0] if own else None,
                own[1] if own else None,
                encodable("".join(traceback.format_exception(error))),
            )
        )

    def _worked(self) -> None:
        if self.last is not None:
            self.last = None
            self._hub.mended(self._source)


def _described(error: Exception) -> str:
    try:
        return encodable(f"{type(error).__name__}: {error}")
    except Exception:  # noqa: BLE001  # an exception's text is anybody's code, too
        return type(error).__name__


def _last_own_place(error: Exception) -> Place | None:
    """Return the file and line where an error was raised, the innermost that is the user's own."""
    here = __file__.rpartition("runner")[0]
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if not frame.filename.startswith((here, "<")) and "site-packages" not in frame.filename:
            return frame.filename, frame.lineno or 0
    return None


def _last_place(error: Exception) -> Place | None:
    """Return the file and line where an error was raised, whoever's they are."""
    frames = traceback.extract_tb(error.__traceback__)
    return (frames[-1].filename, frames[-1].lineno or 0) if frames else None


class _Thread:
    """A thread that runs one plain function when asked to, one run at a time.

    It is a daemon: a function that never returns must not keep the program from ending. And it stays the same thread
    from run to run, since psutil's percentages are since the last call *in this thread*.
    """

    def __init__(self, function: Sample) -> None:
        self._function = function
        self._orders: SimpleQueue[tuple[asyncio.AbstractEventLoop, asyncio.Future[object]] | None] = SimpleQueue()
        threading.Thread(target=self._work, name=f"sampler {function!r}", daemon=True).start()

    async def call(self) -> object:
        loop = asyncio.get_running_loop()
        done: asyncio.Future[object] = loop.create_future()
        self._orders.put((loop, done))
        return await done

    def close(self) -> None:
        self._orders.put(None)

    def _work(self) -> None:
        while (order := self._orders.get()) is not None:
            loop, done = order
            result: object = None
            error: BaseException | None = None
            try:
                result = self._function()
            except BaseException as raised:  # noqa: BLE001  # the loop's side raises it
                error = raised
            try:
                loop.call_soon_threadsafe(_settle, done, result, error)
            except RuntimeError:
                return  # the loop is closed: nobody waits any more


def _settle(done: asyncio.Future[object], result: object, error: BaseException | None) -> None:
    if done.cancelled():
        return
    if error is None:
        done.set_result(result)
    elif isinstance(error, Exception):
        done.set_exception(error)
    else:
        done.set_exception(RuntimeError(f"{type(error).__name__}: {error}"))
