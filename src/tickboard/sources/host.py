"""The host: CPU, memory, load, disk and network of the machine that Tickboard runs on.

`Host.sample` reads everything once, through psutil, and writes it to the registry that it is given; when that
happens is for the caller to say. What a platform lacks (swap, load on Windows) is left out and not shown as zero, and
so is a rate until there are two readings to tell it from.
"""

import os
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from math import nan
from pathlib import Path
from time import monotonic
from typing import Final

import psutil

from tickboard.errors import TickboardError
from tickboard.series import Gauge, Registry

MIN_ELAPSED_S = 0.1
"""Rates are told from readings at least this far apart: the kernel counts CPU time in steps of 0.01 s."""

Readings = dict[tuple[str, str], float]
"""The values of one reader by metric and label; NaN: it is there, but has no value yet."""

Reader = Callable[[float], Readings]
"""Reads a part of the host at a time in seconds (from any beginning, and never going back)."""

Totals = Mapping[str, tuple[int, int]]
"""For each device, the bytes in and out since it was started."""


@dataclass(frozen=True)
class _Declared:
    title: str
    unit: str
    label: str = ""
    max: float | None = None


_METRICS: Final = {
    "cpu_usage": _Declared("CPU Usage", "%", max=100),
    "cpu_core": _Declared("CPU Cores", "%", "core", max=100),
    "memory_usage": _Declared("Memory", "%", max=100),
    "swap_usage": _Declared("Swap", "%", max=100),
    "load": _Declared("Load Average", "", "span"),
    "disk_usage": _Declared("Disk Usage", "%", max=100),
    "disk_read_rate": _Declared("Disk Read", "B/s"),
    "disk_write_rate": _Declared("Disk Write", "B/s"),
    "net_received_rate": _Declared("Network Received", "B/s"),
    "net_sent_rate": _Declared("Network Sent", "B/s"),
}


class HostError(TickboardError):
    """Some of the host could not be read; all the rest was.

    Attributes:
        failures: the exception of each reader that failed, by the reader's name.
    """

    def __init__(self, failures: Mapping[str, Exception]) -> None:
        each = "; ".join(f"{name} ({type(error).__name__}: {error})" for name, error in failures.items())
        super().__init__(f"cannot read from this host: {each}; everything else is up to date")
        self.failures = dict(failures)


class Host:
    """The metrics of this machine.

    ``cpu_usage``, ``cpu_core`` (by ``core``), ``memory_usage``, ``swap_usage`` and ``disk_usage`` (of the root) in
    percent, ``load`` (by ``span``: 1m, 5m, 15m), and ``disk_read_rate``, ``disk_write_rate``, ``net_received_rate``
    and ``net_sent_rate`` in bytes per second. A metric is declared when there is first something to read: nearly
    always at once, as a host is read when it is made.

    Rates and CPU times are means over the time since the sample before. Disks and network interfaces are those with a
    device behind them, so that what passes through a bridge, a VPN or an encrypted volume isn't counted twice; where
    no interface has one (in a container), all but the loopback.

    Args:
        registry: where to write.
        clock: seconds from any beginning, never going back.

    Raises:
        InputError: the registry has one of the metrics already, declared as something else.
    """

    def __init__(self, registry: Registry, clock: Callable[[], float] = monotonic) -> None:
        self._registry = registry
        self._clock = clock
        self._gauges: dict[tuple[str, str], Gauge] = {}
        self._readers: dict[str, Reader] = {
            "cpu": _Cpu(),
            "memory": _read_memory,
            "swap": _read_swap,
            "load": _read_load,
            "disk usage": _read_disk_usage,
            "disk rates": _Rates(_disk_totals, "disk_read_rate", "disk_write_rate"),
            "network rates": _Rates(_network_totals, "net_received_rate", "net_sent_rate"),
        }
        self._written: dict[str, Readings] = {name: {} for name in self._readers}
        self._read_all()

    def sample(self) -> None:
        """Read everything once and set the values; what can't be read now has none.

        Raises:
            HostError: something could not be read. It is raised at the end: all the rest is set.
        """
        failures = self._read_all()
        if failures:
            raise HostError(failures) from next(iter(failures.values()))

    def _read_all(self) -> dict[str, Exception]:
        now = self._clock()
        failures: dict[str, Exception] = {}
        for name, read in self._readers.items():
            readings: Readings = {}
            try:
                readings = read(now)
            except NotImplementedError:
                pass  # psutil's word for what this platform lacks
            except Exception as error:  # noqa: BLE001 - whatever it is, it stops no other reader
                failures[name] = error
            self._write(name, readings)
        return failures

    def _write(self, reader: str, readings: Readings) -> None:
        gauges = self._gauges
        for key in self._written[reader].keys() - readings.keys():
            gauges[key].set(None)
        for key, value in readings.items():
            gauge = gauges.get(key)
            if gauge is None:
                gauge = gauges[key] = self._declare(*key)
            gauge.set(value)
        self._written[reader] = readings

    def _declare(self, name: str, label: str) -> Gauge:
        metric = _METRICS[name]
        labels = (metric.label,) if metric.label else ()
        gauge = self._registry.gauge(name, metric.title, unit=metric.unit, labels=labels, min=0, max=metric.max)
        return gauge.labels(**{metric.label: label}) if metric.label else gauge


