"""States, bars and texts: a service that goes down, many disks, and Markdown that wants to do harm."""

from itertools import count

from tickboard import Board
from tickboard.wire import Text, TextElement

HOSTILE = """
# On call

Ann <script>window.harmed = 1</script> <img src=x onerror="window.harmed = 2"> <style>* { display: none }</style>
<iframe src="https://evil.example"></iframe> <a href="javascript:window.harmed = 3">raw</a>

[script](javascript:window.harmed=4) [data](data:text/html,<script>window.harmed=5</script>)
[wiki](https://wiki.example.com/a) [mail](mailto:ann@example.com) [CPU over time](#chart=cpu_usage)
![picture](https://evil.example/pixel.png)

- one
- two

| who | when |
| --- | ---: |
| Ann | now |
"""

board = Board("Panels", interval_ms=200, window_size=3000)
ticks = count()
cpu = board.gauge("cpu_usage", "CPU Usage", unit="%")
up = board.gauge("up", "Services", labels=["service"])
disk = board.gauge("disk", "Disk space", unit="%", labels=["mount"], max=100)
full_in = board.gauge("full_in", "Full in", unit="s", labels=["mount"])


@board.every()
def read() -> None:
    """Set the values; after ten ticks, one of the services goes down."""
    cpu.set(40)
    for service, value in {"cache": 0.5, "db": 0 if next(ticks) > 10 else 1, "web": 1}.items():
        up.labels(service=service).set(value)
    for number in range(12):
        disk.labels(mount=f"/disk{number}").set(8 * number)
    disk.labels(mount="/disk11").set(95)
    full_in.labels(mount="/disk11").set(2 * 86_400)


board.row(board.states(up, {0: ("down", "critical"), 1: "up"}), board.chart(cpu), title="Services")
board.row(board.bars(disk, beside=full_in, limit=5), board.text(HOSTILE), title="Disks")
# As another program could send it, that has not read it from Markdown.
evil = [
    TextElement("script", ["window.harmed = 6"]),  # type: ignore[arg-type]
    TextElement("a", ["click"], "javascript:window.harmed=7"),
    TextElement("a", ["tab"], "java\tscript:window.harmed=8"),
]
board.row(Text([TextElement("p", [*evil])], "From elsewhere"))
board.alert(disk > 90, "{mount} is full: {value:.0f} %", severity="critical")
