"""The panels that a board declares, and how a wrong one is refused."""

from typing import Any

import pytest

from tickboard.errors import InputError
from tickboard.metrics.registry import Registry
from tickboard.panels import declared
from tickboard.wire import (
    Bars,
    Card,
    Chart,
    HostColumn,
    Hosts,
    Row,
    State,
    States,
    Table,
    Text,
    TextElement,
)


def test_a_title_does_not_repeat_its_unit() -> None:
    registry = Registry()
    cpu = registry.gauge("cpu", "CPU in %", unit="%")
    assert declared.chart(registry, [cpu]).title == "CPU in %"
    assert declared.chart(registry, [cpu], "Mine", min=-1, max=1, stacked=True) == Chart(
        ["cpu"], "Mine", "%", -1, 1, True
    )


def test_an_invalid_panel_is_refused(registry: Registry) -> None:
    with pytest.raises(InputError, match="different units: cpu in %, load in no unit"):
        declared.chart(registry, ["cpu", "load"])
    with pytest.raises(InputError, match="at least one metric"):
        declared.chart(registry, [])
    with pytest.raises(InputError, match="'mem' is not a metric of this board: use one of cpu, load"):
        declared.card(registry, "mem")
    with pytest.raises(InputError, match="'mem' is not a metric of this board: it has no metrics yet"):
        declared.card(Registry(), "mem")


def test_only_a_histogram_has_a_heat_map(registry: Registry) -> None:
    for name in ("cpu", "lat.p95"):
        with pytest.raises(InputError, match=f"'{name}' is not a histogram: show it with board.chart, or declare a"):
            declared.heatmap(registry, name)
    with pytest.raises(InputError, match="'mem' is not a metric of this board"):
        declared.heatmap(registry, "mem")


def test_a_table_has_a_column_for_each_metric(registry: Registry) -> None:
    cpu = registry.gauge("process_cpu", "CPU", labels=["process"])
    registry.gauge("process_memory", "Memory", labels=["process"])
    assert declared.table(registry, [cpu, "process_memory"], "process", "Top") == Table(
        ["process_cpu", "process_memory"], "process", "Top", 10
    )
    assert declared.table(registry, [cpu], "process").title == "CPU"


@pytest.mark.parametrize(
    ("metrics", "label", "limit", "wrong"),
    [
        ([], "process", 10, "at least one metric"),
        (["cpu"], "process", 10, "no label 'process'; it has none"),
        (["gone"], "process", 10, "not a metric"),
        (["core"], "core", 0, "limit=0"),
    ],
)
def test_an_invalid_table_is_an_error(
    registry: Registry, metrics: list[str], label: str, limit: int, wrong: str
) -> None:
    registry.gauge("core", labels=["core"])
    with pytest.raises(InputError, match=wrong):
        declared.table(registry, metrics, label, limit=limit)


def test_a_table_tells_rows_apart_by_further_labels(registry: Registry) -> None:
    registry.gauge("process_cpu", labels=["process", "user"])
    assert declared.table(registry, ["process_cpu"], "process", also=["user"]).also == ["user"]
    with pytest.raises(InputError, match="no label 'host'; it has process, user"):
        declared.table(registry, ["process_cpu"], "process", also=["host"])


def test_a_state_timeline_names_the_states_and_says_which_are_bad(registry: Registry) -> None:
    up = registry.gauge("up", "Services", labels=["service"])
    assert declared.states(registry, up, {0: ("down", "critical"), 1: "up", 2.5: " slow "}) == States(
        "up", [State(0, "down", "critical"), State(1, "up"), State(2.5, "slow")], "Services"
    )
    assert declared.states(registry, "up", {False: "down", True: "up"}, "Mine") == States(
        "up", [State(0, "down"), State(1, "up")], "Mine"
    )


@pytest.mark.parametrize(
    ("states", "wrong"),
    [
        ({}, r"states of 'cpu': say what its values mean, as \{0: \"down\", 1: \"up\"\}"),
        ({"0": "down"}, "state '0': give the value that means it as a number"),
        ({float("nan"): "down"}, "state nan: give the value"),
        ({0: ""}, "state 0: '' is no meaning: give a word"),
        ({0: 1}, "state 0: 1 is no meaning"),
        ({0: ("down",)}, r"state 0: \('down',\) is no meaning"),
        ({0: ("down", "bad")}, r"state 0: \('down', 'bad'\) is no meaning"),
        ({0: ("down", ["critical"])}, r"state 0: \('down', \['critical'\]\) is no meaning"),
    ],
)
def test_an_invalid_state_is_refused(registry: Registry, states: Any, wrong: str) -> None:
    with pytest.raises(InputError, match=wrong):
        declared.states(registry, "cpu", states)


