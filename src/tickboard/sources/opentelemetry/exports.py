"""Writes OpenTelemetry's metrics (OTLP 1, opentelemetry-proto) to a source.

"Stream" is used as in OpenTelemetry: a metric of a scope of a resource, with its attributes. Its key is the data point
serialized without value and times, so attributes are parsed only when a key is new.

    instrument                      becomes
    gauge, UpDownCounter            a gauge; deltas are added up
    counter, cumulative             a total
    counter, delta                  a rate: the delta divided by the time that it spans
    histogram, explicit or exp.     a distribution, cumulative or delta
    summary                         gauges with the label `quantile`, and the totals `_count` and `_sum`

The resource attributes in `RESOURCE_LABELS` become labels. The others (of SDKs, processes, systems) do not distinguish
series unless two streams would become one series: see `tickboard.sources.streams`. A process that sends no
`service.instance.id` is identified by its `process.pid`. A data point that cannot be used is rejected alone.
"""

from collections.abc import Callable, Hashable, Iterator
from math import inf, isnan
from typing import TYPE_CHECKING, Any

import numpy as np
from msgspec import Struct, field

from tickboard.errors import PayloadError
from tickboard.metrics.cleaning import MAX_NAME, short
from tickboard.metrics.source import Source
from tickboard.sources.opentelemetry.distributions import explicit, exponential
from tickboard.sources.opentelemetry.labels import (
    Resource,
    attributes_key,
    check_attributes,
    is_mark,
    label_text,
    labels_of,
    read_resource,
)
from tickboard.sources.streams import Labels, SenderStream, StreamKind, Streams

if TYPE_CHECKING:
    from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

SLICE = 2_000
"""How many data points are read before others may run."""

SLOW = 100
"""The cost, in data points, of a histogram and of a data point of a new series."""

REJECTED_COST, ENDED_COST = 5, 20
"""The cost, in data points, of a rejected one, and of one that ends the values of its series."""

BUCKETS = 10
"""How many buckets of a histogram cost as much as a data point."""

MAX_KINDS = 50_000
"""How many pairs of a resource and a metric are cached."""

MAX_DELTAS = 200_000
"""How many delta streams of one sender have a sum and a newest time; beyond that, the oldest starts over."""


MAX_QUANTILES = 100
"""The most quantiles of one summary: each is a series."""


_DELTA = 1
"""An AggregationTemporality; all others count as cumulative."""

_NO_RECORDED_VALUE = 1
"""A flag of DataPointFlags."""


class ExportResult(Struct):
    """The result of one request.

    Attributes:
        rejected: how many data points were malformed or refused.
        reason: why the first of them was.
        columns: the columns of the series that it has written to.
        numbers: for streams that only a number distinguishes, the last number used.
    """

    rejected: int = 0
    reason: str = ""
    columns: set[int] = field(default_factory=set)
    numbers: dict[Hashable, int] = field(default_factory=dict)

    def reject(self, points: int, reason: str) -> None:
        """Count data points that are rejected."""
        self.rejected += points
        self.reason = self.reason or reason


class _Batch(Struct):
    """Data points of one request that were read but not written to the source yet."""

    result: ExportResult
    gauges: list[tuple[int, float, int]] = field(default_factory=list)
    totals: list[tuple[int, float, int, int]] = field(default_factory=list)
    cost: int = 0

    def has(self, column: int) -> bool:
        """Return whether the request has written to a series."""
        return (
            column in self.result.columns
            or any(column == one[0] for one in self.gauges)
            or any(column == one[0] for one in self.totals)
        )


