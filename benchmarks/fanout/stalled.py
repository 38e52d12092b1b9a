"""1,000 viewers, of whom 100 stop reading: what the other 900 notice, and what it costs the server."""

import json

import numpy as np

from benchmarks.fanout.load import Load
from benchmarks.fanout.servers import running, tickboard
from benchmarks.report import Table

VIEWERS, STALLED = 1_000, 100
SERIES = 200
INTERVAL_MS = 100
SECONDS = 40
"""Long enough for the buffers to fill, and for the stalled to be given up 20 s after that."""


def tables() -> list[Table]:
    """Return the table of this scenario."""
    with running("Tickboard", tickboard(INTERVAL_MS, FANOUT_SERIES=str(SERIES))) as server:
        load = Load(server.port)
        load.connect(VIEWERS)
        load.receive(3)
        load.ignore(STALLED)
        messages, load.timing, ended = load.messages, True, load.ended
        highest = before = server.memory()
        for _ in range(SECONDS * 2):
            load.receive(0.5)
            highest = max(highest, server.memory())
        health = json.loads(server.get("/api/health"))
        received = load.messages - messages
        p99 = np.percentile(np.array(load.delays) * 1000, 99)
        others_ended = load.ended - ended
        load.close()
    result = Table(
        "Fan-out: viewers that stop reading",
        f"{VIEWERS:,} viewers of {SERIES} series at ten ticks a second; {STALLED} of them read nothing any more for "
        f"{SECONDS} s.",
        ["what", "figure"],
    )
    result.add(f"ticks that the other {VIEWERS - STALLED} missed", f"{load.missed} of {received:,}")
    result.add("of these viewers, closed", f"{others_ended}")
    result.add("delay p99 of theirs", f"{p99:.0f} ms")
    result.add("ticks not sent to the stalled", f"{health['frames_skipped']:,}")
    result.add("stalled viewers closed with 1013", f"{health['viewers_stalled']}")
    result.add("memory of the server before", f"{before / 1e6:.1f} MB")
    result.add("at most meanwhile", f"{highest / 1e6:.1f} MB")
    return [result]
