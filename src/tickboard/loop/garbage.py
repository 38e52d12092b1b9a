"""Python's garbage collector beside the event loop: full collections are rare, and never come just before a tick.

A full collection looks through every object that can hold others, and nothing else runs meanwhile: 100 ms and more
beside 2,000 connections. Python begins one when it sees fit. Here Python's own are switched off, and what exists at the
start, which stays, is not looked through at all. The quick collections of young objects go on as usual. They and
reference counts free nearly everything, so a full collection is needed only for cycles that lived for seconds.

It comes when the program has twice as many objects as after the last one, or when that was long ago, so that full
collections take a ten-thousandth of the time. It starts in the pause between two ticks.

For a process of ours alone: an application has its own collector.
"""

import asyncio
import gc
import sys
import time
from collections.abc import Callable

NEVER = 2**31 - 1
"""Collections of the middle generation before Python would start a full one; its own number is 10."""

SHARE = 10_000
"""A full collection is due when this many times its duration has passed: 100 ms come every 17 minutes."""

GROWN_BLOCKS, LEAST_BLOCKS = 2.0, 500_000
"""It is also due with so many times the allocated blocks of memory, and at least so many more (some 40 MB)."""

GROWN_SERIES, LEAST_SERIES = 1.25, 500
"""With so many times the series that there were, and at least so many more, what has come is set aside as well: the
objects of 10,000 series take a full collection 50 ms."""

LOOK_S = 1.0
"""How often it is checked whether a full collection is due."""

BEHIND_TICK, BEFORE_TICK = 0.2, 0.5
"""How far a good moment is from the last tick and from the next one, in intervals or, if these are longer, seconds."""


class Garbage:
    """Decides when a program looks for garbage.

    Args:
        series: returns how many series there have been at the same time, at most.
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
        """Leave it to Python again."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
            gc.callbacks.remove(self._after_collection)
            gc.set_threshold(*self._threshold)
            gc.unfreeze()

    def collect(self) -> None:
        """Look through all objects that are not set aside."""
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
        """Set aside the objects of many new series, of those objects that two quick collections have kept."""
        series = self._series() if phase == "stop" and info["generation"] >= 1 else 0
        if series > max(self._known_series * GROWN_SERIES, self._known_series + LEAST_SERIES):
            self._known_series = series
            gc.freeze()
            # They are no reason to look for garbage.
            self._blocks = sys.getallocatedblocks()


def collect_frozen() -> None:
    """Look through what was set aside, too: a board that was replaced is there, and holds itself."""
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
