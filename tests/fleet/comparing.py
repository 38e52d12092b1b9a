"""Comparing a wall with a host: its ticks, its window and its alerts, as anybody gets them over HTTP."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from math import isnan
from typing import Any

import httpx

from tickboard.client.history_format import decode

Labels = tuple[tuple[str, str], ...]

Key = tuple[str, Labels]
"""A series: its name, and its labels in the order of their names."""

Values = dict[int, float]
"""The values of a series, by the time of their ticks in milliseconds. There are no NaN in it."""

POINTS = 4_000
"""The most ticks in one question to history."""

GET_S = 20.0

RELATIVE, OF_RANGE = 1e-5, 1e-4
"""The precision of history: of the value, and of the range of values. Whole numbers are exact."""

LATEST_MS = 5_000
"""By how much later a wall shows a host whose ticks come late, at most (docs/many-hosts.md)."""

ABSENT_TICKS = 10
"""A metric without a value in so many ticks in a row was not there. One without observations has none now and then."""

ROUNDINGS = 2
"""A wall rounds what it got from a host that has rounded it."""


@dataclass(frozen=True)
class Served:
    """A board that can be asked.

    Attributes:
        name: for messages; that of the host.
        url: its address without a slash at the end.
        token: one with the role operator; empty where nobody logs in.
    """

    name: str
    url: str
    token: str

    @property
    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"} if self.token else {}

    def get(self, path: str, asked: Mapping[str, str] = {}, *, timeout_s: float = GET_S) -> httpx.Response:
        """Request a document.

        Raises:
            httpx.HTTPError: it cannot be had.
        """
        answer = httpx.get(self.url + path, params=asked, headers=self._headers, timeout=timeout_s)
        return answer.raise_for_status()

    def post(self, path: str, body: Mapping[str, str], *, timeout_s: float = GET_S) -> httpx.Response:
        """Send a document.

        Raises:
            httpx.HTTPError: it is not accepted.
        """
        answer = httpx.post(self.url + path, json=body, headers=self._headers, timeout=timeout_s)
        return answer.raise_for_status()

    def alive(self) -> bool:
        """Return whether it answers, and ticks."""
        try:
            return self.get("/api/health", timeout_s=2.0).is_success
        except httpx.HTTPError:
            return False

    def history(self, start_ms: int, end_ms: int, interval_ms: int) -> dict[Key, Values]:
        """Return every tick from one time to just before another."""
        found: dict[Key, Values] = {}
        step_ms = POINTS * interval_ms
        for begin_ms in range(start_ms, end_ms, step_ms):
            end = _text(min(begin_ms + step_ms, end_ms))
            asked = {"from": _text(begin_ms), "to": end, "points": str(POINTS + 1), "format": "binary"}
            data = decode(self.get("/api/history", asked).content)
            assert data.tier == "raw", f"{self.name} answers with {data.tier}"
            for each in data.values():
                values = found.setdefault((each.name, _ordered(each.labels)), {})
                times = each.times.astype("int64").tolist()
                values.update(
                    (at, value) for at, value in zip(times, each.avg.tolist(), strict=True) if not isnan(value)
                )
        return found

    def window(self) -> dict[Key, Values]:
        """Return the window."""
        found: dict[Key, Values] = {}
        for point in self.get("/api/metrics/recent", {"count": str(10**7)}).json():
            key = (point["name"], _ordered(point.get("labels", {})))
            found.setdefault(key, {})[milliseconds(point["timestamp"])] = point["value"]
        return found

    def alerts(self) -> dict[str, dict[str, Any]]:
        """Return all alerts, by id."""
        found: dict[str, dict[str, Any]] = {}
        asked = {"limit": "500"}
        while True:
            page = self.get("/api/alerts", asked).json()
            found |= {alert["id"]: alert for alert in page["alerts"]}
            if page.get("next") is None:
                return found
            asked["before"] = str(page["next"])

    def events(self) -> list[tuple[str, dict[str, Any]]]:
        """Return what its alert stream has kept: the kind of each event, and the alert or mark."""
        newest = next(number for kind, number, _ in self._stream("") if kind == "position")
        found = []
        for kind, number, data in self._stream("?last_event_id=0"):
            if kind not in {"position", "heartbeat"}:
                found.append((kind, data))
            if number >= newest:
                break
        return found

    def _stream(self, query: str) -> Iterator[tuple[str, int, dict[str, Any]]]:
        """Yield the kind, the number and the data of the events of an alert stream."""
        with httpx.stream("GET", f"{self.url}/events/alerts{query}", headers=self._headers, timeout=GET_S) as answer:
            kind, number = "firing", 0
            for line in answer.raise_for_status().iter_lines():
                name, _, value = line.partition(": ")
                match name:
                    case "event":
                        kind = value
                    case "id":
                        number = int(value.rpartition("-")[2])
                    case "data":
                        data = json.loads(value)
                        yield data.get("type", kind), number, data
                        kind = "firing"


@dataclass(frozen=True)
class Found:
    """What a board answered.

    Attributes:
        history: its ticks since the beginning of the time that is compared.
        window: its window.
        alerts: its alerts, by id.
    """

    history: Mapping[Key, Values]
    window: Mapping[Key, Values]
    alerts: Mapping[str, Mapping[str, Any]]


OWN_FIELDS = {"host", "id", "labels"}
"""Fields of an alert that differ on a wall."""

NEWS = {"peak", "seen"}
"""Fields of an alert that change while it fires, without an event."""

TIMES = ("timestamp", "started", "seen", "resolved")
"""Fields of an alert that are times of ticks."""


@dataclass(frozen=True)
class Case:
    """A host as it should be on a wall.

    Attributes:
        host: its name.
        labels: its own labels.
        names: the series of its overview, by the names of their metrics.
        shift_ms: by how much its clock is ahead of the wall's: a multiple of the interval.
        start_ms: the first tick to compare, by the host's clock.
        end_ms: the end of the ticks to compare, by the host's clock.
        lost: whether the host may have lost the tick of a time, because it was killed.
        clock: a series that has another value in each tick, by which one sees how much later a wall shows a host whose
            ticks come late; empty: no host is shown later.
        interval_ms: milliseconds between two ticks.
        since: from when on a wall has to have metrics, if later than from `start_ms` on, by their names.
    """

    host: str
    labels: Mapping[str, str]
    names: frozenset[str]
    shift_ms: int
    start_ms: int
    end_ms: int
    lost: Callable[[int], bool] = lambda at: False
    clock: str = ""
    interval_ms: int = 1000
    since: Mapping[str, int] = field(default_factory=dict)

    def at_once(self) -> "Case":
        """Return the same for the clock alone, if the host is never shown later."""
        return replace(self, names=frozenset({self.clock}), clock="")

    def known_to(self, host: Found, wall: Found) -> "Case":
        """Return the same without what the host had of a metric before the wall has known it.

        The wall was away while the host had the metric, and it was back while the host did not, so it did not know that
        it could ask for it (docs/many-hosts.md). If the host gets it again, its window may have some of the ticks.
        """
        newest = max((at for values in host.window.values() for at in values), default=0)
        now = {name for (name, _), values in host.window.items() if newest in values}
        found = self._found(wall.history)
        names = self.names & (now | {name for name, _ in found})
        return replace(self, names=names, since={name: self._known_since(name, host, found) for name in names})

    def _known_since(self, name: str, host: Found, found: Mapping[Key, Values]) -> int:
        """Return from when on a wall has to have a metric; 0 if the host always had it."""
        first = min(_times_of(name, found), default=self.end_ms)
        having = _times_of(name, host.history)
        since, absent = 0, 0
        for at in sorted({at for values in host.history.values() for at in values}):
            if at in having:
                since = at if absent >= ABSENT_TICKS and at <= first else since
                absent = 0
            else:
                absent += 1
                since = first if absent >= ABSENT_TICKS and at > first else since
        return since

    def of_history(self, host: Found, wall: Found) -> Iterator[str]:
        """Yield how the ticks in a wall's history differ from those in the host's."""
        wanted, found = self._wanted(host.history), self._found(wall.history)
        later = self._later(wanted, found)
        for key in sorted(wanted.keys() | found.keys()):
            recorded = wanted.get(key, {})
            for each in self._of_series(key[0], recorded, found.get(key, {}), recorded, later):
                yield f"history of {_series(key)}: {each}"

    def of_window(self, host: Found, wall: Found) -> Iterator[str]:
        """Yield how a wall's window differs from the host's, in the time that both have.

        A series that has left the host's window may still be in the wall's; then its ticks are those in the history.
        """
        ours = {at for values in host.window.values() for at in values}
        theirs = {at + self.shift_ms for values in wall.window.values() for at in values}
        if not ours or not theirs:
            yield "a window is empty"
            return
        # The host's newest tick may not be on the wall yet.
        both = replace(
            self, start_ms=max(self.start_ms, min(ours), min(theirs)), end_ms=min(max(ours), max(theirs) + 1)
        )
        current, recorded, found = self._wanted(host.window), self._wanted(host.history), self._found(wall.window)
        later = self._later(recorded, found)
        for key in sorted(current.keys() | found.keys()):
            before = recorded.get(key, {})
            for each in both._of_series(key[0], current.get(key) or before, found.get(key, {}), before, later):
                yield f"window of {_series(key)}: {each}"

    def of_alerts(self, host: Found, wall: Found) -> Iterator[str]:
        """Yield how the alerts of a wall differ from those of the host."""
        wanted = {f"{self.host}:{name}": alert for name, alert in host.alerts.items()}
        found = {name: self._moved(alert) for name, alert in wall.alerts.items() if alert.get("host") == self.host}
        # While all its messages are slow, a host's clock looks further behind than it is. If that was for a moment, its
        # ticks have been read again since, so they do not show it any more.
        later_ms = {0, *self._later(self._wanted(host.history), self._found(wall.history)).values()}
        if self.clock:
            later_ms.add(self.interval_ms)
        for name in sorted(wanted.keys() - found.keys()):
            if self._in_time(wanted[name]):
                yield f"alert {name} is not on the wall: {wanted[name]}"
        for name in sorted(found.keys() - wanted.keys()):
            if self._in_time(found[name]):
                yield f"alert {name} is not on the host: {found[name]}"
        for name in sorted(wanted.keys() & found.keys()):
            ours, other = wanted[name], found[name]
            if not self._in_time(ours):
                continue
            if (labels := self._on_wall(_ordered(ours.get("labels", {})))) != _ordered(other.get("labels", {})):
                yield f"alert {name}: the wall has the labels {other.get('labels')}, not {dict(labels)}"
            own = OWN_FIELDS if ours.get("resolved") and other.get("resolved") else OWN_FIELDS | NEWS
            for what in sorted((ours.keys() | other.keys()) - own):
                a_time = what in TIMES and ours.get(what) and other.get(what)
                if a_time and milliseconds(other[what]) - milliseconds(ours[what]) in later_ms:
                    continue
                if ours.get(what) != other.get(what):
                    yield f"alert {name}: {what} is {ours.get(what)!r} on the host, {other.get(what)!r} on the wall"

    def _wanted(self, host: Mapping[Key, Values]) -> dict[Key, Values]:
        return {(name, self._on_wall(labels)): values for (name, labels), values in host.items() if name in self.names}

    def _found(self, wall: Mapping[Key, Values]) -> dict[Key, Values]:
        """Return the values of the host's series.

        A metric whose name another host uses for another unit is shown as NAME:UNIT, from the time on at which the
        other host was there: then a series has its values under both names.
        """
        found: dict[Key, Values] = {}
        for (name, labels), values in wall.items():
            own_name = name.partition(":")[0]
            if own_name in self.names and ("host", self.host) in labels:
                of_series = found.setdefault((own_name, labels), {})
                of_series |= {at + self.shift_ms: value for at, value in values.items()}
        return found

    def _moved(self, alert: Mapping[str, Any]) -> dict[str, Any]:
        """Return an alert of the wall with the times that it has on the host."""
        times = {name: milliseconds(alert[name]) + self.shift_ms for name in TIMES if alert.get(name)}
        return {**alert, **{name: _text(at_ms) for name, at_ms in times.items()}}

    def _on_wall(self, labels: Labels) -> Labels:
        own = {"host": self.host, **self.labels}
        return _ordered(own | {f"exported_{name}" if name in own else name: value for name, value in labels})

    def _in_time(self, alert: Mapping[str, Any]) -> bool:
        return self.start_ms <= milliseconds(alert["timestamp"]) < self.end_ms

    def _later(self, host: Mapping[Key, Values], wall: Mapping[Key, Values]) -> dict[int, int]:
        """Return by how many milliseconds a wall shows a host's ticks later, or 0, at each time at which it has one."""
        ours = next((values for key, values in host.items() if key[0] == self.clock), {})
        theirs = next((values for key, values in wall.items() if key[0] == self.clock), {})
        spread, found = _spread(ours), {}
        for at, value in theirs.items():
            shown = [at - before for before in self._times_until(at) if _same(ours.get(before), value, spread)]
            if shown:
                found[at] = shown[0]
        return found

    def _times_until(self, at: int) -> range:
        """Return the times of the ticks that a wall may show at a time, the newest first."""
        return range(at, at - LATEST_MS - 1, -self.interval_ms)

    def _of_series(
        self, name: str, host: Values, wall: Values, recorded: Values, later: Mapping[int, int]
    ) -> Iterator[str]:
        """Yield how a series differs.

        Args:
            name: of its metric.
            host: its values on the host.
            wall: its values on the wall.
            recorded: those in the host's history, which reaches back further.
            later: see `_later`. Near these times, a value may be that of an earlier tick; and where the delay changes,
                there may be none. Where it is over, ticks may have been read again: then a series that had no value in
                one of them may still have that of an earlier one.
        """
        spread = _spread(host)
        for at in sorted(host.keys() | wall.keys()):
            ours, theirs = host.get(at), wall.get(at)
            if not self.start_ms <= at < self.end_ms or (ours is None and self.lost(at)) or _same(ours, theirs, spread):
                continue
            if theirs is None and at < self.since.get(name, at):
                continue
            times = self._times_until(at)
            if (
                ours is None
                and later.get(at) == 0
                and any(_same(recorded.get(each), theirs, spread) for each in times[1:])
            ):
                continue
            around = range(at - LATEST_MS, at + LATEST_MS + 1, self.interval_ms)
            if any(delays := {later[each] for each in around if each in later}):
                earlier = [ours, *(recorded.get(each) for each in times[1:])]
                if any(_same(each, theirs, spread) for each in earlier) or any(map(self.lost, times)):
                    continue
                if theirs is None and len(delays) > 1:
                    continue
            yield f"{_text(at)}: the host has {ours}, the wall {theirs}"


