"""Slow-down: how long a login waits after failures, counted for each account and for each address.

A login is never refused because of others' failures, only delayed. An address from which an account has logged in is
delayed by its own failures alone, so a crowd elsewhere does not keep people waiting who log in from where they usually
do. The number of logins that wait at a time is limited elsewhere. Time is an argument.
"""

from collections import OrderedDict
from collections.abc import Iterable

FREE = 3
"""This many failures cost nothing: people mistype."""

FIRST_S, LONGEST_S = 0.5, 8.0
"""The delay after the next failure, which doubles with each further one, and the longest one."""

FORGET_S = 900.0
"""A name without a failure for this many seconds starts over."""

MAX_NAMES = 10_000
"""How many accounts and addresses are remembered; beyond that, the one that failed longest ago is forgotten."""


class Slowdown:
    """Counts failed logins."""

    def __init__(self) -> None:
        # The failures of each name, and when the last one was.
        self._failures: OrderedDict[str, tuple[int, float]] = OrderedDict()
        # The accounts that have logged in, with the address.
        self._at_home: OrderedDict[tuple[str, str], None] = OrderedDict()

    def delay_s(self, account: str, address: str, now: float) -> float:
        """Return how many seconds a login has to wait.

        Args:
            account: the account, such as ``account ann``.
            address: where the login comes from, such as ``address 192.0.2.1``.
            now: seconds by a clock that never steps.
        """
        count = self.failures(address, now)
        if (account, address) not in self._at_home:
            count = max(count, self.failures(account, now))
        return 0.0 if count < FREE else min(LONGEST_S, FIRST_S * 2.0 ** min(count - FREE, 10))

    def failures(self, name: str, now: float) -> int:
        """Return how often a name has failed lately."""
        count, last = self._failures.get(name, (0, now))
        return 0 if now - last > FORGET_S else count

    def failed(self, names: Iterable[str], now: float) -> None:
        """Count a failure of each name."""
        for name in names:
            self._failures[name] = self.failures(name, now) + 1, now
            self._failures.move_to_end(name)
        while len(self._failures) > MAX_NAMES:
            self._failures.popitem(last=False)

    def worked(self, account: str, address: str) -> None:
        """Forget the failures of an account whose password was right. Those of its address still count."""
        self._failures.pop(account, None)
        self._at_home[account, address] = None
        self._at_home.move_to_end((account, address))
        if len(self._at_home) > MAX_NAMES:
            self._at_home.popitem(last=False)
