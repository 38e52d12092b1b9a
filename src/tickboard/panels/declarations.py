"""The methods of a board that declare panels."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

from tickboard.metrics.registry import Registry
from tickboard.panels import declared
from tickboard.panels.declared import MetricRef
from tickboard.wire import Bars, Card, Chart, Heatmap, HostColumn, Hosts, Panel, Row, States, Table, Text

P = TypeVar("P", bound=Panel)


class PanelDeclarations:
    """The methods that declare panels.

    Args:
        registry: the metrics that panels can show.
    """

    def __init__(self, registry: Registry) -> None:
        self.registry = registry
        self._panels: list[Panel] = []

    def card(self, metric: MetricRef, title: str = "", *, note: str = "", limit: int = 0) -> Card:
        """Show a card with the newest value, a sparkline, average, min and max. Pass it to `row` to put it there.

        A metric with labels has a card for each series, or for the `limit` highest; ``load.labels(span="1m")`` for one.
        `note` is shown beside the title: ``board.card(cpu, note="8 cores")``.
        """
        return self._add(declared.card(self.registry, metric, title, note=note, limit=limit))

    def chart(
        self,
        *metrics: MetricRef,
        title: str = "",
        min: float | None = None,
        max: float | None = None,
        stacked: bool = False,
    ) -> Chart:
        """Show a chart of one or more metrics with the same unit. Pass it to `row` to put it there."""
        return self._add(declared.chart(self.registry, metrics, title, min=min, max=max, stacked=stacked))

    def table(
        self, *metrics: MetricRef, label: str, title: str = "", limit: int = 10, also: Sequence[str] = ()
    ) -> Table:
        """Show the newest values of metrics with labels: a row for each value of `label`, the highest first.

        Labels in `also` have a column each, and rows of their own where they differ. Pass it to `row` to put it there.
        """
        return self._add(declared.table(self.registry, metrics, label, title, limit, also))

    def heatmap(self, histogram: MetricRef, title: str = "", *, bounds: Iterable[float] = ()) -> Heatmap:
        """Show the distribution of a histogram over time: how many of its values lie in each bucket.

        A histogram with labels is shown as a whole; ``latency.labels(route="/")`` shows one series. Without `bounds`,
        the upper ends of the buckets, the buckets follow the values. Pass it to `row` to put it there.
        """
        return self._add(declared.heatmap(self.registry, histogram, title, bounds))

    def states(self, metric: MetricRef, states: Mapping[declared.Value, declared.Meaning], title: str = "") -> States:
        """Show the states of a metric over time: a row for each series, as ``board.states(up, {0: "down", 1: "up"})``.

        Name the severity of a bad state, which gets its colour: ``{0: ("down", "critical"), 1: "up"}``. Pass it to
        `row` to put it there.
        """
        return self._add(declared.states(self.registry, metric, states, title))

    def bars(
        self,
        *metrics: MetricRef,
        title: str = "",
        beside: MetricRef | None = None,
        max: float | None = None,
        limit: int = 10,
    ) -> Bars:
        """Show the newest value of each series as a bar, the highest first. Pass it to `row` to put it there.

        The metrics share a unit. The value of `beside` with the same labels stands after each bar.
        """
        return self._add(declared.bars(self.registry, metrics, title, beside=beside, max=max, limit=limit))

    def text(self, markdown: str, title: str = "") -> Text:
        """Show a text in Markdown: notes, contacts, links. Pass it to `row` to put it there.

        Without a title, a heading that it begins with is the title. HTML is shown as it is written.
        """
        return self._add(declared.text(markdown, title))

    def hosts(
        self, title: str = "Hosts", *, columns: Iterable[MetricRef | HostColumn] = (), group_by: str = ""
    ) -> Hosts:
        """Show all hosts that the board follows: a row for each, the worst first, in groups by a label.

        Each of the `columns` is a metric of the hosts, as ``"cpu_usage"``, or a `HostColumn`; without any they are
        those of the overview. Beside it are a chart of all hosts, and their alerts. Pass it to `row` to put it there.
        """
        return self._add(declared.hosts(title, columns=columns, group_by=group_by))

    def row(self, *children: Panel, title: str = "", note: str = "", folded: bool = False) -> Row:
        """Put panels side by side, as ``board.row(board.card(cpu), board.chart(cpu), title="CPU")``.

        With a title it is a section, which the viewer folds; `folded` is how it begins, `note` stands beside the title.
        """
        for child in children:
            # `card` and the like added the child to the page; it moves into the row. Compared by identity, since two
            # panels may be equal.
            self._panels = [panel for panel in self._panels if panel is not child]
        return self._add(declared.row(children, title, note=note, folded=folded))

    def _add(self, panel: P) -> P:
        self._panels.append(panel)
        return panel
