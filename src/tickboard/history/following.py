"""Following: read ticks in the order they were recorded, from a position on.

Unlike an answer, this includes ticks that a later epoch hides. Ticks are ordered by epoch, then by time.
"""

from collections.abc import Sequence

import numpy as np

from tickboard.history.answers import RecordedTicks, TimePosition
from tickboard.history.epochs import Epoch
from tickboard.history.file import FOREVER
from tickboard.history.reading import HistorySnapshot
from tickboard.history.spans import Chosen, first_span
from tickboard.history.unsealed import count_rows, first_row


def ticks_after(
    snapshot: HistorySnapshot, position: TimePosition, patterns: tuple[str, ...], until_ms: int, most: int
) -> RecordedTicks | None:
    """Return the first ticks after a position, or None if there are none yet.

    Args:
        snapshot: a snapshot of the file.
        position: the last tick that was read.
        patterns: selectors, as in a `Question`.
        until_ms: ticks from this time on are not read, unless a later epoch hides them.
        most: the most values to return, over all series. At least one tick is returned.
    """
    chosen = Chosen.of(snapshot.catalogue.choose(patterns, buckets=False))
    for epoch, since in _left(snapshot, position):
        first = _first_tick(snapshot, epoch, since)
        if first is None:
            continue
        # After the clock was set back, hidden ticks may be in the future. Nothing amends them any more.
        until = FOREVER if _is_hidden(first, epoch, snapshot.epochs) else until_ms
        if first >= until:
            return None
        count = max(1, most // max(len(chosen), 1))
        end = min(until, first + count * epoch.interval_ms)
        times, values = snapshot.recorded(epoch, chosen, first, end)
        name = snapshot.database.one("SELECT name FROM epochs WHERE number = ?", epoch.number)
        return RecordedTicks(name, epoch.interval_ms, chosen.ids, times, values)
    return None


def count_after(snapshot: HistorySnapshot, position: TimePosition) -> int:
    """Return the number of ticks after a position."""
    count = 0
    for epoch, since in _left(snapshot, position):
        total = snapshot.database.one(
            "SELECT total(entries) FROM spans WHERE epoch = ? AND tier = 0 AND first >= ?", epoch.number, since
        )
        count += int(total)
        span = first_span(snapshot.database, epoch.number, since)
        if span is not None and span.first < since and (times := snapshot.columns.times(span)) is not None:
            count += int(np.count_nonzero(times >= since))
        count += count_rows(snapshot.database, epoch.number, max(since, epoch.sealed))
    return count


def _left(snapshot: HistorySnapshot, position: TimePosition) -> list[tuple[Epoch, int]]:
    """Return the epochs that may have ticks after a position, each with the earliest time of such a tick."""
    number = snapshot.database.one("SELECT number FROM epochs WHERE name = ?", position.epoch)
    since = position.time_ms + 1
    if number is None:
        return [(epoch, since) for epoch in snapshot.epochs if epoch.last >= since]
    epochs = [epoch for epoch in snapshot.epochs if epoch.number >= number]
    return [(epoch, since if epoch.number == number else epoch.first) for epoch in epochs]


def _is_hidden(time: int, epoch: Epoch, epochs: Sequence[Epoch]) -> bool:
    """Return whether a later epoch begins at or before the time of an epoch's tick."""
    return any(other.number > epoch.number and other.first <= time for other in epochs)


def _first_tick(snapshot: HistorySnapshot, epoch: Epoch, since: int) -> int | None:
    """Return the time of an epoch's first tick at or after `since`, or None."""
    while (span := first_span(snapshot.database, epoch.number, since)) is not None:
        times = snapshot.columns.times(span)
        if times is not None:
            return int(times[np.searchsorted(times, since)])
        since = span.last + 1
    row = first_row(snapshot.database, epoch.number, max(since, epoch.sealed))
    return None if row is None else row[1]
