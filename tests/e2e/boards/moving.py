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
took = board.histogram("took", "Request duration", unit="ms")
states = board.gauge("states", "Services", labels=("service",))
ticks = count()


@board.every()
def step() -> None:
    """Set all gauges."""
    tick = next(ticks)
    level.set(50 + 40 * math.sin(tick / 5))
    load.set(tick % 17 + 3)
    for number in range(12):
        pods.labels(pod=f"shop-{number:02}").set(50 + 40 * math.sin(tick / 9 + number))
    for value in range(tick % 7, tick % 7 + 20, 1 + tick % 3):
        took.observe(2.0**value)
    for number, service in enumerate(("cache", "database", "web")):
        states.labels(service=service).set((tick // (5 + number)) % 3)
    # A process leaves after a while, and another one comes.
    for number in range(tick // 50, tick // 50 + 4):
        processes.labels(process=f"worker-{number}").set(10 + number + 8 * math.sin(tick / 3 + number))
        memory.labels(process=f"worker-{number}").set(1e6 * (1 + number) + 1000 * (tick % 100))


board.card(level)
board.card(load)
board.row(board.chart(level), board.chart(load), title="Levels")
board.row(board.chart(pods), board.chart(pods, title="All pods", stacked=True), title="Pods")
board.row(
    board.heatmap(took),
    board.states(states, {0: ("down", "critical"), 1: "up", 2: ("slow", "warning")}),
    board.bars(processes, beside=memory),
    board.text("**Ann** is on call"),
    title="Others",
)
board.table(processes, memory, label="process", title="Processes")