class OpenTelemetry:
    """Reads the exports of one sender.

    Args:
        source: where to write.
        streams: the stream of each series; shared by all senders of a board.
    """

    def __init__(self, source: Source, streams: Streams | None = None) -> None:
        self._source = source
        self._streams = streams or Streams()
        self._kinds: dict[Hashable, StreamKind] = {}
        self._resources: dict[bytes, Resource] = {}
        # For delta streams: the sum so far, and the start and the time of the newest point.
        self._deltas: dict[Hashable, tuple[float, int, int]] = {}

    def receive(
        self, request: "ExportMetricsServiceRequest", now: float, result: ExportResult | None = None
    ) -> Iterator[None]:
        """Read a request; others may run at each step.

        Args:
            request: the request; reading changes it.
            now: POSIX seconds, for data points without a time.
            result: receives the result; read it when all steps are done.

        Raises:
            PayloadError: a resource or a scope is too large. What was read before that is written.
        """
        batch = _Batch(result or ExportResult())
        try:
            for resource_metrics in request.resource_metrics:
                key_of_resource = short(resource_metrics.resource.SerializeToString())
                resource = self._resource(key_of_resource, resource_metrics.resource)
                for scope_metrics in resource_metrics.scope_metrics:
                    scope = scope_metrics.scope
                    place = key_of_resource, short(scope.SerializeToString())
                    for metric in scope_metrics.metrics:
                        which = metric.WhichOneof("data")
                        if which is not None and self._has_name(metric, which, batch):
                            kind = self._kind(place, metric, which, scope, resource)
                            yield from self._metric(metric, which, kind, resource, batch, int(now * 1e9))
                        # A metric without data points takes time, too.
                        if self._is_enough(batch):
                            yield
                    if self._is_enough(batch):
                        yield
                if self._is_enough(batch):
                    yield
        finally:
            self._write(batch)

    def _resource(self, key: bytes, resource: Any) -> Resource:
        found = self._resources.get(key)
        if found is None:
            if len(self._resources) >= MAX_KINDS:
                self._resources.clear()
            found = self._resources[key] = read_resource(resource)
        return found

    def _kind(self, place: tuple[bytes, bytes], metric: Any, which: str, scope: Any, resource: Resource) -> StreamKind:
        """Return the kind of all streams of a metric in a scope of a resource."""
        data = getattr(metric, which)
        temporality = getattr(data, "aggregation_temporality", 0)
        sender = "" if resource.identifies_itself else self._source.name.removeprefix("otlp ")
        key = (*place, metric.name, metric.unit, which, temporality, getattr(data, "is_monotonic", False), sender)
        kind = self._kinds.get(key)
        if kind is None:
            if len(self._kinds) >= MAX_KINDS:
                self._kinds.clear()
            check_attributes(scope, "scope")
            own = {"scope": scope.name, "scope_version": scope.version, "unit": metric.unit, "metric": metric.name}
            own |= {f"scope.{one.key}": label_text(one.value) for one in scope.attributes}
            own = {name: value for name, value in own.items() if is_mark(value)}
            kind = self._kinds[key] = StreamKind(hash(key), own | resource.marks | own | {"sender": sender})
        return kind

    def _metric(
        self, metric: Any, which: str, kind: StreamKind, resource: Resource, batch: _Batch, now: int
    ) -> Iterator[None]:
        data = getattr(metric, which)
        take = {"gauge": self._number, "sum": self._number, "summary": self._summary}.get(which, self._histogram)
        cost = 1 if take == self._number else SLOW
        for point in data.data_points:
            try:
                take(metric, data, which, point, kind, resource, batch, now)
            except PayloadError as error:
                self._source.malformed += 1
                batch.cost += REJECTED_COST
                batch.result.reject(1, f"metric {metric.name[:MAX_NAME]!r}: {error}")
            batch.cost += cost
            if batch.cost >= SLICE:
                batch.cost = 0
                self._write(batch)
                yield

    def _is_enough(self, batch: _Batch) -> bool:
        """Count a message; return whether others may run, after everything read was written to the source."""
        batch.cost += 1
        if batch.cost < SLICE:
            return False
        batch.cost = 0
        self._write(batch)
        return True

    def _has_name(self, metric: Any, which: str, batch: _Batch) -> bool:
        """Return whether a metric's name and unit are short enough; if not, reject its data points."""
        size = len(metric.name) + len(metric.unit)
        if size <= 2 * MAX_NAME:
            return True
        points = len(getattr(metric, which).data_points)
        self._source.malformed += points
        batch.result.reject(
            points, f"metric {metric.name[:40]!r}…: name and unit have {size} characters: use {2 * MAX_NAME} at most"
        )
        return False

    def _open(
        self,
        add: Callable[..., int],
        key: Hashable,
        name: str,
        unit: str,
        labels: Labels,
        stream: SenderStream,
        batch: _Batch,
    ) -> int:
        """Return the column of a stream whose key is not known yet."""

        def open_with(extra: Labels) -> int:
            batch.cost += SLOW
            return add(key, name, (*labels, *extra), unit=unit)

        return self._streams.column(self._source, key, stream, labels, open_with, batch.has, batch.result.numbers)

    def _number(
        self,
        metric: Any,
        data: Any,
        which: str,
        point: Any,
        kind: StreamKind,
        resource: Resource,
        batch: _Batch,
        now: int,
    ) -> None:
        # One of the two is not set and reads as 0; without a value, both do.
        value = point.as_double + point.as_int
        missing = isnan(value) or (not value and point.WhichOneof("value") is None)
        time, start, flags = point.time_unix_nano, point.start_time_unix_nano, point.flags
        is_delta = which == "sum" and data.aggregation_temporality == _DELTA
        is_total = which == "sum" and data.is_monotonic
        if is_total and not 0 <= value < inf and not missing:
            raise PayloadError(f"a monotonic sum has the value {value:g}: send 0 or more, or mark it as not monotonic")
        point.ClearField("value")
        point.ClearField("time_unix_nano")
        point.ClearField("start_time_unix_nano")
        if flags:
            point.ClearField("flags")
        if point.exemplars:
            point.ClearField("exemplars")
        # A count that started at another time is a different count.
        begun = start if which == "sum" and not is_delta else 0
        key = (kind.id, short(point.SerializeToString()), begun)
        column = self._source.known.get(key)
        if column is None:
            labels = labels_of(resource.labels, point)
            add = self._source.total if is_total else self._source.gauge
            column = self._open(add, key, metric.name, metric.unit, labels, SenderStream(kind, labels, begun), batch)
        if missing or flags & _NO_RECORDED_VALUE:
            # Earlier points of this series are written first.
            self._write(batch)
            self._source.clear([column])
            batch.cost += ENDED_COST
            batch.result.columns.add(column)
        elif is_delta:
            self._delta(column, key, value, start, time, now, batch, is_total=is_total)
        elif is_total:
            batch.totals.append((column, value, time or now, start))
        else:
            batch.gauges.append((column, value, time or now))

    def _delta(
        self,
        column: int,
        key: Hashable,
        value: float,
        start: int,
        time: int,
        now: int,
        batch: _Batch,
        *,
        is_total: bool,
    ) -> None:
        before = self._before(key, value, start, time, now)
        if before is None:
            return
        total, until = before
        time = time or now
        if not is_total:
            batch.gauges.append((column, total + value, time))
            return
        begun = start if 0 < start < time else until
        if 0 < begun < time:
            batch.gauges.append((column, value / ((time - begun) / 1e9), time))

    def _before(self, key: Hashable, value: float, start: int, time: int, now: int) -> tuple[float, int] | None:
        """Add a point to its delta stream; return the sum and the time before it.

        None if the point was already received: it was sent again, for example because the response was lost.
        """
        total, begun, until = self._deltas.get(key, (0.0, 0, 0))
        if time and (start, time) == (begun, until):
            return None
        if key not in self._deltas and len(self._deltas) >= MAX_DELTAS:
            del self._deltas[next(iter(self._deltas))]
        self._deltas[key] = (total + value, start, time or now)
        return total, until

    def _summary(
        self,
        metric: Any,
        data: Any,
        which: str,
        point: Any,
        kind: StreamKind,
        resource: Resource,
        batch: _Batch,
        now: int,
    ) -> None:
        time, start = point.time_unix_nano or now, point.start_time_unix_nano
        if len(point.quantile_values) > MAX_QUANTILES:
            raise PayloadError(f"a summary has {len(point.quantile_values)} quantiles: send {MAX_QUANTILES} at most")
        if any(not 0 <= one.quantile <= 1 for one in point.quantile_values):
            raise PayloadError("a summary has a quantile that is not from 0 to 1: send 0.99 for the 99th percentile")
        missing = bool(point.flags & _NO_RECORDED_VALUE)
        attributes = attributes_key(point)
        labels = labels_of(resource.labels, point)
        parts: list[tuple[Hashable, str, float, str, Labels]] = [
            ("count", f"{metric.name}_count", point.count, "", labels),
            ("sum", f"{metric.name}_sum", point.sum, metric.unit, labels),
        ]
        for quantile in point.quantile_values:
            name = f"{quantile.quantile:g}"
            parts.append((quantile.quantile, metric.name, quantile.value, metric.unit, (*labels, ("quantile", name))))
        for part, name, value, unit, with_part in parts:
            is_total = isinstance(part, str)
            key = (kind.id, attributes, start if is_total else 0, part)
            column = self._source.known.get(key)
            if column is None:
                add = self._source.total if is_total else self._source.gauge
                stream = SenderStream(kind, with_part, start if is_total else 0, part)
                column = self._open(add, key, name, unit, with_part, stream, batch)
            if missing:
                self._write(batch)
                self._source.clear([column])
                batch.cost += ENDED_COST
            elif is_total:
                batch.totals.append((column, value, time, start))
            else:
                batch.gauges.append((column, value, time))

    def _histogram(
        self,
        metric: Any,
        data: Any,
        which: str,
        point: Any,
        kind: StreamKind,
        resource: Resource,
        batch: _Batch,
        now: int,
    ) -> None:
        missing = bool(point.flags & _NO_RECORDED_VALUE)
        found = None if missing else explicit(point) if which == "histogram" else exponential(point)
        batch.cost += 0 if found is None else len(found.counts) // BUCKETS
        is_delta = data.aggregation_temporality == _DELTA
        start, nanos = point.start_time_unix_nano, point.time_unix_nano or now
        key = (kind.id, attributes_key(point), 0 if is_delta else start)
        column = self._source.known.get(key)
        if column is None:
            labels = labels_of(resource.labels, point)
            stream = SenderStream(kind, labels, 0 if is_delta else start)
            column = self._open(self._source.histogram, key, metric.name, metric.unit, labels, stream, batch)
        batch.result.columns.add(column)
        if found is None:
            self._source.clear([column])
        elif not is_delta:
            self._source.merge_totals(column, found, nanos / 1e9)
        elif self._before(key, 0.0, start, point.time_unix_nano, now) is not None:
            over_s = max(0, nanos - start) / 1e9 if start else 0.0
            self._source.merge(column, found, nanos / 1e9, over_s=over_s)

    def _write(self, batch: _Batch) -> None:
        if batch.gauges:
            columns, values, times = zip(*batch.gauges, strict=True)
            self._source.set(columns, values, np.array(times, np.float64) / 1e9)
            batch.result.columns.update(columns)
        if batch.totals:
            columns, values, times, starts = zip(*batch.totals, strict=True)
            begun = np.array(starts, np.float64) / 1e9
            self._source.set_totals(columns, values, np.array(times, np.float64) / 1e9, begun)
            batch.result.columns.update(columns)
        batch.gauges.clear()
        batch.totals.clear()
        if (refusal := self._source.take_refusal()) is not None:
            batch.result.reject(refusal.samples, refusal.reason)
