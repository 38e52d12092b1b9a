"""Every alert is told: once where nothing fails, never less, not too often, and together with others."""

from collections.abc import Sequence
from dataclasses import replace

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tickboard.alerting.log import LOG_EVENTS, AlertLog
from tickboard.notify.delivery import GIVE_UP_S, LONGEST_BACKOFF_S, MAX_OVER, READ_EVENTS, Delivery
from tickboard.notify.destinations import Destination
from tickboard.output.secrets import Secret
from tickboard.wire import Acknowledgement, Alert, Severity, Silence

WHEN = "2026-01-31T12:00:00.000Z"
SILENCE = Silence("cpu", WHEN, "known", WHEN)
OPS = Destination("ops", Secret("json://host"))


class Bench:
    """A log, and the notices of one destination that reads it, at a time that the test steps.

    Attributes:
        now: seconds.
        told: what was delivered, a list of ``id:kind`` for each message.
    """

    def __init__(
        self, destination: Destination = OPS, position: int | None = None, log: AlertLog | None = None
    ) -> None:
        self.now = 0.0
        self.told: list[list[str]] = []
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
        """Let time pass, and send what comes to be due."""
        end = self.now + seconds
        while (due := self.notices.due()) is not None and due <= end:
            self.now = max(due, self.now)
            taken = [f"{n.alert.id}:{kind(n.fired, n.over)}" for n in self.notices.take(self.now)]
            if fails:
                self.notices.failed(self.now)
            else:
                self.notices.delivered(self.now)
                self.told.append(taken)
        self.now = end


def kind(fired: bool, over: bool) -> str:
    return {(True, False): "firing", (True, True): "both", (False, True): "resolved", (False, False): "still"}[
        fired, over
    ]


# --- one alert ---


def test_an_alert_is_told_once_when_it_fires_and_once_when_it_is_over() -> None:
    bench = Bench()
    bench.fire("a")
    bench.pass_time(60)
    bench.resolve("a")
    bench.pass_time(60)
    assert bench.told == [["a:firing"], ["a:resolved"]]
    assert bench.notices.position == 2


def test_the_first_waits_for_others_and_no_longer() -> None:
    bench = Bench()
    bench.fire("a")
    bench.pass_time(3)
    bench.fire("b")
    assert bench.notices.due() == 5.0
    bench.pass_time(1.9)
    assert bench.told == []
    bench.pass_time(0.1)
    assert bench.told == [["a:firing", "b:firing"]]


def test_one_that_fires_and_ends_within_a_wait_is_told_once_as_both() -> None:
    bench = Bench()
    bench.fire("a")
    bench.pass_time(1)
    bench.resolve("a")
    bench.pass_time(60)
    assert bench.told == [["a:both"]]


def test_who_wants_no_ends_is_told_none_but_of_what_was_never_told_as_firing() -> None:
    bench = Bench(replace(OPS, resolved=False))
    bench.fire("a")
    bench.pass_time(60)
    bench.resolve("a")
    bench.fire("b")
    bench.resolve("b")
    bench.pass_time(60)
    assert bench.told == [["a:firing"], ["b:both"]]
    assert bench.notices.position == 4


def test_only_the_severities_that_are_wanted_are_told_and_the_others_move_the_position_on() -> None:
    bench = Bench(replace(OPS, severities=frozenset({"critical"})))
    bench.fire("a", severity="warning")
    bench.resolve("a")
    assert bench.notices.due() is None
    assert bench.notices.position == 2


def test_the_position_stays_before_what_is_not_told_yet() -> None:
    bench = Bench()
    bench.fire("a")
    bench.fire("b", severity="info")
    assert bench.notices.position == 0
    bench.pass_time(60)
    assert bench.notices.position == 2


def test_an_event_that_may_not_be_told_yet_is_not() -> None:
    bench = Bench(log=AlertLog("e", kept=True))
    bench.fire("a")
    assert bench.notices.due() is None
    bench.log.tell(1)
    bench.read()
    assert bench.notices.due() == 5.0


# --- acknowledged, silenced ---


def test_a_silenced_alert_is_not_told_neither_its_beginning_nor_its_end() -> None:
    bench = Bench()
    bench.fire("a", silence=SILENCE)
    bench.pass_time(60)
    bench.resolve("a")
    bench.pass_time(60)
    assert bench.told == []
    assert bench.notices.position == 2


def test_one_that_is_silenced_before_it_was_told_is_not_told() -> None:
    bench = Bench()
    bench.fire("a")
    bench.change("a", silenced=SILENCE)
    assert bench.notices.due() is None
    assert bench.notices.position == 2


