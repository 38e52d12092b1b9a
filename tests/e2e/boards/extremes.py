"""Extreme but realistic values, units, names and messages: long, large, small and similar."""

from itertools import count

from tickboard import Board

LONG = "requests that were answered from the cache of the edge, of each node and second"

board = Board("The dashboard of all racks in hall B of the data centre in Frankfurt", interval_ms=100)
ticks = count()
ratio = board.gauge("ratio", "Availability", unit="ratio")
events = board.gauge("events", "Events", unit="events")
clock = board.gauge("clock", "Time of the last backup")
large = board.gauge("large", "Large", unit="packets/s")
small = board.gauge("small", "Small", unit="m")
wordy = board.gauge("wordy", LONG, unit="requests_per_second_of_each_node")
uptime = board.gauge("uptime", "Uptime", unit="s")
memory = board.gauge("memory", "Memory", unit="B")
minus = board.gauge("minus", "Minus nothing", unit="%")
racks = board.gauge("racks", "Temperature", unit="°C", labels=["rack"])
names = [f"dc-frankfurt-hall-b-rack-{number:04}-node-a.internal.example.net" for number in range(1, 7)]


@board.every()
def read() -> None:
    """Set each gauge to one of two values."""
    odd = next(ticks) % 2
    ratio.set(0.99998 if odd else 0.99991)
    events.set(999.9e9 if odd else 33.3e9)
    clock.set(16_777_215 if odd else 16_777_214)
    large.set(3e38 if odd else 1e38)
    small.set(2e-30 if odd else 1e-30)
    wordy.set(123_456_789 if odd else 123_456_788)
    uptime.set(273_605 if odd else 273_601)
    memory.set(16 * 1024**3 if odd else 900)
    minus.set(-0.0)
    for number, name in enumerate(names):
        racks.labels(rack=name).set(20 + number)


board.row(*(board.card(one) for one in (ratio, events, clock, large, small, wordy, uptime, memory, minus, racks)))
board.row(*(board.chart(one) for one in (ratio, events, clock, large, small, wordy, uptime, memory, minus)))
board.row(board.chart(racks), board.table(racks, label="rack", title=f"Table of {LONG}"), title=LONG)
board.alert(wordy > 0, f"More {LONG} than the nodes were made for: {{value:.1f}}", severity="critical")
