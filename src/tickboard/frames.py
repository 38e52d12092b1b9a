"""Frames: messages as they go on the wire, in JSON, in the binary subprotocol and as server-sent events.

A tick is encoded once for all who asked for the same series. Everything about a series that stays the same from tick
to tick is encoded when the series appears; a tick then costs one replacement of the time, one encoding of a list of
numbers, and one join; in binary, one copy of the values. It takes rows and gives bytes, and knows neither viewers nor
sockets. The layouts of the binary messages are in docs/protocol.md.
"""

import struct
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import cached_property
from typing import Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from tickboard.alerting.log import AlertEvent
from tickboard.selectors import Selectors
from tickboard.series import Registry, Series
from tickboard.types import AlertPosition, Heartbeat, SeriesInfo, SeriesList, Tick
from tickboard.window import Floats, Slice

RETRY_MS = 2_000
"""How long an alert client waits before it comes back."""

_WINDOW, _TICK, _AMENDED = 1, 2, 3
"""Kinds of binary messages."""

_RESUMED = 1

# Little-endian: kind, flags, 0, layout, seq; then the time, or how many ticks and how many were skipped.
_TICK_HEADER = struct.Struct("<BBHIQd")
_WINDOW_HEADER = struct.Struct("<BBHIQII")

_TEXT, _BINARY, _CLOSE, _PING, _PONG = 0x1, 0x2, 0x8, 0x9, 0xA
"""WebSocket opcodes (RFC 6455, section 5.2)."""

# Marks in a template. JSON escapes control characters, so neither can be in a name, a unit or a label.
_VALUE, _TIME = b"\x00", b"\x01"

encode = msgspec.json.Encoder().encode


def timestamp(time: float) -> str:
    """Return POSIX seconds as RFC 3339 in UTC with milliseconds."""
    return datetime.fromtimestamp(time, UTC).isoformat(timespec="milliseconds")[:-6] + "Z"


class Frame:
    """One WebSocket message or several, encoded once for all who get them.

    Args:
        parts: the opcode and content of each message; `text` and `binary` make one of a single message.

    Attributes:
        parts: as given.
        size: bytes of content.
    """

    def __init__(self, parts: Iterable[tuple[int, bytes]]) -> None:
        self.parts = tuple(parts)
        self.size = sum(len(data) for _, data in self.parts)

    @classmethod
    def text(cls, data: bytes) -> "Frame":
        """Return a frame of one text message, given as UTF-8."""
        return cls([(_TEXT, data)])

    @classmethod
    def binary(cls, data: bytes) -> "Frame":
        """Return a frame of one binary message."""
        return cls([(_BINARY, data)])

    def after(self, other: "Frame") -> "Frame":
        """Return a frame of the other's messages and then this one's."""
        return Frame(other.parts + self.parts)

    @cached_property
    def messages(self) -> tuple[str | bytes, ...]:
        """The messages: str for text, bytes for binary."""
        return tuple(data.decode() if opcode == _TEXT else data for opcode, data in self.parts)

    @cached_property
    def wire(self) -> bytes:
        """The messages as a server writes them to a connection: unmasked and not fragmented."""
        return b"".join(_header(opcode, len(data)) + data for opcode, data in self.parts)


def _header(opcode: int, size: int) -> bytes:
    """Return the header of a WebSocket frame that is a whole message (RFC 6455, section 5.2)."""
    if size < 126:
        return bytes((0x80 | opcode, size))
    if size < 65_536:
        return struct.pack("!BBH", 0x80 | opcode, 126, size)
    return struct.pack("!BBQ", 0x80 | opcode, 127, size)


PING = Frame([(_PING, b"")])
"""A ping without content."""


def pong(content: bytes) -> Frame:
    """Return the answer to a ping."""
    return Frame([(_PONG, content)])


def close(code: int) -> Frame:
    """Return a close frame."""
    return Frame([(_CLOSE, struct.pack("!H", code))])


class Selection:
    """The series that a subscription asks for, and how their metrics are written; bound to one registry revision.

    Args:
        registry: whose series they are.
        patterns: selectors; empty: every series.

    Attributes:
        series: those selected, in the order declared.
        columns: intp [series].
        width: how many columns a row must have.
    """

    def __init__(self, registry: Registry, patterns: tuple[str, ...] = ()) -> None:
        self.revision = registry.revision
        chosen = _chosen(registry, Selectors(patterns)) if patterns else registry.in_order()
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


def amended_frame(selection: Selection, seq: int, time: float, row: Floats) -> bytes:
    """Return an ``amended`` message: the values of a tick that have come late; NaN in `row`: as it was."""
    time_text = timestamp(time).encode()
    data = b",".join(selection.each(row, time_text))
    return b'{"type":"amended","data":[%b],"seq":%d,"timestamp":"%b"}' % (data, seq, time_text)


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


def series_list(selection: Selection, layout: int, epoch: str) -> bytes:
    """Return a ``series`` message: what the values of the binary messages with this layout are of."""
    series = [SeriesInfo(one.metric.name, one.metric.unit, dict(one.labels)) for one in selection.series]
    return encode(SeriesList(layout, epoch, series))


def binary_tick(
    selection: Selection, layout: int, seq: int, time: float, row: Floats, *, amended: bool = False
) -> bytes:
    """Return a tick of the binary subprotocol, or the values of it that have come late."""
    kind = _AMENDED if amended else _TICK
    return _TICK_HEADER.pack(kind, 0, 0, layout, seq, _milliseconds(time)) + _float32(row[selection.columns])


