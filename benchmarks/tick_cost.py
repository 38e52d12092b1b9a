"""What a tick costs: the row into the window, the avg, min, max and count of every series, and one threshold.

Beside it, for the numbers of series that it was written for, the specification's own way: a list of samples, copied
when one is added, and filtered by name for each stat of each metric.
"""

import gc
import random
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import psutil

from benchmarks.report import Table, Timing, duration, median_of, timed, timed_in_turn
from tickboard.board import Board
from tickboard.hub.frames import Frame
from tickboard.metrics.stats import WindowStats
from tickboard.metrics.window import Floats, Window
from tickboard.settings import Settings

SERIES = (4, 100, 10_000, 100_000)
WINDOWS = (60, 300, 3_600)

LIMITS = {(100_000, 60): "< 3 ms avg, < 20 ms worst", (100_000, 3_600): "< 5 ms avg, < 60 ms worst"}

FREE_BYTES = 8e9
"""The largest window is measured only where this much memory is free; it needs 3 GB."""


@dataclass(frozen=True)
class Sample:
    name: str
    value: float
    unit: str
    timestamp: str


class PlainObjects:
    """The specification's way, with an object for each sample."""

    def __init__(self, series: int, window: int) -> None:
        self.names = [f"metric_{index}" for index in range(series)]
        self.window = window * series
        self.buffer: list[Sample] = []

    def tick(self, values: list[float]) -> int:
        stamp = "2026-01-31T12:00:00.000Z"
        new = [Sample(name, value, "%", stamp) for name, value in zip(self.names, values, strict=True)]
        self.buffer = (self.buffer + new)[-self.window :]
        above = 0
        for name in self.names:
            mine = [sample.value for sample in self.buffer if sample.name == name]
            total, low, high, count = sum(mine), min(mine), max(mine), len(mine)
            above += total / count > 90 or low > high
        return above + sum(sample.value > 90 for sample in new)


class PlainDicts(PlainObjects):
    """The specification's way, with a dict for each sample."""

    def __init__(self, series: int, window: int) -> None:
        super().__init__(series, window)
        self.dicts: list[dict[str, object]] = []

    def tick(self, values: list[float]) -> int:
        stamp = "2026-01-31T12:00:00.000Z"
        new: list[dict[str, object]] = [
            {"name": name, "value": value, "unit": "%", "timestamp": stamp}
            for name, value in zip(self.names, values, strict=True)
        ]
        self.dicts = (self.dicts + new)[-self.window :]
        above = 0
        for name in self.names:
            mine: list[float] = [one["value"] for one in self.dicts if one["name"] == name]  # type: ignore[misc]
            total, low, high, count = sum(mine), min(mine), max(mine), len(mine)
            above += total / count > 90 or low > high
        return above + sum(value > 90 for value in values)


class Columnar:
    """Tickboard's way."""

    def __init__(self, series: int, window: int) -> None:
        self.window = Window(window)
        self.window.reserve(series)
        self.stats = WindowStats(self.window)
        self.now = 0.0

    def tick(self, row: Floats) -> int:
        self.now += 1
        self.window.append(self.now, row)
        self.stats.update()
        stats = self.stats
        # All four are read, as a rule on each of them would.
        found = (stats.avg, stats.min, stats.max, stats.count)
        return int(np.count_nonzero(found[0] > 90)) + int(np.count_nonzero(row > 90))


def rows(series: int, count: int = 16) -> list[Floats]:
    """Return some rows of random values to take in turn."""
    generator = np.random.default_rng(0)
    return [generator.uniform(0, 100, series) for _ in range(count)]


