import os
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from math import isnan, nan
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

import psutil
import pytest

from tickboard.errors import InputError
from tickboard.series import Registry
from tickboard.sources.host import Host, HostError

on_linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

MEGABYTE = 1_000_000


@dataclass
class Clock:
    """Seconds that pass when the test says so."""

    now: float = 100.0

    def __call__(self) -> float:
        return self.now


class Swap(NamedTuple):
    total: int
    percent: float


class Disk(NamedTuple):
    read_bytes: int
    write_bytes: int


class Network(NamedTuple):
    bytes_recv: int
    bytes_sent: int


class Times(NamedTuple):
    """CPU times as Linux has them, where the time of guests is within user and nice."""

    user: float
    nice: float
    system: float
    idle: float
    iowait: float
    guest: float
    guest_nice: float


class BsdTimes(NamedTuple):
    user: float
    system: float
    idle: float


def values(registry: Registry) -> dict[str, float]:
    row = registry.collect(1)
    return {series.key: float(row[series.column]) for series in registry.series}


class Devices:
    """Stands for psutil's counters and for the devices behind them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, found: Mapping[str, tuple[int, int]], real: set[str]) -> None:
        self.found = dict(found)
        monkeypatch.setattr(psutil, "net_io_counters", self._network)
        monkeypatch.setattr(psutil, "disk_io_counters", self._disks)
        monkeypatch.setattr(
            "tickboard.sources.host._with_device", lambda names, folder: [name for name in names if name in real]
        )

    def _network(self, pernic: bool, nowrap: bool) -> dict[str, Network]:
        assert pernic
        assert not nowrap
        return {name: Network(*both) for name, both in self.found.items()}

    def _disks(self, perdisk: bool, nowrap: bool) -> dict[str, Disk]:
        assert perdisk
        assert not nowrap
        return {name: Disk(*both) for name, both in self.found.items()}


class Cores:
    """Stands for psutil's CPU times."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *cores: Times | BsdTimes) -> None:
        self.cores = list(cores)
        monkeypatch.setattr(psutil, "cpu_times", lambda percpu: list(self.cores))


# --- the real host ---


def test_the_real_host_has_plausible_values() -> None:
    registry, clock = Registry(), Clock()
    host = Host(registry, clock)
    _busy_for(0.3)
    clock.now += 0.3
    host.sample()
    found = values(registry)
    assert 0 < found["cpu_usage"] <= 100
    cores = [value for key, value in found.items() if key.startswith("cpu_core")]
    assert len(cores) == psutil.cpu_count()
    assert all(isnan(value) or 0 <= value <= 100 for value in cores)
    assert 0 < found["memory_usage"] < 100
    assert 0 < found["disk_usage"] <= 100
    for name in ("disk_read_rate", "disk_write_rate", "net_received_rate", "net_sent_rate"):
        assert name not in found or found[name] >= 0


@on_linux
def test_memory_and_load_agree_with_proc() -> None:
    registry = Registry()
    Host(registry)
    found = values(registry)
    meminfo = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
    total, available = (int(meminfo[name].split()[0]) for name in ("MemTotal", "MemAvailable"))
    assert found["memory_usage"] == pytest.approx(100 * (total - available) / total, abs=2)
    load = [float(value) for value in Path("/proc/loadavg").read_text().split()[:3]]
    assert [found[f'load{{span="{span}"}}'] for span in ("1m", "5m", "15m")] == pytest.approx(load, abs=0.5)


@on_linux
def test_cpu_usage_agrees_with_proc() -> None:
    registry = Registry()
    host, (busy_before, all_before) = Host(registry), _proc_stat()
    _busy_for(0.5)
    host.sample()
    busy, everything = _proc_stat()
    assert values(registry)["cpu_usage"] == pytest.approx(
        100 * (busy - busy_before) / (everything - all_before), abs=15
    )


def _proc_stat() -> tuple[int, int]:
    user, nice, system, idle, iowait, irq, softirq, steal = (
        int(ticks) for ticks in Path("/proc/stat").read_text().split()[1:9]
    )
    busy = user + nice + system + irq + softirq + steal
    return busy, busy + idle + iowait


