"""Two metrics whose series come one after another, each with one value for ever: which series it is."""

from itertools import count

from tickboard import Board

board = Board("Growing", interval_ms=100)
first = board.gauge("first", "First", labels=["number"])
second = board.gauge("second", "Second", labels=["number"])
numbers = count(1)


@board.every("1s")
def grow() -> None:
    """Begin a series of each, up to four."""
    number = next(numbers)
    if number <= 4:
        first.labels(number=str(number)).set(number)
        second.labels(number=str(number)).set(100 + number)
