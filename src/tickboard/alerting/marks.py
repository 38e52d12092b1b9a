"""Marks: what people and programs note about a time, such as a deployment.

`new_mark` checks a request for a mark, and `Marks` holds all marks. A mark is an event of the alert log, which numbers
and publishes it. Nothing here reads a clock.
"""

from collections import deque
from collections.abc import Iterable
from typing import ClassVar, Literal

from msgspec import Struct, field

from tickboard.errors import InputError
from tickboard.output.text import one_line
from tickboard.times import MAX_TIME_MS, Time, parse_time, time_text
from tickboard.wire import Mark

MAX_MARKS = 10_000
"""How many marks are kept. Beyond that, the first one made is dropped."""

MAX_TEXT = 200
"""The most characters of a mark's text, and of its author's name: they are drawn beside a chart."""

MAX_AHEAD_S = 366 * 86_400
"""How far a mark may be in the future."""

SAME_MS = 1_000
"""Two marks with the same text and author are the same if their times differ by at most this many milliseconds."""


class MarkEvent(Struct, eq=False):
    """A mark that was made, with its number in the log.

    Attributes:
        number: 1, 2, 3, … within the log's epoch, together with the alert events.
        mark: the mark as sent on the wire.
        time: when it was made, POSIX seconds.
        drops: the number of an older mark that this one pushed out of the log; 0: none.
        frames: encoded frames of this event, by format, so that it is encoded once.
    """

    kind: ClassVar[Literal["mark"]] = "mark"

    number: int
    mark: Mark
    time: float
    drops: int = 0
    frames: dict[str, bytes] = field(default_factory=dict)


class Marks:
    """All marks, at most `MAX_MARKS`.

    Args:
        events: those of earlier runs, in the order they were made.

    Attributes:
        revision: changes whenever the marks do.
    """

    def __init__(self, events: Iterable[MarkEvent] = ()) -> None:
        self.revision = 0
        self._events = deque(events, MAX_MARKS)

    def __len__(self) -> int:
        """The number of marks."""
        return len(self._events)

    def add(self, event: MarkEvent) -> None:
        """Add a mark."""
        self._events.append(event)
        self.revision += 1

    def find_same(self, mark: Mark) -> Mark | None:
        """Return an existing mark with the same text, author and time; None if there is none."""
        wanted = mark.text, mark.by, mark.until is None
        (first, last), (first_end, last_end) = _around(mark.timestamp), _around(ends(mark))
        for event in reversed(self._events):
            known = event.mark
            if (
                first <= known.timestamp <= last
                and first_end <= ends(known) <= last_end
                and (known.text, known.by, known.until is None) == wanted
            ):
                return known
        return None

    def between(self, start: str, end: str, published: int) -> list[Mark]:
        """Return the marks that overlap a range, in the order of their times.

        Args:
            start: RFC 3339 in UTC with milliseconds; inclusive.
            end: likewise; exclusive.
            published: the number of the newest published event; later ones are left out.
        """
        found = [
            event.mark
            for event in self._events
            if event.number <= published and event.mark.timestamp < end and ends(event.mark) >= start
        ]
        return sorted(found, key=lambda mark: mark.timestamp)

    def expire(self, since: str) -> None:
        """Drop the marks that ended before a time, RFC 3339 in UTC with milliseconds."""
        left = [event for event in self._events if ends(event.mark) >= since]
        if len(left) < len(self._events):
            self._events = deque(left, MAX_MARKS)
            self.revision += 1

    def events(self) -> list[MarkEvent]:
        """Return all marks, in the order they were made, including those that are not published yet."""
        return list(self._events)


def ends(mark: Mark) -> str:
    """Return when a mark ends; a mark without `until` ends when it begins."""
    return mark.until or mark.timestamp


def new_mark(
    id: str,  # the wire's name
    text: str,
    at: Time | None,
    until: Time | None,
    by: str,
    now_ms: int,
    keep_s: float,
    name: str = "at",
) -> Mark:
    """Return a new mark. Control characters in its texts are escaped, and secrets are hidden.

    Args:
        id: its id.
        text: what happened.
        at: when; None: now.
        until: when it was over; None: it is an instant.
        by: who makes it.
        now_ms: the current time, POSIX milliseconds.
        keep_s: seconds that marks are kept.
        name: how errors name `at`.

    Raises:
        InputError: an argument cannot be used.
    """
    texts = _checked("text", text), _checked("by", by)
    if not texts[0].strip():
        raise InputError('text is empty: say what happened, as "deployed 1.4"')
    at_ms = now_ms if at is None else parse_time(name, at, now_ms)
    until_ms = None if until is None else parse_time("until", until, now_ms)
    if until_ms is not None and until_ms < at_ms:
        raise InputError(f"until={until!s:.40} is before {name}={at or 'now'!s:.40}: give a later time")
    end_ms = at_ms if until_ms is None else until_ms
    given = f"{name}={at!s:.40}" if until is None else f"until={until!s:.40}"
    if end_ms > now_ms + MAX_AHEAD_S * 1000:
        raise InputError(f"{given} is more than 366 days ahead: give an earlier time")
    if end_ms < now_ms - keep_s * 1000:
        raise InputError(
            f"{given} is longer ago than the {keep_s / 86_400:g} days that marks are kept: give a later time"
        )
    return Mark(id, texts[0], time_text(at_ms), texts[1], None if until_ms is None else time_text(until_ms))


def _checked(name: str, text: object) -> str:
    if not isinstance(text, str):
        raise InputError(f"{name}={text!r:.40} is not a text: write it in quotes")
    if len(text) > MAX_TEXT:
        raise InputError(f"{name}={one_line(text, 20)} has {len(text)} characters: give {MAX_TEXT} at most")
    return one_line(text, MAX_TEXT)


def _around(timestamp: str) -> tuple[str, str]:
    """Return the earliest and the latest time that counts as the same."""
    # As text: all marks are compared with them in the event loop, and parsing 10,000 times would take 60 ms.
    at_ms = parse_time("timestamp", timestamp, 0)
    return time_text(max(0, at_ms - SAME_MS)), time_text(min(at_ms + SAME_MS, MAX_TIME_MS))
