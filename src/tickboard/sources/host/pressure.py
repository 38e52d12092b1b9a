"""Pressure: the share of the time in which somebody, or everybody, waited for CPU, memory or disks (Linux's PSI).

The format is in Linux's Documentation/accounting/psi.rst. Shares are told from the counters, as the averages beside
them are over ten seconds at least.
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
"""That all wait for the CPU at once is not defined for a whole machine: the kernel says 0 there."""


class Pressure:
    """The shares since the reading before; nothing where the kernel does not tell.

    Args:
        root: the root of the file system that ``proc/pressure`` is looked for in.
    """

    def __init__(self, root: Path) -> None:
        self._folder = str(root / "proc" / "pressure")
        self._rates = DeviceRates(self._counters)

    def __call__(self, now: float) -> Readings:
        # Microseconds a second, in percent.
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
