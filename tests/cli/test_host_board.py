import sys
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
from tests.serving import serve

from tickboard.board import Board
from tickboard.cli import host_board as module
from tickboard.cli.host_board import CARDS, SECTIONS, host_board
from tickboard.settings import Settings
from tickboard.sources.host import METRICS, Host
from tickboard.wire import Card, Chart, Row, Table


@pytest.fixture
def board() -> Board:
    board, _ = host_board()
    board.prepare(Settings())
    return board


def rows_of(board: Board) -> list[Row]:
    rows = [panel for panel in board.describe().panels if isinstance(panel, Row)]
    assert len(rows) == len(board.describe().panels)
    return rows


def test_the_cards_come_first(board: Board) -> None:
    first = rows_of(board)[0]
    cards = [panel.metric for panel in first.panels if isinstance(panel, Card)]
    assert len(cards) == len(first.panels)
    assert cards == [name for name in CARDS if name in board.registry.metrics]
    assert {"cpu_usage", "memory_usage", "disk_usage", "requests_per_sec", "avg_latency", "uptime"} <= set(cards)


@pytest.mark.skipif(sys.platform != "linux", reason="a plain Linux machine has all of these")
def test_the_rows_are_in_the_order_of_the_sections(board: Board) -> None:
    titles = [row.title for row in rows_of(board)[1:]]
    assert titles[-1] == "Tickboard itself"
    places = [list(SECTIONS).index(title) for title in titles[:-1]]
    assert all(one < next_one for one, next_one in pairwise(places))
    assert {"CPU", "Memory", "Disks", "Processes", "Requests"} <= set(titles)


def test_every_panel_shows_existing_metrics_and_every_chart_has_one_unit(board: Board) -> None:
    metrics = board.registry.metrics
    for row in rows_of(board)[1:]:
        assert row.panels
        for panel in row.panels:
            assert isinstance(panel, Chart | Table)
            assert panel.metrics
            assert set(panel.metrics) <= metrics.keys()
            if isinstance(panel, Chart):
                assert {metrics[name].unit for name in panel.metrics} == {panel.unit}


def test_the_sections_name_only_metrics_of_the_host_or_of_requests() -> None:
    named = {name for charts in SECTIONS.values() for names in charts.values() for name in names}
    requests = {"requests_per_sec", "errors_per_sec", "avg_latency", *(f"avg_latency.p{part}" for part in (50, 95, 99))}
    assert named - METRICS.keys() == requests
    assert set(CARDS) - METRICS.keys() == {"requests_per_sec", "avg_latency"}


def test_only_parts_of_a_whole_are_stacked(board: Board) -> None:
    charts = {tuple(panel.metrics): panel for row in rows_of(board) for panel in row.panels if isinstance(panel, Chart)}
    assert [names for names, chart in charts.items() if chart.stacked] == [("cpu_mode",), ("memory_kind",)]


def test_the_top_processes_are_a_table(board: Board) -> None:
    [table] = [panel for row in rows_of(board) for panel in row.panels if isinstance(panel, Table)]
    assert (table.metrics, table.label) == (["process_cpu", "process_memory", "process_count"], "process")


def test_metrics_that_this_machine_lacks_have_no_panel(monkeypatch: pytest.MonkeyPatch) -> None:
    def lacking(**how: bool) -> None:
        raise NotImplementedError("not here")

    for name in ("net_io_counters", "disk_io_counters"):
        monkeypatch.setattr(psutil, name, lacking)
    monkeypatch.setattr(psutil, "swap_memory", lambda: SimpleNamespace(total=0))
    monkeypatch.setattr(sys, "platform", "win32")
    board, _ = host_board()
    board.prepare(Settings())
    titles = [row.title for row in rows_of(board)]
    assert "Network" not in titles
    assert "Pressure" not in titles
    shown = {
        name for row in rows_of(board) for panel in row.panels if isinstance(panel, Chart) for name in panel.metrics
    }
    assert not {"load", "disk_busy", "swap_usage"} & shown
    assert "cpu_mode" in shown


def rules_of(board: Board) -> dict[str, str]:
    return {rule.metric: rule.severity for rule in board.describe().rules}


def test_the_host_board_has_rules_for_cpu_memory_and_disk(board: Board) -> None:
    rules = rules_of(board)
    assert rules["cpu_usage"] == "critical"
    assert rules["memory_usage"] == "warning"
    assert rules["disk_space_usage"] == "critical"


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
    monkeypatch.setattr(module, "Host", lambda registry: Host(registry, root=tmp_path))
    board, _ = host_board()
    board.prepare(Settings())
    cards = [panel.metric for panel in rows_of(board)[0].panels if isinstance(panel, Card)]
    assert cards[:4] == ["cpu_usage", "memory_usage", "container_cpu_usage", "container_memory_usage"]
    assert rules_of(board)["container_memory_usage"] == "critical"


def test_the_requests_to_the_host_board_are_measured() -> None:
    with serve("--interval", "50") as server:
        server.wait_for(lambda: server.json("/api/stats")["latency"]["count"] > 0)
        assert server.json("/api/stats")["requests"]["max"] > 0
