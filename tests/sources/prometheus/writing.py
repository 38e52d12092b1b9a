"""A board that a Prometheus writes to, and the requests that it is sent."""

import math
import struct
from typing import Any

from tests.prompb import V1

from tickboard.engine import Engine
from tickboard.metrics.intake import Intake
from tickboard.metrics.registry import Registry
from tickboard.sources.prometheus.remote_write import RemoteWrite
from tickboard.sources.prometheus.series_writer import Batch

NOW = 1_795_514_400.0
STALE = struct.unpack("<d", struct.pack("<Q", 0x7FF0_0000_0000_0002))[0]


class Bench:
    def __init__(self) -> None:
        self.registry = Registry()
        self.intake = Intake(self.registry)
        self.engine = Engine(self.registry, [], 60, "e", lambda: "id", self.intake)
        self.source = self.intake.source("remote write")
        self.sender = RemoteWrite(self.source)
        self.time = NOW

    def write(self, message: Any, v2: bool = False) -> Batch:
        data = message if isinstance(message, bytes) else message.SerializeToString()
        batch = Batch()
        for _ in (self.sender.receive_v2 if v2 else self.sender.receive)(data, batch):
            pass
        return batch

    def tick(self, after_s: float = 1.0) -> dict[str, float]:
        self.time += after_s
        row = self.engine.tick(self.time, after_s).row
        return {one.key: float(row[one.column]) for one in self.registry.series if not math.isnan(row[one.column])}


def buckets(counts: dict[str, float], time: float, name: str = "took_seconds_bucket", **labels: str) -> list[Any]:
    return [({"__name__": name, "le": le, **labels}, [(count, time)]) for le, count in counts.items()]


def sums(value: float, time: float, name: str = "took_seconds_sum", **labels: str) -> Any:
    return ({"__name__": name, **labels}, [(value, time)])


def native(time: float, **members: Any) -> Any:
    request = V1["WriteRequest"]()
    series = request.timeseries.add()
    series.labels.add(name="__name__", value="took")
    histogram = series.histograms.add(timestamp=int(time * 1000), **members)
    histogram.positive_spans.add(offset=0, length=2)
    return request
