"""Problems: what the board's owner has to fix, one for each source, from its report until it is cleared.

It takes reports from any part of a board and keeps the list that the page, ``/api/health`` and ``/metrics`` show. Each
problem is logged once, and so is its end. A source that alternates between failing and working is logged a few times a
minute at most, with the number of lines left out. It sends nothing itself: it calls `changed` after each change.
"""

import contextlib
import itertools
import logging
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Protocol, TypedDict, Unpack

from tickboard.output.logs import log
from tickboard.output.secrets import redacted
from tickboard.output.text import encodable, one_line
from tickboard.wire import Problem, timestamp

LOG_BURST = 4
"""How many log lines one source may write at once."""

LOG_EVERY_S = 60.0
"""After that burst, a source may write one line in this many seconds."""

MAX_SOURCES = 1_000
"""How many sources have a failure count and a log limit of their own; all others share the name ``other``."""

MAX_MESSAGE = 500
"""Characters of a message that are shown: it is sent to every viewer, and an exception's text may be megabytes."""

MAX_DETAIL = 20_000
"""Characters of a detail that are kept, from its end: a traceback ends with the exception."""

OTHER = "other"

QUIET_S = 60.0
"""A problem that recurs now and then is cleared when it has not happened for this many seconds."""

Place = tuple[str, int]
"""A file and a line in it."""


class Details(TypedDict, total=False):
    """Optional details of a report.

    Attributes:
        error: the exception behind it. Its traceback becomes the detail, and the innermost line in the user's own code
            becomes file and line, unless these are passed.
        file: where to look.
        line: the line in that file.
        detail: more for the owner of the board, such as a traceback.
        brief: the message for viewers who may not see the full one. By default it is the message, with an exception
            reduced to its type.
        metrics: the names of metrics whose shown values are stale because of the problem.
        kind: reports of a source with the same kind are the same problem. By default it is the message; pass one if the
            message contains something that varies.
        logged: whether to log it; True by default.
    """

    error: BaseException
    file: str | None
    line: int | None
    detail: str | None
    brief: str
    metrics: Iterable[str]
    kind: object
    logged: bool


class Reporter(Protocol):
    """Where a part of a board reports its problems: `Problems` or a `Scope` of it."""

    def report(self, source: str, message: str, **details: Unpack[Details]) -> None:
        """Report a problem of a source; see `Problems.report`."""
        ...

    def clear(self, source: str, remark: str = "works again") -> None:
        """Clear the problem of a source, if it has one; see `Problems.clear`."""
        ...


