"""Viewers get each tick once and in order. A slow viewer skips to the newest state and delays nobody."""

from collections.abc import Callable, Generator, Iterable, Iterator
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
from tickboard.hub import encodings
from tickboard.hub import hub as hub_module
from tickboard.hub import outbox as outbox_module
from tickboard.hub.connections import Position, Subscriber
from tickboard.hub.encodings import BINARY, BINARY_CHANGES, JSON, Encoding, Json, whole
from tickboard.hub.frames import Frame
from tickboard.hub.hub import VIEWERS, WINDOWS, Hub
from tickboard.hub.outbox import OUTBOX_BYTES
from tickboard.hub.readers import SLICE
from tickboard.hub.viewer import STALLED_S, Viewer
from tickboard.metrics import selection as selection_module
from tickboard.metrics.handles import Gauge
from tickboard.metrics.registry import Registry
from tickboard.metrics.selection import Selection
from tickboard.metrics.window import Floats
from tickboard.problems import QUIET_S
from tickboard.wire import Alert, BoardInfo

NOTHING = 0
"""Room in a connection that accepts no bytes."""


class Bench:
    """A hub whose ticks the test makes."""

    def __init__(self, window_size: int = 20, epoch: str = "e") -> None:
        self.registry = Registry()
        self.value: Gauge = self.registry.gauge("value")
        self.other: Gauge = self.registry.gauge("other")
        ids = (f"id{number}" for number in count(1))
        rules = [Rule("value", self.value > 1000, "m", "info")]
        self.engine = Engine(self.registry, rules, window_size, epoch, lambda: next(ids))
        self.writes = Writes()
        self.hub = Hub(self.engine, self.describe, self.writes)

    def describe(self) -> Generator[None, None, BoardInfo]:
        yield from ()
        return BoardInfo("B", self.engine.epoch, 1000, 20, "0", [], [])

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


def disconnect(inbox: Inbox) -> None:
    assert inbox.viewer is not None
    inbox.viewer._hub.leave(inbox.viewer)


def answer_frame(text: bytes = b'{"type":"pong"}') -> Frame:
    return Frame.text(text)


either_way = pytest.mark.parametrize("direct", [True, False], ids=["by descriptor", "by send"])
V2 = BINARY["tickboard.v2"]

any_encoding = pytest.mark.parametrize("encoding", [JSON, *BINARY.values()], ids=["JSON", *BINARY])


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
        small.setattr(hub_module, "MOST_AT_ONCE", 0)
        small.setattr(hub_module, "MAX_MADE_AT_ONCE", 1)
        small.setattr(encodings, "STEP_VALUES", 20)
        small.setattr(selection_module, "STEP_SERIES", 1)
        small.setattr(encodings, "STEP_SERIES", 1)
        bench = Bench(window_size=200)
        work = Work()
        if in_steps:
            bench.hub.begin_work = work.begin
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


class Work:
    """The long work of a hub, which the test steps."""

    def __init__(self) -> None:
        self.waiting: list[tuple[Iterator[None], Callable[[BaseException | None], None]]] = []

    def begin(self, steps: Iterator[None], settle: Callable[[BaseException | None], None]) -> None:
        self.waiting.append((steps, settle))

    def step(self, number: int) -> None:
        """Do one step of one waiting job."""
        if not self.waiting:
            return
        steps, settle = self.waiting[number % len(self.waiting)]
        raised: Exception | None = None
        try:
            next(steps)
        except Exception as error:  # noqa: BLE001  # `settle` is called with it
            raised = None if isinstance(error, StopIteration) else error
        else:
            return
        self.waiting.remove((steps, settle))
        settle(raised)


def check_layouts(messages: list[Any], encoding: Encoding) -> None:
    """Check that every binary message has the last described layout and as many values."""
    layout, series, width = None, 0, 8 if encoding is V2 else 4
    for message in messages:
        if isinstance(message, dict) and message["type"] == "series":
            layout, series = message["layout"], len(message["series"])
        elif isinstance(message, bytes):
            ticks = 1 if message[0] == 2 else int.from_bytes(message[16:20], "little")
            times = 0 if message[0] == 2 else 8 * ticks
            assert int.from_bytes(message[4:8], "little") == layout
            assert len(message) == 24 + times + width * ticks * series


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


