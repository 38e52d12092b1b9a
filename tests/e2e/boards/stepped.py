"""A board of steady values. A word in the file ``VALUES`` makes the metric of that name step: load, queue, disk."""

import os
from pathlib import Path

from tickboard import Board

values = Path(os.environ["VALUES"])
board = Board("Stepped", interval_ms=500, window_size=40)

load = board.gauge("load", "Load", unit="%", min=0, max=100)
queue = board.gauge("queue", "Queue length", labels=("queue",))
disk = board.gauge("disk", "Disk busy", unit="%", labels=("device",))
memory = board.gauge("memory", "Memory", unit="%", min=0, max=100)


@board.every()
def step() -> None:
    """Set all values."""
    words = values.read_text().split()
    load.set(40 if "load" in words else 10)
    queue.labels(queue="orders").set(3 if "queue" in words else 30)
    queue.labels(queue="mails").set(5)
    for number, letter in enumerate("abcdefghij"):
        disk.labels(device=f"sd{letter}").set(60 if letter == "c" and "disk" in words else 20 + number)
    memory.set(61)


board.card(load)
board.row(board.chart(load), board.chart(memory), title="Machine")
board.row(board.chart(disk), title="Disks")
board.alert(load > 30, "Load is high: {value:.0f} %")