class Problems(Mapping[str, Problem]):
    """The current problems by their source, in the order reported.

    Args:
        changed: called after each change.
        now: returns POSIX seconds, for the time when a problem began.
        monotonic: returns seconds by a clock that never steps, for the log's limit.

    Attributes:
        failures: how often each source has reported a problem, repeated ones included; at most `MAX_SOURCES` names.
    """

    def __init__(
        self,
        changed: Callable[[], None] = lambda: None,
        now: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.failures: dict[str, int] = {}
        self._on_change = changed
        self._now = now
        self._monotonic = monotonic
        self._problems: dict[str, Problem] = {}
        self._briefs: dict[str, Problem] = {}
        self._kinds: dict[str, object] = {}
        self._logged: set[str] = set()
        self._lines: dict[str, _Lines] = {}

    def __getitem__(self, source: str) -> Problem:
        return self._problems[source]

    def __iter__(self) -> Iterator[str]:
        return iter(self._problems)

    def __len__(self) -> int:
        return len(self._problems)

    def shown(self, *, details: bool) -> list[Problem]:
        """Return the problems for a viewer: with all details, or in brief.

        In brief there is no traceback, no file and line, and nothing of an exception but its type.
        """
        return list((self._problems if details else self._briefs).values())

    @property
    def stale(self) -> set[str]:
        """The names of the metrics whose shown values are stale because of a problem."""
        return {name for problem in self._problems.values() for name in problem.metrics}

    def report(self, source: str, message: str, **details: Unpack[Details]) -> None:
        """Report a problem of a source. It is shown until it is cleared, and replaces the source's earlier one.

        Reporting the same problem again only counts another failure.

        Args:
            source: the part that fails, with the function name or address that the owner knows it by.
            message: what is wrong and how to fix it, on one line; at most `MAX_MESSAGE` characters are shown.
            details: see `Details`.
        """
        known = self._known(source)
        self.failures[known] = self.failures.get(known, 0) + 1
        given = str(message)
        message = one_line(given, MAX_MESSAGE)
        kind, stale = details.get("kind", message), sorted(details.get("metrics", ()))
        before = self._problems.get(source)
        same = before is not None and self._kinds[source] == kind
        if before is not None and same and before.metrics == stale:
            return
        error = details.get("error")
        if details.get("logged", True) and not same:
            self._logged.add(source)
            self._log(known, logging.ERROR if error is not None else logging.WARNING, f"{source}: {message}", error)
        since = before.since if before is not None else timestamp(self._now())
        file, line, detail = details.get("file"), details.get("line"), details.get("detail")
        if error is not None:
            detail = detail or "".join(traceback.format_exception(error))
            if file is None and (place := own_place(error)) is not None:
                file, line = place
        if detail is not None:
            detail = encodable(redacted(detail))[-MAX_DETAIL:]
        self._problems[source] = Problem(source, message, since, stale, file, line, detail)
        brief = details.get("brief") or _without_text(given, error)
        self._briefs[source] = Problem(source, one_line(brief, MAX_MESSAGE), since, stale)
        self._kinds[source] = kind
        self._changed()

    def clear(self, source: str, remark: str = "works again") -> None:
        """Clear the problem of a source, if it has one.

        Args:
            source: as reported.
            remark: what to log if the problem was logged; empty: nothing.
        """
        if self._problems.pop(source, None) is None:
            return
        del self._kinds[source], self._briefs[source]
        if source in self._logged:
            self._logged.discard(source)
            if remark:
                self._log(self._known(source), logging.WARNING, f"{source}: {remark}", None)
        self._changed()

    def _changed(self) -> None:
        # The callback may be the very part that fails.
        try:
            self._on_change()
        except Exception:
            log.exception("the viewers cannot be sent the list of problems")

    def scope(self) -> "Scope":
        """Return a reporter for a part that may end before this list does."""
        return Scope(self)

    def _known(self, source: str) -> str:
        return source if source in self.failures or len(self.failures) < MAX_SOURCES else OTHER

    def _log(self, source: str, level: int, text: str, error: BaseException | None) -> None:
        lines = self._lines.setdefault(source, _Lines(self._monotonic()))
        left_out = lines.take(self._monotonic())
        if left_out is not None:
            more = f" ({left_out} more of its changes were not logged)" if left_out else ""
            # A filter or handler of the application may raise; that must not stop the part that reports.
            with contextlib.suppress(Exception):
                log.log(level, "%s%s", text, more, exc_info=error)


class Scope:
    """Reports to a list of problems until it is closed, which clears its problems.

    When a board is replaced, its threads may still be running; after `close`, their reports are ignored.
    """

    def __init__(self, problems: Problems) -> None:
        self._problems = problems
        self._sources: set[str] = set()
        self._closed = False

    def report(self, source: str, message: str, **details: Unpack[Details]) -> None:
        """Report a problem of a source, unless closed; see `Problems.report`."""
        if not self._closed:
            self._sources.add(source)
            self._problems.report(source, message, **details)

    def clear(self, source: str, remark: str = "works again") -> None:
        """Clear the problem of a source, if this scope has reported it; see `Problems.clear`."""
        if source in self._sources:
            self._sources.discard(source)
            self._problems.clear(source, remark)

    def close(self) -> None:
        """Clear all problems of this scope and ignore further reports."""
        self._closed = True
        self.clear_all()

    def clear_all(self) -> None:
        """Clear all problems of this scope, whose part has ended and may begin again."""
        for source in list(self._sources):
            self.clear(source, "")


class Quiet:
    """Decides when an intermittent failure has been quiet for long enough to clear its problem."""

    def __init__(self) -> None:
        self._failed_at: float | None = None

    def __bool__(self) -> bool:
        """Return True if there is no problem."""
        return self._failed_at is None

    def failed(self, now: float) -> bool:
        """Record a failure at `now`, monotonic seconds; return whether it is the first since all was quiet."""
        first, self._failed_at = self._failed_at is None, now
        return first

    def is_over(self, now: float) -> bool:
        """Return True, once, when nothing has failed for `QUIET_S`."""
        if self._failed_at is None or now - self._failed_at < QUIET_S:
            return False
        self._failed_at = None
        return True


class _Lines:
    """The log lines that a source may still write: at most `LOG_BURST`, plus one every `LOG_EVERY_S`."""

    def __init__(self, now: float) -> None:
        self._left = float(LOG_BURST)
        self._at = now
        self._left_out = 0

    def take(self, now: float) -> int | None:
        """Use one line; return how many were left out before it, or None if no line may be written."""
        self._left = min(LOG_BURST, self._left + (now - self._at) / LOG_EVERY_S)
        self._at = now
        if self._left < 1:
            self._left_out += 1
            return None
        self._left -= 1
        left_out, self._left_out = self._left_out, 0
        return left_out


def numbered(sources: Iterable[str]) -> list[str]:
    """Return distinct names: the second ``a`` becomes ``a (2)``.

    Functions made in a loop share a name. If they shared a source, one that works would clear the problem of another.
    """
    found: dict[str, None] = {}
    for source in sources:
        names = itertools.chain([source], (f"{source} ({number})" for number in itertools.count(2)))
        found[next(name for name in names if name not in found)] = None
    return list(found)


def described(error: BaseException) -> str:
    """Return an exception as one line: its type and its text. Getting the text may itself fail.

    An exception group is described by its members.
    """
    try:
        text = one_line(str(error), MAX_MESSAGE)
    except Exception:  # noqa: BLE001  # `__str__` of someone else's exception
        text = ""
    if isinstance(error, BaseExceptionGroup):
        text = one_line(f"{text}: {'; '.join(described(each) for each in error.exceptions)}", MAX_MESSAGE)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _without_text(message: str, error: BaseException | None) -> str:
    if error is None:
        return message
    return message.replace(described(error), f"{type(error).__name__} (the log says more)")


def own_place(error: BaseException) -> Place | None:
    """Return the innermost file and line of the user's own code where an error was raised."""
    here = str(Path(__file__).parent)
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if not frame.filename.startswith((here, "<")) and "site-packages" not in frame.filename:
            return frame.filename, frame.lineno or 0
    return own_place(error.__cause__) if error.__cause__ is not None else None


def last_place(error: BaseException) -> Place | None:
    """Return the file and line where an error was raised, in anyone's code."""
    frames = traceback.extract_tb(error.__traceback__)
    return (frames[-1].filename, frames[-1].lineno or 0) if frames else None
