"""The processor: usage by core and mode, frequency, temperature, throttling, context switches and interrupts."""

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from itertools import islice
from math import isnan, nan
from pathlib import Path
from typing import Final

import psutil

from tickboard.metrics.naming import safe_labels
from tickboard.sources.host.devices import Counters, DeviceRates
from tickboard.sources.host.readings import MIN_ELAPSED_S, MetricSpec, Readings

METRICS: Final = {
    "cpu_usage": MetricSpec("CPU Usage", "%", max=100),
    "cpu_core": MetricSpec("CPU Cores", "%", "core", max=100),
    "cpu_mode": MetricSpec("CPU by Mode", "%", "mode", max=100),
    "cpu_frequency": MetricSpec("CPU Frequency", "MHz"),
    "cpu_hot": MetricSpec("CPU Slowed by Heat", "%", max=100),
    "temperature": MetricSpec("Temperature", "°C", "sensor"),
    "context_switches_rate": MetricSpec("Context Switches", "/s"),
    "interrupts_rate": MetricSpec("Interrupts", "/s"),
}

MAX_SENSORS = 16

_IDLE = ("idle", "iowait")
"""Waiting for a disk counts as idle, as in top."""

_MODES = ("user", "system", "iowait", "steal", "nice", "softirq", "irq")

_WITHIN_OTHERS = ("guest", "guest_nice", "interrupt", "dpc")
"""Linux counts a guest's time within user and nice (proc(5), /proc/stat), Windows interrupts within the kernel's."""


class Cpu:
    """The usage of each core, of all together, and by mode, since the reading before."""

    def __init__(self, root: Path = Path("/")) -> None:
        self._stat = root / "proc" / "stat"
        self._at = nan
        self._times: dict[int, Mapping[str, float]] = {}
        self._readings: Readings = {}

    def __call__(self, now: float) -> Readings:
        if now - self._at < MIN_ELAPSED_S:
            return self._readings
        times, are_numbered = self._read()
        # Without numbers, cores cannot be matched if there are more or fewer than before.
        before = self._times if are_numbered or len(times) == len(self._times) else times
        # Nothing is known yet of a core that was not there before.
        spent = {number: _spent(core, before.get(number, core)) for number, core in times.items()}
        together = {mode: sum(core[mode] for core in spent.values()) for mode in next(iter(spent.values()))}
        all_s = sum(together.values())
        self._readings = {
            ("cpu_usage", ""): _usage(together),
            **{("cpu_core", str(number)): _usage(core) for number, core in spent.items()},
            **{("cpu_mode", mode): _share(together[mode], all_s) for mode in _modes(list(times.values()))},
        }
        self._at, self._times = now, times
        return self._readings

    def _read(self) -> tuple[dict[int, Mapping[str, float]], bool]:
        """Return the times of each core by its number, and whether that is the kernel's; otherwise they are counted."""
        before = self._numbers()
        # A core's fields differ by platform.
        times: list[Mapping[str, float]] = [core._asdict() for core in psutil.cpu_times(percpu=True)]
        if not times:
            raise OSError(f"{self._stat} has no cores")
        numbers = self._numbers()
        # Between the two reads, one core may have gone offline and another online.
        are_numbered = numbers == before and len(numbers) == len(times)
        return dict(zip(numbers if are_numbered else range(len(times)), times, strict=True)), are_numbered

    def _numbers(self) -> list[int]:
        """Return the kernel's numbers of the cores online; psutil lists these cores, but without the numbers.

        Empty if the kernel does not say.
        """
        try:
            found = _CORE.findall(self._stat.read_bytes())
        except OSError:
            return []
        return [int(number) for number in found]


_CORE = re.compile(rb"^cpu(\d+) ", re.MULTILINE)


def _spent(times: Mapping[str, float], before: Mapping[str, float]) -> dict[str, float]:
    """Return the seconds that a core has spent in each mode; a time that decreases counts as 0."""
    return {mode: max(0.0, time - before[mode]) for mode, time in times.items() if mode not in _WITHIN_OTHERS}


def _modes(times: Sequence[Mapping[str, float]]) -> list[str]:
    """Return the modes to show, the most informative first.

    A mode that the machine has never been in, such as steal on one that is not virtual, is left out.
    """
    known = (*_MODES, *(mode for mode in times[0] if mode not in {*_MODES, *_WITHIN_OTHERS, "idle"}))
    return [mode for mode in known if any(core.get(mode) for core in times)]


def _usage(spent: Mapping[str, float]) -> float:
    all_s = sum(spent.values())
    return _share(all_s - sum(spent.get(mode, 0.0) for mode in _IDLE), all_s)


def _share(part: float, whole: float) -> float:
    return 100 * part / whole if whole > 0 else nan


def read_frequency(now: float) -> Readings:
    """Read the mean frequency of the cores; most virtual machines do not know it."""
    frequency = psutil.cpu_freq() if hasattr(psutil, "cpu_freq") else None
    return {("cpu_frequency", ""): frequency.current} if frequency is not None and frequency.current > 0 else {}


def read_temperatures(now: float) -> Readings:
    """Read the sensors that psutil finds, on Linux and FreeBSD; chip and sensor are the label."""
    if not hasattr(psutil, "sensors_temperatures"):
        return {}
    found: dict[str, float] = {}
    for chip, sensors in psutil.sensors_temperatures().items():
        for number, sensor in enumerate(sensors, 1):
            name = f"{chip} {sensor.label or number}"
            # psutil treats two disks of one model as one chip, with sensors of the same label.
            same = next(count for count in range(1, len(found) + 2) if _numbered(name, count) not in found)
            found[_numbered(name, same)] = sensor.current
    labels = safe_labels(found)
    return {("temperature", labels[name]): celsius for name, celsius in islice(found.items(), MAX_SENSORS)}


def _numbered(name: str, count: int) -> str:
    return name if count == 1 else f"{name} #{count}"


class Heat:
    """The share of time in which heat slowed the CPU down: that of the core or package with the largest.

    Intel's processors have counters of it, in milliseconds, described in Linux's
    Documentation/admin-guide/thermal/intel_thermal_throttle.rst.

    Args:
        root: the root of the file system in which ``sys/devices/system/cpu`` is read.
    """

    def __init__(self, root: Path) -> None:
        self._folder = root / "sys" / "devices" / "system" / "cpu"
        self._rates = DeviceRates(self._counters)

    def __call__(self, now: float) -> Readings:
        rates = [rate for (rate,) in self._rates(now).values()]
        known = [rate for rate in rates if not isnan(rate)]
        # Milliseconds per second, in percent.
        return {("cpu_hot", ""): min(100, max(known) / 10) if known else nan} if rates else {}

    def _counters(self) -> Counters:
        counters: dict[str, tuple[float, ...]] = {}
        for file in self._folder.glob("cpu[0-9]*/thermal_throttle/*_throttle_total_time_ms"):
            with suppress(OSError):  # its core has gone offline since
                counters[str(file)] = (float(file.read_text()),)
        return counters


class Switches:
    """How often the cores switched between tasks and were interrupted."""

    def __init__(self) -> None:
        self._rates = DeviceRates(_read_switches)

    def __call__(self, now: float) -> Readings:
        switches, interrupts = self._rates(now)[""]
        return {("context_switches_rate", ""): switches, ("interrupts_rate", ""): interrupts}


def _read_switches() -> Counters:
    stats = psutil.cpu_stats()
    return {"": (stats.ctx_switches, stats.interrupts)}
