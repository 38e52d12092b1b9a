"""The difference between two boards or two lists of series, so that viewers are sent only the changes.

Each function takes the old and the new one and returns a message with the changes, or None if all must be sent again.
"""

from collections import Counter
from collections.abc import Callable, Generator, Hashable, Iterable, Sequence

from tickboard.metrics.series import Series
from tickboard.wire import BoardInfo, MetricsChanged, Panel, PanelsChanged, Row, SeriesChanged, SeriesInfo, encode

STEP_PANELS = 1_000
"""How many panels are compared in one step, before other work may run: about 2 ms."""


def series_changes(
    before: Sequence[Series],
    after: Sequence[Series],
    layouts: tuple[int, int],
    epoch: str,
    infos: Callable[[Sequence[Series]], list[SeriesInfo]],
) -> SeriesChanged | None:
    """Return the changes that turn one list of series into another; None if the order has changed.

    Args:
        before: the old list; series are compared by identity.
        after: the new list.
        layouts: the numbers of the two lists.
        epoch: the epoch of the ticks.
        infos: returns the descriptions of some series.
    """
    places = _places([id(one) for one in before], [id(one) for one in after])
    if places is None:
        return None
    removed, at = places
    return SeriesChanged(layouts[1], layouts[0], epoch, removed, at, infos([after[place] for place in at]))


def board_changes(before: BoardInfo, after: BoardInfo) -> Generator[None, None, MetricsChanged | None]:
    """Return the changes from one board to another if only metrics and panels differ, else None; in steps."""
    fixed = ("title", "epoch", "interval_ms", "window_size", "version", "rules")
    if any(getattr(before, name) != getattr(after, name) for name in fixed):
        return None
    places = _places([id(one) for one in before.metrics], [id(one) for one in after.metrics])
    yield
    panels = yield from _panels_changes(before.panels, after.panels)
    if places is None or panels is None:
        return None
    removed, at = places
    if at != list(range(len(after.metrics) - len(at), len(after.metrics))):
        return None
    return MetricsChanged(
        after.epoch,
        before.revision,
        after.revision,
        [before.metrics[place].name for place in removed],
        [after.metrics[place] for place in at],
        panels,
    )


def _panels_changes(before: Sequence[Panel], after: Sequence[Panel]) -> Generator[None, None, PanelsChanged | None]:
    keys_before = yield from _keys(before)
    keys_after = yield from _keys(after)
    places = _places(keys_before, keys_after)
    if places is None:
        return None
    removed, at = places
    rows_before = {key: panel for key, panel in zip(keys_before, before, strict=True) if isinstance(panel, Row)}
    rows_at, rows = [], []
    for place, (key, panel) in enumerate(zip(keys_after, after, strict=True)):
        if isinstance(panel, Row) and key in rows_before:
            change = yield from _panels_changes(rows_before[key].panels, panel.panels)
            if change is None:
                return None
            if change != PanelsChanged():
                rows_at.append(place)
                rows.append(change)
    return PanelsChanged(removed, at, [after[place] for place in at], rows_at, rows)


def _keys(panels: Iterable[Panel]) -> Generator[None, None, list[Hashable]]:
    """Return a distinct key for each panel: a row is known by its heading, any other panel by its whole content."""
    seen: Counter[Hashable] = Counter()
    keys: list[Hashable] = []
    for number, panel in enumerate(panels, 1):
        key = ("row", panel.title, panel.note, panel.folded) if isinstance(panel, Row) else encode(panel)
        seen[key] += 1
        keys.append((key, seen[key]))
        if not number % STEP_PANELS:
            yield
    return keys


def _places(before: Sequence[Hashable], after: Sequence[Hashable]) -> tuple[list[int], list[int]] | None:
    """Return the indices of removed keys in the old list, and those of added keys in the new list.

    None if the remaining keys are in another order.
    """
    was, is_now = set(before), set(after)
    if [key for key in before if key in is_now] != [key for key in after if key in was]:
        return None
    removed = [place for place, key in enumerate(before) if key not in is_now]
    return removed, [place for place, key in enumerate(after) if key not in was]
