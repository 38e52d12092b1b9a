"""Problems: what the board's owner has to fix, by its source, from when it is reported until it is cleared.

It takes reports from any part of a board and keeps the list that the page, ``/api/health`` and ``/metrics`` show. Each
problem is logged once, and so is its end; a source that alternates between failing and working is logged a few times a
minute at the most, with a count of what was left out. It sends nothing itself: `changed` is called after each change.
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
"""Lines in the log that one source may have at once."""

LOG_EVERY_S = 60.0
"""A source that has used them up gets one more line after so many seconds."""

MAX_SOURCES = 1_000
"""Sources whose failures are counted and whose lines are limited apart; those beyond them share the name ``other``."""

MAX_MESSAGE = 500
"""Characters of a message that are shown: every viewer is sent it, and an exception's text may be megabytes."""

MAX_DETAIL = 20_000
"""Characters of a detail that are kept, the last ones: a traceback ends with what was raised."""

OTHER = "other"

QUIET_S = 60.0
"""A problem of something that happens now and then is cleared when it has not happened for so long."""

Place = tuple[str, int]
"""A file, and a line in it."""


class Details(TypedDict, total=False):
    """What a report may say beside the source and the message.

    Attributes:
        error: the exception behind it: its traceback becomes the detail, and the innermost place in a file of the
            user's own becomes file and line, where these are not given.
        file: where to look.
        line: in that file.
        detail: more for the owner of the board, as a traceback.
        brief: what those are told who may not see the message; unless given, it is the message, with the type alone of
            an exception that it describes.
        metrics: the names of those whose shown values are stale because of it.
        kind: what makes it the same problem as the last one of its source; the message unless given. Give one where
            the message holds something that changes.
        logged: whether it is worth a line in the log; True unless given.
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
    """Where a part of a board reports what is wrong with it: `Problems`, or a `Scope` of them."""

    def report(self, source: str, message: str, **details: Unpack[Details]) -> None:
        """Show a problem of a source until it is cleared; see `Problems.report`."""
        ...

    def clear(self, source: str, remark: str = "works again") -> None:
        """Take the problem of a source back, if it has one; see `Problems.clear`."""
        ...


class Problems(Mapping[str, Problem]):
    """The problems that there are, by their source, in the order reported.

    Args:
        changed: called after each change.
        now: returns POSIX seconds; it names the instant that a problem is known since.
        monotonic: returns seconds by a clock that never steps; it limits the log.

    Attributes:
        failures: how often each source has reported a problem, repeated ones included; at most `MAX_SOURCES`.
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
        """Return the problems as a viewer sees them: whole, or in short.

        In short there is no traceback, no place in a file, and nothing of an exception but its type.
        """
        return list((self._problems if details else self._briefs).values())

    @property
    def stale(self) -> set[str]:
        """The names of the metrics whose shown values are stale because of some problem."""
        return {name for problem in self._problems.values() for name in problem.metrics}

    def report(self, source: str, message: str, **details: Unpack[Details]) -> None:
        """Show a problem of a source until it is cleared, in place of an earlier one of the same source.

        Reporting the same problem again changes nothing but the count of failures.

        Args:
            source: the part that has it, with the name of the function or address that a person knows it by.
            message: what is wrong and how to fix it, on one line; at most `MAX_MESSAGE` characters of it are shown.
            details: as `Details` describes them.
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
        """Take the problem of a source back, if it has one.

        Args:
            source: as it was reported.
            remark: what the log says then, if it has the problem; nothing when empty.
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
        # What fails may be what would show it.
        try:
            self._on_change()
        except Exception:
            log.exception("the viewers cannot be sent the list of problems")

    def scope(self) -> "Scope":
        """Return a place to report to for a part that may end before this list does."""
        return Scope(self)

    def _known(self, source: str) -> str:
        return source if source in self.failures or len(self.failures) < MAX_SOURCES else OTHER

    def _log(self, source: str, level: int, text: str, error: BaseException | None) -> None:
        lines = self._lines.setdefault(source, _Lines(self._monotonic()))
        left_out = lines.take(self._monotonic())
        if left_out is not None:
            more = f" ({left_out} more changes of it were not logged)" if left_out else ""
            # A filter or a handler of the application's may raise: no part may stop for that.
            with contextlib.suppress(Exception):
                log.log(level, "%s%s", text, more, exc_info=error)


