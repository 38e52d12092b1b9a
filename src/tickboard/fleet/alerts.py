"""The alerts of all hosts that a wall follows: reads the alert stream of each, and adds its events to the wall's log.

Each stream is resumed after the newest event that the wall has. How far it was read is kept in the wall's log, and is
stored together with the events: after a crash, none is missing and none is there twice. If a host no longer has the
events since then, or has another log, the wall takes over what fires there now and looks up in the host's own past what
became of the rest. While a host cannot be reached, its alerts stay as they were.

A stream is read no faster than the wall stores its events. An event that cannot be read or is too long is left out, and
so are alerts beyond `MAX_FIRING` that fire on one host: everything after them is read.
"""

import asyncio
import math
import random
import time
from collections.abc import Awaitable, Callable, Container, Mapping, Sequence
from contextlib import suppress
from typing import Protocol, TypeVar

import msgspec

from tickboard.alerting.host_alerts import (
    end,
    firing_of,
    forget,
    keep_only,
    receive,
    receive_mark,
    wall_alert,
    wall_id,
    wall_mark,
    wall_time,
)
from tickboard.alerting.log import LOST, AlertLog, EventKind, HostPosition, LogEvent
from tickboard.client.decoder import MAX_EPOCH
from tickboard.errors import InputError, RefusedError
from tickboard.fleet.asking import Answering, fetch, stream
from tickboard.fleet.event_stream import MAX_EVENT_BYTES, EventStream, ServerSentEvent
from tickboard.fleet.link import Link
from tickboard.fleet.wall_labels import wall_labels
from tickboard.loop.supervisor import Supervisor
from tickboard.problems import Quiet, Reporter
from tickboard.times import time_text
from tickboard.wire import Alert, AlertPage, AlertPosition, Mark

MAX_FIRING = 10_000
"""How many alerts of one host may fire at a time on a wall. Further ones are left out, and a problem says so."""

MAX_FIRING_BYTES = 2**26
"""How many bytes they may have in all when a stream begins, 64 MiB."""

OPEN_S = 20.0
"""How many seconds may pass until a stream has begun, and has said what fires."""

SILENT_S = 75.0
"""A stream without a byte for this many seconds is opened again: a host sends a heartbeat every 30 s."""

BEHIND_S = 5.0
"""A stream is opened again if its host has newer events, and none of them has come for this many seconds."""

AWAY_S = 3.0
"""A host that is heard from after so many seconds of silence is back, and its stream is opened at once."""

FIRST_RETRY_S, LAST_RETRY_S = 1.0, 60.0
"""Seconds until a stream that ended is opened again: the first, doubled each time it fails, up to the last."""

OPENING, OPENING_S = 50, 0.2
"""How many streams begin to be opened at a time, so that a wall with a thousand hosts does not ask all of them at once,
and for how many seconds one counts: hosts that do not answer keep no other waiting."""

PAGE_ALERTS, MAX_PAGES = 1_000, 20
"""How many alerts of a host's past are asked for at a time, and in how many answers at most."""

LOOK_UPS = 3
"""After as many failures, what cannot be looked up in a host's past is left out."""

LOOK_UP_S = 120.0
"""How many seconds a look-up may take."""

MARGIN_S = 5.0
"""A host's past is looked up from this many seconds before the wall first read its alerts."""

HEARTBEAT = b'{"type":"heartbeat"'
"""The beginning of an unnamed event that is no alert."""

UNREACHABLE = frozenset({502, 504})
"""Statuses of a host that is not there now, which its state on the wall says already."""

BUSY = 503
"""The status of a host with too many calls."""

KINDS: Mapping[str, EventKind] = {"": "firing", "resolved": "resolved", "changed": "changed"}
"""What happened to an alert, by the name of the event."""

T = TypeVar("T")

_decode_alert = msgspec.json.Decoder(Alert).decode
_decode_mark = msgspec.json.Decoder(Mark).decode
_decode_page = msgspec.json.Decoder(AlertPage).decode
_decode_position = msgspec.json.Decoder(AlertPosition).decode


class EventKeeping(Protocol):
    """Stores and publishes events of the wall's log, as `tickboard.running.announcer.Announcer` does."""

    def announce(self, events: Sequence[LogEvent]) -> None:
        """Publish events once they are stored."""
        ...

    def keep(self, events: Sequence[LogEvent]) -> Awaitable[bool]:
        """Publish events, and return once they are stored or cannot be."""
        ...


