"""A mark says what happened at a time; what cannot be used is refused, and how many are kept is bounded."""

import pytest

from tickboard.alerting import marks as marks_module
from tickboard.alerting.marks import MAX_TEXT, MarkEvent, Marks, new_mark
from tickboard.errors import InputError
from tickboard.times import Time, parse_time
from tickboard.wire import Mark

NOW_MS = 1_769_860_800_000
"""2026-01-31T12:00:00Z."""

DAY_S = 86_400.0


def new(text: str = "deployed 1.4", at: Time | None = None, until: Time | None = None, by: str = "") -> Mark:
    return new_mark("m", text, at, until, by, NOW_MS, 7 * DAY_S)


def event(number: int, mark: Mark) -> MarkEvent:
    return MarkEvent(number, mark, 0.0)


def test_a_mark_is_a_moment_or_a_span_of_time() -> None:
    assert new() == Mark("m", "deployed 1.4", "2026-01-31T12:00:00.000Z", "")
    assert new(at="-15m", by="ci").timestamp == "2026-01-31T11:45:00.000Z"
    span = new("backup", "2026-01-31T12:00:00+01:00", "now", "cron")
    assert span == Mark("m", "backup", "2026-01-31T11:00:00.000Z", "cron", "2026-01-31T12:00:00.000Z")
    assert new(at=NOW_MS / 1000 + 60).timestamp == "2026-01-31T12:01:00.000Z"


def test_control_characters_in_a_mark_are_escaped() -> None:
    mark = new("first\nsecond \x1b[31m\u202e\udcff", by="\x07me")
    assert (mark.text, mark.by) == ("first second \\x1b[31m\\u202e\\udcff", "\\x07me")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"text": ""}, "text is empty: say what happened"),
        ({"text": " \n"}, "text is empty"),
        ({"text": "x" * 201}, "text=xxxxxxxxxxxxxxxxxxx… has 201 characters: give 200 at most"),
        ({"text": 7}, "text=7 is not a text: write it in quotes"),
        ({"by": "x" * 201}, "by=xxxxxxxxxxxxxxxxxxx… has 201 characters: give 200 at most"),
        ({"by": None}, "by=None is not a text"),
        ({"at": "yesterday"}, "at=yesterday: give a time such as 2026"),
        ({"until": "soon"}, "until=soon: give a time such as 2026"),
        ({"until": "-1s"}, "until=-1s is before at=now: give a later time"),
        ({"at": "-1h", "until": "-2h"}, "until=-2h is before at=-1h"),
        ({"at": "2027-02-02T00:00:00Z"}, "at=2027-02-02T00:00:00Z is more than 366 days ahead"),
        ({"until": "2999-01-01T00:00:00Z"}, "until=2999-01-01T00:00:00Z is more than 366 days ahead"),
        ({"at": "-8d"}, "at=-8d is longer ago than the 7 days that marks are kept"),
    ],
)
def test_an_invalid_argument_is_refused_by_name(given: dict[str, object], said: str) -> None:
    with pytest.raises(InputError) as caught:
        new(**given)  # type: ignore[arg-type]
    assert str(caught.value).startswith(said)


def test_the_longest_text_is_accepted() -> None:
    assert new("x" * MAX_TEXT).text == "x" * MAX_TEXT


def test_marks_with_the_same_text_and_second_are_the_same() -> None:
    marks = Marks([event(1, new(at="-1h", until="now", by="ci"))])
    same = new(at="-3601s", until="now", by="ci")
    assert marks.find_same(same) == new(at="-1h", until="now", by="ci")
    for other in (
        new("deployed 1.5", "-1h", "now", "ci"),
        new(at="-1h", until="now"),
        new(at="-3602s", until="now", by="ci"),
        new(at="-1h", until="-2s", by="ci"),
        new(at="-1h", by="ci"),
    ):
        assert marks.find_same(other) is None


def test_a_mark_is_compared_with_many_of_the_same_text_without_parsing_their_times(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    marks = Marks(event(number, new(at=f"-{number + 2}m")) for number in range(100))
    mark = new()
    read = []

    def parse(name: str, given: Time, now_ms: int) -> int:
        read.append(given)
        return parse_time(name, given, now_ms)

    monkeypatch.setattr(marks_module, "parse_time", parse)
    assert marks.find_same(mark) is None
    assert len(read) <= 2


def test_the_marks_that_overlap_a_range_are_ordered_by_time() -> None:
    told = [("c", "-10m", None), ("a", "-40m", "-20m"), ("b", "-30m", None), ("late", "-1m", None)]
    marks = Marks(event(number, new(text, at, until)) for number, (text, at, until) in enumerate(told))

    def between(start: str, end: str) -> list[str]:
        start, end = (new(at=time).timestamp for time in (start, end))
        return [mark.text for mark in marks.between(start, end, 2)]

    assert between("-1h", "now") == ["a", "b", "c"]
    assert between("-20m", "-10m") == ["a"]
    assert between("-19m", "-10m") == []
    assert between("-10m", "-9m") == ["c"]
    assert between("-40m", "-30m") == ["a"]
    assert between("-35m", "-29m") == ["a", "b"]


def test_the_first_mark_is_dropped_if_there_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(marks_module, "MAX_MARKS", 3)
    marks = Marks()
    for number in range(5):
        marks.add(event(number, new(f"{number}", f"-{number}m")))
    assert [kept.mark.text for kept in marks.events()] == ["2", "3", "4"]
    assert len(marks) == 3


def test_marks_that_ended_long_ago_are_dropped() -> None:
    marks = Marks([event(1, new("a", "-2h")), event(2, new("b", "-2h", "-1h")), event(3, new("c", "-30m"))])
    marks.expire(new(at="-1h").timestamp)
    assert [kept.mark.text for kept in marks.events()] == ["b", "c"]
