"""kill -9 at any moment: after each restart the log continues, and a reconnecting client sees each event once."""

import http.client
import json
import os
import random
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.serving import Server, serve

pytestmark = pytest.mark.usefixtures("unmeasured")

BOARD = Path(__file__).parents[1] / "boards" / "flapping.py"
KILLS = 24 if "CI" in os.environ else 100
BOARDS_AT_A_TIME = 2


@dataclass(frozen=True)
class Seen:
    """An event as a client received it."""

    epoch: str
    number: int
    kind: str
    id: str
    series: str


class Client:
    """An EventSource: it reconnects with the last id it received until it is closed."""

    def __init__(self, port: int) -> None:
        self.seen: list[Seen] = []
        self.whole = 0
        self.last_event_id = ""
        self._port = port
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._closed.set()
        self._thread.join(10)
        assert not self._thread.is_alive()

    def _read(self) -> None:
        while not self._closed.is_set():
            connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=1.0)
            headers = {"Last-Event-ID": self.last_event_id} if self.last_event_id else {}
            try:
                connection.request("GET", "/events/alerts", headers=headers)
                self._take(connection.getresponse())
            except (OSError, http.client.HTTPException):
                time.sleep(0.02)
            finally:
                connection.close()

    def _take(self, answer: http.client.HTTPResponse) -> None:
        fields: dict[str, str] = {}
        while (line := answer.readline()) and not self._closed.is_set():
            # A truncated line is ignored.
            if line == b"\n":
                self._dispatch(fields)
                fields = {}
            elif line.endswith(b"\n"):
                name, _, value = line.decode().rstrip("\n").partition(": ")
                fields[name] = value

    def _dispatch(self, fields: dict[str, str]) -> None:
        self.last_event_id = fields.get("id", self.last_event_id)
        data = json.loads(fields["data"])
        if fields.get("event") == "position":
            self.whole += data["whole"]
        elif "id" in data:
            epoch, _, number = fields["id"].rpartition("-")
            kind = fields.get("event", "firing")
            self.seen.append(Seen(epoch, int(number), kind, data["id"], data["labels"]["tank"]))


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_kills_neither_lose_nor_repeat_an_event(tmp_path: Path) -> None:
    with ThreadPoolExecutor(BOARDS_AT_A_TIME) as pool:
        for done in [
            pool.submit(kill_again_and_again, tmp_path / f"alerts{number}.sqlite", KILLS // BOARDS_AT_A_TIME, number)
            for number in range(BOARDS_AT_A_TIME)
        ]:
            done.result()


def kill_again_and_again(state: Path, kills: int, seed: int) -> None:
    port = free_port()
    moments = random.Random(seed)
    client = Client(port)
    try:
        for kill in range(kills):
            with serve(*arguments(state), port=port) as server:
                if kill % 2:
                    # On a busy machine half a second may pass without an event.
                    server.wait_for(partial(has_more, client.seen, len(client.seen)))
                time.sleep(moments.uniform(0.0, 0.5))
                server.process.kill()
                server.process.wait(10)
        with serve(*arguments(state), port=port) as server:
            before = len(client.seen)
            server.wait_for(lambda: len(client.seen) > before + 5)
            assert server.stop() == 0
    finally:
        client.close()
    assert client.whole == 1
    assert_each_event_once(client.seen)
    assert len(client.seen) > kills // 2
    assert_consistent(state, client.seen)


def has_more(seen: list[Seen], before: int) -> bool:
    return len(seen) > before


def assert_each_event_once(seen: list[Seen]) -> None:
    assert len({event.epoch for event in seen}) == 1
    assert [event.number for event in seen] == list(range(seen[0].number, seen[0].number + len(seen)))
    firing: dict[str, str] = {}
    begun: set[str] = set()
    for event in seen:
        if event.kind == "firing":
            assert event.id not in begun
            assert event.series not in firing
            begun.add(event.id)
            firing[event.series] = event.id
        else:
            assert firing.pop(event.series) == event.id


def assert_consistent(state: Path, seen: list[Seen]) -> None:
    """Assert that the file has every event that was sent, and that its tables agree."""
    with sqlite3.connect(state) as file:
        assert file.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        kept = dict(file.execute("SELECT number, kind FROM events").fetchall())
        firing = {id_ for (id_,) in file.execute("SELECT id FROM firing")}
        [(newest,)] = file.execute("SELECT number FROM log").fetchall()
        fired = {json.loads(alert)["id"] for (alert,) in file.execute("SELECT alert FROM events WHERE kind = 'firing'")}
        ended = {
            json.loads(alert)["id"] for (alert,) in file.execute("SELECT alert FROM events WHERE kind = 'resolved'")
        }
    file.close()
    assert sorted(kept) == list(range(1, newest + 1))
    assert all(kept[event.number] == event.kind for event in seen)
    assert firing == fired - ended


def test_an_alert_survives_a_restart_with_its_acknowledgement(tmp_path: Path) -> None:
    board, state = tmp_path / "board.py", str(tmp_path / "alerts.sqlite")
    board.write_text(
        "from tickboard import Board\nboard = Board(interval_ms=50)\ncpu = board.gauge('cpu')\ncpu.set(99)\n"
        "board.alert(cpu > 90, 'hot', severity='critical')\n"
    )
    with serve("run", str(board), "--state", state) as server:
        server.wait_for(lambda: alerts(server))
        [first] = alerts(server)
        answer = httpx.post(f"{server.url}api/alerts/{first['id']}/ack", json={"note": "on it", "by": "ann"})
        assert answer.status_code == 200
        assert server.stop() == 0
    with serve("run", str(board), env={"TICKBOARD_STATE": state}) as server:
        server.wait_for(lambda: server.json("/api/health")["seq"] > 5)
        [again] = alerts(server)
        assert {name: again[name] for name in ("id", "timestamp", "started")} == {
            name: first[name] for name in ("id", "timestamp", "started")
        }
        assert again["acknowledged"]["note"] == "on it"
        board.write_text(board.read_text().replace("set(99)", "set(1)"))
    with serve("run", str(board), "--state", state) as server:
        server.wait_for(lambda: "resolved" in alerts(server)[0])
        assert [alert["id"] for alert in alerts(server)] == [first["id"]]


def test_each_board_has_its_own_file_and_a_second_run_starts_without_it(tmp_path: Path) -> None:
    home = {"XDG_STATE_HOME": str(tmp_path), "TICKBOARD_STATE": ""}
    with serve("run", str(BOARD), env=home) as first:
        [state] = (tmp_path / "tickboard").glob("flapping-*.sqlite")
        with serve("run", str(BOARD), env=home) as second:
            assert f"{state} is in use by another tickboard" in second.output()
            second.wait_for(lambda: second.json("/api/health")["seq"])
        assert "in use by another" not in first.output()
        named = subprocess.run(
            [sys.executable, "-m", "tickboard", "run", str(BOARD), "--port", "0", "--state", str(state)],
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
        )
    assert (named.returncode, named.stderr.count("\n")) == (2, 1)
    assert "is in use by another tickboard: stop that one, or give this one another file with --state" in named.stderr


def alerts(server: Server) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = server.json("/api/alerts")["alerts"]
    return found


def arguments(state: Path) -> tuple[str, ...]:
    return ("run", str(BOARD), "--interval", "20", "--state", str(state))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
