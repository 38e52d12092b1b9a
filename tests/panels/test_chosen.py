"""The panels that are chosen for metrics that no panel was declared for."""

import pytest

from tickboard.hub.encodings import whole
from tickboard.metrics.handles import Gauge
from tickboard.metrics.registry import Registry
from tickboard.panels import chosen, declared
from tickboard.wire import (
    Card,
    Chart,
    Heatmap,
    Hosts,
    MetricInfo,
    Row,
)


def section_of(names: list[str], title: str, note: str = "", *, full: bool = False, folded: bool = False) -> Row:
    """Return the row of a section of gauges, which have a chart each when it is full."""
    cards = [Card(name, name) for name in names]
    return Row([*cards, *([Chart([name], name) for name in names] if full else [])], title, note, folded)


def test_by_default_every_metric_has_a_card_and_a_chart(registry: Registry) -> None:
    cards, charts = whole(chosen.default_panels(registry))
    assert cards == Row([Card("cpu", "CPU"), Card("load", "Load"), Card("lat", "Latency")])
    assert charts == Row(
        [
            Chart(["cpu"], "CPU", "%", 0, 100),
            Chart(["load"], "Load"),
            Chart(["lat", "lat.p50", "lat.p95", "lat.p99"], "Latency", "ms"),
        ]
    )


def test_a_board_without_metrics_has_no_panels() -> None:
    assert whole(chosen.default_panels(Registry())) == []


def test_a_heat_map_shows_a_histogram_or_one_of_its_series(registry: Registry) -> None:
    assert declared.heatmap(registry, "lat") == Heatmap("lat", "Latency", "ms")
    route = registry.histogram("took", "Took", unit="s", labels=["route"])
    assert declared.heatmap(registry, route.labels(route="/"), "Start page", [1, 2]) == Heatmap(
        "took", "Start page", "s", {"route": "/"}
    )
    # Its buckets are no metrics for people.
    assert "lat.buckets" in registry.metrics
    assert "lat.buckets" not in chosen.Snapshot.of(registry).metrics
    assert len(whole(chosen.default_panels(chosen.Snapshot.of(registry)))) == 2


def test_undeclared_metrics_are_grouped_in_rows_by_their_first_word() -> None:
    registry = Registry()
    for name in ("http_requests", "up", "http_errors", "queue_depth"):
        registry.gauge(name)
    rows = whole(chosen.discovered_panels(registry, registry, registry.metrics))
    shown = {row.title: [panel.title for panel in row.panels] for row in rows if isinstance(row, Row)}
    assert shown == {
        "http": ["http_requests", "http_errors"] * 2,
        "other": ["up", "queue_depth"] * 2,
    }
    [only] = whole(chosen.discovered_panels(registry, registry, ["up"]))
    assert isinstance(only, Row)
    assert only.title == "metrics"
    assert whole(chosen.discovered_panels(registry, registry, [])) == []


def test_the_panels_of_removed_metrics_are_not_kept() -> None:
    registry = Registry()
    registry.gauge("stays")
    for number in range(20):
        metric = MetricInfo(f"comes_{number}", "Once", "%", "gauge")
        with registry.lock:
            registry.discover(Gauge, metric)
        whole(chosen.discovered_panels(registry, registry, [metric.name, "stays"]))
        with registry.lock:
            registry.withdraw(metric.name)
    assert len(chosen._made[registry]) <= 2 * (2 * 2 + 2)


def test_the_groups_of_removed_metrics_are_not_kept() -> None:
    registry = Registry()
    registry.gauge("stays_here")
    registry.gauge("stays_there")
    for number in range(20):
        names = [f"group{number}_here", f"group{number}_there"]
        with registry.lock:
            for name in names:
                registry.discover(Gauge, MetricInfo(name, "Once", "%", "gauge"))
        whole(chosen.discovered_panels(registry, registry, [*names, "stays_here", "stays_there"]))
        with registry.lock:
            for name in names:
                registry.withdraw(name)
    divided = chosen._made[registry]._divided
    assert "stays" in divided
    assert "group0" not in divided
    assert len(divided) < 10


def test_a_group_that_is_called_other_shares_its_section_with_the_others() -> None:
    registry = Registry()
    for name in ("other_here", "other_there", "http_requests", "http_errors", "up"):
        registry.gauge(name)
    rows = whole(chosen.discovered_panels(registry, registry, registry.metrics))
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
        [row] = whole(chosen.discovered_panels(registry, registry, ["comes"]))
        assert isinstance(row, Row)
        assert row.panels == [Card("comes", title), Chart(["comes"], title, unit)]
        with registry.lock:
            registry.withdraw("comes")


def test_many_metrics_are_described_in_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chosen, "STEP_METRICS", 10)
    registry = Registry()
    for number in range(100):
        registry.gauge(f"g{number}")
    assert len(list(chosen.default_panels(registry))) == 10
    assert len(list(chosen.discovered_panels(registry, registry, registry.metrics))) == 10 + 2


def test_many_metrics_have_sections_by_their_first_words_with_a_card_each() -> None:
    registry = Registry()
    disks = [f"disk_{number}" for number in range(13)]
    nodes = [f"node_{what}_{number}" for what in ("cpu", "net") for number in range(20)]
    pairs = [f"{letter}_{number}" for letter in "abcde" for number in (1, 2)]
    names = [*disks, *nodes, "node_load", "node_disk_used", *pairs, "up"]
    for name in names:
        registry.gauge(name)
    assert whole(chosen.default_panels(registry)) == [
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
    assert whole(chosen.default_panels(registry)) == [Row([Card(name, name) for name in names])]


def test_in_a_large_section_a_metric_with_labels_has_the_card_of_its_highest_series() -> None:
    registry = Registry()
    for number in range(13):
        registry.gauge(f"disk_{number}", labels=["device"])
    [row] = whole(chosen.default_panels(registry))
    assert isinstance(row, Row)
    assert row.panels[0] == Card("disk_0", "disk_0", limit=1)


def test_what_is_shown_of_a_metric_stays_when_others_join_it() -> None:
    registry = Registry()
    names = [f"disk_{number}" for number in range(60)]
    for name in names:
        registry.gauge(name)
    few = whole(chosen.discovered_panels(registry, registry, names[:3]))
    assert few == [section_of(names[:3], "disk", full=True)]
    [many] = whole(chosen.discovered_panels(registry, registry, names))
    assert isinstance(many, Row)
    assert many.title == "disk"
    assert [panel.title for panel in many.panels if isinstance(panel, Chart)] == names[:3]
    assert [panel.title for panel in many.panels if isinstance(panel, Card)] == names


def test_a_table_of_hosts_is_found_in_rows_too() -> None:
    cpu = Card("cpu", "CPU")
    assert chosen.has_hosts([cpu, Row([Row([Hosts("Hosts")])])])
    assert not chosen.has_hosts([cpu, Row([cpu])])
