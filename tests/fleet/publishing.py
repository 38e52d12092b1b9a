"""Boards in this process that publish on NATS, for tests."""

import contextlib
from collections.abc import AsyncIterator

from tickboard import Board

INTERVAL_MS = 50


def shop(url: str, name: str = "web-1", title: str = "Shop") -> Board:
    """Return a board that publishes, with a gauge that rises by one at every tick."""
    board = Board(title, interval_ms=INTERVAL_MS, window_size=100)
    orders = board.gauge("orders", unit="/s", overview=True)
    board.gauge("other").set(7)
    board.publish(url, name=name, labels={"env": "prod"})
    count = 0

    @board.every()
    def sample() -> None:
        nonlocal count
        count += 1
        orders.set(count)

    return board


@contextlib.asynccontextmanager
async def serving(*boards: Board) -> AsyncIterator[None]:
    """Run boards while the context is open."""
    async with contextlib.AsyncExitStack() as stack:
        for board in boards:
            await stack.enter_async_context(board.lifespan())
        yield


def problem(board: Board, source: str) -> str:
    """Return the problem of a source; empty: it has none."""
    return board.hub.problems[source].message if source in board.hub.problems else ""
