"""Frames: messages as they go on the wire, JSON and server-sent events.

A tick is encoded once for all who asked for the same series. Everything about a series that stays the same from tick
to tick is encoded when the series appears; a tick then costs one replacement of the time, one encoding of a list of
numbers, and one join. It takes rows and gives bytes, and knows neither viewers nor sockets.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from fnmatch import translate
from functools import lru_cache
from re import Pattern, compile

import msgspec
import numpy as np
from numpy.typing import NDArray

from tickboard.alerts import AlertEvent
from tickboard.series import Registry, Series
from tickboard.types import Heartbeat, Tick
from tickboard.window import Floats, Slice

RETRY_MS = 2_000
"""How long an alert client waits before it comes back."""

# Marks in a template. JSON escapes control characters, so neither can be in a name, a unit or a label.
_VALUE, _TIME = b"\x00", b"\x01"

encode = msgspec.json.Encoder().encode


def timestamp(time: float) -> str:
    """Return POSIX seconds as RFC 3339 in UTC with milliseconds."""
    return datetime.fromtimestamp(time, UTC).isoformat(timespec="milliseconds")[:-6] + "Z"


class Selection:
    """The series that a subscription asks for, and how their metrics are written; bound to one registry revision.

    Args:
        registry: whose series they are.
        patterns: names or globs; empty: every series.

    Attributes:
        series: those selected, in the order declared.
        columns: intp [series].
        width: how many columns a row must have.
    """

    def __init__(self, registry: Registry, patterns: tuple[str, ...] = ()) -> None:
        self.revision = registry.revision
        chosen = [one for one in registry.in_order() if not patterns or matches(patterns, one.metric.name)]
        self.series: list[Series] = chosen
        self.columns: NDArray[np.intp] = np.array([one.column for one in chosen], np.intp)
        self.width = int(self.columns.max()) + 1 if len(chosen) else 0
        self._objects = [_metric_template(one) for one in chosen]
        self._joined = b",".join(self._objects)

    def metrics(self, row: Floats, time_text: bytes) -> tuple[bytes, int]:
        """Return the Metrics of one tick, comma-separated, and how many they are; a series without a value is left out.

        Args:
            row: float64 [series of the registry].
            time_text: the tick's timestamp.
        """
        if not self._objects:
            return b"", 0
        values = encode(row[self.columns].tolist())[1:-1].split(b",")
        if b"null" in values:
            # NaN encodes as null; it is the mark of a missing value.
            present = self.each(row, time_text)
            return b",".join(present), len(present)
        around = self._joined.replace(_TIME, time_text).split(_VALUE)
        parts = [b""] * (2 * len(values) + 1)
        parts[::2] = around
        parts[1::2] = values
        return b"".join(parts), len(values)

    def each(self, row: Floats, time_text: bytes) -> list[bytes]:
        """Return the Metrics of one tick one by one, without the series that have no value."""
        values = row[self.columns].tolist()
        return [
            template.replace(_VALUE, encode(value)).replace(_TIME, time_text)
            for template, value in zip(self._objects, values, strict=True)
            if value == value  # noqa: PLR0124  # NaN alone differs from itself
        ]


def metrics_frame(selection: Selection, seq: int, time: float, row: Floats) -> bytes:
    """Return a ``metrics`` message: one tick."""
    time_text = timestamp(time).encode()
    data, _ = selection.metrics(row, time_text)
    return b'{"type":"metrics","data":[%b],"seq":%d,"timestamp":"%b"}' % (data, seq, time_text)


def initial_frame(
    selection: Selection, epoch: str, seq: int, window: Slice, *, resumed: bool = False, skipped: int = 0
) -> bytes:
    """Return an ``initial`` message: the ticks of `window`, and where it ends."""
    data: list[bytes] = []
    ticks: list[Tick] = []
    for index in range(len(window)):
        text = timestamp(float(window.times[index]))
        metrics, count = selection.metrics(window.rows[index], text.encode())
        if count:
            data.append(metrics)
        ticks.append(Tick(window.first + index, text, count))
    more = (b',"resumed":true' if resumed else b"") + (b',"skipped":%d' % skipped if skipped else b"")
    return b'{"type":"initial","data":[%b],"epoch":%b,"seq":%d,"ticks":%b%b}' % (
        b",".join(data),
        encode(epoch),
        seq,
        encode(ticks),
        more,
    )


def recent_metrics(selection: Selection, window: Slice, count: int) -> bytes:
    """Return the newest `count` Metrics of `window` as a JSON list, oldest first."""
    newest: list[bytes] = []
    for index in range(len(window) - 1, -1, -1):
        if len(newest) >= count:
            break
        newest += reversed(selection.each(window.rows[index], timestamp(float(window.times[index])).encode()))
    return b"[" + b",".join(newest[:count][::-1]) + b"]"


def alert_event(epoch: str, event: AlertEvent) -> bytes:
    """Return an alert event as a server-sent event, encoded once however many read it."""
    frame = event.frames.get("sse")
    if frame is None:
        name = b"" if event.kind == "firing" else b"event: resolved\n"
        frame = b"id: %b-%d\n%bdata: %b\n\n" % (epoch.encode(), event.number, name, encode(event.alert))
        event.frames["sse"] = frame
    return frame


def stream_start(epoch: str, number: int) -> bytes:
    """Return what opens an alert stream: how long to wait before coming back, and the position it starts from."""
    return b"retry: %d\nid: %b-%d\n\n" % (RETRY_MS, epoch.encode(), number)


def heartbeat(epoch: str, number: int, time: float) -> bytes:
    """Return a heartbeat as a server-sent event."""
    return b"id: %b-%d\ndata: %b\n\n" % (epoch.encode(), number, encode(Heartbeat(timestamp(time))))


def matches(patterns: Sequence[str], name: str) -> bool:
    """Return whether `name` is, or matches, one of `patterns` (globs as in a shell, case counts)."""
    return any(pattern == name or _glob(pattern).match(name) for pattern in patterns)


@lru_cache(maxsize=1_024)
def _glob(pattern: str) -> Pattern[str]:
    return compile(translate(pattern))


def _metric_template(series: Series) -> bytes:
    labels = b',"labels":' + encode(dict(series.labels)) if series.labels else b""
    return b'{"name":%b,"value":%b,"unit":%b,"timestamp":"%b"%b}' % (
        encode(series.metric.name),
        _VALUE,
        encode(series.metric.unit),
        _TIME,
        labels,
    )
