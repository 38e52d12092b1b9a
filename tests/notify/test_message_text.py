"""A digest summarizes many alerts in one short message."""

from collections.abc import Iterable

import msgspec
import pytest

from tickboard.notify.message_text import (
    MAX_LINES,
    MAX_TEXT,
    Message,
    Notice,
    compose_message,
    lasted,
    plain_line,
    trial,
)
from tickboard.wire import Alert, Severity

NOW = 1_769_860_830.0  # 2026-01-31T12:00:30Z
BEGAN = "2026-01-31T12:00:00.000Z"
ENDED = "2026-01-31T12:02:05.000Z"


def alert(
    id: str = "1",
    *,
    rule: str = "cpu_usage",
    value: float | None = 95.0,
    severity: Severity = "critical",
    host: str = "",
    message: str = "",
    threshold: float | None = 90.0,
) -> Alert:
    labels = {"host": host} if host else {}
    text = message or f"CPU usage critical: {value}%"
    return Alert(id, text, severity, BEGAN, rule, labels, value, rule=rule, started=BEGAN, threshold=threshold)


def over(one: Alert, ended: str = "") -> Alert:
    return msgspec.structs.replace(one, resolved=ENDED, ended=ended)


def lines(notices: Iterable[Notice]) -> list[str]:
    return compose_message("Shop", list(notices), NOW).body.split("\n")


def test_the_title_of_a_single_alert_says_everything() -> None:
    assert compose_message("Shop", [Notice(alert(), fired=True)], NOW) == Message(
        "Shop: CRITICAL CPU usage critical: 95.0%",
        "CRITICAL CPU usage critical: 95.0% (since 2026-01-31 12:00:00 UTC)",
        "failure",
    )


def test_a_resolved_alert_says_how_long_it_lasted_and_what_ended_it() -> None:
    message = compose_message("Shop", [Notice(over(alert(), "no value"), over=True)], NOW)
    assert message.title == "Shop: RESOLVED CPU usage critical: 95.0%"
    assert message.body.endswith("(no value, since 2026-01-31 12:00:00 UTC, for 2 min 5 s)")
    assert message.kind == "success"


def test_an_alert_that_fired_and_ended_before_it_was_sent_is_shown_as_both() -> None:
    message = compose_message("Shop", [Notice(over(alert()), fired=True, over=True)], NOW)
    assert message.title == "Shop: FIRED AND OVER CPU usage critical: 95.0%"


def test_an_alert_without_a_resolved_time_can_still_be_shown_as_resolved() -> None:
    assert lines([Notice(alert(), over=True)]) == ["RESOLVED CPU usage critical: 95.0% (since 2026-01-31 12:00:00 UTC)"]


def test_a_reminder_says_how_long_the_alert_has_been_firing() -> None:
    assert lines([Notice(alert())]) == [
        "STILL CRITICAL CPU usage critical: 95.0% (since 2026-01-31 12:00:00 UTC, for 30 s)"
    ]


def test_an_alert_without_a_start_time_started_when_it_fired() -> None:
    [line] = lines([Notice(msgspec.structs.replace(alert(), started=""), fired=True)])
    assert "since 2026-01-31 12:00:00 UTC" in line


def test_several_alerts_are_counted_in_the_title_and_listed_worst_first() -> None:
    message = compose_message(
        "Shop",
        [
            Notice(over(alert("1")), over=True),
            Notice(alert("2"), fired=False),
            Notice(over(alert("3")), fired=True, over=True),
            Notice(alert("4", severity="warning"), fired=True),
            Notice(alert("5"), fired=True),
        ],
        NOW,
    )
    assert message.title == "Shop: 2 firing, 1 still firing, 1 fired and over, 1 resolved (2 critical)"
    assert [line.split(" CPU")[0] for line in message.body.split("\n")] == [
        "CRITICAL",
        "WARNING",
        "STILL CRITICAL",
        "FIRED AND OVER",
        "RESOLVED",
    ]
    assert message.kind == "failure"


@pytest.mark.parametrize(("severity", "kind"), [("info", "info"), ("warning", "warning"), ("critical", "failure")])
def test_the_kind_of_a_message_is_the_worst_firing_severity(severity: Severity, kind: str) -> None:
    notices = [Notice(alert("1", severity="info"), fired=True), Notice(alert("2", severity=severity), fired=True)]
    assert compose_message("Shop", notices, NOW).kind == kind


def test_ten_thousand_series_of_a_rule_are_one_line_with_the_worst() -> None:
    notices = [Notice(alert(str(n), value=90 + n / 1000, host=f"web-{n}"), fired=True) for n in range(10_000)]
    message = compose_message("Shop", notices, NOW)
    assert message.title == "Shop: 10,000 firing (10,000 critical)"
    assert message.body == "CRITICAL cpu_usage: 10,000 series; worst: CPU usage critical: 99.999%"


