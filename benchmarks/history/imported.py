"""The history beside Debian's Prometheus with the same ticks, which it has from an export: long ranges in seconds."""

import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import msgspec

from benchmarks.fanout.servers import BOARD
from benchmarks.history.asked import MEAN, ROUNDS, compared, stamp, timed
from benchmarks.history.boards import record_earlier
from benchmarks.history.peers import blocks_cells
from benchmarks.history.prepared import Task
from benchmarks.history.programs import answered, debian, program, prometheus_command
from benchmarks.host_peers import free_port
from benchmarks.report import Table
from tickboard.history.inspecting import inspect

SERIES = 100

HOURS = 24

INTERVAL_MS = 1_000

SETTLE_S = 10.0
"""How long the board has to roll up the rest of the earlier run, which is over now."""

QUESTIONS: list[tuple[str, int, int, int]] = [
    ("1 min of 1 series, each second", 1, 1, 1),
    ("5 min of 1 series, each second", 1, 5, 1),
    ("15 min of 1 series, each 10 s", 1, 15, 10),
    ("5 min of 20 series, each 10 s", 20, 5, 10),
    ("1 h of 1 series, each second", 1, 60, 1),
    ("1 h of 20 series, each 10 s", 20, 60, 10),
    ("1 h of 20 series, each minute", 20, 60, 60),
    ("23 h of 1 series, each minute", 1, 23 * 60, 60),
    ("23 h of 20 series, each minute", 20, 23 * 60, 60),
    ("23 h of 20 series, each 5 minutes", 20, 23 * 60, 300),
    ("23 h of all series, each 5 minutes", SERIES, 23 * 60, 300),
]
"""What is asked, of how many series, over how many minutes, and the seconds of a bucket."""


def tasks(folder: Path) -> list[Task]:
    """Return what makes the histories of both."""
    return [(prepare, (folder,))]


def prepare(folder: Path) -> None:
    """Record a history, and make Prometheus' blocks of it."""
    history, blocks, text = folder / "imported.sqlite", folder / "imported", folder / "export"
    record_earlier(history, SERIES, HOURS * 3600, sealed=True)
    export = [sys.executable, "-m", "tickboard", "export", "--history", str(history), "--from", f"-{HOURS + 1}h"]
    with text.open("wb") as output:
        subprocess.run([*export, "--format", "openmetrics"], stdout=output, check=True)
    tool = f"{debian()}/usr/bin/promtool"
    command = [tool, "tsdb", "create-blocks-from", "openmetrics", str(text), str(blocks)]
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    text.unlink()


def tables(folder: Path) -> Iterator[Table]:
    """Measure what was prepared in a folder, and yield the table."""
    result = Table(
        "History: reading over HTTP, beside Prometheus with the same ticks",
        f"{HOURS} h of {SERIES} synthetic series with a tick a second, recorded by Tickboard, exported as OpenMetrics "
        "and made into blocks by Debian's `promtool`: the same questions to a served board and to Prometheus, as JSON "
        f"over a connection that stays open, warm, medians of {ROUNDS} rounds in turn. Tickboard's answer has min, "
        "max, mean and count of each bucket, and with `stats=avg` only the mean; `query_range` has the last value "
        "before each step. Below, the bytes of a value on the disk: of Tickboard's ticks with their directories, and "
        "of Prometheus' chunks and index. Limit: never slower.",
        ["question", "Tickboard", "mean alone", "Prometheus", "of Prometheus'", "mean alone"],
    )
    history, blocks = folder / "imported.sqlite", folder / "imported"
    end = newest(blocks) // 600 * 600
    with board(history) as ours, prometheus(folder, blocks) as theirs:
        time.sleep(SETTLE_S)
        for question, series, minutes, step in QUESTIONS:
            took, found = timed(urls(ours, theirs, series, end - minutes * 60, end, step))
            if set(found.values()) != {series}:
                raise RuntimeError(f"{question}: the answers have {found} series")
            result.add(question, *compared(took))
    _, chunks, whole = blocks_cells(blocks)
    result.add(
        "bytes of a value", f"{inspect(history).tiers[0].value_bytes or 0:.2f}", "", f"{whole} ({chunks})", "", ""
    )
    yield result


def newest(blocks: Path) -> int:
    """Return the time of the newest sample in Prometheus' blocks, POSIX seconds."""
    meta = (msgspec.json.decode(each.read_bytes(), type=dict) for each in blocks.glob("*/meta.json"))
    return max(int(each["maxTime"]) for each in meta) // 1000


@contextmanager
def board(history: Path) -> Iterator[int]:
    """Run a board with a history, on any core as Prometheus is, and return its port."""
    port = free_port()
    command = [sys.executable, "-m", "tickboard", "run", str(BOARD), "--port", str(port), "--history", str(history)]
    with program([*command, "--interval", str(INTERVAL_MS)], {"FANOUT_SERIES": str(SERIES)}):
        answered(port, "/api/health")
        yield port


@contextmanager
def prometheus(folder: Path, blocks: Path) -> Iterator[int]:
    """Run Prometheus, which scrapes nothing, and return its port."""
    port = free_port()
    with program(prometheus_command(folder / "configuration", None, port, blocks)):
        answered(port, "/-/ready")
        yield port


def urls(
    tickboard: int, prometheus: int, series: int, start: int, end: int, step: int
) -> Mapping[str, tuple[int, str]]:
    """Return the port and path of the same question for each program."""
    names = [f"metric_{number}" for number in range(series)]
    chosen = "&".join(f"metrics={each}" for each in names)
    asked = f"from={stamp(start)}&to={stamp(end)}&points={(end - start) // step}"
    query = quote(f'{{__name__=~"{"|".join(names)}"}}')
    steps = f"start={start + step}&end={end}&step={step}"
    path = f"/api/history?{chosen}&{asked}&format=json"
    return {
        "Tickboard": (tickboard, path),
        MEAN: (tickboard, f"{path}&stats=avg"),
        "Prometheus": (prometheus, f"/api/v1/query_range?query={query}&{steps}"),
    }
