"""The log of alert events: what fired, what of it is over, what people did about it, in the order it happened.

It is one for all who read it: a reader is a number in it. An event has its number as soon as it happens, but is told
only once it is kept for good: `tell` says up to where. So nobody is told of what a crash could take back, and a
number that was told never means something else. It takes alerts and gives events; it knows neither rules nor files.

An event's age is the time for which this run has had it, counted by a clock that never steps. The wall clock may be
wrong by years when a program starts, and nothing is deleted for what it says.
"""

from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import islice
from typing import Literal

from tickboard.wire import Alert

LOG_EVENTS = 20_000
"""Beginnings and ends of alerts kept for those who come back; the oldest goes when there are more."""

MAX_CHANGES = LOG_EVENTS // 4
"""Changes kept beside them: what people do about alerts takes no room from what begins and ends. When there are more,
the oldest goes that a later one of the same alert has made out of date; the last of each alert stays."""

LOG_AGE_S = 24 * 3600.0
"""How long an alert event is kept, in this run."""

MARK_S = 60.0
"""How exactly the age of an event is known."""

EventKind = Literal["firing", "resolved", "changed"]
"""``changed``: acknowledged or silenced, or no longer so."""


@dataclass(eq=False)
class AlertEvent:
    """An alert that begins, ends or is changed, numbered in the order of its epoch.

    Attributes:
        number: 1, 2, 3, … within the log's epoch.
        kind: what happened.
        alert: the alert as the wire has it, after that.
        time: POSIX seconds.
        drops: the number of the change that is kept no longer since this one has come; 0: there is none.
        frames: what encoders keep here, so that an event is encoded once.
    """

    number: int
    kind: EventKind
    alert: Alert
    time: float
    drops: int = 0
    frames: dict[str, bytes] = field(default_factory=dict)


class Events(deque[AlertEvent]):
    """Alert events in order, with at most `LOG_EVENTS` beginnings and ends among them.

    Attributes:
        changes: how many others there are.
        left: the number up to which events have left for their age or number.
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
        """Remove a change from among the others; return whether it was there."""
        place = bisect_left(self, number, key=_number)
        found = place < len(self) and self[place].number == number
        if found:
            del self[place]
            self.changes -= 1
        return found


class AlertLog:
    """The alert events of one epoch: as many as `Events` holds, and none that was here for longer than `LOG_AGE_S`.

    Args:
        epoch: names this log; it outlives a run where it is kept in a file.
        events: those before this run, oldest first; they were told.
        number: the newest event's number, where that has left the log.
        kept: whether events must be kept by somebody before they are told; otherwise they are told at once.
        firing: the alerts that fired at the end of an earlier run, in the order they began; a beginning may have left
            the log long ago.

    Attributes:
        epoch: as given.
        number: the newest event's number; 0 before the first.
        told: the newest event's that may be told.
        kept: as given.
        positions: how far each notifier has told what is in it, by its name.
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
        # What fires by all that has happened, and by what may be told of it.
        self._firing = {event.alert.id: event for event in firing}
        self._untold: deque[AlertEvent] = deque()
        for event in events:
            if not self._events:
                self._events.left = event.number - 1
            self._make_room(event)
            self._events.append(event)
            _follow(self._firing, event)
            number = max(number, event.number)
        if not self._events:
            self._events.left = number
        self._told_firing = dict(self._firing)
        self.number = self.told = number
        self._lived_s = 0.0
        # Which number was the newest when, so that nothing more is needed of each event.
        self._marks: deque[tuple[float, int]] = deque([(0.0, number)])
        self._expired = 0
        self._listed: list[tuple[int, Alert]] | None = None

    def append(self, kind: EventKind, alert: Alert, time: float) -> AlertEvent:
        """Number an event and keep it.

        Args:
            kind: what happened.
            alert: as it is after that.
            time: POSIX seconds.
        """
        self.number += 1
        event = AlertEvent(self.number, kind, alert, time)
        self._make_room(event)
        self._events.append(event)
        self._untold.append(event)
        _follow(self._firing, event)
        if not self.kept:
            self.tell(self.number)
        return event

    def _make_room(self, event: AlertEvent) -> None:
        """Drop a change that is out of date, where a change comes and there are `MAX_CHANGES` already."""
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

    def tell(self, number: int) -> None:
        """Let everyone be told of the events up to this number."""
        self.told = max(self.told, min(number, self.number))
        while self._untold and self._untold[0].number <= self.told:
            _follow(self._told_firing, self._untold.popleft())
        self._listed = None

    def has_missed(self, number: int) -> bool:
        """Return whether the log has every event after a number, so that a reader can go on from there."""
        return self._events.left <= number <= self.number

    def since(self, number: int, most: int = LOG_EVENTS) -> list[AlertEvent]:
        """Return the events after `number` that may be told, oldest first, and of them the first `most`."""
        first = bisect_right(self._events, number, key=_number)
        events = islice(self._events, first, first + most)
        return [event for event in events if event.number <= self.told]

    def firing(self) -> list[AlertEvent]:
        """Return the alerts that fire by what may be told, in the order they began, each as it was last told.

        Each is an event with the number of its beginning.
        """
        return list(self._told_firing.values())

    def firing_by_now(self) -> list[AlertEvent]:
        """Return the alerts that fire by all that has happened, as `firing`: for who makes events, not for readers."""
        return list(self._firing.values())

    def alerts(self) -> list[tuple[int, Alert]]:
        """Return every alert that may be told, once and as it was last told, in the order they began.

        Each has the number of its beginning; of one that is over and whose beginning has left the log, that of the
        oldest event that is there.
        """
        # Made once for all who ask between two events.
        if self._listed is None:
            found = {event.alert.id: (event.number, event.alert) for event in self.firing()}
            for event in self._events:
                if event.number > self.told:
                    break
                before = found.get(event.alert.id)
                found[event.alert.id] = (event.number if before is None else before[0], event.alert)
            self._listed = sorted(found.values(), key=lambda each: each[0])
        return self._listed

    def find(self, id: str) -> Alert | None:  # the wire's name
        """Return an alert as it is by now, by its id; None when the log has none."""
        if (event := self._firing.get(id)) is not None:
            return event.alert
        return next((event.alert for event in reversed(self._events) if event.alert.id == id), None)

    def pass_time(self, seconds: float) -> None:
        """Count seconds that have passed, by a clock that never steps."""
        self._lived_s += seconds

    def expire(self) -> None:
        """Drop the events that are too old; what fires stays known."""
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
        """The number from which on events are kept, as far as their age says."""
        return self._expired + 1

    def events(self) -> list[AlertEvent]:
        """Return all events, oldest first, including those that are not published yet."""
        return list(self._events)


def _follow(firing: dict[str, AlertEvent], event: AlertEvent) -> None:
    """Bring what fires up to an event."""
    before = firing.get(event.alert.id)
    if event.kind == "firing":
        firing[event.alert.id] = event
    elif event.kind == "resolved":
        firing.pop(event.alert.id, None)
    elif before is not None:
        firing[event.alert.id] = AlertEvent(before.number, "firing", event.alert, before.time)


def _number(event: AlertEvent) -> int:
    return event.number
