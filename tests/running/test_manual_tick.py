"""Ticks without a server, as tests of a dashboard file make them."""

import asyncio
import math
import time

import pytest

from tickboard import Board, InputError


def test_a_dashboard_file_can_be_tested_without_a_server() -> None:
    board = Board(interval_ms=500)
    cpu = board.gauge("cpu_usage", unit="%")
    disk = board.gauge("disk", labels=("mount",))
    board.alert(cpu > 90, "hot: {value:.0f}", for_="1s")
    runs: list[str] = []

    @board.every()
    def sample() -> None:
        runs.append("every tick")
        disk.labels(mount="/").set(len(runs))

    @board.every("2s")
    async def sample_now_and_then() -> None:
        await asyncio.sleep(0)
        runs.append("now and then")

    first = board.tick(1_000.0)
    assert (first.time, first.seq) == (1_000.0, 1)
    assert math.isnan(first["cpu_usage"])
    assert first['disk{mount="/"}'] == 1
    cpu.set(95)
    for _ in range(2):
        board.tick()
    assert board.firing == []
    last = board.tick()
    assert (last.time, last["cpu_usage"], cpu.value) == (1_001.5, 95, 95)
    assert [alert.message for alert in board.firing] == ["hot: 95"]
    cpu.set(5)
    board.tick(1_002.0)
    assert board.firing == []
    assert runs.count("every tick") == 5
    assert runs.count("now and then") == 2


def test_tick_raises_the_exceptions_of_samplers() -> None:
    board = Board()

    @board.every()
    def fail() -> None:
        raise KeyError("lost")

    with pytest.raises(KeyError, match="lost"):
        board.tick()


def test_the_first_tick_has_the_current_time() -> None:
    board = Board()
    board.gauge("load").set_function(lambda: 1.0)
    before = time.time()
    assert before <= board.tick().time <= time.time()


def test_a_served_board_refuses_manual_ticks() -> None:
    board = Board()

    @board.every()
    async def sample() -> None: ...

    async def scenario() -> None:
        with pytest.raises(InputError, match=r"sampler .*sample is async: call tick"):
            board.tick()
        async with board.lifespan():
            with pytest.raises(InputError, match="is being served"):
                board.tick()

    asyncio.run(scenario())
