"""Ten thousand series with values from a file, and one more metric."""

import os
from pathlib import Path

from tickboard import Board

COUNT = int(os.environ.get("COUNT", "10000"))

board = Board("Incident", interval_ms=500)
disk = board.gauge("disk_full", "Disk", unit="%", labels=["mount"])
cpu = board.gauge("cpu_usage", "CPU Usage", unit="%")
disks = [disk.labels(mount=f"/disk{number}") for number in range(COUNT)]


@board.every()
def read() -> None:
    """Read the values of the disks, spread over half a percent, and of the CPU from the file that VALUES names."""
    words = Path(os.environ["VALUES"]).read_text().split()
    if len(words) == 2:
        full, busy = map(float, words)
        for number, one in enumerate(disks):
            one.set(full + number * 0.5 / COUNT)
        cpu.set(busy)


board.alert(disk > 90, "{mount} is full: {value:.1f}%", severity="critical")
board.alert(cpu > 90, "CPU usage critical: {value:.1f}%", severity="critical")
board.alert(cpu > 80, "CPU usage high: {value:.1f}%", severity="warning")
board.alert(cpu > 70, "CPU usage raised: {value:.1f}%", severity="info")