def slow_viewer(inbox: Inbox) -> Viewer:
    assert inbox.viewer is not None
    return inbox.viewer


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


def test_a_viewer_waiting_for_a_large_window_gets_that_of_the_new_board(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub_module, "MOST_AT_ONCE", 0)
    work: list[Iterator[None]] = []
    bench.hub.begin_work = lambda steps, _: work.append(steps)
    bench.tick(3)
    viewer = bench.join()
    other = Bench(epoch="other")
    other.tick(5)
    bench.hub.switch(other.engine, other.describe)
    for steps in work:
        for _ in steps:
            pass
    *_, initial = viewer.take()
    assert (initial["type"], initial["epoch"]) == ("initial", "other")
    assert seqs([initial]) == [1, 2, 3, 4, 5]


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
    for _ in bench.hub.readers.give():
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


# --- series and metrics from outside ---


def send_late(bench: Bench, name: str, value: float, time: float) -> None:
    source = bench.engine.intake.source("test")
    source.set([source.gauge(name, name)], [value], [time])


@either_way
def test_late_samples_are_sent_after_the_next_tick_to_viewers_of_that_metric(direct: bool) -> None:
    bench = Bench()
    bench.tick(4)
    send_late(bench, "g", 1, 4.0)
    bench.tick()
    viewer = bench.join(direct=direct, selectors=["g"])
    other = bench.join(direct=direct, selectors=["value"])
    viewer.take(), other.take()
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


def test_the_page_gets_the_board_once_when_a_metric_appears() -> None:
    bench = Bench()
    page, plain, later = (
        bench.join(encoding=V2),
        bench.join(),
        bench.join(encoding=V2, selectors=["v*"]),
    )
    bench.tick()
    for inbox in (page, plain, later):
        inbox.take()
    send_late(bench, "g", 7, 0.5)
    bench.tick()
    board, series, tick = page.take()
    assert (board["type"], board["board"]["epoch"], series["type"], tick[0]) == ("board", "e", "series", 2)
    assert [message["type"] for message in plain.take()] == ["metrics"]
    # A viewer that sees none of the new series does not wait for the board. It gets it with the next tick.
    assert [message[0] for message in later.take()] == [2]
    bench.tick()
    assert [message[0] for message in page.take()] == [2]
    board, tick = later.take()
    assert (board["type"], tick[0]) == ("board", 2)
    bench.tick()
    assert [message[0] for message in later.take()] == [2]


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


def test_a_slow_page_gets_the_board_with_its_new_window() -> None:
    bench = Bench()
    bench.tick()
    page = bench.join(encoding=V2)
    page.take()
    page.room = NOTHING
    send_late(bench, "g", 7, 0.5)
    bench.tick()
    assert page.viewer is not None
    while not bench.hub.traffic.frames_skipped:
        bench.tick(20)
    page.read()
    boards = [message for message in page.messages() if isinstance(message, dict) and message["type"] == "board"]
    assert boards
    assert page.messages()[-1][0] == 1


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


def refusal(hub: Hub, owner: str, selectors: Iterable[str], encoding: Encoding = JSON, **more: Any) -> str:
    return hub.refusal(owner, whole(hub.prepare(selectors, encoding)), selectors, encoding, **more)


def test_the_distinct_subscriptions_of_one_address_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_module, "MAX_OWN_SERIES", 10)
    bench = Bench()
    for number in range(4):
        bench.registry.gauge(f"more_{number}").set(1)
    hub = bench.hub

    def ask(owner: str, *selectors: str, **more: Any) -> str:
        return refusal(hub, owner, selectors, **more)

    viewers = []
    for number in range(4):
        selectors = ("*", f"u{number}")
        assert not ask("a", *selectors)
        viewers.append(hub.join(Inbox(bench.writes), None, selectors, owner="a"))
    assert "a has 4 different subscriptions, which with this one have 30 series" in ask("a", "*", "u4")
    # Other addresses may. So may this one, for a subscription somebody has, for everything, or in place of another.
    assert not ask("b", "*", "u4")
    assert not ask("a", "*", "u0")
    assert not ask("a")
    assert not ask("a", "*", "u4", leaving=viewers[0])
    # Another encoding, or other details, must be encoded separately.
    assert "30 series" in ask("a", "*", "u0", encoding=V2)
    assert "30 series" in ask("a", "*", "u0", details=True)
    # Looking up many other subscriptions meanwhile does not change the cost.
    prepared = whole(hub.prepare(["*", "u4"]))
    for number in range(100):
        ask("b", "*", f"w{number}")
    assert "30 series" in hub.refusal("a", prepared, ["*", "u4"])
    for viewer in viewers:
        hub.leave(viewer)
    assert not ask("a", "*", "u4")


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


