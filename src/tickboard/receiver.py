"""The client's core: the messages of ``tickboard.v1`` (docs/protocol.md) in, ticks out, each once and in order.

However often the connection is lost in between: it is told when one begins. It knows no sockets.
"""

import datetime as dt
import re
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType

import msgspec
import numpy as np
from numpy.typing import NDArray

from tickboard.errors import InputError, TickboardError
from tickboard.types import SeriesInfo, SeriesList

_WINDOW, _TICK = 1, 2
"""Kinds of binary messages."""

# Little-endian: kind, flags, 0, layout, seq; then the time, or how many ticks and how many were skipped.
_TICK_HEADER = struct.Struct("<BBHIQd")
_WINDOW_HEADER = struct.Struct("<BBHIQII")

_POSITION = re.compile(r"(.+):([0-9]{1,19})", re.DOTALL)
_NAMES_IN_AN_ERROR = 20

Float32s = NDArray[np.float32]


class ProtocolError(TickboardError):
    """A server sent what ``tickboard.v1`` does not allow; a connection that gets it is closed and opened again."""

    status = 502


@dataclass(frozen=True, slots=True)
class Series:
    """What one value of a tick is of.

    Attributes:
        name: of the metric.
        unit: of the values.
        labels: by name, in the order declared; read-only.
        key: the name with its labels, ``disk_usage{mount="/"}``: unique on a board.
    """

    name: str
    unit: str = ""
    labels: Mapping[str, str] = field(default_factory=dict, hash=False)
    key: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "labels", MappingProxyType(dict(self.labels)))
        pairs = ",".join(f'{name}="{_escaped(value)}"' for name, value in self.labels.items())
        object.__setattr__(self, "key", f"{self.name}{{{pairs}}}" if pairs else self.name)


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


@dataclass(frozen=True, slots=True, eq=False)
class Tick:
    """One instant of a board's clock, with one value for every series that was asked for.

    Attributes:
        epoch: names the run of the board; ticks of different epochs are different histories.
        seq: 1, 2, 3, … within the epoch.
        time: POSIX seconds, in whole milliseconds.
        series: what the values are of; the same object from tick to tick for as long as it stays the same.
        values: float32 [series], NaN where a series has none at this tick; read-only.
        missed: how many ticks just before this one could not be had; 0 but after a long time away or a new start.
        fresh: whether it is of another epoch than the tick before, and what was known is to be forgotten.
    """

    epoch: str
    seq: int
    time: float
    series: tuple[Series, ...]
    values: Float32s = field(repr=False)
    missed: int = 0
    fresh: bool = False
    _columns: Mapping[str, int] = field(default_factory=dict, repr=False)

    @property
    def position(self) -> str:
        """Where it lies, ``EPOCH:SEQ``: what `connect` takes as `since` to go on after it."""
        return f"{self.epoch}:{self.seq}"

    @property
    def datetime(self) -> dt.datetime:
        """The time as a datetime in UTC; ``.astimezone()`` makes it local."""
        return dt.datetime.fromtimestamp(self.time, dt.UTC)

    def __getitem__(self, key: str) -> float:
        """Return the value of a series, NaN where it has none.

        Args:
            key: of the series, ``cpu_usage`` or ``disk_usage{mount="/"}``.

        Raises:
            KeyError: there is no such series in this tick.
        """
        try:
            return float(self.values[self._columns[key]])
        except KeyError:
            raise KeyError(self._unknown(key)) from None

    def as_dict(self) -> dict[str, float]:
        """Return the values by the keys of their series, NaN where one has none."""
        return dict(zip(self._columns, self.values.tolist(), strict=True))

    def _unknown(self, key: str) -> str:
        """Return what there is instead, those of the same metric first."""
        keys = sorted(self._columns, key=lambda other: not other.startswith(f"{key}{{"))
        more = [f"and {len(keys) - _NAMES_IN_AN_ERROR} more"] if len(keys) > _NAMES_IN_AN_ERROR else []
        return f"no series {key!r} in this tick; it has {', '.join(keys[:_NAMES_IN_AN_ERROR] + more) or 'none'}"


@dataclass(frozen=True)
class _Layout:
    """What the values of the next binary messages are of."""

    number: int
    epoch: str
    series: tuple[Series, ...]

    @cached_property
    def columns(self) -> dict[str, int]:
        return {one.key: column for column, one in enumerate(self.series)}


class _Typed(msgspec.Struct):
    """Any text message."""

    type: str


_decode_type = msgspec.json.Decoder(_Typed).decode
_decode_series = msgspec.json.Decoder(SeriesList).decode


