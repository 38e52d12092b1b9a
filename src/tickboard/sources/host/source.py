"""The source: reads everything that there is to read of the host, and writes it to a registry."""

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from time import monotonic
from typing import Final

from tickboard.errors import InputError, SampleError, TickboardError
from tickboard.metrics.handles import Gauge
from tickboard.metrics.registry import Registry
from tickboard.problems import described
from tickboard.sources.host import containers, cpu, disks, memory, network, pressure, processes, space, system
from tickboard.sources.host.readings import Held, Reader, Readings

METRICS: Final = {
    name: declared
    for part in (cpu, memory, system, disks, space, network, pressure, containers, processes)
    for name, declared in part.METRICS.items()
}

PERCENT_DECIMALS = 2
"""A percentage is told from counters that are coarser than that, and its further digits are a sixth of what history
keeps."""

RETIRE_S = 30.0
"""A labelled series that has had no value for so long leaves the registry: its process has ended, its disk is gone."""


class HostError(SampleError):
    """Some of the host could not be read; all the rest was.

    Attributes:
        failures: the exception of each reader that failed, by the reader's name.
    """

    def __init__(self, failures: Mapping[str, Exception]) -> None:
        # Their texts are anybody's, and may change each time.
        each = "; ".join(
            f"{name} ({error if isinstance(error, TickboardError) else type(error).__name__})"
            for name, error in failures.items()
        )
        detail = "\n".join(f"{name}: {described(error)}" for name, error in failures.items())
        super().__init__(f"cannot read from this host: {each}; everything else is up to date", detail)
        self.failures = dict(failures)


class Host:
    """The metrics of this machine; docs/host.md lists them.

    A metric is declared when there is first something to read: nearly always at once, as a host is read when it is
    made. Rates and CPU times are means over the time since the sample before.

    Args:
        registry: where to write.
        clock: seconds from any beginning, never going back.
        root: the root of the file system whose ``proc`` and ``sys`` tell of pressure, containers and processes.

    Raises:
        InputError: one of its metrics is already declared as something else.
    """

    def __init__(self, registry: Registry, clock: Callable[[], float] = monotonic, root: Path = Path("/")) -> None:
        self._registry = registry
        self._clock = clock
        self._gauges: dict[tuple[str, str], Gauge] = {}
        self._readers = _readers(root)
        self._written: dict[str, Readings] = {name: {} for name in self._readers}
        self._gone: dict[tuple[str, str], float] = {}
        for error in self._read_all().values():
            if isinstance(error, InputError):
                raise error

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
            try:
                self._write(name, readings, now)
            except TickboardError as error:
                # The registry is full, or somebody has declared the metric since.
                failures[name] = error
        self._retire(now)
        return failures

    def _write(self, reader: str, readings: Readings, now: float) -> None:
        gauges, before = self._gauges, self._written[reader]
        written: Readings = {}
        self._written[reader] = written
        for key in before.keys() - readings.keys():
            gauges[key].set(None)
            if key[1]:
                self._gone[key] = now
        for key, reading in readings.items():
            value = round(reading, PERCENT_DECIMALS) if METRICS[key[0]].unit == "%" else reading
            gauge = gauges.get(key)
            if gauge is None:
                gauge = gauges[key] = self._declare(*key)
            elif key not in before:
                self._gone.pop(key, None)
            # A gauge holds what it was set to, and much is the same each time.
            if before.get(key) != value:
                gauge.set(value)
            written[key] = value

    def _retire(self, now: float) -> None:
        retired = [key for key, since in self._gone.items() if now - since >= RETIRE_S]
        if retired:
            self._registry.remove(*(self._gauges.pop(key) for key in retired))
        for key in retired:
            del self._gone[key]

    def _declare(self, name: str, label: str) -> Gauge:
        metric = METRICS[name]
        labels = (metric.label,) if metric.label else ()
        low = None if metric.unit == "°C" else 0
        # A gauge is set when its value changes, which may be never; those that have none any more are removed.
        gauge = self._registry.gauge(
            name, metric.title, unit=metric.unit, labels=labels, min=low, max=metric.max, forget=False
        )
        return gauge.labels(**{metric.label: label}) if metric.label else gauge


def _readers(root: Path) -> dict[str, Reader]:
    everywhere: dict[str, Reader] = {
        "cpu": cpu.Cpu(root),
        "CPU frequency": Held(cpu.read_frequency),
        "temperature": Held(cpu.read_temperatures),
        "interrupts": cpu.Switches(),
        "memory": memory.read_memory,
        "swap": memory.Swap(),
        "load": system.read_load,
        "uptime": system.read_uptime,
        "disk usage": disks.read_usage,
        "disk rates": disks.Disks(),
        "disk space": space.Space(),
        "network rates": network.Network(),
        "processes": processes.Processes(processes.reader(root)),
    }
    if sys.platform != "linux":
        return everywhere
    return everywhere | {"pressure": pressure.Pressure(root), "container": _Made(lambda: containers.Container(root))}


class _Made:
    """A reader that is made when it is first called: what keeps it from being made is a failure of that reader alone.

    Args:
        make: makes it; tried again at each call until it succeeds.
    """

    def __init__(self, make: Callable[[], Reader]) -> None:
        self._make = make
        self._reader: Reader | None = None

    def __call__(self, now: float) -> Readings:
        self._reader = self._reader or self._make()
        return self._reader(now)