@on_linux
def test_disk_and_network_rates_agree_with_proc(tmp_path: Path) -> None:
    registry, clock = Registry(), Clock()
    before_first = _proc_totals()
    host = Host(registry, clock)
    after_first = _proc_totals()
    with (tmp_path / "some bytes").open("wb") as file:
        file.write(b"x" * 4 * MEGABYTE)
        file.flush()
        os.fsync(file.fileno())
    clock.now += 1
    before_second = _proc_totals()
    host.sample()
    after_second = _proc_totals()
    found = values(registry)
    for name in before_first:
        assert before_second[name] - after_first[name] <= found[name] <= after_second[name] - before_first[name]


def _proc_totals() -> dict[str, int]:
    """Return the bytes so far of all devices, by the metric that they belong to; without any, nothing."""
    totals: dict[str, int] = {}
    for line in Path("/proc/diskstats").read_text().splitlines():
        _, _, name, _, _, sectors_read, _, _, _, sectors_written, *_ = line.split()
        if Path("/sys/block", name, "device").exists():
            totals["disk_read_rate"] = totals.get("disk_read_rate", 0) + 512 * int(sectors_read)
            totals["disk_write_rate"] = totals.get("disk_write_rate", 0) + 512 * int(sectors_written)
    for line in Path("/proc/net/dev").read_text().splitlines()[2:]:
        name, _, numbers = line.partition(":")
        if Path("/sys/class/net", name.strip(), "device").exists():
            received, sent = (int(numbers.split()[column]) for column in (0, 8))
            totals["net_received_rate"] = totals.get("net_received_rate", 0) + received
            totals["net_sent_rate"] = totals.get("net_sent_rate", 0) + sent
    return totals


def test_a_sample_costs_less_than_a_hundredth_of_a_core_at_one_a_second() -> None:
    clock = Clock()
    host = Host(Registry(), clock)
    started = time.process_time()
    for _ in range(20):
        clock.now += 1
        host.sample()
    assert (time.process_time() - started) / 20 < 0.010


