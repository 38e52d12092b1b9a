"""A value that is high for five ticks and low for five, with a rule on it: an episode begins every ten ticks."""

from itertools import count

from tickboard import Board

board = Board("Waves")
value = board.gauge("value", "Value", unit="%")
numbers = count()


@board.every()
def step() -> None:
    """High, then low."""
    number = next(numbers)
    value.set(95.25 if number % 10 < 5 else 5)


board.alert(value > 90, "Value critical: {value:.1f}%", severity="critical")
