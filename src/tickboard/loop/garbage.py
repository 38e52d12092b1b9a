"""Python's garbage collector beside the event loop: full collections are rare, and never come just before a tick.

A full collection looks through every object that can hold others, and nothing else runs meanwhile: 100 ms and more
beside 2,000 connections. Python begins one at any time. Here, that is switched off, and the objects that exist at the
start, which stay, are not searched at all. The quick collections of young objects continue as usual. They and reference
counts free nearly everything, so a full collection is needed only for cycles that lived for seconds.

It comes when the program has twice as many objects as after the last one, or when that was long ago, so that full
collections take a ten-thousandth of the time. It starts in the pause between two ticks.

Used only in Tickboard's own process: an application that mounts a board keeps its own settings.
"""

import asyncio
import gc
import sys
import time
from collections.abc import Callable

NEVER = 2**31 - 1
"""Collections of the middle generation before Python starts a full one; Python's default is 10."""

SHARE = 10_000
"""A full collection is due after this many times its duration: one that takes 100 ms comes every 17 minutes."""

GROWN_BLOCKS, LEAST_BLOCKS = 2.0, 500_000
"""It is also due once the allocated memory blocks have grown by this factor, and by at least this many (some 40 MB)."""

GROWN_SERIES, LEAST_SERIES = 1.25, 500
"""Once the series have grown by this factor, and by at least this many, the new objects are set aside as well: the
objects of 10,000 series make a full collection 50 ms longer."""

LOOK_S = 1.0
"""How often to check whether a full collection is due."""

BEHIND_TICK, BEFORE_TICK = 0.2, 0.5
"""A pause for a collection keeps this distance to the last tick and to the next one: intervals, or seconds if those are
shorter."""


class Garbage:
    """Decides when a program looks for garbage.

    Args:
        series: returns the highest number of series so far.
        interval_s: returns the seconds between two ticks, which are made at multiples of it.
    """

    def __init__(self, series: Callable[[], int], interval_s: Callable[[], float]) -> None:
        self._series = series
        self._interval_s = interval_s
        self._threshold = gc.get_threshold()
        self._known_series = 0
        self._blocks = 0
        self._took_s = self._collected = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Set aside what exists, and take over from Python; call it in the running loop."""
        self._threshold = gc.get_threshold()
        self.collect()
        gc.freeze()
        self._known_series = self._series()
        gc.set_threshold(*self._threshold[:2], NEVER)
        gc.callbacks.append(self._after_collection)
        self._timer = asyncio.get_running_loop().call_later(LOOK_S, self._look)

    def stop(self) -> None:
        """Restore Python's own collections."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
            gc.callbacks.remove(self._after_collection)
            gc.set_threshold(*self._threshold)
            gc.unfreeze()

    def collect(self) -> None:
        """Run a full collection of the objects that are not set aside."""
        began = time.monotonic()
        gc.collect()
        self._collected = time.monotonic()
        self._took_s = self._collected - began
        self._blocks = sys.getallocatedblocks()

    def is_due(self, now: float, blocks: int) -> bool:
        """Return whether a full collection is due.

        Args:
            now: seconds of the monotonic clock.
            blocks: allocated blocks of memory.
        """
        has_grown = blocks > max(self._blocks * GROWN_BLOCKS, self._blocks + LEAST_BLOCKS)
        return has_grown or now - self._collected > self._took_s * SHARE

    def _look(self) -> None:
        """Start a full collection if one is due, in the next pause between two ticks."""
        wait_s = LOOK_S
        if self.is_due(time.monotonic(), sys.getallocatedblocks()):
            # Ticks are made at instants of the wall clock.
            wait_s = until_pause_s(time.time(), self._interval_s())
            if not wait_s:
                self.collect()
                wait_s = LOOK_S
        self._timer = asyncio.get_running_loop().call_later(wait_s, self._look)

    def _after_collection(self, phase: str, info: dict[str, int]) -> None:
        """Set aside the objects of many new series, once they have survived two quick collections."""
        series = self._series() if phase == "stop" and info["generation"] >= 1 else 0
        if series > max(self._known_series * GROWN_SERIES, self._known_series + LEAST_SERIES):
            self._known_series = series
            gc.freeze()
            # This growth is not garbage.
            self._blocks = sys.getallocatedblocks()


def collect_frozen() -> None:
    """Collect among the objects set aside, too: a replaced board is there, and its references form cycles."""
    gc.unfreeze()
    gc.collect()
    gc.freeze()


def until_pause_s(now: float, interval_s: float) -> float:
    """Return the seconds until a pause between two ticks, long enough for a full collection; 0 in the middle of one.

    Args:
        now: POSIX seconds.
        interval_s: ticks are made at multiples of it.
    """
    unit = min(interval_s, 1.0)
    since = now % interval_s
    if BEHIND_TICK * unit <= since <= interval_s - BEFORE_TICK * unit:
        return 0.0
    return (BEHIND_TICK * unit - since) % interval_s
