"""Remote write into a whole server on one core, with a sender on the other; and Debian's Prometheus taking the same.

Meanwhile a viewer notes how late each tick comes to it: from the instant that it is due until it is read.
"""

import contextlib
import os
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from benchmarks.fanout.servers import CLIENT_CORE, SERVER_CORE, Server, running

SECONDS = 15
TURNS = 3
INTERVAL_MS = 100
ROOT = Path(__file__).parents[2]
BOARD = Path(__file__).with_name("board.py")


@dataclass(frozen=True)
class Figures:
    """What one server made of it.

    Attributes:
        rate: samples a second.
        cpu_us: of the server for each sample.
        busy: share of its core.
        late_ms: p50, p99 and the worst lateness of a tick; none for who has no ticks.
    """

    rate: float
    cpu_us: float
    busy: float
    late_ms: tuple[float, float, float] | None


def measure(server: Server, *, ticks: bool) -> Figures:
    """Let the sender send to a server, and return what came of it."""
    with contextlib.ExitStack() as viewers:
        lateness = viewers.enter_context(watched(server.port)) if ticks else []
        before = server.cpu()
        sent = subprocess.run(
            [sys.executable, "-m", "benchmarks.ingest.sender", str(server.port), str(SECONDS)],
            capture_output=True,
            text=True,
            check=False,
            cwd=ROOT,
        )
        if sent.returncode:
            raise RuntimeError(f"the sender failed: {sent.stderr[-500:]}")
        used = server.cpu() - before
    samples, began, ended = map(float, sent.stdout.split())
    late = None
    if ticks:
        # While the sender started, nothing was sent.
        ordered = sorted(late_ms for due_ms, late_ms in lateness if began * 1000 < due_ms < ended * 1000)
        late = (statistics.median(ordered), ordered[int(len(ordered) * 0.99)], ordered[-1])
    return Figures(samples / (ended - began), used / samples * 1e6, used / (ended - began), late)


@contextlib.contextmanager
def watched(port: int) -> Iterator[list[tuple[float, float]]]:
    """Note when each tick was due, in milliseconds, and how many after that it is read."""
    late: list[tuple[float, float]] = []
    url = f"ws://127.0.0.1:{port}/ws/metrics?metrics=heartbeat"

    def watch() -> None:
        with contextlib.suppress(ConnectionClosed):
            while True:
                message = viewer.recv()
                if isinstance(message, bytes) and message[0] == 2:
                    due = struct.unpack_from("<d", message, 16)[0]
                    late.append((due, time.time() * 1000 - due))

    with connect(url, subprotocols=[Subprotocol("tickboard.v2")]) as viewer:
        thread = threading.Thread(target=watch, daemon=True)
        thread.start()
        yield late


def tickboard() -> contextlib.AbstractContextManager[Server]:
    """Run Tickboard."""
    command = [sys.executable, "-m", "tickboard", "run", str(BOARD), "--port", "0", "--interval", str(INTERVAL_MS)]
    return running("Tickboard", (command, {}))


@contextlib.contextmanager
def prometheus() -> Iterator[Server]:
    """Run Debian's Prometheus as a receiver of remote write, on the same core."""
    found = subprocess.run(
        [sys.executable, str(ROOT / "tools" / "debian.py"), "prometheus"], capture_output=True, text=True, check=True
    )
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    cores = sorted(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "prometheus.yml").write_text("{}", encoding="utf-8")
        os.sched_setaffinity(0, {cores[SERVER_CORE]})  # for the server, which inherits it
        process = subprocess.Popen(
            [
                f"{found.stdout.strip()}/usr/bin/prometheus",
                f"--config.file={folder}/prometheus.yml",
                f"--storage.tsdb.path={folder}/data",
                f"--web.listen-address=127.0.0.1:{port}",
                "--web.enable-remote-write-receiver",
            ],
            stderr=subprocess.DEVNULL,
        )
        os.sched_setaffinity(0, {cores[min(CLIENT_CORE, len(cores) - 1)]})
        try:
            for _ in range(200):
                with contextlib.suppress(httpx.HTTPError):
                    if httpx.get(f"http://127.0.0.1:{port}/-/ready").is_success:
                        break
                time.sleep(0.05)
            yield Server("Prometheus", port, psutil.Process(process.pid))
        finally:
            process.terminate()
            process.wait(20)
            os.sched_setaffinity(0, set(cores))
