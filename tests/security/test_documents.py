"""Large documents: however many clients ask, and however slowly they read, memory and other viewers are safe."""

import contextlib
import gzip
import json
import socket
from collections.abc import Generator, Iterator
from functools import partial

import httpx
import numpy as np
import pytest
from tests.raw import GUARD_S, rest
from tests.security.raw import request
from tests.serving import raw_viewer, serve_app, wait_for

from tickboard import Board, wire
from tickboard.hub.encodings import recent_metrics
from tickboard.hub.shown_board import ShownBoard
from tickboard.metrics.registry import Registry
from tickboard.metrics.selection import Selection
from tickboard.metrics.window import Window
from tickboard.server.requests.bodies import Budget
from tickboard.server.routes.large import VALUE_BYTES
from tickboard.server.uvicorn.gate import Gate
from tickboard.server.uvicorn.http import HttpConnection
from tickboard.server.uvicorn.websocket import Connection

SERIES, TICKS = 5_000, 20


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    board = Board("Large", interval_ms=200, window_size=TICKS)
    wide = board.gauge("wide", labels=["number"])
    for number in range(SERIES):
        wide.labels(number=f"{number:0100}").set(number)
    with serve_app(board, Connection, partial(HttpConnection, gate=Gate())) as port:
        wait_for(lambda: httpx.get(f"http://127.0.0.1:{port}/api/health").json()["seq"] >= TICKS)
        yield port


@contextlib.contextmanager
def asking(port: int, count: int) -> Iterator[socket.socket]:
    """Ask for a document, read its status and then stop reading."""
    with socket.create_connection(("127.0.0.1", port), GUARD_S) as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        client.sendall(request(target=f"/api/metrics/recent?count={count}"))
        yield client


def status(client: socket.socket) -> int:
    return int(client.recv(12).split()[1])


def test_unread_documents_share_a_limit(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    # One address gets half of it: two of these documents.
    monkeypatch.setattr("tickboard.server.routes.large.DOCUMENTS", Budget(2 * 2 * SERIES * TICKS * VALUE_BYTES))
    with contextlib.ExitStack() as stack:
        # Each one is different, so that none is shared.
        clients = [stack.enter_context(asking(port, SERIES * TICKS - number)) for number in range(6)]
        assert sorted(map(status, clients)) == [200, 200, 503, 503, 503, 503]
        # Small documents are answered nevertheless.
        assert len(httpx.get(f"http://127.0.0.1:{port}/api/metrics/recent").json()) == 60
        assert httpx.get(f"http://127.0.0.1:{port}/api/health").json()["status"] == "ok"
    wait_for(lambda: httpx.get(f"http://127.0.0.1:{port}/api/metrics/recent?count={10**9}").status_code == 200)


def test_the_board_is_described_once_per_tick_for_all_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    described = 0
    original = ShownBoard.described

    def described_board(board: ShownBoard, *, details: bool) -> Generator[None, None, wire.BoardInfo]:
        nonlocal described
        described += 1
        return original(board, details=details)

    monkeypatch.setattr(ShownBoard, "described", described_board)
    board = Board("Slow", interval_ms=3_600_000)
    board.gauge("cpu")
    with serve_app(board) as port:
        url = f"http://127.0.0.1:{port}/api/board"
        first = httpx.get(url, headers={"accept-encoding": "identity"})
        assert first.json() == httpx.get(url, headers={"accept-encoding": "identity"}).json()
        assert described == 1
        board.hub.problems.report("sampler a", "it fails")
        problems = httpx.get(url, headers={"accept-encoding": "identity"}).json()["problems"]
        assert [problem["source"] for problem in problems] == ["sampler a"]
        assert described == 2


def test_a_document_that_is_always_too_large_is_refused_with_the_limit(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tickboard.server.routes.large.MAX_DOCUMENTS_BYTES", 2 * 30_000 * VALUE_BYTES)
    refused = httpx.get(f"http://127.0.0.1:{port}/api/metrics/recent?count={10**9}")
    assert refused.status_code == 400
    assert "retry-after" not in refused.headers
    assert "for example with count=30000" in refused.json()["error"]
    assert len(httpx.get(f"http://127.0.0.1:{port}/api/metrics/recent?count=30000").json()) == 30_000


@pytest.mark.parametrize("path", ["/api/stats", "/api/metrics/recent?count=9999"])
@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_a_large_document_has_a_content_length_compressed_or_not(port: int, path: str, version: str) -> None:
    for coding in ("gzip", "identity"):
        asked = request(target=path, version=version, Connection="close", Accept_Encoding=coding)
        with socket.create_connection(("127.0.0.1", port), GUARD_S) as client:
            client.sendall(asked)
            head, _, body = rest(client).partition(b"\r\n\r\n")
        assert b"\r\ncontent-length: %d\r\n" % len(body) in head + b"\r\n"
        assert b"transfer-encoding" not in head
        assert head.lower().count(b"\r\nvary: accept-encoding") == 1
        assert len(json.loads(gzip.decompress(body) if coding == "gzip" else body)) > SERIES - 1


def test_a_row_of_many_series_is_written_in_steps() -> None:
    registry = Registry()
    handle = registry.gauge("wide", labels=["number"])
    for number in range(20_000):
        handle.labels(number=number).set(number)
    window = Window(2)
    window.append(0.0, np.arange(20_000.0))
    steps = sum(1 for _ in recent_metrics(Selection(registry), window.all(), 20_000))
    assert steps >= 10


def test_viewers_that_read_nothing_are_disconnected_to_free_memory(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    # Only being disconnected ends the first one in time.
    monkeypatch.setattr("tickboard.server.streams.raw_socket.LINGER_S", 300.0)
    monkeypatch.setattr("tickboard.hub.viewer.STALLED_S", 300.0)
    monkeypatch.setattr("tickboard.hub.hub.MAX_UNTAKEN_BYTES", 1)

    def health() -> dict[str, int]:
        found: dict[str, int] = httpx.get(f"http://127.0.0.1:{port}/api/health").json()
        return found

    before = health()["viewers_stalled"]
    with raw_viewer(port):
        wait_for(lambda: health()["viewers"] == 1)
        # The next one needs another window than the first.
        joined_at = health()["seq"]
        wait_for(lambda: health()["seq"] > joined_at + 1)
        with raw_viewer(port):
            wait_for(lambda: health()["viewers_stalled"] > before)
            wait_for(lambda: health()["viewers"] == 1)
