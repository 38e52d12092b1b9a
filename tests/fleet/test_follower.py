"""What hosts send becomes series of the wall: each value at its own tick, and none where a host has none."""

import asyncio
import itertools
import math
import time
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any, cast

import pytest
from msgspec.structs import replace
from starlette.types import Receive, Scope, Send
from tests.fleet.following import CPU, CPU_SERIES, DISK, REQUESTS, START, FakeHost, FakeLink, Wall

from tickboard.alerting.log import AlertLog, LogEvent
from tickboard.client.decoder import Tick, WatchedSeries
from tickboard.errors import LiveHostError
from tickboard.fleet import follower as module
from tickboard.fleet import host_series, late_values, listing
from tickboard.fleet.clock import IN_TIME
from tickboard.fleet.fleet import Fleet
from tickboard.fleet.follow_options import FollowOptions
from tickboard.fleet.host import EXPECTED_S, LATE_TICKS, MAX_EARLY, FollowedHost
from tickboard.metrics.intake import Intake
from tickboard.metrics.registry import Registry
from tickboard.wire import About, MetricInfo, RuleInfo

NAN = math.nan
KEY = 'cpu_usage{host="web-1"}'
UP = 'host_up{host="web-1"}'


def followed(**more: object) -> tuple[Wall, FakeHost]:
    wall = Wall()
    host = FakeHost(wall, **more)  # type: ignore[arg-type]
    host.introduce()
    return wall, host


# --- ticks ---


def test_a_tick_of_a_host_is_in_the_walls_tick_of_its_time() -> None:
    wall, host = followed()
    for number in range(1, 4):
        host.tick(wall.due + 1, number)
        wall.tick()
    assert wall.values(KEY) == [None, 1, 2, 3]
    assert wall.values(UP)[1:] == [1, 1, 1]


def test_a_host_that_did_not_report_has_no_value_there_and_not_the_one_before() -> None:
    wall, host = followed()
    host.tick(wall.due + 1, 1)
    wall.tick()
    wall.tick()
    host.tick(wall.due + 1, 3)
    wall.tick()
    assert wall.values(KEY) == [None, 1, None, 3]


def test_a_late_tick_amends_its_own_tick_alone() -> None:
    wall, host = followed()
    host.tick(wall.due + 1, 1)
    wall.tick()
    late = wall.due + 1
    wall.tick()
    host.tick(late, 2)
    wall.tick()
    wall.tick()
    assert wall.values(KEY) == [None, 1, 2, None, None]


def test_a_late_tick_of_the_walls_newest_instant_can_be_written_before_the_next() -> None:
    wall, host = followed()
    host.tick(wall.due + 1, 1)
    wall.tick()
    wall.tick()
    wall.tick()
    called: list[bool] = []
    wall.follower.on_late = lambda: called.append(True)
    host.tick(wall.due - 1, 2)
    assert not called
    host.tick(wall.due, 3)
    assert called == [True]
    wall.follower.amend()
    assert wall.values(KEY) == [None, 1, None, 3]
    wall.tick()
    assert wall.values(KEY) == [None, 1, 2, 3, None]
    assert not wall.follower.dropped


def test_a_tick_that_comes_before_its_instant_waits_for_it() -> None:
    wall, host = followed()
    host.tick(wall.due + 1, 1)
    host.tick(wall.due + 2, 2)
    wall.tick()
    wall.tick()
    assert wall.values(KEY) == [None, 1, 2]


def test_late_values_of_a_host_change_the_tick_that_has_them() -> None:
    wall, host = followed(metrics=(CPU, DISK), series=(CPU_SERIES, WatchedSeries("disk", "%", {"mount": "/"})))
    host.tick(wall.due + 1, 1, 10)
    host.amend(wall.due + 1, NAN, 11)
    wall.tick()
    host.amend(wall.due, 5, NAN)
    wall.tick()
    assert wall.values(KEY) == [None, 5, None]
    assert wall.values('disk{host="web-1",mount="/"}') == [None, 11, None]


def test_a_value_older_than_the_window_goes_to_history() -> None:
    wall, host = followed()
    wall.intake.placement.late_s = 3_600
    for _ in range(20):
        wall.tick()
    host.tick(START + 2, 7)
    [late] = wall.tick().late
    assert (late.times.tolist(), late.columns.tolist()) == ([START + 2], host.host.columns.tolist())


def test_what_no_tick_of_the_wall_has_room_for_is_counted() -> None:
    wall, host = followed()
    wall.tick(5)
    host.tick(wall.due - 2, 7)
    wall.tick()
    assert wall.follower.dropped == 1


def test_a_value_holds_for_the_interval_of_a_host_that_ticks_less_often_and_no_longer() -> None:
    wall, host = followed(interval_ms=3_000)
    first = math.ceil((wall.due + 1) / 3) * 3
    while wall.due < first - 1:
        wall.tick()
    host.tick(first, 1)
    for _ in range(5):
        wall.tick()
    assert wall.values(KEY)[-5:] == [1, 1, 1, None, None]
    host.tick(first + 3, 2)
    wall.tick()
    assert wall.values(KEY)[-6:] == [1, 1, 1, 2, 2, 2]


def test_of_a_host_that_ticks_more_often_the_newest_tick_counts() -> None:
    wall, host = followed(interval_ms=100)
    for number in range(1, 11):
        host.tick(wall.due + number / 10, number)
    host.tick(wall.due + 1.1, 11)
    wall.tick()
    assert wall.values(KEY) == [None, 10]
    wall.tick()
    assert wall.values(KEY) == [None, 10, 11]


def test_a_wall_with_shorter_ticks_holds_a_hosts_second() -> None:
    wall = Wall(window=30, interval_ms=100)
    host = FakeHost(wall)
    host.introduce()
    while wall.due < START + 1 - 0.11:
        wall.tick()
    host.tick(START + 1, 1)
    for _ in range(11):
        wall.tick()
    assert wall.values(KEY)[-11:] == [1] * 10 + [None]


def test_ticks_that_the_wall_missed_go_to_its_ticks_of_these_instants() -> None:
    wall, host = followed()
    host.tick(wall.due + 1, 1)
    host.tick(wall.due + 2, 2)
    # The wall was stopped; it makes up for its ticks without values.
    for _ in range(2):
        wall.due += 1
        wall.engine.window.append(wall.due, wall.engine.window.row(1) * NAN)
        wall.engine.intake.placement.now = wall.due
    host.tick(wall.due + 1, 3)
    wall.tick()
    assert wall.values(KEY) == [None, 1, 2, 3]


# --- clocks ---


@pytest.mark.parametrize("ahead_s", [4.25, -4.0, 86_400.0])
def test_the_ticks_of_a_host_with_another_clock_are_in_the_walls_ticks_of_when_they_were_made(ahead_s: float) -> None:
    wall, host = followed(ahead_s=ahead_s)
    for number in range(1, 5):
        host.tick(wall.due + 1, number)
        wall.tick()
        host.beat()
    wall.tick()
    assert wall.values(KEY) == [None, 1, 2, 3, 4, None]
    assert wall.info("web-1").clock_s == pytest.approx(ahead_s, abs=0.051)


