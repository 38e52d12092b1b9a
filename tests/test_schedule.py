import math
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from functools import cache
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tickboard.errors import InputError
from tickboard.schedule import MAX_DURATION_MS, MAX_MISSED, Interval, Schedule, duration, parse, written

BERLIN = ZoneInfo("Europe/Berlin")


def at(text: str, zone: ZoneInfo | None = None) -> float:
    """Return the instant of a wall time; a trailing `+01:00` distinguishes equal ones."""
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=zone or UTC)).timestamp()


def instants(schedule: Schedule, after: float, count: int, zone: ZoneInfo | None = None) -> list[str]:
    found = []
    for _ in range(count):
        after = schedule.next(after)
        found.append(datetime.fromtimestamp(after, zone or UTC).isoformat(sep=" "))
    return found


# --- durations ---


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("10s", 10),
        ("5m", 300),
        ("250ms", 0.25),
        ("2h", 7200),
        ("1d", 86400),
        ("2y", 730 * 86400),
        ("0s", 0),
        ("1.5s", 1.5),
        ("0.5ms", 0.0005),
        (" 10 s ", 10),
        ("36500d", 36500 * 86400),
    ],
)
def test_a_duration_is_a_number_and_a_unit(text: str, seconds: float) -> None:
    assert duration(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "10", "s", "10 seconds", "-1s", "1e3s", "٣s", "nans", "1s2s", "* * * * *", ".5s", "1.s"]
)
def test_the_error_for_a_bad_duration_says_how_to_fix_it(text: str) -> None:
    with pytest.raises(InputError) as caught:
        duration(text)
    wanted = "write a number and its unit (ms, s, m, h, d or y), as in 250ms or 10s"
    assert str(caught.value) == f"duration {text!r}: {wanted}"


def test_a_duration_beyond_a_hundred_years_is_refused() -> None:
    with pytest.raises(InputError, match="the longest is 36500d: write less"):
        duration("36501d")


@pytest.mark.parametrize(
    ("length", "seconds", "text"),
    [
        (10, 10.0, "10s"),
        (0.1, 0.1, "100ms"),
        (np.float64(1.5), 1.5, "1500ms"),
        (np.int64(3), 3.0, "3s"),
        (timedelta(hours=2), 7200.0, "7200s"),
        (timedelta(microseconds=1), 1e-6, "0.001ms"),
        (" 5m ", 300.0, "5m"),
        (0, 0.0, "0s"),
    ],
)
def test_a_duration_may_be_text_seconds_or_a_timedelta(length: Any, seconds: float, text: str) -> None:
    assert duration(length) == seconds
    assert written(length) == text
    assert duration(text) == pytest.approx(seconds, abs=0)


@pytest.mark.parametrize(
    "length",
    [
        True,
        None,
        [],
        math.nan,
        math.inf,
        b"1s",
        "x" * 99,
        object(),
        10**400,
        np.timedelta64(5, "s"),
        np.array([1.0]),
        np.True_,
    ],
)
def test_a_value_that_is_not_a_duration_is_refused(length: Any) -> None:
    with pytest.raises(InputError, match=r"duration .*: write a number and its unit"):
        duration(length)


@pytest.mark.parametrize("length", [-1, -0.5, timedelta(seconds=-1)])
def test_a_negative_duration_is_refused(length: Any) -> None:
    with pytest.raises(InputError, match=r"duration -.* is negative: write 0 or more"):
        duration(length)


def test_a_number_of_seconds_beyond_a_hundred_years_is_refused() -> None:
    with pytest.raises(InputError, match="the longest is 36500d: write less"):
        duration(1e30)


# --- intervals ---


