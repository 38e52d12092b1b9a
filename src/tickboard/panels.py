"""Panels: which cards, charts and rows the page shows, as data.

A board that declares none gets a card and a chart for every metric. Nothing here knows how the page draws them.
"""

from collections.abc import Collection, Generator, Iterable, Mapping, Sequence
from itertools import product
from typing import Protocol
from weakref import WeakKeyDictionary

from msgspec import Struct

from tickboard.errors import InputError
from tickboard.metrics.handles import QUANTILES, Handle
from tickboard.metrics.naming import group_of
from tickboard.metrics.registry import Registry
from tickboard.wire import Card, Chart, MetricInfo, Panel, Row, Table

MetricRef = Handle | str
"""A metric as a dashboard file names it: a handle or a name."""

STEP_METRICS = 1_000
"""How many metrics get their panels in one step before other work may run: about 5 ms."""


class KnownMetrics(Protocol):
    """Has metrics by name: a registry, or a snapshot of one."""

    @property
    def metrics(self) -> Mapping[str, MetricInfo]:
        """The metrics by name."""
        ...


class Snapshot(Struct, frozen=True, eq=False):
    """The metrics of a registry at one moment.

    Attributes:
        metrics: the metrics by name.
    """

    metrics: Mapping[str, MetricInfo]


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
    infos = [lookup(registry, metric) for metric in metrics]
    if not infos:
        raise InputError("a chart needs at least one metric: board.chart(cpu)")
    units = {info.unit for info in infos}
    if len(units) > 1:
        names = ", ".join(f"{info.name} in {info.unit or 'no unit'}" for info in infos)
        raise InputError(
            f"a chart has one axis, but these metrics have different units: {names}: make one for each unit"
        )
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
    if limit < 1:
        raise InputError(f"limit={limit}: give 1 or more rows")
    return Table([info.name for info in infos], label, title or infos[0].title, limit, list(also))


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


def default_panels(metrics: KnownMetrics, without: Collection[str] = ()) -> Generator[None, None, list[Panel]]:
    """Return a row of cards and a row of charts, one for each metric that is not in `without`; in steps."""
    parts: set[str] = set()
    for number, info in enumerate(metrics.metrics.values(), 1):
        parts.update(_quantiles_of(metrics, info))
        if not number % STEP_METRICS:
            yield
    infos = [info for name, info in metrics.metrics.items() if name not in parts and name not in without]
    if not infos:
        return []
    return [
        row(card(metrics, info.name) for info in infos),
        row(chart(metrics, [info.name, *_quantiles_of(metrics, info)]) for info in infos),
    ]


def discovered_panels(
    registry: Registry, metrics: KnownMetrics, names: Iterable[str]
) -> Generator[None, None, list[Panel]]:
    """Return a row for each group of metrics that were not declared, with a card and a chart for each; in steps.

    Args:
        registry: the registry of the metrics.
        metrics: its metrics at one moment.
        names: the metrics that were not declared.
    """
    known = _known.setdefault(registry, {})
    if len(known) > 2 * len(metrics.metrics):
        # Most of these metrics have left.
        known.clear()
    groups: dict[str, list[str]] = {}
    made: dict[str, tuple[Card, Chart]] = {}
    for number, name in enumerate(names, 1):
        groups.setdefault(group_of(name), []).append(name)
        made[name] = _both(metrics, name, known)
        if not number % STEP_METRICS:
            yield
    others = [name for group in list(groups) if not group or len(groups[group]) == 1 for name in groups.pop(group)]
    if others:
        groups["other" if groups else "metrics"] = others
    yield
    return [
        row([*(made[name][0] for name in each), *(made[name][1] for name in each)], title)
        for title, each in groups.items()
    ]


def _both(metrics: KnownMetrics, name: str, known: dict[str, tuple[MetricInfo, Card, Chart]]) -> tuple[Card, Chart]:
    info = lookup(metrics, name)
    # Each new metric makes this run for all others, maybe ten thousand: reuse the panels of the same description.
    if (found := known.get(name)) is None or found[0] is not info:
        made = chart(metrics, [name, *_quantiles_of(metrics, info)])
        found = known[name] = info, card(metrics, name), made
    return found[1:]


_known: WeakKeyDictionary[Registry, dict[str, tuple[MetricInfo, Card, Chart]]] = WeakKeyDictionary()


def lookup(registry: KnownMetrics, metric: MetricRef) -> MetricInfo:
    """Return the description of a metric.

    Raises:
        InputError: no metric has this name, or the handle belongs to another board.
    """
    name = metric.metric.name if isinstance(metric, Handle) else metric
    if (info := registry.metrics.get(name)) is None:
        known = ", ".join(registry.metrics) or "none"
        raise InputError(f"{name!r} is not a metric of this board: use one of {known}")
    return info


def _quantiles_of(registry: KnownMetrics, info: MetricInfo) -> list[str]:
    if info.kind != "histogram":
        return []
    return [name for quantile in QUANTILES if (name := f"{info.name}.{quantile}") in registry.metrics]
