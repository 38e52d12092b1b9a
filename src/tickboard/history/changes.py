"""What changed: read two ranges of the history, and rank the series by how much they differ.

Series are read in groups, so that memory does not grow with the board. `comparing` has the score.
"""

from collections.abc import Iterator

import numpy as np

from tickboard.history.answers import Changed, ChangesQuestion, FoundChanges
from tickboard.history.blocks import STRIPE
from tickboard.history.comparing import Compared, compare
from tickboard.history.layout import TIERS
from tickboard.history.reading import HistorySnapshot
from tickboard.history.spans import HOURS, MINUTE_MS, MINUTES, RAW, UNIT_MS, Chosen

MAX_TICKS = 1_800
"""The longest range, in ticks, whose ticks are compared. For longer ranges, the averages of minutes are."""

MAX_MINUTES = 1_440
"""The longest range, in minutes, whose averages of minutes are compared: a day. For longer ones, those of hours are."""

SCORE_DIGITS = 4

_GROUP_VALUES = 2_500_000
"""About how many values are read together: 20 MB."""

_ROLLED_VALUES = 4
"""How many values are read for the average of a minute or an hour."""


def changes(snapshot: HistorySnapshot, question: ChangesQuestion) -> FoundChanges:
    """Compare two ranges.

    Raises:
        TooMuchError: too much had to be read.
        GivenUpError: it was cancelled.
    """
    ids = snapshot.catalogue.choose(question.patterns, buckets=False)
    interval_ms = min(
        snapshot.shortest_interval(question.start_ms, question.end_ms),
        snapshot.shortest_interval(question.baseline_start_ms, question.baseline_end_ms),
    )
    tier = _tier(snapshot, question, interval_ms)
    score, before, after = np.full((3, len(ids)), np.nan)
    for group in _groups(len(ids), question, tier, interval_ms):
        found = _compared(snapshot, question, tier, Chosen.of(ids[group]))
        score[group], before[group], after[group] = found.score, found.before, found.after
    score = np.round(score, SCORE_DIGITS)
    ranked = np.flatnonzero(score > 0)
    # With equal scores, the series that was recorded first comes first.
    listed = ranked[np.argsort(-score[ranked], kind="stable")][: question.limit]
    entries = [snapshot.catalogue.entries[id] for id in ids[listed].tolist()]
    columns = zip(entries, score[listed].tolist(), before[listed].tolist(), after[listed].tolist(), strict=True)
    return FoundChanges(
        question,
        TIERS[tier],
        int(np.count_nonzero(~np.isnan(score))),
        len(ranked),
        tuple(Changed(entry.name, entry.labels, entry.unit, *numbers) for entry, *numbers in columns),
    )


def _tier(snapshot: HistorySnapshot, question: ChangesQuestion, interval_ms: int) -> int:
    """Return the tier to compare: the finest that still has both ranges, without too many entries in either."""
    longest = max(question.end_ms - question.start_ms, question.baseline_end_ms - question.baseline_start_ms)
    tier = RAW if longest <= MAX_TICKS * interval_ms else MINUTES if longest <= MAX_MINUTES * MINUTE_MS else HOURS
    return snapshot.finest(min(question.start_ms, question.baseline_start_ms), tier)


def _groups(series: int, question: ChangesQuestion, tier: int, interval_ms: int) -> Iterator[slice]:
    """Yield the series to read together, as slices: whole stripes, if all series of the board are compared."""
    length_ms = question.end_ms - question.start_ms + question.baseline_end_ms - question.baseline_start_ms
    values = length_ms // interval_ms if tier == RAW else _ROLLED_VALUES * length_ms // UNIT_MS[tier]
    size = max(1, _GROUP_VALUES // max(1, values) // STRIPE) * STRIPE
    for start in range(0, series, size):
        yield slice(start, start + size)


def _compared(snapshot: HistorySnapshot, question: ChangesQuestion, tier: int, chosen: Chosen) -> Compared:
    if question.baseline_end_ms == question.start_ms:
        # Read both at once, so that a block with ticks of both is decoded once.
        times, values = snapshot.averages(tier, question.baseline_start_ms, question.end_ms, chosen)
        cut = int(np.searchsorted(times, question.start_ms))
        return compare(values[:, :cut], values[:, cut:])
    _, before = snapshot.averages(tier, question.baseline_start_ms, question.baseline_end_ms, chosen)
    _, after = snapshot.averages(tier, question.start_ms, question.end_ms, chosen)
    return compare(before, after)
