"""The log of alert events: what fired, what was resolved, what people did about it, in order.

All readers share one log; a reader is a number in it. An event is numbered as soon as it happens, but published only
once it is stored for good: `publish` says up to which number. So nobody sees an event that a crash could lose, and a
published number never changes its meaning. The log takes alerts and returns events; it knows neither rules nor files.

The age of an event is the time that this run has held it, by a clock that never steps. The wall clock may be wrong by
years when a program starts, so nothing is deleted because of it.
"""

from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import islice
from typing import Literal

from tickboard.wire import Alert

LOG_EVENTS = 20_000
"""How many firing and resolved events are kept; beyond that, the oldest is dropped."""

MAX_CHANGES = LOG_EVENTS // 4
"""How many changes are kept, besides: what people do about alerts takes no room from firing and resolved events. Beyond
that, the oldest change is dropped that a later one of the same alert replaces; each alert's last change stays."""

LOG_AGE_S = 24 * 3600.0
"""How long an alert event is kept in this run."""

MARK_S = 60.0
"""How exactly the age of an event is known, in seconds."""

EventKind = Literal["firing", "resolved", "changed"]
"""``changed``: acknowledged or silenced, or the end of a silence."""


@dataclass(eq=False)
class AlertEvent:
    """An alert that fires, is resolved or is changed, with its number in the log.

    Attributes:
        number: 1, 2, 3, … within the log's epoch.
        kind: what happened.
        alert: the alert as sent on the wire, after the event.
        time: POSIX seconds.
        drops: the number of an older change that this event pushed out of the log; 0: none.
        frames: encoded frames of this event, by format, so that it is encoded once.
    """

    number: int
    kind: EventKind
    alert: Alert
    time: float
    drops: int = 0
    frames: dict[str, bytes] = field(default_factory=dict)


class Events(deque[AlertEvent]):
    """Alert events in order, with at most `LOG_EVENTS` firing and resolved events among them.

    Attributes:
        changes: how many events are changes.
        left: the highest number that has left because of its age or the limit.
    """

    def __init__(self, left: int = 0) -> None:
        super().__init__()
        self.changes = 0
        self.left = left

    def append(self, event: AlertEvent) -> None:
        """Add an event."""
        super().append(event)
        self.changes += event.kind == "changed"
        while len(self) - self.changes > LOG_EVENTS:
            self.popleft()

    def popleft(self) -> AlertEvent:
        """Remove the oldest event and return it."""
        event = super().popleft()
        self.changes -= event.kind == "changed"
        self.left = event.number
        return event

    def clear(self) -> None:
        """Remove all events."""
        super().clear()
        self.changes = 0

    def drop(self, number: int) -> bool:
        """Remove one change from the middle; return whether it was there."""
        place = bisect_left(self, number, key=_number)
        found = place < len(self) and self[place].number == number
        if found:
            del self[place]
            self.changes -= 1
        return found


