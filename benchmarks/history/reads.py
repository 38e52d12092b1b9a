"""How long answers take at the server, without HTTP, when they are warm."""

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

from benchmarks.history.prepared import Task
from benchmarks.history.recordings import SERIES, START, Past, Recording, Synthetic, milliseconds, some_series
from benchmarks.report import Table

HOUR_S, DAY_S = 3600, 86_400

HISTORIES: dict[str, tuple[int, int]] = {
    "ticks": (1, 25 * HOUR_S + 700),
    # A tick a minute makes as many minutes; one an hour as many hours.
    "minutes": (60, 30 * 24 * 60),
    "hours": (HOUR_S, 365 * 24),
}
"""The seconds between two ticks, and how many there are."""

LIMITS: dict[str, tuple[int, ...]] = {
    "1 h x 20 series, up to now": (6, 6, 60),
    "1 h x 20 series, before": (6, 6, 60),
    "24 h x 20 series, from ticks": (40, 60, 110),
    "24 h x 20 series, from minutes": (5, 8, 70),
    "the whole board, 60 ticks": (3, 10, 80),
    "what changed in 10 min, up to now": (200, 200, 2000),
    "what changed in 10 min, before": (200, 200, 2000),
    "30 d x 20 series": (100, 200, 250),
    "a year of one series": (5, 5, 5),
}


def tasks(folder: Path) -> list[Task]:
    """Return what makes the histories, what takes longest first."""
    return [(prepare, (folder, series, kind)) for series in reversed(SERIES) for kind in HISTORIES]


def prepare(folder: Path, series: int, kind: str) -> None:
    """Record one history."""
    interval_s, ticks = HISTORIES[kind]
    made = Recording(file(folder, series, kind), Synthetic(series), interval_s)
    made.record(ticks)
    made.history.close()


def file(folder: Path, series: int, kind: str) -> Path:
    """Return the file of a history."""
    return folder / f"{kind}-{series}.sqlite"


def tables(folder: Path) -> Iterator[Table]:
    """Measure histories that were prepared in a folder, and yield the table."""
    found: dict[str, list[float]] = {name: [] for name in LIMITS}
    for series in SERIES:
        for name, took in measured(folder, series):
            found[name].append(took)
            print(f"{series:,}: {name}: {took:.1f} ms", flush=True)
    result = Table(
        "History: reading",
        "How long an answer takes that is warm, without HTTP: the median of 9. *From ticks* means 1,500 buckets, *from "
        "minutes* 1,000. Limits stand in parentheses.",
        ["question", *(f"{series:,} series" for series in SERIES)],
    )
    for name, times in found.items():
        cells = (f"{ms:.1f} ms ({limit})" for ms, limit in zip(times, LIMITS[name], strict=True))
        result.add(name, *cells)
    yield result


def measured(folder: Path, series: int) -> Iterator[tuple[str, float]]:
    """Yield how long each question takes on a board of some series."""
    some = some_series(series)
    with closing(opened(folder, series, "ticks")) as past:
        asked: dict[str, Callable[[], object]] = {
            "1 h x 20 series, up to now": lambda: past.read(some, HOUR_S, HOUR_S, 5000),
            "1 h x 20 series, before": lambda: past.read(some, 5 * HOUR_S, HOUR_S, 5000),
            "24 h x 20 series, from ticks": lambda: past.read(some, DAY_S, DAY_S, 1500),
            "24 h x 20 series, from minutes": lambda: past.read(some, DAY_S, DAY_S, 1000),
            "the whole board, 60 ticks": lambda: past.read((), 10 * HOUR_S, 60, 60),
            "what changed in 10 min, up to now": lambda: past.compare(600, 600),
            "what changed in 10 min, before": lambda: past.compare(10 * HOUR_S, 600),
        }
        for name, ask in asked.items():
            yield name, milliseconds(ask)
    with closing(opened(folder, series, "minutes")) as past:
        yield "30 d x 20 series", milliseconds(lambda: past.read(some, 30 * DAY_S, 30 * DAY_S, 1000))
    with closing(opened(folder, series, "hours")) as past:
        yield "a year of one series", milliseconds(lambda: past.read(some[:1], 365 * DAY_S, 365 * DAY_S, 1000))


def opened(folder: Path, series: int, kind: str) -> Past:
    """Open a history that was prepared."""
    interval_s, ticks = HISTORIES[kind]
    return Past(file(folder, series, kind), START + interval_s * ticks)
