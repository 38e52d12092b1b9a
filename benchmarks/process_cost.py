"""What the whole process costs: `tickboard` alone, one viewer, a tick a second."""

import threading
import time

import psutil
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from benchmarks.report import Table
from benchmarks.start_up import started

SECONDS = 20

SETTLE_S = 3
"""What the start costs is not what it costs to run."""


def watch(viewer: ClientConnection) -> None:
    """Read as a browser does, until the end."""
    try:
        while True:
            viewer.recv()
    except ConnectionClosed:
        return


def measure(seconds: float = SECONDS) -> dict[str, float]:
    """Return the CPU time in percent of one core, and the resident memory in MB: at the end, and its peak."""
    with (
        started("--interval", "1000") as running,
        connect(f"ws://{running.url}/ws/metrics", max_size=None) as viewer,
    ):
        threading.Thread(target=watch, args=(viewer,), daemon=True).start()
        process = psutil.Process(running.process.pid)
        time.sleep(SETTLE_S)
        before, began = sum(process.cpu_times()[:2]), time.perf_counter()
        peak = 0
        while (took := time.perf_counter() - began) < seconds:
            peak = max(peak, process.memory_info().rss)
            time.sleep(0.5)
        used = sum(process.cpu_times()[:2]) - before
        memory = process.memory_info()
    return {"cpu_percent": used / took * 100, "rss_mb": memory.rss / 1e6, "peak_rss_mb": max(peak, memory.rss) / 1e6}


def tables() -> list[Table]:
    """Return the table of this benchmark."""
    figures = measure()
    result = Table(
        "The whole process",
        f"`tickboard` alone with one viewer, a tick a second, over {SECONDS} s after the start: the CPU time of the "
        "process in percent of one core, and its resident memory.",
        ["what", "figure", "limit"],
    )
    result.add("CPU", f"{figures['cpu_percent']:.2f} % of one core", "< 1 % for reading the host")
    result.add("memory", f"{figures['rss_mb']:.1f} MB", "")
    result.add("memory at most", f"{figures['peak_rss_mb']:.1f} MB", "< 80 MB")
    return [result]


if __name__ == "__main__":
    for one in tables():
        print(one.markdown())
