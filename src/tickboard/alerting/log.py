"""The log of alert events, in order: alerts that fired or were resolved, what people did about them, and marks.

All readers share one log; a reader's position is the number of an event. An event is numbered as soon as it happens,
but published only after it is stored. So nobody sees an event that a crash could lose, and a published number never
changes its meaning. The log takes alerts and returns events; it knows neither rules nor files.

The age of an event is the time that this run has held it, by a clock that never steps. The wall clock may be wrong by
years when a program starts, so nothing is deleted because of it.
"""

from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Callable, Iterable
from itertools import islice
from typing import Literal

from msgspec import Struct, field

from tickboard.alerting.keeping import Keeping
from tickboard.alerting.marks import MarkEvent, Marks
from tickboard.wire import Alert, Mark

LOG_EVENTS = 20_000
"""How many firing and resolved events are kept; beyond that, the oldest is dropped."""

MAX_CHANGES = LOG_EVENTS // 4
"""How many changes are kept; they don't count towards `LOG_EVENTS`. Beyond that, the oldest change that a later change
of the same alert replaced is dropped. The last change of each alert stays."""

MAX_LOGGED_MARKS = 1_000
"""How many marks are kept in the log; they don't count towards `LOG_EVENTS`. Beyond that, the oldest leaves the log.
`Marks` keeps more."""

LOG_AGE_S = 24 * 3600.0
"""How long an event is kept in this run."""

STEP_S = 60.0
"""The precision of an event's age, in seconds."""

EventKind = Literal["firing", "resolved", "changed"]
"""``changed``: acknowledged or silenced, or the end of a silence."""


class AlertEvent(Struct, eq=False):
    """An alert that fires, is resolved or is changed, with its number in the log.

    Attributes:
        number: 1, 2, 3, … within the log's epoch.
        kind: what happened.
        alert: the alert as sent on the wire, after the event.
        time: POSIX seconds.
        drops: the number of an older change that this event pushed out of the log; 0: none.
        begun: the number of the alert's firing event, which may have left the log; 0: the log finds it.
        frames: encoded frames of this event, by format, so that it is encoded once.
    """

    number: int
    kind: EventKind
    alert: Alert
    time: float
    drops: int = 0
    begun: int = 0
    frames: dict[str, bytes] = field(default_factory=dict)


class HostPosition(Struct, frozen=True):
    """How far a wall has read a host's alert stream.

    Attributes:
        epoch: names the host's log.
        number: the number there of the newest event that the wall has.
        time: when that event happened by the host's clock, RFC 3339 in UTC with milliseconds; empty if there is none.
    """

    epoch: str
    number: int
    time: str = ""


LogEvent = AlertEvent | MarkEvent
"""What the log holds."""

FORGOTTEN = "host forgotten"
"""The reason for which the alerts of a host end that a wall no longer follows."""

LOST = "not known to its host any more"
"""The reason for which an alert ends that its host has lost, for example since it keeps no log."""

_OTHERS = frozenset({"changed", "mark"})
"""Kinds of events that don't count towards `LOG_EVENTS`."""


class Events(deque[LogEvent]):
    """Events in order, with at most `LOG_EVENTS` firing and resolved events among them.

    Attributes:
        others: how many events are changes or marks.
        changes: how many events are changes.
        left: the highest number that has left because of its age or the limit.
        older: the latest end of a resolved alert that has left, RFC 3339; empty: none has.
    """

    def __init__(self, left: int = 0) -> None:
        super().__init__()
        self.others = self.changes = 0
        self.left = left
        self.older = ""

    def append(self, event: LogEvent) -> None:
        """Add an event."""
        super().append(event)
        if event.kind in _OTHERS:
            self._count(event, 1)
        while len(self) - self.others > LOG_EVENTS:
            self.popleft()

    def popleft(self) -> LogEvent:
        """Remove the oldest event and return it."""
        event = super().popleft()
        if event.kind in _OTHERS:
            self._count(event, -1)
        self.left = event.number
        if isinstance(event, AlertEvent) and event.alert.resolved is not None:
            self.older = max(self.older, event.alert.resolved)
        return event

    def clear(self) -> None:
        """Remove all events."""
        super().clear()
        self.others = self.changes = 0

    def drop(self, number: int) -> bool:
        """Remove one change or mark from the middle; return whether it was there."""
        place = bisect_left(self, number, key=_number)
        found = place < len(self) and self[place].number == number
        if found:
            self._count(self[place], -1)
            del self[place]
        return found

    def _count(self, event: LogEvent, by: int) -> None:
        self.changes += by * (event.kind == "changed")
        self.others += by


