"""A board of every panel, all of whose values move with each tick: what it showed at a moment, it shows at no other."""

import math
from itertools import count

from tickboard import Board

board = Board("Moving", interval_ms=200, window_size=40)
level = board.gauge("level", "Level", unit="%", min=0, max=100)
load = board.gauge("load", "Load")
pods = board.gauge("pods", "CPU of pods", unit="%", labels=("pod",))
processes = board.gauge("processes", "CPU of processes", unit="%", labels=("process",))
memory = board.gauge("memory", "Memory", unit="B", labels=("process",))
ticks = count()


@board.every()
def step() -> None:
    """Set all gauges."""
    tick = next(ticks)
    level.set(50 + 40 * math.sin(tick / 5))
    load.set(tick % 17 + 3)
    for number in range(12):
        pods.labels(pod=f"shop-{number:02}").set(50 + 40 * math.sin(tick / 9 + number))
    # A process leaves after a while, and another one comes.
    for number in range(tick // 50, tick // 50 + 4):
        processes.labels(process=f"worker-{number}").set(10 + number + 8 * math.sin(tick / 3 + number))
        memory.labels(process=f"worker-{number}").set(1e6 * (1 + number) + 1000 * (tick % 100))


board.card(level)
board.card(load)
board.row(board.chart(level), board.chart(load), title="Levels")
board.chart(pods)
board.table(processes, memory, label="process", title="Processes")
