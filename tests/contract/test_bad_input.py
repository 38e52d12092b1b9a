"""Whatever one client sends or does not read, the server keeps running and other viewers get every tick."""

import contextlib
import gzip
import json
import socket
import struct
import threading
import zlib
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest
from tests.serving import Server, raw_viewer, serve
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

BOARDS = Path(__file__).parents[1] / "boards"


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serve("run", str(BOARDS / "wide.py"), "--interval", "50", "--window", "20") as running:
        yield running


@pytest.fixture
def witness(server: Server) -> Iterator[None]:
    """Watch as another viewer, which must have received every tick when the test ends."""
    seen: list[tuple[str, int]] = []
    over = threading.Event()

    def watch(viewer: ClientConnection) -> None:
        while not over.is_set():
            message = json.loads(viewer.recv(10))
            seen.append((message["type"], message["seq"]))

    with connect(server.ws_url, max_size=None) as viewer:
        watching = threading.Thread(target=watch, args=(viewer,))
        watching.start()
        try:
            yield
            newest = server.json("/api/health")["seq"]
            server.wait_for(lambda: seen and seen[-1][1] >= newest + 3)
        finally:
            over.set()
            watching.join(15)
    (kind, first), *ticks = seen
    assert kind == "initial"
    assert ticks == [("metrics", seq) for seq in range(first + 1, first + 1 + len(ticks))]


MESSAGES: dict[str, str | bytes] = {
    "not JSON": "hello {",
    "null": "null",
    "a number": "1e999",
    "a list": "[1,2]",
    "nothing": "",
    "binary junk": bytes(range(256)),
    "no bytes": b"",
    "deep nesting": "[" * 10_000,
    "deep objects": '{"a":' * 10_000,
    "lone surrogate": '{"type":"subscribe","metrics":["\\ud800"]}',
    "unknown type": '{"type":"delete everything"}',
    "a type that is not a string": '{"type":5}',
    "metrics that are not a list": '{"type":"subscribe","metrics":"cpu"}',
    "metrics that are not strings": '{"type":"subscribe","metrics":[1]}',
    "too many metrics": json.dumps({"type": "subscribe", "metrics": ["m"] * 9_000}),
    "too many globs": json.dumps({"type": "subscribe", "metrics": ["m*"] * 200}),
    "a costly glob": json.dumps({"type": "subscribe", "metrics": ["*a" * 200]}),
}


@pytest.mark.parametrize("message", MESSAGES.values(), ids=MESSAGES)
def test_a_meaningless_message_is_ignored(server: Server, witness: None, message: str | bytes) -> None:
    with connect(server.ws_url, max_size=None) as viewer:
        viewer.send(message)
        viewer.send('{"type":"ping"}')
        while json.loads(viewer.recv(10))["type"] != "pong":
            pass


def drain(viewer: ClientConnection) -> None:
    while True:
        viewer.recv(10)


@pytest.mark.parametrize("size", [66_000, 2 * 1024 * 1024])
def test_an_oversized_message_closes_the_connection_with_1009(server: Server, witness: None, size: int) -> None:
    with connect(server.ws_url, max_size=None) as viewer:
        # The server hangs up while a huge message is still being sent; the close code must still reach the client.
        with contextlib.suppress(ConnectionClosed):
            viewer.send("x" * size)
        with pytest.raises(ConnectionClosed) as closed:
            drain(viewer)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1009


def test_text_that_is_not_utf_8_closes_the_connection_with_1007(server: Server, witness: None) -> None:
    with connect(server.ws_url, max_size=None) as viewer:
        viewer.send(b"\xff\xfe", text=True)
        with pytest.raises(ConnectionClosed) as closed:
            drain(viewer)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1007


@pytest.mark.parametrize(
    ("target", "header", "status"),
    [("/ws/metrics?metrics=" + "x" * 8_300, "", b"414"), ("/ws/metrics", f"X-Long: {'x' * 8_300}\r\n", b"431")],
    ids=["address", "header"],
)
def test_an_oversized_handshake_is_refused_with_a_status(
    server: Server, witness: None, target: str, header: str, status: bytes
) -> None:
    request = (
        f"GET {target} HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n{header}\r\n"
    )
    with socket.create_connection(("127.0.0.1", server.port), 10) as client:
        client.sendall(request.encode())
        assert client.recv(12) == b"HTTP/1.1 " + status


def test_viewers_that_never_read_slow_nobody_and_cost_no_memory(server: Server, witness: None) -> None:
    process = psutil.Process(server.process.pid)
    stalled = [raw_viewer(server.port) for _ in range(10)]
    try:
        server.wait_for(lambda: server.json("/api/health")["viewers"] >= 11)
        server.wait_for(lambda: server.json("/api/health")["frames_skipped"] > 100)
        before = process.memory_info().rss
        seq = server.json("/api/health")["seq"]
        server.wait_for(lambda: server.json("/api/health")["seq"] > seq + 60)
        # Sixty ticks of 50 kB for ten viewers are 30 MB: none of it may be kept.
        assert process.memory_info().rss - before < 8 * 1024 * 1024
    finally:
        for client in stalled:
            client.close()
    server.wait_for(lambda: server.json("/api/health")["viewers"] <= 1)