def measured(series: int, window: int) -> tuple[Timing, float]:
    """Return the cost of a tick in a full window, and the single worst of all ticks."""
    gc.collect()
    columnar = Columnar(series, window)
    given = rows(series)
    for index in range(window + 1):
        columnar.tick(given[index % len(given)])
    place = 0

    def tick() -> None:
        nonlocal place
        place += 1
        columnar.tick(given[place % len(given)])

    # Each round goes through several blocks, so that it has every kind of tick in it.
    calls = max(130 if window >= 3_600 else 100, min(1_000, 2_000_000 // series))
    each = [timed(tick, calls=calls, rounds=1) for _ in range(5)]
    return median_of(each), max(one.worst for one in each)


def plain(series: int, window: int) -> dict[str, Timing]:
    """Return the cost of a tick each way, in full windows."""
    ways: dict[str, Callable[[], object]] = {}
    columnar, objects, dicts = Columnar(series, window), PlainObjects(series, window), PlainDicts(series, window)
    row = rows(series, 1)[0]
    values = row.tolist()
    for _ in range(window + 1):
        columnar.tick(row)
    one = [Sample(name, value, "%", "") for name, value in zip(objects.names, values, strict=True)]
    objects.buffer = one * window
    dicts.dicts = [{"name": each.name, "value": each.value, "unit": "%", "timestamp": ""} for each in one] * window
    ways["columnar"] = lambda: columnar.tick(row)
    ways["objects"] = lambda: objects.tick(values)
    ways["dicts"] = lambda: dicts.tick(values)
    work = series * series * window
    return timed_in_turn(ways, calls=max(1, min(300, 3_000_000 // work)), rounds=5)


def table() -> Table:
    """Return the cost of a tick by series and window."""
    result = Table(
        "A tick: window, stats and threshold",
        "The cost of writing one tick into a full window, computing avg, min, max and count of every series, and "
        "comparing them with a threshold. A tick comes once a second by default. *Worst* is the median of the "
        "rounds' worst ticks, with the single worst of all of them in parentheses.",
        ["series x window", "avg", "p50", "worst", "limit"],
    )
    for series in SERIES:
        for window in WINDOWS:
            name = f"{series:,} x {window:,}"
            if series * window >= 100_000 * 3_600 and psutil.virtual_memory().available < FREE_BYTES:
                result.add(name, "not measured: less than 8 GB are free", "", "", LIMITS.get((series, window), ""))
                continue
            timing, worst = measured(series, window)
            result.add(
                name,
                duration(timing.avg),
                duration(timing.p50),
                f"{duration(timing.worst)} ({duration(worst)})",
                LIMITS.get((series, window), ""),
            )
    return result


def plain_table() -> Table:
    """Return the cost of a tick beside that of the specification's way."""
    result = Table(
        "A tick beside the plain way",
        "The same tick done as the specification writes it: a list of samples (objects, or dicts), copied when one "
        "is added, and filtered by name for the stats of each metric. Times are averages of the same run; more than "
        "1 x means that Tickboard is faster. Limit: with 4 series it must not be slower than the plain way.",
        [
            "series x window",
            "Tickboard",
            "list of objects",
            "list of dicts",
            "objects / Tickboard",
            "dicts / Tickboard",
        ],
    )
    for series, window in [(4, 60), (4, 300), (4, 3_600), (100, 60), (100, 300)]:
        ways = plain(series, window)
        ours, objects, dicts = (ways[name].avg for name in ("columnar", "objects", "dicts"))
        result.add(
            f"{series:,} x {window:,}",
            duration(ours),
            duration(objects),
            duration(dicts),
            f"{objects / ours:,.1f} x",
            f"{dicts / ours:,.1f} x",
        )
    return result


class Nowhere:
    """The connection of a viewer without a network: a frame is encoded, and then taken at once."""

    descriptor = -1
    copies = False

    def send(self, frame: Frame) -> bool:
        return bool(frame.wire)

    def rest(self, wire: bytes, written: int) -> bool:
        return True

    def unsent(self) -> int:
        return 0

    def cut(self) -> None: ...

    def close(self, code: int) -> None:
        pass


def board_table() -> Table:
    """Return the cost of a whole tick of the example's board."""
    board = Board("Live Dashboard")
    names = {"cpu_usage": 90, "memory_usage": 85, "avg_latency": 80, "requests_per_sec": None}
    gauges = [board.gauge(name) for name in names]
    for gauge, threshold in zip(gauges, names.values(), strict=True):
        if threshold is not None:
            board.alert(gauge > threshold, "{value:.1f}")
    board.prepare(Settings())
    hub, engine = board.hub, board.hub.engine
    hub.join(Nowhere())
    now = time.time()

    def tick() -> None:
        nonlocal now
        now += 1
        for gauge in gauges:
            gauge.set(random.uniform(0, 100))
        for _ in hub.publish(engine.tick(now, 1.0)):
            pass

    for _ in range(200):
        tick()
    timing = timed(tick, calls=2_000)
    result = Table(
        "A whole tick of the specification's board",
        "Four gauges set to random values, the tick with its stats and three rules, the frame encoded and given to "
        "one viewer: all that the process computes once a second for `examples/dashboard.py`, while its HTTP part is "
        "idle.",
        ["what", "avg", "p50", "worst", "share of one core at 1 s"],
    )
    result.add(
        "`Engine.tick` + `Hub.publish`",
        duration(timing.avg),
        duration(timing.p50),
        duration(timing.worst),
        f"{timing.avg * 100:.3f} %",
    )
    return result


def tables() -> list[Table]:
    """Return all tables of this benchmark."""
    return [table(), plain_table(), board_table()]


if __name__ == "__main__":
    for one in tables():
        print(one.markdown())
