"""A board is served by uvicorn, even by a release that our connection classes are not tested with."""

import json
import signal
import time
from pathlib import Path

import pytest
import uvicorn
from tests.servers import program
from tests.serving import wait_for
from websockets.sync.client import connect

from tickboard import Board
from tickboard.running.background import serve_in_background
from tickboard.server.uvicorn import serving
from tickboard.server.uvicorn.serving import TESTED

FILE = """
import uvicorn

uvicorn.__version__ = {version!r}

from tickboard import Board
from tickboard.__main__ import main
from tickboard.server.uvicorn import serving

serving.DATE_S = {date_s}

board = Board(interval_ms=100)
board.gauge("load").set(1)

if __name__ == "__main__":
    import sys

    sys.argv = ["tickboard", "run", __file__, "--port", sys.argv[1]]
    main()
"""


@pytest.mark.parametrize("asked", [signal.SIGINT, signal.SIGTERM])
def test_a_program_that_is_asked_to_end_does_not_wait_until_it_would_wake(
    tmp_path: Path, asked: signal.Signals
) -> None:
    (tmp_path / "dashboard.py").write_text(FILE.format(version=uvicorn.__version__, date_s=3600))
    with program(["dashboard", "PORT"], tmp_path) as server:
        server.wait_for("/api/health")
        assert server.ends(asked)
        assert server.process.returncode == 0


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Return when the servers of this process have looked whether to end."""
    found: list[float] = []
    look = uvicorn.Server.on_tick

    async def noted(server: uvicorn.Server, counter: int) -> bool:
        found.append(time.monotonic())
        return await look(server, counter)

    monkeypatch.setattr(uvicorn.Server, "on_tick", noted)
    return found


def test_an_idle_server_wakes_once_a_second(looks: list[float]) -> None:
    with serve_in_background(Board(), port=0):
        wait_for(lambda: len(looks) >= 3)
        first, second, third = looks[:3]
    assert min(second - first, third - second) > 0.9


def test_a_server_in_the_background_ends_when_it_is_asked(looks: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "DATE_S", 3600.0)
    with serve_in_background(Board(), port=0):
        wait_for(lambda: looks != [])
    assert len(looks) == 2


def test_the_installed_release_is_a_tested_one() -> None:
    assert uvicorn.__version__.rpartition(".")[0] in TESTED


@pytest.mark.parametrize(("version", "is_warned"), [(f"{TESTED[0]}.99", False), ("99.0.0", True)])
def test_an_untested_release_serves_with_its_own_classes_and_a_warning(
    tmp_path: Path, version: str, is_warned: bool
) -> None:
    (tmp_path / "dashboard.py").write_text(FILE.format(version=version, date_s=1.0))
    with program(["dashboard", "PORT"], tmp_path) as server:
        server.wait_for("/api/health")
        assert "<title>" in server.get("/").text
        with connect(f"ws://127.0.0.1:{server.port}/ws/metrics") as viewer:
            assert [json.loads(viewer.recv(20))["type"] for _ in range(3)] == ["initial", "metrics", "metrics"]
        warned = f"Tickboard has not been tested with uvicorn {version}" in server.output()
        assert warned == is_warned
        assert server.ends(signal.SIGINT)
        assert server.process.returncode == 0