def test_a_bar_list_shows_each_series_of_metrics_of_one_unit(registry: Registry) -> None:
    disk = registry.gauge("disk", "Disk space", unit="%", labels=["mount"], max=100)
    registry.gauge("full_in", "Full in", unit="s", labels=["mount"])
    assert declared.bars(registry, [disk]) == Bars(["disk"], "Disk space", "%", 10, 100)
    assert declared.bars(registry, ["disk", "cpu"], "Mine", max=50, limit=3) == Bars(
        ["disk", "cpu"], "Mine", "%", 3, 50
    )
    assert declared.bars(registry, [disk], beside="full_in").beside == "full_in"


def test_an_invalid_bar_list_is_refused(registry: Registry) -> None:
    registry.gauge("disk", unit="%", labels=["mount"])
    with pytest.raises(InputError, match=r"board\.bars needs at least one metric"):
        declared.bars(registry, [])
    with pytest.raises(InputError, match=r"board\.bars has one axis, .* cpu in %, load in no unit"):
        declared.bars(registry, ["cpu", "load"])
    with pytest.raises(InputError, match="limit=0: give 1 or more rows"):
        declared.bars(registry, ["cpu"], limit=0)
    with pytest.raises(InputError, match="'gone' is not a metric"):
        declared.bars(registry, ["cpu"], beside="gone")
    with pytest.raises(InputError, match="beside='load' has the labels none, but 'disk' has mount: name a metric"):
        declared.bars(registry, ["disk"], beside="load")
    with pytest.raises(InputError, match="beside='disk' has the labels mount, but 'cpu' has none: name a metric"):
        declared.bars(registry, ["cpu"], beside="disk")


def test_a_text_is_read_from_markdown() -> None:
    assert declared.text("# On call\n*Ann*") == Text([TextElement("p", [TextElement("em", ["Ann"])])], "On call")


def test_a_card_shows_one_series_or_the_highest_of_them(registry: Registry) -> None:
    disk = registry.gauge("disk", "Disk", labels=["mount"])
    assert declared.card(registry, disk.labels(mount="/"), note="1 TB") == Card("disk", "Disk", "1 TB", {"mount": "/"})
    assert declared.card(registry, disk, limit=1) == Card("disk", "Disk", limit=1)
    with pytest.raises(InputError, match="limit=-1: give the number of cards"):
        declared.card(registry, disk, limit=-1)


def test_a_row_with_a_title_has_a_note_and_may_begin_folded() -> None:
    assert declared.row([], "Requests", note="of this page", folded=True) == Row([], "Requests", "of this page", True)
    with pytest.raises(InputError, match="only a row with a title"):
        declared.row([], note="of this page")
    with pytest.raises(InputError, match="only a row with a title"):
        declared.row([], folded=True)


def test_a_table_of_hosts_has_the_columns_that_it_names(registry: Registry) -> None:
    traffic = HostColumn(["net_received_rate", "net_sent_rate"], "Network", "B/s", "sum", "sum")
    disk = registry.gauge("disk", labels=["mount"])
    assert declared.hosts() == Hosts("Hosts")
    assert declared.hosts(" Fleet ", columns=[disk, "memory_usage", traffic], group_by="role") == Hosts(
        "Fleet", [HostColumn(["disk"], ""), HostColumn(["memory_usage"], ""), traffic], "role"
    )


def test_a_table_of_hosts_without_a_title_or_with_an_empty_column_is_refused() -> None:
    with pytest.raises(InputError, match=r'board\.hosts\(title=""\): give the table a title'):
        declared.hosts(" ")
    columns: list[Any] = ["", HostColumn([], "CPU"), HostColumn([""], "CPU"), 3]
    for column in columns:
        with pytest.raises(InputError, match='name a metric of the hosts, such as "cpu_usage", or give a HostColumn'):
            declared.hosts(columns=[column])
