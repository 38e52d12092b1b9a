"""10,000 readers of the alert stream and an event a second: who misses one, how late it comes, what it costs."""

import re
from datetime import datetime

from benchmarks.fanout.load import Load, Seen
from benchmarks.fanout.servers import peer, running, tickboard
from benchmarks.fanout.ten_thousand import INTERVAL_MS, SECONDS, TURNS, VIEWERS, Figures, measure, middle
from benchmarks.report import Table

PLAIN = "Starlette, StreamingResponse"

EVENT = re.compile(rb"id: [0-9a-z]+-(\d+)\n(?:event: (\w+)\n)?data: (.*)\n\n")
WHEN = re.compile(rb'"(?:timestamp|resolved)":"([^"]+)"')


class Readers(Load):
    """Readers of the alert stream; an event counts as a tick, the position at the beginning as an `initial`."""

    path = "/events/alerts"
    handshake = "GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n{more}\r\n"
    accepted = b"HTTP/1.1 200"

    def whole(self, data: bytes) -> int:
        """Return how many bytes of `data` are whole events, and the ends of their chunks where there are any."""
        return len(data) if data.endswith(b"\n\n\r\n") else data.rfind(b"\n\n") + 2 if b"\n\n" in data else 0

    def look(self, data: bytes) -> Seen:
        """Return what whole events say."""
        seen = Seen(-1, -1, 0, 0.0, b"", initial=False, resumed=False, epoch="")
        for number, kind, text in EVENT.findall(data):
            if kind == b"position":
                seen.initial, seen.first, seen.last = True, int(number), int(number)
            elif b'"type":"heartbeat"' not in text:
                seen.first = seen.first if seen.ticks else int(number)
                seen.last = int(number)
                seen.ticks += 1
                # An alert that ends has the time of its beginning too, and before that of its end.
                seen.stamp = datetime.fromisoformat(WHEN.findall(text)[-1].decode()).timestamp()
        return seen


def tables() -> list[Table]:
    """Return the table of this scenario."""
    commands = {
        "Tickboard": tickboard(INTERVAL_MS, FANOUT_ALERTS="1"),
        "Tickboard without io_uring": tickboard(INTERVAL_MS, FANOUT_ALERTS="1", FANOUT_PLAIN="1"),
        PLAIN: peer("streaming", INTERVAL_MS),
    }
    turns: dict[str, list[Figures]] = {name: [] for name in commands}
    for _ in range(TURNS):
        for name, command in commands.items():
            with running(name, command) as server:
                turns[name].append(measure(server, kind=Readers))
    figures = {name: middle(each) for name, each in turns.items()}
    result = Table(
        "Fan-out: 10,000 readers of alerts, one event a second",
        f"{VIEWERS:,} streams of server-sent events; {TURNS} turns of {SECONDS} s each, in which the servers took "
        "turns; medians, and the worst HTTP of all. The server on one core and the readers on the other. The delay is "
        "from the event's timestamp to the receipt by each reader; Tickboard's is the whole second, before its "
        "samplers run, the other's is taken when the event is made. HTTP is the worst answer to a document asked for "
        "ten times a second meanwhile. Limits: no event missed, under 5 kB a reader, HTTP under 50 ms.",
        [
            "server",
            "events missed",
            "delay p50",
            "p99",
            "worst",
            "CPU an event",
            "of the peer's",
            "memory a reader",
            "worst HTTP",
            "readers' core",
        ],
    )
    for name, each in figures.items():
        result.add(
            name,
            f"{each.missed} of {each.ticks:,}",
            f"{each.p50_ms:.0f} ms",
            f"{each.p99_ms:.0f} ms",
            f"{each.worst_ms:.0f} ms",
            f"{each.cpu_us:.1f} µs",
            f"{each.cpu_us / figures[PLAIN].cpu_us:.2f}",
            f"{each.memory_kb:.1f} kB",
            f"{each.http_ms:.0f} ms",
            f"{each.client_share * 100:.0f} %",
        )
    return [result]
