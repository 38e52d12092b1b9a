"""What the history costs, how fast it answers, and what it does to ticks meanwhile, beside its peers."""

import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.history import busy, cost, imported, peers, reads, sealing, sending, watched
from benchmarks.history.prepared import prepare_all
from benchmarks.history.recorded import host_recording
from benchmarks.report import Table


def tables() -> Iterator[Table]:
    """Return all tables of this benchmark, in less than 15 minutes if this host was recorded before."""
    recording = host_recording()
    # First what waits for seconds to pass: it is disturbed by a machine that is hot from the others.
    yield from busy.tables()
    yield from sealing.tables()
    yield from watched.tables()
    with TemporaryDirectory() as name:
        folder = Path(name)
        with peers.going_on(recording, folder / "host") as ports:
            began = time.monotonic()
            prepare_all([*reads.tasks(folder), *imported.tasks(folder)])
            time.sleep(max(0.0, began + peers.LIVE_MINUTES * 60 - time.monotonic()))
            yield peers.reading_table(ports, recording, time.time())
        yield peers.size_table(recording)
        yield from imported.tables(folder)
        yield from reads.tables(folder)
    yield from cost.tables(recording)
    yield from sending.tables()