def test_one_that_still_fires_when_its_silence_ends_is_told_then() -> None:
    bench = Bench()
    bench.fire("a", silence=SILENCE)
    bench.pass_time(60)
    bench.change("a", silenced=None)
    bench.pass_time(60)
    assert bench.told == [["a:firing"]]


def test_one_that_was_told_is_not_told_again_when_its_silence_ends() -> None:
    bench = Bench()
    bench.fire("a")
    bench.pass_time(60)
    bench.change("a", silenced=SILENCE)
    bench.change("a", silenced=None)
    bench.pass_time(60)
    bench.resolve("a")
    bench.pass_time(60)
    assert bench.told == [["a:firing"], ["a:resolved"]]


def test_one_that_is_over_and_silenced_before_that_was_told_is_not_told() -> None:
    bench = Bench()
    bench.fire("a")
    bench.pass_time(60)
    bench.resolve("a")
    bench.change("a", acknowledged=Acknowledgement(WHEN))
    assert bench.notices.due() is not None
    bench.change("a", silenced=SILENCE)
    assert bench.notices.due() is None


def test_one_that_is_acknowledged_before_it_was_told_is_told_all_the_same() -> None:
    bench = Bench()
    bench.fire("a")
    bench.change("a", acknowledged=Acknowledgement(WHEN))
    bench.pass_time(60)
    assert bench.told == [["a:firing"]]


# --- reminders ---


def test_one_that_goes_on_firing_is_told_again_as_often_as_asked() -> None:
    bench = Bench(replace(OPS, remind_s=600.0))
    bench.fire("a")
    bench.pass_time(5 + 1800)
    assert bench.told == [["a:firing"], ["a:still"], ["a:still"], ["a:still"]]
    bench.resolve("a")
    bench.pass_time(3600)
    assert bench.told[4:] == [["a:resolved"]]


def test_nobody_is_reminded_of_what_is_acknowledged_or_silenced() -> None:
    bench = Bench(replace(OPS, remind_s=600.0))
    bench.fire("a", "b")
    bench.pass_time(60)
    bench.change("a", acknowledged=Acknowledgement(WHEN))
    bench.change("b", silenced=SILENCE)
    bench.pass_time(3600)
    assert bench.told == [["a:firing", "b:firing"]]
    bench.change("b", silenced=None)
    bench.pass_time(1)
    assert bench.told[1:] == [["b:still"]]


def test_reminders_that_are_due_soon_after_go_with_the_first() -> None:
    bench = Bench(replace(OPS, remind_s=600.0, wait_s=30.0))
    bench.fire("a")
    bench.pass_time(30)
    bench.fire("b")
    bench.pass_time(30)
    bench.pass_time(605)
    assert bench.told == [["a:firing"], ["b:firing"], ["a:still", "b:still"]]


def test_a_reminder_that_fails_is_tried_again() -> None:
    bench = Bench(replace(OPS, remind_s=600.0))
    bench.fire("a")
    bench.pass_time(60)
    bench.pass_time(560, fails=True)
    bench.pass_time(60)
    assert bench.told == [["a:firing"], ["a:still"]]


# --- often ---


def test_a_value_that_flaps_does_not_flood_and_nothing_of_it_is_lost() -> None:
    bench = Bench(replace(OPS, limit=3))
    for second in range(600):
        bench.fire(str(second))
        bench.pass_time(0.5)
        bench.resolve(str(second))
        bench.pass_time(0.5)
    bench.pass_time(120)
    assert len(bench.told) <= 3 * 12
    begun = [
        told.partition(":")[0] for message in bench.told for told in message if told.endswith((":firing", ":both"))
    ]
    assert begun == [str(second) for second in range(600)]


def test_a_minute_never_has_more_messages_than_the_limit() -> None:
    bench = Bench(replace(OPS, limit=4, wait_s=1.0))
    sent: list[float] = []
    for n in range(300):
        before = len(bench.told)
        bench.fire(str(n))
        bench.pass_time(1.0)
        if len(bench.told) > before:
            sent.append(bench.now)
    assert all(later - first >= 59.0 for first, later in zip(sent, sent[4:], strict=False))
    assert len(sent) > 12


# --- failures ---


def test_what_fails_is_tried_again_ever_more_seldom_and_then_told_together_with_what_came_since() -> None:
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
    assert bench.told == [["b:firing", "a:both"]]
    assert (bench.notices.failures, bench.notices.position) == (0, 3)


def test_back_off_does_not_overflow_however_long_it_fails() -> None:
    bench = Bench()
    bench.fire("a")
    bench.pass_time(30 * 86_400, fails=True)
    assert bench.notices.failures > 2000
    bench.pass_time(600)
    assert bench.told == [["a:firing"]]


