"""A FastAPI application with its own live dashboard at /live: ``uvicorn fastapi_app:app``, from this folder."""

from fastapi import FastAPI

from tickboard import Board, TickboardMiddleware

board = Board("My service")
orders = board.counter("orders", "Orders", unit="/s")

app = FastAPI(lifespan=board.lifespan)
app.add_middleware(TickboardMiddleware, registry=board)
app.mount("/live", board)


@app.get("/items/{item_id}")
async def item(item_id: int) -> dict[str, int]:
    """Show an item."""
    return {"item": item_id}


@app.post("/orders")
async def order() -> dict[str, str]:
    """Take an order, and count it."""
    orders.inc()
    return {"status": "taken"}
