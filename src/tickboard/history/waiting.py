"""The write queue: bounded, and filled from any thread.

Ticks wait in it while the disk hangs or is full. If it exceeds `QUEUE_BYTES`, the oldest are dropped and counted.
"""

import threading
from collections import deque

from msgspec import Struct

from tickboard.expressions.alignment import Columns, Floats
from tickboard.history.layout import Layout

QUEUE_BYTES = 64 * 2**20
"""The largest size of the queue: six and a half minutes of 20,000 series, or hours of a host."""

_OVERHEAD_BYTES = 256


class BeginEpoch(Struct, frozen=True, eq=False):
    """Begin an epoch."""

    epoch: str
    interval_ms: int
    window: int

    size = _OVERHEAD_BYTES


class AppendTick(Struct, frozen=True, eq=False):
    """Append a tick."""

    seq: int
    time_ms: int
    layout: Layout
    row: bytes

    @property
    def size(self) -> int:
        """Approximate size in bytes."""
        return len(self.row) + _OVERHEAD_BYTES


class AmendTick(Struct, frozen=True, eq=False):
    """Change values of a tick."""

    time_ms: int
    layout: Layout
    places: Columns
    values: Floats

    @property
    def size(self) -> int:
        """Approximate size in bytes."""
        return 16 * len(self.values) + _OVERHEAD_BYTES


Item = BeginEpoch | AppendTick | AmendTick


class Waiting:
    """The queue.

    Attributes:
        dropped: how many items were dropped because the queue was full.
        ticks: how many ticks wait.
        count: how many items were added so far.
    """

    def __init__(self) -> None:
        self._items: deque[Item] = deque()
        self._bytes = 0
        self._lock = threading.Lock()
        self.dropped = 0
        self.ticks = 0
        self.count = 0

    def put(self, item: Item) -> None:
        """Add an item. Drop the oldest if the queue is full."""
        with self._lock:
            self.count += 1
            self._items.append(item)
            self._add(item)
            self._trim()

    def take(self) -> list[Item]:
        """Remove and return all items."""
        with self._lock:
            items = list(self._items)
            self._items.clear()
            self._bytes = self.ticks = 0
        return items

    def put_back(self, items: list[Item]) -> None:
        """Put items back at the front of the queue."""
        with self._lock:
            self._items.extendleft(reversed(items))
            for item in items:
                self._add(item)
            self._trim()

    def _add(self, item: Item) -> None:
        self._bytes += item.size
        self.ticks += isinstance(item, AppendTick)

    def _trim(self) -> None:
        begun: BeginEpoch | None = None
        while self._bytes > QUEUE_BYTES and self._items:
            item = self._items.popleft()
            self._bytes -= item.size
            if isinstance(item, BeginEpoch):
                begun = item
            else:
                self.ticks -= isinstance(item, AppendTick)
                self.dropped += 1
        if begun is not None:
            # Keep it, or the ticks after it would go to the previous epoch.
            self._items.appendleft(begun)
            self._bytes += begun.size