class Scope:
    """Reports to a list of problems until it is closed, which clears what it has reported.

    A board that another has taken the place of may still have threads at work: what these report comes to nothing.
    """

    def __init__(self, problems: Problems) -> None:
        self._problems = problems
        self._sources: set[str] = set()
        self._closed = False

    def report(self, source: str, message: str, **details: Unpack[Details]) -> None:
        """Show a problem of a source until it is cleared; see `Problems.report`."""
        if not self._closed:
            self._sources.add(source)
            self._problems.report(source, message, **details)

    def clear(self, source: str, remark: str = "works again") -> None:
        """Take the problem of a source back, if this scope has reported one; see `Problems.clear`."""
        if source in self._sources:
            self._sources.discard(source)
            self._problems.clear(source, remark)

    def close(self) -> None:
        """Clear all that was reported, and report nothing more."""
        self._closed = True
        for source in list(self._sources):
            self.clear(source, "")


class Quiet:
    """Knows when something that fails now and then has been quiet for long enough to clear its problem."""

    def __init__(self) -> None:
        self._failed_at: float | None = None

    def __bool__(self) -> bool:
        """Return whether there is no problem."""
        return self._failed_at is None

    def failed(self, now: float) -> bool:
        """Note a failure at a time of the monotonic clock; return whether it is the first since all was quiet."""
        first, self._failed_at = self._failed_at is None, now
        return first

    def is_over(self, now: float) -> bool:
        """Return, once, that nothing has failed for `QUIET_S`."""
        if self._failed_at is None or now - self._failed_at < QUIET_S:
            return False
        self._failed_at = None
        return True


class _Lines:
    """How many lines in the log a source may still have: a bucket of `LOG_BURST`, one more each `LOG_EVERY_S`."""

    def __init__(self, now: float) -> None:
        self._left = float(LOG_BURST)
        self._at = now
        self._left_out = 0

    def take(self, now: float) -> int | None:
        """Take a line; return how many were left out before it, or None when there is none to take."""
        self._left = min(LOG_BURST, self._left + (now - self._at) / LOG_EVERY_S)
        self._at = now
        if self._left < 1:
            self._left_out += 1
            return None
        self._left -= 1
        left_out, self._left_out = self._left_out, 0
        return left_out


def numbered(sources: Iterable[str]) -> list[str]:
    """Return names that are all different: the second ``a`` is ``a (2)``.

    Functions that a loop makes have one name. Were that their source, one that works would clear another's problem.
    """
    found: dict[str, None] = {}
    for source in sources:
        names = itertools.chain([source], (f"{source} ({number})" for number in itertools.count(2)))
        found[next(name for name in names if name not in found)] = None
    return list(found)


def described(error: BaseException) -> str:
    """Return an exception in words, on one line: its type and its text, which is anybody's code and may itself fail.

    A group is described by what is in it.
    """
    try:
        text = one_line(str(error), MAX_MESSAGE)
    except Exception:  # noqa: BLE001  # `__str__` of a foreign exception
        text = ""
    if isinstance(error, BaseExceptionGroup):
        text = one_line(f"{text}: {'; '.join(described(each) for each in error.exceptions)}", MAX_MESSAGE)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _without_text(message: str, error: BaseException | None) -> str:
    if error is None:
        return message
    return message.replace(described(error), f"{type(error).__name__} (the log says more)")


def own_place(error: BaseException) -> Place | None:
    """Return the file and line where an error was raised, the innermost that is the user's own."""
    here = str(Path(__file__).parent)
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if not frame.filename.startswith((here, "<")) and "site-packages" not in frame.filename:
            return frame.filename, frame.lineno or 0
    return own_place(error.__cause__) if error.__cause__ is not None else None


def last_place(error: BaseException) -> Place | None:
    """Return the file and line where an error was raised, in anybody's code."""
    frames = traceback.extract_tb(error.__traceback__)
    return (frames[-1].filename, frames[-1].lineno or 0) if frames else None
