"""Encodings: ticks and windows as frames, in JSON and in the binary subprotocols.

A tick is encoded once for all viewers with the same subscription. docs/protocol.md describes the binary messages.
"""

import struct
from collections.abc import Generator, Iterator, Sequence
from typing import Protocol, TypeVar

import numpy as np

from tickboard.hub.frames import BINARY_OPCODE, TEXT_OPCODE, Frame
from tickboard.metrics.selection import STEP_SERIES, Selection
from tickboard.metrics.window import Floats, Slice
from tickboard.wire import SeriesList, TickSpan, encode, timestamp

T = TypeVar("T")

STEP_VALUES = 10_000
"""How many values are written as JSON before other work may run: about 5 ms."""


STEP_FLOATS = 100_000
"""How many values are copied in binary before other work may run: about 1 ms."""


_WINDOW, _TICK, _AMENDED = 1, 2, 3
"""The kinds of binary messages."""


_RESUMED = 1


# Little-endian: kind, flags, 0, layout, seq; then the tick's time, or the window's numbers of ticks and skipped ticks.
_TICK_HEADER = struct.Struct("<BBHIQd")


_WINDOW_HEADER = struct.Struct("<BBHIQII")


FLOAT32, FLOAT64 = "<f4", "<f8"
"""The type of a value in ``tickboard.v1``, and in ``tickboard.v2``, where whole numbers are exact up to 2^53."""


def metrics_frame(selection: Selection, seq: int, time: float, row: Floats) -> bytes:
    """Return a ``metrics`` message: one tick."""
    time_text = timestamp(time).encode()
    data, _ = selection.metrics(row, time_text)
    return b'{"type":"metrics","data":[%b],"seq":%d,"timestamp":"%b"}' % (data, seq, time_text)


def amended_frame(selection: Selection, seq: int, time: float, row: Floats) -> bytes:
    """Return an ``amended`` message: the late values of a tick; NaN in `row`: unchanged."""
    time_text = timestamp(time).encode()
    data = b",".join(selection.each(row, time_text))
    return b'{"type":"amended","data":[%b],"seq":%d,"timestamp":"%b"}' % (data, seq, time_text)


def initial_frame(
    selection: Selection, epoch: str, seq: int, window: Slice, *, resumed: bool = False, skipped: int = 0
) -> bytes:
    """Return an ``initial`` message: the ticks of `window`, and the position of the last one."""
    return b"".join(whole(initial_steps(selection, epoch, seq, window, resumed=resumed, skipped=skipped)))


def initial_steps(
    selection: Selection, epoch: str, seq: int, window: Slice, *, resumed: bool = False, skipped: int = 0
) -> Generator[None, None, list[bytes]]:
    """Return the pieces of an ``initial`` message; in steps."""
    data: list[bytes] = []
    ticks: list[TickSpan] = []
    cost = 0
    for index in range(len(window)):
        text = timestamp(float(window.times[index]))
        metrics, count = selection.metrics(window.rows[index], text.encode())
        if count:
            data.append(metrics)
        ticks.append(TickSpan(window.first + index, text, count))
        if (cost := cost + len(selection.series) + 10) >= STEP_VALUES:
            cost = 0
            yield
    more = (b',"resumed":true' if resumed else b"") + (b',"skipped":%d' % skipped if skipped else b"")
    end = b'],"epoch":%b,"seq":%d,"ticks":%b%b}' % (encode(epoch), seq, encode(ticks), more)
    return between([b'{"type":"initial","data":[', *data, end])


def series_list(selection: Selection, layout: int, epoch: str) -> bytes:
    """Return a ``series`` message: the series of the values in binary messages with this layout."""
    return whole(series_steps(selection, layout, epoch))


def series_steps(selection: Selection, layout: int, epoch: str) -> Generator[None, None, bytes]:
    """Return a ``series`` message; in steps."""
    parts: list[bytes] = []
    for start in range(0, len(selection.series), STEP_SERIES):
        parts.append(encode(selection.infos(selection.series[start : start + STEP_SERIES]))[1:-1])
        yield
    return b'%b,"series":[%b]}' % (encode(SeriesList(layout, epoch, []))[: -len(b',"series":[]}')], b",".join(parts))