def test_ticks_of_a_host_that_set_its_clock_wait_until_it_says_its_time() -> None:
    wall, host = followed()
    host.tick(wall.due + 1, 1)
    wall.tick()
    host.ahead_s, host.epoch = -3_600, "e.2"
    for number in range(2, 5):
        host.tick(wall.due + 1, number)
        wall.tick()
        host.beat()
    wall.tick()
    assert wall.values(KEY) == [None, 1, 2, 3, 4, None]
    assert wall.info("web-1").clock_s == -3600


@pytest.mark.parametrize("silent", [0, 10])
def test_old_messages_of_a_host_that_is_ahead_put_none_of_its_ticks_at_a_wrong_instant(silent: int) -> None:
    wall = Wall(window=20)
    for _ in range(10 - silent):
        wall.tick()
    host = FakeHost(wall, ahead_s=1000)
    host.introduce(compare=False)
    for _ in range(silent):
        wall.tick()
    for ago in range(9, 0, -1):
        host.tick(wall.due - ago, 1 if ago > 7 else NAN)
        wall.follower.heard(host.link, host.seq, -1, wall.time - ago + host.ahead_s)
    for _ in range(3):
        host.tick(wall.due + 1, 2)
        wall.tick()
        host.beat()
    wall.tick()
    assert wall.values(KEY) == [None, 1, 1, *[None] * 8, 2, 2, 2, None]


def test_a_host_that_was_restarted_keeps_its_shift_although_all_that_the_wall_hears_is_old() -> None:
    wall, host = followed(ahead_s=-100)
    for number in range(3):
        host.tick(wall.due + 1, number)
        wall.tick()
        host.beat()
    host.epoch = "e.2"
    for ago in range(180, 175, -1):
        host.tick(wall.due - ago, 1)
        wall.follower.heard(host.link, host.seq, -1, wall.time - ago + host.ahead_s)
    assert not host.host.clock.is_known
    for _ in range(7):
        wall.tick()
    assert (host.host.clock.is_known, host.host.clock.shift_ms) == (True, 100_000)


def test_a_host_that_never_says_its_time_is_believed_after_a_while() -> None:
    wall = Wall()
    host = FakeHost(wall)
    host.introduce(compare=False)
    for number in range(1, 8):
        host.tick(wall.due + 1, number)
        wall.tick()
    assert wall.values(KEY) == [None, 1, 2, 3, 4, 5, 6, 7]


@pytest.mark.parametrize("away", [0, 60])
def test_a_host_of_an_earlier_run_has_time_to_say_its_time(away: int) -> None:
    """The wall may have stored it before its clock was known, or its clock was set meanwhile."""
    wall = Wall()
    host = FakeHost(wall, ahead_s=-1000.0)
    known = FollowedHost("web-1", 1000, START)
    known.describe(host.about())
    known.ticked_ms = round((START - 1000) * 1000)
    wall.follower.add_known(known)
    for _ in range(away):
        wall.tick()
    host.introduce(compare=False)
    for number in range(1, 5):
        host.tick(wall.due + 1, number)
        wall.tick()
        host.beat()
    wall.tick()
    assert wall.values(KEY)[-5:] == [1, 2, 3, 4, None]
    assert known.clock.shift_ms == 1_000_000


def test_a_wall_whose_clock_is_set_forgets_what_it_knew_of_other_clocks() -> None:
    wall, host = followed()
    host.tick(wall.due + 1, 1)
    wall.tick()
    wall.step_clock(3_600)
    wall.tick()
    host.ahead_s = -3_600
    for number in range(3, 6):
        host.tick(wall.due + 1, number)
        wall.tick()
        host.beat()
    wall.tick()
    assert wall.values(KEY) == [None, 1, None, 3, 4, 5, None]


def test_ticks_that_wait_for_too_long_become_a_hole() -> None:
    wall, host = followed()
    first = wall.due + 1
    for number in range(MAX_EARLY + 2):
        host.tick(first + 100 + number, number)
    assert len(host.host.early) == MAX_EARLY
    assert list(host.host.holes) == [((first + 99) * 1000, (first + 101) * 1000 + 1)]


# --- holes ---


def test_ticks_that_are_missing_between_two_are_a_hole() -> None:
    wall, host = followed()
    host.tick(wall.due + 1, 1)
    wall.tick()
    assert not len(host.host.holes)
    host.tick(wall.due + 5, 5)
    assert list(host.host.holes) == [(wall.due * 1000, (wall.due + 5) * 1000)]


def test_a_restarted_host_has_a_hole_since_its_last_tick() -> None:
    wall, host = followed()
    host.tick(wall.due + 1, 1)
    wall.tick()
    host.epoch, host.seq = "f", 0
    host.tick(wall.due + 9, 2)
    assert list(host.host.holes) == [(wall.due * 1000, (wall.due + 9) * 1000)]


def test_a_window_that_is_sent_again_changes_nothing() -> None:
    wall, host = followed()
    for number in range(1, 4):
        host.tick(wall.due + 1, number)
        wall.tick()
    host.epoch, host.seq = "f", 0
    for number in range(1, 4):
        host.tick(wall.due - 3 + number, number)
    host.beat()
    wall.tick()
    assert wall.values(KEY) == [None, 1, 2, 3, None]
    assert not len(host.host.holes)


def test_beats_ahead_of_the_newest_tick_mean_that_ticks_are_lost() -> None:
    wall, host = followed()
    host.tick(wall.due + 1, 1)
    wall.tick()
    last = wall.due
    for number in range(5):
        wall.tick()
        host.beat(seq=host.seq + 1 + number)
    assert list(host.host.holes) == [(last * 1000, round(wall.time * 1000))]


# --- waiting for ticks ---


def test_the_wall_waits_for_the_hosts_that_are_live() -> None:
    wall, host = followed()
    other = FakeHost(wall, "web-2", link=FakeLink("http://b"))
    other.introduce()
    completed: list[float] = []
    wall.follower.on_complete = lambda: completed.append(wall.time)
    for _ in range(2):
        host.tick(wall.due + 1, 1)
        other.tick(wall.due + 1, 1)
        wall.tick()
    assert not wall.follower.is_complete
    host.tick(wall.due + 1, 1)
    assert not wall.follower.is_complete
    other.tick(wall.due + 1, 1)
    assert wall.follower.is_complete
    assert completed == [wall.time - 1, wall.time]


def test_the_wall_does_not_wait_for_a_host_whose_ticks_all_come_late() -> None:
    wall, host = followed()
    host.tick(wall.due + 1, 1)
    wall.tick()
    for _ in range(LATE_TICKS):
        assert not wall.follower.is_complete
        wall.tick()
        wall.time += 0.1
        host.tick(wall.due, 1)
    wall.tick()
    assert wall.follower.is_complete
    host.tick(wall.due + 1, 1)
    wall.tick()
    assert not wall.follower.is_complete


def test_the_wall_does_not_wait_for_a_host_that_sends_no_ticks_until_one_comes_that_is_worth_it() -> None:
    wall, host = followed()
    host.tick(wall.due + 1, 1)
    wall.tick()
    for _ in range(LATE_TICKS):
        assert not wall.follower.is_complete
        wall.tick()
        host.beat()
    assert wall.follower.is_complete
    # The wall did not wait, so it comes after the wall's tick, but soon.
    host.tick(wall.due, 1)
    wall.tick()
    assert not wall.follower.is_complete


