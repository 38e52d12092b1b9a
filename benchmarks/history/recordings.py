"""Histories to measure: synthetic boards of any size, recorded against a clock that is stepped."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol

import numpy as np

from tickboard.expressions.alignment import Floats
from tickboard.history.answers import Answer, ChangesQuestion, FoundChanges, Question
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
        whole = np.floor(self._walk * 3)
        rate = self._walk * 1.234567
        found: Floats = np.select(
            [self._kind < 2, self._kind == 2, self._kind == 3], [np.round(self._walk, 2), whole, rate], 42.0
        )
        return found


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


class Past:
    """A history that was recorded before, to read from.

    Args:
        path: of its file.
        now: when it ends, POSIX seconds.
    """

    def __init__(self, path: Path, now: float) -> None:
        self._history = History(path, EVERYTHING, _fail)
        self._now = now

    def close(self) -> None:
        """Close it."""
        self._history.close()

    def read(self, patterns: tuple[str, ...], since_s: float, length_s: float, points: int) -> Answer:
        """Answer a question about a range that begins so long before its end."""
        start = int((self._now - since_s) * 1000)
        return self._history.read(Question(patterns, start, start + int(length_s * 1000), points))

    def compare(self, since_s: float, length_s: float) -> FoundChanges:
        """Compare all series in a range that begins so long before its end with the range before it."""
        start, length = int((self._now - since_s) * 1000), int(length_s * 1000)
        return self._history.compare(ChangesQuestion((), start, start + length, start - length, start, 20))


@contextmanager
def recording(board: Board, interval_s: float = 1.0) -> Iterator[Recording]:
    """Return an empty history for a board."""
    with TemporaryDirectory() as folder:
        made = Recording(Path(folder) / "history.sqlite", board, interval_s)
        try:
            yield made
        finally:
            made.history.close()


def some_series(series: int) -> tuple[str, ...]:
    """Return the selectors of twenty series from all over a board."""
    hosts = np.linspace(0, series // METRICS - 1, 20).astype(int)
    return tuple(f'm{2 * number}{{host="h{host}"}}' for number, host in enumerate(hosts.tolist()))


def milliseconds(ask: Callable[[], object], rounds: int = 9) -> float:
    """Return how long something takes when it is warm: the median."""
    ask()
    times = []
    for _ in range(rounds):
        began = time.perf_counter()
        ask()
        times.append(time.perf_counter() - began)
    return float(np.median(times)) * 1000


def _fail(problem: str | None) -> None:
    if problem is not None:
        raise RuntimeError(problem)
