"""As fast as 1,000 viewers take it: every server makes ticks as quickly as it can, some rounds ahead of its viewers."""

import socket
import statistics
from dataclasses import dataclass, field
from time import perf_counter

from benchmarks.fanout.load import Load
from benchmarks.fanout.servers import BUN, NEVER, Server, peer, running, tickboard
from benchmarks.report import Table

VIEWERS = 1_000
ROUNDS = 300
"""Ticks that are asked for at once; all viewers have them before more are asked for."""

EVERY_S = 0.015
"""How often the viewers take what has come, so that they are not the limit."""

SECONDS = 4.0
TURNS = 3


@dataclass
class Figures:
    """What one server reached, a value for each turn."""

    rate: list[float] = field(default_factory=list)
    cpu_us: list[float] = field(default_factory=list)
    server_share: list[float] = field(default_factory=list)
    client_share: list[float] = field(default_factory=list)
    size: int = 0


def measure(server: Server, figures: Figures) -> None:
    """Have a server make ticks for some seconds."""
    load = Load(server.port)
    load.connect(VIEWERS)
    ask(server, load, 2)
    load.restart_clock()
    began, cpu, before, size = perf_counter(), server.cpu(), load.messages, load.bytes
    while (took := perf_counter() - began) < SECONDS:
        ask(server, load, ROUNDS)
    messages = load.messages - before
    if load.missed:
        raise RuntimeError(f"{server.name}: {load.missed} ticks were missed")
    used = server.cpu() - cpu
    figures.rate.append(messages / took)
    figures.cpu_us.append(used / messages * 1e6)
    figures.server_share.append(used / took)
    figures.client_share.append(load.cpu_share())
    figures.size = (load.bytes - size) // messages
    load.close()


def ask(server: Server, load: Load, rounds: int) -> None:
    """Ask a server for ticks, and return when every viewer has them."""
    wanted = load.messages + rounds * len(load)
    request = f"GET /bench/go?rounds={rounds} HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\nConnection: close\r\n\r\n"
    with socket.create_connection(("127.0.0.1", server.port)) as asking:
        asking.sendall(request.encode())
        if not load.receive_until(lambda: load.messages >= wanted, 60, EVERY_S):
            raise RuntimeError(f"{server.name}: {wanted - load.messages} ticks did not come")


def tables() -> list[Table]:
    """Return the table of this scenario."""
    commands = {
        "Tickboard": tickboard(NEVER),
        "Tickboard without io_uring": tickboard(NEVER, FANOUT_PLAIN="1"),
        "Bun, native publish": peer("bun", NEVER),
        "websockets, broadcast()": peer("websockets", NEVER),
        "Starlette, a loop of sends": peer("starlette", NEVER),
    }
    if not BUN.exists():
        del commands["Bun, native publish"]
    figures = {name: Figures() for name in commands}
    for _ in range(TURNS):
        for name, command in commands.items():
            with running(name, command) as server:
                measure(server, figures[name])
    return [_table(figures)]


def _table(figures: dict[str, Figures]) -> Table:
    rates = {name: statistics.median(each.rate) for name, each in figures.items()}
    size = figures["Tickboard"].size
    bun, loop = rates.get("Bun, native publish"), rates["Starlette, a loop of sends"]
    result = Table(
        "Fan-out: as fast as 1,000 viewers take it",
        f"A JSON frame of four metrics ({size} bytes with its header), new for every tick, to {VIEWERS:,} viewers on "
        f"loopback: the server on one core, the viewers on the other. Medians of {TURNS} rounds of {SECONDS:.0f} s, in "
        "each of which the servers took turns. Limits: without io_uring 0.9 of Bun's, 1.8 of Starlette's. That the "
        "viewers are not the limit shows in their share of their core.",
        ["server", "messages/s", "of Bun's", "of Starlette's", "CPU a message", "its core", "viewers' core"],
    )
    for name, each in figures.items():
        result.add(
            name,
            f"{rates[name] / 1000:,.0f} k",
            f"{rates[name] / bun:.2f}" if bun else "",
            f"{rates[name] / loop:.2f}",
            f"{statistics.median(each.cpu_us):.1f} µs",
            f"{statistics.median(each.server_share) * 100:.0f} %",
            f"{statistics.median(each.client_share) * 100:.0f} %",
        )
    return result
