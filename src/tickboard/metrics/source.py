"""A source: one sender of samples, and the columns of its series under whatever it calls them.

It asks once for the column of each series, and from then on writes whole batches: columns, values and times. No object
is made of a sample. `tickboard.metrics.intake` keeps all sources of a board.
"""

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import numpy as np
from numpy.typing import ArrayLike

from tickboard.expressions.alignment import Labels
from tickboard.metrics.distribution import Distribution
from tickboard.metrics.handles import Histogram, summary
from tickboard.metrics.late import Columns, Dropped
from tickboard.metrics.window import Floats

if TYPE_CHECKING:
    from tickboard.metrics.intake import Intake

Kind = Literal["gauge", "total", "counter", "histogram"]


R = TypeVar("R")


MAX_REFUSED_KEYS = 10_000
"""Series that are known to be refused, for each source, so that they need not be looked at again."""


MAX_REASONS = 1_000
"""Reasons for which series were refused that are known at the same time, for each source."""


REFUSED = -1
"""The column of a series that was refused, as is any below it: each for a reason; what is written to it is counted."""


@dataclass(frozen=True)
class RefusedSamples:
    """What a source has had refused since it last asked.

    Attributes:
        samples: how many samples.
        reason: why the first of them was, naming the series and how to fix it.
    """

    samples: int
    reason: str


