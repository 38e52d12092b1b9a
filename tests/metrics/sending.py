"""A board's core that sources send samples to, with a clock that the test advances."""

import math

from tickboard.engine import Engine
from tickboard.metrics.intake import Intake
from tickboard.metrics.registry import Registry
from tickboard.metrics.source import Source

WINDOW = 6


class Bench:
    """A board's core with a clock that the test advances."""

    def __init__(self, window: int = WINDOW, max_series: int = 1_000, **limits: float) -> None:
        self.registry = Registry(max_series)
        self.intake = Intake(self.registry, **limits)  # type: ignore[arg-type]
        self.engine = Engine(self.registry, [], window, "epoch", lambda: "id", self.intake)
        self.time = 1_000.0

    def tick(self, seconds: float = 1.0) -> dict[str, float | None]:
        self.time += seconds
        self.engine.tick(self.time, seconds)
        return self.row()

    def row(self, back: int = 0) -> dict[str, float | None]:
        row = self.engine.window.row(self.engine.seq - back)
        return {
            series.key: None if math.isnan(row[series.column]) else float(row[series.column])
            for series in self.registry.series
        }

    def history(self, key: str) -> list[float | None]:
        return [self.row(back)[key] for back in range(len(self.engine.window) - 1, -1, -1)]

    def send(self, source: Source, name: str, *samples: tuple[float, float]) -> None:
        column = source.gauge(name, name)
        source.set([column] * len(samples), [value for value, _ in samples], [time for _, time in samples])


def total(bench: Bench, source: Source, *samples: tuple[float, float]) -> None:
    column = source.total("n", "n_total")
    source.set_totals([column] * len(samples), [value for value, _ in samples], [time for _, time in samples])


def count(source: Source, value: float, time: float) -> None:
    source.set_totals([source.total("n", "n_total")], [value], [time])
