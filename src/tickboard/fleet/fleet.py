"""The fleet: all that a wall has to follow hosts. It is made once, and goes on when one board replaces another."""

import asyncio
import contextlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from tickboard.alerting.alerts import Alerts
from tickboard.fleet.alerts import EventKeeping, FollowedAlerts
from tickboard.fleet.clock import wait_ms
from tickboard.fleet.filling import Filler
from tickboard.fleet.follow_options import FollowOptions, host_addresses
from tickboard.fleet.follower import Follower
from tickboard.fleet.host import FollowedHost
from tickboard.fleet.host_series import HostSeries
from tickboard.fleet.keeping import KeptHosts
from tickboard.fleet.link import Link
from tickboard.fleet.nats_options import NatsOptions
from tickboard.fleet.wall_labels import HOST
from tickboard.loop.supervisor import Supervisor
from tickboard.metrics.intake import Intake
from tickboard.output.secrets import public
from tickboard.problems import Problems, described
from tickboard.wire import HostList

if TYPE_CHECKING:
    from tickboard.fleet.nats_link import NatsLinks

KEEPING = "keeping the list of hosts"
"""The source of problems of the part that stores the hosts."""

FILLING = "filling holes"
"""The source of problems of writing what was missing."""


class Fleet:
    """The hosts that a wall follows.

    Args:
        options: which hosts.
        intake: the wall's.
        problems: where what fails is reported, until it stops.
        interval_ms: milliseconds between two ticks of the wall.
        alerts: returns the wall's alerts.
        publishing: publishes the alerts of the hosts.
        nats: how to reach the NATS servers whose hosts are followed; None: there are none.
        roster: the file in which the hosts are kept; None: they are not.
        recorded_ms: see `KeptHosts.load`.

    Attributes:
        nats: as given.
        options: as given.
        interval_ms: as given.
        follower: takes what the hosts send.

    Raises:
        InputError: the file of tokens cannot be used.
    """

    def __init__(
        self,
        options: FollowOptions,
        intake: Intake,
        problems: Problems,
        interval_ms: int,
        alerts: Callable[[], Alerts],
        publishing: EventKeeping,
        nats: NatsOptions | None = None,
        roster: Path | None = None,
        recorded_ms: int = 0,
    ) -> None:
        self.options = options
        self.nats = nats
        self.interval_ms = interval_ms
        self._addresses = host_addresses(options)
        self._metrics = options.metrics or ()
        self._problems = scope = problems.scope()
        self._supervisor: Supervisor | None = None
        self._nats_links: NatsLinks | None = None
        self._own_alerts = alerts
        self._alerts = FollowedAlerts(lambda: alerts().log, publishing, scope)
        self._filler = Filler(follower := Follower(intake, scope, interval_ms), interval_ms, self._metrics)
        self._forgetting: set[asyncio.Task[None]] = set()
        self.follower = follower
        follower.on_complete = self._completed
        follower.on_late = self._came_late
        follower.on_change = self._changed
        follower.on_heard = self._alerts.heard
        follower.on_forget = self._forgot
        follower.own_id = lambda: alerts().log.epoch
        self._kept = KeptHosts(roster, follower, interval_ms, scope)
        addresses = {public(each.url) for each in self._addresses}
        self._knows_hosts = self._kept.load(addresses, nats=nats is not None, recorded_ms=recorded_ms)
        self._complete, self._late = asyncio.Event(), asyncio.Event()
        self._wait_s = wait_ms(interval_ms) / 1000

    def start(self) -> None:
        """Follow the hosts, unless it does. Call it in the running loop."""
        if self._supervisor is not None:
            return
        from tickboard.fleet.http_link import HttpLink

        self._supervisor = Supervisor(self._problems)
        if self._knows_hosts:
            self._alerts.keep_only(self.hosts)
        for host in self.hosts.values():
            # Those that it knows from before it was stopped.
            self._changed(host)
        self._supervisor.start("holes in the ticks of hosts", self._filler.run)
        self._supervisor.start(KEEPING, self._kept.run)
        for address in self._addresses:
            link = HttpLink(address.url, address.token, self.follower, self._metrics)
            self._supervisor.start(f"host {link.address}", link.run)
        if self.nats is not None:
            from tickboard.fleet.nats_connection import NatsConnection
            from tickboard.fleet.nats_link import NatsLinks

            connection = NatsConnection(
                self.nats, "tickboard wall", self._problems, "its hosts are not followed", source="following: NATS"
            )
            links = self._nats_links = NatsLinks(connection, self.follower, self._problems, self._metrics)
            self._supervisor.start("following: NATS connection", connection.run)
            self._supervisor.start("following: hosts on NATS", links.run)
            self._supervisor.start("following: calls on NATS", links.calls.run)

    async def stop(self) -> None:
        """Stop following."""
        supervisor, self._supervisor = self._supervisor, None
        if supervisor is not None:
            await supervisor.stop()
            await self._alerts.stop()
            await self._kept.store()
            self._problems.clear_all()

    @staticmethod
    def reserve(intake: Intake) -> None:
        """Prepare another board for the series of all hosts, before it inherits those of the board that it replaces."""
        HostSeries(intake)

    def bind(self, intake: Intake) -> None:
        """Go on with another board, which replaces the one before."""
        self.follower.bind(intake)

    @property
    def hosts(self) -> dict[str, FollowedHost]:
        """The hosts by name."""
        return self.follower.hosts

    def link(self, name: str) -> Link | None:
        """Return the link of a host; None if there is no such host, or it is not reached now."""
        return self.follower.link(name)

    @property
    def revision(self) -> int:
        """The revision of the list of hosts, which changes with each change that viewers see."""
        return self.follower.listing.revision

    def listed(self, since: int | None = None) -> HostList:
        """Return the hosts; see `HostListing.listed`."""
        return self.follower.listing.listed(since)

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
        """Write the values of all hosts for the wall's tick that is due, and those that were missing before."""
        try:
            self._filler.write()
        except Exception as error:  # noqa: BLE001  # what was missing before must not cost what is there now
            self._problems.report(FILLING, described(error), error=error, kind=type(error))
        else:
            self._problems.clear(FILLING)
        self.follower.collect(due)

    async def late(self) -> None:
        """Wait until there are values for the wall's newest tick, which has been made without them."""
        await self._late.wait()
        self._late.clear()

    def _completed(self) -> None:
        self._complete.set()

    def _came_late(self) -> None:
        self._late.set()

    def _changed(self, host: FollowedHost) -> None:
        if host.link is None and self._alerts.follows(host.name):
            # Its address leads to another host now, or to itself under another name.
            self._forget_alerts(host.name)
        # Until its clock is known, alerts would get wrong times, and keep them. Ticks that come late delay no alert.
        elif host.link is not None and host.clock.is_known:
            self._alerts.follow(host.name, host.link, host.labels, host.clock.offset_ms)
        if len(host.holes):
            self._filler.wake()

    def _forgot(self, name: str) -> None:
        self._filler.forget(name)
        self._own_alerts().forget(HOST, name)
        if self._nats_links is not None:
            self._nats_links.forget(name)
        self._forget_alerts(name)

    def _forget_alerts(self, name: str) -> None:
        task = asyncio.create_task(self._alerts.forget(name))
        self._forgetting.add(task)
        task.add_done_callback(self._forgetting.discard)
