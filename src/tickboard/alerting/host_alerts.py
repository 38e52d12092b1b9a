"""Alerts of other hosts in the log of the wall that follows them.

A wall's log has their events among its own. Each alert is there under the id ``HOST:ID`` and with its host's name. The
rules of the wall never touch it: only what its host says changes it, or that the host is no longer followed. An alert
that the wall has already is not added again if it comes back through a host that is a wall, too. An event
may be received again, for example after a restart, since its effect depends on nothing but the alert's id and state.
Time is an argument.
"""

from collections.abc import Container, Iterator

from msgspec.structs import replace

from tickboard.alerting.log import FORGOTTEN, AlertEvent, AlertLog, EventKind
from tickboard.alerting.marks import MAX_TEXT, MarkEvent
from tickboard.errors import InputError
from tickboard.metrics.cleaning import MAX_LABEL_VALUE, MAX_LABELS, MAX_NAME
from tickboard.output.text import one_line
from tickboard.times import MAX_TIME_MS, parse_time, time_text
from tickboard.wire import Acknowledgement, Alert, Mark, Silence

MAX_MESSAGE = 1_000
"""The most characters of an alert's message, of the note of its acknowledgement, and of the reason of its silence."""


def wall_alert(alert: Alert, host: str, labels: dict[str, str], shift_ms: int = 0) -> Alert:
    """Return an alert of a host as it is on the wall: with texts that are cut, since every viewer gets them.

    Args:
        alert: the alert as the host sends it.
        host: the host's name.
        labels: its labels on the wall.
        shift_ms: what is added to its times, so that they are by the wall's clock.

    Raises:
        InputError: one of its times cannot be read, or its id is too long.
    """
    return replace(
        alert,
        id=_checked_id(host, alert.id),
        host=host,
        message=one_line(alert.message, MAX_MESSAGE),
        metric=one_line(alert.metric, MAX_NAME),
        rule=one_line(alert.rule, MAX_NAME),
        ended=one_line(alert.ended, MAX_NAME),
        acknowledged=alert.acknowledged and _acknowledgement(alert.acknowledged),
        silenced=alert.silenced and _silence(alert.silenced),
        labels=_labels(labels),
        timestamp=wall_time("timestamp", alert.timestamp, shift_ms),
        started=wall_time("started", alert.started, shift_ms) if alert.started else "",
        seen=wall_time("seen", alert.seen, shift_ms) if alert.seen else "",
        resolved=None if alert.resolved is None else wall_time("resolved", alert.resolved, shift_ms),
    )


def _acknowledgement(by: Acknowledgement) -> Acknowledgement:
    return replace(
        by,
        timestamp=one_line(by.timestamp, MAX_NAME),
        by=one_line(by.by, MAX_NAME),
        note=one_line(by.note, MAX_MESSAGE),
    )


def _silence(by: Silence) -> Silence:
    return replace(
        by,
        rule=one_line(by.rule, MAX_NAME),
        until=one_line(by.until, MAX_NAME),
        reason=one_line(by.reason, MAX_MESSAGE),
        timestamp=one_line(by.timestamp, MAX_NAME),
        labels=_labels(by.labels),
        by=one_line(by.by, MAX_NAME),
    )


def _labels(labels: dict[str, str]) -> dict[str, str]:
    """Return as many labels, with as long names and values, as a series may have."""
    return {name[:MAX_NAME]: value[:MAX_LABEL_VALUE] for name, value in list(labels.items())[:MAX_LABELS]}


def wall_mark(mark: Mark, host: str, shift_ms: int = 0) -> Mark:
    """Return a mark of a host as it is on the wall: its text begins with the host's name.

    Args:
        mark: the mark as the host sends it.
        host: the host's name.
        shift_ms: as for `wall_alert`.

    Raises:
        InputError: one of its times cannot be read, or its id is too long.
    """
    return replace(
        mark,
        id=_checked_id(host, mark.id),
        text=one_line(f"{host}: {mark.text}", MAX_TEXT),
        by=one_line(mark.by, MAX_TEXT),
        timestamp=wall_time("timestamp", mark.timestamp, shift_ms),
        until=None if mark.until is None else wall_time("until", mark.until, shift_ms),
    )


