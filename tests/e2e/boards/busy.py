"""Twenty charts of the tick number at sixty ticks a second, until a file stops the counting."""

import os
from itertools import count
from pathlib import Path

from tickboard import Board

board = Board("Busy", interval_ms=16, window_size=600)
gauges = [board.gauge(f"count_{number}", f"Count {number}") for number in range(20)]
numbers = count(1)
counted = [0]
stop = Path(os.environ["STOP"])


@board.every()
def step() -> None:
    """Count on."""
    if not stop.exists():
        counted.append(next(numbers))
    for number, gauge in enumerate(gauges):
        gauge.set(counted[-1] + number)


board.row(board.card(gauges[0]))
board.row(*(board.chart(gauge) for gauge in gauges))
