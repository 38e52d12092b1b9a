"""Every reader of the log gets each event once, and none that is not written to disk yet."""

from collections.abc import Sequence

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tickboard.alerting import log as alertlog
from tickboard.alerting.keeping import TRUST_S, Keeping
from tickboard.alerting.log import LOG_AGE_S, STEP_S, AlertEvent, AlertLog, EventKind, Events, LogEvent
from tickboard.alerting.marks import MarkEvent
from tickboard.errors import RateError
from tickboard.wire import Acknowledgement, Alert, Mark


def alert(number: int, note: str = "") -> Alert:
    return Alert(f"id{number}", "m", "info", "T", acknowledged=Acknowledgement("T", note=note) if note else None)


def numbers(events: Sequence[LogEvent]) -> list[int]:
    return [event.number for event in events]


def test_since_returns_each_later_event_once() -> None:
    log = AlertLog("e")
    for number in range(1, 6):
        log.append("firing", alert(number), float(number))
    assert numbers(log.since(2)) == [3, 4, 5]
    assert numbers(log.since(1, 2)) == [2, 3]
    assert log.since(5) == []
    assert log.since(99) == []
    log.append("resolved", alert(2), 6.0)
    assert [event.alert.id for event in log.firing()] == ["id1", "id3", "id4", "id5"]


def test_the_log_is_bounded_by_count_and_age(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alertlog, "LOG_EVENTS", 10)
    log = AlertLog("e")
    for number in range(15):
        log.append("firing", alert(number), float(number))
        log.pass_time(STEP_S)
        log.expire()
    assert numbers(log.since(0)) == list(range(6, 16))
    assert log.oldest == 1
    log.pass_time(LOG_AGE_S - 4 * STEP_S)
    log.expire()
    assert (log.since(0)[0].number, log.oldest) == (12, 12)
    assert len(log.firing()) == 15


@pytest.mark.parametrize("step_s", [-1e9, -86_400.0 * 2, -3_600.0, 3_600.0, 86_400.0 * 2, 1e9])
def test_no_event_is_dropped_because_the_wall_clock_steps(step_s: float) -> None:
    log = AlertLog("e", [AlertEvent(1, "firing", alert(1), 1e9), AlertEvent(2, "resolved", alert(1), 1e9 + step_s)])
    for number in range(3, 6):
        log.append("firing", alert(number), 1e9 + step_s * number)
        log.pass_time(LOG_AGE_S / 4)
        log.expire()
    assert numbers(log.since(0)) == [1, 2, 3, 4, 5]
    # The two events of an earlier run count as old as this run.
    log.pass_time(LOG_AGE_S / 4)
    log.expire()
    assert numbers(log.since(0)) == [3, 4, 5]
    log.pass_time(LOG_AGE_S)
    log.expire()
    assert (log.since(0), log.oldest, log.number) == ([], 6, 5)


def test_a_reader_can_resume_unless_events_after_its_position_were_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alertlog, "LOG_EVENTS", 2)
    log = AlertLog("e")
    assert [log.can_resume_after(number) for number in (0, 1)] == [True, False]
    for number in range(1, 5):
        log.append("firing", alert(number), 0.0)
    assert [log.can_resume_after(number) for number in (1, 2, 3, 4, 5)] == [False, True, True, True, False]
    expire_all(log)
    assert [log.can_resume_after(number) for number in (3, 4, 5)] == [False, True, False]


def expire_all(log: AlertLog) -> None:
    """Make every event of a log expire."""
    log.pass_time(STEP_S)
    log.expire()
    log.pass_time(LOG_AGE_S)
    log.expire()


def test_events_of_a_kept_log_are_published_only_after_they_are_written() -> None:
    log = AlertLog("e", kept=True)
    log.append("firing", alert(1), 0.0)
    log.append("firing", alert(2), 0.0)
    assert (log.since(0), log.firing()) == ([], [])
    log.publish(1)
    assert numbers(log.since(0)) == numbers(log.firing()) == [1]
    log.publish(99)
    log.publish(1)
    assert log.published == 2
    assert numbers(log.since(0)) == [1, 2]


