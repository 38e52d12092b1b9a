"""200 series for 1,000 viewers, in JSON and in the binary subprotocols."""

from benchmarks.fanout.load import Load
from benchmarks.fanout.servers import NEVER, running, tickboard
from benchmarks.fanout.throughput import ask
from benchmarks.report import Table

VIEWERS = 1_000
SERIES = 200
TICKS = 60
TURNS = 3


def tables() -> list[Table]:
    """Return the table of this scenario."""
    offers = {"JSON": ""} | {name: f"Sec-WebSocket-Protocol: {name}\r\n" for name in ("tickboard.v1", "tickboard.v2")}
    figures: dict[str, list[tuple[float, float]]] = {name: [] for name in offers}
    for _ in range(TURNS):
        for name, offer in offers.items():
            with running(name, tickboard(NEVER, FANOUT_SERIES=str(SERIES))) as server:
                load = Load(server.port)
                load.connect(VIEWERS, more=offer)
                ask(server, load, 3)
                size, messages, cpu = load.bytes, load.messages, server.cpu()
                # One tick after the other: what is measured is a tick, not how many fit into a buffer.
                for _ in range(TICKS):
                    ask(server, load, 1)
                received = load.messages - messages
                figures[name].append(((load.bytes - size) / received, (server.cpu() - cpu) / received * 1e6))
                load.close()
    result = Table(
        "Fan-out: JSON and binary",
        f"A tick of {SERIES} series to {VIEWERS:,} viewers: bytes on the wire and CPU time of the server, for each "
        f"viewer and tick. Medians of {TURNS} turns of {TICKS} ticks.",
        ["encoding", "bytes", "CPU", "bytes of JSON's", "CPU of JSON's"],
    )
    medians = {name: tuple(sorted(each)[TURNS // 2] for each in zip(*figures[name], strict=True)) for name in offers}
    for name, (size, cpu_us) in medians.items():
        json_size, json_cpu = medians["JSON"]
        result.add(name, f"{size:,.0f}", f"{cpu_us:.1f} µs", f"{size / json_size:.2f}", f"{cpu_us / json_cpu:.2f}")
    return [result]
