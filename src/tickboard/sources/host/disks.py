"""Disks: their reads, writes and busy time, and how full the root is."""

import os
from pathlib import Path
from typing import Any, Final

import psutil

from tickboard.metrics.naming import safe_labels
from tickboard.sources.host.devices import Counters, DeviceRates, total, with_device
from tickboard.sources.host.readings import MAX_DEVICES, MetricSpec, Readings

METRICS: Final = {
    "disk_usage": MetricSpec("Disk Usage", "%", max=100),
    "disk_read_rate": MetricSpec("Disk Read", "B/s"),
    "disk_write_rate": MetricSpec("Disk Write", "B/s"),
    "disk_device_read_rate": MetricSpec("Device Read", "B/s", "device"),
    "disk_device_write_rate": MetricSpec("Device Write", "B/s", "device"),
    "disk_reads_rate": MetricSpec("Disk Reads", "ops/s", "device"),
    "disk_writes_rate": MetricSpec("Disk Writes", "ops/s", "device"),
    "disk_busy": MetricSpec("Disk Busy", "%", "device", max=100),
}

_BY_DEVICE: Final = ("disk_device_read_rate", "disk_device_write_rate", "disk_reads_rate", "disk_writes_rate")

ROOT: Final = str(Path(os.sep).resolve())
"""On Windows, the root of the drive on which Tickboard was started."""


def read_usage(now: float) -> Readings:
    """Read how full the root file system is."""
    return {("disk_usage", ""): psutil.disk_usage(ROOT).percent}


class Disks:
    """Reads and writes of all disks together and of each disk, and how busy each is where the platform reports it.

    Only disks with a device behind them count: partitions and volumes are parts of one.
    """

    def __init__(self) -> None:
        self._rates = DeviceRates(_counters)

    def __call__(self, now: float) -> Readings:
        rates = self._rates(now)
        if not rates:
            return {}
        readings: Readings = {("disk_read_rate", ""): total(rates, 0), ("disk_write_rate", ""): total(rates, 1)}
        labels = safe_labels(rates)
        for device in sorted(rates)[:MAX_DEVICES]:
            label = labels[device]
            read_write, busy_ms = rates[device][:4], rates[device][4:]
            readings |= {(metric, label): rate for metric, rate in zip(_BY_DEVICE, read_write, strict=True)}
            if busy_ms:
                # Milliseconds per second, in percent. Counted in clock ticks, it is sometimes a little above 100.
                readings["disk_busy", label] = min(busy_ms[0] / 10, 100)
        return readings


def _counters() -> Counters:
    # nowrap=False: psutil would store and correct every counter, which DeviceRates does not need.
    disks = psutil.disk_io_counters(perdisk=True, nowrap=False)
    return {name: _counted(disks[name]) for name in with_device(disks, "/sys/block")}


def _counted(disk: Any) -> tuple[float, ...]:
    """Return bytes and operations read and written, and the milliseconds that it was busy if known."""
    counted = disk.read_bytes, disk.write_bytes, disk.read_count, disk.write_count
    # Linux and FreeBSD have it.
    return (*counted, disk.busy_time) if hasattr(disk, "busy_time") else counted