def test_the_log_continues_after_the_events_of_an_earlier_run() -> None:
    before = [AlertEvent(7, "firing", alert(1), 1.0), AlertEvent(8, "firing", alert(2), 2.0)]
    log = AlertLog("e", [*before, AlertEvent(9, "resolved", alert(1), 3.0)])
    assert numbers(log.since(0)) == [7, 8, 9]
    assert numbers(log.firing()) == [8]
    assert log.append("resolved", alert(2), 4.0).number == 10
    assert AlertLog("e", number=5).append("firing", alert(1), 0.0).number == 6


def test_alerts_that_fire_since_before_the_log_starts_are_known() -> None:
    old = [AlertEvent(1, "firing", alert(1, "on it"), 1.0), AlertEvent(4, "firing", alert(4), 4.0)]
    events = [AlertEvent(4, "firing", alert(4), 4.0), AlertEvent(5, "changed", alert(1, "on it"), 5.0)]
    log = AlertLog("e", events, firing=old)
    assert [(event.number, event.alert) for event in log.firing()] == [(1, alert(1, "on it")), (4, alert(4))]
    assert [log.can_resume_after(number) for number in (2, 3)] == [False, True]
    assert numbers(log.since(0)) == [4, 5]
    log.append("resolved", alert(1), 6.0)
    assert numbers(log.firing()) == [4]


def test_a_changed_alert_keeps_the_number_of_its_first_event() -> None:
    log = AlertLog("e")
    log.append("firing", alert(1), 0.0)
    log.append("changed", alert(1, "on it"), 1.0)
    [firing] = log.firing()
    assert (firing.number, firing.kind, firing.alert) == (1, "firing", alert(1, "on it"))
    assert log.find(["id1"]) == {"id1": alert(1, "on it")}
    log.append("resolved", alert(1, "over"), 2.0)
    log.append("changed", alert(1, "late"), 3.0)
    assert log.firing() == []
    assert log.find(["id1"]) == {"id1": alert(1, "late")}
    assert log.find(["other"]) == {}


def test_each_alert_is_listed_once_in_its_latest_state_and_in_starting_order() -> None:
    log = AlertLog("e", [], 3, kept=True, firing=[AlertEvent(2, "firing", alert(1), 0.0)])
    assert log.alerts() == [(2, alert(1))]
    log.append("firing", alert(2), 0.0)
    log.append("firing", alert(3), 1.0)
    log.append("changed", alert(2, "on it"), 2.0)
    assert log.alerts() == [(2, alert(1))]
    log.publish(5)
    assert log.alerts()[0] == (2, alert(1))
    assert [number for number, _ in log.alerts()] == [2, 4, 5]
    log.publish(6)
    assert log.alerts() == [(2, alert(1)), (4, alert(2, "on it")), (5, alert(3))]
    log.pass_time(STEP_S)
    log.expire()
    log.append("resolved", alert(2, "over"), 3.0)
    log.publish(7)
    assert log.alerts() == [(2, alert(1)), (4, alert(2, "over")), (5, alert(3))]
    # It keeps its place when its firing event has left the log.
    log.pass_time(LOG_AGE_S)
    log.expire()
    assert numbers(log.since(0)) == [7]
    assert log.alerts() == [(2, alert(1)), (4, alert(2, "over")), (5, alert(3))]


@given(
    st.lists(st.tuples(st.sampled_from(["append", "tell", "read"]), st.integers(0, 3)), max_size=60),
    st.integers(0, 5),
)
def test_every_reader_gets_every_published_event_once_and_in_order(steps: list[tuple[str, int]], first: int) -> None:
    log = AlertLog("e", number=first, kept=True)
    read: list[int] = []
    at = first
    for step, more in steps:
        if step == "append":
            log.append("firing", alert(log.number), 0.0)
        elif step == "tell":
            log.publish(log.published + more)
        else:
            read += numbers(log.since(at))
            at = log.published
    assert read == list(range(first + 1, at + 1))


