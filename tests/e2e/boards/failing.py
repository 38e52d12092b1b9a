"""Two gauges, one with a sampler that fails while a file exists."""

import os
from itertools import count
from pathlib import Path

from tickboard import Board

board = Board("Failing", interval_ms=100)
pump = board.gauge("pump", "Pump", unit="rpm", labels=["site"])
fan = board.gauge("fan", "Fan", unit="rpm", labels=["site"])
numbers = count()


@board.every()
def read_pump() -> None:
    """Read the pump, or fail instead."""
    if Path(os.environ["FAILS"]).exists():
        raise OSError("the pump does not answer")
    pump.labels(site="north").set(100 + next(numbers) % 10)


@board.every()
def read_fan() -> None:
    """Read the fan."""
    fan.labels(site="north").set(next(numbers) % 10)


board.row(board.card(pump), board.card(fan))
board.row(board.chart(pump), board.chart(pump, fan, title="Both"), board.table(pump, fan, label="site", title="Sites"))
