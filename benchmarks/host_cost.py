"""What the host costs to watch: CPU time of a sample, its share of a core at one sample a second, and memory."""

import json
import sys
import time

import psutil

from tickboard.metrics.registry import Registry
from tickboard.sources.host import Host

WARM_UP = 20
SAMPLES = 300


def measure() -> dict[str, float]:
    """Return the cost of `Host.sample` in a process of its own.

    The clock is stepped by a second for each sample, so that every reader reads each time. The samples follow each
    other without a pause: at one a second the caches are colder, and a sample is some times as dear.
    """
    now = 0.0
    host = Host(Registry(), lambda: now)
    wall_ms = []
    for _ in range(WARM_UP):
        now += 1
        host.sample()
    cpu_before = time.process_time()
    for _ in range(SAMPLES):
        now += 1
        started = time.perf_counter()
        host.sample()
        wall_ms.append((time.perf_counter() - started) * 1000)
    cpu_ms = (time.process_time() - cpu_before) * 1000 / SAMPLES
    return {
        "cpu_ms_per_sample": round(cpu_ms, 4),
        "core_percent_at_1_hz": round(cpu_ms / 1000 * 100, 4),
        "worst_ms_per_sample": round(max(wall_ms), 4),
        "peak_rss_mb": round(_peak_rss_bytes() / 1e6, 1),
    }


def measure_at_1_hz(samples: int = 10) -> dict[str, float]:
    """Return the cost of a sample when there is a real second between two: slower, and nearer to life."""
    host = Host(Registry())
    cpu_s = 0.0
    for _ in range(samples):
        time.sleep(1)
        before = time.process_time()
        host.sample()
        cpu_s += time.process_time() - before
    return {"cold_cpu_ms_per_sample": round(cpu_s * 1000 / samples, 4)}


def _peak_rss_bytes() -> float:
    if sys.platform == "win32":
        return float(psutil.Process().memory_info().peak_wset)
    import resource  # not on Windows

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return float(peak if sys.platform == "darwin" else peak * 1024)


if __name__ == "__main__":
    print(json.dumps(measure() | measure_at_1_hz(), indent=2))
