"""Whatever a client sends, its cost is bounded, it is answered, and others are served: over real sockets."""

import contextlib
import gzip
import json
import re
import socket
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.raw import GET, GUARD_S, IN_CHUNKS, POST, UPGRADE, counted, half_close, refusal, rest, statuses, talk
from tests.serving import Server, serve

from tickboard.server.uvicorn.gate import MAX_HEAD_BYTES, MAX_HEADER_BYTES, MAX_HEADERS, MAX_URL_BYTES

BOARDS = Path(__file__).parents[1] / "boards"


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serve("run", str(BOARDS / "rising.py"), "--interval", "100") as running:
        yield running
        assert "Traceback" not in running.output()


@pytest.fixture(autouse=True)
def server_stays_healthy(server: Server) -> Iterator[None]:
    """Assert that the server is healthy after each test."""
    yield
    assert server.json("/api/health")["status"] == "ok"


# --- the head ---

TOO_LARGE: dict[str, tuple[bytes, int]] = {
    "an endless URL": (b"GET /" + b"a" * 2 * MAX_HEAD_BYTES, 414),
    "an oversized URL": (b"GET /" + b"a" * MAX_URL_BYTES + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", 414),
    "an oversized query": (b"GET /?" + b"a" * MAX_URL_BYTES + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", 414),
    "an endless method": (b"G" * 2 * MAX_HEAD_BYTES, 400),
    "an endless header": (GET + b"X: " + b"a" * 2 * MAX_HEAD_BYTES, 431),
    "an endless header name": (GET + b"X" * 2 * MAX_HEAD_BYTES, 431),
    "an oversized header": (GET + b"X: " + b"a" * MAX_HEADER_BYTES + b"\r\n\r\n", 431),
    "many long headers": (GET + b"".join(b"X%d: %s\r\n" % (n, b"a" * 8_000) for n in range(9)) + b"\r\n", 431),
    "endless headers": (GET + b"X: a\r\n" * MAX_HEAD_BYTES, 431),
    "too many headers": (GET + b"X: a\r\n" * MAX_HEADERS + b"\r\n", 431),
    "endless empty lines": (b"\r\n" * MAX_HEAD_BYTES, 431),
    "endless spaces": (GET + b"X:" + b" " * 2 * MAX_HEAD_BYTES, 431),
}


@pytest.mark.parametrize("handshake", [False, True], ids=["request", "handshake"])
@pytest.mark.parametrize("size", [777, 1 << 20], ids=["in small pieces", "in one piece"])
@pytest.mark.parametrize(("head", "status"), TOO_LARGE.values(), ids=TOO_LARGE)
def test_an_oversized_head_is_refused(server: Server, head: bytes, status: int, size: int, handshake: bool) -> None:
    if handshake:
        head = head.replace(GET, GET + UPGRADE)
    before = counted(server, "too_large") + counted(server, "malformed")
    parts = [head[at : at + size] for at in range(0, len(head), size)]
    assert refusal(talk(server.port, *parts))[0] == status
    assert counted(server, "too_large") + counted(server, "malformed") == before + 1


def test_an_endless_head_takes_no_memory(server: Server) -> None:
    httpx.get(server.url).raise_for_status()  # imports for the first page take memory too
    process = psutil.Process(server.process.pid)
    before = process.memory_info().rss
    with socket.create_connection(("127.0.0.1", server.port), GUARD_S) as client:
        client.sendall(GET + b"X: ")
        with contextlib.suppress(ConnectionError):
            for _ in range(1_000):
                client.sendall(b"a" * 65_536)
        assert process.memory_info().rss - before < 8 << 20


def test_the_largest_allowed_heads_are_accepted(server: Server) -> None:
    url = b"GET /api/health?" + b"a" * (MAX_URL_BYTES - 12 - 20) + b" HTTP/1.1\r\nHost: localhost\r\n"
    many = GET + b"".join(b"X%02d: %s\r\n" % (number, b"a" * 600) for number in range(MAX_HEADERS - 2))
    long = GET + b"Long: " + b"a" * (MAX_HEADER_BYTES - 100) + b"\r\n"
    for head in (url, many, long):
        assert statuses(talk(server.port, head + b"Connection: close\r\n\r\n")) == [200]


# --- malformed and ambiguous requests ---

MALFORMED: dict[str, bytes] = {
    "both lengths": POST + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "both lengths in reverse order": POST + b"Transfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n0\r\n\r\n",
    "two lengths": POST + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n[]",
    "two equal lengths": POST + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\n[]",
    "a list of lengths": POST + b"Content-Length: 2, 2\r\n\r\n[]",
    "a length below 0": POST + b"Content-Length: -1\r\n\r\n",
    "a length with a sign": POST + b"Content-Length: +2\r\n\r\n[]",
    "a length in hexadecimal": POST + b"Content-Length: 0x2\r\n\r\n[]",
    "a length of many digits": POST + b"Content-Length: " + b"9" * 30 + b"\r\n\r\n[]",
    "another transfer coding beside chunked": POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "chunked twice": POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "an unknown transfer coding": POST + b"Transfer-Encoding: identity\r\n\r\n",
    "chunked, not at the end": POST + b"Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
    "chunks in HTTP/1.0": POST.replace(b"1.1", b"1.0") + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a folded header": GET + b"X: a\r\n b\r\n\r\n",
    "a space before the colon": GET + b"X : a\r\n\r\n",
    "a header without a colon": GET + b"X\r\n\r\n",
    "a header without a name": GET + b": a\r\n\r\n",
    "NUL in a header": GET + b"X: a\0b\r\n\r\n",
    "NUL in the URL": b"GET /\0 HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "a line feed alone in a header": GET + b"X: a\nY: b\r\n\r\n",
    "a carriage return alone in a header": GET + b"X: a\rY: b\r\n\r\n",
    "a tunnel": b"CONNECT localhost:1 HTTP/1.1\r\nHost: localhost:1\r\n\r\n",
    "an asterisk": b"OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "no path": b"GET api HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "an empty path": b"GET  HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "another host": b"GET http://evil.example/api/health HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "another port": b"GET http://localhost:1/api/health HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "another scheme": b"GET ftp://localhost/api/health HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "a malformed URL": b"GET http:///api/health HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "HTTP/0.9": b"GET /\r\n\r\n",
    "HTTP/0.9 with its version": b"GET / HTTP/0.9\r\n\r\n",
    "HTTP/2 with its version": b"GET / HTTP/2.0\r\nHost: localhost\r\n\r\n",
    "HTTP/2's preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "HTTP/3.7": b"GET / HTTP/3.7\r\nHost: localhost\r\n\r\n",
    "TLS": bytes.fromhex("160301") + b"\x02\0" + b"\1" * 512,
    "another protocol": b"EHLO localhost\r\n",
    "an unknown method": b"BREW / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "a lower-case method": b"get / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "bytes": bytes(range(256)),
    "NULs": bytes(1_000),
    "a chunk without a size": IN_CHUNKS + b"\r\n",
    "a chunk with a malformed size": IN_CHUNKS + b"xyz\r\n",
    "a chunk with a size of many digits": IN_CHUNKS + b"f" * 20 + b"\r\n",
    "a chunk longer than its size": IN_CHUNKS + b"1\r\n[]\r\n",
    "an endless extension": IN_CHUNKS + b"2;" + b"a" * 2 * MAX_HEAD_BYTES,
    "an endless trailer": IN_CHUNKS + b"2\r\n[]\r\n0\r\nX: " + b"a" * 4 * MAX_HEAD_BYTES,
    "endless trailers": IN_CHUNKS + b"2\r\n[]\r\n0\r\n" + b"X: a\r\n" * MAX_HEAD_BYTES,
    "endless chunks of one byte": IN_CHUNKS + b"1\r\n \r\n" * MAX_HEAD_BYTES,
    "a body and another protocol": POST + b"Content-Length: 2\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n[]",
}  # fmt: skip


@pytest.mark.parametrize("size", [1_000, 1 << 20], ids=["in pieces", "in one piece"])
@pytest.mark.parametrize("request_", MALFORMED.values(), ids=MALFORMED)
def test_malformed_requests_are_refused(server: Server, request_: bytes, size: int) -> None:
    before = counted(server, "malformed")
    parts = [request_[at : at + size] for at in range(0, len(request_), size)]
    status, error = refusal(talk(server.port, *parts))
    assert status == 400
    assert error
    assert counted(server, "malformed") == before + 1


@pytest.mark.parametrize(
    ("name", "says"),
    [("TLS", "not TLS: use http://"), ("HTTP/2's preface", "not HTTP/2"), ("a tunnel", "not a proxy")],
)
def test_common_mistakes_are_named_in_the_error(server: Server, name: str, says: str) -> None:
    assert says in refusal(talk(server.port, MALFORMED[name]))[1]


def test_an_absolute_url_of_the_same_host_is_accepted(server: Server) -> None:
    for url in (b"http://localhost/api/health", b"HTTP://LOCALHOST/api/health?a=b"):
        request = b"GET " + url + b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        assert statuses(talk(server.port, request)) == [200]
    assert b"text/html" in talk(
        server.port, b"GET http://localhost HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    )
    viewer = b"GET http://localhost/ws/metrics HTTP/1.1\r\nHost: localhost\r\n" + UPGRADE + b"\r\n"
    with socket.create_connection(("127.0.0.1", server.port), GUARD_S) as client:
        client.sendall(viewer)
        assert client.recv(12) == b"HTTP/1.1 101"


def test_a_request_to_upgrade_to_another_protocol_is_answered_and_closes(server: Server) -> None:
    answer = talk(server.port, GET + b"Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n" + GET + b"\r\n")
    assert statuses(answer) == [200]
    assert b"\r\nconnection: close" in answer


def test_trailers_are_ignored(server: Server) -> None:
    body = b"2\r\n[]\r\n0\r\nHost: evil.example\r\nOrigin: https://evil.example\r\nContent-Encoding: gzip\r\n\r\n"
    head = POST + b"Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert statuses(talk(server.port, head + body)) == [200]
    assert statuses(talk(server.port, head, *(bytes([byte]) for byte in body))) == [200]


def test_a_chunked_body_is_read_whole_whatever_its_chunks(server: Server) -> None:
    # The bytes that end a head occur between chunks and within them.
    content = b"[" + b"\r\n\r\n" * 200 + b'{"name": "in_chunks", "value": 7}' + b"\r\n" * 99 + b"]"
    head = POST + b"Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
    for size in (16, 100, 10_000):
        pieces = [content[at : at + size] for at in range(0, len(content), size)]
        body = b"".join(b"%x;a=b\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
        answer = talk(server.port, head + body)
        assert statuses(answer) == [200]
        assert answer.endswith(b'{"accepted":1}')


# --- pipelined requests ---


@pytest.mark.parametrize("cut", [1, 0], ids=["in two pieces", "in one piece"])
def test_thousands_of_pipelined_requests_are_answered_in_order(server: Server, cut: int) -> None:
    process = psutil.Process(server.process.pid)
    before = process.memory_info().rss
    many = 5_000
    asked = [b"GET /%d HTTP/1.1\r\nHost: a\r\n\r\n" % number for number in range(many)]
    asked[-1] = asked[-1].replace(b"Host: a\r\n", b"Host: a\r\nConnection: close\r\n")
    wire = b"".join(asked)
    at = len(wire) // 2 * cut
    with socket.create_connection(("127.0.0.1", server.port), GUARD_S) as client:
        client.settimeout(GUARD_S)
        client.sendall(wire[:at])
        client.sendall(wire[at:])
        answer = rest(client)
    assert len(statuses(answer)) == many
    assert process.memory_info().rss - before < 8 << 20


def test_a_body_and_the_next_request_may_arrive_together(server: Server) -> None:
    chunked = IN_CHUNKS + b"2\r\n[]\r\n0\r\n\r\n"
    known = POST + b"Content-Length: 2\r\n\r\n[]"
    last = GET + b"Connection: close\r\n\r\n"
    wire = (chunked + known) * 20 + last
    assert statuses(talk(server.port, wire)) == [200] * 41
    for size in (1, 7, 64):
        assert statuses(talk(server.port, *(wire[at : at + size] for at in range(0, len(wire), size)))) == [200] * 41


def test_a_bad_request_after_a_good_one_does_not_truncate_its_answer(server: Server) -> None:
    answer = talk(server.port, GET + b"\r\n" + b"JUNK\r\n\r\n")
    assert statuses(answer) in ([200], [200, 400])
    head, _, body = answer.partition(b"\r\n\r\n")
    length = re.search(rb"content-length: (\d+)", head)
    assert length is not None
    assert json.loads(body[: int(length[1])])["status"] == "ok"


def test_a_handshake_pipelined_after_a_request_is_answered_after_it(server: Server) -> None:
    handshake = GET.replace(b"/api/health", b"/ws/metrics") + UPGRADE + b"\r\n"
    with socket.create_connection(("127.0.0.1", server.port), GUARD_S) as client:
        client.sendall(GET + b"\r\n" + handshake)
        answer = b""
        while len(statuses(answer)) < 2:
            part = client.recv(65_536)
            assert part
            answer += part
    assert statuses(answer) == [200, 101]


def test_a_handshake_that_arrives_with_the_end_of_a_chunked_body_is_refused(server: Server) -> None:
    handshake = GET.replace(b"/api/health", b"/ws/metrics") + UPGRADE + b"\r\n"
    with socket.create_connection(("127.0.0.1", server.port), GUARD_S) as client:
        client.sendall(IN_CHUNKS + b"2\r\n[")
        client.sendall(b"]\r\n0\r\n\r\n" + handshake)
        assert statuses(rest(client)) == [200]


def test_another_upgrade_that_arrives_with_the_end_of_a_chunked_body_is_answered(server: Server) -> None:
    other = GET + b"Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
    with socket.create_connection(("127.0.0.1", server.port), GUARD_S) as client:
        client.sendall(IN_CHUNKS + b"2\r\n[")
        client.sendall(b"]\r\n0\r\n\r\n" + other)
        assert statuses(rest(client)) == [200, 200]


@pytest.mark.parametrize("path", [b"/ws/metrics", b"/nothing"])
@pytest.mark.parametrize("junk", [b"GET / HTTP/1.1\r\n\r\n", b"\xff" * 100, b"\x81\x05hello"])
def test_junk_after_a_handshake_closes_the_connection(server: Server, path: bytes, junk: bytes) -> None:
    handshake = GET.replace(b"/api/health", path) + UPGRADE + b"\r\n"
    assert 101 not in statuses(talk(server.port, handshake + junk))
    assert "Traceback" not in server.output()


def test_a_frame_that_arrives_with_the_handshake_is_read(server: Server) -> None:
    handshake = GET.replace(b"/api/health", b"/ws/metrics") + UPGRADE + b"\r\n"
    with socket.create_connection(("127.0.0.1", server.port), GUARD_S) as client:
        client.sendall(handshake + b"\x89\x85\0\0\0\0hello")
        answer = b""
        while b"\x8a\x05hello" not in answer:
            answer += client.recv(65_536)


# --- invalid handshakes ---

WATCH = GET.replace(b"/api/health", b"/ws/metrics")
NO_HANDSHAKES: dict[str, tuple[int, str, bytes]] = {
    "a long URL": (414, "too_large", WATCH.replace(b"/ws/metrics", b"/ws/metrics?" + b"a" * 9_000) + UPGRADE),
    "a long header": (431, "too_large", WATCH + UPGRADE + b"X: " + b"a" * 9_000 + b"\r\n"),
    "another version": (426, "malformed", WATCH + UPGRADE.replace(b"13", b"12")),
    "two versions": (426, "malformed", WATCH + UPGRADE + b"Sec-WebSocket-Version: 12\r\n"),
    "no version": (400, "malformed", WATCH + UPGRADE.replace(b"Sec-WebSocket-Version: 13\r\n", b"")),
    "no key": (400, "malformed", WATCH + UPGRADE.replace(b"Sec-WebSocket-Key", b"X")),
    "a malformed key": (400, "malformed", WATCH + UPGRADE.replace(b"dGhl", b"d")),
    "another method": (405, "malformed", WATCH.replace(b"GET", b"POST") + UPGRADE),
    "a malformed subprotocol": (400, "malformed", WATCH + UPGRADE + b"Sec-WebSocket-Protocol: ;;\r\n"),
}


@pytest.mark.parametrize(("status", "reason", "head"), NO_HANDSHAKES.values(), ids=NO_HANDSHAKES)
def test_invalid_handshakes_are_refused_like_other_requests(
    server: Server, status: int, reason: str, head: bytes
) -> None:
    before = counted(server, reason)
    found, error = refusal(talk(server.port, head + b"\r\n"))
    assert found == status
    assert "WebSocket" in error
    assert counted(server, reason) == before + 1


# --- unread bodies ---


@pytest.mark.parametrize(
    "head",
    [
        b"POST /nothing HTTP/1.1\r\nHost: localhost\r\n",
        b"GET /api/health HTTP/1.1\r\nHost: localhost\r\n",
        b"HEAD / HTTP/1.1\r\nHost: localhost\r\n",
        b"DELETE /api/metrics HTTP/1.1\r\nHost: localhost\r\n",
        b"GET /events/alerts HTTP/1.1\r\nHost: localhost\r\n",
        b"GET /ws/metrics HTTP/1.1\r\nHost: localhost\r\n",
        b"POST /api/metrics HTTP/1.1\r\nHost: evil.example\r\n",
    ],
)
@pytest.mark.parametrize("chunked", [False, True])
def test_an_unread_body_is_not_received_endlessly(server: Server, head: bytes, chunked: bool) -> None:
    size = 1 << 30
    sent = 0
    with socket.create_connection(("127.0.0.1", server.port), GUARD_S) as client:
        client.sendall(
            head + (b"Transfer-Encoding: chunked\r\n\r\n" if chunked else b"Content-Length: %d\r\n\r\n" % size)
        )
        part = b"10000\r\n" + b"a" * 65_536 + b"\r\n" if chunked else b"a" * 65_536
        with contextlib.suppress(ConnectionError):
            while sent < size:
                client.sendall(part)
                sent += len(part)
    assert sent < 200 << 20


def test_an_unread_body_still_gets_an_answer(server: Server) -> None:
    for size in (10, 100_000, 20 << 20):
        head = b"POST /nothing HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % size
        answer = talk(server.port, head, b"a" * size)
        assert statuses(answer)[0] == 404


@pytest.mark.parametrize(
    "head",
    [
        b"POST /nothing HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999\r\n\r\n",
        b"J\r\n\r\n",
        NO_HANDSHAKES["a long URL"][2] + b"\r\n",
    ],
)
def test_a_client_still_sending_when_the_answer_arrives_is_not_reset(server: Server, head: bytes) -> None:
    with socket.create_connection(("127.0.0.1", server.port), GUARD_S) as client:
        client.sendall(head)
        assert statuses(client.recv(65_536))
        client.sendall(b"a" * (16 << 20))
        while client.recv(65_536):
            pass


def test_a_body_announced_as_too_large_gets_413_instead_of_100_continue(server: Server) -> None:
    head = POST + b"Expect: 100-continue\r\nContent-Length: 99999999\r\n\r\n"
    assert statuses(talk(server.port, head)) == [413]


def test_100_continue_is_sent_when_a_route_reads_the_body(server: Server) -> None:
    with socket.create_connection(("127.0.0.1", server.port), GUARD_S) as client:
        client.sendall(POST + b"Connection: close\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
        assert client.recv(25).startswith(b"HTTP/1.1 100 Continue\r\n\r\n")
        client.sendall(b"[]")
        assert statuses(rest(client)) == [200]


# --- codings ---


@pytest.mark.parametrize(
    "headers", [b"Content-Encoding: gzip, gzip\r\n", b"Content-Encoding: gzip\r\nContent-Encoding: gzip\r\n",
                b"Content-Encoding: gzip\r\nContent-Encoding: identity\r\n", b"Content-Encoding: br\r\n"]
)  # fmt: skip
@pytest.mark.parametrize("path", [b"/api/metrics", b"/v1/metrics", b"/api/v1/write", b"/api/alerts/x/ack"])
def test_a_body_with_more_than_one_coding_is_refused(server: Server, path: bytes, headers: bytes) -> None:
    body = gzip.compress(gzip.compress(b"[]"))
    kind = b"application/x-protobuf" if path in {b"/api/v1/write", b"/v1/metrics"} else b"application/json"
    head = b"POST " + path + b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: " + kind
    answer = talk(server.port, head + b"\r\n" + headers + b"Content-Length: %d\r\n\r\n" % len(body) + body)
    assert statuses(answer) == [415]


def test_data_after_the_end_of_gzip_is_refused_before_the_body_is_complete(server: Server) -> None:
    body = gzip.compress(b"[]") + b"x" * (100 << 10)
    head = POST + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % (16 << 20)
    assert refusal_of_route(talk(server.port, head, body)) == 400


def refusal_of_route(answer: bytes) -> int:
    """Return the status of the only answer, which must close the connection."""
    assert b"\r\nconnection: close" in answer.lower()
    (status,) = statuses(answer)
    return status


# --- anything ---

PARTS = [
    b"GET ", b"POST ", b"HEAD ", b"OPTIONS ", b"CONNECT ", b"PRI ", b"/", b"*", b"/api/health",
    b"/api/metrics", b"/ws/metrics", b"/events/alerts", b"/v1/metrics", b"http://localhost", b"?a=b", b"%ff",
    b" HTTP/1.1", b" HTTP/1.0", b"\r\n", b"\r\n\r\n", b"\n", b"\r", b"\0", b" ", b": ",
    b"Host: localhost\r\n", b"Host: a\r\n", b"Connection: close\r\n", b"Connection: Upgrade\r\n",
    b"Upgrade: websocket\r\n", b"Upgrade: h2c\r\n", b"Sec-WebSocket-Version: 13\r\n",
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", b"Content-Length: 2\r\n", b"Content-Length: 0\r\n",
    b"Content-Length: 99\r\n", b"Transfer-Encoding: chunked\r\n", b"Content-Encoding: gzip\r\n",
    b"Expect: 100-continue\r\n", b"Content-Type: application/json\r\n", b"[]", b"2\r\n[]\r\n", b"0\r\n\r\n",
    b"0\r\n", b"X: y\r\n", b"\x81\x82\0\0\0\0{}", b"a" * 5_000, b"\x16\x03\x01", GET + b"\r\n",
    POST + b"Content-Length: 2\r\n\r\n[]", IN_CHUNKS, GET + UPGRADE + b"\r\n",
]  # fmt: skip


@settings(max_examples=150, derandomize=True)
@given(
    st.lists(st.sampled_from(PARTS) | st.binary(max_size=20), max_size=25), st.lists(st.integers(1, 200), max_size=10)
)
def test_no_input_causes_a_server_error(server: Server, parts: list[bytes], cuts: list[int]) -> None:
    said = b"".join(parts)
    with socket.create_connection(("127.0.0.1", server.port), GUARD_S) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with contextlib.suppress(ConnectionError):
            for cut in cuts:
                client.sendall(said[:cut])
                said = said[cut:]
            client.sendall(said)
        answer = b""
        client.settimeout(0.05)
        with contextlib.suppress(ConnectionError):
            # Complete requests are answered; the server would wait for the rest of an incomplete one.
            with contextlib.suppress(TimeoutError):
                while part := client.recv(65_536):
                    answer += part
            client.settimeout(GUARD_S)
            half_close(client)
            answer += rest(client)
    if b" 101 " not in answer and b"text/event-stream" not in answer:
        assert all(status < 500 for status in statuses(answer)), answer
