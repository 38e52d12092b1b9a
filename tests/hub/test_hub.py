"""Viewers get each tick once, in order; a slow one skips to the newest state and delays nobody."""

from collections.abc import Iterable, Iterator
from itertools import count
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.outlets import Inbox, StreamInbox, Writes, seqs

from tickboard.alerting.log import AlertEvent
from tickboard.alerting.rules import Rule
from tickboard.engine import Engine
from tickboard.frames import BINARY, JSON, Encoding, Frame, Json, Selection
from tickboard.hub import hub as hub_module
from tickboard.hub import outbox as outbox_module
from tickboard.hub.connections import Position, Subscriber
from tickboard.hub.hub import STALLED_S, Hub, Viewer
from tickboard.hub.outbox import OUTBOX_BYTES
from tickboard.hub.readers import SLICE
from tickboard.series import Gauge, Registry
from tickboard.types import Alert, Board, Problem
from tickboard.window import Floats

NOTHING = 0
"""Room in a connection that takes nothing."""


class Bench:
    """A hub whose ticks a test makes."""

    def __init__(self, window_size: int = 20, epoch: str = "e") -> None:
        self.registry = Registry()
        self.value: Gauge = self.registry.gauge("value")
        self.other: Gauge = self.registry.gauge("other")
        ids = (f"id{number}" for number in count(1))
        rules = [Rule("value", self.value > 1000, "m", "info")]
        self.engine = Engine(self.registry, rules, window_size, epoch, lambda: next(ids))
        self.writes = Writes()
        self.hub = Hub(self.engine, self.describe, self.writes)

    def describe(self) -> Board:
        return Board("B", self.engine.epoch, 1000, 20, "0", [], [])

    def begin_tick(self) -> Iterator[None]:
        self.value.set(self.engine.seq + 1)
        self.other.set(0)
        return self.hub.publish(self.engine.tick(float(self.engine.seq), 1.0))

    def tick(self, times: int = 1) -> None:
        for _ in range(times):
            for _ in self.begin_tick():
                pass

    def join(
        self,
        since: Position | None = None,
        *,
        direct: bool = True,
        room: int = 1 << 40,
        selectors: Iterable[str] = (),
        encoding: Encoding = JSON,
    ) -> Inbox:
        inbox = Inbox(self.writes if direct else None, room)
        inbox.viewer = self.hub.join(inbox, since, selectors, encoding)
        return inbox


@pytest.fixture
def bench() -> Bench:
    return Bench()


def left(inbox: Inbox) -> None:
    assert inbox.viewer is not None
    inbox.viewer._hub.leave(inbox.viewer)


def said(text: bytes = b'{"type":"pong"}') -> Frame:
    return Frame.text(text)


either_way = pytest.mark.parametrize("direct", [True, False], ids=["by descriptor", "by send"])
any_encoding = pytest.mark.parametrize("encoding", [JSON, BINARY], ids=["JSON", "binary"])


@either_way
@any_encoding
def test_a_viewer_begins_with_the_window_and_goes_on_with_each_tick(
    bench: Bench, direct: bool, encoding: Encoding
) -> None:
    bench.tick(3)
    viewer = bench.join(direct=direct, encoding=encoding)
    bench.tick(2)
    assert seqs(viewer.messages()) == [1, 2, 3, 4, 5]


ACTIONS = st.tuples(
    st.sampled_from(["step", "step", "join", "read", "read all", "leave", "answer", "subscribe", "appear"]),
    st.integers(0, 4_000),
)


