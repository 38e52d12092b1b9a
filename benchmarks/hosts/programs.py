"""The programs of these benchmarks: a NATS server, real hosts, many synthetic ones, and walls."""

import contextlib
import json
import os
import re
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import psutil

from benchmarks.host_peers import free_port

START_S = 120.0
"""The longest that a program may take until it is there."""


class Program:
    """A program that runs.

    Attributes:
        port: where it serves its page; 0: nowhere.
        process: to read what it uses.
    """

    def __init__(self, port: int, process: psutil.Process) -> None:
        self.port = port
        self.process = process

    def cpu(self) -> float:
        """Return the CPU seconds that it has used, user and system."""
        times = self.process.cpu_times()
        return float(times.user + times.system)

    def memory_mb(self) -> float:
        """Return its resident memory."""
        return float(self.process.memory_info().rss) / 1e6

    def get(self, path: str) -> bytes:
        """Return a document."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=60) as answer:
            return bytes(answer.read())


@contextlib.contextmanager
def program(command: list[str], environ: Mapping[str, str] | None = None, *, page: bool = True) -> Iterator[Program]:
    """Run a program; with a page, until it says where that is."""
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE if page else subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        text=True,
        env=os.environ | (environ or {}),
    )
    try:
        port = 0
        while page:
            assert process.stdout is not None
            line = process.stdout.readline()
            if not line:
                raise RuntimeError(f"it did not start: {' '.join(command)}")
            found = re.search(r"https?://127\.0\.0\.1:(\d+)", line)
            port = int(found[1]) if found else port
            if port and "Ctrl-C" in line:
                break
        yield Program(port, psutil.Process(process.pid))
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


@contextlib.contextmanager
def nats_server() -> Iterator[tuple[str, Program]]:
    """Run a NATS server as it comes; yield its URL, too."""
    port = free_port()
    server = Path(sys.executable).with_name("nats-server")
    with program([str(server), "--addr", "127.0.0.1", "--port", str(port)], page=False) as running:
        until(lambda: _accepts(port), "the NATS server")
        yield f"nats://127.0.0.1:{port}", running


def _accepts(port: int) -> bool:
    with contextlib.suppress(OSError), contextlib.closing(socket.create_connection(("127.0.0.1", port))):
        return True
    return False


def many_hosts(
    url: str,
    hosts: int,
    series: int,
    history: Path | None = None,
    seconds: int = 0,
    environ: Mapping[str, str] | None = None,
) -> contextlib.AbstractContextManager[Program]:
    """Run many hosts in one process, with a history of some seconds in a file if one is named."""
    command = [sys.executable, "-m", "benchmarks.hosts.synthetic", url, str(hosts), str(series)]
    return program([*command, str(history), str(seconds)], environ, page=False)


def tickboard(*arguments: str, environ: Mapping[str, str] | None = None) -> contextlib.AbstractContextManager[Program]:
    """Run Tickboard on a free port."""
    return program([sys.executable, "-m", "tickboard", *arguments, "--port", "0", "--interval", "1000"], environ)


def clock(folder: Path, ahead_s: float) -> Mapping[str, str]:
    """Return the environment of programs whose wall clock is ahead of this machine's."""
    library, ahead = folder / "wall_clock.so", folder / f"ahead {ahead_s:g}"
    source = Path(__file__).parents[2] / "tests" / "wall_clock.c"
    subprocess.run(["cc", "-shared", "-fPIC", "-o", str(library), str(source), "-ldl"], check=True)
    ahead.write_text(str(ahead_s).ljust(32))
    return {"LD_PRELOAD": str(library), "TEST_WALL_CLOCK": str(ahead)}


def live(wall: Program) -> int:
    """Return how many hosts of a wall are live."""
    return sum(host["state"] == "live" for host in json.loads(wall.get("/api/hosts"))["hosts"])


def filling(wall: Program) -> int:
    """Return how many hosts of a wall have a hole that is being filled."""
    return sum("filling" in host for host in json.loads(wall.get("/api/hosts"))["hosts"])


def until(condition: Callable[[], bool], what: str) -> float:
    """Wait until something is true, and return how many seconds that took."""
    began = time.monotonic()
    while not condition():
        if time.monotonic() - began > START_S:
            raise RuntimeError(f"{what} is not there after {START_S:g} s")
        time.sleep(0.1)
    return time.monotonic() - began
