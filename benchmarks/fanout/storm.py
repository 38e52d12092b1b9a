"""5,000 viewers are cut off and come back within two seconds, each from where it was."""

import time

from benchmarks.fanout.load import Load
from benchmarks.fanout.probe import probing
from benchmarks.fanout.servers import running, tickboard
from benchmarks.report import Table

VIEWERS = 5_000
WITHIN_S = 2.0
BATCH = 50
TURNS = 3


def tables() -> list[Table]:
    """Return the table of this scenario."""
    result = Table(
        "Fan-out: a storm",
        f"{VIEWERS:,} viewers at ten ticks a second are cut off at once and come back over {WITHIN_S:.0f} s, each with "
        "the last tick that it saw. HTTP is the worst answer to a document meanwhile.",
        ["turn", "back after", "resumed", "ticks missed or doubled", "worst HTTP"],
    )
    with running("Tickboard", tickboard(100)) as server:
        load = Load(server.port)
        load.connect(VIEWERS)
        load.receive(2)
        for turn in range(TURNS):
            resumed = load.resumed
            seen = [load.drop(number) for number in range(VIEWERS)]
            with probing(server.port, "/api/health", WITHIN_S + 2) as probe:
                began = time.perf_counter()
                for start in range(0, VIEWERS, BATCH):
                    # As early as the two seconds allow, or as the server takes them.
                    load.receive(max(0.0, WITHIN_S * start / VIEWERS - (time.perf_counter() - began)))
                    load.resume(seen[start : start + BATCH])
                load.receive_until(lambda before=resumed: load.resumed - before >= VIEWERS, 20)  # type: ignore[misc]
                took = time.perf_counter() - began
                load.receive(1)
            result.add(
                str(turn + 1),
                f"{took:.1f} s",
                f"{load.resumed - resumed:,} of {VIEWERS:,}",
                f"{load.missed}",
                f"{probe.worst_ms:.0f} ms",
            )
        load.close()
    return [result]
