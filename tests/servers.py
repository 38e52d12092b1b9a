"""Third-party servers, each a separate program, started on a free port with an application from a file."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx

START_S = 50.0
"""A hang guard: the longest wait for a server to start. A busy machine imports it slowly in two workers."""

END_S = 30.0
"""A hang guard: the longest wait for a program."""


class Program:
    """A running server.

    Attributes:
        port: the port that it listens on.
        process: the program, or its main process.
    """

    def __init__(self, port: int, process: "subprocess.Popen[bytes]", log: Path) -> None:
        self.port = port
        self.process = process
        self._log = log

    def output(self) -> str:
        """Return everything that it has printed."""
        return self._log.read_text()

    def get(self, path: str) -> httpx.Response:
        """Request a document over a new connection."""
        return httpx.get(f"http://127.0.0.1:{self.port}{path}", timeout=10)

    def wait_for(self, path: str) -> None:
        """Wait until a document is served."""

        def there() -> bool:
            assert self.process.poll() is None, self.output()
            with contextlib.suppress(httpx.TransportError):
                return self.get(path).is_success
            return False

        end = time.monotonic() + START_S
        while not there():
            assert time.monotonic() < end, self.output()
            time.sleep(0.1)

    def ends(self, number: int) -> bool:
        """Send a signal, and return whether the server ends in time."""
        self.process.send_signal(number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(END_S)
        return self.process.poll() is not None


@contextlib.contextmanager
def program(command: list[str], folder: Path, env: dict[str, str] | None = None) -> Iterator[Program]:
    """Run a server while the context is open. PORT in its command is replaced by a free port."""
    port = free_port()
    log = folder / "server.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", *(part.replace("PORT", str(port)) for part in command)],
            cwd=folder,
            env=os.environ | (env or {}),
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield Program(port, process, log)
    finally:
        # All of its workers are in the same session.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def free_port() -> int:
    """Return an unused port."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    return port
