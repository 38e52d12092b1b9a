"""The board that ``tickboard`` alone shows: what is slow on this machine, and what Tickboard itself does."""

import socket
from collections.abc import Callable, Iterable, Iterator
from typing import Final

import psutil

from tickboard.board import Board
from tickboard.expressions.functions import metric
from tickboard.sources.host import Host
from tickboard.sources.middleware import TickboardMiddleware
from tickboard.wire import Card, Panel

PROCESSES: Final = ("process_cpu", "process_memory", "process_count")

SECTIONS: Final[dict[str, dict[str, tuple[str, ...]]]] = {
    "CPU": {
        "CPU by mode": ("cpu_mode",),
        "Top processes": PROCESSES,
    },
    "Memory and pressure": {
        "Memory by kind": ("memory_kind",),
        "Swap in use": ("swap_used",),
        "Pressure, something waits": ("pressure_some",),
    },
    "Disks": {
        "Disk traffic": ("disk_read_rate", "disk_write_rate"),
        "Disk busy": ("disk_busy",),
        "Disk space": ("disk_space_usage", "disk_space_full_in"),
    },
    "Network": {
        "Traffic": ("net_received_rate", "net_sent_rate"),
        "Errors and drops": (
            "net_received_errors_rate",
            "net_sent_errors_rate",
            "net_received_drops_rate",
            "net_sent_drops_rate",
        ),
    },
    "Container": {
        "CPU of its limit": ("container_cpu_usage", "container_cpu_throttled"),
        "Memory of its limit": ("container_memory_usage",),
    },
    "More of this machine": {
        "CPU cores": ("cpu_core",),
        "Load": ("load",),
        "Load per core": ("load_per_core",),
        "Temperature": ("temperature",),
        "Switches and interrupts": ("context_switches_rate", "interrupts_rate"),
        "Pressure, everything waits": ("pressure_full",),
        "Swap traffic": ("swap_in_rate", "swap_out_rate"),
        "Traffic by disk": ("disk_device_read_rate", "disk_device_write_rate"),
        "Disk operations": ("disk_reads_rate", "disk_writes_rate"),
        "Traffic by interface": ("net_interface_received_rate", "net_interface_sent_rate"),
    },
    "Requests": {
        "Requests answered here": ("requests_per_sec", "errors_per_sec"),
        "Latency of those requests": ("avg_latency", "avg_latency.p50", "avg_latency.p95", "avg_latency.p99"),
    },
}
"""The sections of the page: the title of each, the titles of its panels, and the metrics that each panel shows."""

STACKED: Final = {"cpu_mode", "memory_kind"}
"""Metrics whose series add up to a whole."""

OVERVIEW: Final = ("cpu_usage", "memory_usage", "disk_space_usage", "net_rate", "load_per_core")
"""The metrics that a wall keeps of each host."""

FOLDED: Final = {"More of this machine", "Requests"}
"""Sections that begin folded, since they hold what is rarely asked for first."""


def host_title(name: str) -> str:
    """Return the heading of the board of a machine."""
    return f"Live Dashboard · {name}"


def host_board() -> tuple[Board, TickboardMiddleware]:
    """Return the board of this machine, and the application that serves it and measures its requests."""
    board = Board(host_title(socket.gethostname()))
    host = Host(board.registry, overview=OVERVIEW)
    # This board's own requests are the only ones, so they are counted.
    measured = TickboardMiddleware(board, board.registry, count_board=True)
    board.every()(host.sample)
    _arrange(board)
    board.monitor_self()
    _watch(board)
    return board, measured


def _arrange(board: Board) -> None:
    """Lay the page out: six cards, then a section for each part of the machine.

    Metrics that this machine does not have are left out.
    """
    has = board.registry.metrics.keys()
    notes = _notes()
    board.row(*_cards(board, notes))
    for section, charts in SECTIONS.items():
        shown = {title: [name for name in names if name in has] for title, names in charts.items()}
        panels = [_panel(board, title, names) for title, names in shown.items() if names]
        if panels:
            board.row(*panels, title=section, note=notes.get(section, ""), folded=section in FOLDED)


def _notes() -> dict[str, str]:
    memory = _size(lambda: psutil.virtual_memory().total)
    swap = _size(lambda: psutil.swap_memory().total, "swap ", "no swap")
    return {
        "CPU": _counted(cores, "core") if (cores := _cores()) else "",
        "Memory": memory,
        "Memory and pressure": ", ".join(filter(None, [memory, swap])),
        "Container": "against its own limits",
        "Requests": "to Tickboard's own page and API, not to your services",
    }