def _busy_for(seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        sum(range(1000))


# --- what is declared ---


def test_metrics_have_titles_units_and_ranges() -> None:
    registry = Registry()
    Host(registry)
    cpu = registry.metrics["cpu_usage"]
    assert (cpu.title, cpu.unit, cpu.min, cpu.max, cpu.kind) == ("CPU Usage", "%", 0, 100, "gauge")
    assert registry.metrics["cpu_core"].labels == ["core"]
    assert registry.metrics["memory_usage"].title == "Memory"
    assert next(iter(registry.metrics)) == "cpu_usage"


def test_a_metric_declared_as_something_else_is_refused() -> None:
    registry = Registry()
    registry.counter("memory_usage")
    with pytest.raises(InputError, match="memory_usage"):
        Host(registry)


def test_the_first_sample_has_no_rate_and_never_a_made_up_zero(monkeypatch: pytest.MonkeyPatch) -> None:
    Devices(monkeypatch, {"eth0": (10, 10)}, real={"eth0"})
    registry, clock = Registry(), Clock()
    host = Host(registry, clock)
    clock.now += 0.05
    host.sample()
    found = values(registry)
    for name in ("cpu_usage", 'cpu_core{core="0"}', "disk_read_rate", "net_sent_rate"):
        assert isnan(found[name])
    assert found["memory_usage"] > 0


def test_swap_comes_and_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    swap = Swap(0, 0)
    monkeypatch.setattr(psutil, "swap_memory", lambda: swap)
    registry = Registry()
    host = Host(registry)
    assert "swap_usage" not in registry.metrics
    swap = Swap(1000, 12.5)
    host.sample()
    assert values(registry)["swap_usage"] == 12.5
    swap = Swap(0, 0)
    host.sample()
    assert isnan(values(registry)["swap_usage"])


def test_what_the_platform_lacks_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def lacking(**how: bool) -> None:
        raise NotImplementedError("not here")

    monkeypatch.setattr(psutil, "disk_io_counters", lacking)
    monkeypatch.setattr(sys, "platform", "win32")
    registry = Registry()
    Host(registry).sample()
    assert "disk_read_rate" not in registry.metrics
    assert "load" not in registry.metrics
    assert "memory_usage" in registry.metrics


# --- rates ---


def test_rates_are_deltas_over_the_time_that_really_passed(monkeypatch: pytest.MonkeyPatch) -> None:
    devices = Devices(monkeypatch, {"eth0": (0, 0), "sda": (5, 5)}, real={"eth0", "sda"})
    registry, clock = Registry(), Clock()
    host = Host(registry, clock)
    clock.now += 2.5
    devices.found = {"eth0": (5 * MEGABYTE, 0), "sda": (5, 5 + MEGABYTE)}
    host.sample()
    found = values(registry)
    assert found["net_received_rate"] == found["disk_read_rate"] == 2 * MEGABYTE
    assert found["net_sent_rate"] == found["disk_write_rate"] == 0.4 * MEGABYTE


def test_samples_close_together_keep_the_rate_and_lose_no_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    devices = Devices(monkeypatch, {"eth0": (0, 0)}, real={"eth0"})
    registry, clock = Registry(), Clock()
    host = Host(registry, clock)
    for received, now, rate in [(1000, 101, 1000), (1500, 101.05, 1000), (2000, 101.5, 2000)]:
        clock.now, devices.found = now, {"eth0": (received, 0)}
        host.sample()
        assert values(registry)["net_received_rate"] == rate


def test_a_counter_that_begins_anew_or_a_device_that_comes_or_goes_is_no_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    devices = Devices(monkeypatch, {"eth0": (9000, 9000), "eth1": (7000, 0)}, real={"eth0", "eth1", "usb0"})
    registry, clock = Registry(), Clock()
    host = Host(registry, clock)
    for found, received, sent in [
        ({"eth0": (100, 100), "eth1": (8000, 10)}, 1000, 10),
        ({"eth0": (200, 100), "usb0": (10**12, 10**12)}, 100, 0),
        ({"eth0": (200, 150), "usb0": (10**12 + 5, 10**12)}, 5, 50),
        ({"eth9": (5, 5)}, None, None),
    ]:
        clock.now += 1
        devices.found = found
        host.sample()
        rates = values(registry)
        if received is None:
            assert isnan(rates["net_received_rate"])
        else:
            assert (rates["net_received_rate"], rates["net_sent_rate"]) == (received, sent)


@pytest.mark.parametrize(
    ("interfaces", "real", "counted"),
    [
        # Through a device: the bridge and the VPN would count the same bytes again.
        (["lo", "eth0", "docker0", "wg0"], {"eth0"}, 1),
        # In a container there is none: all but the loopback.
        (["lo", "eth0", "eth1"], set[str](), 2),
        (["lo0", "en0", "loop_to_office"], set[str](), 2),
        (["Loopback Pseudo-Interface 1", "Ethernet"], set[str](), 1),
    ],
)
def test_bytes_are_counted_once_and_never_on_the_loopback(
    monkeypatch: pytest.MonkeyPatch, interfaces: list[str], real: set[str], counted: int
) -> None:
    devices = Devices(monkeypatch, dict.fromkeys(interfaces, (0, 0)), real)
    registry, clock = Registry(), Clock()
    host = Host(registry, clock)
    clock.now += 1
    devices.found = dict.fromkeys(interfaces, (1000, 0))
    host.sample()
    assert values(registry)["net_received_rate"] == counted * 1000


def test_a_host_with_the_loopback_alone_has_no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    Devices(monkeypatch, {"lo": (10, 10)}, real=set())
    registry = Registry()
    Host(registry)
    assert "net_received_rate" not in registry.metrics
    assert "disk_read_rate" not in registry.metrics


def test_elsewhere_than_on_linux_all_devices_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(psutil, "disk_io_counters", lambda perdisk, nowrap: {"disk0": Disk(1, 1)})
    registry = Registry()
    Host(registry)
    assert "disk_read_rate" in registry.metrics


# --- CPU ---


def test_waiting_for_a_disk_is_idle_and_a_guest_is_counted_once(monkeypatch: pytest.MonkeyPatch) -> None:
    cpu = Cores(monkeypatch, Times(10, 1, 5, 100, 20, 4, 1), Times(0, 0, 0, 0, 0, 0, 0))
    registry, clock = Registry(), Clock()
    host = Host(registry, clock)
    clock.now += 1
    cpu.cores = [Times(10.5, 1, 5, 100.25, 20.25, 4.5, 1), Times(0, 0, 0.25, 0.75, 0, 0, 0)]
    host.sample()
    found = values(registry)
    assert found['cpu_core{core="0"}'] == pytest.approx(50)
    assert found['cpu_core{core="1"}'] == pytest.approx(25)
    assert found["cpu_usage"] == pytest.approx(37.5)


def test_a_platform_without_iowait_and_guests_will_do(monkeypatch: pytest.MonkeyPatch) -> None:
    cpu = Cores(monkeypatch, BsdTimes(10, 10, 80))
    registry, clock = Registry(), Clock()
    host = Host(registry, clock)
    clock.now += 1
    cpu.cores = [BsdTimes(10.5, 10.25, 80.25)]
    host.sample()
    assert values(registry)["cpu_usage"] == pytest.approx(75)


def test_times_that_go_back_are_neither_negative_nor_above_a_hundred(monkeypatch: pytest.MonkeyPatch) -> None:
    cpu = Cores(monkeypatch, BsdTimes(10, 10, 80))
    registry, clock = Registry(), Clock()
    host = Host(registry, clock)
    for core, usage in [(BsdTimes(11, 10, 70), 100), (BsdTimes(5, 10, 71), 0), (BsdTimes(5, 10, 71), nan)]:
        clock.now += 1
        cpu.cores = [core]
        host.sample()
        assert values(registry)["cpu_usage"] == pytest.approx(usage, nan_ok=True)


def test_when_cores_come_or_go_there_is_no_value_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    cpu = Cores(monkeypatch, BsdTimes(1, 1, 1), BsdTimes(1, 1, 1))
    registry, clock = Registry(), Clock()
    host = Host(registry, clock)
    for cores, usage in [
        ([BsdTimes(2, 1, 1), BsdTimes(1, 1, 2)], [50, 100, 0]),
        ([BsdTimes(3, 1, 1)], [nan, nan, nan]),
        ([BsdTimes(3, 1, 2)], [0, 0, nan]),
    ]:
        clock.now += 1
        cpu.cores = list(cores)
        host.sample()
        found = values(registry)
        assert [found["cpu_usage"], found['cpu_core{core="0"}'], found['cpu_core{core="1"}']] == pytest.approx(
            usage, nan_ok=True
        )


# --- readers that fail ---


def test_a_broken_reader_stops_no_other_and_its_old_value_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    registry, clock = Registry(), Clock()
    host = Host(registry, clock)
    values(registry)

    def broken(*_: object, **__: object) -> SimpleNamespace:
        raise PermissionError("not for you")

    monkeypatch.setattr(psutil, "virtual_memory", broken)
    monkeypatch.setattr(psutil, "cpu_times", broken)
    _busy_for(0.12)
    clock.now += 1
    with pytest.raises(HostError) as caught:
        host.sample()
    assert str(caught.value) == (
        "cannot read from this host: cpu (PermissionError: not for you); memory (PermissionError: not for you); "
        "everything else is up to date"
    )
    assert list(caught.value.failures) == ["cpu", "memory"]
    assert caught.value.__cause__ is caught.value.failures["cpu"]
    found = values(registry)
    assert isnan(found["memory_usage"])
    assert isnan(found["cpu_usage"])
    assert found["disk_usage"] > 0

    monkeypatch.undo()
    clock.now += 1
    host.sample()
    found = values(registry)
    assert found["memory_usage"] > 0
    assert found["cpu_usage"] >= 0


def test_a_reader_that_is_broken_at_first_is_reported_and_declared_when_it_works(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken() -> None:
        raise OSError("busy")

    monkeypatch.setattr(psutil, "virtual_memory", broken)
    registry = Registry()
    host = Host(registry)
    with pytest.raises(HostError, match=r"memory \(OSError: busy\)"):
        host.sample()
    assert "memory_usage" not in registry.metrics
    monkeypatch.undo()
    host.sample()
    assert values(registry)["memory_usage"] > 0