# --- states ---


def test_a_silent_host_is_gone_since_it_was_last_heard_from() -> None:
    wall, host = followed()
    host.tick(wall.due + 1, 1)
    wall.tick()
    host.beat()
    seen = wall.info("web-1").seen
    states = [(wall.tick(), wall.info("web-1").state)[1] for _ in range(5)]
    assert states == ["live", "live", "live", "gone", "gone"]
    assert wall.info("web-1").since == seen
    assert wall.values(UP)[-2:] == [0, 0]
    assert wall.values(KEY)[-1] is None
    host.tick(wall.due + 1, 1)
    wall.tick()
    assert wall.info("web-1").state == "live"
    assert wall.values(UP)[-1] == 1


def test_a_host_with_a_long_interval_may_be_silent_for_three_of_them() -> None:
    wall, host = followed(interval_ms=10_000)
    for _ in range(30):
        wall.tick()
    assert wall.info("web-1").state == "live"
    wall.tick()
    assert wall.info("web-1").state == "gone"
    assert host.host.row is host.host.nothing


def test_a_goodbye_is_no_alarm_and_is_forgotten_after_a_while() -> None:
    wall, host = followed()
    host.tick(wall.due + 1, 1)
    wall.tick()
    wall.follower.said_bye(host.link)
    host.beat()
    wall.follower.lost(host.link, "closed")
    wall.tick()
    assert (wall.info("web-1").state, wall.info("web-1").problem) == ("left", "")
    assert wall.values(UP)[-1] is None
    wall.tick(module.LEFT_S + 1)
    assert wall.follower.hosts == {}
    wall.tick()
    assert wall.keys() == []


def test_no_host_was_silent_while_the_wall_itself_was_stopped() -> None:
    wall, host = followed()
    host.tick(wall.due + 1, 1)
    wall.tick()
    wall.tick(60)
    assert wall.info("web-1").state == "live"
    for _ in range(4):
        wall.tick()
    assert wall.info("web-1").state == "gone"


def test_what_a_wall_hears_first_after_it_was_stopped_keeps_no_host_live_for_longer() -> None:
    wall, host = followed()
    wall.tick()
    wall.time += 60
    # It was sent before, and comes before the wall's next tick.
    host.beat()
    wall.tick(61)
    for _ in range(3):
        assert wall.info("web-1").state == "live"
        wall.tick()
    assert wall.info("web-1").state == "gone"


def test_a_host_of_an_earlier_run_is_gone_if_it_does_not_come_back() -> None:
    wall = Wall()
    known = FollowedHost("web-1", 1000, START - 100)
    known.seen = START - 50
    known.describe(FakeHost(wall).about())
    wall.follower.add_known(known)
    wall.tick()
    assert wall.info("web-1").state == "waiting"
    assert wall.values(UP)[-1] is None
    for _ in range(int(EXPECTED_S) + 1):
        wall.tick()
    assert (wall.info("web-1").state, wall.info("web-1").since) == ("gone", wall.info("web-1").seen)


def test_why_a_host_cannot_be_reached_is_shown_when_it_is_gone() -> None:
    wall, host = followed()
    wall.follower.lost(host.link, "connection refused")
    assert wall.info("web-1").problem == ""
    for _ in range(5):
        wall.tick()
    assert wall.info("web-1").problem == "connection refused"
    wall.follower.lost(host.link, "no route to host")
    assert wall.info("web-1").problem == "no route to host"
    host.introduce()
    assert wall.info("web-1").problem == ""


def test_a_host_that_was_never_reached_is_logged_and_listed_under_its_address(caplog: pytest.LogCaptureFixture) -> None:
    wall = Wall()
    host = FakeHost(wall)
    wall.follower.lost(host.link, "connection refused")
    wall.follower.lost(host.link, "connection refused")
    wall.follower.lost(host.link, "it does not answer")
    [logged] = caplog.messages
    assert logged.startswith("host http://a:3000 is not followed: connection refused")
    [listed] = wall.follower.listing.listed().hosts
    assert (listed.name, listed.state, listed.problem) == ("http://a:3000", "waiting", "it does not answer")
    revision = wall.follower.listing.revision
    host.introduce()
    after = wall.follower.listing.listed(revision)
    assert ([each.name for each in after.hosts], after.removed) == (["web-1"], ["http://a:3000"])


# --- names ---


def take_over(wall: Wall, host: FakeHost, value: float) -> None:
    """Let one of two hosts of a name be heard, and not the other one, until the wall shows its values."""
    for _ in range(5):
        wall.tick()
        host.beat()
    host.tick(wall.due + 1, value)
    wall.tick()
    assert wall.values(KEY)[-1] == value
    assert (wall.info("web-1").state, wall.info("web-1").problem) == ("live", "")


def test_two_hosts_of_one_name_are_told_apart_and_the_second_waits_until_the_first_is_gone() -> None:
    wall, host = followed()
    other = FakeHost(wall, id="other", link=FakeLink("http://b"))
    other.introduce()
    assert "another host has its name: give one of them another name (http://b)" in wall.info("web-1").problem
    for _ in range(2):
        host.tick(wall.due + 1, 1)
        other.tick(wall.due + 1, 2)
        wall.tick()
    assert wall.values(KEY)[-2:] == [1, 1]
    take_over(wall, other, 2)
    assert wall.info("web-1").address == "http://b"
    # The first one was only paused: its connection has lasted, so it does not introduce itself again.
    host.beat()
    assert "another host has its name: give one of them another name (http://a:3000)" in wall.info("web-1").problem
    take_over(wall, host, 3)


