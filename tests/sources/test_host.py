import os
import re
import sys
import time
from dataclasses import dataclass
from math import isnan
from pathlib import Path
from types import SimpleNamespace

import msgspec
import psutil
import pytest

from tickboard.errors import InputError
from tickboard.metrics.registry import Registry
from tickboard.sources.host import METRICS, Host, HostError, network
from tickboard.sources.host.readings import SLOW_S
from tickboard.sources.host.source import RETIRE_S

ROOT = Path(__file__).parents[2]

on_linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


@dataclass
class Clock:
    """A clock that a test advances."""

    now: float = 100.0

    def __call__(self) -> float:
        return self.now


def values(registry: Registry) -> dict[str, float]:
    row = registry.collect(1)
    return {series.key: float(row[series.column]) for series in registry.series}


def busy_for(seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        sum(range(1000))


# --- the real host ---


def test_the_real_host_has_plausible_values() -> None:
    registry, clock = Registry(), Clock()
    host = Host(registry, clock)
    busy_for(0.3)
    clock.now += 0.3
    host.sample()
    found = values(registry)
    assert 0 < found["cpu_usage"] <= 100
    cores = [value for key, value in found.items() if key.startswith("cpu_core")]
    assert len(cores) == psutil.cpu_count()
    for series in registry.series:
        value, info = found[series.key], series.metric
        assert isnan(value) or info.unit == "°C" or 0 <= value <= (info.max or float("inf")), series.key
    assert 0 < found["memory_usage"] < 100
    assert 0 < found["disk_usage"] <= 100


@on_linux
def test_memory_load_and_uptime_agree_with_proc() -> None:
    registry = Registry()
    Host(registry)
    found = values(registry)
    info = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
    total, available = (int(info[name].split()[0]) for name in ("MemTotal", "MemAvailable"))
    assert found["memory_usage"] == pytest.approx(100 * (total - available) / total, abs=2)
    load = [float(value) for value in Path("/proc/loadavg").read_text().split()[:3]]
    assert [found[f'load{{span="{span}"}}'] for span in ("1m", "5m", "15m")] == pytest.approx(load, abs=0.5)
    assert found["uptime"] == pytest.approx(float(Path("/proc/uptime").read_text().split()[0]), abs=30)


def test_other_platforms_compute_the_uptime_from_the_boot_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setattr(psutil, "boot_time", lambda: time.time() - 3600)
    registry = Registry()
    Host(registry)
    assert values(registry)["uptime"] == pytest.approx(3600, abs=30)


@on_linux
def test_cpu_usage_agrees_with_proc() -> None:
    registry = Registry()
    host, (busy_before, all_before) = Host(registry), _proc_stat()
    busy_for(0.5)
    host.sample()
    busy, everything = _proc_stat()
    found = values(registry)
    assert found["cpu_usage"] == pytest.approx(100 * (busy - busy_before) / (everything - all_before), abs=15)
    modes = {key: value for key, value in found.items() if key.startswith("cpu_mode")}
    spent = found["cpu_usage"] + modes.get('cpu_mode{mode="iowait"}', 0)
    # Each is rounded.
    assert sum(modes.values()) == pytest.approx(spent, abs=0.01 * (len(modes) + 2))


def test_percentages_have_two_decimals(monkeypatch: pytest.MonkeyPatch) -> None:
    swap = SimpleNamespace(total=300, used=100, percent=100 / 3, sin=0, sout=0)
    monkeypatch.setattr(psutil, "swap_memory", lambda: swap)
    registry = Registry()
    Host(registry)
    assert values(registry)["swap_usage"] == 33.33


def _proc_stat() -> tuple[int, int]:
    user, nice, system, idle, iowait, irq, softirq, steal = (
        int(ticks) for ticks in Path("/proc/stat").read_text().split()[1:9]
    )
    busy = user + nice + system + irq + softirq + steal
    return busy, busy + idle + iowait


# --- declared metrics ---


def test_metrics_have_titles_units_and_ranges() -> None:
    registry = Registry()
    Host(registry)
    cpu = registry.metrics["cpu_usage"]
    assert (cpu.title, cpu.unit, cpu.min, cpu.max, cpu.kind) == ("CPU Usage", "%", 0, 100, "gauge")
    assert registry.metrics["cpu_core"].labels == ["core"]
    assert registry.metrics["memory_usage"].title == "Memory"
    assert next(iter(registry.metrics)) == "cpu_usage"


@on_linux
def test_every_linux_machine_has_the_basic_metrics() -> None:
    registry = Registry()
    Host(registry)
    wanted = {
        "cpu_mode",
        "context_switches_rate",
        "memory_kind",
        "load",
        "uptime",
        "disk_space_usage",
        "process_memory",
    }
    assert wanted <= registry.metrics.keys()


def test_a_metric_declared_as_something_else_is_refused() -> None:
    registry = Registry()
    registry.counter("memory_usage")
    with pytest.raises(InputError, match="memory_usage"):
        Host(registry)


@pytest.mark.parametrize("name", METRICS)
def test_every_metric_is_documented_with_its_unit_and_label(name: str) -> None:
    lines = [line for line in (ROOT / "docs" / "host.md").read_text().splitlines() if line.startswith(f"| `{name}` |")]
    assert len(lines) == 1
    _, _, unit, label, *_ = (cell.strip() for cell in lines[0].split("|"))
    assert unit == METRICS[name].unit
    assert tuple(re.findall(r"`(\w+)`", label)) == METRICS[name].labels


def test_the_first_sample_has_no_rates_rather_than_zeros() -> None:
    registry, clock = Registry(), Clock()
    host = Host(registry, clock)
    clock.now += 0.05
    host.sample()
    found = values(registry)
    for name in ("cpu_usage", 'cpu_core{core="0"}', "context_switches_rate"):
        assert isnan(found[name])
    assert found["memory_usage"] > 0


def test_swap_may_appear_and_vanish(monkeypatch: pytest.MonkeyPatch) -> None:
    swap = SimpleNamespace(total=0, used=0, percent=0.0, sin=0, sout=0)
    monkeypatch.setattr(psutil, "swap_memory", lambda: swap)
    registry, clock = Registry(), Clock()
    host = Host(registry, clock)
    assert "swap_usage" not in registry.metrics
    swap.total, swap.used, swap.percent = 1000, 125, 12.5
    clock.now += SLOW_S
    host.sample()
    assert values(registry)["swap_usage"] == 12.5
    swap.total = 0
    clock.now += 1
    host.sample()
    assert isnan(values(registry)["swap_usage"])


def test_metrics_that_the_platform_lacks_are_omitted(monkeypatch: pytest.MonkeyPatch) -> None:
    def lacking(**how: bool) -> None:
        raise NotImplementedError("not here")

    monkeypatch.setattr(psutil, "disk_io_counters", lacking)
    monkeypatch.setattr(sys, "platform", "win32")
    registry = Registry()
    Host(registry).sample()
    assert not {"disk_read_rate", "load", "pressure_some"} & registry.metrics.keys()
    assert "memory_usage" in registry.metrics


@on_linux
def test_pressure_container_and_processes_are_read_below_the_root(tmp_path: Path) -> None:
    for name, text in {
        "proc/pressure/cpu": "some avg10=0 avg60=0 avg300=0 total=0\n",
        "proc/7/stat": "7 (alone) S 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 1 4096 2 0 0 0\n",
        "sys/fs/cgroup/cgroup.controllers": "memory\n",
        "sys/fs/cgroup/memory.max": "1000000\n",
        "sys/fs/cgroup/memory.current": "250000\n",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    registry = Registry()
    Host(registry, root=tmp_path)
    found = values(registry)
    assert found["container_memory_usage"] == 25
    assert found["processes"] == 1
    assert found[f'process_count{{process="alone",user="{os.getuid()}"}}'] == 1
    assert 'pressure_some{resource="cpu"}' in found


@on_linux
def test_hostile_process_names_are_sanitized(tmp_path: Path) -> None:
    for number, name in enumerate([b"\xff\xfe", b'"},{"', b"a\x00\x1b]\n", b"x" * 4000], 1):
        (tmp_path / f"proc/{number}").mkdir(parents=True)
        fields = b"S 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 1 4096 %d 0 0 0\n" % number
        (tmp_path / f"proc/{number}/stat").write_bytes(b"%d (%s) %s" % (number, name, fields))
    registry = Registry()
    Host(registry, root=tmp_path)
    labels = [dict(series.labels) for series in registry.series if series.metric.name == "process_memory"]
    assert sorted(label["process"] for label in labels) == [
        "'},{'",
        "a\ufffd\ufffd]\ufffd",
        "x" * 31 + "…" + "x" * 32,
        "\ufffd\ufffd",
    ]
    assert msgspec.json.decode(msgspec.json.encode(labels)) == labels


# --- devices that appear and vanish ---


def test_a_series_without_a_value_is_removed_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    counters = {
        name: SimpleNamespace(
            bytes_recv=1, bytes_sent=1, packets_recv=0, packets_sent=0, errin=0, errout=0, dropin=0, dropout=0
        )
        for name in ("eth0", "usb0")
    }
    monkeypatch.setattr(psutil, "net_io_counters", lambda pernic, nowrap: dict(counters))
    monkeypatch.setattr(network, "with_device", lambda names, folder: list(names))
    registry, clock = Registry(), Clock()
    host = Host(registry, clock)

    def rate() -> float | None:
        clock.now += 1
        host.sample()
        return values(registry).get('net_interface_sent_rate{interface="usb0"}')

    assert rate() == 0
    usb0 = counters.pop("usb0")
    unplugged = rate()
    assert unplugged is not None
    assert isnan(unplugged)
    clock.now += RETIRE_S
    assert rate() is None
    assert not [series for series in registry.series if ("interface", "usb0") in series.labels]
    assert values(registry)['net_interface_sent_rate{interface="eth0"}'] == 0
    counters["usb0"] = usb0
    rate()
    assert rate() == 0


def test_a_series_whose_device_returns_in_time_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    sensors = {"cpu": [SimpleNamespace(label="core", current=50.0)]}
    monkeypatch.setattr(psutil, "sensors_temperatures", lambda: dict(sensors), raising=False)
    registry, clock = Registry(), Clock()
    host = Host(registry, clock)
    key = 'temperature{sensor="cpu core"}'
    [column] = [series.column for series in registry.series if series.key == key]
    hot = sensors.pop("cpu")
    clock.now += SLOW_S
    host.sample()
    assert isnan(values(registry)[key])
    sensors["cpu"] = hot
    for _ in range(4):
        clock.now += SLOW_S
        host.sample()
    assert values(registry)[key] == 50
    assert [series.column for series in registry.series if series.key == key] == [column]


# --- readers that fail ---


def test_a_failing_reader_loses_its_value_and_affects_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    registry, clock = Registry(), Clock()
    host = Host(registry, clock)
    values(registry)

    def broken(*_: object, **__: object) -> SimpleNamespace:
        raise PermissionError("not for you")

    monkeypatch.setattr(psutil, "virtual_memory", broken)
    monkeypatch.setattr(psutil, "cpu_times", broken)
    busy_for(0.12)
    clock.now += 1
    with pytest.raises(HostError) as caught:
        host.sample()
    assert str(caught.value) == (
        "cannot read from this host: cpu (PermissionError); memory (PermissionError); everything else is up to date"
    )
    assert caught.value.detail == "cpu: PermissionError: not for you\nmemory: PermissionError: not for you"
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


def test_a_reader_that_fails_at_first_is_reported_and_declared_once_it_works(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(path: str) -> None:
        raise OSError("busy")

    monkeypatch.setattr(psutil, "disk_usage", broken)
    registry = Registry()
    host = Host(registry)
    with pytest.raises(HostError, match=r"disk usage \(OSError\)"):
        host.sample()
    assert "disk_usage" not in registry.metrics
    monkeypatch.undo()
    host.sample()
    assert values(registry)["disk_usage"] > 0


def test_a_full_registry_is_reported_and_the_existing_series_continue() -> None:
    cores = os.cpu_count() or 1
    registry, clock = Registry(max_series=1 + cores), Clock()
    host = Host(registry, clock)
    busy_for(0.12)
    clock.now += 1
    with pytest.raises(HostError, match="use fewer labels"):
        host.sample()
    assert values(registry)["cpu_usage"] >= 0