@given(
    actions=st.lists(ACTIONS, max_size=150),
    rooms=st.lists(st.integers(0, 4_000), max_size=8),
    encoding=st.sampled_from([JSON, BINARY]),
)
def test_no_viewer_ever_has_a_hole_or_a_double(
    actions: list[tuple[str, int]], rooms: list[int], encoding: Encoding
) -> None:
    with pytest.MonkeyPatch.context() as small:
        # Small enough that everything happens in the middle of a tick, and that outboxes overflow.
        small.setattr(hub_module, "SLICE", 1)
        small.setattr(outbox_module, "OUTBOX_BYTES", 600)
        bench = Bench(window_size=200)
        viewers = [bench.join(direct=room % 3 > 0, room=room, encoding=encoding) for room in rooms]
        tick: Iterator[None] | None = None
        for action, number in actions:
            chosen = viewers[number % len(viewers)] if viewers else None
            if action == "step":
                tick = tick or bench.begin_tick()
                if next(tick, "over") == "over":
                    tick = None
            elif action == "join":
                viewers.append(bench.join(direct=number % 3 > 0, room=number, encoding=encoding))
            elif chosen is None or chosen.viewer is None:
                continue
            elif action == "read":
                chosen.read(number)
            elif action == "read all":
                chosen.read()
            elif action == "leave":
                left(chosen)
                viewers.remove(chosen)
            elif action == "answer":
                chosen.viewer.answer(said())
            elif action == "subscribe":
                described = bench.hub.subscribe(chosen.viewer, [["value"], ["other"], []][number % 3])
                if described is not None:
                    chosen.viewer.answer(described)
            elif action == "appear":
                bench.registry.gauge(f"late_{number}").set(1)
        for _ in tick or ():
            pass
        for viewer in viewers:
            viewer.read()
            assert seqs(viewer.messages()) == list(range(1, bench.engine.seq + 1))
            check_layouts(viewer.messages())
        assert bench.hub.viewers == len(viewers)


def check_layouts(messages: list[Any]) -> None:
    """Every binary message has the layout that was described last, and as many values."""
    layout, series = None, 0
    for message in messages:
        if isinstance(message, dict) and message["type"] == "series":
            layout, series = message["layout"], len(message["series"])
        elif isinstance(message, bytes):
            ticks = 1 if message[0] == 2 else int.from_bytes(message[16:20], "little")
            times = 0 if message[0] == 2 else 8 * ticks
            assert int.from_bytes(message[4:8], "little") == layout
            assert len(message) == 24 + times + 4 * ticks * series


def test_who_comes_back_gets_just_what_was_missed(bench: Bench) -> None:
    bench.tick(5)
    [message] = bench.join(Position("e", 3)).messages()
    assert message["resumed"]
    assert seqs([message]) == [4, 5]


@pytest.mark.parametrize("since", [Position("e", 99), Position("other", 3), Position("e", 1)])
def test_who_comes_back_too_late_gets_the_whole_window_and_is_told(since: Position) -> None:
    bench = Bench(window_size=3)
    bench.tick(9)
    [message] = bench.join(since).messages()
    assert "resumed" not in message
    assert seqs([message]) == [7, 8, 9]


def overflow(bench: Bench, viewer: Inbox) -> int:
    """Make ticks until one of a viewer's is skipped; return how many there were."""
    ticks = 0
    while not bench.hub.traffic.frames_skipped:
        bench.tick()
        ticks += 1
        assert viewer.viewer is not None
        assert viewer.viewer._outbox.size <= OUTBOX_BYTES
    return ticks


@either_way
def test_a_slow_viewer_skips_to_the_newest_state_and_is_told(direct: bool) -> None:
    bench = Bench(window_size=3_000)
    slow, quick = bench.join(direct=direct, room=200), bench.join(direct=direct)
    ticks = overflow(bench, slow) + 5
    bench.tick(5)
    # The first was on its way already.
    skipped = bench.hub.traffic.frames_skipped
    assert skipped == ticks - 1
    slow.read()
    *_, caught_up = slow.messages()
    assert (caught_up["type"], caught_up["skipped"], caught_up["resumed"]) == ("initial", skipped, True)
    assert seqs(slow.messages()) == list(range(1, ticks + 1)) == seqs(quick.messages())
    slow.take()
    bench.tick()
    assert seqs(slow.messages()) == [ticks + 1]


