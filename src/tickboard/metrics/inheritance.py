"""What a board inherits from the one it replaces: the series that sources write to.

Their senders do not know that a dashboard file was saved: they may not write again for long, or at all. So these series
stay on the board with their values, their counts continue, and they leave when they would have left. Only this module
lets one intake access another's private state.
"""
# ruff: noqa: SLF001

import numpy as np
from msgspec import Struct

from tickboard.errors import InputError, LimitError
from tickboard.metrics.handles import Handle, Histogram
from tickboard.metrics.intake import HANDLES, Intake
from tickboard.metrics.series import Series
from tickboard.metrics.source import Kind, Source


def inherit(intake: Intake, previous: Intake) -> dict[int, int]:
    """Move the series that sources write to from the intake of a replaced board to a new one.

    A metric that the new board declares must have the same kind and labels; its title and unit are the new ones. Series
    of a target that is no longer scraped are gone, and so are those beyond the limits of the new board.

    Returns:
        The new columns of the series, by their old ones.
    """
    with previous._registry.lock, intake._registry.lock:
        return _Inheritance(intake, previous).columns()


class _Inheritance(Struct, frozen=True, eq=False):
    """Two intakes whose registries are locked."""

    intake: Intake
    previous: Intake

    def columns(self) -> dict[int, int]:
        """Move all series, and return their columns as `inherit` does."""
        previous, before = self.previous, self.previous._registry
        previous._fit()
        heirs = {source: heir for source in previous.sources.values() if (heir := self._heir(source)) is not None}
        order = {name: place for place, name in enumerate(before.metrics)}
        owned = [(one, series) for column, one in previous._owned.items() if (series := before.series_at(column))]
        columns: dict[int, int] = {}
        for one, series in sorted(owned, key=lambda pair: order[pair[1].metric.name]):
            owner = one.source or next((source for source, _ in one.keys), None)
            heir = self.intake._others() if owner is None else heirs.get(owner)
            if heir is not None:
                columns |= self._series(heir, series)
        self.intake._withdraw_empty()
        numbers = {source.number: heir.number for source, heir in heirs.items()}
        for old, new in columns.items():
            self._count_on(old, new, numbers)
        return columns

    def _heir(self, source: Source) -> Source | None:
        """Return the source that continues one of the previous board; None if there is none."""
        sources = self.intake.sources
        if source.key:
            return next((one for one in sources.values() if one.key == source.key), None)
        if np.isinf(source.asked) and not (source.known or source.series):
            # The new file may not declare it. A sender that has gone is forgotten later.
            return None
        if source.name not in sources:
            heir = self.intake.source(source.name)
            heir.asked, heir.may_write = self._since(source.asked), source.may_write
        return self.intake.source(source.name)

    def _since(self, clock: float) -> float:
        """Convert an instant from the previous intake's clock to the new one's."""
        return self.intake._clock + clock - self.previous._clock

    def _series(self, heir: Source, series: Series) -> dict[int, int]:
        """Move a series, and return its columns; none if the new board does not take it."""
        intake, previous = self.intake, self.previous
        registry, before, metric = intake._registry, previous._registry, series.metric
        kind: Kind = "total" if metric.kind == "counter" and not before.counts_at(series.column) else metric.kind
        try:
            if registry.find(metric.name) is None:
                if metric.name not in previous._discovered:
                    return {}
                registry.discover(HANDLES[kind], metric)
                intake._discovered[metric.name] = None
            revision = registry.revision
            handle = intake._open(heir, kind, metric.name, series.labels, metric.title, metric.unit)
        except (InputError, LimitError):
            return {}
        is_new = registry.revision > revision
        intake._fit()
        intake._note_owned(handle.columns[0])
        if isinstance(handle, Histogram):
            intake._histograms[handle.columns[0]] = handle
        if heir.key and is_new:
            heir.inherited.add(handle.columns[0])
        lead = before.handle(metric.name)
        child = before.child_of(lead, series.labels)
        columns = _matched(lead if child is None else child, handle)
        for old, new in columns.items():
            if is_new:
                registry.written[new] = before.written[old]
                intake._seen[new] = self._since(previous._seen[old])
            if np.isnan(registry.values[new]):
                registry.values[new] = before.values[old]
        return columns

    def _count_on(self, old: int, new: int, numbers: dict[int, int]) -> None:
        """Continue the counts of a series; `numbers` maps the old numbers of the sources to the new ones."""
        intake, previous = self.intake, self.previous
        intake.placement.go_on(previous.placement, old, new)
        if (owned := previous._owned.get(old)) is not None:
            intake._called[new] = previous._called.get(old, set()) | {key for _, key in owned.keys}
        intake.totals.go_on(previous.totals, old, new, numbers)


def _matched(old: Handle, new: Handle) -> dict[int, int]:
    """Return the new column for each column of a series; those of a bucket that the new one lacks have none."""
    columns = dict(zip(old.own_columns, new.own_columns, strict=True))
    if isinstance(old, Histogram) and isinstance(new, Histogram) and old.buckets and new.buckets:
        here = new.buckets.columns
        columns |= {column: here[bound] for bound, column in old.buckets.columns.items() if bound in here}
    return columns
