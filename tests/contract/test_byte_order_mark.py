"""Text that begins with a byte order mark, as some editors and .NET write it, through every input."""

import json
import socket
from pathlib import Path

import httpx
from tests.serving import serve

MARK = b"\xef\xbb\xbf"


def test_a_byte_order_mark_is_ignored_in_files_and_bodies(tmp_path: Path) -> None:
    file = tmp_path / "board.py"
    file.write_bytes(
        MARK + b"from tickboard import Board\nboard = Board('Marked', interval_ms=100)\nx = board.gauge('x')\n"
    )
    (tmp_path / "tickboard.toml").write_bytes(MARK + b'[rules.low]\nwhen = "x < 1"\nmessage = "low"\n')
    with serve("run", str(file)) as running:
        point = {"name": "otlp", "gauge": {"dataPoints": [{"asInt": "3"}]}}
        document = {"resourceMetrics": [{"scopeMetrics": [{"metrics": [point]}]}]}
        for path, body, kind in (
            ("api/metrics", b'{"name": "json", "value": 3}', "application/json"),
            ("api/metrics", b'{"name": "lines", "value": 3}\n{"name": "more", "value": 3}\n', "application/x-ndjson"),
            ("v1/metrics", json.dumps(document).encode(), "application/json"),
            ("api/alerts/none/ack", b'{"note": "on it"}', "application/json"),
        ):
            answer = httpx.post(f"{running.url}{path}", content=MARK + body, headers={"Content-Type": kind})
            # There is no such alert, but the body was parsed.
            assert answer.status_code == (404 if path == "api/alerts/none/ack" else 200), answer.text
        names = {"json", "lines", "more", "otlp"}
        running.wait_for(lambda: all(running.json("/api/stats").get(name, {}).get("last") == 3 for name in names))


def test_a_byte_order_mark_before_a_statsd_packet_is_not_part_of_a_name(tmp_path: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    file = tmp_path / "board.py"
    file.write_text(f"from tickboard import Board\nboard = Board(interval_ms=100)\nboard.statsd(port={port})\n")
    with serve("run", str(file)) as running, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:

        def taken() -> bool:
            client.sendto(MARK + b"first:3|g\nsecond:4|g\n", ("127.0.0.1", port))
            return set(running.json("/api/stats")) >= {"first", "second"}

        running.wait_for(taken)
        assert running.json("/api/stats").keys() == {"first", "second"}
