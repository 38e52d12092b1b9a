"""Five hundred series, so that a viewer that does not read is soon behind."""

import random

from tickboard import Board

board = Board("Wide")
gauges = [board.gauge(f"metric_{number}", unit="some long unit to fill the wire") for number in range(500)]


@board.every()
def simulate() -> None:
    """Set them all."""
    for gauge in gauges:
        gauge.set(random.random())
