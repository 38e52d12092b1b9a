"""`tickboard health` prints the health of a board in one line; its exit status says whether ticks are published."""

import contextlib
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.serving import Server, serve

from tickboard.cli.probe import health_url, probe
from tickboard.errors import InputError

HEAD = """
import tickboard.engine
from tickboard import Board
board = Board(interval_ms=100)
value = board.gauge("value")
"""

FAILING_SAMPLER = """
@board.every("100ms")
def fails():
    raise ValueError("no such device")
"""

FAILING_TICKS = """
@board.every("100ms")
def breaks():
    def tick(self, now, elapsed_s):
        raise MemoryError("no room")
    tickboard.engine.Engine.tick = tick
"""


def command(*arguments: str) -> tuple[int, str]:
    """Run ``tickboard health``, and return its status and what it printed."""
    ran = subprocess.run(
        [sys.executable, "-m", "tickboard", "health", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=30,
        check=False,
    )
    return ran.returncode, ran.stdout


@contextlib.contextmanager
def running(tmp_path: Path, source: str = "") -> Iterator[Server]:
    path = tmp_path / "board.py"
    path.write_text(HEAD + source)
    with serve("run", str(path)) as server:
        yield server


def test_a_healthy_board_is_ok(tmp_path: Path) -> None:
    with running(tmp_path) as server:
        assert command(server.url) == (0, "ok\n")
        assert probe(f"{server.url}api/health") == (True, "ok")
        health = server.json("/api/health")
        assert (health["status"], health["reasons"]) == ("ok", [])


def test_a_board_with_a_problem_is_degraded_and_still_serves(tmp_path: Path) -> None:
    with running(tmp_path, FAILING_SAMPLER) as server:
        server.wait_for(lambda: server.json("/api/health")["status"] == "degraded")
        assert command(server.url) == (0, "degraded: sampler fails: ValueError: no such device\n")


def test_a_board_that_publishes_no_ticks_is_failing(tmp_path: Path) -> None:
    with running(tmp_path, FAILING_TICKS) as server:
        server.wait_for(lambda: not probe(server.url)[0])
        status, line = command(server.url)
        assert status == 1
        assert line.startswith("failing: ticks: no tick has been published for ")
        assert "ticks: MemoryError: no room" in line


@contextlib.contextmanager
def answering(answer: bytes, *, hold: bool = False) -> Iterator[str]:
    """Serve every client the same bytes, and keep the connection open if asked to."""
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve_all() -> None:
            with contextlib.suppress(OSError):
                while True:
                    client, _ = listening.accept()
                    with client:
                        client.recv(65_536)
                        client.sendall(answer)
                        if hold:
                            over.wait(30)

        thread = threading.Thread(target=serve_all, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            over.set()
            listening.shutdown(socket.SHUT_RDWR)
            thread.join(10)


@pytest.mark.parametrize(
    ("answer", "line"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "answers with status 200, so it is not a board"),
        (
            b'HTTP/1.1 500 No\r\nContent-Length: 15\r\n\r\n{"status":"ok"}',
            "answers with status 500, so it is not a board",
        ),
        (
            b"HTTP/1.1 401 No\r\nContent-Length: 2\r\n\r\n{}",
            "answers with status 401, so it is not a board: give the board's address",
        ),
        (b"nonsense\r\n\r\n", "does not answer"),
        (b"", "does not answer"),
        (b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 2**21, "does not answer: its answer is longer than"),
    ],
)
def test_an_answer_that_is_not_from_a_board_is_failing(answer: bytes, line: str) -> None:
    with answering(answer) as url:
        healthy, output = probe(url)
        assert not healthy
        assert output.startswith("failing: ")
        assert line in output


def test_a_server_that_does_not_answer_is_failing() -> None:
    with answering(b"", hold=True) as url:
        assert not probe(url, 0.1)[0]
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        assert not probe(f"http://127.0.0.1:{free.getsockname()[1]}")[0]


def test_a_server_whose_answer_never_ends_is_failing() -> None:
    over = threading.Event()

    def drip() -> None:
        client, _ = listening.accept()
        with client, contextlib.suppress(OSError):
            client.sendall(b"HTTP/1.1 200 OK\r\n")
            while not over.wait(0.02):
                client.sendall(b"x: 1\r\n")

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=drip, daemon=True)
        thread.start()
        healthy, output = probe(f"http://127.0.0.1:{listening.getsockname()[1]}", 0.5)
        over.set()
        thread.join(10)
    assert not healthy
    assert output.endswith("does not answer: its answer takes over 0.5 s")


def test_the_answer_of_a_board_is_printed_on_one_line() -> None:
    body = b'{"status":"failing","reasons":[{"source":"a\\u001b[31m","message":"x\\ny","since":""}]}'
    with answering(b"HTTP/1.1 503 No\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)) as url:
        assert probe(url) == (False, r"failing: a\x1b[31m: x y")


def test_an_invalid_url_exits_with_status_2() -> None:
    status, line = command("localhost:3000")
    assert status == 2
    assert line == "tickboard: 'localhost:3000' is not the URL of a board: give one as http://127.0.0.1:3000\n"
    with pytest.raises(InputError, match="is not the URL of a board"):
        health_url("ftp://host/")


@pytest.mark.parametrize(
    "url", ["http://h:1/live", "http://h:1/live/", "http://h:1/live/api/health", "http://h:1/live/api/health/"]
)
def test_the_health_url_is_built_from_any_url_of_a_board(url: str) -> None:
    assert health_url(url) == "http://h:1/live/api/health"
