"""Every alert is sent at least once, exactly once if nothing fails, within the limit and batched with others."""

from collections.abc import Sequence

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from tickboard.alerting.log import LOG_EVENTS, AlertLog
from tickboard.notify.delivery import GIVE_UP_S, LONGEST_BACKOFF_S, MAX_OVER, READ_EVENTS, Delivery
from tickboard.notify.destinations import Destination
from tickboard.output.secrets import Secret
from tickboard.wire import Acknowledgement, Alert, Mark, Severity, Silence

WHEN = "2026-01-31T12:00:00.000Z"
SILENCE = Silence("cpu", WHEN, "known", WHEN)
OPS = Destination("ops", Secret("json://host"))


class Bench:
    """A log and the delivery to one destination that reads it, with a clock that the test advances.

    Attributes:
        now: seconds.
        sent: what was delivered, a list of ``id:kind`` for each message.
    """

    def __init__(
        self, destination: Destination = OPS, position: int | None = None, log: AlertLog | None = None
    ) -> None:
        self.now = 0.0
        self.sent: list[list[str]] = []
        self.log = log or AlertLog("e")
        self.alerts: dict[str, Alert] = {}
        self.notices = Delivery(destination, self.log)
        self.notices.begin(position, self.now)

    def fire(self, *ids: str, severity: Severity = "critical", silence: Silence | None = None) -> None:
        for id in ids:
            self.alerts[id] = Alert(id, f"m {id}", severity, WHEN, rule="cpu", silenced=silence)
            self.log.append("firing", self.alerts[id], self.now)
        self.read()

    def resolve(self, *ids: str) -> None:
        for id in ids:
            self.alerts[id] = msgspec.structs.replace(self.alerts[id], resolved=WHEN)
            self.log.append("resolved", self.alerts[id], self.now)
        self.read()

    def change(self, id: str, **changed: object) -> None:
        self.alerts[id] = msgspec.structs.replace(self.alerts[id], **changed)
        self.log.append("changed", self.alerts[id], self.now)
        self.read()

    def read(self) -> None:
        while self.notices.read(self.now):
            pass

    def pass_time(self, seconds: float, *, fails: bool = False) -> None:
        """Advance the clock, and send every message that becomes due."""
        end = self.now + seconds
        while (due := self.notices.due()) is not None and due <= end:
            self.now = max(due, self.now)
            taken = [f"{n.alert.id}:{kind(n.fired, n.over)}" for n in self.notices.take(self.now)]
            if fails:
                self.notices.failed(self.now)
            else:
                self.notices.delivered(self.now)
                self.sent.append(taken)
        self.now = end


def kind(fired: bool, over: bool) -> str:
    return {(True, False): "firing", (True, True): "both", (False, True): "resolved", (False, False): "still"}[
        fired, over
    ]


# --- one alert ---


def test_an_alert_is_sent_once_when_it_fires_and_once_when_it_is_resolved() -> None:
    bench = Bench()
    bench.fire("a")
    bench.pass_time(60)
    bench.resolve("a")
    bench.pass_time(60)
    assert bench.sent == [["a:firing"], ["a:resolved"]]
    assert bench.notices.position == 2


def test_the_first_alert_waits_wait_s_for_others_and_no_longer() -> None:
    bench = Bench()
    bench.fire("a")
    bench.pass_time(3)
    bench.fire("b")
    assert bench.notices.due() == 5.0
    bench.pass_time(1.9)
    assert bench.sent == []
    bench.pass_time(0.1)
    assert bench.sent == [["a:firing", "b:firing"]]


def test_an_alert_that_fires_and_ends_within_the_wait_is_sent_once_as_both() -> None:
    bench = Bench()
    bench.fire("a")
    bench.pass_time(1)
    bench.resolve("a")
    bench.pass_time(60)
    assert bench.sent == [["a:both"]]


def test_with_resolved_false_an_end_is_sent_only_if_the_start_was_not() -> None:
    bench = Bench(replace(OPS, resolved=False))
    bench.fire("a")
    bench.pass_time(60)
    bench.resolve("a")
    bench.fire("b")
    bench.resolve("b")
    bench.pass_time(60)
    assert bench.sent == [["a:firing"], ["b:both"]]
    assert bench.notices.position == 4


def test_unwanted_severities_are_not_sent_but_advance_the_position() -> None:
    bench = Bench(replace(OPS, severities=frozenset({"critical"})))
    bench.fire("a", severity="warning")
    bench.resolve("a")
    assert bench.notices.due() is None
    assert bench.notices.position == 2


def test_the_position_stays_before_alerts_that_are_not_sent_yet() -> None:
    bench = Bench()
    bench.fire("a")
    bench.fire("b", severity="info")
    assert bench.notices.position == 0
    bench.pass_time(60)
    assert bench.notices.position == 2


