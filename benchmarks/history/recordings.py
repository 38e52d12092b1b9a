"""Histories to measure: synthetic boards of any size, recorded against a clock that is stepped."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol

import numpy as np

from tickboard.expressions.alignment import Floats
from tickboard.history.answers import Integers
from tickboard.history.layout import Layout, Retention
from tickboard.history.store import History

SERIES = (100, 1_000, 10_000)

START = 1_800_000_000
"""A whole hour."""

METRICS = 50

EVERYTHING = Retention(raw_s=1e9, minutes_s=1e9, hours_s=1e9, size_bytes=2**40)


class Board(Protocol):
    """Where values come from."""

    layout: Layout

    def row(self) -> Floats:
        """Return the next row."""


class Replayed:
    """Values that were recorded, again and again.

    Args:
        layout: of the rows.
        rows: float64 [ticks, series].
    """

    def __init__(self, layout: Layout, rows: Floats) -> None:
        self.layout = layout
        self.rows = rows
        self._next = 0

    def row(self) -> Floats:
        """Return the next row."""
        self._next += 1
        found: Floats = self.rows[self._next % len(self.rows)]
        return found


class Synthetic:
    """Values as boards have them: percentages of two decimals that wander, whole numbers, rates, and what never moves.

    Args:
        series: how many.
    """

    def __init__(self, series: int) -> None:
        keys = [(f"m{number % METRICS}", (("host", f"h{number // METRICS}"),), "%") for number in range(series)]
        self.layout = Layout(tuple(keys), np.arange(series))
        self._random = np.random.default_rng(0)
        self._walk = self._random.uniform(10, 90, series)
        self._kind = np.arange(series) % 5

    def row(self) -> Floats:
        """Return the next row: of five series two wander, one counts, one is a rate and one is constant."""
        self._walk += self._random.normal(0, 0.2, len(self._walk))
        return _values(self._walk, self._kind)

    def ticks(self, series: Integers, count: int) -> Floats:
        """Return consecutive ticks of some series, float64 [series, ticks]."""
        steps = self._random.normal(0, 0.2, (len(series), count))
        return _values(np.cumsum(steps, axis=1) + self._walk[series, None], self._kind[series, None])

    def rolled(self, series: Integers, entries: int) -> tuple[Floats, Floats, Floats]:
        """Return the min, average and max of some series in consecutive buckets, float64 [series, entries]."""
        walk = np.cumsum(self._random.normal(0, 1.5, (len(series), entries)), axis=1) + self._walk[series, None]
        away = self._random.uniform(1, 4, walk.shape)
        kind = self._kind[series, None]
        avg = np.where(kind == 4, _CONSTANT, walk * np.select([kind < 2, kind == 2], [1, 3], _RATE))
        return _rounded(_values(walk - away, kind)), avg, _rounded(_values(walk + away, kind))


def _values(walk: Floats, kind: Integers) -> Floats:
    """Return values of series of some kinds."""
    found: Floats = np.select(
        [kind < 2, kind == 2, kind == 3], [np.round(walk, 2), np.floor(walk * 3), walk * _RATE], _CONSTANT
    )
    return found


def _rounded(values: Floats) -> Floats:
    """Return values as blocks of ticks have them: what has many decimals loses most of its bits."""
    fractions, exponents = np.frexp(values)
    short: Floats = np.ldexp(np.round(fractions * 2**17) / 2**17, exponents)
    return np.where(np.round(values, 2) == values, values, short)


_RATE, _CONSTANT = 1.234567, 42.0


class Recording:
    """A history that is appended to.

    Args:
        path: of its file.
        board: whose values it has.
        interval_s: between two ticks.

    Attributes:
        history: to read from.
        now: the time of the next tick, POSIX seconds.
        ticks: how many there are.
        values: and how many values.
    """

    def __init__(self, path: Path, board: Board, interval_s: float) -> None:
        self.history = History(path, EVERYTHING, _fail)
        self.now = float(START)
        self.ticks = self.values = 0
        self.board = board
        self._interval_s = interval_s
        self.history.begin("benchmark", int(interval_s * 1000), 60)

    def record(self, ticks: int) -> None:
        """Append ticks as fast as it takes."""
        for _ in range(ticks):
            self.append(self.board.row())
            if not self.ticks % 300:
                self.history.flush()
            if not self.ticks % 1200:
                self.history.settle()
        self.history.settle()

    def append(self, row: Floats) -> None:
        """Append one tick."""
        self.ticks += 1
        self.values += int(np.count_nonzero(~np.isnan(row)))
        self.history.append(self.ticks, self.now, self.board.layout, row)
        self.now += self._interval_s


@contextmanager
def recording(board: Board, interval_s: float = 1.0) -> Iterator[Recording]:
    """Return an empty history for a board."""
    with TemporaryDirectory() as folder:
        made = Recording(Path(folder) / "history.sqlite", board, interval_s)
        try:
            yield made
        finally:
            made.history.close()


def _fail(problem: str | None) -> None:
    if problem is not None:
        raise RuntimeError(problem)
