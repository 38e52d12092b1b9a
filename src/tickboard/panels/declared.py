"""The panels that a board declares, as data: each is checked against the board's metrics.

Nothing here knows how the page draws them.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import product
from math import isfinite
from numbers import Real
from typing import Protocol, TypeVar, cast, get_args

from tickboard.errors import InputError
from tickboard.metrics.handles import Handle, Histogram
from tickboard.metrics.registry import Registry
from tickboard.wire import (
    Bars,
    Card,
    Chart,
    Heatmap,
    HostColumn,
    Hosts,
    MetricInfo,
    Panel,
    Row,
    Severity,
    State,
    States,
    Table,
    Text,
)

MetricRef = Handle | str
"""A metric as a dashboard file names it: a handle or a name."""

Meaning = str | tuple[str, Severity]
"""What a value means: the word for a state, and the severity if the state is bad."""

Value = TypeVar("Value", bound=float)
"""The values of a metric that mean something: whole numbers, such as 0 and 1, or any others."""


class KnownMetrics(Protocol):
    """Has metrics by name: a registry, or a snapshot of one."""

    @property
    def metrics(self) -> Mapping[str, MetricInfo]:
        """The metrics by name."""
        ...


def card(registry: KnownMetrics, metric: MetricRef, title: str = "", *, note: str = "", limit: int = 0) -> Card:
    """Return a card for each series of a metric; for one series, if `metric` is the handle of that.

    Args:
        registry: where the metric is declared.
        metric: a handle or a name.
        title: the card's title; empty: the metric's.
        note: a few words beside the title, as ``8 cores``.
        limit: only the cards of that many series, the highest ones; 0: of all.

    Raises:
        InputError: the metric is unknown, or the limit is below 0.
    """
    info = lookup(registry, metric)
    if limit < 0:
        raise InputError(f"limit={limit}: give the number of cards, or 0 for a card for each series")
    labels = dict(metric.own_labels) if isinstance(metric, Handle) else {}
    return Card(info.name, title or info.title, note, labels, limit)


def chart(
    registry: KnownMetrics,
    metrics: Sequence[MetricRef],
    title: str = "",
    *,
    min: float | None = None,
    max: float | None = None,
    stacked: bool = False,
) -> Chart:
    """Return a chart of one or more metrics that share a unit.

    Args:
        registry: where the metrics are declared.
        metrics: handles or names.
        title: the chart's title; empty: the first metric's. The page shows the unit beside it.
        min: the lower end of the axis; None: the first metric's.
        max: the upper end of the axis; None: the first metric's.
        stacked: whether to stack the lines.

    Raises:
        InputError: there is no metric, one is unknown, or the units differ.
    """
    infos = _of_one_unit(registry, metrics, "chart")
    lead = infos[0]
    return Chart(
        [info.name for info in infos],
        title or lead.title,
        lead.unit,
        lead.min if min is None else min,
        lead.max if max is None else max,
        stacked,
    )


def table(
    registry: KnownMetrics,
    metrics: Sequence[MetricRef],
    label: str,
    title: str = "",
    limit: int = 10,
    also: Sequence[str] = (),
) -> Table:
    """Return a table of the newest values of some metrics.

    Args:
        registry: where the metrics are declared.
        metrics: handles or names, one for each column; rows are sorted by the first, highest first.
        label: the label that gets a row for each of its values.
        title: the table's title; empty: the first metric's.
        limit: the number of rows shown.
        also: further labels, which have a column each; a row for each combination of values.

    Raises:
        InputError: there is no metric, one is unknown or lacks one of the labels, or the limit is below 1.
    """
    infos = [lookup(registry, metric) for metric in metrics]
    if not infos:
        raise InputError("a table needs at least one metric: board.table(cpu, label='process')")
    for info, name in product(infos, (label, *also)):
        if name not in info.labels:
            raise InputError(
                f"metric {info.name!r} has no label {name!r}; it has {', '.join(info.labels) or 'none'}: "
                "name one that all metrics of the table have"
            )
    _check_rows(limit)
    return Table([info.name for info in infos], label, title or infos[0].title, limit, list(also))


def states(registry: KnownMetrics, metric: MetricRef, states: Mapping[Value, Meaning], title: str = "") -> States:
    """Return a state timeline with a row for each series of a metric.

    Args:
        registry: where the metric is declared.
        metric: a handle or a name.
        states: the word for each value; for a bad state a word and a severity.
        title: the panel's title; empty: the metric's.

    Raises:
        InputError: the metric is unknown, there is no state, or one of them is invalid.
    """
    info = lookup(registry, metric)
    if not states:
        raise InputError(f'states of {info.name!r}: say what its values mean, as {{0: "down", 1: "up"}}')
    return States(info.name, [_state(value, meaning) for value, meaning in states.items()], title or info.title)


def _state(value: object, meaning: object) -> State:
    if not isinstance(value, Real) or not isfinite(value):
        raise InputError(f"state {value!r}: give the value that means it as a number, such as 0")
    text, severity = meaning if isinstance(meaning, tuple) and len(meaning) == 2 else (meaning, None)
    if not isinstance(text, str) or not text.strip() or severity not in (None, *get_args(Severity)):
        raise InputError(
            f'state {value}: {meaning!r} is no meaning: give a word, as "up", or for a bad state a word and a '
            'severity, as ("down", "critical")'
        )
    return State(float(value), text.strip(), cast(Severity | None, severity))


def bars(
    registry: KnownMetrics,
    metrics: Sequence[MetricRef],
    title: str = "",
    *,
    beside: MetricRef | None = None,
    max: float | None = None,
    limit: int = 10,
) -> Bars:
    """Return a bar for the newest value of each series, the highest first.

    Args:
        registry: where the metrics are declared.
        metrics: handles or names of metrics that share a unit.
        title: the panel's title; empty: the first metric's.
        beside: a metric with the same labels, whose value stands after each bar.
        max: the end of the bars' scale; None: the first metric's.
        limit: the number of bars shown.

    Raises:
        InputError: there is no metric, one is unknown, the units differ, `beside` has other labels, or the limit is
            below 1.
    """
    infos = _of_one_unit(registry, metrics, "bars")
    lead = infos[0]
    _check_rows(limit)
    other = None if beside is None else lookup(registry, beside)
    for info in infos:
        if other is not None and set(other.labels) != set(info.labels):
            raise InputError(
                f"beside={other.name!r} has the labels {', '.join(other.labels) or 'none'}, but {info.name!r} has "
                f"{', '.join(info.labels) or 'none'}: name a metric with the same labels"
            )
    return Bars(
        [info.name for info in infos],
        title or lead.title,
        lead.unit,
        limit,
        lead.max if max is None else max,
        "" if other is None else other.name,
    )


def text(markdown: str, title: str = "") -> Text:
    """Return a text panel.

    Args:
        markdown: the text in Markdown. Indentation that all lines share is removed.
        title: the panel's title; empty: the heading that the text begins with, if it does.

    Raises:
        InputError: the text is empty, too long, or nested too deeply.
    """
    # Seldom needed, and its import takes some 50 ms.
    from tickboard.markdown import read_markdown

    return read_markdown(markdown, title)


def _of_one_unit(registry: KnownMetrics, metrics: Sequence[MetricRef], kind: str) -> list[MetricInfo]:
    """Return the descriptions of one or more metrics that share a unit.

    Raises:
        InputError: there is no metric, one is unknown, or the units differ.
    """
    infos = [lookup(registry, metric) for metric in metrics]
    if not infos:
        raise InputError(f"board.{kind} needs at least one metric: board.{kind}(cpu)")
    if len({info.unit for info in infos}) > 1:
        names = ", ".join(f"{info.name} in {info.unit or 'no unit'}" for info in infos)
        raise InputError(
            f"board.{kind} has one axis, but these metrics have different units: {names}: make one for each unit"
        )
    return infos


def _check_rows(limit: int) -> None:
    if limit < 1:
        raise InputError(f"limit={limit}: give 1 or more rows")


def heatmap(registry: Registry, metric: MetricRef, title: str = "", bounds: Iterable[float] = ()) -> Heatmap:
    """Return a heat map of a histogram, and make its buckets be recorded.

    Args:
        registry: where the histogram is declared.
        metric: a handle or a name; of all its series together, unless it is the handle of one.
        title: the panel's title; empty: the histogram's.
        bounds: the upper ends of the buckets, ascending; none: see `tickboard.metrics.bounds`.

    Raises:
        InputError: the metric is unknown or no histogram, or the bounds cannot be used.
    """
    info = lookup(registry, metric)
    handle = metric if isinstance(metric, Handle) else registry.find(metric)
    if not isinstance(handle, Histogram):
        raise InputError(f"{info.name!r} is not a histogram: show it with board.chart, or declare a board.histogram")
    registry.buckets.show(handle, bounds)
    return Heatmap(info.name, title or info.title, info.unit, dict(handle.own_labels))


def hosts(title: str = "Hosts", *, columns: Iterable[MetricRef | HostColumn] = (), group_by: str = "") -> Hosts:
    """Return the table of the hosts that a wall follows.

    Args:
        title: the panel's title.
        columns: the metrics of the hosts that have a column, each by its name or as a `HostColumn`; the hosts need not
            have sent them yet. None: those of the overview.
        group_by: the label that groups the rows at first; empty: ``env``, if the hosts have it.

    Raises:
        InputError: the title is empty, or a column has no metric.
    """
    if not title.strip():
        raise InputError('board.hosts(title=""): give the table a title, or none for "Hosts"')
    return Hosts(title.strip(), [_host_column(column) for column in columns], group_by)


def _host_column(column: MetricRef | HostColumn) -> HostColumn:
    name = column.metric.name if isinstance(column, Handle) else column
    made: object = HostColumn([name], "") if isinstance(name, str) else name
    if not isinstance(made, HostColumn) or not made.metrics or not all(made.metrics):
        raise InputError(f'column {column!r}: name a metric of the hosts, such as "cpu_usage", or give a HostColumn')
    return made


def row(panels: Iterable[Panel], title: str = "", *, note: str = "", folded: bool = False) -> Row:
    """Return a row of panels side by side.

    Args:
        panels: the panels.
        title: makes the row a section, which the viewer folds and unfolds.
        note: a few words beside the title.
        folded: whether the section begins folded.

    Raises:
        InputError: a note or `folded` without a title.
    """
    if not title and (note or folded):
        raise InputError('only a row with a title has a note or is folded: give it one, as title="Requests"')
    return Row(list(panels), title, note, folded)


def lookup(registry: KnownMetrics, metric: MetricRef) -> MetricInfo:
    """Return the description of a metric.

    Raises:
        InputError: no metric has this name, or the handle belongs to another board.
    """
    name = metric.metric.name if isinstance(metric, Handle) else metric
    if (info := registry.metrics.get(name)) is None:
        known = f"use one of {', '.join(registry.metrics)}" if registry.metrics else "it has no metrics yet"
        raise InputError(f"{name!r} is not a metric of this board: {known}")
    return info
