"""OpenTelemetry's metrics (OTLP 1, opentelemetry-proto) into a source.

A series is told by its resource, its metric and its attributes. The bytes of its attributes are the key: what is left
of a data point when its value and times have been read is serialized, and only a new one is looked at.

    instrument                      is
    gauge, UpDownCounter            a gauge; deltas are added up
    counter, cumulative             a total
    counter, delta                  a rate: the delta over the time that it says that it spans
    histogram, explicit or not      a distribution, cumulative or delta
    summary                         gauges with the label `quantile`, and the totals `_count` and `_sum`

Of the resource, what `RESOURCE_LABELS` names becomes labels; the rest (of SDKs, processes, systems) doesn't tell series
apart. A process that says no `service.instance.id` is told by its `process.pid`.
"""

import json
from base64 import b64encode
from collections.abc import Hashable, Iterable, Iterator, Mapping
from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from tickboard.distribution import Distribution
from tickboard.errors import PayloadError
from tickboard.intake import Source

if TYPE_CHECKING:
    from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

SLICE = 2_000
"""Data points that are read before others may run."""

SLOW = 100
"""Data points that one costs as much as, of a series that is seen for the first time, and of a histogram."""

MAX_KINDS = 50_000
"""Pairs of a resource and a metric that are known at the same time."""

MAX_BUCKETS = 10_000
"""Of one histogram."""

RESOURCE_LABELS: Mapping[str, str] = MappingProxyType(
    {
        "service.name": "service",
        "service.instance.id": "instance",
        "deployment.environment": "environment",
        "deployment.environment.name": "environment",
        "host.name": "host",
        "k8s.namespace.name": "namespace",
        "k8s.pod.name": "pod",
        "k8s.container.name": "container",
        "container.name": "container",
    }
)
"""The resource attributes that become labels, and as which."""

_DELTA, _CUMULATIVE = 1, 2
"""AggregationTemporality."""

_NO_RECORDED_VALUE = 1
"""DataPointFlags."""

Labels = tuple[tuple[str, str], ...]


def read_protobuf(data: bytes) -> "ExportMetricsServiceRequest":
    """Return the request that is in a protobuf body.

    Raises:
        PayloadError: there is none.
    """
    request, decode_error, _ = _library()
    try:
        found: ExportMetricsServiceRequest = request.FromString(data)
    except decode_error as error:
        raise PayloadError(f"the body is no ExportMetricsServiceRequest: {error}") from error
    return found


def read_json(data: bytes) -> "ExportMetricsServiceRequest":
    """Return the request that is in a JSON body (OTLP's JSON encoding of protobuf).

    Raises:
        PayloadError: there is none.
    """
    request, _, json_format = _library()
    try:
        document = msgspec.json.decode(data, type=dict[str, Any])
        _drop_exemplars(document)
        found: ExportMetricsServiceRequest = json_format.ParseDict(document, request(), ignore_unknown_fields=True)
    except (json_format.ParseError, ValueError, TypeError, AttributeError, RecursionError) as error:
        raise PayloadError(f"the body is no ExportMetricsServiceRequest in JSON: {error}") from error
    return found


@cache
def _library() -> Any:
    # Some megabytes that a board which nobody sends OTLP to does without.
    from google.protobuf import json_format
    from google.protobuf.message import DecodeError
    from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

    return ExportMetricsServiceRequest, DecodeError, json_format


def _drop_exemplars(document: object) -> None:
    """Take the exemplars out: their ids are hexadecimal here, where protobuf's JSON would have base64."""
    waiting = [document]
    while waiting:
        found = waiting.pop()
        if isinstance(found, dict):
            found.pop("exemplars", None)
            waiting += found.values()
        elif isinstance(found, list):
            waiting += found


class _Batch:
    """Data points that have been read and not been given to the source yet."""

    def __init__(self) -> None:
        self.gauges: list[tuple[int, float, int]] = []
        self.totals: list[tuple[int, float, int, int]] = []
        self.cost = 0


