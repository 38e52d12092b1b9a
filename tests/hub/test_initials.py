"""Large windows are made in steps, a few at a time, once for all viewers that need the same."""

from collections.abc import Callable, Generator, Iterator
from typing import Any

import pytest
from tests.hub.watching import (
    NOTHING,
    Bench,
    BrokenError,
    Work,
    break_methods,
    check_that_one_was_disconnected,
    disconnect,
    either_way,
    finish,
    slow_viewer,
)
from tests.outlets import Inbox, seqs

from tickboard.hub import hub as hub_module
from tickboard.hub import initials as initials_module
from tickboard.hub.connections import Position
from tickboard.hub.encodings import Json
from tickboard.hub.frames import Frame
from tickboard.hub.hub import VIEWERS
from tickboard.hub.initials import WINDOWS
from tickboard.hub.viewer import STALLED_S, Viewer


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_a_viewer_waiting_for_a_large_window_gets_that_of_the_new_board(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(initials_module, "MOST_AT_ONCE", 0)
    work: list[Iterator[None]] = []
    bench.hub.initials.begin_work = lambda steps, _: work.append(steps)
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
    monkeypatch.setattr(initials_module, "MOST_AT_ONCE", 0)
    work = Work()
    bench.hub.initials.begin_work = work.begin
    bench.tick(20)
    viewers = [bench.join(Position("e", seen)) for seen in range(1, 20)]
    again = [bench.join(Position("e", 1)), bench.join(Position("e", 19))]
    assert len(work.waiting) == initials_module.MAX_MADE_AT_ONCE
    disconnect(viewers.pop())
    while work.waiting:
        assert len(work.waiting) <= initials_module.MAX_MADE_AT_ONCE
        work.step(0)
    assert [seqs(viewer.messages()) for viewer in viewers] == [list(range(seen + 1, 21)) for seen in range(1, 19)]
    assert [seqs(viewer.messages()) for viewer in again] == [list(range(2, 21)), [20]]


@pytest.fixture
def work(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Work:
    """The work of a hub that treats every window as large."""
    monkeypatch.setattr(initials_module, "MOST_AT_ONCE", 0)
    work = Work()
    bench.hub.initials.begin_work = work.begin
    return work


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


def test_if_a_large_window_fails_its_viewers_are_closed_with_1013_and_the_others_continue(
    bench: Bench, work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Failing(Json):
        def initial(self, *_: Any, **__: Any) -> Generator[None, None, Frame]:
            yield
            raise MemoryError("no room")

    monkeypatch.setattr(initials_module, "MAX_MADE_AT_ONCE", 1)
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
    monkeypatch.setattr(initials_module, "MAX_MADE_AT_ONCE", 1)
    bench.tick(3)
    first, broken, last = bench.join(), bench.join(Position("e", 1)), bench.join(Position("e", 2))
    frame_for = bench.hub.initials.frame_for

    def failing(viewer: Viewer, *args: Any) -> Frame | None:
        if viewer is broken.viewer:
            raise BrokenError
        return frame_for(viewer, *args)

    monkeypatch.setattr(bench.hub.initials, "frame_for", failing)
    finish(work)
    assert broken.was_cut
    assert "BrokenError" in bench.hub.problems[VIEWERS].message
    assert [seqs(viewer.messages()) for viewer in (first, last)] == [[1, 2, 3], [3]]
