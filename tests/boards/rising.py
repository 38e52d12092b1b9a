"""Two gauges that rise by one at every tick, and one that has a value at every other tick."""

from itertools import count

from tickboard import Board

board = Board("Rising")
first = board.gauge("first.a", "First", unit="u")
second = board.gauge("second", "Second", unit="%", key="two")
odd = board.gauge("odd", "Odd")
numbers = count(1)


@board.every()
async def rise() -> None:
    """Step on; in the loop, so that no tick is made between two of the values."""
    number = next(numbers)
    first.set(number)
    second.set(-number)
    odd.set(number if number % 2 else None)
