"""The fan-out beside other servers: the server on one core, the viewers on another, over loopback.

`python -m benchmarks fanout` runs every scenario and writes their tables to docs/benchmarks.md;
`python -m benchmarks.fanout throughput storm` prints those of some. It needs Linux, whose epoll the viewers use, and
two cores; `make bench` installs the peers.
"""

import os
import sys
from collections.abc import Callable, Iterator

from benchmarks.fanout import alerts, binary, mounted, stalled, storm, subscriptions, ten_thousand, throughput
from benchmarks.report import Table

SCENARIOS: dict[str, Callable[[], list[Table]]] = {
    "throughput": throughput.tables,
    "mounted": mounted.tables,
    "ten_thousand": ten_thousand.tables,
    "subscriptions": subscriptions.tables,
    "binary": binary.tables,
    "stalled": stalled.tables,
    "storm": storm.tables,
    "alerts": alerts.tables,
}


def tables() -> Iterator[Table]:
    """Give the tables of all scenarios, or none where they can't be run."""
    if sys.platform != "linux" or len(os.sched_getaffinity(0)) < 2:
        print("The fan-out is measured on Linux with two cores: left out.", flush=True)
        return
    for scenario in SCENARIOS.values():
        yield from scenario()
