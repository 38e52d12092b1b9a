"""How long answers take at the server, without HTTP, when they are warm."""

from collections.abc import Callable, Iterator

from benchmarks.history.recordings import SERIES, Synthetic, milliseconds, recording, some_series
from benchmarks.report import Table

HOUR_S, DAY_S = 3600, 86_400

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


def tables() -> Iterator[Table]:
    """Measure, and yield the table."""
    found: dict[str, list[float]] = {name: [] for name in LIMITS}
    for series in SERIES:
        for name, took in measured(series):
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


def measured(series: int) -> Iterator[tuple[str, float]]:
    """Yield how long each question takes on a board of some series."""
    some = some_series(series)
    with recording(Synthetic(series)) as made:
        made.record(25 * HOUR_S + 700)
        asked: dict[str, Callable[[], object]] = {
            "1 h x 20 series, up to now": lambda: made.read(some, HOUR_S, HOUR_S, 5000),
            "1 h x 20 series, before": lambda: made.read(some, 5 * HOUR_S, HOUR_S, 5000),
            "24 h x 20 series, from ticks": lambda: made.read(some, DAY_S, DAY_S, 1500),
            "24 h x 20 series, from minutes": lambda: made.read(some, DAY_S, DAY_S, 1000),
            "the whole board, 60 ticks": lambda: made.read((), 10 * HOUR_S, 60, 60),
            "what changed in 10 min, up to now": lambda: made.compare(600, 600),
            "what changed in 10 min, before": lambda: made.compare(10 * HOUR_S, 600),
        }
        for name, ask in asked.items():
            yield name, milliseconds(ask)
    # A tick a minute makes as many minutes; one an hour as many hours.
    with recording(Synthetic(series), 60) as made:
        made.record(30 * 24 * 60)
        yield "30 d x 20 series", milliseconds(lambda: made.read(some, 30 * DAY_S, 30 * DAY_S, 1000))
    with recording(Synthetic(series), HOUR_S) as made:
        made.record(365 * 24)
        yield "a year of one series", milliseconds(lambda: made.read(some[:1], 365 * DAY_S, 365 * DAY_S, 1000))
