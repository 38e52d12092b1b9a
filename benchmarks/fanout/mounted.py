"""A board mounted in an application under stock uvicorn: every frame goes through the application's `send`."""

import statistics

from benchmarks.fanout.servers import NEVER, peer, running
from benchmarks.fanout.throughput import TURNS, Figures, measure
from benchmarks.report import Table

MOUNTED, LOOP = "Tickboard, mounted", "Starlette, a loop of sends"


def tables() -> list[Table]:
    """Return the table of this scenario."""
    commands = {MOUNTED: peer("mounted", NEVER), LOOP: peer("starlette", NEVER)}
    figures = {name: Figures() for name in commands}
    for _ in range(TURNS):
        for name, command in commands.items():
            with running(name, command) as server:
                measure(server, figures[name])
    result = Table(
        "Fan-out: mounted, as fast as 1,000 viewers take it",
        "As above, for a board that is mounted in a Starlette application under uvicorn, with none of Tickboard's own "
        "connections: each viewer has a task that calls the application's `send`.",
        ["server", "messages/s", "of Starlette's", "CPU a message"],
    )
    for name, each in figures.items():
        rate = statistics.median(each.rate)
        result.add(
            name,
            f"{rate / 1000:,.0f} k",
            f"{rate / statistics.median(figures[LOOP].rate):.2f}",
            f"{statistics.median(each.cpu_us):.1f} µs",
        )
    return [result]
