"""The history beside Debian's Prometheus, which scrapes the same board, and Netdata, which looks at the same host."""

import contextlib
import http.client
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import quote

from benchmarks.host_peers import ROOT, free_port, netdata_command
from benchmarks.report import Table
from tickboard.history.inspecting import inspect
from tickboard.metrics.openmetrics import metric_name

MINUTES = 60
"""How long all of them record. Blocks of ticks are sealed after twelve."""

ROUNDS = 15

START_S = 60.0

BOARD = Path(__file__).with_name("exposing.py")

CONFIGURATION = """
global: {{scrape_interval: 1s, scrape_timeout: 1s}}
scrape_configs:
  - job_name: board
    metrics_path: /exposed
    static_configs: [{{targets: ["127.0.0.1:{port}"]}}]
"""

FEW = ("cpu_usage", "memory_usage", "load", "context_switches_rate", "interrupts_rate", "memory_kind", "cpu_mode")
ONE = ("cpu_usage",)
CPU = ("cpu_mode",)

CHART = "system.cpu"
"""Netdata's name of `CPU`."""

QUESTIONS: list[tuple[str, tuple[str, ...], int]] = [
    ("1 series, each second", ONE, 1),
    ("CPU by mode, each second", CPU, 1),
    ("CPU by mode, each 10 s", CPU, 10),
    ("some series, each second", FEW, 1),
    ("some series, each 10 s", FEW, 10),
    ("all series, each 10 s", (), 10),
    ("all series, each minute", (), 60),
]
"""What is asked, of which metrics, and the seconds of a bucket."""


@dataclass(frozen=True)
class Ports:
    """Where the programs listen."""

    tickboard: int
    prometheus: int
    netdata: int


def tables() -> Iterator[Table]:
    """Measure, and yield the tables."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        history = folder / "history.sqlite"
        with recording(folder, history) as ports:
            began = time.time()
            time.sleep(MINUTES * 60)
            yield reading_table(ports)
            blocks = snapshot(ports.prometheus, folder / "prometheus")
            values = netdata_values(ports.netdata, time.time() - began)
        yield size_table(history, blocks, folder / "netdata", values)


@contextlib.contextmanager
def recording(folder: Path, history: Path) -> Iterator[Ports]:
    """Run the three programs."""
    ports = Ports(free_port(), free_port(), free_port())
    with contextlib.ExitStack() as stack:
        run = [sys.executable, "-m", "tickboard", "run", str(BOARD), "--port", str(ports.tickboard)]
        stack.enter_context(program([*run, "--interval", "1000", "--history", str(history)], {}))
        answered(ports.tickboard, "/api/health")
        netdata = folder / "netdata"
        netdata.mkdir()
        command, environ = netdata_command(netdata, ports.netdata)
        stack.enter_context(program(command, environ))
        answered(ports.netdata, "/api/v1/info")
        stack.enter_context(program(prometheus_command(folder / "prometheus", ports), {}))
        answered(ports.prometheus, "/-/ready")
        yield ports


def prometheus_command(folder: Path, ports: Ports) -> list[str]:
    """Return the command of a Prometheus that keeps everything in a folder and scrapes the board."""
    folder.mkdir()
    configuration = folder / "prometheus.yml"
    configuration.write_text(CONFIGURATION.format(port=ports.tickboard))
    return [
        f"{debian()}/usr/bin/prometheus",
        f"--config.file={configuration}",
        f"--storage.tsdb.path={folder}/data",
        f"--web.listen-address=127.0.0.1:{ports.prometheus}",
        "--web.enable-admin-api",
    ]


def debian() -> str:
    """Return the folder that has Debian's Prometheus."""
    found = subprocess.run(
        [sys.executable, str(ROOT / "tools" / "debian.py"), "prometheus"], capture_output=True, text=True, check=True
    )
    return found.stdout.strip()


