"""The runner: asyncio's part in the life of a tick.

It runs the samplers on their schedules, makes each tick on time, and passes the result to the hub and then to the
recorder. It also makes the hub send new alerts to their readers.

Ticks follow the wall clock: each is made at a multiple of the interval and has that time, however late the loop was. A
tick that could not be made in its own interval is skipped and counted, never made later. A tick waits for the samplers
that are due at the same instant, for at most half its interval, so that it has their values; that of a wall then waits
for the ticks of its hosts. What hosts send a little later is sent to viewers before the next tick.

Each part is supervised: whatever it raises and however it ends, it is restarted, and the rest is not affected. If one
round of a repeated part fails, that is reported, and the next round runs on time.
"""

import asyncio
import contextlib
import time
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from tickboard.engine import Engine
from tickboard.hub.hub import Hub
from tickboard.loop.supervisor import Supervisor
from tickboard.problems import Quiet, Reporter, numbered
from tickboard.running.announcer import Announcer
from tickboard.running.pace import skipped, sleep_until_next
from tickboard.running.recorder import TickRecorder
from tickboard.running.sampling import RunningSampler, Sampler, report_failure
from tickboard.schedule import parse

if TYPE_CHECKING:
    from tickboard.fleet.fleet import Fleet

BEAT_S = 1.0
"""Seconds between two checks for readers of alerts that need a heartbeat, and for samplers that hang."""

TICKS = "ticks"
"""The source of problems of the ticks themselves."""

MAX_PADDED, STEP_PADDED = 14_400, 20
"""The most ticks that a wall which was stopped makes up for; and how many of those that nobody is sent it makes in one
step before other work may run."""

AMEND_S = 0.02
"""For how many seconds values of hosts that come late are collected before viewers are sent them. Each time doubles it
until the next tick, so that no tick costs more than a few messages."""

HOSTS = "values of hosts"
"""The source of problems of the values that the board's hosts send."""

HEAT_MAPS = "heat maps"
"""The source of the problem that there is no room for the series of a bucket."""

CLOCK = "clock"
"""The source of the problem that the wall clock was set back, which is shown for a while."""


