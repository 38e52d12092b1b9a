"""However many connections there are, the board has file descriptors left and requests are served."""

import contextlib
import json
import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from tests.raw import GET, GUARD_S, UPGRADE, counted, refusal, rest, statuses
from tests.serving import RawStream, Server, raw_viewer, serve
from websockets.sync.client import connect

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="it has no limit on open files")

BOARD = """
import os
from pathlib import Path
from tickboard import Board

board = Board("Files", interval_ms=100)
opened = board.gauge("opened")
trigger = Path(os.environ["TRIGGER"])
taken = []
number = 0


@board.every("100ms")
def opens():
    global number
    if trigger.exists():
        try:
            while True:
                taken.append(os.open(__file__, os.O_RDONLY))
        except OSError:
            return
    while taken:
        os.close(taken.pop())
    with open(__file__):
        number += 1
        opened.set(number)
"""


@pytest.fixture(params=["uvloop", "asyncio"])
def env(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, str]:
    """Return the environment of a server with one of the event loops."""
    env = {"TRIGGER": str(tmp_path / "trigger")}
    if request.param == "asyncio":
        (tmp_path / "without").mkdir()
        (tmp_path / "without" / "uvloop.py").write_text("raise ImportError")
        path = os.environ.get("PYTHONPATH", "")
        env["PYTHONPATH"] = f"{tmp_path / 'without'}{os.pathsep}{path}" if path else str(tmp_path / "without")
    return env


@contextlib.contextmanager
def limited(folder: Path, files: int, env: dict[str, str], *arguments: str) -> Iterator[Server]:
    """Run a board that opens files, under a limit on open files."""
    board = folder / "board.py"
    board.write_text(BOARD)
    program = ("sh", "-c", f'ulimit -n {files}; exec "$@"', "sh", sys.executable, "-m", "tickboard")
    with serve("run", str(board), *arguments, env=env, program=program) as server:
        yield server


@contextlib.contextmanager
def silent(port: int, count: int, host: str = "127.0.0.1") -> Iterator[list[socket.socket]]:
    """Open a number of connections and send nothing."""
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(socket.create_connection((host, port), GUARD_S)) for _ in range(count)]


def send_request(server: Server) -> socket.socket:
    """Send a request over a new connection and return it."""
    client = socket.create_connection(("127.0.0.1", server.port), GUARD_S)
    client.sendall(GET + b"Connection: close\r\n\r\n")
    return client


def test_silent_connections_block_neither_samplers_nor_requests(tmp_path: Path, env: dict[str, str]) -> None:
    with limited(tmp_path, 512, env) as server, silent(server.port, 600):
        before = server.json("/api/stats")["opened"]["last"]
        assert server.json("/api/health")["status"] == "ok"
        with connect(server.ws_url) as viewer, RawStream(server.port) as stream:
            for _ in range(5):
                viewer.recv(GUARD_S)
            assert stream.event()["event"] == "position"
        server.wait_for(lambda: server.json("/api/stats")["opened"]["last"] > before + 3)
        assert counted(server, "crowded") >= 600 - 384
        assert server.json("/api/health")["reasons"] == []
        server.stop()
        assert server.output().endswith("Ctrl-C ends it.\n")


@pytest.mark.parametrize(
    "said",
    [
        b"GET / HTTP/1.1\r\nHost:",
        b"POST /api/metrics HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n",
        b"JUNK\r\n\r\n",
    ],
    ids=["heads", "bodies", "junk"],
)
def test_slow_connections_do_not_block_requests(tmp_path: Path, env: dict[str, str], said: bytes) -> None:
    with limited(tmp_path, 256, env) as server, contextlib.ExitStack() as stack:
        for _ in range(300):
            client = stack.enter_context(socket.create_connection(("127.0.0.1", server.port), GUARD_S))
            with contextlib.suppress(ConnectionError):
                client.sendall(said)
        assert server.json("/api/health")["status"] == "ok"
        with connect(server.ws_url) as viewer:
            viewer.recv(GUARD_S)


def test_viewers_leave_descriptors_for_requests(tmp_path: Path, env: dict[str, str]) -> None:
    with (
        limited(tmp_path, 256, env, "--max-connections", "0", "--max-per-address", "0") as server,
        contextlib.ExitStack() as stack,
    ):
        answers = [stack.enter_context(raw_viewer(server.port)).recv(12) for _ in range(110)]
        assert answers.count(b"HTTP/1.1 101") == 96
        assert answers.count(b"HTTP/1.1 503") == 14
        with silent(server.port, 100):
            assert server.json("/api/health")["viewers"] == 96


def test_new_connections_wait_while_the_board_uses_all_descriptors(tmp_path: Path, env: dict[str, str]) -> None:
    trigger = Path(env["TRIGGER"])
    with limited(tmp_path, 256, env) as server, connect(server.ws_url) as viewer:
        viewer.recv(GUARD_S)
        before = len(server.lines)
        trigger.touch()
        with contextlib.ExitStack() as stack:
            # One of them finds no descriptor left.
            waiting = [stack.enter_context(send_request(server))]
            while "have to wait" not in server.output():
                waiting.append(stack.enter_context(send_request(server)))
                viewer.recv(GUARD_S)
            first = json.loads(viewer.recv(GUARD_S))
            for _ in range(10):
                last = json.loads(viewer.recv(GUARD_S))
            assert first["type"]
            assert last["type"]
            trigger.unlink()
            for client in waiting:
                assert statuses(rest(client)) in ([200], [])
        with send_request(server) as client:
            assert statuses(rest(client)) == [200]
        assert "connections" in [reason["source"] for reason in server.json("/api/health")["reasons"]]
        assert "Traceback" not in server.output()
        assert len(server.lines) - before <= 4


def own_address() -> str:
    """Return an address of this machine that is not loopback, or "" if it has none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        try:
            asking.connect(("192.0.2.254", 9))  # sends nothing
        except OSError:
            return ""
        address: str = asking.getsockname()[0]
    return "" if address.startswith("127.") else address


@pytest.mark.skipif(not own_address(), reason="this machine has no address but loopback")
def test_connections_of_every_kind_count_for_their_address(tmp_path: Path) -> None:
    env, host = {"TRIGGER": str(tmp_path / "trigger")}, own_address()
    with limited(tmp_path, 512, env, "--host", "0.0.0.0", "--auth", "none", "--max-per-address", "4") as server:
        for _ in range(2):
            with silent(server.port, 2, host), contextlib.ExitStack() as stack:
                for path in (b"/ws/metrics", b"/events/alerts"):
                    client = stack.enter_context(socket.create_connection((host, server.port), GUARD_S))
                    upgrade = UPGRADE if path == b"/ws/metrics" else b""
                    client.sendall(GET.replace(b"/api/health", path) + upgrade + b"\r\n")
                    assert client.recv(9) == b"HTTP/1.1 "
                with socket.create_connection((host, server.port), GUARD_S) as client:
                    status, error = refusal(rest(client))
                assert status == 503
                assert f"all 4 connections that {host} may have are in use: see --max-per-address" in error
                # Other addresses, and this machine, are served.
                assert server.json("/api/health")["viewers"] == 1
            # Closed connections no longer count.
            server.wait_for(lambda: can_open_four(host, server.port))
        assert counted(server, "address") >= 2


def can_open_four(host: str, port: int) -> bool:
    """Return whether four connections can be open at a time."""
    with silent(port, 3, host), contextlib.suppress(httpx.HTTPError):
        return httpx.get(f"http://{host}:{port}/api/health").status_code == 200
    return False
