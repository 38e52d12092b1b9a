"""The text of a message: combines many notices into one message of bounded size.

A few alerts get a line each. If there are many, the alerts of one rule share a line with their number and the worst of
them. It takes notices and returns text; it knows neither when nor how the text is sent.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Literal

from msgspec import Struct

from tickboard.wire import Alert

MAX_LINES = 20
"""Lines of a message; all further alerts are only counted."""

MAX_TEXT = 200
"""Characters of one alert's own message in a line."""

Kind = Literal["info", "success", "warning", "failure"]
"""Apprise's kinds of message: services choose a colour or an icon by it."""

_SEVERITIES = {"critical": 0, "warning": 1, "info": 2}
_KINDS: dict[str, Kind] = {"critical": "failure", "warning": "warning", "info": "info"}


class Notice(Struct):
    """One alert to notify about.

    Attributes:
        alert: its current state.
        fired: whether to report that it fired.
        over: whether it is resolved. If neither, this is a reminder that it still fires.
        tried: when the first attempt to send it was made, by a clock that never steps.
    """

    alert: Alert
    fired: bool = False
    over: bool = False
    tried: float | None = None


class Message(Struct, frozen=True):
    """A message in plain text.

    Attributes:
        title: one line.
        body: at most `MAX_LINES` + 1 lines.
        kind: its kind, for the service.
    """

    title: str
    body: str
    kind: Kind


def compose_message(board: str, notices: Collection[Notice], now: float, *, lost: bool = False) -> Message:
    """Return one message with all notices.

    Args:
        board: the board's title.
        notices: one or more.
        now: POSIX seconds.
        lost: whether to say that earlier alerts may not have been sent.
    """
    ordered = sorted(notices, key=_order)
    lines = [_line(notice, now) for notice in ordered] if len(ordered) <= MAX_LINES else _grouped(ordered, now)
    if lost:
        lines.append("Earlier alerts may not have been sent: the log no longer has them.")
    title = _line_title(ordered[0]) if len(ordered) == 1 else _counted(ordered)
    return Message(f"{plain_line(board)}: {title}", "\n".join(lines), _kind(ordered))


def trial(board: str) -> Message:
    """Return a test message, which shows that messages arrive."""
    return Message(f"{plain_line(board)}: test", "This is a test: alerts of this board will be sent here.", "info")


def plain_line(text: str) -> str:
    """Return text as one harmless line: without control characters, and truncated."""
    line = " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
    return line if len(line) <= MAX_TEXT else f"{line[: MAX_TEXT - 1]}…"


def lasted(seconds: float) -> str:
    """Return a duration in at most two units: ``3 s``, ``5 min``, ``2 h 5 min``."""
    whole = max(int(seconds), 0)
    units = (("d", whole // 86_400), ("h", whole // 3_600 % 24), ("min", whole // 60 % 60), ("s", whole % 60))
    first = next((index for index, (_, count) in enumerate(units) if count), len(units) - 1)
    return " ".join(f"{count} {unit}" for unit, count in units[first : first + 2] if count) or "0 s"


def _order(notice: Notice) -> tuple[int, int, str, str]:
    alert = notice.alert
    return _rank(notice), _SEVERITIES[alert.severity], _rule(alert), alert.started or alert.timestamp


def _rank(notice: Notice) -> int:
    """Return a notice's rank in the message: firing, still firing, fired and resolved, resolved."""
    if notice.over:
        return 2 if notice.fired else 3
    return 0 if notice.fired else 1


def _rule(alert: Alert) -> str:
    return alert.rule or alert.metric


def _word(notice: Notice) -> str:
    if notice.over:
        return "FIRED AND OVER" if notice.fired else "RESOLVED"
    return notice.alert.severity.upper() if notice.fired else f"STILL {notice.alert.severity.upper()}"


def _line_title(notice: Notice) -> str:
    return f"{_word(notice)} {_message(notice.alert)}"


def _message(alert: Alert) -> str:
    """Return an alert's message, which on a wall begins with the name of its host."""
    return plain_line(f"{alert.host}: {alert.message}" if alert.host else alert.message)


def _line(notice: Notice, now: float) -> str:
    return f"{_line_title(notice)} ({_when(notice, now)})"


def _when(notice: Notice, now: float) -> str:
    alert = notice.alert
    began = alert.started or alert.timestamp
    since = f"since {began[:10]} {began[11:19]} UTC"
    if not notice.over:
        return since if notice.fired else f"{since}, for {lasted(now - _posix(began))}"
    why = f"{plain_line(alert.ended)}, " if alert.ended else ""
    if alert.resolved is None:
        return f"{why}{since}"
    return f"{why}{since}, for {lasted(_posix(alert.resolved) - _posix(began))}"


def _posix(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def _grouped(ordered: Sequence[Notice], now: float) -> list[str]:
    groups: dict[tuple[str, str], list[Notice]] = {}
    for notice in ordered:
        groups.setdefault((_word(notice), _rule(notice.alert)), []).append(notice)
    listed = list(groups.values())
    shown = len(listed) if len(listed) <= MAX_LINES else MAX_LINES - 1
    lines = [_line(group[0], now) if len(group) == 1 else _group_line(group) for group in listed[:shown]]
    if rest := listed[shown:]:
        lines.append(f"and {sum(map(len, rest)):,} alerts of {len(rest):,} more rules")
    return lines


def _group_line(group: list[Notice]) -> str:
    series = len({tuple(notice.alert.labels.items()) for notice in group})
    if series == len(group):
        count = f"{series:,} series"
    else:
        count = f"{len(group):,} times" + (f" on {series:,} series" if series > 1 else "")
    line = f"{_word(group[0])} {plain_line(_rule(group[0].alert))}: {count}"
    if group[0].over and not group[0].fired:
        return line
    worst = max(group, key=lambda notice: _distance(notice.alert))
    return f"{line}; worst: {_message(worst.alert)}"


def _distance(alert: Alert) -> float:
    """Return how far an alert's value went past its threshold, on either side."""
    value = alert.value if alert.peak is None else alert.peak
    if value is None:
        return float("-inf")
    return value if alert.threshold is None else abs(value - alert.threshold)


def _counted(ordered: Sequence[Notice]) -> str:
    names = ("firing", "still firing", "fired and over", "resolved")
    counts = [0, 0, 0, 0]
    for notice in ordered:
        counts[_rank(notice)] += 1
    parts = [f"{count:,} {name}" for count, name in zip(counts, names, strict=True) if count]
    critical = sum(notice.alert.severity == "critical" for notice in ordered if not notice.over)
    return ", ".join(parts) + (f" ({critical:,} critical)" if critical else "")


def _kind(ordered: Iterable[Notice]) -> Kind:
    firing = [notice.alert.severity for notice in ordered if not notice.over]
    return _KINDS[min(firing, key=_SEVERITIES.__getitem__)] if firing else "success"
