"""How late the loop of a served board is while its history is read without pause."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from benchmarks.fanout.servers import Server
from benchmarks.history.boards import record_earlier, served
from benchmarks.history.reader import reading
from benchmarks.report import Table

SERIES = (1_000, 10_000)

EARLIER_TICKS = 3_600

READERS = 4
"""Half of what one address may ask at the same time."""

SECONDS = 8.0
ROUNDS = 2

SETTLE_S = 5.0

INTERVAL_MS = 1_000

LIMIT = "10 ms"


def tables() -> Iterator[Table]:
    """Measure, and yield the table."""
    result = Table(
        "History: lateness of the loop while readers are busy",
        f"A served board with a tick a second, and {READERS} readers on the other core that ask without pause: "
        "`/api/history` for 20 series over an hour in 1,000 buckets as JSON, and 60 ticks of the whole board as binary "
        "in turn, or `/api/changes` for what changed on the whole board in 10 minutes. How late the loop wakes from "
        f"5 ms of sleep, over {ROUNDS} interleaved rounds of {SECONDS:.0f} s.",
        ["series", "asked", "p99, idle", "p99, busy", "limit", "most, idle", "most, busy", "answers/s"],
    )
    asked = [(series, "history", questions(series)) for series in SERIES]
    asked += [(series, "changes", ["/api/changes?from=-10m"]) for series in SERIES]
    for series, name, paths in asked:
        idle, busy, answers = measured(series, paths)
        result.add(
            f"{series:,}",
            name,
            f"{np.percentile(idle, 99):.1f} ms",
            f"{np.percentile(busy, 99):.1f} ms",
            LIMIT,
            f"{max(idle):.1f} ms",
            f"{max(busy):.1f} ms",
            f"{answers / (ROUNDS * SECONDS):.1f}",
        )
    yield result


def measured(series: int, paths: list[str]) -> tuple[list[float], list[float], int]:
    """Return how late the loop is in ms without and with readers, and how many answers those got."""
    idle: list[float] = []
    busy: list[float] = []
    answers = 0
    with TemporaryDirectory() as folder:
        path = Path(folder) / "history.sqlite"
        record_earlier(path, series, EARLIER_TICKS, sealed=True)
        with served(path, series, INTERVAL_MS, FANOUT_LATE="1") as server:
            time.sleep(SETTLE_S)
            for _ in range(ROUNDS):
                late(server)
                time.sleep(SECONDS)
                idle += late(server)
                with reading(server.port, READERS, paths) as times:
                    time.sleep(SECONDS)
                    busy += late(server)
                answers += len(times)
    return idle, busy, answers


def questions(series: int) -> list[str]:
    """Return what readers ask in turn."""
    some = "&".join(f"metrics=metric_{number}" for number in range(0, series, series // 20))
    return [
        f"/api/history?{some}&from=-1h&points=1000&format=json",
        "/api/history?from=-30m&to=-29m&points=60&format=binary",
    ]


def late(server: Server) -> list[float]:
    """Return how late the loop was in ms since this was asked last."""
    found: list[float] = json.loads(server.get("/bench/late"))["late_ms"]
    return found
