"""What all readers of the host share: the type of their readings, and caching of readings that are expensive and change
slowly.

A reader is called with a time in seconds (since any start, never decreasing) and returns its readings. It knows neither
the registry nor the clock.
"""

import os
from collections.abc import Callable
from math import inf

from msgspec import Struct

MIN_ELAPSED_S = 0.1
"""Rates need readings at least this far apart, since the kernel counts CPU time in steps of 0.01 s."""

EARLY_S = 0.25
"""Readings every few seconds may come this many seconds early, since a tick is never exactly on its second."""

SLOW_S = 10.0
"""Seconds between readings that are expensive and change slowly, or are not available."""

MAX_DEVICES = 64
"""How many devices, mounts or interfaces get series of their own, so that unusual machines do not fill the board."""

Label = str | tuple[str, ...]
"""The value of a metric's only label, the values of several, or an empty text."""

Readings = dict[tuple[str, Label], float]
"""The values of one reader by metric and label; NaN: it exists, but has no value yet."""

HostReader = Callable[[float], Readings]
"""Raises NotImplementedError if the platform lacks it; any other exception is a failure."""


class MetricSpec(Struct, frozen=True):
    """How a metric is declared; `label` is the name of its only label, the names of several, or an empty text."""

    title: str
    unit: str
    label: Label = ""
    max: float | None = None

    @property
    def labels(self) -> tuple[str, ...]:
        """The names of its labels."""
        return listed(self.label)


def listed(label: Label) -> tuple[str, ...]:
    """Return a label, several or none as a tuple."""
    if isinstance(label, str):
        return (label,) if label else ()
    return label


def read_file(path: str) -> bytes:
    """Read at most a page of a file in /proc; called so often that a file object each time would be noticeable."""
    file = os.open(path, os.O_RDONLY)
    try:
        return os.read(file, 4096)
    finally:
        os.close(file)


class Held:
    """A reader that reads every `every_s` seconds and returns the same readings in between.

    After a failure it reads again at once.
    """

    def __init__(self, read: HostReader, every_s: float = SLOW_S) -> None:
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
