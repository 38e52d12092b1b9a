import os
import sys
from collections.abc import Mapping
from math import isnan
from pathlib import Path
from typing import NamedTuple

import psutil
import pytest

from tickboard.sources.host import disks
from tickboard.sources.host.disks import ROOT, Disks, read_usage
from tickboard.sources.host.readings import MAX_DEVICES

MEGABYTE = 1_000_000


class Disk(NamedTuple):
    """The counters of a disk on Linux."""

    read_count: int
    write_count: int
    read_bytes: int
    write_bytes: int
    busy_time: int


class WindowsDisk(NamedTuple):
    read_count: int
    write_count: int
    read_bytes: int
    write_bytes: int


class Found:
    """Replaces psutil's counters; all of the disks have a device."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, found: Mapping[str, Disk | WindowsDisk]) -> None:
        self.found = found
        monkeypatch.setattr(psutil, "disk_io_counters", self._read)
        monkeypatch.setattr(disks, "with_device", lambda names, folder: list(names))

    def _read(self, perdisk: bool, nowrap: bool) -> dict[str, Disk | WindowsDisk]:
        assert perdisk
        assert not nowrap
        return dict(self.found)


def test_each_disk_and_the_total_have_rates(monkeypatch: pytest.MonkeyPatch) -> None:
    found = Found(monkeypatch, {"sda": Disk(10, 20, 0, 0, 0), "sdb": Disk(0, 0, 0, 0, 0)})
    read = Disks()
    assert isnan(read(100)["disk_read_rate", ""])
    found.found = {"sda": Disk(30, 20, 2 * MEGABYTE, 0, 500), "sdb": Disk(0, 8, 0, MEGABYTE, 2100)}
    assert read(102) == {
        ("disk_read_rate", ""): MEGABYTE,
        ("disk_write_rate", ""): MEGABYTE / 2,
        ("disk_device_read_rate", "sda"): MEGABYTE,
        ("disk_device_write_rate", "sda"): 0,
        ("disk_reads_rate", "sda"): 10,
        ("disk_writes_rate", "sda"): 0,
        ("disk_busy", "sda"): 25,
        ("disk_device_read_rate", "sdb"): 0,
        ("disk_device_write_rate", "sdb"): MEGABYTE / 2,
        ("disk_reads_rate", "sdb"): 0,
        ("disk_writes_rate", "sdb"): 4,
        # One tick of the kernel's clock too many.
        ("disk_busy", "sdb"): 100,
    }


def test_the_busy_time_is_omitted_where_the_platform_lacks_it(monkeypatch: pytest.MonkeyPatch) -> None:
    Found(monkeypatch, {"PhysicalDrive0": WindowsDisk(1, 1, 1, 1)})
    names = {name for name, _ in Disks()(100)}
    assert "disk_reads_rate" in names
    assert "disk_busy" not in names


def test_a_machine_without_disks_has_no_rates(monkeypatch: pytest.MonkeyPatch) -> None:
    Found(monkeypatch, {})
    assert Disks()(100) == {}


def test_the_number_of_disk_series_is_limited_and_totals_include_all(monkeypatch: pytest.MonkeyPatch) -> None:
    names = [f"sd{number:03}" for number in range(MAX_DEVICES + 10)]
    found = Found(monkeypatch, dict.fromkeys(names, Disk(0, 0, 0, 0, 0)))
    read = Disks()
    read(100)
    found.found = dict.fromkeys(names, Disk(0, 0, 1000, 0, 0))
    readings = read(101)
    assert readings["disk_read_rate", ""] == 1000 * len(names)
    assert sum(name == "disk_busy" for name, _ in readings) == MAX_DEVICES


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_the_rates_agree_with_proc(tmp_path: Path) -> None:
    read = Disks()
    before_first = _proc_disks()
    read(100)
    after_first = _proc_disks()
    with (tmp_path / "some bytes").open("wb") as file:
        file.write(b"x" * 4 * MEGABYTE)
        file.flush()
        os.fsync(file.fileno())
    before_second = _proc_disks()
    found = read(101)
    after_second = _proc_disks()
    if not before_first:
        pytest.skip("no disk of this machine has a device")
    for key in before_first:
        assert before_second[key] - after_first[key] <= found[key] <= after_second[key] - before_first[key]


def _proc_disks() -> dict[tuple[str, str], int]:
    """Return the counters of each disk with a device, and their totals."""
    found: dict[tuple[str, str], int] = {}
    for line in Path("/proc/diskstats").read_text().splitlines():
        _, _, name, reads, _, sectors_read, _, writes, _, sectors_written, *_ = line.split()
        if Path("/sys/block", name, "device").exists():
            found["disk_reads_rate", name] = int(reads)
            found["disk_writes_rate", name] = int(writes)
            for key, sectors in [("read", sectors_read), ("write", sectors_written)]:
                found[f"disk_device_{key}_rate", name] = 512 * int(sectors)
                found[f"disk_{key}_rate", ""] = found.get((f"disk_{key}_rate", ""), 0) + 512 * int(sectors)
    return found


def test_the_usage_of_the_root_agrees_with_the_file_system() -> None:
    usage = os.statvfs(ROOT)
    used, free = usage.f_blocks - usage.f_bfree, usage.f_bavail
    assert read_usage(0)["disk_usage", ""] == pytest.approx(100 * used / (used + free), abs=1)
