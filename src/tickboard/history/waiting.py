"""What waits to be written: a queue with a bound, for any thread to add to.

When the disk hangs or is full, ticks wait. When they take more than `QUEUE_BYTES`, the oldest are dropped and counted.
"""

import threading
from collections import deque
from dataclasses import dataclass

from tickboard.expressions.alignment import Columns, Floats
from tickboard.history.layout import Layout

QUEUE_BYTES = 64 * 2**20
"""What may wait: six and a half minutes of 20,000 series, and hours of a host."""

_OVERHEAD_BYTES = 256


@dataclass(frozen=True, eq=False)
class Begin:
    """An epoch begins."""

    epoch: str
    interval_ms: int
    window: int

    size = _OVERHEAD_BYTES


@dataclass(frozen=True, eq=False)
class Tick:
    """A tick was made."""

    seq: int
    time_ms: int
    layout: Layout
    row: bytes

    @property
    def size(self) -> int:
        """In bytes, more or less."""
        return len(self.row) + _OVERHEAD_BYTES


@dataclass(frozen=True, eq=False)
class Amend:
    """A tick has other values."""

    time_ms: int
    layout: Layout
    places: Columns
    values: Floats

    @property
    def size(self) -> int:
        """In bytes, more or less."""
        return 16 * len(self.values) + _OVERHEAD_BYTES


Item = Begin | Tick | Amend


class Waiting:
    """The queue.

    Attributes:
        dropped: how many items were dropped for want of room.
        ticks: how many ticks wait.
        count: how many items there have been.
    """

    def __init__(self) -> None:
        self._items: deque[Item] = deque()
        self._bytes = 0
        self._lock = threading.Lock()
        self.dropped = 0
        self.ticks = 0
        self.count = 0

    def put(self, item: Item) -> None:
        """Add an item, and drop the oldest where there is no room for all."""
        with self._lock:
            self.count += 1
            self._items.append(item)
            self._add(item)
            self._trim()

    def take(self) -> list[Item]:
        """Return all items, which wait no more."""
        with self._lock:
            items = list(self._items)
            self._items.clear()
            self._bytes = self.ticks = 0
        return items

    def put_back(self, items: list[Item]) -> None:
        """Have items that were taken wait again, before all that came since."""
        with self._lock:
            self._items.extendleft(reversed(items))
            for item in items:
                self._add(item)
            self._trim()

    def _add(self, item: Item) -> None:
        self._bytes += item.size
        self.ticks += isinstance(item, Tick)

    def _trim(self) -> None:
        begun: Begin | None = None
        while self._bytes > QUEUE_BYTES and self._items:
            item = self._items.popleft()
            self._bytes -= item.size
            if isinstance(item, Begin):
                begun = item
            else:
                self.ticks -= isinstance(item, Tick)
                self.dropped += 1
        if begun is not None:
            # Without it the ticks after it would go to another epoch.
            self._items.appendleft(begun)
            self._bytes += begun.size
