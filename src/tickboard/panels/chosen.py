"""The panels of metrics that no panel was declared for.

A board that declares no panels gets a card and a chart for every metric; one of many metrics gets sections, by the
first words of their names.
"""

from collections.abc import Collection, Generator, Iterable, Mapping, Sequence
from weakref import WeakKeyDictionary

from msgspec import Struct

from tickboard.metrics.buckets import is_bucket
from tickboard.metrics.handles import QUANTILES
from tickboard.metrics.naming import group_of
from tickboard.metrics.registry import Registry
from tickboard.panels.declared import KnownMetrics, card, chart, lookup, row
from tickboard.wire import Card, Chart, Hosts, MetricInfo, Panel, Row

STEP_METRICS = 1_000
"""How many metrics get their panels in one step before other work may run: about 5 ms."""

FEW_METRICS = 12
"""Up to so many metrics of a board have a card for each series and a chart. Of more, each has one card …"""

SMALL_SECTION = 4
"""… but in a section of up to so many."""

SECTION_METRICS = 40
"""A section of more metrics is divided by the second word of their names."""

OPEN_SECTIONS = 6
"""Sections after these begin folded."""


class Snapshot(Struct, frozen=True, eq=False):
    """The metrics of a registry at one moment.

    Attributes:
        metrics: the metrics by name.
    """

    metrics: Mapping[str, MetricInfo]

    @classmethod
    def of(cls, registry: Registry) -> "Snapshot":
        """Return the metrics that people see: those of a registry without the buckets of heat maps."""
        metrics = dict(registry.metrics)
        return cls({name: info for name, info in metrics.items() if not is_bucket(name, info.labels)})


def default_panels(metrics: KnownMetrics, without: Collection[str] = ()) -> Generator[None, None, list[Panel]]:
    """Return the panels of all metrics that are not in `without`; in steps.

    A few metrics have a row of cards and a row of charts. More than these have sections, as undeclared ones do.
    """
    parts: set[str] = set()
    for number, info in enumerate(metrics.metrics.values(), 1):
        parts.update(_quantiles_of(metrics, info))
        if not number % STEP_METRICS:
            yield
    names = [name for name in metrics.metrics if name not in parts and name not in without]
    made, few = _Made(), len(names) <= FEW_METRICS
    sections = made.sections(names)
    if not few and len(sections) > 1:
        all_sections = enumerate(sections.items())
        return [made.section(metrics, title, each, place, few=few) for place, (title, each) in all_sections]
    cards = [made.card(metrics, name, few=few) for name in names]
    charts = [made.chart(metrics, name) for name in names if few]
    return [row(each) for each in (cards, charts) if each]


def has_hosts(panels: Iterable[Panel]) -> bool:
    """Return whether there is a table of hosts among panels, in rows too."""
    return any(has_hosts(panel.panels) if isinstance(panel, Row) else isinstance(panel, Hosts) for panel in panels)


def discovered_panels(
    registry: Registry, metrics: KnownMetrics, names: Iterable[str]
) -> Generator[None, None, list[Panel]]:
    """Return a section for each group of metrics that were not declared; in steps.

    A metric that has a card for each series and a chart keeps them when others join it, and a group is divided when it
    comes or never: what a viewer looks at stays.

    Args:
        registry: the registry of the metrics.
        metrics: its metrics at one moment.
        names: the metrics that were not declared.
    """
    made = _made.setdefault(registry, _Made())
    made.forget(metrics)
    present: list[str] = []
    for number, name in enumerate(names, 1):
        present.append(name)
        made.card(metrics, name, few=name in made.full)
        if not number % STEP_METRICS:
            yield
    rows: list[Panel] = []
    yield
    done = 0
    for place, (title, each) in enumerate(made.sections(present).items()):
        rows.append(made.section(metrics, title, each, place, few=len(present) <= FEW_METRICS))
        done += len(each)
        if done >= STEP_METRICS:
            yield
            done = 0
    return rows


