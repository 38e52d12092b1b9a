"""Running stats of all series over the window: avg, min, max, count, last and percentiles.

They are exact and do not drift, since nothing is ever subtracted. The ticks are divided into blocks of about the square
root of the window's length. A window is then the end of its oldest block, some whole blocks, and the beginning of the
newest one:

    blocks      |  tail block  |   whole   |   whole   |  current
    window            [========|===========|===========|=====]
    aggregates       suffix        middle, kept          head

Each of these is an aggregate (sum, count, min, max) that is kept, or rebuilt once per block. So a tick takes a few
operations on one row, whatever the window's length. Aggregates that are not needed are not computed. A series without a
value at a tick (NaN) has one tick less in its stats.
"""

from math import ceil, sqrt

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from tickboard.expressions.alignment import Columns
from tickboard.metrics.span_stats import SPAN_STATS, percentiles
from tickboard.metrics.window import Floats, Window, widened

KEPT = ("avg", "min", "max", "count", "last")
"""The stats of the whole window that are kept up to date."""

CELLS_TOGETHER = 2**20
"""The most values that are recomputed in one array: 8 MB."""


class Aggregate(Struct):
    """Sum, count, min and max of some ticks: each float64 [..., series]."""

    sum: Floats
    count: Floats
    min: Floats
    max: Floats

    @classmethod
    def empty(cls, *shape: int) -> "Aggregate":
        """Return the aggregate of no ticks."""
        return cls(np.zeros(shape), np.zeros(shape), np.full(shape, np.inf), np.full(shape, -np.inf))

    def widen(self, width: int) -> "Aggregate":
        """Return a copy with room for more series."""
        return Aggregate(
            widened(self.sum, width, 0.0),
            widened(self.count, width, 0.0),
            widened(self.min, width, np.inf),
            widened(self.max, width, -np.inf),
        )

    def load(self, row: Floats) -> None:
        """Become the aggregate of one tick."""
        missing = np.isnan(row)
        if missing.any():
            np.copyto(self.sum, np.where(missing, 0.0, row))
            np.copyto(self.min, np.where(missing, np.inf, row))
            np.copyto(self.max, np.where(missing, -np.inf, row))
            np.subtract(1.0, missing, out=self.count)
        else:
            self.sum[:] = self.min[:] = self.max[:] = row
            self.count.fill(1.0)

    def add(self, row: Floats) -> None:
        """Add one tick."""
        missing = np.isnan(row)
        if missing.any():
            np.add(self.sum, row, out=self.sum, where=~missing)
            np.fmin(self.min, row, out=self.min)
            np.fmax(self.max, row, out=self.max)
            self.count += ~missing
        else:
            self.sum += row
            np.minimum(self.min, row, out=self.min)
            np.maximum(self.max, row, out=self.max)
            self.count += 1.0

    def replace(self, columns: Columns, rows: Floats) -> None:
        """Become, for some series, the aggregate of the ticks in `rows`, float64 [ticks, columns]."""
        missing = np.isnan(rows)
        self.sum[columns] = np.where(missing, 0.0, rows).sum(axis=0)
        self.count[columns] = len(rows) - missing.sum(axis=0)
        self.min[columns] = np.where(missing, np.inf, rows).min(axis=0)
        self.max[columns] = np.where(missing, -np.inf, rows).max(axis=0)

    def merge(self, other: "Aggregate") -> None:
        """Add the ticks of another aggregate."""
        self.sum += other.sum
        self.count += other.count
        np.minimum(self.min, other.min, out=self.min)
        np.maximum(self.max, other.max, out=self.max)

    def at(self, place: int) -> "Aggregate":
        """Return a view of one of many aggregates."""
        return Aggregate(self.sum[place], self.count[place], self.min[place], self.max[place])

    def copy_from(self, other: "Aggregate") -> None:
        """Become a copy of another aggregate."""
        np.copyto(self.sum, other.sum)
        np.copyto(self.count, other.count)
        np.copyto(self.min, other.min)
        np.copyto(self.max, other.max)

    def reduce_from(self, many: "Aggregate", places: NDArray[np.intp]) -> None:
        """Become the aggregate of those of `many` at `places`."""
        self.sum.fill(0.0)
        self.count.fill(0.0)
        self.min.fill(np.inf)
        self.max.fill(-np.inf)
        for place in places:
            self.merge(many.at(int(place)))


