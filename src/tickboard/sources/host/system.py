"""The machine as a whole: its load, and how long it has been up."""

import os
import sys
import time
from typing import Final

import psutil

from tickboard.sources.host.readings import MetricSpec, Readings

METRICS: Final = {
    "load": MetricSpec("Load Average", "", "span"),
    "load_per_core": MetricSpec("Load per Core", ""),
    "uptime": MetricSpec("Uptime", "s"),
}


def read_load(now: float) -> Readings:
    """Read the load averages, and that of a minute for each core; Windows has none."""
    if sys.platform == "win32":
        return {}  # psutil emulates it there, and it is 0 for the first seconds
    loads = psutil.getloadavg()
    readings: Readings = {("load", span): load for span, load in zip(("1m", "5m", "15m"), loads, strict=True)}
    if cores := os.cpu_count():
        readings["load_per_core", ""] = loads[0] / cores
    return readings


def read_uptime(now: float) -> Readings:
    """Read the time since the machine was started, including the time that it slept."""
    if sys.platform == "linux":
        # It stays correct when the clock is set, and does not read /proc/stat.
        return {("uptime", ""): time.clock_gettime(time.CLOCK_BOOTTIME)}
    return {("uptime", ""): max(0.0, time.time() - psutil.boot_time())}