def test_what_is_over_is_given_up_after_a_day_and_what_fires_never() -> None:
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
    assert bench.told == [["b:firing", "c:both"]]


def test_what_waits_is_bounded() -> None:
    bench = Bench()
    for n in range(MAX_OVER + 100):
        bench.fire(str(n))
        bench.resolve(str(n))
    assert bench.notices.take_dropped() == 100
    bench.pass_time(60)
    [message] = bench.told
    assert len(message) == MAX_OVER
    assert message[0] == "100:both"


# --- beginning, restarts, a log that runs ahead ---


def test_a_new_destination_is_told_what_fires_and_nothing_of_before() -> None:
    log = AlertLog("e")
    old = Bench(log=log)
    old.fire("a", "b")
    old.resolve("a")
    old.fire("c", silence=SILENCE)
    new = Bench(log=log)
    new.pass_time(60)
    assert new.told == [["b:firing"]]


def test_after_a_restart_it_goes_on_where_it_was() -> None:
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
    assert after.told == [["c:firing", "a:resolved"]]
    after.pass_time(600)
    assert after.told[1:] == [["b:still", "c:still"]]


def test_a_restart_during_a_silence_has_one_told_twice_rather_than_never() -> None:
    for delivered, said in ((True, [["a:firing"]]), (False, [])):
        before = Bench()
        before.fire("a")
        # Of one that could not be told the silence may come just as late.
        before.pass_time(600, fails=not delivered)
        before.change("a", silenced=SILENCE)
        assert (before.told, before.notices.position) == (said, 2)
        after = Bench(OPS, before.notices.position, before.log)
        after.alerts = before.alerts
        after.pass_time(60)
        assert after.told == []
        after.change("a", silenced=None)
        after.pass_time(60)
        assert after.told == [["a:firing"]]


def test_one_whose_silence_ended_just_before_a_restart_is_told_after_it() -> None:
    before = Bench()
    before.fire("a")
    before.change("a", silenced=SILENCE)
    before.change("a", silenced=None)
    assert (before.told, before.notices.position) == ([], 2)
    after = Bench(OPS, before.notices.position, AlertLog("e", before.log.since(0)))
    after.read()
    after.pass_time(60)
    assert after.told == [["a:firing"]]


@pytest.mark.parametrize("position", [1, 10**9])
def test_where_the_log_cannot_be_read_on_from_it_is_told_what_fires(position: int) -> None:
    log = AlertLog("e")
    old = Bench(log=log)
    old.fire("a", "b")
    old.fire(*map(str, range(LOG_EVENTS)))
    old.resolve(*map(str, range(LOG_EVENTS)))
    after = Bench(OPS, position, log)
    assert after.notices.lost
    after.pass_time(60)
    assert after.told == [["a:firing", "b:firing"]]
    assert not after.notices.lost


def test_a_log_that_has_run_ahead_loses_no_beginning_and_no_end_of_what_was_told() -> None:
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
    assert bench.told[1:] == [["waits:firing", "new:firing", "ends:resolved", "gone:both"]]


def test_a_great_many_events_are_read_in_parts() -> None:
    bench = Bench()
    for n in range(READ_EVENTS * 2 + 1):
        bench.log.append("firing", Alert(str(n), "m", "info", WHEN), 0.0)
    assert [bench.notices.read(0.0) for _ in range(3)] == [True, True, False]
    bench.pass_time(60)
    assert len(bench.told[0]) == READ_EVENTS * 2 + 1


# --- whatever happens ---

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
def test_whatever_happens_each_beginning_and_end_is_told_and_without_a_restart_once(
    steps: Sequence[tuple[str, int]],
) -> None:
    destination = replace(OPS, limit=2)
    bench = Bench(destination)
    current: dict[int, str] = {}
    ever_silenced: set[str] = set()
    episodes = restarts = 0
    told: list[list[str]] = []
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
            told += bench.told
            log = AlertLog("e", bench.log.since(0), bench.log.number)
            alerts, now = bench.alerts, bench.now
            bench = Bench(destination, bench.notices.position, log)
            bench.alerts, bench.now = alerts, now
            bench.read()
    bench.pass_time(1000)
    told += bench.told
    said = [one for message in told for one in message]
    assert bench.notices.due() is None
    assert bench.notices.position == bench.log.number
    for id, alert in bench.alerts.items():
        began = said.count(f"{id}:firing") + said.count(f"{id}:both")
        ended = said.count(f"{id}:resolved") + said.count(f"{id}:both")
        if id not in ever_silenced:
            assert began >= 1
            assert ended == 0 if alert.resolved is None else ended >= 1
            if not restarts:
                assert began == 1
                assert ended <= 1
        elif alert.resolved is None and alert.silenced is None:
            assert began >= 1
