"""The formats of an export: CSV, JSON lines and OpenMetrics. Each function yields pieces of a document.

CSV and JSON lines are ordered by time, OpenMetrics by series, as its readers require.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Literal

import numpy as np

from tickboard.errors import InputError
from tickboard.history.catalogue import Entry
from tickboard.history.encodings import csv_field
from tickboard.history.exporting import Export
from tickboard.metrics.openmetrics import braces, label_name, metric_name
from tickboard.wire import encode

Form = Literal["csv", "ndjson", "openmetrics"]

CSV_HEADER = b"timestamp,name,labels,unit,value\r\n"

STEP_VALUES = 20_000
"""About how many values become one piece of a document."""


def csv(export: Export) -> Iterator[bytes]:
    """Encode ticks as CSV (RFC 4180): a header, then a row for each value. Labels are a JSON object, or empty."""
    yield CSV_HEADER
    heads = []
    for entry in export.series:
        labels = encode(dict(entry.labels)).decode() if entry.labels else ""
        heads.append(",".join(("", *map(csv_field, (entry.name, labels, entry.unit)), "")))
    for texts, rows in _rows(export):
        yield "".join(
            f"{time}{head}{value!r}\r\n"
            for time, row in zip(texts, rows, strict=True)
            for head, value in zip(heads, row, strict=True)
            if value == value  # noqa: PLR0124  # no NaN
        ).encode()


def ndjson(export: Export) -> Iterator[bytes]:
    """Encode ticks as JSON, one `Metric` a line, as a WebSocket sends it."""
    heads: list[tuple[str, str, str]] = []
    for entry in export.series:
        name, unit = encode(entry.name).decode(), encode(entry.unit).decode()
        labels = f',"labels":{encode(dict(entry.labels)).decode()}' if entry.labels else ""
        heads.append((f'{{"name":{name},"value":', f',"unit":{unit},"timestamp":"', labels))
    for texts, rows in _rows(export):
        yield "".join(
            f'{before}{value!r}{after}{time}"{labels}}}\n'
            for time, row in zip(texts, rows, strict=True)
            for (before, after, labels), value in zip(heads, row, strict=True)
            if value == value  # noqa: PLR0124  # no NaN
        ).encode()


def openmetrics(export: Export) -> Iterator[bytes]:
    """Encode ticks as OpenMetrics 1.0: gauges, by series.

    Raises:
        InputError: two series would have the same name and labels.
    """
    named = _named(export.series)
    family = ""
    for (name, labels), (_, pieces) in zip(named, export.by_series(list(named.values())), strict=True):
        head = f"{name}{labels}"
        for piece, column in pieces:
            values = piece.values[:, column]
            ticks = np.flatnonzero(~np.isnan(values))
            if len(ticks) and name != family:
                yield f"# TYPE {name} gauge\n".encode()
                family = name
            for start in range(0, len(ticks), STEP_VALUES):
                some = ticks[start : start + STEP_VALUES]
                yield "".join(
                    f"{head} {value!r} {piece.seconds[tick]}\n"
                    for tick, value in zip(some.tolist(), values[some].tolist(), strict=True)
                ).encode()
    yield b"# EOF\n"


FORMATS: dict[Form, Callable[[Export], Iterator[bytes]]] = {"csv": csv, "ndjson": ndjson, "openmetrics": openmetrics}


def _rows(export: Export) -> Iterator[tuple[list[str], list[list[float]]]]:
    """Yield some ticks at a time: their times, and the values of each."""
    step = max(1, STEP_VALUES // max(len(export.series), 1))
    for piece in export.pieces(export.series):
        for start in range(0, len(piece.times), step):
            yield piece.texts[start : start + step], piece.values[start : start + step].tolist()


def _named(series: Sequence[Entry]) -> dict[tuple[str, str], Entry]:
    """Return series by their names and labels in OpenMetrics, in the order they are written.

    Raises:
        InputError: two of them would be the same.
    """
    named: dict[tuple[str, str], Entry] = {}
    for entry in series:
        labels = [(label_name(label), value) for label, value in entry.labels]
        if len({label for label, _ in labels}) < len(labels):
            raise InputError(
                f"{_key(entry)} has two labels with one name in OpenMetrics, where other characters become _: "
                "leave the metric out with --metrics, or choose --format csv"
            )
        written = metric_name(entry.name), braces(sorted(labels))
        if (other := named.setdefault(written, entry)) is not entry:
            raise InputError(
                f"{_key(other)} and {_key(entry)} would both be {''.join(written)} in OpenMetrics: "
                "choose one of them with --metrics, or --format csv"
            )
    return dict(sorted(named.items()))


def _key(entry: Entry) -> str:
    return f"{entry.name}{braces(entry.labels)}"
