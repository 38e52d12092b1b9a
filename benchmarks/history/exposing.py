"""The host's board, which also has the newest value of each of its series at /exposed, for Prometheus to scrape.

`tickboard run benchmarks/history/exposing.py`
"""

import math

from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from tickboard.cli.host_board import host_board
from tickboard.metrics.openmetrics import braces, metric_name


async def exposed(request: Request) -> PlainTextResponse:
    row = board.hub.engine.window.last(1).rows
    values = row[-1] if len(row) else []
    lines = {
        f"{metric_name(one.metric.name)}{braces(one.labels)}": float(values[one.column])
        for one in board.registry.series
        if one.column < len(values) and not math.isnan(values[one.column])
    }
    return PlainTextResponse("".join(f"{name} {value!r}\n" for name, value in lines.items()))


board, _ = host_board()
board.routes.append(Route("/exposed", exposed))
