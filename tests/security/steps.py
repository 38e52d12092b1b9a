"""How much work there is in each step of something that is done in steps: counted in lines of Python, not in time."""

import sys
from collections.abc import Iterator
from types import FrameType
from typing import Any

MOST_LINES = 150_000
"""Lines of Python in one step: 10 ms at most. What C does between them is bounded by the sizes of what it is given."""


def busiest(steps: Iterator[Any]) -> int:
    """Run steps to their end, and return how many lines of Python the one with the most of them has run.

    An exception that the steps raise is raised here, if no step before it had too many lines.
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
