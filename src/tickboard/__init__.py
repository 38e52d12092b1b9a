"""Tickboard: a live dashboard in Python."""

__version__ = "0.1.0"

from tickboard.board import Board
from tickboard.errors import BoardError, InputError, LimitError, TickboardError
from tickboard.sources.middleware import TickboardMiddleware

__all__ = ["Board", "BoardError", "InputError", "LimitError", "TickboardError", "TickboardMiddleware"]
