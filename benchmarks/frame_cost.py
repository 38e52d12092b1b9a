"""What a frame costs: encoding a tick, and the first message of a viewer, beside json.dumps and msgspec of dicts."""

import json
import time
from collections.abc import Callable

import msgspec
import numpy as np

from benchmarks.report import Table, duration, timed, timed_in_turn
from tickboard.hub.encodings import initial_frame, metrics_frame
from tickboard.metrics.registry import Registry
from tickboard.metrics.selection import Selection
from tickboard.metrics.window import Floats, Window
from tickboard.wire import timestamp

SERIES = (4, 100, 10_000, 100_000)


def registry_of(series: int) -> Registry:
    """Return a registry of so many series: four metrics as in the specification, then one with a label."""
    registry = Registry()
    if series == 4:
        for name in ("cpu_usage", "memory_usage", "requests_per_sec", "avg_latency"):
            registry.gauge(name, unit="%")
        return registry
    gauge = registry.gauge("queue_length", unit="jobs", labels=("queue",))
    for index in range(series):
        gauge.labels(queue=f"queue-{index}")
    return registry


def as_dicts(selection: Selection, row: Floats, stamp: str) -> dict[str, object]:
    """Return a `metrics` message as one would write it without templates."""
    data = []
    for series, value in zip(selection.series, row.tolist(), strict=True):
        metric: dict[str, object] = {
            "name": series.metric.name,
            "value": value,
            "unit": series.metric.unit,
            "timestamp": stamp,
        }
        if series.labels:
            metric["labels"] = dict(series.labels)
        data.append(metric)
    return {"type": "metrics", "data": data, "seq": 1, "timestamp": stamp}


def tick_table() -> Table:
    """Return the cost of a tick's frame."""
    result = Table(
        "A tick's frame",
        "The cost of encoding one tick as JSON, once for all viewers with the same subscription, beside making a "
        "list of dicts and encoding it with the standard library, or with msgspec, in the same run. Medians; more "
        "than 1 x means that Tickboard is faster.",
        ["series", "size", "Tickboard", "json.dumps", "msgspec", "json / Tickboard", "msgspec / Tickboard"],
    )
    generator = np.random.default_rng(0)
    encode = msgspec.json.Encoder().encode
    for series in SERIES:
        selection = Selection(registry_of(series))
        row = generator.uniform(0, 100, series)
        now = time.time()

        def ours(selection: Selection = selection, row: Floats = row, now: float = now) -> bytes:
            return metrics_frame(selection, 1, now, row)

        def standard(selection: Selection = selection, row: Floats = row, now: float = now) -> bytes:
            return json.dumps(as_dicts(selection, row, timestamp(now)), separators=(",", ":")).encode()

        def plain_msgspec(selection: Selection = selection, row: Floats = row, now: float = now) -> bytes:
            return encode(as_dicts(selection, row, timestamp(now)))

        if not json.loads(ours()) == json.loads(standard()) == json.loads(plain_msgspec()):
            raise RuntimeError("the three ways say different things: the comparison would mean nothing")
        ways: dict[str, Callable[[], object]] = {"ours": ours, "json": standard, "msgspec": plain_msgspec}
        times = timed_in_turn(ways, calls=max(3, min(1_000, 100_000 // series)), rounds=5)
        mine, theirs, spec = (times[name].p50 for name in ways)
        result.add(
            f"{series:,}",
            f"{len(ours()) / 1e3:,.1f} kB",
            duration(mine),
            duration(theirs),
            duration(spec),
            f"{theirs / mine:.1f} x",
            f"{spec / mine:.1f} x",
        )
    return result


def initial_table() -> Table:
    """Return the cost of a viewer's first message."""
    result = Table(
        "A viewer's first message",
        "The cost of encoding the `initial` message with a window of 60 ticks; viewers who join at the "
        "same tick share it.",
        ["series", "size", "p50", "worst"],
    )
    generator = np.random.default_rng(0)
    for series in SERIES[:-1]:
        selection = Selection(registry_of(series))
        window = Window(60)
        for index in range(60):
            window.append(1e9 + index, generator.uniform(0, 100, series))

        def encode(selection: Selection = selection, window: Window = window) -> bytes:
            return initial_frame(selection, "epoch", 60, window.all())

        timing = timed(encode, calls=max(2, min(200, 10_000 // series)), rounds=5)
        result.add(f"{series:,}", f"{len(encode()) / 1e3:,.1f} kB", duration(timing.p50), duration(timing.worst))
    return result


def tables() -> list[Table]:
    """Return all tables of this benchmark."""
    return [tick_table(), initial_table()]


if __name__ == "__main__":
    for one in tables():
        print(one.markdown())
