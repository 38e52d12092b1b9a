"""Two metrics whose series appear one after another, each with a constant value: its number."""

from itertools import count

from tickboard import Board

board = Board("Growing", interval_ms=100)
first = board.gauge("first", "First", labels=["number"])
second = board.gauge("second", "Second", labels=["number"])
numbers = count(1)


@board.every("1s")
def grow() -> None:
    """Add a series to each metric, up to four."""
    number = next(numbers)
    if number <= 4:
        first.labels(number=str(number)).set(number)
        second.labels(number=str(number)).set(100 + number)
