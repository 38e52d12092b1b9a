"""A real Tickboard as a subprocess, for tests: started on a free port, asked, and stopped."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx

START_S = 20.0
"""The longest that a server may take to say where it is."""

WAIT_S = 20.0
"""The longest that a test waits for something to come true."""


class Server:
    """A server that runs.

    Attributes:
        url: of the page, with a slash at its end.
        port: where it listens.
        process: the program.
    """

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process
        self.lines: list[str] = []
        self._greeted = threading.Event()
        self._reading = threading.Thread(target=self._read, daemon=True)
        self._reading.start()
        if not self._greeted.wait(START_S):
            process.kill()
        found = re.search(r"http://[^\s:]+:(\d+)", self.output())
        assert found, f"no address in: {self.output()!r}"
        self.port = int(found[1])
        self.url = f"http://127.0.0.1:{self.port}/"
        self.ws_url = f"ws://127.0.0.1:{self.port}/ws/metrics"

    def output(self) -> str:
        """Return all that it has printed, on both streams."""
        return "".join(self.lines)

    def json(self, path: str) -> Any:
        """Return the JSON document at a path."""
        answer = httpx.get(f"http://127.0.0.1:{self.port}{path}")
        answer.raise_for_status()
        return answer.json()

    def wait_for(self, condition: Callable[[], object]) -> None:
        """Ask again and again until something is true."""
        end = time.monotonic() + WAIT_S
        while not condition():
            assert time.monotonic() < end, f"it did not come true within {WAIT_S} s; the server said: {self.output()}"
            time.sleep(0.02)

    def stop(self, number: int = signal.SIGINT) -> int:
        """End it as Ctrl-C does, and return its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            status = self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            status = self.process.wait()
        self._reading.join(5)
        return status

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as lines:
            for line in lines:
                self.lines.append(line)
                if "Ctrl-C" in line:
                    self._greeted.set()
        self._greeted.set()


@contextlib.contextmanager
def serve(*arguments: str, env: dict[str, str] | None = None, port: int = 0) -> Iterator[Server]:
    """Run ``tickboard`` with these arguments for as long as the context is open."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tickboard", *arguments, "--port", str(port)],
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
