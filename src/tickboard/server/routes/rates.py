"""Rates: limits how often people may change something.

Changes are stored, and sent to all viewers. So each address and each alert has a bucket of `BURST` changes, which is
refilled by one a second; for marks, there is one for each address and one for all. Time is an argument.
"""

import math
from collections import OrderedDict

from tickboard.errors import RateError

BURST = 10
"""Changes that may be made at once."""

PER_S = 1.0
"""Changes a second that may be made after that."""

MAX_BUCKETS = 10_000
"""How many addresses and alerts are remembered; beyond that, the one unused for longest is forgotten."""


class ChangeRates:
    """The buckets of all addresses and alerts.

    Args:
        what: what is limited, for the message.
        where: where it comes from, for the message.
        burst: how many changes at once.
        per_s: how many a second after that.
    """

    def __init__(
        self,
        what: str = "changes",
        where: str = "from one address or of one alert",
        burst: int = BURST,
        per_s: float = PER_S,
    ) -> None:
        self._refusal = f"too many {what}: {burst} at once, then {per_s:g} a second, {where}"
        self._burst = burst
        self._per_s = per_s
        # How much was left in each, and when.
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, now: float, *names: str) -> None:
        """Take one from each of these buckets, or from none.

        Args:
            now: seconds by a clock that never steps.
            names: the names of the buckets.

        Raises:
            RateError: one of them is empty.
        """
        left = {name: self._left(name, now) for name in names}
        if (least := min(left.values())) < 1:
            wait_s = math.ceil((1 - least) / self._per_s)
            raise RateError(f"{self._refusal}: try again in {wait_s} s", wait_s)
        for name, count in left.items():
            self._buckets[name] = count - 1, now
            self._buckets.move_to_end(name)
        while len(self._buckets) > MAX_BUCKETS:
            self._buckets.popitem(last=False)

    def _left(self, name: str, now: float) -> float:
        count, then = self._buckets.get(name, (float(self._burst), now))
        return min(float(self._burst), count + (now - then) * self._per_s)
