"""What it costs to keep every tick: bytes per value, CPU time per tick, memory, and what is written to the disk."""

import gc
import sqlite3
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import psutil

from benchmarks.history.recorded import HostRecording
from benchmarks.history.recordings import SERIES, Board, Replayed, Synthetic, recording
from benchmarks.report import Table

WARM_UP, TICKS = 1_200, 1_800

CPU_LIMITS = {"this host": "< 0.1 %", "1,000": "< 0.2 %", "10,000": "< 0.8 %"}
MEMORY_LIMITS = {"this host": "< 12 MB", "10,000": "< 150 MB"}


def tables(recording: HostRecording) -> Iterator[Table]:
    """Measure, and yield the tables."""
    host = recording.values()
    yield size_table(host, recording.described)
    yield cost_table(host)


# --- bytes ---


def size_table(host: Replayed, described: str) -> Table:
    """Return how many bytes a value takes."""
    result = Table(
        "History: bytes of a value",
        "What is in blocks, their directories included, divided by the values that were recorded; NaN does not count. "
        "The host was recorded by the product's own readers, each second. Synthetic boards have percentages of two "
        "decimals that wander (two fifths), whole numbers, rates and constants.",
        ["board", "series", "recorded", "ticks", "minutes", "together", "limit"],
    )
    boards: list[tuple[str, Board, str, str]] = [("this host", host, f"{described}, repeated", "0.8")]
    boards += [("synthetic", Synthetic(series), "4 h", "") for series in SERIES[:2]]
    for name, board, recorded, limit in boards:
        raw, rolled = sizes(board)
        series = f"{len(board.layout.keys):,}"
        result.add(name, series, recorded, f"{raw:.3f}", f"{rolled:.3f}", f"{raw + rolled:.3f}", limit)
    return result


def sizes(board: Board) -> tuple[float, float]:
    """Return the bytes of a value in ticks, and what its minutes add."""
    with recording(board) as made:
        # Until there is a block of minutes.
        made.record(4 * 3600 + 1200)
        file = sqlite3.connect(made.history.path)
        rows = file.execute("SELECT sum(bytes), sum(entries) FROM spans WHERE tier < 2 GROUP BY tier ORDER BY tier")
        [(raw, ticks), (minutes, entries)] = rows.fetchall()
        file.close()
        each = made.values / made.ticks
    return raw / (ticks * each), minutes / (entries * 60 * each)


# --- CPU and memory ---


def cost_table(host: Replayed) -> Table:
    """Return what it costs to keep a tick a second."""
    result = Table(
        "History: what it costs to keep every tick",
        f"CPU time of `append`, a commit for each tick, sealing, rolling up and deleting rows, over {TICKS:,} ticks "
        "with a clock that is stepped a second at a time, as a share of one core at a tick a second; what the process "
        "takes more of memory at most; and what it passes to the system to be written in a day.",
        ["series", "CPU", "limit", "memory", "limit", "written in a day"],
    )
    boards: list[tuple[str, Board]] = [("this host", host)]
    boards += [(f"{series:,}", Synthetic(series)) for series in SERIES]
    for name, board in boards:
        # In a process of its own: memory that others have used would count as there before.
        with ProcessPoolExecutor(1, get_context("spawn")) as pool:
            share, memory, written = pool.submit(cost, board).result()
        result.add(
            f"{name} ({len(board.layout.keys)})" if name == "this host" else name,
            f"{share * 100:.3f} %",
            CPU_LIMITS.get(name, ""),
            f"{memory / 1e6:.0f} MB",
            MEMORY_LIMITS.get(name, ""),
            f"{written * 86_400 / 1e9:.2f} GB",
        )
    return result


def cost(board: Board) -> tuple[float, float, float]:
    """Return CPU seconds a tick, bytes of memory, and bytes written a tick."""
    process = psutil.Process()
    gc.collect()
    before = peak = process.memory_info().rss
    used = 0.0
    with recording(board) as made:
        made.record(WARM_UP)
        written = process.io_counters().write_chars
        for _ in range(TICKS):
            row = board.row()
            began = time.process_time()
            made.append(row)
            made.history.flush()
            if not made.ticks % 60:
                made.history.settle()
            used += time.process_time() - began
            if not made.ticks % 10:
                peak = max(peak, process.memory_info().rss)
        written = process.io_counters().write_chars - written
    return used / TICKS, peak - before, written / TICKS
