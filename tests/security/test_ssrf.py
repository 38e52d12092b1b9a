"""Hostile answers to a scrape or a webhook are not followed, cost little, and leak no secret."""

import gzip
import os
import socket
import socketserver
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
import pytest
from tests.failures.test_scrape import OK, good, last, problems
from tests.raw_server import Answer, RawServer, hangs, raw_server, says
from tests.serving import serve_app, wait_for

from tickboard import Board
from tickboard.notify.destinations import make_destination
from tickboard.notify.message_text import Message
from tickboard.notify.notifier import Service
from tickboard.server.uvicorn.websocket import Connection

SECRETS = ("pass-w0rd", "t0ken-in-query", "bearer-t0ken")


@contextmanager
def scraping(suspect: RawServer, timeout: str = "500ms") -> Iterator[Board]:
    """Scrape a target with secrets of every kind, beside a good one."""
    with raw_server(good()) as witness:
        board = Board(interval_ms=50)
        url = suspect.url.replace("http://", f"http://me:{SECRETS[0]}@") + f"?token={SECRETS[1]}"
        headers = {"Authorization": f"Bearer {SECRETS[2]}", "X-Token": SECRETS[2]}
        board.scrape(url, every="100ms", timeout=timeout, job="suspect", headers=headers)
        board.scrape(witness.url, every="100ms", job="witness")
        with serve_app(board, Connection):
            yield board
            wait_for(lambda: last(board).get("value witness") == 5)


def problem(board: Board, url: str) -> str:
    return problems(board).get(f"scrape {url}", "")


def redirect(where: str, status: int = 302) -> Answer:
    head = f"HTTP/1.1 {status} Moved\r\nLocation: {where}\r\nContent-Length: 0\r\n\r\n"
    return says(head.encode("latin-1"))


class Listener(socketserver.ThreadingTCPServer):
    """A server that records what it is sent.

    Args:
        says: its answer.

    Attributes:
        heard: the first bytes of each request.
        place: its host and port.
    """

    daemon_threads = True

    def __init__(self, says: bytes) -> None:
        self.heard: list[bytes] = []
        listener = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                listener.heard.append(self.request.recv(65_536))
                self.request.sendall(says)

        super().__init__(("127.0.0.1", 0), Handler)
        self.place = f"127.0.0.1:{self.server_address[1]}"


@contextmanager
def listening(says: bytes = OK + b"Content-Length: 8\r\nConnection: close\r\n\r\nvalue 9\n") -> Iterator[Listener]:
    """Run a listener while the context is open."""
    with Listener(says) as one:
        threading.Thread(target=one.serve_forever, args=(0.02,), daemon=True).start()
        try:
            yield one
        finally:
            one.shutdown()


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_to_another_host_is_named_and_not_followed(status: int) -> None:
    with listening() as other:
        where = f"http://you:{SECRETS[0]}@{other.place}/metrics?token={SECRETS[1]}"
        with raw_server(redirect(where, status)) as suspect, scraping(suspect) as board:
            wait_for(lambda: f"it answers {status} Moved" in problem(board, suspect.url))
            said = problem(board, suspect.url)
        assert not other.heard
    assert f"{other.place}/metrics" in said
    assert not any(secret in said for secret in SECRETS)


@pytest.mark.parametrize(
    "where",
    [
        "http://169.254.169.254/latest/meta-data/",
        "file:///etc/passwd",
        "unix:///var/run/docker.sock",
        "http+unix://%2Fvar%2Frun%2Fdocker.sock/info",
        "//169.254.169.254/",
        "gopher://127.0.0.1:6379/_FLUSHALL",
        "http://[::1",
        "\x1b[31mred",
        "http://" + "a" * 60_000,
    ],
    ids=lambda where: ascii(where)[:30],
)
def test_no_redirect_is_followed_whatever_its_target(where: str) -> None:
    with raw_server(redirect(where)) as suspect, scraping(suspect) as board:
        wait_for(lambda: problem(board, suspect.url))
        said = problem(board, suspect.url)
        wait_for(lambda: last(board).get("scrape_up suspect") == 0)
    assert "root:" not in said
    assert "\x1b" not in said
    assert len(said) < 500


def test_a_redirect_to_itself_is_not_followed() -> None:
    asked = 0

    def answer(connection: socket.socket) -> None:
        nonlocal asked
        asked += 1
        redirect("/metrics")(connection)

    with raw_server(answer) as suspect, scraping(suspect) as board:
        wait_for(lambda: board.hub.problems.failures.get(f"scrape {suspect.url}", 0) >= 3)
        # A request in progress may not have been reported yet.
        assert asked <= board.hub.problems.failures[f"scrape {suspect.url}"] + 1


def endlessly(head: bytes, part: bytes) -> Answer:
    """Return an answer that sends data until the client disconnects."""

    def answer(connection: socket.socket) -> None:
        connection.sendall(head)
        while True:
            connection.sendall(part)

    return answer


TOO_LONG = "head of its answer"

