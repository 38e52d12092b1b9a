"""Delivery: the notices that wait for one destination, and when they may be sent: at most `Destination.limit` a minute.

It reads the log of alert events from a position, like every reader, and keeps one pending notice per alert: an alert
that fires and is resolved before a message is sent is reported once, as fired and resolved. A firing alert waits until
it is sent, however long that takes; there are at most as many of them as series. A resolved one waits for `GIVE_UP_S`,
and at most `MAX_OVER` of them wait; the rest are counted as dropped.

             read                     due                 delivered
    log ───────────▶ waiting ──────────────────▶ sending ───────────▶ sent ──▶ sent again after `remind`
     ▲                  ▲                           │                   │
     └── position       └── failed: backs off ──────┘                   └── resolved: waiting

It knows neither threads nor services. `now` is seconds by a clock that never steps.
"""

from collections import OrderedDict, deque

from msgspec import Struct

from tickboard.alerting.log import AlertEvent, AlertLog, LogEvent
from tickboard.notify.destinations import Destination
from tickboard.notify.message_text import Notice
from tickboard.wire import Alert

READ_EVENTS = 500
"""How many events are read in one step, some milliseconds of work, before others may run."""

MAX_OVER = 20_000
"""How many resolved alerts may wait to be sent; beyond that, the oldest is dropped."""

FIRST_BACKOFF_S = 1.0
LONGEST_BACKOFF_S = 300.0
"""A failed delivery is tried again after a second, then after twice as long each time, up to five minutes."""

GIVE_UP_S = 24 * 3600.0
"""A resolved alert that could not be sent for this many seconds is dropped."""

MINUTE_S = 60.0


class _Sent(Struct):
    """A firing alert that was sent, and when it last was."""

    alert: Alert
    at: float

    @property
    def quiet(self) -> bool:
        return self.alert.acknowledged is not None or self.alert.silenced is not None


