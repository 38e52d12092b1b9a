"""The comparison of the stress run finds what it is there to find."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.fleet.comparing import Case, Found, Key, Served, Values, repeated, same
from tests.serving import serve, wait_for

NAMES = frozenset({"load"})
CASE = Case("web-1", {"env": "prod"}, NAMES, 0, 1_000, 9_000)

HOST_KEY: Key = ("load", (("core", "0"), ("host", "x")))
WALL_KEY: Key = ("load", (("core", "0"), ("env", "prod"), ("exported_host", "x"), ("host", "web-1")))

TICKS: Values = {at: at / 7000 for at in range(0, 12_000, 1000)}

ALERT = {"id": "a", "timestamp": "1970-01-01T00:00:04.000Z", "severity": "info", "labels": {"core": "0"}}
ON_WALL = {**ALERT, "id": "web-1:a", "host": "web-1", "labels": {"core": "0", "env": "prod", "host": "web-1"}}


def board(key: Key, values: Values, *alerts: dict[str, Any]) -> Found:
    return Found({key: values}, {key: values}, {alert["id"]: alert for alert in alerts})


HOST, WALL = board(HOST_KEY, TICKS, ALERT), board(WALL_KEY, TICKS, ON_WALL)


def differences(host: Found = HOST, wall: Found = WALL, case: Case = CASE) -> list[str]:
    return [*case.of_history(host, wall), *case.of_window(host, wall), *case.of_alerts(host, wall)]


def changed(**values: float | None) -> Found:
    ticks = dict(TICKS)
    for name, value in values.items():
        at = int(name.removeprefix("at_"))
        if value is None:
            del ticks[at]
        else:
            ticks[at] = value
    return board(WALL_KEY, ticks, ON_WALL)


def test_a_wall_agrees_that_has_the_host_under_its_labels() -> None:
    assert differences() == []


def test_ticks_before_those_that_are_compared_and_the_newest_may_differ() -> None:
    assert differences(wall=changed(at_0=None, at_11000=5.0)) == []


@pytest.mark.parametrize("wall", [changed(at_4000=None), changed(at_4000=0.6), changed(at_4500=0.6)])
def test_a_missing_a_wrong_and_an_invented_tick_are_found_in_history_and_in_the_window(wall: Found) -> None:
    history, window = differences(wall=wall)
    assert history.startswith("history of load{core=0, env=prod, exported_host=x, host=web-1}: 1970-01-01T00:00:04.")
    assert window.startswith("window of load{")


def test_a_series_whose_name_has_got_its_unit_on_the_wall_is_found_again() -> None:
    assert differences(wall=board(("load:MB", WALL_KEY[1]), TICKS, ON_WALL)) == []


def test_a_series_that_has_got_another_name_in_between_has_the_values_of_both() -> None:
    before = {at: value for at, value in TICKS.items() if at < 6_000}
    after = {at: value for at, value in TICKS.items() if at >= 4_000}
    for values in ({WALL_KEY: before}, {("load:MB", WALL_KEY[1]): after}):
        assert differences(wall=Found(values, values, WALL.alerts)) != []
    both = {WALL_KEY: before, ("load:MB", WALL_KEY[1]): after}
    assert differences(wall=Found(both, both, WALL.alerts)) == []


def test_a_metric_that_the_host_has_no_more_and_the_wall_never_had_is_not_compared() -> None:
    case = replace(CASE, names=frozenset({"load", "other"}))
    former, until_now = ({at: value for at, value in TICKS.items() if at < end} for end in (6_000, 12_000))
    on_wall = ("other", WALL_KEY[1])
    for ours, theirs, are_equal in ((former, {}, True), (until_now, {}, False), (former, {5_000: 5 / 7}, False)):
        host = Found(
            {HOST_KEY: TICKS, ("other", HOST_KEY[1]): ours}, {HOST_KEY: TICKS, ("other", ()): ours}, HOST.alerts
        )
        wall = Found({WALL_KEY: TICKS, on_wall: theirs} if theirs else WALL.history, WALL.window, WALL.alerts)
        assert (list(case.known_to(host, wall).of_history(host, wall)) == []) == are_equal


def test_what_a_host_had_of_a_metric_before_the_wall_has_known_it_is_not_compared() -> None:
    case = replace(CASE, names=frozenset({"load", "other"}), end_ms=50_000)
    ticks = {at: at / 7000 for at in range(0, 52_000, 1000)}

    def equal(ours: set[int], theirs: set[int]) -> bool:
        had, shown = ({at * 1000: at / 7 for at in sorted(each)} for each in (ours, theirs))
        host = {HOST_KEY: ticks, ("other", HOST_KEY[1]): had}
        wall = {WALL_KEY: ticks, ("other", WALL_KEY[1]): shown}
        boards = Found(host, host, {}), Found(wall, wall, {})
        return not [*case.known_to(*boards).of_history(*boards)]

    before, after = set(range(2, 8)), set(range(30, 52))
    assert equal(before | after, after)
    # The first window in which the wall sees the metric may have some of its ticks of before.
    assert equal(before | after, {6, 7} | after)
    assert not equal(before | after, {5, 7} | after)
    # A value is missing that the wall should have, since it has known the metric, or the host had it all the time.
    assert not equal(before | after, after - {30})
    assert not equal(before | after, after - {40})
    assert not equal(before | after, before - {3} | after)
    assert not equal(before | after, before)
    assert not equal(set(range(2, 25)) | after, after)


def test_a_series_under_other_labels_is_found() -> None:
    wall = board(("load", (("core", "0"), ("host", "web-1"))), TICKS, ON_WALL)
    found = differences(wall=wall)
    assert sum("the wall None" in each for each in found) == sum("the host has None" in each for each in found) == 18


def test_of_a_host_that_was_killed_a_wall_may_have_more_but_not_less() -> None:
    case = replace(CASE, lost=lambda at: at == 4000)
    host = board(HOST_KEY, {at: value for at, value in TICKS.items() if at != 4000}, ALERT)
    assert differences(host, case=case) == []
    assert differences(HOST, changed(at_4000=None), case) != []


def test_ticks_of_a_host_with_another_clock_are_found_again() -> None:
    alert = {**ON_WALL, "timestamp": "1970-01-01T00:00:02.000Z"}
    wall = board(WALL_KEY, {at - 2000: value for at, value in TICKS.items()}, alert)
    assert differences(wall=wall, case=replace(CASE, shift_ms=2000)) == []
    assert differences(wall=wall) != []


def test_a_series_that_has_left_the_window_of_the_host_only_is_compared_with_its_history() -> None:
    host = Found({HOST_KEY: TICKS, ("x", ()): TICKS}, {("x", ()): TICKS}, HOST.alerts)
    assert differences(host) == []
    assert len(differences(host, changed(at_4000=0.6))) == 2


def test_a_host_may_be_shown_later_but_each_value_is_that_of_one_of_its_ticks() -> None:
    case = replace(CASE, names=frozenset({"load", "clock"}), end_ms=40_000, clock="clock")
    ticks = {at: at / 7000 for at in range(0, 42_000, 1000)}
    # A second later for twenty ticks; the first of them is there twice, and the last one is not.
    shown = ticks | {at: ticks[at - 1000] for at in range(10_000, 30_000, 1000)}
    values = {HOST_KEY: ticks, ("clock", ()): ticks}
    host = Found(values, values, {})

    def found(changed_at: int, value: float | None) -> list[str]:
        load = {at: value if at == changed_at else each for at, each in shown.items()}
        known = {at: each for at, each in load.items() if each is not None}
        values = {WALL_KEY: known, ("clock", (("env", "prod"), ("host", "web-1"))): shown}
        wall = Found(values, values, {})
        return [*case.of_history(host, wall), *case.of_window(host, wall)]

    assert found(0, 0) == []
    # Where the delay changes, an instant may be without a value.
    assert found(10_000, None) == []
    for at, value in ((20_000, None), (20_000, 0.5), (37_000, None), (37_000, 36 / 7)):
        assert len(found(at, value)) == 2


def test_a_host_that_was_shown_later_may_keep_a_value_where_one_of_its_ticks_has_none() -> None:
    case = replace(CASE, names=frozenset({"load", "clock"}), end_ms=40_000, clock="clock")
    ticks = {at: at / 7000 for at in range(0, 42_000, 1000)}
    load = {at: value for at, value in ticks.items() if at != 20_000}

    def found(changed_at: int, value: float, without_tick: int = 0) -> list[str]:
        clock = {at: value for at, value in ticks.items() if at != without_tick}
        ours = {HOST_KEY: load, ("clock", ()): clock}
        theirs = {WALL_KEY: load | {changed_at: value}, ("clock", (("env", "prod"), ("host", "web-1"))): clock}
        host, wall = Found(ours, ours, {}), Found(theirs, theirs, {})
        return [*case.of_history(host, wall), *case.of_window(host, wall)]

    for second in range(15, 20):
        assert found(20_000, ticks[second * 1000]) == []
    # Neither an older value, nor a later or invented one, nor any where the host has made no tick, or has a value.
    assert len(found(20_000, ticks[14_000])) == len(found(20_000, ticks[21_000])) == len(found(20_000, 0.5)) == 2
    assert len(found(20_000, ticks[19_000], without_tick=20_000)) == len(found(21_000, ticks[19_000])) == 2


def test_alerts_may_be_as_late_as_the_ticks_of_a_host_whose_messages_were_slow() -> None:
    case = replace(CASE, clock="load")
    wall = board(WALL_KEY, TICKS | {at: TICKS[at - 1000] for at in range(3000, 6000, 1000)})
    for second, count in ((4, 0), (5, 0), (6, 1), (3, 1)):
        alert = {**ON_WALL, "timestamp": f"1970-01-01T00:00:0{second}.000Z"}
        assert len(list(case.of_alerts(HOST, replace(wall, alerts={"web-1:a": alert})))) == count
    # For a moment only, they may have been an interval late.
    for second, count in ((5, 0), (6, 1), (3, 1)):
        alert = {**ON_WALL, "timestamp": f"1970-01-01T00:00:0{second}.000Z"}
        assert len(list(case.of_alerts(HOST, replace(WALL, alerts={"web-1:a": alert})))) == count


def test_an_empty_window_is_a_difference() -> None:
    assert differences(wall=Found(WALL.history, {}, WALL.alerts)) == ["a window is empty"]


@pytest.mark.parametrize(
    ("on_wall", "found"),
    [
        ({}, "is not on the wall"),
        ({"b": {**ON_WALL, "id": "web-1:b"}}, "is not on the host"),
        ({"web-1:a": {**ON_WALL, "severity": "critical"}}, "severity is 'info' on the host, 'critical' on the wall"),
        (
            {"web-1:a": {**ON_WALL, "resolved": "1970-01-01T00:00:05.000Z"}},
            "resolved is None on the host, '1970-01-01T00:00:05.000Z' on the wall",
        ),
        ({"web-1:a": {**ON_WALL, "labels": {}}}, "the wall has the labels {}"),
    ],
)
def test_alerts_that_differ_are_found(on_wall: dict[str, Any], found: str) -> None:
    wall = Found(WALL.history, WALL.window, on_wall)
    assert found in differences(wall=wall)[-1]


def test_the_peak_of_an_alert_counts_once_it_is_resolved() -> None:
    over = {"resolved": "1970-01-01T00:00:05.000Z"}
    for end, found in (({}, 0), (over, 1)):
        host, wall = {"a": {**ALERT, **end, "peak": 3.0}}, {"web-1:a": {**ON_WALL, **end}}
        both = Found(HOST.history, HOST.window, host), Found(WALL.history, WALL.window, wall)
        assert len(differences(*both)) == found


def test_an_event_that_came_twice_is_found() -> None:
    once = [("firing", ALERT), ("changed", ALERT), ("changed", ALERT), ("resolved", ALERT)]
    assert list(repeated(once)) == []
    assert list(repeated([*once, ("firing", ALERT)])) == ["alert a is firing twice"]


def test_whole_numbers_are_exact_and_others_within_the_precision_of_history() -> None:
    assert same(2.0**52, 2.0**52, 1e15)
    assert not same(2.0**52, 2.0**52 + 1, 1e15)
    assert same(50.0001, 50.0009, 100)
    assert not same(50.0001, 50.0021, 100)
    assert not same(50.0001, 50.0009, 1)


def test_a_served_board_answers_with_its_ticks_its_window_and_its_alerts(tmp_path: Path) -> None:
    file = tmp_path / "board.py"
    file.write_text(BOARD)
    flags = ["--interval=100", f"--state={tmp_path / 'state'}", f"--history={tmp_path / 'history'}"]
    with serve("run", str(file), *flags) as server:
        host = Served("host", server.url.rstrip("/"), "")
        assert host.alive()
        wait_for(lambda: len(host.events()) >= 6)
        assert list(repeated(host.events())) == []
        assert {alert["id"] for kind, alert in host.events()} <= host.alerts().keys()
        key = ("number", (("kind", "whole"),))
        window = host.window()[key]
        wait_for(lambda: host.history(min(window), max(window) + 1, 100).get(key, {}).keys() >= window.keys())
        assert host.history(min(window), max(window) + 1, 100)[key] == window
    assert not host.alive()


BOARD = """
from tickboard import Board

board = Board("Host")
number = board.gauge("number", labels=("kind",))
board.alert(number > 2, "{value}")
last = 0

@board.every()
def measure():
    global last
    last = (last + 1) % 4
    number.labels(kind="whole").set(last)
"""