class Receiver:
    """The messages of one board in, its ticks out: each once, in order.

    Call `connected` whenever a connection begins, then `receive` with each of its messages.

    Args:
        since: a position after which to begin; "": where the board is now.
        history: without `since`, begin with the whole window instead of its newest tick.

    Raises:
        InputError: `since` is no position.
    """

    def __init__(self, since: str = "", *, history: bool = False) -> None:
        self._layout: _Layout | None = None
        self._history = history
        self._seen = parse_position(since) if since else None

    @property
    def position(self) -> str:
        """Where the newest tick that was given lies, as ``?since=`` has it; "" before there is one."""
        return "{}:{}".format(*self._seen) if self._seen else ""

    def connected(self) -> None:
        """Forget what the last connection said of its messages; what was given stays known."""
        self._layout = None

    def receive(self, message: str | bytes) -> Iterator[Tick]:
        """Take a message and return its ticks that were not given yet, oldest first.

        They count as given from here on, though each is made only when it is taken: take them all.
        Kinds, flags and types that are not known are ignored.

        Raises:
            ProtocolError: it is not what the protocol allows.
        """
        if isinstance(message, str):
            self._take_text(message)
            return iter(())
        if not message:
            raise ProtocolError("a binary message of no bytes: it has no kind")
        if message[0] == _TICK:
            return self._take_tick(message)
        return self._take_window(message) if message[0] == _WINDOW else iter(())

    def _take_text(self, message: str) -> None:
        try:
            if _decode_type(message).type == "series":
                told = _decode_series(message)
                self._layout = _Layout(told.layout, told.epoch, tuple(map(_series, told.series)))
        except (msgspec.DecodeError, UnicodeEncodeError, RecursionError) as error:
            raise ProtocolError(f"a text message that cannot be understood: {error}") from error

    def _take_tick(self, message: bytes) -> Iterator[Tick]:
        layout = self._layout_of(message, _TICK_HEADER.size)
        _, _, _, _, seq, time = _TICK_HEADER.unpack_from(message)
        _require_length(message, _TICK_HEADER.size + 4 * len(layout.series))
        rows = np.frombuffer(message, "<f4", offset=_TICK_HEADER.size)[np.newaxis]
        return self._take(layout, seq, np.array([time]), rows)

    def _take_window(self, message: bytes) -> Iterator[Tick]:
        layout = self._layout_of(message, _WINDOW_HEADER.size)
        _, _, _, _, first, count, _ = _WINDOW_HEADER.unpack_from(message)
        width, begin = len(layout.series), _WINDOW_HEADER.size
        _require_length(message, begin + 8 * count + 4 * count * width)
        times = np.frombuffer(message, "<f8", count, begin)
        rows = np.frombuffer(message, "<f4", count * width, begin + 8 * count).reshape(count, width)
        return self._take(layout, first, times, rows)

    def _layout_of(self, message: bytes, least: int) -> _Layout:
        """Return the layout that a binary message says it has, which the last ``series`` must have told."""
        if len(message) < least:
            raise ProtocolError(f"a binary message of {len(message)} bytes, shorter than its header of {least}")
        number = int.from_bytes(message[4:8], "little")
        if self._layout is None or self._layout.number != number:
            told = "none" if self._layout is None else str(self._layout.number)
            raise ProtocolError(f"a binary message of layout {number}, where the last one told is {told}")
        return self._layout

    def _take(self, layout: _Layout, first: int, times: NDArray[np.float64], rows: Float32s) -> Iterator[Tick]:
        """Find out which of some ticks are new, and what lies between them and those given before.

        Args:
            layout: of the values.
            first: the seq of the first of them.
            times: in milliseconds since 1970, float64 [ticks].
            rows: float32 [ticks, series].
        """
        if first < 1:
            raise ProtocolError(f"a tick with the seq {first}: the first tick of an epoch has 1")
        begin, missed, fresh = 0, 0, False
        if self._seen is None:
            begin = 0 if self._history else max(0, len(times) - 1)
        elif self._seen[0] != layout.epoch:
            # With seq 0 there was no tick yet that could be of another epoch.
            missed, fresh = first - 1, self._seen[1] > 0
        else:
            begin, missed = max(0, self._seen[1] + 1 - first), max(0, first - self._seen[1] - 1)
        # An empty window is where a first connection begins, too: what comes while it is lost is then not lost.
        if begin < len(times) or self._seen is None:
            self._seen = layout.epoch, first + len(times) - 1
        return _ticks(layout, first, times, rows, range(begin, len(times)), missed, fresh)


def _ticks(
    layout: _Layout,
    first: int,
    times: NDArray[np.float64],
    rows: Float32s,
    wanted: range,
    missed: int,
    fresh: bool,
) -> Iterator[Tick]:
    """Make ticks one by one; `missed` and `fresh` are said of the first."""
    for index in wanted:
        # A view would keep the whole window for as long as somebody keeps the tick.
        values = rows[index] if len(rows) == 1 else rows[index].copy()
        values.flags.writeable = False
        time = float(times[index]) / 1000
        yield Tick(layout.epoch, first + index, time, layout.series, values, missed, fresh, layout.columns)
        missed, fresh = 0, False


def _series(told: SeriesInfo) -> Series:
    return Series(told.name, told.unit, told.labels)


def _require_length(message: bytes, length: int) -> None:
    if len(message) != length:
        raise ProtocolError(f"a binary message of {len(message)} bytes, where {length} were announced")


def parse_position(text: str) -> tuple[str, int]:
    """Return the epoch and seq of a position.

    Raises:
        InputError: it is not ``EPOCH:SEQ``.
    """
    found = _POSITION.fullmatch(str(text))
    if not found:
        raise InputError(f"since {text!r} is no position: take the .position of a tick, EPOCH:SEQ")
    return found[1], int(found[2])
