"""StatsD: lines a second through the parser into an intake, beside a plain reading of them that stores nothing."""

import random

from benchmarks.report import quickest
from tickboard.metrics.intake import Intake
from tickboard.metrics.registry import Registry
from tickboard.sources.statsd import StatsD

SERIES = 1_000
PACKET_BYTES = 1_432
TOGETHER = 40
"""Packets that are taken in one turn when many come."""

LINES = 200_000
ROUNDS = 5


def payload(lines: int) -> list[bytes]:
    """Return packets as clients make them: half counters, a quarter each of gauges and timers, all with two tags."""
    random.seed(1)
    packets: list[bytes] = []
    packet = b""
    for _ in range(lines):
        line = _line(random.randrange(SERIES))
        if len(packet) + 1 + len(line) > PACKET_BYTES:
            packets.append(packet)
            packet = line
        else:
            packet = b"\n".join([packet, line]) if packet else line
    return [*packets, packet]


def rate() -> tuple[float, float]:
    """Return lines a second: ours into an intake, and of a plain reading."""
    packets = payload(LINES)
    turns = [b"\n".join(packets[first : first + TOGETHER]) for first in range(0, len(packets), TOGETHER)]
    statsd = StatsD(Intake(Registry()).source("statsd"))

    def ours() -> None:
        for turn in turns:
            for _ in statsd.receive(turn):
                pass

    def plain() -> None:
        for packet in packets:
            for line in packet.split(b"\n"):
                read(line)

    ours()
    return LINES / quickest(ours, ROUNDS), LINES / quickest(plain, ROUNDS)


def read(line: bytes) -> tuple[str, float, str, float, list[str]]:
    """Return what is in a line, as one would write it first."""
    name, rest = line.decode().split(":", 1)
    value, kind, *fields = rest.split("|")
    weight, tags = 1.0, list[str]()
    for field in fields:
        if field.startswith("@"):
            weight = 1 / float(field[1:])
        elif field.startswith("#"):
            tags = field[1:].split(",")
    return name, float(value), kind, weight, tags


def _line(series: int) -> bytes:
    tags = f"|#env:prod,route:/users/{series}"
    match series % 4:
        case 0 | 1:
            return f"service.api.requests.{series}:1|c{tags}".encode()
        case 2:
            return f"service.queue.depth.{series}:{random.randrange(5_000)}|g{tags}".encode()
        case _:
            return f"service.db.time.{series}:{random.expovariate(0.02):.3f}|ms{tags}".encode()


if __name__ == "__main__":
    print(*(f"{one:,.0f} lines/s" for one in rate()))
