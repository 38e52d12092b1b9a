"""The specification's four metrics, never set."""

from tickboard import Board

board = Board("Empty")
for name in ("cpu_usage", "memory_usage", "requests_per_sec", "avg_latency"):
    board.gauge(name)