def test_firing_reflects_only_published_events() -> None:
    log = AlertLog("e", kept=True)
    log.append("firing", alert(1), 0.0)
    log.publish(1)
    log.append("changed", alert(1, "on it"), 1.0)
    log.append("resolved", alert(1, "over"), 2.0)
    assert [(event.number, event.alert) for event in log.firing()] == [(1, alert(1))]
    assert log.firing_by_now() == []
    log.publish(2)
    assert [(event.number, event.alert) for event in log.firing()] == [(1, alert(1, "on it"))]
    log.publish(3)
    assert log.firing() == []


def test_dropped_and_cleared_events_are_no_longer_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alertlog, "LOG_EVENTS", 2)
    events = Events()
    kinds: tuple[EventKind, ...] = ("firing", "changed", "firing", "changed")
    for number, kind in enumerate(kinds, 1):
        events.append(AlertEvent(number, kind, alert(number), 0.0))
    assert events.drop(2)
    assert not events.drop(2)
    assert (numbers(list(events)), events.changes) == ([1, 3, 4], 1)
    events.clear()
    assert (numbers(list(events)), events.changes) == ([], 0)
    for number in (5, 6, 7):
        events.append(AlertEvent(number, "firing", alert(number), 0.0))
    assert (numbers(list(events)), events.left) == ([6, 7], 5)


def test_a_change_that_already_left_the_log_does_not_count_as_the_one_to_drop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alertlog, "LOG_EVENTS", 3)
    monkeypatch.setattr(alertlog, "MAX_CHANGES", 3)
    log = AlertLog("e")
    for note in ("a", "b"):
        log.append("changed", alert(1, note), 0.0)
    for number in range(2, 6):
        log.append("firing", alert(number), 0.0)
    # Both changes of the first alert have left the log with the events around them.
    assert numbers(log.since(0)) == [4, 5, 6]
    older = log.append("changed", alert(3, "a"), 0.0)
    for number in (4, 5):
        log.append("changed", alert(number, "a"), 0.0)
    newer = log.append("changed", alert(3, "b"), 0.0)
    assert newer.drops == older.number
    assert numbers(log.since(0)) == [4, 5, 6, 8, 9, 10]


def test_the_record_of_changes_is_bounded_by_the_size_of_the_log(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alertlog, "LOG_EVENTS", 4)
    monkeypatch.setattr(alertlog, "MAX_CHANGES", 1)
    log = AlertLog("e")
    known: list[int] = []
    for number in range(100):
        log.append("firing", alert(number), 0.0)
        older = log.append("changed", alert(number, "a"), 0.0)
        # However much was just forgotten, the change that is dropped is the outdated one.
        assert log.append("changed", alert(number, "b"), 0.0).drops == older.number
        known.append(len(log._last_changes))
    assert max(known) <= 2 * 4 + 1


def over(number: int, note: str = "", resolved: str = "2026-01-31T12:00:00.000Z") -> Alert:
    return msgspec.structs.replace(alert(number, note), resolved=resolved)


def test_an_event_has_the_number_of_the_beginning_of_its_alert() -> None:
    log = AlertLog("e")
    kinds: list[tuple[EventKind, Alert]] = [
        ("firing", alert(1)),
        ("firing", alert(2)),
        ("changed", alert(2, "on it")),
        ("resolved", over(2)),
        ("changed", over(2, "late")),
        ("changed", alert(1, "on it")),
        ("changed", over(3, "unknown")),
    ]
    for kind, said in kinds:
        log.append(kind, said, 0.0)
    again = AlertLog("e", log.events())
    for events in (log.events(), again.events()):
        assert [event.begun for event in events if isinstance(event, AlertEvent)] == [1, 2, 2, 2, 2, 1, 7]


def test_beginnings_are_remembered_only_for_alerts_in_the_log(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alertlog, "LOG_EVENTS", 4)
    log = AlertLog("e")
    for number in range(100):
        log.append("firing", alert(number), 0.0)
        begun = log.number
        log.append("resolved", over(number), 0.0)
        assert log.append("changed", over(number, "late"), 0.0).begun == begun
        assert len(log._beginnings) <= 2 * 4


