"""Counters of devices, and their rates."""

import sys
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from math import isnan, nan
from pathlib import Path

from tickboard.sources.host.readings import MIN_ELAPSED_S

Counters = Mapping[str, tuple[float, ...]]
"""What each device has counted since it was started, always in the same order."""


class DeviceRates:
    """What each device has counted since the reading before, per second.

    The rates of a new device are NaN. A counter that has restarted counts as unchanged for one reading, so that no rate
    is ever negative or huge. A reading less than `MIN_ELAPSED_S` after the last one returns the same rates.
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
    """Return the sum over all devices that have a rate; NaN if none has."""
    known = [rate[place] for rate in rates.values() if not isnan(rate[place])]
    return sum(known) if known else nan


def with_device(names: Iterable[str], folder: str) -> list[str]:
    """Return the names of devices with real or virtual hardware behind them; on other systems than Linux, all names."""
    return list(_with_device(tuple(names), folder)) if sys.platform == "linux" else list(names)


# Cached until a device appears or disappears, since it costs more than reading the counters.
@lru_cache(4)
def _with_device(names: tuple[str, ...], folder: str) -> tuple[str, ...]:
    # A device such as "cciss/c0d0" has "!" in place of "/" in /sys.
    return tuple(name for name in names if Path(folder, name.replace("/", "!"), "device").exists())
