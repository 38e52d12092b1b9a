"""The history beside Debian's Prometheus, which scrapes the same board, and Netdata, which looks at the same host."""

import contextlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from benchmarks.history.asked import MEAN, ROUNDS, compared, stamp, timed
from benchmarks.history.programs import Folder, Ports, programs
from benchmarks.history.recorded import HostRecording
from benchmarks.report import Table
from tickboard.history.inspecting import inspect
from tickboard.metrics.openmetrics import metric_name

LIVE_MINUTES = 4
"""How long all of them record in this run, after the recording."""

FEW = ("cpu_usage", "memory_usage", "load", "context_switches_rate", "interrupts_rate", "memory_kind", "cpu_mode")
ONE = ("cpu_usage",)
CPU = ("cpu_mode",)

CHART = "system.cpu"
"""Netdata's name of `CPU`."""

QUESTIONS: list[tuple[str, tuple[str, ...], int]] = [
    ("1 series, each second", ONE, 1),
    ("CPU by mode, each second", CPU, 1),
    ("CPU by mode, each 10 s", CPU, 10),
    ("some series, each second", FEW, 1),
    ("some series, each 10 s", FEW, 10),
    ("all series, each 10 s", (), 10),
    ("all series, each minute", (), 60),
]
"""What is asked, of which metrics, and the seconds of a bucket."""


@contextlib.contextmanager
def going_on(recording: HostRecording, path: Path) -> Iterator[Ports]:
    """Run the three programs on copies of what they have recorded, so that they go on with it."""
    folder, kept = Folder(path), recording.folder
    path.mkdir()
    shutil.copy(kept.history, folder.history)
    shutil.copytree(kept.prometheus, folder.prometheus)
    shutil.copytree(kept.netdata, folder.netdata)
    with programs(folder) as ports:
        yield ports


# --- reading ---


def reading_table(ports: Ports, recording: HostRecording, now: float) -> Table:
    """Return how long the same questions take about the last minutes, and about the recording."""
    result = Table(
        "History: reading over HTTP, beside Prometheus and Netdata",
        f"Prometheus scraped the board each second, and Netdata watched the same host: {recording.described}, and "
        f"{LIVE_MINUTES} min in this run, which all three begin with their recordings. The same range, series and "
        f"step, as JSON over a connection that stays open, warm: medians of {ROUNDS} rounds in turn. Tickboard's "
        "answer has min, max, mean and count of each bucket, and with `stats=avg` only the mean; `query_range` has the "
        f"last value before each step, Netdata the mean, of its own chart `{CHART}`. Limit: never slower than "
        "Prometheus.",
        [
            "range",
            "question",
            "series",
            "Tickboard",
            "mean alone",
            "Prometheus",
            "of Prometheus'",
            "mean alone",
            "Netdata",
        ],
    )
    until = int(now) // 10 * 10 - 10
    ranges = {
        "to now": (until - (LIVE_MINUTES - 1) * 60, until),
        "recorded": (int(recording.began) // 60 * 60 + 120, int(recording.ended) // 60 * 60 - 60),
    }
    for name, (start, end) in ranges.items():
        for question, metrics, step in QUESTIONS:
            asked = urls(ports, metrics, start, end, step)
            took, series = timed(asked)
            result.add(
                f"{(end - start) // 60} min {name}",
                question,
                "/".join(str(series[each]) for each in asked if each != MEAN),
                *compared(took),
                f"{took['Netdata']:.2f} ms" if "Netdata" in took else "",
            )
    return result


def urls(ports: Ports, metrics: tuple[str, ...], start: int, end: int, step: int) -> dict[str, tuple[int, str]]:
    """Return the port and path of the same question for each program."""
    points = (end - start) // step
    chosen = "".join(f"metrics={metric}&" for metric in metrics)
    matched = "|".join(metric_name(metric) for metric in metrics)
    selector = f'{{__name__=~"{matched}",job="board"}}' if metrics else '{job="board"}'
    # Prometheus looks back from each step, and so its first is the end of the first bucket.
    steps = f"&start={start + step}&end={end}&step={step}"
    path = f"/api/history?{chosen}from={stamp(start)}&to={stamp(end)}&points={points}&format=json"
    found = {
        "Tickboard": (ports.tickboard, path),
        MEAN: (ports.tickboard, f"{path}&stats=avg"),
        "Prometheus": (ports.prometheus, f"/api/v1/query_range?query={quote(selector)}{steps}"),
    }
    if metrics == CPU and ports.netdata is not None:
        path = f"/api/v1/data?chart={CHART}&after={start}&before={end}&points={points}&format=json"
        found["Netdata"] = ports.netdata, path
    return found


# --- bytes ---


def size_table(recording: HostRecording) -> Table:
    """Return what a value takes on the disk."""
    result = Table(
        "History: bytes of a value, beside Prometheus and Netdata",
        f"Of {recording.described}, of this host by all three at the same time: Tickboard's are its blocks of ticks, "
        "with their directories. Prometheus' are a snapshot, which is what it makes of two hours; its index is given "
        "apart, because it weighs less the longer it records. Netdata's are the files of its database after it has "
        "ended, for as many values as its charts have dimensions and seconds.",
        ["program", "values", "bytes of a value", "with the index"],
    )
    ticks = inspect(recording.folder.history).tiers[0]
    size = f"{ticks.value_bytes:.2f}" if ticks.value_bytes is not None else "no block yet"
    result.add("Tickboard", f"{ticks.entries:,} ticks", size, size)
    result.add("Prometheus", *blocks_cells(recording.blocks))
    netdata, values = recording.folder.netdata, recording.netdata_values
    if values:
        files = sum(each.stat().st_size for each in netdata.rglob("*.ndf"))
        journals = sum(each.stat().st_size for each in netdata.rglob("*.njf*"))
        cells = (f"{size / values:.2f}" for size in (files, files + journals))
        result.add("Netdata", f"about {values:,}", *cells)
    return result


def blocks_cells(blocks: Path) -> tuple[str, str, str]:
    """Return how many samples Prometheus' blocks have, and the bytes of a sample without and with the index."""
    samples = sum(json.loads(each.read_text())["stats"]["numSamples"] for each in blocks.glob("*/meta.json"))
    chunks = sum(each.stat().st_size for each in blocks.glob("*/chunks/*"))
    index = sum(each.stat().st_size for each in blocks.glob("*/index"))
    return f"{samples:,}", f"{chunks / samples:.2f}", f"{(chunks + index) / samples:.2f}"
