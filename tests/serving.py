"""A real Tickboard as a subprocess for tests: started on a free port, queried and stopped."""

import asyncio
import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Self

import httpx
import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send
from websockets.typing import Subprotocol

from tickboard import Board
from tickboard.alerting.log import AlertLog
from tickboard.wire import Alert

SUBPROTOCOL = Subprotocol("tickboard.v2")

START_S = 60.0
"""The longest that a server may take to print its address: far more than it takes on a busy machine."""

WAIT_S = 60.0
"""The longest that a test waits for a condition."""


class Server:
    """A running server.

    Attributes:
        url: the URL of the page, with a trailing slash.
        port: the port that it listens on.
        process: the process.
    """

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process
        self.lines: list[str] = []
        self._greeted = threading.Event()
        self._reading = threading.Thread(target=self._read, daemon=True)
        self._reading.start()
        if not self._greeted.wait(START_S):
            process.kill()
            process.wait()
        found = re.search(r"https?://(?:\[[^\]\s]+\]|[^\s:]+):(\d+)", self.output())
        assert found, f"no address in: {self.output()!r}"
        self.port = int(found[1])
        self.url = f"http://127.0.0.1:{self.port}/"
        self.ws_url = f"ws://127.0.0.1:{self.port}/ws/metrics"

    def output(self) -> str:
        """Return everything that it has printed, on both streams."""
        return "".join(self.lines)

    def json(self, path: str) -> Any:
        """Return the JSON document at a path."""
        answer = httpx.get(f"http://127.0.0.1:{self.port}{path}", timeout=WAIT_S)
        answer.raise_for_status()
        return answer.json()

    def wait_for(self, condition: Callable[[], object]) -> None:
        """Ask again and again until something is true."""
        wait_for(condition, self.output)

    def says(self, text: str) -> bool:
        """Wait until it has printed a text: the line may come a moment after the event."""
        self.wait_for(lambda: text in self.output())
        return True

    def stop(self, number: int = signal.SIGINT) -> int:
        """Stop it like Ctrl-C, and return its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            status = self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            status = self.process.wait()
        self._reading.join(5)
        if self.process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self.process.stdin.close()
        return status

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as lines:
            for line in lines:
                self.lines.append(line)
                if "Ctrl-C" in line:
                    self._greeted.set()
        self._greeted.set()


def has_ipv6() -> bool:
    """Return whether this machine has an IPv6 loopback address, which some containers lack."""
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False


def wait_for(condition: Callable[[], object], output: Callable[[], str] = str) -> None:
    """Ask again and again until something is true."""
    end = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < end, f"it did not come true within {WAIT_S} s; the server said: {output()}"
        time.sleep(0.05)


def raw_viewer(port: int, path: str = "/ws/metrics") -> socket.socket:
    """Return the socket of a viewer that has sent its handshake and reads nothing."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.connect(("127.0.0.1", port))
    request = (
        f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    client.sendall(request.encode())
    return client


class Served:
    """A board that is served in this process, with alerts fired by a test."""

    def __init__(self, board: Board) -> None:
        self.board = board
        self.loop: asyncio.AbstractEventLoop | None = None
        self.number = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.loop = asyncio.get_running_loop()
        await self.board(scope, receive, send)

    @property
    def log(self) -> AlertLog:
        return self.board.hub.engine.alerts.log

    @property
    def readers(self) -> int:
        return len(self.board.hub.readers)

    def fire(self, times: int = 1, message: str = "m") -> None:
        """Fire alerts, and return once they are announced to the readers."""
        done = threading.Event()

        def fire() -> None:
            events = []
            for _ in range(times):
                self.number += 1
                events.append(self.log.append("firing", Alert(f"id{self.number}", message, "info", "T"), time.time()))
            self.board.hub.announce(events)
            done.set()

        self.run(fire)
        assert done.wait(10)

    def run(self, function: Callable[[], object]) -> None:
        assert self.loop is not None
        self.loop.call_soon_threadsafe(function)


def event_number(event: dict[str, str]) -> int:
    """Return the number of an alert event."""
    return int(event["id"].rpartition("-")[2])


class RawStream:
    """A reader of the alert stream that sends any request and reads only when a test wants.

    Attributes:
        socket: its connection.
        head: the head of the response.
        chunks: the sizes of the received chunks, if the response is chunked.
        whole: whether the last chunk was received.
    """

    def __init__(self, port: int, request: str = "", path: str = "/events/alerts") -> None:
        self.socket = socket.socket()
        self.socket.settimeout(10)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.socket.connect(("127.0.0.1", port))
        self.socket.sendall((request or f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n").encode())
        self._rest = self._coded = b""
        self.chunks: list[int] = []
        self.chunked = self.whole = False
        self.head = self.next_head()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.socket.close()

    def next_head(self) -> str:
        """Return the head of the next response in lower case."""
        head = self._until(b"\r\n\r\n").decode().lower()
        if "transfer-encoding: chunked" in head:
            self.chunked = True
            self._coded, self._rest = self._rest, b""
            self._rest = self._decoded()
        return head

    def event(self) -> dict[str, str]:
        """Return the fields of the next event. Raise EOFError if the stream has ended."""
        return dict(line.split(": ", 1) for line in self._until(b"\n\n").decode().splitlines())

    def ends(self) -> bool:
        """Read to the end of the stream, and return True once it ends."""
        with contextlib.suppress(EOFError):
            while True:
                self._rest = self._receive()
        return True

    def _until(self, end: bytes) -> bytes:
        while end not in self._rest:
            self._rest += self._receive()
        found, _, self._rest = self._rest.partition(end)
        return found

    def _receive(self) -> bytes:
        data = b"" if self.whole else self.socket.recv(65_536)
        if not data:
            raise EOFError
        if not self.chunked:
            return data
        self._coded += data
        return self._decoded()

    def _decoded(self) -> bytes:
        """Return the content of the complete chunks (RFC 9112, section 7.1)."""
        found = b""
        while not self.whole and b"\r\n" in self._coded:
            size, _, rest = self._coded.partition(b"\r\n")
            length = int(size, 16)
            if len(rest) < length + 2:
                break
            assert rest[length : length + 2] == b"\r\n"
            found += rest[:length]
            self._coded = rest[length + 2 :]
            self.chunks.append(length)
            self.whole = not length
        return found


@contextlib.contextmanager
def serve_app(app: ASGIApp, ws: Any = "websockets-sansio", http: Any = "auto") -> Iterator[int]:
    """Run an application under uvicorn in a thread, on a free port, by default with uvicorn's own connections."""
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning", ws=ws, http=http, interface="asgi3"))
    started = threading.Event()

    async def main() -> None:
        task = asyncio.create_task(server.serve())
        while not server.started and not task.done():
            await asyncio.sleep(0.01)
        started.set()
        await task

    thread = threading.Thread(target=lambda: asyncio.run(main()))
    thread.start()
    try:
        assert started.wait(10)
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        thread.join(10)
        assert not thread.is_alive()


@contextlib.contextmanager
def serve(
    *arguments: str,
    env: dict[str, str] | None = None,
    port: int = 0,
    stdin: int | None = None,
    program: Sequence[str] = (sys.executable, "-m", "tickboard"),
) -> Iterator[Server]:
    """Run ``tickboard`` with these arguments while the context is open. `program` replaces the command."""
    process = subprocess.Popen(
        [*program, *arguments, "--port", str(port)],
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ | (env or {}),
    )
    server = Server(process)
    try:
        yield server
    finally:
        server.stop()
