"""A board of so many charts, each of one series that moves with every tick. The environment says how many.

With CLOCK it has a card of the time, too: the seconds of the hour.
"""

import math
import os
import time
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


if "CLOCK" in os.environ:
    clock = board.gauge("clock", "Clock")

    @board.every()
    def show_time() -> None:
        """Set the clock."""
        clock.set(time.time() % 3600)

    board.card(clock)
board.row(*(board.chart(gauge) for gauge in gauges))