@pytest.mark.parametrize("interval_ms", [1000, 10_000])
def test_that_another_host_has_the_name_is_noted_while_that_one_is_heard(interval_ms: int) -> None:
    wall, host = followed()
    other = FakeHost(wall, id="other", link=FakeLink("nats://b", "nats"), interval_ms=interval_ms)
    other.introduce()
    noted_s = max(3, 3 * interval_ms // 1000)
    for second in range(noted_s + 1):
        assert wall.info("web-1").problem, second
        wall.tick()
        host.beat()
    assert not wall.info("web-1").problem
    other.beat()
    assert "another host has its name" in wall.info("web-1").problem


def test_a_host_that_was_forgotten_and_was_only_paused_comes_back() -> None:
    wall, host = followed()
    for _ in range(5):
        wall.tick()
    assert wall.info("web-1").state == "gone"
    wall.follower.forget("web-1")
    wall.tick()
    assert wall.follower.hosts == {}
    host.beat()
    host.tick(wall.due + 1, 4)
    wall.tick()
    assert (wall.info("web-1").state, wall.values(KEY)[-1]) == ("live", 4)


def test_a_host_says_that_another_process_wants_its_name() -> None:
    wall, host = followed()
    wall.follower.contested(FakeLink(), "elsewhere")
    wall.follower.contested(host.link, "web-9, process 3")
    assert wall.info("web-1").problem == (
        "another process (web-9, process 3) wants to publish under its name: give one of them another name"
    )
    wall.follower.contested(host.link, "")
    assert "another process wants" in wall.info("web-1").problem
    wall.follower.contested(host.link, None)
    assert wall.info("web-1").problem == ""


def test_a_host_that_is_followed_twice_says_so() -> None:
    wall, host = followed()
    FakeHost(wall, link=FakeLink("nats://b", "nats")).introduce()
    assert wall.info("web-1").problem == "it is followed twice (nats://b)"
    assert wall.follower.link("web-1") is host.link
    assert wall.follower.link("web-2") is None


@pytest.mark.parametrize("kind", ["http", "nats"])
def test_a_wall_does_not_follow_itself(kind: str) -> None:
    wall = Wall()
    wall.follower.own_id = lambda: "id"
    itself = FakeHost(wall, link=FakeLink("http://wall:3000", kind))
    itself.introduce()
    itself.tick(wall.due + 1, 5)
    wall.tick()
    assert (wall.follower.hosts, wall.keys()) == ({}, [])
    shown = [(each.name, each.problem) for each in wall.follower.listing.listed().hosts]
    why = "it is this wall itself: remove it from the hosts that the wall follows"
    assert shown == ([("http://wall:3000", why)] if kind == "http" else [])


def test_what_comes_back_from_walls_that_follow_each_other_is_left_out() -> None:
    back = WatchedSeries("cpu_usage", "%", {"host": "wall-2", "exported_host": "web-1"})
    wall, host = followed(series=(CPU_SERIES, back))
    host.tick(wall.due + 1, 5, 5)
    wall.tick()
    assert wall.keys() == [UP, KEY]
    assert "it follows this wall" in wall.info("web-1").problem


def test_another_host_at_the_same_address_takes_no_name_away() -> None:
    wall, host = followed()
    links: list[tuple[str, object]] = []
    wall.follower.on_change = lambda each: links.append((each.name, each.link))
    other = FakeHost(wall, "web-2", link=host.link)
    other.introduce(compare=False)
    assert links == [("web-1", None), ("web-2", host.link)]
    assert {each.name: each.state for each in wall.follower.listing.listed().hosts} == {
        "web-1": "left",
        "web-2": "live",
    }
    assert wall.follower.link("web-1") is None


def test_a_malformed_name_is_reported() -> None:
    wall = Wall()
    FakeHost(wall, "web 1").introduce(compare=False)
    assert "host name 'web 1'" in wall.problems["host http://a:3000"].message
    assert wall.follower.hosts == {}


def test_there_is_a_limit_of_hosts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_HOSTS", 1)
    wall, host = followed()
    other = FakeHost(wall, "web-2", link=FakeLink("http://b"))
    other.introduce()
    other.tick(wall.due + 1, 1)
    assert "there are 1 hosts" in wall.problems["hosts"].message
    wall.follower.said_bye(host.link)
    wall.follower.forget("web-1")
    assert "hosts" not in wall.problems
    other.beat()
    assert list(wall.follower.hosts) == ["web-2"]


def test_a_host_on_nats_that_the_wall_does_not_follow_is_not_listed_when_nats_is_lost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "MAX_HOSTS", 1)
    wall, host = followed()
    other = FakeHost(wall, "web-2", link=FakeLink("nats://a", "nats"))
    other.introduce()
    wall.follower.lost(other.link, "there is no connection to NATS at nats://a")
    assert [each.name for each in wall.follower.listing.listed().hosts] == [host.name]


def test_a_live_host_cannot_be_forgotten_and_another_leaves_with_its_series() -> None:
    wall, host = followed()
    host.tick(wall.due + 1, 1)
    wall.tick()
    with pytest.raises(LiveHostError, match="host 'web-1' is live: end it first"):
        wall.follower.forget("web-1")
    forgotten: list[str] = []
    wall.follower.on_forget = forgotten.append
    wall.follower.said_bye(host.link)
    wall.follower.forget("web-1")
    wall.tick()
    assert (wall.keys(), forgotten) == ([], ["web-1"])
    with pytest.raises(LookupError):
        wall.follower.forget("web-1")
    host.tick(wall.due + 1, 1)
    host.introduce()
    host.tick(wall.due + 1, 2)
    wall.tick()
    assert wall.values(KEY)[-1] == 2


# --- series ---


def test_series_have_the_labels_of_their_host_first() -> None:
    wall, host = followed(
        labels={"env": "prod", "mount": "x", "bad name": "x"},
        metrics=(DISK, REQUESTS),
        series=(WatchedSeries("disk", "%", {"mount": "/", "host": "h"}), WatchedSeries("requests", "req/s")),
    )
    host.tick(wall.due + 1, 5, 100)
    wall.tick()
    assert wall.keys() == [
        'host_up{host="web-1",env="prod",mount="x"}',
        'disk{host="web-1",env="prod",mount="x",exported_mount="/",exported_host="h"}',
        'requests{host="web-1",env="prod",mount="x"}',
    ]
    assert "label 'bad name' is left out" in wall.info("web-1").problem
    # A rate is not divided by anything again.
    assert wall.values(wall.keys()[2]) == [None, 100]
    assert wall.registry.metrics["requests"].unit == "req/s"
    assert wall.registry.metrics["requests"].overview


def test_a_series_that_its_host_does_not_describe_is_a_gauge() -> None:
    wall, host = followed(metrics=())
    host.tick(wall.due + 1, 5)
    wall.tick()
    assert wall.registry.metrics["cpu_usage"].kind == "gauge"


def test_percentiles_of_a_host_are_gauges() -> None:
    latency = MetricInfo("latency", "Latency", "ms", "histogram")
    wall, host = followed(metrics=(latency,), series=(WatchedSeries("latency", "ms"), WatchedSeries("latency.p95")))
    host.tick(wall.due + 1, 5, 7)
    wall.tick()
    assert wall.values('latency.p95{host="web-1"}') == [None, 7]
    assert wall.registry.metrics["latency"].kind == "gauge"


def test_a_metric_of_another_unit_or_kind_is_shown_under_another_name() -> None:
    wall, host = followed()
    host.tick(wall.due + 1, 5)
    other = FakeHost(
        wall,
        "web-2",
        metrics=(MetricInfo("cpu_usage", "CPU", "", "gauge"),),
        series=(WatchedSeries("cpu_usage"),),
        link=FakeLink("http://b"),
    )
    other.introduce()
    other.tick(wall.due + 1, 0.5)
    wall.tick()
    assert wall.values('cpu_usage:gauge{host="web-2"}') == [None, 0.5]
    assert wall.info("web-2").problem == (
        "metric 'cpu_usage' is a gauge in '%' here, not a gauge without a unit: it is shown as cpu_usage:gauge"
    )


def test_a_host_cannot_change_whether_the_wall_says_that_it_is_up() -> None:
    own = MetricInfo("host_up", "Up", "", "gauge", [], 0, 1)
    wall, host = followed(metrics=(CPU, own), series=(CPU_SERIES, WatchedSeries("host_up", "")))
    host.tick(wall.due + 1, 5, 8)
    wall.tick()
    # A late tick, and a late value: both change ticks that the wall has made.
    wall.tick()
    host.tick(wall.due, 5, 9)
    wall.tick()
    assert (wall.values(UP)[1:], wall.values('host_up:gauge{host="web-1"}')[1:]) == ([1, 1, 1], [8, 9, None])
    assert wall.info("web-1").problem == "metric 'host_up' is the wall's own: it is shown as host_up:gauge"
    host.metrics, host.series = (CPU,), (CPU_SERIES,)
    host.introduce()
    host.tick(wall.due + 1, 5)
    wall.tick()
    assert (wall.values(UP)[-1], wall.info("web-1").problem) == (1, "")


