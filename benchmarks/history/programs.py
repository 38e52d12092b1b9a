"""The programs that record this host: the host's board, Debian's Prometheus, which scrapes the board, and Netdata.

Each keeps everything in a folder of its own, and goes on with what is there.
"""

import contextlib
import http.client
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.host_peers import ROOT, free_port, netdata_command

START_S = 60.0
"""The longest that a program may take until it answers."""

BOARD = Path(__file__).with_name("exposing.py")

FOREVER = "100y"
"""A recording may be old."""

CONFIGURATION = """
global: {{scrape_interval: 1s, scrape_timeout: 1s}}
scrape_configs:
  - job_name: board
    metrics_path: /exposed
    static_configs: [{{targets: ["127.0.0.1:{port}"], labels: {{instance: board}}}}]
"""


@dataclass(frozen=True)
class Ports:
    """Where the programs listen; None: there is no Netdata."""

    tickboard: int
    prometheus: int
    netdata: int | None


class Folder:
    """Where the programs keep what they record.

    Attributes:
        path: of the folder.
        history: the file of the board's history.
        prometheus: Prometheus' folder.
        netdata: Netdata's folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.history = path / "history.sqlite"
        self.prometheus = path / "prometheus"
        self.netdata = path / "netdata"


@contextlib.contextmanager
def programs(folder: Folder) -> Iterator[Ports]:
    """Run the three programs; without Netdata where it cannot be had."""
    with contextlib.ExitStack() as stack:
        tickboard, prometheus = free_port(), free_port()
        stack.enter_context(program(board_command(folder.history, tickboard)))
        answered(tickboard, "/api/health")
        netdata = stack.enter_context(running_netdata(folder.netdata))
        stack.enter_context(program(prometheus_command(folder.prometheus, tickboard, prometheus)))
        answered(prometheus, "/-/ready")
        yield Ports(tickboard, prometheus, netdata)


def board_command(history: Path, port: int) -> list[str]:
    """Return the command of the host's board."""
    command = [sys.executable, "-m", "tickboard", "run", str(BOARD), "--port", str(port), "--interval", "1000"]
    return [*command, "--history", str(history), "--keep", FOREVER]


@contextlib.contextmanager
def running_netdata(folder: Path) -> Iterator[int | None]:
    """Run Netdata, and yield its port; None if it cannot be had, which is printed."""
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    try:
        command, environ = netdata_command(folder, port)
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"without Netdata: {error}", flush=True)
        yield None
        return
    with program(command, environ):
        answered(port, "/api/v1/info")
        yield port


def prometheus_command(folder: Path, scraped: int | None, port: int, data: Path | None = None) -> list[str]:
    """Return the command of Prometheus.

    Args:
        folder: for its configuration.
        scraped: the port of the board that it scrapes; None: it scrapes nothing.
        port: where it listens.
        data: the folder of its database; None: one in `folder`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    configuration = folder / "prometheus.yml"
    configuration.write_text("scrape_configs: []" if scraped is None else CONFIGURATION.format(port=scraped))
    return [
        f"{debian()}/usr/bin/prometheus",
        f"--config.file={configuration}",
        f"--storage.tsdb.path={data or folder / 'data'}",
        f"--storage.tsdb.retention.time={FOREVER}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--web.enable-admin-api",
    ]


def debian() -> str:
    """Return the folder that has Debian's Prometheus."""
    found = subprocess.run(
        [sys.executable, str(ROOT / "tools" / "debian.py"), "prometheus"], capture_output=True, text=True, check=True
    )
    return found.stdout.strip()


@contextlib.contextmanager
def program(command: list[str], environ: Mapping[str, str] | None = None) -> Iterator[None]:
    """Run a program."""
    process = subprocess.Popen(
        command,
        env=os.environ | (environ or {}),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def answered(port: int, path: str) -> None:
    """Wait until a program answers."""
    end = time.monotonic() + START_S
    while True:
        with contextlib.suppress(OSError, http.client.HTTPException):
            get(http.client.HTTPConnection("127.0.0.1", port, timeout=5), path)
            return
        if time.monotonic() > end:
            raise RuntimeError(f"nothing answers at port {port} within {START_S:.0f} s")
        time.sleep(0.1)


def get(connection: http.client.HTTPConnection, path: str, method: str = "GET") -> bytes:
    """Return a document."""
    connection.request(method, path)
    answer = connection.getresponse()
    content = answer.read()
    if answer.status != 200:
        raise http.client.HTTPException(f"{path}: {answer.status}: {content[:200]!r}")
    return content


def document(port: int, path: str, method: str = "GET") -> Any:
    """Return a JSON document."""
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as connection:
        return json.loads(get(connection, path, method))


def snapshot(port: int, folder: Folder) -> Path:
    """Have Prometheus write a block of all that it has, and return its folder."""
    name = document(port, "/api/v1/admin/tsdb/snapshot", "POST")["data"]["name"]
    return folder.prometheus / "data" / "snapshots" / str(name)


def netdata_values(port: int, seconds: float) -> int:
    """Return about how many values Netdata has recorded."""
    charts = document(port, "/api/v1/charts")["charts"]
    return sum(int(len(chart["dimensions"]) * seconds / chart["update_every"]) for chart in charts.values())
