"""What people do about alerts, whichever hosts they are of.

An action on the board's own alerts is the announcer's. One on the alerts of other hosts is passed on to each host,
which decides, stores it and says so in its alert stream: nothing is changed here before that comes.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import msgspec
from msgspec.structs import replace

from tickboard.alerting.actions import MAX_SILENCE_S, NoneChangedError, Permit, acknowledge, silence
from tickboard.alerting.host_alerts import wall_id
from tickboard.alerting.log import AlertLog
from tickboard.errors import AlertError, InputError, TickboardError
from tickboard.fleet.asking import HostAnswer, fetch
from tickboard.fleet.caller import Caller
from tickboard.fleet.link import HostLinks
from tickboard.fleet.wall_labels import wall_labels
from tickboard.schedule import duration
from tickboard.server.announcing import Announcing, Change
from tickboard.wire import (
    AcknowledgeAlert,
    AcknowledgeAlerts,
    Alert,
    ChangedAlerts,
    ErrorBody,
    SilenceAlert,
    SilenceAlerts,
    encode,
)

ANSWER_S = 15.0
"""How many seconds a host may take: it writes to its disk."""

MAX_ANSWER_BYTES = 2**22
"""The longest answer of a host, 4 MiB, for 1,000 alerts."""

MAX_ASKED = 50
"""How many hosts are asked at a time."""

Asked = AcknowledgeAlert | SilenceAlert

_decode_changed = msgspec.json.Decoder(ChangedAlerts).decode
_decode_alert = msgspec.json.Decoder(Alert).decode
_decode_error = msgspec.json.Decoder(ErrorBody).decode


class ActionOutcome(NamedTuple):
    """What became of some alerts.

    Attributes:
        alerts: those that were changed, or were so already, by id.
        refused: why the others were not, by id.
        kept: whether the changes outlive a restart of the board or host whose alerts they are.
    """

    alerts: dict[str, Alert]
    refused: dict[str, AlertError]
    kept: bool = True


class AlertActions:
    """Performs the actions on the alerts of a board, and of the hosts that it follows.

    Args:
        log: returns the board's log.
        announcer: makes, stores and publishes changes of the board's own alerts.
        hosts: the hosts; None: the board follows none.
    """

    def __init__(self, log: Callable[[], AlertLog], announcer: Announcing, hosts: HostLinks | None) -> None:
        self._log = log
        self._announcer = announcer
        self._hosts = hosts
        self._asking = asyncio.Semaphore(MAX_ASKED)

    async def act(self, ids: Sequence[str], asked: Asked, caller: Caller, permit: Permit) -> ActionOutcome:
        """Acknowledge or silence alerts.

        Args:
            ids: which of them.
            asked: what to do.
            caller: who does it, as hosts are told.
            permit: called before anything changes; its exception propagates.

        Raises:
            AlertError: none of them was changed; the error of the first.
            InputError: a field is invalid.
        """
        by_host = self._by_host(ids)
        own = by_host.pop("", [])
        change = _change(own, asked, permit if not by_host else _permitted)
        if by_host:
            permit()
        results = await asyncio.gather(
            *([self._own(change)] if own else []),
            *(self._on_host(host, theirs, asked, caller) for host, theirs in by_host.items()),
        )
        changed = ActionOutcome({}, {}, all(each.kept for each in results))
        for each in results:
            changed.alerts.update(each.alerts)
            changed.refused.update(each.refused)
        if not changed.alerts and changed.refused:
            raise next(changed.refused[id] for id in ids if id in changed.refused)
        return changed

    def _by_host(self, ids: Iterable[str]) -> dict[str, list[str]]:
        """Return the ids of the alerts of each host, and under the empty name those of the board."""
        known = self._log().find(ids)
        found: dict[str, list[str]] = {}
        for id in dict.fromkeys(ids):
            if id in known:
                host = known[id].host
            else:
                # The log may no longer have an alert that its host still knows.
                host = id.partition(":")[0]
                host = host if self._hosts is not None and host in self._hosts.hosts else ""
            found.setdefault(host, []).append(id)
        return found

    async def _own(self, change: Change) -> ActionOutcome:
        try:
            done, kept = await self._announcer.act(change)
        except NoneChangedError as error:
            return ActionOutcome({}, error.refused)
        return ActionOutcome({alert.id: alert for alert in done.alerts}, done.refused, kept)

    async def _on_host(self, host: str, ids: Sequence[str], asked: Asked, caller: Caller) -> ActionOutcome:
        """Have a host change its alerts."""
        link = None if self._hosts is None or host not in self._hosts.hosts else self._hosts.link(host)
        if link is None:
            return _refused(ids, AlertError(f"{host} cannot be reached now: GET /api/hosts says why", 502))
        theirs = {id.removeprefix(f"{host}:"): id for id in ids}
        what, single, several = _forms(asked, list(theirs))
        path = f"/api/alerts/{next(iter(theirs))}/{what}" if len(theirs) == 1 else f"/api/alerts/{what}"
        body = encode(single if len(theirs) == 1 else several)
        try:
            async with self._asking:
                answer = await fetch(
                    link,
                    "POST",
                    path,
                    body=body,
                    headers={"content-type": "application/json"},
                    caller=caller,
                    timeout_s=ANSWER_S,
                    most_bytes=MAX_ANSWER_BYTES,
                )
            found = _changed_in(answer, one=len(theirs) == 1)
        except AlertError as error:
            return _refused(ids, AlertError(f"{host}: {error}", error.status))
        except (TickboardError, msgspec.MsgspecError) as error:
            return _refused(ids, AlertError(f"{host} has not done it, or has not said so: {error}", 502))
        return self._on_wall(host, found, theirs)

    def _on_wall(self, host: str, found: ChangedAlerts, ids: dict[str, str]) -> ActionOutcome:
        """Return what a host has changed, as it is on the wall."""
        known = self._log().find(ids.values())
        alerts: dict[str, Alert] = {}
        for alert in found.alerts:
            id = wall_id(host, alert.id)
            before = known.get(id) or replace(alert, id=id, host=host, labels=wall_labels(host, {}, alert.labels))
            alerts[id] = replace(before, acknowledged=alert.acknowledged, silenced=alert.silenced)
        refused = {ids[each.id]: AlertError(f"{host}: {each.error}", 409) for each in found.refused if each.id in ids}
        return ActionOutcome(alerts, refused, found.kept)


def silence_length(asked: SilenceAlert) -> float | None:
    """Return how many seconds a silence should last; 0 ends one; None: until its alerts are resolved.

    Raises:
        InputError: it is not a duration, or too long, or it has no reason.
    """
    if (asked.until is None) == (asked.duration == ""):
        raise InputError('a silence has either a duration, such as "1h", or "until": "resolved"')
    length_s = None if asked.until else duration(asked.duration)
    if length_s is not None and length_s > MAX_SILENCE_S:
        raise InputError(
            f"duration {asked.duration[:40]!r}: the longest silence is 30d: silence for less, or fix the rule"
        )
    if length_s != 0 and not asked.reason.strip():
        raise InputError("reason is empty: say why, so that others know later why nobody was notified")
    return length_s


def _change(ids: Sequence[str], asked: Asked, permit: Permit) -> Change:
    """Return what is done about the board's own alerts.

    Raises:
        InputError: a field is invalid.
    """
    if isinstance(asked, AcknowledgeAlert):
        return lambda alerts, now: acknowledge(alerts, ids, now, asked.note, asked.by, permit)
    length_s = silence_length(asked)
    return lambda alerts, now: silence(alerts, ids, now, length_s, asked.reason, asked.by, asked.scope, permit)


def _forms(asked: Asked, ids: list[str]) -> tuple[str, Asked, AcknowledgeAlerts | SilenceAlerts]:
    """Return the last part of the path on a host, and the body for one alert and for several."""
    if isinstance(asked, AcknowledgeAlert):
        several = AcknowledgeAlerts(asked.note, asked.by, ids=ids)
        return "ack", AcknowledgeAlert(asked.note, asked.by), several
    terms = (asked.duration, asked.reason, asked.by, asked.until, asked.scope)
    return "silence", SilenceAlert(*terms), SilenceAlerts(*terms, ids=ids)


def _changed_in(answer: HostAnswer, *, one: bool) -> ChangedAlerts:
    """Return what a host has done.

    Raises:
        AlertError: it has refused everything.
        msgspec.MsgspecError: it answers something else.
    """
    if answer.status >= 400:
        raise AlertError(_decode_error(answer.body).error, answer.status)
    if one:
        return ChangedAlerts([_decode_alert(answer.body)], [], kept=answer.status != 202)
    return _decode_changed(answer.body)


def _refused(ids: Iterable[str], error: AlertError) -> ActionOutcome:
    return ActionOutcome({}, dict.fromkeys(ids, error))


def _permitted() -> None: ...
