"""A server around a board is stopped while a client watches, reads alerts and sends an endless body."""

import contextlib
import signal
import socket
from pathlib import Path

import httpx
import pytest
from tests.servers import program
from tests.serving import RawStream, serve_app, wait_for
from websockets.sync.client import connect

from tickboard import Board

APP = """
import signal
from fastapi import FastAPI
from tickboard import Board

board = Board("My service", interval_ms=50)
app = FastAPI(lifespan=board.lifespan)
app.mount("/live", board)
bare = FastAPI()
bare.mount("/live", board)
"""

UVICORN = ["uvicorn", "--port", "PORT", "--timeout-worker-healthcheck", "60"]
SERVERS = {
    "uvicorn": [*UVICORN, "dash:app"],
    "uvicorn without lifespan": [*UVICORN, "dash:bare"],
    "uvicorn with two workers": [*UVICORN, "--workers", "2", "dash:app"],
    "gunicorn": ["gunicorn", "-k", "uvicorn_worker.UvicornWorker", "-b", "127.0.0.1:PORT", "dash:app"],
    "granian": ["granian", "--interface", "asgi", "--port", "PORT", "dash:app"],
    "hypercorn": ["hypercorn", "-b", "127.0.0.1:PORT", "dash:app"],
}


@pytest.mark.parametrize(
    ("server", "number"),
    [(server, signal.SIGTERM) for server in SERVERS] + [("uvicorn", signal.SIGINT), ("granian", signal.SIGINT)],
)
def test_a_server_ends_on_a_signal(server: str, number: int, tmp_path: Path) -> None:
    (tmp_path / "dash.py").write_text(APP)
    with program(SERVERS[server], tmp_path) as running:
        running.wait_for("/live/api/health")
        with (
            RawStream(running.port, path="/live/events/alerts") as stream,
            connect(f"ws://127.0.0.1:{running.port}/live/ws/metrics", close_timeout=1) as viewer,
            socket.create_connection(("127.0.0.1", running.port)) as sender,
        ):
            assert stream.event()["event"] == "position"
            assert "initial" in str(viewer.recv(20))
            sender.sendall(
                b"POST /live/api/metrics HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100\r\n"
                b"Content-Type: application/json\r\n\r\n["
            )
            assert running.ends(number), running.output()


def test_a_server_ends_at_its_own_request_limit(tmp_path: Path) -> None:
    (tmp_path / "dash.py").write_text(APP)
    with program([*UVICORN, "--limit-max-requests", "3", "dash:app"], tmp_path) as running:
        running.wait_for("/live/api/health")
        with RawStream(running.port, path="/live/events/alerts") as stream:
            for _ in range(3):
                with contextlib.suppress(httpx.TransportError):
                    running.get("/live/api/health")
            assert stream.ends()
            running.process.wait(30)


def test_a_server_in_a_thread_ends_when_asked() -> None:
    with serve_app(Board("Mounted", interval_ms=20)) as port:
        stream = RawStream(port)
    with stream:
        assert stream.ends()


HANDLING = (
    APP
    + """
import asyncio, sys
from contextlib import asynccontextmanager
from hypercorn.asyncio import serve
from hypercorn.config import Config

async def main():
    config = Config()
    config.bind = [f"127.0.0.1:{sys.argv[1]}"]
    signals = 0
    over = asyncio.Event()

    def handled():
        nonlocal signals
        signals += 1
        print("signal", signals, flush=True)
        if signals == 2:
            over.set()

    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, handled)
    await serve(app, config, shutdown_trigger=over.wait)
    print("handled", signals, flush=True)

asyncio.run(main())
"""
)


def test_the_board_survives_a_signal_that_the_application_handles(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(HANDLING)
    with program(["own", "PORT"], tmp_path) as running:
        running.wait_for("/live/api/health")
        with RawStream(running.port, path="/live/events/alerts") as stream:
            running.process.send_signal(signal.SIGTERM)
            assert stream.ends()
        wait_for(lambda: "signal 1" in running.output(), running.output)
        assert running.get("/live/api/health").is_success
        assert running.ends(signal.SIGTERM)
        assert "handled 2" in running.output()
