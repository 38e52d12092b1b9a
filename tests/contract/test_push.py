"""``POST /api/metrics`` on the real server: pushed values are on the board, and invalid ones are refused."""

import gzip
import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.serving import serve_app, wait_for
from websockets.sync.client import connect

from tickboard import Board
from tickboard.client.push import push
from tickboard.server.routes.push import MAX_BODY_BYTES
from tickboard.server.uvicorn.websocket import Connection

LINE = b'{"name": "a", "value": 1}\n'


@pytest.fixture
def board() -> Board:
    return Board(interval_ms=20)


@pytest.fixture
def url(board: Board) -> Iterator[str]:
    with serve_app(board, Connection) as port:
        yield f"http://127.0.0.1:{port}"


def post(url: str, body: Any, **headers: str) -> httpx.Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return httpx.post(f"{url}/api/metrics", content=content, headers=headers)


def newest(url: str) -> dict[str, float]:
    return {name: stats["last"] for name, stats in httpx.get(f"{url}/api/stats").json().items() if stats["count"]}


def test_a_pushed_value_is_on_the_websocket_and_in_the_documents(url: str) -> None:
    with connect(url.replace("http", "ws") + "/ws/metrics") as viewer:
        answer = post(url, {"name": "queue", "value": 7, "unit": "jobs", "labels": {"worker": "a"}})
        assert (answer.status_code, answer.json()) == (200, {"accepted": 1})
        seen: list[dict[str, Any]] = []
        while not seen:
            message = json.loads(viewer.recv(10))
            seen = [one for one in message.get("data", []) if one["name"] == "queue"] if "data" in message else []
    assert (seen[0]["value"], seen[0]["unit"], seen[0]["labels"]) == (7, "jobs", {"worker": "a"})
    recent = httpx.get(f"{url}/api/metrics/recent").json()
    assert any(one["name"] == "queue" and one["value"] == 7 for one in recent)
    metrics = httpx.get(f"{url}/api/board").json()["metrics"]
    assert [(one["name"], one["unit"], one["kind"]) for one in metrics] == [("queue", "jobs", "gauge")]


def test_lines_lists_and_gzip_are_accepted(url: str) -> None:
    line = b'{"name": "%b", "value": 1}\n'
    assert post(url, line % b"a" + line % b"b").json() == {"accepted": 2}
    assert post(url, line % b"c", **{"content-type": "application/x-ndjson; charset=utf-8"}).json() == {"accepted": 1}
    assert post(url, [{"name": "d", "value": 1}], **{"content-type": "application/json"}).json() == {"accepted": 1}
    packed = gzip.compress(line % b"e" * 1_000)
    assert post(url, packed, **{"content-encoding": "gzip"}).json() == {"accepted": 1_000}
    wait_for(lambda: newest(url) == dict.fromkeys("abcde", 1))


def test_metrics_that_one_board_sends_can_be_pushed_to_another(url: str) -> None:
    with serve_app(Board(interval_ms=20), Connection) as port:
        other = f"http://127.0.0.1:{port}"
        wait_for(lambda: httpx.get(f"{other}/api/health").json()["seq"] > 0)
        post(url, {"name": "queue", "value": 7, "labels": {"worker": "a"}})
        wait_for(lambda: newest(url))
        recent = httpx.get(f"{url}/api/metrics/recent?count=5").json()
        assert post(other, recent).json() == {"accepted": len(recent)}
        wait_for(lambda: newest(other) == {'queue{worker="a"}': 7})


def test_every_member_of_a_gzip_body_is_read(url: str) -> None:
    body = b"".join(gzip.compress(line) for line in (LINE, b"", b'{"name": "b", "value": 2}\n'))
    assert post(url, body, **{"content-encoding": "gzip"}).json() == {"accepted": 2}
    wait_for(lambda: newest(url) == {"a": 1, "b": 2})


