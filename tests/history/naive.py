"""A naive store that keeps every tick in a dict, and the answers that it expects of the real one."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from tickboard.expressions.alignment import Floats, Labels
from tickboard.history.answers import Answer, Buckets, Question
from tickboard.history.layout import TIERS, Layout

UNITS = (1, 60_000, 3_600_000)

Key = tuple[str, Labels, str]


@dataclass
class NaiveEpoch:
    """A run, and its ticks by time."""

    interval_ms: int
    ticks: dict[int, dict[Key, float]] = field(default_factory=dict)

    @property
    def first(self) -> int:
        return min(self.ticks)

    @property
    def last(self) -> int:
        return max(self.ticks)


@dataclass
class Expected:
    """The expected answer."""

    tier: str
    resolution_ms: int
    times: list[int]
    values: dict[Key, list[list[float]]]
    """By series: the recorded values of each bucket."""


class Naive:
    """The store."""

    def __init__(self) -> None:
        self.epochs: list[NaiveEpoch] = []

    def begin(self, interval_ms: int) -> None:
        self.epochs.append(NaiveEpoch(interval_ms))

    def append(self, time_ms: int, layout: Layout, row: Floats) -> None:
        values = row[layout.columns].tolist()
        self.epochs[-1].ticks[time_ms] = dict(zip(layout.keys, values, strict=True))

    def amend(self, time_ms: int, key: Key, value: float) -> None:
        """Change the newest epoch's tick of a time that has one."""
        for epoch in reversed(self.epochs):
            if time_ms in epoch.ticks:
                epoch.ticks[time_ms][key] = value
                return

    def shown(self, unit_ms: int) -> list[tuple[int, dict[Key, float]]]:
        """Return the ticks that no later epoch hides, by time."""
        epochs = [epoch for epoch in self.epochs if epoch.ticks]
        found = []
        for number, epoch in enumerate(epochs):
            hiding = [
                (other.first // unit_ms, other.last // unit_ms)
                for other in epochs[number + 1 :]
                if epoch.first <= other.last and other.first <= epoch.last
            ]
            for time, row in epoch.ticks.items():
                if not any(low <= time // unit_ms <= high for low, high in hiding):
                    found.append((time, row))
        return sorted(found, key=lambda tick: tick[0])

    def times(self) -> list[int]:
        return [time for time, _ in self.shown(1)]

    def answer(self, question: Question, wanted: Sequence[Key], expired: Sequence[int]) -> Expected:
        """Answer as the rules say.

        Args:
            question: what is asked.
            wanted: the series that its patterns mean.
            expired: for each tier, up to when it has lost its entries.
        """
        start, end = question.start_ms, question.end_ms
        inside = [epoch for epoch in self.epochs if epoch.ticks and epoch.first < end and epoch.last >= start]
        interval = max((epoch.interval_ms for epoch in inside), default=1000)
        resolution = max((end - start) / question.points, interval)
        ticks = [tick for tick in self.shown(1) if start <= tick[0] < end]
        if start >= expired[0] and len(ticks) <= question.points:
            return self._expected(ticks, wanted, 0, 1, interval)
        below_minute = math.ceil(resolution / interval) * interval
        if start >= expired[0] and below_minute < 60_000:
            return self._bucketed(question, wanted, 0, below_minute, expired[0])
        minutes = math.ceil(resolution / 60_000) * 60_000
        if start >= expired[1] and minutes < 3_600_000:
            return self._bucketed(question, wanted, 1, minutes, expired[1])
        hours = math.ceil(resolution / 3_600_000) * 3_600_000
        return self._bucketed(question, wanted, 2, hours, expired[2])

    def _bucketed(self, question: Question, wanted: Sequence[Key], tier: int, length: int, gone: int) -> Expected:
        start, end = question.start_ms // length * length, -(-question.end_ms // length) * length
        ticks = [tick for tick in self.shown(UNITS[tier]) if max(start, gone) <= tick[0] < end]
        return self._expected(ticks, wanted, tier, length, length)

    @staticmethod
    def _expected(
        ticks: list[tuple[int, dict[Key, float]]], wanted: Sequence[Key], tier: int, length: int, resolution: int
    ) -> Expected:
        times = sorted({time // length * length for time, _ in ticks})
        values: dict[Key, list[list[float]]] = {key: [[] for _ in times] for key in wanted}
        places = {time: place for place, time in enumerate(times)}
        for time, row in ticks:
            for key in wanted:
                if not math.isnan(value := row.get(key, math.nan)):
                    values[key][places[time // length * length]].append(value)
        return Expected(TIERS[tier], resolution, times, {key: each for key, each in values.items() if any(each)})


def check(answer: Answer, expected: Expected, exact: set[Key]) -> None:
    """Compare an answer with the expected one: exactly for series of whole numbers, else within the precision."""
    assert (answer.tier, answer.resolution_ms) == (expected.tier, expected.resolution_ms)
    assert answer.times.tolist() == expected.times
    found = {(each.name, each.labels, each.unit): each for each in answer.series}
    assert found.keys() == expected.values.keys()
    for key, buckets in found.items():
        _check_series(buckets, expected.values[key], key in exact)


def _check_series(buckets: Buckets, expected: list[list[float]], exact: bool) -> None:
    assert buckets.count.tolist() == [len(each) for each in expected]
    for index, values in enumerate(expected):
        low, high, avg = (float(each[index]) for each in (buckets.min, buckets.max, buckets.avg))
        if not values:
            assert all(map(math.isnan, (low, high, avg)))
            continue
        size = max(map(abs, values))
        # Twice the precision: rewriting a block for an amended value may round the others again.
        for got, right in ((low, min(values)), (high, max(values))):
            assert got == right if exact else math.isclose(got, right, rel_tol=2e-5), (got, right)
        assert math.isclose(avg, math.fsum(values) / len(values), rel_tol=0, abs_tol=3e-5 * size), (avg, values)


def layout_of(keys: Sequence[Key], columns: Sequence[int] | None = None) -> Layout:
    """Return a layout; its columns are in order by default."""
    return Layout(tuple(keys), np.array(range(len(keys)) if columns is None else columns, np.intp))
