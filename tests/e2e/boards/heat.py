"""Heat maps of a histogram: its values change from 17 ms to 300 ms after some ticks, and a tenth is always at 90 ms."""

from itertools import count

from tickboard import Board

board = Board("Heat", interval_ms=200, window_size=20)
took = board.histogram("took", "Request duration", unit="ms", labels=["route"])
never = board.histogram("never", "Never observed", unit="ms")
numbers = count()


@board.every()
def observe() -> None:
    """Observe ten values of each route."""
    usual = 17 if next(numbers) < 30 else 300
    for route in ("/", "/orders"):
        took.labels(route=route).observe_all([usual] * 9 + [90])


board.row(board.chart(took), board.heatmap(took), board.heatmap(took.labels(route="/orders"), "Orders"))
board.heatmap(never)
