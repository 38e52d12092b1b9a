"""The window: the last N ticks, for every series, as one float64 ring of ticks x series.

A tick's position is its sequence number, counted from 1. The ring grows in width as series appear and never in
length. It takes rows and gives rows; it knows neither metrics nor the clock.
"""

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

    Attributes:
        capacity: how many ticks it holds.
        seq: the newest tick's sequence number; 0 before the first.
    """

    def __init__(self, capacity: int) -> None:
        if capacity < 1:
            raise InputError(f"a window of {capacity} ticks holds nothing: use 1 or more")
        self.capacity = capacity
        self.seq = 0
        self._ring: Floats = np.full((capacity, 0), np.nan)
        self._times: Floats = np.full(capacity, np.nan)
        self._clock: Floats = np.full(capacity, np.nan)

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
            self._ring = widened(self._ring, max(width, self.width * 3 // 2), np.nan)

    def append(self, time: float, row: Floats, passed_s: float | None = None) -> int:
        """Add a tick, in place of the oldest when the window is full, and return its sequence number.

        Args:
            time: POSIX seconds.
            row: float64 [series], at least as many as in the tick before.
            passed_s: seconds that have gone by since the tick before, whatever the clock was set to meanwhile; by the
                times when None.
        """
        self.reserve(len(row))
        place, before = self.seq % self.capacity, (self.seq - 1) % self.capacity
        if passed_s is None:
            passed_s = time - float(self._times[before]) if self.seq else 0.0
        self._clock[place] = float(self._clock[before]) + passed_s if self.seq else 0.0
        self._ring[place, : len(row)] = row
        self._ring[place, len(row) :] = np.nan
        self._times[place] = time
        self.seq += 1
        return self.seq

    def amend(self, first: int, last: int, columns: NDArray[np.intp], values: Floats) -> None:
        """Put values, float64 [columns], in place of those that the ticks from `first` to `last` have."""
        places = np.arange(first - 1, last) % self.capacity
        self.reserve(int(columns.max()) + 1)
        self._ring[places[:, None], columns] = values

    def clear(self, columns: NDArray[np.intp]) -> None:
        """Take the values of some series out of all ticks."""
        self._ring[:, columns[columns < self.width]] = np.nan

    def times(self) -> Floats:
        """Return the times of all ticks, oldest first, float64 [ticks]."""
        return self._times[np.arange(self.oldest - 1, self.seq) % self.capacity]

    def row(self, seq: int) -> Floats:
        """Return a view of one tick of the window, float64 [width]."""
        view: Floats = self._ring[(seq - 1) % self.capacity]
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
        """Return some series over the newest ticks: those less than `span_s` older than the newest; None: all.

        So a span of ten intervals has ten ticks. Its times are seconds since some beginning, by what has gone by: a
        clock that was set makes no span longer.
        """
        first = self.oldest
        clock = self._clock[np.arange(first - 1, self.seq) % self.capacity]
        if span_s is not None and self.seq:
            # Times are multiples of the interval in floats, and so is the span: half a millisecond is no tick.
            passed = int(np.searchsorted(clock, clock[-1] - span_s + 0.0005))
            first, clock = first + passed, clock[passed:]
        places = np.arange(first - 1, self.seq) % self.capacity
        return Slice(first, clock, self._ring[places[:, None], columns])

    def _slice(self, first: int) -> Slice:
        places = np.arange(first - 1, self.seq) % self.capacity
        return Slice(first, self._times[places], self._ring[places])


def widened(array: NDArray[np.float64], width: int, fill: float) -> NDArray[np.float64]:
    """Return a copy of a [..., series] array with room for `width` series."""
    wider = np.full((*array.shape[:-1], width), fill)
    wider[..., : array.shape[-1]] = array
    return wider