class AlertLog:
    """The events of one epoch. Each is kept for at most `LOG_AGE_S`, and their number is limited by `Events`.

    Args:
        epoch: names this log; it survives restarts if the log is stored in a file.
        events: those of earlier runs, oldest first; already published.
        number: the newest event's number, if that event has left the log.
        kept: whether events must be stored before they are published. If False, they are published at once.
        firing: the alerts that were firing when the earlier run ended, in the order they began. Their firing events may
            have left the log long ago.
        marks: the marks of earlier runs, in the order they were made.
        older: the latest end of a resolved alert that is stored but not among `events`; empty: none is.

    Attributes:
        epoch: as given.
        number: the newest event's number; 0 before the first.
        published: the number of the newest published event.
        kept: as given.
        positions: the number up to which each notifier has sent events, by the notifier's name.
        followed: how far the alert streams of other hosts were read, by the host's name. It is stored together with the
            events.
        marks: the marks, including those whose events have left the log.
        keeping: decides which resolved alerts and marks are too old.
    """

    def __init__(
        self,
        epoch: str,
        events: Iterable[LogEvent] = (),
        number: int = 0,
        *,
        kept: bool = False,
        firing: Iterable[AlertEvent] = (),
        marks: Iterable[MarkEvent] = (),
        older: str = "",
    ) -> None:
        self.epoch = epoch
        self.kept = kept
        self.positions: dict[str, int] = {}
        self.followed: dict[str, HostPosition] = {}
        self.marks = Marks(marks)
        self.keeping = Keeping(LOG_AGE_S)
        self._events = Events()
        self._events.older = older
        self._last_changes: dict[str, int] = {}
        self._outdated: deque[int] = deque()
        self._logged_marks: deque[int] = deque()
        # The number of each resolved alert's firing event.
        self._beginnings: dict[str, int] = {}
        # The firing alerts after all events; those after the published events are in `_published_firing`.
        self._firing = {event.alert.id: event for event in firing}
        self._unpublished: deque[LogEvent] = deque()
        for event in events:
            if not self._events:
                self._events.left = event.number - 1
            self._add(event)
            number = max(number, event.number)
        if not self._events:
            self._events.left = number
        self._published_firing = dict(self._firing)
        self.number = self.published = number
        self._lived_s = 0.0
        # The newest number at certain times. This gives the age of events without a time for each.
        self._steps: deque[tuple[float, int]] = deque([(0.0, number)])
        self._expired = 0
        self._listed: list[tuple[int, Alert]] | None = None

    def append(self, kind: EventKind, alert: Alert, time: float) -> AlertEvent:
        """Number an event and store it in the log.

        Args:
            kind: what happened.
            alert: the alert after it.
            time: POSIX seconds.
        """
        event = AlertEvent(self.number + 1, kind, alert, time)
        self._append(event)
        return event

    def mark(self, mark: Mark, time: float, permit: Callable[[], None] = lambda: None) -> MarkEvent | Mark:
        """Make a mark.

        Args:
            mark: the mark.
            time: POSIX seconds.
            permit: called before anything changes; its exception propagates.

        Returns:
            The event; or the existing mark, if there is one with the same text at the same time.
        """
        if (known := self.marks.find_same(mark)) is not None:
            return known
        permit()
        event = MarkEvent(self.number + 1, mark, time)
        self.marks.add(event)
        self._append(event)
        return event

    def _append(self, event: LogEvent) -> None:
        self.number = event.number
        self._add(event)
        self._unpublished.append(event)
        if not self.kept:
            self.publish(self.number)

    def _add(self, event: LogEvent) -> None:
        if isinstance(event, MarkEvent):
            self._make_room_for_mark(event)
            self._events.append(event)
            return
        self._make_room(event)
        self._remember_beginning(event)
        self._events.append(event)
        _follow(self._firing, event)

    def _make_room_for_mark(self, event: MarkEvent) -> None:
        """If there are `MAX_LOGGED_MARKS` already, drop the oldest."""
        self._logged_marks.append(event.number)
        while len(self._logged_marks) > MAX_LOGGED_MARKS and not event.drops:
            number = self._logged_marks.popleft()
            if number > self._events.left and self._events.drop(number):
                event.drops = number

    def _remember_beginning(self, event: AlertEvent) -> None:
        """Set `event.begun`, before the event is applied to the firing alerts."""
        if event.kind == "firing":
            event.begun = event.number
            return
        id, known = event.alert.id, self._beginnings
        if (fires := self._firing.get(id)) is not None:
            event.begun = fires.number
        else:
            event.begun = event.begun or known.get(id, event.number)
        # An alert that a wall has given up may still fire on its host, and begin again here.
        if event.alert.resolved is None or event.alert.ended in {FORGOTTEN, LOST}:
            return
        known[id] = event.begun
        if len(known) > 2 * LOG_EVENTS:
            here = {each.alert.id for each in self._events if isinstance(each, AlertEvent)} | {id}
            self._beginnings = {id: number for id, number in known.items() if id in here}

    def _make_room(self, event: AlertEvent) -> None:
        """If `event` is a change and there are `MAX_CHANGES` already, drop one that is out of date."""
        if event.kind != "changed":
            return
        events, last = self._events, self._last_changes
        if (before := last.get(event.alert.id, 0)) > events.left:
            self._outdated.append(before)
        last[event.alert.id] = event.number
        if len(last) > 2 * LOG_EVENTS:
            self._last_changes = {id: number for id, number in last.items() if number > events.left}
        while events.changes >= MAX_CHANGES and self._outdated and not event.drops:
            number = self._outdated.popleft()
            if number > events.left and events.drop(number):
                event.drops = number

    def publish(self, number: int) -> None:
        """Publish the events up to this number."""
        self.published = max(self.published, min(number, self.number))
        while self._unpublished and self._unpublished[0].number <= self.published:
            event = self._unpublished.popleft()
            if isinstance(event, AlertEvent):
                _follow(self._published_firing, event)
        self._listed = None

    def can_resume_after(self, number: int) -> bool:
        """Return whether the log has every event after `number`, so that a reader can resume there."""
        return self._events.left <= number <= self.number

    def since(self, number: int, most: int = LOG_EVENTS) -> list[LogEvent]:
        """Return the published events after `number`, oldest first, at most `most`."""
        first = bisect_right(self._events, number, key=_number)
        events = islice(self._events, first, first + most)
        return [event for event in events if event.number <= self.published]

    def firing(self) -> list[AlertEvent]:
        """Return the alerts that fire after the published events, in the order they began, in their published state.

        Each is an event with the number of its firing event.
        """
        return list(self._published_firing.values())

    def firing_by_now(self) -> list[AlertEvent]:
        """Return what `firing` does, but after the unpublished events too: for code that makes events, not readers."""
        return list(self._firing.values())

    def firing_alert(self, id: str) -> Alert | None:  # the wire's name
        """Return an alert that fires after all events, in its current state; None if it does not."""
        found = self._firing.get(id)
        return None if found is None else found.alert

    def is_over(self, id: str) -> bool:  # the wire's name
        """Return whether the log knows that an alert was resolved, for another reason than `FORGOTTEN` and `LOST`."""
        return id in self._beginnings

    def alerts(self) -> list[tuple[int, Alert]]:
        """Return every published alert once, in its last published state, in the order they began.

        Each comes with the number of its firing event.
        """
        # Built once for all readers between two events.
        if self._listed is None:
            found = {event.alert.id: (event.number, event.alert) for event in self.firing()}
            for event in self._events:
                if event.number > self.published:
                    break
                if isinstance(event, AlertEvent):
                    found[event.alert.id] = (event.begun, event.alert)
            self._listed = sorted(found.values(), key=lambda each: each[0])
        return self._listed

    def find(self, ids: Iterable[str]) -> dict[str, Alert]:
        """Return the current states of alerts by their ids, in that order, without those that the log does not have."""
        found = {id: self._firing[id].alert if id in self._firing else None for id in ids}
        missing = {id for id, alert in found.items() if alert is None}
        for event in reversed(self._events):
            if not missing:
                break
            if isinstance(event, AlertEvent) and event.alert.id in missing:
                found[event.alert.id] = event.alert
                missing.discard(event.alert.id)
        return {id: alert for id, alert in found.items() if alert is not None}

    def pass_time(self, seconds: float) -> None:
        """Add seconds that have passed, by a clock that never steps."""
        self._lived_s += seconds

    def expire(self) -> None:
        """Drop the events that are too old; firing alerts stay known."""
        step_s, number = self._steps[-1] if self._steps else (-STEP_S, self._expired)
        if self.number > number and self._lived_s - step_s >= STEP_S:
            self._steps.append((self._lived_s, self.number))
        while self._steps and self._lived_s - self._steps[0][0] >= LOG_AGE_S:
            self._expired = self._steps.popleft()[1]
        if self._events and self._events[0].number <= self._expired:
            self._listed = None
            while self._events and self._events[0].number <= self._expired:
                self._events.popleft()

    def forget(self, now: float) -> None:
        """Drop the marks that are too old.

        Args:
            now: POSIX seconds.
        """
        self.keeping.update(now, self._lived_s)
        if self.keeping.since is not None:
            self.marks.expire(self.keeping.since)

    @property
    def oldest(self) -> int:
        """The lowest number that age alone allows to be kept."""
        return self._expired + 1

    @property
    def left(self) -> int:
        """The number up to which events have left the log."""
        return self._events.left

    @property
    def older(self) -> str:
        """The latest end of a resolved alert that has left the log, RFC 3339; empty: none has."""
        return self._events.older

    def events(self) -> list[LogEvent]:
        """Return all events, oldest first, including those that are not published yet."""
        return list(self._events)


def _follow(firing: dict[str, AlertEvent], event: AlertEvent) -> None:
    """Apply an event to the firing alerts."""
    before = firing.get(event.alert.id)
    if event.kind == "firing":
        firing[event.alert.id] = event
    elif event.kind == "resolved":
        firing.pop(event.alert.id, None)
    elif before is not None:
        firing[event.alert.id] = AlertEvent(before.number, "firing", event.alert, before.time)


def _number(event: LogEvent) -> int:
    return event.number
