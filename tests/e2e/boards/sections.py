"""A board with sections: one begins folded, one has a section in it, and rules that fire in two."""

from tickboard import Board

board = Board("Sections", interval_ms=100)
cpu = board.gauge("cpu", "CPU Usage", unit="%")
swap = board.gauge("swap", "Swap in use", unit="B")
disks = board.gauge("disk_busy", "Disk busy", unit="%", labels=["device"])
processes = board.gauge("process_cpu", "Process CPU", unit="%", labels=["process", "user"])
ticks = board.gauge("own_ticks", "Ticks")

cpu.set(42)
swap.set(1024**3)
ticks.set(7)
for number in range(4):
    disks.labels(device=f"sd{'abcd'[number]}").set(20 * number)
for number in range(30):
    processes.labels(process=f"worker-{number}", user="app" if number % 2 else "root").set(number)
processes.labels(process="kswapd0", user="root").set(0.5)

board.row(board.card(cpu), board.card(swap))
board.row(board.chart(cpu), board.table(processes, label="process", also=["user"], limit=5), title="CPU")
board.row(
    board.chart(swap),
    board.row(board.chart(disks), title="Busy"),
    title="Memory and disks",
    note="1 GiB of swap",
)
board.row(board.card(ticks), board.chart(ticks), title="Tickboard itself", folded=True)

board.alert(swap > 1, "Swap in use: {value:.0f}", severity="warning")
board.alert(ticks > 1, "Too many ticks", severity="critical")
