"""Viewers get each tick once, in order; a slow one skips to the newest state and delays nobody."""

import json
from collections.abc import Callable
from itertools import count
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tickboard.alerts import make_rule
from tickboard.engine import Engine
from tickboard.hub import OUTBOX_ANSWERS, OUTBOX_TICKS, Hub, Position, Subscriber, Viewer
from tickboard.series import Gauge, Registry
from tickboard.types import Board, Problem


class Bench:
    """A hub whose ticks a test makes."""

    def __init__(self, window_size: int = 20, epoch: str = "e") -> None:
        self.registry = Registry()
        self.value: Gauge = self.registry.gauge("value")
        self.other: Gauge = self.registry.gauge("other")
        ids = (f"id{number}" for number in count(1))
        rules = [make_rule(self.value > 1000, "m", "info", 0, None, 0, [])]
        self.engine = Engine(self.registry, rules, window_size, epoch, lambda: next(ids))
        self.hub = Hub(self.engine, self.describe)

    def describe(self) -> Board:
        return Board("B", self.engine.epoch, 1000, 20, "0", [], [])

    def tick(self, times: int = 1) -> None:
        for _ in range(times):
            self.value.set(self.engine.seq + 1)
            self.other.set(0)
            self.hub.publish(self.engine.tick(float(self.engine.seq), 1.0))

    def join(self, since: Position | None = None, wake: Callable[[], None] = lambda: None) -> Viewer:
        return self.hub.join(wake, since)


@pytest.fixture
def bench() -> Bench:
    return Bench()


def drain(viewer: Viewer) -> list[dict[str, Any]]:
    found = []
    while (frame := viewer.take()) is not None:
        found.append(json.loads(frame))
    return found


def seqs(messages: list[dict[str, Any]]) -> list[int]:
    """Every tick that a list of messages brings."""
    found: list[int] = []
    for message in messages:
        if message["type"] == "initial":
            found += [tick["seq"] for tick in message["ticks"]]
        elif message["type"] == "metrics":
            found.append(message["seq"])
    return found


def test_a_viewer_begins_with_the_window_and_goes_on_with_each_tick(bench: Bench) -> None:
    bench.tick(3)
    viewer = bench.join()
    bench.tick(2)
    messages = drain(viewer)
    assert seqs(messages) == [1, 2, 3, 4, 5]
    assert all("skipped" not in message for message in messages)


@given(actions=st.lists(st.sampled_from(["tick", "join", "take", "leave"]), max_size=120))
def test_no_viewer_ever_has_a_hole_or_a_double(actions: list[str]) -> None:
    bench = Bench(window_size=200)
    viewers: list[tuple[Viewer, int, list[dict[str, Any]]]] = []
    for action in actions:
        if action == "tick":
            bench.tick()
        elif action == "join":
            viewers.append((bench.join(), bench.engine.seq, []))
        elif viewers and action == "take":
            viewer, _, got = viewers[len(actions) % len(viewers)]
            if (frame := viewer.take()) is not None:
                got.append(json.loads(frame))
        elif viewers and action == "leave":
            bench.hub.leave(viewers.pop()[0])
    for viewer, _, got in viewers:
        assert seqs(got + drain(viewer)) == list(range(1, bench.engine.seq + 1))
    assert bench.hub.viewers == len(viewers)


def test_who_comes_back_gets_just_what_was_missed(bench: Bench) -> None:
    bench.tick(5)
    [message] = drain(bench.join(Position("e", 3)))
    assert message["resumed"]
    assert seqs([message]) == [4, 5]


@pytest.mark.parametrize("since", [Position("e", 99), Position("other", 3), Position("e", 1)])
def test_who_comes_back_too_late_gets_the_whole_window_and_is_told(since: Position) -> None:
    bench = Bench(window_size=3)
    bench.tick(9)
    [message] = drain(bench.join(since))
    assert "resumed" not in message
    assert seqs([message]) == [7, 8, 9]


def test_a_slow_viewer_skips_to_the_newest_state_and_is_told(bench: Bench) -> None:
    slow, quick = bench.join(), bench.join()
    drain(slow)
    got = drain(quick)
    for _ in range(OUTBOX_TICKS + 5):
        bench.tick()
        got += drain(quick)
    [caught_up] = drain(slow)
    assert (caught_up["type"], caught_up["skipped"]) == ("initial", OUTBOX_TICKS + 5)
    assert caught_up["resumed"]
    assert seqs([caught_up]) == list(range(1, OUTBOX_TICKS + 6)) == seqs(got)
    assert bench.hub.frames_skipped == OUTBOX_TICKS + 5
    bench.tick()
    assert seqs(drain(slow)) == [OUTBOX_TICKS + 6]


