"""Pressure: the share of time in which some or all tasks waited for CPU, memory or disks (Linux's PSI).

The format is described in Linux's Documentation/accounting/psi.rst. Shares are computed from the counters, since the
averages beside them cover ten seconds at least.
"""

from errno import EOPNOTSUPP
from pathlib import Path
from typing import Final

from tickboard.sources.host.devices import Counters, DeviceRates
from tickboard.sources.host.readings import MetricSpec, Readings, read_file

METRICS: Final = {
    "pressure_some": MetricSpec("Pressure, Some Wait", "%", "resource", max=100),
    "pressure_full": MetricSpec("Pressure, All Wait", "%", "resource", max=100),
}

_RESOURCES: Final = {"cpu": ("some",), "memory": ("some", "full"), "io": ("some", "full")}
"""For CPU, ``full`` is undefined for a whole machine: the kernel reports 0."""


class Pressure:
    """The shares since the reading before; nothing if the kernel does not report pressure.

    Args:
        root: the root of the file system in which ``proc/pressure`` is read.
    """

    def __init__(self, root: Path) -> None:
        self._folder = str(root / "proc" / "pressure")
        self._rates = DeviceRates(self._counters)

    def __call__(self, now: float) -> Readings:
        # Microseconds per second, in percent.
        return {
            (f"pressure_{who}", resource): min(rate / 10_000, 100)
            for resource, rates in self._rates(now).items()
            for who, rate in zip(_RESOURCES[resource], rates, strict=True)
        }

    def _counters(self) -> Counters:
        found = {}
        for resource, wanted in _RESOURCES.items():
            try:
                lines = read_file(f"{self._folder}/{resource}").decode().splitlines()
            except (FileNotFoundError, NotADirectoryError, PermissionError):
                continue
            except OSError as error:
                if error.errno == EOPNOTSUPP:  # the kernel was started with psi=0
                    continue
                raise
            totals = {
                who: float(rest.rpartition("total=")[2]) for who, _, rest in (line.partition(" ") for line in lines)
            }
            found[resource] = tuple(totals[who] for who in wanted)
        return found
