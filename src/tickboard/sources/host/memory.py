"""Memory and swap: how much is in use, by which kinds, and how much moves between them."""

import sys
from math import inf
from typing import Final

import psutil

from tickboard.sources.host.devices import Counters, DeviceRates
from tickboard.sources.host.readings import SLOW_S, MetricSpec, Readings

METRICS: Final = {
    "memory_usage": MetricSpec("Memory", "%", max=100),
    "memory_kind": MetricSpec("Memory by Kind", "B", "kind"),
    "memory_available": MetricSpec("Memory Available", "B"),
    "swap_usage": MetricSpec("Swap", "%", max=100),
    "swap_used": MetricSpec("Swap Used", "B"),
    "swap_in_rate": MetricSpec("Swapped In", "B/s"),
    "swap_out_rate": MetricSpec("Swapped Out", "B/s"),
}


def read_memory(now: float) -> Readings:
    """Read the memory usage, and the memory by kinds, which do not overlap and add up to all of it."""
    memory = psutil.virtual_memory()
    return {
        ("memory_usage", ""): memory.percent,
        **{("memory_kind", kind): float(size) for kind, size in _kinds(memory).items()},
        ("memory_available", ""): memory.available,
    }


def _kinds(memory: object) -> dict[str, int]:
    """Divide the memory by what the platform reports.

    On Linux, psutil's ``used`` is not a part of the total: it is all that is not available, and overlaps the others.
    """
    sizes: dict[str, int] = memory._asdict()  # type: ignore[attr-defined]  # its fields differ by platform
    whole = sizes["total"]
    if "cached" in sizes and "buffers" in sizes:
        # Shared memory is counted in the cache, but cannot be freed like the rest of it.
        shared = min(sizes.get("shared", 0), sizes["cached"])
        kinds = {"shared": shared, "cached": sizes["cached"] - shared, "buffers": sizes["buffers"]}
    elif "wired" in sizes:
        # macOS: the rest is mostly compressed memory, which belongs to programs like ``used``.
        kinds = {"wired": sizes["wired"], "inactive": sizes["inactive"]}
    else:
        kinds = {}
    used = whole - sum(kinds.values()) - sizes["free"]
    return {"used": max(0, used), **kinds, "free": sizes["free"]}


class Swap:
    """How full the swap is, and its rates in and out; nothing without swap.

    Windows does not report the rates.
    """

    def __init__(self) -> None:
        self._rates = DeviceRates(self._counters)
        self._moved = (0, 0)
        self._due = -inf

    def __call__(self, now: float) -> Readings:
        if now < self._due:
            return {}
        swap = psutil.swap_memory()
        if not swap.total:
            # Swap is rarely added later.
            self._due = now + SLOW_S
            return {}
        readings: Readings = {("swap_usage", ""): swap.percent, ("swap_used", ""): swap.used}
        if sys.platform != "win32":
            self._moved = swap.sin, swap.sout
            readings["swap_in_rate", ""], readings["swap_out_rate", ""] = self._rates(now)[""]
        return readings

    def _counters(self) -> Counters:
        return {"": self._moved}
