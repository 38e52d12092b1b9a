"""A board with a metric, a rule, a sampler that fails and a route of its own."""

from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from tickboard import Board


async def own(request: Request) -> PlainTextResponse:
    return PlainTextResponse("own")


board = Board("Own", routes=[Route("/own", own, methods=["GET", "POST"])])
cpu = board.gauge("cpu")
load = board.gauge("load", labels=["host"])
board.alert(cpu > 90, "high")


@board.every()
def simulate() -> None:
    cpu.set(95)


@board.every()
def fail() -> None:
    raise ValueError("the text of an exception")