def test_an_unpublished_event_is_not_sent() -> None:
    bench = Bench(log=AlertLog("e", kept=True))
    bench.fire("a")
    assert bench.notices.due() is None
    bench.log.publish(1)
    bench.read()
    assert bench.notices.due() == 5.0


# --- acknowledging and silencing ---


def test_neither_the_start_nor_the_end_of_a_silenced_alert_is_sent() -> None:
    bench = Bench()
    bench.fire("a", silence=SILENCE)
    bench.pass_time(60)
    bench.resolve("a")
    bench.pass_time(60)
    assert bench.sent == []
    assert bench.notices.position == 2


def test_an_alert_silenced_before_it_was_sent_is_not_sent() -> None:
    bench = Bench()
    bench.fire("a")
    bench.change("a", silenced=SILENCE)
    assert bench.notices.due() is None
    assert bench.notices.position == 2


def test_an_alert_that_still_fires_when_its_silence_ends_is_sent_then() -> None:
    bench = Bench()
    bench.fire("a", silence=SILENCE)
    bench.pass_time(60)
    bench.change("a", silenced=None)
    bench.pass_time(60)
    assert bench.sent == [["a:firing"]]


def test_an_alert_already_sent_is_not_sent_again_when_its_silence_ends() -> None:
    bench = Bench()
    bench.fire("a")
    bench.pass_time(60)
    bench.change("a", silenced=SILENCE)
    bench.change("a", silenced=None)
    bench.pass_time(60)
    bench.resolve("a")
    bench.pass_time(60)
    assert bench.sent == [["a:firing"], ["a:resolved"]]


def test_a_resolved_alert_silenced_before_that_was_sent_is_not_sent() -> None:
    bench = Bench()
    bench.fire("a")
    bench.pass_time(60)
    bench.resolve("a")
    bench.change("a", acknowledged=Acknowledgement(WHEN))
    assert bench.notices.due() is not None
    bench.change("a", silenced=SILENCE)
    assert bench.notices.due() is None


def test_an_alert_acknowledged_before_it_was_sent_is_still_sent() -> None:
    bench = Bench()
    bench.fire("a")
    bench.change("a", acknowledged=Acknowledgement(WHEN))
    bench.pass_time(60)
    assert bench.sent == [["a:firing"]]


# --- reminders ---


def test_reminders_repeat_every_remind_s_until_the_alert_is_resolved() -> None:
    bench = Bench(replace(OPS, remind_s=600.0))
    bench.fire("a")
    bench.pass_time(5 + 1800)
    assert bench.sent == [["a:firing"], ["a:still"], ["a:still"], ["a:still"]]
    bench.resolve("a")
    bench.pass_time(3600)
    assert bench.sent[4:] == [["a:resolved"]]


def test_no_reminders_are_sent_for_acknowledged_or_silenced_alerts() -> None:
    bench = Bench(replace(OPS, remind_s=600.0))
    bench.fire("a", "b")
    bench.pass_time(60)
    bench.change("a", acknowledged=Acknowledgement(WHEN))
    bench.change("b", silenced=SILENCE)
    bench.pass_time(3600)
    assert bench.sent == [["a:firing", "b:firing"]]
    bench.change("b", silenced=None)
    bench.pass_time(1)
    assert bench.sent[1:] == [["b:still"]]


def test_reminders_due_soon_after_each_other_are_sent_together() -> None:
    bench = Bench(replace(OPS, remind_s=600.0, wait_s=30.0))
    bench.fire("a")
    bench.pass_time(30)
    bench.fire("b")
    bench.pass_time(30)
    bench.pass_time(605)
    assert bench.sent == [["a:firing"], ["b:firing"], ["a:still", "b:still"]]


def test_a_failed_reminder_is_retried() -> None:
    bench = Bench(replace(OPS, remind_s=600.0))
    bench.fire("a")
    bench.pass_time(60)
    bench.pass_time(560, fails=True)
    bench.pass_time(60)
    assert bench.sent == [["a:firing"], ["a:still"]]


# --- the limit ---


def test_a_flapping_value_stays_within_the_limit_and_loses_no_alert() -> None:
    bench = Bench(replace(OPS, limit=3))
    for second in range(600):
        bench.fire(str(second))
        bench.pass_time(0.5)
        bench.resolve(str(second))
        bench.pass_time(0.5)
    bench.pass_time(120)
    assert len(bench.sent) <= 3 * 12
    begun = [
        notice.partition(":")[0]
        for message in bench.sent
        for notice in message
        if notice.endswith((":firing", ":both"))
    ]
    assert begun == [str(second) for second in range(600)]


