"""Reading history does not disturb those who watch."""

import contextlib
import http.client
import json
import random
import threading
from collections.abc import Iterator
from pathlib import Path

from benchmarks.fanout.load import Load
from tests.serving import Server, serve

VIEWERS, TICKS, READERS, SERIES = 300, 40, 3, 40

GUARD_S = 40.0
"""A hang guard: the longest wait for the ticks."""

BOARD = f"""
import random

from tickboard import Board

board = Board("Watched", interval_ms=100)
gauges = [board.gauge(f"m{{number}}") for number in range({SERIES})]


@board.every()
async def sample() -> None:
    for gauge in gauges:
        gauge.set(random.uniform(0, 100))
"""


def test_no_viewer_misses_a_tick_while_history_is_read_without_pause(tmp_path: Path) -> None:
    board = tmp_path / "board.py"
    board.write_text(BOARD)
    history = str(tmp_path / "h.sqlite")
    with serve("run", str(board), "--history", history, "--max-per-address", "0") as server:
        load = Load(server.port)
        load.connect(VIEWERS)
        wanted = load.messages + VIEWERS * TICKS
        answers: list[int] = []
        with contextlib.ExitStack() as stack:
            stack.callback(load.close)
            for seed in range(READERS):
                stack.enter_context(reading(server, random.Random(seed), answers))
            assert load.receive_until(lambda: load.messages >= wanted, GUARD_S)
        assert (load.missed, load.ended) == (0, 0)
        # All readers were answered, and saw history grow.
        assert len(answers) > READERS
        assert max(answers) > TICKS // 2


@contextlib.contextmanager
def reading(server: Server, chance: random.Random, answers: list[int]) -> Iterator[None]:
    """Ask one question after another. Append how many buckets each answer has."""
    done = threading.Event()
    errors: list[Exception] = []

    def read() -> None:
        asking = http.client.HTTPConnection("127.0.0.1", server.port, timeout=GUARD_S)
        with contextlib.closing(asking):
            while not done.is_set():
                metrics = "&".join(f"metrics=m{chance.randrange(SERIES)}" for _ in range(chance.randrange(20)))
                since, points = chance.choice(["-10s", "-1m", "-1h"]), chance.choice([1, 50, 500, 5000])
                asking.request("GET", f"/api/history?{metrics}&from={since}&points={points}")
                answer = asking.getresponse()
                document = json.loads(answer.read())
                assert answer.status == 200, document
                answers.append(max((len(series["times"]) for series in document["series"]), default=0))

    def caught() -> None:
        try:
            read()
        except Exception as error:  # noqa: BLE001  # raised in the test
            errors.append(error)

    thread = threading.Thread(target=caught)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
        assert not errors, errors
