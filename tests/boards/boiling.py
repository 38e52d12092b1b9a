"""A board whose temperature rises and falls, with an alert at the top."""

import time

import msgspec

from tickboard import Board

board = Board("Kettle", interval_ms=200)
temperature = board.gauge("temperature", "Temperature", unit="°C")
board.card(temperature)
board.chart(temperature)


class Newer(msgspec.Struct, tag="newer"):
    """A kind of panel that no page knows yet."""

    title: str


board._panels.append(Newer("Steam"))  # type: ignore[arg-type]
board.alert(temperature > 20, "It boils: {value:.0f} °C", severity="critical", name="boils")


@board.every("200ms")
def measure() -> None:
    temperature.set(40 + time.time() % 10)
