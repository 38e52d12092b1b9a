"""Somebody who acknowledges alerts on walls, whatever fails meanwhile."""

import random
import threading
from collections import Counter
from collections.abc import Sequence

import httpx
from tests.fleet.comparing import Served

PAUSE_S = 2.0
"""The mean time between two tries."""

ASK_S = 5.0


class Person:
    """Acknowledges one alert of a host after another, each on any wall.

    Args:
        walls: where.
        seed: of the choices.

    Attributes:
        acknowledged: the ids on a wall of the alerts whose acknowledgement a wall has confirmed.
        failed: why other tries failed, and how many.
    """

    def __init__(self, walls: Sequence[Served], seed: int) -> None:
        self.acknowledged: set[str] = set()
        self.failed: Counter[str] = Counter()
        self._walls = walls
        self._random = random.Random(seed)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End."""
        self._over.set()
        self._thread.join()

    def _work(self) -> None:
        while not self._over.wait(self._random.expovariate(1 / PAUSE_S)):
            try:
                self._acknowledge(self._random.choice(self._walls))
            except httpx.HTTPError as error:
                self.failed[_reason(error)] += 1

    def _acknowledge(self, wall: Served) -> None:
        firing = wall.get("/api/alerts", {"state": "active", "limit": "500"}, timeout_s=ASK_S).json()["alerts"]
        ids = [alert["id"] for alert in firing if "host" in alert and "acknowledged" not in alert]
        if ids:
            chosen = self._random.choice(ids)
            wall.post(f"/api/alerts/{chosen}/ack", {"note": f"seen on {wall.name}"}, timeout_s=ASK_S)
            self.acknowledged.add(chosen)


def _reason(error: httpx.HTTPError) -> str:
    if isinstance(error, httpx.HTTPStatusError):
        error.response.read()
        return f"{error.response.status_code} {error.response.text[:200]}"
    return type(error).__name__
