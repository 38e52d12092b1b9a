"""The push client: bad arguments raise one error at once, and no answer, failure or interruption stops it.

Foreign code that it calls: the caller's headers, the network, the server that answers, and log handlers.
"""

import json
import logging
import math
import socket
import socketserver
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest
from tests.serving import wait_for

from tickboard.client.push import Push, push
from tickboard.errors import InputError

MODULE = sys.modules["tickboard.client.push"]

LONG_S = 3_600.0
"""So long that nothing is sent before `flush`."""

GOOD = b'HTTP/1.1 200 OK\r\nContent-Length: 14\r\n\r\n{"accepted":1}'

Answer = bytes | Callable[[socket.socket], None]


class Server:
    """A server that answers each request with the bytes that a test wants, and after those like a board.

    Attributes:
        answers: the next answers: bytes, after which the connection is closed, or a function that gets the connection.
        got: the samples of each request.
        heads: the headers of each.
    """

    def __init__(self) -> None:
        self.answers: list[Answer] = []
        self.heads: list[dict[str, list[str]]] = []
        self.got: list[list[dict[str, Any]]] = []
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def answering() -> Iterator[Server]:
    server = Server()

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            while self._one():
                pass

        def _one(self) -> bool:
            head: dict[str, list[str]] = {}
            while (line := self.rfile.readline()) not in {b"", b"\r\n"}:
                name, _, value = line.decode().partition(":")
                head.setdefault(name.lower(), []).append(value.strip())
            if not line:
                return False
            size = int(head["content-length"][0])
            server.heads.append(head)
            server.got.append([json.loads(sample) for sample in self.rfile.read(size).splitlines()])
            answer = server.answers.pop(0) if server.answers else GOOD
            try:
                if callable(answer):
                    answer(self.connection)
                else:
                    self.connection.sendall(answer)
            except OSError:
                return False
            return answer == GOOD

    class Listening(socketserver.ThreadingTCPServer):
        daemon_threads = True
        block_on_close = False

    with Listening(("127.0.0.1", 0), Handler) as listening:
        server.port = listening.server_address[1]
        thread = threading.Thread(target=listening.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            listening.shutdown()
            thread.join()


@contextmanager
def pushing(url: str) -> Iterator[Push]:
    with push(url, interval=LONG_S) as numbers:
        yield numbers


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for answers even on a busy machine."""
    monkeypatch.setattr("tickboard.client.target.TIMEOUT_S", 30.0)


def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give up soon on answers that never end."""
    monkeypatch.setattr("tickboard.client.target.TIMEOUT_S", 0.3)


# --- the caller's arguments ---


@pytest.mark.parametrize(
    ("headers", "said"),
    [
        ({"X-Team": None}, "headers: X-Team is None: give a string"),
        ({"X-Team": 5}, "headers: X-Team is a int: give a string"),
        ({"X-Team": b"a"}, "headers: X-Team is a bytes: give a string"),
        ({"X-Team": ["a"]}, "headers: X-Team is a list: give a string"),
        ({"X-Team": "a\r\nX-Other: b"}, "headers: X-Team contains a line break"),
        ({"X-Team": "a\0"}, "headers: X-Team contains a line break or a character"),
        ({"X-Team": "\u20ac"}, "headers: X-Team contains a line break or a character"),
        ({"X Team": "a"}, "headers: 'X Team' is not a valid header name"),
        ({"": "a"}, "headers: '' is not a valid header name"),
        ({None: "a"}, "headers: None is not a valid header name"),
        ({"content-length": "5"}, "headers: content-length is set by push itself"),
        ({"Transfer-Encoding": "chunked"}, "headers: Transfer-Encoding is set by push itself"),
        ([("X-Team", "a")], "headers is a list: give texts by name"),
        ("X-Team: a", "headers is a str: give texts by name"),
        ([], "headers is a list"),
    ],
)
def test_headers_that_cannot_be_sent_raise_one_error_at_once(headers: Any, said: str) -> None:
    with pytest.raises(InputError) as caught:
        push("http://localhost", headers=headers)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_error_does_not_contain_the_value_of_a_header() -> None:
    with pytest.raises(InputError) as caught:
        push("http://localhost", headers={"Authorization": "Bearer s3cret\n"})
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("arguments", [{"interval": "1"}, {"interval": None}, {"labels": ["host"]}, {"labels": 5}])
def test_other_arguments_of_a_wrong_type_raise_one_error_at_once(arguments: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=next(iter(arguments))):
        push("http://localhost", **arguments)


def test_a_given_header_replaces_a_default_one_whatever_its_case() -> None:
    with answering() as server:
        url = server.url.replace("//", "//ann:word@")
        given = {"authorization": "Bearer a", "user-agent": "mine"}
        with push(url, interval=LONG_S, headers=given) as numbers:
            numbers.gauge("a").set(1)
            assert numbers.flush(10)
    own = {name: value for name, value in server.heads[0].items() if name in {"authorization", "user-agent"}}
    assert own == {"authorization": ["Bearer a"], "user-agent": ["mine"]}


def test_invalid_labels_are_counted_and_raise_nothing(caplog: pytest.LogCaptureFixture) -> None:
    numbers = push("http://localhost", interval=LONG_S)
    wrong: Any = 5
    numbers.gauge("queue", labels=wrong).labels(worker="a").set(1)
    assert numbers.invalid == 1
    assert "metric 'queue': labels=5: give the names of its labels" in caplog.text


# --- the server's answers: raises, hangs, returns the wrong type, ends ---


def endlessly(head: bytes, piece: bytes) -> Callable[[socket.socket], None]:
    """Send a head and then a piece over and over, with pauses well within any time-out."""

    def send(connection: socket.socket) -> None:
        connection.sendall(head)
        while True:
            connection.sendall(piece)
            threading.Event().wait(0.02)

    return send


def never(connection: socket.socket) -> None:
    connection.settimeout(20)
    assert connection.recv(1) == b""


def reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    connection.close()


def answer(status: str, body: bytes, headers: str = "") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{headers}\r\n".encode() + body


REFUSED: Mapping[str, Answer] = {
    "an error nested too deeply": answer("400 Bad Request", b"[" * 60_000),
    "an error in objects nested too deeply": answer("400 Bad Request", b'{"error":' * 20_000),
    "an error that is a deeply nested list": answer("422 No", b'{"error":' + b"[" * 900 + b"]" * 900 + b"}"),
    "a count that is not a number": answer("422 No", b'{"error":"no","refused":1e999}'),
    "a count that is text": answer("422 No", b'{"error":"no","refused":"all"}'),
    "an endless count": answer("422 No", b'{"error":"no","refused":' + b"9" * 5_000 + b"}"),
    "no count": answer("422 No", b'{"error":"no"}'),
    "an error that is not UTF-8": answer("400 Bad", b'{"error":"\xff\xfe"}'),
    "a page": answer("404 Not Found", b"<html>", "Content-Type: text/html\r\n"),
    "a redirect to nowhere": answer("302 Found", b""),
    "a redirect with an escape sequence": answer("301 Moved", b"", "Location: \x1b[31mred\r\n"),
    "a reason with an escape sequence": answer("400 \x1b[2J", b""),
}

TRIED_AGAIN: Mapping[str, Answer] = {
    "closed without an answer": b"",
    "a connection reset": reset,
    "no answer ever": never,
    "not HTTP": b"220 mail.example ESMTP\r\n",
    "a status that is not a number": b"HTTP/1.1 two OK\r\n\r\n",
    "an endless status line": endlessly(b"", b"x" * 10_000),
    "a trickling head": endlessly(b"HTTP/1.1 200 OK\r\nX: ", b"x"),
    "endless headers": endlessly(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n"),
    "a huge header": b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000 + b"\r\n\r\n",
    "only 100 Continue": endlessly(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "a trickling body": endlessly(b"HTTP/1.1 400 No\r\nContent-Length: 60000\r\n\r\n", b"x"),
    "an endless trickling body": endlessly(b"HTTP/1.1 200 OK\r\n\r\n", b" "),
    "a truncated body": b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{",
    "malformed chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
    "another server's page": answer("200 OK", b"<html>please log in</html>"),
    "an empty answer with 200": answer("204 No Content", b""),
    "a list": answer("200 OK", b"[1]"),
    "200 with JSON nested too deeply": answer("200 OK", b"[" * 60_000),
    "a malformed Retry-After": answer("503 Busy", b"\xff", "Retry-After: tomorrow\r\n"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_any_refusal_is_counted_and_the_client_keeps_sending(what: str, caplog: pytest.LogCaptureFixture) -> None:
    with answering() as server, pushing(server.url) as numbers:
        server.answers = [REFUSED[what]]
        numbers.gauge("a").set(1)
        assert numbers.flush(20)
        assert (numbers.sent, numbers.refused, numbers.dropped) == (0, 1, 1)
        numbers.gauge("a").set(2)
        assert numbers.flush(20)
        assert (numbers.sent, numbers.refused) == (1, 1)
    assert [one[0]["value"] for one in server.got] == [1, 2]
    (line,) = caplog.messages
    assert line.startswith(f"push to {server.url}: ")
    assert line.isprintable()
    assert len(line) < 500


@pytest.mark.parametrize("what", TRIED_AGAIN)
def test_samples_are_sent_again_after_any_invalid_answer(
    what: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    with caplog.at_level(logging.INFO, "tickboard"), answering() as server, pushing(server.url) as numbers:
        numbers.gauge("other").set(0)
        assert numbers.flush(20)
        impatient(monkeypatch)
        # When a server closes a reused connection, the request is retried at once.
        server.answers = [TRIED_AGAIN[what]] * 2
        numbers.counter("a").inc(5)
        while not numbers.flush(20):
            assert numbers.dropped == 0
        assert (numbers.sent, numbers.dropped) == (2, 0)
    assert [one["value"] for one in server.got[-1]] == [5]
    first, second = caplog.messages
    assert first.isprintable()
    assert len(first) < 500
    assert second == f"push to {server.url}: it works again"


def test_a_server_without_tls_is_retried(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    impatient(monkeypatch)
    with answering() as server, pushing(server.url.replace("http", "https")) as numbers:
        numbers.counter("a").inc()
        assert not numbers.flush(20)
        assert not numbers.flush(20)
        assert numbers.dropped == 0
    assert len(caplog.messages) == 1


@pytest.mark.parametrize("host", ["nowhere.invalid", "a" * 70 + ".invalid", "a..b", "127.0.0.1.5.6"])
def test_a_host_name_that_cannot_be_resolved_is_retried(host: str, caplog: pytest.LogCaptureFixture) -> None:
    with pushing(f"http://{host}:3000") as numbers:
        numbers.counter("a").inc()
        assert not numbers.flush(20)
        assert numbers.dropped == 0
    assert len(caplog.messages) == 1


# --- exceptions in the thread ---


@pytest.mark.parametrize(
    "kind", [RuntimeError, MemoryError, SystemExit, KeyboardInterrupt, GeneratorExit, StopIteration]
)
def test_any_exception_while_sending_is_logged_once_and_the_client_keeps_sending(
    kind: type[BaseException], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with answering() as server, pushing(server.url) as numbers:
        post, left = numbers._target.post, [kind("no"), kind("no")]

        def fails(body: str) -> None:
            if left:
                raise left.pop()
            post(body)

        monkeypatch.setattr(numbers._target, "post", fails)
        for _ in range(2):
            numbers.counter("a").inc()
            assert not numbers.flush(20)
        assert numbers.dropped == 2
        numbers.counter("a").inc(3)
        assert numbers.flush(20)
        assert (numbers.sent, numbers.dropped) == (1, 2)
    assert [one["value"] for one in server.got[-1]] == [3]
    (line,) = caplog.messages
    assert f"{kind.__name__}: no; the samples are dropped" in line


def test_a_failure_before_sending_does_not_stop_the_client(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with answering() as server, pushing(server.url) as numbers:
        take, left = numbers._handles.take, [SystemExit(3)]

        def fails(*, repeat: bool) -> Any:
            if left:
                raise left.pop()
            return take(repeat=repeat)

        monkeypatch.setattr(numbers._handles, "take", fails)
        numbers.counter("a").inc()
        assert not numbers.flush(20)
        assert numbers.flush(20)
        assert numbers.sent == 1
    assert "SystemExit: 3" in caplog.text


class _Failing(logging.Handler):
    def __init__(self, error: BaseException) -> None:
        super().__init__()
        self.error = error

    def emit(self, record: logging.LogRecord) -> None:
        raise self.error


@pytest.mark.parametrize("error", [RuntimeError("no log"), SystemExit(1)])
def test_a_log_handler_that_fails_stops_nothing(error: BaseException) -> None:
    handler = _Failing(error)
    logging.getLogger("tickboard").addHandler(handler)
    try:
        with answering() as server, pushing(server.url) as numbers:
            server.answers = [answer("400 No", b"")]
            for value in (1, 2, 3):
                numbers.gauge("a").set(value)
                numbers.flush(20)
            wait_for(lambda: numbers.sent == 2)
    finally:
        logging.getLogger("tickboard").removeHandler(handler)


def test_if_the_sending_thread_ends_another_is_started(monkeypatch: pytest.MonkeyPatch) -> None:
    with answering() as server, pushing(server.url) as numbers:
        ended = threading.Event()

        def ends() -> bool:
            monkeypatch.undo()
            ended.set()
            return False

        monkeypatch.setattr(numbers, "_send_once", ends)
        numbers.gauge("a").set(1)
        assert ended.wait(10)
        wait_for(lambda: not numbers._handles.taken)
        numbers.gauge("b").set(2)
        assert numbers.flush(10)
        assert numbers.sent == 2


def test_an_intermittent_failure_is_logged_only_occasionally(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "tickboard"), answering() as server, pushing(server.url) as numbers:
        for _ in range(5):
            server.answers = [answer("503 Busy", b"")]
            numbers.counter("a").inc()
            assert not numbers.flush(20)
            assert numbers.flush(20)
        assert [line.partition(": ")[2] for line in caplog.messages] == [
            "it answers 503 Busy; trying again, with the values recorded meanwhile",
            "it works again",
        ]
        monkeypatch.setattr(MODULE, "LOG_EVERY_S", -math.inf)
        numbers._begin_anew()
        for _ in range(2):
            server.answers = [answer("400 No", b"")]
            for value in (1, 2):
                numbers.gauge("b").set(value)
                assert numbers.flush(20)
        assert len(caplog.messages) == 2 + 4
        assert (numbers.refused, numbers.dropped) == (2, 2)
