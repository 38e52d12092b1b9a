"""A wall of many nodes in five regions, one of which may be over its limit."""

import os
import random

from tickboard import Board

SERIES, REGIONS = int(os.environ["SERIES"]), 5

board = Board("Fleet", interval_ms=1000)
load = board.gauge("load", "Load", unit="%", labels=["region", "node"])
nodes = [load.labels(region=f"r{number % REGIONS}", node=str(number)) for number in range(SERIES)]


@board.every()
def simulate() -> None:
    """Set all gauges, the first of them near its limit."""
    for node in nodes:
        node.set(random.randrange(10, 80))
    nodes[0].set(99)


for region in range(REGIONS):
    board.row(board.chart(load.labels(region=f"r{region}")), title=f"Region {region}")
limit = 90 if os.environ.get("FIRING") == "1" else 100
board.alert(load > limit, "node {node} at {value} %", severity="critical")
