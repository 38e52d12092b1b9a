"""The whole host board beside Glances' web server and Debian's Netdata: CPU time and memory, with one viewer each."""

import contextlib
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from benchmarks.report import Table
from benchmarks.start_up import started

SECONDS = 60
SETTLE_S = 10
"""What the start costs is not what it costs to run."""

START_S = 30.0
ROOT = Path(__file__).parents[1]
GLANCES = ROOT / ".venv" / "peers" / "bin" / "glances"
NETDATA = ("netdata-core", "netdata-web", "libjson-c5", "libmnl0", "libnetfilter-acct1", "libuv1")
NETDATA_CHARTS = (
    "system.cpu",
    "system.load",
    "system.ram",
    "system.swap",
    "system.io",
    "system.net",
    "system.uptime",
    "system.processes",
    "system.cpu_some_pressure",
    "system.intr",
    "system.ctxt",
    "disk_space._",
)
"""What its page shows at the top, and asks for each second."""

NETDATA_CONFIGURATION = """
[global]
    run as user = {user}
[directories]
    config = {folder}
    stock config = {root}/etc/netdata
    log = {folder}
    web = {root}/usr/share/netdata/web
    cache = {folder}
    lib = {folder}
    plugins = {root}/usr/lib/netdata/plugins.d
[web]
    bind to = 127.0.0.1
    default port = {port}
[statsd]
    enabled = no
"""


@dataclass(frozen=True)
class Figures:
    """What one program took.

    Attributes:
        cpu_percent: of one core, with its children.
        memory_mb: the proportional set sizes of all its processes together, at the end.
        processes: how many there were.
    """

    cpu_percent: float
    memory_mb: float
    processes: int


def measure(process: subprocess.Popen[str] | subprocess.Popen[bytes], seconds: float = SECONDS) -> Figures:
    """Return what a program and its children take while its viewer watches."""
    root = psutil.Process(process.pid)
    time.sleep(SETTLE_S)
    before, began = cpu_seconds(root), time.perf_counter()
    time.sleep(seconds)
    used, took = cpu_seconds(root) - before, time.perf_counter() - began
    family = [root, *root.children(recursive=True)]
    memory = 0
    for each in family:
        with contextlib.suppress(psutil.Error):
            memory += each.memory_full_info().pss
    return Figures(used / took * 100, memory / 1e6, len(family))


def cpu_seconds(root: psutil.Process) -> float:
    """Return the CPU time of a process, its children and those that have ended."""
    total = 0.0
    for each in [root, *root.children(recursive=True)]:
        with contextlib.suppress(psutil.Error):
            total += sum(each.cpu_times()[:4])
    return total


@contextlib.contextmanager
def tickboard() -> Iterator[subprocess.Popen[str]]:
    """Run Tickboard's host board, watched over its page's WebSocket."""
    with (
        started("--interval", "1000") as running,
        connect(f"ws://{running.url}/ws/metrics", max_size=None, subprotocols=[Subprotocol("tickboard.v2")]) as viewer,
    ):

        def watch() -> None:
            with contextlib.suppress(ConnectionClosed):
                while True:
                    viewer.recv()

        threading.Thread(target=watch, daemon=True).start()
        yield running.process


@contextlib.contextmanager
def glances() -> Iterator[subprocess.Popen[bytes]]:
    """Run Glances' web server as it comes; its page asks for everything every two seconds."""
    port = free_port()
    command = [str(GLANCES), "-w", "-B", "127.0.0.1", "-p", str(port), "--disable-check-update"]
    with asked(command, [f"http://127.0.0.1:{port}/api/4/all"], 2.0) as process:
        yield process


@contextlib.contextmanager
def netdata() -> Iterator[subprocess.Popen[bytes]]:
    """Run Netdata as it comes, but for its folders; its page asks for the charts in view each second."""
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        command, environ = netdata_command(Path(folder), port)
        urls = [f"http://127.0.0.1:{port}/api/v1/data?chart={chart}&after=-60&points=60" for chart in NETDATA_CHARTS]
        with asked(command, urls, 1.0, **environ) as process:
            yield process


def netdata_command(folder: Path, port: int) -> tuple[list[str], dict[str, str]]:
    """Return the command of a Netdata that keeps everything in a folder, and the variables that it needs."""
    found = subprocess.run(
        [sys.executable, str(ROOT / "tools" / "debian.py"), *NETDATA], capture_output=True, text=True, check=True
    )
    root = found.stdout.strip()
    configuration = folder / "netdata.conf"
    user = "root" if os.geteuid() == 0 else os.environ.get("USER", "nobody")
    configuration.write_text(NETDATA_CONFIGURATION.format(folder=folder, root=root, port=port, user=user))
    libraries = f"{root}/usr/lib/x86_64-linux-gnu:{root}/lib/x86_64-linux-gnu"
    return [f"{root}/usr/sbin/netdata", "-D", "-c", str(configuration)], {"LD_LIBRARY_PATH": libraries}


@contextlib.contextmanager
def asked(command: list[str], urls: list[str], every_s: float, **environ: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program and ask for its documents as its page does."""
    process = subprocess.Popen(
        command, env=os.environ | environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    done = threading.Event()
    answered = threading.Event()

    def ask() -> None:
        with httpx.Client(timeout=5) as client:
            while not done.wait(every_s if answered.is_set() else 0.2):
                for url in urls:
                    with contextlib.suppress(httpx.HTTPError):
                        client.get(url)
                        answered.set()

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    try:
        if not answered.wait(START_S):
            raise RuntimeError(f"{command[0]} did not answer within {START_S} s")
        yield process
    finally:
        done.set()
        family = psutil.Process(process.pid).children(recursive=True)
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
        for each in family:
            with contextlib.suppress(psutil.Error):
                each.kill()
        thread.join(10)


def free_port() -> int:
    """Return a port that nobody listens on at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def tables() -> list[Table]:
    """Return the table of this benchmark."""
    programs: dict[
        str, Callable[[], contextlib.AbstractContextManager[subprocess.Popen[str] | subprocess.Popen[bytes]]]
    ]
    programs = {"Tickboard": tickboard, "Glances, web server": glances, "Netdata": netdata}
    figures: dict[str, Figures] = {}
    for name, program in programs.items():
        try:
            with program() as process:
                figures[name] = measure(process)
        except (OSError, RuntimeError, subprocess.CalledProcessError) as error:
            print(f"{name} could not be measured: {error}", flush=True)
    ours = figures["Tickboard"]
    result = Table(
        "The host board beside its peers",
        "Each as it comes, one after the other on the same machine, with one viewer that asks as its page does, over "
        f"{SECONDS} s: Tickboard's gets a tick a second over its WebSocket, Glances' asks for everything every two "
        f"seconds, Netdata's for {len(NETDATA_CHARTS)} charts each second. CPU time in percent of one core, and memory "
        "(PSS), of all processes of each.",
        ["program", "CPU", "of Tickboard's", "memory", "of Tickboard's", "processes"],
    )
    for name, each in figures.items():
        result.add(
            name,
            f"{each.cpu_percent:.2f} %",
            f"{each.cpu_percent / ours.cpu_percent:.1f}",
            f"{each.memory_mb:.0f} MB",
            f"{each.memory_mb / ours.memory_mb:.1f}",
            str(each.processes),
        )
    return [result]


if __name__ == "__main__":
    for one in tables():
        print(one.markdown())
