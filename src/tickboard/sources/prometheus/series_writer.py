"""Writes the series of a remote-write request to a source.

A series is opened when it is new: as a gauge, as a total, or as a part of a classic histogram. Samples wait in a
`Batch`, and all of one batch are written at once.
"""

import math
from collections.abc import Callable, Hashable, Iterator

import numpy as np
from msgspec import Struct, field
from numpy.typing import NDArray

from tickboard.errors import PayloadError
from tickboard.metrics.source import STATE_S, Source
from tickboard.sources.prometheus.classic_histograms import ClassicHistograms, Labels, Part
from tickboard.sources.prometheus.messages import MAX_HISTOGRAMS, UNKNOWN, Columns, Floats, NewSeries, samples_at_ends
from tickboard.sources.prometheus.native_histograms import NativeHistogram

MAX_SPELLINGS = 100_000
"""How many spellings of its series a source may have beyond four for each."""

_COUNTER, _HISTOGRAM, _SUMMARY = 1, 3, 5
"""MetricMetadata.MetricType, and Metadata.MetricType of version 2; series of other types are not totals."""

_NAMELESS = "a series without a name"


class Batch(Struct):
    """The state of one request: its counts, and samples that were read but not written to the source yet.

    Attributes:
        samples: how many samples were read so far.
        histograms: how many native histograms were read so far.
        refused_samples: how many of these samples are of series that the board refuses.
        refused_histograms: how many of these histograms are refused or cannot be used.
        reason: why the first of them was refused.
        visited: how many fields without a sample were skipped in the last step.
    """

    samples: int = 0
    histograms: int = 0
    refused_samples: int = 0
    refused_histograms: int = 0
    reason: str = ""
    visited: int = 0
    # Samples that were read one by one.
    columns: list[int] = field(default_factory=list)
    values: list[float] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    part_samples: list[tuple[Part, float, float]] = field(default_factory=list)
    # Known series of the usual form, and where the sample of each ends; then the same for parts of histograms.
    known: list[int] = field(default_factory=list)
    stops: list[int] = field(default_factory=list)
    parts: list[Part] = field(default_factory=list)
    part_stops: list[int] = field(default_factory=list)

    def clear(self) -> None:
        """Remove all samples that were not written yet."""
        self.columns.clear()
        self.values.clear()
        self.times.clear()
        self.part_samples.clear()
        self.known.clear()
        self.stops.clear()
        self.parts.clear()
        self.part_stops.clear()


