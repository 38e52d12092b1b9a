"""Series of a declared metric expire on a real board, and vanished senders are removed."""

import re
from pathlib import Path

import httpx
from tests.serving import serve

BOARD = """
from itertools import count
from tickboard import Board

board = Board("Jobs", interval_ms=50, forget="1s")
progress = board.gauge("progress", labels=["job"])
limit = board.gauge("limit", labels=["queue"], forget=False)
limit.labels(queue="a").set(100)
version = board.gauge("version")
version.set(3)
removed = board.gauge("removed", labels=["host"])
removed.labels(host="a").set(1)
numbers = count()


@board.every("50ms")
def work():
    for _ in range(20):
        progress.labels(job=next(numbers)).set(1)


@board.every("1s")
def remove():
    removed.remove(host="a")
"""


def test_label_sets_that_are_no_longer_written_are_removed(tmp_path: Path) -> None:
    file = tmp_path / "board.py"
    file.write_text(BOARD)
    with serve("run", str(file), env={"ALERT_CHECK_SEC": "1"}) as server:

        def jobs() -> set[str]:
            return {key for key in server.json("/api/stats") if key.startswith("progress")}

        server.wait_for(lambda: 'progress{job="0"}' in jobs())
        server.wait_for(lambda: 'progress{job="0"}' not in jobs())
        server.wait_for(lambda: 'removed{host="a"}' not in server.json("/api/stats"))
        stats = server.json("/api/stats")
        assert (stats["version"]["last"], stats['limit{queue="a"}']["last"]) == (3, 100)
        # Two seconds' worth of them, and more on a slow machine.
        assert len(jobs()) < 3_000


def test_vanished_senders_are_removed_and_their_samples_stay_counted(tmp_path: Path) -> None:
    file = tmp_path / "board.py"
    file.write_text('from tickboard import Board\nboard = Board("Senders", interval_ms=50, forget="1s")\n')
    points = [{"name": "exported", "gauge": {"dataPoints": [{"asInt": "3"}]}}]
    export = {"resourceMetrics": [{"scopeMetrics": [{"metrics": points}]}]}
    with serve("run", str(file), env={"ALERT_CHECK_SEC": "1"}) as server:

        def sources() -> dict[str, int]:
            text = httpx.get(f"{server.url}metrics").text
            return {
                name: int(float(value))
                for name, value in re.findall(r'tickboard_samples_total\{source="(.*?)"\} (\S+)', text)
            }

        # Each from its own loopback address.
        for number in range(2, 12):
            transport = httpx.HTTPTransport(local_address=f"127.0.0.{number}")
            with httpx.Client(transport=transport, base_url=server.url) as client:
                assert client.post("api/metrics", json={"name": "pushed", "value": number}).status_code == 200
                assert client.post("v1/metrics", json=export).status_code == 200
        assert sum(sources().values()) == 20
        assert {"push 127.0.0.2", "otlp 127.0.0.11"} <= sources().keys()
        server.wait_for(lambda: set(sources()) == {"others"})
        assert sources() == {"others": 20}
        assert httpx.post(f"{server.url}v1/metrics", json=export).json() == {}
        assert sources() == {"others": 20, "otlp 127.0.0.1": 1}


HANGING = """
import time
from itertools import count
from tickboard import Board

runs = count()
board = Board("Hanging", interval_ms=50, forget="6s")
full = board.gauge("full", labels=["mount"])
board.alert(full > 90, "{mount} is full", severity="critical", no_data="resolve")


@board.every("100ms")
def sample():
    if next(runs) >= 3:
        time.sleep(3600)
    full.labels(mount="/").set(99)
"""


def test_series_of_a_hanging_sampler_stay_and_so_does_their_alert(tmp_path: Path) -> None:
    file = tmp_path / "board.py"
    file.write_text(HANGING)
    with serve("run", str(file), env={"ALERT_CHECK_SEC": "1"}) as server:
        server.wait_for(lambda: server.json("/api/alerts?state=active")["alerts"])
        server.wait_for(lambda: server.json("/api/board").get("problems"))
        seq = server.json("/api/health")["seq"]
        server.wait_for(lambda: server.json("/api/health")["seq"] > seq + 160)
        assert server.json("/api/stats")['full{mount="/"}']["last"] == 99
        assert server.json("/api/alerts?state=active")["alerts"]
