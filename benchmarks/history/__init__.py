"""What the history costs, how fast it answers, and what it does to ticks meanwhile, beside its peers."""

from collections.abc import Iterator

from benchmarks.history import busy, cost, lateness, reads, sealing, watched
from benchmarks.report import Table


def tables() -> Iterator[Table]:
    """Return all tables of this benchmark."""
    yield from cost.tables()
    yield from reads.tables()
    yield from lateness.tables()
    yield from sealing.tables()
    yield from busy.tables()
    yield from watched.tables()
