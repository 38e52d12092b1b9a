"""Tickboard's board for the fan-out: the specification's four metrics, and ticks on demand at /bench/go?rounds=N.

FANOUT_PLAIN=1 writes to each socket by itself, as where there is no io_uring. FANOUT_SERIES=N gives it N metrics.
FANOUT_ALERTS=1 lets an alert begin at every other tick, and end at the one after. FANOUT_LATE=1 has the loop measured:
/bench/late says how late it was, and how much it worked at a stretch, since it was asked last.
"""

import asyncio
import os
import random
import time

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from tickboard import Board
from tickboard.server.streams import descriptors

if os.environ.get("FANOUT_PLAIN"):
    descriptors.FEW = 1 << 30


async def go(request: Request) -> JSONResponse:
    hub = board.hub
    for _ in range(int(request.query_params["rounds"])):
        simulate()
        for _ in hub.publish(hub.engine.tick(time.time(), 1.0)):
            await asyncio.sleep(0)
        await asyncio.sleep(0)
    return JSONResponse({"status": "ok"})


async def measure() -> None:
    while True:
        woken, worked = time.monotonic() + BEAT_S, time.thread_time()
        await asyncio.sleep(BEAT_S)
        late.append((time.monotonic() - woken) * 1000)
        stretches.append((time.thread_time() - worked) * 1000)


async def said(request: Request) -> JSONResponse:
    answer = {"late_ms": list(late), "stretches_ms": list(stretches)}
    late.clear()
    stretches.clear()
    return JSONResponse(answer)


BEAT_S = 0.005
late: list[float] = []
stretches: list[float] = []
measuring: list[asyncio.Task[None]] = []
board = Board("Fan-out", routes=[Route("/bench/go", go), Route("/bench/late", said)])
series = int(os.environ.get("FANOUT_SERIES", "0"))
names = [f"metric_{number}" for number in range(series)] or [
    "cpu_usage",
    "memory_usage",
    "requests_per_sec",
    "avg_latency",
]
gauges = [board.gauge(name, unit="%") for name in names]
if os.environ.get("FANOUT_ALERTS"):
    beginning = board.gauge("beginning")
    board.alert(beginning > 0, "It has begun: {value:.1f}%", severity="critical")


@board.every()
async def sample() -> None:
    if os.environ.get("FANOUT_LATE") and not measuring:
        measuring.append(asyncio.create_task(measure()))
    simulate()


def simulate() -> None:
    for gauge in gauges:
        gauge.set(round(random.uniform(0, 100), 1))
    if os.environ.get("FANOUT_ALERTS"):
        beginning.set(board.hub.engine.seq % 2)
