"""The board that samples are written to: all of it is undeclared but one metric, whose ticks the viewer notes."""

from tickboard import Board

board = Board("Ingest")
heartbeat = board.gauge("heartbeat")
heartbeat.set(1)
