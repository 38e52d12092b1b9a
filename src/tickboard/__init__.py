"""Tickboard: a live dashboard in Python."""

__version__ = "0.1.0"

from tickboard.background import Background, serve_in_background
from tickboard.board import Board
from tickboard.client import RefusedError, Ticks, connect
from tickboard.errors import BoardError, InputError, LimitError, TickboardError
from tickboard.expressions.conditions import absent, anomaly, metric
from tickboard.push import Push, push
from tickboard.receiver import ProtocolError, Series, Tick
from tickboard.sources.middleware import TickboardMiddleware, TickboardWSGIMiddleware, django_routes

__all__ = [
    "Background",
    "Board",
    "BoardError",
    "InputError",
    "LimitError",
    "ProtocolError",
    "Push",
    "RefusedError",
    "Series",
    "Tick",
    "TickboardError",
    "TickboardMiddleware",
    "TickboardWSGIMiddleware",
    "Ticks",
    "absent",
    "anomaly",
    "connect",
    "django_routes",
    "metric",
    "push",
    "serve_in_background",
]