class _Made:
    """What was made of each metric's description: a new metric makes panels for all others, maybe ten thousand.

    Attributes:
        full: the metrics with a card for each series and a chart.
    """

    def __init__(self) -> None:
        self.full: set[str] = set()
        self._divided: dict[str, bool] = {}
        self._cards: dict[tuple[str, bool], tuple[MetricInfo, Card]] = {}
        self._charts: dict[str, tuple[MetricInfo, Chart]] = {}

    def forget(self, metrics: KnownMetrics) -> None:
        """Forget the metrics that have left, if those are the most."""
        known = metrics.metrics
        if len(self._cards) > 2 * len(known):
            self.full.intersection_update(known)
            self._cards = {key: made for key, made in self._cards.items() if key[0] in known}
            self._charts = {name: made for name, made in self._charts.items() if name in known}
            groups = {group_of(name) for name in known}
            self._divided = {group: divided for group, divided in self._divided.items() if group in groups}

    def __len__(self) -> int:
        return len(self._cards) + len(self._charts) + len(self._divided)

    def card(self, metrics: KnownMetrics, name: str, *, few: bool) -> Card:
        """Return the card of a metric: of few, one for each series; otherwise that of the highest."""
        info = lookup(metrics, name)
        if (found := self._cards.get((name, few))) is None or found[0] is not info:
            limit = 0 if few or not info.labels else 1
            found = self._cards[name, few] = info, card(metrics, name, limit=limit)
        return found[1]

    def chart(self, metrics: KnownMetrics, name: str) -> Chart:
        """Return the chart of a metric, of a histogram with its quantiles."""
        info = lookup(metrics, name)
        if (found := self._charts.get(name)) is None or found[0] is not info:
            found = self._charts[name] = info, chart(metrics, [name, *_quantiles_of(metrics, info)])
        return found[1]

    def sections(self, names: Iterable[str]) -> dict[str, list[str]]:
        """Return the metrics by the title of their section, those that belong to no other last."""
        groups: dict[str, list[str]] = {}
        for name in names:
            groups.setdefault(group_of(name), []).append(name)
        others = [name for group in list(groups) if not group or len(groups[group]) == 1 for name in groups.pop(group)]
        sections: dict[str, list[str]] = {}
        for group, each in groups.items():
            if self._divided.setdefault(group, len(each) > SECTION_METRICS):
                sections |= _divide(group, each)
            else:
                sections[group] = each
        if others:
            title = "other" if sections else "metrics"
            # A group may itself have this name.
            sections[title] = [*sections.pop(title, ()), *others]
        return sections

    def section(self, metrics: KnownMetrics, title: str, names: Sequence[str], place: int, *, few: bool) -> Row:
        """Return the row of one section, of a board with few metrics or many."""
        if few or len(names) <= SMALL_SECTION:
            self.full.update(names)
        cards = [self.card(metrics, name, few=name in self.full) for name in names]
        charts = [self.chart(metrics, name) for name in names if name in self.full]
        note = f"{len(names)} metrics" if len(names) > FEW_METRICS else ""
        return row([*cards, *charts], title, note=note, folded=place >= OPEN_SECTIONS)


_made: WeakKeyDictionary[Registry, _Made] = WeakKeyDictionary()


def _divide(group: str, names: Sequence[str]) -> dict[str, list[str]]:
    """Return the metrics of a group by the first two words of their names, those that are alone in the group's own."""
    parts: dict[str, list[str]] = {group: []}
    for name in names:
        parts.setdefault(group_of(name, 2) or group, []).append(name)
    for part in [part for part, each in parts.items() if part != group and len(each) == 1]:
        parts[group] += parts.pop(part)
    return {part: each for part, each in parts.items() if each}


def _quantiles_of(registry: KnownMetrics, info: MetricInfo) -> list[str]:
    if info.kind != "histogram":
        return []
    return [name for quantile in QUANTILES if (name := f"{info.name}.{quantile}") in registry.metrics]