@contextlib.contextmanager
def program(command: list[str], environ: Mapping[str, str]) -> Iterator[None]:
    """Run a program."""
    process = subprocess.Popen(
        command, env=os.environ | environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
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


# --- reading ---


def reading_table(ports: Ports) -> Table:
    """Return how long the same questions take."""
    result = Table(
        "History: reading over HTTP, beside Prometheus and Netdata",
        f"After {MINUTES} minutes in which Prometheus scraped the board each second, and Netdata watched the same "
        "host: the same range, all but the last minute, the same series and the same step, as JSON over a connection "
        f"that stays open, warm: medians of {ROUNDS} rounds in turn. Tickboard's answer has min, max, mean and count "
        "of each bucket, `query_range` the last value before each step, Netdata's the mean, of its own chart "
        f"`{CHART}`. Limit: never slower than Prometheus.",
        ["question", "series", "Tickboard", "Prometheus", "of Prometheus'", "Netdata"],
    )
    end = (int(time.time()) - 60) // 60 * 60
    start = end - max(1, MINUTES - 1) * 60
    for name, metrics, step in QUESTIONS:
        asked = urls(ports, metrics, start, end, step)
        took, series = timed(asked)
        prometheus = took["Prometheus"]
        count = "/".join(str(series[each]) for each in asked)
        result.add(
            name,
            count,
            f"{took['Tickboard']:.2f} ms",
            f"{prometheus:.2f} ms",
            f"{took['Tickboard'] / prometheus:.2f}",
            f"{took['Netdata']:.2f} ms" if "Netdata" in took else "",
        )
    return result


def urls(ports: Ports, metrics: tuple[str, ...], start: int, end: int, step: int) -> dict[str, tuple[int, str]]:
    """Return the port and path of the same question for each program."""
    points = (end - start) // step
    chosen = "".join(f"metrics={metric}&" for metric in metrics)
    matched = "|".join(metric_name(metric) for metric in metrics) or ".+"
    selector = f'{{__name__=~"{matched}",job="board"}}' if metrics else '{job="board"}'
    # Prometheus looks back from each step, and so its first is the end of the first bucket.
    steps = f"&start={start + step}&end={end}&step={step}"
    found = {
        "Tickboard": (
            ports.tickboard,
            f"/api/history?{chosen}from={stamp(start)}&to={stamp(end)}&points={points}&format=json",
        ),
        "Prometheus": (ports.prometheus, f"/api/v1/query_range?query={quote(selector)}{steps}"),
    }
    if metrics == CPU:
        path = f"/api/v1/data?chart={CHART}&after={start}&before={end}&points={points}&format=json"
        found["Netdata"] = ports.netdata, path
    return found


def stamp(seconds: int) -> str:
    """Return an instant as RFC 3339."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def timed(asked: Mapping[str, tuple[int, str]]) -> tuple[dict[str, float], dict[str, int]]:
    """Return the median milliseconds of each answer, and how many series it has."""
    times: dict[str, list[float]] = {name: [] for name in asked}
    with contextlib.ExitStack() as stack:
        connections = {
            name: stack.enter_context(contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)))
            for name, (port, _) in asked.items()
        }
        series = {name: series_in(json.loads(get(connections[name], path))) for name, (_, path) in asked.items()}
        for _ in range(ROUNDS):
            for name, (_, path) in asked.items():
                began = time.perf_counter()
                get(connections[name], path)
                times[name].append((time.perf_counter() - began) * 1000)
    return {name: statistics.median(each) for name, each in times.items()}, series


def series_in(answer: Any) -> int:
    """Return how many series an answer has."""
    if "series" in answer:
        return len(answer["series"])
    if "labels" in answer:
        return len(answer["labels"]) - 1
    return len(answer["data"]["result"])


# --- bytes ---


def size_table(history: Path, blocks: Path, netdata: Path, netdata_values: int) -> Table:
    """Return what a value takes on the disk."""
    result = Table(
        "History: bytes of a value, beside Prometheus and Netdata",
        f"After {MINUTES} minutes: Tickboard's are its blocks of ticks, with their directories. Prometheus' are a "
        "snapshot, which is what it makes of two hours; its index is given apart, because it weighs less the longer it "
        "records. Netdata's are the files of its database after it has ended, for as many values as its charts have "
        "dimensions and seconds.",
        ["program", "values", "bytes of a value", "with the index"],
    )
    ticks = inspect(history).tiers[0]
    size = f"{ticks.value_bytes:.2f}" if ticks.value_bytes is not None else "no block yet"
    result.add("Tickboard", f"{ticks.entries:,} ticks", size, size)
    result.add("Prometheus", *blocks_cells(blocks))
    files = sum(each.stat().st_size for each in netdata.rglob("*.ndf"))
    journals = sum(each.stat().st_size for each in netdata.rglob("*.njf*"))
    if files and netdata_values:
        cells = (f"{size / netdata_values:.2f}" for size in (files, files + journals))
        result.add("Netdata", f"about {netdata_values:,}", *cells)
    return result


def blocks_cells(blocks: Path) -> tuple[str, str, str]:
    """Return how many samples Prometheus' blocks have, and the bytes of a sample without and with the index."""
    samples = sum(json.loads(each.read_text())["stats"]["numSamples"] for each in blocks.glob("*/meta.json"))
    chunks = sum(each.stat().st_size for each in blocks.glob("*/chunks/*"))
    index = sum(each.stat().st_size for each in blocks.glob("*/index"))
    return f"{samples:,}", f"{chunks / samples:.2f}", f"{(chunks + index) / samples:.2f}"


def snapshot(port: int, folder: Path) -> Path:
    """Have Prometheus write a block of all that it has, and return its folder."""
    name = document(port, "/api/v1/admin/tsdb/snapshot", "POST")["data"]["name"]
    return folder / "data" / "snapshots" / str(name)


def netdata_values(port: int, seconds: float) -> int:
    """Return about how many values Netdata has recorded."""
    charts = document(port, "/api/v1/charts")["charts"]
    return sum(int(len(chart["dimensions"]) * seconds / chart["update_every"]) for chart in charts.values())
