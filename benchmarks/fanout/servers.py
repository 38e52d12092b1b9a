"""The servers, each a process of its own on the first core; what they have used is read from the system."""

import contextlib
import os
import re
import resource
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path

import psutil

PEERS = Path(__file__).parent / "peers"
BUN = PEERS / "node_modules" / ".bin" / "bun"
BOARD = PEERS / "board.py"

NEVER = 3_600_000
"""An interval in which no tick comes by itself."""

SERVER_CORE, CLIENT_CORE = 0, 1


class Server:
    """A server that runs.

    Attributes:
        name: as the tables call it.
        port: where it listens on loopback.
        process: to read what it uses.
    """

    def __init__(self, name: str, port: int, process: psutil.Process) -> None:
        self.name = name
        self.port = port
        self.process = process

    def cpu(self) -> float:
        """Return the CPU seconds that it has used, user and system."""
        times = self.process.cpu_times()
        return float(times.user + times.system)

    def memory(self) -> int:
        """Return its resident bytes."""
        return int(self.process.memory_info().rss)

    def get(self, path: str) -> bytes:
        """Return a document."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=60) as answer:
            return bytes(answer.read())


def tickboard(interval_ms: int, **environ: str) -> tuple[list[str], Mapping[str, str]]:
    """Return the command of Tickboard's board, with FANOUT_… of the environment."""
    command = [sys.executable, "-m", "tickboard", "run", str(BOARD), "--port", "0", "--interval", str(interval_ms)]
    return [*command, "--max-per-address", "0"], environ


def peer(name: str, interval_ms: int) -> tuple[list[str], Mapping[str, str]]:
    """Return the command of a peer; it makes ticks only when asked with the interval `NEVER`."""
    interval = str(0 if interval_ms == NEVER else interval_ms)
    if name == "bun":
        return [str(BUN), str(PEERS / "bun.ts"), interval], {}
    return [sys.executable, str(PEERS / "python_peers.py"), name, interval], {}


@contextlib.contextmanager
def running(name: str, command: tuple[list[str], Mapping[str, str]]) -> Iterator[Server]:
    """Run a server on its core for as long as the context is open, with this process on the other."""
    allow_open_files()
    cores = sorted(os.sched_getaffinity(0))
    arguments, environ = command
    os.sched_setaffinity(0, {cores[SERVER_CORE]})  # for the server, which inherits it
    process = subprocess.Popen(
        arguments,
        stdout=subprocess.PIPE,
        env=os.environ | environ,
        text=True,
    )
    os.sched_setaffinity(0, {cores[min(CLIENT_CORE, len(cores) - 1)]})
    try:
        assert process.stdout is not None
        port = None
        for line in process.stdout:
            found = re.search(r"https?://127\.0\.0\.1:(\d+)", line)
            port = int(found[1]) if found else port
            if port is not None and "Ctrl-C" in line:
                break
        if port is None:
            raise RuntimeError(f"{name} did not start: {' '.join(arguments)}")
        yield Server(name, port, psutil.Process(process.pid))
    finally:
        os.sched_setaffinity(0, cores)
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def allow_open_files() -> None:
    """Raise the limit on open files as far as the system lets us."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
