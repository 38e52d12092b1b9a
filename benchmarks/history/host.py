"""Host data as the product samples it, each second, recorded to a file for the benchmarks to use."""

import time
from pathlib import Path

import msgspec
import numpy as np

from tickboard.history.layout import Layout
from tickboard.metrics.registry import Registry
from tickboard.sources.host import Host


def layout_of(registry: Registry) -> Layout:
    """Return the layout of all series of a registry."""
    series = registry.series
    keys = tuple((one.metric.name, one.labels, one.metric.unit) for one in series)
    return Layout(keys, np.array([one.column for one in series], np.intp))


def record(path: Path, seconds: int) -> None:
    """Sample the host each second, and write everything to a file in the end."""
    registry = Registry()
    host = Host(registry)
    rows: dict[float, dict[str, float]] = {}
    due = time.time() // 1 + 1
    for _ in range(seconds):
        time.sleep(max(0.0, due - time.time()))
        due += 1
        host.sample()
        row = registry.collect(1.0)
        rows[time.time()] = {one.key: float(row[one.column]) for one in registry.series}
    keys = sorted({key for each in rows.values() for key in each})
    matrix = np.array([[each.get(key, np.nan) for key in keys] for each in rows.values()])
    np.savez_compressed(path, times=np.array(list(rows)), rows=matrix, keys=msgspec.json.encode(keys))