def _blocks(capacity: int) -> tuple[int, int]:
    """Return the ticks per block, and how many blocks are kept."""
    block = max(1, ceil(sqrt(capacity)))
    # Two more than fit whole into the window: the oldest and the newest may both be partial.
    return block, capacity // block + 2


def series_bytes(capacity: int) -> int:
    """Return the bytes that one series takes in a window of `capacity` ticks, with its stats."""
    block, slots = _blocks(capacity)
    head, middle, total, last, parts = 1, 1, 1, 1, 4
    return 8 * (capacity + parts * (head + slots + middle + block + total) + last)


class WindowStats:
    """The stats of a window.

    Call `update` once after each `Window.append`, then read. Results are valid until the next `update`. If an update
    fails, for example for lack of memory, the stats are recomputed from the window.

    Args:
        window: the window, from its first tick on.
    """

    def __init__(self, window: Window) -> None:
        self._window = window
        self._block, self._slots = _blocks(window.capacity)
        self._head = Aggregate.empty(0)
        self._blocks = Aggregate.empty(self._slots, 0)
        self._middle = Aggregate.empty(0)
        self._middle_range = (0, 0)
        self._suffix = Aggregate.empty(self._block, 0)
        self._suffix_block = -1
        self._total = Aggregate.empty(0)
        self._total_seq = 0
        self._last: Floats = np.empty(0)
        self._width = 0
        self._taken_in = 0

    def update(self) -> None:
        """Include the window's newest tick."""
        self._grow()
        if self._taken_in == self._window.seq - 1:
            # An update that fails halfway must not count as done.
            self._taken_in = -1
            self._take_in()
            self._taken_in = self._window.seq
        else:
            self._catch_up()

    def _take_in(self) -> None:
        index = self._window.seq - 1
        block, place = divmod(index, self._block)
        row = self._window.row(self._window.seq)
        if place == 0:
            self._head.load(row)
        else:
            self._head.add(row)
        if place == self._block - 1:
            self._blocks.at(block % self._slots).copy_from(self._head)
        np.copyto(self._last, row, where=~np.isnan(row))

    def amend(self, columns: Columns, first: int) -> None:
        """Recompute the stats of series whose values have changed in ticks from `first` on.

        Only these series, in the blocks that contain such ticks, are recomputed.
        """
        self._grow()
        if not self._window.seq or not len(columns) or self._taken_in != self._window.seq:
            return
        self._add_up(columns, first)

    def _catch_up(self) -> None:
        """Recompute all stats if an update has failed."""
        if self._taken_in != self._window.seq:
            self._add_up(np.arange(self._width), self._window.oldest)

    def _add_up(self, columns: Columns, first: int) -> None:
        """Recompute the sums of some series over the ticks from `first` on."""
        self._taken_in = -1
        self._middle_range = (-1, -1)
        self._suffix_block = -1
        self._total_seq = -1
        together = max(1, CELLS_TOGETHER // self._window.capacity)
        for begin in range(0, len(columns) if self._window.seq else 0, together):
            self._add_up_together(columns[begin : begin + together], first)
        self._taken_in = self._window.seq

    def _add_up_together(self, columns: Columns, first: int) -> None:
        window = self._window
        newest = (window.seq - 1) // self._block
        # The block in which the window begins is no longer whole; its end is aggregated on demand.
        for block in range(max(first - 1, window.oldest - 1) // self._block, newest + 1):
            begin = max(block * self._block + 1, window.oldest)
            end = min((block + 1) * self._block, window.seq)
            rows = np.array([window.row(seq)[columns] for seq in range(begin, end + 1)])
            if block == newest:
                self._head.replace(columns, rows)
            if end == (block + 1) * self._block:
                self._blocks.at(block % self._slots).replace(columns, rows)
        rows = np.array([window.row(seq)[columns] for seq in range(max(first, window.oldest), window.seq + 1)])
        known = ~np.isnan(rows)
        newest_known = len(rows) - 1 - np.argmax(known[::-1], axis=0)
        some = known.any(axis=0)
        if first <= window.oldest:
            self._last[columns] = np.nan
        self._last[columns[some]] = rows[newest_known, np.arange(len(columns))][some]

    @property
    def avg(self) -> Floats:
        """Mean, float64 [width]; NaN where there is no value."""
        total = self._combined()
        with np.errstate(invalid="ignore"):
            avg: Floats = total.sum / total.count
        return avg

    @property
    def min(self) -> Floats:
        """Lowest value, float64 [width]; infinity where there is none."""
        return self._combined().min

    @property
    def max(self) -> Floats:
        """Highest value, float64 [width]; minus infinity where there is none."""
        return self._combined().max

    @property
    def count(self) -> Floats:
        """Ticks with a value, float64 [width]."""
        return self._combined().count

    @property
    def last(self) -> Floats:
        """Newest value inside the window, float64 [width]; NaN where there is none."""
        return np.where(self._combined().count > 0, self._last, np.nan)

    def percentiles(self, percents: list[float], columns: Columns) -> Floats:
        """Return percentiles of some series, float64 [percents, columns]; NaN where there is no value."""
        return percentiles(self._window.spanned(columns).rows, percents)

    def read(self, stat: str, columns: Columns, span_s: float | None = None) -> Floats:
        """Return a value or stat of some series, float64 [columns]; NaN where there is none.

        Those in `KEPT` are kept for the whole window; all others, and all over a span, are computed from the ring.

        Args:
            stat: ``value`` (the newest row) or one of `SPAN_STATS`.
            columns: [columns]; -1: no series.
            span_s: over the newest seconds only; None: the whole window.
        """
        lacking = columns < 0
        if lacking.all():
            return np.full(len(columns), np.nan)
        if stat == "value":
            found = self._window.row(self._window.seq)[columns]
        elif span_s is None and stat in KEPT:
            kept: Floats = getattr(self, stat)[columns]
            found = np.where(np.isinf(kept), np.nan, kept)
        else:
            # One series may occur many times, for example paired with each series of another metric.
            series, places = np.unique(columns, return_inverse=True)
            ticks = self._window.spanned(series, span_s)
            found = SPAN_STATS[stat](ticks.rows, ticks.times)[places]
        if lacking.any():
            found[lacking] = np.nan
        return found

    def _grow(self) -> None:
        width = self._window.width
        if width == self._width:
            return
        # All or nothing: if memory runs out halfway, the width stays as it was.
        grown = (
            self._head.widen(width),
            self._blocks.widen(width),
            self._middle.widen(width),
            self._suffix.widen(width),
            self._total.widen(width),
            widened(self._last, width, np.nan),
        )
        self._head, self._blocks, self._middle, self._suffix, self._total, self._last = grown
        self._width = width

    def _combined(self) -> Aggregate:
        """Return the aggregate of the whole window, combined at most once per tick."""
        self._grow()
        self._catch_up()
        seq = self._window.seq
        if self._total_seq == seq:
            return self._total
        self._total_seq = -1
        newest = (seq - 1) // self._block
        tail, place = divmod(self._window.oldest - 1, self._block)
        self._total.copy_from(self._head)
        if tail != newest:
            self._total.merge(self._tail(tail, place))
        if newest - tail > 1:
            self._update_middle(tail + 1, newest)
            self._total.merge(self._middle)
        self._total_seq = seq
        return self._total

    def _update_middle(self, first: int, end: int) -> None:
        """Make the middle aggregate cover the blocks from `first` up to but not including `end`."""
        before, self._middle_range = self._middle_range, (-1, -1)
        if before == (first, end - 1):
            self._middle.merge(self._blocks.at((end - 1) % self._slots))
        elif before != (first, end):
            self._middle.reduce_from(self._blocks, np.arange(first, end) % self._slots)
        self._middle_range = (first, end)

    def _tail(self, block: int, place: int) -> Aggregate:
        """Return the aggregate of a finished block from `place` on."""
        if place == 0:
            return self._blocks.at(block % self._slots)
        if self._suffix_block != block:
            self._suffix_block = -1
            self._build_suffixes(block, place)
            self._suffix_block = block
        return self._suffix.at(place)

    def _build_suffixes(self, block: int, first: int) -> None:
        # From the block's end, each suffix is the one after it plus one tick. This happens a tick later than a new
        # middle, so that no tick has to pay for both.
        end = self._block - 1
        base = block * self._block + 1
        self._suffix.at(end).load(self._window.row(base + end))
        for place in range(end - 1, first - 1, -1):
            here = self._suffix.at(place)
            here.copy_from(self._suffix.at(place + 1))
            here.add(self._window.row(base + place))
