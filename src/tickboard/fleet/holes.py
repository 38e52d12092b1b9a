"""Holes: the ranges of time in which ticks of a host are missing on the wall, in the host's time.

A range contains neither of its ends, which are times of ticks that the wall has.
"""

from bisect import insort
from collections.abc import Iterable, Iterator

MAX_HOLES = 32
"""The most ranges of one host: beyond it, the two with the least between them become one."""

Hole = tuple[int, int]
"""After one time and before another, POSIX milliseconds."""


class Holes:
    """The holes in one host's ticks.

    Args:
        holes: ranges, in any order.
    """

    def __init__(self, holes: Iterable[Hole] = ()) -> None:
        self._holes: list[Hole] = []
        for start_ms, end_ms in holes:
            self.add(start_ms, end_ms)

    def __len__(self) -> int:
        return len(self._holes)

    def __iter__(self) -> Iterator[Hole]:
        return iter(self._holes)

    def add(self, start_ms: int, end_ms: int) -> None:
        """Add a range. It is joined with those that it overlaps or continues."""
        if end_ms - start_ms <= 1:
            return
        apart = [hole for hole in self._holes if hole[1] <= start_ms or hole[0] >= end_ms]
        joined = [hole for hole in self._holes if hole not in apart]
        hole = min([start_ms, *(each[0] for each in joined)]), max([end_ms, *(each[1] for each in joined)])
        insort(apart, hole)
        if len(apart) > MAX_HOLES:
            place = min(range(1, len(apart)), key=lambda index: apart[index][0] - apart[index - 1][1])
            apart[place - 1 : place + 1] = [(apart[place - 1][0], apart[place][1])]
        self._holes = apart

    def newest(self, longest_ms: int) -> Hole | None:
        """Return the newest range, or its end if it is longer than this; None if there is none."""
        if not self._holes:
            return None
        start_ms, end_ms = self._holes[-1]
        return max(start_ms, end_ms - longest_ms), end_ms

    def fill(self, start_ms: int, end_ms: int) -> None:
        """Remove a range that is filled; what is left of a hole begins or ends at its ends."""
        left: list[Hole] = []
        for begin_ms, stop_ms in self._holes:
            left += [
                (first, last)
                for first, last in ((begin_ms, min(stop_ms, start_ms + 1)), (max(begin_ms, end_ms - 1), stop_ms))
                if last - first > 1
            ]
        self._holes = left

    def clear(self) -> None:
        """Forget all."""
        self._holes = []

    def forget_before(self, time_ms: int) -> bool:
        """Forget what is older than a time, and return whether that was anything."""
        before = self._holes
        self._holes = [(max(start_ms, time_ms), end_ms) for start_ms, end_ms in before if end_ms - time_ms > 1]
        return self._holes != before

    @property
    def span(self) -> Hole | None:
        """From the beginning of the first to the end of the last; None if there are none."""
        return (self._holes[0][0], self._holes[-1][1]) if self._holes else None