class FollowedAlerts:
    """The alerts of all hosts of a wall. Call its methods in the event loop.

    Args:
        log: returns the wall's log.
        publishing: stores and publishes events.
        problems: where it is reported what somebody has to fix.
    """

    def __init__(self, log: Callable[[], AlertLog], publishing: EventKeeping, problems: Reporter) -> None:
        self._log = log
        self._publishing = publishing
        self._problems = problems
        self._opening = asyncio.Semaphore(OPENING)
        self._readers: dict[str, _Reader] = {}

    def follow(self, name: str, link: Link, labels: Mapping[str, str], shift_ms: int = 0) -> None:
        """Read a host's alerts from now on, or continue with these arguments.

        Args:
            name: the host's.
            link: how it is reached.
            labels: its own.
            shift_ms: what is added to its times on the wall.
        """
        reader = self._readers.get(name)
        if reader is None:
            reader = _Reader(name, self._log, self._publishing, self._problems, self._opening)
            self._readers[name] = reader
        reader.use(link, labels, shift_ms)

    def follows(self, name: str) -> bool:
        """Return whether a host's alerts are read."""
        return name in self._readers

    def heard(self, name: str, alerts: int) -> None:
        """Note that a host is there.

        Args:
            name: the host's.
            alerts: the number of its newest alert event; -1: unknown.
        """
        if (reader := self._readers.get(name)) is not None:
            reader.heard(alerts)

    async def forget(self, name: str) -> None:
        """Follow a host no more: what fires of it is resolved."""
        if (reader := self._readers.pop(name, None)) is not None:
            await reader.stop()
        self._publishing.announce(forget(self._log(), name, time.time()))

    def keep_only(self, names: Container[str]) -> None:
        """Forget all hosts but these, at the start: those that were followed in an earlier run."""
        self._publishing.announce(keep_only(self._log(), names, time.time()))

    async def stop(self) -> None:
        """Stop reading. The alerts stay as they are."""
        readers = list(self._readers.values())
        self._readers.clear()
        await asyncio.gather(*(reader.stop() for reader in readers))


class _UnwillingError(RefusedError):
    """A host is there, and does not show its alerts."""