class AlertLog:
    """The alert events of one epoch: as many as `Events` holds, none held for longer than `LOG_AGE_S`.

    Args:
        epoch: names this log; it survives restarts if the log is stored in a file.
        events: those of earlier runs, oldest first; already published.
        number: the newest event's number, if that event has left the log.
        kept: whether events must be stored before they are published. If False, they are published at once.
        firing: the alerts that fired at the end of the earlier run, in the order they began. Their firing events may
            have left the log long ago.

    Attributes:
        epoch: as given.
        number: the newest event's number; 0 before the first.
        published: the number of the newest published event.
        kept: as given.
        positions: the number up to which each notifier has sent events, by its name.
    """

    def __init__(
        self,
        epoch: str,
        events: Iterable[AlertEvent] = (),
        number: int = 0,
        *,
        kept: bool = False,
        firing: Iterable[AlertEvent] = (),
    ) -> None:
        self.epoch = epoch
        self.kept = kept
        self.positions: dict[str, int] = {}
        self._events = Events()
        self._last_changes: dict[str, int] = {}
        self._outdated: deque[int] = deque()
        # The firing alerts by all events, and by the published ones.
        self._firing = {event.alert.id: event for event in firing}
        self._unpublished: deque[AlertEvent] = deque()
        for event in events:
            if not self._events:
                self._events.left = event.number - 1
            self._make_room(event)
            self._events.append(event)
            _follow(self._firing, event)
            number = max(number, event.number)
        if not self._events:
            self._events.left = number
        self._published_firing = dict(self._firing)
        self.number = self.published = number
        self._lived_s = 0.0
        # The newest number at certain times. This gives the age of events without a time for each.
        self._marks: deque[tuple[float, int]] = deque([(0.0, number)])
        self._expired = 0
        self._listed: list[tuple[int, Alert]] | None = None

    def append(self, kind: EventKind, alert: Alert, time: float) -> AlertEvent:
        """Number an event and store it in the log.

        Args:
            kind: what happened.
            alert: the alert after it.
            time: POSIX seconds.
        """
        self.number += 1
        event = AlertEvent(self.number, kind, alert, time)
        self._make_room(event)
        self._events.append(event)
        self._unpublished.append(event)
        _follow(self._firing, event)
        if not self.kept:
            self.publish(self.number)
        return event

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
            _follow(self._published_firing, self._unpublished.popleft())
        self._listed = None

    def has_missed(self, number: int) -> bool:
        """Return whether the log has every event after `number`, so that a reader can resume there."""
        return self._events.left <= number <= self.number

    def since(self, number: int, most: int = LOG_EVENTS) -> list[AlertEvent]:
        """Return the published events after `number`, oldest first, at most `most`."""
        first = bisect_right(self._events, number, key=_number)
        events = islice(self._events, first, first + most)
        return [event for event in events if event.number <= self.published]

    def firing(self) -> list[AlertEvent]:
        """Return the alerts that fire as far as published, in the order they began, each in its last published state.

        Each is an event with the number of its firing event.
        """
        return list(self._published_firing.values())

    def firing_by_now(self) -> list[AlertEvent]:
        """Return what `firing` does, with unpublished events applied: for those who make events, not for readers."""
        return list(self._firing.values())

    def alerts(self) -> list[tuple[int, Alert]]:
        """Return every published alert once, in its last published state, in the order they began.

        Each comes with the number of its firing event or, if it is resolved and that event has left the log, of its
        oldest event that is still there.
        """
        # Built once for all readers between two events.
        if self._listed is None:
            found = {event.alert.id: (event.number, event.alert) for event in self.firing()}
            for event in self._events:
                if event.number > self.published:
                    break
                before = found.get(event.alert.id)
                found[event.alert.id] = (event.number if before is None else before[0], event.alert)
            self._listed = sorted(found.values(), key=lambda each: each[0])
        return self._listed

    def find(self, id: str) -> Alert | None:  # the wire's name
        """Return the current state of an alert by its id; None if the log does not have it."""
        if (event := self._firing.get(id)) is not None:
            return event.alert
        return next((event.alert for event in reversed(self._events) if event.alert.id == id), None)

    def pass_time(self, seconds: float) -> None:
        """Add seconds that have passed, by a clock that never steps."""
        self._lived_s += seconds

    def expire(self) -> None:
        """Drop the events that are too old; firing alerts stay known."""
        marked_s, number = self._marks[-1] if self._marks else (-MARK_S, self._expired)
        if self.number > number and self._lived_s - marked_s >= MARK_S:
            self._marks.append((self._lived_s, self.number))
        while self._marks and self._lived_s - self._marks[0][0] >= LOG_AGE_S:
            self._expired = self._marks.popleft()[1]
        if self._events and self._events[0].number <= self._expired:
            self._listed = None
            while self._events and self._events[0].number <= self._expired:
                self._events.popleft()

    @property
    def oldest(self) -> int:
        """The lowest number that age alone allows to be kept."""
        return self._expired + 1

    def events(self) -> list[AlertEvent]:
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


def _number(event: AlertEvent) -> int:
    return event.number
