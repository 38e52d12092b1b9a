"""The container that Tickboard runs in: its usage and its limits.

Even inside a container, psutil reports the whole machine. The container's own usage and limits are in its control
group: the files of version 2 are described in Linux's Documentation/admin-guide/cgroup-v2.rst, those of version 1 in
Documentation/admin-guide/cgroup-v1. A container sees its own group as the root of the tree, and the root of a machine
has no limits. So a limit found there is a container's, and never that of, say, a systemd unit on a plain machine.
"""

import os
from math import inf
from pathlib import Path
from typing import Final

import psutil

from tickboard.sources.host.devices import Counters, DeviceRates
from tickboard.sources.host.readings import SLOW_S, MetricSpec, Readings

METRICS: Final = {
    "container_cpu_usage": MetricSpec("Container CPU", "%"),
    "container_cpu_throttled": MetricSpec("Container CPU Throttled", "%", max=100),
    "container_memory_usage": MetricSpec("Container Memory", "%", max=100),
    "container_memory_used": MetricSpec("Container Memory Used", "B"),
    "container_memory_limit": MetricSpec("Container Memory Limit", "B"),
}


class Container:
    """The container's CPU time in percent of its quota, and its memory in percent of its limit.

    What has no limit is left out; without a container, everything is. Used memory excludes the page cache that the
    kernel would free first (``inactive_file``), as in ``docker stats``.

    Args:
        root: the root of the file system in which ``sys/fs/cgroup`` is read.
        machine_bytes: the machine's memory; a limit above it counts as no limit. None: read it from this machine.
    """

    def __init__(self, root: Path, machine_bytes: int | None = None) -> None:
        self._tree = root / "sys" / "fs" / "cgroup"
        self._machine_bytes = _machine_bytes() if machine_bytes is None else machine_bytes
        self._rates = DeviceRates(self._cpu_counters)
        self._due = -inf
        # The version does not change while a container runs.
        self._version_2 = (self._tree / "cgroup.controllers").exists()
        self._cpu = self._folder("cpu,cpuacct", "cpu")
        self._cpu_time = self._folder("cpu,cpuacct", "cpuacct")
        self._memory = self._folder("memory")
        self._counts_cpu = self._version_2 or (self._cpu_time / "cpuacct.usage").exists()

    def __call__(self, now: float) -> Readings:
        if now < self._due:
            return {}
        readings = {**self._read_cpu(now), **self._read_memory()}
        if not readings:
            # A limit may be set while the container runs.
            self._due = now + SLOW_S
        return readings

    def _folder(self, *names: str) -> Path:
        if self._version_2:
            return self._tree
        return next((self._tree / name for name in names if (self._tree / name).exists()), self._tree / names[-1])

    def _read_cpu(self, now: float) -> Readings:
        cores = self._cores() if self._counts_cpu else inf
        if cores == inf:
            return {}
        used_s, periods, throttled = self._rates(now)[""]
        # Periods pass only while something runs.
        share = 100 * throttled / periods if periods > 0 else 0 * periods
        return {
            ("container_cpu_usage", ""): 100 * used_s / cores,
            ("container_cpu_throttled", ""): min(share, 100),
        }

    def _cores(self) -> float:
        """Return the CPU time that the container may use, in seconds per second."""
        if self._version_2:
            quota, _, period = _text(self._cpu / "cpu.max").partition(" ")
        else:
            quota, period = _text(self._cpu / "cpu.cfs_quota_us"), _text(self._cpu / "cpu.cfs_period_us")
        if quota in {"", "max", "-1"}:
            return inf
        return int(quota) / int(period)

    def _cpu_counters(self) -> Counters:
        stat = _table(self._cpu / "cpu.stat")
        if self._version_2:
            used_s = stat["usage_usec"] / 1e6
        else:
            used_s = int(_text(self._cpu_time / "cpuacct.usage")) / 1e9
        return {"": (used_s, stat.get("nr_periods", 0), stat.get("nr_throttled", 0))}

    def _read_memory(self) -> Readings:
        limit_name, used_name, cache_name = (
            ("memory.max", "memory.current", "inactive_file")
            if self._version_2
            else ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
        )
        limit = _text(self._memory / limit_name)
        if limit in {"", "max"} or not 0 < int(limit) <= self._machine_bytes:
            return {}
        used = int(_text(self._memory / used_name)) - _table(self._memory / "memory.stat").get(cache_name, 0)
        return {
            ("container_memory_usage", ""): 100 * max(0, used) / int(limit),
            ("container_memory_used", ""): max(0, used),
            ("container_memory_limit", ""): int(limit),
        }


def _machine_bytes() -> int:
    """Return the machine's memory; the C library knows it even without ``/proc``."""
    try:
        total: int = psutil.virtual_memory().total
    except Exception:  # noqa: BLE001 - the reader of memory reports what is wrong
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return total


def _text(path: Path) -> str:
    """Return the text of a file; empty if it does not exist."""
    try:
        return path.read_text().strip()
    except (FileNotFoundError, NotADirectoryError):
        return ""


def _table(path: Path) -> dict[str, int]:
    """Return the numbers of a file with a name and a number in each line."""
    return {name: int(number) for name, _, number in (line.partition(" ") for line in _text(path).splitlines())}
