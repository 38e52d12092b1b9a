"""`tickboard dev`: viewers stay connected while the file is changed, broken, fixed and deleted."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.serving import Server, serve
from websockets.sync.client import ClientConnection, connect

BOARD = """from tickboard import Board

board = Board("First")
cpu = board.gauge("cpu_usage", unit="%")


@board.every()
def sample():
    cpu.set(1)
"""

BROKEN = BOARD + "\n1 / 0\n"
BROKEN_LINE = BROKEN.count("\n")

Message = dict[str, Any]


class Viewer:
    """A viewer that can wait for a message."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection

    def next(self, timeout_s: float = 10) -> Message:
        message: Message = json.loads(self._connection.recv(timeout_s))
        return message

    def until(self, wanted: str | Callable[[Message], bool]) -> Message:
        deadline = time.monotonic() + 10
        while True:
            message = self.next(max(0.0, deadline - time.monotonic()))
            if message["type"] == wanted if isinstance(wanted, str) else wanted(message):
                return message

    def problems(self) -> list[Message]:
        listed: list[Message] = self.until("problems")["problems"]
        return listed


def dev_server(path: Path) -> AbstractContextManager[Server]:
    return serve("dev", str(path), "--interval", "50")


def stopped_output(server: Server) -> str:
    """Stop the server and return all its output."""
    assert server.stop() == 0
    return server.output()


@contextmanager
def watching(server: Server) -> Iterator[Viewer]:
    with connect(server.ws_url) as connection:
        viewer = Viewer(connection)
        assert viewer.next()["type"] == "initial"
        # By now it ticks and watches its folder.
        viewer.until("metrics")
        yield viewer


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "dashboard.py"
    path.write_text(BOARD)
    return path


# --- a change ---


def test_viewers_stay_connected_through_a_change_and_series_keep_their_history(path: Path) -> None:
    with dev_server(path) as server, watching(server) as viewer:
        epoch = server.json("/api/board")["epoch"]
        path.write_text(
            BOARD.replace("First", "Second").replace("cpu.set(1)", "cpu.set(2)")
            + 'memory = board.gauge("memory_usage")\nmemory.set(50)\n'
        )
        changed = viewer.next()
        while changed["type"] == "metrics":
            changed = viewer.next()
        assert changed["type"] == "board"
        assert changed["board"]["title"] == "Second"
        assert changed["board"]["epoch"] != epoch
        initial = viewer.next()
        assert initial["type"] == "initial"
        assert initial["epoch"] == changed["board"]["epoch"]
        assert "resumed" not in initial
        kept = [metric["value"] for metric in initial["data"] if metric["name"] == "cpu_usage"]
        assert kept
        assert set(kept) == {1}
        assert not [metric for metric in initial["data"] if metric["name"] == "memory_usage"]
        tick = viewer.until(lambda message: message["type"] == "metrics" and len(message["data"]) == 2)
        assert [metric["name"] for metric in tick["data"]] == ["cpu_usage", "memory_usage"]
        viewer.until(lambda message: message["type"] == "metrics" and message["data"][0]["value"] == 2)
        output = stopped_output(server)
        assert output.count("reloaded, 2 metrics") == 1
        assert output.rstrip().endswith("reloaded, 2 metrics")


LABELLED = """from itertools import count

from tickboard import Board

board = Board("First")
queue = board.gauge("queue", labels=["city"])
numbers = count(1)


@board.every()
def sample():
    queue.labels(city="Oslo").set(next(numbers))
"""


def window_of(server: Server, name: str) -> list[float]:
    """Return the values of a metric in the window, oldest first."""
    recent = server.json("/api/metrics/recent?count=2000")
    return [metric["value"] for metric in recent if metric["name"] == name]


def test_series_with_labels_and_pushed_metrics_keep_their_window_through_a_change(path: Path) -> None:
    path.write_text(LABELLED)
    pushed = {"name": "temperature", "value": 21.5, "unit": "°C", "title": "Attic", "labels": {"room": "attic"}}
    with serve("dev", str(path), "--interval", "50", "--window", "1200") as server, watching(server) as viewer:
        assert httpx.post(f"{server.url}api/metrics", json=pushed).json() == {"accepted": 1}
        server.wait_for(lambda: len(window_of(server, "queue")) >= 5)
        server.wait_for(lambda: len(window_of(server, "temperature")) >= 5)
        for title in ("Second", "Third"):
            path.write_text(LABELLED.replace("First", title).replace("count(1)", "count(1000)"))
            assert viewer.until("board")["board"]["title"] == title
        server.wait_for(lambda: max(window_of(server, "queue"), default=0) >= 1000)
        old = [value for value in window_of(server, "queue") if value < 1000]
        assert len(old) >= 5
        assert old == sorted(old)
        assert set(window_of(server, "temperature")) == {21.5}
        [metric] = [one for one in server.json("/api/board")["metrics"] if one["name"] == "temperature"]
        assert (metric["title"], metric["unit"]) == ("Attic", "°C")
        pushed["value"] = 22
        assert httpx.post(f"{server.url}api/metrics", json=pushed).json() == {"accepted": 1}
        server.wait_for(lambda: window_of(server, "temperature")[-1] == 22)
        assert set(window_of(server, "temperature")) == {21.5, 22}


