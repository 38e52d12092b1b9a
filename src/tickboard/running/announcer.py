"""The announcer: publishes alert events once the journal has stored them.

     engine.tick ─▶ events ─▶ journal.commit ─▶ log.publish ─▶ hub.announce ─▶ SSE readers, notifiers

A tick does not wait for the disk: events gather during one commit, and the next takes them all. If the journal fails,
or its disk does not answer, events are published anyway, and a problem says that nothing is stored: a lost alert is
worse than one sent twice. If its file was deleted or replaced, everything in memory is written to a new one. Without a
journal, events are published at once.
"""

import asyncio
import secrets
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from tickboard.alerting.actions import ActionResult
from tickboard.alerting.alerts import Alerts
from tickboard.alerting.log import LogEvent
from tickboard.alerting.marks import MarkEvent
from tickboard.errors import JournalError
from tickboard.hub.hub import Hub
from tickboard.journal.change import JournalContents
from tickboard.journal.file import LostError
from tickboard.journal.journal import Journal
from tickboard.problems import described
from tickboard.wire import Mark

CHECK_S = 2.0
"""Seconds between two checks of the journal's file, and between two attempts to write after a failure."""

SHOWN_S = 10.0
"""How long the problem of a lost file is shown at least, so that people who look now and then see it."""

UNKEPT = "alerts and marks are published, but not stored (the log says more)"
"""The message for viewers when the journal fails."""

SOURCE = "alert log"
"""The source of a problem of the journal."""


class Acted(NamedTuple):
    """The result of an action on alerts.

    Attributes:
        changed: what it changed, and what it could not change.
        kept: whether the action outlives this run; if not, it is in force, but the journal failed.
    """

    changed: ActionResult
    kept: bool


class Marked(NamedTuple):
    """The result of making a mark.

    Attributes:
        mark: the mark; the existing one, if there was one with the same content.
        kept: whether it outlives this run; if not, it is in force, but the journal failed.
    """

    mark: Mark
    kept: bool


class Announcer:
    """Stores and publishes the alert events and marks of a hub, whichever board it shows.

    Args:
        hub: publishes them to its readers.
        journal: stores the events; None: nothing is stored.

    Attributes:
        journal: the journal, or None.
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
        """Publish events, the newest of the log, once they are stored. Call it in the running loop."""
        if not events:
            return
        if self.journal is None:
            self._hub.announce(events)
            return
        self._events += events
        self._begin()

    def keep_episodes(self) -> None:
        """Store the state of each episode, for a restart. Call it now and then."""
        alerts = self._hub.engine.alerts
        if self.journal is not None and (self._had_episodes or alerts.episodes()):
            self._begin()

    async def watch(self) -> None:
        """Check the journal's file now and then, and write again after a failure until that works; until cancelled."""
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
                # A write that succeeds clears the problem, or puts everything into a new file.
                await asyncio.wait([self._written()])

    async def act(self, change: Callable[[Alerts, float], ActionResult]) -> Acted:
        """Perform an action on alerts; return when it is stored, or cannot be.

        Args:
            change: performs it; takes the alerts and the time in POSIX seconds.

        Raises:
            AlertError: the action is impossible.
        """
        changed = change(self._hub.engine.alerts, time.time())
        return Acted(changed, await (self.keep(changed.events) if changed.events else self._kept_before()))

    async def mark(self, mark: Mark, permit: Callable[[], None]) -> Marked:
        """Make a mark; return when it is stored, or cannot be.

        Args:
            mark: the mark.
            permit: called unless there is a mark with the same content already; its exception propagates.
        """
        event = self._hub.engine.alerts.log.mark(mark, time.time(), permit)
        if isinstance(event, Mark):
            return Marked(event, await self._kept_before())
        return Marked(event.mark, await self.keep([event]))

    def mark_now(self, mark: Mark) -> None:
        """Make a mark, and publish it once it is stored. Call it in the running loop."""
        event = self._hub.engine.alerts.log.mark(mark, time.time())
        if isinstance(event, MarkEvent):
            self.announce([event])

    async def close(self) -> None:
        """Store the final state and close the journal, without waiting for a disk that hangs."""
        if self.journal is None:
            return
        await asyncio.wait([self._written()])
        try:
            await self.journal.close()
        except JournalError as error:
            self._failed(error)

    async def keep(self, events: Sequence[LogEvent]) -> bool:
        """Publish events, the newest of the log, once they are stored, or cannot be; return whether they are stored."""
        if self.journal is None:
            self._hub.announce(events)
            return True
        self._events += events
        written = self._written()
        # Not awaited directly: the caller may be cancelled, and others wait for it, too.
        await asyncio.wait([written])
        return written.result()

    async def _kept_before(self) -> bool:
        """Return whether all earlier changes are stored, once that is known."""
        if self._task is not None:
            await asyncio.wait([self._task])
        return not self._failing

    def _begin(self) -> None:
        """Start writing everything so far."""
        if self._due is None:
            self._due = asyncio.get_running_loop().create_future()
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._write_all())

    def _written(self) -> "asyncio.Future[bool]":
        """Start writing everything so far; return a future of whether it is stored."""
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
                # Whatever happened on the way to the disk, alerts are published, and nobody waits forever.
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
        """Write events and the current state; return whether they are stored."""
        alerts = self._hub.engine.alerts
        try:
            await self._commit(events)
        except Exception as error:  # noqa: BLE001  # whatever it was, alerts must go on
            self._failed(error)
            if events and self._renamed is None:
                # If the program ends now, other events get these numbers after a restart. A new epoch keeps readers
                # from resuming there.
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
                followed=dict(alerts.log.followed),
            )
        except LostError as error:
            self._failed(error)
            await self.journal.renew(self._whole())

    def _whole(self) -> JournalContents:
        """Return the whole contents for a new file."""
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
            followed=dict(log.followed),
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
