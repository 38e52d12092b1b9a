"""Keeps Python's garbage collector away from what stays, so that it never holds up the loop for long.

A full collection looks through every object that can hold others. A board of 10,000 series has a hundred thousand of
them, none of which is garbage, and to look through them takes longer than a tick may be late.
"""

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager

GROWN = 1.25
"""Times as many series as when objects were last set aside: then the collector has new ones that stay."""

LEAST_SERIES = 500
"""And by at least so many."""

FULL_AFTER = 30
"""Collections of the middle generation before there may be a full one; Python's own number is 10. Beside 1,000 viewers
and 1,000 connections that come and go, a full one takes 100 ms, and one came every three seconds. With 100 it came ten
times as seldom, and took 250 ms."""


@contextmanager
def settled(series: Callable[[], int]) -> Iterator[None]:
    """Set aside what there is, and what has come since whenever many more series have; look through the rest seldom.

    What has come is set aside right after a collection, of those objects that two collections have kept, and only when
    there are more series than ever. So what is set aside and ends later in a cycle, and is never freed, is bounded. For
    a process that is ours: an application has its own collector.

    Args:
        series: returns how many series there have been at the same time, at most.
    """
    gc.collect()
    gc.freeze()
    young, middle, full = gc.get_threshold()
    gc.set_threshold(young, middle, FULL_AFTER)
    before = series()

    def collected(phase: str, info: dict[str, int]) -> None:
        nonlocal before
        now = series() if phase == "stop" and info["generation"] >= 1 else 0
        if now > max(before * GROWN, before + LEAST_SERIES):
            before = now
            gc.freeze()

    gc.callbacks.append(collected)
    try:
        yield
    finally:
        gc.callbacks.remove(collected)
        gc.set_threshold(young, middle, full)
        gc.unfreeze()
