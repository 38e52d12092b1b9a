"""What all readers of the host share: the shape of what they read, and readings that are held for a while because they
are dear and change slowly.

A reader is called with a time in seconds (from any beginning, and never going back) and returns its readings. It knows
neither the registry nor the clock.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from math import inf

MIN_ELAPSED_S = 0.1
"""Rates are told from readings at least this far apart: the kernel counts CPU time in steps of 0.01 s."""

EARLY_S = 0.25
"""What is read every few seconds may be read this much too early: a tick is never exactly on its second."""

SLOW_S = 10.0
"""Between two readings of what is dear to read, and changes slowly or is not there."""

MAX_DEVICES = 64
"""Devices, mounts or interfaces that get series of their own, so that no odd machine fills the board."""

Readings = dict[tuple[str, str], float]
"""The values of one reader by metric and label; NaN: it is there, but has no value yet."""

Reader = Callable[[float], Readings]
"""Raises NotImplementedError where the platform has no such thing; any other exception is a failure."""


@dataclass(frozen=True)
class MetricSpec:
    """What a metric is declared with; `label` is the name of its one label, where it has one."""

    title: str
    unit: str
    label: str = ""
    max: float | None = None


def read_file(path: str) -> bytes:
    """Read a file of /proc, of at most a page: they are read so often that a file object for each is felt."""
    file = os.open(path, os.O_RDONLY)
    try:
        return os.read(file, 4096)
    finally:
        os.close(file)


class Held:
    """A reader that reads every `every_s` seconds, and in between returns what it read.

    After a failure it reads again at once.
    """

    def __init__(self, read: Reader, every_s: float = SLOW_S) -> None:
        self._read = read
        self._every_s = every_s
        self._due = -inf
        self._readings: Readings = {}

    def __call__(self, now: float) -> Readings:
        if now >= self._due - EARLY_S:
            self._due = -inf
            self._readings = self._read(now)
            self._due = now + self._every_s
        return self._readings
