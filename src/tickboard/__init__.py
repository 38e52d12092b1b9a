"""Tickboard: a live dashboard in Python."""

__version__ = "0.1.0"