ENDLESS: dict[str, tuple[Answer, str]] = {
    "100 Continue": (endlessly(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 2_000), TOO_LONG),
    "103 with headers": (endlessly(b"", b"HTTP/1.1 103 Early\r\nX: a\r\n\r\n" * 2_000), TOO_LONG),
    "headers": (endlessly(OK, b"X: a\r\n" * 10_000), ""),
    "one header": (endlessly(OK + b"X: ", b"a" * 65_536), ""),
    "a status line": (endlessly(b"HTTP/1.1 200 ", b"a" * 65_536), ""),
    "a body": (endlessly(OK + b"\r\n", b"value 5\n" * 8_000), ""),
    "chunks of one byte": (endlessly(OK + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\na\r\n" * 10_000), ""),
    "a chunk's extension": (endlessly(OK + b"Transfer-Encoding: chunked\r\n\r\n1;", b"a" * 65_536), ""),
    "trailers": (endlessly(OK + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", b"X: a\r\n" * 10_000), ""),
    "members of gzip": (endlessly(OK + b"Content-Encoding: gzip\r\n\r\n", gzip.compress(b"") * 3_000), ""),
    "nothing": (hangs(OK), "did not answer"),
}


@pytest.mark.parametrize(("answer", "why"), ENDLESS.values(), ids=ENDLESS)
def test_an_endless_answer_takes_little_memory_and_is_ended_by_a_limit(answer: Answer, why: str) -> None:
    process = psutil.Process(os.getpid())
    # A busy machine must not reach the timeout before the limit of the head.
    timeout = "60s" if why == TOO_LONG else "500ms"
    with raw_server(good()) as suspect, scraping(suspect, timeout) as board:
        wait_for(lambda: last(board).keys() >= {"value suspect", "value witness"})
        before = process.memory_info().rss
        suspect.answer = answer
        wait_for(lambda: problem(board, suspect.url))
        said = problem(board, suspect.url)
        assert process.memory_info().rss - before < 200 << 20
        assert why in said
        suspect.answer = good(b"value 7\n")
        # It is scraped again, and the board ticked throughout.
        wait_for(lambda: last(board).get("value suspect") == 7)
    assert not any(secret in said for secret in SECRETS)
    assert len(said) < 500


def test_a_gzip_bomb_takes_little_memory_and_is_ended_by_its_size() -> None:
    packed = zlib.compressobj(9, zlib.DEFLATED, 31)
    bomb = b"".join([*(packed.compress(bytes(1 << 20)) for _ in range(256)), packed.flush()])
    head = b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(bomb)
    process = psutil.Process(os.getpid())
    # The timeout is long, so that a busy machine cannot reach it before the limit of size.
    with raw_server(good()) as suspect, scraping(suspect, timeout="60s") as board:
        wait_for(lambda: last(board).keys() >= {"value suspect", "value witness"})
        before = process.memory_info().rss
        suspect.answer = says(OK, head, bomb)
        wait_for(lambda: problem(board, suspect.url))
        said = problem(board, suspect.url)
        assert process.memory_info().rss - before < 200 << 20
        assert "more than 33554432 bytes" in said
        suspect.answer = good(b"value 7\n")
        wait_for(lambda: last(board).get("value suspect") == 7)
    assert not any(secret in said for secret in SECRETS)
    assert len(said) < 500


@pytest.mark.parametrize(
    "answer",
    [
        says(b"secret-of-the-target " * 3_000 + b"\r\n\r\n"),
        says(b"HTTP/1.1 500 " + b"secret-of-the-target " * 1_000 + b"\r\nContent-Length: 0\r\n\r\n"),
        says(
            b"HTTP/1.1 200 OK\r\nContent-Type: " + b"secret-of-the-target " * 1_000 + b"\r\nContent-Length: 2\r\n\r\n{}"
        ),
        says(b"HTTP/1.1 200 OK\r\nContent-Encoding: " + b"secret-of-the-target " * 1_000 + b"\r\n\r\n"),
        says(b"HTTP/1.1 200 OK\r\nsecret of the target" * 100 + b"\r\n\r\n"),
        good(b"secret-of-the-target " * 3_000),
        good(b'{"password": "secret-of-the-target"}' * 1_000),
    ],
    ids=range(7),
)
def test_an_error_shows_only_a_few_characters_of_an_answer(answer: Answer) -> None:
    with raw_server(answer) as suspect, scraping(suspect) as board:
        wait_for(lambda: problem(board, suspect.url))
        said = problem(board, suspect.url)
    assert said.count("secret") <= 8
    assert len(said) < 500


# --- webhooks ---


def send(url: str) -> str:
    return Service(make_destination("ops", url, {})).send(Message("It burns", "cpu is 99", "failure"))


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("scheme", ["json", "xml", "form"])
def test_a_webhook_redirect_sends_neither_message_nor_token_to_another_host(scheme: str, status: int) -> None:
    with listening() as other:
        head = f"HTTP/1.1 {status} Moved\r\nLocation: http://{other.place}/\r\nContent-Length: 0\r\n\r\n"
        with listening(head.encode()) as suspect:
            said = send(f"{scheme}://me:{SECRETS[0]}@{suspect.place}?+X-Token={SECRETS[2]}")
            assert SECRETS[2].encode() in suspect.heard[0]
        assert not other.heard
    assert said == f"the answer had status {status}"
