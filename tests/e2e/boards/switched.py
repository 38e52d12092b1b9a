"""One gauge with its value from a file."""

import os
from pathlib import Path

from tickboard import Board

board = Board("Switched")
value = board.gauge("value", "Value", unit="%")


@board.every()
def read() -> None:
    """Read the value from the file that VALUES names."""
    # It is empty for a moment while a test writes it.
    if text := Path(os.environ["VALUES"]).read_text():
        value.set(float(text))


board.alert(value > 90, "Value critical: {value:.1f}%", severity="critical")
board.alert(value > 80, "Value high: {value:.1f}%", severity="warning")
