"""500 distinct subscriptions among 5,000 viewers of a board with 500 metrics, beside 5,000 viewers with one."""

from collections.abc import Callable

import numpy as np

from benchmarks.fanout.load import Load
from benchmarks.fanout.probe import probing
from benchmarks.fanout.servers import running, tickboard
from benchmarks.report import Table

VIEWERS = 5_000
METRICS = 500
SECONDS = 15


def four(first: int) -> str:
    """Return the address of a subscription to four metrics."""
    names = (f"metrics=metric_{(first + number) % METRICS}" for number in range(4))
    return f"/ws/metrics?{'&'.join(names)}"


def tables() -> list[Table]:
    """Return the table of this scenario."""
    result = Table(
        "Fan-out: 500 subscriptions",
        f"{VIEWERS:,} viewers of a board with {METRICS} metrics at one tick a second, each with four of the metrics: "
        f"all with the same four, and with {METRICS} different choices. Over {SECONDS} s each.",
        ["subscriptions", "ticks missed", "delay p50", "p99", "CPU a message", "worst HTTP"],
    )
    choices: dict[str, Callable[[int], str]] = {"1": lambda _: four(0), str(METRICS): lambda n: four(n % METRICS)}
    for name, path in choices.items():
        with running("Tickboard", tickboard(1_000, FANOUT_SERIES=str(METRICS))) as server:
            load = Load(server.port)
            load.connect(VIEWERS, path)
            load.receive(3)
            messages, cpu, load.timing = load.messages, server.cpu(), True
            with probing(server.port, "/api/health", SECONDS) as probe:
                load.receive(SECONDS)
            received, used = load.messages - messages, server.cpu() - cpu
            p50, p99 = np.percentile(np.array(load.delays) * 1000, [50, 99])
            load.close()
        result.add(
            name,
            f"{load.missed} of {received:,}",
            f"{p50:.0f} ms",
            f"{p99:.0f} ms",
            f"{used / received * 1e6:.1f} µs",
            f"{probe.worst_ms:.0f} ms",
        )
    return [result]
