"""A Flask application with its own live dashboard on port 3000: ``flask --app flask_app run``, from this folder."""

import os

from flask import Flask

from tickboard import Board, TickboardWSGIMiddleware, serve_in_background

board = Board("My service")
orders = board.counter("orders", "Orders", unit="/s")

app = Flask(__name__)
app.wsgi_app = TickboardWSGIMiddleware(app.wsgi_app, board)
serve_in_background(board, port=int(os.environ.get("DASHBOARD_PORT", "3000")))


@app.get("/items/<int:item_id>")
def item(item_id: int) -> dict[str, int]:
    """Show an item."""
    return {"item": item_id}


@app.post("/orders")
def order() -> dict[str, str]:
    """Take an order, and count it."""
    orders.inc()
    return {"status": "taken"}
