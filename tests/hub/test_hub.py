"""Viewers get each tick once and in order. A slow viewer skips to the newest state and delays nobody."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.hub.watching import (
    NOTHING,
    V2,
    Bench,
    Work,
    answer_frame,
    any_encoding,
    break_methods,
    check_layouts,
    check_that_one_was_disconnected,
    disconnect,
    either_way,
    send_late,
    slow_viewer,
)
from tests.outlets import Inbox, StreamInbox, seqs

from tickboard.alerting.log import AlertEvent
from tickboard.hub import encodings
from tickboard.hub import hub as hub_module
from tickboard.hub import initials as initials_module
from tickboard.hub import outbox as outbox_module
from tickboard.hub.connections import Position, Subscriber
from tickboard.hub.encodings import BINARY, BINARY_CHANGES, JSON, PUBLISHED, Encoding, Json
from tickboard.hub.frames import Frame
from tickboard.hub.outbox import OUTBOX_BYTES
from tickboard.hub.readers import SLICE
from tickboard.hub.viewer import STALLED_S
from tickboard.metrics import selection as selection_module
from tickboard.metrics.selection import Selection
from tickboard.metrics.window import Floats
from tickboard.wire import Alert


@pytest.fixture
def bench() -> Bench:
    return Bench()


@either_way
@any_encoding
def test_a_viewer_gets_the_window_first_and_then_each_tick(bench: Bench, direct: bool, encoding: Encoding) -> None:
    bench.tick(3)
    viewer = bench.join(direct=direct, encoding=encoding)
    bench.tick(2)
    assert seqs(viewer.messages()) == [1, 2, 3, 4, 5]


ACTIONS = st.tuples(
    st.sampled_from(["step", "step", "join", "read", "read all", "leave", "answer", "subscribe", "appear", "work"]),
    st.integers(0, 4_000),
)


@given(
    actions=st.lists(ACTIONS, max_size=150),
    rooms=st.lists(st.integers(0, 4_000), max_size=8),
    encoding=st.sampled_from([JSON, *BINARY.values()]),
    in_steps=st.booleans(),
)
def test_no_viewer_ever_misses_or_repeats_a_tick(
    actions: list[tuple[str, int]], rooms: list[int], encoding: Encoding, in_steps: bool
) -> None:
    with pytest.MonkeyPatch.context() as small:
        # Small enough that everything happens during a tick, and that outboxes overflow.
        small.setattr(hub_module, "SLICE", 1)
        small.setattr(outbox_module, "OUTBOX_BYTES", 600)
        small.setattr(initials_module, "MOST_AT_ONCE", 0)
        small.setattr(initials_module, "MAX_MADE_AT_ONCE", 1)
        small.setattr(encodings, "STEP_VALUES", 20)
        small.setattr(selection_module, "STEP_SERIES", 1)
        small.setattr(encodings, "STEP_SERIES", 1)
        bench = Bench(window_size=200)
        work = Work()
        if in_steps:
            bench.hub.initials.begin_work = work.begin
        viewers = [bench.join(direct=room % 3 > 0, room=room, encoding=encoding) for room in rooms]
        tick: Iterator[None] | None = None
        for action, number in actions:
            chosen = viewers[number % len(viewers)] if viewers else None
            if action == "step":
                tick = tick or bench.begin_tick()
                if next(tick, "over") == "over":
                    tick = None
            elif action == "work":
                work.step(number)
            elif action == "join":
                viewers.append(bench.join(direct=number % 3 > 0, room=number, encoding=encoding))
            elif chosen is None or chosen.viewer is None:
                continue
            elif action == "read":
                chosen.read(number)
            elif action == "read all":
                chosen.read()
            elif action == "leave":
                disconnect(chosen)
                viewers.remove(chosen)
            elif action == "answer":
                chosen.viewer.answer(answer_frame())
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
        while work.waiting:
            work.step(0)
        for viewer in viewers:
            viewer.read()
            assert seqs(viewer.messages()) == list(range(1, bench.engine.seq + 1))
            check_layouts(viewer.messages(), encoding)
        assert bench.hub.viewers == len(viewers)


def test_a_returning_viewer_gets_only_the_ticks_it_missed(bench: Bench) -> None:
    bench.tick(5)
    [message] = bench.join(Position("e", 3)).messages()
    assert message["resumed"]
    assert seqs([message]) == [4, 5]


@pytest.mark.parametrize("since", [Position("e", 99), Position("other", 3), Position("e", 1)])
def test_a_returning_viewer_with_an_unusable_position_gets_the_whole_window(since: Position) -> None:
    bench = Bench(window_size=3)
    bench.tick(9)
    [message] = bench.join(since).messages()
    assert "resumed" not in message
    assert seqs([message]) == [7, 8, 9]


def overflow(bench: Bench, viewer: Inbox) -> int:
    """Make ticks until the viewer skips one. Return how many ticks were made."""
    ticks = 0
    while not bench.hub.traffic.frames_skipped:
        bench.tick()
        ticks += 1
        assert viewer.viewer is not None
        assert viewer.viewer._outbox.size <= OUTBOX_BYTES
    return ticks


@either_way
def test_a_slow_viewer_skips_to_the_newest_state_and_learns_how_many_it_missed(direct: bool) -> None:
    bench = Bench(window_size=3_000)
    slow, quick = bench.join(direct=direct, room=200), bench.join(direct=direct)
    ticks = overflow(bench, slow) + 5
    bench.tick(5)
    # The first was already being sent.
    skipped = bench.hub.traffic.frames_skipped
    assert skipped == ticks - 1
    slow.read()
    *_, caught_up = slow.messages()
    assert (caught_up["type"], caught_up["skipped"], caught_up["resumed"]) == ("initial", skipped, True)
    assert seqs(slow.messages()) == list(range(1, ticks + 1)) == seqs(quick.messages())
    slow.take()
    bench.tick()
    assert seqs(slow.messages()) == [ticks + 1]


def test_a_viewer_that_falls_behind_the_window_gets_the_current_window() -> None:
    bench = Bench(window_size=20)
    slow = bench.join(room=200)
    ticks = overflow(bench, slow)
    slow.take()
    slow.read()
    caught_up = slow.messages()[-1]
    assert "resumed" not in caught_up
    assert caught_up["skipped"] == ticks - 1
    assert seqs([caught_up]) == list(range(ticks - 19, ticks + 1))


def test_one_tick_larger_than_the_outbox_can_be_queued() -> None:
    bench = Bench()
    for number in range(3_000):
        bench.registry.gauge(f"wide_{number}").set(1)
    slow = bench.join(room=10)
    bench.tick()
    slow.read()
    assert seqs(slow.messages()) == [1]
    assert bench.hub.traffic.frames_skipped == 0


def test_a_subscription_filters_the_metrics(bench: Bench) -> None:
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


def test_a_viewer_can_join_with_a_subscription(bench: Bench) -> None:
    bench.tick(2)
    [message] = bench.join(selectors=["val*"]).messages()
    assert {metric["name"] for metric in message["data"]} == {"value"}


@either_way
def test_a_tick_is_encoded_once_for_each_distinct_subscription(
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


def test_publishing_a_tick_yields_between_slices_of_viewers(bench: Bench) -> None:
    viewers = [bench.join() for _ in range(2 * SLICE + 1)]
    steps = sum(1 for _ in bench.begin_tick())
    assert steps == 2
    assert bench.writes.calls == [SLICE, SLICE, 1]
    assert all(seqs(viewer.messages()) == [1] for viewer in viewers)


def test_an_interrupted_tick_is_completed_by_the_next_one(bench: Bench) -> None:
    viewers = [bench.join() for _ in range(2 * SLICE + 1)]
    next(bench.begin_tick())
    bench.tick()
    assert all(seqs(viewer.messages()) == [1, 2] for viewer in viewers)


@either_way
def test_a_viewer_that_subscribes_during_a_tick_gets_it_by_its_old_subscription(
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


def test_a_slow_viewer_that_reads_again_during_a_tick_gets_it_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bench = Bench(window_size=3_000)
    slow = bench.join(room=1)
    ticks = overflow(bench, slow)
    monkeypatch.setattr(hub_module, "SLICE", 1)
    # The slow viewer comes after another one with the same subscription, so it still waits when that one has the tick.
    first = bench.join(selectors=["*"])
    bench.hub.subscribe(slow_viewer(slow), ["*"])
    tick = bench.begin_tick()
    next(tick)
    slow.read()
    for _ in tick:
        pass
    assert seqs(slow.messages()) == list(range(1, ticks + 2))
    assert seqs(first.messages()) == list(range(1, ticks + 2))


def test_series_can_appear_between_a_tick_and_its_publishing(bench: Bench) -> None:
    viewer = bench.join()
    happened = bench.engine.tick(1.0, 1.0)
    for number in range(50):
        bench.registry.gauge(f"late_{number}").set(1)
    for _ in bench.hub.publish(happened):
        pass
    assert seqs(viewer.messages()) == [1]


def test_leaving_twice_has_no_further_effect(bench: Bench) -> None:
    viewer, other = bench.join(), bench.join()
    disconnect(viewer)
    disconnect(viewer)
    assert bench.hub.viewers == 1
    bench.tick()
    assert seqs(other.messages()) == [1]


@either_way
def test_viewers_that_leave_during_a_tick_do_not_affect_the_others(
    bench: Bench, direct: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub_module, "SLICE", 2)
    viewers = [bench.join(direct=direct) for _ in range(5)]
    tick = bench.begin_tick()
    next(tick)
    disconnect(viewers[0])
    disconnect(viewers[2])
    for _ in tick:
        pass
    bench.tick()
    assert [seqs(viewer.messages()) for viewer in viewers] == [[1], [1, 2], [], [1, 2], [1, 2]]


@either_way
def test_a_tick_is_not_encoded_for_a_subscription_whose_viewers_have_all_left(
    bench: Bench, direct: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub_module, "SLICE", 1)
    encoded = []

    class Counting:
        def __getattr__(self, name: str) -> Any:
            encoded.append(name)
            return getattr(JSON, name)

    encoding: Any = Counting()
    stays = bench.join(direct=direct)
    leaving = [bench.join(direct=direct, encoding=encoding) for _ in range(3)]
    encoded.clear()
    tick = bench.begin_tick()
    next(tick)
    for viewer in leaving:
        disconnect(viewer)
    for _ in tick:
        pass
    bench.tick()
    assert "tick" not in encoded
    assert [seqs(viewer.messages()) for viewer in (stays, *leaving)] == [[1, 2], [], [], []]


def test_a_connection_can_end_while_it_is_being_sent_to(bench: Bench) -> None:
    class Ending(Inbox):
        def send(self, frame: Frame) -> bool:
            if self.viewer is not None:
                disconnect(self)
            return self.viewer is None

    ending, other = Ending(), bench.join()
    ending.viewer = bench.hub.join(ending)
    bench.tick(2)
    assert (bench.hub.viewers, len(bench.hub.waiting)) == (1, 0)
    assert seqs(other.messages()) == [1, 2]


def test_a_connection_that_accepts_the_rest_at_once_is_not_busy(bench: Bench) -> None:
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
def test_answers_go_to_one_viewer_whose_outbox_can_become_full(bench: Bench, direct: bool) -> None:
    viewer, other = bench.join(direct=direct), bench.join(direct=direct)
    assert viewer.viewer is not None
    viewer.viewer.answer(answer_frame())
    assert [message["type"] for message in viewer.take()] == ["initial", "pong"]
    assert [message["type"] for message in other.take()] == ["initial"]
    viewer.room = NOTHING
    answers = 0
    while not viewer.viewer.full:
        viewer.viewer.answer(answer_frame())
        answers += 1
    assert answers < OUTBOX_BYTES
    viewer.read()
    assert not viewer.viewer.full
    assert len(viewer.take()) == answers


@either_way
@pytest.mark.parametrize("end", [disconnect, lambda inbox: inbox.viewer.close(1000)], ids=["left", "closed"])
def test_a_viewer_whose_connection_has_ended_gets_no_answer(
    bench: Bench, end: Callable[[Inbox], None], direct: bool
) -> None:
    viewer = bench.join(direct=direct)
    assert viewer.viewer is not None
    end(viewer)
    viewer.take()
    viewer.viewer.answer(answer_frame())
    # Its descriptor may already belong to another connection.
    assert not viewer.raw


def test_a_viewer_that_reads_nothing_is_closed_with_1013_but_a_slow_one_is_not(bench: Bench) -> None:
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
    # It counts as a viewer until its connection has ended.
    assert bench.hub.viewers == 3
    disconnect(stalled)
    assert bench.hub.viewers == 2


def test_a_failed_connection_gets_nothing_more(bench: Bench) -> None:
    broken, other = bench.join(), bench.join()
    broken.failed = True
    bench.tick(2)
    disconnect(broken)
    bench.tick()
    assert seqs(broken.messages()) == []
    assert seqs(other.messages()) == [1, 2, 3]


@either_way
@any_encoding
def test_connected_viewers_get_the_new_board_after_a_switch(direct: bool, encoding: Encoding) -> None:
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
        check_layouts(messages[at:], encoding)
        if encoding is JSON:
            assert (messages[at + 1]["epoch"], "resumed" in messages[at + 1]) == ("f", False)
    assert bench.hub.traffic.frames_skipped == 0


@either_way
@any_encoding
def test_every_viewer_gets_the_window_of_the_new_epoch_when_the_clock_is_set_back(
    direct: bool, encoding: Encoding
) -> None:
    bench = Bench()
    viewer, slow = (bench.join(direct=direct, encoding=encoding) for _ in range(2))
    others = [bench.join(direct=direct, encoding=encoding) for _ in range(SLICE)]
    slow.room = NOTHING
    bench.tick(6)
    viewer.take()
    for _ in bench.hub.publish(bench.engine.tick(-3_600.0, 1.0)):
        # A viewer that joins meanwhile already has it.
        late = bench.join(encoding=encoding)
    for _ in bench.hub.publish(bench.engine.tick(-3_599.0, 1.0)):
        pass
    slow.read()
    for inbox in (viewer, slow, *others):
        messages = inbox.messages()
        [(at, board)] = [
            (at, one) for at, one in enumerate(messages) if isinstance(one, dict) and one["type"] == "board"
        ]
        assert board["board"]["epoch"] == bench.engine.epoch == "e.2"
        assert seqs(messages[at:]) == [1, 2]
        check_layouts(messages[at:], encoding)
        if encoding is JSON:
            assert (messages[at + 1]["epoch"], "resumed" in messages[at + 1]) == ("e.2", False)
    assert seqs(late.messages()) == [1, 2]
    again = bench.join(Position("e", 3), encoding=encoding)
    assert seqs(again.messages()) == [1, 2]


def test_switching_boards_during_a_tick_ends_the_tick(bench: Bench) -> None:
    viewers = [bench.join() for _ in range(SLICE + 1)]
    tick = bench.begin_tick()
    next(tick)
    other = Bench(epoch="f")
    other.engine.inherit(bench.engine)
    bench.hub.switch(other.engine, other.describe)
    assert next(tick, "over") == "over"
    assert seqs(viewers[-1].messages()) == [1]


def test_a_tick_that_cannot_be_encoded_does_not_stop_the_next(bench: Bench) -> None:
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


def test_problems_are_shown_until_they_are_cleared(bench: Bench) -> None:
    viewer, slow = bench.join(), bench.join(room=1)
    viewer.take()
    bench.hub.problems.report("a", "wrong")
    bench.hub.problems.report("a", "worse")
    bench.hub.problems.clear("a")
    bench.hub.problems.clear("a")
    assert [[one["message"] for one in message["problems"]] for message in viewer.take()] == [["wrong"], ["worse"], []]
    # Problems are state too: a slow viewer gets the newest.
    slow.read()
    assert [message["problems"] for message in slow.messages() if message["type"] == "problems"] == [[]]


def test_with_many_viewers_a_problem_is_sent_in_slices_after_the_next_tick(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub_module, "SLICE", 2)
    viewers = [bench.join(direct=direct) for direct in (True, False, True, True, False)]
    bench.hub.problems.report("a", "wrong")
    disconnect(viewers[4])
    assert [message["type"] for message in viewers[0].take()] == ["initial"]
    bench.tick()
    for viewer in viewers[:4]:
        assert [message["type"] for message in viewer.take()][-2:] == ["metrics", "problems"]
    assert "problems" not in [message["type"] for message in viewers[4].take()]
    bench.tick()
    assert [message["type"] for message in viewers[0].take()] == ["metrics"]


def test_subscribers_are_woken_by_alerts_and_board_switches_only(bench: Bench) -> None:
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


def test_readers_are_notified_of_alerts_and_board_switches(bench: Bench) -> None:
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
    for _ in bench.hub.readers.send_new():
        pass
    assert len(stream.take()) == 2
    bench.hub.readers.leave(reader)


def test_a_reader_that_reads_nothing_is_disconnected_and_counted(bench: Bench) -> None:
    stream = StreamInbox(bench.writes, NOTHING)
    bench.hub.readers.join(stream, "", 0.0)
    bench.hub.check(0.0)
    bench.hub.check(STALLED_S)
    assert stream.was_cut
    assert bench.hub.traffic.subscribers_stalled == 1


def test_a_listener_is_woken_by_events_until_it_leaves(bench: Bench) -> None:
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


def test_sent_frames_and_bytes_are_counted(bench: Bench) -> None:
    viewers = [bench.join(direct=direct) for direct in (True, False, True)]
    sent = bench.hub.traffic.frames
    bench.tick(2)
    assert bench.hub.traffic.frames - sent == 6
    assert bench.hub.traffic.bytes > 6 * 50
    assert len(viewers) == bench.hub.viewers


@either_way
def test_an_internal_viewer_gets_every_tick_and_is_not_counted(direct: bool) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(initials_module, "MOST_AT_ONCE", 0)
        work = Work()
        bench = Bench()
        bench.tick(2)
        bench.hub.initials.begin_work = work.begin
        viewers = [bench.join(direct=True) for _ in range(SLICE)]
        inbox = Inbox(bench.writes if direct else None)
        inbox.viewer = bench.hub.join(inbox, None, (), PUBLISHED, internal=True)
        while work.waiting:
            work.step(0)
        assert bench.hub.viewers == bench.hub.traffic.frames == SLICE
        # It takes frames quickly, so that the others are still written to in large slices.
        bench.writes.calls.clear()
        assert sum(1 for _ in bench.begin_tick()) == 1
        assert SLICE in bench.writes.calls
        assert seqs(inbox.messages()) == [1, 2, 3]
        disconnect(inbox)
        disconnect(inbox)
        assert bench.hub.viewers == len(viewers)


def test_what_is_published_does_not_describe_the_board(bench: Bench) -> None:
    inbox = Inbox(None)
    inbox.viewer = bench.hub.join(inbox, None, (), PUBLISHED, internal=True)
    bench.tick()
    bench.registry.gauge("later")
    bench.tick(2)
    texts = [message["type"] for message in inbox.messages() if isinstance(message, dict)]
    assert texts == ["series", "series"]


# --- series and metrics from outside ---


def start_late(bench: Bench) -> None:
    """Make five ticks, and the series ``g``, whose samples come late."""
    bench.tick(4)
    send_late(bench, "g", 1, 4.0)
    bench.tick()


def late_and_other(bench: Bench, direct: bool) -> tuple[Inbox, Inbox]:
    """Return a viewer of the series whose samples come late, and one of another series."""
    start_late(bench)
    viewers = bench.join(direct=direct, selectors=["g"]), bench.join(direct=direct, selectors=["value"])
    for viewer in viewers:
        viewer.take()
    return viewers


@either_way
def test_late_samples_are_sent_after_the_next_tick_to_viewers_of_that_metric(bench: Bench, direct: bool) -> None:
    viewer, other = late_and_other(bench, direct)
    send_late(bench, "g", 7, 2.5)
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


@either_way
def test_late_samples_can_be_sent_before_the_next_tick_and_are_not_sent_again(bench: Bench, direct: bool) -> None:
    viewer, other = late_and_other(bench, direct)
    # The newest tick, too, which has the seq 5 and the time 4.
    for value, time in ((7, 2.5), (8, 4.0)):
        send_late(bench, "g", value, time)
    bench.amend()
    assert [(each["type"], each["seq"], each["data"][0]["value"]) for each in viewer.take()] == [
        ("amended", 4, 7),
        ("amended", 5, 8),
    ]
    bench.amend()
    assert not viewer.take()
    assert not other.take()
    bench.tick()
    assert [message["type"] for message in viewer.take()] == ["metrics"]
    assert [message["type"] for message in other.take()] == ["metrics"]


def test_what_is_amended_before_the_next_tick_is_no_tick_that_a_slow_viewer_skips() -> None:
    bench = Bench()
    bench.tick(3)
    send_late(bench, "g", 1, 3.0)
    bench.tick()
    slow = bench.join(direct=False, room=NOTHING, selectors=["g", "value"])
    bench.tick(2)
    for number in range(OUTBOX_BYTES // 100):
        send_late(bench, "g", number, 2.0 + number % 2)
        bench.amend()
    slow.read()
    messages = slow.take()
    assert messages[-1]["type"] == "initial"
    assert messages[-1]["skipped"] == 2


def test_late_samples_wait_for_the_next_tick_while_metrics_appear(bench: Bench) -> None:
    start_late(bench)
    viewer = bench.join(selectors=["g"])
    viewer.take()
    send_late(bench, "g", 8, 4.0)
    bench.registry.gauge("new").set(1)
    bench.amend()
    assert not viewer.take()
    bench.tick()
    assert [(each["type"], each["seq"]) for each in viewer.take() if "seq" in each] == [("metrics", 6), ("amended", 5)]


@either_way
def test_late_samples_that_not_all_viewers_have_yet_are_sent_before_the_next_ones(
    bench: Bench, direct: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    start_late(bench)
    monkeypatch.setattr(hub_module, "SLICE", 1)
    viewers = [bench.join(direct=direct, selectors=["g"]) for _ in range(3)]
    for viewer in viewers:
        viewer.take()
    send_late(bench, "g", 8, 4.0)
    next(bench.hub.amend(bench.engine.amend()))
    send_late(bench, "g", 9, 4.0)
    bench.amend()
    bench.tick()
    kinds = [("amended", 5), ("amended", 5), ("metrics", 6)]
    assert [[(each["type"], each["seq"]) for each in viewer.take()] for viewer in viewers] == [kinds] * 3


def test_a_viewer_that_subscribes_while_late_samples_are_sent_misses_nothing(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    start_late(bench)
    monkeypatch.setattr(hub_module, "SLICE", 1)
    first, second, other = (bench.join(selectors=[name]) for name in ("g", "g", "value"))
    for viewer in (first, second, other):
        viewer.take()
    send_late(bench, "g", 8, 4.0)
    amending = bench.hub.amend(bench.engine.amend())
    next(amending)
    for viewer in (second, other):
        assert viewer.viewer is not None
        bench.hub.subscribe(viewer.viewer, ["other"])
    for _ in amending:
        pass
    bench.tick()
    assert [(each["type"], each["seq"]) for each in second.take()] == [("amended", 5), ("metrics", 6)]
    assert [(each["type"], each["seq"]) for each in other.take()] == [("metrics", 6)]


def test_late_samples_that_cannot_be_encoded_do_not_stop_the_next_tick(bench: Bench) -> None:
    class Failing(Json):
        def amended(self, selection: Selection, layout: int, seq: int, time: float, row: Floats) -> Frame:
            raise ValueError(seq)

    start_late(bench)
    viewer = bench.join(encoding=Failing(), selectors=["g"])
    viewer.take()
    send_late(bench, "g", 8, 4.0)
    with pytest.raises(ValueError, match="5"):
        bench.amend()
    bench.tick()
    assert [(each["type"], each["seq"]) for each in viewer.take()] == [("metrics", 6)]


@pytest.mark.parametrize("early", [False, True])
def test_a_viewer_that_may_have_missed_an_amended_tick_gets_the_whole_window_again(early: bool) -> None:
    bench = Bench()
    start_late(bench)
    resumed = Position("e", 5)
    assert bench.join(since=resumed).take()[-1].get("resumed")
    send_late(bench, "g", 7, 2.5)
    if early:
        bench.amend()
    bench.tick()
    [initial] = [each for each in bench.join(since=resumed).take() if each["type"] == "initial"]
    assert not initial.get("resumed")
    assert [each["seq"] for each in initial["ticks"]] == [1, 2, 3, 4, 5, 6]
    assert bench.join(since=Position("e", 6)).take()[-1].get("resumed")


def test_a_binary_amended_tick_has_the_layout_of_a_tick() -> None:
    bench = Bench()
    bench.tick(4)
    viewer = bench.join(encoding=V2)
    viewer.take()
    send_late(bench, "g", 7, 2.5)
    bench.tick()
    _, series, tick, *amended = viewer.take()
    assert [one["name"] for one in series["series"]] == ["value", "other", "g"]
    assert [message[0] for message in (tick, *amended)] == [2, 3]
    assert len({len(message) for message in (tick, *amended)}) == 1
    values = np.frombuffer(amended[0], "<f8", offset=24)
    assert int.from_bytes(amended[0][8:16], "little") == 4
    assert np.isnan(values[:2]).all()
    assert values[2] == 7


def test_ticks_do_not_wait_for_expensive_globs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_module, "STEP_COST", 0)
    bench = Bench()
    slow = [bench.join(selectors=[f"*{number}*a*{each}" for each in range(9)]) for number in range(5)]
    quick = bench.join(selectors=["value"])
    bench.tick()
    for inbox in (*slow, quick):
        inbox.take()
    bench.registry.gauge("late").set(1)
    tick = bench.begin_tick()
    next(tick)
    assert len(quick.take()) == 1
    given = [len(inbox.take()) for inbox in slow]
    # One of them at each step, however cheap each is.
    assert sum(given) <= 1
    for _ in tick:
        pass
    assert all(inbox.take() for inbox, early in zip(slow, given, strict=True) if not early)


def test_series_that_appear_during_a_tick_with_late_samples_affect_nobody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(hub_module, "SLICE", 1)
    bench = Bench()
    bench.tick(4)
    viewers = [bench.join(selectors=[selector]) for selector in ("value", "*", "other")]
    send_late(bench, "value", 7, 2.5)
    step = bench.begin_tick()
    next(step)
    for index in range(100):
        bench.engine.intake.source("test").gauge(index, f"new{index}")
    for _ in step:
        pass
    assert [seqs(viewer.messages()) for viewer in viewers] == [[1, 2, 3, 4, 5]] * 3


@either_way
def test_the_unread_windows_of_one_address_are_bounded(
    bench: Bench, direct: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def join(owner: str) -> Inbox:
        inbox = Inbox(bench.writes if direct else None, NOTHING)
        inbox.viewer = bench.hub.join(inbox, owner=owner)
        return inbox

    bench.tick(20)
    other, old = join("b"), join("a")
    assert old.viewer is not None
    assert old.viewer.untaken is not None
    monkeypatch.setattr(hub_module, "MAX_UNTAKEN_BYTES", 3 * old.viewer.untaken.size + 100)
    # Viewers that need the same window share one frame.
    same = [join("a") for _ in range(5)]
    bench.hub.check(0.0)
    assert [viewer.closed for viewer in (old, *same)] == [None] * 6
    newer = []
    for _ in range(3):
        bench.tick()
        newer.append(join("a"))
    bench.hub.check(0.0)
    assert [viewer.closed for viewer in (old, *same)] == [1013] * 6
    assert [viewer.closed for viewer in (other, *newer)] == [None] * 4
    assert bench.hub.traffic.viewers_stalled == 6
    for viewer in newer:
        viewer.read()
        assert seqs(viewer.messages())[-1] == bench.engine.seq


# --- failures of a single viewer ---


def test_a_viewer_that_cannot_be_sent_a_tick_does_not_affect_the_others(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, broken, last = (bench.join(direct=False) for _ in range(3))
    break_methods(broken, monkeypatch, "send")
    bench.tick()
    check_that_one_was_disconnected(bench, broken, first, last)


def test_a_viewer_that_fails_on_the_rest_of_a_tick_does_not_affect_the_others(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, broken, last = (bench.join() for _ in range(3))
    broken.room = 5
    break_methods(broken, monkeypatch, "rest")
    bench.tick()
    check_that_one_was_disconnected(bench, broken, first, last)


@pytest.mark.parametrize("what", ["problems", "another board"])
def test_a_viewer_that_cannot_be_sent_a_broadcast_does_not_affect_the_others(
    bench: Bench, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    inboxes = first, broken, last = [bench.join() for _ in range(3)]
    break_methods(broken, monkeypatch, "send", "cut")
    for inbox in inboxes:
        inbox.take()
    if what == "problems":
        bench.hub.problems.report("disk", "full")
    else:
        bench.hub.switch(bench.engine, bench.describe)
    assert not broken.raw
    kinds = [{message["type"] for message in inbox.messages()} for inbox in (first, last)]
    assert kinds == [{"board", "initial", "problems"} if what == "another board" else {"problems"}] * 2


@pytest.mark.parametrize("names", [["close"], ["close", "cut"]])
def test_a_viewer_that_cannot_be_closed_is_disconnected_and_the_others_are_closed(
    bench: Bench, names: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    inboxes = [bench.join(room=NOTHING) for _ in range(3)]
    break_methods(inboxes[1], monkeypatch, *names)
    bench.tick()
    bench.hub.check(0.0)
    bench.hub.check(STALLED_S)
    assert [inbox.closed for inbox in inboxes] == [1013, None, 1013]
    assert inboxes[1].was_cut == ("cut" not in names)
    more = [bench.join() for _ in range(3)]
    break_methods(more[1], monkeypatch, *names)
    bench.hub.close(1001)
    assert [inbox.closed for inbox in more] == [1001, None, 1001]


# --- changes during work done in steps ---


@pytest.mark.parametrize("encoding", [V2, BINARY_CHANGES["tickboard.v2"]], ids=["whole", "changes"])
@pytest.mark.parametrize("steps", range(1, 16))
def test_a_viewer_that_joins_during_a_look_up_gets_a_consistent_layout(
    bench: Bench, encoding: Encoding, steps: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(selection_module, "STEP_COST", 1)
    first = bench.join(encoding=encoding, selectors=["v*", "late*"])
    bench.tick()
    for number in range(5):
        bench.registry.gauge(f"late_{number}").set(1)
    # The board is described in a few steps, and then the series are looked up in more.
    tick = bench.begin_tick()
    for _ in range(steps):
        next(tick, None)
    second = bench.join(encoding=encoding, selectors=["late*", "v*"])
    for _ in tick:
        pass
    bench.tick()
    for inbox in (first, second):
        assert seqs(inbox.messages()) == [1, 2, 3]
    check_layouts(second.messages(), V2)


# --- viewers ---


def test_a_viewer_has_an_encoding_until_it_is_closed(bench: Bench) -> None:
    viewer = slow_viewer(bench.join(encoding=V2))
    assert viewer.encoding is V2
    viewer.close(1000)
    assert viewer.encoding is None


@either_way
@pytest.mark.parametrize("what", ["select", "frame_for", "send"])
def test_a_viewer_that_fails_to_join_is_not_counted(
    bench: Bench, what: str, direct: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ValueError(what)

    other = bench.join()
    inbox = Inbox(bench.writes if direct else None)
    monkeypatch.setattr({"select": bench.engine, "frame_for": bench.hub.initials, "send": inbox}[what], what, broken)
    with pytest.raises(ValueError, match=what):
        bench.hub.join(inbox, None, ["value"])
    monkeypatch.undo()
    bench.tick()
    assert (bench.hub.viewers, bench.hub.subscriptions, len(bench.hub.waiting)) == (1, 1, 0)
    assert not inbox.raw
    assert seqs(other.messages()) == [1]


def test_a_reader_that_fails_to_join_is_not_added(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: bytes) -> None:
        raise ValueError("broken")

    stream = StreamInbox(bench.writes)
    monkeypatch.setattr(stream, "write", broken)
    with pytest.raises(ValueError, match="broken"):
        bench.hub.readers.join(stream, "", 0.0)
    assert len(bench.hub.readers) == 0
    bench.hub.announce([AlertEvent(1, "firing", Alert("1", "m", "info", "T"), 0.0)])
    for _ in bench.hub.readers.send_new():
        pass
    assert not stream.raw
