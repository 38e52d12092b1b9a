"""The window: the last N ticks, for every series, as one float64 ring of ticks x series.

A tick's position is its sequence number, counted from 1. The ring grows in width as series appear and never in
length. It takes rows and gives rows; it knows neither metrics nor the clock.

When a new epoch begins, the window is empty and its ticks are counted from 1 again. The ring keeps the ticks before
that for those alone who ask for the newest seconds: these go by what has passed, and not by the wall clock.

    ring        | …  | -2 | -1 |  0 |  1 |  2 |  3 |
                  before the epoch  |   window     ▲ seq
"""

import sys
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tickboard.errors import InputError

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Slice:
    """Consecutive ticks out of the window, oldest first.

    Attributes:
        first: the sequence number of the first of them.
        times: float64 [ticks], POSIX seconds.
        rows: float64 [ticks, series]; NaN where a series has no value.
    """

    first: int
    times: Floats
    rows: Floats

    def __len__(self) -> int:
        return len(self.times)


class Window:
    """The ring.

    Args:
        capacity: how many ticks it holds, at least 1.
        most: series that there may be; it has no room beyond them that nobody needs.

    Attributes:
        capacity: how many ticks it holds.
        seq: the newest tick's sequence number; 0 before the first.
    """

    def __init__(self, capacity: int, most: int | None = None) -> None:
        if capacity < 1:
            raise InputError(f"a window of {capacity} ticks holds nothing: use 1 or more")
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
        """How many series fit before it has to grow."""
        return int(self._ring.shape[1])

    @property
    def oldest(self) -> int:
        """The oldest tick's sequence number; `seq` + 1 when the window is empty."""
        return self.seq - len(self) + 1

    def reserve(self, width: int) -> None:
        """Make room for at least `width` series; those that are new have no value in the ticks so far."""
        if width > self.width:
            # Half as many again, so that series which come one by one don't copy the ring each time.
            self._ring = widened(self._ring, max(width, min(self.width * 3 // 2, self._most)), np.nan)

    def begin_epoch(self) -> None:
        """Be empty, and count ticks from 1 again."""
        self._before += self.seq
        self.seq = 0

    def append(self, time: float, row: Floats, passed_s: float | None = None) -> int:
        """Add a tick, in place of the oldest when the window is full, and return its sequence number.

        Args:
            time: POSIX seconds.
            row: float64 [series], at least as many as in the tick before.
            passed_s: seconds that have gone by since the tick before, whatever the clock was set to meanwhile; by the
                times when None.
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
        """Put values, float64 [columns], in place of those that the ticks from `first` to `last` have."""
        places = self._places(first, last)
        self.reserve(int(columns.max()) + 1)
        self._ring[places[:, None], columns] = values

    def fill(self, first: int, columns: NDArray[np.intp], rows: Floats) -> None:
        """Put values, float64 [ticks, columns], into the ticks from `first` on where these have none."""
        self.reserve(int(columns.max()) + 1)
        cells = self._places(first, first + len(rows) - 1)[:, None], columns
        known = self._ring[cells]
        self._ring[cells] = np.where(np.isnan(known), rows, known)

    def clear(self, columns: NDArray[np.intp]) -> None:
        """Take the values of some series out of all ticks."""
        self._ring[:, columns[columns < self.width]] = np.nan

    def times(self) -> Floats:
        """Return the times of all ticks, oldest first, float64 [ticks]."""
        return self._times[self._places(self.oldest)]

    def passed(self) -> Floats:
        """Return the seconds from each tick to the next by what has gone by, oldest first, 0 before the first."""
        clock = self._clock[self._places(self.oldest)]
        return np.diff(clock, prepend=clock[:1])

    def row(self, seq: int) -> Floats:
        """Return a view of one tick of the window, float64 [width]."""
        view: Floats = self._ring[self._place(seq)]
        return view

    def since(self, seq: int) -> Slice | None:
        """Return all ticks after `seq`, or None when some of them have left the window or `seq` is yet to come."""
        if not self.oldest - 1 <= seq <= self.seq:
            return None
        return self._slice(seq + 1)

    def all(self) -> Slice:
        """Return every tick of the window."""
        return self._slice(self.oldest)

    def last(self, ticks: int) -> Slice:
        """Return the newest ticks, as many as there are."""
        return self._slice(max(self.oldest, self.seq - ticks + 1))

    def spanned(self, columns: NDArray[np.intp], span_s: float | None = None) -> Slice:
        """Return some series over the newest ticks: those less than `span_s` older than the newest; None: the window.

        So a span of ten intervals has ten ticks. Its times are seconds since some beginning, by what has gone by: a
        clock that was set makes no span longer, and the ticks before the epoch are in it.
        """
        first = self.oldest if span_s is None else self.seq + 1 - min(self._before + self.seq, self.capacity)
        clock = self._clock[self._places(first)]
        if span_s is not None and len(clock):
            # Times are multiples of the interval in floats, and so is the span: half a millisecond is no tick.
            older = int(np.searchsorted(clock, clock[-1] - span_s + 0.0005))
            first, clock = first + older, clock[older:]
        return Slice(first, clock, self._ring[self._places(first)[:, None], columns])

    def _slice(self, first: int) -> Slice:
        places = self._places(first)
        return Slice(first, self._times[places], self._ring[places])

    def _place(self, seq: int) -> int:
        """Return where in the ring a tick is."""
        return (self._before + seq - 1) % self.capacity

    def _places(self, first: int, last: int | None = None) -> NDArray[np.intp]:
        """Return where in the ring the ticks from `first` to `last` are, or to the newest."""
        end = self.seq if last is None else last
        return np.arange(self._before + first - 1, self._before + end) % self.capacity


def widened(array: NDArray[np.float64], width: int, fill: float) -> NDArray[np.float64]:
    """Return a copy of a [..., series] array with room for `width` series."""
    wider = np.full((*array.shape[:-1], width), fill)
    wider[..., : array.shape[-1]] = array
    return wider