def test_the_worst_series_is_judged_by_its_value_and_threshold() -> None:
    low = [Notice(alert(str(n), value=float(n), host=f"web-{n}", threshold=50.0), fired=True) for n in range(40)]
    assert lines(low)[0].endswith("worst: CPU usage critical: 0.0%")
    low[7] = Notice(msgspec.structs.replace(low[7].alert, peak=-100.0), fired=True)
    assert lines(low)[0].endswith("worst: CPU usage critical: 7.0%")
    free = [Notice(alert(str(n), value=float(n), host=f"web-{n}", threshold=None), fired=True) for n in range(40)]
    assert lines(free)[0].endswith("worst: CPU usage critical: 39.0%")
    none = [Notice(alert(str(n), value=None, host=f"web-{n}", message=f"m{n}"), fired=True) for n in range(40)]
    assert lines(none)[0].endswith("worst: m0")


def test_an_alert_of_another_host_begins_with_its_name() -> None:
    [first, second] = [
        msgspec.structs.replace(alert(id, host=id, value=value), host=id)
        for id, value in (("web-1", 91.0), ("web-2", 99.0))
    ]
    assert lines([Notice(first, fired=True)]) == [
        "CRITICAL web-1: CPU usage critical: 91.0% (since 2026-01-31 12:00:00 UTC)"
    ]
    many = [Notice(msgspec.structs.replace(first, id=str(number)), over=True) for number in range(MAX_LINES)]
    found = lines([Notice(first, fired=True), Notice(second, fired=True), *many])
    assert found[0] == "CRITICAL cpu_usage: 2 series; worst: web-2: CPU usage critical: 99.0%"


def test_a_flapping_series_is_counted_in_times() -> None:
    flaps = [Notice(over(alert(str(n))), fired=True, over=True) for n in range(30)]
    assert lines(flaps)[0].startswith("FIRED AND OVER cpu_usage: 30 times; worst:")
    two = [Notice(over(alert(str(n), host=f"web-{n % 2}")), over=True) for n in range(30)]
    assert lines(two) == ["RESOLVED cpu_usage: 30 times on 2 series"]


def test_a_rule_with_one_alert_keeps_its_own_line_among_many() -> None:
    notices = [Notice(alert(str(n), host=f"web-{n}"), fired=True) for n in range(30)]
    notices.append(Notice(alert("x", rule="disk", message="Disk full"), fired=True))
    assert lines(notices)[1] == "CRITICAL Disk full (since 2026-01-31 12:00:00 UTC)"


def test_rules_beyond_the_line_limit_are_counted() -> None:
    notices = [
        Notice(alert(f"{n}-{m}", rule=f"rule-{n:03}", host=f"{m}"), fired=True) for n in range(500) for m in (1, 2)
    ]
    shown = lines(notices)
    assert len(shown) == MAX_LINES
    assert shown[-1] == "and 962 alerts of 481 more rules"
    exactly = [
        Notice(alert(f"{n}-{m}", rule=f"rule-{n:03}", host=f"{m}"), fired=True) for n in range(20) for m in (1, 2)
    ]
    assert len(lines(exactly)) == MAX_LINES
    assert "more rules" not in lines(exactly)[-1]


def test_an_alert_without_a_rule_name_is_grouped_by_its_metric() -> None:
    notices = [Notice(msgspec.structs.replace(alert(str(n), host=f"web-{n}"), rule=""), fired=True) for n in range(30)]
    assert lines(notices)[0].startswith("CRITICAL cpu_usage: 30 series")


def test_a_message_mentions_lost_alerts() -> None:
    assert compose_message("Shop", [Notice(alert(), fired=True)], NOW, lost=True).body.count("\n") == 1


def test_untrusted_text_becomes_one_short_line() -> None:
    assert plain_line("a\r\nBcc: everyone\x00\x1b[31m\u202e b") == "a Bcc: everyone [31m b"
    assert plain_line("x" * 1000) == "x" * (MAX_TEXT - 1) + "…"
    message = compose_message("Shop\nX: y", [Notice(alert(message="a\nb" * 1000), fired=True)], NOW)
    assert "\n" not in message.title + message.body
    assert len(message.body) < 300


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "0 s"),
        (0.4, "0 s"),
        (59.9, "59 s"),
        (60, "1 min"),
        (125, "2 min 5 s"),
        (7200, "2 h"),
        (7260, "2 h 1 min"),
        (90_000, "1 d 1 h"),
        (86_400, "1 d"),
    ],
)
def test_a_duration_is_written_in_at_most_two_units(seconds: float, text: str) -> None:
    assert lasted(seconds) == text


def test_a_trial_message_says_that_it_is_a_test() -> None:
    assert trial("Shop") == Message("Shop: test", "This is a test: alerts of this board will be sent here.", "info")
