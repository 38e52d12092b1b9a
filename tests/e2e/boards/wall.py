"""A wall of services: sections of metrics with a card each, one of them folded, and a metric that two rules watch."""

import os

from tickboard import Board

board = Board("Production", interval_ms=100)
for service in ("checkout", "payments", "search", "catalog", "identity"):
    gauges = [board.gauge(f"{service}_part_{number}", f"{service} part {number}", unit="ms") for number in range(16)]
    for number, gauge in enumerate(gauges):
        gauge.set(number)
    board.row(*(board.card(gauge) for gauge in gauges), title=service)
own = board.gauge("own_ticks", "Ticks")
own.set(1)
board.row(board.card(own), title="Tickboard itself", folded=True)
if os.environ.get("FIRING"):
    board.alert(board.metric("payments_part_7") > 1, "payments part 7 is over 1 ms", severity="critical")
    board.alert(board.metric("search_part_3") > 1, "search part 3 is over 1 ms", severity="warning")
