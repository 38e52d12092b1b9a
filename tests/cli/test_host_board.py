import sys
from collections.abc import Collection
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
from tests.serving import serve

from tickboard.board import Board
from tickboard.cli import host_board as module
from tickboard.cli.host_board import SECTIONS, host_board
from tickboard.metrics.handles import Gauge
from tickboard.metrics.registry import Registry
from tickboard.settings import Settings
from tickboard.sources.host import METRICS, Host
from tickboard.wire import Bars, Card, Chart, Row, Table


@pytest.fixture
def board() -> Board:
    board, _ = host_board()
    board.prepare(Settings())
    return board


def rows_of(board: Board) -> list[Row]:
    rows = [panel for panel in board.describe().panels if isinstance(panel, Row)]
    assert len(rows) == len(board.describe().panels)
    return rows


def cards_of(board: Board) -> list[Card]:
    first = rows_of(board)[0]
    cards = [panel for panel in first.panels if isinstance(panel, Card)]
    assert len(cards) == len(first.panels)
    return cards


@pytest.mark.skipif(sys.platform != "linux", reason="a plain Linux machine has all of these")
def test_six_cards_come_first(board: Board) -> None:
    own_limits = ("container_cpu_usage", "container_memory_usage")
    cards = {card.metric: card for card in cards_of(board) if card.metric not in own_limits}
    # A kernel may be built without pressure.
    assert [*cards][:5] == ["cpu_usage", "memory_usage", "disk_space_usage", "net_rate", "load"]
    assert {*cards} - {*[*cards][:5]} <= {"pressure_some"}
    assert cards["cpu_usage"].note.endswith(("core", "cores"))
    assert cards["memory_usage"].note.endswith("GiB")
    assert cards["disk_space_usage"].limit == 1
    assert cards["load"].labels == {"span": "1m"}


@pytest.mark.skipif(sys.platform != "linux", reason="a plain Linux machine has all of these")
def test_the_rows_are_in_the_order_of_the_sections(board: Board) -> None:
    titles = [row.title for row in rows_of(board)[1:]]
    assert titles[-1] == "Tickboard itself"
    places = [list(SECTIONS).index(title) for title in titles[:-1]]
    assert all(one < next_one for one, next_one in pairwise(places))
    assert {"CPU", "Memory and pressure", "Disks", "Requests"} <= set(titles)


def test_what_nobody_asks_first_is_last_and_folded(board: Board) -> None:
    folded = [row.folded for row in rows_of(board)]
    assert folded == sorted(folded)
    assert [row.title for row in rows_of(board) if row.folded] == [
        "More of this machine",
        "Requests",
        "Tickboard itself",
    ]
    assert all(row.note for row in rows_of(board)[-2:])


def test_every_panel_shows_existing_metrics_and_every_chart_has_one_unit(board: Board) -> None:
    metrics = board.registry.metrics
    for row in rows_of(board)[1:]:
        assert row.panels
        for panel in row.panels:
            assert isinstance(panel, Chart | Table | Bars)
            assert panel.metrics
            assert set(panel.metrics) <= metrics.keys()
            if isinstance(panel, Chart):
                assert {metrics[name].unit for name in panel.metrics} == {panel.unit}


def test_the_sections_name_only_metrics_of_the_host_or_of_requests() -> None:
    named = {name for charts in SECTIONS.values() for names in charts.values() for name in names}
    requests = {"requests_per_sec", "errors_per_sec", "avg_latency", *(f"avg_latency.p{part}" for part in (50, 95, 99))}
    assert named - METRICS.keys() == requests


def test_only_parts_of_a_whole_are_stacked(board: Board) -> None:
    charts = {tuple(panel.metrics): panel for row in rows_of(board) for panel in row.panels if isinstance(panel, Chart)}
    assert [names for names, chart in charts.items() if chart.stacked] == [("cpu_mode",), ("memory_kind",)]


def test_the_top_processes_are_a_table_beside_the_cpu(board: Board) -> None:
    [cpu] = [row for row in rows_of(board) if row.title == "CPU"]
    _, table = cpu.panels
    assert isinstance(table, Table)
    assert (table.metrics, table.label) == (["process_cpu", "process_memory", "process_count"], "process")
    assert table.also == ["user"]


def test_disk_space_is_a_bar_list_with_when_each_disk_is_full(board: Board) -> None:
    [disks] = [row for row in rows_of(board) if row.title == "Disks"]
    assert disks.panels[-1] == Bars(
        ["disk_space_usage"], "Disk space", "%", limit=5, max=100, beside="disk_space_full_in"
    )


def test_metrics_that_this_machine_lacks_have_no_panel(monkeypatch: pytest.MonkeyPatch) -> None:
    def lacking(**how: bool) -> None:
        raise NotImplementedError("not here")

    for name in ("net_io_counters", "disk_io_counters"):
        monkeypatch.setattr(psutil, name, lacking)
    monkeypatch.setattr(psutil, "swap_memory", lambda: SimpleNamespace(total=0))
    monkeypatch.setattr(sys, "platform", "win32")
    board, _ = host_board()
    board.prepare(Settings())
    rows = {row.title: row for row in rows_of(board)}
    assert "Network" not in rows
    assert rows["Memory and pressure"].note.endswith(", no swap")
    shown = {
        name for row in rows.values() for panel in row.panels if isinstance(panel, Chart) for name in panel.metrics
    }
    assert not {"load", "disk_busy", "swap_used", "pressure_some"} & shown
    assert "cpu_mode" in shown
    # No pressure is reported here, so that the share of memory says it.
    assert rules_of(board)["memory_usage"] == ["critical"]


