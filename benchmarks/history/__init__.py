"""What the history costs, and how fast it answers."""

from collections.abc import Iterator

from benchmarks.history import cost, lateness, reads
from benchmarks.report import Table


def tables() -> Iterator[Table]:
    """Return all tables of this benchmark."""
    yield from cost.tables()
    yield from reads.tables()
    yield from lateness.tables()