@pytest.mark.parametrize(
    ("body", "headers", "status", "said"),
    [
        (b"{", {}, 400, "Input data was truncated"),
        (b'{"name": "a", "value": 1}\n{"name": "a"}', {}, 400, "line 2: Object missing required field `value`"),
        (b'[{"name": "a", "value": 1}, {"name": "a", "value": "x"}]', {}, 400, "metric 2 of the list: "),
        (b'{"name": "a", "value": -1, "kind": "counter"}', {}, 422, "metric 1: a counter's value is -1"),
        (b"<a/>", {"content-type": "text/xml"}, 415, "send application/json or application/x-ndjson"),
        (b"{}", {"content-encoding": "br"}, 415, "Content-Encoding 'br'"),
        (b"{}", {"content-encoding": "gzip"}, 400, "the body is not gzip"),
        (
            gzip.compress(LINE, mtime=0) + b"xx",
            {"content-encoding": "gzip"},
            400,
            "continues after the end of its gzip data",
        ),
        (
            gzip.compress(LINE, mtime=0) + gzip.compress(LINE, mtime=0)[:-3],
            {"content-encoding": "gzip"},
            400,
            "ends in the middle",
        ),
        (b" " * (MAX_BODY_BYTES + 1), {}, 413, "send less at a time"),
        (gzip.compress(b" " * (MAX_BODY_BYTES + 1), mtime=0), {"content-encoding": "gzip"}, 413, "send less at a time"),
    ],
)
def test_an_invalid_body_is_refused_with_the_reason_and_records_nothing(
    url: str, body: bytes, headers: dict[str, str], status: int, said: str
) -> None:
    answer = post(url, body, **headers)
    assert answer.status_code == status
    assert said in answer.json()["error"]
    assert httpx.get(f"{url}/api/board").json()["metrics"] == []


def test_refused_series_are_counted(board: Board, url: str) -> None:
    board.gauge("mine", labels=("host",))
    answer = post(url, [{"name": "mine", "value": 1}, {"name": "other", "value": 1}])
    assert answer.status_code == 422
    assert (answer.json()["accepted"], answer.json()["refused"]) == (1, 1)
    assert "metric 'mine' was declared with the labels host, not none" in answer.json()["error"]


def test_samples_that_are_too_old_are_refused_and_the_others_are_recorded(url: str) -> None:
    samples: list[dict[str, Any]] = [{"name": "a", "value": 1, "timestamp": time.time() - 3_600}]
    samples.append({"name": "b", "value": 1})
    post(url, samples[1:])
    wait_for(lambda: "b" in newest(url))
    answer = post(url, samples)
    assert answer.status_code == 422
    assert (answer.json()["accepted"], answer.json()["refused"]) == (1, 1)
    assert "metric 'a': a sample of 20" in answer.json()["error"]
    assert "is older than the oldest tick that is kept" in answer.json()["error"]


def test_ticks_continue_while_megabytes_are_pushed(url: str) -> None:
    body = b"".join(b'{"name": "m%d", "value": 1, "kind": "counter"}\n' % (number % 100) for number in range(200_000))
    taken: list[httpx.Response] = []
    pushing = threading.Thread(target=lambda: taken.append(post(url, body)))
    with connect(url.replace("http", "ws") + "/ws/metrics") as viewer:
        viewer.recv(10)
        pushing.start()
        ticks = 0
        while pushing.is_alive():
            ticks += json.loads(viewer.recv(10))["type"] == "metrics"
        pushing.join()
    assert taken[0].json() == {"accepted": 200_000}
    assert ticks > 1


def test_a_program_pushes_with_the_verbs_of_a_dashboard_file(url: str) -> None:
    with push(f"{url}/", interval=0.02, labels={"host": "a"}) as numbers:
        queue = numbers.gauge("queue", unit="jobs", labels=("worker",))
        queue.labels(worker="w").set(3)
        numbers.histogram("took", unit="ms").observe(12.5)
        wanted = {'queue{host="a",worker="w"}': 3.0} | {
            f'took{one}{{host="a"}}': 12.5 for one in ("", ".p50", ".p95", ".p99")
        }
        wait_for(lambda: newest(url) == wanted)
        assert numbers.dropped == 0


def test_the_example_shows_its_numbers(url: str) -> None:
    example = Path(__file__).parents[2] / "examples" / "push.py"
    with subprocess.Popen([sys.executable, str(example), url]) as running:
        try:
            wanted = {'queue{worker="a"}', 'queue{worker="b"}', "jobs_done", "job_time", "job_time.p95"}
            wait_for(lambda: wanted <= newest(url).keys() or running.poll() is not None)
            assert running.poll() is None
        finally:
            running.kill()
