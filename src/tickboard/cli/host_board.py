"""The board that ``tickboard`` shows without a command: this machine, and Tickboard itself."""

import socket
from typing import Final

from tickboard.board import Board
from tickboard.sources.host import Host
from tickboard.sources.middleware import TickboardMiddleware
from tickboard.wire import Panel

CARDS: Final = (
    "cpu_usage",
    "memory_usage",
    "container_cpu_usage",
    "container_memory_usage",
    "swap_usage",
    "disk_usage",
    "requests_per_sec",
    "avg_latency",
    "uptime",
)
"""The metrics that are shown as cards, at the top of the page."""

SECTIONS: Final[dict[str, dict[str, tuple[str, ...]]]] = {
    "CPU": {
        "CPU by mode (%)": ("cpu_mode",),
        "CPU cores (%)": ("cpu_core",),
        "Container CPU (%)": ("container_cpu_usage", "container_cpu_throttled"),
        "Load": ("load",),
        "Switches and interrupts (/s)": ("context_switches_rate", "interrupts_rate"),
        "Temperature (°C)": ("temperature",),
    },
    "Memory": {
        "Memory by kind": ("memory_kind",),
        "Memory and swap (%)": ("memory_usage", "container_memory_usage", "swap_usage"),
        "Swap traffic": ("swap_in_rate", "swap_out_rate"),
    },
    "Disks": {
        "Disk traffic": ("disk_device_read_rate", "disk_device_write_rate"),
        "Disk operations (ops/s)": ("disk_reads_rate", "disk_writes_rate"),
        "Disk busy (%)": ("disk_busy",),
        "Disk space (%)": ("disk_space_usage",),
    },
    "Network": {
        "Network traffic": ("net_interface_received_rate", "net_interface_sent_rate"),
        "Errors and drops (packets/s)": (
            "net_received_errors_rate",
            "net_sent_errors_rate",
            "net_received_drops_rate",
            "net_sent_drops_rate",
        ),
    },
    "Pressure": {
        "Some wait (%)": ("pressure_some",),
        "All wait (%)": ("pressure_full",),
    },
    "Processes": {
        "Top processes": ("process_cpu", "process_memory", "process_count"),
    },
    "Requests": {
        "Requests answered here (req/s)": ("requests_per_sec", "errors_per_sec"),
        "Latency of those requests (ms)": ("avg_latency", "avg_latency.p50", "avg_latency.p95", "avg_latency.p99"),
    },
}
"""The rows of the page: the title of each row, the titles of its panels, and the metrics that each panel shows."""

STACKED: Final = {"cpu_mode", "memory_kind"}
"""Metrics whose series add up to a whole."""


def host_board() -> tuple[Board, TickboardMiddleware]:
    """Return the board of this machine, and the application that serves it and measures its requests."""
    board = Board(f"Live Dashboard · {socket.gethostname()}")
    host = Host(board.registry)
    # This board's own requests are the only ones, so they are counted.
    measured = TickboardMiddleware(board, board.registry, count_board=True)
    board.every()(host.sample)
    _arrange(board)
    board.monitor_self()
    _watch(board)
    return board, measured


def _arrange(board: Board) -> None:
    """Lay out the page: the cards, then a row for each part of the machine.

    Metrics that this machine does not have are left out.
    """
    has = board.registry.metrics.keys()
    board.row(*(board.card(name) for name in CARDS if name in has))
    for section, charts in SECTIONS.items():
        shown = {title: [name for name in names if name in has] for title, names in charts.items()}
        panels = [_panel(board, title, names) for title, names in shown.items() if names]
        if panels:
            board.row(*panels, title=section)


def _panel(board: Board, title: str, names: list[str]) -> Panel:
    if names[0].startswith("process_"):
        return board.table(*names, label="process", title=title, limit=15)
    return board.chart(*names, title=title, stacked=names[0] in STACKED)


def _watch(board: Board) -> None:
    """Add rules for conditions that are bad on any machine."""
    has = board.registry.metrics.keys()
    if "cpu_usage" in has:
        cpu = board.metric("cpu_usage")
        board.alert(
            cpu > 90, "CPU usage critical: {value:.1f}%", severity="critical", for_="10s", clear=cpu < 80, keep="5s"
        )
    if "memory_usage" in has:
        board.alert(board.metric("memory_usage") > 85, "Memory usage high: {value:.1f}%", for_="10s")
    if "container_memory_usage" in has:
        board.alert(
            board.metric("container_memory_usage") > 90,
            "Container memory almost at its limit: {value:.1f}%",
            severity="critical",
            for_="10s",
        )
    if "disk_space_usage" in has:
        board.alert(
            board.metric("disk_space_usage") > 90,
            "Disk almost full: {mount} {value:.1f}%",
            severity="critical",
            for_="10s",
        )
    board.alert(board.metric("avg_latency").p95 > 1_000, "Tickboard answers slowly: p95 {value:.0f}ms", for_="5s")
