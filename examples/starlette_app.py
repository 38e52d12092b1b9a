"""A Starlette application with its own live dashboard at /live: ``uvicorn starlette_app:app``, from this folder."""

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route

from tickboard import Board, TickboardMiddleware

board = Board("My service")
orders = board.counter("orders", "Orders", unit="/s")


async def item(request: Request) -> JSONResponse:
    """Show an item."""
    return JSONResponse({"item": request.path_params["item_id"]})


async def order(request: Request) -> JSONResponse:
    """Take an order, and count it."""
    orders.inc()
    return JSONResponse({"status": "taken"})


app = Starlette(
    routes=[
        Route("/items/{item_id:int}", item),
        Route("/orders", order, methods=["POST"]),
        Mount("/live", board),
    ],
    middleware=[Middleware(TickboardMiddleware, registry=board)],
    lifespan=board.lifespan,
)