class _Cpu:
    """How busy the cores were, each and together, since the reading before."""

    def __init__(self) -> None:
        self._at = nan
        self._times: list[tuple[float, float]] = []
        self._usage: list[float] = []

    def __call__(self, now: float) -> Readings:
        if now - self._at < MIN_ELAPSED_S:
            return self._readings()
        times = [_busy_and_idle(core) for core in psutil.cpu_times(percpu=True)]
        # With a core more or less, nobody can say which is which.
        same = len(times) == len(self._times)
        spent = [
            (max(0.0, busy - busy_before), max(0.0, idle - idle_before))
            for (busy, idle), (busy_before, idle_before) in zip(times, self._times if same else times, strict=True)
        ]
        together = sum(busy for busy, _ in spent), sum(idle for _, idle in spent)
        self._usage = [_share(busy, idle) for busy, idle in (together, *spent)]
        self._at, self._times = now, times
        return self._readings()

    def _readings(self) -> Readings:
        readings = {("cpu_core", str(core)): usage for core, usage in enumerate(self._usage[1:])}
        return {("cpu_usage", ""): self._usage[0], **readings}


def _busy_and_idle(times: object) -> tuple[float, float]:
    """Return the seconds that a core was busy and idle; waiting for a disk is idle, as in top."""
    spent: Mapping[str, float] = times._asdict()  # type: ignore[attr-defined]  # its fields differ by platform
    idle = spent["idle"] + spent.get("iowait", 0.0)
    # Linux counts a guest's time within the user time too (proc(5), /proc/stat).
    return sum(spent.values()) - idle - spent.get("guest", 0.0) - spent.get("guest_nice", 0.0), idle


def _share(busy: float, idle: float) -> float:
    return 100 * busy / (busy + idle) if busy + idle > 0 else nan


class _Rates:
    """Bytes per second, in and out, over all devices.

    Deltas are taken device by device: a counter that begins anew, or a device that comes or goes, adds nothing for
    once, and never makes a rate negative or huge.
    """

    def __init__(self, read: Callable[[], Totals], in_metric: str, out_metric: str) -> None:
        self._read = read
        self._in, self._out = (in_metric, ""), (out_metric, "")
        self._at = nan
        self._totals: Totals = {}
        self._readings: Readings = {}

    def __call__(self, now: float) -> Readings:
        elapsed_s = now - self._at
        if elapsed_s < MIN_ELAPSED_S:
            return self._readings
        totals = self._read()
        both = totals.keys() & self._totals.keys()
        if both:
            bytes_in = sum(max(0, totals[name][0] - self._totals[name][0]) for name in both)
            bytes_out = sum(max(0, totals[name][1] - self._totals[name][1]) for name in both)
            self._readings = {self._in: bytes_in / elapsed_s, self._out: bytes_out / elapsed_s}
        else:
            self._readings = {self._in: nan, self._out: nan} if totals else {}
        self._at, self._totals = now, totals
        return self._readings


def _disk_totals() -> Totals:
    """Return what the disks have read and written; partitions and volumes are parts of a disk."""
    # nowrap=False: psutil would keep and mend every counter it has seen; _Rates needs neither.
    disks = psutil.disk_io_counters(perdisk=True, nowrap=False)
    return {name: (disks[name].read_bytes, disks[name].write_bytes) for name in _with_device(disks, "/sys/block")}


def _network_totals() -> Totals:
    """Return what the network interfaces have received and sent."""
    interfaces = psutil.net_io_counters(pernic=True, nowrap=False)
    outside = [name for name in interfaces if not _is_loopback(name)]
    names = _with_device(outside, "/sys/class/net") or outside
    return {name: (interfaces[name].bytes_recv, interfaces[name].bytes_sent) for name in names}


def _is_loopback(interface: str) -> bool:
    """Tell Linux's ``lo``, BSD's and macOS's ``lo0``, and Windows' ``Loopback Pseudo-Interface 1``."""
    return interface.rstrip("0123456789") == "lo" or interface.startswith("Loopback")


def _with_device(names: Iterable[str], folder: str) -> list[str]:
    """Return those that are hardware, or a virtual machine's; elsewhere than on Linux there is no telling: all."""
    if sys.platform != "linux":
        return list(names)
    return [name for name in names if Path(folder, name, "device").exists()]


def _read_memory(now: float) -> Readings:
    return {("memory_usage", ""): psutil.virtual_memory().percent}


def _read_swap(now: float) -> Readings:
    swap = psutil.swap_memory()
    return {("swap_usage", ""): swap.percent} if swap.total else {}


def _read_load(now: float) -> Readings:
    if sys.platform == "win32":
        return {}  # psutil makes one up there, and it is 0 for the first seconds
    return {("load", span): load for span, load in zip(("1m", "5m", "15m"), psutil.getloadavg(), strict=True)}


def _read_disk_usage(now: float) -> Readings:
    return {("disk_usage", ""): psutil.disk_usage(str(Path(os.sep).resolve())).percent}
