"""A function gives its gauge a value at every tick, until another one replaces it or its series is removed."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from tickboard import Board, InputError


def test_a_gauge_with_a_function_is_evaluated_at_every_tick() -> None:
    async def scenario() -> None:
        board = Board(interval_ms=20)
        waiting = [1, 2, 3]
        length, failing = board.gauge("length"), board.gauge("failing")
        length.set_function(waiting.__len__)
        failing.set_function(lambda: 1 / 0)
        async with board.lifespan():
            async with asyncio.timeout(20):
                while length.value != 3 or not board.hub.problems:
                    await asyncio.sleep(0.01)
                waiting.append(4)
                while length.value != 4:
                    await asyncio.sleep(0.01)
        [problem] = board.hub.problems.values()
        assert "<lambda>" in problem.source
        assert "ZeroDivisionError" in problem.message

    asyncio.run(scenario())


async def awaited() -> float:
    return 1.0


def yields() -> Iterator[float]:
    yield 1.0


class AwaitedWhenCalled:
    async def __call__(self) -> float:
        return 1.0


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (5, "function of gauge load: 5 cannot be called: give a function"),
        (yields, "function of gauge load: it is a generator, .*: return the value without yield"),
        (awaited, r"function of gauge load: awaited is async: set the gauge in a function with @board\.every\(\)"),
        (AwaitedWhenCalled(), "is async: set the gauge in a function"),
    ],
)
def test_an_unusable_gauge_function_is_refused(function: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Board().gauge("load").set_function(function)


def test_a_function_for_a_labelled_gauge_without_labels_is_refused() -> None:
    gauge = Board().gauge("load", labels=("host", "core"))
    with pytest.raises(InputError, match=r"function of gauge load: .* with \.labels\(host=…, core=…\)\.set_function"):
        gauge.set_function(lambda: 1.0)


def test_a_second_function_replaces_the_first_of_the_same_series() -> None:
    board = Board()
    load, disk = board.gauge("load"), board.gauge("disk", labels=("mount",))
    calls: list[str] = []

    def call(name: str, value: float) -> float:
        calls.append(name)
        return value

    for round in (1, 2):
        load.set_function(lambda round=round: call(f"load {round}", round))  # type: ignore[misc]
        disk.labels(mount="/").set_function(lambda round=round: call(f"/ {round}", round))  # type: ignore[misc]
    disk.labels(mount="/home").set_function(lambda: call("/home", 3))
    tick = board.tick()
    assert sorted(calls) == ["/ 2", "/home", "load 2"]
    assert (tick["load"], tick['disk{mount="/"}'], tick['disk{mount="/home"}']) == (2, 2, 3)


def test_removing_a_series_removes_its_function() -> None:
    board = Board()
    disk = board.gauge("disk", labels=("mount",))
    root = disk.labels(mount="/")
    root.set_function(lambda: 1)

    def remove_its_own() -> float:
        disk.remove(mount="/home")
        return 2

    disk.labels(mount="/home").set_function(remove_its_own)
    assert 'disk{mount="/"}' in board.tick()
    disk.remove(mount="/")
    assert not board.tick()
    root.set(5)
    board.tick()
    assert board.tick()['disk{mount="/"}'] == 5
    disk.remove(mount="/")
    root.set_function(lambda: 7)
    assert board.tick()['disk{mount="/"}'] == 7


def test_a_series_whose_function_failed_for_long_comes_back() -> None:
    board = Board(forget="10s")
    answers: list[float] = []
    board.gauge("disk", labels=("mount",)).labels(mount="/").set_function(answers.pop)
    for now in (1_000.0, 2_000.0):
        with pytest.raises(IndexError):
            board.tick(now)
        board.hub.engine.tick(now, 1_000.0)
        board.intake.forget()
    answers.append(4)
    assert board.tick(2_001.0)['disk{mount="/"}'] == 4
