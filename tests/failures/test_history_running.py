"""Ticks go on whatever becomes of the history, and the page says what is wrong with it."""

import re
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.serving import Server, serve
from tests.world import make_world

from tickboard.running.recorder import SOURCE

BOARD = Path(__file__).parents[1] / "boards" / "waves.py"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "disk" / "ticks.sqlite"


def started(path: Path, **environ: str) -> Any:
    return serve("run", str(BOARD), "--interval", "50", "--history", str(path), env=environ)


def problem(server: Server) -> str:
    """Return the message of the history's problem; empty: there is none."""
    found = [each["message"] for each in server.json("/api/board").get("problems", []) if each["source"] == SOURCE]
    return found[0] if found else ""


def ticks_go_on(server: Server) -> bool:
    seq = server.json("/api/health")["seq"]
    server.wait_for(lambda: server.json("/api/health")["seq"] > seq + 3)
    return True


def directory(path: Path) -> None:
    path.mkdir(parents=True)


def newer(path: Path) -> None:
    with started(path) as server:
        server.wait_for(lambda: server.json("/api/health")["history"]["raw"]["oldest"])
    with sqlite3.connect(path) as file:
        file.execute("PRAGMA user_version = 999")
    file.close()


def of_another_program(path: Path) -> None:
    path.parent.mkdir()
    with sqlite3.connect(path) as file:
        file.execute("CREATE TABLE mine (a)")
    file.close()


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (directory, "is a folder"),
        (newer, "was written by a newer tickboard"),
        (of_another_program, "is a database of another program"),
    ],
)
def test_an_unusable_file_never_prevents_the_start(make: Callable[[Path], None], said: str, path: Path) -> None:
    make(path)
    with started(path) as server:
        assert said in problem(server)
        health = server.json("/api/health")
        assert (health["status"], health["history"]) == ("degraded", None)
        assert [reason["source"] for reason in health["reasons"]] == [SOURCE]
        assert ticks_go_on(server)
        assert server.stop() == 0
        assert server.output().count(said) == 1


def test_a_file_that_another_board_uses_is_left_to_it_until_that_ends(path: Path) -> None:
    with started(path) as first, started(path) as second:
        assert f"{path} is in use by another tickboard" in problem(second)
        assert ticks_go_on(second)
        assert problem(first) == ""
        assert second.json("/api/health")["history"] is None
        refused = httpx.get(f"{second.url}api/history")
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "10")
        assert "is in use by another tickboard" in refused.json()["error"]
        first.wait_for(lambda: first.json("/api/health")["history"]["raw"]["oldest"])
        assert first.stop() == 0
        second.wait_for(lambda: second.json("/api/health")["history"])
        second.wait_for(lambda: len(second.json("/api/history?from=-2s&points=5000")["series"][0]["times"]) >= 5)
        assert second.json("/api/health")["history"]["dropped"] > 0


def test_a_folder_in_place_of_the_file_can_be_removed_while_the_board_runs(path: Path) -> None:
    directory(path)
    with started(path) as server:
        assert "is a folder" in problem(server)
        path.rmdir()
        server.wait_for(lambda: (server.json("/api/health")["history"] or {}).get("raw", {}).get("oldest"))
        assert ticks_go_on(server)


def test_a_file_that_cannot_be_read_is_moved_aside_and_reported(path: Path) -> None:
    with started(path) as server:
        server.wait_for(lambda: server.json("/api/health")["history"]["raw"]["oldest"])
    content = bytearray(path.read_bytes())
    content[200:4000] = b"\xff" * 3800
    path.write_bytes(content)
    with started(path) as server:
        server.wait_for(lambda: re.search(r"was damaged.* and is now ", problem(server)))
        server.wait_for(lambda: server.json("/api/health")["history"]["raw"]["oldest"])
    assert len(list(path.parent.glob("*.damaged-*"))) >= 1


def test_a_deleted_file_is_recreated_and_reported(path: Path) -> None:
    with started(path) as server:
        server.wait_for(lambda: server.json("/api/health")["history"]["raw"]["oldest"])
        path.unlink()
        server.wait_for(lambda: "was deleted" in problem(server))
        assert ticks_go_on(server)
        server.wait_for(lambda: path.exists() and server.json("/api/health")["history"]["raw"]["oldest"])
        assert "a new history was started there" in problem(server)


def test_the_board_runs_although_the_disk_hangs_at_its_start(path: Path, tmp_path: Path) -> None:
    world = make_world(tmp_path, path.parent)
    with started(path) as server:
        server.wait_for(lambda: server.json("/api/health")["history"]["raw"]["oldest"])
    with world.hanging_disk(), started(path, **world.environ) as server:
        assert "its disk has not answered" in problem(server)
        assert ticks_go_on(server)


def test_a_hanging_disk_delays_no_tick_and_waiting_ticks_are_kept_when_it_returns(path: Path, tmp_path: Path) -> None:
    world = make_world(tmp_path, path.parent)
    with started(path, **world.environ) as server:
        server.wait_for(lambda: server.json("/api/health")["history"]["raw"]["oldest"])
        with world.hanging_disk():
            server.wait_for(lambda: problem(server))
            assert server.json("/api/health")["status"] == "degraded"
            assert ticks_go_on(server)
            assert server.json("/api/health")["history"]["queued"] > 0
        server.wait_for(lambda: not problem(server))
        server.wait_for(lambda: server.json("/api/health")["history"]["queued"] < 40)
        assert server.json("/api/health")["history"]["dropped"] == 0


def test_a_hanging_disk_keeps_no_program_from_ending(path: Path, tmp_path: Path) -> None:
    world = make_world(tmp_path, path.parent)
    with started(path, **world.environ) as server:
        server.wait_for(lambda: server.json("/api/health")["history"]["raw"]["oldest"])
        with world.hanging_disk():
            ticks_go_on(server)
            server.process.terminate()
            # A hang guard.
            assert server.process.wait(30) == 0
