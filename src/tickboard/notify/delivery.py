"""Delivery: the notices that wait for one destination, and when they may be sent: `Destination.limit` a minute.

It reads the log of alert events from a position, as every reader does, and keeps pending notices by alert: one that
fires and ends before a message is sent is reported once, as fired and resolved. A firing alert waits until it is sent,
however long that takes: there are no more of them than series. A resolved one waits for `GIVE_UP_S`, `MAX_OVER` of them
at most; the rest are counted as dropped.

             read                     due                 delivered
    log ───────────▶ waiting ──────────────────▶ sending ───────────▶ told ──▶ told again after `remind`
     ▲                  ▲                           │                   │
     └── position       └── failed: backs off ──────┘                   └── is over: waiting

It knows neither threads nor services. `now` is seconds by a clock that is never set.
"""

from collections import OrderedDict, deque
from dataclasses import dataclass

from tickboard.alerting.log import AlertEvent, AlertLog
from tickboard.notify.destinations import Destination
from tickboard.notify.message_text import Notice
from tickboard.wire import Alert

READ_EVENTS = 500
"""Events read in one go: some milliseconds of work, after which others have their turn."""

MAX_OVER = 20_000
"""Alerts that are over and wait to be told; the oldest is dropped when there are more."""

FIRST_BACKOFF_S = 1.0
LONGEST_BACKOFF_S = 300.0
"""What could not be delivered is tried again after a second, then after twice as long, up to five minutes."""

GIVE_UP_S = 24 * 3600.0
"""What is over and could not be told for so long is dropped."""

MINUTE_S = 60.0


@dataclass(slots=True)
class _Told:
    """An alert that fires and was told, and when it last was."""

    alert: Alert
    at: float

    @property
    def quiet(self) -> bool:
        return self.alert.acknowledged is not None or self.alert.silenced is not None


class Delivery:
    """What one destination has yet to be told: `begin`, then `read` whenever there is news, and `take` when it is due.

    After `take` comes either `delivered` or `failed`, and no `read` in between.

    Args:
        destination: which alerts it wants, and how often.
        log: where they are.

    Attributes:
        position: the number of the event up to which all has been told.
        failures: attempts that have failed since the last that did not.
        lost: whether events have left the log before they were read; until the next message is delivered.
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
        self._told: dict[str, _Told] = {}
        self._sending: list[Notice] = []
        self._first = 0.0
        self._retry_at = float("-inf")
        self._delivered: deque[float] = deque(maxlen=destination.limit)

    def begin(self, position: int | None, now: float) -> None:
        """Go on from where this destination was told all; None: it is new, and is told what fires now.

        Where the log cannot be read on from there, it is told what fires now, too.
        """
        if position is None:
            self._look_anew(now)
        elif not self._log.has_missed(position):
            self.lost = True
            self._look_anew(now)
        else:
            self._read = self.position = position
            # As they were there: one that was silenced may never have been told. It is, when the silence ends, which
            # may be among what is read on from there.
            then = {event.alert.id: event.alert for event in self._log.since(0) if event.number <= position}
            for event in self._log.firing():
                alert = event.alert
                if event.number <= position and self._wants(alert) and then.get(alert.id, alert).silenced is None:
                    self._told[alert.id] = _Told(alert, now)

    def read(self, now: float) -> bool:
        """Read what is new in the log; return whether there is more of it."""
        if not self._log.has_missed(self._read):
            self.lost = True
            self._look_anew(now)
            return False
        events = self._log.since(self._read)
        for event in events[:READ_EVENTS]:
            self._take_event(event, now)
        more = len(events) > READ_EVENTS
        self._read = events[READ_EVENTS - 1].number if more else self._log.told
        self._settle()
        return more

    def due(self) -> float | None:
        """Return when the next message may be sent; None when there is nothing to tell."""
        wanted = []
        if self._firing or self._over:
            wanted.append(self._first + self._destination.wait_s)
        if (remind_s := self._destination.remind_s) is not None:
            wanted += [told.at + remind_s for told in self._told.values() if not told.quiet]
        if not wanted:
            return None
        full = len(self._delivered) == self._destination.limit
        return max(min(wanted), self._retry_at, self._delivered[0] + MINUTE_S if full else self._retry_at)

    def take(self, now: float) -> list[Notice]:
        """Return what the message that is due has to tell, with the reminders that would be due soon after."""
        reminders = [
            Notice(told.alert)
            for told in self._told.values()
            if self._destination.remind_s is not None
            and not told.quiet
            and told.at + self._destination.remind_s <= now + self._destination.wait_s
        ]
        self._sending = [*self._firing.values(), *self._over.values(), *reminders]
        for notice in self._sending:
            notice.tried = now if notice.tried is None else notice.tried
        return self._sending

    def delivered(self, now: float) -> None:
        """Take note that what was taken has been told."""
        for notice in self._sending:
            if not notice.over:
                self._told[notice.alert.id] = _Told(notice.alert, now)
        self._firing.clear()
        self._over.clear()
        self._delivered.append(now)
        self._retry_at = float("-inf")
        self.failures = 0
        self.lost = False
        self._settle()

    def failed(self, now: float) -> None:
        """Take note that it could not be told, and drop what has been tried for too long."""
        self._retry_at = now + min(FIRST_BACKOFF_S * 2.0 ** min(self.failures, 30), LONGEST_BACKOFF_S)
        self.failures += 1
        for notice in list(self._over.values()):
            if notice.tried is not None and now - notice.tried >= GIVE_UP_S:
                del self._over[notice.alert.id]
                self._dropped += 1
        self._settle()

    def take_dropped(self) -> int:
        """Return how many alerts were dropped since the last call: they will never be told."""
        dropped, self._dropped = self._dropped, 0
        return dropped

    def _wants(self, alert: Alert) -> bool:
        return alert.severity in self._destination.severities

    def _take_event(self, event: AlertEvent, now: float) -> None:
        if not self._wants(event.alert):
            return
        if event.kind == "resolved":
            self._end(event.alert, now)
        elif event.alert.resolved is not None:
            # Somebody silences what is over already.
            if event.alert.silenced is not None:
                self._over.pop(event.alert.id, None)
        else:
            self._see(event.alert, now)

    def _see(self, alert: Alert, now: float) -> None:
        """Take an alert that fires, as it is by now."""
        if (told := self._told.get(alert.id)) is not None:
            told.alert = alert
        elif alert.silenced is not None:
            self._firing.pop(alert.id, None)
        elif (notice := self._firing.get(alert.id)) is not None:
            notice.alert = alert
        else:
            self._wait(now)
            self._firing[alert.id] = Notice(alert, fired=True)

    def _end(self, alert: Alert, now: float) -> None:
        """Take an alert that is over."""
        self._told.pop(alert.id, None)
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
        """Begin the wait for others, where nothing waits yet."""
        if not self._firing and not self._over:
            self._first = now

    def _look_anew(self, now: float) -> None:
        """Compare what is known with all that fires, in place of reading on."""
        firing = {event.alert.id: event.alert for event in self._log.firing() if self._wants(event.alert)}
        known = {id: told.alert for id, told in self._told.items()}
        known |= {id: notice.alert for id, notice in self._firing.items()}
        for id, alert in known.items():
            if id not in firing:
                self._end(alert, now)
        for alert in firing.values():
            self._see(alert, now)
        self._read = self._log.told
        self._settle()

    def _settle(self) -> None:
        if not self._firing and not self._over:
            self.position = self._read
