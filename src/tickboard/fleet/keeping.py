"""Keeping what a wall knows of its hosts: the hosts of an earlier run, and storing those of this one now and then."""

import asyncio
import time
from collections.abc import Collection
from pathlib import Path

from tickboard.errors import JournalError
from tickboard.fleet.clock import HostClock
from tickboard.fleet.follower import Follower
from tickboard.fleet.holes import Holes
from tickboard.fleet.host import AGAIN_MS, FollowedHost
from tickboard.fleet.roster import HostPlace, KnownHost, Roster
from tickboard.problems import Reporter

SOURCE = "list of hosts"
"""The source of the problem that the hosts are not kept."""

NEW_S, EVERY_S = 1.0, 10.0
"""Seconds until a new host is stored, and between two times that all are."""


class KeptHosts:
    """Keeps the hosts of a follower.

    Args:
        path: the file; None: they are not kept.
        follower: has the hosts.
        interval_ms: milliseconds between two ticks of the wall.
        problems: where it is reported that they are not kept.
    """

    def __init__(self, path: Path | None, follower: Follower, interval_ms: int, problems: Reporter) -> None:
        self._roster = None if path is None else Roster(path)
        self._follower = follower
        self._interval_ms = interval_ms
        self._problems = problems
        self._stored: dict[str, HostPlace] = {}

    def load(self, addresses: Collection[str], *, nats: bool = False, recorded_ms: int = 0) -> bool:
        """Add the hosts of an earlier run to the follower, and return whether they are known. This blocks.

        Args:
            addresses: of the hosts that are followed over HTTP; others that were reached over HTTP are forgotten.
            nats: whether hosts are followed through NATS; if not, those that were reached through it are forgotten.
            recorded_ms: the newest tick in the wall's history, POSIX milliseconds, before this run: what hosts have
                made since is missing, whatever the file says. 0: there is none.
        """
        if self._roster is None:
            return False
        try:
            known = self._roster.load()
        except JournalError as error:
            self._problems.report(SOURCE, str(error))
            return False
        for each in known:
            self._stored[each.about.name] = each.place
            is_followed = {"http": each.place.address in addresses, "nats": nats}
            if is_followed.get(each.place.kind, True):
                self._follower.add_known(self._host(each, recorded_ms))
        return True

    async def run(self) -> None:
        """Store the hosts now and then, and new ones soon, until cancelled."""
        waited_s = 0.0
        while True:
            await asyncio.sleep(NEW_S)
            waited_s += NEW_S
            if waited_s >= EVERY_S or self._has_new:
                waited_s = 0.0
                await self.store()

    @property
    def _has_new(self) -> bool:
        """Whether a host has come, has sent its first tick or was forgotten since hosts were stored."""
        hosts = self._follower.hosts
        if hosts.keys() != self._stored.keys():
            return True
        return any(host.ticked_ms and not self._stored[name].ticked_ms for name, host in hosts.items())

    async def store(self) -> None:
        """Store what has changed of the hosts."""
        if self._roster is None:
            return
        elapsed = time.monotonic()
        places = {name: _place(host, elapsed) for name, host in self._follower.hosts.items() if host.about is not None}
        changed = [
            KnownHost(about, place)
            for name, place in places.items()
            if self._stored.get(name) != place and (about := self._follower.hosts[name].about) is not None
        ]
        forgotten = self._stored.keys() - places.keys()
        try:
            await asyncio.to_thread(self._roster.save, changed, forgotten)
        except JournalError as error:
            self._problems.report(SOURCE, str(error))
            return
        self._stored = places
        self._problems.clear(SOURCE)

    def _host(self, known: KnownHost, recorded_ms: int) -> FollowedHost:
        """Return a host as it was in the earlier run."""
        about, place = known.about, known.place
        host = FollowedHost(about.name, self._interval_ms, place.since)
        host.describe(about)
        host.interval_ms = about.interval_ms
        host.state = place.state if place.state in {"gone", "left"} else "waiting"
        host.seen = place.seen
        host.clock = HostClock(self._interval_ms, place.shift_ms)
        # A host that had sent no tick yet has made them since it was heard.
        newest_ms = place.ticked_ms or round(place.seen * 1000) - place.shift_ms
        if recorded_ms:
            newest_ms = min(newest_ms, recorded_ms - place.shift_ms)
        host.ticked_ms = max(0, newest_ms - AGAIN_MS)
        host.holes = Holes(place.holes)
        return host


def _place(host: FollowedHost, elapsed: float) -> HostPlace:
    address, kind = ("", "") if host.link is None else (host.link.address, host.link.kind)
    return HostPlace(
        host.state,
        host.since,
        host.seen,
        host.ticked_ms,
        host.clock.offset_ms,
        host.to_fill_again(elapsed),
        address,
        kind,
    )
