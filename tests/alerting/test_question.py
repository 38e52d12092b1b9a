"""Which alerts a question is about."""

import pytest

from tickboard.alerting.question import AlertQuestion
from tickboard.wire import Alert

FIRING = Alert("a", "hot", "warning", "2026-01-31T12:00:00.000Z")
OVER = Alert("b", "hot", "critical", "2026-01-31T12:00:00.000Z", resolved="2026-01-31T12:05:00.000Z")


def question(
    state: str = "all", start: str | None = None, end: str | None = None, severity: str = "warning critical"
) -> AlertQuestion:
    at = {name: f"2026-01-31T{time}:00.000Z" for name, time in (("start", start), ("end", end)) if time is not None}
    return AlertQuestion(state, {"severity": frozenset(severity.split())}, 50, 1 << 40, **at)


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        (question(), "ab"),
        (question("active"), "a"),
        (question("resolved"), "b"),
        (question(severity="critical"), "b"),
        (question(start="12:05"), "ab"),
        (question(start="12:06"), "a"),
        (question(end="12:00"), ""),
        (question(end="12:01"), "ab"),
        (question(start="11:00", end="12:00"), ""),
    ],
)
def test_a_question_matches_alerts_by_state_fields_and_time(asked: AlertQuestion, found: str) -> None:
    assert "".join(alert.id for alert in (FIRING, OVER) if asked.matches(alert)) == found


def test_a_question_with_a_start_or_an_end_is_about_a_range_of_time() -> None:
    assert [each.is_of_range for each in (question(), question(start="12:00"), question(end="12:00"))] == [
        False,
        True,
        True,
    ]