class Source:
    """One sender of samples. Made by `Intake.source`.

    Attributes:
        name: what it is called where its counters are shown.
        known: the column of each series, by what the sender calls it; `REFUSED` for one that was refused. A sender
            looks here first; what leaves the registry leaves here too.
        samples: how many were taken.
        late: of them, how many went to an earlier tick.
        too_old: how many were dropped, as they were older than what is kept, or than what came before them.
        refused: how many were of series that were refused.
        malformed: how many could not be read; counted by the sender.
        series: how many there are that came from here first.
        labels: what all its series have, where it says so.
        number: unique among all sources that there were.
        asked: when its sender last came, by the intake's clock; never where it is no sender that comes and goes.
        key: tells it from others whose names differ only in what may not be shown; it is never shown itself.
        inherited: columns of series that went on from a board that was replaced, until it writes to them or clears
            them; of a source with a key.
    """

    def __init__(self, intake: "Intake", name: str) -> None:
        self.name = name
        self.known: dict[Hashable, int] = {}
        self.samples = 0
        self.late = 0
        self.too_old = 0
        self.refused = 0
        self.malformed = 0
        self.series = 0
        self.labels: Labels = ()
        self.asked = np.inf
        self.key = ""
        self.inherited: set[int] = set()
        self.number = intake.next_number()
        self._refused_keys = 0
        self._readers: dict[object, Any] = {}
        self._intake = intake
        self._reasons: dict[str, int] = {}
        self._untold = 0
        self._untold_reason = ""

    # --- series ---

    def gauge(
        self, key: Hashable, name: str, labels: Iterable[tuple[str, str]] = (), *, title: str = "", unit: str = ""
    ) -> int:
        """Return the column of a gauge, for `set`.

        Args:
            key: what the sender calls the series, kept in `known`.
            name: the metric's; what cannot be in a name becomes ``_``.
            labels: names and values, in any order.
            title: what people read; guessed from the name when empty.
            unit: as the sender writes it (``By``, ``seconds``, ``1``, …); guessed from the name when empty.

        Returns:
            The column, or `REFUSED`: the reason is in `take_refusal` once a sample is written to it.
        """
        return self._intake.column(self, key, "gauge", name, labels, title, unit)

    def total(
        self, key: Hashable, name: str, labels: Iterable[tuple[str, str]] = (), *, title: str = "", unit: str = ""
    ) -> int:
        """Return the column of a count since a beginning, for `set_totals`, or for `set` with rates; as `gauge`."""
        return self._intake.column(self, key, "total", name, labels, title, unit)

    def counter(
        self, key: Hashable, name: str, labels: Iterable[tuple[str, str]] = (), *, title: str = "", unit: str = ""
    ) -> int:
        """Return the column of something that is counted, for `add`; as `gauge`."""
        return self._intake.column(self, key, "counter", name, labels, title, unit)

    def histogram(
        self, key: Hashable, name: str, labels: Iterable[tuple[str, str]] = (), *, title: str = "", unit: str = ""
    ) -> int:
        """Return the column of a distribution, for `merge`, `merge_totals` and `observe`; as `gauge`."""
        return self._intake.column(self, key, "histogram", name, labels, title, unit)

    # --- samples ---

    def set(self, columns: ArrayLike, values: ArrayLike, times: ArrayLike | None = None) -> None:
        """Take values that hold until the next; NaN: there is none any more.

        Args:
            columns: [samples], of gauges, or of totals whose rates per second are known.
            values: [samples].
            times: [samples], POSIX seconds; now when None.
        """
        where, (what, when) = self._taken(columns, values, times)
        if when is None:
            self._intake.set_now(where, what)
        else:
            self._set_at(where, what, when)

    def set_totals(
        self, columns: ArrayLike, values: ArrayLike, times: ArrayLike, starts: ArrayLike | None = None
    ) -> None:
        """Take counts since a beginning; a count that is lower than the one before has begun anew.

        The one before is this source's: what another one counts under the same name and labels is another count.

        Args:
            columns: [samples], of totals.
            values: [samples].
            times: [samples], POSIX seconds.
            starts: [samples], when each count began, where that is known: one that began after the sample before has
                begun anew, too.
        """
        taken = np.asarray(columns, np.intp) >= 0
        begun = np.full(len(taken), -np.inf) if starts is None else np.asarray(starts, np.float64)
        where, (what, when) = self._taken(columns, values, times)
        assert when is not None
        for rates, dropped in self._intake.rates(self, where, what, when, begun[taken]):
            self._count_dropped(dropped)
            self._set_at(*rates)

    def add(self, columns: ArrayLike, amounts: ArrayLike) -> None:
        """Count more, or less; columns [samples] of counters, and how much more of each."""
        where, (what, _) = self._taken(columns, amounts)
        self._intake.add(where, what)

    def observe(self, column: int, values: Sequence[float]) -> None:
        """Take single values of a histogram that were seen since the last tick."""
        histogram = self._histogram(column, len(values))
        if histogram is not None:
            histogram.observe_all(values)

    def merge(self, column: int, distribution: Distribution, time: float | None = None) -> None:
        """Take values of a histogram, seen until `time` (POSIX seconds; now when None)."""
        histogram = self._histogram(column)
        if histogram is None or not distribution.count:
            return
        if time is None or time > self._intake.now:
            histogram.merge(distribution)
        else:
            columns = np.array(histogram.columns, np.intp)
            values = np.array(summary(distribution))
            late, dropped = self._intake.set_at(columns, values, np.full(len(columns), time))
            self.late += min(1, late)
            if len(dropped):
                self._count_dropped(Dropped(np.array([column]), np.array([time])))

    def merge_totals(self, column: int, distribution: Distribution, time: float) -> None:
        """Take all values of a histogram since a beginning; those that are new since the last time count."""
        if column < 0:
            self.merge(column, distribution, time)
        elif self._intake.is_too_old(self, column, time):
            self.samples += 1
            self._count_dropped(Dropped(np.array([column]), np.array([time])))
        elif (risen := self._intake.risen(self, column, distribution, time)) is not None:
            self.merge(column, risen, time)

    def clear(self, columns: ArrayLike) -> None:
        """Take away the values of series whose sender says that they have ended, until they come again."""
        ended = np.asarray(columns, np.intp)
        self._intake.clear(ended[ended >= 0])

    def take_over(self, column: int, key: Hashable, start: float) -> None:
        """Go on with a series in the place of what wrote to it before, which has to ask for its column anew.

        Args:
            column: of the series.
            key: what it is called from now on.
            start: when the count was begun that is written from now on, POSIX seconds. Where that was after the newest
                one of the other, all of it is new; else it begins anew: two different counts have no difference.
        """
        self._intake.take_over(self, column, key, start)

    # --- what went wrong ---

    def take_refusal(self) -> RefusedSamples | None:
        """Return what has been refused or dropped since the last call; None when nothing was."""
        if not self._untold:
            return None
        refusal = RefusedSamples(self._untold, self._untold_reason)
        self._untold = 0
        return refusal

    def refuse(self, key: Hashable, reason: str) -> int:
        """Note that a series is refused, so that it is known the next time, and return its column, which is none."""
        if reason not in self._reasons and len(self._reasons) >= MAX_REASONS:
            self._reasons.popitem()
        column = self._reasons.setdefault(reason, REFUSED - len(self._reasons))
        if self._refused_keys < MAX_REFUSED_KEYS:
            self.known[key] = column
            self._refused_keys += 1
        return column

    def reader(self, kind: Callable[..., R], *arguments: object) -> R:
        """Return what reads for this source, ``kind(source, *arguments)``, made once; it goes with the source."""
        if kind not in self._readers:
            self._readers[kind] = kind(self, *arguments)
        found: R = self._readers[kind]
        return found

    def count_in(self, other: "Source") -> None:
        """Count what another one has counted as well, which is forgotten."""
        self.samples += other.samples
        self.late += other.late
        self.too_old += other.too_old
        self.refused += other.refused
        self.malformed += other.malformed

    def forget_refusals(self) -> None:
        """Look anew at what was refused: there may be room now."""
        if self._refused_keys:
            self.known = {key: column for key, column in self.known.items() if column >= 0}
            self._refused_keys = 0

    def _taken(
        self, columns: ArrayLike, values: ArrayLike, times: ArrayLike | None = None
    ) -> tuple[Columns, tuple[Floats, Floats | None]]:
        """Return a batch as arrays, without what is refused."""
        where = np.asarray(columns, np.intp)
        what = np.asarray(values, np.float64)
        when = None if times is None else np.asarray(times, np.float64)
        self.samples += len(where)
        taken = where >= 0
        if not taken.all():
            self._count_refused(len(where) - int(np.count_nonzero(taken)), int(where[~taken][0]))
            where, what, when = where[taken], what[taken], None if when is None else when[taken]
        return where, (what, when)

    def _histogram(self, column: int, samples: int = 1) -> Histogram | None:
        self.samples += samples
        histogram = self._intake.histogram(column)
        if histogram is None:
            self._count_refused(samples, column)
        return histogram

    def _set_at(self, columns: Columns, values: Floats, times: Floats) -> None:
        late, dropped = self._intake.set_at(columns, values, times)
        self.late += late
        self._count_dropped(dropped)

    def _count_refused(self, samples: int, column: int) -> None:
        self.refused += samples
        reason = "" if self._untold else next((text for text, one in self._reasons.items() if one == column), "")
        self._count_untold(samples, reason)

    def _count_dropped(self, dropped: "Dropped") -> None:
        if len(dropped):
            self.too_old += len(dropped)
            self._count_untold(len(dropped), "" if self._untold else self._intake.why_dropped(dropped))

    def _count_untold(self, samples: int, reason: str) -> None:
        self._untold_reason = self._untold_reason if self._untold else reason
        self.samples -= samples
        self._untold += samples
