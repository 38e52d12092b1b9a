"""Three series that breach and recover all the time, each at its own pace."""

import math
import time

from tickboard import Board

board = Board("Flapping")
level = board.gauge("level", "Level", labels=["tank"])
PACES = {"a": 0.31, "b": 0.53, "c": 1.7}


@board.every()
def rise_and_fall() -> None:
    for tank, period in PACES.items():
        level.labels(tank=tank).set(50 + 50 * math.sin(2 * math.pi * time.time() / period))


board.alert(level > 90, "{tank} is full: {value:.0f}", severity="critical", clear=level < 50)
