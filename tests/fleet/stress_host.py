"""A host of the stress run: its dashboard file. ``STRESS_EDITION`` chooses its metrics.

Both editions have a metric of the same name with another unit and other labels.
"""

import os
import random
import time

from tickboard import Board

EDITION = os.environ["STRESS_EDITION"]

board = Board("Stress", forget="4s")
instance = board.gauge("instance", overview=True)
uptime = board.gauge("uptime", unit="s", overview=True)
load = board.gauge("load", unit="%", labels=("core",), overview=True)
requests = board.counter("requests", overview=True)
latency = board.histogram("latency", unit="ms", overview=True)
ignored = board.gauge("ignored")

board.alert(load > 80, "load of {core} is {value:.2f}", severity="critical")
board.alert(load > 60, "load of {core} is {value:.2f}", severity="info", for_="3s", keep="2s", name="long load")

if EDITION == "first":
    moved = board.gauge("moved", unit="B", labels=("host", "job"), overview=True)
    board.alert(moved > 900, "{host} moved {value:.0f}", name="moved")
else:
    moved = board.gauge("moved", unit="MB", labels=("disk",), overview=True)
    other = board.gauge("other", overview=True)


@board.every()
def measure() -> None:
    instance.set(int(os.environ["STRESS_INSTANCE"]))
    uptime.set(time.monotonic())
    ignored.set(random.random())
    for core in range(2):
        load.labels(core=core).set(random.uniform(0, 100))
    requests.inc(random.randrange(100))
    for _ in range(random.randrange(5)):
        latency.observe(random.expovariate(0.1))
    number = int(time.monotonic())
    if EDITION == "first":
        moved.labels(host="elsewhere", job=number // 10).set(random.randrange(1000))
    else:
        moved.labels(disk=number // 20).set(random.randrange(10**6) / 100)
        other.set(number)