def test_a_viewer_that_sleeps_past_the_window_gets_what_there_is() -> None:
    bench = Bench(window_size=20)
    slow = bench.join(room=200)
    ticks = overflow(bench, slow)
    slow.take()
    slow.read()
    caught_up = slow.messages()[-1]
    assert "resumed" not in caught_up
    assert caught_up["skipped"] == ticks - 1
    assert seqs([caught_up]) == list(range(ticks - 19, ticks + 1))


def test_one_tick_larger_than_the_outbox_may_wait() -> None:
    bench = Bench()
    for number in range(3_000):
        bench.registry.gauge(f"wide_{number}").set(1)
    slow = bench.join(room=10)
    bench.tick()
    slow.read()
    assert seqs(slow.messages()) == [1]
    assert bench.hub.traffic.frames_skipped == 0


def test_a_subscription_really_filters(bench: Bench) -> None:
    viewer = bench.join()
    assert viewer.viewer is not None
    viewer.take()
    bench.hub.subscribe(viewer.viewer, ["value", "value", "later"])
    bench.tick()
    [message] = viewer.take()
    assert [metric["name"] for metric in message["data"]] == ["value"]
    bench.registry.gauge("later").set(1)
    bench.tick()
    [message] = viewer.take()
    assert [metric["name"] for metric in message["data"]] == ["value", "later"]
    bench.hub.subscribe(viewer.viewer, [])
    bench.tick()
    assert len(viewer.take()[0]["data"]) == 3


def test_a_viewer_may_join_with_a_subscription(bench: Bench) -> None:
    bench.tick(2)
    [message] = bench.join(selectors=["val*"]).messages()
    assert {metric["name"] for metric in message["data"]} == {"value"}


