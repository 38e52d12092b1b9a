"""Makes a tick by hand: for tests of a dashboard file, without a server and without waiting."""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Iterable

from tickboard.client.decoder import Tick, WatchedSeries
from tickboard.engine import Engine
from tickboard.errors import InputError
from tickboard.running.sampling import Sampler


def make_tick(engine: Engine, samplers: Iterable[Sampler], interval_s: float, now: float | None) -> Tick:
    """Run the samplers that are due, make one tick, publish its alerts, and return it as a client sees it.

    Args:
        engine: makes the tick.
        samplers: the board's. Those that make network requests are left out.
        interval_s: seconds between two ticks.
        now: its time, POSIX seconds; None: one interval after the last tick, or the current time for the first.

    Raises:
        InputError: a sampler is async and so is the caller.
    """
    last = engine.last_time
    if now is None:
        now = time.time() if last is None else last + interval_s
    for sampler in samplers:
        if sampler.awaited and (sampler.schedule is None or last is None or sampler.schedule.next(last) <= now):
            _run_once(sampler)
    happened = engine.tick(now, interval_s if last is None else max(0.0, now - last))
    engine.alerts.log.publish(engine.alerts.log.number)
    # A series that another thread has added since is not in this tick.
    series = [one for one in engine.select().series if one.column < len(happened.row)]
    shown = tuple(WatchedSeries(one.metric.name, one.metric.unit, dict(one.labels)) for one in series)
    data = happened.row[[one.column for one in series]].astype("<f8").tobytes()
    return Tick(engine.epoch, happened.seq, happened.time, shown, data)


def _run_once(sampler: Sampler) -> None:
    """Run a sampler, plain or async, to its end, and raise what it raises."""
    result = sampler.function()
    if inspect.isawaitable(result):
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            asyncio.run(_awaited(result))
        else:
            if inspect.iscoroutine(result):
                result.close()
            raise InputError(f"sampler {sampler.name} is async: call tick() from a test that is not async")


async def _awaited(result: Awaitable[object]) -> None:
    await result