def test_times_and_positions_keep_increasing_through_a_change(path: Path) -> None:
    with dev_server(path) as server, watching(server) as viewer:
        path.write_text(BOARD.replace("First", "Second"))
        initial = viewer.until("initial")
        times = [tick["timestamp"] for tick in initial["ticks"]]
        assert times == sorted(set(times))
        tick = viewer.until("metrics")
        assert tick["timestamp"] > times[-1]
        assert tick["seq"] == initial["seq"] + 1


def test_successive_changes_are_shown(path: Path) -> None:
    with dev_server(path) as server, watching(server) as viewer:
        for title in ("Second", "Third", "Fourth"):
            path.write_text(BOARD.replace("First", title))
            assert viewer.until("board")["board"]["title"] == title


def test_a_board_that_was_replaced_is_freed(path: Path) -> None:
    path.write_text(f'{BOARD}\n\nimport weakref\n\nweakref.finalize(board, print, "freed").atexit = False\n')
    with dev_server(path) as server, watching(server):
        path.write_text(BOARD)
        server.wait_for(lambda: "freed" in server.output())


def test_a_change_of_a_module_beside_the_file_is_shown(path: Path) -> None:
    titles = path.with_name("titles.py")
    titles.write_text('TITLE = "One"\n')
    path.write_text("from titles import TITLE\n" + BOARD.replace('"First"', "TITLE"))
    with dev_server(path) as server, watching(server) as viewer:
        assert server.json("/api/board")["title"] == "One"
        titles.write_text('TITLE = "Two"\n')
        assert viewer.until("board")["board"]["title"] == "Two"


def test_a_subscription_survives_a_change(path: Path) -> None:
    path.write_text(BOARD + 'board.gauge("memory_usage").set(50)\n')
    with dev_server(path) as server, watching(server) as viewer:
        viewer._connection.send('{"type":"subscribe","metrics":["memory_usage"]}')
        viewer.until("subscribed")
        path.write_text(path.read_text().replace("First", "Second"))
        initial = viewer.until("initial")
        assert {metric["name"] for metric in initial["data"]} == {"memory_usage"}


def threshold(board: Message) -> float:
    [rule] = board["rules"]
    found: float = rule["threshold"]
    return found


def test_a_change_of_the_configuration_is_shown(path: Path) -> None:
    path.write_text(BOARD + 'board.alert(cpu > 90, "high")\n')
    config = path.with_name("tickboard.toml")
    with dev_server(path) as server, watching(server) as viewer:
        assert threshold(server.json("/api/board")) == 90
        for number in (80, 70):
            config.write_text(f"[rules.cpu_usage]\nthreshold = {number}\n")
            assert threshold(viewer.until("board")["board"]) == number
        config.unlink()
        assert threshold(viewer.until("board")["board"]) == 90


def test_an_error_in_the_configuration_is_reported_with_its_line_until_fixed(path: Path) -> None:
    path.write_text(BOARD + 'board.alert(cpu > 90, "high")\n')
    config = path.with_name("tickboard.toml")
    with dev_server(path) as server, watching(server) as viewer:
        config.write_text("[rules.cpu_usage]\nthresold = 80\n")
        (problem,) = viewer.problems()
        assert (problem["file"], problem["line"]) == (str(config), 2)
        assert problem["message"] == "rules.cpu_usage.thresold: there is no such key: write threshold"
        assert threshold(server.json("/api/board")) == 90
        config.write_text("[rules.cpu_usage]\nthreshold = 80\n")
        board = viewer.until("board")["board"]
        assert threshold(board) == 80
        assert "problems" not in board


