"""What comes from outside: samples a second of each protocol, beside what others take to read the same bytes.

Usage: python -m benchmarks ingest
"""

import importlib
import statistics
from collections.abc import Iterator

from benchmarks.ingest import whole
from benchmarks.report import Table

PROTOCOLS = {
    "otlp": ("OTLP, protobuf, 4 attributes", "opentelemetry-proto, parsing alone"),
    "remote_write": ("remote write, 10 labels", "protobuf's library and a walk over it"),
    "statsd": ("StatsD, 2 tags", "split(), storing nothing"),
    "push": ("NDJSON", "json.loads, storing nothing"),
    "pipe": ("lines of a command", "split() and float(), storing nothing"),
    "scrape": ("a scrape of 10,000 lines", "prometheus_client's parser"),
}
"""The modules of this package that have a `rate`, and what it is of."""


def tables() -> Iterator[Table]:
    """Give the tables of this benchmark."""
    yield decoding()
    yield whole_servers()


def decoding() -> Table:
    """Return samples a second of each protocol, from bytes to the next tick's row."""
    result = Table(
        "Ingest: from bytes to the tick",
        "Samples a second on one core, of series that are known: what was sent, decoded and written to the row of the "
        "tick to come, beside a reference that reads the same bytes.",
        ["protocol", "Tickboard", "reference", "samples/s", "ratio"],
    )
    for name, (protocol, reference) in PROTOCOLS.items():
        ours, theirs = importlib.import_module(f"benchmarks.ingest.{name}").rate()
        result.add(protocol, f"{ours / 1e6:.2f} M", reference, f"{theirs / 1e6:.2f} M", f"{ours / theirs:.1f}")
    return result


def whole_servers() -> Table:
    """Return what whole servers make of remote write."""
    turns: dict[str, list[whole.Figures]] = {"Tickboard": [], "Prometheus (Debian)": []}
    for _ in range(whole.TURNS):
        with whole.tickboard() as server:
            turns["Tickboard"].append(whole.measure(server, ticks=True))
        with whole.prometheus() as server:
            turns["Prometheus (Debian)"].append(whole.measure(server, ticks=False))
    result = Table(
        "Ingest: remote write into a whole server",
        f"10,000 series with ten labels, in requests of 2,000 samples over two connections, as fast as they are taken: "
        f"server on one core, sender on the other. Medians of {whole.TURNS} turns of {whole.SECONDS} s. Tickboard "
        f"makes {1000 // whole.INTERVAL_MS} ticks a second meanwhile; late is from when a tick is due until a viewer "
        "beside the sender has read it. Limits: 500,000 samples/s, ticks late by less than 20 ms (p99).",
        ["server", "samples/s", "CPU a sample", "its core", "tick late p50", "p99", "worst"],
    )
    for name, figures in turns.items():
        rate, cpu, busy = (
            statistics.median(getattr(each, part) for each in figures) for part in ("rate", "cpu_us", "busy")
        )
        late = ["", "", ""]
        told = [each.late_ms for each in figures if each.late_ms is not None]
        if told:
            late = [f"{statistics.median(each[part] for each in told):.1f} ms" for part in range(3)]
        result.add(name, f"{rate / 1e3:.0f} k", f"{cpu:.2f} µs", f"{busy * 100:.0f} %", *late)
    return result
