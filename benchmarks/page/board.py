"""A board of so many charts, each of one series that moves with every tick. The environment says how many."""

import math
import os
from itertools import count

from tickboard import Board

board = Board(
    "Charts",
    interval_ms=int(os.environ["INTERVAL_MS"]),
    window_size=int(os.environ.get("WINDOW", "60")),
)
gauges = [board.gauge(f"chart_{number}", f"Chart {number}", unit="%") for number in range(int(os.environ["CHARTS"]))]
ticks = count()


@board.every()
def step() -> None:
    """Set all gauges."""
    tick = next(ticks)
    for number, gauge in enumerate(gauges):
        gauge.set(50 + 30 * math.sin(tick / 7 + number) + 15 * math.sin(tick * (number + 3)))


board.row(*(board.chart(gauge) for gauge in gauges))
