"""The log gives every reader each event once, and nothing that is not kept yet."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tickboard.alerting import log as alertlog
from tickboard.alerting.log import LOG_AGE_S, MARK_S, AlertEvent, AlertLog, EventKind, Events
from tickboard.wire import Acknowledgement, Alert


def alert(number: int, note: str = "") -> Alert:
    return Alert(f"id{number}", "m", "info", "T", acknowledged=Acknowledgement("T", note=note) if note else None)


def numbers(events: list[AlertEvent]) -> list[int]:
    return [event.number for event in events]


def test_each_event_after_a_number_comes_once() -> None:
    log = AlertLog("e")
    for number in range(1, 6):
        log.append("firing", alert(number), float(number))
    assert numbers(log.since(2)) == [3, 4, 5]
    assert numbers(log.since(1, 2)) == [2, 3]
    assert log.since(5) == []
    assert log.since(99) == []
    log.append("resolved", alert(2), 6.0)
    assert [event.alert.id for event in log.firing()] == ["id1", "id3", "id4", "id5"]


def test_it_is_bounded_by_count_and_age(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alertlog, "LOG_EVENTS", 10)
    log = AlertLog("e")
    for number in range(15):
        log.append("firing", alert(number), float(number))
        log.pass_time(MARK_S)
        log.expire()
    assert numbers(log.since(0)) == list(range(6, 16))
    assert log.oldest == 1
    log.pass_time(LOG_AGE_S - 4 * MARK_S)
    log.expire()
    assert (log.since(0)[0].number, log.oldest) == (12, 12)
    assert len(log.firing()) == 15


@pytest.mark.parametrize("step_s", [-1e9, -86_400.0 * 2, -3_600.0, 3_600.0, 86_400.0 * 2, 1e9])
def test_no_event_is_dropped_for_what_the_wall_clock_says(step_s: float) -> None:
    log = AlertLog("e", [AlertEvent(1, "firing", alert(1), 1e9), AlertEvent(2, "resolved", alert(1), 1e9 + step_s)])
    for number in range(3, 6):
        log.append("firing", alert(number), 1e9 + step_s * number)
        log.pass_time(LOG_AGE_S / 4)
        log.expire()
    assert numbers(log.since(0)) == [1, 2, 3, 4, 5]
    # The two of an earlier run are as old as this run is.
    log.pass_time(LOG_AGE_S / 4)
    log.expire()
    assert numbers(log.since(0)) == [3, 4, 5]
    log.pass_time(LOG_AGE_S)
    log.expire()
    assert (log.since(0), log.oldest, log.number) == ([], 6, 5)


def test_a_reader_can_go_on_where_nothing_after_it_has_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alertlog, "LOG_EVENTS", 2)
    log = AlertLog("e")
    assert [log.has_missed(number) for number in (0, 1)] == [True, False]
    for number in range(1, 5):
        log.append("firing", alert(number), 0.0)
    assert [log.has_missed(number) for number in (1, 2, 3, 4, 5)] == [False, True, True, True, False]
    age(log)
    assert [log.has_missed(number) for number in (3, 4, 5)] == [False, True, False]


def age(log: AlertLog) -> None:
    """Have every event of a log become too old."""
    log.pass_time(MARK_S)
    log.expire()
    log.pass_time(LOG_AGE_S)
    log.expire()


def test_what_must_be_kept_first_is_told_afterwards() -> None:
    log = AlertLog("e", kept=True)
    log.append("firing", alert(1), 0.0)
    log.append("firing", alert(2), 0.0)
    assert (log.since(0), log.firing()) == ([], [])
    log.tell(1)
    assert numbers(log.since(0)) == numbers(log.firing()) == [1]
    log.tell(99)
    log.tell(1)
    assert log.told == 2
    assert numbers(log.since(0)) == [1, 2]


def test_it_goes_on_after_the_events_of_an_earlier_run() -> None:
    before = [AlertEvent(7, "firing", alert(1), 1.0), AlertEvent(8, "firing", alert(2), 2.0)]
    log = AlertLog("e", [*before, AlertEvent(9, "resolved", alert(1), 3.0)])
    assert numbers(log.since(0)) == [7, 8, 9]
    assert numbers(log.firing()) == [8]
    assert log.append("resolved", alert(2), 4.0).number == 10
    assert AlertLog("e", number=5).append("firing", alert(1), 0.0).number == 6


def test_what_fired_before_it_began_is_known_though_its_beginning_has_left_the_log() -> None:
    old = [AlertEvent(1, "firing", alert(1, "on it"), 1.0), AlertEvent(4, "firing", alert(4), 4.0)]
    events = [AlertEvent(4, "firing", alert(4), 4.0), AlertEvent(5, "changed", alert(1, "on it"), 5.0)]
    log = AlertLog("e", events, firing=old)
    assert [(event.number, event.alert) for event in log.firing()] == [(1, alert(1, "on it")), (4, alert(4))]
    assert [log.has_missed(number) for number in (2, 3)] == [False, True]
    assert numbers(log.since(0)) == [4, 5]
    log.append("resolved", alert(1), 6.0)
    assert numbers(log.firing()) == [4]


def test_an_alert_that_is_changed_is_as_it_is_by_now_under_the_number_of_its_beginning() -> None:
    log = AlertLog("e")
    log.append("firing", alert(1), 0.0)
    log.append("changed", alert(1, "on it"), 1.0)
    [firing] = log.firing()
    assert (firing.number, firing.kind, firing.alert) == (1, "firing", alert(1, "on it"))
    assert log.find("id1") == alert(1, "on it")
    log.append("resolved", alert(1, "over"), 2.0)
    log.append("changed", alert(1, "late"), 3.0)
    assert log.firing() == []
    assert log.find("id1") == alert(1, "late")
    assert log.find("other") is None


def test_each_alert_is_listed_once_as_it_was_last_told_in_the_order_they_began() -> None:
    log = AlertLog("e", [], 3, kept=True, firing=[AlertEvent(2, "firing", alert(1), 0.0)])
    assert log.alerts() == [(2, alert(1))]
    log.append("firing", alert(2), 0.0)
    log.append("firing", alert(3), 1.0)
    log.append("changed", alert(2, "on it"), 2.0)
    assert log.alerts() == [(2, alert(1))]
    log.tell(5)
    assert log.alerts()[0] == (2, alert(1))
    assert [number for number, _ in log.alerts()] == [2, 4, 5]
    log.tell(6)
    assert log.alerts() == [(2, alert(1)), (4, alert(2, "on it")), (5, alert(3))]
    log.pass_time(MARK_S)
    log.expire()
    log.append("resolved", alert(2, "over"), 3.0)
    log.tell(7)
    assert log.alerts() == [(2, alert(1)), (4, alert(2, "over")), (5, alert(3))]
    # Of what is over, the oldest event that is left counts; what fires has the number of its beginning.
    log.pass_time(LOG_AGE_S)
    log.expire()
    assert log.alerts() == [(2, alert(1)), (5, alert(3)), (7, alert(2, "over"))]


@given(
    st.lists(st.tuples(st.sampled_from(["append", "tell", "read"]), st.integers(0, 3)), max_size=60),
    st.integers(0, 5),
)
def test_every_reader_gets_every_told_event_once_and_in_order(steps: list[tuple[str, int]], first: int) -> None:
    log = AlertLog("e", number=first, kept=True)
    read: list[int] = []
    at = first
    for step, more in steps:
        if step == "append":
            log.append("firing", alert(log.number), 0.0)
        elif step == "tell":
            log.tell(log.told + more)
        else:
            read += numbers(log.since(at))
            at = log.told
    assert read == list(range(first + 1, at + 1))


def test_what_fires_is_told_as_far_as_anyone_may_know() -> None:
    log = AlertLog("e", kept=True)
    log.append("firing", alert(1), 0.0)
    log.tell(1)
    log.append("changed", alert(1, "on it"), 1.0)
    log.append("resolved", alert(1, "over"), 2.0)
    assert [(event.number, event.alert) for event in log.firing()] == [(1, alert(1))]
    assert log.firing_by_now() == []
    log.tell(2)
    assert [(event.number, event.alert) for event in log.firing()] == [(1, alert(1, "on it"))]
    log.tell(3)
    assert log.firing() == []


def test_events_that_are_dropped_or_cleared_count_no_longer(monkeypatch: pytest.MonkeyPatch) -> None:
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


def test_a_change_that_left_for_its_age_makes_no_room_for_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alertlog, "LOG_EVENTS", 3)
    monkeypatch.setattr(alertlog, "MAX_CHANGES", 3)
    log = AlertLog("e")
    for note in ("a", "b"):
        log.append("changed", alert(1, note), 0.0)
    for number in range(2, 6):
        log.append("firing", alert(number), 0.0)
    # Both changes of the first have left with the events around them.
    assert numbers(log.since(0)) == [4, 5, 6]
    older = log.append("changed", alert(3, "a"), 0.0)
    for number in (4, 5):
        log.append("changed", alert(number, "a"), 0.0)
    newer = log.append("changed", alert(3, "b"), 0.0)
    assert newer.drops == older.number
    assert numbers(log.since(0)) == [4, 5, 6, 8, 9, 10]


def test_what_is_known_of_changes_is_bounded_by_what_the_log_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alertlog, "LOG_EVENTS", 4)
    monkeypatch.setattr(alertlog, "MAX_CHANGES", 1)
    log = AlertLog("e")
    known: list[int] = []
    for number in range(100):
        log.append("firing", alert(number), 0.0)
        older = log.append("changed", alert(number, "a"), 0.0)
        # However much was forgotten just now, the change that gives way is the one that is out of date.
        assert log.append("changed", alert(number, "b"), 0.0).drops == older.number
        known.append(len(log._last_changes))
    assert max(known) <= 2 * 4 + 1