def test_a_host_that_comes_back_with_another_unit_keeps_the_name() -> None:
    wall, host = followed()
    host.tick(wall.due + 1, 5)
    wall.tick()
    host.metrics, host.series = (
        (MetricInfo("cpu_usage", "CPU", "cores", "gauge"),),
        (WatchedSeries("cpu_usage", "cores"),),
    )
    host.introduce()
    host.tick(wall.due + 1, 2)
    wall.tick()
    assert (wall.registry.metrics["cpu_usage"].unit, wall.values(KEY)[-1]) == ("cores", 2)
    assert wall.info("web-1").problem == ""


def test_a_metric_that_the_wall_declares_otherwise_stays_as_it_is() -> None:
    wall = Wall()
    wall.registry.histogram("cpu_usage", unit="%")
    host = FakeHost(wall)
    host.introduce()
    host.tick(wall.due + 1, 5)
    wall.tick()
    assert wall.values('cpu_usage:percent{host="web-1"}')[-1] == 5


def test_series_that_the_wall_has_no_room_for_are_refused_and_the_host_says_so() -> None:
    wall = Wall(max_series=2)
    host = FakeHost(wall, metrics=(CPU, DISK), series=(CPU_SERIES, WatchedSeries("disk", "%", {"mount": "/"})))
    host.introduce()
    host.tick(wall.due + 1, 5, 6)
    wall.tick()
    assert wall.values(KEY)[-1] == 5
    assert "at its limit of 2 series" in wall.info("web-1").problem


def test_series_of_malformed_names_are_refused() -> None:
    wall, host = followed(series=(WatchedSeries("cpu usage", "%"), CPU_SERIES, WatchedSeries("x", "", {"a b": "c"})))
    host.tick(wall.due + 1, 1, 5, 6)
    wall.tick()
    assert wall.keys() == [UP, KEY]
    assert "cpu usage" in wall.info("web-1").problem
    assert "label name 'a b'" in wall.info("web-1").problem


def test_a_series_that_a_host_no_longer_has_loses_its_value() -> None:
    disk = WatchedSeries("disk", "%", {"mount": "/"})
    wall, host = followed(metrics=(CPU, DISK), series=(CPU_SERIES, disk))
    host.tick(wall.due + 1, 1, 10)
    wall.tick()
    host.series = (CPU_SERIES,)
    host.tick(wall.due + 1, 2)
    wall.tick()
    assert wall.values('disk{host="web-1",mount="/"}') == [None, 10, None]
    host.series = (disk, CPU_SERIES)
    host.tick(wall.due + 1, 30, 3)
    wall.tick()
    assert wall.values('disk{host="web-1",mount="/"}') == [None, 10, None, 30]
    assert wall.values(KEY) == [None, 1, 2, 3]


def test_other_labels_of_a_host_are_other_series() -> None:
    wall, host = followed()
    host.tick(wall.due + 1, 1)
    wall.tick()
    host.labels = {"env": "prod"}
    host.introduce()
    host.tick(wall.due + 1, 2)
    wall.tick()
    assert wall.keys() == ['host_up{host="web-1",env="prod"}', 'cpu_usage{host="web-1",env="prod"}']


def test_the_texts_of_a_host_are_cut() -> None:
    wall, host = followed()
    long = "x\n" * 5_000
    about = replace(
        host.about(),
        title=long,
        version=long,
        started=long,
        booted=long,
        labels={"a": "y" * 2_000, "b" * 2_000: "", "c": "1", **{f"d{number}": "" for number in range(200)}},
        rules=[RuleInfo(long, long, "info", long, name=long)] * 2_000,
        metrics=[CPU] * 2_000,
    )
    wall.follower.introduced(host.link, about)
    info = wall.info("web-1")
    assert [len(text) for text in (info.title, info.version, info.started, info.booted)] == [200, 100, 40, 40]
    assert "\n" not in info.title
    assert list(info.labels)[:2] == ["c", "d0"]
    assert "its label 'a' is left out: it has more than 1024 characters" in info.problem
    [rule] = wall.follower.listing.listed().rules
    assert [len(text) for text in (rule.condition, rule.message, rule.metric, rule.name)] == [500] * 4
    kept = host.host.about
    assert kept is not None
    assert (len(kept.rules), len(kept.metrics), len(kept.labels)) == (1_000, 1_000, 100)


def test_another_board_goes_on_with_the_hosts() -> None:
    wall, host = followed()
    host.tick(wall.due + 1, 1)
    wall.tick()
    after = Intake(Registry())
    wall.follower.bind(after)
    assert list(after.source("hosts").known) == [("web-1", "")]


@pytest.mark.parametrize("late_s", [0, 2])
def test_values_that_wait_while_the_board_is_replaced_are_read_again(late_s: int) -> None:
    wall, host = followed()
    for _ in range(3):
        wall.tick()
    host.tick(wall.due - 3, 1)
    wall.tick()
    assert not host.host.holes
    at = wall.due + 1 - late_s
    host.host.ticked_ms = 0
    host.tick(at, 2)
    wall.follower.bind(Intake(Registry()))
    assert host.host.holes.span is not None
    start_ms, end_ms = host.host.holes.span
    assert start_ms < at * 1000 < end_ms


# --- lists ---


def test_only_what_has_changed_is_listed_to_those_who_know_the_rest() -> None:
    wall, host = followed()
    first = wall.follower.listing.listed()
    assert (first.whole, [each.name for each in first.hosts]) == (True, ["web-1"])
    host.tick(wall.due + 1, 1)
    wall.tick()
    host.tick(wall.due + 1, 1)
    wall.tick()
    again = wall.follower.listing.listed(wall.follower.listing.revision)
    assert (again.whole, again.hosts, again.removed) == (False, [], [])
    assert wall.follower.listing.listed(first.revision + 10**9).whole
    assert wall.follower.listing.listed(5).whole


def test_someone_who_missed_too_many_forgotten_hosts_gets_the_whole_list(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "MAX_REMOVED", 1)
    wall, host = followed()
    other = FakeHost(wall, "web-2", link=FakeLink("http://b"))
    other.introduce()
    before = wall.follower.listing.revision
    for each in (host, other):
        wall.follower.said_bye(each.link)
        wall.follower.forget(each.name)
        assert wall.follower.listing.listed(before).whole == (each is other)


def test_rules_of_many_hosts_are_listed_once() -> None:
    wall, host = followed()
    rule = RuleInfo("cpu_usage > 90", "CPU", "critical", "cpu_usage", 90)
    about = host.about()
    for name, link in (("web-1", host.link), ("web-2", FakeLink("http://b"))):
        wall.follower.introduced(link, About(name, "x", "1", 1, "", 1000, metrics=about.metrics, rules=[rule]))
    assert wall.follower.listing.listed().rules == [rule]


def test_a_newer_host_and_an_impossible_interval_are_noted() -> None:
    wall, _ = followed(protocol=99, interval_ms=1)
    assert "it is newer than this wall: update the wall" in wall.info("web-1").problem
    assert "its interval is impossible" in wall.info("web-1").problem


