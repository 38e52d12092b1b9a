from math import isnan, nan
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

import psutil
import pytest

from tickboard.sources.host.cpu import MAX_SENSORS, Cpu, Heat, Switches, read_frequency, read_temperatures
from tickboard.sources.host.readings import Label, Readings


class Times(NamedTuple):
    """CPU times on Linux, where guest time is included in user and nice."""

    user: float
    nice: float
    system: float
    idle: float
    iowait: float
    guest: float
    guest_nice: float


class MacTimes(NamedTuple):
    user: float
    system: float
    idle: float


class WindowsTimes(NamedTuple):
    """CPU times on Windows, where interrupt time is included in system."""

    user: float
    system: float
    idle: float
    interrupt: float
    dpc: float


class Cores:
    """Replaces psutil's CPU times."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *cores: Times | MacTimes | WindowsTimes) -> None:
        self.cores = list(cores)
        monkeypatch.setattr(psutil, "cpu_times", lambda percpu: list(self.cores))


def modes(readings: Readings) -> dict[Label, float]:
    return {label: value for (name, label), value in readings.items() if name == "cpu_mode"}


def test_waiting_for_a_disk_is_idle_and_a_guest_is_counted_once(monkeypatch: pytest.MonkeyPatch) -> None:
    host = Cores(monkeypatch, Times(10, 1, 5, 100, 20, 4, 1), Times(0, 0, 0, 0, 0, 0, 0))
    cpu = Cpu()
    cpu(100)
    host.cores = [Times(10.5, 1, 5, 100.25, 20.25, 4.5, 1), Times(0, 0, 0.25, 0.75, 0, 0, 0)]
    found = cpu(101)
    assert found["cpu_core", "0"] == pytest.approx(50)
    assert found["cpu_core", "1"] == pytest.approx(25)
    assert found["cpu_usage", ""] == pytest.approx(37.5)
    assert modes(found) == pytest.approx({"user": 25, "nice": 0, "system": 12.5, "iowait": 12.5})


def test_a_mode_that_was_never_used_is_omitted(monkeypatch: pytest.MonkeyPatch) -> None:
    host = Cores(monkeypatch, Times(10, 0, 5, 100, 0, 0, 0))
    cpu = Cpu()
    assert list(modes(cpu(100))) == ["user", "system"]
    host.cores = [Times(10.5, 0.25, 5, 100.25, 0, 0, 0)]
    assert modes(cpu(101)) == pytest.approx({"user": 50, "system": 0, "nice": 25})


def test_macos_has_no_iowait_and_no_guest_time(monkeypatch: pytest.MonkeyPatch) -> None:
    host = Cores(monkeypatch, MacTimes(10, 10, 80))
    cpu = Cpu()
    cpu(100)
    host.cores = [MacTimes(10.5, 10.25, 80.25)]
    found = cpu(101)
    assert found["cpu_usage", ""] == pytest.approx(75)
    assert modes(found) == pytest.approx({"user": 50, "system": 25})


def test_windows_includes_interrupts_in_system_time(monkeypatch: pytest.MonkeyPatch) -> None:
    host = Cores(monkeypatch, WindowsTimes(10, 10, 80, 1, 1))
    cpu = Cpu()
    cpu(100)
    host.cores = [WindowsTimes(10.25, 10.25, 80.5, 1.125, 1.125)]
    found = cpu(101)
    assert found["cpu_usage", ""] == pytest.approx(50)
    assert modes(found) == pytest.approx({"user": 25, "system": 25})


def test_decreasing_times_keep_the_usage_between_0_and_100(monkeypatch: pytest.MonkeyPatch) -> None:
    host = Cores(monkeypatch, MacTimes(10, 10, 80))
    cpu = Cpu()
    cpu(100)
    for now, core, usage in [
        (101, MacTimes(11, 10, 70), 100),
        (102, MacTimes(5, 10, 71), 0),
        (103, MacTimes(5, 10, 71), nan),
    ]:
        host.cores = [core]
        assert cpu(now)["cpu_usage", ""] == pytest.approx(usage, nan_ok=True)


def test_unnumbered_cores_that_appear_or_vanish_cost_one_value(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    host = Cores(monkeypatch, MacTimes(1, 1, 1), MacTimes(1, 1, 1))
    cpu = Cpu(tmp_path)
    cpu(100)
    for now, cores, usage in [
        (101, [MacTimes(2, 1, 1), MacTimes(1, 1, 2)], [50, 100, 0]),
        (102, [MacTimes(3, 1, 1)], [nan, nan]),
        (103, [MacTimes(3, 1, 2)], [0, 0]),
    ]:
        host.cores = list(cores)
        found = cpu(now)
        kept = [value for (name, _), value in found.items() if name in {"cpu_usage", "cpu_core"}]
        assert kept == pytest.approx(usage, nan_ok=True)


def test_readings_close_together_return_the_previous_usage(monkeypatch: pytest.MonkeyPatch) -> None:
    host = Cores(monkeypatch, MacTimes(1, 1, 1))
    cpu = Cpu()
    cpu(100)
    host.cores = [MacTimes(2, 1, 1)]
    before = cpu(101)
    host.cores = [MacTimes(2, 1, 9)]
    assert cpu(101.05) == before


def test_the_frequency_is_omitted_where_it_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    for frequency, expected in [
        (SimpleNamespace(current=2400.5), {("cpu_frequency", ""): 2400.5}),
        (SimpleNamespace(current=0.0), {}),
        (None, {}),
    ]:
        monkeypatch.setattr(psutil, "cpu_freq", lambda found=frequency: found, raising=False)
        assert read_frequency(0) == expected
    monkeypatch.delattr(psutil, "cpu_freq")
    assert read_frequency(0) == {}


def test_temperatures_are_labelled_by_chip_and_sensor(monkeypatch: pytest.MonkeyPatch) -> None:
    found = {
        "coretemp": [
            SimpleNamespace(label="Package id 0", current=51.0),
            SimpleNamespace(label="", current=-3.5),
        ],
        "nvme\udcff": [SimpleNamespace(label='"hot"\n', current=40.0)],
    }
    monkeypatch.setattr(psutil, "sensors_temperatures", lambda: found, raising=False)
    assert read_temperatures(0) == {
        ("temperature", "coretemp Package id 0"): 51.0,
        ("temperature", "coretemp 2"): -3.5,
        ("temperature", "nvme\ufffd 'hot'\ufffd"): 40.0,
    }
    found["many"] = [SimpleNamespace(label=f"Core {number}", current=30.0) for number in range(64)]
    assert len(read_temperatures(0)) == MAX_SENSORS
    monkeypatch.delattr(psutil, "sensors_temperatures")
    assert read_temperatures(0) == {}


def test_sensors_with_one_label_are_numbered(monkeypatch: pytest.MonkeyPatch) -> None:
    disks = [SimpleNamespace(label="Composite", current=float(celsius)) for celsius in (41, 62, 43)]
    monkeypatch.setattr(psutil, "sensors_temperatures", lambda: {"nvme": disks}, raising=False)
    assert read_temperatures(0) == {
        ("temperature", "nvme Composite"): 41.0,
        ("temperature", "nvme Composite #2"): 62.0,
        ("temperature", "nvme Composite #3"): 43.0,
    }


def test_the_hottest_core_or_package_says_how_much_heat_slows_down(tmp_path: Path) -> None:
    read = Heat(tmp_path)
    assert read(100) == {}

    def count(core: int, of: str, milliseconds: int) -> None:
        folder = tmp_path / f"sys/devices/system/cpu/cpu{core}/thermal_throttle"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{of}_throttle_total_time_ms").write_text(f"{milliseconds}\n")
        (folder / f"{of}_throttle_count").write_text("7\n")

    for core in (0, 1):
        count(core, "core", 5000)
        count(core, "package", 9000)
    assert isnan(read(110)["cpu_hot", ""])
    assert read(120)["cpu_hot", ""] == 0
    count(1, "core", 7500)
    assert read(130)["cpu_hot", ""] == 25
    count(0, "package", 90_000)
    assert read(140)["cpu_hot", ""] == 100
    # The file of a core that goes offline is still listed, but cannot be read.
    gone = tmp_path / "sys/devices/system/cpu/cpu1/thermal_throttle/core_throttle_total_time_ms"
    gone.unlink()
    gone.symlink_to(tmp_path / "none")
    count(0, "core", 8000)
    assert read(150)["cpu_hot", ""] == 30


def stat(root: Path, *numbers: int) -> None:
    (root / "proc").mkdir(exist_ok=True)
    cores = "".join(f"cpu{number} 10 0 5 100 0 0 0 0 0 0\n" for number in numbers)
    (root / "proc" / "stat").write_text(f"cpu  20 0 10 200 0 0 0 0 0 0\n{cores}intr 12 cpu9 \nctxt 5\n")


def test_cores_have_the_numbers_of_the_kernel(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    stat(tmp_path, 0, 2, 3)
    host = Cores(monkeypatch, MacTimes(1, 1, 10), MacTimes(1, 1, 10), MacTimes(1, 1, 10))
    cpu = Cpu(tmp_path)
    cpu(100)
    host.cores = [MacTimes(1, 1, 11), MacTimes(1.5, 1, 10.5), MacTimes(2, 1, 10)]
    found = cpu(101)
    cores = {label: value for (name, label), value in found.items() if name == "cpu_core"}
    assert cores == pytest.approx({"0": 0, "2": 50, "3": 100})
    # Core 1 comes back and core 3 vanishes: the others continue.
    stat(tmp_path, 0, 1, 2)
    host.cores = [MacTimes(2, 1, 11), MacTimes(9, 9, 9), MacTimes(1.5, 1, 11.5)]
    found = cpu(102)
    cores = {label: value for (name, label), value in found.items() if name == "cpu_core"}
    assert cores == pytest.approx({"0": 100, "1": nan, "2": 0}, nan_ok=True)
    assert found["cpu_usage", ""] == pytest.approx(50)


def test_cores_are_numbered_in_order_without_numbers_from_the_kernel(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    Cores(monkeypatch, MacTimes(1, 1, 10), MacTimes(1, 1, 10))
    assert ("cpu_core", "1") in Cpu(tmp_path)(100)
    stat(tmp_path, 4)
    assert ("cpu_core", "1") in Cpu(tmp_path)(100)


def test_a_machine_without_cores_is_a_failure(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    Cores(monkeypatch)
    with pytest.raises(OSError, match="has no cores"):
        Cpu(tmp_path)(100)


def test_switches_and_interrupts_agree_with_the_kernel() -> None:
    switches = Switches()
    before_first = _counted()
    assert all(isnan(rate) for rate in switches(100).values())
    after_first = _counted()
    for number in range(50):
        Path(f"/proc/self/fdinfo/{number}").exists()
    before_second = _counted()
    found = switches(102)
    after_second = _counted()
    for place, name in enumerate(("context_switches_rate", "interrupts_rate")):
        least = (before_second[place] - after_first[place]) / 2
        most = (after_second[place] - before_first[place]) / 2
        assert least <= found[name, ""] <= most


def _counted() -> tuple[int, int]:
    stats = psutil.cpu_stats()
    return stats.ctx_switches, stats.interrupts
