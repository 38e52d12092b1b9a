"""What remote write costs the thread that reads the history: CPU time, and bytes on the wire."""

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks.history.recordings import Recording, Synthetic, recording
from benchmarks.report import Table, duration
from tickboard.history.reading import HistorySnapshot
from tickboard.sending.options import RemoteWriteOptions
from tickboard.sending.outgoing import Outgoing, TickBatch
from tickboard.sending.position import PositionFile
from tickboard.sending.sender import MOST_TICKS

SERIES = (160, 1_000, 10_000)

WARM_UP, LIVE, BACKLOG = 70, 60, 600


@dataclass
class Sent:
    """What was sent: CPU time of the thread in seconds, ticks, samples, and bytes after compression."""

    cpu_s: float = 0.0
    ticks: int = 0
    samples: int = 0
    sent_bytes: int = 0


async def send(made: Recording, outgoing: Outgoing) -> Sent:
    """Send what waits to a receiver that takes everything."""
    sent, batch = Sent(), None

    def look(snapshot: HistorySnapshot) -> TickBatch | None:
        began = time.thread_time()
        found = outgoing.next(snapshot, "1.0", MOST_TICKS, done=batch and batch.until)
        sent.cpu_s += time.thread_time() - began
        return found

    while (batch := await made.history.read_committed(look)) is not None:
        sent.ticks += batch.ticks
        sent.samples += batch.samples
        sent.sent_bytes += sum(len(request.body) for request in batch.requests)
    return sent


async def measured(series: int) -> tuple[Sent, Sent]:
    """Return what ticks cost that are sent as they come, and what a backlog costs."""
    with recording(Synthetic(series)) as made:
        outgoing = Outgoing(RemoteWriteOptions(), PositionFile(made.history.path, "http://localhost/"), 0)
        made.record(WARM_UP)
        await send(made, outgoing)
        live = Sent()
        for _ in range(LIVE):
            made.append(made.board.row())
            made.history.flush()
            sent = await send(made, outgoing)
            live.cpu_s += sent.cpu_s
            live.ticks += sent.ticks
            live.samples += sent.samples
            live.sent_bytes += sent.sent_bytes
        made.record(BACKLOG)
        return live, await send(made, outgoing)


def tables() -> Iterator[Table]:
    """Measure, and yield the table."""
    result = Table(
        "History: remote write",
        "CPU time of the thread that reads the history, encoding and compression included, and bytes on the wire: for "
        f"{LIVE} ticks that are sent one by one, and for {BACKLOG} that waited. The receiver is left out.",
        ["series", "a tick", "on the wire", "a sample of a backlog", "on the wire"],
    )
    for series in SERIES:
        live, backlog = asyncio.run(measured(series))
        result.add(
            f"{series:,}",
            duration(live.cpu_s / live.ticks),
            f"{live.sent_bytes / live.ticks / 1000:.1f} kB",
            f"{backlog.cpu_s / backlog.samples * 1e6:.2f} µs",
            f"{backlog.sent_bytes / backlog.samples:.1f} bytes",
        )
    yield result


if __name__ == "__main__":
    for one in tables():
        print(one.markdown())