class OpenTelemetry:
    """What one sender exports.

    Args:
        source: where to write.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._kinds: dict[tuple[bytes, str], int] = {}
        self._resources: dict[bytes, Labels] = {}
        self._sums: dict[Hashable, float] = {}
        self._until: dict[Hashable, int] = {}

    def receive(self, request: "ExportMetricsServiceRequest", now: float) -> Iterator[None]:
        """Take a request; others may run at each step.

        Args:
            request: it is changed by the reading.
            now: POSIX seconds, for data points without a time.

        Raises:
            PayloadError: a histogram in it cannot be. What was read before that is taken.
        """
        batch = _Batch()
        try:
            for resource_metrics in request.resource_metrics:
                resource = resource_metrics.resource.SerializeToString()
                labels = self._resource_labels(resource, resource_metrics.resource.attributes)
                for scope_metrics in resource_metrics.scope_metrics:
                    for metric in scope_metrics.metrics:
                        yield from self._metric(
                            metric, self._kind(resource, metric.name), labels, batch, int(now * 1e9)
                        )
        finally:
            self._give(batch)

    def _resource_labels(self, resource: bytes, attributes: Any) -> Labels:
        found = self._resources.get(resource)
        if found is None:
            said = {attribute.key: text_of(attribute.value) for attribute in attributes}
            if "service.instance.id" not in said and "process.pid" in said:
                said["service.instance.id"] = said["process.pid"]
            labels = {label: said[name] for name, label in RESOURCE_LABELS.items() if said.get(name)}
            if len(self._resources) >= MAX_KINDS:
                self._resources.clear()
            found = self._resources[resource] = tuple(labels.items())
        return found

    def _kind(self, resource: bytes, name: str) -> int:
        """Return a number that stands for a metric of a resource in the keys of its series."""
        kind = self._kinds.get((resource, name))
        if kind is None:
            if len(self._kinds) >= MAX_KINDS:
                self._kinds.clear()
                self._sums.clear()
                self._until.clear()
            kind = self._kinds[resource, name] = hash((resource, name))
        return kind

    def _metric(self, metric: Any, kind: int, resource: Labels, batch: _Batch, now: int) -> Iterator[None]:
        which = metric.WhichOneof("data")
        if which is None:
            return
        data = getattr(metric, which)
        for point in data.data_points:
            if which in {"gauge", "sum"}:
                self._number(metric, data, which, point, kind, resource, batch, now)
                batch.cost += 1
            elif which == "summary":
                self._summary(metric, point, kind, resource, batch, now)
                batch.cost += SLOW
            else:
                self._histogram(metric, data, which, point, kind, resource, now)
                batch.cost += SLOW
            if batch.cost >= SLICE:
                self._give(batch)
                yield

    def _number(
        self, metric: Any, data: Any, which: str, point: Any, kind: int, resource: Labels, batch: _Batch, now: int
    ) -> None:
        # One of the two is not there, and reads as 0.
        value = point.as_double + point.as_int
        time, start, flags = point.time_unix_nano or now, point.start_time_unix_nano, point.flags
        point.ClearField("value")
        point.ClearField("time_unix_nano")
        point.ClearField("start_time_unix_nano")
        if flags:
            point.ClearField("flags")
        if point.exemplars:
            point.ClearField("exemplars")
        key = (kind, point.SerializeToString())
        is_total = which == "sum" and data.is_monotonic
        column = self._source.known.get(key)
        if column is None:
            add = self._source.total if is_total else self._source.gauge
            column = add(key, metric.name, (*resource, *attributes_of(point)), unit=metric.unit)
            batch.cost += SLOW
        if flags & _NO_RECORDED_VALUE:
            self._source.clear([column])
        elif which == "gauge" or (not is_total and data.aggregation_temporality == _CUMULATIVE):
            batch.gauges.append((column, value, time))
        elif not is_total:
            self._sums[key] = value = self._sums.get(key, 0.0) + value
            batch.gauges.append((column, value, time))
        elif data.aggregation_temporality == _DELTA:
            begun = start if 0 < start < time else self._until.get(key, 0)
            self._until[key] = time
            if 0 < begun < time:
                batch.gauges.append((column, value / ((time - begun) / 1e9), time))
        else:
            batch.totals.append((column, value, time, start))

    def _summary(self, metric: Any, point: Any, kind: int, resource: Labels, batch: _Batch, now: int) -> None:
        time = point.time_unix_nano or now
        labels = (*resource, *attributes_of(point))
        if point.flags & _NO_RECORDED_VALUE:
            return
        for quantile in point.quantile_values:
            key = (kind, labels, quantile.quantile)
            with_quantile = (*labels, ("quantile", f"{quantile.quantile:g}"))
            column = self._source.known.get(key)
            if column is None:
                column = self._source.gauge(key, metric.name, with_quantile, unit=metric.unit)
            batch.gauges.append((column, quantile.value, time))
        for part, value, unit in (("count", point.count, ""), ("sum", point.sum, metric.unit)):
            key = (kind, labels, part)
            column = self._source.known.get(key)
            if column is None:
                column = self._source.total(key, f"{metric.name}_{part}", labels, unit=unit)
            batch.totals.append((column, value, time, point.start_time_unix_nano))

    def _histogram(self, metric: Any, data: Any, which: str, point: Any, kind: int, resource: Labels, now: int) -> None:
        labels = (*resource, *attributes_of(point))
        key = (kind, labels)
        column = self._source.known.get(key)
        if column is None:
            column = self._source.histogram(key, metric.name, labels, unit=metric.unit)
        if point.flags & _NO_RECORDED_VALUE:
            self._source.clear([column])
            return
        found = explicit(point) if which == "histogram" else exponential(point)
        time = (point.time_unix_nano or now) / 1e9
        if data.aggregation_temporality == _DELTA:
            self._source.merge(column, found, time)
        else:
            self._source.merge_totals(column, found, time)

    def _give(self, batch: _Batch) -> None:
        if batch.gauges:
            columns, values, times = zip(*batch.gauges, strict=True)
            self._source.set(columns, values, np.array(times, np.float64) / 1e9)
        if batch.totals:
            columns, values, times, starts = zip(*batch.totals, strict=True)
            begun = np.array(starts, np.float64) / 1e9
            self._source.set_totals(columns, values, np.array(times, np.float64) / 1e9, begun)
        batch.gauges.clear()
        batch.totals.clear()
        batch.cost = 0


def explicit(point: Any) -> Distribution:
    """Return the distribution of a HistogramDataPoint.

    Raises:
        PayloadError: its bounds and counts don't go together.
    """
    bounds, counts = list(point.explicit_bounds), list(point.bucket_counts)
    total = point.sum if point.HasField("sum") else np.nan
    lowest = point.min if point.HasField("min") else None
    highest = point.max if point.HasField("max") else None
    if not counts:
        # Of the values only their number and sum are told.
        mean = total / point.count if point.count else 0.0
        return Distribution.explicit([], [point.count], total, _or(lowest, mean), _or(highest, mean))
    if len(counts) != len(bounds) + 1 or len(counts) > MAX_BUCKETS:
        raise PayloadError(
            f"a histogram has {len(bounds)} bounds and {len(counts)} counts: send one count more than bounds, "
            f"and {MAX_BUCKETS} at most"
        )
    if not bounds:
        mean = total / point.count if point.count else 0.0
        return Distribution.explicit([], counts, total, _or(lowest, mean), _or(highest, mean))
    if sorted(bounds) != bounds or not np.isfinite(bounds).all():
        raise PayloadError(f"a histogram's bounds do not rise: {bounds[:10]}")
    if counts[0] == 0:
        lowest = None
    if counts[-1] == 0:
        highest = None
    return Distribution.explicit(bounds, counts, total, lowest, highest)


def exponential(point: Any) -> Distribution:
    """Return the distribution of an ExponentialHistogramDataPoint.

    Raises:
        PayloadError: it has too many buckets.
    """
    sides = []
    for side in (point.positive, point.negative):
        if len(side.bucket_counts) > MAX_BUCKETS:
            raise PayloadError(f"a histogram has {len(side.bucket_counts)} buckets: send {MAX_BUCKETS} at most")
        sides.append([(side.offset + place, float(count)) for place, count in enumerate(side.bucket_counts)])
    total = point.sum if point.HasField("sum") else np.nan
    # More than any float64 needs, and less than overflows.
    scale = min(max(point.scale, -11), 20)
    return Distribution.exponential(scale, sides[0], sides[1], point.zero_count, abs(point.zero_threshold), total)


def attributes_of(point: Any) -> Iterable[tuple[str, str]]:
    """Return the attributes of a data point as labels."""
    return ((attribute.key, text_of(attribute.value)) for attribute in point.attributes)


def text_of(value: Any) -> str:
    """Return an AnyValue as a label's value: lists and maps as JSON."""
    found = _plain(value)
    if isinstance(found, str):
        return found
    return json.dumps(found, ensure_ascii=False)


def _plain(value: Any) -> Any:
    which = value.WhichOneof("value")
    if which is None:
        return ""
    if which == "array_value":
        return [_plain(each) for each in value.array_value.values]
    if which == "kvlist_value":
        return {each.key: _plain(each.value) for each in value.kvlist_value.values}
    if which == "bytes_value":
        return b64encode(value.bytes_value).decode()
    return getattr(value, which)


def _or(value: float | None, otherwise: float) -> float:
    return otherwise if value is None or np.isnan(value) else value
