"""A board with as many series as a wall of a thousand hosts, which it makes itself: what a wall is measured beside."""

import random

from tickboard import Board

board = Board("As many series, without NATS", history="none")
metrics = ["cpu_usage", "memory_usage", "disk_space_usage", "net_rate", "load_per_core", "host_up"]
handles = [board.gauge(name, unit="%", labels=("host", "env")) for name in metrics]
hosts = [{"host": f"web-{number:04}", "env": "prod"} for number in range(1_000)]
series = [handle.labels(**host) for handle in handles for host in hosts]


@board.every()
def sample() -> None:
    """Set each series."""
    for one in series:
        one.set(random.uniform(10, 70))
