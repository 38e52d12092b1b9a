"""Remote write over real sockets, with the real Prometheus as the sender."""

import re
import time
from collections.abc import Iterator
from typing import Any

import cramjam
import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.prometheus import prometheus
from tests.prompb import V2, write_request
from tests.serving import Server, serve

HEADERS = {"Content-Type": "application/x-protobuf", "Content-Encoding": "snappy"}
V2_TYPE = "application/x-protobuf;proto=io.prometheus.write.v2.Request"

BOARD = """
from tickboard import Board
board = Board("Written to", interval_ms=100, max_series_per_source=2_000)
board.gauge("declared", labels=["zone"])
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    file = tmp_path_factory.mktemp("boards") / "board.py"
    file.write_text(BOARD)
    with serve("run", str(file)) as running:
        yield running


def packed(message: Any) -> bytes:
    data = message if isinstance(message, bytes) else message.SerializeToString()
    return bytes(cramjam.snappy.compress_raw(data))


def write(server: Server, body: bytes, **headers: str) -> httpx.Response:
    return httpx.post(f"{server.url}api/v1/write", content=body, headers=HEADERS | headers)


def test_metrics_that_prometheus_scrapes_are_on_the_board(server: Server) -> None:
    with prometheus(f"{server.url}api/v1/write"):
        wanted = 'prometheus_http_requests_total{code="200",handler="/-/ready"'
        server.wait_for(lambda: any(key.startswith(wanted) for key in server.json("/api/stats")))
        server.wait_for(lambda: "prometheus_http_request_duration_seconds.p95" in str(server.json("/api/stats").keys()))
    board = server.json("/api/board")
    infos = {info["name"]: info for info in board["metrics"]}
    assert infos["prometheus_http_requests_total"]["kind"] == "counter"
    assert infos["go_memstats_heap_alloc_bytes"]["unit"] == "B"
    assert infos["prometheus_http_request_duration_seconds"]["kind"] == "histogram"
    assert infos["prometheus_http_request_duration_seconds_count"]["unit"] == "/s"
    assert "prometheus_http_request_duration_seconds_sum" not in infos
    heap = next(
        stats for key, stats in server.json("/api/stats").items() if key.startswith("go_memstats_heap_alloc_bytes")
    )
    assert heap["last"] > 1_000_000
    assert {row.get("title") for row in board["panels"]} >= {"prometheus", "go", "process"}


def malformed(server: Server) -> int:
    """Return the number of unreadable requests from ``/metrics``."""
    told = httpx.get(f"{server.url}metrics").text
    found = re.search(r'tickboard_samples_malformed_total{source="remote write 127.0.0.1"} (\d+)', told)
    return int(found[1]) if found else 0


def test_samples_are_published_with_the_next_tick(server: Server) -> None:
    answer = write(server, packed(write_request(({"__name__": "written", "job": "test"}, [(41.5, time.time())]))))
    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["X-Prometheus-Remote-Write-Samples-Written"] == "1"
    server.wait_for(lambda: server.json("/api/stats").get('written{job="test"}', {}).get("last") == 41.5)


def test_version_2_is_answered_with_the_number_of_samples_written(server: Server) -> None:
    request = V2["Request"](symbols=["", "__name__", "written_v2"])
    request.timeseries.add(labels_refs=[1, 2]).samples.add(value=7.0, timestamp=int(time.time() * 1000))
    answer = write(server, packed(request), **{"Content-Type": V2_TYPE})
    assert answer.status_code == 204
    assert answer.headers["X-Prometheus-Remote-Write-Samples-Written"] == "1"
    server.wait_for(lambda: server.json("/api/stats").get("written_v2", {}).get("last") == 7)


@pytest.mark.parametrize(
    ("body", "headers", "status", "wrong"),
    [
        (b"x", {"Content-Type": "text/plain"}, 415, "send application/x-protobuf"),
        (b"x", {"Content-Type": "application/x-protobuf;proto=other"}, 415, "proto=other"),
        (b"x", {"Content-Encoding": "gzip"}, 415, "send snappy"),
        (b"", {}, 400, "number without an end"),
        (b"\x05junk", {}, 400, "Snappy"),
        (packed(write_request()) + b"xx", {}, 400, "Snappy"),
        (packed(write_request(({"__name__": "junk"}, [(1.0, 1.0)]))) + b"xx", {}, 400, "Snappy"),
        (packed(write_request(({"__name__": "junk"}, [(1.0, 1.0)])))[:-1], {}, 400, "Snappy"),
        (packed(b"\x0a\x05abc"), {}, 400, "ends in the middle"),
        (b"\xff\xff\xff\xff\x0f", {}, 413, "the decompressed body has 4294967295 bytes"),
        (b"x" * (33 << 20), {}, 413, "more than 33554432"),
    ],
)
def test_an_invalid_request_is_refused_with_the_reason_and_counted(
    server: Server, body: bytes, headers: dict[str, str], status: int, wrong: str
) -> None:
    before = malformed(server)
    answer = write(server, body, **headers)
    assert answer.status_code == status
    assert wrong in answer.json()["error"]
    assert malformed(server) == before + 1


def test_refused_series_do_not_affect_the_others(server: Server) -> None:
    now = time.time()
    request = write_request(({"__name__": "declared"}, [(1.0, now)]), ({"__name__": "other"}, [(2.0, now)]))
    answer = write(server, packed(request))
    assert answer.status_code == 400
    assert "declared with the labels zone, not none" in answer.json()["error"]
    server.wait_for(lambda: "other" in server.json("/api/stats"))


def test_samples_that_are_too_old_are_refused_and_the_others_are_recorded(server: Server) -> None:
    now = time.time()
    request = write_request(
        ({"__name__": "backfilled"}, [(1.0, now - 3_600)]),
        ({"__name__": "backfilled_total"}, [(1.0, now - 3_600)]),
        ({"__name__": "fresh"}, [(2.0, now)]),
    )
    answer = write(server, packed(request))
    assert answer.status_code == 400
    assert "2 samples were refused, the others were accepted: metric 'backfilled" in answer.json()["error"]
    assert "is older than the oldest tick that is kept" in answer.json()["error"]
    assert answer.headers["X-Prometheus-Remote-Write-Samples-Written"] == "1"
    server.wait_for(lambda: server.json("/api/stats").get("fresh", {}).get("last") == 2)
    counted = re.search(
        r'tickboard_samples_too_old_total{source="remote write 127.0.0.1"} (\d+)',
        httpx.get(f"{server.url}metrics").text,
    )
    assert counted is not None
    assert int(counted[1]) >= 2


def test_a_page_of_another_site_may_not_write(server: Server) -> None:
    answer = write(server, packed(write_request()), Origin="https://evil.example")
    assert answer.status_code == 403
    assert "may not write to" in answer.text


@settings(max_examples=40, deadline=None)
@given(st.binary(max_size=200), st.booleans(), st.booleans())
def test_junk_never_causes_a_server_error(server: Server, junk: bytes, is_packed: bool, v2: bool) -> None:
    answer = write(server, packed(junk) if is_packed else junk, **({"Content-Type": V2_TYPE} if v2 else {}))
    assert answer.status_code in {204, 400, 413}
