"""A board whose temperature rises and falls, with an alert at the top."""

import time

from tickboard import Board

board = Board("Kettle", interval_ms=200)
temperature = board.gauge("temperature", "Temperature", unit="°C")
board.alert(temperature > 20, "It boils: {value:.0f} °C", severity="critical", name="boils")


@board.every("200ms")
def measure() -> None:
    temperature.set(40 + time.time() % 10)
