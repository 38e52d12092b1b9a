"""A value that rises by one at every tick."""

from itertools import count

from tickboard import Board

board = Board("Counting")
value = board.gauge("count", "Count")
numbers = count(1)


@board.every()
def step() -> None:
    """Count on."""
    value.set(next(numbers))
