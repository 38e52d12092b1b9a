"""Counters of devices, and the rates that they come to."""

import sys
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from math import isnan, nan
from pathlib import Path

from tickboard.sources.host.readings import MIN_ELAPSED_S

Counters = Mapping[str, tuple[float, ...]]
"""For each device what it has counted since it was started, always in the same order."""


class DeviceRates:
    """Per second, what each device has counted since the reading before.

    A device that was not there then has NaN. A counter that begins anew adds nothing for once, so that no rate is ever
    negative or huge. Readings closer together than `MIN_ELAPSED_S` keep the rates.
    """

    def __init__(self, read: Callable[[], Counters]) -> None:
        self._read = read
        self._at = nan
        self._before: Counters = {}
        self._rates: Counters = {}

    def __call__(self, now: float) -> Counters:
        elapsed_s = now - self._at
        if elapsed_s < MIN_ELAPSED_S:
            return self._rates
        counters = self._read()
        self._rates = {
            name: _per_second(counted, self._before.get(name), elapsed_s) for name, counted in counters.items()
        }
        self._at, self._before = now, counters
        return self._rates


def _per_second(counted: tuple[float, ...], before: tuple[float, ...] | None, elapsed_s: float) -> tuple[float, ...]:
    if before is None:
        return (nan,) * len(counted)
    return tuple(max(0.0, new - old) / elapsed_s for new, old in zip(counted, before, strict=True))


def total(rates: Counters, place: int) -> float:
    """Return the sum over all devices that have a rate, NaN when none has."""
    known = [rate[place] for rate in rates.values() if not isnan(rate[place])]
    return sum(known) if known else nan


def with_device(names: Iterable[str], folder: str) -> list[str]:
    """Return those that are hardware, or a virtual machine's; elsewhere than on Linux there is no telling: all."""
    return list(_with_device(tuple(names), folder)) if sys.platform == "linux" else list(names)


# Looked up again when something has come or gone: it costs more than to read what they have counted.
@lru_cache(4)
def _with_device(names: tuple[str, ...], folder: str) -> tuple[str, ...]:
    # A device such as "cciss/c0d0" has the "/" as "!" in /sys.
    return tuple(name for name in names if Path(folder, name.replace("/", "!"), "device").exists())
