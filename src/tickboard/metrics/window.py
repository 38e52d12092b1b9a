"""The window: the last N ticks of every series, as one float64 ring of ticks x series.

A tick's position is its sequence number, counted from 1. The ring grows in width as series appear, and never in length.
It takes and returns rows; it knows neither metrics nor the clock.

When a new epoch begins, the window is empty and its ticks are counted from 1 again. The ring keeps earlier ticks only
for stats over the newest seconds, which count elapsed time and not the wall clock.

    ring        | …  | -2 | -1 |  0 |  1 |  2 |  3 |
                  before the epoch  |   window     ▲ seq
"""

import sys

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from tickboard.errors import InputError

Floats = NDArray[np.float64]


class Slice(Struct, frozen=True):
    """Consecutive ticks of the window, oldest first.

    Attributes:
        first: the sequence number of the first tick.
        times: float64 [ticks], POSIX seconds.
        rows: float64 [ticks, series]; NaN where a series has no value.
    """

    first: int
    times: Floats
    rows: Floats

    def __len__(self) -> int:
        return len(self.times)


class Window:
    """The window's ring.

    Args:
        capacity: how many ticks it holds, at least 1.
        most: the most series; it never allocates spare room beyond them.

    Attributes:
        capacity: how many ticks it holds.
        seq: the newest tick's sequence number; 0 before the first.
    """

    def __init__(self, capacity: int, most: int | None = None) -> None:
        if capacity < 1:
            raise InputError(f"a window of {capacity} ticks can hold nothing: use 1 or more")
        self.capacity = capacity
        self.seq = 0
        self._most = sys.maxsize if most is None else most
        self._ring: Floats = np.full((capacity, 0), np.nan)
        self._times: Floats = np.full(capacity, np.nan)
        self._clock: Floats = np.full(capacity, np.nan)
        self._before = 0

    def __len__(self) -> int:
        return min(self.seq, self.capacity)

    @property
    def width(self) -> int:
        """How many series fit before the ring has to grow."""
        return int(self._ring.shape[1])

    @property
    def oldest(self) -> int:
        """The oldest tick's sequence number; `seq` + 1 when the window is empty."""
        return self.seq - len(self) + 1

    def reserve(self, width: int) -> None:
        """Make room for at least `width` series; new ones have no value in earlier ticks."""
        if width > self.width:
            # Half as many again, so that series which appear one by one don't copy the ring each time.
            self._ring = widened(self._ring, max(width, min(self.width * 3 // 2, self._most)), np.nan)

    def begin_epoch(self) -> None:
        """Empty the window, and count ticks from 1 again."""
        self._before += self.seq
        self.seq = 0

    def append(self, time: float, row: Floats, passed_s: float | None = None) -> int:
        """Add a tick, which replaces the oldest if the window is full, and return its sequence number.

        Args:
            time: POSIX seconds.
            row: float64 [series], at least as many as in the tick before.
            passed_s: seconds since the tick before, however the clock was set meanwhile; None: from the times.
        """
        self.reserve(len(row))
        place, before = self._place(self.seq + 1), self._place(self.seq)
        if passed_s is None:
            passed_s = time - float(self._times[before]) if self.seq else 0.0
        self._clock[place] = float(self._clock[before]) + passed_s if self._before + self.seq else 0.0
        self._ring[place, : len(row)] = row
        self._ring[place, len(row) :] = np.nan
        self._times[place] = time
        self.seq += 1
        return self.seq

    def amend(self, first: int, last: int, columns: NDArray[np.intp], values: Floats) -> None:
        """Replace the values of `columns` in the ticks from `first` to `last` by `values`, float64 [columns]."""
        places = self._places(first, last)
        self.reserve(int(columns.max()) + 1)
        self._ring[places[:, None], columns] = values

    def fill(self, first: int, columns: NDArray[np.intp], rows: Floats) -> None:
        """Set values, float64 [ticks, columns], in the ticks from `first` on where there are none."""
        self.reserve(int(columns.max()) + 1)
        cells = self._places(first, first + len(rows) - 1)[:, None], columns
        known = self._ring[cells]
        self._ring[cells] = np.where(np.isnan(known), rows, known)

    def clear(self, columns: NDArray[np.intp]) -> None:
        """Clear the values of some series in all ticks."""
        self._ring[:, columns[columns < self.width]] = np.nan

    def times(self) -> Floats:
        """Return the times of all ticks, oldest first, float64 [ticks]."""
        return self._times[self._places(self.oldest)]

    def passed(self) -> Floats:
        """Return the seconds that passed before each tick since the one before it, oldest first; 0 for the first."""
        clock = self._clock[self._places(self.oldest)]
        return np.diff(clock, prepend=clock[:1])

    def row(self, seq: int) -> Floats:
        """Return a view of one tick of the window, float64 [width]."""
        view: Floats = self._ring[self._place(seq)]
        return view

    def since(self, seq: int) -> Slice | None:
        """Return all ticks after `seq`; None if some have left the window or `seq` is in the future."""
        if not self.oldest - 1 <= seq <= self.seq:
            return None
        return self._slice(seq + 1)

    def all(self) -> Slice:
        """Return every tick of the window."""
        return self._slice(self.oldest)

    def last(self, ticks: int) -> Slice:
        """Return the newest `ticks` ticks, or as many as there are."""
        return self._slice(max(self.oldest, self.seq - ticks + 1))

    def spanned(self, columns: NDArray[np.intp], span_s: float | None = None) -> Slice:
        """Return some series over the ticks less than `span_s` older than the newest; None: the whole window.

        So a span of ten intervals has ten ticks. Its times are seconds of elapsed time since an arbitrary start:
        setting the clock makes no span longer, and ticks before the epoch are included.
        """
        first = self.oldest if span_s is None else self.seq + 1 - min(self._before + self.seq, self.capacity)
        clock = self._clock[self._places(first)]
        if span_s is not None and len(clock):
            # Times are multiples of the interval in floats, and so is the span: tolerate half a millisecond.
            older = int(np.searchsorted(clock, clock[-1] - span_s + 0.0005))
            first, clock = first + older, clock[older:]
        return Slice(first, clock, self._ring[self._places(first)[:, None], columns])

    def _slice(self, first: int) -> Slice:
        places = self._places(first)
        return Slice(first, self._times[places], self._ring[places])

    def _place(self, seq: int) -> int:
        """Return the index of a tick in the ring."""
        return (self._before + seq - 1) % self.capacity

    def _places(self, first: int, last: int | None = None) -> NDArray[np.intp]:
        """Return the indices in the ring of the ticks from `first` to `last`; None: to the newest."""
        end = self.seq if last is None else last
        return np.arange(self._before + first - 1, self._before + end) % self.capacity


def widened(array: NDArray[np.float64], width: int, fill: float) -> NDArray[np.float64]:
    """Return a copy of a [..., series] array with room for `width` series."""
    wider = np.full((*array.shape[:-1], width), fill)
    wider[..., : array.shape[-1]] = array
    return wider
