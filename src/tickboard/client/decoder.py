"""The decoder: turns messages of ``tickboard.v2`` (docs/protocol.md) into ticks, each once and in order.

After a reconnection, it continues after the last tick that it returned. It knows no sockets.
"""

import datetime as dt
import re
import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from math import isnan
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeVar, overload

import msgspec
from msgspec import Struct

from tickboard.errors import InputError, TickboardError
from tickboard.wire import SeriesChanged, SeriesInfo, SeriesList

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

T = TypeVar("T")

_WINDOW, _TICK, _AMENDED = 1, 2, 3
"""The kinds of binary messages."""

# Little-endian: kind, flags, 0, layout, seq; then the tick's time, or the window's numbers of ticks and skipped ticks.
_TICK_HEADER = struct.Struct("<BBHIQd")
_WINDOW_HEADER = struct.Struct("<BBHIQII")

_VALUE = struct.Struct("<d")

_POSITION = re.compile(r"(.+):([0-9]{1,19})", re.DOTALL)
_NAMES_IN_AN_ERROR = 20
_VALUES_IN_A_LINE = 12

MAX_SERIES = 1_000_000
"""The most series in one layout, five times a board's default limit: it bounds the memory that a faulty server can use
in this process."""

MAX_EPOCH = 256
"""The most characters of an epoch, which becomes part of addresses."""

MAX_SEQ = 10**18
"""The highest seq of a tick; a higher one does not fit into a position."""

MIN_TIME_MS, MAX_TIME_MS = -62_135_596_800_000.0, 253_402_300_799_999.0
"""The range of a tick's time: the years 1 to 9999, as for datetime."""


class ProtocolError(TickboardError):
    """A server sent a message that ``tickboard.v2`` does not allow. The client closes the connection and reconnects."""

    status = 502


