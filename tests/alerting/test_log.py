"""The log gives every reader each event once, and nothing that is not kept yet."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tickboard.alerting import log as alertlog
from tickboard.alerting.log import LOG_AGE_S, AlertEvent, AlertLog
from tickboard.types import Acknowledgement, Alert


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
    assert numbers(log.since(0)) == list(range(6, 16))
    log.expire(LOG_AGE_S + 10.5)
    assert log.since(0)[0].time == 11.0
    assert len(log.firing()) == 15


def test_a_reader_can_go_on_where_nothing_after_it_has_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alertlog, "LOG_EVENTS", 2)
    log = AlertLog("e")
    assert [log.has_missed(number) for number in (0, 1)] == [True, False]
    for number in range(1, 5):
        log.append("firing", alert(number), 0.0)
    assert [log.has_missed(number) for number in (1, 2, 3, 4, 5)] == [False, True, True, True, False]
    log.expire(LOG_AGE_S + 1)
    assert [log.has_missed(number) for number in (3, 4, 5)] == [False, True, False]


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
    log.append("resolved", alert(2, "over"), 3.0)
    log.tell(7)
    assert log.alerts() == [(2, alert(1)), (4, alert(2, "over")), (5, alert(3))]
    # Of what is over, the oldest event that is left counts; what fires has the number of its beginning.
    log.expire(LOG_AGE_S + 2.5)
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
