"""The teller: lets everyone be told of alert events, once they are kept.

     engine.tick ─▶ events ─▶ journal.commit ─▶ log.tell ─▶ hub.announce ─▶ SSE readers, notifiers

A tick does not wait for the disk: events gather while one commit is written, and the next takes them all. When the
journal fails, everyone is told all the same, and the page says that nothing is kept: an alert that reaches nobody is
worse than one that is told twice. Without a journal events are told at once.
"""

import asyncio
import secrets
import time
from collections.abc import Callable

from tickboard.alerting.alerts import Alerts
from tickboard.alerting.log import AlertEvent
from tickboard.errors import JournalError
from tickboard.frames import timestamp
from tickboard.hub.hub import Hub
from tickboard.journal.journal import Journal
from tickboard.types import Alert, Problem

EXPIRE_S = 3600.0
"""Seconds between two looks for what is too old in the journal, where no event comes that would have it look."""

SOURCE = "alert log"
"""What a problem of the journal is called on the page."""


class Teller:
    """Keeps and tells the alert events of a hub, whichever board it shows.

    Args:
        hub: whose readers are told.
        journal: where events are kept; None: nowhere.

    Attributes:
        journal: as given.
    """

    def __init__(self, hub: Hub, journal: Journal | None = None) -> None:
        self._hub = hub
        self.journal = journal
        self._events: list[AlertEvent] = []
        self._due = False
        self._task: asyncio.Task[None] | None = None
        self._expired = time.monotonic()
        self._had_episodes = False
        self._renamed: str | None = None

    def tell(self, events: list[AlertEvent]) -> None:
        """Let everyone be told of events, the newest of the log; the caller is in the running loop."""
        if not events:
            return
        if self.journal is None:
            self._hub.announce(events)
            return
        self._events += events
        self._begin()

    def keep_episodes(self) -> None:
        """Keep where each episode stands, for a restart; to be called now and then."""
        alerts = self._hub.engine.alerts
        if self.journal is not None and (self._had_episodes or any(True for _ in alerts.episodes())):
            self._begin()

    async def act(self, change: Callable[[Alerts, float], AlertEvent]) -> Alert:
        """Do what somebody asks to be done to an alert, and return the alert when that is kept.

        Args:
            change: does it, given the alerts and the time in POSIX seconds.

        Raises:
            AlertError: it cannot be done.
        """
        event = change(self._hub.engine.alerts, time.time())
        self.tell([event])
        if self._task is not None:
            await asyncio.wait([self._task])
        return event.alert

    async def close(self) -> None:
        """Keep how everything stands at the end, and let go of the journal."""
        if self.journal is None:
            return
        self._begin()
        assert self._task is not None
        await asyncio.wait([self._task])
        try:
            await self.journal.close()
        except JournalError as error:
            self._failed(error)

    def _begin(self) -> None:
        self._due = True
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._write_all())

    async def _write_all(self) -> None:
        while self._due:
            self._due = False
            events, self._events = self._events, []
            await self._write(events)
            if events:
                self._hub.engine.alerts.log.tell(events[-1].number)
                self._hub.announce(events)

    async def _write(self, events: list[AlertEvent]) -> None:
        assert self.journal is not None
        alerts = self._hub.engine.alerts
        episodes = alerts.episodes()
        self._had_episodes = bool(episodes)
        try:
            await self.journal.commit(events, episodes, alerts.silences(), epoch=self._renamed)
            self._renamed = None
            if (now := time.monotonic()) - self._expired >= EXPIRE_S:
                self._expired = now
                await self.journal.expire(time.time())
        except JournalError as error:
            self._failed(error)
            if events and self._renamed is None:
                # Were the program to end now, their numbers would be given to others: who was told of them must not
                # go on from there.
                self._renamed = alerts.log.epoch = secrets.token_hex(8)
        else:
            self._hub.mended(SOURCE)

    def _failed(self, error: JournalError) -> None:
        if SOURCE not in self._hub.problems:
            self._hub.report(Problem(SOURCE, str(error), timestamp(time.time())))
