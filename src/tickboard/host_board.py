"""The board that ``tickboard`` alone shows: this machine, and what Tickboard itself does."""

import socket

from tickboard.board import Board
from tickboard.sources.host import Host
from tickboard.sources.middleware import TickboardMiddleware


def host_board() -> tuple[Board, TickboardMiddleware]:
    """Return the board of this machine, and the application that serves it and measures its requests."""
    board = Board(f"Live Dashboard · {socket.gethostname()}")
    host = Host(board.registry)
    measured = TickboardMiddleware(board, board.registry)
    board.every()(host.sample)
    _arrange(board)
    board.watch_itself()
    _watch(board)
    return board, measured


def _arrange(board: Board) -> None:
    """Lay the page out: the four numbers that say how the machine is, then a chart for each thing that it does.

    What this machine lacks, the host has not declared, and is left out here too.
    """
    has = board.registry.metrics.keys()
    cards = ["cpu_usage", "memory_usage", "swap_usage", "disk_usage", "requests_per_sec", "avg_latency"]
    board.row(*(board.card(name) for name in cards if name in has))
    charts = [
        ("CPU (%)", ["cpu_usage"]),
        ("CPU cores (%)", ["cpu_core"]),
        ("Memory (%)", ["memory_usage", "swap_usage"]),
        ("Load", ["load"]),
        ("Disk traffic", ["disk_read_rate", "disk_write_rate"]),
        ("Network traffic", ["net_received_rate", "net_sent_rate"]),
        ("Requests answered here (req/s)", ["requests_per_sec", "errors_per_sec"]),
        ("Latency of those requests (ms)", ["avg_latency", "avg_latency.p50", "avg_latency.p95", "avg_latency.p99"]),
    ]
    shown = [(title, [name for name in names if name in has]) for title, names in charts]
    board.row(*(board.chart(*names, title=title) for title, names in shown if names))


def _watch(board: Board) -> None:
    """Tell what would worry the owner of any machine, once it has lasted."""
    has = board.registry.metrics.keys()
    if "cpu_usage" in has:
        cpu = board.metric("cpu_usage")
        board.alert(
            cpu > 90, "CPU usage critical: {value:.1f}%", severity="critical", for_="10s", clear=cpu < 80, keep="5s"
        )
    if "memory_usage" in has:
        board.alert(board.metric("memory_usage") > 85, "Memory usage high: {value:.1f}%", for_="10s")
    if "disk_usage" in has:
        board.alert(board.metric("disk_usage") > 90, "Disk almost full: {value:.1f}%", severity="critical", for_="10s")
    board.alert(board.metric("avg_latency").p95 > 1_000, "Tickboard answers slowly: p95 {value:.0f}ms", for_="5s")
