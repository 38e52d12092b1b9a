"""Schedules: cron and intervals. They compute the next instant, and how many were missed.

`parse` takes text such as ``"* * * * * *"`` or ``"250ms"`` and returns a `Schedule`; `duration` does the same for a
length of time: ``"5m"``, seconds or a timedelta. Times are POSIX seconds and always arguments: nothing here reads a
clock, waits or runs anything.

**Intervals** fall on whole multiples of themselves since the epoch, counted in integer milliseconds.

**Cron** has six fields, seconds first, or the usual five (then at second 0). It follows the wall clock: the local one,
or that of a given timezone. When the wall clock is moved, as for daylight saving time:

* a schedule with ``*`` in its hours, minutes or seconds repeats. It fires whenever the wall clock shows a matching
  time: twice in an hour that occurs twice, never in an hour that is skipped. So ``* * * * * *`` fires every second.
* any other schedule has fixed times in a day and fires once for each: at the first of two equal times, and at the end
  of the skipped hour if its time is skipped. So ``30 2 * * *`` fires once on every day of the year.

Vixie's cron makes the same distinction. It is also the model for days: if both the day of the month and the day of the
week are restricted, either is enough; if one begins with ``*``, both must match.
"""

import re
import time
from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo
from decimal import Decimal
from math import floor, inf, isfinite, nan
from numbers import Real
from typing import Protocol

from tickboard.errors import InputError

Duration = str | float | timedelta
"""A length of time: ``"5m"``, seconds, or a timedelta."""

MIN_INTERVAL_MS = 10
"""The shortest interval: below it, an asyncio loop would spend its time waking up."""

MAX_DURATION_MS = 36_500 * 86_400_000
"""The longest duration, 36500 days: up to it, milliseconds are exact in a float."""

MAX_MISSED = 1000
"""The missed instants of a cron schedule are counted up to this number."""

_DAY_S = 86_400
_EPOCH_ORDINAL = date(1970, 1, 1).toordinal()
_MONTH_DAYS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_UNITS_MS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "y": 31_536_000_000}
DURATION = r"([0-9]{1,15}(?:\.[0-9]{1,15})?) ?(ms|s|m|h|d|y)"
"""The regular expression of a written length of time. A year has 365 days."""

_DURATION = re.compile(DURATION)
_PART = re.compile(r"(?:(\*)|([0-9]{1,4}|[A-Za-z]{1,9})(?:-([0-9]{1,4}|[A-Za-z]{1,9}))?)(?:/([0-9]{1,4}))?")
_MACROS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}


class Schedule(Protocol):
    """When something is due."""

    def next(self, after: float) -> float:
        """Return the next instant strictly after a POSIX time, as a POSIX time."""
        ...

    def missed(self, due: float, now: float) -> int:
        """Return how many instants lie after `due` and up to `now`; for cron, at most `MAX_MISSED`."""
        ...

    def latest(self, due: float, now: float) -> float:
        """Return the last instant up to `now`; `due`, an instant itself, if there is no later one."""
        ...


@dataclass(frozen=True)
class Interval:
    """A schedule at whole multiples of `interval_ms` since the epoch."""

    interval_ms: int

    def next(self, after: float) -> float:
        """Return the next instant strictly after a POSIX time, as a POSIX time."""
        return self._instant(self._index(after) + 1)

    def missed(self, due: float, now: float) -> int:
        """Return how many instants lie after `due` and up to `now`."""
        return max(0, self._index(now) - self._index(due))

    def latest(self, due: float, now: float) -> float:
        """Return the last instant up to `now`; `due`, an instant itself, if there is no later one."""
        return max(due, self._instant(self._index(now)))

    def _instant(self, index: int) -> float:
        # The quotient of two ints is the nearest float, so each instant has exactly one float.
        return index * self.interval_ms / 1000

    def _index(self, at: float) -> int:
        """Return the index of the last instant up to `at`."""
        index = floor(at * 1000 / self.interval_ms)
        # `at * 1000` is rounded, so the index may be off by one either way; compare with the instants themselves.
        while self._instant(index) > at:
            index -= 1
        while self._instant(index + 1) <= at:
            index += 1
        return index


