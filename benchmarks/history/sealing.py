"""How late ticks are while many series are sealed, beside a board that keeps no history."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from benchmarks.fanout.load import Load
from benchmarks.fanout.servers import Server
from benchmarks.history.boards import record_earlier, served
from benchmarks.report import Table
from tickboard.history.file import FOREVER

SERIES = 10_000

EARLIER_TICKS = 4_200
"""Ticks of an earlier run, which are sealed while ticks are timed: 14 blocks."""

INTERVAL_MS = 250

ROUNDS = 3

SETTLE_S = 10.0

WAIT_S = 300.0
"""The longest that it may take until the earlier run is sealed: its ticks have to leave the window first."""

LIMIT = "5 ms"


def tables() -> Iterator[Table]:
    """Measure, and yield the table."""
    without: list[float] = []
    sealing: list[float] = []
    with TemporaryDirectory() as folder:
        for number in range(ROUNDS):
            path = Path(folder) / f"{number}.sqlite"
            record_earlier(path, SERIES, EARLIER_TICKS, sealed=False)
            found, took_s = delays_while_sealing(path)
            sealing += found
            without += delays_without(took_s)
            path.unlink()
    result = Table(
        "History: lateness of ticks while series are sealed",
        f"A board of {SERIES:,} series with a tick each {INTERVAL_MS} ms, while {EARLIER_TICKS:,} ticks of the run "
        "before are sealed, one block after another: from a tick's timestamp to its receipt by a viewer of one series. "
        f"Of {ROUNDS} rounds, each followed by one without history that takes as long.",
        ["board", "ticks", "p50", "p99", "most", "p99 more", "limit"],
    )
    more = np.percentile(sealing, 99) - np.percentile(without, 99)
    for name, delays, compared in (
        ("without history", without, ("", "")),
        ("while it seals", sealing, (f"{more * 1000:.1f} ms", LIMIT)),
    ):
        cells = (f"{seconds * 1000:.1f} ms" for seconds in (*np.percentile(delays, [50, 99]), max(delays)))
        result.add(name, f"{len(delays):,}", *cells, *compared)
    yield result


def delays_while_sealing(path: Path) -> tuple[list[float], float]:
    """Return how late ticks are, in seconds, while an earlier run is sealed, and the seconds that it takes."""
    uri = f"{path.as_uri()}?mode=ro"
    with (
        served(path, SERIES, INTERVAL_MS) as server,
        closing(watching(server)) as load,
        closing(sqlite3.connect(uri, uri=True)) as file,
    ):

        def sealed() -> int:
            found: int = file.execute("SELECT sealed FROM epochs ORDER BY number").fetchone()[0]
            return found

        if not load.receive_until(lambda: sealed() > 0, WAIT_S):
            raise RuntimeError("nothing was sealed")
        load.timing, began = True, time.perf_counter()
        if not load.receive_until(lambda: sealed() >= FOREVER, WAIT_S):
            raise RuntimeError("the earlier run was not sealed in time")
        return load.delays.tolist(), time.perf_counter() - began


def delays_without(seconds: float) -> list[float]:
    """Return how late ticks are without history."""
    with served(None, SERIES, INTERVAL_MS) as server, closing(watching(server)) as load:
        load.receive(SETTLE_S)
        load.timing = True
        load.receive(seconds)
        return load.delays.tolist()


def watching(server: Server) -> Load:
    """Return a viewer of one series."""
    load = Load(server.port)
    load.connect(1, lambda number: "/ws/metrics?metrics=metric_0")
    return load
