"""A server that reads HTTP requests and answers them in raw bytes, as a test wants."""

import contextlib
import re
import socket
import threading
from collections.abc import Callable, Iterator

from tests.raw import GUARD_S

Answer = Callable[[socket.socket], None]
"""Called with each connection when its request has come; the connection is closed afterwards."""


def read_request(connection: socket.socket) -> bytes:
    """Return a whole request, or b"" if the client leaves before."""
    asked = b""
    while (end := asked.find(b"\r\n\r\n")) < 0 or len(asked) < end + 4 + _body_size(asked[:end]):
        part = connection.recv(65_536)
        if not part:
            return b""
        asked += part
    return asked


def _body_size(head: bytes) -> int:
    found = re.search(rb"(?i)content-length: (\d+)", head)
    return int(found[1]) if found else 0


def says(*parts: bytes) -> Answer:
    """Return an answer that sends some bytes."""
    return lambda connection: connection.sendall(b"".join(parts))


def hangs(*parts: bytes) -> Answer:
    """Return an answer that sends some bytes, and then nothing until the client leaves."""

    def answer(connection: socket.socket) -> None:
        connection.sendall(b"".join(parts))
        connection.settimeout(GUARD_S)
        while connection.recv(65_536):
            pass

    return answer


def trickles(*parts: bytes) -> Answer:
    """Return an answer that sends some bytes, and then one more again and again, so that no read times out."""

    def answer(connection: socket.socket) -> None:
        connection.sendall(b"".join(parts))
        connection.settimeout(0.05)
        while True:
            connection.sendall(b"a")
            try:
                if not connection.recv(1):
                    return
            except TimeoutError:
                continue

    return answer


class RawServer:
    """A server on a free port.

    Args:
        answer: answers each request.
        path: of its URL.

    Attributes:
        answer: as given; a test may change it.
        url: where it listens.
        ending: set when it is closed.
    """

    def __init__(self, answer: Answer, path: str) -> None:
        self.answer = answer
        self.ending = threading.Event()
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}{path}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listening.accept()
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            if read_request(connection):
                self.answer(connection)

    def close(self) -> None:
        """Stop listening."""
        self.ending.set()
        # On Linux, only this wakes a thread that is waiting in accept.
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()


@contextlib.contextmanager
def raw_server(answer: Answer, path: str = "/metrics") -> Iterator[RawServer]:
    """Run a server for as long as the context is open."""
    server = RawServer(answer, path)
    try:
        yield server
    finally:
        server.close()