@dataclass(frozen=True, slots=True)
class WatchedSeries:
    """One series of a tick.

    Attributes:
        name: the metric's name.
        unit: the unit of its values.
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

    def __reduce__(self) -> tuple[object, ...]:
        # A read-only mapping cannot be pickled.
        return type(self), (self.name, self.unit, dict(self.labels))


def _shown(series: WatchedSeries, value: float) -> str:
    if isnan(value):
        return f"{series.key} has no value"
    return f"{series.key} {value:.6g}{' ' if series.unit else ''}{series.unit}"


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Tick(Mapping[str, float]):
    """One instant of a board's clock: a mapping from the key of each series to its value, NaN if it has none.

    Keys are ``cpu_usage`` or ``disk_usage{mount="/"}``. Printing it shows its time and its values.

    Attributes:
        epoch: names the run of the board; ticks of different epochs are different histories.
        seq: 1, 2, 3, … within the epoch.
        time: POSIX seconds, in whole milliseconds.
        series: the series of the values; the same object from tick to tick until it changes.
        data: the values, 8 bytes each: little-endian IEEE 754 doubles.
        missed: how many ticks before this one were lost; 0 except after a long absence or a restart.
        fresh: whether its epoch is new: the board was restarted or replaced, and this tick does not continue the last.
    """

    epoch: str
    seq: int
    time: float
    series: tuple[WatchedSeries, ...]
    data: bytes
    missed: int = 0
    fresh: bool = False
    columns: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.columns:
            object.__setattr__(self, "columns", {one.key: place for place, one in enumerate(self.series)})

    # Ticks are equal only if they are the same object, since NaN differs from itself.
    __eq__ = object.__eq__
    __hash__ = object.__hash__

    @property
    def position(self) -> str:
        """Its position, ``EPOCH:SEQ``. Pass it to `connect` as `since` to continue after this tick."""
        return f"{self.epoch}:{self.seq}"

    @property
    def datetime(self) -> dt.datetime:
        """The time as a datetime in UTC; ``.astimezone()`` makes it local."""
        return dt.datetime.fromtimestamp(self.time, dt.UTC)

    @property
    def array(self) -> "NDArray[np.float64]":
        """The values as a NumPy array, float64 [series], in the order of `series`; read-only."""
        import numpy as np

        return np.frombuffer(self.data, "<f8")

    def __getitem__(self, key: str) -> float:
        try:
            (value,) = _VALUE.unpack_from(self.data, 8 * self.columns[key])
        except KeyError:
            raise KeyError(unknown_series(key, self.columns, "this tick")) from None
        return float(value)

    def __contains__(self, key: object) -> bool:
        return key in self.columns

    @overload
    def get(self, key: str, /) -> float | None: ...

    @overload
    def get(self, key: str, /, default: float | T) -> float | T: ...

    def get(self, key: str, /, default: object = None) -> object:
        """Return the value of a series, or `default` where there is no such series."""
        return self[key] if key in self.columns else default

    def __iter__(self) -> Iterator[str]:
        return iter(self.columns)

    def __len__(self) -> int:
        return len(self.columns)

    def __str__(self) -> str:
        shown = [_shown(one, self[one.key]) for one in self.series[:_VALUES_IN_A_LINE]]
        if (more := len(self) - len(shown)) > 0:
            shown.append(f"and {more} more")
        return f"{self.datetime:%Y-%m-%d %H:%M:%S} UTC  {', '.join(shown) or 'no values'}"

    def __repr__(self) -> str:
        return f"<Tick {self.position}: {self}>"


def unknown_series(key: str, known: Iterable[str], where: str) -> str:
    """Return the error for an unknown key, which lists the known ones: first those of the same metric."""
    keys = sorted(known, key=lambda other: not other.startswith(f"{key}{{"))
    more = [f"and {len(keys) - _NAMES_IN_AN_ERROR} more"] if len(keys) > _NAMES_IN_AN_ERROR else []
    return f"no series {key!r} in {where}; it has {', '.join(keys[:_NAMES_IN_AN_ERROR] + more) or 'none'}"


class _Layout(Struct, frozen=True, dict=True):
    """The series of the values in the next binary messages."""

    number: int
    epoch: str
    series: tuple[WatchedSeries, ...]

    @cached_property
    def columns(self) -> dict[str, int]:
        return {one.key: column for column, one in enumerate(self.series)}


class _Typed(msgspec.Struct):
    """The part that all text messages have."""

    type: str


_decode_type = msgspec.json.Decoder(_Typed).decode
_decode_changes = msgspec.json.Decoder(SeriesChanged).decode
_decode_series = msgspec.json.Decoder(SeriesList).decode


class Decoder:
    """Turns the messages of one board into its ticks, each once and in order.

    Call `connected` whenever a connection begins, then `receive` with each of its messages.

    Args:
        since: the position after which to begin; "": now.
        history: without `since`, begin with the whole window instead of its newest tick.

    Raises:
        InputError: `since` is not a position.
    """

    def __init__(self, since: str = "", *, history: bool = False) -> None:
        self._layout: _Layout | None = None
        self._history = history
        self._seen = split_position(since) if since else None

    @property
    def position(self) -> str:
        """The position of the newest tick returned, for ``?since=``; "" before the first."""
        return "{}:{}".format(*self._seen) if self._seen else ""

    @property
    def layout(self) -> int | None:
        """The number of the layout that binary messages have to have; None: none was described yet."""
        return None if self._layout is None else self._layout.number

    @property
    def epoch(self) -> str:
        """The epoch of the ticks in the next binary messages; "": no layout was described yet."""
        return "" if self._layout is None else self._layout.epoch

    def connected(self) -> None:
        """Forget the layout of the last connection; the position is kept."""
        self._layout = None

    def receive(self, message: str | bytes) -> Iterator[Tick]:
        """Read a message and return its new ticks, oldest first.

        They count as returned from now on, although each is made only when you reach it: iterate over them all. Unknown
        kinds, flags and types are ignored.

        Raises:
            ProtocolError: the protocol does not allow the message.
        """
        if isinstance(message, str):
            self._take_text(message)
            return iter(())
        if not message:
            raise ProtocolError("an empty binary message")
        if message[0] == _TICK:
            return self._take_tick(message)
        return self._take_window(message) if message[0] == _WINDOW else iter(())

    def amended(self, message: bytes) -> Tick | None:
        """Return an amended tick: late values of an earlier tick, NaN where they are unchanged.

        It changes no position. `receive` ignores these messages.

        Args:
            message: a binary message.

        Returns:
            None: the message is of another kind.

        Raises:
            ProtocolError: the protocol does not allow the message.
        """
        if message[:1] != bytes((_AMENDED,)):
            return None
        layout, seq, time = self._tick_header(message)
        data = message[_TICK_HEADER.size :]
        return Tick(layout.epoch, seq, time / 1000, layout.series, data, columns=layout.columns)

    def _take_text(self, message: str) -> None:
        try:
            kind = _decode_type(message).type
            if kind == "series":
                described = _decode_series(message)
                self._layout = _layout(
                    described.layout, described.epoch, map(_series, described.series), len(described.series)
                )
            elif kind == "series_changed":
                self._change_series(_decode_changes(message))
        except (ValueError, RecursionError) as error:
            raise ProtocolError(f"a text message that cannot be understood: {error}") from error

    def _change_series(self, change: SeriesChanged) -> None:
        before = self._layout
        if before is None or before.number != change.before:
            # Changes are sent to all viewers. A viewer that was sent the whole list meanwhile already has them.
            return
        gone = set(change.removed)
        kept = iter([one for place, one in enumerate(before.series) if place not in gone])
        series: list[WatchedSeries] = []
        for place, added in zip(change.at, change.added, strict=True):
            # Indices are those in the new list, in order.
            series += islice(kept, max(0, place - len(series)))
            if place != len(series):
                raise ProtocolError(f"an added series at index {place}, but only {len(series)} come before it")
            series.append(_series(added))
        series += kept
        self._layout = _layout(change.layout, change.epoch, series, len(series))

    def _take_tick(self, message: bytes) -> Iterator[Tick]:
        layout, seq, time = self._tick_header(message)
        return self._take(layout, seq, (time,), memoryview(message)[_TICK_HEADER.size :])

    def _tick_header(self, message: bytes) -> tuple[_Layout, int, float]:
        """Return the layout, the seq and the time, in milliseconds, of a tick or an amended one."""
        layout = self._layout_of(message, _TICK_HEADER.size)
        _, _, _, _, seq, time = _TICK_HEADER.unpack_from(message)
        _require_length(message, _TICK_HEADER.size + 8 * len(layout.series))
        _require_tick(seq, (time,))
        return layout, seq, time

    def _take_window(self, message: bytes) -> Iterator[Tick]:
        layout = self._layout_of(message, _WINDOW_HEADER.size)
        _, _, _, _, first, count, _ = _WINDOW_HEADER.unpack_from(message)
        width, begin = len(layout.series), _WINDOW_HEADER.size
        _require_length(message, begin + 8 * count + 8 * count * width)
        times = struct.unpack_from(f"<{count}d", message, begin)
        _require_tick(first, times)
        return self._take(layout, first, times, memoryview(message)[begin + 8 * count :])

    def _layout_of(self, message: bytes, least: int) -> _Layout:
        """Return the layout that a binary message names, which the last ``series`` message must have described."""
        if len(message) < least:
            raise ProtocolError(f"a binary message of {len(message)} bytes, shorter than its header of {least}")
        number = int.from_bytes(message[4:8], "little")
        if self._layout is None or self._layout.number != number:
            described = "none" if self._layout is None else str(self._layout.number)
            raise ProtocolError(f"a binary message of layout {number}, but the last one described is {described}")
        return self._layout

    def _take(self, layout: _Layout, first: int, times: Sequence[float], rows: memoryview) -> Iterator[Tick]:
        """Return the new ones among some ticks, and count the ticks missing before them.

        Args:
            layout: the layout of the values.
            first: the seq of the first tick.
            times: milliseconds since 1970.
            rows: doubles [ticks, series].
        """
        begin, missed, fresh = 0, 0, False
        if self._seen is None:
            begin = 0 if self._history else max(0, len(times) - 1)
        elif self._seen[0] != layout.epoch:
            # Seq 0 means that there was no tick of the earlier epoch yet.
            missed, fresh = first - 1, self._seen[1] > 0
        else:
            begin, missed = max(0, self._seen[1] + 1 - first), max(0, first - self._seen[1] - 1)
        # An empty window also sets the position, so that ticks made during a lost connection are fetched afterwards.
        if begin < len(times) or self._seen is None:
            self._seen = layout.epoch, first + len(times) - 1
        return _ticks(layout, first, times, rows, range(begin, len(times)), missed, fresh)


def newest_in(message: bytes) -> tuple[int, float] | None:
    """Return the seq of the newest tick in a binary message, and its time in milliseconds.

    Returns:
        None: there is none, or the message is too short to say.
    """
    kind = message[:1]
    if kind in {bytes((_TICK,)), bytes((_AMENDED,))} and len(message) >= _TICK_HEADER.size:
        _, _, _, _, seq, time = _TICK_HEADER.unpack_from(message)
        return seq, time
    if kind != bytes((_WINDOW,)) or len(message) < _WINDOW_HEADER.size:
        return None
    _, _, _, _, first, count, _ = _WINDOW_HEADER.unpack_from(message)
    if not count or len(message) < _WINDOW_HEADER.size + 8 * count:
        return None
    (time,) = _VALUE.unpack_from(message, _WINDOW_HEADER.size + 8 * (count - 1))
    return first + count - 1, time


def _ticks(
    layout: _Layout,
    first: int,
    times: Sequence[float],
    rows: memoryview,
    wanted: range,
    missed: int,
    fresh: bool,
) -> Iterator[Tick]:
    """Yield ticks one by one; the first one gets `missed` and `fresh`."""
    width = 8 * len(layout.series)
    for index in wanted:
        # A copy, since a view would keep the whole window alive as long as the tick.
        data = bytes(rows[index * width : (index + 1) * width])
        yield Tick(layout.epoch, first + index, times[index] / 1000, layout.series, data, missed, fresh, layout.columns)
        missed, fresh = 0, False


def _layout(number: int, epoch: str, series: Iterable[WatchedSeries], count: int) -> _Layout:
    if count > MAX_SERIES:
        raise ProtocolError(f"a layout of {count} series, more than {MAX_SERIES}: ask for fewer metrics")
    if len(epoch) > MAX_EPOCH:
        raise ProtocolError(f"an epoch of {len(epoch)} characters, more than {MAX_EPOCH}")
    return _Layout(number, epoch, tuple(series))


def _series(described: SeriesInfo) -> WatchedSeries:
    return WatchedSeries(described.name, described.unit, described.labels)


def _require_tick(seq: int, times: Sequence[float]) -> None:
    if not 1 <= seq <= MAX_SEQ:
        raise ProtocolError(f"a tick with the seq {seq}, which is not from 1 to {MAX_SEQ}")
    if not all(MIN_TIME_MS <= time <= MAX_TIME_MS for time in times):
        raise ProtocolError("a tick with a time outside of the years 1 to 9999")


def _require_length(message: bytes, length: int) -> None:
    if len(message) != length:
        raise ProtocolError(f"a binary message of {len(message)} bytes, although its header says {length}")


def split_position(text: str) -> tuple[str, int]:
    """Return the epoch and the seq of a position.

    Raises:
        InputError: it is not ``EPOCH:SEQ``.
    """
    found = _POSITION.fullmatch(str(text))
    if not found:
        raise InputError(f"since {text!r} is not a position: use the .position of a tick, EPOCH:SEQ")
    return found[1], int(found[2])
