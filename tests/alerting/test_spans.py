"""When alerts fired, thinned by steps of time."""

import pytest

from tickboard.alerting.spans import Found, SpanQuestion, span_question, spans_in, thinned
from tickboard.times import parse_time, time_text
from tickboard.wire import Alert, AlertSpan, Severity

NOON = "2026-01-31T12:00:00.000Z"
LATER = "2026-01-31T13:00:00.000Z"


def at(time: str) -> str:
    return f"2026-01-31T{time}.000Z"


def found(severity: Severity, began: str, ended: str = "") -> Found:
    return severity, at(began), at(ended) if ended else "", 1


@pytest.mark.parametrize(
    ("seconds", "points", "characters", "step_ms"),
    [
        (60, 60, 19, 1_000),
        (61, 60, 18, 10_000),
        (3_600, 60, 16, 60_000),
        (3_601, 60, 15, 600_000),
        (86_400, 60, 13, 3_600_000),
        (86_400 * 60, 60, 10, 86_400_000),
        (86_400 * 6_000, 60, 10, 86_400_000),
    ],
)
def test_a_step_is_the_shortest_of_which_the_range_has_at_most_as_many_as_asked(
    seconds: int, points: int, characters: int, step_ms: int
) -> None:
    end = time_text(parse_time("to", NOON, 0) + 1_000 * seconds)
    assert span_question(NOON, end, points) == SpanQuestion(NOON, end, characters, step_ms)


def test_alerts_that_began_in_one_step_are_one_span_from_the_first_beginning_to_the_last_end() -> None:
    asked = SpanQuestion(NOON, LATER, 16, 60_000)
    spans = [
        found("warning", "12:01:50", "12:01:55"),
        found("warning", "12:01:05", "12:01:10"),
        found("critical", "12:01:20", "12:30:00"),
        found("warning", "12:02:00", "12:02:10"),
    ]
    answer = thinned(spans, asked)
    assert (answer.start, answer.end, answer.step_ms) == (NOON, LATER, 60_000)
    assert answer.spans == [
        AlertSpan("warning", at("12:01:05"), 2, at("12:01:55")),
        AlertSpan("critical", at("12:01:20"), 1, at("12:30:00")),
        AlertSpan("warning", at("12:02:00"), 1, at("12:02:10")),
    ]


@pytest.mark.parametrize("order", [1, -1])
def test_a_span_with_an_alert_that_fires_has_no_end(order: int) -> None:
    spans = [found("warning", "12:01:00"), found("warning", "12:01:05", "12:01:10")][::order]
    [span] = thinned(spans, SpanQuestion(NOON, LATER, 16, 60_000)).spans
    assert span == AlertSpan("warning", at("12:01:00"), 2)


def test_a_span_begins_no_earlier_than_the_range_and_is_of_what_fired_in_it() -> None:
    alerts = [
        Alert("over", "", "warning", at("11:00:00"), resolved=at("11:59:59")),
        Alert("edge", "", "warning", at("11:00:00"), resolved=NOON),
        Alert("fires", "", "critical", at("11:30:00")),
        Alert("late", "", "critical", LATER),
    ]
    assert spans_in(alerts, SpanQuestion(NOON, LATER, 19, 1_000)) == [
        ("warning", NOON, NOON, 1),
        ("critical", NOON, "", 1),
    ]
