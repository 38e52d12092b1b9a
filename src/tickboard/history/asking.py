"""Makes questions to history from the parameters of people and programs, and checks their limits."""

from collections.abc import Sequence
from typing import Final

from tickboard.errors import InputError
from tickboard.history.answers import ChangesQuestion, Question
from tickboard.metrics.selectors import why_refused
from tickboard.times import Time, parse_time

START, END = "-1h", "now"
"""The range if none is given."""

POINTS, MAX_POINTS = 500, 5_000
"""Buckets for each series: the default, and the most that can be asked for."""

STATS: Final = ("min", "max", "avg", "count")
"""What an answer can have of each bucket."""

CHANGES_START = "-10m"
"""The beginning of the range that is compared, if none is given."""

LIMIT, MAX_LIMIT = 20, 10_000
"""Series in a list of changes: the default, and the most that can be asked for."""

MAX_COMPARED_DAYS = 31
"""The longest range that can be compared."""

DAY_MS = 86_400_000


def question(
    metrics: Sequence[str],
    start: Time,
    end: Time,
    points: int,
    now_ms: int,
    names: tuple[str, str, str] = ("start", "end", "metrics"),
) -> Question:
    """Check the parameters of a question and return it.

    Args:
        metrics: selectors; empty: every series.
        start: the beginning of the range, inclusive.
        end: the end of the range, exclusive.
        points: the most buckets for each series, 1 to `MAX_POINTS`.
        now_ms: the current time, POSIX milliseconds.
        names: how errors name the parameters `start`, `end` and `metrics`.

    Raises:
        InputError: a parameter cannot be used.
    """
    patterns = selectors(metrics, names[2])
    start_ms, end_ms = time_range(start, end, now_ms, names[:2])
    _check_whole("points", points, MAX_POINTS)
    return Question(patterns, start_ms, end_ms, points)


def comparison(
    metrics: Sequence[str],
    start: Time,
    end: Time,
    baseline_start: Time | None,
    baseline_end: Time | None,
    limit: int,
    now_ms: int,
    names: tuple[str, str, str, str] = ("start", "end", "baseline_start", "baseline_end"),
) -> ChangesQuestion:
    """Check the parameters of a comparison and return it.

    Args:
        metrics: selectors; empty: every series.
        start: the beginning of the range, inclusive.
        end: its end, exclusive.
        baseline_start: the beginning of the range to compare with; None: both ranges have the same length.
        baseline_end: its end, exclusive; None: `start`.
        limit: the most series, 1 to `MAX_LIMIT`.
        now_ms: the current time, POSIX milliseconds.
        names: how errors name the four times.

    Raises:
        InputError: a parameter cannot be used.
    """
    patterns = selectors(metrics)
    start_ms, end_ms = time_range(start, end, now_ms, names[:2])
    length_ms = end_ms - start_ms
    _check_length(length_ms, f"{names[0]}={start!s:.40} makes a range")
    until_ms = start_ms if baseline_end is None else parse_time(names[3], baseline_end, now_ms)
    since_ms = max(0, until_ms - length_ms)
    if baseline_start is not None:
        since_ms = parse_time(names[2], baseline_start, now_ms)
    if since_ms >= until_ms:
        until = f"{names[0]}={start!s:.40}" if baseline_end is None else f"{names[3]}={baseline_end!s:.40}"
        if baseline_start is None:
            raise InputError(f"the baseline is empty: there is no time before {until}: give a later time")
        since = f"{names[2]}={baseline_start!s:.40}"
        raise InputError(f"the baseline is empty: {since} is not before {until}: give an earlier time")
    _check_length(until_ms - since_ms, f"{names[2]}={baseline_start!s:.40} makes a baseline")
    _check_whole("limit", limit, MAX_LIMIT)
    return ChangesQuestion(patterns, start_ms, end_ms, since_ms, until_ms, limit)


def selectors(metrics: Sequence[str], name: str = "metrics") -> tuple[str, ...]:
    """Check selectors and return them.

    Raises:
        InputError: one cannot be used.
    """
    if not all(isinstance(text, str) for text in metrics):
        raise InputError(f'{name} {metrics!r:.80}: give selectors, as "cpu_usage" or "disk_*"')
    if why := why_refused(list(metrics), name):
        raise InputError(why)
    return tuple(metrics)


def time_range(start: Time, end: Time, now_ms: int, names: tuple[str, str]) -> tuple[int, int]:
    """Return the beginning and the end of a range, POSIX milliseconds.

    Raises:
        InputError: one is not a time, or the range is empty.
    """
    start_ms, end_ms = parse_time(names[0], start, now_ms), parse_time(names[1], end, now_ms)
    if start_ms >= end_ms:
        raise InputError(f"{names[0]}={start!s:.40} is not before {names[1]}={end!s:.40}: give an earlier time")
    return start_ms, end_ms


def _check_length(length_ms: int, what: str) -> None:
    if length_ms > MAX_COMPARED_DAYS * DAY_MS:
        raise InputError(f"{what} of {length_ms / DAY_MS:.1f} days: compare {MAX_COMPARED_DAYS} days at most")


def _check_whole(name: str, number: object, most: int) -> None:
    if type(number) is not int or not 1 <= number <= most:
        raise InputError(f"{name}={number!r:.40}: give a whole number from 1 to {most}")