@dataclass(frozen=True)
class Cron:
    """A schedule of times of day by the wall clock, on certain days.

    Attributes:
        seconds, minutes, hours: sorted, not empty.
        days: of the month, 1 to 31.
        months: 1 to 12.
        weekdays: 0 is Sunday.
        either_day: whether the day of the month or the day of the week is enough.
        repeats: whether it repeats when the wall clock is moved; see the module.
        timezone: the timezone of the wall clock; None: local.
    """

    seconds: tuple[int, ...]
    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    either_day: bool
    repeats: bool
    timezone: tzinfo | None = None

    def next(self, after: float) -> float:
        """Return the next instant strictly after a POSIX time, as a POSIX time."""
        start = floor(after) + 1
        return float(self._next_showing(start) if self.repeats else self._next_reaching(start))

    def missed(self, due: float, now: float) -> int:
        """Return how many instants lie after `due` and up to `now`, at most `MAX_MISSED`."""
        count = 0
        while count < MAX_MISSED and (due := self.next(due)) <= now:
            count += 1
        return count

    def latest(self, due: float, now: float) -> float:
        """Return the last instant up to `now`; `due`, an instant itself, if there is no later one."""
        # Instants are whole seconds. The result is the first second with no instant between it and `now`. Bisection
        # costs the same for a second as for a century.
        low, high = floor(due), max(floor(due), floor(now))
        while low < high:
            middle = (low + high) // 2
            if self.next(middle) > now:
                high = middle
            else:
                low = middle + 1
        return float(low)

    # Wall time is counted in seconds as if the wall clock showed UTC: wall = instant + offset.

    def _next_showing(self, start: int) -> int:
        """Return the first instant from `start` on at which the wall clock shows a matching time."""
        while True:
            offset = self._offset(start)
            due = self._next_wall(start + offset) - offset
            moved = self._moved(start, due)
            if moved is None:
                return due
            start = moved

    def _next_reaching(self, start: int) -> int:
        """Return the first instant from `start` on at which the wall clock first reaches or passes a matching time."""
        wall = self._next_wall(self._furthest(start - 1) + 1)
        while True:
            due = max(start, wall - self._offset(start))
            moved = self._moved(start, due)
            if moved is None:
                return due
            start = moved

    def _furthest(self, instant: int) -> int:
        """Return the latest wall time shown up to `instant`: later than its own after the clock went back."""
        yesterday = instant - _DAY_S
        moved = self._moved(yesterday, instant)
        own = instant + self._offset(instant)
        return own if moved is None else max(own, moved - 1 + self._offset(yesterday))

    def _moved(self, start: int, end: int) -> int | None:
        """Return the first instant up to `end` whose offset differs from that at `start`, or None.

        No timezone moves its clock forth and back within a week (the shortest, Morocco's for Ramadan, takes a month).
        """
        offset = self._offset(start)
        while start < end:
            probe = min(start + 7 * _DAY_S, end)
            if self._offset(probe) != offset:
                return self._bisect(start, probe, offset)
            start = probe
        return None

    def _bisect(self, same: int, other: int, offset: int) -> int:
        while other - same > 1:
            middle = (same + other) // 2
            if self._offset(middle) == offset:
                same = middle
            else:
                other = middle
        return other

    def _offset(self, instant: int) -> int:
        """Return how many seconds the wall clock is ahead of UTC."""
        if self.timezone is None:
            return time.localtime(instant).tm_gmtoff
        offset = datetime.fromtimestamp(instant, self.timezone).utcoffset()
        assert offset is not None  # an aware datetime has one
        return offset.days * _DAY_S + offset.seconds

    def _next_wall(self, wall: int) -> int:
        """Return the first matching wall time from `wall` on."""
        day, second = divmod(wall, _DAY_S)
        if self._has_day(today := date.fromordinal(day + _EPOCH_ORDINAL)):
            due = self._next_second(second)
            if due is not None:
                return day * _DAY_S + due
        first = self._next_second(0)
        assert first is not None  # no field is empty
        return (self._next_day(today).toordinal() - _EPOCH_ORDINAL) * _DAY_S + first

    def _next_second(self, second: int) -> int | None:
        """Return the first matching second of the day from `second` on; None if there is none."""
        minute, second = divmod(second, 60)
        hour, minute = divmod(minute, 60)
        at_hour, at_minute = bisect_left(self.hours, hour), bisect_left(self.minutes, minute)
        if at_hour < len(self.hours) and self.hours[at_hour] == hour:
            if at_minute < len(self.minutes) and self.minutes[at_minute] == minute:
                at_second = bisect_left(self.seconds, second)
                if at_second < len(self.seconds):
                    return hour * 3600 + minute * 60 + self.seconds[at_second]
            at_minute = bisect_right(self.minutes, minute)
            if at_minute < len(self.minutes):
                return hour * 3600 + self.minutes[at_minute] * 60 + self.seconds[0]
            at_hour += 1
        if at_hour < len(self.hours):
            return self.hours[at_hour] * 3600 + self.minutes[0] * 60 + self.seconds[0]
        return None

    def _has_day(self, day: date) -> bool:
        if day.month not in self.months:
            return False
        of_month, of_week = day.day in self.days, day.isoweekday() % 7 in self.weekdays
        return of_month or of_week if self.either_day else of_month and of_week

    def _next_day(self, day: date) -> date:
        """Return the first matching day after `day`; `parse` has checked that there is one."""
        while True:
            if day.month in self.months:
                day = date.fromordinal(day.toordinal() + 1)
            else:
                day = date(day.year + day.month // 12, day.month % 12 + 1, 1)
            if self._has_day(day):
                return day


def parse(when: Duration, timezone: tzinfo | None = None) -> Schedule:
    """Parse a schedule.

    Args:
        when: six cron fields (second, minute, hour, day of the month, month, day of the week), five (without the
            second), a name such as ``@hourly``, or an interval: ``250ms``, ``5m``, ``2h``, seconds or a timedelta.
        timezone: the timezone of a cron schedule; None: local.

    Raises:
        InputError: it is none of these, or it is never due.
    """
    if not isinstance(when, str):
        return Interval(_interval_ms(when))
    text, stripped = when, when.strip()
    if stripped.startswith("@"):
        if stripped.lower() not in _MACROS:
            raise InputError(f"schedule {_quoted(text)}: no such name: use one of {', '.join(_MACROS)}")
        stripped = _MACROS[stripped.lower()]
    fields = stripped.split()
    if len(fields) in (5, 6):
        return _cron(text, fields, timezone)
    # Text of one or two words is most likely meant as an interval, so the error is about that.
    if len(fields) in (1, 2) and "*" not in stripped:
        return Interval(_interval_ms(text))
    raise InputError(
        f"schedule {_quoted(text)} has {len(fields)} field{'s' * (len(fields) != 1)}: write six, as in "
        '"* * * * * *" (second minute hour day month weekday), five (without the second), or an interval, as in "1s"'
    )


def duration(length: Duration) -> float:
    """Return the seconds of a length of time.

    Args:
        length: ``"10s"``, ``"5m"``, ``"250ms"``, ``"2h"``, ``"1d"``, ``"2y"``, seconds as a number, or a timedelta.

    Raises:
        InputError: it is none of these, negative, or longer than 36500 days.
    """
    return float(_milliseconds(length, "duration") / 1000)


def written(length: Duration) -> str:
    """Return a length of time as text that `duration` accepts; text is returned as it is.

    Raises:
        InputError: it is not a length of time.
    """
    if isinstance(length, str):
        return length.strip()
    length_ms = _milliseconds(length, "duration")
    return f"{length_ms.normalize():f}ms" if length_ms % 1000 else f"{int(length_ms / 1000)}s"


def _interval_ms(length: Duration) -> int:
    interval_ms = _milliseconds(length, "schedule")
    if interval_ms < MIN_INTERVAL_MS:
        raise InputError(
            f"schedule {_quoted(length)}: the shortest interval is {MIN_INTERVAL_MS}ms: write that or more"
        )
    if interval_ms % 1:
        raise InputError(f"schedule {_quoted(length)}: an interval has whole milliseconds: write a whole number of ms")
    return int(interval_ms)


def _milliseconds(length: Duration, what: str) -> Decimal:
    length_ms = _text_ms(length, what) if isinstance(length, str) else _number_ms(length, what)
    if length_ms > MAX_DURATION_MS:
        raise InputError(f"{what} {_quoted(length)}: the longest is {MAX_DURATION_MS // _UNITS_MS['d']}d: write less")
    return length_ms


def _number_ms(length: float | timedelta, what: str) -> Decimal:
    if isinstance(length, timedelta):
        length_ms = Decimal(length // timedelta(microseconds=1)) / 1000
    else:
        seconds = _seconds(length)
        if not isfinite(seconds):
            raise InputError(
                f'{what} {_quoted(length)}: write a number and its unit such as "10s", seconds, or a timedelta'
            )
        # From the number as written: 0.1 is 100 ms.
        length_ms = Decimal(repr(seconds)) * 1000
    if length_ms < 0:
        raise InputError(f"{what} {_quoted(length)} is negative: write 0 or more")
    return length_ms


def _seconds(length: object) -> float:
    """Return a number as a float; NaN if it is not a number or has a unit of its own, like NumPy's timedelta64."""
    if isinstance(length, bool) or not isinstance(length, Real) or type(length).__name__ == "timedelta64":
        return nan
    try:
        return float(length)
    except OverflowError:
        return inf


def _text_ms(text: str, what: str) -> Decimal:
    found = _DURATION.fullmatch(text.strip())
    if found is None:
        wanted = "a number and its unit (ms, s, m, h, d or y), as in 250ms or 10s"
        more = ', or cron, as in "* * * * * *"' if what == "schedule" else ""
        raise InputError(f"{what} {_quoted(text)}: write {wanted}{more}")
    return Decimal(found[1]) * _UNITS_MS[found[2]]


@dataclass(frozen=True)
class _Field:
    """One field of a cron text: its name, its range, and the names that stand for the numbers from `low` on."""

    name: str
    low: int
    high: int
    names: tuple[str, ...] = ()


_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_FIELDS = (
    _Field("second", 0, 59),
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _Field("day of the month", 1, 31),
    _Field("month", 1, 12, _MONTHS),
    _Field("day of the week", 0, 7, _WEEKDAYS),
)


def _cron(text: str, fields: list[str], timezone: tzinfo | None) -> Cron:
    if len(fields) == 5:
        fields = ["0", *fields]
    seconds, minutes, hours, days, months, weekdays = (
        _values(text, field, written) for field, written in zip(_FIELDS, fields, strict=True)
    )
    starred = [written.startswith("*") for written in fields]
    either_day = not starred[3] and not starred[5]
    if not either_day and min(days) > max(_MONTH_DAYS[month - 1] for month in months):
        raise InputError(
            f"schedule {_quoted(text)} is never due: no month {_quoted(fields[4])} has a day of the month "
            f"{_quoted(fields[3])}: change either"
        )
    return Cron(
        tuple(sorted(seconds)),
        tuple(sorted(minutes)),
        tuple(sorted(hours)),
        frozenset(days),
        frozenset(months),
        frozenset(day % 7 for day in weekdays),
        either_day,
        any(starred[:3]),
        timezone,
    )


def _values(text: str, field: _Field, written: str) -> set[int]:
    """Return the numbers that a field matches.

    Raises:
        InputError: naming the text, the field and how to fix it.
    """
    values: set[int] = set()
    for part in written.split(","):
        found = _PART.fullmatch(part)
        if found is None:
            raise _bad(text, field, part, "is invalid: write a number, *, a range 1-5, a step */5, or a list 1,3")
        star, first, last, step = found.groups()
        if step is not None and first is not None and last is None:
            raise _bad(text, field, part, f"has a step but no range: write {first}-{field.high}/{step} or */{step}")
        low = field.low if star else _number(text, field, first)
        high = field.high if star else _number(text, field, last) if last else low
        # Sunday also ends a week, as in fri-sun.
        high = 7 if field.names is _WEEKDAYS and last and high == 0 < low else high
        if high < low:
            raise _bad(text, field, part, f"goes backwards: write {first}-{field.high},{field.low}-{last}")
        values.update(range(low, high + 1, _step(text, field, part, step)))
    return values


def _number(text: str, field: _Field, written: str) -> int:
    if written.lower() in field.names:
        return field.low + field.names.index(written.lower())
    if written.isdigit() and field.low <= int(written) <= field.high:
        return int(written)
    names = f", or a name from {field.names[0]} to {field.names[-1]}" if field.names else ""
    raise _bad(text, field, written, f"is out of range: write {field.low} to {field.high}{names}")


def _step(text: str, field: _Field, part: str, step: str | None) -> int:
    largest = field.high - field.low + 1
    if step is None:
        return 1
    if not 1 <= int(step) <= largest:
        raise _bad(text, field, part, f"has a step of {int(step)}: write 1 to {largest}")
    return int(step)


def _bad(text: str, field: _Field, written: str, wrong: str) -> InputError:
    return InputError(f"schedule {_quoted(text)}: {field.name} {_quoted(written)} {wrong}")


def _quoted(what: object) -> str:
    """Return `what` as a literal on one line, truncated if it is long."""
    if not isinstance(what, str):
        what = str(what) if isinstance(what, timedelta) else repr(what)
        return what if len(what) <= 60 else f"{what[:57]}..."
    return repr(what if len(what) <= 60 else f"{what[:57]}...")
