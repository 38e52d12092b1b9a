"""What the benchmarks have in common: timing a function, a table with a sentence above it, and the machine."""

import gc
import os
import platform
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path


@dataclass
class Table:
    """A table of the report, under its title and the sentence that says what it means."""

    title: str
    meaning: str
    header: list[str]
    rows: list[list[str]] = field(default_factory=list)

    def add(self, *cells: str) -> None:
        """Add a row."""
        self.rows.append(list(cells))

    def markdown(self) -> str:
        """Return it as Markdown; every column but the first is set to the right."""
        lines = [
            f"## {self.title}",
            "",
            self.meaning,
            "",
            "| " + " | ".join(self.header) + " |",
            "| --- |" + " ---: |" * (len(self.header) - 1),
            *("| " + " | ".join(row) + " |" for row in self.rows),
        ]
        return "\n".join(lines) + "\n"


class Report:
    """The document with all tables; those that are put take the place of the ones with their title.

    Args:
        path: where it is, or will be.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        sections = text.split("\n## ")[1:]
        self._sections = {section.partition("\n")[0]: f"## {section.rstrip()}\n" for section in sections}

    def put(self, table: Table) -> None:
        """Add a table, or replace it."""
        text = table.markdown()
        head, _, rest = text.partition("\n")
        measured = f"Measured on {datetime.now(UTC):%Y-%m-%d} on {machine()}."
        self._sections[table.title] = f"{head}\n{rest}\n{measured}\n"

    def write(self) -> None:
        """Write the document."""
        self._path.write_text("\n".join([HEAD, *self._sections.values()]), encoding="utf-8")


HEAD = """# Benchmarks

Written by `make bench` (`python -m benchmarks`), which measures them anew; `make bench ARGS=fanout` only those of the
fan-out. Figures are medians over several rounds; ratios are against a peer in the same run. A limit stands beside its
figure where there is one. The benchmarks of the history first record this host for 40 minutes, once:
`.cache/benchmarks` keeps it.

`python -m benchmarks.earlier REVISION` prints the fan-out and the ingest of this checkout beside those of an earlier
revision, in turn within one run, and writes nothing here.
"""


@dataclass(frozen=True)
class Timing:
    """How long the calls of one function took, in seconds: each figure is the median over the rounds."""

    avg: float
    p50: float
    worst: float


def timed(function: Callable[[], object], *, calls: int, rounds: int = 5) -> Timing:
    """Call `function` `rounds` times `calls` times, each call timed, with garbage collection on as it is in use."""
    results = []
    for _ in range(rounds):
        gc.collect()
        results.append(_round(function, calls))
    return median_of(results)


def timed_in_turn(functions: dict[str, Callable[[], object]], *, calls: int, rounds: int = 7) -> dict[str, Timing]:
    """Time several functions in turn within each round, so that what slows the machine slows all of them."""
    results: dict[str, list[Timing]] = {name: [] for name in functions}
    for _ in range(rounds):
        for name, function in functions.items():
            results[name].append(_round(function, calls))
    return {name: median_of(each) for name, each in results.items()}


def median_of(timings: list[Timing]) -> Timing:
    """Return the median of each figure."""
    return Timing(
        statistics.median(one.avg for one in timings),
        statistics.median(one.p50 for one in timings),
        statistics.median(one.worst for one in timings),
    )


def _round(function: Callable[[], object], calls: int) -> Timing:
    clock = time.perf_counter
    times = []
    for _ in range(calls):
        began = clock()
        function()
        times.append(clock() - began)
    return Timing(statistics.fmean(times), statistics.median(times), max(times))


def duration(seconds: float) -> str:
    """Return a duration in the unit that suits it."""
    if seconds >= 1:
        return f"{seconds:.2f} s"
    if seconds >= 1e-3:
        return f"{seconds * 1e3:.2f} ms"
    return f"{seconds * 1e6:.1f} µs"


def machine() -> str:
    """Return what the figures were measured on, in one line."""
    return f"{_processor()}, {os.cpu_count()} cores, {_memory_gb():.0f} GB, {platform.system()}, Python {_python()}"


def _python() -> str:
    return f"{platform.python_version()} ({platform.python_implementation()})"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _memory_gb() -> float:
    import psutil

    return float(psutil.virtual_memory().total) / 1e9


def quickest(run: Callable[[], object], rounds: int) -> float:
    """Return the seconds of the quickest of some rounds."""
    best = float("inf")
    for _ in range(rounds):
        begun = time.perf_counter()
        run()
        best = min(best, time.perf_counter() - begun)
    return best