def test_a_minute_never_has_more_messages_than_the_limit() -> None:
    bench = Bench(replace(OPS, limit=4, wait_s=1.0))
    sent: list[float] = []
    for n in range(300):
        before = len(bench.sent)
        bench.fire(str(n))
        bench.pass_time(1.0)
        if len(bench.sent) > before:
            sent.append(bench.now)
    assert all(later - first >= 59.0 for first, later in zip(sent, sent[4:], strict=False))
    assert len(sent) > 12


# --- failures ---


def test_failures_are_retried_with_backoff_and_then_sent_with_newer_alerts() -> None:
    bench = Bench()
    bench.fire("a")
    waits = []
    bench.pass_time(5, fails=True)
    for _ in range(12):
        due = bench.notices.due()
        assert due is not None
        waits.append(due - bench.now)
        bench.pass_time(due - bench.now, fails=True)
    assert waits[:4] == [1.0, 2.0, 4.0, 8.0]
    assert waits[-1] == LONGEST_BACKOFF_S
    assert bench.notices.failures == 13
    assert bench.notices.position == 0
    bench.fire("b")
    bench.resolve("a")
    bench.pass_time(LONGEST_BACKOFF_S)
    assert bench.sent == [["b:firing", "a:both"]]
    assert (bench.notices.failures, bench.notices.position) == (0, 3)


def test_backoff_does_not_overflow_however_long_delivery_fails() -> None:
    bench = Bench()
    bench.fire("a")
    bench.pass_time(30 * 86_400, fails=True)
    assert bench.notices.failures > 2000
    bench.pass_time(600)
    assert bench.sent == [["a:firing"]]


def test_resolved_alerts_are_dropped_after_a_day_and_firing_ones_never() -> None:
    bench = Bench()
    bench.fire("a", "b")
    bench.resolve("a")
    bench.pass_time(GIVE_UP_S - 3600, fails=True)
    assert bench.notices.take_dropped() == 0
    bench.fire("c")
    bench.resolve("c")
    bench.pass_time(3600 + 2 * LONGEST_BACKOFF_S, fails=True)
    assert bench.notices.take_dropped() == 1
    assert bench.notices.take_dropped() == 0
    bench.pass_time(600)
    assert bench.sent == [["b:firing", "c:both"]]


def test_the_queue_of_resolved_alerts_is_bounded() -> None:
    bench = Bench()
    for n in range(MAX_OVER + 100):
        bench.fire(str(n))
        bench.resolve(str(n))
    assert bench.notices.take_dropped() == 100
    bench.pass_time(60)
    [message] = bench.sent
    assert len(message) == MAX_OVER
    assert message[0] == "100:both"


# --- starting, restarting, falling behind the log ---


def test_a_new_destination_is_sent_firing_alerts_and_nothing_older() -> None:
    log = AlertLog("e")
    old = Bench(log=log)
    old.fire("a", "b")
    old.resolve("a")
    old.fire("c", silence=SILENCE)
    new = Bench(log=log)
    new.pass_time(60)
    assert new.sent == [["b:firing"]]


def test_after_a_restart_delivery_continues_where_it_was() -> None:
    log = AlertLog("e")
    before = Bench(replace(OPS, remind_s=600.0), log=log)
    before.fire("a", "b")
    before.fire("w", severity="info", silence=SILENCE)
    before.pass_time(60)
    before.fire("c")
    before.resolve("a")
    after = Bench(replace(OPS, remind_s=600.0), before.notices.position, AlertLog("e", log.since(0)))
    after.read()
    after.pass_time(60)
    assert after.sent == [["c:firing", "a:resolved"]]
    after.pass_time(600)
    assert after.sent[1:] == [["b:still", "c:still"]]


def test_after_a_restart_during_a_silence_an_alert_is_sent_twice_rather_than_never() -> None:
    for delivered, notices_sent in ((True, [["a:firing"]]), (False, [])):
        before = Bench()
        before.fire("a")
        # For an alert that could not be sent, the silence may come just as late.
        before.pass_time(600, fails=not delivered)
        before.change("a", silenced=SILENCE)
        assert (before.sent, before.notices.position) == (notices_sent, 2)
        after = Bench(OPS, before.notices.position, before.log)
        after.alerts = before.alerts
        after.pass_time(60)
        assert after.sent == []
        after.change("a", silenced=None)
        after.pass_time(60)
        assert after.sent == [["a:firing"]]


def test_an_alert_whose_silence_ended_just_before_a_restart_is_sent_after_it() -> None:
    before = Bench()
    before.fire("a")
    before.change("a", silenced=SILENCE)
    before.change("a", silenced=None)
    assert (before.sent, before.notices.position) == ([], 2)
    after = Bench(OPS, before.notices.position, AlertLog("e", before.log.since(0)))
    after.read()
    after.pass_time(60)
    assert after.sent == [["a:firing"]]