def test_a_changed_retention_applies_at_once_and_another_history_file_needs_a_restart(path: Path) -> None:
    config, one, two = (path.with_name(name) for name in ("tickboard.toml", "one.sqlite", "two.sqlite"))

    def configure(file: Path, keep: str) -> None:
        config.write_text(f'[history]\nfile = "{file}"\nkeep = "{keep}"\n')

    def status_of_a_late_sample() -> int:
        sample = {"name": "late", "value": 1, "timestamp": time.time() - 2 * 3600}
        return httpx.post(f"{server.url}api/metrics", json=sample).status_code

    def problems() -> list[str]:
        return [problem["message"] for problem in server.json("/api/board").get("problems", [])]

    configure(one, "1h")
    with (
        serve("dev", str(path), "--interval", "50", env={"TICKBOARD_HISTORY": ""}) as server,
        watching(server) as viewer,
    ):
        assert status_of_a_late_sample() == 422
        configure(one, "3h")
        viewer.until("board")
        assert status_of_a_late_sample() == 200
        configure(two, "3h")
        viewer.until("board")
        assert problems() == [
            f"the file is now {two}, which needs a restart; until then, ticks are kept in {one}",
        ]
        configure(one, "3h")
        viewer.until("board")
        assert problems() == []
        assert f"history file: the file is now {two}" in stopped_output(server)
    assert one.exists()
    assert not two.exists()


def test_a_configuration_in_another_folder_can_be_wrong_at_the_start(path: Path, tmp_path: Path) -> None:
    path.write_text(BOARD + 'board.alert(cpu > 90, "high")\n')
    config = tmp_path / "settings" / "night.toml"
    config.parent.mkdir()
    config.write_text("[rules.cpu_usage]\nthreshold = nan\n")
    with serve("dev", str(path), "--interval", "50", "--config", str(config)) as server:
        assert f"{config}:2: rules.cpu_usage.threshold: nan is invalid" in server.output()
        with connect(server.ws_url) as connection:
            viewer = Viewer(connection)
            assert viewer.next()["type"] == "initial"
            viewer.until("metrics")
            config.write_text("[rules.cpu_usage]\nthreshold = 50\n")
            assert threshold(viewer.until("board")["board"]) == 50


# --- a broken file ---


def test_a_broken_file_is_reported_and_the_last_good_board_keeps_running(path: Path) -> None:
    with dev_server(path) as server, watching(server) as viewer:
        epoch = server.json("/api/board")["epoch"]
        path.write_text(BROKEN)
        (problem,) = viewer.problems()
        assert (problem["file"], problem["line"]) == (str(path), BROKEN_LINE)
        assert "ZeroDivisionError" in problem["message"]
        board = server.json("/api/board")
        assert (board["title"], board["epoch"]) == ("First", epoch)
        assert board["problems"] == [problem]
        seqs = [viewer.until("metrics")["seq"] for _ in range(3)]
        assert seqs == [seqs[0], seqs[0] + 1, seqs[0] + 2]
        output = stopped_output(server)
        assert output.count(f"{path}:{BROKEN_LINE}: ZeroDivisionError") == 1
        assert "Traceback" not in output


def test_an_invalid_url_of_remote_write_leaves_the_last_good_board_running(path: Path) -> None:
    failing = path.with_name("failing")
    path.write_text(
        BOARD.replace(
            "    cpu.set(1)",
            f"    if __import__('os').path.exists({str(failing)!r}):\n        raise OSError\n    cpu.set(1)",
        )
    )
    history = str(path.with_name("h.sqlite"))
    with serve("dev", str(path), "--interval", "50", "--history", history) as server:
        path.write_text(f"{BOARD}\nboard.remote_write('http://999.1.1.1/write')\n")
        server.wait_for(lambda: "999.1.1.1" in str(server.json("/api/health")["reasons"]))
        # Its problems are still reported.
        failing.touch()
        server.wait_for(lambda: "OSError" in str(server.json("/api/health")["reasons"]))


def test_fixing_the_file_clears_the_problem(path: Path) -> None:
    with dev_server(path) as server, watching(server) as viewer:
        path.write_text(BROKEN)
        assert viewer.problems()
        path.write_text(BOARD.replace("First", "Mended"))
        board = viewer.until("board")["board"]
        assert board["title"] == "Mended"
        assert "problems" not in board
        assert "problems" not in server.json("/api/board")


def test_reverting_the_file_clears_the_problem(path: Path) -> None:
    with dev_server(path) as server, watching(server) as viewer:
        path.write_text(BOARD + "cpu = (\n")
        assert "SyntaxError" in viewer.problems()[0]["message"]
        path.write_text(BOARD)
        assert "problems" not in viewer.until("board")["board"]


