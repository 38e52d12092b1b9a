"""Measure the work in each step of an iterator, in lines of Python instead of time."""

import sys
from collections.abc import Iterator
from types import FrameType
from typing import Any

MOST_LINES = 150_000
"""Lines of Python in one step: 10 ms at most. The work of C code between them is bounded by the size of its input."""


def busiest(steps: Iterator[Any]) -> int:
    """Run all steps and return the number of lines of Python that the busiest one ran.

    An exception from the steps is re-raised if no step before it ran too many lines.
    """
    counted = most = 0

    def trace(frame: FrameType, event: str, argument: object) -> Any:
        nonlocal counted
        counted += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        for _ in steps:
            most, counted = max(most, counted), 0
    except Exception:
        sys.settrace(before)
        assert max(most, counted) <= MOST_LINES
        raise
    finally:
        sys.settrace(before)
    return max(most, counted)