class Delivery:
    """The notices still to be sent to one destination. Call `begin`, then `read` whenever there are events, and `take`
    when due.

    After `take`, call either `delivered` or `failed`, and no `read` in between.

    Args:
        destination: which alerts to send, and how often.
        log: the log of alert events.

    Attributes:
        position: the number of the event up to which everything has been sent.
        failures: how many attempts have failed since the last success.
        lost: whether events left the log before they were read; reset when the next message is delivered.
    """

    def __init__(self, destination: Destination, log: AlertLog) -> None:
        self.position = 0
        self.failures = 0
        self.lost = False
        self._destination = destination
        self._log = log
        self._read = 0
        self._dropped = 0
        self._firing: dict[str, Notice] = {}
        self._over: OrderedDict[str, Notice] = OrderedDict()
        self._sent: dict[str, _Sent] = {}
        self._sending: list[Notice] = []
        self._first = 0.0
        self._retry_at = float("-inf")
        self._delivered: deque[float] = deque(maxlen=destination.limit)

    def begin(self, position: int | None, now: float) -> None:
        """Start at the position up to which everything was sent to this destination; None if it is new.

        A new destination, or one whose position has left the log, gets all firing alerts.
        """
        if position is None:
            self._look_anew(now)
        elif not self._log.can_resume_after(position):
            self.lost = True
            self._look_anew(now)
        else:
            self._read = self.position = position
            # Look at each alert as it was at that position: one that was silenced then may never have been sent. It is
            # sent when the silence ends, and that event may be among those still to be read.
            then = {
                event.alert.id: event.alert
                for event in self._log.since(0)
                if isinstance(event, AlertEvent) and event.number <= position
            }
            for event in self._log.firing():
                alert = event.alert
                if event.number <= position and self._wants(alert) and then.get(alert.id, alert).silenced is None:
                    self._sent[alert.id] = _Sent(alert, now)

    def read(self, now: float) -> bool:
        """Read new events from the log; return whether there are more."""
        if not self._log.can_resume_after(self._read):
            self.lost = True
            self._look_anew(now)
            return False
        events = self._log.since(self._read)
        for event in events[:READ_EVENTS]:
            self._take_event(event, now)
        more = len(events) > READ_EVENTS
        self._read = events[READ_EVENTS - 1].number if more else self._log.published
        self._settle()
        return more

    def due(self) -> float | None:
        """Return when the next message may be sent; None if there is nothing to send."""
        wanted = []
        if self._firing or self._over:
            wanted.append(self._first + self._destination.wait_s)
        if (remind_s := self._destination.remind_s) is not None:
            wanted += [sent.at + remind_s for sent in self._sent.values() if not sent.quiet]
        if not wanted:
            return None
        full = len(self._delivered) == self._destination.limit
        return max(min(wanted), self._retry_at, self._delivered[0] + MINUTE_S if full else self._retry_at)

    def take(self, now: float) -> list[Notice]:
        """Return the notices of the message that is due, including reminders that are due soon after."""
        reminders = [
            Notice(sent.alert)
            for sent in self._sent.values()
            if self._destination.remind_s is not None
            and not sent.quiet
            and sent.at + self._destination.remind_s <= now + self._destination.wait_s
        ]
        self._sending = [*self._firing.values(), *self._over.values(), *reminders]
        for notice in self._sending:
            notice.tried = now if notice.tried is None else notice.tried
        return self._sending

    def delivered(self, now: float) -> None:
        """Record that the notices taken were delivered."""
        for notice in self._sending:
            if not notice.over:
                self._sent[notice.alert.id] = _Sent(notice.alert, now)
        self._firing.clear()
        self._over.clear()
        self._delivered.append(now)
        self._retry_at = float("-inf")
        self.failures = 0
        self.lost = False
        self._settle()

    def failed(self, now: float) -> None:
        """Record that they could not be delivered, and drop those that have been tried for too long."""
        self._retry_at = now + min(FIRST_BACKOFF_S * 2.0 ** min(self.failures, 30), LONGEST_BACKOFF_S)
        self.failures += 1
        for notice in list(self._over.values()):
            if notice.tried is not None and now - notice.tried >= GIVE_UP_S:
                del self._over[notice.alert.id]
                self._dropped += 1
        self._settle()

    def take_dropped(self) -> int:
        """Return how many alerts were dropped since the last call; they will never be sent."""
        dropped, self._dropped = self._dropped, 0
        return dropped

    def _wants(self, alert: Alert) -> bool:
        return alert.severity in self._destination.severities

    def _take_event(self, event: LogEvent, now: float) -> None:
        # Marks are not sent.
        if not isinstance(event, AlertEvent) or not self._wants(event.alert):
            return
        if event.kind == "resolved":
            self._end(event.alert, now)
        elif event.alert.resolved is not None:
            # Somebody silenced an alert after it was resolved.
            if event.alert.silenced is not None:
                self._over.pop(event.alert.id, None)
        else:
            self._see(event.alert, now)

    def _see(self, alert: Alert, now: float) -> None:
        """Process the current state of a firing alert."""
        if (sent := self._sent.get(alert.id)) is not None:
            sent.alert = alert
        elif alert.silenced is not None:
            self._firing.pop(alert.id, None)
        elif (notice := self._firing.get(alert.id)) is not None:
            notice.alert = alert
        else:
            self._wait(now)
            self._firing[alert.id] = Notice(alert, fired=True)

    def _end(self, alert: Alert, now: float) -> None:
        """Process a resolved alert."""
        self._sent.pop(alert.id, None)
        notice = self._firing.pop(alert.id, None)
        if alert.silenced is not None:
            return
        if notice is None:
            if not self._destination.resolved:
                return
            self._wait(now)
            notice = Notice(alert)
        notice.alert, notice.over = alert, True
        self._over[alert.id] = notice
        if len(self._over) > MAX_OVER:
            self._over.popitem(last=False)
            self._dropped += 1

    def _wait(self, now: float) -> None:
        """Start the wait for further alerts if none is waiting yet."""
        if not self._firing and not self._over:
            self._first = now

    def _look_anew(self, now: float) -> None:
        """Compare the known alerts with all firing ones, instead of reading the log."""
        firing = {event.alert.id: event.alert for event in self._log.firing() if self._wants(event.alert)}
        known = {id: sent.alert for id, sent in self._sent.items()}
        known |= {id: notice.alert for id, notice in self._firing.items()}
        for id, alert in known.items():
            if id not in firing:
                self._end(alert, now)
        for alert in firing.values():
            self._see(alert, now)
        self._read = self._log.published
        self._settle()

    def _settle(self) -> None:
        if not self._firing and not self._over:
            self.position = self._read
