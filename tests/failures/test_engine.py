"""A tick that runs out of memory at any line leaves the engine in a state that the next tick can use."""

import sys
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import pytest

import tickboard
from tickboard.alerting.log import AlertEvent
from tickboard.alerting.rules import Rule
from tickboard.engine import Engine
from tickboard.metrics.distribution import Distribution
from tickboard.metrics.intake import Intake
from tickboard.metrics.registry import Registry

HERE = Path(tickboard.__file__).parent
PARTS = frozenset(
    str(HERE / name)
    for name in (
        "engine.py",
        "metrics/window.py",
        "metrics/stats.py",
        "metrics/span_stats.py",
        "expressions/alignment.py",
        "expressions/expr.py",
        "alerting/compiled_rules.py",
        "alerting/episodes.py",
        "alerting/alerts.py",
    )
)
"""The modules that a tick runs through."""

ONE_STEP = {"fire", "resolve", "_append", "_take_events", "_hand_over", "_fire", "_resolve", "_log_resolved"}
"""Functions that move one alert or pass on results, and allocate next to no memory between their steps."""

FAILS_AT, TICKS = 12, 30


class Failing:
    """Raises `MemoryError` at one line of a tick, counted from its first line."""

    def __init__(self, line: int) -> None:
        self.left = line
        self.raised = False

    def __call__(self, frame: FrameType, event: str, argument: Any) -> "Failing | None":
        code = frame.f_code
        if code.co_filename not in PARTS:
            return None
        if event == "line" and code.co_name not in ONE_STEP and not self.raised:
            self.left -= 1
            if self.left < 0:
                self.raised = True
                raise MemoryError
        return self


class Bench:
    """A board with every kind of series and rule, whose tick may fail."""

    def __init__(self) -> None:
        self.registry = Registry()
        self.cpu = self.registry.gauge("cpu")
        self.hits = self.registry.counter("hits")
        self.took = self.registry.histogram("took")
        self.intake = Intake(self.registry, forget_s=3.0)
        ids = (f"id{number}" for number in count(1))
        rules = [
            Rule("high", self.cpu > 11.5, "m", "info"),
            Rule("for", self.cpu > 5, "m", "info", for_s=10),
            Rule("avg", self.cpu.avg("4s") > 9, "m", "info", clear=self.cpu < 3, keep_s=2),
            Rule("window", self.cpu.avg > 10, "m", "info"),
        ]
        self.engine = Engine(self.registry, rules, 6, "e", lambda: next(ids), self.intake)
        self.source = self.intake.source("test")
        self.events: list[tuple[str, str]] = []
        self.time = 1_000.0
        self.failing: Failing | None = None

    def tick(self, number: int) -> None:
        self.cpu.set(number if number < 20 else 1)
        self.hits.inc(number)
        self.took.observe(number)
        # Series are added and removed, and a sample comes late.
        name = f"s{number // 4}"
        column = self.source.gauge(name, name)
        self.source.set([column], [number], [self.time + 0.5])
        self.source.set([column], [-1.0], [self.time - 2.5])
        self.source.merge(self.source.histogram("h", "h"), Distribution.of([number]))
        self.time += 1
        if number % 2 == 0:
            self.take(lambda: self.engine.check(self.time))
        self.take(lambda: self.engine.tick(self.time, 1.0).events)

    def take(self, act: Callable[[], list[AlertEvent]]) -> None:
        before = sys.gettrace()
        if self.failing is not None:
            sys.settrace(self.failing)
        try:
            events = act()
        except MemoryError:
            return
        finally:
            sys.settrace(before)
        self.events += [(event.kind, event.alert.rule) for event in events]


def run(failing: Failing | None) -> Bench:
    bench = Bench()
    for number in range(TICKS):
        bench.failing = failing if number == FAILS_AT else None
        bench.tick(number)
    return bench


def check(bench: Bench) -> None:
    """Assert that the window, stats and series are consistent."""
    engine, registry = bench.engine, bench.registry
    rows = engine.window.all().rows
    known = np.count_nonzero(~np.isnan(rows), axis=0)
    columns = np.arange(engine.window.width)
    assert engine.stats.read("count", columns).tolist() == known.tolist()
    some = columns[known > 0]
    for stat, of in (("avg", np.nanmean), ("min", np.nanmin), ("max", np.nanmax)):
        assert engine.stats.read(stat, some) == pytest.approx(of(rows[:, some], axis=0))
    held = [one.column for one in registry.series]
    columns_of_none = [*registry._free, *registry._left, *engine._left]
    assert sorted(held + columns_of_none) == list(range(registry.width))
    # A tick that failed at its very first line leaves no trace.
    assert engine.alerts._clock == pytest.approx(TICKS, abs=1)
    assert len(engine.alerts.log.events()) == len(bench.events)
    # The count of each second is still included in some second.
    assert rows[-1, bench.hits.columns[0]] == TICKS - 1


def lines() -> Iterator[int]:
    """Yield the line numbers of a tick."""
    counting = Failing(1_000_000)
    run(counting)
    yield from range(1_000_000 - counting.left)


def test_the_next_tick_is_right_whichever_line_ran_out_of_memory() -> None:
    assert all(Path(part).is_file() for part in PARTS)
    still = run(None)
    check(still)
    kinds = sorted(still.events)
    assert {rule for _, rule in kinds} == {"high", "for", "avg", "window"}
    numbers = list(lines())
    assert len(numbers) > 100
    for line in numbers[:: max(1, len(numbers) // 150)]:
        failing = Failing(line)
        bench = run(failing)
        assert failing.raised
        try:
            check(bench)
            assert sorted(bench.events) == kinds
        except AssertionError as error:
            raise AssertionError(f"line {line}") from error
