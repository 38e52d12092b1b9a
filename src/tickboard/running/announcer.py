"""The announcer: publishes alert events, once they are kept.

     engine.tick ─▶ events ─▶ journal.commit ─▶ log.publish ─▶ hub.announce ─▶ SSE readers, notifiers

A tick does not wait for the disk: events gather while one commit is written, and the next takes them all. When the
journal fails, or its disk does not answer, events are published anyway, and a problem says that nothing is kept: an
alert that reaches nobody is worse than one that comes twice. When its file was deleted or replaced, everything in
memory is written to a new one. Without a journal events are published at once.
"""

import asyncio
import secrets
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from tickboard.alerting.alerts import Alerts
from tickboard.alerting.log import AlertEvent, LogEvent
from tickboard.alerting.marks import MarkEvent
from tickboard.errors import JournalError
from tickboard.hub.hub import Hub
from tickboard.journal.change import JournalContents
from tickboard.journal.file import LostError
from tickboard.journal.journal import Journal
from tickboard.problems import described
from tickboard.wire import Alert, Mark

CHECK_S = 2.0
"""Seconds between two looks at the journal's file, and between two attempts to write to one that failed."""

SHOWN_S = 10.0
"""How long it is shown at least that a file was lost, for somebody who looks now and then."""

UNKEPT = "alerts and marks are published, and not kept (the log says more)"
"""What viewers are told of a journal that fails."""

SOURCE = "alert log"
"""The source of a problem of the journal."""


class Acted(NamedTuple):
    """What became of something that was asked to be done to an alert.

    Attributes:
        alert: as it is after that.
        kept: whether it outlives this run; False: it is in force, but the journal failed.
    """

    alert: Alert
    kept: bool


class Marked(NamedTuple):
    """What became of a mark that was to be made.

    Attributes:
        mark: the mark; the one that says the same already, if there is one.
        kept: whether it outlives this run; False: it is in force, but the journal failed.
    """

    mark: Mark
    kept: bool