def test_viewers_whose_unread_copies_exceed_the_bound_are_closed_at_once(
    bench: Bench, work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    def join(owner: str) -> Inbox:
        inbox = Inbox(room=NOTHING)
        inbox.copies = True
        inbox.viewer = bench.hub.join(inbox, owner=owner)
        return inbox

    bench.tick(20)
    first = join("a")
    finish(work)
    untaken = slow_viewer(first).untaken
    assert untaken is not None
    monkeypatch.setattr(hub_module, "MAX_UNTAKEN_BYTES", 3 * untaken.size)
    more, other = [join("a") for _ in range(5)], join("b")
    finish(work)
    # Each has its own copy of the same window.
    assert [inbox.closed for inbox in (first, *more)].count(None) == 3
    disconnect(next(inbox for inbox in (first, *more) if inbox.closed is None))
    later = join("a")
    finish(work)
    assert other.closed is None
    assert later.closed is None
    assert bench.hub.traffic.viewers_stalled == 3
    for inbox in (other, later, *more):
        if inbox.closed is None:
            inbox.read()
            assert seqs(inbox.messages()) == list(range(1, 21))
    # What was read no longer counts.
    assert [join("a").closed for _ in range(3)] == [None] * 3
    finish(work)
    assert bench.hub.traffic.viewers_stalled == 3


def test_only_a_few_large_windows_are_made_at_once_and_the_others_wait(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub_module, "MOST_AT_ONCE", 0)
    work = Work()
    bench.hub.begin_work = work.begin
    bench.tick(20)
    viewers = [bench.join(Position("e", seen)) for seen in range(1, 20)]
    again = [bench.join(Position("e", 1)), bench.join(Position("e", 19))]
    assert len(work.waiting) == hub_module.MAX_MADE_AT_ONCE
    disconnect(viewers.pop())
    while work.waiting:
        assert len(work.waiting) <= hub_module.MAX_MADE_AT_ONCE
        work.step(0)
    assert [seqs(viewer.messages()) for viewer in viewers] == [list(range(seen + 1, 21)) for seen in range(1, 19)]
    assert [seqs(viewer.messages()) for viewer in again] == [list(range(2, 21)), [20]]


def test_the_cost_of_the_globs_of_one_address_is_bounded(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_module, "MAX_OWN_COST", 6)
    hub = bench.hub
    globs = [("a*", "b*"), ("c*", '{host="d"}'), ("e*", 'f{host="g*"}')]
    viewers = []
    for selectors in globs:
        assert not refusal(hub, "a", selectors)
        viewers.append(hub.join(Inbox(bench.writes), None, selectors, owner="a"))
    assert "a has 3 different subscriptions, which with this one have too many or too long globs" in refusal(
        hub, "a", ["h*"]
    )
    # Names cost nothing, nor does a subscription somebody has. Other addresses may, and a first one always may.
    assert not refusal(hub, "a", ["value", 'h{host="i"}'])
    assert not refusal(hub, "a", globs[0])
    assert not refusal(hub, "b", ["h*"])
    assert not refusal(hub, "b", [f"{number}*" for number in range(20)])
    assert not refusal(hub, "a", ["h*", "i*"], leaving=viewers[1])


# --- large windows, made in steps ---


@pytest.fixture
def work(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Work:
    """The work of a hub that treats every window as large."""
    monkeypatch.setattr(hub_module, "MOST_AT_ONCE", 0)
    work = Work()
    bench.hub.begin_work = work.begin
    return work


def finish(work: Work) -> None:
    while work.waiting:
        work.step(0)


@either_way
def test_a_partly_sent_large_window_is_followed_by_the_ticks_made_meanwhile(
    bench: Bench, work: Work, direct: bool
) -> None:
    bench.tick(3)
    slow = bench.join(room=10, direct=direct)
    bench.tick(2)
    finish(work)
    viewer = slow_viewer(slow)
    assert not viewer.idle
    assert viewer.untaken is not None
    bench.tick(2)
    slow.read()
    bench.tick()
    assert [message["type"] for message in slow.messages()] == ["initial"] + ["metrics"] * 5
    assert seqs(slow.messages()) == list(range(1, 9))


def test_a_viewer_waiting_for_a_large_window_is_not_treated_as_stalled(bench: Bench, work: Work) -> None:
    bench.tick(20)
    viewers = [bench.join(Position("e", seen)) for seen in range(10)]
    for now in (0.0, STALLED_S, 10 * STALLED_S):
        bench.hub.check(now)
    assert bench.hub.traffic.viewers_stalled == 0
    finish(work)
    assert [seqs(viewer.messages()) for viewer in viewers] == [list(range(seen + 1, 21)) for seen in range(10)]


@pytest.mark.parametrize("end", [disconnect, lambda inbox: inbox.viewer.close(1000)], ids=["left", "closed"])
def test_a_viewer_that_ends_while_its_large_window_is_made_is_sent_nothing(
    bench: Bench, work: Work, end: Callable[[Inbox], None]
) -> None:
    bench.tick(3)
    ended, other = bench.join(), bench.join()
    end(ended)
    finish(work)
    bench.tick()
    assert not ended.raw
    assert seqs(other.messages()) == [1, 2, 3, 4]


def test_viewers_that_need_the_same_large_window_in_the_same_tick_share_it(bench: Bench, work: Work) -> None:
    bench.tick(3)
    first = bench.join()
    bench.tick()
    second = bench.join()
    assert len(work.waiting) == 2
    # The first is made and sent while the second is being made.
    while len(work.waiting) == 2:
        work.step(0)
    third = bench.join()
    assert len(work.waiting) == 1
    finish(work)
    # A finished window is shared by all who join in the same tick.
    fourth = bench.join()
    assert seqs(fourth.messages()) == [1, 2, 3, 4]
    bench.tick()
    assert [seqs(viewer.messages()) for viewer in (first, second, third, fourth)] == [[1, 2, 3, 4, 5]] * 4


def test_only_a_few_large_windows_are_cached_and_none_without_viewers(bench: Bench, work: Work) -> None:
    bench.tick(5)
    for seen in range(1, 5):
        viewer = bench.join(Position("e", seen))
        finish(work)
        assert seqs(viewer.messages()) == list(range(seen + 1, 6))
    kept = [bench.join(Position("e", seen)) for seen in (4, 3)]
    assert not work.waiting
    assert [seqs(viewer.messages()) for viewer in kept] == [[5], [4, 5]]
    assert not bench.join(Position("e", 1)).raw
    bench.hub.close(1000)
    finish(work)
    again = bench.join(Position("e", 4))
    assert not again.raw
    finish(work)
    assert seqs(again.messages()) == [5]


@pytest.mark.parametrize("between", ["a tick", "a series"])
def test_an_outdated_large_window_is_not_cached(bench: Bench, work: Work, between: str) -> None:
    bench.tick()
    first = bench.join()
    work.step(0)
    if between == "a tick":
        bench.tick()
    else:
        bench.registry.gauge("late").set(1)
        bench.hub.subscribe(slow_viewer(bench.join(Position("e", 1))), [])
    finish(work)
    second = bench.join()
    finish(work)
    bench.tick()
    assert seqs(first.messages()) == seqs(second.messages()) == list(range(1, bench.engine.seq + 1))


def test_if_a_large_window_fails_its_viewers_are_closed_with_1013_and_the_others_go_on(
    bench: Bench, work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Failing(Json):
        def initial(self, *_: Any, **__: Any) -> Generator[None, None, Frame]:
            yield
            raise MemoryError("no room")

    monkeypatch.setattr(hub_module, "MAX_MADE_AT_ONCE", 1)
    bench.tick(3)
    failing = Failing()
    waiting = [bench.join(encoding=failing) for _ in range(2)]
    queued = bench.join()
    work.step(0)
    work.step(0)
    assert [viewer.closed for viewer in (*waiting, queued)] == [1013, 1013, None]
    assert "MemoryError: no room; watch fewer metrics" in bench.hub.problems[WINDOWS].message
    finish(work)
    assert not bench.hub.problems
    bench.tick()
    assert seqs(queued.messages()) == [1, 2, 3, 4]
    assert [seqs(viewer.messages()) for viewer in waiting] == [[], []]
    # The failed window blocks nothing: the next one is made anew.
    assert not slow_viewer(bench.join(encoding=failing)).idle
    assert len(work.waiting) == 1


# --- failures of a single viewer ---


class BrokenError(Exception):
    """An exception that nothing expects."""


def break_methods(inbox: Inbox, monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """Make methods of a connection raise."""

    def broken(*_: object) -> None:
        raise BrokenError

    for name in names:
        monkeypatch.setattr(inbox, name, broken)


def check_that_one_was_disconnected(bench: Bench, broken: Inbox, *others: Inbox) -> None:
    """Check that all viewers but one go on, and that the problem is cleared after a while."""
    assert broken.was_cut
    assert bench.hub.problems[VIEWERS].message == "a viewer could not be sent to, and was cut: BrokenError"
    for inbox in others:
        assert not inbox.was_cut
        assert seqs(inbox.messages()) == list(range(1, bench.engine.seq + 1))
    bench.tick()
    for now in (0.0, QUIET_S - 1):
        bench.hub.check(now)
        assert VIEWERS in bench.hub.problems
    bench.hub.check(QUIET_S)
    assert not bench.hub.problems
    assert not broken.raw or not seqs(broken.messages())


@either_way
def test_a_viewer_that_fails_to_receive_a_large_window_does_not_affect_the_others(
    bench: Bench, work: Work, direct: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.tick(3)
    first, broken, last = (bench.join(direct=direct) for _ in range(3))
    break_methods(broken, monkeypatch, "send")
    finish(work)
    check_that_one_was_disconnected(bench, broken, first, last)


def test_a_viewer_that_fails_when_its_turn_comes_does_not_hold_up_the_queue(
    bench: Bench, work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub_module, "MAX_MADE_AT_ONCE", 1)
    bench.tick(3)
    first, broken, last = bench.join(), bench.join(Position("e", 1)), bench.join(Position("e", 2))
    initial_for = bench.hub.initial_for

    def failing(viewer: Viewer, *args: Any) -> Frame | None:
        if viewer is broken.viewer:
            raise BrokenError
        return initial_for(viewer, *args)

    monkeypatch.setattr(bench.hub, "initial_for", failing)
    finish(work)
    assert broken.was_cut
    assert "BrokenError" in bench.hub.problems[VIEWERS].message
    assert [seqs(viewer.messages()) for viewer in (first, last)] == [[1, 2, 3], [3]]


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


def test_a_new_board_is_not_overwritten_by_the_old_description(bench: Bench) -> None:
    page = bench.join(encoding=V2)
    bench.tick()
    bench.registry.gauge("late").set(1)
    tick = bench.begin_tick()
    next(tick)
    other = Bench(epoch="f")
    other.engine.inherit(bench.engine)
    bench.hub.switch(other.engine, other.describe)
    for _ in tick:
        pass
    shown = [one["board"]["epoch"] for one in page.messages() if isinstance(one, dict) and one["type"] == "board"]
    assert shown == ["f"]
    # A viewer that falls behind later gets the current board.
    assert b'"epoch":"f"' in bench.hub.board_frame(details=False).wire


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


# --- looking up in advance ---


def test_a_prepared_subscription_is_not_looked_up_again(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selection_module, "STEP_SERIES", 1)
    monkeypatch.setattr(encodings, "STEP_SERIES", 1)
    in_binary = len(list(bench.hub.prepare(["*"], V2)))
    as_json = len(list(bench.hub.prepare(["*"])))
    # JSON also encodes its part of each series in advance. Binary has no such part.
    assert (in_binary, as_json) == (0, len(bench.registry.series) - 1)
    prepared, everything = whole(bench.hub.prepare(["*"])), whole(bench.hub.prepare([]))

    def select(*_: object) -> Selection:
        raise AssertionError("it was looked up again")

    monkeypatch.setattr(bench.engine, "select", select)
    viewer = Inbox(bench.writes)
    viewer.viewer = bench.hub.join(viewer, None, ["*"], prepared=prepared)
    # Later viewers share it at no cost, and a viewer with another subscription can switch to it.
    assert list(bench.hub.prepare(["*"])) == []
    bench.tick()
    other = Inbox(bench.writes)
    other.viewer = bench.hub.join(other, prepared=everything)
    bench.hub.leave(viewer.viewer)
    assert other.viewer is not None
    bench.hub.subscribe(other.viewer, ["*"], prepared)
    bench.tick()
    assert (seqs(viewer.messages()), seqs(other.messages())) == ([1], [1, 2])


def test_a_subscription_prepared_for_another_board_is_looked_up_again(bench: Bench) -> None:
    """Both boards have the same number of metrics, one under another name."""
    prepared = whole(bench.hub.prepare(["*"]))
    viewer = bench.join(selectors=["*"], encoding=V2)
    other = Bench(epoch="f")
    other.registry = Registry()
    other.engine = Engine(other.registry, [], 20, "f", str)
    for name in ("another", "other"):
        other.registry.gauge(name).set(1)
    bench.hub.switch(other.engine, other.describe)
    late = Inbox(bench.writes)
    bench.hub.join(late, None, ["*"], V2, prepared=prepared)
    for inbox in (viewer, late):
        described = [one for one in inbox.messages() if isinstance(one, dict) and one["type"] == "series"]
        assert [one["name"] for one in described[-1]["series"]] == ["another", "other"]


def count_look_ups(bench: Bench, monkeypatch: pytest.MonkeyPatch, after: Callable[[], object]) -> list[tuple[str, ...]]:
    """Return a list that collects what is looked up in steps from now on. `after` is called at the end of each."""
    looked_up: list[tuple[str, ...]] = []
    select_in_steps = bench.engine.select_in_steps

    def counted(patterns: tuple[str, ...], before: Selection | None = None) -> Generator[None, None, Selection]:
        looked_up.append(patterns)
        selection = yield from select_in_steps(patterns, before)
        after()
        return selection

    monkeypatch.setattr(bench.engine, "select_in_steps", counted)
    return looked_up


def test_a_look_up_ends_even_if_series_keep_appearing(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    names = (f"late_{number}" for number in count())
    looked_up = count_look_ups(bench, monkeypatch, lambda: bench.registry.gauge(next(names)).set(1))
    prepared = whole(bench.hub.prepare(["late*", "value"]))
    assert len(looked_up) == hub_module.MAX_LOOK_UPS
    # The newest series are found when the viewer joins.
    viewer = Inbox(bench.writes)
    bench.hub.join(viewer, None, ["late*", "value"], prepared=prepared)
    bench.tick()
    _, message = viewer.messages()
    assert len(message["data"]) == 1 + hub_module.MAX_LOOK_UPS


# --- viewers ---


def test_a_viewer_has_an_encoding_until_it_is_closed(bench: Bench) -> None:
    viewer = slow_viewer(bench.join(encoding=V2))
    assert viewer.encoding is V2
    viewer.close(1000)
    assert viewer.encoding is None


@either_way
@pytest.mark.parametrize("what", ["select", "initial_for", "send"])
def test_a_viewer_that_fails_to_join_is_not_counted(
    bench: Bench, what: str, direct: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ValueError(what)

    other = bench.join()
    inbox = Inbox(bench.writes if direct else None)
    monkeypatch.setattr({"select": bench.engine, "initial_for": bench.hub, "send": inbox}[what], what, broken)
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
    for _ in bench.hub.readers.give():
        pass
    assert not stream.raw


def test_the_described_board_lists_problems_briefly_or_in_detail(bench: Bench) -> None:
    bench.hub.problems.report("a", "wrong: 10.0.0.7 refused", brief="wrong", detail="Traceback")
    short, whole = (encodings.whole(bench.hub.board(details=details)) for details in (False, True))
    assert (short.title, short.epoch) == ("B", "e")
    assert [(problem.message, problem.detail) for problem in short.problems] == [("wrong", None)]
    assert [(problem.message, problem.detail) for problem in whole.problems] == [
        ("wrong: 10.0.0.7 refused", "Traceback")
    ]