def whole(steps: Generator[None, None, T]) -> T:
    """Run a generator to its end at once; return its return value."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            whole: T = end.value
            return whole


def binary_tick(
    selection: Selection, layout: int, seq: int, time: float, row: Floats, dtype: str, *, amended: bool = False
) -> bytes:
    """Return a tick in a binary subprotocol, or only its late values.

    Args:
        selection: the series.
        layout: the number of their list.
        seq: the tick's sequence number.
        time: the tick's time, POSIX seconds.
        row: float64 [series of the registry].
        dtype: the type of the values: `FLOAT32` or `FLOAT64`.
        amended: whether `row` has late values only, and NaN elsewhere.
    """
    kind = _AMENDED if amended else _TICK
    return _TICK_HEADER.pack(kind, 0, 0, layout, seq, _milliseconds(time)) + _floats(row[selection.columns], dtype)


def binary_window(
    selection: Selection, layout: int, window: Slice, dtype: str, *, resumed: bool = False, skipped: int = 0
) -> bytes:
    """Return a window in a binary subprotocol; for the arguments, see `binary_tick`."""
    return b"".join(whole(window_steps(selection, layout, window, dtype, resumed=resumed, skipped=skipped)))


def window_steps(
    selection: Selection, layout: int, window: Slice, dtype: str, *, resumed: bool = False, skipped: int = 0
) -> Generator[None, None, list[bytes]]:
    """Return the pieces of a window in a binary subprotocol; in steps."""
    flags = _RESUMED if resumed else 0
    header = _WINDOW_HEADER.pack(_WINDOW, flags, 0, layout, window.first, len(window), min(skipped, 2**32 - 1))
    times = np.floor(window.times * 1000 + 1e-3).astype("<f8").tobytes()
    pieces, cost = [header + times], 0
    for row in window.rows:
        pieces.append(_floats(row[selection.columns], dtype))
        if (cost := cost + len(selection.series)) >= STEP_FLOATS:
            cost = 0
            yield
    return pieces


def _milliseconds(time: float) -> float:
    """Return POSIX seconds in whole milliseconds, truncated like `timestamp`."""
    return float(np.floor(time * 1000 + 1e-3))


def _floats(values: Floats, dtype: str) -> bytes:
    with np.errstate(over="ignore"):  # by the protocol, a value too large for float32 becomes infinite
        return values.astype(dtype).tobytes()


class Encoding(Protocol):
    """How ticks are encoded for the viewers of one subscription. A layout is the number of a list of series."""

    describes_board: bool
    """Whether viewers are sent the board when metrics appear or leave."""

    describes_changes: bool
    """Whether viewers are sent only the changes of the board and of the series."""

    has_buckets: bool
    """Whether viewers are sent the buckets of heat maps."""

    def prepare(self, selection: Selection) -> Iterator[None]:
        """Encode in steps the parts that are the same in every message, so that the rest is quick."""
        ...

    def describe(self, selection: Selection, layout: int, epoch: str) -> Frame | None:
        """Return the message that must come before the first tick with this layout; None: none is needed."""
        ...

    def tick(self, selection: Selection, layout: int, seq: int, time: float, row: Floats) -> Frame:
        """Return one tick."""
        ...

    def amended(self, selection: Selection, layout: int, seq: int, time: float, row: Floats) -> Frame:
        """Return the late values of an earlier tick; NaN in `row`: unchanged."""
        ...

    def initial(
        self, selection: Selection, layout: int, epoch: str, seq: int, window: Slice, *, resumed: bool, skipped: int
    ) -> Generator[None, None, Frame]:
        """Return the first message of a viewer that joins, or that resumes after missing ticks; in steps."""
        ...


class Json:
    """The JSON encoding, for everyone: ``initial`` and ``metrics``."""

    describes_board = False
    describes_changes = False
    has_buckets = False

    def prepare(self, selection: Selection) -> Iterator[None]:
        """Encode in steps the part of each Metric that never changes."""
        return selection.write()

    def describe(self, selection: Selection, layout: int, epoch: str) -> Frame | None:
        """Return None: each Metric describes itself."""
        return None

    def tick(self, selection: Selection, layout: int, seq: int, time: float, row: Floats) -> Frame:
        """Return a ``metrics`` message."""
        return Frame.text(metrics_frame(selection, seq, time, row))

    def amended(self, selection: Selection, layout: int, seq: int, time: float, row: Floats) -> Frame:
        """Return an ``amended`` message."""
        return Frame.text(amended_frame(selection, seq, time, row))

    def initial(
        self, selection: Selection, layout: int, epoch: str, seq: int, window: Slice, *, resumed: bool, skipped: int
    ) -> Generator[None, None, Frame]:
        """Return an ``initial`` message; in steps."""
        steps = initial_steps(selection, epoch, seq, window, resumed=resumed, skipped=skipped)
        return (yield from Frame.of_pieces((TEXT_OPCODE, (yield from steps))))


class Binary:
    """The encoding of the binary subprotocols, which differ only in the type of their values.

    Args:
        dtype: the type of the values: `FLOAT32` or `FLOAT64`.
        describes_changes: whether its viewers understand messages with changes only.
        describes_board: whether its viewers are sent the board when metrics appear or leave.
    """

    def __init__(self, dtype: str, *, describes_changes: bool = False, describes_board: bool = True) -> None:
        self._dtype = dtype
        self.describes_changes = describes_changes
        self.describes_board = describes_board
        self.has_buckets = dtype == FLOAT64

    def prepare(self, selection: Selection) -> Iterator[None]:
        """Encode in steps the description of each series for ``series`` messages."""
        return selection.write_infos()

    def describe(self, selection: Selection, layout: int, epoch: str) -> Frame | None:
        """Return a ``series`` message."""
        return Frame.text(series_list(selection, layout, epoch))

    def tick(self, selection: Selection, layout: int, seq: int, time: float, row: Floats) -> Frame:
        """Return a binary tick."""
        return Frame.binary(binary_tick(selection, layout, seq, time, row, self._dtype))

    def amended(self, selection: Selection, layout: int, seq: int, time: float, row: Floats) -> Frame:
        """Return a binary message of the kind "amended"."""
        return Frame.binary(binary_tick(selection, layout, seq, time, row, self._dtype, amended=True))

    def initial(
        self, selection: Selection, layout: int, epoch: str, seq: int, window: Slice, *, resumed: bool, skipped: int
    ) -> Generator[None, None, Frame]:
        """Return a ``series`` message and a binary window; in steps."""
        described = yield from series_steps(selection, layout, epoch)
        pieces = yield from window_steps(selection, layout, window, self._dtype, resumed=resumed, skipped=skipped)
        return (yield from Frame.of_pieces((TEXT_OPCODE, [described]), (BINARY_OPCODE, pieces)))


JSON: Encoding = Json()


BINARY: dict[str, Encoding] = {"tickboard.v2": Binary(FLOAT64), "tickboard.v1": Binary(FLOAT32)}
"""The binary encodings by subprotocol, the preferred one first; see docs/protocol.md."""


BINARY_CHANGES: dict[str, Encoding] = {
    "tickboard.v2": Binary(FLOAT64, describes_changes=True),
    "tickboard.v1": Binary(FLOAT32, describes_changes=True),
}
"""The same, for viewers that ask for changes only."""


PUBLISHED: Encoding = Binary(FLOAT64, describes_board=False)
"""``tickboard.v2`` as a host publishes it: ticks, and the series of their values."""


def recent_metrics(selection: Selection, window: Slice, count: int) -> Generator[None, None, list[bytes]]:
    """Return the newest `count` Metrics of `window` as a JSON list, oldest first; in pieces and in steps."""
    yield from selection.write()
    newest: list[bytes] = []
    places = range(0, len(selection.series), STEP_SERIES)
    for index, start in ((index, start) for index in reversed(range(len(window))) for start in reversed(places)):
        if count <= 0:
            break
        time_text = timestamp(float(window.times[index])).encode()
        found = selection.each(window.rows[index], time_text, slice(start, start + STEP_SERIES))[-count:]
        if found:
            count -= len(found)
            newest += [b",".join(found), b","]
        yield
    return [b"[", *reversed(newest[:-1]), b"]"]


def between(pieces: Sequence[bytes]) -> list[bytes]:
    """Insert commas between the pieces of a JSON list; the first and the last piece are its brackets."""
    first, *inner, last = pieces
    found = [first]
    for number, piece in enumerate(inner):
        found += (b",", piece) if number else (piece,)
    return [*found, last]
