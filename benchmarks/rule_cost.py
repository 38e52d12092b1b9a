"""What rules cost: 1,000 of them over 100,000 series at each tick, beside a loop over the rules in numpy."""

import gc
import statistics
import time
from collections.abc import Callable
from itertools import count

import numpy as np

from benchmarks.report import Table, duration
from tickboard.alerting.rules import Rule
from tickboard.engine import Engine
from tickboard.expressions.expr import Condition
from tickboard.expressions.functions import anomaly
from tickboard.metrics.handles import Gauge
from tickboard.metrics.registry import Registry

RULES = 1_000
SERIES_EACH = 100
TICKS = 60
LIMIT_MS = 10

KINDS: dict[str, Callable[[Gauge, int], Condition]] = {
    "`m > 90`": lambda metric, number: metric > 90,
    "`m > 90`, half with `for_`, a third with `clear`": lambda metric, number: metric > 90,
    'every tenth `m.avg("10s") > 90`': lambda metric, number: (
        metric.avg("10s") > 90 if number % 10 == 0 else metric > 90
    ),
    "every hundredth `anomaly(m) > 8`": lambda metric, number: (
        anomaly(metric) > 8 if number % 100 == 0 else metric > 90
    ),
}
BREACHES = (0.0, 0.0001, 0.01)
"""Shares of the values that are above the threshold at a tick."""


class World:
    """A board's engine with all its rules.

    Args:
        kind: of the rules.
    """

    def __init__(self, kind: str) -> None:
        self.registry = Registry()
        metrics = [self.registry.gauge(f"m{number}", labels=["n"]) for number in range(RULES)]
        for metric in metrics:
            for number in range(SERIES_EACH):
                metric.labels(n=number)
        rules = [self._rule(kind, number, metric) for number, metric in enumerate(metrics)]
        ids = count()
        self.engine = Engine(self.registry, rules, 60, "epoch", lambda: str(next(ids)))
        self._random = np.random.default_rng(1)
        self._now = 1_000.0
        for _ in range(60):
            self.tick(0.0)

    def tick(self, breach: float) -> tuple[float, int]:
        """Make a tick and return what the rules took of it, in seconds, and how many alerts they told of."""
        width = self.registry.width
        noise = self._random.normal(50, 5, width)
        self.registry.values[:width] = np.where(self._random.random(width) < breach, 95.0, noise)
        self._now += 1
        engine, alerts = self.engine, self.engine.alerts
        row = self.registry.collect(1.0)
        engine.window.append(self._now, row)
        engine.stats.update()
        begun = time.perf_counter()
        events = alerts.evaluate(self._now, 1.0, engine.stats, self.registry.binding(), self.registry.revision)
        return time.perf_counter() - begun, len(events)

    @staticmethod
    def _rule(kind: str, number: int, metric: Gauge) -> Rule:
        condition = KINDS[kind](metric, number)
        waits = "for_" in kind
        clear = metric < 80 if waits and number % 3 == 0 else None
        return Rule(f"r{number}", condition, "{n}: {value:.1f}", "warning", 2.0 if waits and number % 2 else 0.0, clear)


def plain(world: World) -> float:
    """Return what it takes to compare alone, a rule at a time: no state, no stats, no missing values."""
    row = world.registry.values[: world.registry.width]
    columns = [world.registry.binding()[f"m{number}"][1] for number in range(RULES)]
    begun = time.perf_counter()
    for each in columns:
        np.flatnonzero(row[each] > 90)
    return time.perf_counter() - begun


READINGS: dict[str, Callable[[Gauge], Condition]] = {
    "`m > 90`": lambda metric: metric > 90,
    "`m.avg > 90`": lambda metric: metric.avg > 90,
    '`m.avg("30s") > 90`': lambda metric: metric.avg("30s") > 90,
    "`m.change > 90`": lambda metric: metric.change > 90,
    "`m.p95 > 90`": lambda metric: metric.p95 > 90,
    "`m.stddev > 90`": lambda metric: metric.stddev > 90,
    "`anomaly(m) > 90`": lambda metric: anomaly(metric) > 90,
}
"""What a rule may read, each of one rule over all series of a metric."""


def readings() -> Table:
    """Return what one rule costs by what it reads, and when a series comes."""
    result = Table(
        "What a rule reads",
        "One rule over all series of a metric, in a window of 60 ticks: what it takes of a tick, and of the tick at "
        "which one more series comes. What is not kept for the whole window is computed from its values.",
        ["rule", "1,000 series", "a series comes", "100,000 series", "a series comes"],
    )
    for name, condition in READINGS.items():
        cells = []
        for count_ in (1_000, 100_000):
            registry = Registry()
            metric = registry.gauge("m", labels=["n"])
            for number in range(count_):
                metric.labels(n=number)
            engine = Engine(registry, [Rule("r", condition(metric), "m", "info")], 60, "epoch", lambda: "id")
            steady: list[float] = []
            grown: list[float] = []
            for tick in range(70):
                registry.values[: registry.width] = np.random.default_rng(tick).normal(50, 5, registry.width)
                if tick > 65:
                    metric.labels(n=count_ + tick)
                engine.window.append(float(tick), registry.collect(1.0))
                engine.stats.update()
                begun = time.perf_counter()
                binding = registry.binding()
                engine.alerts.evaluate(float(tick), 1.0, engine.stats, binding, registry.revision)
                (grown if tick > 65 else steady).append(time.perf_counter() - begun)
            cells += [duration(statistics.median(steady[-20:])), duration(statistics.median(grown))]
        result.add(name, *cells)
    return result


def tables() -> list[Table]:
    """Return the table of this benchmark."""
    result = Table(
        "Rules",
        f"What {RULES:,} rules that watch {RULES * SERIES_EACH:,} series take of a tick, with the share of values that "
        "are above the threshold at it and the alerts that begin and end by that. Beside it, comparing alone, a rule "
        "at a time in numpy, in the same run. Limit: 10 ms where nothing or little happens.",
        ["rules", "above", "alerts a tick", "p50", "worst", "comparing alone", "limit"],
    )
    for kind in KINDS:
        world = World(kind)
        alone = statistics.median(plain(world) for _ in range(10))
        for breach in BREACHES:
            gc.collect()
            times, told = zip(*(world.tick(breach) for _ in range(TICKS)), strict=True)
            limit = f"< {LIMIT_MS} ms" if breach < BREACHES[-1] else ""
            median, worst = statistics.median(times), max(times)
            events = f"{statistics.median(told):,.0f}"
            result.add(kind, f"{breach:.2%}", events, duration(median), duration(worst), duration(alone), limit)
    return [result, readings()]


if __name__ == "__main__":
    for one in tables():
        print(one.markdown())
