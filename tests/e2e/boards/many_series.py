"""Metrics with very many series: each worker's value is its number, and a little more at two of three ticks."""

import os
from itertools import count
from pathlib import Path

from tickboard import Board

NUMBER = int(os.environ.get("NUMBER", "1000"))
WORKING = Path(os.environ["WORKING"])
"""A file with the number of workers that have a value."""

board = Board("Many series")
busy = board.gauge("busy", "Busy", unit="%", labels=["worker"])
used = board.gauge("used", "Memory used", unit="B", labels=["worker"])
ticks = count()

workers = [(number, busy.labels(worker=f"w{number}"), used.labels(worker=f"w{number}")) for number in range(NUMBER)]


@board.every()
def work() -> None:
    """Set all workers, and clear the values of those that do not work."""
    more = next(ticks) % 3 / 10
    working = int(WORKING.read_text() or 0)
    for number, busyness, memory in workers:
        busyness.set(number + more if number < working else None)
        memory.set(1024 * (NUMBER - number) if number < working else None)


board.row(board.card(busy))
board.row(board.table(busy, used, label="worker", title="Busiest workers", limit=5), board.chart(busy), title="Workers")
