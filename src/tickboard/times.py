"""Times as people and programs write them: RFC 3339, an age such as ``-15m``, or ``now``.

`parse_time` returns whole POSIX milliseconds, and `time_text` writes them. The current time is an argument: nothing
here reads a clock.
"""

import re
from datetime import UTC, datetime, timedelta

from tickboard.errors import InputError
from tickboard.schedule import DURATION, duration

Time = str | float | datetime
"""A time: RFC 3339, an age such as ``"-15m"``, ``"now"``, POSIX seconds, or a datetime with a timezone."""

MAX_TIME_MS = 253_402_300_799_999
"""The end of the year 9999, the last that RFC 3339 can write."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_AGE = re.compile(f"-({DURATION})")
_RFC3339 = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt ]([0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.([0-9]{1,30}))?([Zz]|[+-][0-9]{2}:[0-5][0-9])"
)
_PLUS_LOST = re.compile(r".*[0-9] [0-9]{2}:[0-9]{2}", re.DOTALL)


def parse_time(name: str, given: Time, now_ms: int) -> int:
    """Return a time in POSIX milliseconds, rounded up to a whole one.

    Times before 1970 become 0, and times after 9999 the last of that year.

    Args:
        name: the parameter's or argument's name, for the message.
        given: the time.
        now_ms: the current time, which ``now`` and ages are relative to.

    Raises:
        InputError: it is not a time.
    """
    if isinstance(given, str):
        return _bounded(_text_ms(name, given.strip(), now_ms))
    if isinstance(given, datetime) and given.tzinfo is not None:
        return _bounded(_datetime_ms(given))
    if isinstance(given, int | float) and not isinstance(given, bool) and abs(given) <= MAX_TIME_MS:
        return _bounded(round(given * 1000))
    raise _not_a_time(name, given)


def time_text(time_ms: int) -> str:
    """Return POSIX milliseconds as RFC 3339 in UTC."""
    return f"{(_EPOCH + timedelta(milliseconds=time_ms)).isoformat(timespec='milliseconds')[:-6]}Z"


def _text_ms(name: str, text: str, now_ms: int) -> int:
    if text == "now":
        return now_ms
    try:
        if age := _AGE.fullmatch(text):
            return now_ms - round(duration(age[1]) * 1000)
        if found := _RFC3339.fullmatch(text):
            date, time, fraction, offset = found.groups()
            whole = _datetime_ms(datetime.fromisoformat(f"{date}T{time}{offset.upper()}"))
            return whole - -int((fraction or "0").ljust(30, "0")) // 10**27
    except InputError as error:
        raise _not_a_time(name, text, f" ({error})") from error
    except ValueError:
        pass  # such as the 30th of February
    raise _not_a_time(name, text)


def _datetime_ms(time: datetime) -> int:
    """Return a time in milliseconds, rounded up."""
    return -((_EPOCH - time) // timedelta(milliseconds=1))


def _bounded(time_ms: int) -> int:
    return min(max(time_ms, 0), MAX_TIME_MS)


def _not_a_time(name: str, given: object, why: str = "") -> InputError:
    shown = given if isinstance(given, str) else repr(given)
    if isinstance(given, datetime):
        fix = "give it a timezone, as in datetime.now(UTC)"
    else:
        fix = "give a time such as 2026-01-31T12:00:00Z, an age such as -15m, or now"
    if isinstance(given, str) and _PLUS_LOST.fullmatch(given):
        fix += '; in an address, write "+" as %2B'
    return InputError(f"{name}={shown[:40]}{why}: {fix}")
