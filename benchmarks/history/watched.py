"""10,000 viewers while history is read without pause: who misses a tick, and how late ticks are."""

import statistics
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.fanout.ten_thousand import Figures, measure, middle
from benchmarks.history.boards import record_earlier, served
from benchmarks.history.reader import reading
from benchmarks.report import Table

VIEWERS = 10_000
SECONDS = 30
TURNS = 1

SERIES = 4

EARLIER_TICKS = 3_600

READERS = 2

INTERVAL_MS = 1_000

QUESTION = "/api/history?from=-1h&points=1000&format=json"


def tables() -> Iterator[Table]:
    """Measure, and yield the table."""
    unread: list[Figures] = []
    read: list[Figures] = []
    answers: list[float] = []
    for _ in range(TURNS):
        unread.append(measured(0)[0])
        figures, times = measured(READERS)
        read.append(figures)
        answers += times
    result = Table(
        "History: read while 10,000 viewers watch",
        f"{VIEWERS:,} viewers of {SERIES} series at one tick a second, and {READERS} readers that ask for an hour of "
        "all of them in 1,000 buckets as JSON without pause, on the viewers' core; in turns with nobody reading, "
        f"{SECONDS} s at a time, {TURNS} of each. The delay is from a tick's timestamp to its receipt by each viewer. "
        "HTTP is the worst answer to another document meanwhile, and answers are those to the readers. Limit: no tick "
        "missed.",
        ["readers", "ticks missed", "delay p50", "p99", "worst", "worst HTTP", "answers", "viewers' core"],
    )
    answered = f"{len(answers):,}, p50 {statistics.median(answers):.0f} ms"
    for name, turns, cell in (("none", unread, ""), (str(READERS), read, answered)):
        each = middle(turns)
        result.add(
            name,
            f"{each.missed} of {each.ticks:,}",
            f"{each.p50_ms:.0f} ms",
            f"{each.p99_ms:.0f} ms",
            f"{each.worst_ms:.0f} ms",
            f"{each.http_ms:.0f} ms",
            cell,
            f"{each.client_share * 100:.0f} %",
        )
    yield result


def measured(readers: int) -> tuple[Figures, list[float]]:
    """Return what the viewers saw, and the milliseconds of the answers to readers."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "history.sqlite"
        record_earlier(path, SERIES, EARLIER_TICKS, sealed=True)
        with served(path, SERIES, INTERVAL_MS) as server:
            if not readers:
                return measure(server, VIEWERS, SECONDS), []
            with reading(server.port, readers, [QUESTION]) as times:
                figures = measure(server, VIEWERS, SECONDS)
            return figures, times
