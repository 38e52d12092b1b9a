"""A metric with twelve series whose names share most of themselves, one with three, and one that hardly moves."""

from itertools import count

from tickboard import Board

board = Board("Labelled", interval_ms=100)
ticks = count()
pods = board.gauge("pods", "Pod CPU", unit="%", labels=["pod"])
modes = board.gauge("modes", "Modes", unit="%", labels=["mode"])
connections = board.gauge("connections", "Connections", unit="established")


@board.every()
def step() -> None:
    """Set all gauges; the higher a pod's number, the higher its value."""
    tick = next(ticks)
    for number in range(12):
        pods.labels(pod=f"checkout-frankfurt-{number:02}").set(10 + 5 * number)
    for number, mode in enumerate(("user", "system", "iowait")):
        modes.labels(mode=mode).set(20 + 10 * number)
    connections.set(205 + tick % 10)


board.row(board.chart(pods))
board.row(board.chart(modes), board.chart(connections))
board.alert(pods > 60, "Pod above 60 %: {value:.0f}", severity="critical")
