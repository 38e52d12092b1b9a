"""A board served from a thread, over real sockets."""

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator

import httpx
import pytest
from tests.serving import wait_for
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from tickboard import Board
from tickboard.errors import InputError
from tickboard.running.background import Background, serve_in_background


@pytest.fixture
def board() -> Board:
    board = Board("Behind", interval_ms=20)
    board.gauge("depth").set(7)
    return board


@pytest.fixture
def served(board: Board) -> Iterator[Background]:
    with serve_in_background(board, port=0) as background:
        yield background


@pytest.fixture
def before() -> set[threading.Thread]:
    """Return the threads that ran before the test."""
    return set(threading.enumerate())


def started_since(before: set[threading.Thread]) -> list[str]:
    """Return the names of the threads of boards that a test has started, and that still run."""
    return [each.name for each in threading.enumerate() if each not in before and each.name.startswith("tickboard")]


def test_the_board_is_served_when_the_call_returns(served: Background) -> None:
    assert served.url == f"http://127.0.0.1:{served.port}"
    assert httpx.get(f"{served.url}/api/health").json()["status"] == "ok"
    with connect(f"ws://127.0.0.1:{served.port}/ws/metrics") as viewer:
        assert json.loads(viewer.recv(10))["type"] == "initial"
        assert json.loads(viewer.recv(10))["data"][0]["value"] == 7


def test_values_written_by_any_thread_are_shown(board: Board) -> None:
    orders = board.counter("orders")

    def take_orders() -> None:
        for _ in range(100):
            orders.inc()

    with serve_in_background(board, port=0) as served:
        threads = [threading.Thread(target=take_orders) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        wait_for(lambda: httpx.get(f"{served.url}/api/stats").json()["orders"]["max"] > 0)


def drain(viewer: ClientConnection) -> None:
    while True:
        viewer.recv(10)


def test_stopping_closes_connections_and_frees_the_port(before: set[threading.Thread], served: Background) -> None:
    with connect(f"ws://127.0.0.1:{served.port}/ws/metrics") as viewer:
        viewer.recv(10)
        served.stop()
        served.stop()
        with pytest.raises(ConnectionClosed) as closed:
            drain(viewer)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1001
    assert not started_since(before)
    with socket.create_server(("127.0.0.1", served.port)):
        pass


def test_a_process_whose_port_is_in_use_continues_and_serves_when_it_is_free(
    board: Board,
    before: set[threading.Thread],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr("tickboard.running.background.RETRY_S", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        served = serve_in_background(board, port=port)
        assert not served.serving
        [line] = [record.getMessage() for record in caplog.records]
        assert line.startswith(
            f"this process has no board: port {port} is taken: stop the program that uses it, or choose another"
        )
        assert line.endswith("--workers 1")
    with served:
        wait_for(lambda: served.serving)
        assert httpx.get(f"{served.url}/api/health").is_success
    assert not started_since(before)


def test_a_board_that_waits_for_its_port_can_be_stopped(board: Board, before: set[threading.Thread]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        serve_in_background(board, port=taken.getsockname()[1]).stop()
    assert not started_since(before)


@pytest.mark.parametrize("port", [-1, 65_536])
def test_a_port_out_of_range_is_refused(board: Board, port: int) -> None:
    with pytest.raises(InputError, match=f"port={port}: give a number from 0 to 65535"):
        serve_in_background(board, port=port)


def test_an_address_of_another_machine_is_refused(board: Board) -> None:
    with pytest.raises(InputError, match=r"host='192\.0\.2\.1': cannot listen there"):
        serve_in_background(board, host="192.0.2.1", port=0)


def test_a_bad_environment_variable_raises_in_the_caller(board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WINDOW_SIZE", "many")
    with pytest.raises(InputError, match="WINDOW_SIZE"):
        serve_in_background(board, port=0)


def test_other_host_names_are_refused(served: Background) -> None:
    assert httpx.get(served.url, headers={"host": "elsewhere.example"}).status_code == 421


PROGRAM = """
import httpx
from tickboard import Board
from tickboard.running.background import serve_in_background

board = Board(interval_ms=20)
sampled = board.gauge("sampled")

@board.every()
def sample():
    sampled.set(1)

served = serve_in_background(board, port=0)
while not httpx.get(f"{served.url}/api/stats").json()["sampled"]["count"]:
    pass
print("seen", flush=True)
"""


def test_the_board_does_not_keep_the_program_from_ending() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=30, env=os.environ, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "seen\n", "")
