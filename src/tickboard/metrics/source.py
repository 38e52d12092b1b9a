"""A source: one sender of samples, and the columns of its series by the sender's own keys.

A sender asks once for the column of each series, and from then on writes whole batches: columns, values and times. No
object is made per sample. `tickboard.metrics.intake` keeps all sources of a board.
"""

from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import numpy as np
from msgspec import Struct
from numpy.typing import ArrayLike

from tickboard.expressions.alignment import Labels
from tickboard.metrics.distribution import Distribution
from tickboard.metrics.handles import Histogram
from tickboard.metrics.late import Columns, Dropped
from tickboard.metrics.window import Floats
from tickboard.wire import MetricInfo

if TYPE_CHECKING:
    from tickboard.metrics.intake import Intake

Kind = Literal["gauge", "total", "counter", "histogram"]


R = TypeVar("R")


MAX_REFUSED_KEYS = 10_000
"""How many refused series each source remembers, so that they need not be checked again."""


MAX_REASONS = 1_000
"""How many reasons for refusing series each source remembers."""


REFUSED = -1
"""The column of a refused series. Columns below it are refused as well, one for each reason; their samples are only
counted."""


STATE_S = 1.0
"""The `over_s` of a distribution that is a state, not what has happened since the one before, as of a gauge histogram:
heat maps then show its counts as they are."""


class RefusedSamples(Struct, frozen=True):
    """The refused samples of a source since it last asked.

    Attributes:
        samples: how many samples.
        reason: why the first of them was refused, naming the series and how to fix it.
    """

    samples: int
    reason: str