def test_what_comes_through_an_unknown_link_is_ignored() -> None:
    wall = Wall()
    host = FakeHost(wall)
    host.tick(wall.due + 1, 1)
    host.amend(wall.due + 1, 1)
    host.beat()
    wall.follower.said_bye(host.link)
    wall.tick()
    assert wall.keys() == []


def test_after_an_interruption_all_that_was_missed_is_read_again() -> None:
    """The ticks of the window that come then have only the series that the host has by then."""
    wall, host = followed()
    host.tick(wall.due + 1, 1)
    wall.tick()
    last = wall.due
    for _ in range(5):
        wall.tick()
        host.beat()
    for number in range(1, 6):
        host.tick(last + number, number)
    assert list(host.host.holes) == [(last * 1000, round(wall.time * 1000))]


def test_after_a_long_interruption_all_is_read_that_was_missed_although_the_first_messages_are_old() -> None:
    wall, host = followed()
    host.tick(wall.due + 1, 1)
    wall.tick()
    last = wall.due
    for _ in range(12):
        wall.tick()
    for ago in range(11, 7, -1):
        wall.follower.heard(host.link, host.seq, -1, wall.time - ago)
    # The rest comes a moment later, with fewer series.
    for number in range(1, 13):
        host.tick(last + number, number)
    [(start_ms, end_ms)] = host.host.holes
    assert start_ms == last * 1000
    assert wall.time * 1000 <= end_ms <= wall.time * 1000 + 1000


def test_all_is_read_that_was_missed_although_the_window_comes_a_moment_after_what_waited_on_the_way() -> None:
    wall, host = followed()
    host.tick(wall.due + 1, 1)
    wall.tick()
    last = wall.due
    for _ in range(12):
        wall.tick()
    for number in range(1, 5):
        host.tick(last + number, number)
    wall.tick(2.0)
    for number in range(5, 15):
        host.tick(last + number, number)
    # From now on they are in time.
    for _ in range(2):
        host.tick(wall.due + 1, 1)
        wall.tick()
    [(start_ms, end_ms)] = host.host.holes
    assert start_ms == last * 1000
    assert (last + 14) * 1000 <= end_ms <= (last + 15.1) * 1000


def test_ticks_that_waited_for_the_clock_of_a_host_are_read_again_unless_the_shift_was_right() -> None:
    """Until then it is not known when a window ends, whose ticks have only the series of the moment."""
    for ahead_s in (0, 1000):
        wall = Wall()
        host = FakeHost(wall, ahead_s=ahead_s)
        host.introduce(compare=False)
        first = wall.due + 1
        for number in range(3):
            host.tick(first + number, number)
            wall.tick()
        for _ in range(3):
            host.beat()
            wall.tick()
        own_ms = round((first + ahead_s) * 1000)
        assert list(host.host.holes) == ([(own_ms - 1, own_ms + 2001)] if ahead_s else [])


@pytest.mark.parametrize("is_moved", [True, False])
def test_ticks_that_come_again_at_other_instants_are_read_again_with_the_series_that_have_left(is_moved: bool) -> None:
    wall, host = followed(metrics=(CPU, DISK), series=(CPU_SERIES, WatchedSeries("disk", "%", {"mount": "/"})))
    first = wall.due + 1
    for number in range(5):
        host.tick(wall.due + 1, number, number)
        wall.tick()
        host.beat()
    host.ahead_s = -0.35 if is_moved else 0.0
    for _ in range(20):
        wall.tick()
        host.beat()
    assert host.host.clock.shift_ms == (1000 if is_moved else 0)
    host.host.holes.clear()
    host.epoch, host.seq, host.ahead_s, host.series = "f", 0, 0.0, (CPU_SERIES,)
    newest_ms = host.host.ticked_ms
    for number in range(3):
        host.tick(first + 2 + number, number)
    [(start_ms, _)] = host.host.holes
    assert start_ms == (round((first + 1) * 1000) if is_moved else newest_ms)


def test_after_an_interruption_the_newest_tick_is_read_again_too() -> None:
    """A series may have left since it was made; the clock of the host is behind, and its ticks are delayed."""
    wall, host = followed(ahead_s=-0.4)
    host.tick(wall.due + 1, 1)
    wall.tick()
    for _ in range(5):
        wall.tick()
        host.beat()
    wall.time += 0.55
    host.host.clock.delay_ms = 2000
    for ago in range(3, -1, -1):
        host.tick(wall.time - ago, 1)
    [(_, end_ms)] = host.host.holes
    assert end_ms > host.host.ticked_ms == round(wall.due * 1000)


def test_what_a_wall_missed_while_it_was_down_is_read_although_a_window_has_it() -> None:
    """The window has only the series that the host has by then."""
    wall = Wall()
    host = FakeHost(wall)
    known = FollowedHost("web-1", 1000, START)
    known.describe(host.about())
    missed_ms = known.ticked_ms = round((START - 30) * 1000)
    wall.follower.add_known(known)
    host.introduce()
    for second in range(-40, 1):
        host.tick(START + second, 1)
    assert list(known.holes) == [(missed_ms, round(wall.time * 1000))]


def test_a_new_name_is_noted_for_as_long_as_it_is_shown() -> None:
    wall, host = followed()
    host.tick(wall.due + 1, 5)
    cores = MetricInfo("cpu_usage", "CPU", "cores", "gauge")
    other = FakeHost(wall, "web-2", metrics=(cores,), link=FakeLink("http://b"))
    disk = WatchedSeries("disk", "%", {"mount": "/"})
    for series in ((), (disk,), ()):
        other.series = (WatchedSeries("cpu_usage", "cores"), *series)
        other.introduce()
        other.tick(wall.due + 1, 2, *(1.0 for _ in series))
        wall.tick()
        assert "it is shown as cpu_usage:cores" in wall.info("web-2").problem
    other.series, other.metrics = (WatchedSeries("cpu_usage", "%"),), (CPU,)
    other.introduce()
    other.tick(wall.due + 1, 2)
    assert wall.info("web-2").problem == ""


def test_more_series_than_a_host_may_have_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host_series, "MAX_HOST_SERIES", 1)
    wall, host = followed(metrics=(CPU, DISK), series=(CPU_SERIES, WatchedSeries("disk", "%", {"mount": "/"})))
    host.tick(wall.due + 1, 5, 6)
    wall.tick()
    assert wall.keys() == [UP, KEY]
    assert wall.info("web-1").problem == "it publishes 2 series, and 1 are shown: publish fewer metrics"


def test_too_many_late_ticks_become_a_hole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(late_values, "MAX_LATE_TICKS", 1)
    wall, host = followed()
    for _ in range(3):
        wall.tick()
        host.beat()
    host.tick(wall.due - 1, 1)
    assert not len(host.host.holes)
    host.tick(wall.due, 2)
    assert list(host.host.holes) == [(wall.due * 1000 - 1000, wall.due * 1000 + 1)]


