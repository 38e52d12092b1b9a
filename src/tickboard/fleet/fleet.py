"""The fleet: all that a wall has to follow hosts. It is made once, and goes on when one board replaces another."""

import asyncio
import contextlib
import time

from tickboard.fleet.follower import Follower
from tickboard.fleet.host import FollowedHost
from tickboard.fleet.link import Link
from tickboard.metrics.intake import Intake
from tickboard.problems import Reporter
from tickboard.wire import HostList

WAIT_S = 0.1
"""How long a tick of the wall waits for those of its hosts, after it is due; at most half its interval."""


class Fleet:
    """The hosts that a wall follows.

    Args:
        intake: the wall's.
        problems: where what fails is reported.
        interval_ms: milliseconds between two ticks of the wall.

    Attributes:
        follower: takes what the hosts send.
    """

    def __init__(self, intake: Intake, problems: Reporter, interval_ms: int) -> None:
        self.follower = Follower(intake, problems, interval_ms)
        self.follower.on_complete = self._completed
        self._complete = asyncio.Event()
        self._wait_s = min(WAIT_S, interval_ms / 2000)

    @property
    def hosts(self) -> dict[str, FollowedHost]:
        """The hosts by name."""
        return self.follower.hosts

    def link(self, name: str) -> Link | None:
        """Return the link of a host; None if there is no such host, or it is not reached now."""
        return self.follower.link(name)

    def listed(self, since: int | None = None) -> HostList:
        """Return the hosts; see `Follower.listed`."""
        return self.follower.listed(since)

    def forget(self, name: str) -> None:
        """Forget a host; errors as for `Follower.forget`."""
        self.follower.forget(name)

    async def wait(self, due: float) -> None:
        """Wait until every live host has sent its tick of an instant, for a short while at most.

        Args:
            due: the instant, POSIX seconds.
        """
        left_s = min(self._wait_s, due + self._wait_s - time.time())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, left_s)):
                while not self.follower.is_complete:
                    self._complete.clear()
                    await self._complete.wait()

    def collect(self, due: float) -> None:
        """Write the values of all hosts for the wall's tick that is due; see `Follower.collect`."""
        self.follower.collect(due)

    def _completed(self) -> None:
        self._complete.set()
