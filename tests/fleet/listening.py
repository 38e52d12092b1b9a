"""What links have received, for tests."""

import asyncio
from collections.abc import Callable

from tests.fleet.walls import GUARD_S

from tickboard.client.decoder import Tick
from tickboard.fleet.link import Link
from tickboard.wire import About


class Listener:
    """Records what links receive.

    Attributes:
        events: the names of what was received, in order, without signs of life.
        abouts: the descriptions.
        ticks: the ticks.
        late: the amended ticks.
        beats: the signs of life: seq, number of the newest alert event, and clock.
        rivals: where other processes run that want a host's name.
        reasons: why hosts were lost.
        by_host: the names of the hosts of the ticks.
    """

    def __init__(self) -> None:
        self.events: list[str] = []
        self.abouts: list[About] = []
        self.ticks: list[Tick] = []
        self.late: list[Tick] = []
        self.beats: list[tuple[int, int, float]] = []
        self.reasons: list[str] = []
        self.links: list[Link] = []
        self.rivals: list[str | None] = []

    def introduced(self, link: Link, about: About) -> None:
        self.events.append("introduced")
        self.links.append(link)
        self.abouts.append(about)

    def ticked(self, link: Link, tick: Tick) -> None:
        self.events.append("ticked")
        self.ticks.append(tick)

    def amended(self, link: Link, tick: Tick) -> None:
        self.events.append("amended")
        self.late.append(tick)

    def heard(self, link: Link, seq: int, alerts: int, clock: float) -> None:
        self.beats.append((seq, alerts, clock))

    def contested(self, link: Link, place: str | None) -> None:
        self.rivals.append(place)

    def said_bye(self, link: Link) -> None:
        self.events.append("said_bye")

    def lost(self, link: Link, why: str) -> None:
        self.events.append("lost")
        self.reasons.append(why)


async def until(condition: Callable[[], object], shown: Callable[[], object] = str) -> None:
    """Wait until something is true, while the loop runs."""
    try:
        async with asyncio.timeout(GUARD_S):
            while not condition():
                await asyncio.sleep(0.01)
    except TimeoutError:
        raise AssertionError(f"it did not come true within {GUARD_S} s: {shown()}") from None
