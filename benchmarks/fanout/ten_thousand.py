"""10,000 viewers at one tick a second: who misses one, how late it comes, what it costs, who else has to wait."""

import statistics
from dataclasses import dataclass

import numpy as np

from benchmarks.fanout.load import Load
from benchmarks.fanout.probe import probing
from benchmarks.fanout.servers import BUN, Server, peer, running, tickboard
from benchmarks.report import Table

VIEWERS = 10_000
SECONDS = 60
TURNS = 3
"""In each of which the servers take turns: what disturbs the machine for a while disturbs all of them."""

SETTLE_S = 4
BUNS = "Bun, native publish"
PLAIN = "Tickboard without io_uring"
SLOW = "Starlette, a loop of sends"
ONCE = {PLAIN, SLOW}
"""One turn is enough to see where these stand."""

INTERVAL_MS = 1_000


@dataclass
class Figures:
    """What was seen of one server."""

    ticks: int
    missed: int
    p50_ms: float
    p99_ms: float
    worst_ms: float
    cpu_us: float
    memory_kb: float
    http_ms: float
    client_share: float


def measure(server: Server, viewers: int = VIEWERS, seconds: float = SECONDS, kind: type[Load] = Load) -> Figures:
    """Watch a server with many viewers of some kind for some time."""
    load = kind(server.port)
    load.connect(50)
    load.receive(1.5)
    before = server.memory()
    load.connect(viewers - 50)
    load.receive(SETTLE_S)
    memory = (server.memory() - before) / (viewers - 50)
    messages, cpu = load.messages, server.cpu()
    load.timing = True
    load.restart_clock()
    with probing(server.port, "/api/health", seconds) as probe:
        load.receive(seconds)
        share = load.cpu_share()
        load.receive(0.5)
        used = server.cpu() - cpu
    received = load.messages - messages
    delays = np.array(load.delays) * 1000
    figures = Figures(
        received,
        load.missed,
        float(np.percentile(delays, 50)),
        float(np.percentile(delays, 99)),
        float(delays.max()),
        used / received * 1e6,
        memory / 1024,
        probe.worst_ms,
        share,
    )
    load.close()
    return figures


def middle(turns: list[Figures]) -> Figures:
    """Return the median of each figure; ticks and those missed are of all turns together."""
    medians = {
        name: statistics.median(getattr(each, name) for each in turns)
        for name in ("p50_ms", "p99_ms", "worst_ms", "cpu_us", "memory_kb", "client_share")
    }
    return Figures(
        ticks=sum(each.ticks for each in turns),
        missed=sum(each.missed for each in turns),
        http_ms=max(each.http_ms for each in turns),
        **medians,
    )


def tables() -> list[Table]:
    """Return the table of this scenario."""
    commands = {
        "Tickboard": tickboard(INTERVAL_MS),
        BUNS: peer("bun", INTERVAL_MS),
        PLAIN: tickboard(INTERVAL_MS, FANOUT_PLAIN="1"),
        SLOW: peer("starlette", INTERVAL_MS),
    }
    if not BUN.exists():
        del commands[BUNS]
    turns: dict[str, list[Figures]] = {name: [] for name in commands}
    for turn in range(TURNS):
        for name, command in commands.items():
            if turn and name in ONCE:
                continue
            with running(name, command) as server:
                turns[name].append(measure(server))
    figures = {name: middle(each) for name, each in turns.items()}
    bun = figures.get(BUNS)
    result = Table(
        "Fan-out: 10,000 viewers, one tick a second",
        f"{TURNS} turns of {SECONDS} s each, in which the servers took turns; one of the last two. Medians, and the "
        "worst HTTP of all. The server on one core and the viewers on the other. The delay is from the tick's "
        "timestamp to the receipt by each viewer; Tickboard's timestamp is the whole second, before its samplers run, "
        "and Bun's is taken when the tick is made. HTTP is the worst answer to a document asked for ten times a second "
        "meanwhile. Limits: no tick missed, p99 within 1.1 of Bun's, CPU within 1.15, under 5 kB, HTTP under 50 ms.",
        [
            "server",
            "ticks missed",
            "delay p50",
            "p99",
            "worst",
            "p99 of Bun's",
            "CPU a message",
            "of Bun's",
            "memory a viewer",
            "worst HTTP",
            "viewers' core",
        ],
    )
    for name, each in figures.items():
        result.add(
            name,
            f"{each.missed} of {each.ticks:,}",
            f"{each.p50_ms:.0f} ms",
            f"{each.p99_ms:.0f} ms",
            f"{each.worst_ms:.0f} ms",
            f"{each.p99_ms / bun.p99_ms:.2f}" if bun else "",
            f"{each.cpu_us:.1f} µs",
            f"{each.cpu_us / bun.cpu_us:.2f}" if bun else "",
            f"{each.memory_kb:.1f} kB",
            f"{each.http_ms:.0f} ms",
            f"{each.client_share * 100:.0f} %",
        )
    return [result]
