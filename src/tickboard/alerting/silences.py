"""Silences: for which series of which rules nobody is notified, and until when. Time is an argument.

A silence covers one series of a rule, or all of them. It ends at a time; one that lasts until the alert is resolved
ends when nothing that it covers fires any more, or at its time, whichever is first.

A wall clock may be wrong, and be corrected later. So a silence that is over by the wall clock is kept until its whole
duration has also passed by a clock that is never set, and is in force again if the wall clock goes back.
"""

import math
from collections.abc import Iterable
from datetime import datetime

from msgspec import Struct

from tickboard.alerting.episodes import Key
from tickboard.expressions.alignment import Labels
from tickboard.wire import Silence

SAME_S = 1.0
"""Two silences whose ends differ by at most this many seconds count as the same."""

Covered = tuple[str, Labels | None]
"""What a silence covers: a rule, and the labels of one of its series or, as None, all of them."""


class _Kept(Struct):
    """A silence.

    Attributes:
        until: when it ends by the wall clock, POSIX seconds.
        silence: the silence as sent on the wire.
        ends: the time of the clock that is never set at which its whole duration has passed in this run.
        over: whether it is over by the wall clock.
    """

    until: float
    silence: Silence
    ends: float
    over: bool = False


class Silences:
    """The silences of a board's rules, at most one for each series of a rule and one for each rule."""

    def __init__(self) -> None:
        self._all: dict[Covered, _Kept] = {}

    def of(self, key: Key) -> Silence | None:
        """Return the silence in force for a series of a rule: its own, else that of the whole rule."""
        for covered in (key, (key[0], None)):
            if (each := self._all.get(covered)) is not None and not each.over:
                return each.silence
        return None

    def add(self, silence: Silence, until: float, ends: float, *, over: bool = False) -> None:
        """Begin a silence, in place of the one that covers the same.

        Args:
            silence: the silence.
            until: its end, POSIX seconds.
            ends: its end by the clock that is never set.
            over: whether it is over by the wall clock.
        """
        self._all[covered_by(silence)] = _Kept(until, silence, ends, over)

    def end(self, covered: Covered) -> None:
        """End the silence that covers this, if there is one."""
        self._all.pop(covered, None)

    def has(self, covered: Covered, silence: Silence | None, until: float) -> bool:
        """Return whether the silence that covers this has these terms already; None: whether there is none."""
        before = self._all.get(covered)
        if before is None or silence is None:
            return before is None and silence is None
        same = [(one.reason, one.by, one.until_resolved) for one in (before.silence, silence)]
        # Until resolved, the time is a limit that nobody chose.
        close = silence.until_resolved or abs(before.until - until) <= SAME_S
        return not before.over and same[0] == same[1] and close

    def pass_time(self, now: float, clock: float) -> set[Covered]:
        """End what is over, and resume what a wrong clock ended too early; return what has changed.

        Args:
            now: POSIX seconds.
            clock: seconds of a clock that is never set.
        """
        changed = set()
        for covered, each in list(self._all.items()):
            passed = clock >= each.ends
            over = passed or each.until <= now
            if over != each.over:
                each.over = over
                changed.add(covered)
            if passed:
                del self._all[covered]
        return changed

    def any_until_resolved(self) -> bool:
        """Return whether a silence ends with the alerts that it covers."""
        return any(each.silence.until_resolved for each in self._all.values())

    def end_resolved(self, firing: Iterable[Key]) -> None:
        """End the silences until resolved that cover none of the series that fire."""
        still: set[Covered] = {covered for key in firing for covered in (key, (key[0], None))}
        for covered, each in list(self._all.items()):
            if each.silence.until_resolved and covered not in still:
                del self._all[covered]

    def in_force(self) -> list[tuple[float, Silence]]:
        """Return the silences in force, each with its end in POSIX seconds."""
        return [(each.until, each.silence) for each in self._all.values() if not each.over]

    def kept(self) -> list[tuple[float, Silence]]:
        """Return the silences to save across a restart, those that are over by the wall clock included."""
        return [(each.until, each.silence) for each in self._all.values()]


def covered_by(silence: Silence) -> Covered:
    """Return what a silence covers."""
    return silence.rule, None if silence.scope == "rule" else tuple(silence.labels.items())


def covers(covered: Covered, key: Key) -> bool:
    """Return whether a silence that covers `covered` covers a series of a rule."""
    return covered in (key, (key[0], None))


def length_s(silence: Silence) -> float:
    """Return how many seconds a silence lasts by its own times; infinity if they cannot be read."""
    try:
        return (datetime.fromisoformat(silence.until) - datetime.fromisoformat(silence.timestamp)).total_seconds()
    except ValueError:
        return math.inf
