"""Two hundred metrics."""

import random

from tickboard import Board

board = Board("Many")
gauges = [board.gauge(f"metric_{number}", f"Metric {number}", unit="%") for number in range(200)]


@board.every()
def simulate() -> None:
    """Set all gauges."""
    for gauge in gauges:
        gauge.set(random.uniform(0, 100))


board.row(*(board.card(gauge) for gauge in gauges))
board.row(*(board.chart(gauge) for gauge in gauges))
