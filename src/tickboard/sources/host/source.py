"""The source: reads all metrics of the host and writes them to a registry."""

import sys
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from time import monotonic
from typing import Final

from tickboard.errors import InputError, SampleError, TickboardError
from tickboard.metrics.handles import Gauge
from tickboard.metrics.registry import Registry
from tickboard.problems import described
from tickboard.sources.host import containers, cpu, disks, memory, network, pressure, processes, space, system
from tickboard.sources.host.readings import Held, HostReader, Label, Readings, listed

METRICS: Final = {
    name: declared
    for part in (cpu, memory, system, disks, space, network, pressure, containers, processes)
    for name, declared in part.METRICS.items()
}

PERCENT_DECIMALS = 2
"""The counters behind a percentage are coarser than this, and further digits would take a sixth of the history."""

RETIRE_S = 30.0
"""A labelled series without a value for this many seconds is removed: its process has ended or its disk is gone."""


class HostError(SampleError):
    """Part of the host could not be read; everything else was.

    Attributes:
        failures: the exception of each reader that failed, by the reader's name.
    """

    def __init__(self, failures: Mapping[str, Exception]) -> None:
        # The texts of other exceptions may contain anything, and may change each time.
        each = "; ".join(
            f"{name} ({error if isinstance(error, TickboardError) else type(error).__name__})"
            for name, error in failures.items()
        )
        detail = "\n".join(f"{name}: {described(error)}" for name, error in failures.items())
        super().__init__(f"cannot read from this host: {each}; everything else is up to date", detail)
        self.failures = dict(failures)


class Host:
    """The metrics of this machine; docs/host.md lists them.

    A metric is declared when it first has a reading: nearly always at once, since making a `Host` reads the host. Rates
    and CPU usage are means over the time since the sample before.

    Args:
        registry: where to write.
        clock: returns seconds since any start, never decreasing.
        root: the root of the file system whose ``proc`` and ``sys`` are read for pressure, containers and processes.
        overview: the names of the metrics that walls which follow the board keep.

    Raises:
        InputError: one of its metrics is already declared as something else.
    """

    def __init__(
        self,
        registry: Registry,
        clock: Callable[[], float] = monotonic,
        root: Path = Path("/"),
        overview: Collection[str] = (),
    ) -> None:
        self._registry = registry
        self._overview = overview
        self._clock = clock
        self._gauges: dict[tuple[str, Label], Gauge] = {}
        self._readers = _readers(root)
        self._written: dict[str, Readings] = {name: {} for name in self._readers}
        self._gone: dict[tuple[str, Label], float] = {}
        for error in self._read_all().values():
            if isinstance(error, InputError):
                raise error

    def sample(self) -> None:
        """Read everything once and set the values; a part that can't be read now has no value.

        Raises:
            HostError: something could not be read. It is raised at the end: all other values are set.
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
                pass  # how psutil reports that this platform lacks something
            except Exception as error:  # noqa: BLE001 - whatever it is, the other readers continue
                failures[name] = error
            try:
                self._write(name, readings, now)
            except TickboardError as error:
                # The registry is full, or the metric was declared elsewhere meanwhile.
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
            # A gauge holds its value, and many are the same each time.
            if before.get(key) != value:
                gauge.set(value)
            written[key] = value

    def _retire(self, now: float) -> None:
        retired = [key for key, since in self._gone.items() if now - since >= RETIRE_S]
        if retired:
            self._registry.remove(*(self._gauges.pop(key) for key in retired))
        for key in retired:
            del self._gone[key]

    def _declare(self, name: str, label: Label) -> Gauge:
        metric = METRICS[name]
        low = None if metric.unit == "°C" else 0
        # A gauge is set only when its value changes, which may be never; series without a value are removed here.
        gauge = self._registry.gauge(
            name,
            metric.title,
            unit=metric.unit,
            labels=metric.labels,
            min=low,
            max=metric.max,
            forget=False,
            overview=name in self._overview,
        )
        return gauge.labels(**dict(zip(metric.labels, listed(label), strict=True))) if label else gauge


def _readers(root: Path) -> dict[str, HostReader]:
    everywhere: dict[str, HostReader] = {
        "cpu": cpu.Cpu(root),
        "heat": Held(cpu.Heat(root)),
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
    """A reader that is made on its first call, so that failing to make it is only this reader's failure.

    Args:
        make: makes the reader; called again at each call until it succeeds.
    """

    def __init__(self, make: Callable[[], HostReader]) -> None:
        self._make = make
        self._reader: HostReader | None = None

    def __call__(self, now: float) -> Readings:
        self._reader = self._reader or self._make()
        return self._reader(now)