class Runner:
    """Makes the ticks of one engine, until it is stopped.

    Args:
        engine: makes the ticks.
        hub: publishes them.
        announcer: publishes alerts.
        samplers: run before the ticks.
        problems: where failures are reported.
        interval_ms: milliseconds between two ticks.
        alert_check_s: seconds between two runs of time-driven alert work.
        recorder: records the ticks; None: they are not recorded.
        fleet: the hosts that the board follows; None: it follows none.

    Attributes:
        ticks_skipped: ticks that could not be made in time.
        published: when the last tick was published, or else the runner started, by the monotonic clock.
    """

    def __init__(
        self,
        engine: Engine,
        hub: Hub,
        announcer: Announcer,
        samplers: list[Sampler],
        problems: Reporter,
        *,
        interval_ms: int,
        alert_check_s: int,
        recorder: TickRecorder | None = None,
        fleet: "Fleet | None" = None,
    ) -> None:
        self.ticks_skipped = 0
        self.published = time.monotonic()
        self._clock_set = Quiet()
        self._engine = engine
        self._hub = hub
        self._announcer = announcer
        self._problems = problems
        self._recorder = recorder
        self._fleet = fleet
        self._interval_ms = interval_ms
        self._interval_s = interval_ms / 1000
        self._tick_schedule = parse(f"{interval_ms}ms")
        self._check_schedule = parse(f"{alert_check_s}s")
        sources = numbered(f"sampler {sampler.name}" for sampler in samplers)
        self._running = [
            RunningSampler(sampler, source, self._tick_schedule, problems)
            for sampler, source in zip(samplers, sources, strict=True)
        ]
        self._awaited = [running for running in self._running if running.sampler.awaited]
        self._progress = asyncio.Event()
        self._news = asyncio.Event()
        self._supervisor = Supervisor(problems)

    def start(self) -> None:
        """Start. Call it in a running loop."""
        self.published = time.monotonic()
        self._hub.readers.on_news = self._news.set
        # Another board's runner may have left events unsent.
        self._news.set()
        start = self._supervisor.start
        start(TICKS, self._make_ticks)
        start("alert check", self._check_alerts)
        start("alert stream", self._give_alerts)
        start("sampler watch", self._watch_samplers)
        for running in self._running:
            start(running.source, partial(self._sample, running))
        if self._announcer.journal is not None:
            start("alert log check", self._announcer.watch)

    async def stop(self) -> None:
        """Stop, without waiting for a sampler that hangs."""
        await self._supervisor.stop()
        for running in self._running:
            running.close()

    async def _make_ticks(self) -> None:
        rounds, collecting = Rounds(TICKS, self._problems), Rounds(HOSTS, self._problems)
        amending = Rounds(f"{HOSTS} that come late", self._problems)
        padding = Rounds(f"{TICKS} that were missed", self._problems)
        # Samplers, ticks and checks follow the wall clock.
        begun = last = last_due = time.time()
        last_made = last_woke = time.monotonic()
        while True:
            due = await sleep_until_next(self._tick_schedule, last)
            woke = time.monotonic()
            missed = skipped(self._tick_schedule, last_due, due, woke - last_woke, self._interval_s)
            self.ticks_skipped += missed
            if last_due == begun and self._engine.last_time is not None:
                # Since the window was filled with the ticks of an earlier run, nobody has counted.
                missed = self._tick_schedule.missed(self._engine.last_time, due) - 1
            await self._wait_for_samplers(last_due, due)
            if self._fleet is not None:
                if missed:
                    with amending.reported():
                        # Before the ticks that it changes leave the window.
                        await self._amend()
                with padding.reported():
                    await self._pad(due, missed)
                await self._fleet.wait(due)
                with collecting.reported():
                    self._fleet.collect(due)
            made = time.monotonic()
            with rounds.reported():
                await self._make_tick(due, made, made - last_made)
            if self._fleet is not None:
                with amending.reported():
                    await self._send_late(self._fleet, due)
            last, last_due, last_woke, last_made = self._tick_schedule.latest(due, time.time()), due, woke, made

    async def _make_tick(self, due: float, made: float, elapsed_s: float) -> None:
        happened = self._engine.tick(due, elapsed_s)
        self._announcer.announce(happened.events)
        self._report_clock(happened.set_back_s, made)
        try:
            await _run_through(self._hub.publish(happened))
            self.published = time.monotonic()
            self._hub.traffic.delivered(self.published - made)
            self._hub.check(self.published)
        finally:
            # The tick exists even if publishing it has failed.
            if self._recorder is not None:
                await _run_through(self._recorder.record(self._engine, happened, self._interval_ms))

    async def _send_late(self, fleet: "Fleet", due: float) -> None:
        """Send viewers what hosts send within half an interval after a tick; what comes later waits for the next one.

        Args:
            fleet: the hosts.
            due: the tick's instant, POSIX seconds.
        """
        pause_s = AMEND_S
        # The clock may have been set back.
        end = time.monotonic() + min(due + self._interval_s / 2 - time.time(), self._interval_s / 2)
        while True:
            try:
                async with asyncio.timeout(end - time.monotonic()):
                    await fleet.late()
                    await asyncio.sleep(pause_s)
            except TimeoutError:
                return
            pause_s *= 2
            fleet.follower.amend()
            await self._amend()

    async def _amend(self) -> None:
        """Send viewers what has changed in earlier ticks, and record it."""
        if not (amended := self._engine.amend()):
            return
        try:
            await _run_through(self._hub.amend(amended))
        finally:
            if self._recorder is not None:
                await _run_through(self._recorder.amend(self._engine, amended, self._interval_ms))

    async def _pad(self, due: float, missed: int) -> None:
        """Make empty ticks for the instants before one that were missed: hosts have their values, which come late."""
        if self._engine.last_time is None:
            return
        for number in range(min(missed, MAX_PADDED), 0, -1):
            instant = round(due * 1000 - number * self._interval_ms) / 1000
            if instant <= self._engine.last_time:
                continue
            happened = self._engine.pad(instant)
            if self._recorder is not None:
                self._recorder.pad(self._engine, happened, self._interval_ms)
            if number < self._engine.window.capacity:
                await _run_through(self._hub.publish(happened))
            elif not number % STEP_PADDED:
                await asyncio.sleep(0)

    def _report_clock(self, set_back_s: float, made: float) -> None:
        """Report for a while that the wall clock was set back: nobody has to fix it, but the charts start over."""
        if set_back_s:
            back = timedelta(seconds=round(set_back_s))
            self._problems.report(
                CLOCK, f"the wall clock was set back by {back}: the charts start over, alerts continue", kind=CLOCK
            )
            self._clock_set.failed(made)
        elif self._clock_set.is_over(made):
            self._problems.clear(CLOCK, "")

    async def _wait_for_samplers(self, last_due: float, due: float) -> None:
        """Wait for the samplers that were due since the last tick, but not for those that have been running longer."""
        try:
            async with asyncio.timeout(self._interval_s / 2):
                while any(last_due < running.due <= due for running in self._awaited):
                    self._progress.clear()
                    await self._progress.wait()
        except TimeoutError:
            pass

    async def _sample(self, running: RunningSampler) -> None:
        last = time.time()
        running.due = running.schedule.next(last)
        while True:
            running.due = await sleep_until_next(running.schedule, last)
            await running.run()
            # A sampler that ran past its next instants skips them.
            last = running.schedule.latest(running.due, time.time())
            running.due = running.schedule.next(last)
            self._progress.set()

    async def _watch_samplers(self) -> None:
        while True:
            await asyncio.sleep(BEAT_S)
            now = time.monotonic()
            for running in self._running:
                running.report_hanging(now)

    async def _check_alerts(self) -> None:
        rounds = Rounds("alert check", self._problems)
        last = time.time()
        while True:
            last = await sleep_until_next(self._check_schedule, last)
            with rounds.reported():
                # These series must not be removed: their samplers fail or hang.
                self._engine.intake.stale = self._hub.problems.stale
                self._announcer.announce(self._engine.check(last))
                self._announcer.keep_episodes()
            if refused := self._engine.registry.buckets.refused:
                self._problems.report(HEAT_MAPS, f"some values are shown in a wider bucket than theirs: {refused}")
            else:
                self._problems.clear(HEAT_MAPS)

    async def _give_alerts(self) -> None:
        """Send new events to the readers of alerts at once, and their heartbeats."""
        readers = self._hub.readers
        giving = Rounds("alert stream", self._problems)
        beating = Rounds("alert stream heartbeats", self._problems)
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(BEAT_S):
                    await self._news.wait()
            if self._news.is_set():
                self._news.clear()
                with giving.reported():
                    await _run_through(readers.send_new())
                if giving.failing:
                    # Send the rest later, since it would fail again at once.
                    await asyncio.sleep(BEAT_S)
                    self._news.set()
            with beating.reported():
                await _run_through(readers.beat(time.monotonic(), time.time()))


async def _run_through(steps: Iterator[None]) -> None:
    """Run steps to their end; other work may run between them."""
    for _ in steps:
        await asyncio.sleep(0)


class Rounds:
    """The rounds of a repeated part: a failure is reported, and the next round runs all the same.

    Attributes:
        failing: whether the last round failed.
    """

    def __init__(self, source: str, problems: Reporter) -> None:
        self.failing = False
        self._source = source
        self._problems = problems

    @contextlib.contextmanager
    def reported(self) -> Iterator[None]:
        """Run one round, and report its failure instead of raising it."""
        try:
            yield
        except Exception as error:  # noqa: BLE001  # one failed round must not stop the part
            self.failing = True
            report_failure(self._problems, self._source, error)
        else:
            self.failing = False
            self._problems.clear(self._source)
