"""A wall's log has each event of a host's alerts once, however often and from wherever it is read again."""

import random
from typing import Any

import msgspec
import pytest

from tickboard.alerting.host_alerts import (
    end,
    firing_of,
    forget,
    keep_only,
    receive,
    receive_mark,
    wall_alert,
    wall_mark,
)
from tickboard.alerting.log import FORGOTTEN, LOST, AlertEvent, AlertLog, EventKind, HostPosition
from tickboard.errors import InputError
from tickboard.metrics.cleaning import MAX_NAME
from tickboard.wire import Acknowledgement, Alert, Mark, Silence

T1, T2 = "2026-01-31T12:00:00.000Z", "2026-01-31T12:01:00.000Z"
NOW = 1_769_860_800.0
"""2026-01-31T12:00:00Z."""


def alert(id: str = "a", host: str = "web-1", **more: Any) -> Alert:
    made = Alert(id, "CPU is hot", "critical", T1, "cpu", {"core": "0"}, 91.0, rule="hot", **more)
    return wall_alert(made, host, {"host": host, "core": "0"})


def said(events: list[AlertEvent]) -> list[tuple[int, str, str]]:
    return [(event.number, event.kind, event.alert.id) for event in events]


def test_an_alert_has_the_name_of_its_host() -> None:
    made = alert()
    assert (made.id, made.host, made.labels) == ("web-1:a", "web-1", {"host": "web-1", "core": "0"})


def test_the_times_of_a_host_fit_its_ticks_on_the_wall() -> None:
    made = Alert("a", "m", "info", T1, started="2026-01-31T11:59:00Z", seen=T2, resolved=T2)
    moved = wall_alert(made, "web-1", {}, -60_000)
    assert (moved.timestamp, moved.started, moved.seen, moved.resolved) == (
        "2026-01-31T11:59:00.000Z",
        "2026-01-31T11:58:00.000Z",
        T1,
        T1,
    )
    mark = wall_mark(Mark("m", "deployed\n1.4", T1, "ci", T2), "web-1", 60_000)
    assert mark == Mark("web-1:m", "web-1: deployed 1.4", T2, "ci", "2026-01-31T12:02:00.000Z")
    assert wall_mark(Mark("m", "x" * 300, T1, ""), "web-1").until is None
    assert wall_alert(made, "web-1", {}, -(10**15)).timestamp == "1970-01-01T00:00:00.000Z"
    with pytest.raises(InputError, match="timestamp=noon"):
        wall_alert(Alert("a", "m", "info", "noon"), "web-1", {})


def test_an_id_of_a_host_that_is_too_long_is_refused() -> None:
    with pytest.raises(InputError, match=rf"the id 'x{{40}}' has {MAX_NAME + 1} characters, and may have {MAX_NAME}"):
        alert("x" * (MAX_NAME + 1))


def test_the_texts_of_a_host_are_cut_on_the_wall() -> None:
    long = "x" * 5_000
    made = Alert(
        "a",
        long + "\n",
        "info",
        T1,
        long,
        rule=long,
        ended=long,
        acknowledged=Acknowledgement(T1, long, long),
        silenced=Silence(long, T2, long, T1, {long: long}, long),
    )
    found = wall_alert(made, "web-1", {"host": "web-1", **{f"a{number}": long for number in range(100)}})
    assert len(found.message) == 1_000
    assert [len(text) for text in (found.metric, found.rule, found.ended)] == [256, 256, 256]
    assert list(found.labels)[:2] == ["host", "a0"]
    assert (len(found.labels), len(found.labels["a0"])) == (64, 1_024)
    assert found.acknowledged is not None
    assert (len(found.acknowledged.by), len(found.acknowledged.note)) == (256, 1_000)
    assert found.silenced is not None
    assert len(msgspec.json.encode(found.silenced)) < 4_000


def test_an_episode_fires_once_and_is_resolved_once() -> None:
    log = AlertLog("e")
    over = alert(resolved=T2, ended="no data")
    assert said(receive(log, "firing", alert(), NOW)) == [(1, "firing", "web-1:a")]
    assert receive(log, "firing", alert(), NOW) == []
    assert said(receive(log, "resolved", over, NOW)) == [(2, "resolved", "web-1:a")]
    for kind in ("firing", "resolved", "changed"):
        assert receive(log, kind, over, NOW) == []
    assert receive(log, "firing", alert(), NOW) == []
    assert receive(log, "changed", alert(), NOW) == []
    assert log.find(["web-1:a"]) == {"web-1:a": over}


def test_what_people_do_about_a_firing_alert_is_a_change() -> None:
    log = AlertLog("e")
    receive(log, "firing", alert(), NOW)
    seen, silenced = Acknowledgement(T2, "Ann"), Silence("hot", T2, "known", T1)
    assert said(receive(log, "changed", alert(acknowledged=seen), NOW)) == [(2, "changed", "web-1:a")]
    # All that fires is sent again to a reader that cannot resume.
    assert receive(log, "firing", alert(acknowledged=seen), NOW) == []
    assert receive(log, "changed", alert(acknowledged=seen, peak=99.0), NOW) == []
    assert said(receive(log, "firing", alert(acknowledged=seen, silenced=silenced), NOW)) == [(3, "changed", "web-1:a")]


def test_a_change_after_the_end_is_there_once() -> None:
    log = AlertLog("e")
    silenced = alert(resolved=T2, silenced=Silence("hot", T2, "known", T1))
    receive(log, "firing", alert(), NOW)
    receive(log, "resolved", alert(resolved=T2), NOW)
    assert said(receive(log, "changed", silenced, NOW)) == [(3, "changed", "web-1:a")]
    assert receive(log, "changed", silenced, NOW) == []


