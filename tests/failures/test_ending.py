"""Ctrl-C and SIGTERM end the program whatever hangs, and nothing that a sampler does ends it early."""

import contextlib
import logging
import signal
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn
from tests.serving import Server, serve

from tickboard import Board
from tickboard.loop.watchdog import Watchdog
from tickboard.server.uvicorn.gate import Gate
from tickboard.server.uvicorn.serving import Server as ServerOfBoard

HEAD = """
import asyncio, atexit, sys, threading, time
from tickboard import Board
board = Board(interval_ms=100)
value = board.gauge("value")
@board.every("100ms")
def counts():
    value.inc()
"""

HANGS = {
    "a plain sampler": """
@board.every("100ms")
def hangs():
    print("it hangs", flush=True)
    time.sleep(600)
""",
    "an async sampler that refuses to be cancelled": """
@board.every("100ms")
async def hangs():
    print("it hangs", flush=True)
    while True:
        try:
            await asyncio.sleep(600)
        except asyncio.CancelledError:
            pass
""",
    "a listener's close": """
class Listener:
    async def start(self):
        print("it hangs", flush=True)
    async def close(self):
        await asyncio.sleep(600)
board.add_source(Listener())
""",
    "a function that runs at the end, for a while": """
print("it hangs", flush=True)
atexit.register(time.sleep, 4)
""",
}
"""Parts that hang, and do not keep the program from exiting cleanly."""

HANGS_FOR_GOOD = {
    "an async sampler that never awaits": """
@board.every("100ms")
async def hangs():
    print("it hangs", flush=True)
    while True:
        pass
""",
    "an async sampler that blocks": """
@board.every("100ms")
async def hangs():
    print("it hangs", flush=True)
    time.sleep(600)
""",
    "a thread that is not a daemon": """
threads = []
@board.every("100ms")
def hangs():
    if not threads:
        threads.append(threading.Thread(target=time.sleep, args=(600,), daemon=False))
        threads[0].start()
        print("it hangs", flush=True)
""",
    "a thread of the loop's executor": """
@board.every("100ms")
async def hangs():
    print("it hangs", flush=True)
    await asyncio.to_thread(time.sleep, 600)
""",
}
"""Parts that the interpreter would wait for."""


@contextlib.contextmanager
def hanging(tmp_path: Path, source: str) -> Iterator[Server]:
    """Run a board and wait until it hangs."""
    path = tmp_path / "board.py"
    path.write_text(HEAD + source)
    with serve("run", str(path)) as server:
        server.wait_for(lambda: "it hangs" in server.output())
        yield server


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("what", HANGS)
def test_the_program_exits_cleanly_while_something_hangs(tmp_path: Path, what: str, number: signal.Signals) -> None:
    with hanging(tmp_path, HANGS[what]) as server:
        assert server.json("/api/stats")["value"]["count"] >= 0
        assert server.stop(number) == 0


@pytest.mark.parametrize("what", HANGS_FOR_GOOD)
def test_the_program_is_killed_if_something_keeps_it_from_exiting(tmp_path: Path, what: str) -> None:
    with hanging(tmp_path, HANGS_FOR_GOOD[what]) as server:
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(30) == 1
        server.stop()
        assert "the program did not end by itself and is ended now; it is at" in server.output()


def test_a_second_ctrl_c_ends_the_program(tmp_path: Path) -> None:
    with hanging(tmp_path, HANGS_FOR_GOOD["an async sampler that blocks"]) as server:
        server.process.send_signal(signal.SIGINT)
        time.sleep(0.1)
        server.process.send_signal(signal.SIGINT)
        assert server.process.wait(30) == 1


def test_a_board_stops_cleanly_when_the_server_gets_two_signals(caplog: pytest.LogCaptureFixture) -> None:
    board = Board(interval_ms=100)
    closed: list[str] = []

    class Asks:
        """A listener that asks the server twice to stop as soon as it runs, like two Ctrl-C."""

        async def start(self) -> None:
            server.handle_exit(signal.SIGINT, None)
            server.handle_exit(signal.SIGINT, None)

        async def close(self) -> None:
            closed.append("the listener")

    board.add_source(Asks())
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = ServerOfBoard(uvicorn.Config(board, lifespan="on", log_config=None), lambda: board.hub, Gate())
        server.run(sockets=[listening])
    assert server.force_exit
    assert closed == ["the listener"]
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR] == []


@pytest.mark.parametrize("leaves", ["sys.exit(3)", "raise KeyboardInterrupt"])
def test_a_task_of_a_sampler_that_exits_the_interpreter_stops_nothing(tmp_path: Path, leaves: str) -> None:
    path = tmp_path / "board.py"
    path.write_text(
        HEAD
        + f"""
async def leave():
    {leaves}
@board.every("@yearly")
async def never():
    pass
left = []
@board.every("100ms")
async def samples():
    if not left:
        left.append(asyncio.create_task(leave()))
    await asyncio.sleep(0.01)
"""
    )
    with serve("run", str(path)) as server:
        server.wait_for(lambda: server.json("/api/health")["status"] == "degraded")
        [reason] = server.json("/api/health")["reasons"]
        assert reason["source"] == "event loop"
        seq = server.json("/api/health")["seq"]
        server.wait_for(lambda: server.json("/api/health")["seq"] > seq + 3)
        assert server.stop() == 0


@pytest.mark.parametrize("kind", ["def", "async def"])
@pytest.mark.parametrize(
    ("comes_back", "status"), [("sys.exit(3)", 3), ("return", 0), ("raise ValueError", 1), ("sys.exit('no')", 1)]
)
def test_a_forked_child_ends_where_the_sampler_returns_or_raises(
    tmp_path: Path, kind: str, comes_back: str, status: int
) -> None:
    path = tmp_path / "board.py"
    path.write_text(
        HEAD
        + f"""
import os
ended = board.gauge("ended")
forked = []
@board.every("100ms")
{kind} forks():
    if forked:
        return
    forked.append(os.fork())
    if not forked[0]:
        {comes_back}
    ended.set(os.waitstatus_to_exitcode(os.waitpid(forked[0], 0)[1]))
"""
    )
    with serve("run", str(path)) as server:
        server.wait_for(lambda: server.json("/api/stats")["ended"]["count"] > 0)
        assert server.json("/api/stats")["ended"]["last"] == status
        assert server.stop() == 0


def test_a_blocked_loop_is_logged_once_with_its_location_and_when_it_resumes(tmp_path: Path) -> None:
    path = tmp_path / "board.py"
    path.write_text(
        HEAD
        + """
calls = []
@board.every("100ms")
async def blocks():
    calls.append(1)
    if len(calls) == 3:
        time.sleep(7)
"""
    )
    with serve("run", str(path)) as server:
        server.wait_for(lambda: "the event loop continues; it was blocked for" in server.output())
        assert server.output().count("the event loop has been blocked for") == 1
        assert "time.sleep(7)" in server.output()
        server.wait_for(lambda: server.json("/api/health")["status"] == "ok")


def test_a_log_handler_that_hangs_does_not_keep_the_program_running(caplog: pytest.LogCaptureFixture) -> None:
    never = threading.Event()

    class Stuck(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            never.wait(60)

    ended: list[int] = []
    watchdog = Watchdog(end_s=0.1, leave_now=ended.append)
    handler = Stuck()
    logging.getLogger("tickboard").addHandler(handler)
    try:
        watchdog.leave()
        watchdog._watch()
    finally:
        logging.getLogger("tickboard").removeHandler(handler)
        never.set()
    assert ended == [1]
