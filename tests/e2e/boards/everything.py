"""One of each kind of panel, in sections, with rules that a file makes fire: one of them on two series."""

import os
from itertools import count
from pathlib import Path

from tickboard import Board

board = Board("Everything · web-3", interval_ms=200)
numbers = count()
cpu = board.gauge("cpu_usage", "CPU Usage", unit="%")
memory = board.gauge("memory", "Memory in use", unit="B")
pods = board.gauge("pod_cpu", "Pod CPU", unit="%", labels=["pod"])
processes = board.gauge("process_cpu", "Process CPU", unit="%", labels=["process"])
disk = board.gauge("disk", "Disk space", unit="%", labels=["mount"])
up = board.gauge("up", "Services", labels=["service"])
took = board.histogram("took", "Request duration", unit="ms")
names = [f"checkout-7f9c{number:02}" for number in range(12)]


@board.every()
def read() -> None:
    """Set each value, high or low."""
    high = Path(os.environ["VALUES"]).read_text().strip() == "high"
    step = next(numbers) % 5
    cpu.set((95 if high else 20) + step)
    memory.set(2**30 + step * 1e6)
    took.observe_all([2.0**value for value in range(step, step + 9)])
    for number, name in enumerate(names):
        pods.labels(pod=name).set((96 if high and number < 2 else 40 - number) + step / 10)
        processes.labels(process=f"worker-{number}").set(number + step)
        disk.labels(mount=f"/srv/{name}").set(8 * number)
        up.labels(service=f"service-{number}").set(number % 4)


board.row(board.card(cpu, note="8 cores"), board.card(memory))
board.row(board.chart(cpu), board.table(processes, label="process", limit=5), title="Host")
board.row(board.chart(pods), title="Pods", note="12 pods")
board.row(
    board.states(up, {0: ("down", "critical"), 1: "up", 2: ("slow", "warning")}),
    board.bars(disk, limit=5),
    board.heatmap(took),
    board.text(
        "# On call\n\n**Ann**: [runbook](https://wiki.example.com), `tickboard`\n\n| a | b |\n| - | - |\n| 1 | 2 |"
    ),
)
board.row(board.chart(memory), title="Later", folded=True)
board.alert(pods > 90, "CPU of {pod}: {value:.1f} %", severity="critical")
board.alert(cpu > 90, "CPU usage high: {value:.1f} %", severity="warning")