class Source:
    """One sender of samples. `Intake.source` makes it.

    Attributes:
        name: shown with its counters.
        known: the column of each series, by the sender's key; `REFUSED` or below for a refused one. A sender looks here
            first. Series that leave the registry are removed here, too.
        samples: how many samples were accepted.
        late: how many of them went to an earlier tick.
        too_old: how many were dropped because they were older than the oldest tick, or than an earlier sample.
        refused: how many were of refused series.
        malformed: how many could not be read; counted by the sender.
        series: how many existing series it created.
        labels: the labels of all its series, if it sets them.
        number: unique among all sources so far.
        asked: when its sender last wrote, by the intake's clock; infinity for a permanent sender.
        may_write: returns whether its sender may write a declared metric; None: it may write all.
        most: how many series it may create; None: as many as the intake allows.
        key: distinguishes it from sources whose names differ only in secrets; it is never shown.
        inherited: for a source with a key, the columns of series inherited from a replaced board, until it writes to
            them or clears them.
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
        self.may_write: Callable[[str], bool] | None = None
        self.most: int | None = None
        self.key = ""
        self.inherited: set[int] = set()
        self.number = intake.next_number()
        self._refused_keys = 0
        self._readers: dict[object, Any] = {}
        self._intake = intake
        self._reasons: dict[str, int] = {}
        self._unreported = 0
        self._unreported_reason = ""

    # --- series ---

    def gauge(
        self, key: Hashable, name: str, labels: Iterable[tuple[str, str]] = (), *, title: str = "", unit: str = ""
    ) -> int:
        """Return the column of a gauge, for `set`.

        Args:
            key: the sender's key for the series, stored in `known`.
            name: the metric's name; invalid characters become ``_``.
            labels: names and values, in any order.
            title: the title for people; empty: guessed from the name.
            unit: the sender's unit (``By``, ``seconds``, ``1``, …); empty: guessed from the name.

        Returns:
            The column, or `REFUSED` or below; after a sample is written to it, `take_refusal` returns the reason.
        """
        return self._intake.column(self, key, "gauge", name, labels, title, unit)

    def total(
        self, key: Hashable, name: str, labels: Iterable[tuple[str, str]] = (), *, title: str = "", unit: str = ""
    ) -> int:
        """Return the column of a cumulative count, for `set_totals`, or for `set` with rates; otherwise as `gauge`."""
        return self._intake.column(self, key, "total", name, labels, title, unit)

    def counter(
        self, key: Hashable, name: str, labels: Iterable[tuple[str, str]] = (), *, title: str = "", unit: str = ""
    ) -> int:
        """Return the column of a count of increments, for `add`; otherwise as `gauge`."""
        return self._intake.column(self, key, "counter", name, labels, title, unit)

    def histogram(
        self, key: Hashable, name: str, labels: Iterable[tuple[str, str]] = (), *, title: str = "", unit: str = ""
    ) -> int:
        """Return the column of a distribution, for `merge`, `merge_totals` and `observe`; otherwise as `gauge`."""
        return self._intake.column(self, key, "histogram", name, labels, title, unit)

    def follow(self, key: Hashable, metric: MetricInfo, labels: Labels) -> int:
        """Return the column of a series that another board has, for `set`, with its values at that board's ticks.

        Args:
            key: the sender's key for the series, stored in `known`.
            metric: the metric, as it is described there; it has a counter's rates.
            labels: names and values, in order.

        Raises:
            InputError: a name is malformed, a text is too long, or the metric has another kind or unit on this board.
            LimitError: there is no room for another series.
        """
        return self._intake.followed_column(self, key, metric, labels)

    # --- samples ---

    def set(self, columns: ArrayLike, values: ArrayLike, times: ArrayLike | None = None) -> None:
        """Record values that hold until the next ones; NaN: no value from now on.

        Args:
            columns: [samples], of gauges, or of totals whose rates per second are known.
            values: [samples].
            times: [samples], POSIX seconds; None: now.
        """
        where, (what, when) = self._taken(columns, values, times)
        if when is None:
            self._intake.set_now(where, what)
        else:
            self._set_at(where, what, when)

    def set_totals(
        self, columns: ArrayLike, values: ArrayLike, times: ArrayLike, starts: ArrayLike | None = None
    ) -> None:
        """Record cumulative counts; a count lower than the one before it has restarted.

        Each is compared with this source's own: another source's count of the same name and labels is separate.

        Args:
            columns: [samples], of totals.
            values: [samples].
            times: [samples], POSIX seconds.
            starts: [samples], when each count started, if known: one that started after the sample before has restarted
                as well.
        """
        taken = np.asarray(columns, np.intp) >= 0
        begun = np.full(len(taken), -np.inf) if starts is None else np.asarray(starts, np.float64)
        where, (what, when) = self._taken(columns, values, times)
        assert when is not None
        for rates, dropped in self._intake.rates(self, where, what, when, begun[taken]):
            self._count_dropped(dropped)
            self._set_at(*rates)

    def add(self, columns: ArrayLike, amounts: ArrayLike) -> None:
        """Count more, or less; columns [samples] of counters, and amounts [samples]."""
        where, (what, _) = self._taken(columns, amounts)
        self._intake.add(where, what)

    def observe(self, column: int, values: Sequence[float]) -> None:
        """Record single values of a histogram, observed since the last tick."""
        histogram = self._histogram(column, len(values))
        if histogram is not None:
            histogram.observe_all(values)

    def merge(self, column: int, distribution: Distribution, time: float | None = None, *, over_s: float = 0.0) -> None:
        """Record values of a histogram.

        Args:
            column: of the histogram.
            distribution: the values.
            time: until when they were observed, POSIX seconds; None: now.
            over_s: in how many seconds; 0: unknown. Heat maps show them until the next ones if it is known.
        """
        histogram = self._histogram(column)
        if histogram is None or not (distribution.count or (over_s and histogram.buckets)):
            return
        if time is None or time > self._intake.placement.now:
            histogram.merge(distribution, over_s)
        else:
            columns, values = self._intake.amendment(histogram, distribution, over_s)
            late, dropped = self._intake.set_at(columns, values, np.full(len(columns), time))
            self.late += min(1, late)
            if len(dropped):
                self._count_dropped(Dropped(np.array([column]), np.array([time])))

    def merge_totals(self, column: int, distribution: Distribution, time: float) -> None:
        """Record a cumulative distribution of a histogram; only the values since the last one count."""
        if column < 0:
            self.merge(column, distribution, time)
        elif self._intake.is_too_old(self, column, time):
            self.samples += 1
            self._count_dropped(Dropped(np.array([column]), np.array([time])))
        elif (risen := self._intake.totals.risen(self.number, column, distribution, time)) is not None:
            values, over_s = risen
            self.merge(column, values, time, over_s=over_s)

    def clear(self, columns: ArrayLike) -> None:
        """Clear the values of series that have ended, as their sender says, until they come back."""
        ended = np.asarray(columns, np.intp)
        self._intake.clear(ended[ended >= 0])

    def take_over(self, column: int, key: Hashable, start: float) -> None:
        """Continue a series in place of the source that wrote to it before, which must ask for its column again.

        Args:
            column: the column of the series.
            key: its key from now on.
            start: when the new count started, POSIX seconds. If that was after the old one's newest sample, the whole
                count is new. Otherwise counting starts over, since the difference between two counts means nothing.
        """
        self._intake.take_over(self, column, key, start)

    # --- refused samples ---

    def take_refusal(self) -> RefusedSamples | None:
        """Return the samples refused or dropped since the last call; None if there are none."""
        if not self._unreported:
            return None
        refusal = RefusedSamples(self._unreported, self._unreported_reason)
        self._unreported = 0
        return refusal

    def refuse(self, key: Hashable, reason: str) -> int:
        """Remember that a series is refused; return its column, which is below 0."""
        if reason not in self._reasons and len(self._reasons) >= MAX_REASONS:
            self._reasons.popitem()
        column = self._reasons.setdefault(reason, REFUSED - len(self._reasons))
        if self._refused_keys < MAX_REFUSED_KEYS:
            self.known[key] = column
            self._refused_keys += 1
        return column

    def reader(self, kind: Callable[..., R], *arguments: object) -> R:
        """Return this source's reader, ``kind(source, *arguments)``; it is made once and kept with the source."""
        if kind not in self._readers:
            self._readers[kind] = kind(self, *arguments)
        found: R = self._readers[kind]
        return found

    def count_in(self, other: "Source") -> None:
        """Add the counts of another source, which is being forgotten."""
        self.samples += other.samples
        self.late += other.late
        self.too_old += other.too_old
        self.refused += other.refused
        self.malformed += other.malformed

    def forget_refusals(self) -> None:
        """Forget which series were refused: there may be room for them now."""
        if self._refused_keys:
            self.known = {key: column for key, column in self.known.items() if column >= 0}
            self._refused_keys = 0

    def _taken(
        self, columns: ArrayLike, values: ArrayLike, times: ArrayLike | None = None
    ) -> tuple[Columns, tuple[Floats, Floats | None]]:
        """Return a batch as arrays, without samples of refused series."""
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
        reason = "" if self._unreported else next((text for text, one in self._reasons.items() if one == column), "")
        self._count_unreported(samples, reason)

    def _count_dropped(self, dropped: "Dropped") -> None:
        if len(dropped):
            self.too_old += len(dropped)
            self._count_unreported(len(dropped), "" if self._unreported else self._intake.why_dropped(dropped))

    def _count_unreported(self, samples: int, reason: str) -> None:
        self._unreported_reason = self._unreported_reason if self._unreported else reason
        self.samples -= samples
        self._unreported += samples
