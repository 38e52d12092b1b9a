"""A board is served by uvicorn, even by a release that our connection classes are not tested with."""

import json
import signal
from pathlib import Path

import pytest
import uvicorn
from tests.servers import program
from websockets.sync.client import connect

from tickboard.server.uvicorn.serving import TESTED

FILE = """
import uvicorn

uvicorn.__version__ = {version!r}

from tickboard import Board
from tickboard.__main__ import main

board = Board(interval_ms=100)
board.gauge("load").set(1)

if __name__ == "__main__":
    import sys

    sys.argv = ["tickboard", "run", __file__, "--port", sys.argv[1]]
    main()
"""


def test_the_installed_release_is_a_tested_one() -> None:
    assert uvicorn.__version__.rpartition(".")[0] in TESTED


@pytest.mark.parametrize(("version", "is_warned"), [(f"{TESTED[0]}.99", False), ("99.0.0", True)])
def test_an_untested_release_serves_with_its_own_classes_and_a_warning(
    tmp_path: Path, version: str, is_warned: bool
) -> None:
    (tmp_path / "dashboard.py").write_text(FILE.format(version=version))
    with program(["dashboard", "PORT"], tmp_path) as server:
        server.wait_for("/api/health")
        assert "<title>" in server.get("/").text
        with connect(f"ws://127.0.0.1:{server.port}/ws/metrics") as viewer:
            assert [json.loads(viewer.recv(20))["type"] for _ in range(3)] == ["initial", "metrics", "metrics"]
        warned = f"Tickboard has not been tested with uvicorn {version}" in server.output()
        assert warned == is_warned
        assert server.ends(signal.SIGINT)
        assert server.process.returncode == 0