class SeriesWriter:
    """Writes the series of one sender.

    Args:
        source: where to write.

    Attributes:
        parts: the part of a classic histogram for each series that is one, by its key.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._classic = ClassicHistograms(source)
        self.parts = self._classic.parts
        self._totals: NDArray[np.bool_] = np.zeros(1_024, np.bool_)

    def take(
        self,
        key: bytes,
        about: Callable[[], NewSeries],
        samples: list[tuple[float, float]],
        histograms: list[NativeHistogram],
        batch: Batch,
    ) -> Iterator[None]:
        """Add the samples of a series to the batch, in steps."""
        if samples:
            place = self._source.known.get(key)
            found: int | Part | None = self._classic.parts.get(key) if place is None else place
            if found is None:
                found = self._open(key, about)
            for value, time in samples:
                if isinstance(found, int):
                    batch.columns.append(found)
                    batch.values.append(value)
                    batch.times.append(time)
                else:
                    batch.part_samples.append((found, value, time))
        for histogram in histograms:
            self._take_native(key, about, histogram, batch)
            yield

    def _open(self, key: bytes, about: Callable[[], NewSeries]) -> int | Part:
        """Return the column of a new series, or the part of a histogram that it is."""
        series = self._described(key, about)
        if isinstance(series, int):
            return series
        source, name, labels, unit = self._source, series.name, series.labels, series.unit
        family, _, last = name.rpartition("_")
        is_total = _is_total(last, series.kind)
        if is_total and family and last == "bucket" and (bound := _bound(labels)) is not None:
            refused = self._classic.open_bucket(key, family, _identity(labels), bound, unit)
            return self._classic.parts[key] if refused is None else refused
        if is_total and family and last == "sum" and self._classic.open_sum(key, family, _identity(labels)):
            return self._classic.parts[key]
        if is_total:
            # A number of values is not in the values' unit, even if the name contains it: took_seconds_count.
            column = source.total(key, name, labels, unit="1" if last in {"count", "bucket"} else unit)
            if last == "count" and family:
                self._classic.open_count(key, family, _identity(labels))
        else:
            column = source.gauge(key, name, labels, unit=unit)
        if column >= len(self._totals):
            self._totals = np.concatenate([self._totals, np.zeros(max(column, len(self._totals)), np.bool_)])
        if column >= 0:
            self._totals[column] = is_total
        return column

    def _described(self, key: Hashable, about: Callable[[], NewSeries]) -> NewSeries | int:
        """Return the description of a new series, or `REFUSED` or below."""
        source = self._source
        if len(source.known) >= 4 * source.series + MAX_SPELLINGS:
            return source.refuse(
                key, f"{source.name}: its labels arrive in too many different orders: always use the same one"
            )
        series = about()
        if not series.name:
            return source.refuse(_NAMELESS, f"a series with the labels {series.labels[:3]} has no __name__: send one")
        return series

    def _take_native(
        self, key: bytes, about: Callable[[], NewSeries], histogram: NativeHistogram, batch: Batch
    ) -> None:
        source = self._source
        batch.histograms += 1
        if batch.histograms > MAX_HISTOGRAMS:
            raise PayloadError(f"the request has more than {MAX_HISTOGRAMS} native histograms: send fewer", 413)
        native_key = ("native", key)
        column = source.known.get(native_key)
        if column is None:
            series = self._described(native_key, about)
            if isinstance(series, int):
                column = series
            else:
                column = source.histogram(native_key, series.name, series.labels, unit=series.unit)
        if histogram.has_ended:
            source.clear([column])
            return
        try:
            distribution = histogram.distribution()
        except ValueError as error:
            source.malformed += 1
            batch.refused_histograms += 1
            batch.reason = batch.reason or f"native histogram {about().name!r}: {error}"
            return
        self._classic.native_came(column, histogram.time)
        if histogram.is_gauge:
            source.merge(column, distribution, histogram.time, over_s=STATE_S)
        else:
            source.merge_totals(column, distribution, histogram.time)
        if (refusal := source.take_refusal()) is not None:
            batch.refused_histograms += refusal.samples
            batch.reason = batch.reason or refusal.reason

    def write(self, data: bytes, batch: Batch) -> set[int]:
        """Write everything read to the source, and empty the batch; return the ends that had no sample."""
        misread: set[int] = set()
        columns, values, times = np.array(batch.columns, np.intp), np.array(batch.values), np.array(batch.times)
        if batch.known:
            # A third faster than `array` for a list of this length.
            known, stops = (np.fromiter(one, np.intp, len(one)) for one in (batch.known, batch.stops))
            some_values, some_times, good = samples_at_ends(data, stops)
            if not good.all():
                misread.update(stops[~good].tolist())
                known, some_values, some_times = known[good], some_values[good], some_times[good]
            columns = np.concatenate([columns, known])
            values, times = np.concatenate([values, some_values]), np.concatenate([times, some_times])
        batch.samples += len(columns)
        self._write_samples(columns, values, times)
        if batch.parts:
            stops = np.array(batch.part_stops, np.intp)
            part_values, part_times, good = samples_at_ends(data, stops)
            misread.update(stops[~good].tolist())
            parts = [part for part, is_good in zip(batch.parts, good.tolist(), strict=True) if is_good]
            self._classic.take(parts, part_values[good].tolist(), part_times[good].tolist())
            batch.samples += len(parts)
        if batch.part_samples:
            self._classic.take(*zip(*batch.part_samples, strict=True))
            batch.samples += len(batch.part_samples)
        self._classic.take_counts(columns, values, times)
        problem, given_up = self._classic.take_problem()
        if given_up:
            batch.refused_samples += given_up
            batch.reason = batch.reason or problem
        if (refusal := self._source.take_refusal()) is not None:
            batch.refused_samples += refusal.samples
            batch.reason = batch.reason or refusal.reason
        batch.clear()
        return misread

    def _write_samples(self, columns: Columns, values: Floats, times: Floats) -> None:
        if not len(columns):
            return
        totals = columns >= 0
        totals[totals] = self._totals[columns[totals]]
        if totals.any():
            self._write_totals(columns[totals], values[totals], times[totals])
            columns, values, times = columns[~totals], values[~totals], times[~totals]
        # Prometheus marks the end of a series by a NaN: from its time on there is no value.
        self._source.set(columns, values, times)

    def _write_totals(self, columns: Columns, values: Floats, times: Floats) -> None:
        finite = np.isfinite(values)
        if finite.all():
            self._source.set_totals(columns, values, times)
            return
        self._source.set_totals(columns[finite], values[finite], times[finite])
        ended = dict(zip(columns[~finite].tolist(), times[~finite].tolist(), strict=True))
        newest = dict(zip(columns[finite].tolist(), times[finite].tolist(), strict=True))
        self._source.clear([column for column, time in ended.items() if newest.get(column, -math.inf) < time])


def _is_total(last: str, kind: int) -> bool:
    """Return whether a series is a cumulative count.

    Args:
        last: the last word of its name.
        kind: the type of its metric; if unknown, the name decides.
    """
    if kind == UNKNOWN:
        return last in {"total", "bucket", "sum", "count"}
    if kind == _COUNTER:
        return last != "created"
    return kind in {_HISTOGRAM, _SUMMARY} and last in {"bucket", "sum", "count"}


def _bound(labels: list[tuple[str, str]]) -> float | None:
    """Return the upper end of a bucket; None if the labels have none."""
    try:
        bound = float(dict(labels).get("le", ""))
    except ValueError:
        return None
    return bound if bound > -math.inf else None


def _identity(labels: list[tuple[str, str]]) -> Labels:
    return tuple(sorted(pair for pair in labels if pair[0] != "le"))