@pytest.mark.parametrize("position", [1, 10**9])
def test_firing_alerts_are_sent_if_the_log_no_longer_holds_the_position(position: int) -> None:
    log = AlertLog("e")
    old = Bench(log=log)
    old.fire("a", "b")
    old.fire(*map(str, range(LOG_EVENTS)))
    old.resolve(*map(str, range(LOG_EVENTS)))
    after = Bench(OPS, position, log)
    assert after.notices.lost
    after.pass_time(60)
    assert after.sent == [["a:firing", "b:firing"]]
    assert not after.notices.lost


def test_falling_behind_the_log_loses_no_start_and_no_end_of_a_sent_alert() -> None:
    bench = Bench(replace(OPS, severities=frozenset({"critical"})))
    bench.fire("told", "ends")
    bench.pass_time(60)
    bench.fire("waits", "gone")
    for id in ("ends", "gone"):
        bench.log.append("resolved", msgspec.structs.replace(bench.alerts[id], resolved=WHEN), bench.now)
    bench.log.append("firing", Alert("new", "m", "critical", WHEN), bench.now)
    for n in range(LOG_EVENTS):
        bench.log.append("firing", Alert(str(n), "m", "info", WHEN), bench.now)
    bench.read()
    assert bench.notices.lost
    bench.pass_time(60)
    assert bench.sent[1:] == [["waits:firing", "new:firing", "ends:resolved", "gone:both"]]


def test_many_events_are_read_in_batches() -> None:
    bench = Bench()
    for n in range(READ_EVENTS * 2 + 1):
        bench.log.append("firing", Alert(str(n), "m", "info", WHEN), 0.0)
    assert [bench.notices.read(0.0) for _ in range(3)] == [True, True, False]
    bench.pass_time(60)
    assert len(bench.sent[0]) == READ_EVENTS * 2 + 1


# --- any sequence of events ---

STEPS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["fire", "resolve", "ack", "silence", "unsilence"]), st.integers(0, 4)),
        st.tuples(st.just("pass"), st.integers(0, 30)),
        st.tuples(st.just("fail"), st.integers(0, 30)),
        st.tuples(st.just("restart"), st.just(0)),
    ),
    max_size=60,
)


@settings(deadline=None)
@given(STEPS)
def test_each_start_and_end_is_sent_once_or_after_restarts_at_least_once(
    steps: Sequence[tuple[str, int]],
) -> None:
    destination = replace(OPS, limit=2)
    bench = Bench(destination)
    current: dict[int, str] = {}
    ever_silenced: set[str] = set()
    episodes = restarts = 0
    all_sent: list[list[str]] = []
    for what, number in steps:
        id = current.get(number, "")
        if what == "fire" and not id:
            current[number] = f"{number}.{episodes}"
            episodes += 1
            bench.fire(current[number])
        elif what == "resolve" and id:
            bench.resolve(current.pop(number))
        elif what == "ack" and id:
            bench.change(id, acknowledged=Acknowledgement(WHEN))
        elif what == "silence" and id:
            ever_silenced.add(id)
            bench.change(id, silenced=SILENCE)
        elif what == "unsilence" and id:
            bench.change(id, silenced=None)
        elif what in {"pass", "fail"}:
            bench.pass_time(number, fails=what == "fail")
        elif what == "restart":
            restarts += 1
            all_sent += bench.sent
            log = AlertLog("e", bench.log.since(0), bench.log.number)
            alerts, now = bench.alerts, bench.now
            bench = Bench(destination, bench.notices.position, log)
            bench.alerts, bench.now = alerts, now
            bench.read()
    bench.pass_time(1000)
    all_sent += bench.sent
    notices_sent = [one for message in all_sent for one in message]
    assert bench.notices.due() is None
    assert bench.notices.position == bench.log.number
    for id, alert in bench.alerts.items():
        began = notices_sent.count(f"{id}:firing") + notices_sent.count(f"{id}:both")
        ended = notices_sent.count(f"{id}:resolved") + notices_sent.count(f"{id}:both")
        if id not in ever_silenced:
            assert began >= 1
            assert ended == 0 if alert.resolved is None else ended >= 1
            if not restarts:
                assert began == 1
                assert ended <= 1
        elif alert.resolved is None and alert.silenced is None:
            assert began >= 1


def test_a_mark_is_not_sent_and_moves_the_position() -> None:
    bench = Bench()
    bench.log.mark(Mark("m", "deployed 1.4", WHEN, "ci"), 0.0)
    bench.read()
    assert (bench.notices.due(), bench.notices.position) == (None, 1)
    bench.fire("a")
    bench.log.mark(Mark("n", "deployed 1.5", WHEN, "ci"), 0.0)
    bench.read()
    bench.pass_time(60)
    assert (bench.sent, bench.notices.position) == ([["a:firing"]], 3)
    again = Bench(position=3, log=bench.log)
    again.alerts |= bench.alerts
    again.resolve("a")
    again.pass_time(60)
    assert again.sent == [["a:resolved"]]
