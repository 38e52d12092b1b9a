"""How late an event loop is while the history is compared, beside one that nothing is asked of."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import suppress

import numpy as np

from benchmarks.history.recordings import SERIES, Recording, Synthetic, recording
from benchmarks.report import Table

TICKS = 2_000

EVERY_S, WAKES, ROUNDS = 0.01, 300, 5


def tables() -> Iterator[Table]:
    """Measure, and yield the table."""
    result = Table(
        "History: lateness of the event loop",
        f"How late a loop wakes that sleeps for {EVERY_S * 1000:.0f} ms at a time, while the whole board is asked "
        "again and again what changed in 10 minutes, and while nothing is asked: p99, and the most, of "
        f"{WAKES} in each of {ROUNDS} interleaved rounds.",
        ["series", "idle", "asked", "most, idle", "most, asked"],
    )
    for series in SERIES[1:]:
        with recording(Synthetic(series)) as made:
            made.record(TICKS)
            idle, asked = asyncio.run(measured(made))
        cells = [np.percentile(idle, 99), np.percentile(asked, 99), max(idle), max(asked)]
        result.add(f"{series:,}", *(f"{late * 1000:.1f} ms" for late in cells))
    yield result


async def measured(made: Recording) -> tuple[list[float], list[float]]:
    """Return how late the loop is in seconds, without questions and with them."""
    idle: list[float] = []
    asked: list[float] = []
    for _ in range(ROUNDS):
        idle += await lateness()
        asking = asyncio.create_task(ask_on(made))
        asked += await lateness()
        asking.cancel()
        with suppress(asyncio.CancelledError):
            await asking
    return idle, asked


async def ask_on(made: Recording) -> None:
    """Ask again and again."""
    while True:
        await made.history.ask_changes(made.comparison(600, 600))


async def lateness() -> list[float]:
    """Return how late the loop is in seconds, each time that it wakes."""
    found = []
    for _ in range(WAKES):
        due = time.perf_counter() + EVERY_S
        await asyncio.sleep(EVERY_S)
        found.append(time.perf_counter() - due)
    return found