def binary_window(
    selection: Selection, layout: int, window: Slice, *, resumed: bool = False, skipped: int = 0
) -> bytes:
    """Return a window of the binary subprotocol."""
    flags = _RESUMED if resumed else 0
    header = _WINDOW_HEADER.pack(_WINDOW, flags, 0, layout, window.first, len(window), min(skipped, 2**32 - 1))
    times = np.floor(window.times * 1000 + 1e-3).astype("<f8").tobytes()
    return header + times + _float32(window.rows[:, selection.columns])


def _milliseconds(time: float) -> float:
    """Return POSIX seconds in whole milliseconds, cut off as `timestamp` does."""
    return float(np.floor(time * 1000 + 1e-3))


def _float32(values: Floats) -> bytes:
    with np.errstate(over="ignore"):  # infinite is what the protocol says of a value that is too large
        return values.astype("<f4").tobytes()


class Encoding(Protocol):
    """How ticks are written for the viewers of one subscription. A layout numbers a selection that was bound anew."""

    tells_board: bool
    """Whether viewers are told when metrics come or go."""

    def describe(self, selection: Selection, layout: int, epoch: str) -> Frame | None:
        """Return what must come before the first tick with this layout."""
        ...

    def tick(self, selection: Selection, layout: int, seq: int, time: float, row: Floats) -> Frame:
        """Return one tick."""
        ...

    def amended(self, selection: Selection, layout: int, seq: int, time: float, row: Floats) -> Frame:
        """Return the values of an earlier tick that have come late; NaN in `row`: as it was."""
        ...

    def initial(
        self, selection: Selection, layout: int, epoch: str, seq: int, window: Slice, *, resumed: bool, skipped: int
    ) -> Frame:
        """Return what a viewer begins with, or goes on with after it has missed something."""
        ...


class Json:
    """The encoding for everyone: ``initial`` and ``metrics``."""

    tells_board = False

    def describe(self, selection: Selection, layout: int, epoch: str) -> Frame | None:
        """Return nothing: each Metric says what it is."""
        return None

    def tick(self, selection: Selection, layout: int, seq: int, time: float, row: Floats) -> Frame:
        """Return a ``metrics`` message."""
        return Frame.text(metrics_frame(selection, seq, time, row))

    def amended(self, selection: Selection, layout: int, seq: int, time: float, row: Floats) -> Frame:
        """Return an ``amended`` message."""
        return Frame.text(amended_frame(selection, seq, time, row))

    def initial(
        self, selection: Selection, layout: int, epoch: str, seq: int, window: Slice, *, resumed: bool, skipped: int
    ) -> Frame:
        """Return an ``initial`` message."""
        return Frame.text(initial_frame(selection, epoch, seq, window, resumed=resumed, skipped=skipped))


class Binary:
    """The encoding of the subprotocol ``tickboard.v1``."""

    tells_board = True

    def describe(self, selection: Selection, layout: int, epoch: str) -> Frame | None:
        """Return a ``series`` message."""
        return Frame.text(series_list(selection, layout, epoch))

    def tick(self, selection: Selection, layout: int, seq: int, time: float, row: Floats) -> Frame:
        """Return a binary tick."""
        return Frame.binary(binary_tick(selection, layout, seq, time, row))

    def amended(self, selection: Selection, layout: int, seq: int, time: float, row: Floats) -> Frame:
        """Return a binary message of the kind "amended"."""
        return Frame.binary(binary_tick(selection, layout, seq, time, row, amended=True))

    def initial(
        self, selection: Selection, layout: int, epoch: str, seq: int, window: Slice, *, resumed: bool, skipped: int
    ) -> Frame:
        """Return a ``series`` message and a binary window."""
        frame = Frame.binary(binary_window(selection, layout, window, resumed=resumed, skipped=skipped))
        return frame.after(Frame.text(series_list(selection, layout, epoch)))


JSON: Encoding = Json()
BINARY: Encoding = Binary()


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
        name = b"" if event.kind == "firing" else b"event: %b\n" % event.kind.encode()
        frame = b"id: %b-%d\n%bdata: %b\n\n" % (epoch.encode(), event.number, name, encode(event.alert))
        event.frames["sse"] = frame
    return frame


def stream_start(epoch: str, number: int, *, whole: bool) -> bytes:
    """Return what opens an alert stream: how long to wait before coming back, and the position that it starts from.

    Args:
        epoch: of the log.
        number: of the newest event that the client has then.
        whole: whether it was told of all that fires now, and what else it knows is over.
    """
    position = encode(AlertPosition(epoch, number, whole))
    return b"retry: %d\nid: %b-%d\nevent: position\ndata: %b\n\n" % (RETRY_MS, epoch.encode(), number, position)


def heartbeat(epoch: str, number: int, time: float) -> bytes:
    """Return a heartbeat as a server-sent event."""
    return b"id: %b-%d\ndata: %b\n\n" % (epoch.encode(), number, encode(Heartbeat(timestamp(time))))


def _chosen(registry: Registry, selectors: Selectors) -> list[Series]:
    """Return the series that are asked for, in order."""
    # Most boards of many series have them of few metrics.
    asked = {name: selectors.metric(name) for name in list(registry.metrics)}
    chosen: list[Series] = []
    for series in registry.in_order():
        name = series.metric.name
        verdict = asked.get(name)
        if verdict or (verdict is None and selectors.match(name, dict(series.labels))):
            chosen.append(series)
    return chosen


def _metric_template(series: Series) -> bytes:
    labels = b',"labels":' + encode(dict(series.labels)) if series.labels else b""
    return b'{"name":%b,"value":%b,"unit":%b,"timestamp":"%b"%b}' % (
        encode(series.metric.name),
        _VALUE,
        encode(series.metric.unit),
        _TIME,
        labels,
    )