def test_a_machine_that_hides_its_memory_has_a_board_that_claims_nothing_about_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def hidden() -> None:
        raise FileNotFoundError("/proc/meminfo")

    monkeypatch.setattr(psutil, "virtual_memory", hidden)
    monkeypatch.setattr(psutil, "swap_memory", hidden)
    monkeypatch.setattr(psutil, "cpu_count", hidden)
    monkeypatch.setattr(module, "Host", Declared)
    board, _ = host_board()
    board.prepare(Settings())
    notes = {row.title: row.note for row in rows_of(board)}
    assert notes["Memory and pressure"] == ""
    assert notes["CPU"] == ""


def rules_of(board: Board) -> dict[str, list[str]]:
    rules: dict[str, list[str]] = {}
    for rule in board.describe().rules:
        assert rule.metric is not None
        rules.setdefault(rule.metric, []).append(rule.severity)
    return rules


def test_a_busy_cpu_wakes_nobody_and_a_full_disk_does(board: Board) -> None:
    rules = rules_of(board)
    assert "cpu_usage" not in rules
    assert rules["disk_space_usage"] == ["critical"]
    assert rules["disk_space_full_in"] == ["warning"]
    assert rules["swap_usage"] == ["critical", "warning"]
    assert rules["load"] == ["warning"]


@pytest.mark.parametrize(
    ("values", "seconds", "messages"),
    [
        ({"cpu_usage": 100.0}, 600, []),
        ({"load{5m}": 3.0}, 600, []),
        ({"load{5m}": 5.0}, 200, []),
        ({"load{5m}": 5.0}, 400, ["Load of 5.0 on 2 cores"]),
        ({"pressure_some{memory}": 24.8}, 90, ["Memory pressure: something waits 25 % of the time"]),
        ({"disk_space_usage{/var}": 97.2}, 90, ["Disk almost full: /var 97.2 %"]),
        (
            {"disk_space_full_in{/var}": 3 * 3600.0, "disk_space_usage{/var}": 85.0},
            700,
            ["Disk /var full in 3.0 h at this rate"],
        ),
        ({"disk_space_full_in{/var}": 3 * 3600.0, "disk_space_usage{/var}": 60.0}, 700, []),
        ({"disk_space_full_in{/var}": 3 * 3600.0, "disk_space_usage{/}": 85.0}, 700, []),
        ({"disk_space_full_in{/var}": 40 * 3600.0, "disk_space_usage{/var}": 85.0}, 700, []),
        ({"swap_usage": 50.0, "swap_used": 5e9}, 300, []),
        ({"net_received_drops_rate{eth0}": 12.0}, 400, ["Packets received and dropped on eth0: 12 a second"]),
    ],
)
def test_the_rules_fire_for_what_lasts(
    values: dict[str, float], seconds: int, messages: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert fired(values, seconds, monkeypatch) == messages


def test_swap_that_grows_is_reported_and_swap_in_use_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    growing = fired({"swap_usage": 50.0, "swap_used": 5e9}, 200, monkeypatch, growth={"swap_used": 1e6})
    assert growing == ["Swap in use and growing: 50 %"]


class Declared:
    """A host whose metrics are all declared and have the values that a test sets."""

    def __init__(self, registry: Registry, overview: Collection[str]) -> None:
        for name, spec in METRICS.items():
            registry.gauge(name, spec.title, unit=spec.unit, labels=spec.labels, min=0, max=spec.max, forget=False)

    def sample(self) -> None:
        """Leave the values as they are."""


def fired(
    values: dict[str, float], seconds: int, monkeypatch: pytest.MonkeyPatch, growth: dict[str, float] | None = None
) -> list[str]:
    """Return the messages of the alerts that fire while some metrics, such as ``load{5m}``, have these values."""
    monkeypatch.setattr(psutil, "cpu_count", lambda: 2)
    monkeypatch.setattr(module, "Host", Declared)
    board, _ = host_board()
    messages: list[str] = []
    for second in range(seconds):
        for name, value in values.items():
            series_of(board, name).set(value + second * (growth or {}).get(name, 0.0))
        board.tick(1_700_000_000.0 + second)
        messages.extend(alert.message for alert in board.firing if alert.message not in messages)
    return messages


def series_of(board: Board, name: str) -> Gauge:
    metric, _, value = name.rstrip("}").partition("{")
    gauge = board.metric(metric)
    assert isinstance(gauge, Gauge)
    return gauge.labels(**{METRICS[metric].labels[0]: value}) if value else gauge


@pytest.mark.skipif(sys.platform != "linux", reason="reads control groups")
def test_in_a_container_its_limits_are_shown_and_have_rules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, text in {
        "cgroup.controllers": "cpu memory",
        "cpu.max": "50000 100000",
        "cpu.stat": "usage_usec 5",
        "memory.max": "1000000",
        "memory.current": "250000",
    }.items():
        path = tmp_path / "sys/fs/cgroup" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")
    (tmp_path / "proc").mkdir()
    monkeypatch.setattr(module, "Host", lambda registry, overview: Host(registry, root=tmp_path, overview=overview))
    board, _ = host_board()
    board.prepare(Settings())
    cards = [card.metric for card in cards_of(board)]
    assert cards[:4] == ["cpu_usage", "memory_usage", "container_cpu_usage", "container_memory_usage"]
    assert "Container" in [row.title for row in rows_of(board)]
    assert rules_of(board)["container_memory_usage"] == ["critical"]


def test_the_requests_to_the_host_board_are_measured() -> None:
    with serve("--interval", "50") as server:
        server.wait_for(lambda: server.json("/api/stats")["latency"]["count"] > 0)
        assert server.json("/api/stats")["requests"]["max"] > 0
