"""A real server with little memory, and senders whose series would need more."""

import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from tests.serving import Server
from websockets.sync.client import connect

MEMORY_BYTES = 2**30
"""The address space that the server may have: with 30,000 series, its window alone would take 720 MB, and
briefly more each time it grows."""

BOARD = 'from tickboard import Board\n\nboard = Board("Small", interval_ms=200)\n'


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    board = tmp_path / "board.py"
    board.write_text(BOARD)
    process = subprocess.Popen(
        [sys.executable, "-m", "tickboard", "run", str(board), "--window", "3000", "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ | {"OPENBLAS_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2"},
    )
    resource.prlimit(process.pid, resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    server = Server(process)
    try:
        yield server
    finally:
        server.stop()


def test_a_sender_cannot_grow_a_board_beyond_its_memory(server: Server) -> None:
    accepted = refused = 0
    with connect(server.ws_url, subprotocols=["tickboard.v1"], max_size=None) as viewer:  # type: ignore[list-item]
        for first in range(0, 30_000, 5_000):
            body = [{"name": "load", "labels": {"host": f"h{n}"}, "value": n} for n in range(first, first + 5_000)]
            answer = httpx.post(f"{server.url}api/metrics", json=body, timeout=30)
            accepted, refused = accepted + answer.json()["accepted"], refused + answer.json().get("refused", 0)
            for _ in range(2):
                viewer.recv(20)
    assert accepted + refused == 30_000
    assert 9_000 < accepted < 10_000
    assert answer.status_code == 422
    assert "fill the 256 MB that the window may take" in answer.json()["error"]
    seq = server.json("/api/health")["seq"]
    server.wait_for(lambda: server.json("/api/health")["seq"] > seq + 3)
    assert server.json("/api/health")["status"] == "ok"
    assert not server.json("/api/board").get("problems")
    assert (
        f'tickboard_samples_refused_total{{source="push 127.0.0.1"}} {refused}'
        in httpx.get(f"{server.url}metrics").text
    )
