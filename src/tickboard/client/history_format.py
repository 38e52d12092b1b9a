"""The binary format of history, ``tickboard.history.v1`` (docs/protocol.md): its layout and its decoder.

`tickboard.history.encodings` has the encoder.
"""

import datetime as dt
import struct
from typing import TYPE_CHECKING, Any

import msgspec

from tickboard.client.decoder import MAX_SERIES, ProtocolError
from tickboard.client.history_data import HistoryData, HistorySeries
from tickboard.output.text import one_line
from tickboard.times import MAX_TIME_MS
from tickboard.wire import HistoryTier, SeriesInfo

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MAGIC = b"TBH1"

TIERS: tuple[HistoryTier, ...] = ("raw", "minutes", "hours")
"""The tiers, by their number in the header."""

TICKS, BUCKETS = 0, 1
"""The forms of a series: one value for each time, or min, max, avg and count."""

# Little-endian: magic, tier, flags, 0; from, to and resolution in ms; number of series and of times.
HEADER = struct.Struct("<4sBBHdddII")

# The place of the first time, number of times, bytes of the description, form, padding.
SERIES_HEADER = struct.Struct("<IIIB3x")

ALIGNMENT = 8
"""Every float64 is at a multiple of this many bytes."""

_MAX_REASON = 200
"""The most characters of a decoding error that are shown."""

_decode_info = msgspec.json.Decoder(SeriesInfo).decode


def decode(body: bytes) -> HistoryData:
    """Decode an answer in ``tickboard.history.v1``.

    Raises:
        ProtocolError: it breaks the protocol.
    """
    import numpy as np

    reader = _Reader(body)
    magic, tier, _, _, start_ms, end_ms, resolution_ms, series, times = reader.unpack(HEADER)
    if magic != MAGIC:
        raise ProtocolError("it does not begin with TBH1")
    if tier >= len(TIERS) or series > MAX_SERIES:
        raise ProtocolError(f"its header has the tier {tier} and {series} series")
    if not 0 <= start_ms <= end_ms <= MAX_TIME_MS or not 0 <= resolution_ms <= MAX_TIME_MS:
        raise ProtocolError("its header has an impossible time")
    moments = reader.floats(times)
    if not bool(((moments >= 0) & (moments <= MAX_TIME_MS)).all()):
        raise ProtocolError("it has an impossible time")
    at = moments.astype("datetime64[ms]")
    if not bool((np.diff(moments) > 0).all()):
        raise ProtocolError("its times do not ascend")
    found = HistoryData(
        _datetime(start_ms),
        _datetime(end_ms),
        resolution_ms / 1000,
        TIERS[tier],
        tuple(_series(reader, at) for _ in range(series)),
    )
    reader.end()
    if len(found.places) != series:
        raise ProtocolError("it has a series twice")
    return found


def _series(reader: "_Reader", at: "NDArray[np.datetime64]") -> HistorySeries:
    first, count, described, kind = reader.unpack(SERIES_HEADER)
    if first + count > len(at) or kind not in {TICKS, BUCKETS}:
        raise ProtocolError(f"a series has {count} times from {first} on, in the form {kind}")
    try:
        info = _decode_info(reader.aligned(described))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ProtocolError(f"the description of a series is malformed: {one_line(str(error), _MAX_REASON)}") from error
    times = at[first : first + count]
    if kind == TICKS:
        values = reader.floats(count)
        there = (values == values).astype("int64")  # noqa: PLR0124  # NaN differs from itself
        return HistorySeries(info.name, info.unit, info.labels, times, values, values, values, there)
    low, high, mean, counts = (reader.floats(count) for _ in range(4))
    if not bool(((counts >= 0) & (counts <= 2**53)).all()):
        raise ProtocolError("a series has an impossible count")
    return HistorySeries(info.name, info.unit, info.labels, times, low, high, mean, counts.astype("int64"))


class _Reader:
    """Reads a body from its first byte to its last."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self._at = 0

    def unpack(self, form: struct.Struct) -> tuple[Any, ...]:
        return form.unpack(self._take(form.size))

    def aligned(self, size: int) -> bytes:
        """Read bytes, and skip the padding after them."""
        return bytes(self._take(size + -size % ALIGNMENT)[:size])

    def floats(self, count: int) -> "NDArray[np.float64]":
        import numpy as np

        return np.frombuffer(self._take(8 * count), "<f8").astype(np.float64, copy=False)

    def end(self) -> None:
        if self._at != len(self._body):
            raise ProtocolError(f"{len(self._body) - self._at} bytes follow its last series")

    def _take(self, size: int) -> memoryview:
        if size > len(self._body) - self._at:
            raise ProtocolError(f"it is cut off after {len(self._body)} bytes")
        begin, self._at = self._at, self._at + size
        return memoryview(self._body)[begin : self._at]


def _datetime(time_ms: float) -> dt.datetime:
    return dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(milliseconds=time_ms)
