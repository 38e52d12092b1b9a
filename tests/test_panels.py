"""The panels of the page: declared ones, or by default a card and a chart for every metric."""

from typing import Any

import pytest

from tickboard import panels
from tickboard.errors import InputError
from tickboard.hub.encodings import whole
from tickboard.metrics.handles import Gauge
from tickboard.metrics.registry import Registry
from tickboard.wire import (
    Bars,
    Card,
    Chart,
    Heatmap,
    MetricInfo,
    Row,
    State,
    States,
    Table,
    Text,
    TextElement,
)


@pytest.fixture
def registry() -> Registry:
    registry = Registry()
    registry.gauge("cpu", "CPU", unit="%", min=0, max=100)
    registry.gauge("load", "Load")
    registry.histogram("lat", "Latency", unit="ms")
    return registry


def test_by_default_every_metric_has_a_card_and_a_chart(registry: Registry) -> None:
    cards, charts = whole(panels.default_panels(registry))
    assert cards == Row([Card("cpu", "CPU"), Card("load", "Load"), Card("lat", "Latency")])
    assert charts == Row(
        [
            Chart(["cpu"], "CPU", "%", 0, 100),
            Chart(["load"], "Load"),
            Chart(["lat", "lat.p50", "lat.p95", "lat.p99"], "Latency", "ms"),
        ]
    )


def test_a_board_without_metrics_has_no_panels() -> None:
    assert whole(panels.default_panels(Registry())) == []


def test_a_title_does_not_repeat_its_unit() -> None:
    registry = Registry()
    cpu = registry.gauge("cpu", "CPU in %", unit="%")
    assert panels.chart(registry, [cpu]).title == "CPU in %"
    assert panels.chart(registry, [cpu], "Mine", min=-1, max=1, stacked=True) == Chart(
        ["cpu"], "Mine", "%", -1, 1, True
    )


def test_an_invalid_panel_is_refused(registry: Registry) -> None:
    with pytest.raises(InputError, match="different units: cpu in %, load in no unit"):
        panels.chart(registry, ["cpu", "load"])
    with pytest.raises(InputError, match="at least one metric"):
        panels.chart(registry, [])
    with pytest.raises(InputError, match="'mem' is not a metric of this board: use one of cpu, load"):
        panels.card(registry, "mem")
    with pytest.raises(InputError, match="'mem' is not a metric of this board: it has no metrics yet"):
        panels.card(Registry(), "mem")


def test_a_heat_map_shows_a_histogram_or_one_of_its_series(registry: Registry) -> None:
    assert panels.heatmap(registry, "lat") == Heatmap("lat", "Latency", "ms")
    route = registry.histogram("took", "Took", unit="s", labels=["route"])
    assert panels.heatmap(registry, route.labels(route="/"), "Start page", [1, 2]) == Heatmap(
        "took", "Start page", "s", {"route": "/"}
    )
    # Its buckets are no metrics for people.
    assert "lat.buckets" in registry.metrics
    assert "lat.buckets" not in panels.Snapshot.of(registry).metrics
    assert len(whole(panels.default_panels(panels.Snapshot.of(registry)))) == 2


def test_only_a_histogram_has_a_heat_map(registry: Registry) -> None:
    for name in ("cpu", "lat.p95"):
        with pytest.raises(InputError, match=f"'{name}' is not a histogram: show it with board.chart, or declare a"):
            panels.heatmap(registry, name)
    with pytest.raises(InputError, match="'mem' is not a metric of this board"):
        panels.heatmap(registry, "mem")


def test_a_table_has_a_column_for_each_metric(registry: Registry) -> None:
    cpu = registry.gauge("process_cpu", "CPU", labels=["process"])
    registry.gauge("process_memory", "Memory", labels=["process"])
    assert panels.table(registry, [cpu, "process_memory"], "process", "Top") == Table(
        ["process_cpu", "process_memory"], "process", "Top", 10
    )
    assert panels.table(registry, [cpu], "process").title == "CPU"


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
        panels.table(registry, metrics, label, limit=limit)


def test_a_table_tells_rows_apart_by_further_labels(registry: Registry) -> None:
    registry.gauge("process_cpu", labels=["process", "user"])
    assert panels.table(registry, ["process_cpu"], "process", also=["user"]).also == ["user"]
    with pytest.raises(InputError, match="no label 'host'; it has process, user"):
        panels.table(registry, ["process_cpu"], "process", also=["host"])


