"""Values that are pushed, with rules on them: what fires is what a test wants."""

from tickboard import Board

board = Board("Alarms")
disk = board.gauge("disk", "Disk", unit="%", labels=("host",))
load = board.gauge("load", "Load")

board.alert(disk > 90, "{host}: disk {value:.0f}%", severity="critical")
board.alert(load > 4, "load {value:.1f}", severity="warning", name="busy")
board.alert(load > 8, "load {value:.1f}", severity="critical", name="overloaded")
