"""Ticks of hosts that come late, in batches: brought to the wall's instants, and joined over hosts.

History is amended tick by tick, so a hole that many hosts have is filled once for all of them, not once for each.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from tickboard.client.history_data import HistorySeries
from tickboard.expressions.alignment import Columns, Floats

MOST_CELLS = 400_000
"""The most values in one batch, so that several fit into what history takes with one tick."""

SPARSE = 1.5
"""Batches are joined if the result has at most this many times their cells."""

Instants = NDArray[np.int64]


class LateBatch(Struct, frozen=True, eq=False):
    """Values of some series at some instants of the wall.

    Attributes:
        instants: int64 [ticks], POSIX milliseconds, ascending.
        columns: [series].
        rows: float64 [ticks, series]; NaN where there is no value.
    """

    instants: Instants
    columns: Columns
    rows: Floats


def batch_of(
    series: Sequence[tuple[int, HistorySeries]], shift_ms: int, interval_ms: int, wall_ms: int, until_ms: int
) -> LateBatch:
    """Return what a host has recorded, at the wall's instants.

    Args:
        series: the column on the wall and the values of each series.
        shift_ms: milliseconds to add to the host's times.
        interval_ms: milliseconds between two ticks of the host; its values hold for that long.
        wall_ms: milliseconds between two ticks of the wall.
        until_ms: the wall's newest instant.
    """
    columns = np.array([column for column, _ in series], np.intp)
    at = [-(-(one.times.astype(np.int64) + shift_ms) // wall_ms) * wall_ms for _, one in series]
    holds = max(1, interval_ms // wall_ms)
    spread = np.arange(holds) * wall_ms
    # Each value for all instants that it holds for; of several for one instant, the newest counts.
    instants = [(each[:, None] + spread).ravel() for each in at]
    every = np.unique(np.concatenate([np.empty(0, np.int64), *instants]))
    every = every[every <= until_ms]
    rows = np.full((len(every), len(columns)), np.nan)
    for place, (times, (_, one)) in enumerate(zip(instants, series, strict=True)):
        values, known = np.repeat(one.avg, holds), times <= until_ms
        known &= ~np.isnan(values)
        rows[np.searchsorted(every, times[known]), place] = values[known]
    return LateBatch(every, columns, rows)


def joined(batches: Sequence[LateBatch]) -> Iterator[LateBatch]:
    """Yield the same values in fewer batches: those of the same time become one."""
    waiting: list[LateBatch] = []
    for batch in sorted((each for each in batches if each.rows.size), key=lambda each: int(each.instants[0])):
        if waiting and not _fit([*waiting, batch]):
            yield _join(waiting)
            waiting = []
        waiting.append(batch)
    if waiting:
        yield _join(waiting)


def _fit(batches: Sequence[LateBatch]) -> bool:
    """Return whether batches may become one."""
    step = min(int(np.diff(each.instants).min(initial=2**53)) for each in batches)
    first, last = (f([int(each.instants[place]) for each in batches]) for f, place in ((min, 0), (max, -1)))
    ticks = min((last - first) // step + 1, sum(len(each.instants) for each in batches))
    cells = ticks * sum(len(each.columns) for each in batches)
    return cells <= min(MOST_CELLS, SPARSE * sum(each.rows.size for each in batches))


def _join(batches: Sequence[LateBatch]) -> LateBatch:
    if len(batches) == 1:
        return batches[0]
    instants = np.unique(np.concatenate([each.instants for each in batches]))
    columns = np.concatenate([each.columns for each in batches])
    rows = np.full((len(instants), len(columns)), np.nan)
    begin = 0
    for each in batches:
        rows[np.searchsorted(instants, each.instants), begin : begin + len(each.columns)] = each.rows
        begin += len(each.columns)
    return LateBatch(instants, columns, rows)
