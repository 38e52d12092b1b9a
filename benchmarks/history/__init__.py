"""What the history costs, how fast it answers, and what it does to ticks meanwhile, beside its peers."""

from collections.abc import Iterator

from benchmarks.history import busy, cost, imported, peers, reads, sealing, sending, watched
from benchmarks.report import Table


def tables() -> Iterator[Table]:
    """Return all tables of this benchmark."""
    # First what waits for seconds to pass: it is disturbed by a machine that is hot from the others.
    yield from peers.tables()
    yield from cost.tables()
    yield from reads.tables()
    yield from imported.tables()
    yield from sealing.tables()
    yield from sending.tables()
    yield from busy.tables()
    yield from watched.tables()
