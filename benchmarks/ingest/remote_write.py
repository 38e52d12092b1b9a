"""Prometheus remote write: samples a second into an intake, beside the protobuf library's parsing of the same bytes."""

import random
from collections.abc import Callable
from typing import Any

import cramjam
from tests.prompb import V1, V2

from benchmarks.report import quickest
from tickboard.metrics.intake import Intake
from tickboard.metrics.registry import Registry
from tickboard.sources.prometheus.remote_write import RemoteWrite
from tickboard.sources.prometheus.series_writer import Batch

SERIES = 10_000
ROUNDS = 7
NOW = 1_795_514_400.0

BOUNDS = ("0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1", "2.5", "5", "10", "+Inf")

Labels = list[tuple[str, str]]


def payload(series: int, at: float) -> bytes:
    """Return a request as Prometheus sends it, before snappy: ten labels a series, one sample each, a third of them 0.

    Args:
        series: how many.
        at: their time, POSIX seconds.
    """
    request = V1["WriteRequest"]()
    random.seed(1)
    for number in range(series):
        _add(request, _labels(f"container_network_{number % 60}_bytes_total", number // 60), _value(at), at)
    return _bytes(request)


def histograms(series: int, at: float) -> bytes:
    """Return the same with classic histograms alone: of each the buckets, the sum and the count."""
    request = V1["WriteRequest"]()
    for number in range(series // (len(BOUNDS) + 2)):
        name, which = f"http_{number % 6}_request_duration_seconds", number // 6
        for place, bound in enumerate(BOUNDS, 1):
            _add(request, [*_labels(f"{name}_bucket", which), ("le", bound)], place * (at - NOW + 1), at)
        _add(request, _labels(f"{name}_sum", which), 3 * (at - NOW + 1), at)
        _add(request, _labels(f"{name}_count", which), len(BOUNDS) * (at - NOW + 1), at)
    return _bytes(request)


def version_2(series: int, at: float) -> bytes:
    """Return the same as `payload` in version 2, with metadata in each series."""
    request = V2["Request"]()
    symbols = {"": 0}
    random.seed(1)
    for number in range(series):
        one = request.timeseries.add()
        for pair in _labels(f"container_network_{number % 60}_bytes_total", number // 60):
            one.labels_refs.extend(symbols.setdefault(text, len(symbols)) for text in pair)
        one.samples.add(value=_value(at), timestamp=round(at * 1_000))
        one.metadata.type = 1
        one.metadata.help_ref = symbols.setdefault(f"Bytes of container {number % 60}.", len(symbols))
    request.symbols.extend(symbols)
    return _bytes(request)


def rate() -> tuple[float, float]:
    """Return samples a second: ours of known series into an intake, and of a walk over them with the library."""
    body = payload(SERIES, NOW)
    return ours(payload), SERIES / quickest(lambda: _walk(body), ROUNDS)


def ours(make: Callable[[int, float], bytes], *, v2: bool = False) -> float:
    """Return samples a second of known series: undone of snappy, decoded, and taken in."""
    intake = Intake(Registry(2 * SERIES))
    sender = RemoteWrite(intake.source("remote write"))
    bodies = iter([bytes(cramjam.snappy.compress_raw(make(SERIES, NOW + turn))) for turn in range(ROUNDS + 1)])
    batch = Batch()

    def once() -> None:
        body = bytes(cramjam.snappy.decompress_raw(next(bodies)))
        for _ in (sender.receive_v2 if v2 else sender.receive)(body, batch):
            pass

    once()
    samples = batch.samples
    best = quickest(once, ROUNDS)
    assert batch.samples == (ROUNDS + 1) * samples
    return samples / best


def _walk(body: bytes) -> None:
    """Read every label and sample of a request with the library."""
    for series in V1["WriteRequest"].FromString(body).timeseries:
        _ = tuple((label.name, label.value) for label in series.labels)
        _ = [(sample.value, sample.timestamp) for sample in series.samples]


def _labels(name: str, which: int) -> Labels:
    return [
        ("__name__", name),
        ("cluster", "eu-west-1-production"),
        ("container", "checkout"),
        ("endpoint", "http-metrics"),
        ("instance", f"10.{which % 250}.3.17:9100"),
        ("job", "kubelet"),
        ("namespace", "shop"),
        ("node", f"ip-10-0-{which % 250}-17.internal"),
        ("pod", f"checkout-7d9f8b6c5d-{which:05d}"),
        ("service", "kubelet"),
    ]


def _value(at: float) -> float:
    return 0.0 if random.random() < 0.3 else random.randrange(1_000_000) + (at - NOW) * 100


def _add(request: Any, labels: Labels, value: float, at: float) -> None:
    series = request.timeseries.add()
    for name, text in labels:
        series.labels.add(name=name, value=text)
    series.samples.add(value=value, timestamp=round(at * 1_000))


def _bytes(message: Any) -> bytes:
    data: bytes = message.SerializeToString()
    return data


if __name__ == "__main__":
    print(*(f"{one:,.0f} samples/s" for one in rate()))
    print(f"histograms: {ours(histograms):,.0f} samples/s; version 2: {ours(version_2, v2=True):,.0f} samples/s")
