"""Parsing and formatting of times."""

import contextlib
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tickboard.errors import InputError
from tickboard.times import MAX_TIME_MS, Time, parse_time, time_text

NOW_MS = 1_769_860_800_000
"""2026-01-31T12:00:00Z."""

times_ms = st.integers(0, MAX_TIME_MS)
offsets = st.integers(-23 * 60 - 59, 23 * 60 + 59)


def parsed(given: Time) -> int:
    return parse_time("from", given, NOW_MS)


@pytest.mark.parametrize(
    ("text", "time_ms"),
    [
        ("now", NOW_MS),
        (" now ", NOW_MS),
        ("-15m", NOW_MS - 900_000),
        ("-1.5h", NOW_MS - 5_400_000),
        ("-250ms", NOW_MS - 250),
        ("-0s", NOW_MS),
        ("2026-01-31T12:00:00Z", NOW_MS),
        ("2026-01-31t12:00:00z", NOW_MS),
        ("2026-01-31 12:00:00Z", NOW_MS),
        ("2026-01-31T13:30:00+01:30", NOW_MS),
        ("2026-01-31T07:00:00-05:00", NOW_MS),
        ("2026-01-31T12:00:00.25Z", NOW_MS + 250),
        ("2026-01-31T12:00:00.123Z", NOW_MS + 123),
    ],
)
def test_a_time_is_parsed_to_whole_milliseconds(text: str, time_ms: int) -> None:
    assert parsed(text) == time_ms


def test_a_fraction_of_a_millisecond_is_rounded_up() -> None:
    assert parsed("2026-01-31T12:00:00.0000001Z") == NOW_MS + 1
    assert parsed("2026-01-31T12:00:00.123000000000000000000000000000Z") == NOW_MS + 123
    assert parsed(datetime(2026, 1, 31, 12, 0, 0, 1, UTC)) == NOW_MS + 1


@pytest.mark.parametrize("text", ["1969-12-31T23:59:59Z", "0001-01-01T00:00:00+23:59", "-36500d"])
def test_times_before_1970_become_1970(text: str) -> None:
    assert parsed(text) == 0


def test_times_after_9999_become_the_last_of_that_year() -> None:
    assert parsed("9999-12-31T23:59:59.9999-23:59") == MAX_TIME_MS
    assert parsed(MAX_TIME_MS) == MAX_TIME_MS
    assert time_text(MAX_TIME_MS) == "9999-12-31T23:59:59.999Z"


@pytest.mark.parametrize(
    ("given", "fix"),
    [
        ("", "give a time such as 2026-01-31T12:00:00Z, an age such as -15m, or now"),
        ("yesterday", "give a time such as"),
        ("15m", "give a time such as"),
        ("-15", "give a time such as"),
        ("--15m", "give a time such as"),
        ("-36501d", "the longest is 36500d"),
        ("2026-01-31", "give a time such as"),
        ("2026-01-31T12:00:00", "give a time such as"),
        ("2026-02-30T12:00:00Z", "give a time such as"),
        ("2026-01-31T24:00:00Z", "give a time such as"),
        ("2026-01-31T12:00:00+24:00", "give a time such as"),
        ("2026-01-31T12:00:00+01:60", "give a time such as"),
        ("2026-01-31T12:00:00 01:00", 'in an address, write "+" as %2B'),
        ("٢026-01-31T12:00:00Z", "give a time such as"),
        ("1769860800", "give a time such as"),
        (float("nan"), "give a time such as"),
        (float("inf"), "give a time such as"),
        (1e306, "give a time such as"),
        (10**400, "give a time such as"),
        (True, "give a time such as"),
        (None, "give a time such as"),
        (datetime(2026, 1, 31), "give it a timezone, as in datetime.now(UTC)"),  # noqa: DTZ001
    ],
)
def test_an_invalid_time_raises_an_error_that_names_the_parameter(given: Time, fix: str) -> None:
    with pytest.raises(InputError, match=r"^from=") as refused:
        parsed(given)
    assert fix in str(refused.value)
    assert "\n" not in str(refused.value)


def test_the_error_shows_only_the_beginning_of_a_long_text() -> None:
    with pytest.raises(InputError) as refused:
        parsed("-" + "9" * 10_000 + "m")
    assert len(str(refused.value)) < 200


@given(times_ms)
def test_a_formatted_time_is_parsed_to_the_same_time(time_ms: int) -> None:
    assert parsed(time_text(time_ms)) == time_ms
    assert parsed(time_ms / 1000) == time_ms


@given(st.datetimes(datetime(1971, 1, 1), datetime(9998, 1, 1)), offsets, st.booleans())  # noqa: DTZ001
def test_a_datetime_and_its_text_are_parsed_to_the_same_time(time: datetime, offset: int, spaced: bool) -> None:
    there = time.replace(tzinfo=timezone(timedelta(minutes=offset)))
    text = there.isoformat(" " if spaced else "T", timespec="microseconds")
    assert parsed(text) == parsed(there)
    later = timedelta(milliseconds=parsed(there)) - (there - datetime(1970, 1, 1, tzinfo=UTC))
    assert timedelta() <= later < timedelta(milliseconds=1)


@given(st.integers(0, 800_000), st.sampled_from(["ms", "s", "m", "h"]))
def test_an_age_is_subtracted_from_now(length: int, unit: str) -> None:
    unit_ms = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000}[unit]
    assert parsed(f"-{length}{unit}") == max(0, NOW_MS - length * unit_ms)


@given(st.text(max_size=60))
def test_any_text_is_parsed_or_raises_an_input_error(text: str) -> None:
    found = None
    with contextlib.suppress(InputError):
        found = parsed(text)
    assert found is None or 0 <= found <= MAX_TIME_MS