def test_a_file_broken_at_the_start_is_served_with_its_problem_until_fixed(path: Path) -> None:
    path.write_text(BROKEN)
    with dev_server(path) as server:
        assert f"{path}:{BROKEN_LINE}: ZeroDivisionError" in server.output()
        (problem,) = server.json("/api/board")["problems"]
        assert (problem["file"], problem["line"]) == (str(path), BROKEN_LINE)
        with connect(server.ws_url) as connection:
            viewer = Viewer(connection)
            assert viewer.next()["type"] == "initial"
            viewer.until("metrics")
            path.write_text(BOARD)
            assert viewer.until("board")["board"]["title"] == "First"
            assert viewer.until("initial")["type"] == "initial"
            viewer.until(lambda message: message["type"] == "metrics" and bool(message["data"]))


def test_invalid_settings_are_reported_as_a_problem(path: Path) -> None:
    with dev_server(path) as server, watching(server) as viewer:
        path.write_text(BOARD.replace('"First"', '"First", window_size=0'))
        (problem,) = viewer.problems()
        assert "WINDOW_SIZE=0" in problem["message"]
        viewer.until("metrics")


def test_a_file_that_never_finishes_loading_stops_neither_ticks_nor_shutdown(path: Path) -> None:
    with dev_server(path) as server, watching(server) as viewer:
        path.write_text(BOARD + f"open({str(path.with_name('begun'))!r}, 'w').close()\nimport time\ntime.sleep(60)\n")
        server.wait_for(path.with_name("begun").exists)
        viewer.until("metrics")
        # If it does not stop long before the file finishes, it is killed and has another status.
        assert server.stop() == 0


# --- how editors save ---


def test_a_file_deleted_and_written_again_later_is_shown(path: Path) -> None:
    with dev_server(path) as server, watching(server) as viewer:
        path.unlink()
        (problem,) = viewer.problems()
        assert "no such file" in problem["message"]
        viewer.until("metrics")
        path.write_text(BOARD.replace("First", "Back"))
        board = viewer.until("board")["board"]
        assert board["title"] == "Back"
        assert "problems" not in board


def test_a_file_replaced_by_a_rename_is_shown(path: Path) -> None:
    with dev_server(path) as server, watching(server) as viewer:
        for title in ("Second", "Third"):
            beside = path.with_name("dashboard.py.tmp")
            beside.write_text(BOARD.replace("First", title))
            beside.replace(path)
            assert viewer.until("board")["board"]["title"] == title
        assert server.process.poll() is None


def test_a_file_deleted_and_rewritten_at_once_is_one_change(path: Path) -> None:
    with dev_server(path) as server, watching(server) as viewer:
        path.unlink()
        path.write_text(BOARD.replace("First", "Second"))
        assert viewer.until(lambda message: message["type"] in {"board", "problems"})["type"] == "board"


# --- samplers ---


def test_a_failing_sampler_is_reported_once_and_cleared_when_it_works(path: Path) -> None:
    switch = path.with_name("switch")
    path.write_text(
        BOARD
        + f"""

from pathlib import Path


@board.every()
def fails():
    if not Path({str(switch)!r}).exists():
        raise ValueError("no disk")
"""
    )
    line = path.read_text().count("\n")
    with dev_server(path) as server:
        deadline = time.monotonic() + 10
        while not (problems := server.json("/api/board").get("problems")):
            assert time.monotonic() < deadline
        (problem,) = problems
        assert problem["source"] == "sampler fails"
        assert problem["message"] == "ValueError: no disk"
        assert (problem["file"], problem["line"]) == (str(path), line)
        assert "Traceback" in problem["detail"]
        with watching(server) as viewer:
            for _ in range(5):
                viewer.until(lambda message: message["type"] == "metrics" and bool(message["data"]))
            switch.touch()
            assert viewer.problems() == []
            assert "problems" not in server.json("/api/board")
            switch.unlink()
            assert viewer.problems()[0]["source"] == "sampler fails"
        output = stopped_output(server)
        assert output.count("Traceback") == 2
        assert output.count("sampler fails: ValueError: no disk") == 2


def test_fixing_a_sampler_in_the_file_clears_its_problem(path: Path) -> None:
    failing = BOARD.replace("cpu.set(1)", "cpu.set(1 / 0)")
    with dev_server(path) as server, watching(server) as viewer:
        path.write_text(failing)
        assert viewer.problems()[0]["source"] == "sampler sample"
        path.write_text(BOARD)
        assert "problems" not in viewer.until("board")["board"]
        viewer.until(lambda message: message["type"] == "metrics" and bool(message["data"]))
        assert "problems" not in server.json("/api/board")