def test_ticks_that_wait_are_placed_although_the_next_one_has_other_series() -> None:
    wall, host = followed()
    host.tick(wall.due + 1, 1)
    wall.tick()
    host.epoch = "f"
    host.tick(wall.due + 1, 2)
    host.series = (CPU_SERIES, WatchedSeries("disk", "%", {"mount": "/"}))
    host.tick(wall.due + 2, 3, 4)
    host.beat()
    for _ in range(2):
        wall.tick()
    assert wall.values(KEY)[-3:] == [1, 2, 3]
    assert not len(host.host.holes)


def test_rules_see_each_value_of_a_delayed_host_whose_series_change() -> None:
    wall, host = followed()
    host.tick(wall.due + 1, 1)
    wall.tick()
    host.host.clock.delay_ms = 1000
    evaluated = []
    for value in range(2, 8):
        host.series = (CPU_SERIES, WatchedSeries("disk", "%", {"mount": str(value)}))
        host.tick(wall.due + 1, value, 0)
        wall.tick()
        evaluated.append(wall.values(KEY)[-1])
    assert evaluated == [None, 2, 3, 4, 5, 6]
    assert not len(host.host.holes)


def test_a_value_that_waits_is_read_again_if_an_older_tick_changes_the_series() -> None:
    wall, host = followed()
    host.tick(wall.due + 1, 1)
    wall.tick()
    waiting_ms = round((wall.due + 1) * 1000)
    host.tick(wall.due + 1, 2)
    host.series = (CPU_SERIES, WatchedSeries("disk", "%", {"mount": "/"}))
    host.tick(wall.due, 1, 4)
    assert list(host.host.holes) == [(waiting_ms - 1000, waiting_ms + 1)]


def test_a_tick_that_is_amended_while_it_waits_is_read_again() -> None:
    wall, host = followed()
    host.tick(wall.due + 1, 1)
    wall.tick()
    host.host.clock.delay_ms = 1000
    waiting_ms = round((wall.due + 1) * 1000)
    host.tick(wall.due + 1, 2)
    host.amend(wall.due + 1, 3)
    assert list(host.host.holes) == [(waiting_ms - 1000, waiting_ms + 1)]


def test_who_needs_the_clock_of_a_host_hears_when_it_is_known() -> None:
    wall = Wall()
    told: list[tuple[bool, int]] = []
    wall.follower.on_change = lambda host: told.append((host.clock.is_known, host.clock.shift_ms))
    host = FakeHost(wall, ahead_s=1000)
    host.introduce(compare=False)
    assert told == [(False, 0)]
    host.beat()
    for _ in range(2):
        wall.tick()
        host.beat()
    assert told[-1] == (True, -1_000_000)
    assert not any(is_known for is_known, _ in told[:-1])
    told.clear()
    silent = FakeHost(wall, "web-2", link=FakeLink())
    silent.introduce(compare=False)
    silent.tick(wall.due + 1, 1)
    for _ in range(6):
        wall.tick()
    assert told == [(False, 0), (True, 0)]


def test_the_alerts_of_a_host_are_read_once_its_clock_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    wall = Wall()
    alerts, unused = SimpleNamespace(log=AlertLog("wall")), cast("Any", None)
    fleet = Fleet(FollowOptions(), wall.intake, wall.problems, 1000, lambda: cast("Any", alerts), unused)
    followed: list[tuple[object, ...]] = []
    monkeypatch.setattr(fleet._alerts, "follow", lambda *arguments: followed.append(arguments))
    wall.follower = fleet.follower
    host = FakeHost(wall, ahead_s=1000)
    host.introduce(compare=False)
    assert followed == []
    monkeypatch.setattr(fleet.follower, "_clock", itertools.count().__next__)
    for _ in range(3):
        assert followed == []
        fleet.follower.heard(host.link, 0, -1, time.time() + 1000)
    assert followed == [("web-1", host.link, {}, -1_000_000)]


def test_the_alerts_of_a_host_whose_ticks_come_late_keep_their_times(monkeypatch: pytest.MonkeyPatch) -> None:
    wall = Wall()
    alerts, unused = SimpleNamespace(log=AlertLog("wall")), cast("Any", None)
    fleet = Fleet(FollowOptions(), wall.intake, wall.problems, 1000, lambda: cast("Any", alerts), unused)
    shifts: list[object] = []
    monkeypatch.setattr(fleet._alerts, "follow", lambda *arguments: shifts.append(arguments[-1]))
    host = FakeHost(wall, ahead_s=1000)
    host.introduce()
    monkeypatch.setattr(wall.follower, "on_change", fleet._changed)
    for value in range(12):
        wall.tick()
        host.beat()
        wall.time += 0.4
        host.tick(wall.due, value)
    assert (host.host.clock.delay_ms, host.host.clock.shift_ms) == (1000, -999_000)
    assert set(shifts) == {-1_000_000}


def test_that_a_name_is_there_twice_is_noted_for_as_long_as_it_is() -> None:
    wall, host = followed()
    twice = "another host has its name: give one of them another name (http://b)"
    other = FakeHost(wall, id="other", link=FakeLink("http://b"))
    wall.follower.lost(other.link, "connection refused")
    ends: list[Callable[[], None]] = [
        lambda: wall.follower.said_bye(other.link),
        lambda: wall.follower.lost(other.link, "connection refused"),
        lambda: FakeHost(wall, "web-2", link=other.link).introduce(),
    ]
    for end in ends:
        other.introduce()
        assert wall.info("web-1").problem == twice
        assert [each.name for each in wall.follower.listing.listed().hosts] == ["web-1"]
        end()
        assert wall.info("web-1").problem == ""
    third = FakeHost(wall, "web-1", id="third", link=FakeLink("http://c"))
    third.introduce()
    # The host that the note is about is another one than the link leads to from now on.
    third.name = "web-2"
    third.introduce()
    assert (wall.info("web-1").problem, "http://c" in wall.info("web-2").problem) == ("", True)
    assert host.host.link is host.link


def test_a_host_of_an_earlier_run_has_its_notes_and_is_told_of_when_it_has_a_link() -> None:
    wall = Wall()
    host = FakeHost(wall, protocol=99, interval_ms=1)
    known = FollowedHost("web-1", 1000, START - 100)
    known.describe(host.about())
    known.interval_ms = 1
    wall.follower.add_known(known)
    assert "update the wall" in wall.info("web-1").problem
    assert "its interval is impossible" in wall.info("web-1").problem
    assert known.interval_ms == 10
    links: list[object] = []
    wall.follower.on_change = lambda each: links.append(each.link)
    host.introduce(compare=False)
    host.introduce(compare=False)
    assert links == [host.link]
    wall.follower.said_bye(host.link)
    other = FakeHost(wall, protocol=99, interval_ms=1, link=FakeLink("http://b"))
    other.introduce(compare=False)
    assert links == [host.link, other.link]


async def test_a_host_whose_link_leads_to_another_is_read_no_more() -> None:
    class HangingLink(FakeLink):
        async def asgi(self, scope: Scope, receive: Receive, send: Send) -> None:
            await asyncio.Event().wait()

    wall, published = Wall(), list[object]()
    log = AlertLog("e")

    class Publishing:
        def announce(self, events: Sequence[LogEvent]) -> None:
            published.append(list(events))

        async def keep(self, events: Sequence[LogEvent]) -> bool:
            return True

    alerts = cast("Any", SimpleNamespace(log=log))
    fleet = Fleet(FollowOptions(), wall.intake, wall.problems, 1000, lambda: alerts, Publishing())
    wall.follower, wall.time = fleet.follower, time.time()
    host = FakeHost(wall, link=HangingLink())
    host.introduce()
    assert fleet._alerts.follows("web-1")
    host.name = "web-2"
    host.introduce()
    async with asyncio.timeout(30):
        while not published:
            await asyncio.sleep(0.01)
    assert [fleet._alerts.follows(name) for name in ("web-1", "web-2")] == [False, True]
    await fleet.stop()
    await fleet._alerts.stop()


