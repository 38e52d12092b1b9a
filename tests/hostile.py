"""Servers that mean harm, for the tests of what asks them."""

import contextlib
import gzip
import socket
import threading
from collections.abc import Callable, Iterator

from tests.raw import GUARD_S
from tests.raw_server import read_request

Answers = Iterator[bytes]
"""What is sent, piece by piece, for as long as somebody takes it."""


@contextlib.contextmanager
def answering(answers: Callable[[], Answers], asked: list[bytes] | None = None) -> Iterator[int]:
    """Answer every connection the same, once its request has come and is noted in `asked`; yield the port."""
    over = threading.Event()

    def answer(connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            connection.settimeout(GUARD_S)
            if not (request := read_request(connection)):
                return
            if asked is not None:
                asked.append(request)
            for piece in answers():
                if over.is_set():
                    return
                connection.sendall(piece)

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listening.accept()
                threading.Thread(target=answer, args=(connection,), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=accept, daemon=True).start()
        try:
            yield listening.getsockname()[1]
        finally:
            over.set()
            listening.shutdown(socket.SHUT_RDWR)


def body(content: bytes, *headers: str, status: str = "200 OK") -> Callable[[], Answers]:
    """Answer with a document."""
    head = "\r\n".join([f"HTTP/1.1 {status}", f"Content-Length: {len(content)}", *headers, "", ""])
    return lambda: iter([head.encode() + content])


def redirect(target: str) -> Callable[[], Answers]:
    return body(b"", f"Location: {target}", status="302 Found")


def endless(head: bytes, piece: bytes) -> Callable[[], Answers]:
    def answers() -> Answers:
        yield head
        while True:
            yield piece

    return answers


def drip() -> Answers:
    """Answer with a byte now and then."""
    yield b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n"
    while True:
        yield b" "
        threading.Event().wait(0.05)


DEEP = b"[" * 400_000

HTTP: dict[str, Callable[[], Answers]] = {
    "nested deeply": body(b'{"status":"ok","x":' + DEEP + b"}"),
    "no UTF-8": body(b'{"status":"ok","reasons":[{"source":"\xff","message":"","since":""}]}'),
    "half a pair": body(b'{"status":"ok","reasons":[{"source":"\\ud800","message":"","since":""}]}'),
    "a wrong type": body(b'{"status":["ok"]}'),
    "no number": body(b'{"status":NaN}'),
    "a large number": body(b'{"status":1' + b"0" * 100_000 + b"}"),
    "a text of 10 MB": body(b'{"status":"' + b"a" * 10_000_000 + b'"}'),
    "a bomb": body(gzip.compress(bytes(1 << 26)), "Content-Encoding: gzip"),
    "a bomb in a bomb": body(gzip.compress(gzip.compress(bytes(1 << 26))), "Content-Encoding: gzip, gzip"),
    "an endless body": endless(b"HTTP/1.1 200 OK\r\n\r\n", bytes(65_536)),
    "endless headers": endless(b"HTTP/1.1 200 OK\r\n", b"X-More: yes\r\n" * 1_000),
    "an endless line": endless(b"HTTP/1.1 200 OK\r\nX: ", b"a" * 65_536),
    "endless heads": endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "endless chunks": endless(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\na\r\n" * 1_000),
    "drops": drip,
    "a line with an escape": body(b"", status="200 \x1b[31mred\x07"),
    "junk": lambda: iter([b"\x16\x03\x01\x1b[31m\r\n\r\n" * 10]),
    "nothing": lambda: iter([]),
    "another host": redirect("http://localhost:1/api/health"),
    "another scheme": redirect("file:///etc/passwd"),
    "no address": redirect("http://[/"),
    "no host": redirect("http://a\x01b:99999999/"),
    "a loop": redirect("/api/health"),
}
