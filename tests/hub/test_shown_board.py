"""Viewers get the description of the board when it changes, and never an older one."""

import pytest
from tests.hub.watching import (
    NOTHING,
    V2,
    Bench,
    send_late,
)

from tickboard.hub import encodings


@pytest.fixture
def bench() -> Bench:
    return Bench()


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
    assert b'"epoch":"f"' in bench.hub.board.frame(details=False).wire


def test_the_described_board_lists_problems_briefly_or_in_detail(bench: Bench) -> None:
    bench.hub.problems.report("a", "wrong: 10.0.0.7 refused", brief="wrong", detail="Traceback")
    short, whole = (encodings.whole(bench.hub.board.described(details=details)) for details in (False, True))
    assert (short.title, short.epoch) == ("B", "e")
    assert [(problem.message, problem.detail) for problem in short.problems] == [("wrong", None)]
    assert [(problem.message, problem.detail) for problem in whole.problems] == [
        ("wrong: 10.0.0.7 refused", "Traceback")
    ]
