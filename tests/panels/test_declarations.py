"""The methods that declare panels: what the page shows, in which order, and what moves into a row."""

import pytest

from tickboard.metrics.registry import Registry
from tickboard.panels.declarations import PanelDeclarations
from tickboard.wire import Card, Chart, HostColumn, Hosts, Panel, Row


class Declarations(PanelDeclarations):
    """What a board has of panels."""

    @property
    def panels(self) -> list[Panel]:
        return list(self._panels)


@pytest.fixture
def board() -> Declarations:
    return Declarations(Registry())


def test_panels_keep_their_order_and_are_not_shown_outside_their_row(board: Declarations) -> None:
    cpu, load = board.registry.gauge("cpu", "CPU", unit="%"), board.registry.gauge("load", "Load")
    board.row(board.card(cpu), board.card(load), title="Now")
    board.chart(cpu, title="CPU over time", min=0, max=100)
    board.card(load)
    assert board.panels == [
        Row([Card("cpu", "CPU"), Card("load", "Load")], "Now"),
        Chart(["cpu"], "CPU over time", "%", 0, 100),
        Card("load", "Load"),
    ]


def test_a_table_of_hosts_stands_where_it_is_declared(board: Declarations) -> None:
    load = board.registry.gauge("load", "Load")
    board.hosts("Fleet", columns=["cpu_usage"], group_by="env")
    board.card(load)
    assert board.panels == [Hosts("Fleet", [HostColumn(["cpu_usage"], "")], "env"), Card("load", "Load")]


def test_a_row_takes_panels_of_every_kind(board: Declarations) -> None:
    up, disk = board.registry.gauge("up"), board.registry.gauge("disk", labels=["mount"])
    latency = board.registry.histogram("latency")
    children = (
        board.states(up, {0: ("down", "critical"), 1: "up"}),
        board.bars(disk, limit=3),
        board.text("a"),
        board.table(disk, label="mount"),
        board.heatmap(latency),
    )
    assert board.panels == list(children)
    board.row(*children)
    [row] = board.panels
    assert isinstance(row, Row)
    assert row.panels == list(children)


def test_rows_may_contain_rows(board: Declarations) -> None:
    cpu = board.registry.gauge("cpu")
    board.row(board.row(board.card(cpu)), board.chart(cpu))
    [outer] = board.panels
    assert isinstance(outer, Row)
    assert [type(panel).__name__ for panel in outer.panels] == ["Row", "Chart"]