def test_viewers_that_vanish_are_removed(server: Server, witness: None) -> None:
    for _ in range(30):
        client = raw_viewer(server.port)
        client.recv(64)
        # A reset instead of a goodbye, as from a machine that was switched off and on.
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()
    server.wait_for(lambda: server.json("/api/health")["viewers"] == 1)


def test_garbage_instead_of_a_handshake_harms_nobody(server: Server, witness: None) -> None:
    for junk in (
        b"\x00" * 500,
        b"GET /ws/metrics HTTP/1.1\r\nUpgrade: websocket\r\n\r\n",
        b"\r\n\r\n",
        b"GET " + b"a" * 70_000,
    ):
        with socket.create_connection(("127.0.0.1", server.port)) as client:
            client.sendall(junk)
    # And one that never completes its request.
    with socket.create_connection(("127.0.0.1", server.port)) as client:
        client.sendall(b"GET /ws/metrics HTTP/1.1\r\nHost:")
        assert server.json("/api/health")["status"] == "ok"


def test_a_client_that_vanishes_in_the_middle_of_a_body_logs_nothing() -> None:
    with serve("run", str(BOARDS / "empty.py")) as server:
        for path in ("/api/metrics", "/v1/metrics", "/api/v1/write"):
            head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\nContent-Length: 99\r\n\r\n"
            with socket.create_connection(("127.0.0.1", server.port)) as client:
                client.sendall(head.encode() + b"{")
                # By now the server waits for the rest, and then sees the connection end.
                assert server.json("/api/health")["status"] == "ok"
        assert server.json("/api/health")["status"] == "ok"
        server.stop()
        assert server.output().endswith("Ctrl-C ends it.\n")


GZIP = {"Content-Encoding": "gzip"}
SAMPLE = b'{"name": "junk", "value": 1}'
BODIES: dict[str, tuple[bytes, dict[str, str], int]] = {
    "not JSON": (b"{", {}, 400),
    "NaN": (b'{"name": "junk", "value": NaN}', {}, 400),
    "single quotes": (b"{'name': 'junk', 'value': 1}", {}, 400),
    "deep nesting": (b"[" * 100_000, {}, 400),
    "not gzip": (SAMPLE, GZIP, 400),
    "junk after gzip": (gzip.compress(SAMPLE) + b"xx", GZIP, 400),
    "truncated gzip": (gzip.compress(SAMPLE)[:-3], GZIP, 400),
    "truncated second gzip member": (gzip.compress(SAMPLE) + gzip.compress(SAMPLE)[:-3], GZIP, 400),
    "a million empty members": (gzip.compress(b"") * 840_000, GZIP, 413),
    "gzip of megabytes": (gzip.compress(bytes(17 << 20)), GZIP, 413),
    "zlib followed by junk": (zlib.compress(SAMPLE) * 2, {"Content-Encoding": "deflate"}, 400),
    "an unknown coding": (SAMPLE, {"Content-Encoding": "gzip, gzip"}, 415),
}


@pytest.mark.parametrize("path", ["/api/metrics", "/v1/metrics"])
@pytest.mark.parametrize(("body", "headers", "status"), BODIES.values(), ids=BODIES)
def test_an_unreadable_body_is_refused_and_records_nothing(
    server: Server, witness: None, path: str, body: bytes, headers: dict[str, str], status: int
) -> None:
    url = f"http://127.0.0.1:{server.port}{path}"
    answer = httpx.post(url, content=body, headers={"Content-Type": "application/json"} | headers, timeout=30)
    assert answer.status_code == status
    assert answer.json()["error"]
    assert "junk" not in str(server.json("/api/board")["metrics"])


def test_a_client_that_floods_pings_without_reading_is_throttled(server: Server, witness: None) -> None:
    client = raw_viewer(server.port)
    client.settimeout(1)
    ping = json.dumps({"type": "ping"}).encode()
    frame = bytes([0x81, 0x80 | len(ping)]) + b"\x00" * 4 + ping
    process = psutil.Process(server.process.pid)
    before = process.memory_info().rss
    try:
        for _ in range(200):
            client.sendall(frame * 500)
    except OSError:
        pass  # throttled, as it should be
    finally:
        client.close()
    assert process.memory_info().rss - before < 16 * 1024 * 1024


def test_a_slow_viewer_is_sent_the_number_of_skipped_ticks_and_continues(server: Server) -> None:
    client = raw_viewer(server.port)
    skipped = server.json("/api/health")["frames_skipped"]
    server.wait_for(lambda: server.json("/api/health")["frames_skipped"] > skipped + 10)
    client.settimeout(10)
    received = b""
    # It reads again: after the frames in transit comes an initial message with the number of skipped ticks.
    while b'"skipped":' not in received[-400_000:]:
        received += client.recv(262_144)
        assert len(received) < 100_000_000
    client.close()
