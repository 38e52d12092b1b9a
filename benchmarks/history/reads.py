"""How long answers take at the server, without HTTP, while the file is in the system's cache."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from msgspec import Struct

from benchmarks.history.past import write_past
from benchmarks.history.prepared import Task
from benchmarks.history.recordings import METRICS, SERIES, START, Recording, Synthetic
from benchmarks.report import Table
from tickboard.history.answers import ChangesQuestion, Question
from tickboard.history.changes import changes
from tickboard.history.kept import KeptRanges
from tickboard.history.reader import HistoryReader
from tickboard.history.reading import HistorySnapshot

MINUTE_S, HOUR_S, DAY_S = 60, 3_600, 86_400

RECORDED_S = 2 * HOUR_S + 119
"""A second later, ten minutes more are sealed, and half an hour more is rolled up: now answers take the longest."""

MOMENTS = 12
"""Different questions of each kind."""


class Kind(Struct, frozen=True):
    """Questions that differ in their series and in their moment.

    Attributes:
        name: of them.
        limits_ms: the longest that an answer may take, by `SERIES`.
        series: how many are wanted; 0: all.
        length_s: of the range.
        points: how many are wanted; 0: what changed between the range and the one before it.
        is_recent: whether the range ends now. Otherwise it ends some hours ago.
    """

    name: str
    limits_ms: tuple[int, ...]
    series: int
    length_s: int
    points: int
    is_recent: bool = True


KINDS = (
    Kind("1 h x 20 series, up to now", (6, 6, 60), 20, HOUR_S, 5000),
    Kind("1 h x 20 series, before", (6, 6, 60), 20, HOUR_S, 5000, is_recent=False),
    Kind("24 h x 20 series, from ticks", (40, 60, 110), 20, DAY_S, 1500),
    Kind("24 h x 20 series, from minutes", (5, 8, 70), 20, DAY_S, 1000),
    Kind("30 d x 20 series", (100, 200, 250), 20, 30 * DAY_S, 1000),
    Kind("a year of one series", (5, 5, 5), 1, 365 * DAY_S, 1000),
    Kind("the whole board, 60 ticks, up to now", (3, 10, 80), 0, 60, 60),
    Kind("the whole board, 60 ticks, before", (3, 10, 80), 0, 60, 60, is_recent=False),
    Kind("what changed in 10 min, up to now", (200, 200, 2000), 0, 10 * MINUTE_S, 0),
    Kind("what changed in 10 min, before", (200, 200, 2000), 0, 10 * MINUTE_S, 0, is_recent=False),
)


class Took(Struct, frozen=True):
    """How long answers take: medians in milliseconds.

    Attributes:
        first: of a reader that has read nothing yet.
        other: after others of its kind, with other series or another moment.
        again: the same as the one before.
        cpu: CPU time of `other`.
    """

    first: float
    other: float
    again: float
    cpu: float


def tasks(folder: Path) -> list[Task]:
    """Return what makes the histories, what takes longest first."""
    return [(prepare, (folder, series)) for series in reversed(SERIES)]


def prepare(folder: Path, series: int) -> None:
    """Make one history."""
    board, path = Synthetic(series), file(folder, series)
    write_past(path, board)
    made = Recording(path, board, 1)
    made.record(RECORDED_S)
    made.history.close()


def file(folder: Path, series: int) -> Path:
    """Return the file of a history."""
    return folder / f"reads-{series}.sqlite"


def tables(folder: Path) -> Iterator[Table]:
    """Measure histories that were prepared in a folder, and yield the table."""
    result = Table(
        "History: reading",
        f"How long an answer takes without HTTP, in milliseconds: the median of {MOMENTS}. The file is in the system's "
        "cache. *First*: nothing has been read from the file. *Other*: similar questions about other series or another "
        "moment came before; this has a limit. *Again*: the same question was the last one. *CPU* is that of *other*. "
        "The board has ticks of a day, minutes of a month and hours of a year, and is about to seal and roll up. *From "
        "ticks* means 1,500 buckets, *from minutes* 1,000.",
        ["question", "series", "first", "other", "limit", "again", "CPU"],
    )
    found: dict[tuple[str, int], Took] = {}
    for series in SERIES:
        for kind, took in measured(file(folder, series), series):
            found[kind.name, series] = took
            print(f"{series:,}: {kind.name}: {took.other:.1f} ms, CPU {took.cpu:.1f} ms", flush=True)
    for kind in KINDS:
        for series, limit in zip(SERIES, kind.limits_ms, strict=True):
            took = found[kind.name, series]
            first, other, again, cpu = (f"{ms:.1f}" for ms in (took.first, took.other, took.again, took.cpu))
            result.add(kind.name, f"{series:,}", first, other, str(limit), again, cpu)
    yield result


def measured(path: Path, series: int) -> Iterator[tuple[Kind, Took]]:
    """Yield how long each kind of question takes in a history of some series."""
    for kind in KINDS:
        yield kind, measure(path, [asked(kind, series, place) for place in range(MOMENTS)])


def measure(path: Path, questions: list[Callable[[HistorySnapshot], object]]) -> Took:
    """Ask questions of one kind."""
    first = []
    for question in questions:
        with reader(path) as ask:
            first.append(timed(ask, question))
    with reader(path) as ask:
        # The system's cache has what the first round has read. Ours has room for few of them.
        timed(ask, questions[-1])
        other = [timed(ask, question) for question in questions]
        again = [timed(ask, questions[-1]) for _ in questions]
    wall, cpu = zip(*other, strict=True)
    medians = (float(np.median(times)) for times in ([ms for ms, _ in first], wall, [ms for ms, _ in again], cpu))
    return Took(*medians)


def asked(kind: Kind, series: int, place: int) -> Callable[[HistorySnapshot], object]:
    """Return a question of a kind."""
    end = (START + RECORDED_S) * 1000
    if not kind.is_recent:
        # In the middle of a block.
        end -= int((3 + 1.7 * place) * HOUR_S) * 1000
    start = end - kind.length_s * 1000
    patterns = some_series(series, kind.series, place)
    if kind.points:
        question = Question(patterns, start, end, kind.points)
        return lambda snapshot: snapshot.answer(question)
    compared = ChangesQuestion(patterns, start, end, start - kind.length_s * 1000, start, 20)
    return lambda snapshot: changes(snapshot, compared)


def some_series(series: int, wanted: int, place: int) -> tuple[str, ...]:
    """Return the selectors of some series from all over a board: others for each place."""
    hosts = series // METRICS
    chosen = ((2 * number + place, number * hosts // wanted + place) for number in range(wanted))
    return tuple(f'm{metric % METRICS}{{host="h{host % hosts}"}}' for metric, host in chosen)


@contextmanager
def reader(path: Path) -> Iterator[HistoryReader]:
    """Return a reader that has read nothing but the names of the series."""
    kept = KeptRanges(lambda: (0, 0))
    found = HistoryReader(path, lambda: 0, lambda: 0, lambda until_ms: None, lambda columns: None, kept)
    found.read(lambda snapshot: None, 0)
    try:
        yield found
    finally:
        found.close(1.0)


def timed(ask: HistoryReader, question: Callable[[HistorySnapshot], object]) -> tuple[float, float]:
    """Return how long an answer takes, and its CPU time, in milliseconds."""
    cpu, began = time.process_time(), time.perf_counter()
    ask.read(question, 0)
    return (time.perf_counter() - began) * 1000, (time.process_time() - cpu) * 1000