def test_a_state_timeline_names_the_states_and_says_which_are_bad(registry: Registry) -> None:
    up = registry.gauge("up", "Services", labels=["service"])
    assert panels.states(registry, up, {0: ("down", "critical"), 1: "up", 2.5: " slow "}) == States(
        "up", [State(0, "down", "critical"), State(1, "up"), State(2.5, "slow")], "Services"
    )
    assert panels.states(registry, "up", {False: "down", True: "up"}, "Mine") == States(
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
        panels.states(registry, "cpu", states)


def test_a_bar_list_shows_each_series_of_metrics_of_one_unit(registry: Registry) -> None:
    disk = registry.gauge("disk", "Disk space", unit="%", labels=["mount"], max=100)
    registry.gauge("full_in", "Full in", unit="s", labels=["mount"])
    assert panels.bars(registry, [disk]) == Bars(["disk"], "Disk space", "%", 10, 100)
    assert panels.bars(registry, ["disk", "cpu"], "Mine", max=50, limit=3) == Bars(["disk", "cpu"], "Mine", "%", 3, 50)
    assert panels.bars(registry, [disk], beside="full_in").beside == "full_in"


def test_an_invalid_bar_list_is_refused(registry: Registry) -> None:
    registry.gauge("disk", unit="%", labels=["mount"])
    with pytest.raises(InputError, match=r"board\.bars needs at least one metric"):
        panels.bars(registry, [])
    with pytest.raises(InputError, match=r"board\.bars has one axis, .* cpu in %, load in no unit"):
        panels.bars(registry, ["cpu", "load"])
    with pytest.raises(InputError, match="limit=0: give 1 or more rows"):
        panels.bars(registry, ["cpu"], limit=0)
    with pytest.raises(InputError, match="'gone' is not a metric"):
        panels.bars(registry, ["cpu"], beside="gone")
    with pytest.raises(InputError, match="beside='load' has the labels none, but 'disk' has mount: name a metric"):
        panels.bars(registry, ["disk"], beside="load")
    with pytest.raises(InputError, match="beside='disk' has the labels mount, but 'cpu' has none: name a metric"):
        panels.bars(registry, ["cpu"], beside="disk")


def test_a_text_is_read_from_markdown() -> None:
    assert panels.text("# On call\n*Ann*") == Text([TextElement("p", [TextElement("em", ["Ann"])])], "On call")


def test_a_card_shows_one_series_or_the_highest_of_them(registry: Registry) -> None:
    disk = registry.gauge("disk", "Disk", labels=["mount"])
    assert panels.card(registry, disk.labels(mount="/"), note="1 TB") == Card("disk", "Disk", "1 TB", {"mount": "/"})
    assert panels.card(registry, disk, limit=1) == Card("disk", "Disk", limit=1)
    with pytest.raises(InputError, match="limit=-1: give the number of cards"):
        panels.card(registry, disk, limit=-1)


def test_a_row_with_a_title_has_a_note_and_may_begin_folded() -> None:
    assert panels.row([], "Requests", note="of this page", folded=True) == Row([], "Requests", "of this page", True)
    with pytest.raises(InputError, match="only a row with a title"):
        panels.row([], note="of this page")
    with pytest.raises(InputError, match="only a row with a title"):
        panels.row([], folded=True)


def test_undeclared_metrics_are_grouped_in_rows_by_their_first_word() -> None:
    registry = Registry()
    for name in ("http_requests", "up", "http_errors", "queue_depth"):
        registry.gauge(name)
    rows = whole(panels.discovered_panels(registry, registry, registry.metrics))
    shown = {row.title: [panel.title for panel in row.panels] for row in rows if isinstance(row, Row)}
    assert shown == {
        "http": ["http_requests", "http_errors"] * 2,
        "other": ["up", "queue_depth"] * 2,
    }
    [only] = whole(panels.discovered_panels(registry, registry, ["up"]))
    assert isinstance(only, Row)
    assert only.title == "metrics"
    assert whole(panels.discovered_panels(registry, registry, [])) == []


def test_the_panels_of_removed_metrics_are_not_kept() -> None:
    registry = Registry()
    registry.gauge("stays")
    for number in range(20):
        metric = MetricInfo(f"comes_{number}", "Once", "%", "gauge")
        with registry.lock:
            registry.discover(Gauge, metric)
        whole(panels.discovered_panels(registry, registry, [metric.name, "stays"]))
        with registry.lock:
            registry.withdraw(metric.name)
    assert len(panels._made[registry]) <= 2 * (2 * 2 + 2)


def test_the_groups_of_removed_metrics_are_not_kept() -> None:
    registry = Registry()
    registry.gauge("stays_here")
    registry.gauge("stays_there")
    for number in range(20):
        names = [f"group{number}_here", f"group{number}_there"]
        with registry.lock:
            for name in names:
                registry.discover(Gauge, MetricInfo(name, "Once", "%", "gauge"))
        whole(panels.discovered_panels(registry, registry, [*names, "stays_here", "stays_there"]))
        with registry.lock:
            for name in names:
                registry.withdraw(name)
    divided = panels._made[registry]._divided
    assert "stays" in divided
    assert "group0" not in divided
    assert len(divided) < 10


def test_a_group_that_is_called_other_shares_its_section_with_the_others() -> None:
    registry = Registry()
    for name in ("other_here", "other_there", "http_requests", "http_errors", "up"):
        registry.gauge(name)
    rows = whole(panels.discovered_panels(registry, registry, registry.metrics))
    shown = {row.title: [panel.title for panel in row.panels] for row in rows if isinstance(row, Row)}
    assert shown == {
        "http": ["http_requests", "http_errors"] * 2,
        "other": ["other_here", "other_there", "up"] * 2,
    }


def test_a_metric_that_returns_has_its_new_title_and_unit() -> None:
    registry = Registry()
    for title, unit in (("Once", "%"), ("Anew", "ms")):
        with registry.lock:
            registry.discover(Gauge, MetricInfo("comes", title, unit, "gauge"))
        [row] = whole(panels.discovered_panels(registry, registry, ["comes"]))
        assert isinstance(row, Row)
        assert row.panels == [Card("comes", title), Chart(["comes"], title, unit)]
        with registry.lock:
            registry.withdraw("comes")


def test_many_metrics_are_described_in_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(panels, "STEP_METRICS", 10)
    registry = Registry()
    for number in range(100):
        registry.gauge(f"g{number}")
    assert len(list(panels.default_panels(registry))) == 10
    assert len(list(panels.discovered_panels(registry, registry, registry.metrics))) == 10 + 2


def section_of(names: list[str], title: str, note: str = "", *, full: bool = False, folded: bool = False) -> Row:
    """Return the row of a section of gauges, which have a chart each when it is full."""
    cards = [Card(name, name) for name in names]
    return Row([*cards, *([Chart([name], name) for name in names] if full else [])], title, note, folded)


def test_many_metrics_have_sections_by_their_first_words_with_a_card_each() -> None:
    registry = Registry()
    disks = [f"disk_{number}" for number in range(13)]
    nodes = [f"node_{what}_{number}" for what in ("cpu", "net") for number in range(20)]
    pairs = [f"{letter}_{number}" for letter in "abcde" for number in (1, 2)]
    names = [*disks, *nodes, "node_load", "node_disk_used", *pairs, "up"]
    for name in names:
        registry.gauge(name)
    assert whole(panels.default_panels(registry)) == [
        section_of(disks, "disk", "13 metrics"),
        section_of(["node_load", "node_disk_used"], "node", full=True),
        section_of(nodes[:20], "node cpu", "20 metrics"),
        section_of(nodes[20:], "node net", "20 metrics"),
        section_of(pairs[:2], "a", full=True),
        section_of(pairs[2:4], "b", full=True),
        *(section_of(pairs[start : start + 2], pairs[start][0], full=True, folded=True) for start in (4, 6, 8)),
        section_of(["up"], "other", full=True, folded=True),
    ]


def test_many_metrics_of_one_group_have_one_row_of_cards() -> None:
    registry = Registry()
    names = [f"metric_{number}" for number in range(200)]
    for name in names:
        registry.gauge(name)
    assert whole(panels.default_panels(registry)) == [Row([Card(name, name) for name in names])]


def test_in_a_large_section_a_metric_with_labels_has_the_card_of_its_highest_series() -> None:
    registry = Registry()
    for number in range(13):
        registry.gauge(f"disk_{number}", labels=["device"])
    [row] = whole(panels.default_panels(registry))
    assert isinstance(row, Row)
    assert row.panels[0] == Card("disk_0", "disk_0", limit=1)


def test_what_is_shown_of_a_metric_stays_when_others_join_it() -> None:
    registry = Registry()
    names = [f"disk_{number}" for number in range(60)]
    for name in names:
        registry.gauge(name)
    few = whole(panels.discovered_panels(registry, registry, names[:3]))
    assert few == [section_of(names[:3], "disk", full=True)]
    [many] = whole(panels.discovered_panels(registry, registry, names))
    assert isinstance(many, Row)
    assert many.title == "disk"
    assert [panel.title for panel in many.panels if isinstance(panel, Chart)] == names[:3]
    assert [panel.title for panel in many.panels if isinstance(panel, Card)] == names
