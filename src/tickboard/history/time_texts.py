"""Columns of times as text, RFC 3339 in UTC with milliseconds, made with NumPy in about 20 ns each.

All texts have the same length, so the text of a range of times is a slice.
"""

import datetime as dt
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tickboard.history.answers import Integers

TIME_BYTES: Final = 27
"""The bytes of one time in `json_times`."""

_TEXT = np.dtype([("date", "S12"), ("minute", "S7"), ("second", "S3"), ("millisecond", "S5")])

_MINUTES = np.array([f"T{minute // 60:02}:{minute % 60:02}:".encode() for minute in range(1440)])
_SECONDS = np.array([f"{second:02}.".encode() for second in range(60)])
_MILLISECONDS = np.array([f'{millisecond:03}Z"'.encode() for millisecond in range(1000)])

_DAY_MS = 86_400_000

_EPOCH = dt.date(1970, 1, 1).toordinal()


def json_times(times: Integers) -> bytes:
    """Return times as JSON strings, each with a comma before it: ``,"2026-01-31T12:00:00.000Z"``.

    Args:
        times: int64 [times], POSIX milliseconds, from 0 to the end of the year 9999, ascending.
    """
    if not len(times):
        return b""
    dates, milliseconds = _dates(times)
    minutes, milliseconds = _parts(milliseconds, 60_000)
    seconds, milliseconds = _parts(milliseconds, 1_000)
    found = np.empty(len(times), _TEXT)
    found["date"] = dates
    found["minute"] = _MINUTES.take(minutes)
    found["second"] = _SECONDS.take(seconds)
    found["millisecond"] = _MILLISECONDS.take(milliseconds)
    return found.tobytes()


def time_texts(times: Integers) -> list[str]:
    """Return times as strings; see `json_times`."""
    return json_times(times)[2:-1].decode().split('","') if len(times) else []


def _parts(numbers: Integers, unit: int) -> tuple[Integers, Integers]:
    """Return the whole units in each number, and the remainder, in half the time of `np.divmod`."""
    whole = numbers // unit
    return whole, numbers - whole * unit


def _dates(times: Integers) -> tuple[bytes | NDArray[np.bytes_], Integers]:
    """Return the start of the text of each time, or one for all if they are of one day; and the milliseconds after."""
    first, last = int(times[0]) // _DAY_MS, int(times[-1]) // _DAY_MS
    if first == last:
        return _date(first), times - first * _DAY_MS
    days, milliseconds = _parts(times, _DAY_MS)
    if last - first >= len(days):
        return np.array([_date(day) for day in days.tolist()]), milliseconds
    found: NDArray[np.bytes_] = np.array([_date(day) for day in range(first, last + 1)]).take(days - first)
    return found, milliseconds


def _date(day: int) -> bytes:
    return f',"{dt.date.fromordinal(_EPOCH + day)}'.encode()