def _times_of(name: str, series: Mapping[Key, Values]) -> set[int]:
    return {at for (each, _), values in series.items() if each == name for at in values}


def _spread(values: Values) -> float:
    return max(values.values()) - min(values.values()) if values else 0.0


def _same(ours: float | None, theirs: float | None, spread: float) -> bool:
    return ours is theirs if ours is None or theirs is None else same(ours, theirs, spread)


def same(ours: float, theirs: float, spread: float) -> bool:
    """Return whether two values are the same within the precision of history.

    Args:
        ours: of the host.
        theirs: of the wall.
        spread: the range of the series' values.
    """
    if ours.is_integer() and theirs.is_integer():
        return ours == theirs
    return abs(ours - theirs) <= ROUNDINGS * min(RELATIVE * abs(ours), OF_RANGE * spread)


def repeated(events: Iterable[tuple[str, Mapping[str, Any]]]) -> Iterator[str]:
    """Yield the beginnings and ends of alerts that a stream has more than once."""
    seen = set()
    for kind, alert in events:
        if kind in {"firing", "resolved"}:
            if (event := (kind, alert["id"])) in seen:
                yield f"alert {alert['id']} is {kind} twice"
            seen.add(event)


def milliseconds(timestamp: str) -> int:
    """Return a time of the wire in milliseconds."""
    return round(datetime.fromisoformat(timestamp).timestamp() * 1000)


def _text(at_ms: int) -> str:
    seconds, rest = divmod(at_ms, 1000)
    return f"{datetime.fromtimestamp(seconds, UTC).isoformat()[:-6]}.{rest:03}Z"


def _series(key: Key) -> str:
    return f"{key[0]}{{{', '.join(f'{label}={value}' for label, value in key[1])}}}"


def _ordered(labels: Mapping[str, str] | Labels) -> Labels:
    return tuple(sorted(dict(labels).items()))