@pytest.mark.parametrize(
    ("text", "interval_ms"),
    [
        ("10ms", 10),
        ("250ms", 250),
        ("1s", 1000),
        ("10.0s", 10_000),
        ("0.5s", 500),
        ("5m", 300_000),
        ("2h", 7_200_000),
        ("1 d", 86_400_000),
    ],
)
def test_an_interval_is_parsed(text: str, interval_ms: int) -> None:
    assert parse(text) == Interval(interval_ms)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("9ms", "schedule '9ms': the shortest interval is 10ms: write that or more"),
        ("0s", "schedule '0s': the shortest interval is 10ms: write that or more"),
        ("10.5ms", "schedule '10.5ms': an interval has whole milliseconds: write a whole number of ms"),
        ("99999d", "schedule '99999d': the longest is 36500d: write less"),
    ],
)
def test_an_unusable_interval_is_refused(text: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        parse(text)
    assert str(caught.value) == message


def test_an_interval_is_due_at_multiples_of_itself() -> None:
    every = parse("250ms")
    assert every.next(1000.1) == 1000.25
    assert every.next(1000.25) == 1000.5
    assert every.next(-0.1) == 0
    assert parse("5m").next(at("2026-01-01 00:01:00")) == at("2026-01-01 00:05:00")


@settings(deadline=None)
@given(
    interval_ms=st.integers(10, MAX_DURATION_MS) | st.integers(10, 1000),
    after=st.floats(-1e9, 4e9) | st.integers(0, 4_000_000_000_000).map(lambda ms: ms / 1000),
)
@example(interval_ms=10, after=1764000000.07)
@example(interval_ms=10, after=1764000000.0700002)
@example(interval_ms=30, after=1764000000.0299997)
@example(interval_ms=833931, after=5788315.0709999995)  # multiplied by 1000 it rounds up to the next instant
def test_the_next_instant_of_an_interval_is_later_and_skips_none(interval_ms: int, after: float) -> None:
    due = Interval(interval_ms).next(after)
    index, rest = divmod(round(due * 1000), interval_ms)
    assert rest == 0
    assert due == index * interval_ms / 1000
    assert due > after >= (index - 1) * interval_ms / 1000


@settings(deadline=None)
@given(interval_ms=st.integers(10, 100_000), start=st.integers(0, 10**8), count=st.integers(1, 50))
def test_a_chain_of_instants_is_evenly_spaced(interval_ms: int, start: int, count: int) -> None:
    every = Interval(interval_ms)
    due = start * interval_ms / 1000
    for step in range(1, count + 1):
        due = every.next(due)
        assert due == (start + step) * interval_ms / 1000


@settings(deadline=None)
@given(
    interval_ms=st.integers(10, 5000),
    due=st.floats(1e9, 3e9),
    late_s=st.floats(0, 5),
)
def test_the_number_of_missed_instants_matches_repeated_next(interval_ms: int, due: float, late_s: float) -> None:
    every, now, count = Interval(interval_ms), due + late_s, 0
    after = due
    while (after := every.next(after)) <= now:
        count += 1
    assert every.missed(due, now) == count


def test_missed_is_cheap_and_exact_for_intervals_and_never_negative() -> None:
    assert parse("10ms").missed(0, 1_000_000_000) == 100_000_000_000
    assert parse("1s").missed(10, 10) == 0
    assert parse("1s").missed(10, 10.999) == 0
    assert parse("1s").missed(10, 11) == 1
    assert parse("1s").missed(10, 5) == 0


# --- cron, in UTC ---

UTC_ZONE = ZoneInfo("UTC")


@pytest.mark.parametrize(
    ("text", "after", "expected"),
    [
        ("* * * * * *", "2026-01-01 00:00:00", "2026-01-01 00:00:01"),
        ("* * * * *", "2026-01-01 00:00:00", "2026-01-01 00:01:00"),
        ("*/5 * * * * *", "2026-01-01 00:00:56", "2026-01-01 00:01:00"),
        ("1-10/2 * * * * *", "2026-01-01 00:00:07", "2026-01-01 00:00:09"),
        ("1-10/2 * * * * *", "2026-01-01 00:00:09", "2026-01-01 00:01:01"),
        ("30,10,50 * * * * *", "2026-01-01 00:00:10", "2026-01-01 00:00:30"),
        ("0 59 23 31 12 *", "2026-01-01 00:00:00", "2026-12-31 23:59:00"),
        ("0 59 23 31 12 *", "2026-12-31 23:59:00", "2027-12-31 23:59:00"),
        ("15 10 8 * * *", "2026-01-01 08:10:15", "2026-01-02 08:10:15"),
        ("15 10 8 * * *", "2026-01-01 08:09:59", "2026-01-01 08:10:15"),
        ("15 10 8,20 * * *", "2026-01-01 08:30:00", "2026-01-01 20:10:15"),
        ("0 0 29 feb *", "2026-01-01 00:00:00", "2028-02-29 00:00:00"),
        ("0 0 29 2 *", "2096-03-01 00:00:00", "2104-02-29 00:00:00"),
        ("0 0 31 * *", "2026-03-31 00:00:00", "2026-05-31 00:00:00"),
        ("0 0 * JAN-mar/2 *", "2026-01-31 00:00:00", "2026-03-01 00:00:00"),
        ("0 0 * 12,1 *", "2026-12-31 00:00:00", "2027-01-01 00:00:00"),
        # Sunday is 0 and 7; 2026-01-04 is a Sunday.
        ("0 0 * * 0", "2026-01-01 00:00:00", "2026-01-04 00:00:00"),
        ("0 0 * * 7", "2026-01-01 00:00:00", "2026-01-04 00:00:00"),
        ("0 0 * * Sun", "2026-01-01 00:00:00", "2026-01-04 00:00:00"),
        ("0 0 * * sat-sun", "2026-01-03 00:00:00", "2026-01-04 00:00:00"),
        ("0 0 * * sun-mon", "2026-01-01 00:00:00", "2026-01-04 00:00:00"),
        ("0 0 * * 5-7", "2026-01-03 00:00:00", "2026-01-04 00:00:00"),
        ("0 0 * * mon-fri", "2026-01-02 00:00:00", "2026-01-05 00:00:00"),
        # Vixie's rule: either day is enough, unless one begins with a star.
        ("0 0 13 * 5", "2026-01-02 00:00:00", "2026-01-09 00:00:00"),
        ("0 0 13 * 5", "2026-01-09 00:00:00", "2026-01-13 00:00:00"),
        ("0 0 30 2 1", "2026-01-31 00:00:00", "2026-02-02 00:00:00"),
        ("0 0 */2 * 5", "2026-01-01 00:00:00", "2026-01-09 00:00:00"),
        ("0 0 13 * */5", "2026-01-13 00:00:00", "2026-02-13 00:00:00"),
        ("@hourly", "2026-01-01 00:00:00", "2026-01-01 01:00:00"),
        ("@daily", "2026-01-01 00:00:00", "2026-01-02 00:00:00"),
        ("@midnight", "2026-01-01 00:00:00", "2026-01-02 00:00:00"),
        ("@Weekly", "2026-01-01 00:00:00", "2026-01-04 00:00:00"),
        ("@monthly", "2026-01-01 00:00:00", "2026-02-01 00:00:00"),
        ("@yearly", "2026-01-01 00:00:00", "2027-01-01 00:00:00"),
        (" @annually ", "2026-01-01 00:00:00", "2027-01-01 00:00:00"),
        ("  0   0 * * *  ", "2026-01-01 00:00:00", "2026-01-02 00:00:00"),
    ],
)
def test_the_next_instant_of_a_cron_text(text: str, after: str, expected: str) -> None:
    assert parse(text, UTC_ZONE).next(at(after)) == at(expected)


def test_a_fraction_of_a_second_does_not_matter() -> None:
    every_second = parse("* * * * * *", UTC_ZONE)
    assert every_second.next(99.999) == 100
    assert every_second.next(100) == 101
    assert every_second.next(100.0001) == 101
    assert every_second.next(-0.5) == 0


def test_missed_instants_of_cron_are_counted_up_to_a_limit() -> None:
    every_second = parse("* * * * * *", UTC_ZONE)
    assert every_second.missed(100, 100.9) == 0
    assert every_second.missed(100, 107) == 7
    assert every_second.missed(100, 50) == 0
    assert every_second.missed(0, 1_000_000) == MAX_MISSED
    assert parse("@daily", UTC_ZONE).missed(0, 10 * 86400) == 10


# --- clock changes ---


def test_a_repeating_schedule_runs_through_the_repeated_hour() -> None:
    found = instants(parse("0 30 * * * *", BERLIN), at("2026-10-25 01:00", BERLIN), 4, BERLIN)
    assert found == [
        "2026-10-25 01:30:00+02:00",
        "2026-10-25 02:30:00+02:00",
        "2026-10-25 02:30:00+01:00",
        "2026-10-25 03:30:00+01:00",
    ]


def test_a_repeating_schedule_continues_after_the_skipped_hour() -> None:
    found = instants(parse("0 */30 1-3 * * *", BERLIN), at("2026-03-29 01:15", BERLIN), 3, BERLIN)
    assert found == ["2026-03-29 01:30:00+01:00", "2026-03-29 03:00:00+02:00", "2026-03-29 03:30:00+02:00"]


def test_a_fixed_time_fires_at_its_first_occurrence() -> None:
    found = instants(parse("30 2 * * *", BERLIN), at("2026-10-24 12:00", BERLIN), 2, BERLIN)
    assert found == ["2026-10-25 02:30:00+02:00", "2026-10-26 02:30:00+01:00"]
    between = at("2026-10-25 02:10:00+01:00")
    assert instants(parse("30 2 * * *", BERLIN), between, 1, BERLIN) == ["2026-10-26 02:30:00+01:00"]


def test_skipped_fixed_times_fire_once_after_the_skipped_hour() -> None:
    found = instants(parse("15,45 2,4 * * *", BERLIN), at("2026-03-28 12:00", BERLIN), 4, BERLIN)
    assert found == [
        "2026-03-29 03:00:00+02:00",
        "2026-03-29 04:15:00+02:00",
        "2026-03-29 04:45:00+02:00",
        "2026-03-30 02:15:00+02:00",
    ]


def test_a_fixed_time_fires_once_on_every_day_of_the_year() -> None:
    daily = parse("30 2 * * *", BERLIN)
    days = [text[:10] for text in instants(daily, at("2026-01-01 00:00", BERLIN), 365, BERLIN)]
    assert days == [str(date(2026, 1, 1) + timedelta(day)) for day in range(365)]


def test_two_future_clock_changes_do_not_hide_each_other() -> None:
    found = instants(parse("* 0 1 1 *", BERLIN), at("2026-01-02 00:00", BERLIN), 1, BERLIN)
    assert found == ["2027-01-01 00:00:00+01:00"]


@pytest.fixture
def berlin_is_local(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    if not hasattr(time, "tzset"):
        pytest.skip("this platform cannot change the local timezone of a process")
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("berlin_is_local")
@pytest.mark.parametrize("text", ["* * * * * *", "30 2 * * *", "*/20 * * * *", "0 0 1 1 *"])
def test_the_local_timezone_is_the_default(text: str) -> None:
    for after in (at("2026-03-29 00:50", BERLIN), at("2026-10-25 01:50", BERLIN), at("2026-10-25 02:10+01:00")):
        assert instants(parse(text), after, 5) == instants(parse(text, BERLIN), after, 5)


# --- against a search through every second ---

WALKED_S = 6 * 3600
MOVES = {
    "none": ("UTC", "2026-02-28 20:00"),
    "an hour left out": ("Europe/Berlin", "2026-03-28 22:00"),
    "an hour twice": ("Europe/Berlin", "2026-10-24 22:00"),
    "half an hour left out": ("Australia/Lord_Howe", "2026-10-03 22:00"),
    "half an hour twice": ("Australia/Lord_Howe", "2026-04-04 22:00"),
    "midnight left out": ("Asia/Beirut", "2026-03-28 20:00"),
    "back over midnight": ("America/St_Johns", "2010-11-06 20:00"),
    "a whole day left out": ("Pacific/Apia", "2011-12-29 20:00"),
}


@cache
def walk(move: str) -> list[tuple[int, datetime]]:
    """Return each instant of six hours around a clock change, with its naive wall time."""
    zone = ZoneInfo(MOVES[move][0])
    start = int(at(MOVES[move][1], zone))
    return [(t, datetime.fromtimestamp(t, zone).replace(tzinfo=None, fold=0)) for t in range(start, start + WALKED_S)]


Written = tuple[str, set[int]]


@st.composite
def written_field(draw: st.DrawFn, low: int, high: int) -> Written:
    """Draw a field as text, and its meaning."""
    part = st.sampled_from(["star", "step", "one", "range", "stepped range"])
    texts, values = [], set[int]()
    for kind in draw(st.lists(part, min_size=1, max_size=2)):
        first = draw(st.integers(low, high))
        last = draw(st.integers(first, high))
        step = draw(st.integers(1, high - low + 1))
        text, meant = {
            "star": ("*", range(low, high + 1)),
            "step": (f"*/{step}", range(low, high + 1, step)),
            "one": (f"{first}", range(first, first + 1)),
            "range": (f"{first}-{last}", range(first, last + 1)),
            "stepped range": (f"{first}-{last}/{step}", range(first, last + 1, step)),
        }[kind]
        texts.append(text)
        values.update(meant)
    return ",".join(texts), values


days_of_cron = st.sampled_from(
    ["* * *", "29 * *", "1-31/2 * *", "* 2,3,10,11 *", "* * 0", "28-31 */1 mon", "*/2 * 6,7"]
)


def day_matches(text: str, day: datetime) -> bool:
    meant = {
        "* * *": True,
        "29 * *": day.day == 29,
        "1-31/2 * *": day.day % 2 == 1,
        "* 2,3,10,11 *": day.month in {2, 3, 10, 11},
        "* * 0": day.weekday() == 6,
        "28-31 */1 mon": day.day >= 28 or day.weekday() == 0,
        "*/2 * 6,7": day.day % 2 == 1 and day.weekday() >= 5,
    }
    return meant[text]


@settings(max_examples=150, deadline=None)
@given(
    move=st.sampled_from(list(MOVES)),
    second=written_field(0, 59),
    minute=written_field(0, 59),
    hour=written_field(0, 23),
    days=days_of_cron,
    start=st.integers(0, WALKED_S - 2),
)
def test_cron_agrees_with_a_search_through_every_second(
    move: str, second: Written, minute: Written, hour: Written, days: str, start: int
) -> None:
    def names(wall: datetime) -> bool:
        of_day = wall.second in second[1] and wall.minute in minute[1] and wall.hour in hour[1]
        return of_day and day_matches(days, wall)

    def reaches(furthest: datetime, wall: datetime) -> bool:
        return any(names(wall - timedelta(seconds=back)) for back in range(int((wall - furthest).total_seconds())))

    written = [second[0], minute[0], hour[0]]
    repeats = any(field.startswith("*") for field in written)
    past, future = walk(move)[: start + 1], walk(move)[start + 1 :]
    furthest, expected = max(wall for _, wall in past), None
    for t, wall in future:
        if names(wall) if repeats else reaches(furthest, wall):
            expected = t
            break
        furthest = max(furthest, wall)
    due = parse(" ".join([*written, days]), ZoneInfo(MOVES[move][0])).next(past[-1][0])
    assert due == expected if expected is not None else due > future[-1][0]


@settings(max_examples=50, deadline=None)
@given(
    after=st.integers(0, 4_000_000_000), text=st.sampled_from(["30 2 * * *", "@hourly", "0 0 29 2 *", "0 9 * * 1-5"])
)
def test_instants_only_increase_and_none_is_skipped(after: int, text: str) -> None:
    schedule = parse(text, BERLIN)
    found = [schedule.next(after)]
    for _ in range(5):
        found.append(schedule.next(found[-1]))
    assert found[0] > after
    for earlier, later in pairwise(found):
        assert earlier < later
        assert schedule.next((earlier + later) / 2) == later
        assert schedule.next(later - 1) == later


# --- errors ---


@pytest.mark.parametrize(
    ("text", "named", "fix"),
    [
        ("", "has 0 fields", 'an interval, as in "1s"'),
        ("x", "'x'", 'cron, as in "* * * * * *"'),
        ("10", "'10'", "a number and its unit"),
        ("*", "has 1 field:", "write six"),
        ("* * *", "has 3 fields", "write six"),
        ("* * * * * * *", "has 7 fields", "write six"),
        ("@reboot", "no such name", "use one of @yearly"),
        ("60 * * * * *", "second '60' is out of range", "write 0 to 59"),
        ("* 60 * * * *", "minute '60' is out of range", "write 0 to 59"),
        ("* * 24 * * *", "hour '24' is out of range", "write 0 to 23"),
        ("* * * 0 * *", "day of the month '0' is out of range", "write 1 to 31"),
        ("* * * * 13 *", "month '13' is out of range", "write 1 to 12, or a name from jan to dec"),
        ("* * * * * 8", "day of the week '8' is out of range", "write 0 to 7, or a name from sun to sat"),
        ("* * * * * jan", "day of the week 'jan' is out of range", "sun to sat"),
        ("mon * * * * *", "second 'mon' is out of range", "write 0 to 59"),
        ("5-1 * * * * *", "second '5-1' goes backwards", "write 5-59,0-1"),
        ("* * * * fri-mon", "day of the week 'fri-mon' goes backwards", "write fri-7,0-mon"),
        ("5/10 * * * * *", "second '5/10' has a step but no range", "write 5-59/10 or */10"),
        ("*/0 * * * * *", "second '*/0' has a step of 0", "write 1 to 60"),
        ("*/61 * * * * *", "second '*/61' has a step of 61", "write 1 to 60"),
        ("1,,2 * * * * *", "second '' is invalid", "write a number"),
        ("? * * * * *", "second '?' is invalid", "write a number"),
        ("-1 * * * * *", "second '-1' is invalid", "write a number"),
        ("1- * * * * *", "second '1-' is invalid", "write a number"),
        ("* * * L * *", "day of the month 'L' is out of range", "write 1 to 31"),
        ("٣ * * * * *", "is invalid", "write a number"),
        ("0 0 30 2 *", "never due: no month '2' has a day of the month '30'", "change either"),
        ("0 0 31 feb,apr,jun,sep,nov *", "never due", "change either"),
        ("0 0 30 2 */2", "never due", "change either"),
    ],
)
def test_the_error_for_a_bad_schedule_names_the_field_and_the_fix(text: str, named: str, fix: str) -> None:
    with pytest.raises(InputError) as caught:
        parse(text)
    message = str(caught.value)
    assert message.startswith(f"schedule {text!r}")
    assert named in message
    assert fix in message


@pytest.mark.parametrize("interval", [0.25, timedelta(milliseconds=250), "250ms"])
def test_an_interval_may_be_text_seconds_or_a_timedelta(interval: Any) -> None:
    assert parse(interval).next(0.1) == 0.25


@pytest.mark.parametrize("interval", [0, 0.001, timedelta(0)])
def test_an_interval_that_is_too_short_is_refused(interval: Any) -> None:
    with pytest.raises(InputError, match="the shortest interval is 10ms"):
        parse(interval)


@pytest.mark.parametrize("interval", [True, None, object()])
def test_a_value_that_is_not_a_schedule_is_refused(interval: Any) -> None:
    with pytest.raises(InputError, match=r"schedule .*: write a number and its unit"):
        parse(interval)


@settings(deadline=None)
@given(st.text(max_size=300) | st.text("0123456789*/-, ,msh@jan", max_size=40))
def test_any_text_is_either_a_schedule_or_a_one_line_error(text: str) -> None:
    wrong = ""
    try:
        assert parse(text, UTC_ZONE).next(1_764_000_000) > 1_764_000_000
    except InputError as error:
        wrong = str(error)
    assert "\n" not in wrong
    assert len(wrong) < 1000