def wall_time(name: str, time: str, shift_ms: int) -> str:
    """Return a host's time as it is on the wall, RFC 3339 in UTC with milliseconds.

    Raises:
        InputError: it cannot be read.
    """
    return time_text(min(max(parse_time(name, time, 0) + shift_ms, 0), MAX_TIME_MS))


def wall_id(host: str, id: str) -> str:  # the wire's name
    """Return the id on the wall of a host's alert."""
    return f"{host}:{id}"


def _checked_id(host: str, id: str) -> str:  # the wire's name
    if len(id) > MAX_NAME:
        raise InputError(f"the id {id[:40]!r} has {len(id)} characters, and may have {MAX_NAME}")
    return wall_id(host, id)


def receive(log: AlertLog, kind: EventKind, alert: Alert, now: float) -> list[AlertEvent]:
    """Apply an event of a host to the wall's log; return the events to publish: none if the log has it already.

    Args:
        log: the wall's log.
        kind: what happened.
        alert: the alert after it, as `wall_alert` returns it.
        now: POSIX seconds.
    """
    known = log.firing_alert(alert.id)
    if known is not None:
        if alert.resolved is not None:
            return [log.append("resolved", alert, now)]
        same = (known.acknowledged, known.silenced) == (alert.acknowledged, alert.silenced)
        return [] if same else [log.append("changed", alert, now)]
    if log.is_over(alert.id):
        # Somebody may silence an alert after its end.
        newer = kind == "changed" and alert.resolved is not None and log.find([alert.id]).get(alert.id) != alert
        return [log.append("changed", alert, now)] if newer else []
    if any(log.firing_alert(id) is not None or log.is_over(id) for id in _earlier_ids(alert.id)):
        return []
    began = log.append("firing", replace(alert, resolved=None, ended=""), now)
    return [began] if alert.resolved is None else [began, log.append("resolved", alert, now)]


def receive_mark(log: AlertLog, mark: Mark, now: float) -> list[MarkEvent]:
    """Add a mark of a host to the wall's log; return the event to publish: none if the log has the mark already.

    Args:
        log: the wall's log.
        mark: as `wall_mark` returns it.
        now: POSIX seconds.
    """
    earlier = set(_earlier_ids(mark.id))
    if any(event.mark.id in earlier for event in log.marks.events()):
        return []
    made = log.mark(mark, now)
    return [made] if isinstance(made, MarkEvent) else []


def _earlier_ids(id: str) -> Iterator[str]:  # the wire's name
    """Yield the ids that something had before it came from the last host, the one before that, and so on."""
    while ":" in id:
        _, _, id = id.partition(":")
        yield id


def firing_of(log: AlertLog, host: str) -> list[Alert]:
    """Return the alerts of a host that fire."""
    return [event.alert for event in log.firing_by_now() if event.alert.host == host]


def end(log: AlertLog, host: str, why: str, now: float, still: Container[str] = ()) -> list[AlertEvent]:
    """Resolve the alerts of a host that fire; return the events to publish.

    Args:
        log: the wall's log.
        host: the host's name.
        why: the reason.
        now: POSIX seconds.
        still: the ids of those that go on firing.
    """
    resolved = time_text(round(now * 1000))
    return [
        log.append("resolved", replace(alert, resolved=resolved, ended=why), now)
        for alert in firing_of(log, host)
        if alert.id not in still
    ]


def forget(log: AlertLog, host: str, now: float) -> list[AlertEvent]:
    """End all alerts of a host that is no longer followed, and forget how far its stream was read."""
    log.followed.pop(host, None)
    return end(log, host, FORGOTTEN, now)


def keep_only(log: AlertLog, hosts: Container[str], now: float) -> list[AlertEvent]:
    """Forget all hosts but these; return the events to publish."""
    known = dict.fromkeys([*log.followed, *(event.alert.host for event in log.firing_by_now() if event.alert.host)])
    return [event for host in known if host not in hosts for event in forget(log, host, now)]