class _Reader:
    """Reads the alert stream of one host."""

    def __init__(
        self,
        name: str,
        log: Callable[[], AlertLog],
        publishing: EventKeeping,
        problems: Reporter,
        opening: asyncio.Semaphore,
    ) -> None:
        self._name = name
        self._source = f"alerts of {name}"
        self._log = log
        self._publishing = publishing
        self._problems = problems
        self._failing = Quiet()
        self._opening = opening
        self._link: Link | None = None
        self._labels: Mapping[str, str] = {}
        self._shift_ms = 0
        # The ids on the wall of the alerts that fire.
        self._firing: set[str] = set()
        # When the newest of its events happened, by its own clock.
        self._newest = ""
        self._failures = self._look_ups = 0
        self._heard = -math.inf
        self._back = asyncio.Event()
        # When the stream that is open is given up, once it has begun.
        self._limit: asyncio.Timeout | None = None
        self._supervisor = Supervisor(problems)

    def use(self, link: Link, labels: Mapping[str, str], shift_ms: int) -> None:
        """Read from a link, and show the alerts with these labels and times from now on."""
        before, self._link = self._link, link
        self._labels, self._shift_ms = dict(labels), shift_ms
        if before is None:
            self._supervisor.start(f"{self._source}: reader", self._run)
        elif before is not link:
            # What is open leads to where the host was.
            self._give_up_in(0.0)
            self._back.set()

    def heard(self, alerts: int) -> None:
        """Note that the host is there, with this number of its newest event."""
        before, self._heard = self._heard, asyncio.get_running_loop().time()
        if self._heard - before > AWAY_S:
            self._failures = 0
            self._back.set()
        if alerts > self._position.number:
            self._give_up_in(BEHIND_S)

    async def stop(self) -> None:
        """Stop reading."""
        await self._supervisor.stop()
        self._problems.clear(self._source, "is not read any more")

    @property
    def _position(self) -> HostPosition:
        return self._log().followed.get(self._name, HostPosition("", 0))

    def _give_up_in(self, seconds: float) -> None:
        """End the stream that is open in some seconds, unless something comes before."""
        if self._limit is not None and not self._limit.expired():
            self._limit.reschedule(min(self._limit.when() or 0.0, _in(seconds)))

    def _report(self, what: str) -> None:
        self._failing.failed(time.monotonic())
        self._problems.report(self._source, what)

    # --- one stream after another ---

    async def _run(self) -> None:
        while True:
            self._back.clear()
            try:
                await self._read()
            except InputError as error:
                self._failures += 1
                self._report(f"its alert stream cannot be read: {error}")
            except (RefusedError, TimeoutError) as error:
                self._failures += 1
                if isinstance(error, _UnwillingError):
                    self._report(str(error))
            await self._pause()

    async def _pause(self) -> None:
        """Wait until the stream may be opened again: longer after each failure, or until the host is back."""
        await asyncio.sleep(random.uniform(0.5, 1.0) * FIRST_RETRY_S)
        wait_s = min(FIRST_RETRY_S * 2.0 ** min(self._failures, 10), LAST_RETRY_S)
        with suppress(TimeoutError):
            async with asyncio.timeout(random.uniform(0.5, 1.0) * wait_s):
                await self._back.wait()

    async def _read(self) -> None:
        """Read one stream until it ends.

        Raises:
            TimeoutError: nothing has come for too long.
            RefusedError: there is no stream, or it was cut off.
            InputError: it cannot be read.
        """
        assert self._link is not None
        position = self._position
        self._newest = position.time
        headers = {"last-event-id": f"{position.epoch}-{position.number}"} if position.epoch else {}
        self._firing = {alert.id for alert in firing_of(self._log(), self._name)}
        await self._opening.acquire()
        asyncio.get_running_loop().call_later(OPENING_S, self._opening.release)
        try:
            async with (
                asyncio.timeout(OPEN_S) as limit,
                stream(self._link, "/events/alerts", headers=headers) as answer,
            ):
                self._check(answer)
                events = EventStream()
                rest = await self._begin(answer, events, limit)
                self._limit, self._failures = limit, 0
                limit.reschedule(_in(SILENT_S))
                await self._take(rest)
                async for chunk in answer:
                    limit.reschedule(_in(SILENT_S))
                    await self._take(list(events.feed(chunk)))
        finally:
            self._limit = None

    def _check(self, answer: Answering) -> None:
        if answer.status != 200:
            kind = RefusedError if answer.status in UNREACHABLE else _UnwillingError
            why = (
                "it has too many calls, and is asked again"
                if answer.status == BUSY
                else "see what the wall may do on it"
            )
            raise kind(f"it answers {answer.status} when asked for its alerts: {why}")

    async def _begin(self, answer: Answering, events: EventStream, limit: asyncio.Timeout) -> list[ServerSentEvent]:
        """Read the beginning of a stream, up to its position; return the events that came with it."""
        firing: list[Alert] = []
        size = 0
        async for chunk in answer:
            batch = list(events.feed(chunk))
            for place, event in enumerate(batch):
                if event.name == "position":
                    said = _decoded(_decode_position, event.data)
                    if said.whole:
                        limit.reschedule(_in(LOOK_UP_S))
                        await self._take_over(firing, *_position_in(event.id))
                    return batch[place + 1 :]
                try:
                    alert = _decoded(_decode_alert, event.data)
                except InputError as error:
                    self._report(f"an alert cannot be read, and is left out: {error}")
                    continue
                size += len(event.data or b"")
                has_room = len(firing) < MAX_FIRING and size <= MAX_FIRING_BYTES
                # Those that fire on the wall already are kept, since any other of them has ended.
                if has_room or wall_id(self._name, alert.id) in self._firing:
                    firing.append(alert)
                else:
                    self._report(_too_many())
        raise RefusedError("its alert stream ended before it had begun")

    # --- events ---

    async def _take(self, batch: list[ServerSentEvent]) -> None:
        """Add events to the wall's log, and wait until they are stored."""
        now, new = time.time(), list[LogEvent]()
        try:
            for event in batch:
                new += self._add(event, now)
        finally:
            # Whatever has happened, what the log has is published.
            await self._keep(new)

    async def _keep(self, events: Sequence[LogEvent]) -> None:
        if events:
            await self._publishing.keep(events)
        now = time.monotonic()
        if len(self._firing) >= MAX_FIRING and not self._failing:
            # The others are still left out.
            self._failing.failed(now)
        elif self._failing.is_over(now):
            self._problems.clear(self._source)

    def _add(self, event: ServerSentEvent, now: float) -> list[LogEvent]:
        """Add an event to the wall's log; return what is to be published."""
        epoch, number = _position_in(event.id)
        new: list[LogEvent] = []
        try:
            if event.name == "mark":
                mark = wall_mark(_decoded(_decode_mark, event.data), self._name, self._shift_ms)
                new += receive_mark(self._log(), mark, now)
            elif event.name in KINDS and not (event.data or b"").startswith(HEARTBEAT):
                alert = _decoded(_decode_alert, event.data)
                new += self._receive(KINDS[event.name], alert, now)
        except InputError as error:
            # It will not become better by being read again.
            self._report(f"an event cannot be read, and is left out: {error}")
        self._log().followed[self._name] = HostPosition(epoch, number, self._newest)
        return new

    def _receive(self, kind: EventKind, sent: Alert, now: float) -> Sequence[LogEvent]:
        """Add what happened to an alert to the wall's log.

        Raises:
            InputError: it cannot be read.
        """
        alert = wall_alert(sent, self._name, wall_labels(self._name, self._labels, sent.labels), self._shift_ms)
        if alert.resolved is None and len(self._firing) >= MAX_FIRING and alert.id not in self._firing:
            self._report(_too_many())
            return ()
        at = wall_time("timestamp", alert.resolved or alert.timestamp, -self._shift_ms)
        self._newest = max(self._newest, at)
        new = receive(self._log(), kind, alert, now)
        (self._firing.discard if self._log().firing_alert(alert.id) is None else self._firing.add)(alert.id)
        return new

    # --- a host that has no events after the wall's position ---

    async def _take_over(self, firing: Sequence[Alert], epoch: str, number: int) -> None:
        """Take over what fires on the host, and look up what has ended unseen.

        Args:
            firing: what fires.
            epoch: of the position that the stream continues after.
            number: the same.

        Raises:
            RefusedError: its past cannot be looked up now.
        """
        still = {wall_id(self._name, alert.id) for alert in firing}
        since = self._unknown_since(still)
        over = await self._look_up(since) if since else []
        log, now, new = self._log(), time.time(), list[LogEvent]()
        # From here on nothing waits, so that the position fits the events.
        for alert in over:
            # At the very time, there may be alerts that have left the wall's log.
            if (alert.resolved or "") > since or wall_id(self._name, alert.id) in self._firing:
                new += self._received("resolved", alert, now)
        for alert in firing:
            new += self._received("firing", alert, now)
        new += end(log, self._name, LOST, now, still)
        self._firing &= still
        if not self._position.epoch:
            self._newest = max(self._newest, time_text(round((now - MARGIN_S) * 1000) - self._shift_ms))
        log.followed[self._name] = HostPosition(epoch, number, self._newest)
        await self._keep(new)

    def _unknown_since(self, still: Container[str]) -> str:
        """Return from when on alerts may have ended unseen, by the host's clock; empty: none have.

        Args:
            still: the ids on the wall of those that fire.
        """
        if self._position.epoch:
            return self._position.time
        ended = [alert for alert in firing_of(self._log(), self._name) if alert.id not in still]
        return min((wall_time("timestamp", alert.timestamp, -self._shift_ms) for alert in ended), default="")

    async def _look_up(self, since: str) -> list[Alert]:
        """Return the alerts that were resolved on the host since a time, the first that began first."""
        found: list[Alert] = []
        try:
            before = 0
            for _ in range(MAX_PAGES):
                page = await self._page(since, before)
                found += page.alerts
                if page.next is None:
                    break
                before = page.next
            else:
                self._report(f"more than {MAX_PAGES * PAGE_ALERTS} alerts ended unseen: the first are left out")
        except RefusedError as error:
            self._look_ups += 1
            if self._look_ups < LOOK_UPS:
                raise
            self._report(f"what became of earlier alerts is not known: {error}")
        self._look_ups = 0
        return found[::-1]

    async def _page(self, since: str, before: int) -> AlertPage:
        assert self._link is not None
        query = [("state", "resolved"), ("from", since), ("limit", str(PAGE_ALERTS))]
        answer = await fetch(self._link, "GET", "/api/alerts", [*query, ("before", str(before))] if before else query)
        if answer.status != 200:
            raise RefusedError(f"it answers {answer.status} when asked for resolved alerts")
        return _decoded(_decode_page, answer.body)

    def _received(self, kind: EventKind, alert: Alert, now: float) -> Sequence[LogEvent]:
        try:
            return self._receive(kind, alert, now)
        except InputError as error:
            self._report(f"an alert cannot be read, and is left out: {error}")
            return ()


def _too_many() -> str:
    return (
        f"more than {MAX_FIRING} alerts fire at once, or they have more than {MAX_FIRING_BYTES} bytes: the others are "
        "left out"
    )


def _in(seconds: float) -> float:
    return asyncio.get_running_loop().time() + seconds


def _position_in(id: str) -> tuple[str, int]:  # the wire's name
    """Return the epoch and the number in the id of an event.

    Raises:
        InputError: it has another form.
    """
    epoch, _, number = id.rpartition("-")
    if not (0 < len(epoch) <= MAX_EPOCH and number.isascii() and number.isdigit() and len(number) < 20):
        raise InputError(f"the id {id[:40]!r} is not a position")
    return epoch, int(number)


def _decoded(decode: Callable[[bytes], T], data: bytes | None) -> T:
    """Return what a host has sent.

    Args:
        decode: decodes it.
        data: as it was received; None: it was too long.

    Raises:
        InputError: it is something else.
    """
    if data is None:
        raise InputError(f"it has more than {MAX_EVENT_BYTES} bytes")
    try:
        return decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"{error}") from error
