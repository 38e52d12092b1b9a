"""A board under a server with several worker processes, and boards that cannot start."""

import contextlib
import sqlite3
from pathlib import Path

import httpx
import pytest
from tests.servers import Program, free_port, program
from tests.serving import wait_for
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

WSGI = """
import os
from tickboard import Board, TickboardWSGIMiddleware, serve_in_background

def hello(environ, start_response):
    start_response("200 OK", [("content-type", "text/plain")])
    return [str(os.getpid()).encode()]

board = Board("My service", interval_ms=50)
app = TickboardWSGIMiddleware(hello, board)
serve_in_background(board, port=int(os.environ["DASHBOARD_PORT"]))
"""

ASGI = """
import os
from fastapi import FastAPI
from tickboard import Board

board = Board("My service", interval_ms=50, state=os.environ.get("STATE"))
app = FastAPI(lifespan=board.lifespan)
bare = FastAPI()

@app.get("/hello")
@bare.get("/hello")
def hello() -> int:
    return os.getpid()

app.mount("/live", board)
bare.mount("/live", board)
"""

NO_BOARD = "this process has no board: "


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "wsgi.py").write_text(WSGI)
    (tmp_path / "dash.py").write_text(ASGI)
    return tmp_path


def both_answer(server: Program, path: str) -> None:
    """Ask until two workers have answered with their process ids."""
    workers: set[str] = set()

    def both() -> bool:
        workers.add(server.get(path).text)
        return len(workers) == 2

    wait_for(both, server.output)


def test_two_wsgi_workers_both_serve_and_one_has_the_board(folder: Path) -> None:
    dashboard = free_port()
    command = ["gunicorn", "-w", "2", "-b", "127.0.0.1:PORT", "wsgi:app"]
    with program(command, folder, {"DASHBOARD_PORT": str(dashboard)}) as server:
        server.wait_for("/")
        both_answer(server, "/")
        assert httpx.get(f"http://127.0.0.1:{dashboard}/api/health").is_success
        [line] = [line for line in server.output().splitlines() if NO_BOARD in line]
        assert f"port {dashboard} is taken" in line
        assert line.endswith("start the server with --workers 1")


@pytest.mark.parametrize("app", ["app", "bare"])
def test_two_asgi_workers_with_one_alert_log_both_serve_and_one_has_the_board(folder: Path, app: str) -> None:
    command = ["uvicorn", f"dash:{app}", "--workers", "2", "--timeout-worker-healthcheck", "60", "--port", "PORT"]
    with program(command, folder, {"STATE": str(folder / "alerts.db")}) as server:
        server.wait_for("/hello")
        both_answer(server, "/hello")
        seen: dict[int, str] = {}
        while seen.keys() != {200, 503}:
            answer = server.get("/live/api/health")
            seen[answer.status_code] = answer.text
        assert NO_BOARD in seen[503]
        assert "is in use by another tickboard" in seen[503]
        assert "--workers 1" in seen[503]

        def refused() -> int:
            try:
                with connect(f"ws://127.0.0.1:{server.port}/live/ws/metrics"):
                    return 0
            except InvalidStatus as error:
                return error.response.status_code

        wait_for(lambda: refused() == 503, server.output)
        wait_for(lambda: NO_BOARD in server.output(), server.output)
        assert len([line for line in server.output().splitlines() if NO_BOARD in line]) == 1


def test_a_process_without_the_board_takes_over_when_the_other_ends(folder: Path) -> None:
    path = folder / "alerts.db"
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with program(["uvicorn", "dash:board", "--port", "PORT"], folder, {"STATE": str(path)}) as server:
            wait_for(lambda: "Application startup complete" in server.output(), server.output)
            assert server.get("/").status_code == 503
            other.execute("ROLLBACK")
            other.close()
            server.wait_for("/")
            wait_for(lambda: "this process has the board now" in server.output(), server.output)


@pytest.mark.parametrize(
    ("name", "value", "line"),
    [
        ("METRIC_INTERVAL_MS", "abc", "METRIC_INTERVAL_MS=abc: give a whole number from 10 to 3600000"),
        ("WINDOW_SIZE", "0", "WINDOW_SIZE=0: give a whole number from 1"),
        ("ALERT_CHECK_SEC", "-1", "ALERT_CHECK_SEC=-1: give a whole number from 1"),
        ("STATE", "/proc/alerts.db", "/proc/alerts.db does not keep the log of alerts"),
        ("STATE", "dash.py", "dash.py is not a log of alerts"),
    ],
)
def test_a_configuration_error_fails_the_start_with_one_line(folder: Path, name: str, value: str, line: str) -> None:
    with program(["uvicorn", "dash:board", "--port", "PORT"], folder, {name: value}) as server:
        assert server.process.wait(30) == 3
        lines = [one for one in server.output().splitlines() if "INFO" not in one]
    assert line in lines[0]
    assert lines[1:] == ["ERROR:    Application startup failed. Exiting."]


def test_without_lifespan_a_configuration_error_is_answered_and_logged_once(folder: Path) -> None:
    with program(["uvicorn", "dash:bare", "--port", "PORT"], folder, {"WINDOW_SIZE": "many"}) as server:
        server.wait_for("/hello")
        answers = [server.get("/live/api/health") for _ in range(3)]
        assert [answer.status_code for answer in answers] == [503] * 3
        assert answers[0].json()["error"].startswith(f"{NO_BOARD}WINDOW_SIZE=many: give a whole number")
        assert server.output().count(NO_BOARD) == 1