class Announcer:
    """Keeps and publishes the alert events and marks of a hub, whichever board it shows.

    Args:
        hub: whose readers get them.
        journal: where events are kept; None: nowhere.

    Attributes:
        journal: as given.
    """

    def __init__(self, hub: Hub, journal: Journal | None = None) -> None:
        self._hub = hub
        self.journal = journal
        self._events: list[LogEvent] = []
        self._due: asyncio.Future[bool] | None = None
        self._task: asyncio.Task[None] | None = None
        self._had_episodes = False
        self._renamed: str | None = None
        self._failing = False
        self._unsound = False
        self._shown_until = 0.0

    def announce(self, events: Sequence[LogEvent]) -> None:
        """Publish events, the newest of the log, once they are kept; the caller is in the running loop."""
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
        if self.journal is not None and (self._had_episodes or alerts.episodes()):
            self._begin()

    async def watch(self) -> None:
        """Look at the journal's file now and then, and write to one that failed until it works, until cancelled."""
        assert self.journal is not None
        while True:
            await asyncio.sleep(CHECK_S)
            try:
                await self.journal.check()
                self._unsound = False
            except JournalError as error:
                self._unsound = True
                self._failed(error)
            if self._failing:
                # What can be written clears the problem, or writes everything to a new file.
                await asyncio.wait([self._written()])

    async def act(self, change: Callable[[Alerts, float], AlertEvent | Alert]) -> Acted:
        """Do what somebody asks to be done to an alert, and return when that is kept, or cannot be.

        Args:
            change: does it, given the alerts and the time in POSIX seconds; returns the event, or the alert as it is
                where nothing has changed.

        Raises:
            AlertError: it cannot be done.
        """
        event = change(self._hub.engine.alerts, time.time())
        if isinstance(event, Alert):
            return Acted(event, await self._kept_before())
        return Acted(event.alert, await self._keep(event))

    async def mark(self, mark: Mark, permit: Callable[[], None]) -> Marked:
        """Make a mark, and return when it is kept, or cannot be.

        Args:
            mark: the mark.
            permit: called unless there is one that says the same already; its exception propagates.
        """
        event = self._hub.engine.alerts.log.mark(mark, time.time(), permit)
        if isinstance(event, Mark):
            return Marked(event, await self._kept_before())
        return Marked(event.mark, await self._keep(event))

    def mark_now(self, mark: Mark) -> None:
        """Make a mark, and publish it once it is kept; the caller is in the running loop."""
        event = self._hub.engine.alerts.log.mark(mark, time.time())
        if isinstance(event, MarkEvent):
            self.announce([event])

    async def close(self) -> None:
        """Keep how everything stands at the end, and close the journal; a disk that hangs is not waited for."""
        if self.journal is None:
            return
        await asyncio.wait([self._written()])
        try:
            await self.journal.close()
        except JournalError as error:
            self._failed(error)

    async def _keep(self, event: LogEvent) -> bool:
        """Publish an event once it is kept, or cannot be; return whether it is."""
        if self.journal is None:
            self._hub.announce([event])
            return True
        self._events.append(event)
        written = self._written()
        # Not awaited itself: who asks may go away, and others wait for it too.
        await asyncio.wait([written])
        return written.result()

    async def _kept_before(self) -> bool:
        """Return whether what has happened before is kept, once that is known."""
        if self._task is not None:
            await asyncio.wait([self._task])
        return not self._failing

    def _begin(self) -> None:
        """Have all that there is by now written."""
        if self._due is None:
            self._due = asyncio.get_running_loop().create_future()
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._write_all())

    def _written(self) -> "asyncio.Future[bool]":
        """Have all that there is by now written; return what will say whether it is kept."""
        self._begin()
        assert self._due is not None
        return self._due

    async def _write_all(self) -> None:
        while (written := self._due) is not None:
            self._due = None
            events, self._events = self._events, []
            kept = False
            try:
                kept = await self._write(events)
            finally:
                # Whatever happened to them on the way to the disk: an alert is published, and nobody waits for ever.
                written.set_result(kept)
                self._publish(events)

    def _publish(self, events: list[LogEvent]) -> None:
        if not events:
            return
        try:
            self._hub.engine.alerts.log.publish(events[-1].number)
            self._hub.announce(events)
        except Exception as error:  # noqa: BLE001  # the next events are published nevertheless
            self._failed(error)

    async def _write(self, events: list[LogEvent]) -> bool:
        """Write events, and how everything stands; return whether it is kept."""
        alerts = self._hub.engine.alerts
        try:
            await self._commit(events)
        except Exception as error:  # noqa: BLE001  # whatever it was, alerts go on
            self._failed(error)
            if events and self._renamed is None:
                # Were the program to end now, their numbers would be given to others: those who have them must not go
                # on from there.
                self._renamed = alerts.log.epoch = secrets.token_hex(8)
            return False
        self._renamed = None
        if self._failing and not self._unsound and time.monotonic() >= self._shown_until:
            self._failing = False
            self._hub.problems.clear(SOURCE)
        return True

    async def _commit(self, events: list[LogEvent]) -> None:
        assert self.journal is not None
        alerts = self._hub.engine.alerts
        episodes = alerts.episodes()
        self._had_episodes = bool(episodes)
        try:
            await self.journal.commit(
                events,
                episodes,
                alerts.kept_silences(),
                epoch=self._renamed,
                oldest=alerts.log.oldest,
                since=alerts.log.keeping.since,
            )
        except LostError as error:
            self._failed(error)
            await self.journal.renew(self._whole())

    def _whole(self) -> JournalContents:
        """Return all that is to be in a new file."""
        alerts = self._hub.engine.alerts
        log = alerts.log
        return JournalContents(
            log.epoch,
            log.number,
            log.events(),
            log.firing_by_now(),
            alerts.episodes(),
            alerts.kept_silences(),
            dict(log.positions),
            log.marks.events(),
        )

    def _failed(self, error: Exception) -> None:
        self._failing = True
        if isinstance(error, LostError):
            self._shown_until = time.monotonic() + SHOWN_S
        if isinstance(error, JournalError):
            # The message names the file.
            self._hub.problems.report(SOURCE, str(error), brief=UNKEPT)
        else:
            self._hub.problems.report(SOURCE, described(error), error=error)
