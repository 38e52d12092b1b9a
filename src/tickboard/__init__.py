"""Tickboard: a live dashboard in Python.

Names are imported when they are first used. A program that only sends, with `push` or `connect`, loads neither NumPy
nor the server.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tickboard.board import Board
    from tickboard.client.changes import changes
    from tickboard.client.changes_data import Change, Changes
    from tickboard.client.decoder import ProtocolError, Tick, WatchedSeries
    from tickboard.client.history import history
    from tickboard.client.history_data import HistoryData, HistorySeries
    from tickboard.client.mark import mark
    from tickboard.client.push import Push, push
    from tickboard.client.ticks import Ticks
    from tickboard.client.watch import connect
    from tickboard.errors import BoardError, InputError, LimitError, RefusedError, TickboardError
    from tickboard.expressions.expr import Condition
    from tickboard.expressions.functions import absent, anomaly, metric, total
    from tickboard.history.board_history import BoardHistory
    from tickboard.metrics.handles import Counter, Gauge, Histogram
    from tickboard.running.background import Background, serve_in_background
    from tickboard.settings import Settings
    from tickboard.sources.middleware import TickboardMiddleware, TickboardWSGIMiddleware, django_routes
    from tickboard.wire import Alert, HostColumn, Mark, Stats

__version__ = "0.1.0"

__all__ = [
    "Alert",
    "Background",
    "Board",
    "BoardError",
    "BoardHistory",
    "Change",
    "Changes",
    "Condition",
    "Counter",
    "Gauge",
    "Histogram",
    "HistoryData",
    "HistorySeries",
    "HostColumn",
    "InputError",
    "LimitError",
    "Mark",
    "ProtocolError",
    "Push",
    "RefusedError",
    "Settings",
    "Stats",
    "Tick",
    "TickboardError",
    "TickboardMiddleware",
    "TickboardWSGIMiddleware",
    "Ticks",
    "WatchedSeries",
    "absent",
    "anomaly",
    "changes",
    "connect",
    "django_routes",
    "history",
    "mark",
    "metric",
    "push",
    "serve_in_background",
    "total",
]

# Where each name is defined: the same as above, for when the program runs.
_MODULES = {
    "board": ("Board",),
    "client.changes": ("changes",),
    "client.changes_data": ("Change", "Changes"),
    "client.decoder": ("ProtocolError", "Tick", "WatchedSeries"),
    "client.history": ("history",),
    "client.history_data": ("HistoryData", "HistorySeries"),
    "client.mark": ("mark",),
    "client.push": ("Push", "push"),
    "client.ticks": ("Ticks",),
    "client.watch": ("connect",),
    "errors": ("BoardError", "InputError", "LimitError", "RefusedError", "TickboardError"),
    "expressions.functions": ("absent", "anomaly", "metric", "total"),
    "expressions.expr": ("Condition",),
    "history.board_history": ("BoardHistory",),
    "metrics.handles": ("Counter", "Gauge", "Histogram"),
    "running.background": ("Background", "serve_in_background"),
    "settings": ("Settings",),
    "sources.middleware": ("TickboardMiddleware", "TickboardWSGIMiddleware", "django_routes"),
    "wire": ("Alert", "HostColumn", "Mark", "Stats"),
}
_HOMES = {name: f"tickboard.{module}" for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'tickboard' has no attribute {name!r}")
    found = globals()[name] = getattr(import_module(home), name)
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