def test_an_alert_that_began_and_ended_unseen_has_both_events() -> None:
    log = AlertLog("e")
    over = alert(resolved=T2, ended="no data")
    events = receive(log, "resolved", over, NOW)
    assert said(events) == [(1, "firing", "web-1:a"), (2, "resolved", "web-1:a")]
    assert [event.alert for event in events] == [alert(), over]
    assert said(receive(log, "changed", alert("b"), NOW)) == [(3, "firing", "web-1:b")]


def test_equal_ids_of_two_hosts_are_two_alerts() -> None:
    log = AlertLog("e")
    receive(log, "firing", alert(), NOW)
    assert len(receive(log, "firing", alert(host="web-2"), NOW)) == 1
    receive(log, "resolved", alert(resolved=T2), NOW)
    assert [each.id for each in firing_of(log, "web-2")] == ["web-2:a"]
    assert firing_of(log, "web-1") == []


def test_what_is_not_known_to_its_host_any_more_is_resolved() -> None:
    log = AlertLog("e")
    receive(log, "firing", alert("a"), NOW)
    receive(log, "firing", alert("b"), NOW)
    [event] = end(log, "web-1", LOST, NOW, {"web-1:b"})
    assert (event.kind, event.alert.id, event.alert.resolved, event.alert.ended) == ("resolved", "web-1:a", T1, LOST)
    assert [each.id for each in firing_of(log, "web-1")] == ["web-1:b"]


def test_a_forgotten_host_has_no_firing_alerts_and_no_position() -> None:
    log = AlertLog("e")
    log.append("firing", Alert("own", "m", "info", T1), NOW)
    for host in ("web-1", "web-2", "db-1"):
        receive(log, "firing", alert(host=host), NOW)
    log.followed |= {host: HostPosition("e", 1) for host in ("web-1", "web-2", "other")}
    assert [event.alert.ended for event in forget(log, "web-1", NOW)] == [FORGOTTEN]
    assert list(log.followed) == ["web-2", "other"]
    assert forget(log, "web-1", NOW) == []
    assert [event.alert.id for event in keep_only(log, {"web-2"}, NOW)] == ["db-1:a"]
    assert list(log.followed) == ["web-2"]
    assert [event.alert.id for event in log.firing_by_now()] == ["own", "web-2:a"]


@pytest.mark.parametrize("why", [FORGOTTEN, LOST])
def test_an_alert_that_was_given_up_begins_again_if_it_still_fires(why: str) -> None:
    log = AlertLog("e")
    receive(log, "firing", alert(), NOW)
    end(log, "web-1", why, NOW)
    for again in (log, AlertLog("e", log.since(0))):
        assert said(receive(again, "firing", alert(), NOW)) == [(3, "firing", "web-1:a")]
        assert said(receive(again, "resolved", alert(resolved=T2), NOW)) == [(4, "resolved", "web-1:a")]
        assert receive(again, "firing", alert(), NOW) == []
        assert [number for number, _ in again.alerts()] == [3]


@pytest.mark.parametrize("seed", range(20))
def test_a_wall_that_is_cut_off_at_random_has_each_alert_once(seed: int) -> None:
    chance = random.Random(seed)
    host, wall, read = AlertLog("host"), AlertLog("wall"), 0
    for number in range(200):
        firing = firing_of(host, "web-1")
        kind: EventKind = chance.choice(["firing", "resolved", "changed"]) if firing else "firing"
        if kind == "firing":
            made = alert(str(number))
        elif kind == "resolved":
            made = msgspec.structs.replace(chance.choice(firing), resolved=T2)
        else:
            made = msgspec.structs.replace(chance.choice(firing), acknowledged=Acknowledgement(T2, note=str(number)))
        host.append(kind, made, NOW)
        if chance.random() < 0.1:
            # It cannot resume: it gets all that fires, and looks up what has ended.
            for event in host.firing():
                receive(wall, "firing", event.alert, NOW)
            for _, each in host.alerts():
                if each.resolved is not None:
                    receive(wall, "resolved", each, NOW)
            read = host.published
        elif chance.random() < 0.3:
            for again in host.since(read):
                assert isinstance(again, AlertEvent)
                receive(wall, again.kind, again.alert, NOW)
            read = host.published
    for again in host.since(read):
        assert isinstance(again, AlertEvent)
        receive(wall, again.kind, again.alert, NOW)
    assert {each.id: each for _, each in wall.alerts()} == {each.id: each for _, each in host.alerts()}
    for kind in ("firing", "resolved"):
        ids = [event.alert.id for event in wall.since(0) if isinstance(event, AlertEvent) and event.kind == kind]
        assert len(ids) == len(set(ids))


def test_what_comes_back_from_walls_that_follow_each_other_is_there_once() -> None:
    log = AlertLog("e")
    receive(log, "firing", alert("a", "web-1"), NOW)
    back = alert("wall-2:wall:web-1:a", "wall-3")
    assert receive(log, "firing", back, NOW) == []
    receive(log, "resolved", alert("a", "web-1", resolved=T2), NOW)
    assert receive(log, "resolved", msgspec.structs.replace(back, resolved=T2), NOW) == []
    assert receive(log, "firing", alert("other:a", "wall-3"), NOW) != []
    mark = wall_mark(Mark("m", "deployed", T1, "ci"), "web-1")
    assert [event.mark for event in receive_mark(log, mark, NOW)] == [mark]
    assert receive_mark(log, mark, NOW) == []
    assert receive_mark(log, wall_mark(mark, "wall-2"), NOW) == []
