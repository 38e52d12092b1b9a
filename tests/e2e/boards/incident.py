"""Ten thousand series whose values a file says, and one more metric beside them."""

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
    """Take the values out of the file that VALUES names: of the disks, the fullest has most, and of the CPU."""
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