def test_the_log_knows_when_the_last_alert_that_has_left_it_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alertlog, "LOG_EVENTS", 2)
    log = AlertLog("e", older="2026-01-30T00:00:00.000Z")
    assert log.older == "2026-01-30T00:00:00.000Z"
    log.append("firing", alert(1), 0.0)
    log.append("resolved", over(1, resolved="2026-01-31T00:00:00.000Z"), 0.0)
    log.append("firing", alert(2), 0.0)
    assert (log.left, log.older) == (1, "2026-01-30T00:00:00.000Z")
    log.append("firing", alert(3), 0.0)
    assert (log.left, log.older) == (2, "2026-01-31T00:00:00.000Z")


# --- marks ---


def made(number: int) -> Mark:
    return Mark(f"m{number}", f"deployed {number}", "2026-01-31T12:00:00.000Z", "")


def mark(log: AlertLog, number: int) -> MarkEvent:
    event = log.mark(made(number), 0.0)
    assert isinstance(event, MarkEvent)
    return event


def test_a_mark_is_numbered_and_published_like_an_alert_event() -> None:
    log = AlertLog("e", kept=True)
    log.append("firing", alert(1), 0.0)
    event = mark(log, 1)
    assert (event.number, event.mark) == (2, made(1))
    assert log.since(0) == []
    assert log.marks.between("", "3", log.published) == []
    log.publish(2)
    assert numbers(log.since(1)) == [2]
    assert log.marks.between("", "3", log.published) == [made(1)]
    assert [number for number, _ in log.alerts()] == [1]
    assert log.find(["m1"]) == {}


def test_an_identical_mark_makes_no_event_and_needs_no_permission() -> None:
    log = AlertLog("e")
    mark(log, 1)

    def refuse() -> None:
        raise RateError("too many", 1)

    again = msgspec.structs.replace(made(1), id="other")
    assert log.mark(again, 1.0, refuse) == made(1)
    with pytest.raises(RateError):
        log.mark(made(2), 1.0, refuse)
    assert (log.number, len(log.marks)) == (1, 1)


def test_no_number_of_marks_displaces_alert_events(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alertlog, "LOG_EVENTS", 4)
    monkeypatch.setattr(alertlog, "MAX_LOGGED_MARKS", 3)
    log = AlertLog("e")
    for number in range(4):
        log.append("firing", alert(number), 0.0)
    for number in range(100):
        mark(log, number)
    assert numbers(log.since(0)) == [1, 2, 3, 4, 102, 103, 104]
    assert log.can_resume_after(0)
    assert len(log.marks) == 100
    again = AlertLog("e", log.events(), marks=log.marks.events())
    assert numbers(again.since(0)) == numbers(log.since(0))
    mark(again, 100)
    assert numbers(again.since(4)) == [103, 104, 105]
    # Alert events leave as if there were no marks.
    for number in range(4, 8):
        log.append("firing", alert(number), 0.0)
    assert [event.kind for event in log.since(0)] == ["mark", "mark", "mark", *["firing"] * 4]


def test_marks_leave_the_log_by_age_and_are_kept_beside_it() -> None:
    log = AlertLog("e")
    mark(log, 1)
    expire_all(log)
    assert log.since(0) == []
    assert len(log.marks) == 1


def test_marks_that_have_left_by_age_take_no_room_from_newer_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alertlog, "MAX_LOGGED_MARKS", 3)
    log = AlertLog("e")
    for number in range(3):
        mark(log, number)
    expire_all(log)
    for number in range(3, 6):
        mark(log, number)
    assert [event.mark.text for event in log.since(0) if isinstance(event, MarkEvent)] == [
        "deployed 3",
        "deployed 4",
        "deployed 5",
    ]


def test_marks_are_dropped_when_their_retention_has_passed() -> None:
    log = AlertLog("e")
    log.keeping = Keeping(86_400.0)
    mark(log, 1)
    ended = 1_769_860_800.0  # 2026-01-31T12:00:00Z
    log.forget(ended)
    log.pass_time(TRUST_S)
    log.forget(ended + TRUST_S)
    assert len(log.marks) == 1
    log.pass_time(86_401.0)
    log.forget(ended + TRUST_S + 86_401.0)
    assert len(log.marks) == 0
