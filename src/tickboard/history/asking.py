"""Questions to history, made from the parameters that people and programs give, and their limits."""

from collections.abc import Sequence

from tickboard.errors import InputError
from tickboard.history.answers import Question
from tickboard.metrics.selectors import why_refused
from tickboard.times import Time, parse_time

START, END = "-1h", "now"
"""The range if none is given."""

POINTS, MAX_POINTS = 500, 5_000
"""Buckets for each series: the default, and the most that can be asked for."""


def question(
    metrics: Sequence[str],
    start: Time,
    end: Time,
    points: int,
    now_ms: int,
    names: tuple[str, str] = ("start", "end"),
) -> Question:
    """Check the parameters of a question and return it.

    Args:
        metrics: selectors; if there are none, every series is read.
        start: the beginning of the range, inclusive.
        end: the end of the range, exclusive.
        points: the most buckets for each series, 1 to `MAX_POINTS`.
        now_ms: the current time, POSIX milliseconds.
        names: how errors name the parameters `start` and `end`.

    Raises:
        InputError: a parameter cannot be used.
    """
    if not all(isinstance(text, str) for text in metrics):
        raise InputError(f'metrics {metrics!r:.80}: give selectors, as "cpu_usage" or "disk.*"')
    if why := why_refused(list(metrics), "metrics"):
        raise InputError(why)
    start_ms, end_ms = parse_time(names[0], start, now_ms), parse_time(names[1], end, now_ms)
    if start_ms >= end_ms:
        raise InputError(f"{names[0]}={start!s:.40} is not before {names[1]}={end!s:.40}: give an earlier {names[0]}")
    number: object = points
    if type(number) is not int or not 1 <= number <= MAX_POINTS:
        raise InputError(f"points={number!r:.40}: give a whole number from 1 to {MAX_POINTS}")
    return Question(tuple(metrics), start_ms, end_ms, points)