def test_a_host_whose_ticks_always_come_late_has_its_values_one_tick_later() -> None:
    wall, host = followed()
    changed: list[int] = []
    wall.follower.on_change = lambda each: changed.append(each.clock.shift_ms)
    evaluated: list[float | None] = []

    def late_tick(value: float) -> None:
        wall.tick()
        is_known = KEY in [one.key for one in wall.registry.series]
        evaluated.append(wall.values(KEY)[-1] if is_known else None)
        host.beat()
        wall.time += 0.4
        host.tick(wall.due, value)

    for value in range(1, 12):
        late_tick(value)
    shift_ms = host.host.clock.shift_ms
    assert (shift_ms, changed) == (1000, [1000])
    assert wall.info("web-1").problem == "its ticks come late, and are shown 1 s later: it or its network is slow"
    # Rules see the values from then on, and the one at which it began is there twice: no instant is without.
    assert evaluated == [None] * 6 + [6, 7, 8, 9, 10]
    assert wall.values(KEY)[-9:] == [3, 4, 5, 6, 6, 7, 8, 9, 10]
    assert not len(host.host.holes)
    wall.tick()
    assert wall.values(KEY)[-6:] == [6, 7, 8, 9, 10, 11]
    # It ends when all of many ticks came early enough.
    for value in range(IN_TIME - 1):
        host.tick(wall.due, value)
        host.beat()
        wall.tick()
        assert wall.values(KEY)[-1] == value
    host.tick(wall.due, 100)
    assert (host.host.clock.shift_ms, changed) == (0, [1000, 0])
    assert not wall.info("web-1").problem
    assert not wall.follower.is_complete
    host.tick(wall.due + 1, 101)
    wall.tick()
    assert wall.values(KEY)[-3:] == [57, 100, 101]


def test_ticks_that_come_late_together_after_a_pause_delay_nothing() -> None:
    wall, host = followed()
    for _ in range(4):
        for _ in range(10):
            wall.tick()
            host.beat()
        for late in range(10):
            host.tick(wall.due - 9 + late, 1)
        host.tick(wall.due + 1, 1)
    assert host.host.clock.shift_ms == 0


def test_ticks_are_read_again_when_the_clock_of_a_host_moves_by_an_interval() -> None:
    wall, host = followed()
    host.tick(wall.due + 1, 1)
    wall.tick()
    last_ms = wall.due * 1000
    host.ahead_s = -0.35
    for _ in range(20):
        wall.tick()
        host.beat()
    assert host.host.clock.shift_ms == 1000
    assert list(host.host.holes) == [(last_ms - 1000, last_ms + 1)]


@pytest.mark.parametrize(("ticks", "again"), [(3, 3), (9, 1)])
def test_ticks_are_read_again_that_came_while_the_clock_of_a_host_seemed_to_be_behind(ticks: int, again: int) -> None:
    """After a moment all of them, since one would have no instant of its own, and one instant no tick."""
    wall, host = followed()

    def run(ticks: int, behind_s: float) -> None:
        for _ in range(ticks):
            host.tick(wall.due + 1, host.seq)
            wall.tick()
            wall.follower.heard(host.link, host.seq, -1, wall.time - behind_s)

    run(3, 0.0)
    while host.host.clock.shift_ms == 0:
        run(1, 0.35)
    assert host.host.moved_ms == host.host.ticked_ms
    host.host.holes.clear()
    run(ticks - 1, 0.35)
    run(1, 0.0)
    assert host.host.clock.shift_ms == 0
    assert list(host.host.holes) == [(host.host.ticked_ms - again * 1000, host.host.ticked_ms + 1)]


@pytest.mark.parametrize("time", [-1e17, 1e17, math.inf, -math.inf, 253_402_300_000.0])
def test_an_impossible_clock_is_ignored_and_noted_until_it_is_right(time: float) -> None:
    wall, host = followed()
    other = FakeHost(wall, "web-2", link=FakeLink("http://b"))
    other.introduce()
    for number in range(1, 4):
        host.tick(wall.due + 1, number)
        other.tick(wall.due + 1, number)
        wall.follower.heard(host.link, host.seq, -1, time)
        wall.tick()
    assert wall.values(KEY)[1:] == [1, 2, 3]
    assert wall.info("web-1").problem == "its clock is impossible, and ignored: set its clock"
    assert wall.info("web-1").clock_s == 0
    host.beat()
    assert wall.info("web-1").problem == ""


@pytest.mark.parametrize("time", [-1e17, math.nan, math.inf, 253_402_300_000.0])
def test_ticks_of_an_impossible_time_are_ignored_and_noted_until_they_are_right(time: float) -> None:
    wall, host = followed()
    other = FakeHost(wall, "web-2", link=FakeLink("http://b"))
    other.introduce()
    host.tick(wall.due + 1, 1)
    wall.tick()
    good = host.made(wall.due + 1, 5)
    impossible = Tick(good.epoch, host.seq + 1, time, host.series, good.array.tobytes())
    wall.follower.ticked(host.link, impossible)
    wall.follower.amended(host.link, impossible)
    other.tick(wall.due + 1, 7)
    wall.tick()
    assert wall.info("web-1").problem == "the times of its ticks are impossible, and ignored: set its clock"
    assert (wall.values(KEY), wall.values('cpu_usage{host="web-2"}')[-1]) == ([None, 1, None], 7)
    host.tick(wall.due + 1, 3)
    wall.tick()
    assert (wall.info("web-1").problem, wall.values(KEY)) == ("", [None, 1, None, 3])


def test_a_host_or_a_wall_that_begins_with_1970_is_shown() -> None:
    wall, host = followed(ahead_s=-56 * 365 * 86_400)
    for number in range(1, 4):
        host.tick(wall.due + 1, number)
        wall.tick()
        host.beat()
    assert wall.values(KEY) == [None, 1, 2, 3]
    assert wall.info("web-1").problem == ""


def test_values_go_on_when_what_was_missing_cannot_be_written(monkeypatch: pytest.MonkeyPatch) -> None:
    wall = Wall()
    unused = cast("Any", None)
    fleet = Fleet(FollowOptions(), wall.intake, wall.problems, 1000, unused, unused)
    collected: list[float] = []
    monkeypatch.setattr(fleet.follower, "collect", collected.append)

    def fail() -> None:
        raise OverflowError("too large")

    with monkeypatch.context() as failing:
        failing.setattr(fleet._filler, "write", fail)
        fleet.collect(1.0)
        fleet.collect(2.0)
    assert "too large" in wall.problems["filling holes"].message
    assert wall.problems.failures["filling holes"] == 2
    fleet.collect(3.0)
    assert "filling holes" not in wall.problems
    assert collected == [1.0, 2.0, 3.0]
