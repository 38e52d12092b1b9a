"""A wall of many nodes in five regions, one of which may be over its limit."""

import os
import random

from tickboard import Board

SERIES, REGIONS = int(os.environ["SERIES"]), 5

board = Board("Fleet", interval_ms=1000)
regions = [
    board.gauge(f"load_r{region}", f"Load of region {region}", unit="%", labels=["node"]) for region in range(REGIONS)
]
nodes = [regions[number % REGIONS].labels(node=number) for number in range(SERIES)]


@board.every()
def simulate() -> None:
    """Set all gauges, the first of them near its limit."""
    for node in nodes:
        node.set(random.randrange(10, 80))
    nodes[0].set(99)


limit = 90 if os.environ.get("FIRING") == "1" else 100
for region, load in enumerate(regions):
    board.row(board.chart(load), title=f"Region {region}")
    board.alert(load > limit, "node {node} at {value:.0f} %", severity="critical")