def test_a_viewer_that_sleeps_past_the_window_gets_what_there_is(bench: Bench) -> None:
    slow = bench.join()
    drain(slow)
    bench.tick(50)
    [caught_up] = drain(slow)
    assert "resumed" not in caught_up
    assert seqs([caught_up]) == list(range(31, 51))


def test_an_outbox_never_grows_beyond_its_bound(bench: Bench) -> None:
    slow = bench.join()
    drain(slow)
    for _ in range(500):
        bench.tick()
        assert len(slow._ticks) <= OUTBOX_TICKS


def test_a_subscription_really_filters(bench: Bench) -> None:
    viewer = bench.join()
    drain(viewer)
    bench.hub.subscribe(viewer, ["value", "value", "later"])
    bench.tick()
    [message] = drain(viewer)
    assert [metric["name"] for metric in message["data"]] == ["value"]
    bench.registry.gauge("later").set(1)
    bench.tick()
    [message] = drain(viewer)
    assert [metric["name"] for metric in message["data"]] == ["value", "later"]
    bench.hub.subscribe(viewer, [])
    bench.tick()
    assert len(drain(viewer)[0]["data"]) == 3


def test_a_tick_is_encoded_once_for_all_who_asked_for_the_same(bench: Bench) -> None:
    viewers = [bench.join() for _ in range(3)]
    frames = [viewer.take() for viewer in viewers]
    assert frames[0] is frames[1] is frames[2]
    bench.tick()
    frames = [viewer.take() for viewer in viewers]
    assert frames[0] is frames[1] is frames[2]


def test_a_series_may_appear_from_a_thread_while_a_tick_is_made(bench: Bench) -> None:
    viewer = bench.join()
    drain(viewer)
    happened = bench.engine.tick(1.0, 1.0)
    for number in range(50):
        bench.registry.gauge(f"late_{number}").set(1)
    bench.hub.publish(happened)
    assert seqs(drain(viewer)) == [1]


def test_leaving_twice_is_leaving_once(bench: Bench) -> None:
    viewer, other = bench.join(), bench.join()
    bench.hub.leave(viewer)
    bench.hub.leave(viewer)
    assert bench.hub.viewers == 1
    bench.tick()
    assert seqs(drain(other)) == [1]


def test_answers_go_to_one_viewer_after_its_first_message_and_are_bounded(bench: Bench) -> None:
    viewer, other = bench.join(), bench.join()
    viewer.answer(b'{"type":"pong"}')
    assert [message["type"] for message in drain(viewer)] == ["initial", "pong"]
    assert [message["type"] for message in drain(other)] == ["initial"]
    for _ in range(OUTBOX_ANSWERS):
        assert not viewer.answers_full
        viewer.answer(b"{}")
    assert viewer.answers_full


def test_a_viewer_is_woken_when_there_is_something_to_take(bench: Bench) -> None:
    woken: list[int] = []
    viewer = bench.join(wake=lambda: woken.append(1))
    drain(viewer)
    woken.clear()
    bench.tick()
    assert woken == [1]


def test_another_board_comes_to_the_viewers_who_are_there(bench: Bench) -> None:
    bench.tick(2)
    viewer = bench.join()
    drain(viewer)
    bench.tick()
    other = Bench(epoch="f")
    other.engine.inherit(bench.engine)
    bench.hub.switch(other.engine, other.describe)
    board, initial = drain(viewer)
    assert (board["type"], board["board"]["epoch"]) == ("board", "f")
    assert (initial["type"], initial["epoch"], "resumed" in initial) == ("initial", "f", False)
    assert seqs([initial]) == [1, 2, 3]


def test_problems_are_shown_until_they_are_mended(bench: Bench) -> None:
    viewer = bench.join()
    drain(viewer)
    bench.hub.report(Problem("a", "wrong", "T"))
    bench.hub.report(Problem("a", "worse", "T"))
    bench.hub.mended("a")
    bench.hub.mended("a")
    messages = drain(viewer)
    assert [[one["message"] for one in message["problems"]] for message in messages] == [["wrong"], ["worse"], []]


def test_subscribers_are_woken_by_alerts_alone(bench: Bench) -> None:
    woken: list[int] = []
    subscriber = Subscriber(lambda: woken.append(1), "e", 0)
    bench.hub.subscribers.add(subscriber)
    bench.tick()
    assert woken == []
    bench.value.set(2000)
    bench.hub.publish(bench.engine.tick(99.0, 1.0))
    assert woken == [1]
    bench.hub.switch(bench.engine, bench.describe)
    assert woken == [1, 1]


def test_closing_asks_every_connection_to_end(bench: Bench) -> None:
    viewer = bench.join()
    subscriber = Subscriber(lambda: None, "e", 0)
    bench.hub.subscribers.add(subscriber)
    bench.hub.close(1001)
    assert viewer.closing == 1001
    assert subscriber.closing