@either_way
def test_a_tick_is_encoded_once_for_all_who_asked_for_the_same(
    bench: Bench, direct: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Counting:
        encoded = 0

        def __getattr__(self, name: str) -> Any:
            Counting.encoded += 1
            return getattr(JSON, name)

    encoding: Any = Counting()
    viewers = [
        bench.join(direct=direct, encoding=encoding, selectors=names) for names in (["value"], ["value"] * 2, [])
    ]
    Counting.encoded = 0
    bench.tick(3)
    assert Counting.encoded == 2 * 3
    assert bench.hub.subscriptions == 2
    assert [seqs(viewer.messages()) for viewer in viewers] == [[1, 2, 3]] * 3


def test_others_may_run_between_slices_of_a_tick(bench: Bench) -> None:
    viewers = [bench.join() for _ in range(2 * SLICE + 1)]
    steps = sum(1 for _ in bench.begin_tick())
    assert steps == 2
    assert bench.writes.calls == [SLICE, SLICE, 1]
    assert all(seqs(viewer.messages()) == [1] for viewer in viewers)


def test_a_tick_that_was_broken_off_is_brought_to_its_end_by_the_next(bench: Bench) -> None:
    viewers = [bench.join() for _ in range(2 * SLICE + 1)]
    next(bench.begin_tick())
    bench.tick()
    assert all(seqs(viewer.messages()) == [1, 2] for viewer in viewers)


@either_way
def test_who_subscribes_in_the_middle_of_a_tick_gets_it_as_it_was_asked_for_before(
    bench: Bench, direct: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub_module, "SLICE", 1)
    _, second, third = (bench.join(direct=direct) for _ in range(3))
    tick = bench.begin_tick()
    next(tick)
    assert second.viewer is not None
    bench.hub.subscribe(second.viewer, ["other"])
    bench.registry.gauge("late").set(1)
    for _ in tick:
        pass
    bench.tick()
    names = [[metric["name"] for metric in message["data"]] for message in second.messages()[1:]]
    assert names == [["value", "other"], ["other"]]
    assert seqs(second.messages()) == seqs(third.messages()) == [1, 2]


def test_who_is_slow_and_reads_again_in_the_middle_of_a_tick_gets_it_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bench = Bench(window_size=3_000)
    slow = bench.join(room=1)
    ticks = overflow(bench, slow)
    monkeypatch.setattr(hub_module, "SLICE", 1)
    # It comes after another in the order of its subscription, and so waits for the tick when that has it.
    first = bench.join(selectors=["*"])
    bench.hub.subscribe(slow_viewer(slow), ["*"])
    tick = bench.begin_tick()
    next(tick)
    slow.read()
    for _ in tick:
        pass
    assert seqs(slow.messages()) == list(range(1, ticks + 2))
    assert seqs(first.messages()) == list(range(1, ticks + 2))


def slow_viewer(inbox: Inbox) -> Viewer:
    assert inbox.viewer is not None
    return inbox.viewer


def test_a_series_may_appear_from_a_thread_while_a_tick_is_made(bench: Bench) -> None:
    viewer = bench.join()
    happened = bench.engine.tick(1.0, 1.0)
    for number in range(50):
        bench.registry.gauge(f"late_{number}").set(1)
    for _ in bench.hub.publish(happened):
        pass
    assert seqs(viewer.messages()) == [1]


def test_leaving_twice_is_leaving_once(bench: Bench) -> None:
    viewer, other = bench.join(), bench.join()
    left(viewer)
    left(viewer)
    assert bench.hub.viewers == 1
    bench.tick()
    assert seqs(other.messages()) == [1]


@either_way
def test_who_leaves_in_the_middle_of_a_tick_disturbs_nobody(
    bench: Bench, direct: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub_module, "SLICE", 2)
    viewers = [bench.join(direct=direct) for _ in range(5)]
    tick = bench.begin_tick()
    next(tick)
    left(viewers[0])
    left(viewers[2])
    for _ in tick:
        pass
    bench.tick()
    assert [seqs(viewer.messages()) for viewer in viewers] == [[1], [1, 2], [], [1, 2], [1, 2]]


def test_a_connection_may_end_while_it_is_sent_to(bench: Bench) -> None:
    class Ending(Inbox):
        def send(self, frame: Frame) -> bool:
            if self.viewer is not None:
                left(self)
            return self.viewer is None

    ending, other = Ending(), bench.join()
    ending.viewer = bench.hub.join(ending)
    bench.tick(2)
    assert (bench.hub.viewers, len(bench.hub.waiting)) == (1, 0)
    assert seqs(other.messages()) == [1, 2]


def test_a_connection_that_takes_the_rest_at_once_is_not_busy(bench: Bench) -> None:
    class Hesitating(Inbox):
        def accept(self, wire: bytes) -> int:
            return super().accept(wire[:10] if len(wire) > 10 else wire)

        def rest(self, wire: bytes, written: int) -> bool:
            self.raw += wire[written:]
            return True

    inbox = Hesitating(bench.writes)
    viewer = bench.hub.join(inbox)
    bench.tick(2)
    assert viewer.idle
    assert seqs(inbox.messages()) == [1, 2]


@either_way
def test_answers_go_to_one_viewer_and_too_many_hold_it_back(bench: Bench, direct: bool) -> None:
    viewer, other = bench.join(direct=direct), bench.join(direct=direct)
    assert viewer.viewer is not None
    viewer.viewer.answer(said())
    assert [message["type"] for message in viewer.take()] == ["initial", "pong"]
    assert [message["type"] for message in other.take()] == ["initial"]
    viewer.room = NOTHING
    answers = 0
    while not viewer.viewer.full:
        viewer.viewer.answer(said())
        answers += 1
    assert answers < OUTBOX_BYTES
    viewer.read()
    assert not viewer.viewer.full
    assert len(viewer.take()) == answers


def test_a_viewer_that_takes_nothing_is_closed_with_1013_and_one_that_reads_slowly_is_not(bench: Bench) -> None:
    bench.tick(20)
    stalled, slow, quick = bench.join(room=1), bench.join(room=1), bench.join()
    bench.tick()
    for now in range(1000, 1000 + int(STALLED_S)):
        bench.hub.check(float(now))
        slow.read(1)
    assert bench.hub.traffic.viewers_stalled == 0
    bench.hub.check(1000 + STALLED_S)
    assert [inbox.closed for inbox in (stalled, slow, quick)] == [1013, None, None]
    assert bench.hub.traffic.viewers_stalled == 1
    bench.tick()
    assert seqs(quick.messages()) == list(range(1, 23))
    assert stalled.viewer is not None
    stalled.viewer.idle_again()
    stalled.viewer.close(1001)
    assert stalled.closed == 1013
    assert bench.hub.subscribe(stalled.viewer, ["value"]) is None
    # It is a viewer until its connection has ended.
    assert bench.hub.viewers == 3
    left(stalled)
    assert bench.hub.viewers == 2


def test_a_connection_that_fails_gets_nothing_more(bench: Bench) -> None:
    broken, other = bench.join(), bench.join()
    broken.failed = True
    bench.tick(2)
    left(broken)
    bench.tick()
    assert seqs(broken.messages()) == []
    assert seqs(other.messages()) == [1, 2, 3]


@either_way
@any_encoding
def test_another_board_comes_to_the_viewers_who_are_there(direct: bool, encoding: Encoding) -> None:
    bench = Bench()
    bench.tick(2)
    viewer, slow = (bench.join(direct=direct, encoding=encoding) for _ in range(2))
    slow.room = NOTHING
    bench.tick(3)
    viewer.take()
    other = Bench(epoch="f")
    other.engine.inherit(bench.engine)
    bench.hub.switch(other.engine, other.describe)
    for _ in bench.hub.publish(other.engine.tick(6.0, 1.0)):
        pass
    slow.read()
    for inbox in (viewer, slow):
        messages = inbox.messages()
        [(at, board)] = [
            (at, one) for at, one in enumerate(messages) if isinstance(one, dict) and one["type"] == "board"
        ]
        assert board["board"]["epoch"] == "f"
        assert seqs(messages[at:]) == [1, 2, 3, 4, 5, 6]
        check_layouts(messages[at:])
        if encoding is JSON:
            assert (messages[at + 1]["epoch"], "resumed" in messages[at + 1]) == ("f", False)
    assert bench.hub.traffic.frames_skipped == 0


def test_another_board_in_the_middle_of_a_tick_ends_the_tick(bench: Bench) -> None:
    viewers = [bench.join() for _ in range(SLICE + 1)]
    tick = bench.begin_tick()
    next(tick)
    other = Bench(epoch="f")
    other.engine.inherit(bench.engine)
    bench.hub.switch(other.engine, other.describe)
    assert next(tick, "over") == "over"
    assert seqs(viewers[-1].messages()) == [1]


def test_a_tick_that_cannot_be_given_does_not_keep_the_next_from_being_given(bench: Bench) -> None:
    class Failing(Json):
        def tick(self, selection: Selection, layout: int, seq: int, time: float, row: Floats) -> Frame:
            if seq == 2:
                raise ValueError(seq)
            return super().tick(selection, layout, seq, time, row)

    viewer = bench.join(encoding=Failing())
    bench.tick()
    with pytest.raises(ValueError, match="2"):
        bench.tick()
    bench.tick()
    assert seqs(viewer.take()) == [1, 3]


def test_problems_are_shown_until_they_are_mended(bench: Bench) -> None:
    viewer, slow = bench.join(), bench.join(room=1)
    viewer.take()
    bench.hub.report(Problem("a", "wrong", "T"))
    bench.hub.report(Problem("a", "worse", "T"))
    bench.hub.mended("a")
    bench.hub.mended("a")
    assert [[one["message"] for one in message["problems"]] for message in viewer.take()] == [["wrong"], ["worse"], []]
    # They are state, too: who was slow gets the newest.
    slow.read()
    assert [message["problems"] for message in slow.messages() if message["type"] == "problems"] == [[]]


def test_many_viewers_are_told_of_a_problem_in_slices_after_the_next_tick(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub_module, "SLICE", 2)
    viewers = [bench.join(direct=direct) for direct in (True, False, True, True, False)]
    bench.hub.report(Problem("a", "wrong", "T"))
    left(viewers[4])
    assert [message["type"] for message in viewers[0].take()] == ["initial"]
    bench.tick()
    for viewer in viewers[:4]:
        assert [message["type"] for message in viewer.take()][-2:] == ["metrics", "problems"]
    assert "problems" not in [message["type"] for message in viewers[4].take()]
    bench.tick()
    assert [message["type"] for message in viewers[0].take()] == ["metrics"]


def test_subscribers_are_woken_by_alerts_alone(bench: Bench) -> None:
    woken: list[int] = []
    subscriber = Subscriber(lambda: woken.append(1), "e", 0)
    bench.hub.subscribers.add(subscriber)
    bench.tick()
    assert woken == []
    bench.value.set(2000)
    bench.hub.announce(bench.engine.tick(99.0, 1.0).events)
    bench.hub.announce([])
    assert woken == [1]
    bench.hub.switch(bench.engine, bench.describe)
    assert woken == [1, 1]


def test_readers_are_given_alerts_when_they_happen_and_when_the_board_is_another(bench: Bench) -> None:
    news: list[int] = []
    stream = StreamInbox(bench.writes)
    reader = bench.hub.readers.join(stream, "", 0.0)
    bench.hub.readers.on_news = lambda: news.append(1)
    bench.tick()
    assert news == []
    bench.value.set(2000)
    bench.hub.announce(bench.engine.tick(99.0, 1.0).events)
    bench.hub.switch(bench.engine, bench.describe)
    assert news == [1, 1]
    for _ in bench.hub.readers.give():
        pass
    assert len(stream.take()) == 2
    bench.hub.readers.leave(reader)


def test_a_reader_whose_connection_takes_nothing_is_cut_and_counted(bench: Bench) -> None:
    stream = StreamInbox(bench.writes, NOTHING)
    bench.hub.readers.join(stream, "", 0.0)
    bench.hub.check(0.0)
    bench.hub.check(STALLED_S)
    assert stream.was_cut
    assert bench.hub.traffic.subscribers_stalled == 1


def test_who_listens_is_woken_when_there_is_something_to_read_until_it_no_longer_does(bench: Bench) -> None:
    woken: list[int] = []
    leave = bench.hub.listen(lambda: woken.append(1))
    bench.hub.announce([])
    assert woken == []
    alert = Alert("1", "m", "info", "T")
    bench.hub.announce([AlertEvent(1, "firing", alert, 0.0)])
    assert woken == [1]
    leave()
    bench.hub.announce([AlertEvent(2, "resolved", alert, 0.0)])
    assert woken == [1]


def test_closing_asks_every_connection_to_end(bench: Bench) -> None:
    viewer, busy = bench.join(), bench.join(room=1)
    subscriber = Subscriber(lambda: None, "e", 0)
    bench.hub.subscribers.add(subscriber)
    stream = StreamInbox()
    bench.hub.readers.join(stream, "", 0.0)
    bench.hub.close(1001)
    assert viewer.closed == busy.closed == 1001
    assert subscriber.closing
    assert stream.ended
    bench.tick()
    assert seqs(viewer.messages()) == []


def test_what_was_sent_is_counted(bench: Bench) -> None:
    viewers = [bench.join(direct=direct) for direct in (True, False, True)]
    sent = bench.hub.traffic.frames
    bench.tick(2)
    assert bench.hub.traffic.frames - sent == 6
    assert bench.hub.traffic.bytes > 6 * 50
    assert len(viewers) == bench.hub.viewers


# --- series and metrics that come from outside ---


def sent_late(bench: Bench, name: str, value: float, time: float) -> None:
    source = bench.engine.intake.source("test")
    source.set([source.gauge(name, name)], [value], [time])


@either_way
def test_what_came_late_is_told_with_the_next_tick_to_those_who_asked_for_it(direct: bool) -> None:
    bench = Bench()
    bench.tick(4)
    sent_late(bench, "g", 1, 4.0)
    bench.tick()
    viewer = bench.join(direct=direct, selectors=["g"])
    other = bench.join(direct=direct, selectors=["value"])
    viewer.take(), other.take()
    sent_late(bench, "g", 7, 2.5)
    bench.tick()
    tick, amended = viewer.take()
    assert (tick["type"], tick["seq"], tick["data"][0]["value"]) == ("metrics", 6, 1)
    assert (amended["type"], amended["seq"]) == ("amended", 4)
    assert [(one["name"], one["value"], one["timestamp"]) for one in amended["data"]] == [
        ("g", 7, "1970-01-01T00:00:03.000Z")
    ]
    assert [message["type"] for message in other.take()] == ["metrics"]
    bench.tick()
    assert [message["type"] for message in viewer.take()] == ["metrics"]


def test_in_binary_an_amended_tick_has_the_layout_of_a_tick() -> None:
    bench = Bench()
    bench.tick(4)
    viewer = bench.join(encoding=BINARY)
    viewer.take()
    sent_late(bench, "g", 7, 2.5)
    bench.tick()
    _, series, tick, *amended = viewer.take()
    assert [one["name"] for one in series["series"]] == ["value", "other", "g"]
    assert [message[0] for message in (tick, *amended)] == [2, 3]
    assert len({len(message) for message in (tick, *amended)}) == 1
    values = np.frombuffer(amended[0], "<f4", offset=24)
    assert int.from_bytes(amended[0][8:16], "little") == 4
    assert np.isnan(values[:2]).all()
    assert values[2] == 7


def test_when_a_metric_comes_or_goes_the_page_gets_the_board_once() -> None:
    bench = Bench()
    page, plain, later = bench.join(encoding=BINARY), bench.join(), bench.join(encoding=BINARY, selectors=["v*"])
    bench.tick()
    for inbox in (page, plain, later):
        inbox.take()
    sent_late(bench, "g", 7, 0.5)
    bench.tick()
    board, series, tick = page.take()
    assert (board["type"], board["board"]["epoch"], series["type"], tick[0]) == ("board", "e", "series", 2)
    assert [message["type"] for message in plain.take()] == ["metrics"]
    assert later.take()[0]["type"] == "board"
    bench.tick()
    assert [message[0] for message in page.take()] == [2]


def test_a_slow_page_gets_the_board_with_its_new_window() -> None:
    bench = Bench()
    bench.tick()
    page = bench.join(encoding=BINARY)
    page.take()
    page.room = NOTHING
    sent_late(bench, "g", 7, 0.5)
    bench.tick()
    assert page.viewer is not None
    while not bench.hub.traffic.frames_skipped:
        bench.tick(20)
    page.read()
    boards = [message for message in page.messages() if isinstance(message, dict) and message["type"] == "board"]
    assert boards
    assert page.messages()[-1][0] == 1


def test_a_series_that_appears_in_the_middle_of_a_tick_with_late_values_disturbs_nobody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(hub_module, "SLICE", 1)
    bench = Bench()
    bench.tick(4)
    viewers = [bench.join(selectors=[selector]) for selector in ("value", "*", "other")]
    sent_late(bench, "value", 7, 2.5)
    step = bench.begin_tick()
    next(step)
    for index in range(100):
        bench.engine.intake.source("test").gauge(index, f"new{index}")
    for _ in step:
        pass
    assert [seqs(viewer.messages()) for viewer in viewers] == [[1, 2, 3, 4, 5]] * 3
