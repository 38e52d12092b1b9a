"""What people do about alerts: acknowledge and silence them, one or several at once. Time is an argument.

Of several alerts, those that cannot be changed are refused, each with its reason, and the others are changed.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from msgspec.structs import replace

from tickboard.alerting.alerts import Alerts
from tickboard.alerting.episodes import Key
from tickboard.alerting.log import AlertEvent
from tickboard.alerting.silences import Covered, covered_by
from tickboard.errors import AlertError
from tickboard.wire import Acknowledgement, Alert, Silence, SilenceScope

MAX_SILENCE_S = 30 * 86_400.0
"""The longest silence, also of one until its alerts are resolved. A forgotten one hides alerts that nobody meant."""

Permit = Callable[[], None]
"""Raises if the caller may not change anything."""


class ActionResult(NamedTuple):
    """The result of an action on alerts.

    Attributes:
        events: what changed, to be published; empty if everything was so already.
        alerts: the alerts as they are now, in the order asked for, without the refused ones.
        refused: why the others could not be changed, by id.
    """

    events: list[AlertEvent]
    alerts: list[Alert]
    refused: dict[str, AlertError]


class NoneChangedError(AlertError):
    """None of some alerts can be changed: the error of the first.

    Args:
        refused: why, by id.
    """

    def __init__(self, refused: dict[str, AlertError]) -> None:
        first = next(iter(refused.values()))
        super().__init__(str(first), first.status)
        self.refused = refused


class _Found(NamedTuple):
    alerts: dict[str, Alert]
    refused: dict[str, AlertError]

    def refuse_resolved(self, advice: str) -> None:
        """Refuse the alerts that are resolved."""
        for id, alert in list(self.alerts.items()):
            if alert.resolved is not None:
                self.refused[id] = AlertError(f"alert {id[:80]!r} was resolved at {alert.resolved}: {advice}", 409)
                del self.alerts[id]

    def check(self) -> None:
        """Raise an error if no alert is left."""
        if not self.alerts and self.refused:
            raise NoneChangedError(self.refused)


def acknowledge(
    alerts: Alerts, ids: Sequence[str], now: float, note: str = "", by: str = "", permit: Permit = lambda: None
) -> ActionResult:
    """Acknowledge firing alerts. Those that have this acknowledgement already stay as they are.

    Args:
        alerts: the board's alerts.
        ids: which of them.
        now: POSIX seconds.
        note: the person's note.
        by: the person's name.
        permit: called before anything changes; its exception propagates.

    Raises:
        NoneChangedError: none of them can be acknowledged: there is no such alert, or it is resolved.
    """
    found = _find(alerts, ids)
    found.refuse_resolved("it needs no acknowledgement")
    found.check()
    seen = Acknowledgement(alerts.format_time(now), by, note)
    wanted = {
        id
        for id, alert in found.alerts.items()
        if (before := alert.acknowledged) is None or (before.note, before.by) != (note, by)
    }
    if not wanted:
        return _changed(alerts, found, [])
    permit()

    def acknowledged(_: Key, alert: Alert) -> Alert:
        return replace(alert, acknowledged=seen) if alert.id in wanted else alert

    events = alerts.change(acknowledged, now)
    for id in wanted - {event.alert.id for event in events}:
        found.refused[id] = AlertError(f"alert {id[:80]!r} is resolved: it needs no acknowledgement", 409)
        del found.alerts[id]
    found.check()
    return _changed(alerts, found, events)


def silence(
    alerts: Alerts,
    ids: Sequence[str],
    now: float,
    duration_s: float | None,
    reason: str,
    by: str = "",
    scope: SilenceScope = "series",
    permit: Permit = lambda: None,
) -> ActionResult:
    """Silence the rules and series of alerts: nobody is notified, but the page still shows them.

    What has the same silence with nearly the same end already, or none to end, stays as it is.

    Args:
        alerts: the board's alerts.
        ids: alerts of those rules and series, firing or resolved.
        now: POSIX seconds.
        duration_s: seconds; 0 ends silences; None: until nothing that they cover fires any more, for
            `MAX_SILENCE_S` at most.
        reason: why.
        by: the person's name.
        scope: whether to silence the series of the alerts, or all series of their rules.
        permit: called before anything changes; its exception propagates.

    Raises:
        NoneChangedError: none of them can be silenced: there is no such alert, or it is resolved and should be silenced
            until then.
    """
    found = _find(alerts, ids)
    if duration_s is None:
        found.refuse_resolved("silence it for a duration")
    found.check()
    until = now + (MAX_SILENCE_S if duration_s is None else duration_s)
    terms = Silence("", alerts.format_time(until), reason, alerts.format_time(now), {}, by, scope, duration_s is None)
    wanted: dict[Covered, Silence | None] = {}
    for alert in found.alerts.values():
        made = replace(terms, rule=alert.rule, labels={} if scope == "rule" else alert.labels)
        wished = made if until > now else None
        if not alerts.has_silence(covered_by(made), wished, until):
            wanted[covered_by(made)] = wished
    if not wanted:
        return _changed(alerts, found, [])
    permit()
    events = alerts.set_silences(wanted, until, now)
    # Where nothing fires that could show the silence, the resolved alert does.
    shown = {_key_of(event.alert) for event in events}
    for alert in found.alerts.values():
        key = _key_of(alert)
        if alert.resolved is not None and key not in shown:
            shown.add(key)
            events.append(alerts.log.append("changed", replace(alert, silenced=alerts.silence_of(key)), now))
    return _changed(alerts, found, events)


def _find(alerts: Alerts, ids: Iterable[str]) -> _Found:
    found = alerts.log.find(ids)
    missing = [id for id in ids if id not in found]
    advice = "see GET /api/alerts?state=all"
    return _Found(found, {id: AlertError(f"there is no alert {id[:80]!r}: {advice}", 404) for id in missing})


def _changed(alerts: Alerts, found: _Found, events: list[AlertEvent]) -> ActionResult:
    """Return the result of an action, with each alert in its current state."""
    now = {alert.id: alert for alert in alerts.active(found.alerts)}
    now |= {event.alert.id: event.alert for event in events}
    return ActionResult(events, [now.get(id, alert) for id, alert in found.alerts.items()], found.refused)


def _key_of(alert: Alert) -> Key:
    return alert.rule, tuple(alert.labels.items())