def _cores() -> int:
    """Return the number of cores; 0 if it cannot be read."""
    try:
        return psutil.cpu_count() or 0
    except Exception:  # noqa: BLE001 - on a machine that hides it, the sampler reports why
        return 0


def _size(read: Callable[[], int], prefix: str = "", none: str = "") -> str:
    """Return a size in GiB with a prefix, or `none` if it is 0; empty if it cannot be read."""
    try:
        size_bytes = read()
    except Exception:  # noqa: BLE001 - on a machine that hides it, the sampler reports why
        return ""
    return f"{prefix}{size_bytes / 2**30:.1f} GiB" if size_bytes else none


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _cards(board: Board, notes: dict[str, str]) -> Iterator[Card]:
    """Make the cards: CPU, memory, disk, network, load and pressure, and in a container what it uses of its limits."""
    has = board.registry.metrics.keys()
    for name, title, note, labels, limit in (
        ("cpu_usage", "", notes["CPU"], {}, 0),
        ("memory_usage", "", notes["Memory"], {}, 0),
        ("container_cpu_usage", "", "", {}, 0),
        ("container_memory_usage", "", "", {}, 0),
        ("disk_space_usage", "Disk", "fullest", {}, 1),
        ("net_rate", "", "in and out", {}, 0),
        ("load", "Load", "1 min", {"span": "1m"}, 0),
        ("pressure_some", "Pressure", "memory, some", {"resource": "memory"}, 0),
    ):
        if name in has:
            handle = board.metric(name)
            yield board.card(handle.labels(**labels) if labels else handle, title, note=note, limit=limit)


def _panel(board: Board, title: str, names: list[str]) -> Panel:
    if names[0] == PROCESSES[0]:
        return board.table(*names, label="process", also=["user"], title=title)
    if names[0] == "disk_space_usage":
        return board.bars(names[0], beside="disk_space_full_in", title=title, limit=5)
    return board.chart(*names, title=title, stacked=names[0] in STACKED)


def _watch(board: Board) -> None:
    """Report what a person would want to be woken for, and nothing else; busy is not broken."""
    has = board.registry.metrics.keys()
    _watch_memory(board, has)
    load, hot = metric("load", span="5m"), metric("cpu_hot")
    if cores := _cores():
        board.alert(load > 2 * cores, f"Load of {{value:.1f}} on {_counted(cores, 'core')}", for_="5m")
    board.alert(hot > 20, "CPU slowed down by heat: {value:.0f} % of the time", for_="5m")

    full, full_in = metric("disk_space_usage"), metric("disk_space_full_in")
    board.alert(full > 95, "Disk almost full: {mount} {value:.1f} %", severity="critical", for_="1m")
    soon = (full_in / 3600 < 6) & (full > 80)
    board.alert(soon, "Disk {mount} full in {value:.1f} h at this rate", for_="10m")

    for way in ("received", "sent"):
        errors, drops = metric(f"net_{way}_errors_rate"), metric(f"net_{way}_drops_rate")
        board.alert(errors > 1, f"Packets {way} with errors on {{interface}}: {{value:.0f}} a second", for_="2m")
        board.alert(drops > 10, f"Packets {way} and dropped on {{interface}}: {{value:.0f}} a second", for_="5m")

    throttled, memory = metric("container_cpu_throttled"), metric("container_memory_usage")
    board.alert(throttled > 25, "Container held back by its CPU limit: {value:.0f} % of the time", for_="5m")
    board.alert(memory > 95, "Container memory almost at its limit: {value:.1f} %", severity="critical", for_="1m")


def _watch_memory(board: Board, has: Iterable[str]) -> None:
    swap, growth = metric("swap_usage"), metric("swap_used").change
    # A megabyte in the window is no noise.
    growing = growth > 2**20
    board.alert((swap > 80) & growing, "Swap almost full and growing: {value:.0f} %", severity="critical", for_="1m")
    board.alert((swap > 10) & growing, "Swap in use and growing: {value:.0f} %", for_="2m")
    if "pressure_some" not in has:
        # A system that does not report pressure says no more than this.
        board.alert(metric("memory_usage") > 95, "Memory almost full: {value:.1f} %", severity="critical", for_="1m")
        return
    some, all_wait = metric("pressure_some", resource="memory"), metric("pressure_full", resource="memory")
    board.alert(some > 10, "Memory pressure: something waits {value:.0f} % of the time", for_="1m")
    board.alert(
        all_wait > 20, "Memory pressure: everything waits {value:.0f} % of the time", severity="critical", for_="1m"
    )
    disks = metric("pressure_full", resource="io")
    board.alert(disks > 40, "I/O pressure: everything waits for disks {value:.0f} % of the time", for_="5m")
